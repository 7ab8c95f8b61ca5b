r"""Ties between networks of equal cost, where the cost of a neuron is only a seminorm of its weights.

A norm that measures responses on the data sees a neuron u = [w, b] through the rows z_i in which its activation has a
slope, so there may be others that predict and cost the same. Of those the one of least weights is taken:

    min norm(w)  subject to  z_i.u as it was where it counts,   z_i.u <= 0 where the activation vanishes and should

which with u = u_0 + K t, K a basis of the null space of the rows that count, is a least-distance problem,

    min norm(s)  subject to  G s >= h,

solved as a non-negative least-squares problem (Lawson & Hanson, "Solving Least Squares Problems", Section 23.4).
"""

from dataclasses import replace

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.numerics.least_squares import least_distance_multipliers
from cvxrelu.numerics.lengths import lengths
from cvxrelu.numerics.tolerances import ON_HINGE
from cvxrelu.problem.cell_coordinates import RANK_RTOL
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.scaling import Scaling

__all__ = ["with_least_weights"]

Array = NDArray[np.float64]

# Growth of the objective by rounding that a smaller network may cost.
OBJECTIVE_RTOL = 1e-12
# Share by which norm(w) has to fall for a neuron to be replaced.
WORTHWHILE = 1e-9


def with_least_weights(problem: Problem, network: Network) -> Network:
    """Return a network with the same predictions and cost on the data, whose neurons have the least norm(w).

    Parameters
    ----------
    problem : Problem
        The problem.
    network : Network
        A network for it.

    Returns
    -------
    Network
        The network itself if the norm is Euclidean, where there are no such ties, or if rounding spoils the objective.

    Examples
    --------
    A neuron that is active at the last point only may be as flat as its hinge allows:

    >>> problem = Problem([[0.0], [1.0], [2.0]], [0.0, 0.0, 1.0], norm="response", bias="joint")
    >>> steep = Network([[4.0]], [-7.0], [1.0])
    >>> flat = with_least_weights(problem, steep)
    >>> flat.W.round(12), flat.b.round(12)
    (array([[1.]]), array([-1.]))
    """
    if not problem.norm.cellwise or not network.n_neurons:
        return network
    scaling = Scaling.of(problem)
    groups = scaling.enter(network.W, network.b)
    flattened = np.array([_flattened(u, scaling.lifted, problem) for u in groups]) @ scaling.transform.T
    size = problem.n_features
    W, b = flattened[:, :size], flattened[:, size] if problem.norm.has_bias else network.b
    result = replace(network, W=W, b=problem.norm.settled(W, b))
    allowed = problem.objective(network) * (1 + OBJECTIVE_RTOL)
    return result if problem.objective(result) <= allowed else network


def _flattened(u: Array, lifted: Array, problem: Problem) -> Array:
    """Return the group of least weights that responds as u does, in scaled coordinates."""
    size = problem.n_features
    heights = lifted @ u
    counts = heights > ON_HINGE * lengths(lifted) * lengths(u)
    if problem.negative_slope != 0:
        counts[:] = True
    if not counts.any():
        return u
    K = scipy.linalg.null_space(lifted[counts], rcond=RANK_RTOL)
    # A direction that changes b alone would move the rows that count, so the weights tell directions apart.
    Q, R = np.linalg.qr(K[:size])
    if not K.shape[1] or np.abs(np.diag(R)).min() <= RANK_RTOL:
        return u
    back = K @ np.linalg.inv(R)
    base = u - back @ (Q.T @ u[:size])
    s = _least_distance(-lifted[~counts] @ back, lifted[~counts] @ base)
    if s is None or lengths(s) >= lengths(Q.T @ u[:size]) * (1 - WORTHWHILE):
        return u
    return base + back @ s


def _least_distance(G: Array, h: Array) -> Array | None:
    """Return the shortest s with G s >= h, or None if the method finds none."""
    sizes = lengths(G)
    rows = sizes > RANK_RTOL
    G, h = G[rows] / sizes[rows, None], h[rows] / sizes[rows]
    if not (h > 0).any():
        return np.zeros(G.shape[1])
    scale = float(np.abs(h).max())
    multipliers = least_distance_multipliers(G, h / scale)
    if multipliers is None:
        return None
    tight = multipliers > 0
    return np.asarray(np.linalg.lstsq(G[tight], h[tight])[0], dtype=float)
