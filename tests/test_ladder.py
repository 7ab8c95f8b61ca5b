"""Whatever the numbers: a regularised problem gets a network, none worse than a constant, and a status that is true."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import cvxrelu as cr
from cvxrelu.generation import column_rounds, columns
from cvxrelu.generation.oracle import Oracle
from cvxrelu.problem.network import constant_network
from cvxrelu.program.options import Options
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.endings import Cause
from cvxrelu.solving import ladder
from cvxrelu.solving.choice import methods_to_try
from cvxrelu.solving.methods import METHODS, generate
from cvxrelu.solving.methods.method import Method
from cvxrelu.solving.run import Outcome, Run
from tests.hostile import hostile_problem
from tests.instances import BIASES, REGULARISED, RULES, make_problem, normal_data

TOL = 1e-6


def solve(problem, method="auto", **options):
    """Solve with errors for all warnings but the one that is promised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        return cr.solve(problem, method, **options)


def least_of_constants(problem):
    """The objective of the best constant, by its formula."""
    y, free = problem.y, problem.bias == "free"
    constants = [0.0, y.mean(), np.median(y), *y, 1.0, -1.0] if free else [0.0]
    if free and problem.loss.name == "logistic":
        constants.append(np.log((y > 0).sum() / (y < 0).sum()))
    if free and problem.loss.name == "huber":
        found = minimize_scalar(lambda c: sum(RULES["huber"].pays(c, t) for t in y), bounds=(y.min(), y.max()))
        constants.append(found.x)
    networks = [constant_network(float(c), problem.n_features, problem.negative_slope) for c in constants]
    return min(problem.objective(network) for network in networks)


def assert_honest(fit, tol=TOL):
    """Check that the status says what is proven, and that no constant is better."""
    certificate = fit.certificate
    closed = certificate.upper - certificate.lower <= tol * certificate.upper
    assert (fit.status in (cr.Status.OPTIMAL, cr.Status.SAMPLED)) == closed
    assert fit.status is not cr.Status.OPTIMAL or certificate.scope == "global"
    assert np.isfinite(fit.objective)
    assert fit.objective <= least_of_constants(fit.problem) * (1 + 1e-12)


def small_hostile_problems(count):
    """Yield hostile regularised problems of up to five samples in the plane, which are solved in no time."""
    for seed in range(1000):
        problem, options = hostile_problem(seed)
        if problem.loss.regularised and problem.n_samples <= 5 and problem.n_features <= 2:
            yield pytest.param(problem, options, id=f"{seed}-{problem.loss.name}-{problem.bias}-{options['method']}")
            count -= 1
            if not count:
                return


@pytest.mark.parametrize(("problem", "options"), list(small_hostile_problems(60)))
def test_hostile_problems(problem, options):
    assert_honest(solve(problem, **options))


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("loss", REGULARISED)
def test_a_constant_is_optimal_for_immense_alpha(loss, bias):
    problem = make_problem(loss, n_samples=7, alpha=1e12, bias=bias, negative_slope=-0.3)
    for method in ("auto", "generate", "enumerate", "sample"):
        fit = cr.solve(problem, method)
        assert fit.status is cr.Status.OPTIMAL
        assert fit.method == "constant"
        assert fit.network.n_neurons == 0
        np.testing.assert_allclose(fit.objective, least_of_constants(problem), rtol=1e-10)


@pytest.mark.parametrize("bias", ["free", "joint"])
@pytest.mark.parametrize("alpha", [1e-6, 1e-9, 1e-12])
def test_the_squared_loss_becomes_interpolation(alpha, bias):
    X, y = normal_data(7)
    cost = cr.solve(cr.Problem(X, y, bias=bias)).objective
    for method in ("auto", "generate", "enumerate"):
        fit = cr.solve(cr.Problem(X, y, loss="squared", alpha=alpha, bias=bias), method)
        assert_honest(fit)
        assert fit.status is cr.Status.OPTIMAL
        # The optimum is alpha * V less what bending towards the targets costs, which is of order alpha^2.
        np.testing.assert_allclose(fit.objective / alpha, cost, rtol=1e-6 + 1e3 * alpha)


