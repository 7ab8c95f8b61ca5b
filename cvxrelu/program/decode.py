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
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import SolverError
from cvxrelu.numerics.caratheodory import fewest_terms
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.backend import Solution
from cvxrelu.program.cells import Cells
from cvxrelu.program.groups import NEGLIGIBLE_COST, Groups, above, as_solution, occupied, to_network
from cvxrelu.program.polish import polish
from cvxrelu.program.scaling import Scaling
from cvxrelu.runtime.clock import Clock

__all__ = ["NETWORK_RTOL", "decode", "fewer_neurons", "plain_network"]

Array = NDArray[np.float64]
Resolve = Callable[[Cells], Solution]

# A group is taken for empty below these shares of the largest group's cost, the first tried first. Interior-point
# solvers leave 1e-9 to 1e-6 in empty groups; a threshold that was too bold shows in the value and the next one is used.
TRIM_LEVELS = (1e-4, 1e-6, 1e-8)
# Growth of the scaled objective up to which a trimmed program counts as equally good; the solver's is 1e-9.
VALUE_RTOL = 2e-8
# Excess over the solution's objective up to which a smaller network counts as equally good: the promise of `solve`.
NETWORK_RTOL = 1e-7
# Shares of a row's length below which a hinge is taken to pass through the data point, from bold to timid; 0 leaves
# the hinges where they are, unless points are beyond them.
SNAP_LEVELS = (1e-5, 1e-7, 0.0)
# Misfits (relative) below which interpolants count as equally exact, so that the cheaper one is chosen.
EXACT_FIT = 1e-10
# A group whose outputs are below this share of the largest is lost in the rounding of their sum.
UNSEEN = 1e-30
# Rounding of a prediction, as a multiple of the scaled cost and inputs.
EVALUATION = 8 * np.finfo(float).eps
# Misfit above which moving hinges by rounding does not help.
HOPELESS = 1e-3


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
    return to_network(problem, solution.scaling, occupied(solution, TRIM_LEVELS[-1]))


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
    groups = _reduce(problem, solution.scaling, occupied(solution, 0.0, 0.0))
    reduced = to_network(problem, solution.scaling, groups)
    limit = problem.objective(network) * (1 + NETWORK_RTOL)
    return reduced if problem.objective(reduced) <= limit else network


def _proposals(problem: Problem, trimmed: Solution, resolve: Resolve | None, clock: Clock) -> Iterator[Network]:
    """Yield networks for a solution, the smallest and most exact that can be hoped for first."""
    nothing = occupied(trimmed, 1.0)
    yield to_network(problem, trimmed.scaling, replace(nothing, constant=0.0, linear=0.0 * nothing.linear))
    yield from _reduced_networks(problem, trimmed, clock)
    narrowed = _narrow(problem, trimmed, resolve)
    if narrowed is not None:
        yield from _reduced_networks(problem, narrowed, clock)
    yield plain_network(problem, trimmed)


def _reduced_networks(problem: Problem, solution: Solution, clock: Clock) -> Iterator[Network]:
    """Yield networks of few neurons for a solution."""
    for level, negligible in (*((level, NEGLIGIBLE_COST) for level in TRIM_LEVELS), (0.0, 0.0)):
        reduced = _reduce(problem, solution.scaling, occupied(solution, level, negligible))
        groups = above(solution.scaling, reduced, level, 0.0)
        network = to_network(problem, solution.scaling, groups)
        yield network
        for snap in SNAP_LEVELS if _misfit(problem, network) <= HOPELESS else ():
            polished = polish(problem, solution.scaling, groups, snap, clock)
            if polished is not None:
                yield to_network(problem, solution.scaling, polished)


def _narrow(problem: Problem, solution: Solution, resolve: Resolve | None) -> Solution | None:
    """Return the solution on the cells that a reduced network uses: fewer cells are solved more accurately."""
    groups = _reduce(problem, solution.scaling, occupied(solution, TRIM_LEVELS[0]))
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


def _reduce(problem: Problem, scaling: Scaling, groups: Groups) -> Groups:
    """Return at most N groups (fewer by what is free) with the same predictions, at no greater cost."""
    outputs = groups.outputs(scaling, problem.negative_slope)
    heights = np.abs(outputs).max(axis=0, initial=0.0)
    seen = heights > UNSEEN * heights.max(initial=0.0)
    costs = scaling.costs(groups.patterns, groups.vectors)
    factors = np.zeros(len(costs))
    factors[seen] = fewest_terms(
        outputs[:, seen], np.ones(int(seen.sum())), costs[seen], problem.norm.has_free_constant, problem.free.linear
    )
    missing = outputs @ (1.0 - factors)
    constant, linear = problem.free.split(problem.free.coefficients(missing))
    used = factors > 0
    return Groups(
        groups.signs[used],
        groups.patterns[used],
        groups.vectors[used] * factors[used, None],
        groups.constant + constant if problem.norm.has_free_constant else 0.0,
        groups.linear + linear,
    )


def _attempt(resolve: Resolve | None, cells: Cells) -> Solution | None:
    """Return the solution on these cells, or None where the solver finds none or is not to be asked."""
    if resolve is None:
        return None
    try:
        return resolve(cells)
    except (SolverError, TimeoutError):
        return None
