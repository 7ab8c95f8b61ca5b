"""Skip connections: A x costs nothing, whatever the loss, and what is proven is proven of all A."""

import itertools
import json
import math
import warnings
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import cvxrelu as cr
import cvxrelu.certificate.nearby as package
from cvxrelu.certificate.nearby import FAR, nearby
from cvxrelu.certificate.rational.orthogonal import orthogonal
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.function_space import PiecewiseLinear, fit_function, function_cost, is_min_norm, minimum_cost
from cvxrelu.generation import primal_rule
from cvxrelu.pricing import make_pricer
from cvxrelu.problem.free import Free
from cvxrelu.problem.network import constant_network
from cvxrelu.program import free_fit
from cvxrelu.program.scaling import Scaling
from cvxrelu.runtime.clock import Clock
from tests.direct import optimum_by_brute_force
from tests.instances import (
    BIASES,
    LABELLED,
    LOSSES,
    REGULARISED,
    assert_certified,
    make_problem,
    normal_data,
)
from tests.test_checker import verdict

SLOPES = (0.0, 0.3, -1.0, 2.0)


def total_variation(x, y):
    """TV(f') of the function that joins the dots."""
    order = np.argsort(x)
    return float(np.abs(np.diff(np.diff(y[order]) / np.diff(x[order]))).sum())


# One input.


@pytest.mark.parametrize("slope", SLOPES)
def test_one_input_costs_what_joining_the_dots_bends(slope):
    rng = np.random.default_rng(0)
    for _ in range(40):
        n = int(rng.integers(3, 25))
        x, y = rng.standard_normal(n), rng.standard_normal(n) * 10 ** rng.uniform(-3, 3) + 100 * rng.standard_normal()
        fit = cr.solve(cr.Problem(x[:, None], y, negative_slope=slope, skip=True))
        least = total_variation(x, y) / abs(1 - slope)
        assert fit.objective == pytest.approx(least, rel=1e-9)
        assert fit.certificate.relative_gap <= 1e-6
        assert minimum_cost(x, y, slope, skip=True) == pytest.approx(least, rel=1e-12)
        f = PiecewiseLinear.from_network(fit.network)
        assert is_min_norm(f, x, y, slope, skip=True)
        assert fit.network.n_neurons == f.n_knots  # one neuron a knot


def test_a_line_costs_nothing():
    x = np.array([0.0, 1.0, 3.0])
    fit = cr.solve(cr.Problem(x[:, None], 2 * x - 1, skip=True))
    assert fit.objective == fit.certificate.lower == 0
    np.testing.assert_allclose(fit.network.skip, [2.0])
    line = PiecewiseLinear([0.0], [0.0], 1.0, 1.0)
    assert [function_cost(line, a, skip=True) for a in SLOPES] == [0.0] * 4
    assert line.to_network(-1.0, skip=True).n_neurons == 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("slope", SLOPES)
def test_losses_on_the_line(loss, slope):
    problem = make_problem(loss, 12, 1, seed=3, negative_slope=slope, skip=True)
    fit = cr.solve(problem, "line")
    assert_certified(fit)
    assert fit.objective == pytest.approx(optimum_by_brute_force(problem), rel=2e-6)
    function, dual = fit_function(problem)
    again = certify_dual(problem, function.to_network(slope, skip=True), dual)
    assert again.relative_gap <= 1e-6


# Brute force, in more dimensions.


@pytest.mark.parametrize("method", ["enumerate", "generate"])
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize(("k", "loss"), list(enumerate(LOSSES)))
def test_brute_force_in_the_plane(k, loss, bias, method):
    problem = make_problem(
        loss, 9, 2, seed=3, alpha=0.01, bias=bias, negative_slope=SLOPES[(k + BIASES.index(bias)) % 4], skip=True
    )
    fit = cr.solve(problem, method)
    assert_certified(fit)
    assert fit.objective == pytest.approx(optimum_by_brute_force(problem), rel=1e-6)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("loss", ["interpolation", "squared", "absolute"])
def test_brute_force_in_space(loss, bias):
    problem = make_problem(loss, 8, 3, seed=2, alpha=0.02, bias=bias, negative_slope=0.3, skip=True)
    fit = cr.solve(problem, "generate")
    assert_certified(fit)
    assert fit.objective == pytest.approx(optimum_by_brute_force(problem), rel=1e-6)


@pytest.mark.parametrize("norm", ["response", "label-noise"])
def test_other_norms(norm):
    problem = make_problem("squared", 7, 2, seed=1, alpha=0.05, norm=norm, skip=True)
    fit = cr.solve(problem)
    assert fit.certificate.relative_gap <= 1e-6
    assert fit.objective == pytest.approx(optimum_by_brute_force(problem), rel=1e-5)


