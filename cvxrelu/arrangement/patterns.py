"""All sign patterns of a point set: J = {s : {u : s_i a_i . u > 0 for all i} is not empty}.

a_i is the lifted row [x_i, 1] (with bias) or x_i (without); zero rows have sign +. J is closed under negation
(zero rows aside), so one half of it, with the first nonzero row positive, is enumerated and the other half
is its complement.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from cvxrelu.arrangement.counting import half_count
from cvxrelu.arrangement.deadline import Deadline
from cvxrelu.arrangement.engine import Batch
from cvxrelu.arrangement.facets import facets_by_flips
from cvxrelu.arrangement.flag import Level, levels, rank_bound
from cvxrelu.arrangement.integers import integer_rows
from cvxrelu.arrangement.lifting import lift
from cvxrelu.arrangement.memory import refuse_if_too_large
from cvxrelu.arrangement.packing import bytes_per_pattern, pack_patterns, unpack_patterns
from cvxrelu.arrangement.parallel_rows import ParallelClasses, classes_of_rows
from cvxrelu.arrangement.stream import rebatch, stream_batches
from cvxrelu.arrangement.witnesses import witnesses_of_batch
from cvxrelu.problem.validation import as_count
from cvxrelu.runtime.clock import Clock

__all__ = ["Arrangement"]

_BLOCK = 65536


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The sign patterns of a point set, enumerated when asked for; made by `cvxrelu.enumerate_patterns`.

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
    >>> from cvxrelu import enumerate_patterns
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
        return len(self.X)

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
        >>> from cvxrelu import enumerate_patterns
        >>> [sorted(block.tolist()) for block in enumerate_patterns([[0.0], [1.0]]).half_blocks()]
        [[[1], [3]]]
        """
        size = as_count(size, "size")
        return map(self.classes.expand, rebatch((batch.patterns for batch in self._batches()), size))

    def _batches(self, tops: bool = False) -> Iterator[Batch]:
        """Stream the half patterns of the distinct hyperplanes, and remember their number at the end."""
        if not self._flag:
            yield Batch.of_everything()
            return
        count = 0
        with tqdm(total=self.half_bound, disable=not self.progress, unit=" patterns", unit_scale=True) as bar:
            for batch in stream_batches(self._flag, self.n_jobs, tops, self._keep_time):
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
        >>> from cvxrelu import enumerate_patterns
        >>> [sorted(block.tolist()) for block in enumerate_patterns([[0.0], [1.0]]).blocks()]
        [[[0], [1], [2], [3]]]
        """
        size = as_count(size, "size")
        halves = self.half_blocks(max(1, size // 2))
        return rebatch(self._with_opposites(halves), max(1, size - size % 2)) if self.classes.n_classes else halves

    __iter__ = blocks

    def _with_opposites(self, halves: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        for block in halves:
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
        >>> from cvxrelu import enumerate_patterns
        >>> sorted(enumerate_patterns([[0.0], [1.0]]).packed().tolist())
        [[0], [1], [2], [3]]
        """
        self._refuse("packed bits", bytes_per_pattern(self.n_samples))
        half = np.concatenate(list(self.half_blocks()))
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
        >>> from cvxrelu import enumerate_patterns
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
        >>> from cvxrelu import enumerate_patterns
        >>> enumerate_patterns([[0.0], [1.0], [2.0]]).facets().sum(axis=1).tolist()
        [2, 2, 2, 2, 2, 2]
        """
        self._refuse("facets", self.n_samples)
        if not self.classes.n_classes:
            return np.zeros((1, self.n_samples), dtype=np.bool_)
        patterns = np.concatenate([batch.patterns for batch in self._batches()])
        half = facets_by_flips(patterns, self.classes.n_classes, self._keep_time)
        facets = np.zeros((2 * len(half), self.n_samples), dtype=np.bool_)
        facets[:, self.classes.leaders] = np.concatenate([half, half])
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
        >>> from cvxrelu import enumerate_patterns
        >>> line = enumerate_patterns([[0.0], [1.0]])
        >>> bool(((line.witnesses() @ line.lifted.T > 0) == line.to_bool()).all())
        True
        """
        self._refuse("witnesses", self.n_samples + 8 * self.lifted.shape[1])
        batches = self._batches(tops=True)
        points = np.concatenate(
            [witnesses_of_batch(self.lifted, self.classes, batch, self._keep_time) for batch in batches]
        )
        return np.concatenate([points, -points]) if self.classes.n_classes else points

    @cached_property
    def _keep_time(self) -> Deadline:
        return Deadline(self.clock, self.clock.limit, 2 * self.half_bound)

    def _refuse(self, what: str, bytes_each: int) -> None:
        halves = 2 if self.classes.n_classes else 1
        refuse_if_too_large(what, halves * self.half_bound, bytes_each, self.max_memory)
