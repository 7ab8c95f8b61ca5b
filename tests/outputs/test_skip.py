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
    z = np.where(t >= 0, t, problem.negative_slope * t) @ v + problem.X @ A * problem.skip
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
    assert all(
        np.max(constraint.violation()) <= 1e-6 * (1 + np.abs(z).max())
        for constraint in paid(problem, cp.Constant(z))[1]
    )


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


# The proof.


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bias", BIASES)
def test_the_dual_matrix_nearby_is_orthogonal(loss, bias):
    """In fractions: a matrix is found that is orthogonal to all that is free, no further than the ratio says."""
    problem = make_problem(loss, bias=bias)
    start = problem.loss.first_dual(problem.y) + 0.3 * np.random.default_rng(1).standard_normal((9, 3))
    V = problem.repair(start, boxed=False)
    np.testing.assert_array_equal(problem.repair(V, boxed=False), V)  # what is repaired stays
    found = nearby(problem, V)
    assert V.any()
    assert found.ratio < 1e-10
    if problem.loss.labels:
        labels = problem.y.astype(int)
        amounts = np.where(np.arange(3) == labels[:, None], 0.0, -V)
        assert (amounts >= 0).all()
        pairs = [(amounts.ravel(), paths_of(problem.free.columns, labels, 3))]
    else:
        pairs = [(column, problem.free.columns) for column in V.T]
    for v, columns in pairs:
        fractions = [[Fraction(x) for x in column] for column in columns.T.tolist()]
        exact = orthogonal([Fraction(x) for x in v.tolist()], fractions)
        assert exact is not None
        assert all(sum(a * b for a, b in zip(column, exact, strict=True)) == 0 for column in fractions)
        worst = max(abs(Fraction(x) - e) / abs(e) for x, e in zip(v.tolist(), exact, strict=True) if e)
        assert worst <= 10 * Fraction(max(found.ratio, 2.0**-52))


def test_paths_of_amounts_are_what_they_add_to_the_columns():
    rng = np.random.default_rng(0)
    F, labels = rng.standard_normal((9, 2)), LABELS
    amounts = np.where(np.arange(3) == labels[:, None], 0.0, rng.random((9, 3)))
    V = -amounts
    V[np.arange(9), labels] = amounts.sum(axis=1)
    np.testing.assert_allclose(amounts.ravel() @ paths_of(F, labels, 3), (F.T @ V)[:, 1:].ravel(), atol=1e-14)


@pytest.mark.parametrize("size", [1e-7, 1e-10])
@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_what_scores_change_by_is_bounded(size, loss):
    """The dual matrix is far enough from orthogonal to see by how much the scores of the one nearby differ."""
    problem = make_problem(loss)
    V = problem.repair(problem.loss.first_dual(problem.y))
    rng = np.random.default_rng(0)
    if loss == "softmax":
        amounts = np.where(np.arange(3) == LABELS[:, None], 0.0, -V) * (1 + size * rng.random((9, 3)))
        columns = paths_of(problem.free.columns, LABELS, 3)
        fractions = [[Fraction(x) for x in column] for column in columns.T.tolist()]
        exact = orthogonal([Fraction(x) for x in amounts.ravel().tolist()], fractions)
        moved = -(np.array([float(x) for x in exact]).reshape(9, 3) - amounts)
        moved[np.arange(9), LABELS] = -moved.sum(axis=1)
        V = -amounts
        V[np.arange(9), LABELS] = amounts.sum(axis=1)
    else:
        V = V * (1 + size * rng.random((9, 3)))
        fractions = [[Fraction(x) for x in column] for column in problem.free.columns.T.tolist()]
        exact = [orthogonal([Fraction(x) for x in column], fractions) for column in V.T.tolist()]
        moved = np.array([[float(x) for x in column] for column in exact]).T - V
    found = nearby(problem, V)
    assert size / 100 < found.ratio < 1e3 * size
    W = rng.standard_normal((500, 2))
    W /= np.linalg.norm(W, axis=1)[:, None]
    outputs = np.maximum((problem.X[:, None] - problem.X[rng.integers(9, size=500)]) @ W.T[None], 0.0)
    scores = np.linalg.norm(np.einsum("ik,ijj->jk", moved, outputs), axis=1)
    assert scores.max() <= found.moved
    assert np.abs(moved).sum() >= found.moved / 1e3  # it is no bound by luck


