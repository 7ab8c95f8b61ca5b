r"""The certificate: how far a network can be from the best of all networks, proved from the data alone.

    upper = objective of the network, evaluated on the data
    lower = dual objective of a repaired dual vector v, scaled by an upper bound on gamma(v)
    lower <= optimum over networks of every width <= upper

Weak duality makes `lower` true for *every* v, so neither the solver, nor the program, nor the decoder has to be
trusted, and this module imports none of them. What has to be right is the problem, the network's arithmetic and
the bound on gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b)), which `cvxrelu.pricing` finds by
exhaustive search, rounding included. A unit neuron is one of cost one, in the norm of the problem.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement import count_patterns
from cvxrelu.lengths import shifted
from cvxrelu.network import Network
from cvxrelu.norms import Euclidean
from cvxrelu.powers import exponent_of, shift_up, unit
from cvxrelu.pricing import NormPricer, Priced, Pricer, make_pricer, price_cells
from cvxrelu.problem import Problem
from cvxrelu.rational import ExactBound, exact_bound
from cvxrelu.rational.numbers import ExactData
from cvxrelu.records import write_record
from cvxrelu.wording import sentence_of

__all__ = ["Certificate", "DualBound", "Scope", "bound_dual", "certificate_of", "certify_dual", "pricer_of"]

Array = NDArray[np.float64]
Scope = Literal["global", "sampled"]

# Relative accuracy asked of the bound on gamma; the gap can be no smaller, so it is far below the tightest tolerance.
PRICING_TOL = 1e-9
# Cells up to which each is searched by itself, which always ends; and cones that a search looks at otherwise before it
# settles for the bound it has, if there is no time limit.
CELL_LIMIT, NODE_LIMIT = 20_000, 1_000_000
# Exponent up to which a search sees a dual vector at the scale that it was given at; beyond it scores might overflow.
NATURAL = 600


@dataclass(frozen=True, eq=False)
class Certificate:
    """Bounds on the optimum, and what proves them.

    Attributes
    ----------
    upper : float
        The problem's objective at the network, recomputed from the network; infinite if it does not fit the data
        that it has to fit.
    lower : float
        A lower bound on the objective of every network of every width (of every network whose neurons have sampled
        patterns, if the scope is "sampled").
    scope : {"global", "sampled"}
        What the lower bound speaks of. "global" is said only after a search that leaves nothing out.
    dual : (N,) array
        The repaired dual vector that the lower bound comes from, in units in which its largest entry is between 1/2 and
        1: any multiple of it proves the same. It satisfies the constraint of the dual times N alpha / gamma (1 / gamma
        for an interpolant or separator).
    gamma : float
        The proven upper bound on gamma(dual).
    residual : float
        Relative misfit of an interpolant (shortfall of the margin, for loss "margin"); 0.0 for a regularised loss.
    problem : Problem
        The problem that the bounds speak of.
    network : Network
        The network that attains `upper`.

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
    problem: Problem
    network: Network

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
        return sentence_of(self.upper, self.lower, self.scope, self.residual)

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
            If there are more than two features (one, with a jointly penalised bias), or the loss or the norm is not
            one of the package's.

        Examples
        --------
        >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
        >>> network = Network(W=[[1.0]], b=[0.0], v=[1.0])
        >>> certify_dual(problem, network, np.array([-1.0, 1.0])).verify_exact().lower
        Fraction(1, 1)
        """
        return exact_bound(self.problem, self.dual, exact_data)

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
        write_record(file, {"claim": self.sentence} | bounds, self.dual, self.network, self.problem)


@dataclass(frozen=True, eq=False)
class DualBound:
    """What a dual vector proves.

    Attributes
    ----------
    dual : (N,) array
        The repaired vector, in units in which its largest entry is between 1/2 and 1.
    gamma : float
        The proven upper bound on gamma(dual).
    priced : Priced or None
        What the search found, for the repaired vector at the scale it was given at; None if the vector is zero.
    lower : float
        The lower bound on the optimum.
    scope : {"global", "sampled"}
        What the lower bound speaks of.
    """

    dual: Array
    gamma: float
    priced: Priced | None
    lower: float
    scope: Scope


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
    exponent = exponent if abs(exponent) <= NATURAL else 0
    priced = search(shifted(v, exponent)) if v.any() else None
    gamma = 0.0 if priced is None else shift_up(priced.upper, -exponent - exponent_of(v))
    v, _ = unit(v)
    # v sums to zero exactly, so a shift of the targets changes nothing but the rounding of y.v.
    y = problem.y - problem.y.mean() if balanced and not problem.loss.labels else problem.y
    lower = problem.loss.lower_bound(v, y, gamma, problem.alpha)
    return DualBound(v, gamma, priced, lower, scope)


def certificate_of(problem: Problem, network: Network, bound: DualBound) -> Certificate:
    """Return the certificate of a network, given the lower bound of a dual vector of the same problem."""
    return Certificate(
        upper=problem.objective(network),
        lower=bound.lower,
        scope=bound.scope,
        dual=bound.dual,
        gamma=bound.gamma,
        residual=problem.loss.residual(network(problem.X), problem.y),
        problem=problem,
        network=network,
    )


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
    if patterns is None:
        pricer = pricer_of(problem)
        branches = isinstance(pricer, Pricer) and not pricer.sweeps
        if branches and _few_cells(problem):
            pricer = make_pricer(problem.X, problem.bias, problem.negative_slope, "cells")
        nodes = NODE_LIMIT if time_limit is None and branches else None
        search = partial(pricer, tol=PRICING_TOL, time_limit=time_limit, node_limit=nodes)
        bound = bound_dual(problem, dual, search)
    else:
        bound = bound_dual(problem, dual, _search_of_cells(problem, patterns), "sampled")
    return certificate_of(problem, network, bound)


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


def _search_of_cells(problem: Problem, patterns: NDArray[np.bool_]) -> Callable[[Array], Priced]:
    """Return what computes gamma(v) over the neurons of given cells."""
    if isinstance(problem.norm, Euclidean):
        options = {"bias": problem.bias, "negative_slope": problem.negative_slope}
        return partial(price_cells, problem.X, patterns=patterns, **options)
    return NormPricer.of(problem.norm, problem.X, problem.negative_slope, patterns)


def _few_cells(problem: Problem) -> bool:
    """Tell whether every cell of the data can be searched by itself."""
    return count_patterns(problem.n_samples, problem.n_features, problem.norm.has_bias) <= CELL_LIMIT
