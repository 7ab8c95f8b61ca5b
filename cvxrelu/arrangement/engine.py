"""Chunks of vertices, walked by the compiled kernel and completed exactly where floats do not decide.

The k-subsets of the rows of one level, in lexicographic order, are split into ranges of equal length. A chunk
is independent of all others, so chunks run in any order, on any worker, and each pattern comes from one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement import walk
from cvxrelu.arrangement.flag import Level
from cvxrelu.arrangement.linear_algebra import Span
from cvxrelu.arrangement.packing import bytes_per_pattern, pack_masks
from cvxrelu.arrangement.seen import SeenVertices
from cvxrelu.arrangement.vertices import VertexCell, cells_at_vertices

__all__ = ["Batch", "Chunk", "chunks", "run_chunk"]

# Bytes of patterns that one chunk makes at most, so that the results of all workers fit in little memory.
_CHUNK_BYTES = 2**22
# Patterns per call of the kernel, and numbers computed: it returns to Python several times a second, so that
# an interrupt is noticed.
_PATTERNS_PER_CALL = 2**15
_WORK_PER_CALL = 2**25
# Undecided vertices collected before they are treated exactly.
_ODD_PER_CALL = 256


@dataclass(frozen=True, eq=False)
class Chunk:
    """A range of vertices of one level: subsets from `start` (included) to `stop` (not included).

    Examples
    --------
    >>> from cvxrelu.arrangement.flag import levels
    >>> [chunk.size for chunk in chunks(levels([(0, 1), (1, 1), (2, 1)], affine=True))]
    [3]
    """

    level: Level
    start: tuple[int, ...]
    stop: tuple[int, ...]
    size: int


@dataclass(frozen=True, eq=False)
class Batch:
    """Patterns, and where they are.

    Attributes
    ----------
    level : Level
        The level of the flag that they were found in.
    patterns : ndarray of uint8, shape (p, ceil(n / 8))
        Packed patterns over the n distinct rows, the first of them positive.
    tops : ndarray of int32, shape (p, k) or (0, k)
        Rows of the lowest vertex of each, if asked for and if the patterns were found by the walk.
    cells : list of VertexCell
        The cells, if the patterns were found exactly.

    Examples
    --------
    >>> from cvxrelu.arrangement.flag import levels
    >>> (chunk,) = chunks(levels([(0, 1), (1, 1), (2, 1)], affine=True))
    >>> sorted(int(bits) for batch in run_chunk(chunk) for bits in batch.patterns[:, 0])
    [1, 3, 7]
    """

    level: Level
    patterns: NDArray[np.uint8]
    tops: NDArray[np.int32]
    cells: list[VertexCell]

    @classmethod
    def of_everything(cls) -> "Batch":
        """Return the one pattern, of length 0, of an arrangement without hyperplanes.

        Returns
        -------
        Batch
            Its only cell is the whole space.

        Examples
        --------
        >>> Batch.of_everything().patterns.shape
        (1, 0)
        """
        nothing = np.empty((0, 0))
        level = Level((), (), (), (), nothing, exact=True)
        return cls(level, np.empty((1, 0), np.uint8), np.empty((0, 0), np.int32), [])


def chunks(flag: list[Level]) -> Iterator[Chunk]:
    """Split the vertices of all levels into chunks.

    Parameters
    ----------
    flag : list of Level
        The levels.

    Yields
    ------
    Chunk
        At most a few megabytes of patterns each.

    Examples
    --------
    >>> from cvxrelu.arrangement.flag import levels
    >>> sum(chunk.size for chunk in chunks(levels([(0, 0, 1), (0, 1, 1), (1, 0, 1)], affine=True)))
    4
    """
    for level in flag:
        n, k = len(level.rows), level.dimension - 1
        total = comb(n, k)
        step = max(1, _CHUNK_BYTES // bytes_per_pattern(n))
        for first in range(0, total, step):
            last = min(first + step, total)
            yield Chunk(level, _subset(first, n, k), _subset(last, n, k), last - first)


def _subset(rank: int, n: int, k: int) -> tuple[int, ...]:
    """Return the k-subset of range(n) with that rank in lexicographic order; (n, ..., n) after the last."""
    if rank >= comb(n, k):
        return (n,) * k
    subset, candidate = [], 0
    for remaining in range(k, 0, -1):
        while rank >= (skipped := comb(n - 1 - candidate, remaining - 1)):
            rank -= skipped
            candidate += 1
        subset.append(candidate)
        candidate += 1
    return tuple(subset)


def run_chunk(chunk: Chunk, tops: bool = False, pause: Callable[[], object] = lambda: None) -> Iterator[Batch]:
    """Enumerate the cells whose lowest vertex is in a chunk.

    Parameters
    ----------
    chunk : Chunk
        The vertices.
    tops : bool, default False
        Whether batches tell the vertices.
    pause : callable, optional
        Called several times a second; it may raise.

    Yields
    ------
    Batch
        Packed patterns.

    Raises
    ------
    SolverError
        If chart or height turn out not to be generic.

    Examples
    --------
    >>> from cvxrelu.arrangement.flag import levels
    >>> (chunk,) = chunks(levels([(0, 1), (1, 1), (2, 1)], affine=True))
    >>> [batch.tops.tolist() for batch in run_chunk(chunk, tops=True)]
    [[[0], [1], [2]]]
    """
    level = chunk.level
    n, k = len(level.rows), level.dimension - 1
    if k == 0:
        signs = np.array([[row[0] > 0 for row in level.rows]])
        mask = int.from_bytes(np.packbits(signs, bitorder="little").tobytes(), "little")
        yield _exact_batch(level, [VertexCell(mask, (1,), (), ())])
        return
    # Its vector step is made by numba at once, which those who do not enumerate need not import.
    from cvxrelu.arrangement.kernel import walk_vertices

    state = walk.start_walk(level, chunk.start, chunk.stop)
    work = max(1, _WORK_PER_CALL // n)
    rows = min(_PATTERNS_PER_CALL, chunk.size)
    seen = SeenVertices(n)
    status = walk.FULL
    while status != walk.DONE:
        pause()
        out = np.empty((rows, bytes_per_pattern(n)), dtype=np.uint8)
        found = np.empty((rows if tops else 0, k), dtype=np.int32)
        odd = np.empty((_ODD_PER_CALL, k), dtype=np.int32)
        state.control[walk.WORK] = work
        status = walk_vertices(state, out, found, odd)
        kept, undecided = state.control[[walk.KEPT, walk.ODD]].tolist()
        if kept:
            yield Batch(level, out[:kept], found[:kept], [])
        if undecided:
            cells = cells_at_vertices(level, odd[:undecided], seen, pause)
            if cells:
                yield _exact_batch(level, cells)
        if status == walk.SUSPECT:
            _examine_suspects(level, state)


def _exact_batch(level: Level, cells: list[VertexCell]) -> Batch:
    """Pack cells found exactly, the first row positive."""
    everything = (1 << len(level.rows)) - 1
    masks = [cell.mask if cell.mask & 1 else cell.mask ^ everything for cell in cells]
    return Batch(level, pack_masks(masks, len(level.rows)), np.empty((0, level.dimension - 1), np.int32), cells)


def _examine_suspects(level: Level, state: walk.Walk) -> None:
    """Decide exactly which rows depend on the chosen ones, and whether these come first among their span."""
    depth = int(state.control[walk.DEPTH]) + 1
    chosen = state.chosen[:depth].tolist()
    span = Span(level.rows[i] for i in chosen)
    state.control[walk.PHASE] = walk.STAY
    for row in np.flatnonzero(state.suspect).tolist():
        if level.rows[row] not in span:
            continue
        if row < chosen[-1]:
            state.control[walk.PHASE] = walk.LEAVE
            return
        state.dead[depth, row] = 1
        state.n_dead[depth] += 1
        if depth < len(state.reduced):
            state.reduced[depth, : state.reduced.shape[1] - depth, row] = 0.0
