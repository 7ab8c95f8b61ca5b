r"""What a network costs, rounded up, and which targets its lower bound speaks of.

    upper >= (1/N) sum_i loss(f(x_i), y_i) + alpha cost(f),   f the network as it is stored

A network never interpolates y exactly, but its own predictions z. The same v bounds the cost of interpolants of both,
y.v / gamma and z.v / gamma, and `lower` is the smaller, true for both. If the bound for y is above the cost of the
network, then its misfit, small as it may be, is what makes it cheap: it is no interpolant, and `upper` is infinite.
Where `upper` is infinite, `lower` speaks of y alone.
Separators are measured after they are scaled up to margin one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, at_scale_one, centred
from cvxrelu.certificate.nearby import FAR
from cvxrelu.problem.enclosure import Enclosure, enclose, enclose_exactly, enclose_widely
from cvxrelu.problem.network import Network
from cvxrelu.problem.norms import Norm
from cvxrelu.problem.problem import Problem

__all__ = ["Claims", "evaluate"]

Array = NDArray[np.float64]

# The distance from 1 to the next float, and the least float above 0.
EPS, LEAST = float(np.finfo(float).eps), 5e-324
# Share of the objective that rounding of predictions may hide before they are evaluated in wide floats, and then
# exactly; and products of integers that this may take (some tenths of a second).
EVALUATION_RTOL, EVALUATION_PRODUCTS = 1e-11, 10**6
# Share by which the bound for the exact targets may exceed the cost of a network that misses them by rounding.
MISFIT_RTOL = 1e-6


@dataclass(frozen=True)
class Claims:
    """The numbers of a `Certificate`."""

    upper: float
    lower: float
    residual: float
    blur: float


def evaluate(problem: Problem, network: Network, bound: DualBound, exact: bool) -> Claims:
    """Return what a lower bound proves about a network.

    Where the rounding of predictions would show, they are evaluated more exactly, unless `exact` is False.
    """
    problem.check_network(network)
    v, gamma = at_scale_one(bound.dual, bound.gamma)
    cost = _cost_above(network, problem.norm)
    with np.errstate(over="ignore"):
        weighted = cost if problem.alpha is None else np.multiply(problem.alpha, cost) * (1 + EPS)

    def claims(predictions: Enclosure) -> tuple[float, float]:
        """Return the upper and the lower bound."""
        z, radius = predictions
        upper = problem.loss.upper_bound(z, radius, problem.y, weighted)
        if upper == np.inf or (bound.lower > upper * (1 + MISFIT_RTOL) and not problem.loss.regularised):
            return np.inf, bound.lower
        return upper, min(
            bound.lower,
            problem.loss.attained_bound(centred(problem, z, v), radius * (1 + FAR * problem.skip), v, gamma),
        )

    def measured(predictions: Enclosure) -> tuple[float, float, float]:
        """Return both bounds, and the share of the objective that the radius of the predictions hides."""
        certain = np.zeros_like(predictions.values)
        (upper, lower), (least, most) = claims(predictions), claims(Enclosure(predictions.values, certain))
        if upper == least:
            return upper, lower, 0.0 if lower == most else (most - lower) / max(upper, LEAST)
        return upper, lower, 1.0 if upper == np.inf else (upper - least + max(most - lower, 0.0)) / upper

    predictions = _by_output(enclose, network, problem.X)
    upper, lower, blur = measured(predictions)
    for sharpen in (_in_wide_floats, _exactly) if exact else ():
        if blur > EVALUATION_RTOL:
            predictions = sharpen(predictions, network, problem.X)
            upper, lower, blur = measured(predictions)
    if bound.scope == "global" and lower > upper * (1 + MISFIT_RTOL):
        lower = 0.0  # whatever is wrong with a bound that a network contradicts, it proves nothing
    residual = problem.loss.residual(predictions.values, problem.y, predictions.radius)
    return Claims(float(upper), float(lower), residual, blur)


def _cost_above(network: Network, norm: Norm) -> float:
    """Return at least the cost of the network as it is stored: as it is computed, and what rounding can make of it."""
    parts = (network.W, network.b, network.v, network.intercept)
    with np.errstate(over="ignore"):
        costs = norm.charges(*parts)
        total = float(np.sum(costs + norm.charges(*parts, norm.rounding)))
    # Sums and products, norms of output weights, and output weights that underflow as they are rescaled.
    lost = LEAST * (network.n_features + 2) * np.count_nonzero(network.v)
    return total * (1 + EPS * (len(costs) + 4 + (network.n_outputs + 4) * (network.v.ndim == 2))) + lost


def _in_wide_floats(predictions: Enclosure, network: Network, X: Array) -> Enclosure:
    """Return predictions evaluated in wide floats, which those of one input are already."""
    return predictions if network.n_features == 1 else _by_output(enclose_widely, network, X)


def _exactly(predictions: Enclosure, network: Network, X: Array) -> Enclosure:
    """Return predictions evaluated exactly, those with the largest radius first, as many as time allows."""
    each = 1 if network.n_features == 1 else max(1, network.n_neurons * (network.n_features + 2))
    several = network.v.ndim == 2
    sizes = predictions.radius.max(axis=1) if several else predictions.radius
    worst = np.argsort(-sizes)[: EVALUATION_PRODUCTS // each // network.n_outputs]
    values, radius = predictions.values.copy(), predictions.radius.copy()
    values[worst], radius[worst] = _by_output(enclose_exactly, network, X[worst])
    return Enclosure(values, radius)


def _by_output(rule: Callable[[Network, Array], Enclosure], network: Network, X: Array) -> Enclosure:
    """Return the predictions that a rule encloses, those of several outputs one after the other, as (n, K) arrays."""
    if network.v.ndim == 1:
        return rule(network, X)
    values, radii = zip(*(rule(_heard(network.output(k)), X) for k in range(network.n_outputs)), strict=True)
    return Enclosure(np.column_stack(values), np.column_stack(radii))


def _heard(network: Network) -> Network:
    """Return the network without neurons of output weight zero, of which an output may have most."""
    used = network.v != 0
    return replace(network, W=network.W[used], b=network.b[used], v=network.v[used])