@pytest.mark.parametrize("alpha", [1e-6, 1e-9])
def test_the_hinge_loss_becomes_the_margin(alpha):
    problem = make_problem("margin", n_samples=7)
    cost = cr.solve(problem).objective
    fit = cr.solve(cr.Problem(problem.X, problem.y, loss="hinge", alpha=alpha))
    assert fit.status is cr.Status.OPTIMAL
    np.testing.assert_allclose(fit.objective / alpha, cost, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"max_rounds": 1}, {"max_rounds": 2, "tol": 1e-2}])
@pytest.mark.parametrize("alpha", [1e-16, 1e-19, 1e-22])
def test_the_status_follows_the_gap(alpha, options):
    X, y = normal_data(8)
    fit = solve(cr.Problem(X, y, loss="squared", alpha=alpha), "generate", **options)
    assert_honest(fit, options.get("tol", TOL))


@pytest.mark.parametrize("size", [1e20, 1e56, 1e67, 1e-60])
@pytest.mark.parametrize("method", ["auto", "generate", "enumerate", "sample"])
def test_targets_of_any_size(size, method):
    X = [[0.0, 0.0, 0.0], [0, 0, 1], [1, 1, 1], [1, 0, 1]]
    y = np.array([10.8, -6.35, -0.19, 1.9]) * size
    assert_honest(solve(cr.Problem(X, y, loss="squared", alpha=0.01, negative_slope=0.1), method))


def test_columns_that_vanish_are_left_out():
    x = 1842189007245.0 + np.array([0.1255, 0.5103, 0.5715, 0.447, -0.0835, 3.2644, 0.877, 1.0532, -0.2231, 1.3777])
    y = [1, -1, 1, 1, -1, -1, -1, -1, -1, -1]
    problem = cr.Problem(x[:, None], y, loss="hinge", bias="joint", alpha=0.001, negative_slope=1e-300)
    assert_honest(solve(problem))


def no_luck(run):
    raise cr.SolverError("no luck")


def failing(name):
    """Return a method that takes what the one of this name takes, and fails."""
    return Method(name, no_luck, METHODS[name].unmet_need)


def test_auto_takes_the_next_method(monkeypatch):
    problem = make_problem("squared", n_samples=30)
    expected = cr.solve(problem)
    assert expected.method == "generate"
    monkeypatch.setitem(METHODS, "generate", failing("generate"))
    fit = cr.solve(problem)
    assert fit.method == "enumerate"
    assert fit.status is cr.Status.OPTIMAL
    assert "'generate' failed (no luck)" in fit.history[0].note
    np.testing.assert_allclose(fit.objective, expected.objective, rtol=TOL)


def test_without_a_proof_and_without_biases_samples_far_from_the_origin_are_told_apart():
    """They are all but one direction: of random neurons none tells them apart, and the fit ended 14 % too high."""
    rng = np.random.default_rng(0)
    kinds = np.eye(3)[rng.integers(0, 3, 11)]
    X = np.column_stack([kinds, rng.standard_normal(11)]) + np.array([1.0, 1000.0, 1000.0, 1000.0])
    problem = cr.Problem(X, np.where(rng.standard_normal(11) < 0, 1, -1), loss="logistic", alpha=0.0065, bias="none")
    best = cr.solve(problem)
    assert best.status is cr.Status.OPTIMAL
    for seed in range(3):
        assert cr.solve(problem, prove=False, random_state=seed).objective <= best.objective * (1 + 1e-4)


def test_without_a_proof_and_with_biases_that_cost_samples_far_from_the_origin_are_told_apart():
    """Hinges through samples whose normals are drawn in the space of the data are nearly one: 20 % too high."""
    rng = np.random.default_rng(8)
    X = rng.standard_normal((10, 3)) + np.array([1.0, 100.0, 10.0])
    y = np.abs(X[:, 0] - 1.0) + rng.standard_normal(10)
    problem = cr.Problem(X, y, loss=cr.Quantile(0.5), alpha=0.05, bias="joint", negative_slope=0.1)
    best = cr.solve(problem)
    assert best.status is cr.Status.OPTIMAL
    for seed in range(4):
        assert cr.solve(problem, prove=False, random_state=seed).objective <= best.objective * (1 + 1e-4)


