"""The stream of all batches: chunk after chunk, here or on the workers of joblib.

Chunks are the same whatever the number of workers, and their results come back in order, so the stream is the
same, too. Workers are threads unless joblib is told otherwise (`joblib.parallel_config`): the kernel releases
the interpreter's lock, and threads need not copy patterns. Chunks are handed out in waves, which bounds the
memory that results waiting for their turn can take.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import cast

import joblib
import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement.engine import Batch, Chunk, chunks, run_chunk
from cvxrelu.arrangement.flag import Level
from cvxrelu.errors import SolverError

__all__ = ["rebatch", "stream_batches"]

# Chunks a worker gets in one wave: enough to even out their lengths.
_CHUNKS_PER_WORKER = 8


def stream_batches(
    flag: list[Level], n_jobs: int = 1, tops: bool = False, pause: Callable[[], object] = lambda: None
) -> Iterator[Batch]:
    """Enumerate the half cells of an arrangement.

    Parameters
    ----------
    flag : list of Level
        The levels of its generic flag.
    n_jobs : int, default 1
        Number of joblib workers, -1 for one a core.
    tops : bool, default False
        Whether batches tell the vertices.
    pause : callable, optional
        Called several times a second, on workers too; it may raise.

    Yields
    ------
    Batch
        Patterns, each once, the first row positive.

    Examples
    --------
    >>> from cvxrelu.arrangement.flag import levels
    >>> flag = levels([(0, 1), (1, 1), (2, 1)], affine=True)
    >>> sum(len(batch.patterns) for batch in stream_batches(flag))
    3
    """
    if n_jobs == 1:
        for chunk in chunks(flag):
            yield from run_chunk(chunk, tops, pause)
        return
    waiting = chunks(flag)
    wanted = _WhileWanted(pause)
    try:
        with joblib.Parallel(n_jobs=n_jobs, prefer="threads") as workers:
            size = _CHUNKS_PER_WORKER * joblib.effective_n_jobs(n_jobs)
            while wave := list(islice(waiting, size)):
                results = workers(joblib.delayed(_collect)(chunk, tops, wanted) for chunk in wave)
                for batches in cast(list[list[Batch]], results):
                    yield from batches
    finally:
        wanted.over = True


@dataclass
class _WhileWanted:
    """A pause that also ends threads for which nobody waits any more; joblib ends processes, but not those."""

    pause: Callable[[], object]
    over: bool = False

    def __call__(self) -> None:
        if self.over:
            raise SolverError("the enumeration was left before its end; begin anew")
        self.pause()


def _collect(chunk: Chunk, tops: bool, pause: Callable[[], object]) -> list[Batch]:
    return list(run_chunk(chunk, tops, pause))


def rebatch(parts: Iterable[NDArray[np.uint8]], size: int) -> Iterator[NDArray[np.uint8]]:
    """Cut and join arrays of rows into blocks of `size` rows, the last one possibly smaller.

    Parameters
    ----------
    parts : iterable of ndarray of uint8, shape (any, width)
        The rows.
    size : int
        Rows in a block.

    Yields
    ------
    ndarray of uint8, shape (p, width)
        The same rows in the same order.

    Examples
    --------
    >>> parts = [np.zeros((rows, 1), dtype=np.uint8) for rows in (1, 5, 1)]
    >>> [len(block) for block in rebatch(parts, 3)]
    [3, 3, 1]
    """
    waiting: list[NDArray[np.uint8]] = []
    count = 0
    for part in parts:
        while count + len(part) >= size:
            cut = size - count
            yield np.concatenate([*waiting, part[:cut]]) if waiting else part[:cut]
            part, waiting, count = part[cut:], [], 0
        if len(part):
            waiting.append(part)
            count += len(part)
    if waiting:
        yield np.concatenate(waiting)
