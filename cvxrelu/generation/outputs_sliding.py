r"""Sliding with several outputs: neurons and their output weights move together, by L-BFGS.

    min over (w_j, b_j, v_j), C:   (1/N) sum_i loss(sum_j v_j sigma(w_j.x_i + b_j) + C'B_i, y_i)
                                   + (alpha/2) sum_j (norm(w_j)^2 + norm(v_j)^2)

with the basis B of what is free, as `cvxrelu.generation.sliding` does for one output, and for the same reason: rescaled
so that norm(w_j) = norm(v_j), a network pays here what it pays in the problem, and a step takes N k (d + K) operations
for k neurons.
"""

from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from cvxrelu.generation.oracle import ROUGH
from cvxrelu.generation.outputs_program import free_of
from cvxrelu.generation.sample_blocks import blocks_of
from cvxrelu.generation.sliding import NEGLIGIBLE
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.clock import Clock

__all__ = ["slide_outputs"]

Array = NDArray[np.float64]

# Steps that L-BFGS remembers: on digits, 80 reach no lower objective in as many steps, 20 a higher one in as many.
MEMORY = 40
# Steps whose saving tells whether more are worth it, as single ones save next to nothing now and then; and how many do
# where a rough network will do.
WINDOW, SHORT_WINDOW = 50, 10
# Progress from which on single precision does, which takes two thirds of the time.
SINGLE_DOES = 1e-4


def slide_outputs(problem: Problem, network: Network, steps: int, clock: Clock, progress: float = 0.0) -> Network:
    """Return a network with a lower objective, whose neurons have moved and of which some may have gone.

    Parameters
    ----------
    problem : Problem
        A problem of several outputs with a smooth loss, in coordinates of order one.
    network : Network
        Where to start.
    steps : int
        Most steps of L-BFGS.
    clock : Clock
        No step is taken once it has expired.
    progress : float, default 0.0
        Share of the objective that `WINDOW` steps have to save for more to follow; from `ROUGH` on fewer are looked
        at, which have to save as much a step.

    Examples
    --------
    >>> problem = Problem([[0.0], [1.0]], [[0.0, 0.0], [3.0, 4.0]], loss="squared", alpha=0.5)
    >>> start = Network([[1.0]], [0.0], [[1.0, 1.0]], [0.0, 0.0])
    >>> slid = slide_outputs(problem, start, 200, Clock())
    >>> problem.objective(slid) < problem.objective(start)
    True
    """
    if not network.n_neurons:
        return network
    layout, values = _Layout(problem, network.n_neurons, progress >= SINGLE_DOES), list[float]()
    window = SHORT_WINDOW if progress >= ROUGH else WINDOW
    share = progress * window / WINDOW

    def watch(intermediate_result: scipy.optimize.OptimizeResult) -> None:
        values.append(intermediate_result.fun)
        stalled = len(values) > window and values[-1 - window] - values[-1] < share * values[-1]
        if stalled or clock.expired:
            raise StopIteration

    with np.errstate(over="ignore", invalid="ignore"):  # of trials that are far too long
        found: Any = scipy.optimize.minimize(
            layout.objective,
            layout.pack(network),
            jac=True,
            method="L-BFGS-B",
            callback=watch,
            options={"maxiter": steps, "maxfun": 2 * steps, "maxcor": MEMORY, "ftol": 0.0, "gtol": 0.0},
        )
    return layout.unpack(found.x) if np.isfinite(found.x).all() else network


class _Layout:
    """How k neurons and what is free are one vector: (W, b, v, C), with norm(w_j) = norm(v_j)."""

    def __init__(self, problem: Problem, k: int, single: bool = False) -> None:
        d, count = problem.n_features, problem.n_outputs
        self.problem, self.shapes = problem, ((k, d), (k,), (k, count), (problem.free.rank, count))
        self.ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        self.blocks = blocks_of(problem, k, single)
        self.dtype = self.blocks[0].rows.dtype

    def pack(self, network: Network) -> Array:
        """Return the vector of a network."""
        costs = self.problem.norm.neuron_costs(network.W, network.b)
        scale = np.sqrt(row_sizes(network.v) / np.where(costs > 0, costs, 1.0))
        scale = np.where(scale > 0, scale, 1.0)
        free = free_of(self.problem, network)
        parts = (network.W * scale[:, None], network.b * scale, network.v / scale[:, None], free)
        return np.concatenate([np.ravel(part) for part in parts])

    def parts(self, theta: Array) -> list[Array]:
        """Return W, b, v and C."""
        return [part.reshape(shape) for part, shape in zip(np.split(theta, self.ends[:-1]), self.shapes, strict=True)]

    def unpack(self, theta: Array) -> Network:
        """Return the network of a vector, without the neurons that vanished, of unit cost each."""
        W, b, v, free = self.parts(theta)
        costs = self.problem.norm.neuron_costs(W, b)
        shares = costs * row_sizes(v)
        used = shares > NEGLIGIBLE * shares.sum()
        W, b, v, costs = W[used], b[used], v[used], costs[used]
        skip, offset = self.problem.free.affine(free)
        return Network(W / costs[:, None], b / costs, v * costs[:, None], offset, self.problem.negative_slope, skip)

    def objective(self, theta: Array) -> tuple[float, Array]:
        """Return the balanced objective and its gradient."""
        problem, norm, alpha = self.problem, self.problem.norm, self.problem.alpha or 0.0
        slope, (W, b, v, free) = problem.negative_slope, self.parts(theta)
        inner, outer = np.column_stack([W, b]).astype(self.dtype), v.astype(self.dtype)
        z = problem.free.basis @ free
        for block in self.blocks:
            np.matmul(inner, block.columns, out=block.heights)
            z[block.samples] += block.activate(slope).T @ outer
        force = problem.loss.force(z, problem.y)
        assert force is not None, "only smooth losses slide"
        pull = force / -problem.n_samples
        hidden, weights, pulls = np.zeros(inner.shape), np.zeros(v.shape), pull.astype(self.dtype)
        for block in self.blocks:
            weights += block.activate(slope) @ pulls[block.samples]
            hidden += block.pulled(outer @ pulls[block.samples].T, slope) @ block.rows
        bias_cost = float(norm.has_bias and not norm.has_free_bias)
        penalty = alpha / 2 * float((W * W).sum() + bias_cost * (b @ b) + (v * v).sum())
        gradients = (
            hidden[:, :-1] + alpha * W,
            (hidden[:, -1] + bias_cost * alpha * b) * norm.has_bias,
            weights + alpha * v,
            problem.free.basis.T @ pull,
        )
        value = problem.loss.value(z, problem.y) + penalty
        return value, np.concatenate([part.ravel() for part in gradients])
