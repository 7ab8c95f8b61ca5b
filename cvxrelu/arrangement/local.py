"""The arrangement around one vertex, which many vertices of regular data share.

Written in the basis of the first independent ones among them, the rows through a vertex are small integers,
and equal for all vertices of one kind: a cube in five dimensions has 1142 degenerate vertices of 52 kinds.
So its cells, and the rays of these, are found once. The functional eta differs from vertex to vertex; it is
positive throughout a cell exactly if it is positive on all rays of the cell, since the rows span the space
and the cell is the cone of its rays. With

    m_cr = 1 if ray r is one of cell c,   -1 if -r is,   0 otherwise,

these are the cells c with sum_r m_cr sign(eta . r) = sum_r |m_cr|, and the opposites of those where it is
the negative of that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cvxrelu.arrangement.counting import half_count
from cvxrelu.arrangement.exact import NOT_GENERIC, Expansion, cells_inside, exact_half_cells
from cvxrelu.arrangement.integers import IntegerRow, leading_sign
from cvxrelu.arrangement.linear_algebra import dot, null_vector
from cvxrelu.arrangement.packing import pack_masks, unpack_patterns
from cvxrelu.errors import SolverError

__all__ = ["cells_above"]

# Entries of m, of all signs, that it may have at most; beyond, the cells are enumerated for eta alone.
_MAX_INCIDENCES = 2**22
# Kinds of vertices remembered, a megabyte each at most.
_REMEMBERED = 128


@dataclass(frozen=True, eq=False)
class _LocalArrangement:
    """Half of the cells of a central arrangement, and their rays."""

    masks: list[int]
    points: list[IntegerRow]
    rays: list[IntegerRow]
    incidence: csr_array  # m, of int64, shape (n_cells, n_rays)
    n_rays: NDArray[np.int64]  # (n_cells,)


def cells_above(
    eta: IntegerRow, rows: tuple[IntegerRow, ...], pause: Callable[[], object] = lambda: None
) -> dict[int, Expansion]:
    """Enumerate the open cells on which a generic functional is positive throughout.

    Parameters
    ----------
    eta : tuple of int
        The functional.
    rows : tuple of tuple of int
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
        If the functional vanishes on a ray of the arrangement.

    Examples
    --------
    >>> sorted(cells_above((2, 3), ((1, 0), (0, 1), (1, 1))))
    [6, 7]
    """
    n, dimension = len(rows), len(eta)
    if comb(n, dimension - 1) * half_count(n, dimension) > _MAX_INCIDENCES:
        return cells_inside(eta, rows, pause)
    local = _known.get(rows)
    if local is None:
        local = _local_arrangement(rows, pause)
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[rows] = local
    signs = [_sign(dot(eta, ray)) for ray in local.rays]
    if not all(signs):
        raise SolverError(NOT_GENERIC)
    score = local.incidence @ np.array(signs)
    everything = (1 << n) - 1
    above = {local.masks[c]: (local.points[c],) for c in np.flatnonzero(score == local.n_rays).tolist()}
    for c in np.flatnonzero(score == -local.n_rays).tolist():
        above[local.masks[c] ^ everything] = (tuple(-entry for entry in local.points[c]),)
    return above


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


_known: dict[tuple[IntegerRow, ...], _LocalArrangement] = {}


def _local_arrangement(rows: tuple[IntegerRow, ...], pause: Callable[[], object]) -> _LocalArrangement:
    """Enumerate half of the cells, and find which rays belong to each."""
    cells = exact_half_cells(rows, pause)
    rays = _rays(rows, pause)
    # A ray belongs to the closure of a cell if no row has opposite signs on the two.
    on_rays = np.array([[_sign(dot(row, ray)) for ray in rays] for row in rows], dtype=np.float64)
    in_cells = np.where(unpack_patterns(pack_masks(cells, len(rows)), len(rows)), 1.0, -1.0)
    agreement = in_cells @ on_rays
    most = np.abs(on_rays).sum(axis=0)
    # Sums of ones are exact, also in floats.
    incidence = (agreement == most).astype(np.int64) - (agreement == -most)
    return _LocalArrangement(
        list(cells), list(cells.values()), rays, csr_array(incidence), np.abs(incidence).sum(axis=1)
    )


def _rays(rows: Sequence[IntegerRow], pause: Callable[[], object]) -> list[IntegerRow]:
    """Return one point of each line in which the hyperplanes meet."""
    dimension = len(rows[0])
    if dimension == 1:
        return [(1,)]
    rays = {}
    for subset in combinations(rows, dimension - 1):
        pause()
        ray = null_vector(subset)
        if ray is not None:
            rays[ray if leading_sign(ray) > 0 else tuple(-entry for entry in ray)] = None
    return list(rays)
