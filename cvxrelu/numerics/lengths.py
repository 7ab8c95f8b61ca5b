r"""Euclidean lengths that neither over- nor underflow on the way: norm(u) = 2^k norm(2^-k u), 1 <= 2^-k max abs(u) < 2.

Powers of two are multiplied without rounding, and squares of numbers near one stay in range. So a length is wrong by
rounding only, unless it is itself beyond the largest float (then it is infinite) or among the subnormal ones.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["exponents_of", "lengths", "row_sizes", "shifted"]

Array = NDArray[np.float64]
Integers = NDArray[np.intc]


def exponents_of(rows: Array) -> Integers:
    """Return k with 1 <= 2^-k max abs(row) < 2 for the last axis of an array; some number for rows of zeros.

    Examples
    --------
    >>> exponents_of(np.array([[0.0, -9.0], [1e-320, 0.0]]))
    array([    3, -1064], dtype=int32)
    """
    return np.asarray(np.frexp(np.max(np.abs(rows), axis=-1, initial=0.0))[1] - 1, dtype=np.intc)


def shifted(values: Array | np.float64, exponents: Integers | int) -> Array:
    """Return values * 2^exponents, infinite where that is beyond the largest float; there is no other rounding.

    Examples
    --------
    >>> shifted(np.array([1e-320, 1.0]), np.array([1064, 2000]))
    array([1.9765625,       inf])
    """
    with np.errstate(over="ignore"):
        return np.ldexp(values, exponents)


def lengths(rows: Array) -> Array:
    """Return the Euclidean norms along the last axis.

    Examples
    --------
    >>> lengths(np.array([[3e-200, 4e-200], [3e200, 4e200]]))
    array([5.e-200, 5.e+200])
    """
    exponents = exponents_of(rows)
    return shifted(np.linalg.norm(np.ldexp(rows, -exponents[..., None]), axis=-1), exponents)


def row_sizes(values: Array) -> Array:
    """Return the absolute values of a vector, or the Euclidean norms of the rows of a matrix.

    Examples
    --------
    >>> row_sizes(np.array([-2.0, 1.0])), row_sizes(np.array([[3.0, -4.0]]))
    (array([2., 1.]), array([5.]))
    """
    return np.abs(values) if values.ndim == 1 else lengths(values)
