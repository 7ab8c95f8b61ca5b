"""Costs measured on the data: the response norm and the label-noise norm."""

import warnings
from dataclasses import dataclass, replace
from fractions import Fraction

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

import cvxrelu as cr
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.pricing import NormPricer
from cvxrelu.problem.norms import LabelNoise, Norm, Response
from cvxrelu.program.ties import with_least_weights
from tests.direct import group_matrix, optimum_by_brute_force
from tests.instances import (
    LOSSES,
    NORMS,
    SLOPES,
    assert_certified,
    make_problem,
    neuron_cost,
    normal_data,
)

DEGENERATE = {
    "lattice": np.array([[i, j] for i in range(3) for j in range(3)], float),
    "line": np.outer(np.arange(5.0), [1.0, 2.0]),
    "duplicates": np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], 2, axis=0),
    "constant column": np.column_stack([np.arange(5.0) ** 2, np.ones(5)]),
    "far away": normal_data(7, 2, seed=3)[0] + 1e4,
    "tiny": 1e-5 * normal_data(7, 2, seed=4)[0],
    "one": np.array([[1.0, 2.0]]),
}

N_STARTS = 30


def circle_program(problem, n_angles=4000):
    """Least cost of interpolants of one input over neurons (cos t, sin t), t on a grid that meets every data point.

    Every neuron is a multiple of one of these up to the spacing of the grid: the value is above the optimum, and near.
    """
    x = problem.X[:, 0]
    hinges = np.arctan2(-x, 1.0)[:, None] + np.pi * np.arange(-1, 2)
    angles = np.unique(np.append(np.linspace(-np.pi, np.pi, n_angles), hinges))
    neurons = np.column_stack([np.cos(angles), np.sin(angles)])
    costs = np.array([neuron_cost(problem, w, b) for w, b in zip(neurons[:, :1], neurons[:, 1], strict=True)])
    t = neurons @ np.vstack([x, np.ones_like(x)])
    outputs = np.where(t >= 0, t, problem.negative_slope * t)
    seen = np.abs(outputs).max(axis=1) > 1e-12
    columns, costs = outputs[seen].T, costs[seen]
    free = problem.bias == "free"
    matrix = np.column_stack([columns, -columns, np.ones(len(x)) * free])
    bounds = [(0, None)] * (2 * len(costs)) + [(None, None)]
    return linprog(np.concatenate([costs, costs, [0.0]]), A_eq=matrix, b_eq=problem.y, bounds=bounds).fun


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("norm", NORMS)
def test_costs_follow_the_definition(norm, slope):
    problem = make_problem(n_samples=6, norm=norm, bias="joint", negative_slope=slope)
    problem = replace(problem, X=np.round(8 * problem.X) / 8)  # multiples of an eighth: no height is rounded
    rng = np.random.default_rng(1)
    W, b = np.round(8 * rng.standard_normal((20, 2))) / 8, rng.standard_normal(20)
    b[:6] = -np.einsum("kd,kd->k", W[:6], problem.X)  # hinges on data points
    expected = [neuron_cost(problem, *neuron) for neuron in zip(W, b, strict=True)]
    np.testing.assert_allclose(problem.norm.neuron_costs(W, b), expected, rtol=1e-12)


@pytest.mark.parametrize("slope", [0.0, 2.0])
@pytest.mark.parametrize(("far", "height"), [(1e6, 1e-6), (1e8, 1e-4), (1e8, 1e-7), (-1e9, 1e-3)])
def test_what_a_sample_next_to_a_hinge_costs_is_not_left_out(far, height, slope):
    """Next to the terms of the pre-activation it is nothing, but it is what it is, and the cost jumps there."""
    X, w = np.array([[0.0], [1.0]]) + far, 1.0 if slope < 1 else -1.0
    b = -w * (far - height)
    heights = [Fraction(w) * Fraction(float(x)) + Fraction(b) for x in X[:, 0]]
    slopes = [1 if t > 0 else Fraction(slope) for t in heights]
    spread = sum((h * h * (1 + Fraction(float(x)) ** 2) for h, x in zip(slopes, X[:, 0], strict=True)), Fraction(0)) / 2
    response = sum((h * t) ** 2 for h, t in zip(slopes, heights, strict=True)) / 2
    cost = 2 * float(spread) ** 0.5 * float(response) ** 0.5
    norm = LabelNoise("joint").on(X, slope)
    (found,) = norm.neuron_costs(np.array([[w]]), np.array([b]))
    assert found == pytest.approx(cost, rel=1e-6)
    assert found + norm.rounding(np.array([[w]]), np.array([b]))[0] >= cost
    (settled,) = norm.settled(np.array([[w]]), np.array([b]))
    assert 0 < abs(settled - b) < 2 * height
    assert norm.neuron_costs(np.array([[w]]), np.array([settled]))[0] < 0.8 * cost


