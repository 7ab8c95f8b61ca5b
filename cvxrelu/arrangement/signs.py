"""Exact signs of inner products of floats: floats with a proven error bound, rationals where it fails.

For rows a and points u of length D, in any order of summation and with or without fused multiply-add,

    abs(fl(a . u) - a . u) <= gamma_D * sum_k abs(a_k u_k) + D * eta,      gamma_D = D eps / (1 - D eps)

with eps = 2^-53 and eta the smallest subnormal (Higham, "Accuracy and Stability of Numerical Algorithms",
section 3.1; the last term covers underflow of products). The sum on the right is itself computed in floats,
which a factor of two covers amply. Where the product is larger than the bound its sign is right; the others
are summed as fractions.
"""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

__all__ = ["decided_signs", "exact_signs"]

_UNIT_ROUNDOFF = 2.0**-53
_SMALLEST_SUBNORMAL = 2.0**-1074
# Rows of the product evaluated at a time, so that temporaries stay small.
_CHUNK_ENTRIES = 2**22


def decided_signs(rows: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.int8]:
    """Signs of points @ rows.T that floats prove, 0 where they do not decide.

    Parameters
    ----------
    rows : ndarray of shape (n, D)
        Normals.
    points : ndarray of shape (p, D)
        Points.

    Returns
    -------
    ndarray of int8, shape (p, n)
        +1 or -1 where proven, else 0.

    Examples
    --------
    >>> decided_signs(np.array([[1.0, -1.0]]), np.array([[2.0, 1.0], [1.0, 1.0]])).tolist()
    [[1], [0]]
    """
    dimension = rows.shape[1]
    relative = 2 * (dimension + 2) * _UNIT_ROUNDOFF
    absolute = 2 * (dimension + 2) * _SMALLEST_SUBNORMAL
    with np.errstate(all="ignore"):
        value = points @ rows.T
        bound = relative * (np.abs(points) @ np.abs(rows).T) + absolute
        # Overflow gives inf or nan, for which the comparison is false.
        decided = (np.abs(value) > bound) & np.isfinite(bound)
        return np.where(decided, np.sign(value), 0).astype(np.int8)


def exact_signs(rows: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.int8]:
    """Exact signs of points @ rows.T.

    Parameters
    ----------
    rows : ndarray of shape (n, D)
        Normals, finite.
    points : ndarray of shape (p, D)
        Points, finite.

    Returns
    -------
    ndarray of int8, shape (p, n)
        -1, 0 or +1.

    Examples
    --------
    >>> exact_signs(np.array([[0.1, -0.3]]), np.array([[3.0, 1.0], [1.0, 1.0]])).tolist()
    [[1], [-1]]
    """
    signs = np.empty((len(points), len(rows)), dtype=np.int8)
    step = max(1, _CHUNK_ENTRIES // max(1, len(rows)))
    for start in range(0, len(points), step):
        part = points[start : start + step]
        chunk = signs[start : start + step]
        chunk[...] = decided_signs(rows, part)
        for p, i in np.argwhere(chunk == 0).tolist():
            total = sum(Fraction(a) * Fraction(u) for a, u in zip(rows[i].tolist(), part[p].tolist(), strict=True))
            chunk[p, i] = (total > 0) - (total < 0)
    return signs
