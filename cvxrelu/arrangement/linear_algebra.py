"""Independence, spans and null vectors in integers, by fraction-free Gauss-Jordan elimination.

The basis kept has one pivot column for each row, and every row is zero in the pivot columns of the others,
so membership in the span and the null space can be read off. Rows are divided by their greatest common
divisor, which keeps integers as short as the minors they stand for.
"""

from collections.abc import Iterable, Sequence
from math import lcm
from operator import mul

from cvxrelu.arrangement.integers import IntegerRow, primitive

__all__ = ["Span", "dot", "null_vector"]


def dot(left: Iterable[int], right: Iterable[int]) -> int:
    """Return the inner product of two integer rows.

    Parameters
    ----------
    left, right : iterable of int
        Rows of one length.

    Returns
    -------
    int
        The inner product.

    Examples
    --------
    >>> dot((1, 2), (3, 4))
    11
    """
    return sum(map(mul, left, right))


class Span:
    """The span of integer rows, grown a row at a time.

    Examples
    --------
    >>> span = Span([(1, 1, 0), (0, 1, 1)])
    >>> (1, 2, 1) in span, (0, 0, 1) in span
    (True, False)
    >>> span.add((1, 0, -1)), span.rank
    (False, 2)
    """

    def __init__(self, rows: Iterable[IntegerRow] = ()) -> None:
        self._basis: dict[int, IntegerRow] = {}
        for row in rows:
            self.add(row)

    @property
    def rank(self) -> int:
        """Dimension of the span."""
        return len(self._basis)

    @property
    def pivots(self) -> dict[int, IntegerRow]:
        """The reduced basis, by pivot column."""
        return dict(self._basis)

    def __contains__(self, row: IntegerRow) -> bool:
        """Whether a row is a combination of those added."""
        return not any(self._reduce(row))

    def add(self, row: IntegerRow) -> bool:
        """Add a row; return whether it was independent of those before."""
        row = self._reduce(row)
        pivot = min((q for q in range(len(row)) if row[q]), key=lambda q: abs(row[q]), default=-1)
        if pivot < 0:
            return False
        for q, old in self._basis.items():
            if old[pivot]:
                self._basis[q] = _eliminate(old, row, pivot)
        self._basis[pivot] = row
        return True

    def _reduce(self, row: IntegerRow) -> IntegerRow:
        """Subtract from a positive multiple of the row what clears its pivot columns."""
        for pivot, basis_row in self._basis.items():
            if row[pivot]:
                row = _eliminate(row, basis_row, pivot)
        return primitive(row)


def _eliminate(row: IntegerRow, by: IntegerRow, pivot: int) -> IntegerRow:
    """Clear a column of a row."""
    keep, drop = by[pivot], row[pivot]
    if keep < 0:
        keep, drop = -keep, -drop
    return primitive(keep * a - drop * b for a, b in zip(row, by, strict=True))


def null_vector(rows: Sequence[IntegerRow]) -> IntegerRow | None:
    """Return the integer vector orthogonal to n - 1 independent rows of length n.

    Parameters
    ----------
    rows : sequence of tuple of int
        n - 1 rows of length n; n >= 2.

    Returns
    -------
    tuple of int or None
        A primitive vector, unique up to sign; None if the rows are dependent.

    Examples
    --------
    >>> null_vector([(1, 2)])
    (-2, 1)
    >>> null_vector([(1, 2, 3), (2, 4, 6)]) is None
    True
    """
    span = Span()
    for row in rows:
        if not span.add(row):
            return None
    basis = span.pivots
    length = len(rows[0])
    free = next(q for q in range(length) if q not in basis)
    scale = lcm(*(row[pivot] for pivot, row in basis.items()))
    return primitive(scale if q == free else -basis[q][free] * (scale // basis[q][q]) for q in range(length))