def test_a_sample_is_next_to_a_hinge_by_the_terms_of_its_own_height():
    """And not by the size of a coordinate that the neuron does not look at."""
    norm = LabelNoise("joint").on(np.array([[1e13, 0.3], [2e13, -1.0], [-1e13, 0.7]]), 0.0)
    assert norm.settled(np.array([[0.0, 1.0]]), np.array([0.5])).tolist() == [0.5]


def test_samples_that_a_neuron_does_not_see_lie_on_its_hinge(monkeypatch):
    """Exact arithmetic, of which thousands of empty rows would take seconds, has no say in it."""
    X, W, b = np.array([[0.0, 0.0], [0.0, 2.0], [1.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 0.0]]), np.zeros(2)
    norm = LabelNoise("joint").on(X, 0.5)
    expected = [
        2 * (np.mean(h * h * [1, 5, 2]) * np.mean((h * t) ** 2)) ** 0.5
        for h, t in ((np.array([0.5, 0.5, 0.5]), np.zeros(3)), (np.array([0.5, 0.5, 1.0]), np.array([0.0, 0.0, 3.0])))
    ]
    monkeypatch.delattr(LabelNoise, "_height")
    np.testing.assert_allclose(norm.neuron_costs(W, b), expected)
    assert norm.settled(W, b).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("weight", [1.0, 2.0, 80.0])
@pytest.mark.parametrize("bias", [5e-324, 1e-320])
def test_the_least_bias_there_is_decides_a_side(weight, bias):
    """Of the sample at the origin, which costs as much as the other then."""
    problem = cr.Problem([[1.0], [0.0]], [-1.0, 0.0], "squared", alpha=1.0, norm="label-noise", bias="joint")
    cost = cr.Network([[weight]], [bias], [1.0]).cost("joint", problem.norm)
    assert cost == pytest.approx(2 * weight * (3 / 4) ** 0.5)


