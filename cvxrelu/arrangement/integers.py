"""Floats are dyadic rationals, so every row is a positive multiple of an integer row.

A hyperplane does not change when its normal is scaled by a positive number. Multiplying a row of floats
by the common denominator of its entries, and dividing by their greatest common divisor, gives the one
primitive integer row of that ray: two rows are parallel exactly when their primitive rows agree up to sign.
"""

from collections.abc import Iterable, Sequence
from math import gcd

import numpy as np
from numpy.typing import NDArray

__all__ = ["IntegerRow", "integer_rows", "leading_sign", "primitive"]

IntegerRow = tuple[int, ...]


def primitive(row: Iterable[int]) -> IntegerRow:
    """Divide an integer row by the greatest common divisor of its entries.

    Parameters
    ----------
    row : iterable of int
        The row.

    Returns
    -------
    tuple of int
        The shortest integer row of the same ray; a zero row stays as it is.

    Examples
    --------
    >>> primitive((-4, 6))
    (-2, 3)
    """
    row = tuple(row)
    divisor = gcd(*row)
    return row if divisor <= 1 else tuple(entry // divisor for entry in row)


def leading_sign(row: Sequence[int]) -> int:
    """Return the sign of the first nonzero entry, 0 for a zero row.

    Parameters
    ----------
    row : sequence of int
        The row.

    Returns
    -------
    int
        -1, 0 or 1.

    Examples
    --------
    >>> leading_sign((0, -2, 3))
    -1
    """
    for entry in row:
        if entry:
            return 1 if entry > 0 else -1
    return 0


def integer_rows(rows: NDArray[np.float64]) -> list[IntegerRow]:
    """Scale each row of finite floats, exactly, to its primitive integer row.

    Parameters
    ----------
    rows : ndarray of shape (n, D)
        Finite floats.

    Returns
    -------
    list of tuple of int
        The primitive rows; each is a positive multiple of the given one.

    Examples
    --------
    >>> integer_rows(np.array([[0.5, -1.5], [0.0, 0.0]]))
    [(1, -3), (0, 0)]
    """
    result = []
    for row in rows.tolist():
        ratios = [entry.as_integer_ratio() for entry in row]
        # Denominators are powers of two, so the largest is the least common multiple.
        scale = max(denominator for _, denominator in ratios)
        result.append(primitive(numerator * (scale // denominator) for numerator, denominator in ratios))
    return result
