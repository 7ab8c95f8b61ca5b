r"""The certificate: how far a network can be from the best of all networks, proved from the data alone.

    upper = objective of the network as it is stored, evaluated on the data and rounded up
    lower = dual objective of a repaired dual vector v, scaled by an upper bound on gamma(v), and rounded down
    lower <= optimum over networks of every width <= upper

Weak duality makes `lower` true for *every* v, so neither the solver, nor the program, nor the decoder has to be
trusted, and this module imports none of them. What has to be right is the problem, the network's arithmetic and
the bound on gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b)), which `cvxrelu.pricing` finds by
exhaustive search, rounding included. A unit neuron is one of cost one, in the norm of the problem.

A network never interpolates y exactly, but its own predictions z. The same v bounds the cost of interpolants of both,
y.v / gamma and z.v / gamma, and `lower` is the smaller, true for both. If the bound for y is above the cost of the
network, then its misfit, small as it may be, is what makes it cheap: it is no interpolant, and `upper` is infinite.
Where `upper` is infinite, `lower` speaks of y alone.
Separators are measured after they are scaled up to margin one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement import count_patterns
from cvxrelu.certificate.evidence import DEFAULT_ASCENTS, Evidence, gather_evidence
from cvxrelu.certificate.multiplier_record import record_of_multipliers
from cvxrelu.certificate.multipliers import Tree, settled
from cvxrelu.certificate.rational import ExactBound, exact_bound
from cvxrelu.certificate.rational.numbers import ExactData
from cvxrelu.certificate.records import write_record
from cvxrelu.certificate.wording import sentence_of
from cvxrelu.numerics.lengths import shifted
from cvxrelu.numerics.powers import shift_up, unit
from cvxrelu.pricing import NormPricer, Priced, Pricer, make_pricer, price_cells
from cvxrelu.pricing.points import Points
from cvxrelu.problem.enclosure import Enclosure, enclose, enclose_exactly
from cvxrelu.problem.network import EPS, LEAST, Network
from cvxrelu.problem.norms import Euclidean
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.clock import Clock

__all__ = [
    "Certificate",
    "DualBound",
    "Scope",
    "bound_dual",
    "certificate_of",
    "certify_dual",
    "nothing_proven",
    "pricer_of",
    "prove_dual",
    "unsearched",
]

Array = NDArray[np.float64]
Scope = Literal["global", "sampled"]

# Relative accuracy asked of the bound on gamma; the gap can be no smaller, so it is far below the tightest tolerance.
PRICING_TOL = 1e-9
# Cells up to which each is searched by itself, which always ends, and cones looked at where rounding then leaves a gap;
# and cones that a search looks at otherwise before it settles for the bound it has, if there is no time limit.
CELL_LIMIT, NODE_LIMIT = 20_000, 1_000_000
# Exponent up to which a search sees a dual vector at the scale that it was given at, and up to which it and its gamma
# are handed on at that scale; beyond it scores might overflow.
NATURAL = 600
# Share of the objective that rounding of predictions may hide before they are evaluated exactly, products of integers
# that this may take (a second or two), and share above which the certificate says that the objective is not known.
EVALUATION_RTOL, EVALUATION_PRODUCTS, BLURRED = 1e-11, 10**7, 1e-6
# Share by which the bound for the exact targets may exceed the cost of a network that misses them by rounding.
MISFIT_RTOL = 1e-6


@dataclass(frozen=True, eq=False)
class Certificate:
    """Bounds on the optimum, and what proves them.

    Attributes
    ----------
    upper : float
        At least the problem's objective at the network as it is stored, whatever rounding does, and for ordinary
        networks within a relative 1e-11 of it; infinite if the network does not fit the data that it has to fit.
    lower : float
        A lower bound on the objective of every network of every width (of every network whose neurons have sampled
        patterns, if the scope is "sampled"). For an interpolant it holds for the targets and for its own predictions.
    scope : {"global", "sampled"}
        What the lower bound speaks of. "global" is said only after a search that leaves nothing out.
    dual : (N,) array
        The repaired dual vector that the lower bound comes from, any multiple of which proves the same: as it was
        given or, where that is out of its box or of the range of ordinary numbers, with its largest entry between 1/2
        and 1. It satisfies the constraint of the dual times N alpha / gamma (1 / gamma for an interpolant or
        separator).
    gamma : float
        The proven upper bound on gamma(dual); infinite if there was no search, so that nothing is proven yet.
    residual : float
        Relative misfit of an interpolant (shortfall of the margin, for loss "margin"), at most; 0.0 for a regularised
        loss.
    blur : float
        Share of the objective that rounding of the predictions may hide: `upper` may be so much too large, or the gap.
    problem : Problem
        The problem that the bounds speak of.
    network : Network
        The network that attains `upper`.
    method : str
        How gamma was bounded: "line" and "plane" (sweeps), "cells", "cones" (branch and bound), "relaxation"
        (multipliers of a program over moments, `cvxrelu.relaxation`), or "none" if nothing was searched.
    multipliers : pair of trees, or None
        What bounds gamma where the method is "relaxation", for the scores and for the negative ones:
        `cvxrelu.certificate.multipliers`.

    Examples
    --------
    >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
    >>> network = Network(W=[[1.01]], b=[0.0], v=[1 / 1.01])
    >>> print(certify_dual(problem, network, np.array([-1.0, 1.0])))
    At most ... % above the best possible (proven for networks of every width).
    """

    upper: float
    lower: float
    scope: Scope
    dual: Array
    gamma: float
    residual: float
    blur: float
    problem: Problem
    network: Network
    method: str = "none"
    multipliers: tuple[Tree, Tree] | None = None

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return (
            f"Certificate(upper={self.upper:.10g}, lower={self.lower:.10g}, "
            f"relative_gap={self.relative_gap:.2e}, scope={self.scope!r})"
        )

    @property
    def gap(self) -> float:
        """Return upper - lower."""
        return self.upper - self.lower

    @property
    def relative_gap(self) -> float:
        """Return (upper - lower) / max(abs(upper), tiny); infinite if upper is."""
        if not np.isfinite(self.upper):
            return np.inf
        return self.gap / max(abs(self.upper), np.finfo(float).tiny)

    @property
    def sentence(self) -> str:
        """What is proven, in words; its numbers are rounded to the safe side."""
        cost = self.network.cost(self.problem.bias, self.problem.norm)
        blur = self.blur if self.blur > BLURRED else 0.0
        return sentence_of(self.upper, self.lower, self.scope, self.residual, cost, blur)

    def of(self, network: Network) -> "Certificate":
        """Return what the same dual vector proves about another network.

        Parameters
        ----------
        network : Network
            Any network with the problem's inputs and slope.
        """
        lower = _dual_objective(self.problem, *_at_scale_one(self.dual, self.gamma), self.problem.y)
        bound = DualBound(self.dual, self.gamma, None, lower, self.scope, self.method, self.multipliers)
        return certificate_of(self.problem, network, bound)

    def verify_exact(self, exact_data: ExactData = "float") -> ExactBound:
        """Prove a lower bound from the same dual vector in rational arithmetic, where nothing is rounded.

        The floating-point bound is confirmed if ``certificate.verify_exact().lower >= certificate.lower``, which Python
        compares exactly. The bound is global whatever the scope of the certificate.

        Parameters
        ----------
        exact_data : {"float", "decimal"}, default "float"
            Whether the data are the floats themselves, or the shortest decimals that print them: 0.6 is then 3/5, and
            the bound speaks of that data only.

        Returns
        -------
        ExactBound
            The bound, as a fraction.

        Raises
        ------
        InputError
            If there are more than two features (one, with a jointly penalised bias) and no multipliers, or the loss or
            the norm is not one of the package's.

        Examples
        --------
        >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
        >>> network = Network(W=[[1.0]], b=[0.0], v=[1.0])
        >>> certify_dual(problem, network, np.array([-1.0, 1.0])).verify_exact().lower
        Fraction(1, 1)
        """
        multipliers = None if self.multipliers is None else record_of_multipliers(self.multipliers)
        return exact_bound(self.problem, self.dual, exact_data, multipliers)

    def search(
        self,
        n_ascents: int = DEFAULT_ASCENTS,
        *,
        random_state: int | np.random.Generator | None = None,
        time_limit: float | None = None,
    ) -> Evidence:
        """Search for neurons that speak against the network where no proof closes the gap; this is evidence, no proof.

        Independent ascents go up the score from random starts, in the force of the loss at the network's predictions
        or, for a loss that has none or where that would prove more, in `dual`:

            lower_if_complete = dual objective, were gamma the largest score found;   unseen = n_1 / n   (Good-Turing)

        with n ascents, of which n_1 ended in a local maximum that no other ended in. The certificate stays as it is,
        and so does `lower`; all neurons are searched, whatever the scope.

        Parameters
        ----------
        n_ascents : int, default 1000
            How many, for the score or for its negative, each from a start of its own.
        random_state : int or numpy.random.Generator, optional
            Seed of the starts.
        time_limit : float, optional
            Seconds; ascents that have not ended by then do not count.

        Returns
        -------
        Evidence
            What was found, how much may have been missed, and the bound that would hold if nothing was.

        Raises
        ------
        InputError, InputTypeError
            If the norm of the problem is not Euclidean, or an option is unusable.

        References
        ----------
        I. J. Good (1953), "The population frequencies of species and the estimation of population parameters",
        Biometrika 40, 237-264.

        Examples
        --------
        >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
        >>> network = Network(W=[[1.0]], b=[0.0], v=[1.0])
        >>> print(certify_dual(problem, network, np.array([-1.0, 1.0])).search(100, random_state=0))
        Evidence, no proof: 100 ascents found 2 local maxima, none above what an optimum allows; each was found more
        than once. If no neuron scores more, the network is at most ... % above the best possible.
        """
        options = {"random_state": random_state, "time_limit": time_limit}
        return gather_evidence(self.problem, self.network, self.dual, self.upper, n_ascents, **options)

    def save(self, file: str | PathLike[str]) -> None:
        """Write everything that is needed to check the certificate to a JSON file; `cvxrelu.load_certificate` reads it.

        Floats are written so that they read back unchanged; an infinite upper bound is written as null.

        Parameters
        ----------
        file : path
            Where to.

        Raises
        ------
        InputError
            If the loss or the norm of the problem is an object that cannot be named in a file.
        """
        bounds = {name: getattr(self, name) for name in ("upper", "lower", "scope", "gamma")}
        claims = {"claim": self.sentence} | bounds
        trees = self.multipliers
        if trees is not None:
            points = Points.prepare(self.problem.X, self.problem.bias, self.problem.negative_slope)
            trees = settled(points, points.weigh(self.dual), trees)
        write_record(file, claims, self.dual, self.network, self.problem, multipliers=trees)


@dataclass(frozen=True, eq=False)
class DualBound:
    """What a dual vector proves.

    Attributes
    ----------
    dual : (N,) array
        The repaired vector, at the scale that `Certificate.dual` tells.
    gamma : float
        The proven upper bound on gamma(dual), infinite if there was no search.
    priced : Priced or None
        What the search found, for the repaired vector at the scale it was given at; None if there was no search.
    lower : float
        The lower bound on the optimum.
    scope : {"global", "sampled"}
        What the lower bound speaks of.
    method, multipliers
        As in `Certificate`.
    """

    dual: Array
    gamma: float
    priced: Priced | None
    lower: float
    scope: Scope
    method: str = "none"
    multipliers: tuple[Tree, Tree] | None = None


def bound_dual(problem: Problem, dual: Array, search: Callable[[Array], Priced], scope: Scope = "global") -> DualBound:
    """Return the lower bound that a dual vector proves.

    Parameters
    ----------
    problem : Problem
        The problem.
    dual : (N,) array
        Any vector; the nearer to an optimal dual vector, the larger the lower bound.
    search : callable
        Bounds gamma(v) from above, as a `Pricer` of the problem does.
    scope : {"global", "sampled"}, default "global"
        What the search covers.

    Returns
    -------
    DualBound
        The repaired vector, its price, and the bound.
    """
    balanced = problem.norm.has_free_constant
    # At scale one, the repair and the bound are the same, to the last digit, whatever multiple of a vector is given.
    v, exponent = unit(dual)
    v = problem.loss.repair(v, problem.y, balanced)
    seen = exponent if abs(exponent) <= NATURAL else 0
    priced = search(shifted(v, seen)) if v.any() else None
    v, repaired = unit(v)
    gamma = 0.0 if priced is None else shift_up(priced.upper, -seen - repaired)
    lower = _dual_objective(problem, v, gamma, problem.y)
    method = "none" if priced is None else priced.method
    return DualBound(*_as_given(problem, v, gamma, exponent + repaired), priced, lower, scope, method)


def certificate_of(problem: Problem, network: Network, bound: DualBound, *, exact: bool = True) -> Certificate:
    """Return the certificate of a network, given the lower bound of a dual vector of the same problem.

    Where the rounding of predictions would show, they are evaluated exactly, unless `exact` is False.
    """
    problem.check_network(network)
    v, gamma = _at_scale_one(bound.dual, bound.gamma)
    cost = network.cost_above(problem.norm)
    with np.errstate(over="ignore"):
        weighted = cost if problem.alpha is None else np.multiply(problem.alpha, cost) * (1 + EPS)

    def claims(predictions: Enclosure) -> tuple[float, float]:
        """Return the upper and the lower bound."""
        z, radius = predictions
        upper = problem.loss.upper_bound(z, radius, problem.y, weighted)
        if upper == np.inf or (bound.lower > upper * (1 + MISFIT_RTOL) and not problem.loss.regularised):
            return np.inf, bound.lower
        return upper, min(bound.lower, problem.loss.attained_bound(_centred(problem, z), radius, v, gamma))

    def blur(predictions: Enclosure) -> float:
        """Return the share of the objective that the radius of the predictions hides."""
        (upper, lower), (least, most) = claims(predictions), claims(Enclosure(predictions.values, 0 * problem.y))
        if upper == least:
            return 0.0 if lower == most else (most - lower) / max(upper, LEAST)
        return 1.0 if upper == np.inf else (upper - least + max(most - lower, 0.0)) / upper

    predictions = enclose(network, problem.X)
    if exact and blur(predictions) > EVALUATION_RTOL:
        predictions = _sharpened(predictions, network, problem.X)
    upper, lower = claims(predictions)
    return Certificate(
        upper=float(upper),
        lower=float(lower),
        scope=bound.scope,
        dual=bound.dual,
        gamma=bound.gamma,
        residual=problem.loss.residual(predictions.values, problem.y, predictions.radius),
        blur=blur(predictions),
        problem=problem,
        network=network,
        method=bound.method,
        multipliers=bound.multipliers,
    )


def _at_scale_one(v: Array, gamma: float) -> tuple[Array, float]:
    """Return the multiple of a dual vector whose largest entry is between 1/2 and 1, and its gamma."""
    v, exponent = unit(v)
    return v, shift_up(gamma, -exponent)


def _as_given(problem: Problem, v: Array, gamma: float, exponent: int) -> tuple[Array, float]:
    """Return v and gamma times 2^exponent, or unchanged where that loses a digit or leaves the domain of the dual."""
    if abs(exponent) > NATURAL:
        return v, gamma
    given, its_gamma = shifted(v, exponent), float(shifted(np.float64(gamma), exponent))
    back, same = _at_scale_one(given, its_gamma)
    allowed = np.array_equal(problem.loss.repair(given, problem.y, balanced=False), given)
    return (given, its_gamma) if allowed and same == gamma and np.array_equal(back, v) else (v, gamma)


def _dual_objective(problem: Problem, v: Array, gamma: float, y: Array) -> float:
    """Return the lower bound that a repaired dual vector proves."""
    return problem.loss.lower_bound(v, _centred(problem, y), gamma, problem.alpha)


def _centred(problem: Problem, y: Array) -> Array:
    """Return targets shifted where v sums to zero exactly: that changes nothing but the rounding of y.v."""
    return y - np.sum(y / len(y)) if problem.norm.has_free_constant and not problem.loss.labels else y


def _sharpened(predictions: Enclosure, network: Network, X: Array) -> Enclosure:
    """Return predictions evaluated exactly, those with the largest radius first, as many as time allows."""
    each = 1 if network.n_features == 1 else max(1, network.n_neurons * (network.n_features + 2))
    worst = np.argsort(-predictions.radius)[: EVALUATION_PRODUCTS // each]
    values, radius = predictions.values.copy(), predictions.radius.copy()
    values[worst], radius[worst] = enclose_exactly(network, X[worst])
    return Enclosure(values, radius)


def certify_dual(
    problem: Problem,
    network: Network,
    dual: Array,
    *,
    patterns: NDArray[np.bool_] | None = None,
    time_limit: float | None = None,
) -> Certificate:
    """Return what a dual vector proves about a network.

    Parameters
    ----------
    problem : Problem
        The problem.
    network : Network
        Any network with the problem's inputs and slope.
    dual : (N,) array
        Any vector; the nearer to an optimal dual vector, the larger the lower bound.
    patterns : (P, N) bool array, optional
        Restrict the search to neurons in these cells; the scope is then "sampled". By default every neuron is
        searched.
    time_limit : float, optional
        Seconds after which the search stops, with a valid but looser bound.

    Returns
    -------
    Certificate
        The bounds.

    Examples
    --------
    Two points of slope one are fitted by one neuron of cost one, and no network is cheaper:

    >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
    >>> network = Network(W=[[1.0]], b=[0.0], v=[1.0])
    >>> certify_dual(problem, network, np.array([-1.0, 1.0]))
    Certificate(upper=1, lower=1, relative_gap=..., scope='global')
    """
    return certificate_of(problem, network, prove_dual(problem, dual, patterns=patterns, time_limit=time_limit))


def prove_dual(
    problem: Problem, dual: Array, *, patterns: NDArray[np.bool_] | None = None, time_limit: float | None = None
) -> DualBound:
    """Return the lower bound that a dual vector proves, by itself; parameters as in `certify_dual`."""
    clock = Clock(time_limit)
    if patterns is None:
        return bound_dual(problem, dual, _search_of_all(problem, clock))
    return bound_dual(problem, dual, _search_of_cells(problem, patterns, clock), "sampled")


def nothing_proven(problem: Problem) -> DualBound:
    """Return what the zero vector proves: no objective is negative."""
    return DualBound(np.zeros(problem.n_samples), 0.0, None, 0.0, "global")


def unsearched(dual: Array) -> DualBound:
    """Return what a repaired dual vector proves before anybody searched its scores: nothing."""
    return DualBound(dual, np.inf, None, 0.0, "global")


def pricer_of(problem: Problem) -> Pricer | NormPricer:
    """Return what computes gamma(v) for the norm of a problem, over all neurons.

    Raises
    ------
    SizeError
        If the norm is not Euclidean, and the cells, which are then searched one by one, would not fit in memory.
    """
    if isinstance(problem.norm, Euclidean):
        return make_pricer(problem.X, problem.bias, problem.negative_slope)
    return NormPricer.of(problem.norm, problem.X, problem.negative_slope)


def _search_of_all(problem: Problem, clock: Clock) -> Callable[[Array], Priced]:
    """Return what computes gamma(v) over all neurons.

    Few cells are searched one by one, which always ends, but rounding may leave such a bound above the tolerance where
    columns of X differ much in size. Branch and bound, from which the vector may come, has other coordinates; of two
    rigorous bounds the smaller one counts.
    """
    pricer = pricer_of(problem)
    branches = isinstance(pricer, Pricer) and not pricer.sweeps
    nodes = NODE_LIMIT if branches and not clock.limited else None
    if not (branches and _few_cells(problem)):
        return partial(pricer, tol=PRICING_TOL, time_limit=clock.left, node_limit=nodes)
    cells = make_pricer(problem.X, problem.bias, problem.negative_slope, "cells")

    def search(v: Array) -> Priced:
        found = cells(v, tol=PRICING_TOL, time_limit=clock.left, node_limit=nodes)
        if found.complete or clock.expired:
            return found
        other = pricer(v, tol=PRICING_TOL, time_limit=clock.left, node_limit=CELL_LIMIT)
        return min(found, other, key=lambda priced: priced.upper)

    return search


def _search_of_cells(problem: Problem, patterns: NDArray[np.bool_], clock: Clock) -> Callable[[Array], Priced]:
    """Return what computes gamma(v) over the neurons of given cells."""
    if isinstance(problem.norm, Euclidean):
        options = {"bias": problem.bias, "negative_slope": problem.negative_slope, "time_limit": clock.left}
        return partial(price_cells, problem.X, patterns=patterns, **options)
    return partial(NormPricer.of(problem.norm, problem.X, problem.negative_slope, patterns), time_limit=clock.left)


def _few_cells(problem: Problem) -> bool:
    """Tell whether every cell of the data can be searched by itself."""
    return count_patterns(problem.n_samples, problem.n_features, problem.norm.has_bias) <= CELL_LIMIT
