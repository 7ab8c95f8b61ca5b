r"""Networks of zero cost, and the strength of regularisation from which nothing else is optimal.

    alpha_max = (1/N) * min over v in F of gamma(v),
    gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b))

A network of zero cost is a constant c, which is 0 unless the output constant is free. Let F hold the dual vectors v
of the best one: v_i in -d loss(c, y_i), N times the mean loss, with sum v = 0 if c is free.

Proof. The problem is convex in the measure of neurons, so c is optimal for alpha iff 0 is a subgradient there, that is
iff some v in F has abs(sum_i v_i sigma(w.x_i + b)) <= N alpha for every unit neuron. The least such alpha is alpha_max.
Above it every optimum has zero cost: for alpha > beta >= alpha_max, an optimum f for alpha of positive cost would
satisfy loss(f) + beta cost(f) < loss(f) + alpha cost(f) <= loss(c), and c would not be optimal for beta.

| loss     | free constant                        | F                                                                 |
|----------|--------------------------------------|-------------------------------------------------------------------|
| squared  | mean(y)                              | y - c                                                             |
| logistic | log(n+ / n-), n+- the class sizes    | y_i / (1 + exp(y_i c)), so p = n-/N for label +1 and n+/N for -1  |
| hinge    | the label m of the larger class      | v = y p: p = 1 in the smaller class, 0 <= p <= 1 in the larger,   |
|          |                                      | where sum p is the size n of the smaller                          |

The last row is a face and not a point, since samples of the larger class sit on the kink of the hinge (y_i c = 1), and
gamma is minimised over it by cutting planes: neurons are added until the least maximum of their scores meets gamma.
With classes of equal size (every c in [-1, 1] is best; F is what their subdifferentials share) or without a free
constant (c = 0), F is the single vector y.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from cvxrelu.certificate.bounds import DualBound, bound_dual
from cvxrelu.certificate.searches import pricer_of
from cvxrelu.errors import InputError
from cvxrelu.pricing import Priced
from cvxrelu.problem.network import Network, constant_network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.hinge_face import FacePoint, least_on_face, search_scores
from cvxrelu.runtime.clock import Clock

__all__ = ["KNOWN", "ZeroCost", "best_constant", "best_of_zero_cost", "bound_by_size", "check_known", "zero_cost_dual"]

Array = NDArray[np.float64]

# The losses of the table above.
KNOWN = ("squared", "logistic", "hinge")
# Share of its bound by the triangle inequality below which gamma(v) is zero up to rounding; that of real data is far
# above.
ZERO_SCORE_RTOL = 1e-12


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
    rounding : float
        What gamma(dual) may be by rounding alone.
    """

    network: Network
    dual: Array
    priced: Priced | None
    complete: bool
    rounding: float = 0.0

    @property
    def alpha_max(self) -> float:
        """The proven upper bound on gamma(dual), over N; 0.0 if gamma is 0 up to rounding."""
        return 0.0 if self.priced is None or self.priced.upper <= self.rounding else self.priced.upper / len(self.dual)

    def bound(self, problem: Problem, clock: Clock) -> DualBound:
        """Return the lower bound that the dual vector proves for the problem, which is tight from alpha_max on."""
        pricer = pricer_of(problem)
        search = partial(search_scores, pricer, clock=clock, threshold=problem.score_bound)
        return bound_dual(problem, self.dual, search)


def best_of_zero_cost(problem: Problem, clock: Clock) -> ZeroCost:
    """Return the best network of zero cost and its dual vector of least gamma; errors as `alpha_max`."""
    name = problem.loss.name
    check_known(problem)
    pricer = pricer_of(problem)
    constant = best_constant(problem)
    larger = constant if name == "hinge" else 0.0
    network = constant_network(constant, problem.n_features, problem.negative_slope)
    dual = zero_cost_dual(problem, constant)
    if not dual.any():
        return ZeroCost(network, dual, None, complete=True)
    priced = search_scores(pricer, dual, clock)
    found = ZeroCost(network, dual, priced, priced.complete, ZERO_SCORE_RTOL * pricer.size(dual))
    if name == "hinge" and larger and found.alpha_max > 0:
        least = least_on_face(problem, pricer, FacePoint(dual, priced, False), larger, clock)
        return replace(found, dual=least.dual, priced=least.priced, complete=least.complete)
    return found


def check_known(problem: Problem) -> None:
    """Refuse a loss that the table above does not have.

    Raises
    ------
    InputError
        If it is none of `KNOWN`.
    """
    if problem.loss.name not in KNOWN:
        raise InputError(
            f"alpha_max is known for the losses 'squared', 'logistic' and 'hinge', not for {problem.loss.name!r}."
        )


def best_constant(problem: Problem) -> float:
    """Return the constant of least loss, 0.0 if the output constant is not free.

    Of a loss that the table above does not have, it is the best of 0, the mean and the targets.

    Examples
    --------
    >>> best_constant(Problem([[0.0], [1.0], [2.0]], [1.0, 1.0, -1.0], loss="hinge", alpha=1.0))
    1.0
    """
    loss, y = problem.loss, problem.y
    if not problem.norm.has_free_constant:
        return 0.0
    if loss.name == "logistic":
        return float(np.log((y > 0).sum() / (y < 0).sum()))
    if loss.name == "hinge":
        return float(np.sign(y.sum()))
    # The mean of equal numbers is not always that number in floats.
    mean = float(y[0] if np.ptp(y) == 0 else y.mean())
    if loss.name == "squared":
        return mean
    return float(min((0.0, mean, *np.unique(y)), key=lambda value: loss.value(np.full(len(y), value), y)))


def zero_cost_dual(problem: Problem, constant: float) -> Array:
    """Return the vector of F (for the hinge loss the uniform one) at the best constant."""
    y, free = problem.y, problem.norm.has_free_constant
    if problem.loss.name == "squared":
        dual = y - constant
    elif problem.loss.name == "logistic":
        dual = y * expit(-y * constant)
    else:
        # The uniform point of the face: n / (N - n) in the larger class, n the size of the smaller.
        larger = y == constant
        dual = np.where(larger, (~larger).sum() / max(larger.sum(), 1), 1.0) * y
    return problem.loss.repair(dual, y, free)


def bound_by_size(problem: Problem) -> float:
    """Return the bound of the triangle inequality on gamma of a vector of F, which is no less than N alpha_max."""
    return pricer_of(problem).size(zero_cost_dual(problem, best_constant(problem)))
