"""Vertices that floats leave undecided, treated exactly.

At a vertex w, spanned by k independent rows S of one level, the rows that vanish form Z, all others have
the same sign in every cell around w. Moving w along the level, only the rows of Z matter, and in coordinates
without one where w is not zero they are an arrangement in k dimensions. With

    eta = (g . w) h - (h . w) g,         g . w > 0,

which vanishes at w, the vertex w is the lowest point of exactly those cells around it on which eta is
positive. Every vertex is treated once, for the S that is the lexicographically first basis of Z.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement.exact import NOT_GENERIC, Expansion, expansion_to_point
from cvxrelu.arrangement.flag import Level
from cvxrelu.arrangement.integers import IntegerRow, primitive
from cvxrelu.arrangement.linear_algebra import coordinates, dot, null_vector
from cvxrelu.arrangement.local import cells_above
from cvxrelu.arrangement.packing import pack_masks, pack_patterns, unpack_patterns
from cvxrelu.arrangement.seen import SeenVertices
from cvxrelu.arrangement.signs import decided_signs
from cvxrelu.errors import SolverError

__all__ = ["VertexCell", "cells_at_vertices"]

# Entries of the largest temporary array.
_ENTRIES = 2**20


@dataclass(frozen=True, slots=True)
class VertexCell:
    """A cell and what is known of its inside.

    Attributes
    ----------
    mask : int
        Pattern; bit i is the sign of row i of the level.
    vertex : tuple of int
        The lowest point.
    basis : tuple of int
        Independent rows that span the vertex; none if the vertex is inside.
    steps : tuple of tuple of int
        Their inner products with directions r_0, r_1, ..., of which r_0 + epsilon r_1 + ... leads from the vertex into
        the cell.

    Examples
    --------
    >>> VertexCell(1, (1, 0), (0,), ((1,),)).mask
    1
    """

    mask: int
    vertex: IntegerRow
    basis: tuple[int, ...]
    steps: Expansion

    def interior_point(self, rows: Sequence[IntegerRow]) -> IntegerRow:
        """Return the point halfway from the vertex to the far side of the cell.

        Parameters
        ----------
        rows : sequence of tuple of int
            Rows of the level.

        Returns
        -------
        tuple of int
            An integer point strictly inside.

        Examples
        --------
        >>> VertexCell(3, (1, 0), (1,), ((1,),)).interior_point([(1, 0), (0, 1)])
        (1, 1)
        """
        if not self.basis:
            return self.vertex
        through = [row for row in rows if dot(row, self.vertex) == 0]
        direction = expansion_to_point(tuple(self._direction(rows, steps) for steps in self.steps), through)
        reach: Fraction | None = None
        for row in rows:
            here, change = dot(row, self.vertex), dot(row, direction)
            if here * change < 0:
                crossing = Fraction(abs(here), 2 * abs(change))
                reach = crossing if reach is None else min(reach, crossing)
        if reach is None:
            reach = Fraction(max(map(abs, self.vertex)), max(map(abs, direction)))
        return primitive(
            reach.denominator * w + reach.numerator * r for w, r in zip(self.vertex, direction, strict=True)
        )

    def _direction(self, rows: Sequence[IntegerRow], steps: IntegerRow) -> IntegerRow:
        """Solve for a direction, its coordinate zero where the vertex has its first that is not."""
        dropped = _first_nonzero(self.vertex)
        system = [(*_without(rows[i], dropped), -step) for i, step in zip(self.basis, steps, strict=True)]
        solution = null_vector(system)
        if solution is None:
            raise SolverError(NOT_GENERIC)
        *direction, scale = solution
        if scale < 0:
            direction = [-r for r in direction]
        return (*direction[:dropped], 0, *direction[dropped:])


def cells_at_vertices(
    level: Level,
    subsets: NDArray[np.integer],
    seen: SeenVertices | None = None,
    pause: Callable[[], object] = lambda: None,
) -> list[VertexCell]:
    """Return the cells whose lowest point is one of the given vertices.

    Parameters
    ----------
    level : Level
        The arrangement.
    subsets : ndarray of int, shape (r, k)
        Ascending rows S of each vertex, in lexicographic order. Dependent ones, and those that are not the
        first basis of the rows through their vertex, give nothing.
    seen : SeenVertices, optional
        Degenerate vertices met by earlier subsets; those met here are added.
    pause : callable, optional
        Called several times a second; it may raise.

    Returns
    -------
    list of VertexCell
        The cells, in the order of the vertices.

    Raises
    ------
    SolverError
        If chart or height turn out not to be generic.

    Examples
    --------
    >>> from cvxrelu.arrangement.flag import levels
    >>> level = levels([(0, 1), (1, 1), (2, 1)], affine=True)[0]
    >>> [cell.mask.bit_count() for cell in cells_at_vertices(level, np.array([[0], [1], [2]]))]
    [3, 2, 1]
    """
    seen = SeenVertices(len(level.rows)) if seen is None else seen
    cells: list[VertexCell] = []
    left = subsets[~seen.span(subsets)]
    while len(left):
        pause()
        basis, left = left[0].tolist(), left[1:]
        vertex = null_vector([level.rows[i] for i in basis])
        if vertex is None:
            continue
        side = dot(level.chart, vertex)
        if side == 0:
            raise SolverError(NOT_GENERIC)
        vertex = vertex if side > 0 else tuple(-w for w in vertex)
        signs = _signs(level, vertex)
        through = np.flatnonzero(signs == 0).tolist()
        if len(through) > len(basis):
            seen.add(through)
            left = left[(signs[left] != 0).any(axis=1)]
        cells.extend(_cells_around(level, basis, vertex, signs, pause))
    return cells


def _signs(level: Level, vertex: IntegerRow) -> NDArray[np.int8]:
    """Signs of the rows at a vertex, in integers where floats do not prove them.

    Rows and points are correctly rounded here, which adds at most 2 u |a| |w| to the error of the product:
    the bound of `decided_signs` has room for it.
    """
    scale = 1 << max(map(abs, vertex)).bit_length()
    (signs,) = decided_signs(level.floats[:-2], np.array([[w / scale for w in vertex]]))
    for i in np.flatnonzero(signs == 0).tolist():
        value = dot(level.rows[i], vertex)
        signs[i] = (value > 0) - (value < 0)
    return signs


def _cells_around(
    level: Level, basis: list[int], vertex: IntegerRow, signs: NDArray[np.int8], pause: Callable[[], object]
) -> list[VertexCell]:
    """Return the cells around one vertex that have it as their lowest point."""
    through = np.flatnonzero(signs == 0).tolist()
    dropped = _first_nonzero(vertex)
    up, across = dot(level.chart, vertex), dot(level.height, vertex)
    eta = tuple(up * h - across * g for g, h in zip(level.chart, level.height, strict=True))
    local = coordinates(
        [_without(level.rows[i], dropped) for i in basis],
        [_without(row, dropped) for row in (*(level.rows[i] for i in through), eta)],
    )
    if local is None:
        raise SolverError(NOT_GENERIC)
    *rows, eta = local
    if len(through) == len(basis):
        # The one cell of independent rows on which eta is positive throughout has the signs of its coordinates.
        if not all(eta):
            raise SolverError(NOT_GENERIC)
        steps = tuple(1 if weight > 0 else -1 for weight in eta)
        around = {sum(1 << i for i, step in enumerate(steps) if step > 0): (steps,)}
    elif _is_first_basis(basis, through, rows):
        around = cells_above(eta, tuple(rows), pause)
    else:
        return []
    step = max(1, _ENTRIES // len(signs))
    cells: list[VertexCell] = []
    for start in range(0, len(around), step):
        pause()
        part = dict(islice(around.items(), start, start + step))
        patterns = np.repeat(signs[np.newaxis] > 0, len(part), axis=0)
        patterns[:, through] = unpack_patterns(pack_masks(part, len(through)), len(through))
        masks = (int.from_bytes(bits.tobytes(), "little") for bits in pack_patterns(patterns))
        cells += [
            VertexCell(mask, vertex, tuple(basis), steps) for mask, steps in zip(masks, part.values(), strict=True)
        ]
    return cells


def _first_nonzero(vector: IntegerRow) -> int:
    return next(p for p, entry in enumerate(vector) if entry)


def _without(row: IntegerRow, position: int) -> IntegerRow:
    """Drop one coordinate."""
    return row[:position] + row[position + 1 :]


def _is_first_basis(basis: list[int], through: list[int], rows: Sequence[IntegerRow]) -> bool:
    """Whether each row through a vertex, in coordinates of the basis, depends on earlier ones alone."""
    return not any(
        entry and member > row
        for row, entries in zip(through, rows, strict=True)
        for member, entry in zip(basis, entries, strict=True)
    )