def test_without_a_proof_an_open_gap_is_no_failure():
    fit = cr.solve(make_problem("squared", n_samples=12, n_features=3), prove=False)
    assert fit.method == "generate"


@pytest.mark.parametrize("method", ["auto", "generate"])
def test_where_all_fails_a_constant_is_left(monkeypatch, method):
    problem = make_problem("squared", n_samples=9)
    for name in METHODS:
        monkeypatch.setitem(METHODS, name, failing(name))
    with pytest.warns(cr.AccuracyWarning, match="relative gap"):
        fit = cr.solve(problem, method)
    assert_honest(fit)
    assert (fit.method, fit.network.n_neurons) == ("constant", 0)
    assert 0 < fit.certificate.lower < fit.objective


def test_the_best_round_stands(monkeypatch):
    problem, calls = make_problem("squared", n_samples=20, n_features=2, alpha=1e-3), []
    usual = column_rounds.solve_master

    def breaking(*args):
        calls.append(args)
        if len(calls) > 3:
            raise cr.SolverError("no luck")
        return usual(*args)

    monkeypatch.setattr(column_rounds, "solve_master", breaking)
    fit = solve(problem, "generate")
    assert_honest(fit)
    assert len(calls) in (4, 5)  # the last one is tried again with the columns that had been dropped
    assert fit.method == "generate"
    assert fit.objective < least_of_constants(problem)


@pytest.mark.parametrize("loss", ["squared", "interpolation"])
def test_what_a_method_found_before_it_failed_stands(loss, monkeypatch):
    def breaking(*_):
        raise MemoryError

    problem = make_problem(loss, n_samples=20, n_features=2, **({"alpha": 1e-3} if loss == "squared" else {}))
    whole = cr.solve(problem, "generate")
    monkeypatch.setattr(generate, "_finish", breaking)
    monkeypatch.setattr(generate, "_reduce", breaking)
    fit = solve(problem, "generate")
    assert_honest(fit)
    assert fit.method == "generate"
    assert fit.objective == pytest.approx(whole.objective, rel=1e-5)
    assert "needs more memory than there is" in fit.history[0].note


def test_a_constraint_that_nothing_meets_is_an_error(monkeypatch):
    for name in METHODS:
        monkeypatch.setitem(METHODS, name, failing(name))
    with pytest.raises(cr.SolverError, match="no luck"):
        cr.solve(make_problem())


def test_the_better_network_goes_with_the_better_bound():
    problem = make_problem("squared", n_samples=9)
    fit = cr.solve(problem)
    loose = solve(problem, "generate", max_rounds=1)
    outcomes = [Outcome(part.network, part.certificate, part.history, Cause.ROUNDS) for part in (fit, loose)]
    for pair in (outcomes, outcomes[::-1]):
        both = ladder._together(*pair)
        assert both.network is fit.network
        assert both.certificate.upper == fit.certificate.upper
        assert both.certificate.lower == max(fit.certificate.lower, loose.certificate.lower)


def test_a_method_that_does_not_fit_into_memory_is_one_that_failed():
    """Noise at random places so close that floats hold no interpolant, and too many for a dense master."""
    rng = np.random.default_rng(0)
    problem = cr.Problem(rng.uniform(-1, 1, (100_000, 1)), rng.standard_normal(100_000))
    with pytest.warns(cr.AccuracyWarning):
        fit = cr.solve(problem)
    assert fit.method == "line"
    assert fit.certificate.relative_gap < 0.1
    assert "needs more memory than there is" in fit.history[0].note


