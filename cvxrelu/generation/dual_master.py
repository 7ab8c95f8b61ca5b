r"""The restricted master problem: the best network among given neurons, and the dual vector that prices new ones.

With Phi the (N, k) outputs of k neurons of unit cost, weights a of either sign and c the coefficients of what is free
(`Problem.free`: the constants, linear functions, both or nothing), with basis F,

    min over a, c:  loss(Phi a + F c, y) + B sum abs(a_j)       (B = N alpha, or 1 if the loss is a constraint)
    max over v:     D(v)   subject to   abs(Phi' v) <= B,  F'v = 0

with D the dual objective of the loss (N times the mean). The dual has N variables however many columns there are, so
that is what is solved, as a dense quadratic program; a and c are its multipliers. Where D is not quadratic (logistic
loss) a few Newton steps are taken, each a quadratic program.

An interior-point method is used on purpose: its dual vectors are central, and column generation needs fewer rounds with
them than with vertices. Where it breaks down on a linear dual (neighbours so close that the least cost is immense), the
simplex method takes over, and decides whether there is a solution at all.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import piqp
import scipy.linalg
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

from cvxrelu.errors import SolverError, unmet
from cvxrelu.numerics.tolerances import QR_RANK_RTOL
from cvxrelu.problem.losses import DualModel
from cvxrelu.problem.problem import Problem
from cvxrelu.program.dense import dense_solver

__all__ = ["MasterSolution", "solve_master", "solve_quadratic"]

Array = NDArray[np.float64]

# Newton steps for a dual that is not quadratic; from the last round's dual vector three to six are usual.
NEWTON_STEPS = 30

# Interior-point iterations after which a program counts as too badly scaled; ten to thirty are usual.
MOST_ITERATIONS = 60
# Residuals, in units of the accuracy asked, up to which a linear program that used them all is solved well enough: its
# last digits are beyond the solver, and the simplex method takes longer than all rounds.
SHORT_OF = 100.0
# Bound below which a dual vector has parts of two different sizes.
SMALL_BOUND = 1e-6
# Limits of dual vectors beyond this many bounds are first left out: those of networks that fit all but exactly are far
# inside, and an interior-point method that starts in the middle of such a box sees little else. Below, limits may hold
# with equality after all, and the second attempt costs as much as the first.
FAR = 1e6
# Share of the largest below which entries are rounding.
NOISE = 1e-9
FAILURES = (piqp.PIQP_DUAL_INFEASIBLE, piqp.PIQP_PRIMAL_INFEASIBLE, piqp.PIQP_NUMERICS)


@dataclass(frozen=True, eq=False)
class MasterSolution:
    """The solution of a restricted master problem.

    Attributes
    ----------
    dual : (N,) array
        The dual vector.
    weights : (k,) array
        The output weight of each column.
    constant : float
        The output constant; 0.0 if it is not free.
    linear : (r,) array
        The coefficients of the skip connection (`Free.linear`).
    """

    dual: Array
    weights: Array
    constant: float
    linear: Array = field(default_factory=lambda: np.zeros(0))


def solve_master(
    problem: Problem, outputs: Array, accuracy: float, start: Array | None = None, central: bool = True
) -> MasterSolution:
    """Solve the restricted master problem.

    Parameters
    ----------
    problem : Problem
        The problem.
    outputs : (N, k) array
        Predictions of k neurons of unit cost and output weight one.
    accuracy : float
        Relative accuracy asked of the solver.
    start : (N,) array, optional
        A dual vector to start Newton's method from.
    central : bool, default True
        Whether a dual vector from the middle of the optimal ones is wanted rather than a vertex. It saves rounds where
        columns come one by one; where they are all there, a vertex of a linear program is found sooner.

    Returns
    -------
    MasterSolution
        Dual vector, weights and constant.

    Raises
    ------
    SolverError
        If no weights meet the constraint of the loss, or the solver fails.
    """
    loss, y = problem.loss, problem.y
    model = loss.dual_model(y / 2 if start is None else start, y)
    if not central and not model.curvature.any():
        return _solve_linear(problem, outputs, model)
    solution = solve_quadratic(problem, outputs, model, accuracy)
    if loss.quadratic_dual:
        return solution
    v = solution.dual
    for _ in range(NEWTON_STEPS):
        solution = solve_quadratic(problem, outputs, loss.dual_model(v, y), accuracy)
        value, v = loss.dual_value(v, y), solution.dual
        if abs(loss.dual_value(v, y) - value) <= accuracy * value:
            break
    return solution


def solve_quadratic(problem: Problem, outputs: Array, model: DualModel, accuracy: float) -> MasterSolution:
    """Maximise a quadratic model of the dual objective; its curvature may be an (N, N) matrix.

    Raises
    ------
    SolverError
        If no weights meet the constraint of the loss, or the solver fails.
    """
    far = FAR * problem.score_bound
    lower, upper = model.lower < -far, model.upper > far
    if (lower & np.isfinite(model.lower)).any() or (upper & np.isfinite(model.upper)).any():
        wider = model._replace(lower=np.where(lower, -np.inf, model.lower), upper=np.where(upper, np.inf, model.upper))
        solution = _solve_inside(problem, outputs, wider, accuracy)
        if solution is not None and (model.lower <= solution.dual).all() and (solution.dual <= model.upper).all():
            return solution
    return _solve_inside(problem, outputs, model, accuracy) or _solve_linear(problem, outputs, model)


def _solve_inside(problem: Problem, outputs: Array, model: DualModel, accuracy: float) -> MasterSolution | None:
    """Maximise the model by an interior-point method; None if it breaks down, or finds no solution."""
    n, k = outputs.shape
    bound = problem.score_bound
    free = problem.free.basis
    beyond = _beyond_reach(outputs, model, free) if bound < SMALL_BOUND else np.zeros(n)
    solver = dense_solver(accuracy, MOST_ITERATIONS)
    # In units of the bound, so that the solver's absolute tolerances mean the same for every alpha.
    solver.setup(
        (np.diag(model.curvature) if model.curvature.ndim == 1 else model.curvature) * bound,
        model.slope + beyond,
        np.ascontiguousarray(free.T),
        np.zeros(free.shape[1]),
        np.ascontiguousarray(outputs.T),
        np.full(k, -np.inf if problem.one_sided else -1.0),
        np.full(k, 1.0),
        (model.lower - beyond) / bound,
        (model.upper - beyond) / bound,
    )
    status = solver.solve()
    result = solver.result
    broken = not all(np.isfinite(part).all() for part in (result.x, result.z_u, result.z_l))
    info = result.info
    residual = max(info.primal_res, info.dual_res, info.duality_gap / max(1.0, abs(info.primal_obj)))
    short = status != piqp.PIQP_SOLVED and residual > SHORT_OF * accuracy
    stalled = short and not model.curvature.any()
    if stalled or broken or status in FAILURES:
        return None
    weights = np.asarray(result.z_u) - (0.0 if problem.one_sided else np.asarray(result.z_l))
    constant, linear = problem.free.split(np.array(result.y))
    return MasterSolution(np.asarray(result.x) * bound + beyond, weights, constant, linear)


def _beyond_reach(outputs: Array, model: DualModel, free: Array) -> Array:
    """Return what no network of these columns fits of the targets, where the loss is squared; zero for other losses.

    It is a part of the dual vector that is orthogonal to every column, and the rest is a multiple of the bound: where
    that is small, one solver cannot see both.
    """
    if not (model.curvature == 1).all():
        return np.zeros(len(outputs))
    factors: Any = scipy.linalg.qr(np.hstack([outputs, free]), mode="economic", pivoting=True)
    heights = np.abs(np.diag(factors[1]))
    reach = factors[0][:, : int(np.sum(heights > QR_RANK_RTOL * heights[0]))]
    target = -model.slope
    beyond = target - reach @ (reach.T @ target)
    # Once more, for the digits that are lost where nearly all is in reach.
    beyond -= reach @ (reach.T @ beyond)
    return beyond if np.linalg.norm(beyond) > NOISE * np.linalg.norm(target) else np.zeros(len(target))


def _solve_linear(problem: Problem, outputs: Array, model: DualModel) -> MasterSolution:
    r"""Maximise a linear dual objective by the simplex method, in coordinates in which its columns are not alike.

    The primal program, with e_i for each finite bound of the dual vector, is

        min  sum B abs(a_j) + upper . p - lower . q   subject to   Phi a + F c + p - q = -slope,   p, q >= 0

    Rows are multiplied with the inverse of N columns that a pivoted QR factorisation takes for a basis. For hinges
    along a line this takes second differences: almost nothing is left to solve.
    """
    if model.curvature.any():
        raise SolverError("The master problem broke down numerically; rescale the data, or use method='enumerate'.")
    n, k = outputs.shape
    bound = problem.score_bound
    free = problem.free.basis
    above, below = np.isfinite(model.upper), np.isfinite(model.lower)
    matrix = np.hstack([outputs, free, np.eye(n)[:, above], -np.eye(n)[:, below]])
    costs = np.concatenate([np.full(k, bound), np.zeros(free.shape[1]), model.upper[above], -model.lower[below]])

    factors: Any = scipy.linalg.qr(matrix, mode="economic", pivoting=True)
    orthogonal, triangle = factors[0], factors[1]
    heights = np.abs(np.diag(triangle))
    rank = int(np.sum(heights > QR_RANK_RTOL * heights[0]))
    orthogonal, triangle = orthogonal[:, :rank], triangle[:rank, :rank]
    rows = scipy.linalg.solve_triangular(triangle, orthogonal.T @ matrix)
    rows[np.abs(rows) <= NOISE] = 0.0
    target = orthogonal.T @ -model.slope
    reached = np.linalg.norm(orthogonal @ target + model.slope) <= NOISE * np.linalg.norm(model.slope)
    negative = 0 if problem.one_sided else k
    result: Any = linprog(
        np.append(costs, costs[:negative]),
        A_eq=csr_array(np.hstack([rows, -rows[:, :negative]])),
        b_eq=scipy.linalg.solve_triangular(triangle, target),
        bounds=[(0.0, None)] * k
        + [(None, None)] * free.shape[1]
        + [(0.0, None)] * (len(costs) - k + negative - free.shape[1]),
        method="highs-ds",
    )
    if result.x is None or not reached:
        raise unmet(problem.loss.name, problem.bias, problem.one_sided)
    dual = orthogonal @ scipy.linalg.solve_triangular(triangle, result.eqlin.marginals, trans=1)
    constant, linear = problem.free.split(result.x[k : k + free.shape[1]])
    weights = result.x[:k].copy()
    weights[:negative] -= result.x[len(costs) :]
    return MasterSolution(dual, weights, constant, linear)
