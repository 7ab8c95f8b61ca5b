import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvxrelu import InputError, Network
from cvxrelu.function_space import PiecewiseLinear, cheapest_network, function_cost, sparsest_interpolant
from tests.function_space.instances import SIX_X, SIX_Y, SLOPES

PLACES = np.linspace(-20, 20, 401)


@st.composite
def functions(draw, balanced=False):
    """Piecewise linear functions with integer knots, values and slopes, zero jumps included."""
    knots = draw(st.lists(st.integers(-8, 8), min_size=1, max_size=7, unique=True))
    values = draw(st.lists(st.integers(-4, 4), min_size=len(knots), max_size=len(knots)))
    left, right = draw(st.integers(-4, 4)), draw(st.integers(-4, 4))
    return PiecewiseLinear(np.sort(knots).astype(float), np.array(values), left, -left if balanced else right)


def fewest_neurons(function, slope):
    """One neuron a knot if signs exist with sum +-|c_k| = D, by trying all; one more otherwise."""
    bends = function.simplified().second_derivative()
    jumps = np.abs(bends.jumps[np.abs(bends.jumps) > 1e-12])
    if not len(jumps):
        return 0 if function.left_slope == 0 else 2
    if slope == -1:
        return len(jumps)
    target = (function.left_slope + function.right_slope) * (1 - slope) / (1 + slope)
    sums = [np.dot(signs, jumps) for signs in itertools.product((-1, 1), repeat=len(jumps))]
    return len(jumps) + (np.abs(np.array(sums) - target).min() > 1e-9)


@given(functions(), st.sampled_from([slope for slope in SLOPES if slope != -1]))
@settings(derandomize=True, deadline=None, max_examples=200)
def test_round_trip_at_least_cost_and_width(function, slope):
    check_network(function, slope)


@given(functions(balanced=True))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_round_trip_of_the_absolute_value(function):
    check_network(function, -1.0)


def check_network(function, slope):
    network = function.to_network(slope)
    assert network(PLACES[:, None]) == pytest.approx(function(PLACES), abs=1e-9)
    assert network.cost() == pytest.approx(function_cost(function, slope), rel=1e-12, abs=1e-12)
    assert network.n_neurons == fewest_neurons(function, slope)
    assert PiecewiseLinear.from_network(network).is_close(function)


@given(st.integers(0, 2**16), st.sampled_from(SLOPES))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_from_any_network(seed, slope):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 8))
    W = rng.standard_normal((count, 1)) * (rng.uniform(size=(count, 1)) < 0.8)
    network = Network(W, rng.integers(-2, 3, count), rng.standard_normal(count), rng.standard_normal(), slope)
    function = PiecewiseLinear.from_network(network)
    assert function(PLACES) == pytest.approx(network(PLACES[:, None]), rel=1e-9, abs=1e-9)
    assert function_cost(function, slope) <= network.cost() * (1 + 1e-9) + 1e-12
    again = cheapest_network(function, slope)
    assert again(PLACES[:, None]) == pytest.approx(network(PLACES[:, None]), rel=1e-8, abs=1e-8)


def test_knots_are_where_neurons_bend():
    network = Network([[2.0], [-4.0], [0.0]], [-3.0, 2.0, 7.0], [1.0, 0.5, 1.0], 0.25, -0.5)
    bends = PiecewiseLinear.from_network(network).second_derivative()
    assert bends.positions.tolist() == [0.5, 1.5]
    assert bends.jumps == pytest.approx([1.5 * 0.5 * 4, 1.5 * 1.0 * 2])


def test_six_points_take_one_neuron_a_dot_or_four_for_three_knots():
    dots = PiecewiseLinear(SIX_X, SIX_Y, -5.0, 5.0)
    assert dots.to_network().n_neurons == 4
    sparsest = sparsest_interpolant(SIX_X, SIX_Y)
    assert (sparsest.n_knots, sparsest.to_network().n_neurons) == (3, 4)
    assert sparsest.to_network().cost() == pytest.approx(30.0)


def test_signs_are_found_among_thirty_knots_and_a_split_beyond():
    rng = np.random.default_rng(0)
    for count, extra in ((30, 0), (31, 1)):
        jumps = rng.integers(1, 1000, count) * np.where(rng.uniform(size=count) < 0.5, 1.0, -1.0)
        faces = np.where(rng.uniform(size=count) < 0.5, 1.0, -1.0)
        network = Network(faces[:, None], -faces * np.arange(count), jumps)
        function = PiecewiseLinear.from_network(network)
        back = function.to_network()
        assert back.cost() == pytest.approx(np.abs(jumps).sum())
        assert back.n_neurons == count + extra
        assert back(PLACES[:, None]) == pytest.approx(network(PLACES[:, None]), abs=1e-6)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("n_knots", [31, 1000, 20_000])
def test_rounding_stays_out_of_sight_between_many_random_values(n_knots, slope):
    rng = np.random.default_rng(n_knots)
    end = rng.standard_normal()
    function = PiecewiseLinear(np.arange(n_knots) / n_knots, rng.standard_normal(n_knots), end, -end)
    network = cheapest_network(function, slope)
    assert n_knots <= network.n_neurons <= n_knots + 1
    assert network.cost() == pytest.approx(function_cost(function, slope), rel=1e-12)
    # Partial sums are no larger than the jumps, and nothing accumulates: an error is that of one jump over one gap.
    largest = np.abs(function.second_derivative().jumps).max()
    assert abs(network.intercept) <= 4 * largest
    np.testing.assert_allclose(network(function.knots[:, None]), function.values, rtol=0, atol=1e-15 * largest)


def test_all_facing_one_way_takes_one_neuron_a_knot_however_many():
    knots = np.arange(1.0, 501.0)
    network = Network(np.ones((500, 1)), -knots, np.sin(knots) ** 2)
    assert PiecewiseLinear.from_network(network).to_network().n_neurons == 500


def test_refuses_what_no_network_computes():
    ramp = PiecewiseLinear([0.0], [0.0], 0.0, 1.0)
    with pytest.raises(InputError, match="opposite end slopes"):
        ramp.to_network(-1.0)
    with pytest.raises(InputError, match="negative_slope=1"):
        ramp.to_network(1.0)
    with pytest.raises(InputError, match="2 inputs"):
        PiecewiseLinear.from_network(Network([[1.0, 2.0]], [0.0], [1.0]))


def test_a_neuron_that_has_almost_died_hides_no_other():
    """Weight decay leaves weights of 1e-14, whose hinges are 1e14 away from all others."""
    network = Network(np.array([[1.0], [1.0], [1e-14]]), np.array([0.0, -1.0, 1.0]), np.array([1.0, -2.0, 1e-14]))
    assert function_cost(PiecewiseLinear.from_network(network)) == pytest.approx(3.0)
