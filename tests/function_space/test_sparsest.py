import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvxrelu.function_space import envelope, is_min_norm, minimum_cost, sparsest_interpolant
from tests.function_space.instances import SIX_X, SIX_Y, SLOPES, fewest_knots, lattice_data, random_data

# The mixed-integer program may spend this much more than the least cost; jumps of lattice data are far larger.
SLACK = 1e-7


def test_six_points_take_three_knots():
    bends = sparsest_interpolant(SIX_X, SIX_Y).second_derivative()
    assert bends.positions == pytest.approx([-0.6, 0.0, 0.6], abs=1e-15)
    assert bends.jumps == pytest.approx([10.0, -10.0, 10.0])


@given(lattice_data(most=8), st.sampled_from(SLOPES))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_no_interpolant_of_least_cost_has_fewer_knots(data, slope):
    x, y = data
    function = sparsest_interpolant(x, y, slope)
    assert is_min_norm(function, x, y, slope)
    budget = minimum_cost(x, y, slope) * (1 + SLACK) + 1e-9
    assert function.n_knots == fewest_knots(x, y, slope, budget)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("n", [5, 10])
def test_fewest_on_irregular_data(slope, n):
    rng = np.random.default_rng(n)
    for y in (rng.standard_normal(n), rng.standard_normal(n) + 5 * np.arange(n), np.arange(n) ** 2.0):
        x = np.sort(rng.standard_normal(n))
        function = sparsest_interpolant(x, y, slope)
        assert is_min_norm(function, x, y, slope)
        assert function.n_knots == fewest_knots(x, y, slope, minimum_cost(x, y, slope) * (1 + 1e-9))


def test_a_run_of_m_turns_takes_half_of_m():
    for m in range(8):
        x = np.arange(m + 2.0)
        assert sparsest_interpolant(x, (x - (m + 1) / 2) ** 2).n_knots == (m + 1) // 2


def test_an_excess_may_cost_a_knot_or_none():
    # Steep and nearly straight: c = 1, 1 is one knot; the excess joins the run only if that is odd.
    assert sparsest_interpolant([0.0, 1, 2], [0.0, 10, 21]).n_knots == 1
    assert sparsest_interpolant([0.0, 1, 2, 3], [0.0, 10, 21, 33]).n_knots == 2
    assert sparsest_interpolant([0.0, 1, 2, 3], [0.0, 10, 20, 30]).n_knots == 1
    # Concave and rising: here it joins the run after the data, with opposite sign.
    bends = sparsest_interpolant([0.0, 1, 2], [0.0, 11, 21]).second_derivative()
    assert bends.positions == pytest.approx([(1 * 1 + 10 * 2) / 11])
    assert bends.jumps == pytest.approx([-11.0])


def test_straight_up_to_rounding_is_straight():
    x = np.linspace(0, 1, 100_001)
    for y in (3 * x - 1, np.abs(3 * x - 1.5), 1e6 + x / 7):
        function = sparsest_interpolant(x, y)
        assert function.n_knots == 1
        assert is_min_norm(function, x, y)


def test_many_small_turns_are_not_rounding():
    x = 1 + np.arange(200_000) * 1e-9
    y = (x - 1) ** 2 * 1e4
    function = sparsest_interpolant(x, y)
    assert np.abs(function(x) - y).max() <= 1e-14
    assert is_min_norm(function, x, y, rtol=1e-6)


def test_large_noisy_data():
    x, y = random_data(np.random.default_rng(3), 20_000)
    function = sparsest_interpolant(x, y)
    assert is_min_norm(function, x, y)
    turns = envelope(x, y).signs
    run_ends = np.flatnonzero(np.diff(turns) != 0)
    lengths = np.diff(np.concatenate([[-1], run_ends, [len(turns) - 1]]))
    assert function.n_knots == sum(
        (m + 1) // 2 for m, sign in zip(lengths, turns[np.append(run_ends, -1)], strict=True) if sign
    )
