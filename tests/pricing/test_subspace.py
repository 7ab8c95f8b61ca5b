"""Data that do not span their space are priced as well as in coordinates of the subspace."""

import itertools

import numpy as np
import pytest

from cvxrelu.pricing import make_pricer, price

BIASES = ("free", "joint", "none")


def embedded(rank, n_features, offset, seed, n_samples=12):
    """Points of a subspace of the given rank, turned into more dimensions and moved out of the origin."""
    rng = np.random.default_rng(seed)
    flat = rng.standard_normal((n_samples, rank))
    turn, _ = np.linalg.qr(rng.standard_normal((n_features, rank)))
    v = rng.standard_normal(n_samples)
    return flat, flat @ turn.T + offset * rng.standard_normal(n_features), v - v.mean()


@pytest.mark.parametrize(("bias", "slope", "rank"), list(itertools.product(BIASES, (0.0, -0.5), (1, 2))))
def test_value_is_that_of_the_flat_points(bias, slope, rank):
    for seed in range(5):
        flat, X, v = embedded(rank, 5, 0.0, seed)
        expected = price(flat, v, bias=bias, negative_slope=slope, tol=1e-9)
        found = price(X, v, bias=bias, negative_slope=slope, tol=1e-9)
        np.testing.assert_allclose([found.upper, found.value], expected.value, rtol=1e-8)
        scores = X @ found.W.T + found.b
        np.testing.assert_allclose(np.where(scores >= 0, scores, slope * scores).T @ v, found.scores, rtol=1e-9)


@pytest.mark.parametrize("bias", BIASES)
def test_a_moved_line_is_bracketed(bias):
    """On a line off the origin, gamma lies between what ascent finds and the bound, and they meet."""
    _, X, v = embedded(1, 4, 3.0, 7)
    pricer = make_pricer(X, bias)
    assert pricer.method == "subspace"
    assert pricer.sweeps
    priced = pricer(v)
    assert priced.complete
    assert priced.upper <= priced.value * (1 + 1e-9)
    assert pricer.ascend(v, n_starts=50, random_state=0).value <= priced.upper


def test_a_dependent_feature_and_a_constant_one_change_nothing():
    rng = np.random.default_rng(0)
    X, v = rng.standard_normal((15, 2)), rng.standard_normal(15)
    v -= v.mean()
    wide = np.column_stack([X, np.full(15, 0.1)])
    np.testing.assert_allclose(price(wide, v).upper, price(X, v).upper, rtol=1e-9)
    assert make_pricer(wide).method == "subspace"
    assert make_pricer(np.column_stack([X, X.sum(axis=1)])).method == "subspace"
    assert make_pricer(np.column_stack([X, X[:, 0] * (1 + 1e-9) + 1e-9 * X[:, 1] ** 2])).method == "cones"