def test_all_slopes_are_one_problem():
    X, y = normal_data(15, 2, seed=4)
    costs = [cr.solve(cr.Problem(X, y, negative_slope=a, skip=True)).objective * abs(1 - a) for a in SLOPES]
    np.testing.assert_allclose(costs, costs[0], rtol=2e-6)


def test_what_is_linear_in_the_targets_makes_no_difference():
    X, y = normal_data(14, 2, seed=5)
    plain = cr.solve(cr.Problem(X, y, "squared", alpha=0.03, skip=True))
    tilted = cr.solve(cr.Problem(X, y + X @ [1e5, -3e4] + 1e6, "squared", alpha=0.03, skip=True))
    assert tilted.objective == pytest.approx(plain.objective, rel=1e-6)
    assert tilted.certificate.relative_gap <= 1e-6


@pytest.mark.parametrize("loss", ["squared", "huber", "logistic"])
@pytest.mark.parametrize("bias", BIASES)
def test_the_primal_master(loss, bias, monkeypatch):
    monkeypatch.setattr(primal_rule, "MANY_SAMPLES", 50)
    problem = make_problem(loss, 120, 2, seed=6, alpha=0.02, bias=bias, skip=True)
    few = cr.solve(problem, "generate")
    monkeypatch.undo()
    assert few.certificate.relative_gap <= 1e-6
    assert few.objective == pytest.approx(cr.solve(problem, "generate").objective, rel=2e-6)


def test_the_relaxation():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((25, 6))
    problem = cr.Problem(X, np.abs(X[:, 0]) + 100 * X[:, 1], "squared", alpha=0.2, skip=True)
    certificate = cr.solve(problem, time_limit=20).certificate
    assert certificate.method == "relaxation" or certificate.relative_gap <= 1e-6
    assert certificate.lower > 0.5 * certificate.upper
    if certificate.multipliers is not None:
        assert certificate.verify_exact().lower > certificate.lower * (1 - 1e-6)


@pytest.mark.parametrize("slope", [0.0, 2.0])
@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize(
    ("method", "bias", "d"),
    [("line", "free", 1), ("plane", "free", 2), ("plane", "none", 2), ("cells", "none", 3), ("cells", "free", 2)]
    + [("cones", "free", d) for d in (2, 3)]
    + [("cones", "none", d) for d in (3, 4)],
)
def test_half_of_the_neurons_will_do(method, bias, d, one_sided, slope):
    """What is priced for one of each pair of opposite neurons holds for all, and no pair is found."""
    X, y = normal_data(14, d, seed=3)
    slab = method == "cones" and bias == "none" and d == 3  # which has coordinates of its own
    far = X + 20.0 * slab
    free = Free.of(far, bias == "free", skip=True)
    v = free.rest(free.rest(y))
    v = v - math.fsum(v) / len(v) if bias == "free" else v
    whole, half = (make_pricer(far, bias, slope, method, one_sided=one_sided, even=even) for even in (False, True))
    full, found = whole(v), half(v)
    assert found.upper == pytest.approx(full.upper, rel=4e-9)
    assert found.value == pytest.approx(full.value, rel=4e-9)
    assert found.complete == full.complete
    assert found.nodes < 0.7 * full.nodes or method != "cones"
    local = half.ascend(v, n_starts=40, random_state=0)
    for neurons in (found, local):
        units = np.column_stack([neurons.W, neurons.b])
        units /= np.linalg.norm(units, axis=1)[:, None]
        assert (units @ units.T > -1 + 1e-9).all()
    assert local.value == pytest.approx(full.upper, rel=1e-6) or slab


# What costs nothing.


@pytest.mark.parametrize("loss", REGULARISED)
@pytest.mark.parametrize("bias", BIASES)
def test_from_alpha_max_on_the_affine_fit_is_optimal(loss, bias):
    problem = make_problem(loss, 16, 2, seed=3, bias=bias, skip=True)
    largest = cr.alpha_max(problem)
    above = cr.solve(replace(problem, alpha=1.001 * largest))
    below = cr.solve(replace(problem, alpha=0.9 * largest), tol=1e-8)
    assert above.network.n_neurons == 0
    assert above.certificate.relative_gap <= 1e-6
    assert below.network.n_neurons > 0
    assert below.objective < cr.Problem.objective(below.problem, above.network)


