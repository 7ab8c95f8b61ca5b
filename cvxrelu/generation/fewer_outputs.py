r"""Fewer neurons with several outputs, at no greater cost.

    f = sum_j s_j  sigma(w_j.x + b_j) q_j + c,   s_j = norm(v_j), q_j = v_j / s_j

On the data that is a nonnegative combination of k vectors of N K entries, to which multiples of r K others may be
added, the functions that are free for each output; so (N - r) K neurons do (`cvxrelu.numerics.caratheodory`).
"""

from dataclasses import replace
from typing import Any

import numpy as np

from cvxrelu.generation.columns import corrected
from cvxrelu.numerics.activation import leaky_relu
from cvxrelu.numerics.caratheodory import fewest_terms
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.groups import made_feasible
from cvxrelu.runtime.clock import Clock

__all__ = ["fewer_of_several"]

# Shares of the cost below which neurons are left out, from the boldest on.
SHARES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
# Numbers of the matrix of all vectors up to which a combination of fewer is looked for, in a second or so.
MOST_NUMBERS = 5_000_000


def fewer_of_several(problem: Problem, network: Network, rtol: float, clock: Clock) -> Network:
    """Return a network with fewer neurons, if there is one, whose objective is larger by a share of rtol at most.

    Nothing more is tried once the clock has expired.

    Examples
    --------
    >>> problem = Problem([[0.0], [1.0]], [[0.0, 0.0], [1.0, 2.0]])
    >>> twice = Network([[1.0], [1.0]], [0.0, 0.0], [[0.5, 1.0], [0.5, 1.0]])
    >>> fewer_of_several(problem, twice, 1e-6, Clock()).n_neurons
    1
    """
    limit = problem.objective(network) * (1 + rtol)
    best = network
    costs = row_sizes(network.v) * problem.norm.neuron_costs(network.W, network.b)
    for share in SHARES:
        kept = costs > share * costs.sum()
        if kept.all() or clock.expired:
            break
        W, b, v = network.W[kept], network.b[kept], network.v[kept]
        lighter = _met(problem, replace(network, W=W, b=b, v=v))
        if problem.objective(lighter) <= limit:
            best = lighter
            break
    if clock.expired:
        return best
    reduced = _combined(problem, best)
    return reduced if reduced.n_neurons < best.n_neurons and problem.objective(reduced) <= limit else best


def _combined(problem: Problem, network: Network) -> Network:
    """Return the network with linearly independent neurons."""
    n, count, free = problem.n_samples, problem.n_outputs, problem.free
    sizes = row_sizes(network.v)
    active = leaky_relu(problem.X @ network.W.T + network.b, network.negative_slope)
    costs = problem.norm.neuron_costs(network.W, network.b)
    used = (sizes > 0) & active.any(axis=0) & (costs > 0)
    if not used.any() or n * count * np.count_nonzero(used) > MOST_NUMBERS:
        return network
    turned = network.v[used] / sizes[used, None]
    vectors = np.einsum("ij,jk->ikj", active[:, used], turned).reshape(n * count, -1)
    others: Any = np.kron(free.basis, np.eye(count))
    found = fewest_terms(vectors, sizes[used], costs[used], False, others)
    v = turned * found[:, None]
    kept = found > 0
    W, b, v = network.W[used][kept], network.b[used][kept], v[kept]
    costly: Any = np.asarray(network.intercept) * (not free.has_constant)
    rest = network(problem.X) - active[:, used][:, kept] @ v - costly
    skip, constant = free.affine(free.coefficients(rest))
    if not np.isfinite(skip).all():  # rounding of features that are next to nothing may be worth such slopes
        return network
    return _met(problem, replace(network, W=W, b=b, v=v, intercept=costly + constant, skip=skip))


def _met(problem: Problem, network: Network) -> Network:
    """Return the network with output weights changed so that a constraint is met."""
    if not problem.loss.fixes_predictions:
        return made_feasible(problem, network)
    outputs = leaky_relu(problem.X @ network.W.T + network.b, network.negative_slope)
    free = problem.X @ network.skip + network.intercept
    return replace(network, v=corrected(problem, outputs, network.v, free))