@pytest.mark.parametrize("far", [0.0, 1e3, 1e5])
def test_hinges_that_are_found_are_on_the_side_that_costs_less(far):
    """In exact arithmetic, too: cost of the network as it is stored, and gap."""
    X, y = normal_data(7, 2, seed=3)
    problem = cr.Problem(X + far, y, "squared", alpha=0.01, bias="joint", norm="label-noise")
    fit = cr.solve(problem, tol=1e-5)
    assert fit.certificate.relative_gap < 1e-5
    rows = [[Fraction(float(value)) for value in (*row, 1.0)] for row in problem.X]
    cost = 0.0
    for w, b, v in zip(fit.network.W, fit.network.b, fit.network.v, strict=True):
        u = [Fraction(float(value)) for value in (*w, b)]
        heights = [sum((p * q for p, q in zip(u, row, strict=True)), Fraction(0)) for row in rows]
        lengths = [sum(value * value for value in row) for row in rows]
        spread = sum((length for length, t in zip(lengths, heights, strict=True) if t > 0), Fraction(0)) / 7
        response = sum((t * t for t in heights if t > 0), Fraction(0)) / 7
        cost += abs(v) * 2 * float(spread) ** 0.5 * float(response) ** 0.5
    assert fit.network.cost("joint", problem.norm) == pytest.approx(cost, rel=1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_group_matrices_give_the_costs_of_neurons_in_any_coordinates(norm):
    problem = make_problem(n_samples=7, norm=norm, bias="joint", negative_slope=0.3)
    rng = np.random.default_rng(0)
    groups, transform = rng.standard_normal((9, 3)), rng.standard_normal((3, 3))
    patterns = problem.lifted @ groups.T >= 0
    matrices = problem.norm.group_matrices(patterns.T, problem.lifted @ transform, transform)
    costs = np.linalg.norm(matrices @ np.linalg.solve(transform, groups.T).T[:, :, None], axis=(1, 2))
    np.testing.assert_allclose(costs, problem.norm.neuron_costs(groups[:, :2], groups[:, 2]), rtol=1e-11)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n_samples", "n_features"), [(1, 1), (2, 1), (3, 2), (4, 3)])
def test_independent_points_have_closed_forms(n_samples, n_features, seed):
    """Any responses are possible then, so each sign of y takes one neuron, or each sample its own."""
    X, y = normal_data(n_samples, n_features, seed)
    lengths = np.hypot(np.linalg.norm(X, axis=1), 1.0)
    together = (np.linalg.norm(np.maximum(y, 0)) + np.linalg.norm(np.minimum(y, 0))) / np.sqrt(n_samples)
    apart = 2 / n_samples * np.abs(y) @ lengths
    apart_free = min(2 / n_samples * np.abs(y - level) @ lengths for level in y)  # a weighted median
    for norm, bias, value in (
        ("response", "joint", together),
        ("label-noise", "joint", apart),
        ("label-noise", "free", apart_free),
    ):
        fit = cr.solve(cr.Problem(X, y, norm=norm, bias=bias))
        assert fit.objective == pytest.approx(value, rel=1e-6, abs=1e-9)
        assert fit.certificate.lower == pytest.approx(value, rel=1e-6, abs=1e-9)


def test_a_single_neuron_is_the_cheapest_network_of_its_response():
    X = normal_data(8, 1)[0]
    y = np.maximum(2 * X[:, 0] + 0.3, 0)
    fit = cr.solve(cr.Problem(X, y, norm="response", bias="joint"))
    assert fit.objective == pytest.approx(np.sqrt(np.mean(y**2)), rel=1e-7)


@pytest.mark.parametrize("slope", [0.0, 0.2, -1.0])
@pytest.mark.parametrize("bias", ["free", "joint"])
@pytest.mark.parametrize("norm", NORMS)
def test_no_neurons_of_one_input_do_better(norm, bias, slope):
    problem = make_problem(n_samples=6, n_features=1, seed=2, norm=norm, bias=bias, negative_slope=slope)
    fit, direct = cr.solve(problem), circle_program(problem)
    assert_certified(fit)
    assert fit.certificate.lower <= direct * (1 + 1e-8)
    assert direct <= fit.objective * (1 + 1e-4)


@pytest.mark.parametrize("norm", NORMS)
def test_no_descent_over_neurons_does_better(norm):
    """Many starts of a quasi-Newton method over all weights of a network, with the cost as (v^2 + norm(u)^2) / 2."""
    m, problem = 20, make_problem("squared", n_samples=4, seed=1, alpha=0.05, norm=norm, bias="joint")
    Z, y, n = problem.lifted, problem.y, problem.n_samples

    def objective(flat):
        u, v = flat[: 3 * m].reshape(m, 3), flat[3 * m :]
        t = Z @ u.T
        responses, residual = np.maximum(t, 0), np.maximum(t, 0) @ v - y
        factors = 4 * (t > 0).T @ (Z**2).sum(axis=1) / n if norm == "label-noise" else np.ones(m)
        value = residual @ residual / (2 * n) + problem.alpha / 2 * (v @ v + factors @ (responses**2).mean(axis=0))
        pull = (residual[:, None] * v * (t > 0) + problem.alpha * factors * responses) / n
        return value, np.append((pull.T @ Z).ravel(), responses.T @ residual / n + problem.alpha * v)

    rng = np.random.default_rng(0)
    values = [minimize(objective, rng.standard_normal(4 * m), jac=True, method="L-BFGS-B").fun for _ in range(N_STARTS)]
    fit = cr.solve(problem)
    assert_certified(fit)
    assert fit.certificate.lower <= min(values) * (1 + 1e-9)
    assert min(values) <= fit.objective * (1 + 1e-4)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("norm", "bias"), [("response", "free"), ("response", "none"), ("label-noise", "joint")])
def test_every_loss_agrees_with_the_program_by_loops(norm, bias, loss):
    problem = make_problem(loss if bias != "none" or loss != "interpolation" else "squared", 6, norm=norm, bias=bias)
    if bias == "none" and loss == "margin":
        pytest.skip("without bias the classes cannot be told apart")
    fit = cr.solve(problem)
    assert_certified(fit)
    assert fit.objective == pytest.approx(optimum_by_brute_force(problem), rel=2e-6)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("norm", NORMS)
def test_slopes(norm, slope):
    fit = cr.solve(make_problem(n_samples=6, seed=5, norm=norm, negative_slope=slope))
    assert_certified(fit)
    assert fit.objective == pytest.approx(optimum_by_brute_force(fit.problem), rel=2e-6)