@pytest.mark.parametrize("loss", ["squared", "huber", "absolute"])
def test_no_affine_function_is_worse_than_the_constant(loss):
    """Where targets are equal, slopes of 1e-22 times inputs of 1e5 are far from nothing."""
    X = 1e5 * np.random.default_rng(0).standard_normal((8, 2)) + 3e5
    problem = cr.Problem(X, np.full(8, -1.5749240283638834e-08), loss, alpha=1.0, skip=True)
    assert cr.solve(problem).objective == problem.objective(constant_network(problem.y[0], 2, 0.0)) == 0.0


@pytest.mark.parametrize("loss", ["huber", "logistic", "softmax", "huber of two outputs"])
@pytest.mark.parametrize("weighted", [False, True])
def test_steps_and_the_convex_program_find_the_same_affine_function(loss, weighted):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 3)), rng.standard_normal(40)
    y = {"logistic": np.sign(y), "softmax": np.digitize(y, [-0.5, 0.5])}.get(loss, y)
    y = np.column_stack([y, y**2]) if loss.endswith("outputs") else y
    weights = rng.integers(1, 4, 40).astype(float) if weighted else None
    problem = cr.Problem(X, y, loss.split()[0], alpha=0.01, skip=True, sample_weight=weights)
    scaling, B = Scaling.of(problem), problem.free.basis
    found, (modelled, dual) = free_fit._descended(problem, scaling), free_fit._programmed(problem, scaling, Clock())
    if loss == "softmax":  # what is the same for all classes makes no difference
        found, modelled = (c - c.mean(axis=1, keepdims=True) for c in (found, modelled))
    # The objective of a solver is exact to its square root in the coefficients.
    np.testing.assert_allclose(found, modelled, atol=1e-4)
    assert scaling.loss.value(B @ found, scaling.y) == pytest.approx(scaling.loss.value(B @ modelled, scaling.y), 1e-9)
    np.testing.assert_allclose(scaling.loss.force(B @ found, scaling.y) * scaling.gradient_scale, dual, atol=1e-4)


def test_a_basis_takes_no_more_than_its_columns():
    """An orthogonal matrix of fifty thousand rows would take twenty gigabytes."""
    free = Free.of(np.random.default_rng(0).standard_normal((50_000, 3)), True, True)
    np.testing.assert_allclose(free.basis.T @ free.basis, 50_000 * np.eye(4), atol=1e-6)


def test_separated_classes():
    X, y = np.array([[-2.0, 1.0], [-1.0, 0.0], [1.0, 1.0], [2.0, 0.0]]), np.array([-1.0, -1.0, 1.0, 1.0])
    for loss, alpha in (("margin", None), ("hinge", 0.1)):
        fit = cr.solve(cr.Problem(X, y, loss, alpha=alpha, skip=True))
        assert fit.objective == pytest.approx(0.0, abs=1e-12)
        assert fit.network.n_neurons == 0
    with pytest.raises(cr.InputError, match="separates the classes"):
        cr.solve(cr.Problem(X, y, "logistic", alpha=0.1, skip=True))


