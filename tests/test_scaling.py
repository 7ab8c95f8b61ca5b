"""Scaled coordinates: features and targets that are equal stay so, and networks come back as they were."""

from dataclasses import replace

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.program.groups import as_solution, occupied, to_network
from cvxrelu.program.scaling import Scaling, standardise
from tests.instances import BIASES, normal_data

# Seven times 0.1 over seven is not 0.1 in floats, nor is the mean of such numbers.
UNEVEN = np.array([0.1, 0.2 - 0.1, 0.3 - 0.2, 0.1, 0.1, 0.1, 0.1])


def test_a_feature_of_equal_values_is_exactly_zero():
    X, y = normal_data(7, 1)
    scaling = Scaling.of(cr.Problem(np.column_stack([X, np.full(7, 0.1)]), y, loss="squared", alpha=0.1))
    assert scaling.lifted.shape == (7, 2)  # the other feature, and ones
    scaling = Scaling.of(cr.Problem(np.full((7, 2), 0.1), y, loss="squared", alpha=0.1))
    assert not scaling.lifted[:, :-1].any()


def test_rounding_of_equal_targets_is_not_blown_up():
    standard, _ = standardise(cr.Problem(normal_data(7)[0], UNEVEN, loss="squared", alpha=0.1))
    assert np.ptp(UNEVEN) > 0
    assert np.abs(standard.y).max() < 1e-15


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("slope", [0.0, -2.0])
def test_networks_come_back_with_their_function_and_cost(bias, slope):
    """Scaled objectives are objectives: loss and cost are scaled alike."""
    X, y = normal_data(8)
    problem = cr.Problem(3 * X + 5, 7 * y - 2, loss="squared", alpha=0.3, bias=bias, negative_slope=slope)
    standard, scaling = standardise(problem)
    rng = np.random.default_rng(0)
    biases = np.zeros(5) if bias == "none" else rng.standard_normal(5)
    constant = 0.4 if bias == "free" else 0.0
    scaled = cr.Network(rng.standard_normal((5, 2)), biases, rng.standard_normal(5), constant, slope)
    network = scaling.restore(scaled)
    expected = scaling.y_scale * scaled(standard.X) + scaling.y_center
    np.testing.assert_allclose(network(problem.X), expected, rtol=1e-10, atol=1e-10)
    objective = scaling.objective_scale * standard.objective(scaled)
    assert problem.objective(network) == pytest.approx(objective, rel=1e-10)
    W, b = scaling.adopt(network.W, network.b)
    np.testing.assert_allclose(standard.norm.neuron_costs(W, b), 1.0, rtol=1e-10)


def flat_rows(offset):
    """Three indicators, whose sum is one, and a feature of other values, away from the origin."""
    other = [0.1, 0.5, -0.3, 1.0, 2.0, -1.0]
    return np.column_stack([np.eye(3)[[0, 1, 2, 0, 1, 2]], other]) + offset


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("offset", [0.0, 100.0, 1e6])
def test_neurons_enter_with_their_values_on_the_data_however_they_lie_to_it(bias, offset):
    X, rng = flat_rows(offset), np.random.default_rng(0)
    scaling = Scaling.of(cr.Problem(X, normal_data(6)[1], loss="squared", alpha=0.02, bias=bias))
    W, b = rng.standard_normal((5, 4)), rng.standard_normal(5) * (bias != "none")
    values = X @ W.T + b
    np.testing.assert_allclose(scaling.lifted @ scaling.enter(W, b).T, values, atol=1e-14 * (1 + 1e2 * offset))


@pytest.mark.parametrize("offset", [0.0, 100.0, 1e6])
def test_a_network_that_is_the_same_on_the_data_is_as_good_a_start(offset):
    """Of all weights that predict the same on indicators, those at hand need not be the least ones."""
    X, y = flat_rows(offset), normal_data(6)[1]
    problem = cr.Problem(X, y, loss="squared", alpha=0.02)
    fit = cr.solve(problem, random_state=0)
    assert fit.certificate.relative_gap < 1e-6
    more = np.array([0.25, 0.25, 0.25, 0.0])
    same = replace(fit.network, W=fit.network.W + more, b=fit.network.b - more @ X[0])
    np.testing.assert_allclose(same(X), fit.network(X), atol=1e-8)
    solution = as_solution(problem, same, np.zeros(6))
    back = to_network(problem, solution.scaling, occupied(solution, 0.0, 0.0))
    np.testing.assert_allclose(back(X), fit.network(X), atol=1e-8)
    assert problem.objective(back) == pytest.approx(fit.objective, rel=1e-6)


@pytest.mark.parametrize("loss", ["squared", "softmax"])
@pytest.mark.parametrize("offset", [0.0, 100.0, 1e6])
def test_several_outputs_of_indicators_far_from_the_origin(loss, offset):
    """Neurons that joined were others than those priced, and dead: their output weights were 0 / 0."""
    Y = np.array([[1.0, -1], [0, 2], [0.5, 0.5], [-1, 0], [2, 1], [0, -1]])
    problem = cr.Problem(flat_rows(offset), Y if loss == "squared" else [0, 1, 2, 0, 2, 1], loss, alpha=0.02)
    objectives = [cr.solve(problem, prove=False, tol=1e-4, random_state=seed).objective for seed in range(2)]
    at_origin = cr.Problem(flat_rows(0.0), problem.y, loss, alpha=0.02)
    best = cr.solve(at_origin, prove=False, tol=1e-4, random_state=0).objective
    np.testing.assert_allclose(objectives, best, rtol=3e-3)
