r"""Sliding: neurons of a penalised smooth loss move to better places, all at once and with their weights.

    min over (w_j, b_j, v_j), c:   (1/N) sum_i loss(sum_j v_j sigma(w_j.x_i + b_j) + A x_i + c, y_i)
                                   + (alpha/2) sum_j (norm(w_j)^2 + v_j^2)

A, if there is a skip connection, through coefficients of orthogonal functions (`Free.linear`).

Rescaled so that norm(w_j) = abs(v_j), a network pays here what it pays in the problem, and no other scale of it pays
less; so this is the problem itself for a given number of neurons, smooth but for the kinks. A few hundred steps of
L-BFGS cost k N d operations each, where the dual master of column generation costs N^3: many samples with few neurons
in use are solved in this way (Denoyelle, Duval, Peyre & Soubies 2019, "The sliding Frank-Wolfe algorithm"). It proves
nothing, and neurons that are missing come from pricing.
"""

from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from cvxrelu.generation.sample_blocks import blocks_of
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.numerics.neighbours import near_groups
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.clock import Clock

__all__ = ["NEGLIGIBLE", "SAME", "can_slide", "merged", "slide"]

Array = NDArray[np.float64]

# Pairs of vectors that L-BFGS remembers: kinks are forgotten slowly.
MEMORY = 20
# Share that a step has to save from which on single precision does, which takes half the time.
SINGLE_DOES = 1e-7
# Neurons of one sign at a smaller angle (of (w, b), in coordinates of order one) are one.
SAME = 0.02
# Neurons with less than this share of the cost are left out, by default.
NEGLIGIBLE = 1e-6


def can_slide(problem: Problem) -> bool:
    """Tell whether the loss has a gradient everywhere, so that the neurons of a network can be moved along it."""
    loss = problem.loss
    return loss.regularised and loss.tells_dual and loss.force(problem.no_dual, problem.y) is not None


def slide(
    problem: Problem,
    network: Network,
    steps: int,
    clock: Clock,
    progress: float = 0.0,
    single: bool = True,
    negligible: float = NEGLIGIBLE,
) -> Network:
    """Return a network with a lower objective, whose neurons have moved and of which some may have gone.

    Parameters
    ----------
    problem : Problem
        A problem with a smooth loss (`can_slide`) and the Euclidean norm, in coordinates of order one.
    network : Network
        Where to start.
    steps : int
        Most steps of L-BFGS.
    clock : Clock
        No step is taken once it has expired.
    progress : float, default 0.0
        What a step has to save of the objective (of order one) for another one.
    single : bool, default True
        Whether single precision will do if the progress asked for allows it.
    negligible : float, default 1e-6
        Neurons with less than this share of the cost are left out.
    """
    layout = _Layout(problem, network.n_neurons, single and progress >= SINGLE_DOES)

    def late(_: Array) -> None:
        if clock.expired:
            raise StopIteration

    found: Any = scipy.optimize.minimize(
        layout.objective,
        layout.pack(network),
        jac=True,
        method="L-BFGS-B",
        bounds=layout.bounds,
        callback=late,
        options={"maxiter": steps, "maxcor": MEMORY, "ftol": progress, "gtol": 0.0},
    )
    return layout.unpack(found.x, negligible)


