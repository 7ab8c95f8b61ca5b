import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cvxrelu as cr
from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.function_space import (
    PiecewiseLinear,
    function_cost,
    is_min_norm,
    min_norm_interpolant,
    minimum_cost,
)
from tests.function_space.instances import SIX_X, SIX_Y, SLOPES, lattice_data, least_cost, random_data

SIX_COST = {0.0: 30.0, 0.1: 100 / 3, -0.3: 300 / 13, -1.0: 15.0, 2.0: 30.0}


@pytest.mark.parametrize("slope", SLOPES)
def test_six_points(slope):
    assert minimum_cost(SIX_X, SIX_Y, slope) == pytest.approx(SIX_COST[slope], rel=1e-14)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("n", [2, 3, 6])
def test_agrees_with_the_exact_pipeline(slope, n):
    x, y = random_data(np.random.default_rng(n), n)
    fit = cr.solve(cr.Problem(x[:, None], y, negative_slope=slope), method="enumerate")
    assert minimum_cost(x, y, slope) == pytest.approx(fit.objective, rel=1e-7)
    function = PiecewiseLinear.from_network(fit.network)
    assert function_cost(function, slope) == pytest.approx(fit.objective, rel=1e-6)
    assert is_min_norm(function, x, y, slope, rtol=1e-6)


@given(lattice_data(), st.sampled_from(SLOPES))
@settings(derandomize=True, deadline=None, max_examples=150)
def test_is_the_least_cost_of_a_linear_program(data, slope):
    x, y = data
    value = minimum_cost(x, y, slope)
    assert value == pytest.approx(least_cost(np.sort(x), x, y, slope), rel=1e-8, abs=1e-9)
    function = min_norm_interpolant(x, y, slope)
    assert function(x) == pytest.approx(y, abs=1e-12)
    assert function_cost(function, slope) == pytest.approx(value, rel=1e-12, abs=1e-15)
    assert is_min_norm(function, x, y, slope)


@given(lattice_data(), st.sampled_from(SLOPES), st.floats(0.1, 10), st.floats(-5, 5))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_scales_and_shifts(data, slope, scale, shift):
    x, y = data
    value = minimum_cost(x, y, slope)
    assert minimum_cost(x, 3 * y + shift, slope) == pytest.approx(3 * value, rel=1e-9, abs=1e-9)
    assert minimum_cost(scale * x, y, slope) == pytest.approx(value / scale, rel=1e-9)
    assert minimum_cost(-x, -y, slope) == pytest.approx(value, rel=1e-12)


def test_equal_samples_count_once_and_order_does_not_matter():
    x, y = np.tile(SIX_X, 2), np.tile(SIX_Y, 2)
    order = np.random.default_rng(0).permutation(12)
    assert minimum_cost(x[order], y[order]) == pytest.approx(30.0)
    assert minimum_cost(x[order][:, None], y[order]) == pytest.approx(30.0)
    assert min_norm_interpolant(x[order], y[order]).is_close(min_norm_interpolant(SIX_X, SIX_Y))


def test_one_and_two_points():
    assert minimum_cost([3.0], [2.0]) == 0.0
    assert min_norm_interpolant([3.0], [2.0])([-1.0, 9.0]).tolist() == [2.0, 2.0]
    assert minimum_cost([0.0, 2.0], [0.0, 2.0]) == 1.0
    assert minimum_cost([0.0, 2.0], [0.0, 2.0], 3.0) == pytest.approx(1 / 3)
    assert minimum_cost([0.0, 2.0], [5.0, 5.0], -1.0) == 0.0


def test_infinite_cost_without_opposite_end_slopes():
    ramp = PiecewiseLinear([0.0], [0.0], 0.0, 1.0)
    assert function_cost(ramp, -1.0) == np.inf
    assert function_cost(ramp) == 1.0
    assert not is_min_norm(ramp, [1.0, 2.0], [1.0, 2.0], -1.0)
    assert is_min_norm(ramp, [1.0, 2.0], [1.0, 2.0])
    assert not is_min_norm(ramp, [1.0, 2.0], [1.0, 2.1])


@pytest.mark.parametrize(
    ("x", "y", "slope", "error", "words"),
    [
        ([0.0, 1.0, 0.0], [0.0, 1.0, 2.0], 0.0, InputError, "rows 0, 2 are equal"),
        ([0.0, np.nan], [0.0, 1.0], 0.0, InputError, "row 1"),
        ([0.0, 1.0], [0.0], 0.0, InputError, "shape"),
        ([], [], 0.0, InputError, "at least one"),
        ([[0.0, 1.0]], [0.0], 0.0, InputError, "2 columns"),
        ([0.0, 1.0], [0.0, 1.0], 1.0, InputError, "negative_slope=1"),
        ([0.0, 1.0], [0.0, 1.0], "a", InputTypeError, "negative_slope"),
        ([0.0, 5e-324], [0.0, 1.0], 0.0, InputError, "overflows"),
    ],
)
def test_refuses_unusable_data(x, y, slope, error, words):
    with pytest.raises(error, match=words):
        minimum_cost(x, y, slope)


def test_million_points_are_a_sum():
    rng = np.random.default_rng(0)
    x = rng.permutation(1_000_000) / 1024
    y = np.abs(x - 400.0)
    assert minimum_cost(x, y) == pytest.approx(2.0, rel=1e-9)
