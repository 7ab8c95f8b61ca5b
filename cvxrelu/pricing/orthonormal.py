"""Lifted rows in coordinates where they are orthonormal, as far as their rank goes: (X, 1) T, columns 1 or 0 long.

Far from the origin, or next to a plane, T is large and the products cancel. They are made of integers and rounded once:
what floats would make of them is the rounding of a bound that nobody could see.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.cell_coordinates import RANK_RTOL

__all__ = ["orthonormal_rows"]

Array = NDArray[np.float64]


def orthonormal_rows(X: Array, has_bias: bool) -> tuple[Array, Array]:
    """Return the lifted rows times T, and T, where the product has orthonormal columns, and zeros beyond its rank."""
    center = X.mean(axis=0) if has_bias else np.zeros(X.shape[1])
    centered = X - center
    scale = np.abs(centered).max() or 1.0
    rows, transform = centered / scale, np.eye(X.shape[1] + has_bias)
    transform[: X.shape[1], : X.shape[1]] /= scale
    if has_bias:
        rows = np.column_stack([rows, np.ones(len(X))])
        transform[-1, :-1] = -center / scale
    _, singular, rotation = np.linalg.svd(rows)
    lengths = np.zeros(rows.shape[1])
    lengths[: len(singular)] = singular
    full = lengths > RANK_RTOL * lengths[0]
    transform = transform @ (rotation.T / np.where(full, lengths, 1.0))
    return _product(np.column_stack([X, np.ones(len(X))]) if has_bias else X, transform) * full, transform


def _product(left: Array, right: Array) -> Array:
    """Return a product of matrices, every entry rounded once."""
    (rows, units), (columns, others) = _integers(left), _integers(right.T)
    found = (rows @ columns.T) / (units[:, None] * others)
    return found.astype(float)


def _integers(rows: Array) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Return integers and a number for each row, by which they are to be divided."""
    ratios = [[entry.as_integer_ratio() for entry in row] for row in rows.tolist()]
    units = [max(bottom for _, bottom in row) for row in ratios]
    wide = [[top * (unit // bottom) for top, bottom in row] for row, unit in zip(ratios, units, strict=True)]
    return np.array(wide, dtype=object), np.array(units, dtype=object)