@pytest.mark.parametrize("bias", ["free", "none"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_even_scores_are_searched_by_halves(bias, d):
    X, _ = data(n_features=d)
    problem = make_problem("squared", d, bias=bias)
    V = problem.repair(problem.y)
    half = make_pricer(X, bias, even=True)
    whole, found = make_pricer(X, bias)(V, tol=1e-4), half(V, tol=1e-4)
    assert found.upper == pytest.approx(whole.upper, rel=3e-4)
    assert half.ascend(V, random_state=0).value == pytest.approx(whole.value, rel=1e-3)
    signs = found.W @ np.sqrt(np.arange(2.0, 2.0 + d))
    assert (signs >= 0).all()


# What is known without solving.


def joined(x, Y):
    """The total variation of the derivative where dots are joined; places between the data, and the values there."""
    slopes = np.diff(Y, axis=0) / np.diff(x)[:, None]
    middle = (x[1:] + x[:-1]) / 2
    turns = np.linalg.norm(np.diff(slopes, axis=0), axis=1).sum()
    return turns, middle, np.column_stack([np.interp(middle, x, column) for column in Y.T])


@pytest.mark.parametrize("seed", range(12))
def test_with_one_input_the_dots_are_joined(seed):
    """With a skip connection at the cost of their turns; without one, that and what the mean slope costs."""
    rng = np.random.default_rng(seed)
    n, count = int(rng.integers(3, 9)), (2, 3, 5)[seed % 3]
    x, Y = np.sort(rng.standard_normal(n)), rng.standard_normal((n, count))
    turns, middle, values = joined(x, Y)
    slope = (0.0, 0.3)[seed % 2]
    for skip in (True, False):
        problem = cr.Problem(x[:, None], Y, skip=skip, negative_slope=slope)
        fit = cr.solve(problem, tol=1e-8, random_state=0)
        assert fit.certificate.relative_gap <= 1e-8
        assert fit.certificate.upper >= turns / abs(1 - slope) * (1 - 1e-8)
        np.testing.assert_allclose(fit.network(middle[:, None]), values, atol=1e-8 * np.abs(Y).max())
        if skip:
            assert fit.objective == pytest.approx(turns / abs(1 - slope), rel=1e-8)
        else:
            assert fit.objective == pytest.approx(optimum_on_atoms(problem), rel=1e-7)


def test_all_slopes_are_one_problem():
    X, Y = data(n_outputs=2)
    costs = [cr.solve(cr.Problem(X, Y, negative_slope=a, skip=True)).objective * abs(1 - a) for a in (0.0, 0.3, -1.0)]
    np.testing.assert_allclose(costs, costs[0], rtol=2e-6)


def test_what_is_linear_in_the_targets_makes_no_difference():
    X, Y = data()
    plain = cr.solve(cr.Problem(X, Y, "squared", alpha=0.03, skip=True))
    tilt = 1e5 * np.random.default_rng(1).standard_normal((2, 3))
    tilted = cr.solve(cr.Problem(X, Y + X @ tilt + [1e6, 0.0, -1e6], "squared", alpha=0.03, skip=True))
    assert tilted.objective == pytest.approx(plain.objective, rel=1e-6)
    assert tilted.certificate.relative_gap <= 1e-6
    np.testing.assert_allclose(tilted.network.skip - plain.network.skip, tilt, rtol=1e-3, atol=1.0)


def test_affine_functions_cost_nothing():
    X, _ = data()
    targets = X @ [[1.0, -2.0], [0.5, 0.0]] + [3.0, 4.0]
    fit = cr.solve(cr.Problem(X, targets, skip=True))
    assert fit.objective == fit.certificate.lower == 0
    np.testing.assert_allclose(fit.network.skip, [[1.0, -2.0], [0.5, 0.0]], atol=1e-12)
    # One output that is affine beside one that is not.
    bent = np.column_stack([targets[:, 0], np.abs(X[:, 0])])
    fit = cr.solve(cr.Problem(X, bent, skip=True))
    alone = cr.solve(cr.Problem(X, bent[:, 1], skip=True))
    assert fit.objective == pytest.approx(alone.objective, rel=1e-6)
    assert fit.certificate.relative_gap <= 1e-6
    halves = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])[np.argsort(np.argsort(X[:, 0]))]
    wide = np.column_stack([X[:, 0], X[:, 0] ** 2])  # on a parabola half-planes tell intervals apart
    assert cr.solve(cr.Problem(wide, halves, "multiclass-margin", skip=True)).objective == 0
    with pytest.raises(cr.InputError, match="loss='softmax' has no minimum; use loss='multiclass-margin'"):
        cr.solve(cr.Problem(wide, halves, "softmax", alpha=0.1, skip=True))


@pytest.mark.parametrize("loss", ["squared", "huber", "softmax"])
def test_weights_are_copies(loss):
    problem, counts = make_problem(loss), np.array([1, 2, 1, 3, 1, 1, 2, 1, 1])
    rows = np.repeat(np.arange(9), counts)
    weighted = cr.solve(cr.Problem(problem.X, problem.y, loss, alpha=0.02, sample_weight=counts, skip=True))
    copied = cr.solve(cr.Problem(problem.X[rows], problem.y[rows], loss, alpha=0.02, skip=True))
    assert_certified(copied)
    assert weighted.objective == pytest.approx(copied.objective, rel=2e-6)
    assert cr.alpha_max(weighted.problem) == pytest.approx(cr.alpha_max(copied.problem), rel=1e-6)


