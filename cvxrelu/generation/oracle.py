"""The oracle of column generation: which neurons would improve a network, and what a dual vector proves.

    gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b))   against its bound, N alpha or 1

Whatever master makes the dual vectors, they are priced here.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement import count_patterns
from cvxrelu.certificate.bounds import DualBound, bound_dual
from cvxrelu.certificate.searches import euclidean_pricer
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.pricing import Priced, Pricer
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.options import Options
from cvxrelu.program.scaling import Scaling, standardise
from cvxrelu.relaxation import share_of_cones
from cvxrelu.runtime.clock import Clock

__all__ = ["ROUGH", "Oracle"]

Array = NDArray[np.float64]

# Most random starts of an ascent for each entry of X, before a search that may take all the time that is left, and in
# all, a tenth of a second's: on 15 points in four dimensions 120 may all miss the best neuron. Where there are fewer
# cells, as many starts.
MOST_STARTS, FEW_STARTS = 2, 1000
# Most neurons in use to start from.
WARM_STARTS = 500
# The exhaustive search needs to bring gamma this close to the bound, as a share of the gap to reach.
PRICING_SHARE = 0.25
# Gap to reach from which on a network is a rough one.
ROUGH = 1e-2
# Cones that an exhaustive search looks at before it settles for the bound it has, if time is not limited: some seconds.
# Those of several outputs take longer.
NODE_LIMIT = 1_000_000
# Seconds that an exhaustive search gets when time is up: without it there would be no bound at all.
LAST_BOUND_SECONDS = 0.2


@dataclass(frozen=True, eq=False)
class Oracle:
    """A problem with what tells, for a dual vector v, which neurons would improve the network.

    Attributes
    ----------
    problem, standard : Problem
        The problem, and the same in coordinates of order one.
    scaling : Scaling
        What leads from one to the other.
    pricer : Pricer
        Of the problem's data.
    options : Options
        Among them the gap to reach, and whether it is to be proven.
    clock : Clock
        Once it has expired, nothing but the last bound is sought.
    rng : numpy.random.Generator
        Of the random starts.
    scale : float
        Objective up to which the gap to reach is a share of it, and not of the objective itself.
    """

    problem: Problem
    standard: Problem
    scaling: Scaling
    pricer: Pricer
    options: Options
    clock: Clock
    rng: np.random.Generator
    scale: float = 0.0

    @classmethod
    def of(cls, problem: Problem, options: Options, clock: Clock, scale: float = 0.0) -> "Oracle":
        """Return the oracle of a problem with the Euclidean norm."""
        pricer = euclidean_pricer(problem)
        rng = np.random.default_rng(options.random_state)
        return cls(problem, *standardise(problem), pricer, options, clock, rng, scale)

    @property
    def bound(self) -> float:
        """Largest score that a neuron of unit cost has at the optimum, as the standard problem has it."""
        return self.standard.score_bound * self.scaling.score_scale

    def gap_at(self, upper: float) -> float:
        """Return the gap to reach, as a share of an objective."""
        return self.options.tol * max(1.0, self.scale / upper if upper > 0 else 1.0)

    def is_rough(self, upper: float) -> bool:
        """Tell whether the gap to reach is so large that what is exact, or patient, costs more than it brings."""
        return self.gap_at(upper) >= ROUGH

    @property
    def tolerance(self) -> float:
        """The largest excess that the gap to reach allows for."""
        return PRICING_SHARE * self.options.tol

    def excess(self, priced: Priced | None) -> float:
        """Return by what share the best neuron found exceeds the bound; it is negative if none does."""
        return -1.0 if priced is None else priced.value / self.bound - 1

    def as_dual(self, standard_dual: Array) -> Array:
        """Return a dual vector in the units of the problem, in the domain of the dual."""
        dual = standard_dual * self.scaling.gradient_scale
        return self.problem.repair(dual)

    def enter(self, network: Network) -> Network:
        """Return a network in scaled coordinates: neurons of unit cost there that predict the same, up to rounding."""
        problem, scaling = self.problem, self.scaling
        costs = problem.norm.neuron_costs(network.W, network.b)
        kept = costs * row_sizes(network.v) > 0
        W, b = scaling.adopt(network.W[kept], network.b[kept])
        weights = (network.v.T * costs).T[kept] * scaling.cost_scale / scaling.y_scale
        intercept = (network.intercept - scaling.y_center) / scaling.y_scale * problem.norm.has_free_constant
        if not problem.skip:
            return Network(W, b, weights, intercept, problem.negative_slope)
        # What is free on the data, in the coordinates of the standard problem.
        values = problem.X @ (network.skip - scaling.y_slope) / scaling.y_scale
        skip, constant = self.standard.free.affine(self.standard.free.coefficients(values))
        return Network(W, b, weights, intercept + constant, problem.negative_slope, skip)

    def ascend(self, v: Array, network: Network) -> Priced:
        """Look for neurons by local ascent, the harder the fewer are found."""
        problem = self.problem
        most = MOST_STARTS * problem.X.size
        if most < FEW_STARTS:
            cells = count_patterns(problem.n_samples, problem.n_features, problem.bias != "none")
            most = max(most, min(FEW_STARTS, cells))
        heaviest = np.argsort(-row_sizes(network.v))[:WARM_STARTS]
        starts = np.column_stack([network.W, network.b])[heaviest]
        return self.pricer.ascend(
            v,
            n_starts=most,
            starts=starts,
            threshold=self.bound * (1 + self.tolerance),
            random_state=self.rng,
            time_limit=self.clock.left,
            n_jobs=self.options.n_jobs,
        )

    def search(self, v: Array, share: float) -> DualBound:
        """Search exhaustively, for this share of the time left, and return the bound that this proves."""
        share *= share_of_cones(self.problem, self.clock)
        search = partial(
            self.pricer,
            tol=self.tolerance,
            threshold=self.bound * (1 + self.tolerance),
            time_limit=max(share * self.clock.left, LAST_BOUND_SECONDS),
            node_limit=None if self.clock.limited else round(share * NODE_LIMIT / self.problem.n_outputs**2),
            n_jobs=self.options.n_jobs,
        )
        return bound_dual(self.problem, v, search)
