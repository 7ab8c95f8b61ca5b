"""The neurons of nearly largest score: from every cell where they can be listed, else from local ascent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement import bounding_rows, count_patterns, enumerate_patterns
from cvxrelu.lengths import lengths
from cvxrelu.network import leaky_relu
from cvxrelu.optima.neurons import Neurons, along_biases, neurons_of
from cvxrelu.pricing import Priced, Pricer, make_pricer, price_cells
from cvxrelu.problem import Problem
from cvxrelu.program import Cells

__all__ = ["NeuronSearch"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Cells up to which each is searched by itself; some seconds.
CELL_LIMIT = 100_000
# Share of a row's length within which a point on a hinge counts as on the positive side: rounding only.
ON_HINGE = 1e-10
# Share of gamma(v) within which neurons are looked at more closely: the search places them up to 1e-7 or so.
CLOSE = 1e-6
# Random starts of local ascent where there are more cells.
ASCENT_STARTS = 400


@dataclass(frozen=True, eq=False)
class NeuronSearch:
    """A way to find all neurons whose score is within a share of the largest; made by `of`.

    Attributes
    ----------
    problem : Problem
        The problem, in standard coordinates.
    patterns, facets : (P, N) bool array or None
        Every cell, with the rows that bound it; None if there are too many.
    pricer : Pricer
        For the local ascent that is used instead.
    starts : (k, d + 1) array
        Neurons that the ascent starts from.
    """

    problem: Problem
    patterns: BoolArray | None
    facets: BoolArray | None
    pricer: Pricer
    starts: Array

    @classmethod
    def of(cls, problem: Problem, W: Array, b: Array) -> "NeuronSearch":
        """Prepare the search; ascent starts from these neurons, among others."""
        count = count_patterns(problem.n_samples, problem.n_features, problem.norm.has_bias)
        arrangement = enumerate_patterns(problem.X, problem.norm.has_bias) if count <= CELL_LIMIT else None
        patterns, facets = (None, None) if arrangement is None else (arrangement.to_bool(), arrangement.facets())
        pricer = make_pricer(problem.X, problem.bias, problem.negative_slope)
        starts = np.column_stack([W, b])
        return cls(problem, patterns, facets, pricer, np.vstack([starts, -starts]))

    @property
    def exhaustive(self) -> bool:
        """Whether no neuron can be missed."""
        return self.patterns is not None

    def near_best(self, v: Array, share: float) -> Array:
        """Return neurons, rows [w, b] (w without biases), that include all of score within a share of gamma(v)."""
        priced = self._priced(v, share)
        near = np.abs(priced.scores) >= (1 - share) * priced.value
        return np.column_stack([priced.W, priced.b])[near, : self.problem.lifted.shape[1]]

    def cells_of(self, groups: Array) -> Cells:
        """Return the cells that hold neurons, rows as in `near_best`, each cell once."""
        reach = lengths(groups)[:, None] * lengths(self.problem.lifted)
        patterns = np.unique(groups @ self.problem.lifted.T >= -ON_HINGE * reach, axis=0)
        if self.patterns is None or self.facets is None:
            return Cells(patterns, bounding_rows(self.problem.X, patterns, self.problem.norm.has_bias))
        known = {pattern.tobytes(): facets for pattern, facets in zip(self.patterns, self.facets, strict=True)}
        every = np.ones(patterns.shape[1], dtype=bool)
        rows = [known.get(pattern.tobytes(), every) for pattern in patterns]
        return Cells(patterns, np.array(rows).reshape(patterns.shape))

    def active(self, v: Array, least: float) -> Neurons:
        """Return the neurons of score `least` or more, placed accurately, given that gamma(v) is hardly larger."""
        groups = self.near_best(v, CLOSE) if v.any() else np.empty((0, self.problem.lifted.shape[1]))
        found = neurons_of(self.problem, v, along_biases(self.problem, v, groups, (1 - CLOSE) * least))
        return found[v @ found.outputs >= least]

    def gamma(self, v: Array) -> float:
        """Return the largest score found."""
        groups = self.near_best(v, CLOSE)
        scores = leaky_relu(groups @ self.problem.lifted.T, self.problem.negative_slope) @ v
        found = neurons_of(self.problem, v, along_biases(self.problem, v, groups, (1 - CLOSE) * np.abs(scores).max()))
        return float((v @ found.outputs).max())

    def _priced(self, v: Array, share: float) -> Priced:
        if self.patterns is None:
            return self.pricer.ascend(v, n_starts=ASCENT_STARTS, starts=self.starts, random_state=0)
        # A negative tolerance keeps the search on cells that fall short of the best by that share.
        return price_cells(
            self.problem.X,
            v,
            self.patterns,
            bias=self.problem.bias,
            negative_slope=self.problem.negative_slope,
            facets=self.facets,
            tol=-2 * share,
        )
