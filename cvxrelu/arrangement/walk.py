"""State of a walk over the vertices of one level, and what its entries mean.

A walk goes through the k-subsets S of n rows in lexicographic order. Depth m stands for the rows reduced by
the first m of S: D - m coordinates that vanish on these, next to bounds on their errors (see `reduction`).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement.flag import Level
from cvxrelu.arrangement.packing import bytes_per_pattern

__all__ = [
    "DEPTH",
    "DONE",
    "ENTER",
    "FULL",
    "KEPT",
    "LEAVE",
    "ODD",
    "PHASE",
    "STAY",
    "SUSPECT",
    "UNIT_ROUNDOFF",
    "WORK",
    "Walk",
    "start_walk",
]

UNIT_ROUNDOFF = 2.0**-53

# Entries of Walk.control.
DEPTH, PHASE, KEPT, ODD, WORK = range(5)
# Values of control[PHASE]: enter a node, or, after its suspects were examined, keep it or leave it.
ENTER, STAY, LEAVE = range(3)
# What `walk_vertices` reports.
DONE, FULL, SUSPECT = range(3)


class Walk(NamedTuple):
    """State of a walk; arrays are changed in place.

    Columns 0, ..., n - 1 of `reduced` are the rows; then come zeros up to a multiple of 8, the chart g and
    the height h.
    """

    reduced: NDArray[np.float64]  # (k, D, 8 * n_bytes + 2)
    row_error: NDArray[np.float64]  # (k, D) bounds on the error of rows, by coordinate
    row_size: NDArray[np.float64]  # (k, D) bounds on the computed entries of rows and functionals
    chart_error: NDArray[np.float64]  # (k, D) the array row_error itself unless rows are exact
    height_error: NDArray[np.float64]  # (k, D)
    pivot: NDArray[np.int64]  # (k,) coordinate eliminated at each depth
    inverse: NDArray[np.float64]  # (k,) reciprocal of the pivot
    ratio_error: NDArray[np.float64]  # (k,) error of entry / pivot for a row, but for a factor 1 + its size
    factor: NDArray[np.float64]  # (k, k + 2) entries of chosen rows, chart and height over the pivot
    factor_error: NDArray[np.float64]  # (k, k + 2) bounds on their errors
    weight: NDArray[np.float64]  # (k + 1, n) y of each vertex of a line, y_0 last
    weight_error: NDArray[np.float64]  # (k + 1, n) bounds on their errors
    sure: NDArray[np.bool_]  # (n,) whether all signs on S are decided, by the last of S
    signs: NDArray[np.uint8]  # (8 * n_bytes,) signs at one vertex
    chosen: NDArray[np.int64]  # (k,) S
    stop: NDArray[np.int64]  # (k,) first subset that is not visited
    dead: NDArray[np.bool_]  # (k, n) rows that depend on the first m chosen ones
    n_dead: NDArray[np.int64]  # (k,)
    suspect: NDArray[np.bool_]  # (n,) rows whose independence floats do not decide
    control: NDArray[np.int64]  # (5,)
    n: int
    exact: bool


def start_walk(level: Level, start: tuple[int, ...], stop: tuple[int, ...]) -> Walk:
    """Set up a walk from one subset to another.

    Parameters
    ----------
    level : Level
        The arrangement, of dimension 2 at least.
    start, stop : tuple of int
        First subset to visit, and first not to visit.

    Returns
    -------
    Walk
        The state.

    Examples
    --------
    >>> from cvxrelu.arrangement.flag import levels
    >>> start_walk(levels([(0, 1), (1, 1)], affine=True)[0], (0,), (2,)).reduced.shape
    (1, 2, 10)
    """
    n, dimension = len(level.rows), level.dimension
    k, width = dimension - 1, 8 * bytes_per_pattern(n)
    reduced = np.zeros((k, dimension, width + 2))
    reduced[0, :, :n] = level.floats[:-2].T
    reduced[0, :, width:] = level.floats[-2:].T
    errors = np.zeros((4, k, dimension))
    # Entries are at most 1 and correctly rounded; those of exact rows are exact.
    errors[0, 0] = 0.0 if level.exact else UNIT_ROUNDOFF
    errors[1, 0] = np.abs(level.floats).max(axis=0)
    errors[2:, 0] = UNIT_ROUNDOFF
    return Walk(
        reduced=reduced,
        row_error=errors[0],
        row_size=errors[1],
        chart_error=errors[2] if level.exact else errors[0],
        height_error=errors[3] if level.exact else errors[0],
        pivot=np.zeros(k, dtype=np.int64),
        inverse=np.zeros(k),
        ratio_error=np.zeros(k),
        factor=np.zeros((k, k + 2)),
        factor_error=np.zeros((k, k + 2)),
        weight=np.zeros((k + 1, n)),
        weight_error=np.zeros((k + 1, n)),
        sure=np.zeros(n, dtype=np.bool_),
        signs=np.zeros(width, dtype=np.uint8),
        chosen=np.array(start, dtype=np.int64),
        stop=np.array(stop, dtype=np.int64),
        dead=np.zeros((k, n), dtype=np.bool_),
        n_dead=np.zeros(k, dtype=np.int64),
        suspect=np.zeros(n, dtype=np.bool_),
        control=np.zeros(5, dtype=np.int64),
        n=n,
        exact=level.exact,
    )
