r"""An accurate dual vector, from the approximate one of a fit.

The neurons of optimal networks are read off a dual vector v, so it has to be known to many digits, while an error
delta of v may show in a fit as a gap of the order of delta^2 only. Two steps:

1. Centre. The convex program on the cells whose scores are nearly largest is solved by an interior-point method, and
   cells are added until no score exceeds the bound L. Its primal and dual solutions are in the middle of the optimal
   faces: what can carry weight has weight, and what cannot falls short of the bound.
2. Polish. With the neurons that carry weight known, v and the output weights solve the smooth equations

       sum_k lambda_k d(score_k)/dv + c = z(v),    score_k(v) = norm(B_k' sum_i h_i v_i z_i) = L,    sum v = 0,

   z(v) the predictions that go with v (y for an interpolant, y - v for the squared loss, ...). This is Newton's method,
   with least-squares steps, since neither v nor lambda need be unique. Samples at which v is at a bound of its domain
   (margin and hinge loss) stay there, and have no equation: their predictions may be on one side of z(v).

What counts as carrying weight is decided by what comes out: a vector that explains an optimal network.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.backend import Solution, run_solver
from cvxrelu.errors import SolverError
from cvxrelu.optima.neurons import on_hinge, subspace_of
from cvxrelu.optima.search import NeuronSearch
from cvxrelu.pricing import price_cells
from cvxrelu.problem import Problem
from cvxrelu.program import activation_weights, build_program

__all__ = ["RefinedDual", "refined_duals", "score_limit"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# The program starts with the cells whose scores are within this share of the largest: a fit with a gap of 1e-6 may have
# a dual vector that is off by 1e-3.
NEAR = 1e-2
# A score above the bound by this share violates it, if its cell is not in the program: the accuracy of the
# interior-point method. Newton's method removes what is left.
VIOLATION = 1e-7
# Rounds of adding cells; two or three are usual.
MOST_ROUNDS = 20
# A cell carries weight above one of these shares of the largest weight; interior-point methods leave 1e-9 to 1e-6 where
# there is none.
WEIGHT_LEVELS = (1e-4, 1e-6, 1e-3, 1e-8)
# Neurons of neighbouring cells that are closer than one of these are one: where a maximum of the score is as good as on
# the wall between two cells, each of them has its own idea of it.
APART = (0.0, 1e-3)
# Weights below this are the solver's zeros, whatever the others are: standard problems have predictions of order one.
NO_WEIGHT = 1e-7
# Where no score comes within this share of a bound, a constant is optimal.
IDLE = 1e-5
# Steps of Newton's method; it converges quadratically, so a handful is enough.
NEWTON_STEPS = 12
# Singular values below this share of the largest are zero in a step.
STEP_RTOL = 1e-11
# Residual (relative) at which the steps end.
CONVERGED = 1e-14


@dataclass(frozen=True, eq=False)
class RefinedDual:
    """A dual vector, and the predictions that are optimal with it.

    Attributes
    ----------
    v : (N,) array
        The vector, in the units of the standard problem; its largest score is the bound.
    targets : (N,) array
        z(v).
    sides : (N,) array
        0.0 where optimal networks predict z(v); +1.0 (-1.0) where they predict at least (at most) that.
    error : float
        Share by which the largest score missed the bound before v was scaled: what is wrong with v.
    """

    v: Array
    targets: Array
    sides: Array
    error: float


@dataclass(frozen=True, eq=False)
class _Piece:
    """A smooth piece of the score, norm(matrix @ v): that of a neuron near `place` (group and sign); and its weight."""

    matrix: Array
    weight: float
    place: Array


def score_limit(problem: Problem) -> float:
    """Return the bound on gamma(v): 1, or N alpha for a regularised loss."""
    return 1.0 if problem.alpha is None else problem.n_samples * problem.alpha


def refined_duals(search: NeuronSearch, v: Array) -> Iterator[RefinedDual]:
    """Yield accurate dual vectors, from different ideas of which neurons carry weight; any that explains will do.

    Parameters
    ----------
    search : NeuronSearch
        Finds the neurons of largest score.
    v : (N,) array
        An approximate dual vector of the standard problem (any multiple of it if the loss is a constraint).

    Yields
    ------
    RefinedDual
        The vector and the predictions that go with it. The last one is not polished.

    Raises
    ------
    SolverError
        If the program on the cells cannot be solved.
    """
    problem = search.problem
    v = _repaired(problem, v)
    if not v.any():
        yield _judged(search, v, _sides(problem, v, None))
        return
    solution, v = _centre(search, v)
    sides, weights = _sides(problem, v, _predictions(problem, solution)), _weights(problem, solution)
    if weights.max() <= NO_WEIGHT and not problem.loss.regularised:
        # A constant meets the constraint at no cost, and the dual vector zero proves it; what came out is rounding.
        yield _judged(search, np.zeros_like(v), sides)
        return
    for apart, level in itertools.product(APART, WEIGHT_LEVELS):
        pieces = list(_pieces(problem, solution, v, max(level * weights.max(), NO_WEIGHT)))
        polished = _polish(problem, v, _merged(pieces, apart), sides, solution.constant)
        if np.isfinite(polished).all():
            yield _judged(search, _repaired(problem, polished), sides)
    yield _judged(search, v, sides)


def _centre(search: NeuronSearch, v: Array) -> tuple[Solution, Array]:
    """Return a central solution of the program on the cells that matter, and its dual vector."""
    problem, limit = search.problem, score_limit(search.problem)
    groups = search.near_best(v, NEAR)
    for _ in range(MOST_ROUNDS):
        cells = search.cells_of(groups)
        solution = run_solver(build_program(problem, cells))
        v = _repaired(problem, solution.dual)
        if not v.any():
            return solution, v
        if not problem.loss.regularised:
            inside = price_cells(problem.X, v, cells.patterns, bias=problem.bias, negative_slope=problem.negative_slope)
            v = v * (limit / inside.value)
        gamma = search.gamma(v)
        groups = np.vstack([groups, search.near_best(v, max(1 - limit / gamma, 0.0))])
        if gamma <= limit * (1 + VIOLATION) or len(search.cells_of(groups)) == len(cells):
            return solution, v
    raise SolverError("The cells of optimal networks were not found; fit with a smaller tol, or rescale the data.")


def _repaired(problem: Problem, v: Array) -> Array:
    return problem.loss.repair(v, problem.y, problem.norm.has_free_constant)


def _judged(search: NeuronSearch, v: Array, sides: Array) -> RefinedDual:
    """Scale a vector until its largest score is the bound at most, and say what that took."""
    problem, limit = search.problem, score_limit(search.problem)
    gamma = search.gamma(v) if v.any() else 0.0
    excess = gamma / limit - 1
    if v.any() and (not problem.loss.regularised or excess > 0):
        v = v / (1 + excess)
    # Where the cost is so dear that a constant is best, no neuron meets the bound, which is no error.
    idle = not v.any() or (problem.loss.regularised and excess < -IDLE)
    model = problem.loss.dual_model(v, problem.y)
    return RefinedDual(v, -(model.curvature * v + model.slope), sides, 0.0 if idle else abs(excess))


def _weights(problem: Problem, solution: Solution) -> Array:
    """Return the costs of the groups, those of positive output weight first, in the units of the standard problem."""
    groups = _groups(solution)
    return problem.norm.neuron_costs(groups[:, : problem.n_features], groups[:, -1] * problem.norm.has_bias)


def _groups(solution: Solution) -> Array:
    """Return the groups, those of positive output weight first, in the units of the standard problem."""
    return solution.scaling.y_scale * np.vstack([solution.plus, solution.minus]) @ solution.scaling.transform.T


def _predictions(problem: Problem, solution: Solution) -> Array:
    """Return what the solution predicts."""
    scaling, weights = solution.scaling, activation_weights(solution.cells.patterns, problem.negative_slope)
    scaled = (weights * ((solution.plus - solution.minus) @ scaling.lifted.T)).sum(axis=0) + solution.constant
    return scaling.y_center + scaling.y_scale * scaled


def _sides(problem: Problem, v: Array, predictions: Array | None) -> Array:
    """Return on which side of z(v) the predictions may be: +1.0 where v is at its lower bound, -1.0 at its upper one.

    In the middle of the optimal faces either v is off its bound or the prediction is off z(v), so the larger decides.
    Without predictions, v alone does.
    """
    model = problem.loss.dual_model(v, problem.y)
    room = np.minimum(v - model.lower, model.upper - v) / (np.abs(v).max() or 1.0)
    distance = 0.0
    if predictions is not None:
        targets = -(model.curvature * v + model.slope)
        distance = np.abs(predictions - targets) / max(1.0, np.abs(predictions).max())
    nearer_lower = v - model.lower <= model.upper - v
    # A curved dual (logistic loss) has an infinite slope at its bounds, which v never reaches.
    held = (room <= distance) & (model.curvature == 0)
    return np.where(held, np.where(nearer_lower, 1.0, -1.0), 0.0)


def _pieces(problem: Problem, solution: Solution, v: Array, least: float) -> Iterator[_Piece]:
    """Yield the neurons with more than the least weight in a solution, placed in their cells by the dual vector."""
    count, costs, groups = len(solution.cells), _weights(problem, solution), _groups(solution)
    for k in np.flatnonzero(costs > least):
        pattern, sign = solution.cells.patterns[k % count], 1.0 if k < count else -1.0
        # Neurons of both signs may be in one cell; the negative tolerance finds both.
        priced = price_cells(
            problem.X, v, pattern[None], bias=problem.bias, negative_slope=problem.negative_slope, tol=-2 * NEAR
        )
        best = np.flatnonzero(np.sign(priced.scores) == sign)
        if not len(best):
            continue
        w, bias = priced.W[best[0]], priced.b[best[0]]
        ends, shares = np.array([bias]), np.ones(1)
        if problem.norm.has_free_constant:
            ends, shares = _ends(problem, pattern, w, groups[k, -1] / costs[k])
        weights = activation_weights(pattern, problem.negative_slope)
        for end, share in zip(ends, shares, strict=True):
            if share * costs[k] > least:
                u = np.append(w, end)[: problem.lifted.shape[1]]
                basis = subspace_of(problem, on_hinge(problem, u))
                yield _Piece(basis.T @ (problem.lifted.T * weights), share * costs[k], np.append(u, sign))


def _merged(pieces: list[_Piece], apart: float) -> list[_Piece]:
    """Return pieces of which those with neurons closer than `apart` are one, that with the most free directions."""
    kept: list[_Piece] = []
    for piece in sorted(pieces, key=lambda piece: -len(piece.matrix)):
        near = [k for k, other in enumerate(kept) if np.abs(piece.place - other.place).max() < apart]
        if near:
            kept[near[0]] = replace(kept[near[0]], weight=kept[near[0]].weight + piece.weight)
        else:
            kept.append(piece)
    return kept


def _ends(problem: Problem, pattern: BoolArray, w: Array, b: float) -> tuple[Array, Array]:
    """Return the ends of the biases that keep w in a cell, and how much of b is at each."""
    places = -problem.X @ w
    low, high = places[pattern].max(initial=-np.inf), places[~pattern].min(initial=np.inf)
    if not np.isfinite([low, high]).all() or high <= low:
        return np.array([low if np.isfinite(low) else high]), np.ones(1)
    share = np.clip((b - low) / (high - low), 0.0, 1.0)
    return np.array([low, high]), np.array([1 - share, share])


def _polish(problem: Problem, v: Array, pieces: list[_Piece], sides: Array, constant: float) -> Array:
    """Solve the smooth equations for v, starting from v and the weights of the pieces."""
    n, limit = len(v), score_limit(problem)
    free, balanced = sides == 0, problem.norm.has_free_constant
    model = problem.loss.dual_model(v, problem.y)
    v = np.where(sides > 0, model.lower, np.where(sides < 0, model.upper, v))
    weights = np.array([piece.weight for piece in pieces])
    count = len(pieces)
    for _ in range(NEWTON_STEPS):
        model = problem.loss.dual_model(v, problem.y)
        gradients, scores, curvature = np.zeros((count, n)), np.zeros(count), np.diag(model.curvature)
        for k, (piece, weight) in enumerate(zip(pieces, weights, strict=True)):
            slopes = piece.matrix @ v
            scores[k] = np.linalg.norm(slopes)
            gradients[k] = slopes @ piece.matrix / scores[k]
            tangent = piece.matrix - np.outer(slopes / scores[k], gradients[k])
            curvature += weight / scores[k] * tangent.T @ tangent
        stationary = -(model.curvature * v + model.slope) - weights @ gradients - constant
        misfit = np.concatenate([stationary[free], limit - scores, [-v.sum()] * balanced])
        matrix = np.block(
            [
                [curvature[np.ix_(free, free)], gradients[:, free].T],
                [gradients[:, free], np.zeros((count, count))],
            ]
        )
        if balanced:
            border = np.append(np.ones(int(free.sum())), np.zeros(count))[:, None]
            matrix = np.block([[matrix, border], [border.T, np.zeros((1, 1))]])
        step = np.linalg.lstsq(matrix, misfit, rcond=STEP_RTOL)[0]
        inside = int(free.sum())
        v = v.copy()
        v[free] += step[:inside]
        weights = weights + step[inside : inside + count]
        constant += step[-1] if balanced else 0.0
        if not np.isfinite(v).all() or np.abs(step[:inside]).max(initial=0.0) <= CONVERGED * np.abs(v).max():
            break
    return v