@pytest.mark.parametrize("bias", ["free", "joint"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_data(case, norm, bias):
    X = DEGENERATE[case]
    y = np.sin(np.arange(len(X)) ** 2)
    if case == "duplicates":
        y = np.repeat(y[::2], 2)
    fit = cr.solve(cr.Problem(X, y, norm=norm, bias=bias))
    assert fit.certificate.scope == "global"
    assert fit.certificate.relative_gap <= 1e-6


def test_the_response_norm_is_invariant_to_translation_and_the_label_noise_norm_is_not():
    X, y = normal_data(7, 2)
    responses = [cr.solve(cr.Problem(Z, y, norm="response", bias="joint")).objective for Z in (X, X + 3)]
    noises = [cr.solve(cr.Problem(Z, y, norm="label-noise", bias="joint")).objective for Z in (X, X + 3)]
    assert responses[1] == pytest.approx(responses[0], rel=1e-6)
    assert noises[1] > 1.5 * noises[0]


def gamma_by_cvxpy(problem, v):
    """gamma(v), cell by cell and sign by sign."""
    best = 0.0
    for pattern in cr.enumerate_patterns(problem.X, problem.bias != "none").to_bool():
        h = np.where(pattern, 1.0, problem.negative_slope)
        if h.any():
            u = cp.Variable(problem.lifted.shape[1])
            rows = np.where(pattern, 1.0, -1.0)[:, None] * problem.lifted
            inside = [cp.norm(group_matrix(problem, problem.lifted, h) @ u) <= 1, rows @ u >= 0]
            for sign in (1, -1):
                best = max(best, cp.Problem(cp.Maximize(sign * (h * v) @ problem.lifted @ u), inside).solve("CLARABEL"))
    return best


@settings(derandomize=True, deadline=None, max_examples=12)
@given(
    data=st.data(),
    norm=st.sampled_from(NORMS),
    bias=st.sampled_from(["free", "joint"]),
    slope=st.sampled_from([0.0, 0.5]),
)
def test_pricing_is_exact_on_lattice_points(data, norm, bias, slope):
    points = data.draw(st.lists(st.tuples(*[st.integers(0, 2)] * 2), min_size=1, max_size=6))
    v = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=len(points), max_size=len(points))), float)
    v -= v.mean() if bias == "free" else 0
    problem = cr.Problem(
        np.array(points, float), v, loss="squared", alpha=1.0, norm=norm, bias=bias, negative_slope=slope
    )
    priced = NormPricer.of(problem.norm, problem.X, slope)(v)
    assert priced.complete
    assert priced.value == pytest.approx(gamma_by_cvxpy(problem, v), rel=1e-6, abs=1e-7)
    assert priced.value <= priced.upper <= priced.value * (1 + 1e-8) + 1e-10


@pytest.mark.parametrize("norm", NORMS)
def test_no_random_neuron_scores_above_the_bound(norm):
    problem = make_problem(n_samples=10, n_features=3, norm=norm, bias="joint")
    v = problem.y
    priced = NormPricer.of(problem.norm, problem.X, 0.0)(v)
    rng = np.random.default_rng(0)
    W, b = rng.standard_normal((20_000, 3)), rng.standard_normal(20_000)
    costs = problem.norm.neuron_costs(W, b)
    scores = np.abs(v @ np.maximum(problem.X @ W.T + b, 0))[costs > 0] / costs[costs > 0]
    assert 0.5 * priced.upper < scores.max() <= priced.upper
    found = v @ np.maximum(problem.X @ priced.W.T + priced.b, 0)
    np.testing.assert_allclose(found, priced.scores, rtol=1e-9, atol=1e-9)
    assert (np.diff(np.abs(priced.scores)) <= 0).all()


@pytest.mark.parametrize("spread", [1e-13, 1e-9, 1e-7, 1e-5])
def test_points_that_are_nearly_in_a_line_keep_the_bound_honest(spread):
    rng = np.random.default_rng(0)
    X = DEGENERATE["lattice"] + spread * rng.standard_normal((9, 2))
    v = rng.standard_normal(9)
    for norm in NORMS:
        problem = cr.Problem(X, v, norm=norm, bias="joint")
        priced = NormPricer.of(problem.norm, X, 0.0)(v)
        exact = NormPricer.of(problem.norm.on(DEGENERATE["lattice"], 0.0), DEGENERATE["lattice"], 0.0)(v)
        # Neurons of the lattice with room on all sides are nearly as good for the points around it.
        assert priced.upper >= exact.value * (1 - 1e4 * spread)
        assert priced.upper <= priced.value * (1 + 1e-6) or spread <= 1e-9


