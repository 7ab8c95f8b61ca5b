"""Kernel machines, the perturbed flow, networks of fixed width and the weak logistic loss do what they say."""

import doctest
import math

import numpy as np
import pytest

pytest.importorskip("jax")

import jax
import optax

import cvxrelu as cr
from benchmarks import weak_logistic
from benchmarks.baselines import finite_width, kernels, softmax, wasserstein
from benchmarks.problems import cross, hidden_cross, normal_inputs, teacher_network
from benchmarks.weak_logistic import WeakLogistic, expected_margin

LINE = cr.Problem([[-1.0], [-0.6], [-0.2], [0.2]], [1.0, -1.0, 1.0, 1.0], loss="margin", bias="joint")


@pytest.mark.parametrize("module", [finite_width, kernels, weak_logistic])
def test_doctests(module: object) -> None:
    result = doctest.testmod(module)  # pyright: ignore[reportArgumentType]
    assert result.failed == 0
    assert result.attempted > 0


def test_kernels_are_expectations_over_the_sphere() -> None:
    rng = np.random.default_rng(0)
    X, Z = rng.standard_normal((3, 4)), rng.standard_normal((2, 4))
    w = rng.standard_normal((200_000, 4))
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    left, right = X @ w.T, Z @ w.T
    relu = np.maximum(left, 0) @ np.maximum(right, 0).T / len(w)
    tangent = relu + X @ Z.T * ((left > 0).astype(float) @ (right > 0).T) / len(w)
    np.testing.assert_allclose(kernels.relu_kernel(X, Z), relu, atol=0.01)
    np.testing.assert_allclose(kernels.ntk_kernel(X, Z), tangent, atol=0.03)


def test_a_network_of_the_same_margin_costs_no_more_than_the_kernel_machine() -> None:
    problem = hidden_cross(16, 3, np.random.default_rng(0))
    machine = kernels.max_margin(kernels.relu_kernel, problem.X, problem.y)
    values = problem.y * machine(problem.X)
    assert values.min() == pytest.approx(1, abs=1e-3)
    assert machine.margin(problem.X, problem.y) == pytest.approx(1 / machine.norm, rel=1e-3)
    own = cr.Problem(problem.X, machine(problem.X) - machine.intercept, bias="none")
    assert cr.solve(own).certificate.lower <= machine.norm


@pytest.mark.parametrize("kernel", list(kernels.KERNELS.values()))
def test_min_norm_interpolates_even_degenerate_data(kernel: kernels.Kernel) -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((12, 3))
    X[5], X[6], X[7] = X[4], 2 * X[4], 0.0
    y = kernel(X, rng.standard_normal((20, 3))) @ rng.standard_normal(20)
    machine = kernels.min_norm(kernel, X, y)
    np.testing.assert_allclose(machine(X), y, atol=1e-6 * np.abs(y).max())


def test_best_of_width_is_monotone_and_ends_at_the_certified_optimum() -> None:
    optimum = cr.solve(LINE)
    costs = []
    for width in range(1, 5):
        best = finite_width.best_of_width(LINE, width, seed=0, restarts=2)
        costs.append(best.cost)
        if best.network is not None:
            assert best.network.n_neurons <= width
            assert best.network.cost("joint") == pytest.approx(best.cost, rel=1e-6)
            assert np.min(LINE.y * best.network(LINE.X)) == pytest.approx(1, abs=1e-6)
    assert costs[0] == math.inf
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == pytest.approx(optimum.objective, rel=1e-5)


def test_exchange_finds_what_trying_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    every = finite_width.best_of_width(LINE, 3, seed=0)
    monkeypatch.setattr(finite_width, "MOST_CHOICES", 0)
    exchanged = finite_width.best_of_width(LINE, 3, seed=0, restarts=3)
    assert every.exhaustive
    assert not exchanged.exhaustive
    assert exchanged.cost == pytest.approx(every.cost, rel=1e-6)


def test_best_of_width_refuses_other_problems() -> None:
    with pytest.raises(ValueError, match="loss='margin'"):
        finite_width.best_of_width(cr.Problem(LINE.X, LINE.y), 2, seed=0)


