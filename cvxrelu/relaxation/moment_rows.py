r"""Rows of a cone program as they come, and where the entries of symmetric matrices are in its vectors.

svec stacks the columns of an upper triangle, entries off the diagonal times sqrt(2), so that inner products are kept.
"""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

__all__ = ["Rows", "svec_places", "unsvec"]

Array = NDArray[np.float64]


class Rows:
    """The rows of A and b."""

    def __init__(self, total: int) -> None:
        self.total, self.count = total, 0
        self.entries: list[tuple[Array, Array, Array]] = []
        self.right: list[float] = []

    def add(self, count: int, right: Array | float = 0.0) -> NDArray[np.intp]:
        """Add rows without entries, of these right-hand sides, and return where they are."""
        self.right += np.broadcast_to(right, count).tolist()
        self.count += count
        return np.arange(self.count - count, self.count)

    def put(self, rows: ArrayLike, columns: ArrayLike, values: ArrayLike) -> None:
        """Put entries into rows that are there; what is put twice adds up."""
        spread = np.broadcast_arrays(rows, columns, values)
        self.entries.append((spread[2].ravel(), spread[0].ravel(), spread[1].ravel()))

    def matrix(self) -> Any:
        """Return A."""
        values, rows, columns = (np.concatenate(part) for part in zip(*self.entries, strict=True))
        matrix = sp.csc_matrix((values, (rows, columns)), shape=(self.count, self.total))
        matrix.eliminate_zeros()
        return matrix


def svec_places(side: int) -> NDArray[np.intp]:
    """Return where the entries of a symmetric matrix are in its svec.

    Examples
    --------
    >>> svec_places(2)
    array([[0, 1],
           [1, 2]])
    """
    rows, columns = np.indices((side, side))
    low, high = np.minimum(rows, columns), np.maximum(rows, columns)
    return np.asarray(high * (high + 1) // 2 + low, dtype=np.intp)


def unsvec(x: Array, side: int) -> Array:
    """Return the symmetric matrix of an svec."""
    matrix = x[svec_places(side)] / np.sqrt(2)
    matrix[np.diag_indices(side)] *= np.sqrt(2)
    return matrix
