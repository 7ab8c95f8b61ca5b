"""Signs of places on a region of neurons: which follow from those that are known, and whether there is room at all."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, nnls

__all__ = ["implied_signs", "inner_vector"]

Array = NDArray[np.float64]

# Rows of length one are combinations of others if they are this close to them.
SAME = 1e-10
# Signs are told apart by at least this share of the length of the rows.
LEAST_MARGIN = 1e-6


def implied_signs(unit: Array, signs: dict[int, float]) -> dict[int, tuple[float, dict[int, float]]]:
    """Return signs that follow: s_k and {j: c_j} with s_k z_k = sum_j c_j s_j z_j, c >= 0, of rows of length one.

    Examples
    --------
    >>> implied_signs(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), {0: 1.0, 1: 1.0})
    {2: (1.0, {0: 0.6, 1: 0.8})}
    """
    at = sorted(signs)
    if not at:
        return {}
    rows = np.array([signs[j] for j in at])[:, None] * unit[at]
    off = unit - unit @ np.linalg.pinv(rows, rcond=SAME) @ rows
    implied = {}
    for k in np.flatnonzero(np.linalg.norm(off, axis=1) <= SAME).tolist():
        for sign in (1.0, -1.0) if k not in signs and unit[k].any() else ():
            shares, distance = nnls(rows.T, sign * unit[k])
            if distance <= SAME:
                implied[k] = sign, {j: float(c) for j, c in zip(at, shares, strict=True) if c > 0}
    return implied


def inner_vector(rows: Array) -> Array | None:
    """Return a vector of the unit cube well inside the half-spaces of rows of length one; None if there is no room."""
    D = rows.shape[1]
    rows = np.column_stack([-rows, np.ones(len(rows))])
    best = linprog(np.r_[np.zeros(D), -1.0], rows, np.zeros(len(rows)), bounds=[(-1, 1)] * D + [(None, 1)])
    return None if best.x is None or best.x[-1] <= LEAST_MARGIN else best.x[:-1]
