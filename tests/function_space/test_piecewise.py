import numpy as np
import pytest

from cvxrelu import InputError, InputTypeError, Network
from cvxrelu.function_space import (
    KnotMeasure,
    PiecewiseLinear,
    envelope,
    function_cost,
    min_norm_interpolant,
    sparsest_interpolant,
)
from tests.function_space.instances import SIX_X, SIX_Y


def test_values_slopes_and_jumps():
    f = PiecewiseLinear([0.0, 1.0, 3.0], [1.0, 2.0, 0.0], 2.0, 0.5)
    x = np.array([[-1.0, 0.0], [0.5, 2.0], [3.0, 5.0]])
    assert f(x).tolist() == [[-1.0, 1.0], [1.5, 1.0], [0.0, 1.0]]
    assert f.derivative(x).tolist() == [[2.0, 1.0], [1.0, -1.0], [0.5, 0.5]]
    assert f(0.5).shape == ()
    bends = f.second_derivative()
    assert bends.positions.tolist() == [0.0, 1.0, 3.0]
    assert bends.jumps.tolist() == [-1.0, -2.0, 1.5]
    assert bends.total_variation == 4.5
    assert f.n_knots == 3
    assert repr(f) == "PiecewiseLinear(3 knots, left_slope=2, right_slope=0.5)"


def test_simplifies_without_changing():
    x = np.linspace(-1, 1, 41)
    f = PiecewiseLinear(x, np.abs(x - 0.3) + 7 * x, 6.0, 8.0)
    assert f.n_knots == 1
    assert f.simplified().is_close(f)
    line = PiecewiseLinear(x, 3 * x - 0.1, 3.0, 3.0)
    assert line.n_knots == 0
    assert len(line.simplified().knots) == 1
    assert line.simplified().is_close(line)


def test_closeness_looks_at_the_whole_line():
    f = PiecewiseLinear([0.0, 1.0], [0.0, 1.0], 0.0, 1.0)
    assert f.is_close(PiecewiseLinear([0.0, 0.5, 1.0], [0.0, 0.5, 1.0 + 1e-12], 0.0, 1.0))
    assert not f.is_close(PiecewiseLinear([0.0, 0.5, 1.0], [0.0, 0.5 + 1e-6, 1.0], 0.0, 1.0))
    assert not f.is_close(PiecewiseLinear([0.0, 1.0], [0.0, 1.0], 0.0, 1.0 + 1e-6))
    assert f.is_close(PiecewiseLinear([0.0, 1.0], [0.0, 1.0], 0.0, 1.0 + 1e-6), rtol=1e-5)


def test_is_immutable():
    knots = np.array([0.0, 1.0])
    f = PiecewiseLinear(knots, knots, 0.0, 0.0)
    knots[0] = 0.5
    assert f.knots[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        f.values[0] = 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], [], 0.0, 0.0), "at least one"),
        (([0.0, 0.0], [0.0, 1.0], 0.0, 0.0), "ascending"),
        (([0.0, 1.0], [0.0], 0.0, 0.0), "2 knots and 1 values"),
        (([0.0], [np.inf], 0.0, 0.0), "finite"),
        (([0.0], [0.0], np.nan, 0.0), "left_slope"),
    ],
)
def test_refuses_what_is_no_function(arguments, words):
    with pytest.raises(InputError, match=words):
        PiecewiseLinear(*arguments)


def test_refuses_what_is_no_number():
    zero = PiecewiseLinear([0.0], [0.0], 0.0, 0.0)
    with pytest.raises(InputTypeError, match="knots must hold real numbers"):
        PiecewiseLinear(["a"], [0.0], 0.0, 0.0)
    for evaluate in (zero, zero.derivative):
        with pytest.raises(InputTypeError, match="x must hold real numbers"):
            evaluate(["a"])
        with pytest.raises(InputError, match="x has NaN or infinite entries"):
            evaluate([np.inf])
    with pytest.raises(InputTypeError, match=r"function must be a .*PiecewiseLinear, not 3"):
        function_cost(3)
    with pytest.raises(InputTypeError, match="right_slope"):
        PiecewiseLinear([0.0], [0.0], 0.0, "steep")


def test_pictures():
    band = envelope(SIX_X, SIX_Y)
    axes = band.plot(members=3, random_state=0)
    assert axes.get_xlim() == pytest.approx((-1.3, 1.3))
    before = len(axes.lines)
    band.sample(1, 0)[0].plot(axes, color="black")
    assert len(axes.lines) == before + 2
    assert axes.get_xlim() == pytest.approx((-1.3, 1.3))
    line = PiecewiseLinear([0.0], [0.0], 1.0, 1.0).plot()
    assert len(line.lines) == 1


@pytest.mark.parametrize("slope", [0.0, 0.3, -1.0, 2.0])
def test_second_derivative_of_a_network(slope):
    rng = np.random.default_rng(0)
    W, b, v = rng.standard_normal((7, 1)), rng.standard_normal(7), rng.standard_normal(7)
    W[0], b[2], b[3] = 0.0, 0.0, 0.0  # a constant neuron, and two that share a hinge
    network = Network(W, b, v, 0.4, slope)
    measure, function = KnotMeasure.from_network(network), PiecewiseLinear.from_network(network)
    np.testing.assert_allclose(measure.positions, function.knots)
    np.testing.assert_allclose(measure.jumps, function.second_derivative().jumps, atol=1e-12)
    assert measure.total_variation <= abs(1 - slope) * network.cost() + 1e-12
    with pytest.raises(InputError, match="2 inputs"):
        KnotMeasure.from_network(Network([[1.0, 2.0]], [0.0], [1.0]))


def test_networks_that_bend_nowhere():
    dead = Network([[1.0]], [0.0], [0.0])
    assert PiecewiseLinear.from_network(dead)([3.0]) == 0
    assert len(KnotMeasure.from_network(dead).positions) == 0
    # The hinge is beyond floats: a neuron that is on everywhere, one that is off, and one that bends.
    far = Network([[1e-300], [1e-300], [1.0]], [1e10, -1e10, 0.0], [1.0, 1.0, 2.0], 0.0, 0.5)
    function = PiecewiseLinear.from_network(far)
    places = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_allclose(function(places), far(places[:, None]))
    assert list(KnotMeasure.from_network(far).positions) == [0.0]
    steep = Network([[1e-300], [1e-300], [1.0]], [1e9, -1e9, 0.0], [1e298, 3e298, 2.0])
    np.testing.assert_allclose(PiecewiseLinear.from_network(steep).slopes, [0.01, 2.01])
    with pytest.raises(InputError, match=r"2 outputs; take one of them, network.output\(k\)"):
        PiecewiseLinear.from_network(Network([[1.0]], [0.0], [[1.0, 2.0]]))


@pytest.mark.parametrize(("start", "bend"), [(1.7e9, 5e-6), (1.7e9, 1e-6), (1e5, 5e-8)])
def test_many_turns_that_rounding_would_hide_one_by_one_make_a_bend(start, bend):
    """Seconds since 1970: every turn is less than the rounding of slopes, and all together are the parabola."""
    t = np.arange(1000.0)
    x, y = start + t, t + bend * t**2
    for function in (min_norm_interpolant(x, y), sparsest_interpolant(x, y)):
        np.testing.assert_allclose(function.simplified()(x), y, atol=1e-7)
        np.testing.assert_allclose(function.to_network()(x[:, None]), y, atol=1e-7)
