"""Skip connections of several outputs: A x costs nothing in any of them, and what is proven is proven of all A."""

import math
from fractions import Fraction

import cvxpy as cp
import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.nearby import nearby
from cvxrelu.certificate.rational.orthogonal import orthogonal
from cvxrelu.pricing import make_pricer
from cvxrelu.problem.losses.circulation import paths_of
from cvxrelu.relaxation import tighten
from cvxrelu.runtime.clock import Clock
from tests.instances import BIASES
from tests.outputs.test_bars import LABELS, data

LOSSES = ("interpolation", "squared", "huber", "softmax", "multiclass-margin")
# Directions around the circle, of which one is next to any other.
AROUND = 2 * np.pi * np.arange(360) / 360


def make_problem(loss, n_features=2, n_outputs=3, seed=0, **options):
    X, Y = data(n_features=n_features, n_outputs=n_outputs, seed=seed)
    constraint = loss in ("interpolation", "multiclass-margin")
    labels = loss in ("softmax", "multiclass-margin")
    options = {"alpha": None if constraint else 0.02, "skip": True, **options}
    return cr.Problem(X, LABELS if labels else Y, loss, **options)


def paid(problem, z):
    """N times the mean loss in cvxpy, or what it constrains."""
    y, name, count = problem.y, problem.loss.name, problem.n_outputs
    if name == "interpolation":
        return 0.0, [z == y]
    if problem.loss.labels:
        own = np.arange(count) == y[:, None]
        gaps = z - cp.reshape(cp.sum(cp.multiply(own, z), axis=1), (len(y), 1), order="C")
        if name == "multiclass-margin":
            return 0.0, [gaps + 1 <= 1.0 * own]
        return cp.sum(cp.log_sum_exp(gaps, axis=1)), []
    return (cp.sum_squares(z - y) if name == "squared" else cp.sum(cp.huber(z - y))) / 2, []


def neurons(problem):
    """Unit neurons of which some optimum is made, or that lie next to those of one: [w, b] in rows."""
    X, d = problem.X, problem.n_features
    if problem.bias == "free":  # one input: hinges at the data
        return np.array([(side, -side * x) for x in X[:, 0] for side in (1.0, -1.0)])
    places = X if d == 2 else np.column_stack([X, np.ones(len(X))])
    edges = np.column_stack([-places[:, 1], places[:, 0]]) / np.linalg.norm(places, axis=1)[:, None]
    turns = np.vstack([np.column_stack([np.cos(AROUND), np.sin(AROUND)]), edges, -edges])
    return turns if d == 1 else np.column_stack([turns, np.zeros(len(turns))])


def optimum_on_atoms(problem):
    """Least objective of networks of these neurons, with constants and A x as the problem has them."""
    atoms, n, count = neurons(problem), problem.n_samples, problem.n_outputs
    t = problem.X @ atoms[:, :-1].T + atoms[:, -1]
    v, A = cp.Variable((len(atoms), count)), cp.Variable((problem.n_features, count))
    z = np.where(t >= 0, t, problem.negative_slope * t) @ v + problem.X @ A
    cost = cp.sum(cp.norm(v, 2, axis=1))
    c = cp.Variable((1, count))
    if problem.bias == "free":
        z = z + np.ones((n, 1)) @ c
    elif problem.bias == "joint":  # the neuron w = 0
        z, cost = z + np.ones((n, 1)) @ c, cost + cp.norm(c)
    loss, constraints = paid(problem, z)
    model = cp.Problem(cp.Minimize(cost if problem.alpha is None else loss / n + problem.alpha * cost), constraints)
    return model.solve(solver="CLARABEL")


def assert_certified(fit, gap=1e-6):
    """Check what a certified optimum promises, from the network and the dual matrix alone."""
    problem, network, certificate = fit.problem, fit.network, fit.certificate
    V, X = certificate.dual, problem.X
    assert certificate.scope == "global"
    assert -1e-9 <= certificate.relative_gap <= gap
    assert network.skip.shape == (problem.n_features, problem.n_outputs)
    assert network.n_neurons <= (problem.n_samples - problem.free.rank) * problem.n_outputs
    np.testing.assert_allclose(X.T @ V, 0.0, atol=1e-11 * np.abs(V).sum() * np.abs(X).max())
    if problem.bias == "free":
        assert all(math.fsum(column) == 0 for column in V.T)
    if problem.loss.labels:
        assert all(math.fsum(row) == 0 for row in V)
    # The objective from the definition, and none below the bound.
    z = X @ network.skip + network.intercept
    for w, b, v in zip(network.W, network.b, network.v, strict=True):
        t = X @ w + b
        z = z + np.outer(np.where(t >= 0, t, problem.negative_slope * t), v)
    lengths = np.linalg.norm(np.column_stack([network.W, network.b]) if problem.bias == "joint" else network.W, axis=1)
    cost = float(np.linalg.norm(network.v, axis=1) @ lengths)
    cost += float(np.linalg.norm(network.intercept)) * (problem.bias == "joint")
    if problem.alpha is not None:
        loss, _ = paid(problem, cp.Constant(z))
        assert loss.value / problem.n_samples + problem.alpha * cost == pytest.approx(fit.objective, rel=1e-8)
        return
    assert cost == pytest.approx(fit.objective, rel=1e-8)
    assert all(np.max(constraint.violation()) <= 1e-6 * (1 + np.abs(z).max()) for constraint in paid(problem, cp.Constant(z))[1])


CASES = [
    (loss, bias, d, (0.0, 0.3, -1.0, 2.0)[(k + j) % 4])
    for k, loss in enumerate(LOSSES)
    for j, (bias, d) in enumerate((("free", 1), ("joint", 1), ("none", 2)))
]


@pytest.mark.parametrize(("loss", "bias", "d", "slope"), CASES)
def test_brute_force(loss, bias, d, slope):
    problem = make_problem(loss, d, bias=bias, negative_slope=slope)
    fit = cr.solve(problem, tol=1e-5, random_state=0)
    assert_certified(fit, 1e-5)
    least = optimum_on_atoms(problem)
    assert fit.certificate.lower <= least * (1 + 1e-7)
    assert fit.objective >= least * (1 - 2e-3)
    if bias == "free":
        assert fit.objective == pytest.approx(least, rel=1e-5)
