"""All sign patterns of a point set: J = {s : {u : s_i a_i . u > 0 for all i} is not empty}.

a_i is the lifted row [x_i, 1] (with bias) or x_i (without); zero rows have sign +. J is closed under negation
(zero rows aside), so one half of it, with the first nonzero row positive, is enumerated and the other half
is its complement.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from cvxrelu.arrangement.counting import half_count
from cvxrelu.arrangement.engine import Batch
from cvxrelu.arrangement.facets import facets_by_flips
from cvxrelu.arrangement.flag import Level, levels, rank_bound
from cvxrelu.arrangement.integers import integer_rows
from cvxrelu.arrangement.lifting import lift
from cvxrelu.arrangement.memory import check_max_memory, refuse_if_too_large
from cvxrelu.arrangement.packing import bytes_per_pattern, pack_patterns, unpack_patterns
from cvxrelu.arrangement.parallel_rows import ParallelClasses, classes_of_rows
from cvxrelu.arrangement.stream import rebatch, stream_batches
from cvxrelu.arrangement.witnesses import witnesses_of_batch
from cvxrelu.errors import SolverError
from cvxrelu.problem.validation import as_count, as_jobs, as_matrix
from cvxrelu.runtime.clock import Clock

__all__ = ["Arrangement", "enumerate_patterns"]

_BLOCK = 65536


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The sign patterns of a point set, enumerated when asked for; made by `enumerate_patterns`.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
        The points, read-only.
    bias : bool
        Whether rows are lifted to [x_i, 1].
    max_memory : int
        Bytes that `to_bool`, `packed`, `facets` and `witnesses` may fill.
    n_jobs : int
        Number of joblib workers.
    progress : bool
        Whether long runs show a progress bar.
    clock : Clock
        Once it has expired, enumerating raises an error.

    Examples
    --------
    >>> square = enumerate_patterns([[0, 0], [0, 1], [1, 0], [1, 1]])
    >>> len(square)  # all 16 but the two that separate the diagonals
    14
    """

    X: NDArray[np.float64]
    bias: bool
    max_memory: int
    n_jobs: int = 1
    progress: bool = False
    clock: Clock = field(default_factory=Clock)

    @property
    def n_samples(self) -> int:
        """Number of points N."""
        return self.X.shape[0]

    @property
    def n_features(self) -> int:
        """Dimension of the points d."""
        return self.X.shape[1]

    @cached_property
    def lifted(self) -> NDArray[np.float64]:
        """Lifted rows, shape (n_samples, D), D = n_features + bias."""
        rows = lift(self.X, self.bias)
        rows.flags.writeable = False
        return rows

    @cached_property
    def classes(self) -> ParallelClasses:
        """Classes of parallel lifted rows."""
        return classes_of_rows(self.lifted)

    @cached_property
    def _flag(self) -> list[Level]:
        rows = integer_rows(self.lifted[self.classes.leaders])
        return levels(rows, affine=self.bias) if rows else []

    @cached_property
    def half_bound(self) -> int:
        """Upper bound for the number of half patterns, exact in general position."""
        rows = integer_rows(self.lifted[self.classes.leaders])
        return half_count(self.classes.n_classes, rank_bound(rows))

    @cached_property
    def _half_length(self) -> int:
        return sum(len(batch.patterns) for batch in self._batches())

    def __len__(self) -> int:
        """Count the patterns, both of each opposite pair; enumerates once, stores nothing but the count."""
        return self._half_length * (2 if self.classes.n_classes else 1)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        """Iterate over `blocks`."""
        return self.blocks()

    def half_blocks(self, size: int = _BLOCK) -> Iterator[NDArray[np.uint8]]:
        """Stream one pattern of each opposite pair, that with the first nonzero row positive.

        Parameters
        ----------
        size : int, default 65536
            Most patterns in a block.

        Yields
        ------
        ndarray of uint8, shape (p, ceil(n_samples / 8))
            Packed patterns (see `unpack_patterns`), p <= size.

        Raises
        ------
        InputError, InputTypeError
            If size is not a positive integer.

        Examples
        --------
        >>> [sorted(block.tolist()) for block in enumerate_patterns([[0.0], [1.0]]).half_blocks()]
        [[[1], [3]]]
        """
        size = as_count(size, "size")
        return self._half_blocks(size)

    def _half_blocks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        for block in rebatch((batch.patterns for batch in self._batches()), size):
            yield self.classes.expand(block)

    def _batches(self, tops: bool = False) -> Iterator[Batch]:
        """Stream the half patterns of the distinct hyperplanes, and remember their number at the end."""
        if not self._flag:
            yield Batch.of_everything()
            return
        count = 0
        with tqdm(total=self.half_bound, disable=not self.progress, unit=" patterns", unit_scale=True) as bar:
            for batch in stream_batches(self._flag, self.n_jobs, tops):
                count += len(batch.patterns)
                bar.update(len(batch.patterns))
                self._keep_time()
                yield batch
        self.__dict__["_half_length"] = count

    def blocks(self, size: int = _BLOCK) -> Iterator[NDArray[np.uint8]]:
        """Stream all patterns, each once, in blocks of bounded memory.

        Parameters
        ----------
        size : int, default 65536
            Most patterns in a block. Even blocks hold patterns and their opposites.

        Yields
        ------
        ndarray of uint8, shape (p, ceil(n_samples / 8))
            Packed patterns (see `unpack_patterns`), p <= size.

        Raises
        ------
        InputError, InputTypeError
            If size is not a positive integer.

        Examples
        --------
        >>> [sorted(block.tolist()) for block in enumerate_patterns([[0.0], [1.0]]).blocks()]
        [[[0], [1], [2], [3]]]
        """
        size = as_count(size, "size")
        return self._blocks(size)

    def _blocks(self, size: int) -> Iterator[NDArray[np.uint8]]:
        for block in self._half_blocks(max(1, size // 2)):
            if self.classes.n_classes == 0:
                yield block
            elif size == 1:
                yield block
                yield self._opposite(block)
            else:
                yield np.concatenate([block, self._opposite(block)])

    def _opposite(self, packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Negate every sign but those of zero rows."""
        return packed ^ pack_patterns(~self.classes.zero[np.newaxis])

    def packed(self) -> NDArray[np.uint8]:
        """Return all patterns as bits: those with the first nonzero row positive, then their opposites.

        Returns
        -------
        ndarray of uint8, shape (P, ceil(n_samples / 8))
            Packed patterns (see `unpack_patterns`).

        Raises
        ------
        SizeError
            If they might not fit in max_memory.

        Examples
        --------
        >>> sorted(enumerate_patterns([[0.0], [1.0]]).packed().tolist())
        [[0], [1], [2], [3]]
        """
        self._refuse("packed bits", bytes_per_pattern(self.n_samples))
        half = np.concatenate(list(self._half_blocks(_BLOCK)))
        return np.concatenate([half, self._opposite(half)]) if self.classes.n_classes else half

    def to_bool(self) -> NDArray[np.bool_]:
        """Return all patterns, True for +, in the order of `packed`.

        Returns
        -------
        ndarray of bool, shape (P, n_samples)
            The patterns.

        Raises
        ------
        SizeError
            If they might not fit in max_memory.

        Examples
        --------
        >>> sorted(enumerate_patterns([[0.0], [1.0]]).to_bool().astype(int).tolist())
        [[0, 0], [0, 1], [1, 0], [1, 1]]
        """
        self._refuse("booleans", self.n_samples)
        return unpack_patterns(self.packed(), self.n_samples)

    def facets(self) -> NDArray[np.bool_]:
        """Return which rows bound each cell, in the order of `to_bool`.

        Returns
        -------
        ndarray of bool, shape (P, n_samples)
            True at (s, i) where row i is the first of its parallel rows and flipping these in s gives
            another pattern that occurs, which is to say that their hyperplane holds a facet of the cell.

        Raises
        ------
        SizeError
            If they might not fit in max_memory.

        Examples
        --------
        >>> enumerate_patterns([[0.0], [1.0], [2.0]]).facets().sum(axis=1).tolist()
        [2, 2, 2, 2, 2, 2]
        """
        self._refuse("facets", self.n_samples)
        if not self.classes.n_classes:
            return np.zeros((1, self.n_samples), dtype=np.bool_)
        parts = (batch.patterns for batch in self._batches())
        half = facets_by_flips(np.concatenate(list(parts)), self.classes.n_classes, self._keep_time)
        facets = np.zeros((2 * len(half), self.n_samples), dtype=np.bool_)
        facets[: len(half), self.classes.leaders] = half
        facets[len(half) :, self.classes.leaders] = half
        return facets

    def witnesses(self) -> NDArray[np.float64]:
        """Return a point u = [w, b] strictly inside each cell, in the order of `to_bool`, verified exactly.

        Returns
        -------
        ndarray of shape (P, D)
            s_i a_i . u > 0 holds in exact arithmetic for every nonzero row.

        Raises
        ------
        SizeError
            If they might not fit in max_memory.
        InputError
            If a cell is too thin to contain a point of floats.

        Examples
        --------
        >>> line = enumerate_patterns([[0.0], [1.0]])
        >>> bool(((line.witnesses() @ line.lifted.T > 0) == line.to_bool()).all())
        True
        """
        self._refuse("witnesses", self.n_samples + 8 * self.lifted.shape[1])
        parts = [witnesses_of_batch(self.lifted, self.classes, batch) for batch in self._batches(tops=True)]
        points = np.concatenate(parts)
        return np.concatenate([points, -points]) if self.classes.n_classes else points

    def _keep_time(self) -> None:
        if self.clock.expired:
            raise SolverError(
                f"time_limit={self.clock.limit:g} ended before all sign patterns, up to {2 * self.half_bound:,}, were "
                "enumerated; use method='generate', which needs only a few of them, or a longer time_limit."
            )

    def _refuse(self, what: str, bytes_each: int) -> None:
        halves = 2 if self.classes.n_classes else 1
        refuse_if_too_large(what, halves * self.half_bound, bytes_each, self.max_memory)


def enumerate_patterns(
    X: ArrayLike,
    bias: bool = True,
    *,
    max_memory: float | None = None,
    n_jobs: int = 1,
    progress: bool = False,
    time_limit: float | None = None,
) -> Arrangement:
    """Prepare the exact enumeration of all sign patterns of a point set by hyperplanes.

    J is the set of s in {-1, +1}^N for which some u has s_i (a_i . u) > 0 at every nonzero lifted row
    a_i = [x_i, 1] (x_i without bias); zero rows have sign +. Nothing is enumerated before it is asked for.
    Degenerate points are enumerated exactly, without tolerances.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The points, finite.
    bias : bool, default True
        Whether hyperplanes may miss the origin.
    max_memory : float or None, default None
        Bytes that results may fill; a quarter of the machine's memory by default.
    n_jobs : int, default 1
        Number of joblib workers; -1 uses every core.
    progress : bool, default False
        Show a progress bar.
    time_limit : float or None, default None
        Seconds from now after which enumerating raises a SolverError.

    Returns
    -------
    Arrangement
        Its length, blocks, patterns, facets and witnesses.

    Raises
    ------
    InputError, InputTypeError
        If an argument is unusable.

    Examples
    --------
    >>> triangle = enumerate_patterns([[0, 0], [1, 0], [0, 1]])
    >>> len(triangle), triangle.to_bool().shape
    (8, (8, 3))
    """
    points = as_matrix(X)
    memory = check_max_memory(max_memory)
    return Arrangement(points, bool(bias), memory, as_jobs(n_jobs), bool(progress), Clock(time_limit))