def exact_objective(problem, network):
    """Return the squared loss and the cost of ReLUs from heights in fractions, where floats would cancel."""
    rows = [[*map(Fraction, row), Fraction(1)] for row in problem.X.tolist()]
    neurons = [[*map(Fraction, w), Fraction(b)] for w, b in zip(network.W.tolist(), network.b.tolist(), strict=True)]
    heights = [[sum(a * u for a, u in zip(row, neuron, strict=True)) for row in rows] for neuron in neurons]
    responses = np.array([[float(max(height, 0)) for height in of_one] for of_one in heights])
    costs = np.sqrt(np.mean(responses**2, axis=1))
    if problem.norm.name == "label-noise":
        squares = [float(sum(a * a for a in row)) for row in rows]
        costs *= 2 * np.sqrt(np.mean((responses > 1e-6) * squares, axis=1))  # not where rounding is left of a hinge
    misses = network.v @ responses + network.intercept - problem.y
    constant = cr.Network([[0.0, 0.0]], [1.0], [network.intercept]).cost("joint", problem.norm)
    return np.mean(misses**2) / 2 + problem.alpha * (np.abs(network.v) @ costs + constant)


@pytest.mark.parametrize("norm", ["response", "label-noise"])
def test_samples_next_to_a_plane_are_not_in_it(norm):
    """Neurons respond to what is left of their second feature, however small it is, at the same cost."""

    def problem(width):
        X = [[-1.0, width], [-0.3, -width], [0.4, width], [1.0, -2 * width]]
        return cr.Problem(X, [1.0, -1.0, 1.0, -0.5], "squared", alpha=0.01, norm=norm, bias="joint")

    wide = cr.solve(problem(1e-4))
    for width in (1e-11, 1e-12, 1e-13, 1e-14):
        narrow, network = problem(width), wide.network
        same = cr.Network(network.W * [1.0, 1e-4 / width], network.b, network.v, network.intercept)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cr.AccuracyWarning)
            certificate = cr.solve(narrow).certificate
        objective = exact_objective(narrow, same)
        assert objective < 1.01 * wide.objective
        assert certificate.lower <= min(objective, certificate.upper)


@pytest.mark.parametrize("height", [1e-4, 1e-9, 1e-12, 1e-14, 1e-30])
def test_three_samples_next_to_a_line_respond_as_they_like(height):
    """The neuron (0, 2 / height), bias 1, responds by 1, 3, 1 and, to the fourth sample, not at all."""
    X, v = np.array([[-1.0, 0.0], [0.0, height], [1.0, 0.0], [0.0, -1.0]]), np.array([1.0, 3.0, 1.0, 0.0])
    gamma = NormPricer.of(Response("joint").on(X, 0.0), X, 0.0)(v)
    assert gamma.upper == pytest.approx(2 * np.sqrt(11), rel=1e-4)
    assert gamma.upper >= 2 * np.sqrt(11) * (1 - 1e-12)


@dataclass(frozen=True, eq=False)
class _Weighted(Norm):
    """The length of the weights in units of their own, some of which may be next to nothing."""

    units: np.ndarray | None = None
    name = "weighted"

    def neuron_costs(self, W, b):
        return np.linalg.norm(W * self.units, axis=1)

    def group_matrices(self, patterns, lifted, transform):
        return (self.units[:, None] * transform[: len(self.units)])[None]


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
@pytest.mark.parametrize("unit", [1e-12, 1e-8])
def test_a_feature_that_costs_next_to_nothing_bounds_nothing(unit):
    """relu(x_2) meets the targets at the cost of its unit."""
    X = np.array([[1.0, 1.0], [1.0, -1.0], [2.0, 1.0], [1.0, 3.0]])
    problem = cr.Problem(
        X, np.maximum(X[:, 1], 0.0), "squared", alpha=0.01, bias="none", norm=_Weighted("none", np.array([1.0, unit]))
    )
    dear = cr.Network([[0.25, 1.0]], [0.0], [1.0])
    assert cr.certify(dear, problem).lower <= 0.01 * unit * (1 + 1e-6)
    v = np.linalg.lstsq(X.T, np.array([1.0, 0.0]))[0]
    assert certify_dual(problem, dear, v).lower <= 0.01 * unit * (1 + 1e-6)


