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

import warnings
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import piqp
from numpy.typing import NDArray
from scipy.special import expit

from cvxrelu.certificate.bounds import DualBound, bound_dual
from cvxrelu.certificate.searches import pricer_of
from cvxrelu.errors import AccuracyWarning, InputError, SolverError
from cvxrelu.pricing import NormPricer, Priced, Pricer
from cvxrelu.problem.network import Network, constant_network, leaky_relu
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_instance, as_seconds
from cvxrelu.runtime.clock import Clock

__all__ = ["KNOWN", "ZeroCost", "alpha_max", "best_constant", "best_of_zero_cost", "bound_by_size", "default_alpha"]

Array = NDArray[np.float64]

# The losses of the table above.
KNOWN = ("squared", "logistic", "hinge")
# Relative accuracy of alpha_max where gamma is found by branch and bound or cutting planes.
ACCURACY = 1e-7
# Share of its bound by the triangle inequality below which gamma(v) is zero up to rounding; that of real data is far
# above.
ROUNDING = 1e-12
# Cones after which branch and bound settles for the bound it has, as in column generation.
NODE_LIMIT = 100_000
# Cutting planes are found by local ascent from this many random starts, where exhaustive search is expensive.
ASCENT_STARTS = 64
# The default alpha over alpha_max / sqrt(N). Held-out scores are best at 0.5 to 2 on noisy data (diabetes), at 0.2 and
# less where there is little noise (Friedman #1, breast cancer).
DEFAULT_SHARE = 0.3
# Rounds of cutting planes; ten to thirty are usual.
MAX_ROUNDS = 200
# Cubes of samples that a second of their linear program is ample for; it cannot be stopped. Measured: 1e9.
CUT_PER_SECOND = 5e8
# The linear program is solved to this share of the gap that is left, within these limits: interior solutions give
# better cuts than vertices, and early ones are not worth many digits.
SHARE, FINEST, COARSEST = 1e-2, 1e-10, 1e-4


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
        assert problem.alpha is not None, "a regularised loss always has alpha"
        pricer = pricer_of(problem)
        limit = problem.n_samples * problem.alpha
        return bound_dual(problem, self.dual, partial(_search, pricer, clock=clock, threshold=limit))


def alpha_max(problem: Problem, time_limit: float | None = None) -> float:
    """Return the smallest alpha for which a network of zero cost is optimal.

    Parameters
    ----------
    problem : Problem
        A problem with the loss "squared", "logistic" or "hinge"; its own alpha does not matter.
    time_limit : float, optional
        Seconds for an exhaustive search, of which the hinge loss may need several; by default it settles for the bound
        that it has after a fixed number of steps.

    Returns
    -------
    float
        min over F of gamma(v), over N: see above. It is computed from a proven upper bound on gamma, so a constant is
        optimal for every alpha from this value on; 1e-7 of it below, at most, none is. It is 0.0 if a constant is
        optimal for every alpha, up to rounding.

    Raises
    ------
    InputError
        If the loss has no alpha, or is none of the three.
    SolverError
        If the linear programs for the hinge loss cannot be solved.

    Warns
    -----
    AccuracyWarning
        If the exhaustive search (three or more dimensions) was cut short: the value is then an upper bound.

    Examples
    --------
    The residuals of the mean are -1/3, 2/3, -1/3, and the neuron max(0, x) has the score 1/3:

    >>> problem = Problem([[-1.0], [0.0], [1.0]], [0.0, 1.0, 0.0], loss="squared", alpha=1.0)
    >>> round(9 * alpha_max(problem), 9)
    1.0
    """
    found = best_of_zero_cost(as_instance(problem, Problem, "problem"), Clock(as_seconds(time_limit)))
    if not found.complete:
        warnings.warn(
            "The search for alpha_max was cut short, so the value is only an upper bound on it; use fewer samples or "
            "features for an exact one.",
            AccuracyWarning,
            stacklevel=2,
        )
    return found.alpha_max


def best_of_zero_cost(problem: Problem, clock: Clock) -> ZeroCost:
    """Return the best network of zero cost and its dual vector of least gamma; errors as `alpha_max`."""
    name = problem.loss.name
    _check_known(problem)
    pricer = pricer_of(problem)
    constant = best_constant(problem)
    larger = constant if name == "hinge" else 0.0
    network, dual = constant_network(constant, problem.n_features, problem.negative_slope), _dual_at(problem, constant)
    if not dual.any():
        return ZeroCost(network, dual, None, complete=True)
    search = partial(_search, pricer, clock=clock)
    priced = search(dual)
    found = ZeroCost(network, dual, priced, priced.complete, ROUNDING * pricer.size(dual))
    if name == "hinge" and larger and found.alpha_max > 0:
        return _least_on_face(problem, search, found, larger)
    return found


def default_alpha(problem: Problem) -> float:
    """Return a strength of regularisation to begin with: 0.3 alpha_max / sqrt(N).

    The score of a neuron against noise is a sum of N terms of either sign, a share of about 1/sqrt(N) of what it could
    be if the noise followed the neuron. So neurons that only fit noise stay out, or small, where the targets are mostly
    noise, and those that fit a signal pay little. Cross-validation finds better ones (`cvxrelu.ReLURegressorCV`).

    Parameters
    ----------
    problem : Problem
        A problem with the loss "squared", "logistic" or "hinge"; its own alpha does not matter.

    Returns
    -------
    float
        The strength. In three or more dimensions alpha_max is estimated, by the best neuron that local ascent finds
        (always from the same random starts), and for the hinge loss by a bound; 1.0 if a constant is optimal for every
        alpha.

    Raises
    ------
    InputError
        If the loss has no alpha, or is none of the three.

    Examples
    --------
    >>> problem = Problem([[-1.0], [0.0], [1.0], [2.0]], [0.0, 1.0, 0.0, 1.0], loss="squared", alpha=1.0)
    >>> round(default_alpha(problem) / alpha_max(problem), 6)
    0.15
    """
    _check_known(problem)
    dual = _dual_at(problem, best_constant(problem))
    if not dual.any():
        return 1.0
    pricer = pricer_of(problem)
    if isinstance(pricer, Pricer) and not pricer.sweeps:
        gamma = pricer.ascend(dual, n_starts=ASCENT_STARTS, random_state=0).value
    else:
        gamma = _search(pricer, dual, Clock()).value
    return DEFAULT_SHARE * gamma / len(dual) ** 1.5 if gamma > ROUNDING * pricer.size(dual) else 1.0


