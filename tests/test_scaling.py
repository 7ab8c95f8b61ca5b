"""Scaled coordinates: features and targets that are equal stay so, and networks come back as they were."""

import numpy as np
import pytest

import cvxrelu as cr
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
