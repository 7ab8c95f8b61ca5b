r"""Pricing for any cost of a neuron that is a norm within each cell, over the cells of the data.

Every cell has a bound by weak duality (`cvxrelu.pricing.norm_cells`); those that are large are solved one by one, the
largest first.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.arrangement import enumerate_patterns
from cvxrelu.numerics.activation import leaky_relu
from cvxrelu.numerics.lengths import shifted
from cvxrelu.numerics.powers import shift_down, shift_up, unit
from cvxrelu.pricing.norm_cells import NormCells
from cvxrelu.pricing.result import Priced
from cvxrelu.problem.norms import Norm
from cvxrelu.runtime.clock import Clock

__all__ = ["NormPricer"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Neurons in a result.
MOST_NEURONS = 100


@dataclass(frozen=True, eq=False)
class NormPricer:
    """Prices dual vectors by solving the cells of the data; made by `NormPricer.of`.

    Attributes
    ----------
    norm : Norm
        The cost of a neuron on these data.
    cells : NormCells
        The cells, and the cost of their neurons.
    negative_slope : float
        Slope of the activation for negative arguments.
    method : str
        "norm".

    Examples
    --------
    The neuron of root mean square response one with the largest score responds like the dual vector, if it can:

    >>> from cvxrelu.problem.norms import Response
    >>> X = np.array([[0.0], [1.0]])
    >>> pricer = NormPricer.of(Response("joint").on(X, 0.0), X, 0.0)
    >>> bool(np.isclose(pricer([1.0, 2.0]).value, np.sqrt(2) * np.sqrt(5)))
    True
    """

    norm: Norm
    cells: NormCells
    negative_slope: float
    method: str = "norm"

    @classmethod
    def of(
        cls, norm: Norm, X: Array, negative_slope: float, patterns: BoolArray | None = None, clock: Clock | None = None
    ) -> "NormPricer":
        """Prepare the pricing of dual vectors of a data set.

        Parameters
        ----------
        norm, X, negative_slope
            The cost of a neuron on the data, which are an (N, d) array, and the slope for negative arguments.
        patterns : (P, N) bool array, optional
            The cells to search; by default all.
        clock : Clock, optional
            When it expires, no more cells are prepared.

        Raises
        ------
        SizeError
            If the patterns would not fit in memory.
        SolverError
            If the clock has expired before all cells were prepared.
        """
        clock = clock or Clock()
        if patterns is None:
            patterns = enumerate_patterns(X, norm.has_bias, time_limit=clock.left).to_bool()
        if negative_slope == 0:
            # The activation vanishes where all signs are negative.
            patterns = patterns[patterns.any(axis=1)]
        return cls(norm, NormCells.of(norm, X, negative_slope, patterns, clock), negative_slope)

    def __call__(
        self,
        v: ArrayLike,
        *,
        tol: float = 1e-9,
        threshold: float | None = None,
        time_limit: float | None = None,
        node_limit: int | None = None,
    ) -> Priced:
        """Bound gamma(v) = max over neurons of unit cost of abs( sum_i v_i sigma(z_i.u) ).

        The parameters are those of `cvxrelu.pricing.Pricer`; a node is a cell. The neurons in the result have unit cost
        in their closed cells.
        """
        clock = Clock(time_limit)
        v, exponent = unit(v)
        bounds = self.cells.unconstrained(v)
        order = np.argsort(-bounds, kind="stable")
        best, done, stopped = 0.0, 0, False
        enough = -np.inf if threshold is None else shift_down(threshold, -exponent)
        found: list[Array] = []
        for cell in order:
            if bounds[cell] <= max(best * (1 + tol / 2), enough):
                break
            if clock.expired or (node_limit is not None and done >= node_limit):
                stopped = True
                break
            solved = [self.cells.solve(cell, sign * v) for sign in (1.0, -1.0)]
            bounds[cell] = min(bounds[cell], max(part.upper for part in solved))
            best = max(best, *(part.value for part in solved))
            found += [part.neuron for part in solved if part.value > 0]
            done += 1
        upper = float(bounds.max(initial=0.0))
        slack = float(self.cells.rounding(slice(None), self.cells.reaches(np.abs(v))).max(initial=0.0))
        complete = not stopped and upper <= max(best * (1 + tol) + slack, enough)
        return self._report(v, exponent, found, upper, complete, done)

    def size(self, v: Array) -> float:
        """Bound gamma(v) by the triangle inequality, sample by sample: the scale of its rounding."""
        v, exponent = unit(v)
        return shift_up(float(self.cells.reaches(np.abs(v)).max(initial=0.0)), exponent)

    def _report(self, v: Array, exponent: int, found: list[Array], upper: float, proven: bool, cells: int) -> Priced:
        """Return the result in units of v times 2^exponent, with the neurons sorted by their scores."""
        coordinates = np.array(found).reshape(-1, len(self.cells.transform))
        groups, heights = coordinates @ self.cells.transform.T, coordinates @ self.cells.lifted.T
        size = groups.shape[1] - self.norm.has_bias
        W, b = groups[:, :size], groups[:, size] if self.norm.has_bias else np.zeros(len(groups))
        scores = leaky_relu(heights, self.negative_slope) @ v
        order = np.argsort(-np.abs(scores), kind="stable")[:MOST_NEURONS]
        # Neurons are in their closed cells up to rounding, and may seem to score more than the bound by that.
        value = min(float(np.abs(scores).max(initial=0.0)), upper)
        return Priced(
            shift_up(upper, exponent),
            shift_down(value, exponent),
            W[order],
            b[order],
            shifted(scores[order], exponent),
            self.method,
            proven,
            cells,
        )
