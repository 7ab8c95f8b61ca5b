import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvxrelu.function_space import envelope, is_min_norm, min_norm_interpolant, minimum_cost, sparsest_interpolant
from tests.function_space.instances import SIX_X, SIX_Y, SLOPES, extreme_value, lattice_data, random_data

# Linear programs meet their constraints to 1e-7, which a bound can feel amplified by the distance beyond the data.
LP_ATOL = 1e-5


def assert_bounds_match(x, y, slope, places):
    band, budget = envelope(x, y, slope), minimum_cost(x, y, slope)
    for place in places:
        grid = np.unique(np.append(x, place))
        for sign, bound in ((1, band.lower), (-1, band.upper)):
            expected = extreme_value(grid, x, y, slope, budget * (1 + 1e-10), place, sign)
            assert bound(place) == pytest.approx(expected, abs=LP_ATOL)


@given(lattice_data(most=6), st.sampled_from(SLOPES), st.integers(-16, 15))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_bounds_are_those_of_linear_programs(data, slope, half):
    assert_bounds_match(*data, slope, [half / 2 + 0.25])


@pytest.mark.parametrize("slope", SLOPES)
def test_bounds_on_irregular_data(slope):
    x, y = random_data(np.random.default_rng(4), 7)
    assert_bounds_match(x, y + 3 * x, slope, np.linspace(x.min() - 1, x.max() + 1, 12))


@given(lattice_data(), st.sampled_from(SLOPES), st.integers(0, 2**16))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_members_are_optimal_and_in_the_band(data, slope, seed):
    x, y = data
    band = envelope(x, y, slope)
    places = np.linspace(-9, 9, 301)
    lower, upper = band.lower(places), band.upper(places)
    assert (lower <= upper).all()
    for member in (
        *band.sample(4, random_state=seed),
        min_norm_interpolant(x, y, slope),
        sparsest_interpolant(x, y, slope),
    ):
        assert is_min_norm(member, x, y, slope, rtol=1e-9)
        values = member(places)
        assert (lower - 1e-9 <= values).all()
        assert (values <= upper + 1e-9).all()
    assert band.lower(x) == pytest.approx(y, abs=1e-12)
    assert band.upper(x) == pytest.approx(y, abs=1e-12)
    assert band.is_unique == bool(np.allclose(lower, upper, rtol=0, atol=1e-12))


def test_members_fill_the_band():
    band = envelope(SIX_X, SIX_Y)
    places = np.array([-0.4, 0.0, 0.1, 0.4])
    values = np.array([member(places) for member in band.sample(500, random_state=0)])
    lower, upper = band.lower(places), band.upper(places)
    inside = upper > lower
    assert inside.tolist() == [False, True, True, False]
    share = (values[:, inside] - lower[inside]) / (upper - lower)[inside]
    assert (share.min(axis=0) < 0.05).all()
    # At 0.0 the bound is the tip of the single member with the fewest knots, which chance comes near but rarely.
    assert (share.max(axis=0) > [0.75, 0.9]).all()


def test_sampling_is_reproducible():
    first, second = (envelope(SIX_X, SIX_Y).sample(3, random_state=5) for _ in range(2))
    assert all(np.array_equal(a.knots, b.knots) for a, b in zip(first, second, strict=True))


def test_excess_leaves_the_outside_open():
    band = envelope([0.0, 1.0], [0.0, 1.0])
    assert (band.lower(-1.0), band.upper(-1.0)) == (-1.0, 0.0)
    assert (band.lower(2.0), band.upper(2.0)) == (1.0, 2.0)
    assert band.lower(0.5) == band.upper(0.5) == 0.5
    assert envelope([1.0], [2.0]).is_unique
    assert envelope([1.0], [2.0]).upper([-5.0, 5.0]).tolist() == [2.0, 2.0]