def _check_known(problem: Problem) -> None:
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


def _dual_at(problem: Problem, constant: float) -> Array:
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
    return pricer_of(problem).size(_dual_at(problem, best_constant(problem)))


def _search(pricer: Pricer | NormPricer, v: Array, clock: Clock, threshold: float | None = None) -> Priced:
    """Bound gamma(v) by exhaustive search, within limits."""
    nodes = None if clock.limited else NODE_LIMIT
    return pricer(v, tol=ACCURACY / 4, threshold=threshold, time_limit=clock.left, node_limit=nodes)


def _least_on_face(problem: Problem, search: "partial[Priced]", start: ZeroCost, larger: float) -> ZeroCost:
    """Minimise gamma over the face of the hinge loss by cutting planes, from a point of the face."""
    best, priced, rng = replace(start, complete=False), start.priced, np.random.default_rng(0)
    assert priced is not None, "no vector of the face is zero"
    unit, columns, accuracy, lower = priced.upper, np.empty((problem.n_samples, 0)), COARSEST, 0.0
    pricer: Pricer | NormPricer = search.args[0]
    clock: Clock = search.keywords["clock"]
    for _ in range(MAX_ROUNDS):
        if problem.n_samples**3 > CUT_PER_SECOND * clock.left:
            break
        outputs = leaky_relu(problem.X @ priced.W.T + priced.b, problem.negative_slope)
        # v sums to zero, so constants may be taken from the outputs; the rounding that they cause goes with them.
        columns = np.hstack([columns, (outputs - outputs.mean(axis=0)) / unit])
        cut = _least_on_columns(columns, problem.y, larger, accuracy)
        lower = max(lower, cut.lower * unit)
        dual = problem.loss.repair(cut.vector, problem.y, True)
        priced, cut_short = None, False
        if isinstance(pricer, Pricer) and not pricer.sweeps:
            priced = pricer.ascend(dual, n_starts=ASCENT_STARTS, random_state=rng, time_limit=clock.left)
        if priced is None or priced.value <= lower * (1 + ACCURACY / 2):
            priced = search(dual)
            cut_short = not priced.complete
            if best.priced is None or priced.upper < best.priced.upper:
                best = replace(best, dual=dual, priced=priced)
        assert best.priced is not None, "the best vector of the face is priced"
        if best.priced.upper <= lower * (1 + ACCURACY) + ACCURACY**2 * unit:
            return replace(best, complete=True)
        excess = (priced.value - lower) / unit
        if cut_short or clock.expired or (accuracy <= FINEST and excess <= FINEST):
            break
        accuracy = float(np.clip(SHARE * excess, FINEST, accuracy))
    return best


@dataclass(frozen=True, eq=False)
class _Cut:
    """A vector of the face, and a lower bound on the least maximum of its scores at the neurons at hand."""

    vector: Array
    lower: float


def _least_on_columns(columns: Array, y: Array, larger: float, accuracy: float) -> _Cut:
    """Minimise the maximum of abs(columns' v) over the face.

    The bound is good for any solver: if weights a_j have sum abs(a_j) = 1, then max_j abs(columns_j.v) >= f.v with
    f = sum_j a_j columns_j, and f.v is least on the face where p = 1 at the smallest entries of y f.
    """
    inside = y == larger
    size, count = int(inside.sum()), columns.shape[1]
    smaller = len(y) - size
    fixed = y[~inside] @ columns[~inside]
    scores = larger * columns[inside].T
    ones = np.ones((count, 1))
    solver = piqp.DenseSolver()
    settings = solver.settings
    settings.verbose = False
    settings.eps_abs = settings.eps_rel = accuracy
    settings.check_duality_gap = True
    settings.eps_duality_gap_abs = settings.eps_duality_gap_rel = accuracy
    # The unknowns are p in the larger class, and t >= abs(score) of every neuron, which is minimised.
    solver.setup(
        np.zeros((size + 1, size + 1)),
        np.append(np.zeros(size), 1.0),
        np.append(np.ones(size), 0.0)[None, :],
        np.array([float(smaller)]),
        np.block([[scores, -ones], [-scores, -ones]]),
        np.full(2 * count, -np.inf),
        np.append(-fixed, fixed),
        np.zeros(size + 1),
        np.append(np.ones(size), np.inf),
    )
    solver.solve()
    p, multipliers = np.asarray(solver.result.x)[:-1], np.maximum(solver.result.z_u, 0.0)
    if not (np.isfinite(p).all() and np.isfinite(multipliers).all()):
        raise SolverError("The linear program for alpha_max broke down numerically; rescale the data.")
    v = y.copy()
    v[inside] = larger * p
    total = multipliers.sum()
    if total == 0:
        return _Cut(v, 0.0)
    heights = y * (columns @ (multipliers[:count] - multipliers[count:])) / total
    return _Cut(v, float(heights[~inside].sum() + np.sort(heights[inside])[:smaller].sum()))
