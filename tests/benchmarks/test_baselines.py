"""Baselines descend what they say, say when they fail, and with weight decay reach the certified optimum."""

import doctest
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")

import jax
import jax.numpy as jnp

import cvxrelu as cr
from benchmarks.baselines import deep, label_noise, sklearn_mlp, training
from benchmarks.baselines.gradient_descent import FullBatch, Settings, train
from cvxrelu.function_space import function_cost

TINY = cr.Problem([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])
LABELS = np.array([1.0, -1.0, 1.0])
ANNEALED = Settings(width=40, scale=0.3, tol=None, max_steps=6000, optimiser="adam", annealed=True)


def loss_of(problem: cr.Problem, network: cr.Network) -> float:
    return float(np.sum((network(problem.X) - problem.y) ** 2) / 2)


def test_training_reaches_the_tolerance() -> None:
    trained = train(TINY, Settings(width=30, scale=0.1), seed=0)
    assert trained.failure is None
    assert trained.loss <= 1e-4
    assert loss_of(TINY, trained.network) == pytest.approx(trained.loss, rel=1e-9)
    losses = [point.loss for point in trained.curve]
    assert losses == sorted(losses, reverse=True)
    assert trained.curve[-1].step == trained.steps
    assert trained.curve[-1].cost == pytest.approx(trained.network.cost())


def test_one_step_goes_down_the_gradient() -> None:
    start = train(TINY, Settings(width=5, scale=0.5, step=0.0, max_steps=1), seed=3)
    small = 1e-6
    moved = train(TINY, Settings(width=5, scale=0.5, step=small, max_steps=1), seed=3)
    decrease = loss_of(TINY, start.network) - loss_of(TINY, moved.network)
    assert decrease == pytest.approx(small * start.gradient_norm**2, rel=1e-3)


@pytest.mark.parametrize(("step", "reason"), [(1e-2, "after 10 steps"), (1e3, "diverged after step")])
def test_failures_are_told(step: float, reason: str) -> None:
    trained = train(TINY, Settings(width=5, scale=1.0, step=step, max_steps=10 if step < 1 else 10_000), seed=0)
    assert trained.failure is not None
    assert reason in trained.failure
    assert np.isfinite(trained.network.v).all()


def test_without_a_tolerance_all_steps_are_taken() -> None:
    trained = train(TINY, Settings(width=5, scale=0.1, tol=None, max_steps=30), seed=0)
    assert (trained.steps, trained.failure) == (30, None)


def test_training_is_seeded_and_in_double_precision() -> None:
    once, again, other = (train(TINY, Settings(width=4, max_steps=20), seed) for seed in (1, 1, 2))
    assert once.network == again.network
    assert once.network != other.network
    assert not np.array_equal(once.network.v, once.network.v.astype(np.float32))
    assert not jax.config.read("jax_enable_x64")


def test_slope_of_the_activation_is_the_problems() -> None:
    problem = cr.Problem(TINY.X, TINY.y, negative_slope=-0.5)
    trained = train(problem, Settings(width=8, scale=0.3, max_steps=50), seed=0)
    assert trained.network.negative_slope == -0.5
    assert loss_of(problem, trained.network) == pytest.approx(trained.loss, rel=1e-9)


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_what_is_trained_is_n_times_the_objective_of_a_balanced_network(loss: str, bias: str) -> None:
    rng = np.random.default_rng(0)
    W, b = rng.standard_normal((3, 1)), rng.standard_normal(3) * (bias != "none")
    lengths = np.hypot(W[:, 0], b) if bias == "joint" else np.abs(W[:, 0])
    v, c = lengths * np.array([1, -1, 1]), 0.3 * (bias == "free")
    problem = cr.Problem(TINY.X, LABELS, loss, bias=bias, alpha=0.7)
    method = FullBatch(loss, bias, 0.0, "gd", 1e-2, None)
    with training.float64():
        parameters = training.Parameters(*(jnp.asarray(part) for part in (W, b, v, c)))
        value, _ = method.objective(parameters, training.Data.of(problem), jax.random.key(0))
    assert float(value) == pytest.approx(3 * problem.objective(cr.Network(W, b, v, c)), rel=1e-12)


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_weight_decay_at_large_width_reaches_the_certified_optimum(loss: str, bias: str) -> None:
    problem = cr.Problem(TINY.X, LABELS, loss, bias=bias, alpha=0.02)
    trained = train(problem, ANNEALED, seed=0)
    gap = cr.certify(trained.network, problem).relative_gap
    assert -1e-9 <= gap < 1e-3
    if bias != "free":
        assert trained.network.intercept == 0
    if bias == "none":
        assert not trained.network.b.any()


