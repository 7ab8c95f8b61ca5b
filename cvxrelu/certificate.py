r"""The certificate: how far a network can be from the best of all networks, proved from the data alone.

    upper = objective of the network, evaluated on the data
    lower = dual objective of a repaired dual vector v, scaled by an upper bound on gamma(v)
    lower <= optimum over networks of every width <= upper

Weak duality makes `lower` true for *every* v, so neither the solver, nor the program, nor the decoder has to be
trusted, and this module imports none of them. What has to be right is the problem, the network's arithmetic and
the bound on gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b)), which `cvxrelu.pricing` finds by
exhaustive search, rounding included.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cvxrelu.network import Network
from cvxrelu.pricing import price, price_cells
from cvxrelu.problem import Problem

__all__ = ["Certificate", "Scope", "certify_dual"]

Array = NDArray[np.float64]
Scope = Literal["global", "sampled"]

# Relative accuracy asked of the bound on gamma; the gap can be no smaller, so it is far below the tightest tolerance.
PRICING_TOL = 1e-9


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
        The repaired dual vector that the lower bound comes from.
    gamma : float
        The proven upper bound on gamma(dual).
    residual : float
        Relative misfit of an interpolant (shortfall of the margin, for loss "margin"); 0.0 for a regularised loss.
    """

    upper: float
    lower: float
    scope: Scope
    dual: Array
    gamma: float
    residual: float

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
    balanced = problem.norm.has_free_constant
    v = problem.loss.repair(np.asarray(dual, dtype=float), problem.y, balanced)
    gamma, scope = 0.0, "global"
    if v.any():
        where = {"bias": problem.bias, "negative_slope": problem.negative_slope}
        if patterns is None:
            gamma = price(problem.X, v, **where, tol=PRICING_TOL, time_limit=time_limit).upper
        else:
            gamma = price_cells(problem.X, v, patterns, **where).upper
    if patterns is not None:
        scope = "sampled"
    # v sums to zero exactly, so a shift of the targets changes nothing but the rounding of y.v.
    y = problem.y - problem.y.mean() if balanced and not problem.loss.labels else problem.y
    return Certificate(
        upper=problem.objective(network),
        lower=problem.loss.lower_bound(v, y, gamma, problem.alpha),
        scope=scope,
        dual=v,
        gamma=gamma,
        residual=problem.loss.residual(network(problem.X), problem.y),
    )
