r"""Penalised losses on the line: the problem over all networks as a sparse program over values at the data.

    min over z in R^N:   (1/N) sum_i loss(z_i, y_i) + alpha * max( C(z) / p, (C(z) + S(z)) / (p + q) )

since the least cost of a function with values z_i at x_i is V(z) (see `cost`; with a skip connection q is infinite,
and V(z) = C(z) / p); then interpolate (x, z). The program is
written with the slopes l_n as variables of their own, tied to the values by z_{n+1} - z_n = (x_{n+1} - x_n) l_n: second
differences divided by products of gaps would be hopelessly conditioned for unequal gaps. For the same reason the
function is rebuilt from the slopes, so that its cost is what the solver saw.

Interpolation needs no program, and its dual is V's own: writing C and S with signs,

    V(y) = sum_n (s_n - s_{n+1}) l_n,   s_n = k sgn(c_n) for n = 2..N-1,   s_1 = -s_N = m T,

with k = 1/p, m = 0 if there is no excess, and k = m = 1/(p + q) if there is one; T = sgn(l_1 + l_{N-1}). That is
linear in y, and its coefficients are a dual vector v with y.v = V and gamma(v) <= 1, since V is the largest of all such
forms.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.searches import certify_dual
from cvxrelu.errors import InputError, SolverError, unmet
from cvxrelu.line.cost import Rates, end_bend, function_cost
from cvxrelu.line.line_program import LineSolution, solve_on_nodes
from cvxrelu.line.piecewise import PiecewiseLinear
from cvxrelu.line.samples import Samples
from cvxrelu.line.sparsest import sparsest_through
from cvxrelu.problem.network import Network, constant_network
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_instance
from cvxrelu.runtime.clock import Clock

__all__ = ["FunctionFit", "fit_function", "is_line_problem"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

# A simpler function is taken if it costs no more than this share of the objective: a hundredth of the promised gap.
SIMPLER_RTOL = 1e-8
# Jumps below this share of TV(f') (and of the steepest slope) are what an interior-point method leaves for none.
JUMP_RTOL = 1e-6
# An excess, likewise: at an optimum C / p and S / q are often equal, and a solver leaves them apart by its tolerance.
SOLVER_EXCESS_RTOL = 1e-7
# Rounds of solving again on fewer nodes; the first finds nearly all there is to find.
SIMPLIFYING_ROUNDS = 2


@dataclass(frozen=True, eq=False)
class FunctionFit:
    """A function that solves a problem on the line, with a dual vector that proves it.

    Attributes
    ----------
    function : PiecewiseLinear
        The function; `function.to_network(problem.negative_slope, problem.skip)` is a network of its cost, or
        `network`.
    dual : (N,) array
        A dual vector for `certify_dual`.
    """

    function: PiecewiseLinear
    dual: Array

    def network(self, problem: Problem) -> Network:
        """Return a network of the problem that computes the function at its cost.

        Jumps of f' of the wrong sign, where output weights are positive, are rounding, and left out.
        """
        network = self.function.to_network(problem.negative_slope, problem.skip)
        if not problem.one_sided:
            return network
        kept = network.v > 0
        return replace(network, W=network.W[kept], b=network.b[kept], v=network.v[kept])

    def __iter__(self) -> Iterator[PiecewiseLinear | Array]:
        """Unpack into function and dual."""
        return iter((self.function, self.dual))


def is_line_problem(problem: Problem) -> bool:
    """Tell whether `fit_function` takes a problem.

    It has one feature and output, free bias and the Euclidean norm, and where output weights are positive a skip
    connection: without one, end slopes bound each other.
    """
    one_line = problem.n_features == 1 and problem.bias == "free" and not (problem.norm.cellwise or problem.several)
    return one_line and (problem.skip or not problem.one_sided)


def fit_function(problem: Problem, solver: str = "CLARABEL", time_limit: float | None = None) -> FunctionFit:
    """Solve a problem on the line, over networks of every width.

    Parameters
    ----------
    problem : Problem
        A problem with one feature, free bias and the Euclidean norm; any loss. With ``output_sign="positive"`` it
        has to have a skip connection: f is then the best convex function (concave, for a slope above 1).
    solver : str, default "CLARABEL"
        Any installed cvxpy solver for the loss; not used for interpolation, which is in closed form.
    time_limit : float, optional
        Seconds for the solver, if it can stop early.

    Returns
    -------
    FunctionFit
        A function with few knots (for interpolation: provably the fewest), and a dual vector.

    Raises
    ------
    InputError
        If the problem is of another kind, or the solver is not installed.
    SolverError
        If the solver fails, or f is to be convex and the data to be met exactly are not.

    Examples
    --------
    >>> problem = Problem([[-1.0], [0.0], [1.0], [2.0]], [1.0, 0.0, 1.0, 2.0])
    >>> fit = fit_function(problem)
    >>> fit.function.n_knots, fit.function.to_network().cost()
    (1, 2.0)
    >>> certify_dual(problem, fit.function.to_network(), fit.dual).relative_gap < 1e-9
    True
    """
    if not is_line_problem(as_instance(problem, Problem, "problem")):
        raise InputError(
            "fit_function takes problems with one feature, bias='free' and norm='euclidean', and with "
            f"output_sign='positive' those with skip=True, not {problem!r}; use solve."
        )
    if problem.loss.fixes_predictions:
        return _interpolate(problem)
    if problem.loss.moves and np.ptp(problem.y) == 0:
        # A loss that knows no origin is least at the targets themselves, and a constant costs nothing.
        return FunctionFit(_constant(float(problem.y[0])), np.zeros(problem.n_samples))
    return _optimise(problem, solver, Clock(time_limit))


def _interpolate(problem: Problem) -> FunctionFit:
    """Fit exactly, in closed form."""
    samples, rates = Samples.of(problem.X, problem.y), Rates.of(problem.negative_slope, problem.skip)
    dual = np.zeros(problem.n_samples)
    if len(samples) > 1:
        corners = samples.corners()
        if problem.one_sided and (corners.curvatures * (1 - problem.negative_slope) < 0).any():
            raise unmet(problem.loss.name, problem.bias, one_sided=True)
        dual[corners.first] = _interpolation_dual(corners, rates)
    return FunctionFit(sparsest_through(samples, rates), dual)


def _interpolation_dual(samples: Samples, rates: Rates) -> Array:
    """Return the coefficients of V as a linear form in y, for two points or more."""
    p, q = rates
    bend = end_bend(samples, rates)
    end = np.sign(bend) / (p + q)
    s = np.concatenate([[end], np.sign(samples.curvatures) / (p + q if bend else p), [-end]])
    # Differences of differences, in this order, are exactly zero along a run of equal signs.
    form = np.concatenate([[0.0], -np.diff(s) / np.diff(samples.x), [0.0]])
    return -np.diff(form)


def _optimise(problem: Problem, solver: str, clock: Clock) -> FunctionFit:
    """Solve on all data points, then again on the few where the function bends."""
    places = np.unique(problem.X[:, 0])
    solutions = [solve_on_nodes(problem, places, solver, clock)]
    best = _connect(solutions[0])
    target = _objective(problem, best) * (1 + SIMPLER_RTOL)
    nodes = places
    for _ in range(SIMPLIFYING_ROUNDS):
        fewer = _bending_nodes(places, solutions[-1], float(np.ptp(problem.y)))
        if len(fewer) >= len(nodes) or clock.expired:
            break
        try:
            solution = solve_on_nodes(problem, fewer, solver, clock)
        except SolverError:
            break  # What was found before stands.
        function = _connect(solution)
        if _objective(problem, function) > target:
            break
        solutions.append(solution)
        best, nodes = function, fewer
    if len(nodes) > 1:
        best = _fewest_knots(problem, places, best, target)
    return FunctionFit(best, _best_dual(problem, [solution.dual for solution in solutions]))


def _bending_nodes(places: Array, solution: LineSolution, height: float) -> Array:
    """Return the data points next to where a solution bends, and the ends; one node if it is constant.

    A kink in a gap of the data shows as jumps at both ends of the gap, and an interior-point method spreads it over
    further neighbours; so each group of neighbouring jumps of one sign is replaced by the two data points around its
    barycentre. Constant is what rises by less than a solver's accuracy times the height of the targets.
    """
    slopes, nodes = solution.slopes, solution.nodes
    if not len(slopes) or np.abs(slopes).max() * np.ptp(places) <= JUMP_RTOL * height:
        return places[:1]
    jumps = np.diff(slopes)
    floor = JUMP_RTOL * max(float(np.abs(jumps).sum()), float(np.abs(slopes).max()))
    k = np.flatnonzero(np.abs(jumps) > floor)
    if not len(k):
        return places[[0, -1]]
    index = np.searchsorted(places, nodes[1:-1][k])
    breaks = np.concatenate([[True], (np.diff(index) > 1) | (np.diff(np.sign(jumps[k])) != 0)])
    group = np.cumsum(breaks) - 1
    weight = np.bincount(group, np.abs(jumps[k]))
    first = nodes[1:-1][k][breaks]
    center = first + np.bincount(group, np.abs(jumps[k]) * (nodes[1:-1][k] - first[group])) / weight
    after = np.clip(np.searchsorted(places, center), 1, len(places) - 1)
    return places[np.unique(np.concatenate([[0], after - 1, after, [len(places) - 1]]))]


def _fewest_knots(problem: Problem, places: Array, function: PiecewiseLinear, target: float) -> PiecewiseLinear:
    """Return the sparsest function of least cost through the values of a function at the data, if it is as good.

    Of its jumps only those count that a solver means, and there is none where it has no knot, whatever the rounding of
    its values between near data points may suggest.
    """
    samples = Samples(places, function(places), np.arange(len(places)))
    rates = Rates.of(problem.negative_slope, problem.skip)
    jumps = function.second_derivative().jumps
    floor = JUMP_RTOL * max(float(np.abs(jumps).sum()), float(np.abs(function.slopes).max()))
    turns = np.zeros(len(places))
    turns[np.searchsorted(places, function.knots)] = np.where(np.abs(jumps) > floor, np.sign(jumps), 0.0)
    sparsest = _level(sparsest_through(samples, rates, turns[1:-1], SOLVER_EXCESS_RTOL), rates)
    return sparsest if len(sparsest.knots) <= function.n_knots and _objective(problem, sparsest) <= target else function


def _level(function: PiecewiseLinear, rates: Rates) -> PiecewiseLinear:
    """Return the function turned so that q TV(f') = p abs(f'(-inf) + f'(inf)), if a solver leaves it at nearly that.

    Then one neuron a knot is enough, all of them facing one way; and for a = -1 the end slopes cancel, as they must.
    """
    p, q = rates
    if q == np.inf:
        return function
    bending, tilt = function.second_derivative().total_variation, function.left_slope + function.right_slope
    miss = q * bending - p * abs(tilt)
    if abs(miss) > SOLVER_EXCESS_RTOL * (q * bending + p * abs(tilt) + bending):
        return function
    turn = float(np.sign(tilt)) * miss / (2 * p)
    values = function.values + turn * (function.knots - function.knots.mean())
    return PiecewiseLinear(function.knots, values, function.left_slope + turn, function.right_slope + turn)


def _connect(solution: LineSolution) -> PiecewiseLinear:
    """Return the cheapest function that connects the values of a solution with its slopes."""
    if len(solution.nodes) == 1:
        return _constant(float(solution.values[0]))
    return PiecewiseLinear(solution.nodes, solution.values, *solution.end_slopes)


def _constant(value: float) -> PiecewiseLinear:
    return PiecewiseLinear(np.zeros(1), np.array([value]), 0.0, 0.0)


def _objective(problem: Problem, function: PiecewiseLinear) -> float:
    """Return the objective at a function that is computed by its cheapest network."""
    cost = function_cost(function, problem.negative_slope, problem.skip)
    return problem.loss.value(function(problem.X[:, 0]), problem.y) + problem.cost_weight * cost


def _best_dual(problem: Problem, duals: list[Array]) -> Array:
    """Return the dual vector that proves most; each is judged for itself, so that any network will do."""
    anything = constant_network(0.0, 1, problem.negative_slope)
    return max(duals, key=lambda dual: certify_dual(problem, anything, dual).lower)