DEGENERATE = {
    "a column twice": lambda X: np.column_stack([X, X[:, 0]]),
    "a multiple of a column": lambda X: np.column_stack([X, 4 * X[:, 1]]),
    "a constant column": lambda X: np.column_stack([X, np.full(len(X), 0.1)]),
    "a column of zeros": lambda X: np.column_stack([X, np.zeros(len(X))]),
    "one column": lambda X: np.column_stack([X[:, 0], X[:, 0]]),
    "indicators": lambda X: np.eye(3)[np.arange(len(X)) % 3],
    "a lattice": lambda X: np.round(2 * X),
    "equal rows": lambda X: X[np.arange(len(X)) // 2],
    "different units": lambda X: X * [1e6, 1e-6],
    "far away": lambda X: X + np.array([1e4, -1e3]),
    "more features than samples": lambda X: np.random.default_rng(1).standard_normal((len(X), 15)),
}


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("loss", ["squared", "hinge", "absolute"])
@pytest.mark.filterwarnings("ignore:.*may be rounding")  # where an affine function fits exactly
def test_degenerate_data(name, bias, loss):
    X, y = normal_data(10, 2, seed=7)
    X, y = DEGENERATE[name](X), np.where(y > 0, 1.0, -1.0) if loss == "hinge" else y
    fit = cr.solve(cr.Problem(X, y, loss, alpha=0.03, bias=bias, skip=True), tol=1e-5)
    assert fit.certificate.relative_gap <= 1e-5 or fit.objective < 1e-12


def test_columns_that_depend_on_others_but_for_rounding_prove_nothing_wrong():
    X, y = normal_data(10, 1, seed=7)
    X = np.column_stack([X, 0.1 * X])  # rounded, so that the exact rank is two
    problem = cr.Problem(X, y, "squared", alpha=0.01, skip=True)
    with pytest.warns(cr.AccuracyWarning):
        fit = cr.solve(problem)
    # Along the rounding, an A of 1e16 fits what it likes.
    assert fit.certificate.lower <= cr.solve(cr.Problem(X[:, :1], y, "squared", alpha=0.01, skip=True)).objective


# The proof.


@pytest.mark.parametrize(("loss", "bias"), list(itertools.product(("interpolation", "hinge", "huber"), BIASES)))
def test_the_vector_nearby_is_orthogonal_and_its_bounds_hold(loss, bias):
    problem = make_problem(loss, 16, 2, seed=1, alpha=0.05, bias=bias, skip=True)
    v = problem.repair(np.random.default_rng(2).standard_normal(16) + problem.y, boxed=False)
    assert v.any()
    found = nearby(problem, v)
    assert found.ratio < 1e-12
    columns = [[Fraction(x) for x in column] for column in problem.free.columns.T.tolist()]
    exact = orthogonal([Fraction(x) for x in v.tolist()], columns)
    assert exact is not None
    for column in columns:
        assert sum(a * b for a, b in zip(column, exact, strict=True)) == 0
    worst = max(abs(Fraction(x) - e) / abs(e) for x, e in zip(v.tolist(), exact, strict=True) if e)
    assert worst <= 10 * Fraction(max(found.ratio, 2.0**-52))
    if problem.loss.labels:
        assert (v * problem.y >= 0).all()


def test_a_vector_far_from_orthogonal_proves_nothing():
    problem = make_problem("interpolation", 12, 2, skip=True)
    v = np.zeros(12)
    v[:2] = 1.0, -1.0
    assert nearby(problem, v) == (math.inf, math.inf)
    columns = [[Fraction(x) for x in column] for column in problem.free.columns.T.tolist()]
    assert orthogonal([Fraction(x) for x in v.tolist()], columns) is None
    fit = cr.solve(problem)
    assert certify_dual(problem, fit.network, fit.certificate.dual).lower == pytest.approx(fit.objective, rel=1e-6)


def test_what_scores_change_by_is_bounded_also_where_the_vector_is_not_next_door():
    problem = make_problem("interpolation", 14, 2, seed=1, skip=True)
    rng = np.random.default_rng(0)
    for size in (1e-7, 1e-9):
        v = problem.repair(problem.y) + size * rng.standard_normal(14)
        v -= v.mean()
        found = nearby(problem, v)
        assert size / 100 < found.ratio < FAR
        columns = [[Fraction(x) for x in column] for column in problem.free.columns.T.tolist()]
        exact = orthogonal([Fraction(x) for x in v.tolist()], columns)
        moved = np.array([float(a) for a in exact]) - v
        W, places = rng.standard_normal((200, 2)), rng.integers(14, size=200)
        W /= np.linalg.norm(W, axis=1)[:, None]
        outputs = np.maximum(problem.X @ W.T - (problem.X[places] * W).sum(axis=1), 0.0)
        assert np.abs(moved @ outputs).max() <= found.moved
        assert np.abs(moved) @ (v != 0) <= found.moved  # it is no bound by luck


def test_dependence_that_is_rounding_is_no_dependence():
    """Of (x, 0.1 x) the second column is free like any other; of (x, 2 x) it is the first once more."""
    x = np.random.default_rng(0).standard_normal(12)
    v = Free.of(x[:, None], True, True).nearest(np.cos(5 * x), np.full(12, -np.inf), np.full(12, np.inf))
    for factor, dependent in ((0.1, False), (2.0, True)):
        columns = [np.ones(12), x, factor * x]
        found = orthogonal(*([Fraction(a) for a in v.tolist()], [[Fraction(a) for a in c.tolist()] for c in columns]))
        assert (found is not None) == dependent
        problem = cr.Problem(np.column_stack(columns[1:]), np.cos(5 * x), skip=True)
        assert (nearby(problem, v).ratio < FAR) == dependent


def test_columns_are_told_apart_once_for_the_rows_that_vectors_share(monkeypatch):
    """Vectors that vanish where one of three categories is: there its indicator is zero, and depends on the others."""
    rng = np.random.default_rng(0)
    x, category = rng.standard_normal(30), np.arange(30) % 3
    problem = cr.Problem(np.column_stack([x, np.eye(3)[category]]), np.cos(5 * x), "squared", alpha=0.1, skip=True)
    calls, told_apart = [], package._independent_columns
    monkeypatch.setattr(package, "_independent_columns", lambda columns: calls.append(1) or told_apart(columns))
    rows = category < 2
    for _ in range(3):
        v = np.zeros(30)
        v[rows] = Free.of(problem.X[rows], True, True).rest(rng.standard_normal(20))
        assert nearby(problem, v).ratio < 1e-12
    assert len(calls) == 2  # on all rows, and on those


@pytest.mark.parametrize("bias", ["free", "none"])
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("units", [(2.0**290, 2.0**-830), (2.0**200, 2.0**-1000)])
def test_entries_that_underflow_next_to_others_are_free_like_any_other(bias, outputs, units, tmp_path):
    """Of two columns that differ in an entry 2^1000 times smaller than others the difference is free, and fits all."""
    large, small = units
    X = np.array([[large, large], [small, 0.0], [-large, -large], [0.0, 0.0], [0.0, 0.0]])
    shares = np.array([1.0, 2.0])[:outputs]
    y, v = np.multiply.outer([0.0, 1, 0, 0, 0], shares), np.multiply.outer([1.0, 1, 1, -1.5, -1.5], shares)
    A = np.multiply.outer([1 / small, -1 / small], shares)
    y, v, A = (part if outputs > 1 else part[:, 0] for part in (y, v, A))
    problem = cr.Problem(X, y, "squared", bias, alpha=1e-3, skip=True)
    nobody, silent = np.empty((0, *v.shape[1:])), np.zeros(v.shape[1:])
    fitting = cr.Network(np.empty((0, 2)), np.empty(0), nobody, silent, skip=A)
    certificate = certify_dual(problem, fitting, v)
    assert certificate.lower == certificate.upper == 0
    assert nearby(problem, v).ratio > FAR
    file = tmp_path / "forged.json"
    replace(certificate, lower=1e-4 / large, dual=v, gamma=3 * large).save(file)
    assert verdict(file.read_text(), tmp_path) == 1
    with pytest.raises(cr.InputError, match="claims the lower bound"):
        cr.load_certificate(file)


def honest(problem, method="auto"):
    """Solve; of data as they are stored the best cost may be zero, and nothing positive proven."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        return cr.solve(problem, method, random_state=0, time_limit=20)


@pytest.mark.parametrize("method", ["enumerate", "generate"])
@pytest.mark.parametrize("away", [0.0, 512.0, 1e6])
def test_rounding_of_columns_is_not_free(away, method):
    """Two columns that differ by one, but for rounding: slopes of 1e13 in it would fit whatever there is."""
    x = np.array([0.45492050, -0.39736546, -2.13651411]) + away
    X, y = np.column_stack([x, x + 1.0, np.full(3, 7.0) + away]), np.array([-0.11136796, 0.94965295, -0.47870279])
    problem = cr.Problem(X, y, skip=True)
    assert problem.free.rank == 2
    assert honest(problem, method).objective == pytest.approx(1.46102957, rel=1e-6)
    squared = cr.Problem(X, y, "squared", alpha=0.01, skip=True)
    assert honest(squared, method).objective == pytest.approx(0.014253005, rel=1e-6)
    if method == "generate":
        several = cr.Problem(X, np.column_stack([y, y[::-1]]), skip=True)
        assert honest(several).objective == pytest.approx(2.17887290, rel=1e-6)


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("column", ["shares", "far", "tiny"])
def test_a_column_that_is_rounding_leaves_the_others_free(column, bias):
    """Shares that add up to one, steps at the end of the digits, and numbers next to the least float."""
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(4), 16)
    X, steps = P[:, :2], np.arange(16.0)
    more = {"shares": P.sum(axis=1), "far": 2.0**52 + steps, "tiny": 1e-320 * steps}[column]
    y = X @ [1.0, -2.0] + 0.1 * rng.standard_normal(16)
    with_it, without = (
        cr.Problem(Z, y, "squared", bias, alpha=1e-2, skip=True) for Z in (np.column_stack([X, more]), X)
    )
    separable = cr.Problem(with_it.X, np.where(X[:, 0] > 0.25, 1.0, -1.0), "margin", bias, skip=True)
    if bias == "free":
        assert with_it.free.rank == without.free.rank
        assert not with_it.free.complete
        assert cr.solve(separable).objective == 0
    assert honest(with_it).objective <= honest(without).objective * (1 + 1e-6)


@pytest.mark.parametrize("loss", ["squared", "huber"])
@pytest.mark.parametrize("bias", BIASES)
def test_slopes_beyond_floats_are_refused(bias, loss):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 3)) * [1.0, 1e-149, 1e-250], 1e80 * rng.standard_normal(8)
    with pytest.raises(cr.InputError, match="slopes beyond the largest float"):
        cr.solve(cr.Problem(X, y, loss, bias, alpha=1e6, skip=True))


def test_what_is_free_is_what_its_coefficients_say():
    """Also next to columns that are left out; to the digits that rounding leaves at most."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n, d = int(rng.integers(3, 10)), int(rng.integers(2, 5))
        X = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-9, 3, d)
        X[:, 0] = 2.0**50 + np.round(rng.standard_normal(n) * rng.choice([1, 3, 10]))
        if rng.random() < 0.5:
            X[:, 1] = X[:, 0] + np.round(rng.standard_normal(n) * 3)
        free = Free.of(X, True, True)
        for lift, values in zip(free.lift.T.tolist(), free.basis.T.tolist(), strict=True):
            for row, value in zip(np.column_stack([X, np.ones(n)]).tolist(), values, strict=True):
                exact = sum(Fraction(a) * Fraction(b) for a, b in zip(row, lift, strict=True))
                assert abs(exact - Fraction(value)) < 0.1


