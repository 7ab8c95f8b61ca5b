"""Independence, spans and null vectors in integers, by fraction-free Gauss-Jordan elimination.

The basis kept has one pivot column for each row, and every row is zero in the pivot columns of the others,
so membership in the span and the null space can be read off. Rows are divided by their greatest common
divisor, which keeps integers as short as the minors they stand for.
"""

from collections.abc import Iterable, Sequence
from math import lcm
from operator import mul

from cvxrelu.arrangement.integers import IntegerRow, primitive

__all__ = ["Span", "coordinates", "dot", "null_vector"]


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


def coordinates(basis: Sequence[IntegerRow], vectors: Sequence[IntegerRow]) -> list[IntegerRow] | None:
    """Write vectors in a basis, up to positive factors.

    Bareiss' elimination without fractions: every number is a minor, and every division leaves no remainder.

    Parameters
    ----------
    basis : sequence of tuple of int
        n rows of length n.
    vectors : sequence of tuple of int
        Rows of length n.

    Returns
    -------
    list of tuple of int, or None
        For each vector v primitive integers c such that sum_q c_q basis_q is a positive multiple of v; None if
        the basis is dependent.

    Examples
    --------
    >>> coordinates([(2, 0), (1, 1)], [(0, 1), (2, 0)])
    [(-1, 2), (1, 0)]
    """
    n, previous = len(basis), 1
    table = [list(row) for row in zip(*basis, *vectors, strict=True)]
    for p in range(n):
        top = min((q for q in range(p, n) if table[q][p]), key=lambda q: abs(table[q][p]), default=-1)
        if top < 0:
            return None
        table[p], table[top] = table[top], table[p]
        by = table[p]
        pivot = by[p]
        for q in range(n):
            if q != p:
                factor = table[q][p]
                table[q] = [(pivot * a - factor * b) // previous for a, b in zip(table[q], by, strict=True)]
        previous = pivot
    sign = 1 if previous > 0 else -1
    return [primitive(sign * row[n + v] for row in table) for v in range(len(vectors))]
