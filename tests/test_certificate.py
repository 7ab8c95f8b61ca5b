"""Certificates: nothing a solver says can make one false."""

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cvxrelu as cr
from cvxrelu.arrangement import enumerate_patterns
from cvxrelu.certificate.bounds import bound_dual
from cvxrelu.certificate.evaluation import evaluate
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.pricing import make_pricer
from tests.instances import BIASES, LOSSES, SIX_X, SIX_Y, make_problem

CASES = [
    (make_problem(loss, n_samples=8, bias=bias, negative_slope=slope))
    for loss, bias, slope in itertools.product(LOSSES, BIASES, (0.0, -0.3))
]
fit_of = functools.cache(lambda case: cr.solve(CASES[case]))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    case=st.integers(0, len(CASES) - 1),
    noise=st.lists(st.floats(-1, 1), min_size=8, max_size=8),
    size=st.sampled_from((1e-12, 1e-3, 1.0, 1e3)),
    scale=st.sampled_from((-1.0, 1e-6, 1.0, 1e6)),
)
def test_no_dual_vector_proves_too_much(case, noise, size, scale):
    problem, fit = CASES[case], fit_of(case)
    dual = scale * (fit.certificate.dual + size * np.array(noise))
    certificate = certify_dual(problem, fit.network, dual)
    assert 0 <= certificate.lower <= fit.objective * (1 + 1e-9)
    assert certificate.scope == "global"


@pytest.mark.parametrize("loss", LOSSES)
def test_wild_dual_vectors_give_finite_bounds(loss):
    problem = make_problem(loss)
    network = cr.solve(problem).network
    for dual in (np.zeros(9), np.full(9, 1e300), np.eye(9)[0] * 1e-300, -problem.y):
        certificate = certify_dual(problem, network, dual)
        assert 0 <= certificate.lower <= certificate.upper


def test_a_worse_network_gets_its_gap():
    problem = cr.Problem(SIX_X, SIX_Y)
    fit = cr.solve(problem)
    wasteful = cr.Network(
        np.vstack([fit.network.W, [[1.0], [1.0]]]),
        np.append(fit.network.b, [5.0, 5.0]),
        np.append(fit.network.v, [3.0, -3.0]),
        fit.network.intercept,
    )
    certificate = certify_dual(problem, wasteful, fit.certificate.dual)
    np.testing.assert_allclose(certificate.upper, 36.0)
    np.testing.assert_allclose(certificate.relative_gap, 6 / 36, rtol=1e-6)


def test_a_network_that_misses_the_data_has_an_infinite_upper_bound():
    problem = cr.Problem(SIX_X, SIX_Y)
    network = cr.Network([[1.0]], [0.0], [1.0])
    certificate = certify_dual(problem, network, cr.solve(problem).certificate.dual)
    assert certificate.upper == np.inf
    assert certificate.relative_gap == np.inf
    assert certificate.residual > 0.1
    np.testing.assert_allclose(certificate.lower, 30.0, rtol=1e-8)


def test_scaling_a_dual_vector_of_a_constraint_changes_nothing():
    problem = cr.Problem(SIX_X, SIX_Y)
    fit = cr.solve(problem)
    bounds = [certify_dual(problem, fit.network, t * fit.certificate.dual).lower for t in (1e-8, 1.0, 1e8)]
    np.testing.assert_allclose(bounds, 30.0, rtol=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bias", BIASES)
def test_all_patterns_searched_one_by_one_give_the_same_bound(loss, bias):
    problem = make_problem(loss, n_samples=8, bias=bias)
    fit = cr.solve(problem)
    patterns = enumerate_patterns(problem.X, bias != "none").to_bool()
    certificate = certify_dual(problem, fit.network, fit.certificate.dual, patterns=patterns)
    assert certificate.scope == "sampled"
    np.testing.assert_allclose(certificate.lower, fit.certificate.lower, rtol=1e-7)


@pytest.mark.parametrize("bias", BIASES)
def test_gamma_bounds_random_neurons(bias):
    problem = make_problem("squared", n_samples=10, bias=bias, negative_slope=0.2)
    certificate = cr.solve(problem).certificate
    rng = np.random.default_rng(0)
    units = rng.standard_normal((20_000, 2 + (bias == "joint")))
    units /= np.linalg.norm(units, axis=1)[:, None]
    biases = {"free": 2 * rng.standard_normal(20_000), "joint": units[:, -1], "none": np.zeros(20_000)}[bias]
    t = problem.X @ units[:, :2].T + biases
    scores = certificate.dual @ np.where(t >= 0, t, 0.2 * t)
    assert 0.9 * certificate.gamma < np.abs(scores).max() <= certificate.gamma


@pytest.mark.parametrize("loss", LOSSES)
def test_an_interrupted_search_proves_what_its_upper_bound_does(loss):
    """It is the upper bound on gamma that counts, whatever was found."""
    problem = make_problem(loss, 9, 3)
    dual = cr.solve(problem).certificate.dual
    pricer = make_pricer(problem.X)
    whole = bound_dual(problem, dual, pricer)
    loose = bound_dual(problem, dual, lambda v: replace(pricer(v), upper=10 * pricer(v).upper, complete=False))
    assert 0 < loose.lower < whole.lower
    if problem.loss.regularised:
        assert loose.gamma == pytest.approx(10 * whole.gamma)
    else:
        assert loose.lower == pytest.approx(whole.lower / 10)


def test_a_bound_that_a_network_contradicts_proves_nothing():
    problem = cr.Problem(SIX_X, SIX_Y, "squared", alpha=0.01)
    fit = cr.solve(problem)
    bound = bound_dual(problem, fit.certificate.dual, make_pricer(problem.X))
    forged = bound_dual(problem, fit.certificate.dual, lambda v: replace(make_pricer(problem.X)(v), upper=1e-3))
    assert evaluate(problem, fit.network, bound, exact=True).lower > 0.99 * fit.objective
    assert forged.lower > 1.5 * fit.objective
    assert evaluate(problem, fit.network, forged, exact=True).lower == 0.0
