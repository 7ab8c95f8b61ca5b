r"""The restricted master problem by its primal: the best output weights of given neurons, and their dual vector.

With Phi the (N, k) outputs of k neurons of unit cost, weights a of either sign and c the coefficients of what is free
(`Problem.free`: the constants, linear functions, both or nothing), with basis F,

    min over a, c:   sum_i loss(Phi_i a + F_i c, y_i) + B sum abs(a_j),       B = N alpha

It has k unknowns where its dual (`cvxrelu.generation.dual_master`) has N, so it is the one to solve where samples are
many and neurons few. For the squared loss it is a Lasso, which sees the data in the k x k Gram matrix alone; for others
every Newton step is one, with the loss's curvatures h for weights of the samples. What is free is eliminated:

    G = Phi~' H Phi~,   Phi~ = Phi - F (F'H F)^-1 F'H Phi,   H = diag(h),   g = Phi~' f,   f = -gradient of the loss
    min over p, q >= 0:   (p - q - a)'G (p - q - a) / 2 - g'(p - q - a) + B sum (p_j + q_j)

a dense quadratic program. The dual vector of the problem is f at the solution, with abs(Phi' f) <= B and F'f = 0.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import SolverError
from cvxrelu.generation.dual_master import MasterSolution
from cvxrelu.problem.problem import Problem
from cvxrelu.program.dense import dense_solver
from cvxrelu.runtime.clock import Clock

__all__ = ["force_of", "solve_primal"]

Array = NDArray[np.float64]

# Newton steps for a loss that is not quadratic; as many as are usual, which are taken when time is up, too, because a
# bound needs a dual vector that is nearly solved for; and halvings of one before it counts as stuck.
NEWTON_STEPS, USUAL_STEPS, HALVINGS = 50, 6, 20
# Share of the decrease that a Newton step promises which it has to keep (Armijo).
KEPT = 1e-2
# Weights below this share of the largest, in units of the accuracy, are zeros of the interior-point method.
USED = 100
# A decrease this close to what was promised, relatively, means that the model is the objective.
EXACT = 1e-6
# Share of the largest curvature that is added to those of what is free: the losses may be straight along some of it.
DAMPING = 1e-10


@dataclass(frozen=True, eq=False)
class _Point:
    """Weights and the coefficients of what is free, with what they come to: predictions and N times the objective."""

    weights: Array
    free: Array
    predictions: Array
    objective: float

    @classmethod
    def of(cls, problem: Problem, outputs: Array, weights: Array, free: Array) -> "_Point":
        predictions = outputs @ weights + problem.free.basis @ free
        loss = problem.loss.value(predictions, problem.y) * problem.n_samples
        return cls(weights, free, predictions, loss + problem.score_bound * float(np.abs(weights).sum()))


def solve_primal(
    problem: Problem,
    outputs: Array,
    accuracy: float,
    weights: Array | None = None,
    constant: float = 0.0,
    linear: Array | None = None,
    clock: Clock | None = None,
) -> MasterSolution:
    """Solve the restricted master problem of a loss with a gradient.

    Parameters
    ----------
    problem : Problem
        A problem with a penalised loss that has a gradient everywhere (`Loss.force`).
    outputs : (N, k) array
        Predictions of k neurons of unit cost and output weight one.
    accuracy : float
        Relative accuracy of the objective.
    weights, constant, linear : (k,) array, float, (r,) array, optional
        Where to start, as in `MasterSolution`; zeros by default.
    clock : Clock, optional
        Once it has expired, no more steps are taken than are usual.

    Returns
    -------
    MasterSolution
        The dual vector, the weights, of which those not in use are zero, and the constant. It is no worse than the
        start, whatever the solver does.

    Raises
    ------
    SolverError
        If the solver finds nothing.
    """
    k = outputs.shape[1]
    free = np.zeros(problem.free.rank)
    free[: int(problem.free.has_constant)] = constant
    free[int(problem.free.has_constant) :] = 0.0 if linear is None else linear
    point = _Point.of(problem, outputs, np.zeros(k) if weights is None else weights, free)
    clock = clock or Clock()
    for steps in range(NEWTON_STEPS):
        if clock.expired and steps >= USUAL_STEPS:
            break
        step, promised = _newton_step(problem, outputs, point, point.predictions, accuracy)
        moved = _line_search(problem, outputs, point, step, promised)
        if moved is point:
            # Where all losses are nearly straight their curvature tells nothing: the largest that they have is safe.
            step, promised = _newton_step(problem, outputs, point, problem.loss.bent(problem.y), accuracy)
            moved = _line_search(problem, outputs, point, step, promised)
        gained, point = point.objective - moved.objective, moved
        # A model that was exact has nothing left to promise.
        if gained <= accuracy * abs(point.objective) or abs(gained - promised) <= EXACT * promised:
            break
    return MasterSolution(force_of(problem, point.predictions), point.weights, *problem.free.split(point.free))


def force_of(problem: Problem, predictions: Array) -> Array:
    """Return minus the gradient of N times the loss, which has one everywhere."""
    force = problem.loss.force(predictions, problem.y)
    assert force is not None, "the loss has a gradient"
    return force


def _newton_step(
    problem: Problem, outputs: Array, point: _Point, bends_at: Array, accuracy: float
) -> tuple[Array, float]:
    """Return the change of (weights, what is free) that minimises a quadratic model, and by how much it lowers it.

    The curvatures are those of the loss at other predictions.
    """
    force, bending = force_of(problem, point.predictions), force_of(problem, bends_at)
    # The curvature of a loss is one over that of its conjugate; it is straight where the conjugate ends.
    model = problem.loss.dual_model(bending, problem.y)
    curvature = np.where((model.lower < bending) & (bending < model.upper), 1.0 / model.curvature, 0.0)
    bent = _curvature_of_free(problem, curvature)
    weighted = curvature[:, None] * outputs
    means, shift = _along_free(problem, bent, weighted), _along_free(problem, bent, force)
    gram = outputs.T @ weighted - means.T @ (bent @ means)
    slope = outputs.T @ force - means.T @ (bent @ shift)
    change = _lasso(problem, gram, slope, point.weights, accuracy) - point.weights
    penalty = problem.score_bound * float(np.abs(point.weights + change).sum() - np.abs(point.weights).sum())
    promised = float(slope @ change) - float(change @ gram @ change) / 2 - penalty + float(shift @ bent @ shift) / 2
    return np.append(change, shift - means @ change), promised


def _curvature_of_free(problem: Problem, curvature: Array) -> Array:
    """Return F'H F, with a little on its diagonal where the losses may be straight along some of it."""
    free = problem.free.basis
    if not curvature.any():
        return np.eye(free.shape[1])
    if not problem.free.linear.size:
        return np.full((free.shape[1],) * 2, curvature.sum())
    bent = free.T @ (curvature[:, None] * free)
    # The columns have a root mean square of one, and no eigenvalue is above N times the largest curvature.
    bent[np.diag_indices(len(bent))] += DAMPING * len(free) * curvature.max()
    return bent


