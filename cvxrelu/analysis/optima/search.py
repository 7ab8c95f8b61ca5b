"""The neurons of nearly largest score: from every cell where they can be listed, else from local ascent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.analysis.optima.neurons import Neurons, along_biases, neurons_of
from cvxrelu.arrangement import count_patterns, enumerate_patterns
from cvxrelu.certificate.searches import euclidean_pricer
from cvxrelu.pricing import Priced, Pricer, price_cells
from cvxrelu.problem.problem import Problem

__all__ = ["NeuronSearch"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Cells up to which each is searched by itself; some seconds.
CELL_LIMIT = 100_000
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
        pricer = euclidean_pricer(problem)
        starts = np.column_stack([W, b])
        return cls(problem, patterns, facets, pricer, np.vstack([starts, -starts]))

    @property
    def exhaustive(self) -> bool:
        """Whether no neuron can be missed."""
        return self.patterns is not None

    def near(self, v: Array, share: float) -> Neurons:
        """Return the neurons, placed accurately, whose score is within a share of the largest."""
        groups = np.empty((0, self.problem.lifted.shape[1]))
        if v.any():
            priced = self._priced(v, share)
            least = (1 - share) * (1 - CLOSE) * priced.value
            near = self.problem.sizes(priced.scores) >= least
            groups = np.column_stack([priced.W, priced.b])[near, : groups.shape[1]]
            groups = along_biases(self.problem, v, groups, least)
        found = neurons_of(self.problem, v, groups)
        return found[v @ found.outputs >= (1 - share) * found.best(v)]

    def _priced(self, v: Array, share: float) -> Priced:
        if self.patterns is None:
            return self.pricer.ascend(v, n_starts=ASCENT_STARTS, starts=self.starts, random_state=0)
        return price_cells(
            self.problem.X,
            v,
            self.patterns,
            bias=self.problem.bias,
            negative_slope=self.problem.negative_slope,
            facets=self.facets,
            near=share,
            one_sided=self.problem.one_sided,
        )
