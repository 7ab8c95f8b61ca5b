r"""Networks of zero cost, and the strength of regularisation from which nothing else is optimal.

    alpha_max = (1/N) * min over v in F of gamma(v),
    gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b))

A network of zero cost is a constant c, which is 0 unless the output constant is free, or with a skip connection an
affine function (`free_fit`; then v is orthogonal to these, too, where below it sums to zero). Let F hold the dual
vectors v of the best one: v_i in -d loss(c, y_i), N times the mean loss, with sum v = 0 if c is free.

Proof. The problem is convex in the measure of neurons, so c is optimal for alpha iff 0 is a subgradient there, that is
iff some v in F has abs(sum_i v_i sigma(w.x_i + b)) <= N alpha for every unit neuron. The least such alpha is alpha_max.
Above it every optimum has zero cost: for alpha > beta >= alpha_max, an optimum f for alpha of positive cost would
satisfy loss(f) + beta cost(f) < loss(f) + alpha cost(f) <= loss(c), and c would not be optimal for beta.

Each loss knows its best constant c (`best_constant`) and its subdifferentials (`pulls`), which are points for smooth
losses:

| loss     | free constant                        | F                                                                 |
|----------|--------------------------------------|-------------------------------------------------------------------|
| squared  | mean(y)                              | y - c                                                             |
| logistic | log(n+ / n-), n+- the class sizes    | y_i / (1 + exp(y_i c)), so p = n-/N for label +1 and n+/N for -1  |
| hinge    | the label m of the larger class      | v = y p: p = 1 in the smaller class, 0 <= p <= 1 in the larger,   |
|          |                                      | where sum p is the size n of the smaller                          |

The last row is a face and not a point, since samples of the larger class sit on the kink of the hinge (y_i c = 1), and
gamma is minimised over it (`dual_face`). Where every constant of an interval is best, as with classes of equal size, F
is what their subdifferentials share: those of a constant inside.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, bound_dual
from cvxrelu.certificate.searches import pricer_of
from cvxrelu.errors import InputError
from cvxrelu.pricing import NormPricer, Priced, Pricer
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.dual_face import Face, FacePoint, least_on_face, search_scores
from cvxrelu.program.free_fit import best_free_network, free_fit
from cvxrelu.runtime.clock import Clock

__all__ = [
    "ZeroCost",
    "best_constant",
    "best_of_zero_cost",
    "bound_by_size",
    "check_known",
    "is_known",
    "zero_cost_dual",
]

Array = NDArray[np.float64]

# Share of its bound by the triangle inequality below which gamma(v) is zero up to rounding; that of real data is far
# above.
ZERO_SCORE_RTOL = 1e-12
# Distance from a kink of the loss, as a share of predictions and targets, at which an affine function is on it; and the
# least jump of the pull there, as a share of the largest pull.
ON_KINK, LEAST_KINK = 1e-7, 1e-4


@dataclass(frozen=True, eq=False)
class ZeroCost:
    """The best network of zero cost, with the dual vector that shows from which alpha on nothing is better.

    Attributes
    ----------
    network : Network
        A constant.
    dual : (N,) array
        A vector of F with the least gamma.
    priced : Priced or None
        Its gamma; None if the vector is zero.
    complete : bool
        Whether alpha_max is known to the accuracy promised.
    pricer : Pricer or NormPricer
        What computes gamma.
    rounding : float
        What gamma(dual) may be by rounding alone.
    """

    network: Network
    dual: Array
    priced: Priced | None
    complete: bool
    pricer: Pricer | NormPricer
    rounding: float = 0.0

    @property
    def alpha_max(self) -> float:
        """The proven upper bound on gamma(dual), over N; 0.0 if gamma is 0 up to rounding."""
        return 0.0 if self.priced is None or self.priced.upper <= self.rounding else self.priced.upper / len(self.dual)

    def bound(self, problem: Problem, clock: Clock) -> DualBound:
        """Return the lower bound that the dual vector proves for the problem, which is tight from alpha_max on."""
        search = partial(search_scores, self.pricer, clock=clock, threshold=problem.score_bound)
        return bound_dual(problem, self.dual, search)


def best_of_zero_cost(problem: Problem, clock: Clock) -> ZeroCost:
    """Return the best network of zero cost and its dual vector of least gamma; errors as `alpha_max`.

    Raises
    ------
    SolverError
        If the norm is not Euclidean, and the clock has expired before the cells were prepared.
    """
    check_known(problem)
    pricer, face, dual = pricer_of(problem, clock), _face(problem), zero_cost_dual(problem)
    network = best_free_network(problem)
    if not dual.any():
        return ZeroCost(network, dual, None, True, pricer)
    priced = search_scores(pricer, dual, clock)
    found = ZeroCost(network, dual, priced, priced.complete, pricer, ZERO_SCORE_RTOL * pricer.size(dual))
    if face.loose.any() and found.alpha_max > 0:
        least = least_on_face(problem, pricer, face, FacePoint(dual, priced, False), clock)
        return replace(found, dual=least.dual, priced=least.priced, complete=least.complete)
    return found


def is_known(problem: Problem) -> bool:
    """Tell whether the dual vectors of the best constant are known, and with them alpha_max."""
    if problem.several or not problem.loss.regularised:
        return problem.loss.regularised and problem.loss.smooth
    return problem.loss.pulls(problem.y, problem.y) is not None


def check_known(problem: Problem) -> None:
    """Refuse a loss without alpha, or one that does not know its subdifferentials.

    Raises
    ------
    InputError
        If the problem has such a loss.
    """
    if not is_known(problem):
        raise InputError(
            f"loss={problem.loss!r} has no alpha_max: it is a constraint, or does not define `pulls`, which gives its "
            "subdifferentials."
        )


def best_constant(problem: Problem) -> float:
    """Return the constant of least loss, 0.0 if the output constant is not free.

    Examples
    --------
    >>> best_constant(Problem([[0.0], [1.0], [2.0]], [1.0, 1.0, -1.0], loss="hinge", alpha=1.0))
    1.0
    """
    return best_free_network(problem).intercept


def zero_cost_dual(problem: Problem) -> Array:
    """Return the vector in the middle of F or, with a skip connection, one of F."""
    return problem.repair(free_fit(problem).dual if problem.skip else _face(problem).middle)


def bound_by_size(problem: Problem) -> float:
    """Return the bound of the triangle inequality on gamma of a vector of F, which is no less than N alpha_max."""
    return pricer_of(problem).size(zero_cost_dual(problem))


def _face(problem: Problem) -> Face:
    """Return F, for a loss that is known."""
    z = best_free_network(problem)(problem.X)
    ends = problem.loss.pulls(z, problem.y)
    assert ends is not None, "the loss is known"
    if not problem.skip:
        return Face(*ends, problem.norm.has_free_constant)
    dual = zero_cost_dual(problem)
    if problem.loss.smooth:
        return Face(dual, dual, False, problem.free.basis)
    # The predictions of an affine function are on a kink of the loss up to a solver's accuracy.
    room = ON_KINK * max(float(np.abs(z).max()), float(np.abs(problem.y).max()))
    low, high = problem.loss.pulls(z + room, problem.y), problem.loss.pulls(z - room, problem.y)
    assert low is not None
    assert high is not None
    low, high = np.minimum(low[0], high[0]), np.maximum(low[1], high[1])
    on_kink = high - low > LEAST_KINK * np.abs(np.append(low, high)).max()
    return Face(np.where(on_kink, low, dual), np.where(on_kink, high, dual), False, problem.free.basis)