class _Layout:
    """How m neurons and what is free are one vector: (W, b, v, c), with norm(w_j) = abs(v_j)."""

    def __init__(self, problem: Problem, m: int, single: bool = False) -> None:
        self.problem, self.m = problem, m
        self.blocks = blocks_of(problem, m, single)
        self.dtype = self.blocks[0].rows.dtype
        self.hidden, self.linear = m * (problem.n_features + 2), problem.free.linear

    @property
    def bounds(self) -> Any:
        """Where the vector is: output weights are positive, if they must be."""
        if not self.problem.one_sided:
            return None
        low = np.full(self.hidden + 1 + self.linear.shape[1], -np.inf)
        low[self.hidden - self.m : self.hidden] = 0.0
        return scipy.optimize.Bounds(low, np.inf)  # pyright: ignore[reportArgumentType]

    def pack(self, network: Network) -> Array:
        """Return the vector of a network."""
        costs = self.problem.norm.neuron_costs(network.W, network.b)
        scale = np.sqrt(np.abs(network.v) / costs)
        return np.concatenate(
            [(network.W * scale[:, None]).ravel(), network.b * scale, network.v / scale, self._free_of(network)]
        )

    def _free_of(self, network: Network) -> Array:
        """Return the constant, and the coefficients of the skip connection."""
        shift, linear = 0.0, np.zeros(self.linear.shape[1])
        if network.skip.any():
            shift, linear = self.problem.free.split(self.problem.free.coefficients(self.problem.X @ network.skip))
        return np.append(network.intercept + shift, linear)

    def unpack(self, theta: Array, negligible: float = NEGLIGIBLE) -> Network:
        """Return the network of a vector, without the neurons that vanished."""
        W, b, v = self._parts(theta)
        costs = self.problem.norm.neuron_costs(W, b)
        shares = costs * np.abs(v)
        used = shares > negligible * shares.sum()
        W, b, v, costs = W[used], b[used], v[used], costs[used]
        skip, shift = self.problem.free.skip_of(theta[self.hidden + 1 :])
        constant, slope = float(theta[self.hidden]) + shift, self.problem.negative_slope
        return Network(W / costs[:, None], b / costs, v * costs, constant, slope, skip)

    def _parts(self, theta: Array) -> tuple[Array, Array, Array]:
        hidden = self.m * self.problem.n_features
        return (
            theta[:hidden].reshape(self.m, self.problem.n_features),
            theta[hidden : hidden + self.m],
            theta[hidden + self.m : self.hidden],
        )

    def objective(self, theta: Array) -> tuple[float, Array]:
        """Return the balanced objective and its gradient."""
        problem = self.problem
        y, alpha, slope, norm = problem.y, problem.alpha or 0.0, problem.negative_slope, problem.norm
        W, b, v = self._parts(theta)
        neurons, outer = np.column_stack([W, b]), v.astype(self.dtype)
        inner, z = neurons.astype(self.dtype), np.empty(problem.n_samples)
        for block in self.blocks:
            np.matmul(inner, block.columns, out=block.heights)
            z[block.samples] = outer @ block.activate(slope)
        z += theta[self.hidden]
        if self.linear.size:
            z += self.linear @ theta[self.hidden + 1 :]
        force = problem.loss.force(z, y)
        assert force is not None, "only smooth losses slide"
        pull = force / -len(y)
        # What pulls at a unit of output weight: its product with a neuron is the derivative in the output weight.
        pulled, pulls = np.zeros_like(neurons), pull.astype(outer.dtype)
        for block in self.blocks:
            pulled += block.pulled(pulls[block.samples], slope) @ block.rows
        bias_cost = 1.0 if norm.has_bias and not norm.has_free_bias else 0.0
        penalty = alpha / 2 * float((W * W).sum() + bias_cost * (b @ b) + v @ v)
        gradient = np.concatenate(
            [
                (v[:, None] * pulled[:, :-1] + alpha * W).ravel(),
                (v * pulled[:, -1] + bias_cost * alpha * b) * norm.has_bias,
                np.einsum("jk,jk->j", pulled, neurons) + alpha * v,
                [pull.sum() * norm.has_free_constant],
                pull @ self.linear,
            ]
        )
        return problem.loss.value(z, y) + penalty, gradient


def merged(problem: Problem, network: Network, angle: float = SAME) -> Network:
    """Return the network with neurons that are almost the same added up, which costs no more.

    They are of one sign or, where there are several outputs, have any output weights.
    """
    lifted, sizes = np.column_stack([network.W, network.b]), row_sizes(network.v)
    directions, heaviest = lifted / np.linalg.norm(lifted, axis=1, keepdims=True), np.argsort(-sizes, kind="stable")
    # Neurons of different signs are as far apart as opposite ones.
    signs = np.empty((len(sizes), 0)) if problem.several else np.sign(network.v)
    leaders = near_groups(np.column_stack([directions, signs]), angle, heaviest)
    members = (leaders[:, None] == heaviest[leaders[heaviest] == heaviest]).astype(float)
    total, weight = members.T @ (sizes[:, None] * lifted), members.T @ sizes
    costs = problem.norm.neuron_costs(total[:, :-1], total[:, -1])
    scaled, v = total / costs[:, None], ((members.T @ network.v).T * costs / weight).T
    return Network(scaled[:, :-1], scaled[:, -1], v, network.intercept, network.negative_slope, network.skip)
