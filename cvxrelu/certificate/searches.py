"""Searches over all neurons of a problem, or over those of given cells, and the lower bounds that they prove."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement import count_patterns
from cvxrelu.certificate.bounds import DualBound, Scope, bound_dual, nothing_proven
from cvxrelu.certificate.certificate import Certificate, certificate_of
from cvxrelu.errors import SolverError
from cvxrelu.pricing import NormPricer, Priced, Pricer, make_pricer, price_cells
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.clock import Clock

__all__ = ["certify_dual", "euclidean_pricer", "pricer_of", "prove_dual"]

Array = NDArray[np.float64]

# Relative accuracy asked of the bound on gamma; the gap can be no smaller, so it is far below the tightest tolerance.
PRICING_TOL = 1e-9
# Cells up to which each is searched by itself, which always ends, and cones looked at where rounding then leaves a gap;
# and cones that a search looks at otherwise before it settles for the bound it has, if there is no time limit.
CELL_LIMIT, NODE_LIMIT = 20_000, 1_000_000


def prove_dual(
    problem: Problem,
    dual: Array,
    clock: Clock | None = None,
    *,
    patterns: NDArray[np.bool_] | None = None,
    enough: float | None = None,
) -> DualBound:
    """Return the lower bound that a dual vector proves, by itself; parameters as in `certify_dual`.

    The search of all neurons may end where its bound on gamma(dual) is `enough`, if that is given.
    """
    clock = clock or Clock()
    scope: Scope = "sampled"
    try:
        if patterns is None:
            scope, search = "global", _search_of_all(problem, clock, enough)
        else:
            search = _search_of_cells(problem, patterns, clock)
    except SolverError:  # for there was no time to prepare it
        return nothing_proven(problem)
    return bound_dual(problem, dual, search, scope)


def euclidean_pricer(problem: Problem, method: str = "auto") -> Pricer:
    """Return what prices the dual vectors of a problem with the Euclidean norm.

    Parameters
    ----------
    problem : Problem
        Its data, bias, slope, output signs, and whether scores are even.
    method : str, default "auto"
        As in `cvxrelu.pricing.make_pricer`.

    Examples
    --------
    >>> euclidean_pricer(Problem([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]], [0.0, 1.0, 2.0], skip=True)).points.even
    True
    """
    return make_pricer(
        problem.X, problem.bias, problem.negative_slope, method, one_sided=problem.one_sided, even=problem.is_even
    )


def pricer_of(problem: Problem, clock: Clock | None = None) -> Pricer | NormPricer:
    """Return what computes gamma(v) for the norm of a problem, over all neurons.

    Raises
    ------
    SizeError
        If the norm is not Euclidean, and the cells, which are then searched one by one, would not fit in memory.
    SolverError
        If the clock has expired before these cells were prepared.
    """
    if not problem.norm.cellwise:
        return euclidean_pricer(problem)
    return NormPricer.of(problem.norm, problem.X, problem.negative_slope, clock=clock)


def _search_of_all(problem: Problem, clock: Clock, enough: float | None) -> Callable[[Array], Priced]:
    """Return what computes gamma(v) over all neurons.

    Few cells are searched one by one, which always ends, but rounding may leave such a bound above the tolerance where
    columns of X differ much in size. Branch and bound, from which the vector may come, has other coordinates; of two
    rigorous bounds the smaller one counts.
    """
    pricer = pricer_of(problem, clock)
    branches = isinstance(pricer, Pricer) and not pricer.sweeps
    nodes = NODE_LIMIT if branches and not clock.limited else None
    if not (branches and _few_cells(problem)):
        return partial(pricer, tol=PRICING_TOL, threshold=enough, time_limit=clock.left, node_limit=nodes)
    cells = euclidean_pricer(problem, "cells")

    def search(v: Array) -> Priced:
        found = cells(v, tol=PRICING_TOL, threshold=enough, time_limit=clock.left, node_limit=nodes)
        if found.complete or clock.expired:
            return found
        other = pricer(v, tol=PRICING_TOL, threshold=enough, time_limit=clock.left, node_limit=CELL_LIMIT)
        return min(found, other, key=lambda priced: priced.upper)

    return search


def _search_of_cells(problem: Problem, patterns: NDArray[np.bool_], clock: Clock) -> Callable[[Array], Priced]:
    """Return what computes gamma(v) over the neurons of given cells."""
    if not problem.norm.cellwise:
        options = {"bias": problem.bias, "negative_slope": problem.negative_slope, "time_limit": clock.left}
        options["one_sided"] = problem.one_sided
        return partial(price_cells, problem.X, patterns=patterns, **options)
    pricer = NormPricer.of(problem.norm, problem.X, problem.negative_slope, patterns, clock)
    return partial(pricer, time_limit=clock.left)


def _few_cells(problem: Problem) -> bool:
    """Tell whether every cell of the data can be searched by itself."""
    return count_patterns(problem.n_samples, problem.n_features, problem.norm.has_bias) <= CELL_LIMIT


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
    return certificate_of(problem, network, prove_dual(problem, dual, Clock(time_limit), patterns=patterns))
