"""Balanced networks, normalised margins, and the bound on the error that they give."""

from dataclasses import replace

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.pricing import make_pricer
from tests.instances import BIASES, SLOPES, make_problem


def random_network(bias, slope=0.0):
    rng = np.random.default_rng(0)
    W, b, v = rng.standard_normal((6, 2)), rng.standard_normal(6), rng.standard_normal(6)
    W[0], v[1] = 0.0, 0.0  # a constant neuron and an idle one
    if bias == "none":
        return cr.Network(W[1:], np.zeros(5), v[1:], 0.0, slope)
    return cr.Network(W, b, v, -0.8, slope)


def sum_of_squares(network, bias):
    biases = np.sum(network.b**2) if bias == "joint" else 0.0
    return np.sum(network.W**2) + np.sum(network.v**2) + biases


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("bias", BIASES)
def test_half_the_squares_of_a_balanced_network_are_its_cost(bias, slope):
    network = random_network(bias, slope)
    balanced = network.balanced(bias)
    X = np.random.default_rng(1).standard_normal((20, 2))
    np.testing.assert_allclose(balanced(X), network(X), rtol=1e-12, atol=1e-12)
    assert balanced.cost(bias) == pytest.approx(network.cost(bias), rel=1e-12)
    assert sum_of_squares(balanced, bias) / 2 == pytest.approx(network.cost(bias), rel=1e-12)
    assert sum_of_squares(network, bias) / 2 >= network.cost(bias) - abs(network.intercept) * (bias == "joint")


@pytest.mark.parametrize("bias", BIASES)
def test_normalised_networks_have_unit_weights(bias):
    network = random_network(bias)
    normalised = network.normalised(bias)
    X = np.random.default_rng(1).standard_normal((20, 2))
    assert sum_of_squares(normalised, bias) == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(normalised(X), network(X) / (2 * network.cost(bias)), rtol=1e-12, atol=1e-14)
    y = np.sign(network(X))
    assert network.normalised_margin(X, y, bias) == pytest.approx(np.min(np.abs(normalised(X))), rel=1e-12)


@pytest.mark.parametrize("bias", ["free", "joint"])
def test_the_fit_of_least_cost_has_the_largest_normalised_margin(bias):
    problem = make_problem("margin", n_samples=12, bias=bias)
    fit = cr.solve(problem)
    best = cr.max_margin(fit.certificate)
    margin = fit.network.normalised_margin(problem.X, problem.y, bias)
    assert best.lower == pytest.approx(margin, rel=1e-9)
    assert best.lower <= best.upper <= best.lower * (1 + 2e-6)
    assert best.l1 == (2 * best.lower, 2 * best.upper)
    rng = np.random.default_rng(0)
    for seed in range(5):  # other networks that separate: interpolants of targets of those signs
        targets = problem.y * (1 + rng.random(12))
        other = cr.solve(cr.Problem(problem.X, targets, bias=bias), random_state=seed).network
        assert 0 < other.normalised_margin(problem.X, problem.y, bias) <= best.upper


def test_the_margin_of_two_points():
    fit = cr.solve(cr.Problem([[-1.0], [1.0]], [-1, 1], loss="margin"))  # least cost 1: a slope of one
    assert fit.network.normalised_margin([[-1.0], [1.0]], [-1, 1]) == pytest.approx(0.5, rel=1e-6)


def test_the_bound_follows_its_formula():
    bounds = [cr.generalisation_bound(0.2, np.sqrt(2), n, 0.01) for n in (10**4, 10**6)]
    assert bounds[0] / bounds[1] == pytest.approx(10, rel=1e-12)
    assert cr.generalisation_bound(0.1, 1.0, 10**4) > cr.generalisation_bound(0.2, 1.0, 10**4)
    assert cr.generalisation_bound(0.1, 1.0, 10**4, negative_slope=-2.0) == cr.generalisation_bound(0.1, 2.0, 10**4)
    by_hand = 4 * 1 / (0.1 * 100) + np.sqrt(np.log(np.log2(40)) / 10**4) + np.sqrt(np.log(20) / 10**4)
    assert cr.generalisation_bound(0.1, 1.0, 10**4) == pytest.approx(by_hand, rel=1e-12)


