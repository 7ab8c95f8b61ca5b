r"""Columns: the neurons that a restricted master problem may use, the first of them, and the network they make.

A column is a neuron of unit cost in scaled coordinates with its outputs on the data, so that the master problem sees a
matrix and nothing else.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.arrangement.memory import default_max_memory
from cvxrelu.generation.dual_master import MasterSolution
from cvxrelu.generation.oracle import Oracle
from cvxrelu.line import min_norm_interpolant
from cvxrelu.numerics.activation import leaky_relu
from cvxrelu.numerics.lengths import lengths, row_sizes
from cvxrelu.problem.free import Free
from cvxrelu.problem.network import Network, constant_network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.groups import made_feasible
from cvxrelu.program.zero_cost import best_free_network

__all__ = [
    "Columns",
    "corrected",
    "drawn_in",
    "first_network",
    "network_of_master",
    "standard_network",
    "starting_columns",
]

Array = NDArray[np.float64]

# Random neurons to start with, if any will do; and random starts of the first local ascent.
FIRST_NEURONS, FIRST_STARTS = 32, 32
# Regularisation (N alpha in scaled coordinates) with which a network all but fits the data, as its columns must be able
# to from the start.
NEARLY_NONE = 1e-6
# Random lines, of which the best is chosen.
LINES = 20
# Largest misfit of an interpolant, relative to the scale of the targets, and attempts to get there.
MISFIT, CORRECTIONS = 1e-11, 3
# Outputs that differ by less than this share are the same: they are rounded when neurons change coordinates.
COPIED = 1e-11
# Output weights below this share of the largest are zeros of the interior-point method.
USED_RTOL = 1e-9


@dataclass(frozen=True, eq=False)
class Columns:
    """Neurons of unit cost in scaled coordinates, with their outputs on the data.

    Attributes
    ----------
    W : (k, d) array
        Weights.
    b : (k,) array
        Biases.
    outputs : (N, k) array
        sigma(w_j . x_i + b_j).
    """

    W: Array
    b: Array
    outputs: Array

    @classmethod
    def of(cls, problem: Problem, W: Array, b: Array) -> "Columns":
        """Evaluate neurons on the data of the (scaled) problem."""
        return cls(W, b, leaky_relu(problem.X @ W.T + b, problem.negative_slope))

    def __getitem__(self, keep: NDArray[np.bool_] | slice) -> "Columns":
        return Columns(self.W[keep], self.b[keep], self.outputs[:, keep])

    def __add__(self, other: "Columns") -> "Columns":
        return Columns(
            np.vstack([self.W, other.W]),
            np.append(self.b, other.b),
            np.hstack([self.outputs, other.outputs]),
        )

    def __len__(self) -> int:
        return len(self.b)

    def distinct(self, free: Free, first: int = 0) -> "Columns":
        """Return the neurons without copies: with outputs, up to what is free, of one before; the first are all kept.

        Solvers of cone programs fail on copies, where signs of weights do not tell one from the other.
        """
        rest = free.rest(self.outputs)
        # Copies are neighbours on nearly every line.
        order = np.argsort(np.random.default_rng(0).standard_normal(len(rest)) @ rest, kind="stable")
        before, after = order[:-1], order[1:]
        near = lengths((rest[:, before] - rest[:, after]).T) <= COPIED * lengths(rest.T)[after]
        later = np.maximum(before, after)[near]
        kept = np.ones(len(self), dtype=bool)
        kept[later[later >= first]] = False
        return self[kept]


def starting_columns(oracle: Oracle) -> Columns:
    """Return neurons from which the master is feasible if any are, and the first local maxima of the targets.

    Raises
    ------
    MemoryError
        If their outputs would fill more than a quarter of the machine's memory, of which a solver makes copies.
    """
    standard, pricer, rng, clock = oracle.standard, oracle.pricer, oracle.rng, oracle.clock
    if standard.alpha is not None and standard.n_samples * standard.alpha > NEARLY_NONE:
        W, b = rng.standard_normal((FIRST_NEURONS, standard.n_features)), np.zeros(FIRST_NEURONS)
    elif standard.norm.has_bias:
        W, b = _staircase(standard.X, rng)
    else:
        W = _fan(standard.X, rng)
        b = np.zeros(len(W))
    costs = standard.norm.neuron_costs(W, b)
    W, b, costs = W[costs > 0], b[costs > 0], costs[costs > 0]
    # Known before anything is allocated: some systems promise memory that is not there.
    needed, limit = standard.n_samples * len(costs) * W.itemsize, default_max_memory()
    if needed > limit:
        raise MemoryError(f"The first neurons have outputs of {needed:,} bytes, more than the {limit:,} for them.")
    start = Columns.of(standard, W / costs[:, None], b / costs)
    y = standard.repair(standard.loss.first_dual(standard.y))
    if not y.any():
        return start
    if pricer.sweeps:
        local = pricer(y, time_limit=clock.left)
    else:
        local = pricer.ascend(y, n_starts=FIRST_STARTS, random_state=rng, time_limit=clock.left)
    return start + Columns.of(standard, *oracle.scaling.adopt(local.W, local.b))


def first_network(problem: Problem) -> Network:
    """Return a network that takes no time: the best constant or, for a constraint, a function that meets it on a line.

    Without biases there may be none; the constant zero is returned then.
    """
    if problem.loss.regularised or not problem.norm.has_bias or problem.one_sided:
        if problem.loss.regularised:
            return best_free_network(problem)
        nothing = np.zeros(problem.n_outputs) if problem.several else 0.0
        return constant_network(nothing, problem.n_features, problem.negative_slope)
    directions = np.random.default_rng(0).standard_normal((LINES, problem.n_features))
    heights = problem.X @ directions.T
    # The line along which neighbours are furthest from each other is the one with the least slopes.
    gaps = np.diff(np.sort(heights, axis=0), axis=0) / (np.ptp(heights, axis=0) + np.finfo(float).tiny)
    widest = int(np.argmax(np.min(np.where(gaps > 0, gaps, np.inf), axis=0, initial=np.inf)))
    targets, slope = problem.y, problem.negative_slope
    if problem.several and problem.loss.labels:
        targets = np.eye(problem.n_outputs)[targets.astype(np.intp)]
    lines = [
        min_norm_interpolant(heights[:, widest], column, slope).to_network(slope)
        for column in targets.reshape(len(targets), -1).T
    ]
    W, b = np.vstack([line.W for line in lines]) * directions[widest], np.concatenate([line.b for line in lines])
    v: Any = scipy.linalg.block_diag(*(line.v[:, None] for line in lines))
    skip = np.outer(directions[widest], np.concatenate([line.skip for line in lines]))
    constants: Any = np.array([line.intercept for line in lines])
    network = Network(W, b, v, constants, slope, skip)
    return network if problem.several else network.output(0)


def drawn_in(problem: Problem, network: Network) -> Network:
    """Return a network whose hinges are not beyond the samples, and that is the same on them: constants are free.

    A neuron whose hinge is far away is linear on the samples, and next to nothing of its bias is left of it in floats.
    """
    if not problem.norm.has_free_constant:
        return network
    heights = problem.X @ network.W.T
    least, most = -heights.max(axis=0), -heights.min(axis=0)
    biases = np.clip(network.b, least, most)
    slopes = np.where(network.b > most, 1.0, network.negative_slope)
    moved = (slopes * (network.b - biases)) @ network.v
    return replace(network, b=biases, intercept=network.intercept + moved)


def network_of_master(oracle: Oracle, columns: Columns, master: MasterSolution) -> Network:
    """Return the network of a master solution, in the units of the problem."""
    problem, standard, scaling = oracle.problem, oracle.standard, oracle.scaling
    weights = np.abs(master.weights)
    used = weights > USED_RTOL * weights.max()
    skip, shift = standard.free.skip_of(master.linear)
    constant = master.constant + shift
    free = constant + (standard.X @ skip if standard.skip else 0.0)
    output_weights = corrected(standard, columns.outputs[:, used], master.weights[used], free)
    if problem.one_sided:
        output_weights = np.maximum(output_weights, 0.0)  # what is zero comes out of either sign
    network = scaling.restore(
        Network(columns.W[used], columns.b[used], output_weights, constant, problem.negative_slope, skip)
    )
    return made_feasible(problem, network)


def standard_network(standard: Problem, columns: Columns, solution: MasterSolution) -> Network:
    """Return the network of a master solution, in scaled coordinates, without the neurons of no weight."""
    used = solution.weights != 0
    skip, shift = standard.free.skip_of(solution.linear)
    constant = solution.constant + shift
    return Network(columns.W[used], columns.b[used], solution.weights[used], constant, standard.negative_slope, skip)


def _staircase(X: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return both hinges at every point along one random direction, and constants: they fit whatever is consistent."""
    direction = rng.standard_normal(X.shape[1])
    heights = np.unique(X @ direction)
    W = np.repeat([direction, -direction, np.zeros_like(direction)], [len(heights), len(heights), 2], axis=0)
    return W, np.concatenate([-heights, heights, [1.0, -1.0]])


