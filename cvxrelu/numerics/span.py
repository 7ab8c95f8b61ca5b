"""The subspace that rows of data lie in, up to the rounding of their entries."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["span_of"]

Array = NDArray[np.float64]


def span_of(rows: Array) -> Array:
    """Return an orthonormal basis of the span of rows.

    Parameters
    ----------
    rows : (n, d) array
        The rows.

    Returns
    -------
    (d, r) array
        The basis, with r at least one. Singular values below eps * max(n, d) times the largest count as rounding.

    Examples
    --------
    >>> span_of(np.array([[1.0, 1.0], [2.0, 2.0]])).shape
    (2, 1)
    """
    _, singular, right = np.linalg.svd(rows, full_matrices=False)
    rank = int(np.sum(singular > np.finfo(float).eps * max(rows.shape) * singular[0]))
    return right[: max(rank, 1)].T
