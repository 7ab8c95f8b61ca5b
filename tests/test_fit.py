"""The whole way: data in, certified network out, against closed forms and independent programs."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cvxrelu as cr
from tests.direct import optimum_by_brute_force
from tests.instances import (
    BIASES,
    LOSSES,
    NEEDS_ECOS,
    OTHERS,
    REGULARISED,
    RULES,
    SIX_X,
    SIX_Y,
    SLOPES,
    assert_certified,
    line_cost,
    line_cost_by_lp,
    make_problem,
    normal_data,
)

METHODS = ("enumerate", "generate")


@pytest.mark.parametrize(("slope", "cost"), list(zip(SLOPES, (30, 100 / 3, 300 / 13, 15, 30), strict=True)))
def test_six_points_free(slope, cost):
    fit = cr.solve(cr.Problem(SIX_X, SIX_Y, negative_slope=slope))
    assert_certified(fit)
    np.testing.assert_allclose(fit.objective, cost, rtol=1e-8)


def test_six_points_joint():
    fit = cr.solve(cr.Problem(SIX_X, SIX_Y, bias="joint"))
    assert_certified(fit)
    np.testing.assert_allclose(fit.objective, 10 + 20 * np.sqrt(1.36), rtol=1e-8)


@pytest.mark.parametrize(("n_samples", "cost"), [(10, 11.6500765), (20, 96.939186), (30, 110.28147)])
def test_random_labels_in_the_plane(n_samples, cost):
    fit = cr.solve(cr.Problem(*normal_data(n_samples)), "enumerate")
    assert_certified(fit)
    np.testing.assert_allclose(fit.objective, cost, rtol=1e-7)


@pytest.mark.parametrize("method", ["enumerate", "generate"])
@pytest.mark.parametrize("slope", SLOPES)
def test_one_input_against_the_closed_form(slope, method):
    for seed in range(4):
        X, y = normal_data(7, 1, seed)
        fit = cr.solve(cr.Problem(X, y, negative_slope=slope), method)
        assert_certified(fit)
        np.testing.assert_allclose(fit.objective, line_cost(X[:, 0], y, slope), rtol=3e-7)
        np.testing.assert_allclose(fit.objective, line_cost_by_lp(X[:, 0], y, slope), rtol=3e-7)


@pytest.mark.parametrize(("loss", "bias", "slope"), list(itertools.product(LOSSES, BIASES, (0.0, 0.3, -1.0))))
def test_against_the_program_written_out(loss, bias, slope):
    problem = make_problem(loss, n_samples=7, bias=bias, negative_slope=slope)
    fit = cr.solve(problem)
    assert_certified(fit)
    np.testing.assert_allclose(fit.objective, optimum_by_brute_force(problem), rtol=1e-5)


@pytest.mark.parametrize("loss", OTHERS, ids=repr)
@pytest.mark.parametrize(("bias", "slope", "method"), list(itertools.product(BIASES, (0.0, -1.0), METHODS)))
def test_parameters_against_the_program_written_out(loss, bias, slope, method):
    X, y = normal_data(7)
    y[0] += 5.0
    problem = cr.Problem(X, y, loss=loss, bias=bias, alpha=0.02, negative_slope=slope)
    fit = cr.solve(problem, method)
    assert_certified(fit)
    assert problem.loss.allows(fit.certificate.dual, y)
    np.testing.assert_allclose(fit.objective, optimum_by_brute_force(problem), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", OTHERS, ids=repr)
def test_the_line_and_the_plane_agree_for_parameters(loss):
    X, y = normal_data(15, 1)
    problem = cr.Problem(X, y, loss=loss, alpha=0.02)
    fits = [cr.solve(problem, method) for method in ("line", *METHODS)]
    for fit in fits:
        assert_certified(fit)
        np.testing.assert_allclose(fit.objective, fits[0].objective, rtol=2e-6)


@pytest.mark.parametrize("loss", ["huber", "absolute", "quantile", *OTHERS], ids=repr)
@pytest.mark.parametrize(("offset", "unit"), [(1e6, 1.0), (0.0, 1e-6), (-3e4, 1e6)])
def test_units_of_targets_with_parameters(loss, offset, unit):
    """f(t y + m) = t f(y) + m: Huber's delta is in the unit of the targets, and shares are in none."""
    X, y = normal_data(9)
    plain = cr.Problem(X, y, loss=loss, alpha=0.02)
    degree = 2 if plain.loss.name == "huber" else 1
    moved = cr.Huber(plain.loss.delta * unit) if plain.loss.name == "huber" else plain.loss
    problem = cr.Problem(X, offset + unit * y, loss=moved, alpha=0.02 * unit ** (degree - 1))
    fits = cr.solve(plain), cr.solve(problem)
    assert all(0 <= fit.certificate.relative_gap <= 1e-6 for fit in fits)
    np.testing.assert_allclose(fits[1].objective, unit**degree * fits[0].objective, rtol=3e-6)