def test_pricing_that_is_cut_short_is_honest():
    problem = make_problem(n_samples=12, norm="response", bias="joint")
    pricer = NormPricer.of(problem.norm, problem.X, 0.0)
    full, short = pricer(problem.y), pricer(problem.y, node_limit=1)
    assert full.complete
    assert not short.complete
    assert short.upper >= full.upper


@pytest.mark.parametrize("norm", NORMS)
def test_ties_go_to_the_least_weights(norm):
    X, y = normal_data(9, 2, seed=6)
    problem = cr.Problem(X, y, norm=norm, bias="joint")
    fit = cr.solve(problem)
    for w, b in zip(fit.network.W, fit.network.b, strict=True):
        t = X @ w + b
        active = t > 1e-9
        other, shift = cp.Variable(2), cp.Variable()
        same = [X[active] @ other + shift == t[active], X[~active] @ other + shift <= 1e-10]
        least = cp.Problem(cp.Minimize(cp.norm(other)), same).solve("CLARABEL")
        assert np.linalg.norm(w) <= least * (1 + 1e-5) + 1e-7
    again = with_least_weights(problem, fit.network)
    np.testing.assert_allclose(again.W, fit.network.W, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
@pytest.mark.parametrize("norm", NORMS)
def test_alpha_max(norm, loss):
    problem = make_problem(loss, n_samples=8, seed=3, norm=norm)
    largest = cr.alpha_max(problem)
    above, below = (
        cr.solve(make_problem(loss, 8, seed=3, norm=norm, alpha=share * largest)) for share in (1.001, 0.97)
    )
    assert above.network.cost("free", above.problem.norm) <= 1e-5
    assert below.network.cost("free", below.problem.norm) > 1e-5
    path = cr.path(problem, n_alphas=3, eps=0.1)
    assert (path.relative_gaps <= 1e-6).all()


def test_certificates_of_other_networks_and_files(tmp_path):
    problem = make_problem("squared", n_samples=7, norm="label-noise")
    other = cr.solve(make_problem("squared", n_samples=7)).network
    certificate = cr.certify(other, problem)
    assert certificate.scope == "global"
    assert certificate.lower < certificate.upper == pytest.approx(problem.objective(other), rel=1e-11)
    certificate.save(tmp_path / "file.json")
    loaded = cr.load_certificate(tmp_path / "file.json")
    assert loaded.problem.norm.name == "label-noise"
    assert loaded.upper == certificate.upper


def test_sampled_patterns_have_a_sampled_scope():
    fit = cr.solve(make_problem("squared", n_samples=20, norm="response"), method="sample", random_state=0)
    assert fit.status is cr.Status.SAMPLED
    assert fit.certificate.gap >= -1e-9


def test_what_cannot_be_done_is_refused():
    problem = make_problem(norm="response")
    assert cr.solve(problem).method == "enumerate"
    with pytest.raises(cr.InputError, match="method='enumerate'"):
        cr.solve(problem, method="generate")
    with pytest.raises(cr.InputError, match="Euclidean norm"):
        cr.solve(make_problem(n_features=1, norm="response"), method="line")
    with pytest.raises(cr.InputError, match=r"problem\.norm"):
        cr.Network([[1.0]], [0.0], [1.0]).cost("free", "response")
    with pytest.raises(cr.InputError, match="needs biases"):
        make_problem(norm="label-noise", bias="none")
    with pytest.raises(cr.InputError, match="too near zero for norm='response'"):
        make_problem(norm="response", negative_slope=1e-160)
    with pytest.raises(cr.InputError, match="features"):
        cr.solve(problem).certificate.verify_exact()


def test_norm_objects_are_taken_with_the_data_of_the_problem():
    X, y = normal_data(5)
    for norm in (Response("joint"), LabelNoise("joint")):
        problem = cr.Problem(X, y, norm=norm, bias="joint")
        assert problem.norm.X is problem.X
        assert cr.solve(problem).objective == cr.solve(cr.Problem(X, y, norm=norm.name, bias="joint")).objective


@pytest.mark.parametrize("norm", ["euclidean", "response"])
def test_without_biases_a_neuron_with_one_is_not_allowed(norm):
    problem = make_problem("squared", n_samples=6, norm=norm, bias="none")
    costs = problem.norm.neuron_costs(np.ones((2, 2)), np.array([0.0, 0.5]))
    assert np.isfinite(costs[0])
    assert costs[1] == np.inf
    assert problem.objective(cr.Network([[1.0, 1.0]], [0.5], [1.0])) == np.inf