def _along_free(problem: Problem, bent: Array, values: Array) -> Array:
    """Return (F'H F)^-1 F' values."""
    if not problem.free.linear.size:
        return values.sum(axis=0, keepdims=True)[: len(bent)] / (bent[0, 0] if len(bent) else 1.0)
    return np.asarray(np.linalg.solve(bent, problem.free.basis.T @ values), dtype=float)


def _lasso(problem: Problem, gram: Array, slope: Array, weights: Array, accuracy: float) -> Array:
    """Return the weights a + t that minimise t'G t / 2 - slope't + bound sum abs(a + t), positive if they must be."""
    k, bound = len(slope), problem.score_bound
    # In coordinates of unit curvature and units of the bound, the solver's tolerances mean the same for all.
    sizes = np.sqrt(np.maximum(np.diag(gram), 0.0))
    sizes = np.where(sizes > 0, sizes, 1.0)
    scaled, pull = gram / np.outer(sizes, sizes), (slope + gram @ weights) / sizes
    unit = float(np.max(np.abs(pull), initial=0.0))
    if k == 0 or unit == 0:
        return np.zeros(k)
    pull, price = pull / unit, bound / sizes / unit
    solver = dense_solver(accuracy)
    signed = np.block([[scaled, -scaled], [-scaled, scaled]])
    solver.setup(
        signed,
        np.concatenate([price - pull, price + pull]),
        x_l=np.zeros(2 * k),
        x_u=np.repeat([np.inf, 0.0 if problem.one_sided else np.inf], k),
    )
    solver.solve()
    parts = np.asarray(solver.result.x)
    if not np.isfinite(parts).all():
        raise SolverError("The Lasso over the neurons in use was not solved; rescale the data.")
    found = (parts[:k] - parts[k:]) * unit / sizes
    share = np.abs(found) * sizes
    return np.where(share > USED * accuracy * share.max(), found, 0.0)


def _line_search(problem: Problem, outputs: Array, start: _Point, step: Array, promised: float) -> _Point:
    """Return where the longest of the steps 1, 1/2, ... leads that keeps a part of what is promised, or the start."""
    if promised <= 0:
        return start
    length = 1.0
    for _ in range(HALVINGS):
        count = len(start.weights)
        weights, free = start.weights + length * step[:count], start.free + length * step[count:]
        moved = _Point.of(problem, outputs, np.maximum(weights, 0.0) if problem.one_sided else weights, free)
        if moved.objective <= start.objective - KEPT * length * promised:
            return moved
        length /= 2
    return start