def test_where_rows_are_few_nothing_is_left_of_a_vector():
    free = Free.of(np.array([[0.1, 0.7], [0.3, -0.2], [1.1, 0.4]]), True, True)
    ends = np.full(3, np.inf)
    assert not free.nearest(np.array([1.0, -0.3, 2.0]), -ends, ends).any()
    assert not free.nearest(np.array([1.0, -0.3, 2.0]), -np.ones(3), np.ones(3)).any()


def test_the_least_skip_connection_of_all_that_are_the_same():
    x = np.random.default_rng(0).standard_normal(9)
    free = Free.of(np.column_stack([x, 4 * x]), True, True)
    A, c = free.affine(free.coefficients(3 * x + 1))
    np.testing.assert_allclose(A, np.array([1.0, 4.0]) * 3 / 17, rtol=1e-12)
    assert c == pytest.approx(1.0)


def test_the_nearest_vector_of_a_box():
    rng = np.random.default_rng(3)
    for n, d, skip, constant in itertools.product((5, 30), (1, 4), (True, False), (True, False)):
        free, v = Free.of(rng.standard_normal((n, d)), constant, skip), 2 * rng.standard_normal(n)
        low, high = -rng.uniform(0, 1, n) * (rng.uniform(size=n) > 0.3), rng.uniform(0, 1, n)
        u = free.nearest(v, low, high)
        assert (low <= u).all()
        assert (u <= high).all()
        np.testing.assert_allclose(free.basis.T @ u, 0, atol=1e-12)
        # Nothing of the box that is orthogonal is on the side of v.
        for _ in range(20):
            other = free.nearest(rng.standard_normal(n), low, high)
            assert (v - u) @ (other - u) <= 1e-8


