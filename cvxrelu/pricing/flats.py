"""How many dimensions lifted rows span, decided in integers where floats leave a doubt.

Singular values that are next to nothing are taken for zero in the cells of norms that look at the data. That is sound
where they are zero: next to a plane, but not in it, samples respond to a neuron by what is left of them, and it costs
as little.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement.integers import integer_rows
from cvxrelu.arrangement.linear_algebra import Span
from cvxrelu.problem.cell_coordinates import CHUNK, RANK_RTOL, CellCoordinates
from cvxrelu.problem.norms import Norm

__all__ = ["ExactRanks", "doubtful_cells"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class ExactRanks:
    """The ranks of sets of the rows [x_i, 1], or x_i where there are no biases.

    Parameters
    ----------
    X : (N, d) array
        The data.
    has_bias : bool
        Whether rows end with a one.

    Examples
    --------
    >>> ranks = ExactRanks(np.array([[0.0, 0.0], [1.0, 3.0], [2.0, 6.0], [0.1, 0.3]]), has_bias=True)
    >>> ranks.agree(np.array([True, True, True, False]), 2)
    True
    >>> ranks.agree(np.ones(4, bool), 2)  # three times 0.1 is not 0.3
    False
    """

    def __init__(self, X: Array, has_bias: bool) -> None:
        self._rows = np.column_stack([X, np.ones(len(X))]) if has_bias else X
        self._known: dict[tuple[bytes, int], bool] = {}

    def agree(self, which: BoolArray, rank: int) -> bool:
        """Tell whether the rows of an (N,) mask span no more dimensions than `rank`, which they do span in floats."""
        if rank >= min(int(which.sum()), self._rows.shape[1]):
            return True
        key = which.tobytes(), rank
        if key not in self._known:
            self._known[key] = self._spans_at_most(which, rank)
        return self._known[key]

    def _spans_at_most(self, which: BoolArray, rank: int) -> bool:
        span = Span()
        for k in np.flatnonzero(which):
            span.add(self._integers[k])
            if span.rank > rank:
                return False
        return True

    @cached_property
    def _integers(self) -> list[tuple[int, ...]]:
        return integer_rows(self._rows)


def doubtful_cells(
    norm: Norm, ranks: ExactRanks, slopes: Array, lifted: Array, coordinates: CellCoordinates
) -> BoolArray:
    """Tell which cells have more dimensions than floats show, or may have.

    Where the cost is the length of responses these are cells whose rows, those of inactive samples that seem to be in
    their span included, have a higher rank; else those where a singular value of a matrix that is known in floats only
    was taken for zero, or all of them if the data were.
    """
    if not norm.of_responses:
        whole = ranks.agree(np.ones(len(lifted), dtype=bool), int(lifted.any(axis=0).sum()))
        return coordinates.cut | (not whole)
    found = np.zeros(len(slopes), dtype=bool)
    for start in range(0, len(slopes), CHUNK):
        stray = np.linalg.norm(lifted @ coordinates.kernels[start : start + CHUNK], axis=2)
        flat = (slopes[start : start + CHUNK] != 0) | (stray <= RANK_RTOL)
        found[start : start + CHUNK] = [
            not ranks.agree(which, rank)
            for which, rank in zip(flat, coordinates.ranks[start : start + CHUNK], strict=True)
        ]
    return found
