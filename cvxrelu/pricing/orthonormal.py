"""Lifted rows in coordinates where they are orthonormal, as far as their rank goes: (X, 1) T, columns 1 or 0 long.

Far from the origin, or next to a plane, T is large and the products cancel. They are sums of fractions, rounded once:
what floats would make of them is the rounding of a bound that nobody could see.
"""

from fractions import Fraction

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
    columns = [[*map(Fraction, column)] for column in right.T.tolist()]
    return np.array(
        [
            [float(sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0))) for column in columns]
            for row in ([*map(Fraction, row)] for row in left.tolist())
        ]
    )
