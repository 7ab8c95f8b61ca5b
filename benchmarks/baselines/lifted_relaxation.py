r"""The semidefinite relaxation of SDPNN-IW, a lower bound for networks of several outputs, without biases.

Prakhya, Birdal & Yurtsever (ICLR 2025), "Convex Formulations for Training Two-Layer ReLU Neural Networks".
A neuron (w, v) is lifted to z = (p, m, w, v), p = max(Xw, 0) and m = max(-Xw, 0), a vector of 2N + d + K numbers, and a
network to L = sum_j z_j z_j'. Whatever its width, L is positive semidefinite and

    L_pp, L_pm, L_mm >= 0,    diag(L_pm) = 0,    [-I, I, X, 0] L = 0    (for p - m = Xw),

its predictions are L_pv and its weight decay is (tr L_ww + tr L_vv) / 2, so

    min  (1/2N) norm(L_pv - Y)^2 + (alpha/2) (tr L_ww + tr L_vv)

is no larger than the optimum of all widths. (Complete positivity of the block of p and m would make it equal.) Their
program is N times this one, with beta = N alpha. Its feasible matrices are singular, for m = p - Xw, which is bad for
interior points; so m is eliminated here, L = T S T' with S of side N + d + K, and the value is the same.
"""

import time
import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np

import cvxrelu as cr

__all__ = ["Lifted", "lower_bound", "side"]


@dataclass(frozen=True)
class Lifted:
    """Its value, the seconds of the call, and what the solver says of itself.

    Attributes
    ----------
    value : float
        The optimum of the relaxation as the solver found it: a bound by the solver's word, not a proven one.
    seconds : float
        Of setting up and solving.
    status : str
        Of the solver.
    """

    value: float
    seconds: float
    status: str


def side(problem: cr.Problem) -> int:
    """Return the side of the matrix of the paper, 2N + d + K."""
    return 2 * problem.n_samples + problem.n_features + problem.n_outputs


def lower_bound(problem: cr.Problem, solver: str = "CLARABEL", **options: Any) -> Lifted:
    """Solve the relaxation.

    Parameters
    ----------
    problem : cvxrelu.Problem
        The squared loss, no biases, ReLU; one output or several.
    solver : str
        A solver of cvxpy for semidefinite programs.
    **options
        For the solver.

    Raises
    ------
    cvxpy.SolverError
        If it fails.

    Examples
    --------
    Two samples on a line through zero, where one neuron is best and the relaxation is tight:

    >>> lifted = lower_bound(cr.Problem([[1.0], [-1.0]], [[1.0], [0.0]], loss="squared", bias="none", alpha=0.1))
    >>> round(lifted.value, 5), lifted.status
    (0.09, 'optimal')
    """
    assert (problem.loss.name, problem.bias, problem.negative_slope) == ("squared", "none", 0.0)
    assert problem.alpha is not None
    started = time.perf_counter()
    X, Y = problem.X, problem.y.reshape(problem.n_samples, -1)
    n, d = X.shape
    S = cp.Variable((n + d + Y.shape[1],) * 2, PSD=True)
    positive, weights = S[:n, :n], S[n : n + d, n : n + d]
    turned = S[:n, n : n + d] @ X.T
    mixed, negative = positive - turned, positive - turned - turned.T + X @ weights @ X.T
    constraints = [
        cp.upper_tri(positive) >= 0,
        mixed[np.nonzero(~np.eye(n, dtype=bool))] >= 0,
        cp.diag(mixed) == 0,
        cp.upper_tri(negative) >= 0,
    ]
    decay = cp.trace(S[n:, n:]) / 2
    misfit = cp.sum_squares(S[:n, n + d :] - Y) / (2 * n)
    program = cp.Problem(cp.Minimize(misfit + problem.alpha * decay), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the status says as much
        program.solve(solver=solver, **options)
    return Lifted(float(program.value), time.perf_counter() - started, program.status)  # pyright: ignore[reportArgumentType]
