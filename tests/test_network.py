"""Networks are plain values that evaluate, cost, save and load."""

import numpy as np
import pytest

import cvxrelu as cr
from tests.instances import make_problem, objective_by_hand


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
    monkeypatch.setattr("cvxrelu.network.BLOCK_SIZE", 60)
    np.testing.assert_allclose(network(x), expected[0], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(wide(points), expected[1], rtol=1e-13)
    assert network(np.empty((0, 1))).shape == (0,)


def test_a_hinge_beyond_all_numbers_is_no_trouble():
    network = cr.Network([[1e-310], [-1e-310], [1.0]], [1.0, -1.0, 0.0], [2.0, 4.0, 1.0], negative_slope=0.5)
    np.testing.assert_allclose(network([[2.0], [-3.0]]), [2.0 - 2.0 + 2.0, 2.0 - 2.0 - 1.5])
