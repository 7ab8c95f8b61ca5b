r"""From a solution of the convex program to a finite network of few neurons.

A group u of a cell with output sign e is the neuron e * norm(M u) * sigma(x.w + b) with [w, b] = u / norm(M u), so a
solution *is* a network, but that of an interior-point solver has a little of everything in it. Three steps:

1. Trim. Only the cells with weight in them are kept and solved again; a value that has not grown proves that nothing
   was lost.
2. Reduce (Caratheodory; de Dios & Bruna, Section 4). With the directions fixed, output weights a_j >= 0 are changed so
   that the predictions stay, the cost does not rise, and at most N of them are positive (N - 1 next to a free
   constant).
3. Polish. Hinges within rounding of a data point are put exactly on it, with the predictions kept (for an interpolant:
   put right), by the smallest change of the groups: a linear least-squares problem.

Thresholds from bold to timid are tried until the network itself, as `Problem.objective` sees it, is exact and no dearer
than the solution; a threshold that is too bold cannot do harm.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.errors import SolverError
from cvxrelu.numerics.caratheodory import fewest_terms
from cvxrelu.numerics.lengths import lengths
from cvxrelu.problem.network import Network
from cvxrelu.problem.norms import Norm
from cvxrelu.problem.problem import Problem
from cvxrelu.program.backend import Solution
from cvxrelu.program.program import Cells, activation_weights, flat_cells
from cvxrelu.program.scaling import Scaling
from cvxrelu.runtime.clock import Clock

__all__ = ["as_solution", "decode", "fewer_neurons", "plain_network"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Resolve = Callable[[Cells], Solution]

# A group is taken for empty below these shares of the largest group's cost, the first tried first. Interior-point
# solvers leave 1e-9 to 1e-6 in empty groups; a threshold that was too bold shows in the value and the next one is used.
TRIM_LEVELS = (1e-4, 1e-6, 1e-8)
# Below this scaled cost a group is empty whatever the others are: it is the accuracy of the solver.
NEGLIGIBLE_COST = 1e-9
# Growth of the scaled objective up to which a trimmed program counts as equally good; the solver's is 1e-9.
VALUE_RTOL = 2e-8
# Excess over the solution's objective up to which a smaller network counts as equally good: the promise of `solve`.
NETWORK_RTOL = 1e-7
# Shares of a row's length below which a hinge is taken to pass through the data point, from bold to timid; 0 leaves
# the hinges where they are, unless points are beyond them.
SNAP_LEVELS = (1e-5, 1e-7, 0.0)
# Weight of that against the predictions, where they contradict each other by rounding: the cost may jump at a hinge.
HINGE_WEIGHT = 1e4
# Share of a row's length within which a point on a hinge counts as on the positive side: rounding only.
ON_HINGE = 1e-12
# Misfits (relative) below which interpolants count as equally exact, so that the cheaper one is chosen.
EXACT_FIT = 1e-10
# A group whose outputs are below this share of the largest is lost in the rounding of their sum.
UNSEEN = 1e-30
# Rounding of a prediction, as a multiple of the scaled cost and inputs.
EVALUATION = 8 * np.finfo(float).eps
# Largest scaled weight of a network that is made smaller, the root of the largest float: its products with data and
# slopes of any scale that is allowed are finite. Where targets are of order one, no network that heavy is worth it.
HEAVIEST = 2.0**512
# Misfit above which moving hinges by rounding does not help.
HOPELESS = 0.1
# Multiplications of a least-squares problem (m n min(m, n)) that a second is ample for; it cannot be stopped. Measured:
# 1.3e9 on a core that has nothing else to do.
POLISHED_PER_SECOND = 5e8


@dataclass(frozen=True, eq=False)
class _Groups:
    """The occupied groups of a solution: signs (k,), patterns (k, N), vectors (k, D), in scaled coordinates."""

    signs: Array
    patterns: BoolArray
    vectors: Array
    constant: float

    def outputs(self, scaling: Scaling, negative_slope: float) -> Array:
        """Return the (N, k) contributions to the scaled predictions."""
        activations = (self.vectors @ scaling.lifted.T) * activation_weights(self.patterns, negative_slope)
        return (self.signs[:, None] * activations).T


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
    constant = (network.intercept - scaling.y_center) / scaling.y_scale
    if not np.all(np.abs(np.append(weights, constant)) <= HEAVIEST):
        raise SolverError(f"Weights above {HEAVIEST:.0e} in coordinates of order one are too large to compute with.")
    preactivations = vectors @ scaling.lifted.T
    reach = lengths(vectors)[:, None] * lengths(scaling.lifted)
    patterns, cell = np.unique(preactivations >= -ON_HINGE * reach, axis=0, return_inverse=True)
    positive = network.v > 0
    flat = flat_cells(problem, patterns)[cell]
    if flat.any():
        heights = np.where(patterns[cell[flat], 0], 1.0, problem.negative_slope) * vectors[flat, -1]
        constant += float(np.sign(network.v[flat]) @ heights)
        vectors[flat, -1] = 0.0
    groups = np.zeros((2, len(patterns), vectors.shape[1]))
    np.add.at(groups, (np.where(positive, 0, 1), cell), vectors)
    value = problem.objective(network) / scaling.objective_scale
    return Solution(groups[0], groups[1], constant, dual, value, True, Cells(patterns, np.ones_like(patterns)), scaling)


def decode(
    problem: Problem,
    solution: Solution,
    resolve: Resolve | None,
    rtol: float = NETWORK_RTOL,
    clock: Clock | None = None,
) -> Network:
    """Return a network of least objective and few neurons from a solution of the convex program.

    Parameters
    ----------
    problem : Problem
        The problem.
    solution : Solution
        A solution of its program on some cells.
    resolve : callable or None
        Solves the program of the problem on given cells; None if nothing is to be solved again.
    rtol : float, default 1e-7
        Relative excess over the solution's objective that fewer neurons may cost.
    clock : Clock, optional
        Once it has expired, the best network so far is returned; what would take longer than is left is not begun.

    Returns
    -------
    Network
        At most N neurons of unit cost each; at most N - 1 and an intercept if the output constant is free.
    """
    trimmed, clock = _trim(solution, resolve), clock or Clock()
    target = max(0.0, trimmed.value * trimmed.scaling.objective_scale * (1 + rtol))
    # What rounding makes of predictions, w.x + b being evaluated far from the origin where the data are.
    inputs = problem.X @ trimmed.scaling.transform[: problem.n_features]
    exact = max(EXACT_FIT, EVALUATION * trimmed.value * max(1.0, np.abs(inputs).max()))
    networks: list[Network] = []
    for network in _proposals(problem, trimmed, resolve, clock):
        networks.append(network)
        if _misfit(problem, network) <= exact and problem.objective(network) <= target:
            return network
        if clock.expired:
            break
    return _best(problem, networks, exact)


def plain_network(problem: Problem, solution: Solution) -> Network:
    """Return the network that a solution is, with all its neurons, at once."""
    return _to_network(problem, solution.scaling, _occupied(solution, TRIM_LEVELS[-1]))


def fewer_neurons(problem: Problem, network: Network) -> Network:
    """Return a network of at most N neurons (N - 1 next to a free constant) that is no worse; no program is solved.

    Parameters
    ----------
    problem : Problem
        The problem.
    network : Network
        Any network.

    Returns
    -------
    Network
        The network with the neurons of a cell merged and dependent ones left out; itself, if rounding made that worse.

    Raises
    ------
    SolverError
        If products with the weights of the network may be beyond the largest float.
    """
    solution = as_solution(problem, network, np.zeros(problem.n_samples))
    groups = _reduce(problem, solution.scaling, _occupied(solution, 0.0, 0.0))
    reduced = _to_network(problem, solution.scaling, groups)
    limit = problem.objective(network) * (1 + NETWORK_RTOL)
    return reduced if problem.objective(reduced) <= limit else network


def _proposals(problem: Problem, trimmed: Solution, resolve: Resolve | None, clock: Clock) -> Iterator[Network]:
    """Yield networks for a solution, the smallest and most exact that can be hoped for first."""
    yield _to_network(problem, trimmed.scaling, replace(_occupied(trimmed, 1.0), constant=0.0))
    yield from _reduced_networks(problem, trimmed, clock)
    narrowed = _narrow(problem, trimmed, resolve)
    if narrowed is not None:
        yield from _reduced_networks(problem, narrowed, clock)
    yield plain_network(problem, trimmed)


def _reduced_networks(problem: Problem, solution: Solution, clock: Clock) -> Iterator[Network]:
    """Yield networks of few neurons for a solution."""
    for level, negligible in (*((level, NEGLIGIBLE_COST) for level in TRIM_LEVELS), (0.0, 0.0)):
        reduced = _reduce(problem, solution.scaling, _occupied(solution, level, negligible))
        groups = _above(solution.scaling, reduced, level, 0.0)
        network = _to_network(problem, solution.scaling, groups)
        yield network
        for snap in SNAP_LEVELS if _misfit(problem, network) <= HOPELESS else ():
            polished = _polish(problem, solution.scaling, groups, snap, clock)
            if polished is not None:
                yield _to_network(problem, solution.scaling, polished)


def _narrow(problem: Problem, solution: Solution, resolve: Resolve | None) -> Solution | None:
    """Return the solution on the cells that a reduced network uses: fewer cells are solved more accurately."""
    groups = _reduce(problem, solution.scaling, _occupied(solution, TRIM_LEVELS[0]))
    used = {pattern.tobytes() for pattern in groups.patterns}
    keep = np.array([pattern.tobytes() in used for pattern in solution.cells.patterns])
    return _attempt(resolve, solution.cells[keep]) if keep.any() else None


def _best(problem: Problem, networks: list[Network], exact: float) -> Network:
    """Return the cheapest network among those that fit best, rounding aside."""
    misfits = np.array([_misfit(problem, network) for network in networks])
    objectives = np.array([problem.objective(network) for network in networks])
    return networks[int(np.argmin(np.where(misfits <= max(exact, misfits.min()), objectives, np.inf)))]


def _misfit(problem: Problem, network: Network) -> float:
    """Return the relative violation of the constraint of the loss."""
    return problem.loss.residual(network(problem.X), problem.y)


def _trim(solution: Solution, resolve: Resolve | None) -> Solution:
    """Return the solution on the cells with weight in them."""
    scaling, patterns = solution.scaling, solution.cells.patterns
    costs = np.maximum(scaling.costs(patterns, solution.plus), scaling.costs(patterns, solution.minus))
    allowed = solution.value + VALUE_RTOL * max(abs(solution.value), NEGLIGIBLE_COST)
    for level in TRIM_LEVELS:
        keep = costs > max(level * costs.max(initial=0.0), NEGLIGIBLE_COST)
        if keep.all():
            return solution
        if not keep.any():
            # Nothing but the constant is left. Keep one (empty) cell: the program needs a group.
            keep[np.argmax(costs)] = True
        trimmed = _attempt(resolve, solution.cells[keep])
        if trimmed is not None and trimmed.value <= allowed:
            return trimmed
    return solution


def _reduce(problem: Problem, scaling: Scaling, groups: _Groups) -> _Groups:
    """Return at most N groups (N - 1 next to a free constant) with the same predictions, at no greater cost."""
    outputs = groups.outputs(scaling, problem.negative_slope)
    heights = np.abs(outputs).max(axis=0, initial=0.0)
    seen = heights > UNSEEN * heights.max(initial=0.0)
    costs = scaling.costs(groups.patterns, groups.vectors)
    free = problem.norm.has_free_constant
    factors = np.zeros(len(costs))
    factors[seen] = fewest_terms(outputs[:, seen], np.ones(int(seen.sum())), costs[seen], free)
    missing = outputs @ (1.0 - factors)
    used = factors > 0
    return _Groups(
        groups.signs[used],
        groups.patterns[used],
        groups.vectors[used] * factors[used, None],
        groups.constant + float(missing.mean()) if free else 0.0,
    )


def _aim(problem: Problem, scaling: Scaling, groups: _Groups) -> Array:
    """Return the scaled predictions that the network should make."""
    predictions = groups.outputs(scaling, problem.negative_slope).sum(axis=1) + groups.constant
    return problem.loss.aim(predictions, scaling.y)


def _polish(problem: Problem, scaling: Scaling, groups: _Groups, snap: float, clock: Clock) -> _Groups | None:
    """Put hinges within `snap` of a data point on it and, for an interpolant, remove the misfit; None without time."""
    lifted = scaling.lifted
    count, size = groups.vectors.shape
    weights = groups.signs[:, None] * activation_weights(groups.patterns, problem.negative_slope)
    preactivations = groups.vectors @ lifted.T
    scale = lengths(groups.vectors)[:, None] * lengths(lifted)
    flat = flat_cells(problem, groups.patterns)
    # Where a point is beyond the hinge for its cell, by the solver's accuracy, the hinge is meant to be on it.
    beyond = (preactivations != 0) & (groups.patterns == (preactivations < 0))
    close = (np.abs(preactivations) <= snap * scale) | beyond
    group, sample = np.nonzero(close & (scale > 0) & ~flat[:, None])
    rows, columns = len(group) + len(lifted), count * size
    if rows * columns * min(rows, columns) > POLISHED_PER_SECOND * clock.left:
        return None

    on_hinge = np.zeros((len(group), count, size))
    on_hinge[np.arange(len(group)), group] = lifted[sample]
    outputs = (weights.T[:, :, None] * lifted[:, None, :]).reshape(len(lifted), count * size)
    misfit = (
        _aim(problem, scaling, groups) - groups.outputs(scaling, problem.negative_slope).sum(axis=1) - groups.constant
    )
    matrix = np.vstack([HINGE_WEIGHT * on_hinge.reshape(len(group), count * size), outputs])
    # Flat groups have no bias of their own: theirs stays zero.
    matrix[:, np.flatnonzero(flat) * size + size - 1] = 0.0
    has_constant = problem.norm.has_free_constant
    if has_constant:
        matrix = np.column_stack([matrix, np.repeat([0.0, 1.0], [len(group), len(lifted)])])
    target = np.concatenate([-HINGE_WEIGHT * preactivations[group, sample], misfit])
    solution: Any = scipy.linalg.lstsq(matrix, target, lapack_driver="gelsy")
    change = solution[0]
    return _Groups(
        groups.signs,
        groups.patterns,
        groups.vectors + change[: count * size].reshape(count, size),
        groups.constant + (change[-1] if has_constant else 0.0),
    )


def _to_network(problem: Problem, scaling: Scaling, groups: _Groups) -> Network:
    """Return the network of the groups, in the units of the problem, with neurons of unit cost."""
    norm = problem.norm
    vectors = groups.vectors @ scaling.transform.T
    W, b = _split(vectors, norm)
    intercept = scaling.y_scale * groups.constant + scaling.y_center
    for j in np.flatnonzero(flat_cells(problem, groups.patterns)):
        # The function on the data is h * (w.x + b); the bias that keeps all data on one side moves the constant.
        side = 1.0 if groups.patterns[j, 0] else -1.0
        shifted = -side * np.min(side * (problem.X @ W[j]))
        slope = 1.0 if groups.patterns[j, 0] else problem.negative_slope
        intercept += scaling.y_scale * groups.signs[j] * slope * (b[j] - shifted)
        b[j] = shifted
    costs = norm.neuron_costs(W, b)
    used = costs > 0
    network = Network(
        W[used] / costs[used, None],
        b[used] / costs[used],
        scaling.y_scale * (groups.signs * costs)[used],
        intercept,
        problem.negative_slope,
    )
    factor = problem.loss.feasible_factor(network(problem.X), problem.y)
    return replace(network, v=network.v * factor, intercept=network.intercept * factor)


def _split(vectors: Array, norm: Norm) -> tuple[Array, Array]:
    """Return the weights and the biases of groups."""
    return (vectors[:, :-1], vectors[:, -1].copy()) if norm.has_bias else (vectors, np.zeros(len(vectors)))


def _occupied(solution: Solution, level: float, negligible: float = NEGLIGIBLE_COST) -> _Groups:
    """Return the groups whose cost is above `level` times the largest."""
    vectors = np.vstack([solution.plus, solution.minus])
    signs = np.repeat([1.0, -1.0], len(solution.plus))
    groups = _Groups(signs, np.vstack([solution.cells.patterns] * 2), vectors, solution.constant)
    return _above(solution.scaling, groups, level, negligible)


def _above(scaling: Scaling, groups: _Groups, level: float, negligible: float) -> _Groups:
    """Return the groups whose cost is above `level` times the largest and not negligible."""
    costs = scaling.costs(groups.patterns, groups.vectors)
    keep = costs > max(level * costs.max(initial=0.0), negligible)
    return replace(groups, signs=groups.signs[keep], patterns=groups.patterns[keep], vectors=groups.vectors[keep])


def _attempt(resolve: Resolve | None, cells: Cells) -> Solution | None:
    """Return the solution on these cells, or None where the solver finds none or is not to be asked."""
    if resolve is None:
        return None
    try:
        return resolve(cells)
    except (SolverError, TimeoutError):
        return None