@pytest.mark.parametrize(("loss", "bias", "slope"), list(itertools.product(LOSSES, BIASES, SLOPES)))
def test_every_loss_bias_and_slope_is_certified(loss, bias, slope):
    assert_certified(cr.solve(make_problem(loss, n_samples=12, seed=1, bias=bias, negative_slope=slope)))


@pytest.mark.parametrize(("n_features", "bias"), list(itertools.product((1, 3, 4), ("free", "joint"))))
def test_other_dimensions(n_features, bias):
    fit = cr.solve(make_problem("squared", n_samples=8, n_features=n_features, bias=bias), "enumerate")
    assert_certified(fit)


@pytest.mark.parametrize(
    ("solver", "gap"), [("CLARABEL", 1e-6), pytest.param("ECOS", 1e-6, marks=NEEDS_ECOS), ("SCS", 1e-3)]
)
@pytest.mark.parametrize("loss", LOSSES)
def test_solvers_agree(solver, gap, loss):
    problem = make_problem(loss, n_samples=8)
    fit = cr.solve(problem, solver=solver, tol=gap)
    assert_certified(fit, gap)
    np.testing.assert_allclose(fit.objective, cr.solve(problem).objective, rtol=gap)


def test_dual_vector_of_the_example():
    fit = cr.solve(cr.Problem(SIX_X, SIX_Y))
    v = fit.certificate.dual / fit.certificate.gamma
    np.testing.assert_allclose(v @ SIX_Y, 30, rtol=1e-8)


def test_strong_regularisation_leaves_the_constant():
    X, y = normal_data(15)
    fit = cr.solve(cr.Problem(X, y, loss="squared", alpha=100.0))
    assert_certified(fit)
    assert fit.network.n_neurons == 0
    np.testing.assert_allclose(fit.network.intercept, y.mean())


def test_constant_targets_cost_nothing():
    fit = cr.solve(cr.Problem(normal_data(6)[0], np.full(6, 3.5)))
    assert fit.objective == 0
    assert fit.certificate.lower == 0
    np.testing.assert_allclose(fit.predict(np.zeros((1, 2))), [3.5])


@pytest.mark.parametrize("bias", BIASES)
def test_one_sample(bias):
    fit = cr.solve(cr.Problem([[3.0, 4.0]], [2.0], bias=bias))
    expected = {"free": 0.0, "joint": 2 / np.sqrt(26), "none": 2 / 5}[bias]
    np.testing.assert_allclose(fit.objective, expected, rtol=1e-6, atol=1e-12)
    assert fit.certificate.scope == "global"


def test_more_features_than_samples():
    assert_certified(cr.solve(make_problem(n_samples=4, n_features=6)))


DEGENERATE = {
    "lattice": np.array([[i, j] for i in range(3) for j in range(3)], dtype=float),
    "collinear": np.array([[t, 2 * t] for t in range(6)], dtype=float),
    "duplicates": np.repeat(normal_data(4)[0], 2, axis=0),
    "constant column": np.column_stack([normal_data(6)[0][:, 0], np.full(6, 7.0)]),
    "all equal": np.ones((4, 2)),
    "near duplicates": np.vstack([normal_data(5)[0], np.nextafter(normal_data(5)[0][:1], 9.0)]),
}


@pytest.mark.parametrize(("name", "loss"), list(itertools.product(DEGENERATE, REGULARISED)))
def test_degenerate_data(name, loss):
    X = DEGENERATE[name]
    y = normal_data(len(X), seed=3)[1]
    if RULES[loss].labels:
        y = np.where(y > np.median(y), 1.0, -1.0)
    problem = cr.Problem(X, y, loss=loss, alpha=0.05)
    fit = cr.solve(problem)
    assert_certified(fit)
    np.testing.assert_allclose(fit.objective, optimum_by_brute_force(problem), rtol=1e-5)


@pytest.mark.parametrize("name", ["lattice", "collinear", "constant column"])
def test_degenerate_interpolation(name):
    X = DEGENERATE[name]
    assert_certified(cr.solve(cr.Problem(X, normal_data(len(X), seed=4)[1])))


