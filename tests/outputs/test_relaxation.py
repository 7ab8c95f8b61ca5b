"""The relaxation of several outputs: its bound is one, whatever its multipliers are."""

from itertools import islice

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.norm_multipliers import bound_scores
from cvxrelu.certificate.norm_trees import NormMultipliers
from cvxrelu.generation import outputs_rounds
from cvxrelu.pricing.points import Points
from cvxrelu.relaxation import outputs, tighten
from cvxrelu.relaxation.outputs import relaxed_outputs
from cvxrelu.runtime.clock import Clock
from tests.outputs.test_pricing import draw, norms, random_units


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("slope", [0.0, -0.5])
@pytest.mark.parametrize("seed", range(3))
def test_any_multipliers_bound_all_scores(bias, slope, seed):
    X, V = draw(12, 4, 3, seed)
    rng = np.random.default_rng(seed)
    points = Points.prepare(X, bias, slope)
    pairs = np.array([(0, 1), (2, 3), (0, 5)])
    multipliers = NormMultipliers(pairs, rng.standard_normal((3, 3)), rng.random(12), rng.random(3))
    weights = points.weigh(V)
    bound = bound_scores(points, weights, multipliers) * 2.0**weights.exponent
    W, b = random_units(X, bias, 20_000, seed)
    assert norms(X, V, W, b, slope).max() <= bound
    none = NormMultipliers(np.empty((0, 2), dtype=int), np.empty((0, 3)), np.zeros(12), np.empty(0))
    assert norms(X, V, W, b, slope).max() <= bound_scores(points, weights, none) * 2.0**weights.exponent


@pytest.mark.parametrize("loss", ["squared", "huber", "interpolation", "softmax", "multiclass-margin"])
@pytest.mark.parametrize(("bias", "skip"), [("free", False), ("free", True), ("joint", False)])
def test_its_bound_is_below_what_is_proven_otherwise(loss, bias, skip):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((18, 3))
    labelled, regularised = loss in ("softmax", "multiclass-margin"), loss not in ("interpolation", "multiclass-margin")
    y = np.arange(18) % 3 if labelled else rng.standard_normal((18, 2)) + 5
    weights = {"alpha": 0.05, "sample_weight": rng.uniform(0.5, 2.0, 18)} if regularised else {}
    problem = cr.Problem(X, y, loss=loss, bias=bias, skip=skip, **weights)
    fit = cr.solve(problem, prove=False, tol=1e-3, random_state=0)
    lowers = [state.bound.lower for state in islice(tighten(problem, Clock(), fit.objective, False), 3)]
    assert len(lowers) > 1
    assert (np.diff(lowers) >= 0).all()
    assert 0.35 * fit.objective < lowers[-1] <= fit.objective


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
def test_what_is_open_when_all_rounds_are_used_is_relaxed(monkeypatch):
    monkeypatch.setattr(outputs_rounds, "MOST_ROUNDS", 1)
    rng = np.random.default_rng(0)
    problem = cr.Problem(rng.standard_normal((12, 5)), rng.standard_normal((12, 2)))
    certificate = cr.solve(problem, tol=0.95, random_state=0).certificate
    assert certificate.method == "relaxation"
    assert 0 < certificate.lower < certificate.upper


def test_wine_is_certified_in_its_thirteen_features():
    from sklearn.datasets import load_wine

    X, y = load_wine(return_X_y=True)
    X, y = ((X - X.mean(axis=0)) / X.std(axis=0))[::3], y[::3]
    problem = cr.Problem(X, y, loss="softmax", alpha=0.02)
    network = cr.solve(problem, prove=False, tol=1e-3, random_state=0).network
    certificate = cr.certify(network, problem, tol=0.3)
    assert certificate.scope == "global"
    assert certificate.method == "relaxation"
    assert 0 < certificate.relative_gap < 0.3


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e250, -1.0])
def test_multipliers_that_are_no_numbers_prove_nothing_false(bias, value):
    X, V = draw(6, 3, 2)
    points = Points.prepare(X, bias, 0.0)
    weights, pairs = points.weigh(V), np.array([(0, 1), (2, 3)])
    W, b = random_units(X, bias, 5000)
    largest = norms(X, V, W, b, 0.0).max()
    amounts, single, paired = np.full((2, 2), 0.1), np.ones(6), np.ones(2)
    for part in (amounts, single, paired):
        kept = part.copy()
        part[...] = value
        with np.errstate(all="ignore"):
            bound = bound_scores(points, weights, NormMultipliers(pairs, amounts, single, paired))
        assert bound * 2.0**weights.exponent >= largest
        part[...] = kept


def test_large_programs_are_solved_where_they_can_be_stopped(monkeypatch):
    X, Y = draw(12, 3, 2, 0)
    problem = cr.Problem(X, Y, "squared", alpha=0.05)
    calls = []

    def lowers(rounds):
        return [state.bound.lower for state in islice(relaxed_outputs(problem, Clock(), np.inf), rounds)]

    def noted(worker, clock, function, *given):
        calls.append(function)
        return function(*given)

    def late(*_):
        raise TimeoutError

    here = lowers(2)
    monkeypatch.setattr(outputs, "LARGE_PROGRAM", 0)
    with monkeypatch.context() as patch:
        patch.setattr(outputs.Worker, "call", noted)
        assert lowers(2) == here
        assert len(calls) == 2
        patch.setattr(outputs.Worker, "call", late)
        assert lowers(1) == []
    assert lowers(1) == pytest.approx(here[:1], rel=1e-9)