@pytest.mark.parametrize(("bias", "d"), [("free", 1), ("free", 2), ("joint", 1), ("none", 2)])
@pytest.mark.parametrize("loss", LOSSES)
def test_files_are_checked_and_tampering_shows(loss, bias, d, tmp_path):
    problem = make_problem(loss, 11, d, seed=3, alpha=0.02, bias=bias, negative_slope=0.3, skip=True)
    certificate = cr.solve(problem).certificate
    file = tmp_path / "original.json"
    certificate.save(file)
    record = json.loads(file.read_text())
    assert (record["format"], record["needs"]) == ("cvxrelu certificate 3", ["skip"])
    assert verdict(record, tmp_path) == 0
    assert certificate.verify_exact().lower >= certificate.lower
    read = cr.load_certificate(file)
    assert read.problem.skip
    assert read.network == certificate.network
    if certificate.lower == 0:
        return
    changes = {
        "lower": lambda r: r.update(lower=r["lower"] * (1 + 1e-6)),
        "dual": lambda r: r["dual"].__setitem__(0, r["dual"][0] + 1e-3 * max(map(abs, r["dual"]))),
        "skip": lambda r: r["network"].update(skip=[a + 0.01 * (1 + abs(a)) for a in r["network"]["skip"]]),
        "no skip": lambda r: r["problem"].pop("skip"),
        "old": lambda r: (r["problem"].pop("skip"), r.pop("needs"), r.update(format="cvxrelu certificate 1")),
        "newer": lambda r: r.update(needs=["skip", "colour"]),
        "format": lambda r: r.update(format="cvxrelu certificate 2"),
    }
    for name, change in changes.items():
        changed = json.loads(json.dumps(record))
        change(changed)
        assert verdict(changed, tmp_path) == (2 if name == "newer" else 1), name
        with pytest.raises(cr.InputError):
            cr.load_certificate(tmp_path / "certificate.json")