def _fan(X: Array, rng: np.random.Generator) -> Array:
    """Return neurons without bias, hinges through every point seen in one random plane, and both ways along each axis.

    Without bias a function is linear plus even; the fan bends once between neighbouring lines through the origin, so
    it takes any values on them, and the axes give the linear part.
    """
    axes = np.eye(X.shape[1])
    first, second = rng.standard_normal((2, X.shape[1]))
    across = np.outer(X @ first, second) - np.outer(X @ second, first)
    across = across[np.linalg.norm(across, axis=1) > 0]
    return np.vstack([across, -across, axes, -axes])


def corrected(standard: Problem, outputs: Array, weights: Array, free: Array | float) -> Array:
    """Return the output weights, changed so that the predictions are what an exact solution would predict.

    The change is the smallest relative to the weights themselves: what is almost zero stays so.
    """
    aim = standard.loss.aim
    predictions = outputs @ weights + free
    misfit = aim(predictions, standard.y) - predictions
    if not (outputs.any() and weights.any()) or np.abs(misfit).max() <= MISFIT:
        return weights
    # In units of the largest, whose squares neither over- nor underflow.
    sizes, height = row_sizes(weights), np.abs(outputs).max()
    shares, units = (sizes / sizes.max()) ** 2, outputs / height
    shared = units * (sizes / sizes.max())
    factors: Any = scipy.linalg.qr(shared @ shared.T, pivoting=True)
    orthogonal, triangle, order = factors
    heights = np.abs(np.diag(triangle))
    rank = int(np.sum(heights > np.finfo(float).eps * heights[0]))
    for _ in range(CORRECTIONS):
        solution = np.zeros_like(misfit)
        solution[order[:rank]] = scipy.linalg.solve_triangular(triangle[:rank, :rank], orthogonal[:, :rank].T @ misfit)
        weights = weights + (shares * (units.T @ (solution / height)).T).T
        predictions = outputs @ weights + free
        misfit = aim(predictions, standard.y) - predictions
        if np.abs(misfit).max() <= MISFIT:
            break
    return weights