def test_weak_logistic_is_the_logistic_loss_in_other_units() -> None:
    alpha = 1e-5
    loss = WeakLogistic(alpha, LINE.n_samples)
    weak = cr.solve(cr.Problem(LINE.X, LINE.y, loss=loss, bias="joint", alpha=1.0), method="enumerate")
    plain = cr.solve(cr.Problem(LINE.X, LINE.y, loss="logistic", bias="joint", alpha=alpha), tol=1e-5)
    for bound in ("upper", "lower"):
        scaled = getattr(weak.certificate, bound) * alpha * loss.mu
        assert scaled == pytest.approx(getattr(plain.certificate, bound), rel=1e-5)


def test_weak_logistic_is_certified_down_to_nothing() -> None:
    optimum = cr.solve(LINE)
    dual = optimum.certificate.dual / optimum.certificate.gamma
    for alpha in (1e-14, 1e-100):
        problem = cr.Problem(LINE.X, LINE.y, loss=WeakLogistic(alpha, 4), bias="joint", alpha=1.0)
        fit = cr.solve(problem, method="enumerate")
        assert 0 <= fit.certificate.relative_gap < 1e-7
        share = np.min(LINE.y * fit.network(LINE.X)) / fit.network.cost("joint") * optimum.objective
        assert share == pytest.approx(expected_margin(dual, alpha), abs=1e-3)


def test_weak_logistic_refuses_what_is_not_weak() -> None:
    with pytest.raises(ValueError, match="not weak"):
        WeakLogistic(0.5, 4)


def test_perturbed_flow_reaches_the_certified_optimum() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12, 1))
    problem = cr.Problem(X, np.abs(X[:, 0]), loss="squared", bias="joint", alpha=0.02)
    lower = cr.solve(problem).certificate.lower
    settings = wasserstein.Settings(30, redrawn=1e-3, step=1e-2, flow_steps=1500, settle_steps=1500, one_sided=True)
    once, other = (wasserstein.train(problem, settings, seed) for seed in (0, 1))
    assert once.network != other.network
    assert once.failure is None
    assert lower < problem.objective(once.network) < 1.02 * lower
    assert once.curve[-1].step == 3000


def test_redrawing_moves_neurons_to_the_sphere() -> None:
    old = wasserstein.on_the_sphere(np.random.default_rng(0).standard_normal((50, 4)), "joint")
    nothing = jax.tree.map(np.zeros_like, old)
    always, never = (wasserstein.redraw(probability, "joint") for probability in (1.0, 0.0))
    moved, memory = always.update(nothing, always.init(old), old)
    new = optax.apply_updates(old, moved)
    for neurons in (old, new):
        norms = np.sum(neurons.W**2, axis=1) + neurons.b**2 + neurons.v**2
        np.testing.assert_allclose(50 * norms, 1, rtol=1e-5)
    assert not np.isin(new.v, old.v).any()
    again, _ = always.update(nothing, memory, old)
    assert not np.isin(again.v, moved.v).any()
    kept, _ = never.update(nothing, never.init(old), old)
    assert not any(np.any(part) for part in kept)


@pytest.mark.parametrize(("annealed", "share"), [(False, 0.1), (True, 0.01)])
def test_softmax_annealing_divides_the_decay(annealed: bool, share: float) -> None:
    settings = softmax.Settings(20, 4, decay=0.5, annealed=annealed, step=0.1, steps=2, stages=2)
    rule, weights, nothing = settings.optimiser(), np.ones(3), np.zeros(3)
    first, state = rule.update(nothing, rule.init(weights), weights)
    second, _ = rule.update(nothing, state, weights)
    np.testing.assert_allclose(first, -0.1 * 0.5, rtol=1e-6)
    # What momentum keeps of the first step is taken at the second length, as is the new decay.
    np.testing.assert_allclose(second, -0.01 * (softmax.MOMENTUM * 0.5 + 0.5 * share * 10), rtol=1e-6)


def test_teacher_and_inputs() -> None:
    rng = np.random.default_rng(0)
    network = teacher_network(6, 5, rng)
    assert network.cost("none") == pytest.approx(6)
    X = normal_inputs(network, 40, rng, distance=0.1)
    assert np.abs(network(X)).min() >= 0.1


def test_hidden_cross_is_separated_at_cost_four() -> None:
    problem = hidden_cross(50, 4, np.random.default_rng(0))
    assert problem.objective(cross(4)) == 4.0
