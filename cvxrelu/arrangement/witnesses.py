"""Float points strictly inside cells, verified exactly.

A cell found at its lowest vertex w, spanned by the rows S, contains w + t r for small t > 0, where r . a_i =
s_i on S. The largest t is where the next row is met,

    t_max = min { |a_i . w| / |a_i . r| : a_i . w and a_i . r differ in sign },

and t = t_max / 2 is taken. Computed in floats, the point counts only if its exact signs are those of the
cell. Where they are not, the same point is computed in rationals and rounded; odd multiples of it are tried,
since they round elsewhere; and last the point of largest margin (`interior_points`).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement.engine import Batch
from cvxrelu.arrangement.flag import Level
from cvxrelu.arrangement.integers import IntegerRow
from cvxrelu.arrangement.interior import interior_points
from cvxrelu.arrangement.linear_algebra import dot
from cvxrelu.arrangement.packing import unpack_patterns
from cvxrelu.arrangement.parallel_rows import ParallelClasses
from cvxrelu.arrangement.signs import exact_signs
from cvxrelu.arrangement.vertices import VertexCell, cells_at_vertices
from cvxrelu.errors import InputError

__all__ = ["round_point", "witnesses_of_batch"]

# Factors whose products with a point are rounded to different floats.
_MULTIPLES = (1, 3, 5, 7, 11, 13, 19, 23)
# Entries of the largest temporary array.
_CHUNK_ENTRIES = 2**22


def round_point(point: Sequence[int]) -> list[float]:
    """Scale an integer point by a power of two to a largest entry of about 1 and round it to floats.

    Parameters
    ----------
    point : sequence of int
        The point, not zero.

    Returns
    -------
    list of float
        Correctly rounded coordinates.

    Examples
    --------
    >>> round_point((4, -1))
    [0.5, -0.125]
    """
    scale = 1 << max(entry.bit_length() for entry in map(abs, point))
    return [entry / scale for entry in point]


def witnesses_of_batch(
    rows: NDArray[np.float64],
    classes: ParallelClasses,
    batch: Batch,
    pause: Callable[[], object] = lambda: None,
) -> NDArray[np.float64]:
    """Find a float point inside each cell of a batch.

    Parameters
    ----------
    rows : ndarray of shape (n_samples, D)
        Lifted rows.
    classes : ParallelClasses
        Their classes.
    batch : Batch
        Patterns of the representatives, with vertices or cells.
    pause : callable, optional
        Called several times a second; it may raise.

    Returns
    -------
    ndarray of shape (p, D)
        A point strictly inside each cell.

    Raises
    ------
    InputError
        If a cell is too thin for a point to be found.

    Examples
    --------
    >>> from cvxrelu.arrangement.parallel_rows import classes_of_rows
    >>> zero = np.zeros((1, 2))
    >>> witnesses_of_batch(zero, classes_of_rows(zero), Batch.of_everything()).tolist()
    [[0.0, 0.0]]
    """
    witnesses = np.zeros((len(batch.patterns), rows.shape[1]))
    if not classes.n_classes:
        return witnesses
    step = max(1, _CHUNK_ENTRIES // len(rows))
    for start in range(0, len(witnesses), step):
        part = slice(start, start + step)
        patterns = unpack_patterns(classes.expand(batch.patterns[part]), len(rows))
        wanted = np.where(patterns, 1, -1) * ~classes.zero
        points = witnesses[part]
        wrong = np.ones(len(patterns), dtype=np.bool_)
        if not batch.cells:
            leading = patterns[:, classes.leaders]
            points[:] = _float_points(batch.level, leading, batch.tops[part], rows.shape[1])
            wrong = (exact_signs(rows, points) != wanted).any(axis=1)
        for p in np.flatnonzero(wrong).tolist():
            pause()
            cell = batch.cells[start + p] if batch.cells else None
            cell = cell or cells_at_vertices(batch.level, batch.tops[start + p][np.newaxis])[0]
            points[p] = _exact_witness(rows, batch.level, cell, wanted[p])
    return witnesses


def _float_points(
    level: Level, patterns: NDArray[np.bool_], tops: NDArray[np.int32], dimension: int
) -> NDArray[np.float64]:
    """Points halfway from the lowest vertex of each cell to its far side, computed in floats."""
    rows = level.floats[:-2]
    walls = rows[tops]
    inverse = np.linalg.pinv(walls)
    signs = np.where(patterns, 1.0, -1.0)
    direction = np.einsum("pij,pj->pi", inverse, np.take_along_axis(signs, tops.astype(np.intp), axis=1))
    vertex = np.linalg.svd(walls)[2][:, -1]
    here, change = vertex @ rows.T, direction @ rows.T
    # The vertex is known up to sign, and the row that is farthest from it is positive where the pattern says
    # so.
    far = np.abs(here).argmax(axis=1)[:, np.newaxis]
    turn = np.sign(np.take_along_axis(here * signs, far, axis=1))
    here *= turn * signs
    change *= signs
    np.put_along_axis(change, tops.astype(np.intp), np.inf, axis=1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        reach = np.where(change < 0, here / -change, np.inf).min(axis=1, keepdims=True)
    reach = np.where(np.isfinite(reach), reach, 2.0 / np.linalg.norm(direction, axis=1, keepdims=True))
    points = turn * vertex + 0.5 * reach * direction
    largest = max(entry.bit_length() for row in level.frame for entry in map(abs, row))
    frame = np.array([[entry / (1 << largest) for entry in row] for row in level.frame])
    points = points @ frame.T
    return points.reshape(-1, dimension) / np.maximum(np.abs(points).max(axis=1, keepdims=True), np.finfo(float).tiny)


def _exact_witness(
    rows: NDArray[np.float64], level: Level, cell: VertexCell, wanted: NDArray[np.signedinteger]
) -> NDArray[np.float64]:
    """Round the interior point of a cell, one of its multiples, or the point of largest margin."""
    inside = cell.interior_point(level.rows)
    point: IntegerRow = tuple(dot(row, inside) for row in level.frame)
    candidates = np.array([round_point([multiple * u for u in point]) for multiple in _MULTIPLES])
    # Patterns are normalised to a positive first row, which may make them the opposite of the cell.
    for sign in (1.0, -1.0):
        fine = (exact_signs(rows, sign * candidates) == wanted).all(axis=1)
        if fine.any():
            return sign * candidates[np.flatnonzero(fine)[0]]
    retry = interior_points(rows, wanted[np.newaxis] > 0)
    if not retry.found[0]:
        raise InputError(
            "a cell is too thin to contain a float witness; merge points that nearly coincide, or centre and scale X"
        )
    return retry.points[0]
