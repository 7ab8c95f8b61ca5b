"""All cells of a central arrangement, without tolerances, by deletion and restriction in integers.

Let A_k be the first k hyperplanes, a_1, ..., a_k their normals, and let A_k restricted to a_{k+1} be the
arrangement they cut out in the hyperplane of a_{k+1}. Then (Zaslavsky 1975)

    a cell of A_k is cut in two by hyperplane k + 1  <=>  its sign pattern is that of a cell of the
    restriction.

Other cells keep their pattern, extended by the sign of a_{k+1} at any point inside. That point is kept as

    u = u_0 + epsilon u_1 + epsilon^2 u_2 + ...,       u_0, u_1, ... integer vectors, epsilon infinitesimal,

since stepping off a hyperplane to its side s is then to append s * normal, and a sign at u is that of the
first inner product that is not zero. Hyperplanes that coincide are merged at every level of the recursion.
All arithmetic is in Python's integers: duplicates, lattices and points an ulp apart need no care.

This is the reference method: short and slow (about ten thousand cells a second).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cvxrelu.arrangement.integers import IntegerRow, leading_sign, primitive
from cvxrelu.arrangement.linear_algebra import dot
from cvxrelu.errors import SolverError

__all__ = ["NOT_GENERIC", "Expansion", "cells_inside", "exact_half_cells", "expansion_to_point"]

NOT_GENERIC = (
    "a random functional met a special position of the data, which has a probability below 1e-12; "
    "move the points a little, or permute their order, and run again"
)

# Cells cut between two pauses.
_CUT_PER_PAUSE = 1024

# The vectors u_0, u_1, ... of a point.
Expansion = tuple[IntegerRow, ...]


@dataclass(slots=True)
class _Hyperplane:
    """Merged hyperplane: which bits a pattern has where normal . u > 0, and where it is < 0."""

    normal: IntegerRow
    plus: int
    minus: int


def exact_half_cells(rows: Sequence[IntegerRow], pause: Callable[[], object] = lambda: None) -> dict[int, IntegerRow]:
    """Enumerate the open cells of the hyperplanes {u : row . u = 0}, one of each opposite pair.

    Parameters
    ----------
    rows : sequence of tuple of int
        Normals, n of them of one length D; zero rows and parallel rows are welcome.
    pause : callable, optional
        Called several times a second; it may raise.

    Returns
    -------
    dict of int to tuple of int
        Pattern to a point inside the cell. Bit i of the pattern is set where row i is positive; the first
        nonzero row is positive. Bits of zero rows are not set.

    Examples
    --------
    >>> sorted(exact_half_cells([(1, 0), (0, 1), (1, 1)]))
    [1, 5, 7]
    """
    if not rows:
        return {0: ()}
    cells = _cells([_Hyperplane(row, 1 << i, 0) for i, row in enumerate(rows)], len(rows[0]), pause)
    points = {}
    for mask, inside in cells.items():
        pause()
        points[mask] = expansion_to_point(inside, rows)
    return points


def expansion_to_point(expansion: Expansion, rows: Sequence[IntegerRow]) -> IntegerRow:
    """Return an integer point with the same signs as u_0 + epsilon u_1 + ...

    Parameters
    ----------
    expansion : tuple of tuple of int
        The vectors u_0, u_1, ...
    rows : sequence of tuple of int
        Normals whose signs are to be kept.

    Returns
    -------
    tuple of int
        A positive multiple of the point for some positive epsilon.

    Examples
    --------
    >>> expansion_to_point(((1, 0), (0, -1)), [(1, 2), (0, 1)])
    (3, -1)
    """
    point = expansion[-1]
    for vector in reversed(expansion[:-1]):
        factor = 1
        for row in rows:
            value = dot(row, vector)
            if value:
                factor = max(factor, 1 + abs(dot(row, point)) // abs(value))
        point = primitive(factor * v + u for v, u in zip(vector, point, strict=True))
    return point


def cells_inside(
    height: IntegerRow, rows: Sequence[IntegerRow], pause: Callable[[], object] = lambda: None
) -> dict[int, Expansion]:
    """Enumerate the open cells on which a generic functional is positive throughout.

    Adding the functional's own hyperplane to the arrangement cuts every cell but those on which it has one
    sign: of these, the half on which it is positive is wanted.

    Parameters
    ----------
    height : tuple of int
        The functional; generic, which is verified: it vanishes on no ray of the arrangement.
    rows : sequence of tuple of int
        Normals that span the space.
    pause : callable, optional
        Called several times a second; it may raise.

    Returns
    -------
    dict of int to tuple of tuple of int
        Pattern, bit i the sign of row i, to the vectors of a point inside the cell.

    Raises
    ------
    SolverError
        If the functional is not generic.

    Examples
    --------
    >>> cells_inside((2, 3), [(1, 0), (0, 1), (1, 1)])
    {7: ((13, 13),), 6: ((-13, 26),)}
    """
    planes = [_Hyperplane(height, 1, 0), *(_Hyperplane(row, 2 << i, 0) for i, row in enumerate(rows))]
    half = _cells(planes, len(height), pause, generic=1)
    everything = (2 << len(rows)) - 2
    return {mask >> 1: point for mask, point in half.items() if mask ^ everything not in half}


def _merge(hyperplanes: Sequence[_Hyperplane], generic: int) -> list[_Hyperplane]:
    """Drop zero normals and merge equal hyperplanes, keeping order and orientation of the first.

    The first hyperplane has to stay alone if `generic` is the bit of its pattern. Restriction visits every
    ray of the arrangement, and a first hyperplane that contains one is found there to vanish or to be
    another's double.
    """
    merged: dict[IntegerRow, tuple[int, _Hyperplane]] = {}
    for plane in hyperplanes:
        normal = primitive(plane.normal)
        sign = leading_sign(normal)
        if sign == 0:
            continue
        key = normal if sign > 0 else tuple(-entry for entry in normal)
        if key not in merged:
            merged[key] = (sign, _Hyperplane(normal, plane.plus, plane.minus))
            continue
        first_sign, first = merged[key]
        same = sign == first_sign
        first.plus |= plane.plus if same else plane.minus
        first.minus |= plane.minus if same else plane.plus
    result = [plane for _, plane in merged.values()]
    if generic and (result[0].plus | result[0].minus) != generic:
        raise SolverError(NOT_GENERIC)
    return result


def _cells(
    hyperplanes: Sequence[_Hyperplane], dimension: int, pause: Callable[[], object], generic: int = 0
) -> dict[int, Expansion]:
    """Return the half cells of merged hyperplanes, the first of them positive."""
    planes = _merge(hyperplanes, generic)
    if not planes:
        return {0: ((0,) * dimension,)}
    if dimension == 2:
        return _cells_in_the_plane(planes)
    cells: dict[int, Expansion] = {planes[0].plus: (planes[0].normal,)}
    for k in range(1, len(planes)):
        new = planes[k]
        # The smallest nonzero coordinate is solved for: that keeps integers short.
        p = min((q for q in range(dimension) if new.normal[q]), key=lambda q: abs(new.normal[q]))
        restricted = _cells([_restrict(old, new.normal, p) for old in planes[:k]], dimension - 1, pause, generic)
        cells = _insert(new, p, cells, restricted, pause)
    return cells


def _cells_in_the_plane(planes: Sequence[_Hyperplane]) -> dict[int, Expansion]:
    """Half cells of lines through the origin of the plane, by sorting.

    Write u = a + t * a', a the first normal and a' = (-a_2, a_1): on the side where the first line is
    positive line i crosses this family at t_i = -(b_i . a) / (b_i . a'), and each gap between consecutive t_i
    is a cell.
    """
    first, rest = planes[0], planes[1:]
    a1, a2 = first.normal
    mask, crossings = first.plus, []
    for plane in rest:
        b1, b2 = plane.normal
        numerator, denominator = -(b1 * a1 + b2 * a2), b2 * a1 - b1 * a2
        mask |= plane.minus if denominator > 0 else plane.plus
        if denominator < 0:
            numerator, denominator = -numerator, -denominator
        crossings.append((numerator, denominator, plane.plus ^ plane.minus))
    # Different fractions differ by at least 1 / (product of denominators), hence by at least 1 after this
    # scaling, so that their integer parts sort them.
    shift = 2 * max((denominator.bit_length() for _, denominator, _ in crossings), default=0)
    crossings.sort(key=lambda crossing: (crossing[0] << shift) // crossing[1])
    cells: dict[int, Expansion] = {}
    below: tuple[int, int] | None = None
    for numerator, denominator, flips in crossings:
        # The mediant of two fractions lies strictly between them.
        top, bottom = (
            (numerator - denominator, denominator) if below is None else (below[0] + numerator, below[1] + denominator)
        )
        cells[mask] = ((bottom * a1 - top * a2, bottom * a2 + top * a1),)
        mask ^= flips
        below = (numerator, denominator)
    top, bottom = (0, 1) if below is None else (below[0] + below[1], below[1])
    cells[mask] = ((bottom * a1 - top * a2, bottom * a2 + top * a1),)
    return cells


def _restrict(plane: _Hyperplane, normal: IntegerRow, p: int) -> _Hyperplane:
    """Restrict to the hyperplane of `normal`: put u_p = -sum_q normal_q u_q / normal_p, times |normal_p|."""
    pivot, factor = normal[p], plane.normal[p]
    if pivot < 0:
        pivot, factor = -pivot, -factor
    if factor:
        row = [entry * pivot - factor * other for entry, other in zip(plane.normal, normal, strict=True)]
    else:
        row = list(plane.normal)
    del row[p]
    return _Hyperplane(tuple(row), plane.plus, plane.minus)


def _extend(vector: IntegerRow, normal: IntegerRow, p: int) -> IntegerRow:
    """Return the vector of the hyperplane of `normal` whose other coordinates are |normal_p| * vector."""
    pivot = abs(normal[p])
    solved = dot(normal[:p] + normal[p + 1 :], vector)
    lifted = [pivot * entry for entry in vector]
    lifted.insert(p, -solved if normal[p] > 0 else solved)
    return primitive(lifted)


def _insert(
    new: _Hyperplane,
    p: int,
    cells: dict[int, Expansion],
    restricted: dict[int, Expansion],
    pause: Callable[[], object],
) -> dict[int, Expansion]:
    """Cut the cells of the old hyperplanes by a new one."""
    normal, plus, minus = new.normal, new.plus, new.minus
    result: dict[int, Expansion] = {}
    for count, (mask, inside) in enumerate(cells.items()):
        if count % _CUT_PER_PAUSE == 0:
            pause()
        side = 0
        for vector in inside:
            side = dot(normal, vector)
            if side:
                break
        wall = restricted.get(mask)
        if wall is None:
            result[mask | (plus if side > 0 else minus)] = inside
            continue
        lifted = tuple(_extend(vector, normal, p) for vector in wall)
        result[mask | plus] = inside if side > 0 else (*lifted, normal)
        result[mask | minus] = inside if side < 0 else (*lifted, tuple(-a for a in normal))
    return result
