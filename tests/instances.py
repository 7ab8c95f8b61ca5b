"""Problems with known answers, and checks that every fit has to pass."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import cvxpy as cp
import numpy as np
import pytest
from scipy.optimize import linprog

import cvxrelu as cr

SIX_X = np.array([[-1.0], [-0.6], [-0.2], [0.2], [0.6], [1.0]])
SIX_Y = np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
SLOPES = (0.0, 0.1, -0.3, -1.0, 2.0)
NORMS = ("response", "label-noise")
BIASES = ("free", "joint", "none")


class Rule(NamedTuple):
    """A loss, written down for the tests: what a sample pays, all of them in cvxpy or what it constrains, and its dual.

    `box` has the ends of v_i, or of y_i v_i where the targets are labels, and the dual objective is y.v - bend v.v / 2,
    or a sum of entropies.
    """

    pays: Callable
    model: Callable
    box: tuple[float, float] = (-math.inf, math.inf)
    labels: bool = False
    constrains: bool = False
    bend: int = 0


RULES = {
    "interpolation": Rule(lambda z, y: 0 if abs(z - y) <= 1e-6 else math.inf, lambda z, y: [z == y], constrains=True),
    "margin": Rule(
        lambda z, y: 0 if y * z >= 1 - 1e-7 else math.inf,
        lambda z, y: [cp.multiply(y, z) >= 1],
        (0.0, math.inf),
        labels=True,
        constrains=True,
    ),
    "squared": Rule(lambda z, y: (z - y) ** 2 / 2, lambda z, y: cp.sum_squares(z - y) / 2, bend=1),
    "logistic": Rule(
        lambda z, y: np.log1p(np.exp(-y * z)),
        lambda z, y: cp.sum(cp.logistic(-cp.multiply(y, z))),
        (0.0, 1.0),
        labels=True,
    ),
    "hinge": Rule(
        lambda z, y: max(0, 1 - y * z), lambda z, y: cp.sum(cp.pos(1 - cp.multiply(y, z))), (0.0, 1.0), labels=True
    ),
    "huber": Rule(
        lambda z, y: (z - y) ** 2 / 2 if abs(z - y) <= 1 else (2 * abs(z - y) - 1) / 2,
        lambda z, y: cp.sum(cp.huber(z - y)) / 2,
        (-1.0, 1.0),
        bend=1,
    ),
    "absolute": Rule(lambda z, y: abs(z - y), lambda z, y: cp.norm1(z - y), (-1.0, 1.0)),
    "quantile": Rule(
        lambda z, y: max(y - z, z - y) / 2, lambda z, y: cp.sum(cp.maximum(y - z, z - y)) / 2, (-0.5, 0.5)
    ),
}
# Losses with parameters that are not the default ones, and their rules.
OTHERS = {
    cr.Huber(0.3): Rule(
        lambda z, y: (z - y) ** 2 / 2 if abs(z - y) <= 0.3 else 0.3 * (abs(z - y) - 0.15),
        lambda z, y: cp.sum(cp.huber(z - y, 0.3)) / 2,
        (-0.3, 0.3),
        bend=1,
    ),
    cr.Quantile(0.1): Rule(
        lambda z, y: max(0.1 * (y - z), 0.9 * (z - y)),
        lambda z, y: cp.sum(cp.maximum(0.1 * (y - z), 0.9 * (z - y))),
        (-0.9, 0.1),
    ),
}
LOSSES = tuple(RULES)
LABELLED = tuple(name for name, rule in RULES.items() if rule.labels)
CONSTRAINTS = tuple(name for name, rule in RULES.items() if rule.constrains)
REGULARISED = tuple(name for name in RULES if name not in CONSTRAINTS)
NEEDS_ECOS = pytest.mark.skipif("ECOS" not in cp.installed_solvers(), reason="no wheel of ecos for this Python")


def rule_of(loss):
    """The rule of a loss object."""
    return OTHERS.get(loss) or RULES[loss.name]


def normal_data(n_samples, n_features=2, seed=0):
    """Standard normal X, then y."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_samples, n_features)), rng.standard_normal(n_samples)


def make_problem(loss="interpolation", n_samples=9, n_features=2, seed=0, alpha=0.02, **options):
    """Return a random problem; labels where the loss wants them, without loss of both classes."""
    X, y = normal_data(n_samples, n_features, seed)
    if RULES[loss].labels:
        y = np.where(y > np.median(y), 1.0, -1.0)
    return cr.Problem(X, y, loss=loss, alpha=None if RULES[loss].constrains else alpha, **options)