def test_the_checker_takes_no_vector_that_is_far_from_orthogonal(tmp_path):
    """Whatever it is said to prove, that is for the vector it was made from."""
    cr.solve(make_problem("squared", 11, 2, seed=3, alpha=0.02, bias="none", skip=True)).certificate.save(
        tmp_path / "original.json"
    )
    record = json.loads((tmp_path / "original.json").read_text())
    record["dual"][0] += 1e-3 * max(map(abs, record["dual"]))
    record["lower"] *= 0.5
    assert verdict(record, tmp_path) == 1


# Networks.


def test_networks_with_a_skip_connection(tmp_path):
    network = cr.Network([[1.0, 0.0]], [0.5], [2.0], 1.0, 0.1, skip=[3.0, -1.0])
    np.testing.assert_allclose(network([[1.0, 2.0]]), [2 * 1.5 + 3 - 2 + 1])
    assert network.cost() == 2
    np.testing.assert_allclose(network.balanced()([[1.0, 2.0]]), network([[1.0, 2.0]]))
    assert "skip" in repr(network)
    network.save(tmp_path / "net.npz")
    assert cr.Network.load(tmp_path / "net.npz") == network
    with np.load(tmp_path / "net.npz") as parts:
        assert "intercept" not in parts  # who does not know of the skip connection does not go on
    replace(network, skip=None).save(tmp_path / "old.npz")
    with np.load(tmp_path / "old.npz") as parts:
        assert sorted(parts) == ["W", "b", "intercept", "negative_slope", "v"]
    assert not cr.Network.load(tmp_path / "old.npz").skip.any()
    with pytest.raises(cr.InputError, match="skip has shape"):
        cr.Network([[1.0]], [0.0], [1.0], skip=[1.0, 2.0])
    with pytest.raises(cr.InputError, match="skip=True"):
        cr.Problem([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0], negative_slope=0.1).objective(network)


@pytest.mark.parametrize("d", [1, 3])
def test_predictions_are_enclosed(d):
    from cvxrelu.problem.enclosure import enclose, enclose_exactly, enclose_widely

    rng = np.random.default_rng(d)
    network = cr.Network(
        rng.standard_normal((4, d)), rng.standard_normal(4), 1e6 * rng.standard_normal(4), 1e3, 0.2, skip=[1e8] * d
    )
    X = rng.standard_normal((9, d))
    exact = enclose_exactly(network, X).values
    for found in (enclose(network, X), *([enclose_widely(network, X)] if d > 1 else [])):
        assert (np.abs(found.values - exact) <= found.radius * (1 + 1e-9)).all()


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("loss", ["squared", "absolute", "hinge", "interpolation"])
def test_the_set_of_all_optima(loss, bias):
    fit = cr.solve(make_problem(loss, 12, 2, seed=3, alpha=0.01, bias=bias, skip=True), tol=1e-8)
    optima = cr.optimal_set(fit, tol=1e-6)
    X = fit.problem.X[:3] + 0.1
    extremes, z = optima.extreme_predictions(X), fit.network(X)
    slack = 1e-3 * np.abs(fit.network(fit.problem.X)).max()
    assert ((extremes.lower - slack <= z) & (z <= extremes.upper + slack)).all()
    members = (*optima.sample(3, random_state=0), optima.sparsest())
    assert max(member.relative_gap for member in members) <= 1e-6
    assert len(optima.neurons) <= len(optima.neurons.signs)


def test_arrays_from_elsewhere():
    parts = {"W": [[1.0], [-1.0]], "b": [0.0, 0.0], "v": [1.0, 1.0], "skip": [[2.0]]}
    np.testing.assert_allclose(cr.as_network(parts)([[-3.0]]), [-3.0])
    X, y = normal_data(8, 1)
    problem = cr.Problem(X, y, "squared", alpha=0.1, skip=True)
    assert cr.certify(parts, problem).lower == pytest.approx(cr.solve(problem).objective, rel=1e-6)


def test_estimators():
    X, y = normal_data(40, 2, seed=8)
    model = cr.ReLURegressor(alpha=0.05, skip=True).fit(X, y + 50 * X[:, 0])
    np.testing.assert_allclose(model.network_.skip, [50, 0], atol=1.5)
    labels = np.where(y + X[:, 0] > 0, "a", "b")
    assert cr.ReLUClassifier(alpha=0.05, skip=True).fit(X, labels).score(X, labels) > 0.6
    grid = cr.ReLURegressorCV(n_alphas=3, skip=True).fit(X, y + 50 * X[:, 0])
    assert grid.network_.skip[0] > 40