# Around it.


def test_networks_with_skip_connections(tmp_path):
    rng = np.random.default_rng(0)
    for d in (1, 2):
        A, v, c = rng.standard_normal((d, 3)), rng.standard_normal((4, 3)), [1.0, 2.0, 3.0]
        network = cr.Network(rng.standard_normal((4, d)), rng.standard_normal(4), v, c, 0.1, A)
        X = rng.standard_normal((5, d))
        t = X @ network.W.T + network.b
        expected = np.where(t > 0, t, 0.1 * t) @ v + X @ A + c
        np.testing.assert_allclose(network(X), expected, atol=1e-13)
        np.testing.assert_allclose(network.output(1)(X), expected[:, 1], atol=1e-13)
        np.testing.assert_allclose(network.balanced()(X), expected, atol=1e-13)
        network.save(tmp_path / "network.npz")
        assert cr.Network.load(tmp_path / "network.npz") == network
        parts = {"W": network.W, "b": network.b, "v": v, "intercept": c, "negative_slope": 0.1}
        assert cr.as_network({**parts, "skip": A}) == network
        assert cr.as_network({**parts, "skip": A.T}) == network or d == 3
        assert network.normalised().skip.shape == (d, 3)
    with pytest.raises(cr.InputError, match="skip=True"):
        cr.Problem(X, rng.standard_normal((5, 3)), negative_slope=0.1).objective(network)
    with pytest.raises(cr.InputError, match=r"it must be \(2, 3\), one weight for each input and output"):
        cr.Network(network.W, network.b, v, c, skip=[1.0, 2.0])


def test_certify_path_and_estimators():
    problem = make_problem("squared")
    fit = cr.solve(problem)
    again = cr.certify(fit.network, problem)
    assert again.lower == pytest.approx(fit.objective, rel=1e-6)
    found = cr.path(make_problem("softmax"), n_alphas=3)
    assert (found.relative_gaps <= 1e-6).all()
    X, Y = data(30)
    model = cr.ReLURegressor(alpha=0.05, skip=True).fit(X, Y + 50 * X[:, :1])
    np.testing.assert_allclose(model.network_.skip, [[50] * 3, [0] * 3], atol=3)
    names = np.array(["ash", "birch", "cedar"])[np.arange(30) % 3]
    classifier = cr.ReLUClassifier(alpha=0.05, skip=True).fit(X, names)
    assert len(classifier.networks_) == 1
    assert classifier.networks_[0].skip.shape == (2, 3)


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_the_relaxation_takes_skip_connections(loss):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 3))
    y = np.arange(20) % 3 if loss == "softmax" else rng.standard_normal((20, 2)) + 5 + 3 * X[:, :1]
    problem = cr.Problem(X, y, loss=loss, alpha=0.03, skip=True)
    fit = cr.solve(problem, prove=False, tol=1e-3, random_state=0)
    lowers = [state.bound.lower for state in tighten(problem, Clock(), fit.objective, False)]
    assert 0.5 * fit.objective < lowers[-1] <= fit.objective


def test_many_samples_slide_to_the_optimum():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((700, 2))
    clean = np.abs(X @ rng.standard_normal((2, 3))) + X @ rng.standard_normal((2, 3))
    fit = cr.solve(cr.Problem(X, clean, "squared", alpha=0.03, skip=True), tol=1e-2, random_state=0)
    assert fit.status is cr.Status.OPTIMAL


@pytest.mark.parametrize("bias", BIASES)
def test_amounts_that_nothing_could_make_up_for_vanish(bias):
    """The second input is zero in class 0 and positive in others, which can send nothing to it without a constant."""
    X, _ = data(7)
    labels = np.array([0, 1, 2, 0, 1, 2, 1])
    fit = cr.solve(
        cr.Problem(np.column_stack([labels + 0.1 * X[:, 0], labels**2]), labels, "multiclass-margin", bias, skip=True)
    )
    assert fit.certificate.gap <= 1e-6 * fit.objective


@pytest.mark.parametrize("loss", ["squared", "huber"])
@pytest.mark.parametrize("units", [[1e-12, 1e6], [1e-60, 1e-60], [1e3, 1.0]])
def test_outputs_in_other_units(loss, units):
    X, Y = data(n_outputs=2)
    problem = cr.Problem(X, Y * units, loss, alpha=0.01 * max(units), skip=True)
    assert cr.solve(problem).certificate.relative_gap <= 1e-6
