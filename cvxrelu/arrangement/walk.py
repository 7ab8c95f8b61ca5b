"""State of a walk over the vertices of one level, and what its entries mean.

A walk goes through the k-subsets S of n rows in lexicographic order. Depth m <= k - 2 stands for the rows
reduced by the first m of S: D - m coordinates that vanish on these, m that each vanish on all of these but
one, and bounds on their errors (see `reduction`).
"""

import math
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

# Bytes.
_CACHE_LINE = 64

# Entries of Walk.control.
DEPTH, PHASE, KEPT, ODD, WORK = range(5)
# Values of control[PHASE]: enter a node, or, after its suspects were examined, keep it or leave it.
ENTER, STAY, LEAVE = range(3)
# What `walk_vertices` reports.
DONE, FULL, SUSPECT = range(3)


class Walk(NamedTuple):
    """State of a walk; arrays are changed in place.

    Columns 0, ..., n - 1 of `reduced` are the rows; then come zeros up to a multiple of 8, the chart g, the
    height h and six zeros. At depth m its rows are the D - m coordinates left, then the solved ones, of chosen row
    m - 1, ..., 0. In a plane (D = 2) a third coordinate is zero everywhere.
    """

    reduced: NDArray[np.float64]  # (max(k - 1, 1), max(D, 3), 8 * n_bytes + 8)
    row_error: NDArray[np.float64]  # (max(k - 1, 1), max(D, 3)) bounds on the error of rows, by coordinate
    row_size: NDArray[np.float64]  # bounds on the computed entries of rows and functionals, by coordinate
    functional_error: NDArray[np.float64]  # for chart and height; the array row_error unless rows are exact
    pivot: NDArray[np.float64]  # (k,) entry by which each depth was eliminated
    upper: NDArray[np.bool_]  # (k,) signs on S at one vertex
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
    (1, 3, 16)
    """
    n, dimension = len(level.rows), level.dimension
    k, width = dimension - 1, 8 * bytes_per_pattern(n)
    depths, height = max(k - 1, 1), max(dimension, 3)
    reduced = _aligned_zeros((depths, height, width + 8))
    reduced[0, :dimension, :n] = level.floats[:-2].T
    reduced[0, :dimension, width : width + 2] = level.floats[-2:].T
    errors = np.zeros((3, depths, height))
    # Entries are at most 1 and correctly rounded; those of exact rows are exact.
    errors[0, 0] = 0.0 if level.exact else UNIT_ROUNDOFF
    errors[1, 0] = 1.0
    errors[1, 0, :dimension] = np.abs(level.floats).max(axis=0)
    errors[2, 0] = UNIT_ROUNDOFF
    control = np.zeros(5, dtype=np.int64)
    # A plane is one line, which has been entered.
    control[DEPTH], control[PHASE] = (0, ENTER) if k > 1 else (-1, STAY)
    return Walk(
        reduced=reduced,
        row_error=errors[0],
        row_size=errors[1],
        functional_error=errors[2] if level.exact else errors[0],
        pivot=np.zeros(k),
        upper=np.zeros(k, dtype=np.bool_),
        chosen=np.array(start, dtype=np.int64),
        stop=np.array(stop, dtype=np.int64),
        dead=np.zeros((k, n), dtype=np.bool_),
        n_dead=np.zeros(k, dtype=np.int64),
        suspect=np.zeros(n, dtype=np.bool_),
        control=control,
        n=n,
        exact=level.exact,
    )


def _aligned_zeros(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Zeros that begin with a line of the cache, which no vector of eight then straddles."""
    size = math.prod(shape)
    zeros = np.zeros(size + _CACHE_LINE // 8)
    start = -zeros.ctypes.data % _CACHE_LINE // 8
    return zeros[start : start + size].reshape(shape)
