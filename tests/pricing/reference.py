"""Independent checks of pricing: brute force over all 2^N patterns, random neurons, degenerate data."""

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from scipy.optimize import nnls

from cvxrelu.certificate.rational.circle import gamma_squared

SLOPES = (0.0, 0.1, -0.3, -1.0, 2.0, -2.0)
BIASES = ("free", "joint", "none")


def scores(X, v, W, b, slope):
    """Scores of neurons, straight from the definition."""
    T = X @ np.atleast_2d(W).T + b
    return v @ np.where(T >= 0, T, slope * T)


def gamma_by_patterns(X, v, bias, slope):
    """gamma(v) by one non-negative least squares problem for every one of the 2^N patterns and both signs."""
    if bias == "free":
        return max(gamma_by_patterns(X - anchor, v, "none", slope) for anchor in X)
    Z = np.column_stack([X, np.ones(len(X))]) if bias == "joint" else X
    best = 0.0
    for signs in itertools.product((1.0, -1.0), repeat=len(X)):
        s = np.array(signs)
        g = (np.where(s > 0, 1.0, slope) * v) @ Z
        for side in (g, -g):
            best = max(best, nnls((s[:, None] * Z).T, -side)[1])
    return best


def gamma_squared_of(X, v, bias, slope):
    """The square of gamma(v), exactly, where neurons live on a circle; v may hold fractions."""
    rows = [tuple(map(Fraction, row)) for row in X.tolist()]
    if bias == "joint":
        rows = [(*row, Fraction(1)) for row in rows]
    return gamma_squared(rows, [Fraction(value) for value in v], Fraction(slope), anchored=bias == "free")


def all_patterns(n):
    """All 2^n patterns, cells or not."""
    return np.array(list(itertools.product((False, True), repeat=n)))


def random_neurons(rng, X, bias, count):
    """Unit neurons, in free mode with hinges among the data."""
    W = rng.standard_normal((count, X.shape[1]))
    b = rng.standard_normal(count)
    if bias == "joint":
        norm = np.sqrt((W**2).sum(axis=1) + b**2)
        return W / norm[:, None], b / norm
    W /= np.linalg.norm(W, axis=1)[:, None]
    if bias == "none":
        return W, np.zeros(count)
    return W, -np.einsum("kd,kd->k", W, X[rng.integers(len(X), size=count)])


def balanced(v, bias):
    """A vector that sums to zero where the bias is free."""
    v = np.asarray(v, float)
    return v - v.mean() if bias == "free" else v


@st.composite
def degenerate_problems(draw, max_features=3, max_samples=6):
    """Lattice points with duplicates, collinearities and zero rows; integer duals."""
    d = draw(st.integers(1, max_features))
    n = draw(st.integers(1, max_samples))
    coordinate = st.integers(-2, 2)
    X = np.array(draw(st.lists(st.lists(coordinate, min_size=d, max_size=d), min_size=n, max_size=n)), float)
    v = np.array(draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), float)
    return X, v


def check_priced(priced, X, v, bias, slope, gamma=None, tol=1e-8):
    """Everything that must hold of any result."""
    scale = 1 + np.abs(v) @ np.abs(X).sum(axis=1)
    norms = np.linalg.norm(np.column_stack([priced.W, priced.b]) if bias == "joint" else priced.W, axis=1)
    assert (norms <= 1).all()
    if bias == "none":
        assert (priced.b == 0).all()
    assert (np.diff(np.abs(priced.scores)) <= 0).all()
    assert priced.value == (abs(priced.scores[0]) if len(priced.scores) else 0.0)
    if len(priced.scores):
        np.testing.assert_allclose(scores(X, v, priced.W, priced.b, slope), priced.scores, rtol=0, atol=1e-12 * scale)
    assert priced.value <= priced.upper
    if gamma is not None:
        assert priced.upper >= gamma - 1e-12 * scale
        assert priced.value <= gamma + 1e-12 * scale
        if priced.complete:
            assert priced.upper <= gamma + tol * scale
            assert priced.value >= gamma - tol * scale