@pytest.mark.parametrize("loss", ["interpolation", "squared", "margin"])
@pytest.mark.parametrize(("offset", "unit"), [(1e6, 1.0), (0.0, 1e-6), (0.0, 1e6), (-1e4, 1e3)])
def test_translation_and_units_change_nothing(loss, offset, unit):
    base = make_problem(loss, n_samples=10)
    alpha = None if base.alpha is None else base.alpha * unit
    moved = cr.Problem(base.X * unit + offset * unit, base.y, loss=loss, alpha=alpha)
    fit = cr.solve(moved)
    assert_certified(fit)
    scale = 1.0 if loss == "squared" else 1 / unit
    np.testing.assert_allclose(fit.objective, cr.solve(base).objective * scale, rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_of_the_targets(unit):
    base = make_problem("squared", n_samples=10)
    fit = cr.solve(cr.Problem(base.X, base.y * unit + 5 * unit, loss="squared", alpha=base.alpha * unit))
    assert_certified(fit)
    np.testing.assert_allclose(fit.objective, cr.solve(base).objective * unit**2, rtol=1e-6)


@settings(derandomize=True, deadline=None, max_examples=25)
@given(
    data=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(-2, 2)), min_size=2, max_size=7),
    bias=st.sampled_from(BIASES),
    slope=st.sampled_from((0.0, 0.5, -1.0)),
)
def test_small_integer_data(data, bias, slope):
    rows = np.array(data, dtype=float)
    problem = cr.Problem(rows[:, :2], rows[:, 2], loss="squared", alpha=0.1, bias=bias, negative_slope=slope)
    fit = cr.solve(problem)
    assert fit.certificate.relative_gap <= 1e-6 or fit.objective <= 1e-12
    assert fit.network.n_neurons <= len(rows)


def test_sampled_patterns_claim_nothing_global():
    problem = make_problem(n_samples=12)
    best = cr.solve(problem).objective
    fit = cr.solve(problem, "sample", random_state=0)
    assert fit.certificate.scope == "sampled"
    assert fit.status is cr.Status.SAMPLED
    assert fit.objective >= best * (1 - 1e-7)
    again = cr.solve(problem, "sample", random_state=0)
    assert again.network == fit.network


def test_samples_for_constraints_follow_the_seed_too():
    fits = [cr.solve(make_problem(n_samples=20, n_features=3), "sample", random_state=seed) for seed in (0, 0, 1)]
    assert fits[0].network == fits[1].network != fits[2].network


def test_auto_enumerates_tiny_data_and_says_why(caplog):
    caplog.set_level("INFO", "cvxrelu")
    for n_samples, method in ((6, "enumerate"), (40, "generate")):
        fit = cr.solve(make_problem("squared", n_samples=n_samples))
        assert fit.method == method
        assert "patterns" in fit.history[0].note
        assert f"method {method!r}" in caplog.text


@pytest.mark.parametrize(("loss", "slope"), list(itertools.product(LOSSES, SLOPES)))
def test_methods_agree_on_the_line(loss, slope):
    problem = make_problem(loss, n_samples=10, n_features=1, negative_slope=slope)
    fits = [cr.solve(problem, method) for method in ("line", "generate", "enumerate")]
    for fit in fits:
        assert_certified(fit)
    np.testing.assert_allclose([fit.objective for fit in fits], fits[0].objective, rtol=1e-6)


def test_fits_are_deterministic():
    problem = make_problem("logistic")
    assert cr.solve(problem).network == cr.solve(problem).network


def test_history_and_progress(capsys):
    fit = cr.solve(make_problem(), progress=True)
    (row,) = fit.history
    assert row.patterns == cr.count_patterns(9, 2)
    assert row.upper == fit.objective
    assert row.lower == fit.certificate.lower
    assert row.seconds > 0
    assert "certifying" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["enumerate", "line"])
def test_optimal_means_a_gap_of_at_most_tol(method):
    """These methods do not look at tol, so that one network is judged by several."""
    problem = make_problem("squared", n_samples=8, n_features=1)
    gap = cr.solve(problem, method).certificate.relative_gap
    assert 0 < gap < 1e-6
    assert cr.solve(problem, method, tol=gap * 1.01).status is cr.Status.OPTIMAL
    with pytest.warns(cr.AccuracyWarning):
        assert cr.solve(problem, method, tol=gap / 2).status is cr.Status.INACCURATE
