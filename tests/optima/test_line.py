"""One input: the set of optimal networks against the closed forms of the function space."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import cvxrelu as cr
from cvxrelu.function_space import envelope, is_min_norm, minimum_cost, sparsest_interpolant
from cvxrelu.line.piecewise import PiecewiseLinear
from tests.function_space.instances import lattice_data, random_data
from tests.instances import SIX_X, SIX_Y, SLOPES


def optima_of(x, y, slope=0.0):
    return cr.optimal_set(cr.solve(cr.Problem(np.asarray(x)[:, None], y, negative_slope=slope)))


def assert_agrees(x, y, slope=0.0):
    """Check the band, its uniqueness, and the least number of knots."""
    optima, band = optima_of(x, y, slope), envelope(x, y, slope)
    assert optima.exhaustive
    assert optima.center.objective == pytest.approx(minimum_cost(x, y, slope), rel=1e-9, abs=1e-12)
    order = np.sort(x)
    reach = np.ptp(x) + 1
    places = np.concatenate([[order[0] - 0.7 * reach], order, order[:-1] + 0.37 * np.diff(order), [order[-1] + reach]])
    extremes = optima.extreme_predictions(places[:, None])
    scale = 1 + np.abs(extremes.upper).max()
    np.testing.assert_allclose(extremes.lower, band.lower(places), atol=1e-8 * scale)
    np.testing.assert_allclose(extremes.upper, band.upper(places), atol=1e-8 * scale)
    assert optima.has_unique_function == band.is_unique
    sparsest = optima.sparsest(exact=True, count="hinges")
    assert sparsest.exact
    assert sparsest.count == sparsest_interpolant(x, y, slope).n_knots
    for member in (optima.center, sparsest, optima.sparsest(), *extremes.lowest, *extremes.highest):
        assert abs(member.relative_gap) <= 1e-7


@given(lattice_data(most=6), st.sampled_from((0.0, 0.3, -0.5, 2.0)))
@settings(derandomize=True, deadline=None, max_examples=40, phases=[Phase.explicit, Phase.generate])
def test_degenerate_data(data, slope):
    assert_agrees(*data, slope)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("seed", range(3))
def test_random_data(slope, seed):
    assert_agrees(*random_data(np.random.default_rng(seed), 7), slope)


def test_six_points_have_three_knots_at_cost_thirty():
    optima = optima_of(SIX_X[:, 0], SIX_Y)
    assert optima.center.objective == pytest.approx(30, rel=1e-12)
    assert optima.sparsest(count="hinges").count == 3
    sparsest = optima.sparsest(exact=True, count="hinges")
    assert sparsest.count == 3
    knots = np.unique((-sparsest.network.b / sparsest.network.W[:, 0]).round(6))
    np.testing.assert_allclose(knots, [-0.6, 0.0, 0.6], atol=1e-6)
    assert optima.dimension == 3
    assert len(optima.vertices()) == 8


def test_fewest_neurons_are_those_of_the_cheapest_network_of_few_knots():
    """Three knots of jumps +-10 and balanced end slopes: one of them has to face both ways."""
    x, y = SIX_X[:, 0], SIX_Y
    assert optima_of(x, y).sparsest(exact=True).count == sparsest_interpolant(x, y).to_network(0.0).n_neurons == 4


def test_members_are_minimum_norm_interpolants():
    x, y = np.array([0.0, 1, 2, 3, 4.5]), np.array([0.0, 1.0, 2.5, 3.7, 3.0])
    band = envelope(x, y)
    grid = np.linspace(-3, 8, 200)
    for member in optima_of(x, y).sample(20, random_state=0):
        function = PiecewiseLinear.from_network(member.network)
        assert is_min_norm(function, x, y)
        values = member.network(grid[:, None])
        assert (values >= band.lower(grid) - 1e-8).all()
        assert (values <= band.upper(grid) + 1e-8).all()


def test_a_tent_is_unique():
    optima = optima_of([0.0, 1.0, 2.0], [0.0, 1.0, 0.0])
    assert optima.is_unique
    assert optima.has_unique_function
    assert optima.dimension == 0
    assert len(optima.vertices()) == 1


def test_samples_fill_the_band():
    x, y = SIX_X[:, 0], SIX_Y
    values = [float(member.network([[0.0]])[0]) for member in optima_of(x, y).sample(300, random_state=1)]
    assert min(values) < 1.2
    assert max(values) > 1.6