@pytest.mark.parametrize(("limit", "refused"), [(8 * 9 * 20, False), (8 * 9 * 20 - 1, True)])
def test_what_the_first_neurons_need_is_known_before_it_is_taken(limit, refused, monkeypatch):
    """Both hinges at every point, and two constants."""
    monkeypatch.setattr(columns, "default_max_memory", lambda: limit)
    monkeypatch.setattr(columns.Columns, "of", None if refused else columns.Columns.of)
    X, y = np.random.default_rng(0).standard_normal((2, 9))
    oracle = Oracle.of(cr.Problem(X[:, None], y, bias="joint"), Options(), Clock(None))
    if refused:
        with pytest.raises(MemoryError, match="1,440 bytes, more than the 1,439"):
            columns.starting_columns(oracle)
    else:
        assert len(columns.starting_columns(oracle)) >= 18


@pytest.mark.parametrize("seed", range(3))
def test_without_a_proof_the_next_method_takes_what_a_solver_leaves(seed):
    """A kink that is nothing beside the targets: the program on cells ended up to ten times above the optimum."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((25, 2)), 2e5 * rng.standard_normal(25)
    problem = cr.Problem(X, y, "huber", "none", alpha=2e-4, negative_slope=0.2)
    assert methods_to_try(problem)[0][0] == "enumerate"
    fit = cr.solve(problem, prove=False, random_state=0)
    assert fit.objective <= cr.solve(problem, "generate", tol=1e-4, random_state=0).objective * (1 + 1e-3)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_columns_in_unlike_units_are_named_where_a_proof_takes_long(scale):
    X = np.random.default_rng(0).standard_normal((20, 3)) * [min(scale, 1.0), scale, 0.0]
    asked = Run(cr.Problem(X, X[:, 0], "squared", alpha=0.1), Options(max_rounds=5), Clock(1.0))
    for cause in Cause:
        unlike = scale > 1 and cause in (Cause.PROOF, Cause.PROOF_TIME)
        assert ("StandardScaler" in asked.explain(cause)) == unlike


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("bias", ["free", "none"])
@pytest.mark.parametrize("slope", [0.5, -0.5, 3.0])
def test_beside_all_affine_functions_every_slope_is_slope_zero(slope, bias, outputs, monkeypatch):
    """As if no method could: costs are those of ReLU networks over abs(1 - slope), and the proof is of the slope."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((9, 2)), rng.standard_normal((9, 2))[:, :outputs].squeeze()
    relu = cr.solve(cr.Problem(X, y, "interpolation", bias, skip=True), tol=1e-4)

    def all_but(method):
        def outcomes(run):
            if run.problem.negative_slope:
                raise cr.SolverError("not with a slope")
            yield from method.outcomes(run)

        return replace(method, outcomes=outcomes)

    for name, method in METHODS.items():
        monkeypatch.setitem(METHODS, name, all_but(method))
    fit = cr.solve(cr.Problem(X, y, "interpolation", bias, skip=True, negative_slope=slope), tol=1e-4)
    assert fit.objective == pytest.approx(relu.objective / abs(1 - slope), rel=1e-4)
    assert fit.status is cr.Status.OPTIMAL
    assert "as ReLU" in fit.history[0].note
    np.testing.assert_allclose(fit.network(X), y, atol=1e-6)
    start = cr.Network(np.ones((1, 2)), [0.0], np.ones(1 if outputs == 1 else (1, 2)), 0.0 * y[0], slope)
    again = cr.solve(fit.problem, tol=1e-4, warm_start=start, prove=False)
    assert again.objective == pytest.approx(fit.objective, rel=1e-4)
    assert again.status is cr.Status.UNPROVEN
    joint = cr.Problem(X, y, "interpolation", "joint", skip=True, negative_slope=slope)
    with pytest.raises(cr.SolverError, match="not with a slope"):  # constants of its neurons cost
        cr.solve(joint)
    if outputs == 1 and slope > 1:
        positive = cr.Problem(X, y, "interpolation", bias, skip=True, negative_slope=slope, output_sign="positive")
        with pytest.raises(cr.SolverError, match="not with a slope"):  # other signs, as ReLU
            cr.solve(positive)