def line_cost(x, y, negative_slope=0.0):
    """Least cost of interpolants of one input with free bias: max(C / p, (C + S) / (p + q))."""
    order = np.argsort(x)
    slopes = np.diff(np.asarray(y)[order]) / np.diff(np.asarray(x)[order])
    curvature, ends = np.abs(np.diff(slopes)).sum(), abs(slopes[0] + slopes[-1])
    p, q = abs(1 - negative_slope), abs(1 + negative_slope)
    return max(curvature / p, (curvature + ends) / (p + q))


def line_cost_by_lp(x, y, negative_slope=0.0):
    """The same by a linear program over hinges at the data, which some optimum has."""
    atoms = [side * (x - knot) for knot in x for side in (1, -1)]
    columns = np.array([np.where(t >= 0, t, negative_slope * t) for t in atoms]).T
    matrix = np.column_stack([columns, -columns, np.ones(len(x))])
    cost = np.append(np.ones(matrix.shape[1] - 1), 0.0)
    bounds = [(0, None)] * (matrix.shape[1] - 1) + [(None, None)]
    return linprog(cost, A_eq=matrix, b_eq=y, bounds=bounds).fun


def neuron_cost(problem, w, b):
    """Cost of a unit of output weight, from the definition; a sample within 1e-9 of a hinge is on its cheaper side."""
    if problem.norm.name == "euclidean":
        return np.sqrt(w @ w + b * b) if problem.bias == "joint" else np.sqrt(w @ w)
    squares, lengths = 0.0, 0.0
    for x in problem.X:
        t, slope = float(w @ x) + b, problem.negative_slope
        h = min(1.0, abs(slope)) if abs(t) <= 1e-9 * (np.abs(w) @ np.abs(x) + abs(b)) else 1.0 if t > 0 else slope
        squares += (h * t) ** 2
        lengths += h**2 * (x @ x + 1)
    n = problem.n_samples
    return (
        2 * np.sqrt(squares / n) * np.sqrt(lengths / n) if problem.norm.name == "label-noise" else np.sqrt(squares / n)
    )


def objective_by_hand(problem, network):
    """The objective from the definition, one sample and one neuron at a time."""
    total = 0.0
    for x, y in zip(problem.X, problem.y, strict=True):
        z = network.intercept + float(network.skip @ x)
        for w, b, v in zip(network.W, network.b, network.v, strict=True):
            t = float(w @ x) + b
            z += v * (t if t >= 0 else problem.negative_slope * t)
        total += rule_of(problem.loss).pays(z, y)
    cost = 0.0
    for w, b, v in zip(network.W, network.b, network.v, strict=True):
        cost += abs(v) * neuron_cost(problem, w, b)
    return total / problem.n_samples + (problem.alpha or 1.0) * cost


def assert_certified(fit, gap=1e-6):
    """Check everything a certified global optimum promises, from the network and the dual vector alone."""
    problem, network, certificate = fit.problem, fit.network, fit.certificate
    assert certificate.scope == "global"
    assert fit.status is cr.Status.OPTIMAL
    assert -1e-9 <= certificate.relative_gap <= gap
    # Predictions of neurons of so much cost, far from the origin, are rounded by that.
    rounding = 8 * np.finfo(float).eps * network.cost(problem.bias) * np.abs(problem.X).max(initial=1.0)
    np.testing.assert_allclose(objective_by_hand(problem, network), fit.objective, rtol=1e-9 + rounding, atol=1e-14)
    assert network.n_neurons <= problem.n_samples - problem.free.rank
    if problem.bias == "none":
        assert network.intercept == 0
        assert not network.b.any()
    v = certificate.dual
    if problem.bias == "free":
        assert math.fsum(v) == 0
    if problem.skip:
        np.testing.assert_allclose(
            v @ problem.X, 0.0, atol=1e-12 * max(1e-300, np.abs(v).sum() * np.abs(problem.X).max())
        )
    else:
        assert not network.skip.any()
    if problem.loss.labels:
        assert (v * problem.y >= 0).all()


def exact_root(square):
    """The square root of a fraction, to a relative 2^-100 from above."""
    n, d = square.numerator, square.denominator
    return Fraction(math.isqrt(n * d << 200) + 1, d << 100) if n else Fraction(0)


def exact_cost(network, bias):
    """The Euclidean cost of a network as it is stored, in fractions."""
    total = Fraction(0) if bias == "free" else abs(Fraction(network.intercept))
    for w, b, v in zip(network.W.tolist(), network.b.tolist(), network.v.tolist(), strict=True):
        square = sum(Fraction(weight) ** 2 for weight in w) + (Fraction(b) ** 2 if bias == "joint" else 0)
        total += abs(Fraction(v)) * exact_root(square)
    return total