def test_what_is_out_of_range_is_a_sentence():
    assert cr.generalisation_bound(1e-300, 1e300, 10) == np.inf
    for radius, slope in ((0.0, 0.0), (1e308, 100.0)):
        with pytest.raises(
            cr.InputError, match=f"radius={radius:g} must be positive, and times the slope".replace("+", ".")
        ):
            cr.generalisation_bound(0.1, radius, 10, negative_slope=slope)
    with pytest.raises(cr.InputError, match="have no rows"):
        cr.Network([[1.0]], [0.0], [1.0]).normalised_margin(np.empty((0, 1)), [])


def test_the_rademacher_complexity_behind_the_bound():
    """sup over unit u of abs(mean_i e_i sigma(u.z_i)) / 2, on average over signs e, is at most D / sqrt(n)."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2))
    X /= np.linalg.norm(X, axis=1).max()
    pricer = make_pricer(X, "none")
    draws = [pricer(rng.choice([-1.0, 1.0], 40)).value / (2 * 40) for _ in range(50)]
    assert np.mean(draws) <= 1 / np.sqrt(40)


def test_what_cannot_be_normalised_is_refused():
    constant = cr.Network(np.empty((0, 1)), [], [], 1.0)
    with pytest.raises(cr.InputError, match="cannot be normalised"):
        constant.normalised()
    with pytest.raises(cr.InputError, match="bias='free'"):
        constant.balanced("none")
    with pytest.raises(cr.InputError, match="one entry for each row of X"):
        random_network("free").normalised_margin([[1.0, 2.0]], [1, -1])
    with pytest.raises(cr.InputError, match="loss 'margin'"):
        cr.max_margin(cr.solve(cr.Problem([[0.0], [1.0]], [0.0, 1.0])).certificate)
    for margin, delta in ((0.0, 0.1), (0.6, 0.1), (0.1, 1.0)):
        with pytest.raises(cr.InputError):
            cr.generalisation_bound(margin, 1.0, 100, delta)


@pytest.mark.parametrize(
    ("v", "labels", "refused"),
    [
        ([1.0, -1.0], [0, 1], r"labels -1 and \+1, but is something else in row 0;"),
        ([1.0, -1.0], [1, 2], "something else in row 1"),
        (np.eye(2), [-1, 1], r"labels 0, \.\.\., K - 1 of K = 2 outputs, but is something else in row 0;"),
        (np.eye(2), [0, 5], "something else in row 1"),
        (np.eye(2), [0.5, 1], "something else in row 0"),
        (np.eye(2), [0, np.nan], "NaN"),
    ],
)
def test_margins_are_those_of_labels(v, labels, refused):
    network = cr.Network(W=np.eye(2), b=[0.0, 0.0], v=v)
    assert network.normalised_margin(np.eye(2), [1, 1]) < 0  # one class is enough
    with pytest.raises(cr.InputError, match=refused):
        network.normalised_margin(np.eye(2), labels)


def test_sampled_patterns_say_nothing_about_the_largest_margin():
    fit = cr.solve(make_problem("margin", n_samples=12), "sample", random_state=0)
    assert fit.certificate.scope == "sampled"
    with pytest.raises(cr.InputError, match="global certificate"):
        cr.max_margin(fit.certificate)


def test_a_loose_bound_on_the_cost_is_a_loose_bound_on_the_margin():
    certificate = cr.solve(make_problem("margin", n_samples=8)).certificate
    loose = cr.max_margin(replace(certificate, lower=certificate.upper / 4))
    assert loose.lower == cr.max_margin(certificate).lower
    assert loose.upper == pytest.approx(4 * loose.lower, rel=1e-12)
    assert cr.max_margin(replace(certificate, lower=0.0)).upper == np.inf


def test_what_separates_for_free_has_no_largest_margin():
    problem = cr.Problem([[-1.0], [0.0], [1.0], [2.0]], [-1, -1, 1, 1], loss="margin", skip=True)
    assert cr.max_margin(cr.solve(problem).certificate).lower == np.inf
