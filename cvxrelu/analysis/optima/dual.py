r"""An accurate dual vector, from the approximate one of a fit.

The neurons of optimal networks are read off a dual vector v, so it has to be known to many digits, while an error
delta of v may show in a fit as a gap of the order of delta^2 only. With D the dual objective, the problem is

    max D(v)   subject to   score_k(v) <= L for every cell and sign k,   sum v = 0 if the output constant is free,

where score_k(v) = max over the unit neurons u of the cell of e_k sum_i v_i sigma(z_i.u) is convex, and smooth where its
maximiser u_k(v) stays on a face of the cell: with F = diag(h_k) Z B, B a basis of the face, orthonormal in the cost,

    score_k = norm(F'v),   gradient phi_k = e_k sigma(Z u_k),   second derivative (F F' - phi_k phi_k') / score_k.

So this is Newton's method with inequalities: at v take the cells of nearly largest score, linearise their constraints,
and maximise

    D(v + s) - s'(sum_k lambda_k score_k''(v)) s / 2   subject to   phi_k.(v + s) <= L,

whose multipliers are the output weights lambda_k. Which of the neurons carry weight is decided by this quadratic
program: from a gap of 1e-6, two to six steps reach rounding. Linearised constraints are true of every feasible vector,
so that even a rough start is improved as in column generation.

Samples at which v is at a bound of its domain (margin and hinge loss) stay there, and have no equation: their
predictions may be on one side of z(v), the predictions that go with v (y for an interpolant, y - v for the squared
loss, ...).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from cvxrelu.analysis.optima.neurons import Neurons, tangents_of
from cvxrelu.analysis.optima.search import NeuronSearch
from cvxrelu.generation.dual_master import MasterSolution, solve_quadratic
from cvxrelu.numerics.powers import unit
from cvxrelu.problem.losses import DualModel
from cvxrelu.problem.problem import Problem

__all__ = ["RefinedDual", "refined_dual"]

Array = NDArray[np.float64]

# Neurons within this share of the largest score are in the quadratic program: a fit with a gap of 1e-6 may have a dual
# vector that is off by 1e-3.
NEAR = 1e-2
# Steps of Newton's method.
MOST_STEPS = 40
# Ends the steps: a score above the bound by this share is rounding, and a step of this size (relative to v and, for the
# logistic loss, to z(v)) leaves an error of its square, or of the share of it that the pull below keeps: where networks
# tie that may be all but a hundredth, and what depends on each other to `SOLVED_RANK_RTOL` has to be seen.
EXCESS, STEP = 1e-13, 1e-9
# Pull towards where a step starts, a curvature in units of slope per size of v: else a vector is left for another that
# is as good by the neurons at hand and violates others. Where the steps end, it vanishes.
PULL = 1e-4
# Accuracy asked of the interior-point method.
ACCURACY = 1e-12
# Singular values below this share of the largest are zero where its solution is refined; weights below this share of
# their sum, and scores and entries beyond their bounds by this, are rounding then.
STEP_RTOL, NEGATIVE, VIOLATION = 1e-12, 1e-9, 1e-12
# A dual vector whose domain has infinite slopes at its bounds (logistic loss) goes this share of the way at most.
INSIDE = 0.9
# Entries this near to such a bound, where |z| is beyond 16, are rounded so much that they tell how far out a prediction
# is at least, less this; what they leave open is a loss below 1e-10.
FAR_OUT, LEEWAY = 1e-7, 1e-3
# Weights below this are rounding, where predictions are of order one and the cost of the best network may be zero.
NO_WEIGHT = 1e-7


@dataclass(frozen=True, eq=False)
class RefinedDual:
    """A dual vector, and the predictions that are optimal with it.

    Attributes
    ----------
    v : (N,) array
        The vector, in the units of the standard problem; its largest score is the bound at most.
    targets : (N,) array
        z(v).
    sides : (N,) array
        0.0 where optimal networks predict z(v); +1.0 (-1.0) where they predict at least (at most) that.
    neurons : Neurons
        The neurons of nearly largest score.
    error : float
        Share by which the largest score missed the bound before v was scaled: what is wrong with v.
    """

    v: Array
    targets: Array
    sides: Array
    neurons: Neurons
    error: float


@dataclass(frozen=True, eq=False)
class _Step:
    """What a quadratic program proposes: a vector, its sides, and the weights of the neurons."""

    v: Array
    sides: Array
    weights: Array


def refined_dual(search: NeuronSearch, v: Array, cost: float) -> RefinedDual:
    """Return an accurate dual vector.

    Parameters
    ----------
    search : NeuronSearch
        Finds the neurons of largest score.
    v : (N,) array
        An approximate dual vector of the standard problem, or any multiple of it.
    cost : float
        The approximate cost of an optimal network of the standard problem.

    Returns
    -------
    RefinedDual
        The vector and the predictions that go with it.

    Raises
    ------
    SolverError
        If a quadratic program cannot be solved.
    """
    problem, limit = search.problem, search.problem.score_bound
    v = problem.repair(unit(v)[0], boxed=False)
    if problem.loss.regularised and not v.any():
        # A fit that was stopped before it had a dual vector.
        v = problem.repair(problem.y / 2)
    sides, neurons, length = np.zeros(len(v)), search.near(v, NEAR), np.inf
    v = _best_multiple(problem, v, neurons.best(v))
    for _ in range(MOST_STEPS):
        if not v.any() or (neurons.best(v) <= limit * (1 + EXCESS) and length <= STEP):
            break
        step = _step(problem, v, neurons, cost)
        length = _distance(v, step.v)
        if not problem.loss.quadratic_dual:
            length = max(length, _distance(_predictions(problem, v), _predictions(problem, step.v)))
        v, sides, neurons = step.v, step.sides, search.near(step.v, NEAR)
        if not problem.loss.regularised and step.weights.sum() <= NO_WEIGHT:
            # A constant meets the constraint at no cost, and the dual vector zero proves it.
            v = np.zeros_like(v)
    excess = max(neurons.best(v) / limit - 1, 0.0)
    v = v / (1 + excess)
    targets = _predictions(problem, v)
    if not problem.loss.quadratic_dual:
        model = problem.loss.dual_model(v, problem.y)
        sides = (v - model.lower <= FAR_OUT) * 1.0 - (model.upper - v <= FAR_OUT) * 1.0
        targets -= LEEWAY * sides
    return RefinedDual(v, targets, sides, neurons, excess)


def _predictions(problem: Problem, v: Array) -> Array:
    """Return z(v)."""
    model = problem.loss.dual_model(v, problem.y)
    return -(model.curvature * v + model.slope)


def _distance(one: Array, other: Array) -> float:
    """Return the largest difference of entries as a share of the largest entry."""
    return float(np.abs(other - one).max() / (max(np.abs(one).max(), np.abs(other).max()) or 1.0))


def _best_multiple(problem: Problem, v: Array, gamma: float) -> Array:
    """Return the multiple t v of largest dual objective, t >= 0, with t gamma <= L and t v in its domain."""
    model, used = problem.loss.dual_model(v, problem.y), v != 0
    ends = np.where(v > 0, model.upper, model.lower)[used] / v[used]
    most = min(float(ends.min(initial=np.inf)), problem.score_bound / gamma if gamma > 0 else np.inf)
    if most == np.inf:
        return v
    best: Any = minimize_scalar(lambda share: -problem.loss.dual_value(share * most * v, problem.y), bounds=(0, 1))
    return best.x * most * v


def _step(problem: Problem, v: Array, neurons: Neurons, cost: float) -> _Step:
    """Maximise the quadratic model at v, subject to the linearised constraints."""
    model = problem.loss.dual_model(v, problem.y)
    if not problem.loss.quadratic_dual:
        lower, upper = v + INSIDE * (model.lower - v), v + INSIDE * (model.upper - v)
        model = model._replace(lower=lower, upper=upper)
    tangents = tangents_of(problem, v, neurons)
    pull = PULL * np.abs(model.slope).max() / np.abs(v).max()

    def solved(weights: Array) -> tuple[DualModel, MasterSolution]:
        """Return the model with the second derivatives that go with weights, and its solution."""
        weighted = np.sqrt(weights)[:, None, None] * tangents
        curvature = np.tensordot(weighted, weighted, axes=([0, 2], [0, 2])) + pull * np.eye(len(v))
        bent = model._replace(curvature=np.diag(model.curvature) + curvature, slope=model.slope - curvature @ v)
        return bent, solve_quadratic(problem, neurons.outputs, bent, ACCURACY)

    _, first = solved(np.full(len(neurons), cost / max(len(neurons), 1)))
    return _refined(problem, neurons, v, *solved(np.maximum(first.weights, 0.0)))


def _refined(problem: Problem, neurons: Neurons, v: Array, model: DualModel, solution: MasterSolution) -> _Step:
    """Solve the equations of the constraints that hold with equality in a quadratic program at v, to rounding.

    In a solution of an interior-point method either a multiplier or the room that its constraint has is small, so the
    larger of both, as shares, decides; where bounds have infinite slopes, entries next to them count by the way there.
    """
    limit, outputs, border = problem.score_bound, neurons.outputs, problem.free.basis
    n_free = border.shape[1]
    coefficients = np.append(np.full(int(problem.free.has_constant), solution.constant), solution.linear)
    x, weights, total = solution.dual, np.maximum(solution.weights, 0.0), np.abs(solution.weights).sum()
    slopes = model.curvature @ x + model.slope + outputs @ weights + border @ coefficients
    share = np.abs(slopes) / (np.abs(model.slope).max() or 1.0)
    size = np.abs(x).max()
    way = size if problem.loss.quadratic_dual else np.minimum(v - model.lower, model.upper - v)
    at_lower = (x - model.lower < share * way) & (slopes > 0)
    at_upper = (model.upper - x < share * way) & (slopes < 0)
    sides = at_lower * 1.0 - at_upper * 1.0
    x = np.where(at_lower, model.lower, np.where(at_upper, model.upper, x))
    free, active = sides == 0, weights > total * (1 - x @ outputs / limit)
    gradients = outputs[:, active]
    count = gradients.shape[1]
    linked = np.hstack([gradients, border])
    matrix = np.block(
        [[model.curvature[np.ix_(free, free)], linked[free]], [linked[free].T, np.zeros((count + n_free,) * 2)]]
    )
    misfit = model.curvature @ x + model.slope + linked @ np.append(weights[active], coefficients)
    room = np.append(np.full(count, limit), np.zeros(n_free)) - linked.T @ x
    change = np.linalg.lstsq(matrix, np.append(-misfit[free], room), rcond=STEP_RTOL)[0]
    better, moved = weights[active] + change[free.sum() : free.sum() + count], x.copy()
    moved[free] += change[: free.sum()]
    allowed = moved @ outputs <= limit * (1 + VIOLATION)
    inside = (moved >= model.lower - VIOLATION * size) & (moved <= model.upper + VIOLATION * size)
    if allowed.all() and inside.all() and (better >= -NEGATIVE * total).all():
        weights = np.zeros(len(weights))
        weights[active] = better
        return _Step(moved, sides, weights)
    return _Step(problem.repair(solution.dual, boxed=False), sides, weights)
