r"""The master problem of several outputs: the best output weights of the neurons in use, a group Lasso.

    min over A (k, K), C (r, K):   (1/N) sum_i loss(z_i, y_i) + alpha sum_j norm(A_j),     z = Phi A + B C

Phi (N, k) are the outputs of neurons of unit cost on the data, and B is the basis of what is free
(`cvxrelu.problem.free`); or the least sum_j norm(A_j) under a constraint on z. As a cone program it is solved to the
last digits, and has the dual matrix that column generation needs: minus N times the
gradient of the loss or, for a constraint, the multipliers of what z is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import unmet
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.problem.losses.pieces import LossExpression
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.solvers import check_point, precisely, run_model
from cvxrelu.runtime.clock import Clock

__all__ = ["OutputsSolution", "free_of", "solve_outputs"]

Array = NDArray[np.float64]

# Neurons with less than this share of the cost are zeros of the interior-point method.
USED_RTOL = 1e-8
# Steps on the line, where hinges are at the data and are what they should be once they are found.
MOST_STEPS = 100


@dataclass(frozen=True, eq=False)
class OutputsSolution:
    """A solution of the master problem.

    Attributes
    ----------
    weights : (k, K) array
        A, zero for neurons that are not used.
    free : (r, K) array
        C.
    dual : (N, K) array
        The dual matrix.
    """

    weights: Array
    free: Array
    dual: Array


def solve_outputs(problem: Problem, outputs: Array, solver: str, clock: Clock) -> OutputsSolution:
    """Solve the master problem on some neurons.

    Parameters
    ----------
    problem : Problem
        A problem of several outputs, in coordinates of order one.
    outputs : (N, k) array
        Phi.
    solver : str
        A solver of cvxpy, in capitals.
    clock : Clock
        When to stop.

    Raises
    ------
    SolverError
        If no weights meet the constraint of the loss, or the solver fails.

    Examples
    --------
    >>> problem = Problem([[0.0], [1.0]], [[0.0, 0.0], [3.0, 4.0]])
    >>> solution = solve_outputs(problem, np.array([[0.0], [1.0]]), "CLARABEL", Clock())
    >>> solution.weights.round(6), solution.free.round(6) + 0.0
    (array([[3., 4.]]), array([[0., 0.]]))
    """
    import cvxpy as cp

    n, count, basis = problem.n_samples, problem.n_outputs, problem.free.basis
    A, fixed = cp.Variable((outputs.shape[1], count)), problem.loss.fixes_predictions
    z: Any = problem.y if fixed else cp.Variable((n, count))
    C = cp.Variable((basis.shape[1], count)) if basis.size else None
    link: Any = cp.Zero(z - outputs @ A - (0.0 if C is None else basis @ C))
    paid = LossExpression(0.0, []) if fixed else problem.loss.expression(z, problem.y)
    cost = cp.sum(cp.norm(A, 2, axis=1))
    objective: Any = cost
    if problem.alpha is not None:
        objective = cp.sum(paid.losses) / n + problem.alpha * cost
    model = cp.Problem(cp.Minimize(objective), [link, *paid.constraints])
    run_model(model, solver, clock, precisely(solver, MOST_STEPS) if problem.n_features == 1 else ())
    if model.status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE):
        raise unmet(problem.loss.name, problem.bias)
    free = np.zeros((0, count)) if C is None else C.value
    check_point(model, solver, [A.value, free, link.dual_value])
    weights, free = np.asarray(A.value, dtype=float), np.asarray(free, dtype=float)
    sizes = row_sizes(weights)
    weights[sizes <= USED_RTOL * sizes.sum()] = 0.0
    force = problem.loss.force(outputs @ weights + basis @ free, problem.y) if problem.loss.smooth else None
    if force is None:
        force = np.asarray(link.dual_value, dtype=float) * (n if problem.loss.regularised else 1)
    return OutputsSolution(weights, free, force)


def free_of(problem: Problem, network: Network) -> Array:
    """Return C of a network of several outputs, the coefficients of what costs nothing in it."""
    constant = np.asarray(network.intercept) * problem.norm.has_free_constant
    return problem.free.coefficients(problem.X @ network.skip + constant)
