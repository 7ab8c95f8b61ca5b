"""Sliding reaches the optimum that column generation proves."""

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.analysis.alpha_max import SEARCH_SHARE, default_alpha
from cvxrelu.generation import primal_rule
from cvxrelu.generation.loop import generate
from cvxrelu.generation.sliding import _Layout, can_slide, merged
from cvxrelu.problem.network import Network
from cvxrelu.program.options import Options
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.endings import Cause
from tests.instances import make_problem, normal_data
from tests.sliding import check_blocks, check_gradient


def teacher(loss, bias="free", n_samples=60, slope=0.0):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, 3)) + 2.0
    y = np.maximum(X @ [1.0, -1.0, 0.5] - 1.0, 0) + 0.3 * rng.standard_normal(n_samples)
    labels = np.where(y > np.median(y), 1.0, -1.0)
    alpha = 0.03
    return cr.Problem(X, labels if loss == "logistic" else y, loss=loss, bias=bias, alpha=alpha, negative_slope=slope)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize(("bias", "slope"), [("free", 0.0), ("joint", 0.2), ("none", -0.5), ("free", 2.0)])
def test_gradients_are_those_of_the_objective(loss, bias, slope):
    problem, rng = teacher(loss, bias, slope=slope), np.random.default_rng(1)
    b = np.zeros(4) if bias == "none" else rng.standard_normal(4)
    network = Network(rng.standard_normal((4, 3)), b, rng.standard_normal(4), 0.5 * (bias == "free"), slope)
    check_gradient(problem, network, _Layout(problem, 4))


@pytest.mark.parametrize("slope", [0.0, -0.5])
def test_blocks_and_single_precision_make_no_difference(monkeypatch, slope):
    problem, rng = teacher("squared", n_samples=300, slope=slope), np.random.default_rng(1)
    check_blocks(monkeypatch, lambda single: _Layout(problem, 4, single), rng.standard_normal(4 * 5 + 1))


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("bias", ["free", "joint"])
def test_sliding_finds_what_column_generation_finds(loss, bias):
    problem = teacher(loss, bias)
    proven = cr.solve(problem, "generate", tol=1e-4, max_rounds=12, random_state=0, prove=True)
    slid = cr.solve(problem, "generate", tol=1e-4, random_state=0, prove=False)
    assert slid.status in (cr.Status.UNPROVEN, cr.Status.OPTIMAL)
    assert slid.objective <= proven.objective * (1 + 1e-3)
    assert slid.objective >= proven.certificate.lower


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
def test_many_samples_slide_and_are_proven(monkeypatch):
    monkeypatch.setattr(primal_rule, "MANY_SAMPLES", 50)
    fit = cr.solve(teacher("squared"), "generate", tol=1e-3, random_state=0, time_limit=60.0)
    assert 0 < fit.certificate.lower <= fit.objective
    assert fit.certificate.scope == "global"


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
def test_rounds_make_it_reproducible_and_are_told():
    one, two = (cr.solve(teacher("squared"), "generate", max_rounds=2, random_state=3, prove=False) for _ in range(2))
    assert one.network == two.network
    assert one.status is cr.Status.STOPPED


def test_only_smooth_penalised_losses_slide():
    assert [can_slide(teacher(loss)) for loss in ("squared", "logistic")] == [True, True]
    X, y = np.eye(3), np.array([1.0, -1.0, 1.0])
    assert not can_slide(cr.Problem(X, y, loss="hinge", alpha=0.1))
    assert not can_slide(cr.Problem(X, y))


def test_merging_costs_no_more():
    problem = teacher("squared")
    network = Network([[1.0, 0, 0], [1.0, 1e-3, 0], [1.0, 0, 0]], [0.1, 0.1, 0.1], [1.0, 2.0, -1.0])
    one = merged(problem, network)
    assert one.n_neurons == 2
    assert one.cost() <= network.cost()
    np.testing.assert_allclose(one(problem.X), network(problem.X), atol=1e-3)


def test_a_gap_may_be_a_share_of_another_scale():
    """Of almost no loss a hundredth takes many rounds to lose, and of that of the best constant few."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 8))
    y = np.abs(X[:, 0]) + 0.3 * rng.standard_normal(150)
    problem, options = cr.Problem(X, y, "squared", alpha=3e-3), Options(tol=1e-2, prove=False, random_state=0)
    scale = float(np.var(y)) / 2
    near, rough = (list(generate(problem, options, Clock(), scale=size)) for size in (0.0, scale))
    assert near[-1].upper < 0.3 * scale
    assert len(rough) < len(near)
    assert near[-1].upper <= rough[-1].upper <= near[-1].upper + options.tol * scale


def test_the_default_strength_follows_the_units():
    problem = teacher("squared")
    larger = cr.Problem(1e3 * problem.X, 10 * problem.y, loss="squared", alpha=1.0)
    assert default_alpha(larger) == pytest.approx(1e4 * default_alpha(problem), rel=1e-3)
    assert default_alpha(cr.Problem(problem.X, np.ones(60), loss="squared", alpha=1.0)) == 1.0
    with pytest.raises(cr.InputError, match="has no alpha_max"):
        default_alpha(cr.Problem(problem.X, problem.y))


def test_a_strength_is_found_in_any_time():
    problem = make_problem("squared", 60, 4)
    assert 0 < default_alpha(problem, Clock(0.0)) <= default_alpha(problem) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("estimator", "searches"),
    [(cr.ReLURegressor(time_limit=60.0), 1), (cr.ReLUClassifier(multi_class="ovr", time_limit=60.0), 3)],
)
def test_the_time_of_a_fit_includes_that_for_its_strength(estimator, searches, monkeypatch):
    limits = []

    def noted(problem, clock):
        limits.append(clock.limit)
        return default_alpha(problem, clock)

    monkeypatch.setattr("cvxrelu.estimators.base.default_alpha", noted)
    X, y = normal_data(30)
    estimator.fit(X, np.digitize(y, [-0.5, 0.5]))
    assert len(limits) == searches
    assert limits[0] <= 60.0 * SEARCH_SHARE / searches
    assert max(limits) <= 60.0 * SEARCH_SHARE


def wedge_in_space():
    """Forty points of a wedge and noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 3))
    return cr.Problem(X, np.abs(X[:, 0]) + 0.1 * rng.standard_normal(40), "squared", alpha=1e-3)


@pytest.mark.parametrize("max_rounds", [1, 3, 6])
def test_rounds_of_both_kinds_count(monkeypatch, max_rounds):
    monkeypatch.setattr(primal_rule, "SEVERAL_SAMPLES", 10)
    problem = wedge_in_space()
    rounds = list(generate(problem, Options(tol=1e-9, max_rounds=max_rounds, random_state=0), Clock()))
    assert len(rounds) == max_rounds
    assert rounds[-1].cause is Cause.ROUNDS


def test_both_masters_find_one_optimum(monkeypatch):
    monkeypatch.setattr(primal_rule, "SEVERAL_SAMPLES", 10)
    problem = wedge_in_space()
    whole = cr.solve(problem, tol=1e-6, random_state=0)
    assert whole.status is cr.Status.OPTIMAL
    monkeypatch.undo()
    assert whole.objective == pytest.approx(cr.solve(problem, random_state=0).objective, rel=1e-6)
