r"""The group Lasso over neurons, for losses with a gradient, by an interior-point method on the cones of the groups.

    min over A (k, K), C (r, K), s:   F(z) + lam sum_j s_j - mu sum_j log(s_j^2 - norm(A_j)^2),   z = Phi A + B C

for mu -> 0, with F = N times the mean loss and lam = N alpha. For given A_j the best s_j solves
lam s_j^2 - 2 mu s_j = lam a^2, a = norm(A_j):

    s = (mu + r) / lam,   r = sqrt(mu^2 + lam^2 a^2),   gradient lam A / s,   curvature lam/s (I - lam A A'/(s r)),

so that A and C are all that Newton's method sees, and any of them is a place to begin. Where it ends, V = -grad F(z)
has norm(Phi_j'V) = lam norm(A_j) / s_j < lam: it is in the domain of the dual of these neurons, and the gap is below
2 mu for each. With k K unknowns a step takes (k K)^3 / 3 operations.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.generation.outputs_program import OutputsSolution
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.clock import Clock

__all__ = ["descend_outputs"]

Array = NDArray[np.float64]

# mu at first, as a share of the objective for each neuron, and by what it is multiplied.
FIRST, FALL = 1e-2, 0.1
# Neurons with less than these shares of the largest score are left out, where mu over its unit is up to these levels.
LEVELS, SCORES = np.array([1e-5, 1e-4, 1e-3]), np.array([0.99, 0.95, 0.8, 0.0])
# Newton steps for one mu; and the square of the Newton decrement, as a multiple of mu, up to which it is solved.
MOST_STEPS, CENTRED = 30, 0.3
# Damping of the Newton matrix as a share of its mean diagonal, to begin with and how much more where that fails.
DAMPING, MORE = 1e-14, 100.0
# Halvings of a step, and the share of what the gradient promises that a step keeps.
HALVINGS, KEPT = 30, 1e-3
# Neurons with less than this share of the cost are zeros.
USED_RTOL = 1e-8


@dataclass(frozen=True, eq=False)
class _Point:
    """Output weights and what is free, with what follows from them for some mu."""

    weights: Array
    free: Array
    predictions: Array
    value: float

    @classmethod
    def of(cls, problem: Problem, outputs: Array, weights: Array, free: Array, mu: float) -> "_Point":
        z = outputs @ weights + problem.free.basis @ free
        loss, (s, _) = problem.n_samples * problem.loss.value(z, problem.y), _slacks(problem, weights, mu)
        return cls(weights, free, z, loss + problem.score_bound * float(s.sum()) - mu * float(np.log(s).sum()))


def descend_outputs(
    problem: Problem, outputs: Array, weights: Array, free: Array, accuracy: float, clock: Clock
) -> OutputsSolution:
    """Solve the master problem from a point.

    Parameters
    ----------
    problem : Problem
        A problem of several outputs, in coordinates of order one, with a loss that has a gradient.
    outputs : (N, k) array
        Phi.
    weights, free : (k, K) array, (r, K) array
        Where to begin.
    accuracy : float
        Share of the objective that the gap is to be less than.
    clock : Clock
        No step is taken once it has expired.

    Examples
    --------
    >>> problem = Problem([[0.0], [1.0]], [[0.0, 0.0], [3.0, 4.0]], loss="squared", alpha=0.5)
    >>> found = descend_outputs(problem, np.array([[0.0], [1.0]]), np.zeros((1, 2)), np.zeros((1, 2)), 1e-9, Clock())
    >>> found.weights.round(6)
    array([[1.8, 2.4]])
    """
    unit = _objective(problem, outputs, weights, free) / (2 * max(1, len(weights))) or 1.0
    mu, kept = FIRST * unit, np.arange(len(weights))
    found = weights
    while True:
        found, free = _centred(problem, outputs[:, kept], found, free, mu, clock)
        # With weak regularisation the objective falls by orders of magnitude on the way.
        least = _objective(problem, outputs[:, kept], found, free) / (2 * max(1, len(weights)))
        unit = min(unit, least) or unit
        if not mu > accuracy * unit or clock.expired:  # which what is not a number ends, too
            break
        # Neurons far from being in use are left out: who prices the solution finds what was left out too soon.
        limit = SCORES[np.searchsorted(LEVELS, mu / unit)]
        near = row_sizes(found) >= limit * _slacks(problem, found, mu)[0]
        found, kept = found[near], kept[near]
        # Half of what is asked, so that an objective that goes on falling, by rounding too, must halve to be followed.
        mu = max(FALL * mu, accuracy * unit / 2)
    sizes = row_sizes(found)
    weights = np.zeros_like(weights)
    weights[kept] = np.where((sizes > USED_RTOL * sizes.sum())[:, None], found, 0.0)
    return OutputsSolution(weights, free, _force(problem, outputs[:, kept] @ found + problem.free.basis @ free))


def _objective(problem: Problem, outputs: Array, weights: Array, free: Array) -> float:
    loss = problem.n_samples * problem.loss.value(outputs @ weights + problem.free.basis @ free, problem.y)
    return loss + problem.score_bound * float(row_sizes(weights).sum())


def _centred(
    problem: Problem, outputs: Array, weights: Array, free: Array, mu: float, clock: Clock
) -> tuple[Array, Array]:
    """Return the weights, and what is free, that are best for mu."""
    point, rows = _Point.of(problem, outputs, weights, free, mu), np.hstack([outputs, problem.free.basis])
    for _ in range(MOST_STEPS):
        if clock.expired:
            break
        step, decrease = _newton(problem, rows, point, mu)
        change, shift = step[: len(weights)], step[len(weights) :]
        moved, length = None, 1.0
        for _ in range(HALVINGS):
            trial = _Point.of(problem, outputs, point.weights + length * change, point.free + length * shift, mu)
            if trial.value <= point.value - KEPT * length * decrease:
                moved = trial
                break
            length /= 2
        if moved is None:
            break
        point = moved
        if decrease <= CENTRED * mu:
            break
    return point.weights, point.free


def _newton(problem: Problem, rows: Array, point: _Point, mu: float) -> tuple[Array, float]:
    """Return the Newton step, a row for each neuron and last those of what is free, and the squared decrement."""
    lam, A, bends = problem.score_bound, point.weights, problem.loss.bends(point.predictions, problem.y)
    k, count = rows.shape[1], A.shape[1]
    if not k:
        return np.zeros((0, count)), 0.0  # neither neurons nor anything free is left
    s, r = _slacks(problem, A, mu)
    gradient = -rows.T @ _force(problem, point.predictions)
    gradient[: len(A)] += (lam / s)[:, None] * A
    # Unknowns are sorted by output; Cholesky's method looks at the lower triangle only.
    matrix, groups = np.zeros((count, k, count, k)), np.arange(len(A))
    for a in range(count):
        for b in range(a + 1):
            if bends[:, a, b].any():
                matrix[a, :, b, :] = rows.T @ (bends[:, a, b, None] * rows)
            matrix[a, groups, b, groups] += lam / s * ((a == b) - lam / (s * r) * A[:, a] * A[:, b])
    dense = matrix.reshape(k * count, k * count)
    damping = DAMPING * float(np.trace(dense)) / len(dense)
    while np.isfinite(damping):
        damped = dense.copy()
        damped[np.diag_indices(len(dense))] += damping
        try:
            factor: Any = scipy.linalg.cho_factor(damped, lower=True, overwrite_a=True, check_finite=False)
        except scipy.linalg.LinAlgError:
            damping = max(damping, 1e-300) * MORE
            continue
        step = -np.asarray(scipy.linalg.cho_solve(factor, gradient.T.ravel(), check_finite=False))
        step = step.reshape(count, k).T
        return step, -float(np.sum(step * gradient))
    return np.zeros((k, count)), 0.0  # what is to be solved is beyond floats


def _slacks(problem: Problem, weights: Array, mu: float) -> tuple[Array, Array]:
    """Return s and r of every neuron."""
    r = np.hypot(mu, problem.score_bound * row_sizes(weights))
    return (mu + r) / problem.score_bound, r


def _force(problem: Problem, predictions: Array) -> Array:
    force = problem.loss.force(predictions, problem.y)
    assert force is not None, "the loss has a gradient"
    return force