def test_gradient_descent_separates_without_weight_decay() -> None:
    problem = cr.Problem(TINY.X, LABELS, "margin")
    trained = train(problem, Settings(width=40, scale=0.3, step=0.1, tol=0.1), seed=0)
    assert trained.failure is None
    assert np.all(problem.y * trained.network(problem.X) > 0)


def test_what_nobody_trains_is_refused() -> None:
    with pytest.raises(ValueError, match="no training for loss='hinge'"):
        train(cr.Problem(TINY.X, LABELS, "hinge", alpha=1.0), ANNEALED, seed=0)
    with pytest.raises(ValueError, match="no optimiser 'magic'"):
        train(TINY, replace(ANNEALED, optimiser="magic"), seed=0)
    with pytest.raises(ValueError, match="Label noise is for"):
        label_noise.train(cr.Problem(TINY.X, TINY.y, "squared", alpha=1.0), label_noise.Settings(3), seed=0)
    with pytest.raises(ValueError, match="scikit-learn has no network"):
        sklearn_mlp.train(cr.Problem(TINY.X, TINY.y, bias="joint"), sklearn_mlp.Settings(3), seed=0)
    with pytest.raises(ValueError, match="Deep networks take"):
        deep.train(TINY, deep.Settings(3, 2), seed=0)


def test_label_noise_lowers_the_sensitivity() -> None:
    settings = label_noise.Settings(width=30, scale=0.3, noise=1.0, noisy_steps=15_000)
    noisy, again = (label_noise.train(TINY, settings, seed=0) for _ in range(2))
    quiet = label_noise.train(TINY, replace(settings, noise=0.0), seed=0)
    assert noisy.network == again.network
    for trained in (noisy, quiet):
        assert trained.failure is None
        assert loss_of(TINY, trained.network) <= 1e-4 * (1 + 1e-9)
        assert [point.step for point in trained.curve] == sorted({point.step for point in trained.curve})

    def mean_squared_gradient(network: cr.Network) -> float:
        hidden = TINY.X @ network.W.T + network.b
        active = (hidden > 0) * (1 + TINY.X**2)
        return float(np.mean(np.maximum(hidden, 0) ** 2 + network.v**2 * active, axis=0).sum())

    assert mean_squared_gradient(noisy.network) < 0.5 * mean_squared_gradient(quiet.network)


@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_scikit_learn_minimises_the_same(loss: str) -> None:
    problem = cr.Problem(TINY.X, LABELS, loss, alpha=0.02)
    trained = sklearn_mlp.train(problem, sklearn_mlp.Settings(width=100), seed=1)
    assert trained.failure is None
    assert -1e-9 <= cr.certify(trained.network, problem).relative_gap < 0.1
    assert trained.network == sklearn_mlp.train(problem, sklearn_mlp.Settings(width=100), seed=1).network
    assert trained.curve[-1].cost == trained.network.cost()


def test_scikit_learn_failures_are_told() -> None:
    trained = sklearn_mlp.train(TINY, sklearn_mlp.Settings(width=30, max_iter=2), seed=0)
    assert trained.failure is not None
    assert "lbfgs failed to converge" in trained.failure


def test_doctests() -> None:
    results = doctest.testmod(deep)
    assert (results.failed, results.attempted) == (0, 3)


def test_function_of_a_deep_network() -> None:
    rng = np.random.default_rng(0)
    sizes = ((1, 6), (6, 5), (5, 4), (4, 1))
    for _ in range(5):
        layers = tuple((rng.standard_normal((outs, ins)), rng.standard_normal(outs)) for ins, outs in sizes)
        network = deep.DeepNetwork(layers)
        function, grid = network.function(), np.linspace(-500, 500, 5001)
        np.testing.assert_allclose(function(grid), network(grid[:, None]), rtol=1e-9, atol=1e-9)


def test_function_of_a_network_with_a_nearly_dead_neuron() -> None:
    network = cr.Network([[1.0], [1.0], [1e-14]], [0.0, -1.0, 1.0], [1.0, -2.0, 1e-14])
    assert function_cost(deep.DeepNetwork.of(network).function()) == pytest.approx(network.cost())


def test_deep_networks_fit_with_small_weights() -> None:
    problem = cr.Problem(TINY.X, TINY.y, "squared", alpha=1e-3)
    settings = deep.Settings(width=10, depth=2, max_steps=3000)
    trained = deep.train(problem, settings, seed=0)
    assert trained.loss < 0.01
    assert trained.network.half_squared_weights < 6
    # One hidden layer is this package's problem.
    shallow = deep.train(problem, replace(settings, depth=1, width=40, max_steps=8000), seed=0).network
    objective = problem.objective(cr.Network(*shallow.layers[0], shallow.layers[1][0][0], shallow.layers[1][1][0]))
    assert objective == pytest.approx(cr.solve(problem).objective, rel=0.01)
