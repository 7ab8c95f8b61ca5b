"""Lifted rows in coordinates where they are orthonormal, as far as their rank goes: (X, 1) T, columns 1 or 0 long."""

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
    turned = rotation.T / np.where(full, lengths, 1.0)
    return rows @ turned * full, transform @ turned
