"""The relaxed program as one model of cvxpy, in the units of the problem and with integrals p of relu(t).

It is written from the inequalities alone and shares nothing with `cvxrelu.relaxation`.
"""

import warnings

import cvxpy as cp
import numpy as np

from tests.instances import RULES


def lifted_rows(problem):
    """Rows z_i, bounds rho_i on abs(t_i), and the ratio of the bias to the norm of w in the strip, if there is one."""
    X, n = problem.X, problem.n_samples
    if problem.bias == "none":
        return X, np.linalg.norm(X, axis=1), None
    if problem.bias == "joint":
        Z = np.column_stack([X, np.ones(n)])
        return Z, np.linalg.norm(Z, axis=1), None
    X = X - (X.min(axis=0) + X.max(axis=0)) / 2
    furthest = np.linalg.norm(X[:, None] - X[None], axis=2).max(axis=1)
    return np.column_stack([X, np.ones(n)]), furthest, np.linalg.norm(X, axis=1).max()


def geometric(mass, square):
    """A variable y with y^2 <= mass * square, elementwise, and the cone that says so."""
    y = cp.Variable(square.shape)
    total = cp.multiply(mass, np.ones(square.shape)) + square
    return y, cp.SOC(total, cp.vstack([2 * y, mass * np.ones(square.shape) - square]), axis=0)


def region_model(problem, signs, cuts):
    """Return mass, outputs at the samples, and constraints of one region: signs by sample, cuts (k, others, lam)."""
    Z, rho, ratio = lifted_rows(problem)
    n, D = Z.shape
    M, p = cp.Variable((D + 1, D + 1), PSD=True), cp.Variable(n)
    s, m, S = M[0, 0], M[0, 1:], M[1:, 1:]
    t = Z @ m
    squares = cp.sum(cp.multiply(Z @ S, Z), axis=1)
    trace = cp.trace(S) if ratio is None else cp.trace(S[:-1, :-1])
    root, cone = geometric(s, squares)
    constraints = [trace <= s, p >= 0, p >= t, 2 * p - t <= root, cone]
    constraints += [cp.multiply(rho, 2 * p - t) >= squares]
    if ratio is not None:
        constraints.append(S[-1, -1] <= ratio**2 * trace)
    for k, others, lam in cuts:
        e = Z[k] - np.array(lam) @ Z[list(others)]
        root, cone = geometric(s, cp.reshape(e @ S @ e, (1,), order="C"))
        constraints += [2 * (p[k] - np.array(lam) @ p[list(others)]) - e @ m <= root[0], cone]
    for k, sign in signs.items():
        constraints.append(p[k] == (t[k] if sign > 0 else 0))
        constraints += [signs[j] * sign * (Z[j] @ S @ Z[k]) >= 0 for j in signs]
    slope = problem.negative_slope
    return s, slope * t + (1 - slope) * p, constraints


def relaxed_value(problem, regions):
    """Return the value of the relaxed program: regions are (side, signs, cuts), by sample."""
    y, n = problem.y, problem.n_samples
    f = cp.Variable() * np.ones(n) if problem.bias == "free" else np.zeros(n)
    cost, constraints = 0, []
    for side, signs, cuts in regions:
        mass, outputs, more = region_model(problem, signs, cuts)
        f, cost, constraints = f + side * outputs, cost + mass, constraints + more
    rule = RULES[problem.loss.name]
    found = rule.model(f, y)
    objective = cost if rule.constrains else found / n + problem.alpha * cost
    constraints += found if rule.constrains else []
    model = cp.Problem(cp.Minimize(objective), constraints)
    with warnings.catch_warnings():
        # What is compared needs four digits; Clarabel says so when it does not reach eight.
        warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
        model.solve(solver="CLARABEL")
    return model.value
