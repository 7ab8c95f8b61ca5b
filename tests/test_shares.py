"""The relaxation of shares of the samples: a proof of the whole, put together."""

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.by_multipliers import bound_by
from cvxrelu.certificate.certificate import certificate_of
from cvxrelu.pricing.points import Points
from cvxrelu.relaxation import relaxed_rounds, rule, shares
from cvxrelu.runtime.clock import Clock
from tests.instances import LOSSES, make_problem
from tests.test_checker import checker

FEW = 12


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch):
    monkeypatch.setattr(shares, "SHARE", FEW)
    monkeypatch.setattr(rule, "MANY", 2 * FEW)


def best_constant(problem):
    return cr.Network(np.zeros((0, problem.n_features)), [], [], float(problem.y.mean()))


def instance(loss, **options):
    """Three shares in the plane, where optima are proven by sweeps."""
    return make_problem(loss, 3 * FEW, **({"alpha": 0.05} | options))


def rounds_of(problem, target=np.inf, clock=None, most_work=np.inf, n_jobs=1):
    return shares.relaxed_shares(problem, clock or Clock(), target, most_work, n_jobs)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bias", ["free", "joint", "none"])
def test_bounds_are_below_the_optimum_and_proven_again(loss, bias):
    problem = instance(loss, bias=bias)
    optimum = cr.solve(problem, tol=1e-4, random_state=0).certificate.upper
    *_, last = rounds_of(problem, optimum)
    assert 0 < last.bound.lower <= optimum
    again = bound_by(problem, last.bound.dual, last.bound.multipliers)
    assert again.lower == pytest.approx(last.bound.lower, rel=1e-9)


@pytest.mark.parametrize("options", [{"skip": True}, {"negative_slope": 0.3}, {"output_sign": "positive"}], ids=str)
def test_other_problems(options):
    problem = instance("squared", **options)
    optimum = cr.solve(problem, tol=1e-4, random_state=0).certificate.upper
    *_, last = rounds_of(problem, optimum)
    assert 0 < last.bound.lower <= optimum


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
def test_weights_are_copies(loss):
    """A weight of two is a sample twice: the same relaxation, whose copies are dealt to the same share."""
    problem = instance(loss)
    counts = np.arange(problem.n_samples) % 2 + 1
    weighted = cr.Problem(problem.X, problem.y, loss, alpha=0.05, sample_weight=counts)
    copies = cr.Problem(np.repeat(problem.X, counts, axis=0), np.repeat(problem.y, counts), loss, alpha=0.05)
    first, second = (next(rounds_of(p)).bound.lower for p in (weighted, copies))
    assert first > 0
    optimum = cr.solve(weighted, tol=1e-4, random_state=0).certificate.upper
    assert max(first, second) <= optimum
    # Shares of a copy are as large as their numbers of samples, not their weights.
    assert first == pytest.approx(second, rel=0.1)


def test_one_share_is_the_relaxation_itself(monkeypatch):
    problem = instance("squared")
    monkeypatch.setattr(shares, "SHARE", problem.n_samples)
    whole = next(relaxed_rounds(problem, clock=Clock()))
    assert next(rounds_of(problem)).bound.lower == pytest.approx(whole.bound.lower, rel=1e-9)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_the_whole_is_worth_the_mean_of_its_shares(loss):
    """Each as a problem of its own, which knows of its own places only: a little more is proven of it."""
    problem = instance(loss, n_features=3)
    points = Points.prepare(problem.X, problem.bias, 0.0)
    apart = 0.0
    for places in shares._dealt(points):
        rows = np.isin(points.place, places)
        part = cr.Problem(problem.X[rows], problem.y[rows], loss, alpha=0.05)
        apart += rows.mean() * next(relaxed_rounds(part, clock=Clock())).bound.lower
    assert next(rounds_of(problem)).bound.lower == pytest.approx(apart, rel=0.1)


def test_cuts_raise_the_bound():
    problem = instance("squared", n_features=3)
    first, second, *_ = (state.bound.lower for state in rounds_of(problem, problem.objective(best_constant(problem))))
    assert second > first * (1 + 1e-3)


def test_other_processes_prove_the_same():
    problem = instance("squared", n_features=3)
    target = problem.objective(best_constant(problem))
    alone, together = (list(rounds_of(problem, target, n_jobs=n_jobs)) for n_jobs in (1, 2))
    assert len(alone) > 1
    for one, two in zip(alone, together, strict=True):
        assert (one.bound.lower, one.cuts, one.work) == (two.bound.lower, two.cuts, two.work)
        np.testing.assert_array_equal(one.bound.dual, two.bound.dual)


def test_certificates_are_files_that_the_checker_believes(tmp_path):
    problem = instance("squared", n_features=3)
    network = cr.solve(problem, prove=False, random_state=0).network
    *_, last = rounds_of(problem, problem.objective(network))
    certificate = certificate_of(problem, network, last.bound)
    assert certificate.scope == "global"
    path = tmp_path / "shares.json"
    certificate.save(path)
    assert cr.load_certificate(path).lower == pytest.approx(certificate.lower, rel=1e-9)
    assert checker.main([str(path)]) == 0


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
def test_solve_takes_shares_where_samples_are_many():
    problem = instance("squared", n_features=8)
    fit = cr.solve(problem, tol=1e-3, random_state=0)
    assert fit.certificate.method == "relaxation"
    assert 0 < fit.certificate.lower <= fit.objective


def test_it_ends_where_there_is_no_time_and_where_it_is_too_much_work():
    problem = instance("squared")
    assert not list(rounds_of(problem, clock=Clock(0.0)))
    assert not list(rounds_of(problem, most_work=1.0))
