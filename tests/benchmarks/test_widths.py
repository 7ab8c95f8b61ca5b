"""Gradient descent descends, says when it fails, and is held against the certified minimum."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("matplotlib")

import cvxrelu as cr
from benchmarks import widths
from benchmarks.baselines.gradient_descent import Settings, train
from benchmarks.problems import six_points

TINY = cr.Problem([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])


def loss_of(problem: cr.Problem, network: cr.Network) -> float:
    return float(np.sum((network(problem.X) - problem.y) ** 2) / 2)


def test_training_reaches_the_tolerance() -> None:
    training = train(TINY, Settings(width=30, scale=0.1), seed=0)
    assert training.failure is None
    assert training.loss <= 1e-4
    assert loss_of(TINY, training.network) == pytest.approx(training.loss, rel=1e-9)
    losses = [point.loss for point in training.curve]
    assert losses == sorted(losses, reverse=True)
    assert training.curve[-1].step == training.steps
    assert training.curve[-1].cost == pytest.approx(training.network.cost())


def test_one_step_goes_down_the_gradient() -> None:
    start = train(TINY, Settings(width=5, scale=0.5, step=0.0, max_steps=1), seed=3)
    small = 1e-6
    moved = train(TINY, Settings(width=5, scale=0.5, step=small, max_steps=1), seed=3)
    decrease = loss_of(TINY, start.network) - loss_of(TINY, moved.network)
    assert decrease == pytest.approx(small * start.gradient_norm**2, rel=1e-3)


@pytest.mark.parametrize(("step", "reason"), [(1e-2, "after 10 steps"), (1e3, "diverged after step")])
def test_failures_are_told(step: float, reason: str) -> None:
    training = train(TINY, Settings(width=5, scale=1.0, step=step, max_steps=10 if step < 1 else 10_000), seed=0)
    assert training.failure is not None
    assert reason in training.failure
    assert np.isfinite(training.network.v).all()


def test_training_is_seeded_and_in_double_precision() -> None:
    once, again, other = (train(TINY, Settings(width=4, max_steps=20), seed) for seed in (1, 1, 2))
    assert once.network == again.network
    assert once.network != other.network
    assert not np.array_equal(once.network.v, once.network.v.astype(np.float32))


def test_slope_of_the_activation_is_the_problems() -> None:
    problem = cr.Problem(TINY.X, TINY.y, negative_slope=-0.5)
    training = train(problem, Settings(width=8, scale=0.3, max_steps=50), seed=0)
    assert training.network.negative_slope == -0.5
    assert loss_of(problem, training.network) == pytest.approx(training.loss, rel=1e-9)


def test_own_predictions_are_a_rigorous_yardstick() -> None:
    network = cr.Network(np.array([[1.0], [-1.0]]), np.array([0.5, 0.3]), np.array([2.0, -1.0]))
    assert widths.least_cost_of_own_predictions(six_points(), network) <= network.cost() * (1 + 1e-9)


def test_widths(tmp_path: Path) -> None:
    widths.run(tmp_path, widths=(3, 40), scales=(1e-1,), seeds=(0, 1), max_steps=4000)
    record = json.loads((tmp_path / "widths.json").read_text())
    assert record["certified"]["upper"] == pytest.approx(30, rel=1e-8)
    assert len(record["trained"]) == 4
    assert len(record["curves"]) == 2
    for row in record["trained"]:
        assert row["objective"] is None  # a trained network does not interpolate
        assert row["excess"] > -1e-9
        assert (row["failure"] is None) == (row["loss"] <= 1e-4)
    assert (tmp_path / "widths.png").stat().st_size > 10_000