def test_weights_are_copies():
    X, y = normal_data(9, 2, seed=9)
    counts = np.array([1, 2, 3, 1, 0, 1, 2, 1, 1])
    rows = np.repeat(np.arange(9), counts)
    for loss in ("squared", "absolute", "logistic"):
        targets = np.where(y > 0, 1.0, -1.0) if loss in LABELLED else y
        weighted = cr.Problem(X, targets, loss, alpha=0.02, sample_weight=counts, skip=True)
        copied = cr.Problem(X[rows], targets[rows], loss, alpha=0.02, skip=True)
        first, second = cr.solve(weighted, tol=1e-8), cr.solve(copied, tol=1e-8)
        assert first.objective == pytest.approx(second.objective, rel=2e-8)
        assert cr.alpha_max(weighted) == pytest.approx(cr.alpha_max(copied), rel=1e-6)


@pytest.mark.parametrize("bias", ["none", "joint"])
@pytest.mark.parametrize("delta", [0.5, 2.0])
def test_a_feature_where_the_loss_is_straight(bias, delta):
    """Samples of the last feature are far beyond where a Huber loss bends, so their coefficient has no curvature."""
    rng = np.random.default_rng(0)
    X, y = np.zeros((60, 3)), rng.standard_normal(60)
    X[:20, 0], X[20:40, 1], X[40:, 2] = rng.standard_normal(20), rng.standard_normal(20), np.tile([1.0, -1.0], 10)
    y[40:] = np.tile([50.0, 50.0, -50.0, -50.0], 5)
    fit = cr.solve(cr.Problem(X, y, cr.Huber(delta), bias, alpha=0.01, skip=True), "generate", tol=1e-5)
    assert fit.method == "generate"
    assert fit.status is cr.Status.OPTIMAL


def test_a_tol_below_rounding_does_not_make_a_constant_fit_the_data():
    problem = cr.Problem([[0.1], [0.7], [1.3]], [0.1, 0.5, 0.2], loss="squared", alpha=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = cr.solve(problem, tol=1e-17)
    assert fit.network.n_neurons == 0
    assert fit.objective > 0.01
    assert fit.status is not cr.Status.EXACT


@pytest.mark.parametrize("prove", [True, False])
@pytest.mark.filterwarnings("error")
def test_what_rounding_leaves_of_affine_data_needs_nothing_done(prove):
    X = np.random.default_rng(0).standard_normal((50, 3))
    problem = cr.Problem(X, X @ [1.3, 0.2, 0.7] + 0.3, loss="squared", alpha=0.1, skip=True)
    fit = cr.solve(problem, prove=prove)
    assert fit.status is cr.Status.EXACT
    assert fit.network.n_neurons == 0
    assert 0 < fit.objective < 1e-29


@pytest.mark.parametrize("seed", range(40))
def test_few_samples_far_from_the_origin_have_no_more_affine_functions_than_samples(seed):
    """The mean of a column is rounded in its own size, and what that left of dependent columns had slopes of 1e14."""
    rng = np.random.default_rng(seed)
    n_samples, n_features = int(rng.integers(2, 9)), int(rng.integers(1, 8))
    X = np.round(rng.standard_normal((n_samples, n_features)), 1) + 10.0 ** rng.integers(1, 7, n_features)
    X[:, -1] = X[:, 0] - np.round(X[:, 0].mean())
    free = Free.of(X, constant=True, skip=True)
    assert free.rank == np.linalg.matrix_rank(free.basis) <= n_samples
    assert np.abs(free.lift).max() < 1e4 * np.abs(X).max()
    y = rng.standard_normal(n_samples)
    problem = cr.Problem(X, y, loss="squared", alpha=0.05, skip=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)  # of objectives that are rounding
        fit = cr.solve(problem, random_state=0)
    assert problem.objective(fit.network) == pytest.approx(fit.objective, rel=1e-6, abs=1e-9)
    assert fit.certificate.relative_gap < 1e-6 or fit.objective < 1e-12


def test_the_search_for_an_affine_separator_looks_at_the_clock(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2))
    problem, clocks = cr.Problem(X, np.sign(X[:, 0]), loss="margin", skip=True), []
    with monkeypatch.context() as patch:
        # A solver that ends with nothing.
        patch.setattr(free_fit, "run_model", lambda model, name, clock, *rest: clocks.append(clock.limit))
        assert free_fit.meets_for_free(problem, Clock(0.0)) is None
        cr.solve(problem, time_limit=10.0, random_state=0)
        assert clocks[1] <= 3.0
    fresh = cr.Problem(X, np.sign(X[:, 0]), loss="margin", skip=True)
    with monkeypatch.context() as patch:
        patch.setattr(free_fit, "run_model", lambda *_: None)
        assert free_fit.meets_for_free(fresh, Clock(0.0)) is None
    assert free_fit.meets_for_free(fresh, Clock()) is not None  # what there was no time for is not known
