"""Generic flags: how the cells of a central arrangement fall into lowest vertices, level by level.

Let g, h be generic functionals on R^D and G = {g = h = 0}. Map a cell C by (g, h) to the plane. Either 0 is
not in the image of its closure without the origin, and the image is a sector of angle below 180 degrees; then
exactly one of C and -C lies at angles where, in the chart g = 1, the height h is bounded below and attained:
it has a lowest vertex, and the other has none. Or C meets G, and C is a cell of the arrangement restricted to
G, of dimension D - 2. So

    half of the cells = vertices of level 0 + vertices of level 1 + ...,

level t being the restriction to a generic subspace of dimension D - 2t, where a simple vertex counts one
cell, and a degenerate one the cells around it that it is the lowest point of. In general position, with n
rows, level t has C(n, D - 2t - 1) vertices, and these add up to half of Cover's count. A level of dimension 1,
which is the last, is one cell.

All of this needs g and h generic: g does not vanish at a vertex, h - y_0 g not on an edge from it. Whoever
uses a vertex verifies that exactly, for functionals with 60 random bits it holds always but for bad luck of
order 1e-18 a vertex.

The data. Rows are integers; a change of coordinates that is exact in integers (subtract one of the points,
drop dependent columns, multiply columns by powers of two) makes their floats well scaled. Only signs of
rows times points are used, so neither that nor scaling a row matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement.integers import IntegerRow, primitive
from cvxrelu.arrangement.linear_algebra import Span, dot

__all__ = ["Level", "levels", "rank_bound"]

_SEED = 1965
_BITS = 60
# Rows up to this length are cheap to eliminate in integers, however many.
_SHORT = 32
# Elimination of integers is exact in floats if sums of three products of minors stay below this.
_EXACT_LIMIT = 2**53

Matrix = tuple[IntegerRow, ...]


@dataclass(frozen=True, eq=False)
class Level:
    """The arrangement restricted to one subspace of the flag, with chart and height.

    Attributes
    ----------
    rows : tuple of tuple of int
        n integer rows of length D.
    chart, height : tuple of int
        Generic functionals g and h.
    frame : tuple of tuple of int
        Matrix, one row a coordinate of the original space, that maps points of this subspace there.
    floats : ndarray of shape (n + 2, D)
        Rows, chart and height, each times a power of two and correctly rounded (rows unscaled and exact if
        `exact`).
    exact : bool
        Whether the rows are integers so small that floats eliminate them exactly.

    Examples
    --------
    >>> levels([(1, 0, 1), (0, 1, 1), (1, 1, 1)], affine=True)[0].dimension
    3
    """

    rows: Matrix
    chart: IntegerRow
    height: IntegerRow
    frame: Matrix
    floats: NDArray[np.float64]
    exact: bool

    @property
    def dimension(self) -> int:
        """Dimension D of the subspace."""
        return len(self.chart)


def levels(rows: Sequence[IntegerRow], affine: bool) -> list[Level]:
    """Build the flag of an arrangement.

    Parameters
    ----------
    rows : sequence of tuple of int
        Nonzero rows, no two parallel.
    affine : bool
        Whether the last entry of each row is the positive lift of a point, so that points may be translated.

    Returns
    -------
    list of Level
        From the whole space downwards, dimensions r, r - 2, ..., r the rank of the rows.

    Examples
    --------
    >>> [level.dimension for level in levels([(1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 0, 1), (0, 0, 1, 1)], True)]
    [4, 2]
    """
    matrix, frame = _coordinates(rows, affine)
    rng = np.random.default_rng(_SEED)
    result = []
    while True:
        dimension = len(matrix[0])
        if dimension == 1:
            result.append(_level(matrix, (1,), (0,), frame))
            return result
        # G is the image of Q = [B; 2^bits I], B with two rows; the functionals that vanish on it are combinations
        # of 2^bits e_0 - B_0 and 2^bits e_1 - B_1.
        random = rng.integers(-(2**_BITS), 2**_BITS, (3, dimension)).tolist()
        first = (1 << _BITS, 0, *(-b for b in random[0][2:]))
        second = (0, 1 << _BITS, *(-b for b in random[1][2:]))
        alpha, beta = random[2][:2]
        chart = tuple(alpha * a + beta * b for a, b in zip(first, second, strict=True))
        height = tuple(alpha * b - beta * a for a, b in zip(first, second, strict=True))
        result.append(_level(matrix, chart, height, frame))
        if dimension == 2:
            return result
        subspace = tuple(
            tuple(random[p][q] if p < 2 else (1 << _BITS) * (p == q) for q in range(2, dimension))
            for p in range(dimension)
        )
        matrix = _multiply(matrix, subspace, reduce=True)
        frame = _multiply(frame, subspace)


def _multiply(left: Sequence[IntegerRow], right: Matrix, reduce: bool = False) -> Matrix:
    """Product of integer matrices, rows divided by their greatest common divisors if asked."""
    columns = tuple(zip(*right, strict=True))
    product = (tuple(dot(row, column) for column in columns) for row in left)
    return tuple(primitive(row) for row in product) if reduce else tuple(product)


def _diagonal(entries: Sequence[int]) -> Matrix:
    return tuple(tuple(entry * (p == q) for q in range(len(entries))) for p, entry in enumerate(entries))


def _coordinates(rows: Sequence[IntegerRow], affine: bool) -> tuple[Matrix, Matrix]:
    """Change to coordinates without dependent columns in which floats are well scaled."""
    matrix, frame = tuple(rows), _diagonal((1,) * len(rows[0]))
    if affine:
        *centre, weight = _central_row(matrix)
        shift = tuple(
            tuple(weight * (p == q) for q in range(len(rows[0])))
            if p < len(centre)
            else (*(-c for c in centre), weight)
            for p in range(len(rows[0]))
        )
        matrix, frame = _multiply(matrix, shift, reduce=True), _multiply(frame, shift)
    span = _span(matrix)
    if span.rank < len(rows[0]):
        columns = sorted(span.pivots)
        select = tuple(tuple(int(p == q) for q in columns) for p in range(len(rows[0])))
        matrix, frame = _multiply(matrix, select, reduce=True), _multiply(frame, select)
    if not _is_exact(matrix):
        # Rows may differ by hundreds of orders of magnitude, so columns are compared in rows scaled to one.
        sizes = [max(map(abs, row)).bit_length() for row in matrix]
        bits = [
            max(abs(row[q]).bit_length() - size for row, size in zip(matrix, sizes, strict=True) if row[q])
            for q in range(len(matrix[0]))
        ]
        balance = _diagonal([1 << (max(bits) - b) for b in bits])
        matrix, frame = _multiply(matrix, balance, reduce=True), _multiply(frame, balance)
    return matrix, frame


def _span(rows: Sequence[IntegerRow]) -> Span:
    """Return the span of rows, which needs no more of them once it is everything."""
    span = Span()
    for row in rows:
        span.add(row)
        if span.rank == len(row):
            break
    return span


def rank_bound(rows: Sequence[IntegerRow]) -> int:
    """Return the rank of rows, or an upper bound where it would take long.

    Parameters
    ----------
    rows : sequence of tuple of int
        The rows.

    Returns
    -------
    int
        The rank if rows are short, else the smaller of the number and the length of rows.

    Examples
    --------
    >>> rank_bound([(1, 1, 2), (2, 2, 4), (0, 1, 1)])
    2
    """
    if not rows:
        return 0
    return _span(rows).rank if len(rows[0]) <= _SHORT else min(len(rows), len(rows[0]))


def _central_row(matrix: Matrix) -> IntegerRow:
    """Return the lifted point nearest to the mean, judged in floats: any choice is correct."""
    points = np.array([[entry / row[-1] for entry in row[:-1]] for row in matrix]).reshape(len(matrix), -1)
    with np.errstate(all="ignore"):
        spread = np.maximum(points.std(axis=0), np.finfo(float).tiny)
        distance = (((points - points.mean(axis=0)) / spread) ** 2).sum(axis=1)
    return matrix[int(np.argmin(np.nan_to_num(distance, nan=np.inf)))]


def _is_exact(matrix: Matrix) -> bool:
    """Whether all minors that elimination meets are small enough: Hadamard's bound, (sqrt(k) max)^k."""
    k = len(matrix[0]) - 1
    largest = max(max(map(abs, row)) for row in matrix)
    root = isqrt(k) + 1
    return 3 * ((root * largest) ** k) ** 2 < _EXACT_LIMIT


def _level(matrix: Matrix, chart: IntegerRow, height: IntegerRow, frame: Matrix) -> Level:
    exact = _is_exact(matrix)
    floats = np.empty((len(matrix) + 2, len(chart)))
    for i, row in enumerate((*matrix, chart, height)):
        scale = 1 if exact and i < len(matrix) else 1 << max(map(abs, row)).bit_length()
        floats[i] = [entry / scale for entry in row]
    floats.flags.writeable = False
    return Level(matrix, chart, height, frame, floats, exact)
