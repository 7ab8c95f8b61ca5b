"""Rows less their mean, to the last digits of the differences.

A mean is rounded in its own size, which may be far above that of the differences. What is subtracted is then wrong by
the same in all rows, and columns that depend on each other no longer do, by a share that can be mistaken for more than
rounding. So the mean of the differences is taken off, too.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["centred"]

Array = NDArray[np.float64]


def centred(rows: Array) -> tuple[Array, Array]:
    """Return rows less their mean, and the mean.

    Parameters
    ----------
    rows : (n, d) array
        The rows.

    Returns
    -------
    (n, d) array, (d,) array
        The differences, exactly zero in a column of equal values; and the mean, rounded.

    Examples
    --------
    >>> differences, mean = centred(np.array([[1e8, 7.0], [1e8 + 0.1, 7.0], [1e8 + 0.3, 7.0]]))
    >>> float(abs(differences.sum(axis=0)).max()) < 1e-15
    True
    """
    mean = rows.mean(axis=0)
    rest = (rows - mean).mean(axis=0)
    return (rows - mean - rest) * (np.ptp(rows, axis=0) > 0), mean
