r"""Groups of cells and output signs, and the networks that they are.

    group u of a cell with output sign e, in scaled coordinates  <->  the neuron  e * norm(M u) * sigma(x.w + b),
                                                                      [w, b] = T u / norm(M u)

A solution of the convex program holds groups, most of them empty.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import SolverError
from cvxrelu.numerics.activation import activation_slopes
from cvxrelu.numerics.lengths import lengths
from cvxrelu.numerics.tolerances import ON_HINGE
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.backend import Solution
from cvxrelu.program.cells import Cells, flat_cells
from cvxrelu.program.scaling import Scaling, split_groups

__all__ = ["NEGLIGIBLE_COST", "Groups", "above", "as_solution", "made_feasible", "occupied", "to_network"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Below this scaled cost a group is empty whatever the others are: it is the accuracy of the solver.
NEGLIGIBLE_COST = 1e-9
# Largest scaled weight of a network that is made smaller, the root of the largest float: its products with data and
# slopes of any scale that is allowed are finite. Where targets are of order one, no network that heavy is worth it.
HEAVIEST = 2.0**512


@dataclass(frozen=True, eq=False)
class Groups:
    """The occupied groups of a solution: signs (k,), patterns (k, N), vectors (k, D), in scaled coordinates.

    Beside them there are the output constant and the coefficients of the skip connection (`Free.linear`).
    """

    signs: Array
    patterns: BoolArray
    vectors: Array
    constant: float
    linear: Array

    def outputs(self, scaling: Scaling, negative_slope: float) -> Array:
        """Return the (N, k) contributions to the scaled predictions."""
        activations = (self.vectors @ scaling.lifted.T) * activation_slopes(self.patterns, negative_slope)
        return (self.signs[:, None] * activations).T

    def predictions(self, problem: Problem, scaling: Scaling) -> Array:
        """Return the scaled predictions, an (N,) array."""
        outputs = self.outputs(scaling, problem.negative_slope).sum(axis=1)
        return outputs + problem.free.linear @ self.linear + self.constant


def as_solution(problem: Problem, network: Network, dual: Array) -> Solution:
    """Return a network as a solution of the program on the cells of its neurons, merged by cell and output sign.

    Parameters
    ----------
    problem : Problem
        The problem.
    network : Network
        Any network.
    dual : (N,) array
        The dual vector to pass on.

    Returns
    -------
    Solution
        In it, neurons of one cell and sign are one group; by convexity it costs no more than they do. All rows of its
        cells count as bounding.

    Raises
    ------
    SolverError
        If products with the weights of the network may be beyond the largest float.
    """
    scaling = Scaling.of(problem)
    with np.errstate(over="ignore", invalid="ignore"):  # what is infinite, or no number, is too heavy
        factors = np.abs(network.v)[:, None] / scaling.y_scale
        vectors = scaling.enter(network.W, network.b) * factors
        weights = np.hstack([vectors, network.W * factors, network.b[:, None] * factors])
    constant, linear = (network.intercept - scaling.y_center) / scaling.y_scale, np.zeros(0)
    if problem.skip:
        free = problem.free
        moved, linear = free.split(free.coefficients(problem.X @ ((network.skip - scaling.y_slope) / scaling.y_scale)))
        constant += moved
    if not np.all(np.abs(np.concatenate([weights.ravel(), linear, [constant]])) <= HEAVIEST):
        raise SolverError(f"Weights above {HEAVIEST:.0e} in coordinates of order one are too large to compute with.")
    if problem.is_even:
        # sigma(t) = sigma(-t) + (1 + a) t, so that mirror images come into one cell.
        away = vectors @ scaling.lifted[0] < 0
        turned = (1 + problem.negative_slope) * (np.sign(network.v[away]) @ vectors[away])
        vectors[away] *= -1.0
        shift, changed = problem.free.split(problem.free.coefficients(scaling.lifted @ turned))
        constant, linear = constant + shift, linear + changed
    preactivations = vectors @ scaling.lifted.T
    reach = lengths(vectors)[:, None] * lengths(scaling.lifted)
    patterns, cell = np.unique(preactivations >= -ON_HINGE * reach, axis=0, return_inverse=True)
    positive = network.v > 0
    flat = flat_cells(problem, patterns)[cell]
    if flat.any():
        heights = activation_slopes(patterns[cell[flat], 0], problem.negative_slope) * vectors[flat, -1]
        constant += float(np.sign(network.v[flat]) @ heights)
        vectors[flat, -1] = 0.0
    groups = np.zeros((2, len(patterns), vectors.shape[1]))
    np.add.at(groups, (np.where(positive, 0, 1), cell), vectors)
    value = problem.objective(network) / scaling.objective_scale
    cells = Cells(patterns, np.ones_like(patterns))
    return Solution(groups[0], groups[1], constant, dual, value, True, cells, scaling, linear)


def occupied(solution: Solution, level: float, negligible: float = NEGLIGIBLE_COST) -> Groups:
    """Return the groups whose cost is above `level` times the largest."""
    vectors = np.vstack([solution.plus, solution.minus])
    signs = np.repeat([1.0, -1.0], len(solution.plus))
    groups = Groups(signs, np.vstack([solution.cells.patterns] * 2), vectors, solution.constant, solution.linear)
    return above(solution.scaling, groups, level, negligible)


def above(scaling: Scaling, groups: Groups, level: float, negligible: float) -> Groups:
    """Return the groups whose cost is above `level` times the largest and not negligible."""
    costs = scaling.costs(groups.patterns, groups.vectors)
    keep = costs > max(level * costs.max(initial=0.0), negligible)
    return replace(groups, signs=groups.signs[keep], patterns=groups.patterns[keep], vectors=groups.vectors[keep])


def to_network(problem: Problem, scaling: Scaling, groups: Groups) -> Network:
    """Return the network of the groups, in the units of the problem, with neurons of unit cost."""
    norm = problem.norm
    vectors = groups.vectors @ scaling.transform.T
    W, b = split_groups(vectors, norm.has_bias)
    linear, shift = problem.free.skip_of(groups.linear)
    intercept = scaling.y_scale * (groups.constant + shift) + scaling.y_center
    for j in np.flatnonzero(flat_cells(problem, groups.patterns)):
        # The function on the data is h * (w.x + b); the bias that keeps all data on one side moves the constant.
        side = 1.0 if groups.patterns[j, 0] else -1.0
        shifted = -side * np.min(side * (problem.X @ W[j]))
        slope = 1.0 if groups.patterns[j, 0] else problem.negative_slope
        intercept += scaling.y_scale * groups.signs[j] * slope * (b[j] - shifted)
        b[j] = shifted
    costs = norm.neuron_costs(W, norm.settled(W, b))
    used = costs > 0
    W, b = W[used] / costs[used, None], b[used] / costs[used]
    network = Network(
        W,
        norm.settled(W, b),
        scaling.y_scale * (groups.signs * costs)[used],
        intercept,
        problem.negative_slope,
        scaling.y_scale * linear + scaling.y_slope,
    )
    return made_feasible(problem, network)


def made_feasible(problem: Problem, network: Network) -> Network:
    """Return a multiple of a network that meets the constraint of the loss, if that is a matter of its size.

    Where the multiple would be beyond floats it is the network itself, which misses the constraint.
    """
    factor = problem.loss.feasible_factor(network(problem.X), problem.y)
    if factor == np.inf:
        return network
    with np.errstate(over="ignore"):
        v, intercept, skip = network.v * factor, network.intercept * factor, network.skip * factor
    within = all(np.isfinite(part).all() for part in (v, intercept, skip))
    return replace(network, v=v, intercept=intercept, skip=skip) if within else network
