"""Networks are plain values that evaluate, cost, save and load."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cvxrelu as cr
from tests.instances import exact_cost, make_problem, objective_by_hand


def random_network(slope=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return cr.Network(rng.standard_normal((5, 3)), rng.standard_normal(5), rng.standard_normal(5), 0.7, slope)


@pytest.mark.parametrize("slope", [0.0, 0.1, -1.0])
def test_predictions_by_hand(slope):
    network, X = random_network(slope), np.random.default_rng(1).standard_normal((4, 3))
    for x, prediction in zip(X, network(X), strict=True):
        terms = [
            v * (t if t >= 0 else slope * t)
            for t, v in zip(
                [float(w @ x + b) for w, b in zip(network.W, network.b, strict=True)], network.v, strict=True
            )
        ]
        assert prediction == pytest.approx(sum(terms) + 0.7)
    np.testing.assert_array_equal(network.predict(X), network(X))


def test_costs():
    network = cr.Network([[3.0, 4.0]], [12.0], [-2.0])
    assert network.cost("free") == 10
    assert network.cost("joint") == 26
    assert network.cost("none") == np.inf
    constant = cr.Network(np.empty((0, 2)), [], [], 3.0)
    assert [constant.cost(bias) for bias in ("free", "joint", "none")] == [0.0, 3.0, np.inf]


def test_rescaling_a_neuron_keeps_function_and_cost():
    network = random_network()
    factor = np.array([0.5, 2.0, 1.0, 10.0, 0.1])
    scaled = cr.Network(network.W * factor[:, None], network.b * factor, network.v / factor, 0.7)
    X = np.random.default_rng(1).standard_normal((4, 3))
    np.testing.assert_allclose(scaled(X), network(X))
    assert scaled.cost("joint") == pytest.approx(network.cost("joint"))


def test_save_and_load(tmp_path):
    network = random_network(0.1)
    network.save(tmp_path / "net.npz", features=["a", "b", "c"])
    assert cr.Network.load(tmp_path / "net.npz") == network
    assert network != random_network(0.2)
    np.savez(tmp_path / "other.npz", W=np.ones((1, 1)))
    with pytest.raises(cr.InputError, match="is not a saved network"):
        cr.Network.load(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0]], [0.0, 1.0], [1.0]), r"have shapes \(1, 1\), \(2,\) and \(1,\)"),
        (([1.0], [0.0], [1.0]), r"they must be \(m, d\), \(m,\) and \(m,\)"),
        (([[np.nan]], [0.0], [1.0]), "W of a network must be finite"),
        (([[1.0]], [0.0], [1.0], np.inf), "intercept of a network must be finite"),
    ],
)
def test_bad_networks(arguments, message):
    with pytest.raises(cr.InputError, match=message):
        cr.Network(*arguments)


def test_wrong_inputs():
    with pytest.raises(cr.InputError, match=r"X has shape \(2, 2\); this network takes \(n_samples, 3\)"):
        random_network()(np.ones((2, 2)))
    with pytest.raises(cr.InputError, match=r"The network has negative slope 0\.5 and the problem 0"):
        make_problem(n_features=3).objective(random_network(0.5))


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
@pytest.mark.parametrize("bias", ["free", "joint"])
def test_objective_of_any_network(loss, bias):
    problem = make_problem(loss, n_features=3, bias=bias)
    network = cr.Network(random_network().W, random_network().b, random_network().v)
    assert problem.objective(network) == pytest.approx(objective_by_hand(problem, network))


@pytest.mark.parametrize("slope", [0.0, -0.5, 2.0])
def test_prefix_sums_on_the_line_and_blocks_change_nothing(monkeypatch, slope):
    rng = np.random.default_rng(0)
    W, b, v = rng.standard_normal((30, 1)), rng.standard_normal(30), rng.standard_normal(30)
    W[:3] = 0.0
    network = cr.Network(W, b, v, 0.7, slope)
    x = np.concatenate([rng.standard_normal(50), -b[3:] / W[3:, 0], [-1e3, 1e3]])[:, None]
    wide = cr.Network(rng.standard_normal((30, 4)), b, v, 0.7, slope)
    points = rng.standard_normal((17, 4))
    expected = network(x), wide(points)
    monkeypatch.setattr("cvxrelu.problem.predictions.BLOCK_SIZE", 60)
    np.testing.assert_allclose(network(x), expected[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wide(points), expected[1], rtol=1e-13)
    assert network(np.empty((0, 1))).shape == (0,)


def test_a_hinge_beyond_all_numbers_is_no_trouble():
    network = cr.Network([[1e-310], [-1e-310], [1.0]], [1.0, -1.0, 0.0], [2.0, 4.0, 1.0], negative_slope=0.5)
    np.testing.assert_allclose(network([[2.0], [-3.0]]), [2.0 - 2.0 + 2.0, 2.0 - 2.0 - 1.5])


SCALES = (1.0, 1e-200, 1e200, 1e-170, 1e154, 5e-324, 1e-310, 1e308)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 999),
    w=st.sampled_from(SCALES),
    v=st.sampled_from(SCALES),
    bias=st.sampled_from(["free", "joint"]),
)
def test_costs_at_every_scale(seed, w, v, bias):
    rng = np.random.default_rng(seed)
    m, d = rng.integers(1, 5, 2)
    W, V = rng.uniform(-1, 1, (m, d)) * w * (rng.random((m, d)) < 0.7), rng.uniform(-1, 1, m) * v
    network = cr.Network(W, rng.uniform(-1, 1, m) * w, V, rng.choice([0.0, w]))
    exact = exact_cost(network, bias)
    if exact > np.finfo(float).max:
        assert network.cost(bias) == np.inf
    else:
        # Among the smallest floats, the product of each neuron is rounded to a multiple of the very smallest.
        least = Fraction(5e-324) * (m + 1)
        assert abs(Fraction(network.cost(bias)) - exact) <= exact * Fraction(1, 10**14) + least


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize(
    ("w", "v"), [(1e-170, 1e170), (1e200, 1e-200), (5e-324, 1e308), (1e-300, 3e-300), (-2e150, 1e150)]
)
def test_balanced_networks_at_every_scale(bias, w, v):
    network = cr.Network([[w, 0.0], [0.0, 0.0], [0.0, w]], np.zeros(3), [v, v, -v], 0.0, 2.0)
    balanced = network.balanced(bias)
    assert balanced.n_neurons == 2
    np.testing.assert_allclose(np.abs(balanced.W).max(axis=1), np.abs(balanced.v), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(balanced.v[0] ** 2, network.cost(bias) / 2, rtol=1e-12)
    X = np.array([[1.0, 2.0], [-3.0, 5.0]])
    np.testing.assert_allclose(balanced(X), network(X), rtol=1e-12)


def test_a_neuron_beyond_the_range_costs_infinity():
    assert cr.Network([[1e200]], [0.0], [1e200]).cost() == np.inf
    assert cr.Network([[1.0]], [1.0], [0.0]).cost("none") == np.inf
    assert cr.Network([[1e200, 1e200]], [0.0], [0.0]).cost("joint") == 0.0


def test_no_rows_have_no_predictions():
    assert random_network()(np.empty((0, 3))).shape == (0,)
