"""Prices at every scale: powers of two change nothing but the exponent, and no neuron beats the bound, in fractions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from cvxrelu.errors import InputError
from cvxrelu.pricing import make_pricer, price
from cvxrelu.pricing.points import Points

# Shifts of X and of v; the farthest are near the ends of what is accepted of X, and of floats.
SHIFTS = ((1, 1), (-9, 300), (250, -400), (297, -1000), (-297, -600), (-297, 1000))


def exact_score(X, v, w, b, slope):
    """Score of a neuron in fractions."""
    w, b, slope = [Fraction(x) for x in w.tolist()], Fraction(float(b)), Fraction(slope)
    heights = [sum((Fraction(x) * u for x, u in zip(row, w, strict=True)), b) for row in X.tolist()]
    return sum(Fraction(x) * (t if t >= 0 else slope * t) for x, t in zip(v.tolist(), heights, strict=True))


@pytest.mark.parametrize("bias", ["free", "none"])
@pytest.mark.parametrize(("method", "n", "d"), [("line", 12, 1), ("plane", 12, 2), ("cones", 9, 3), ("cells", 7, 2)])
def test_powers_of_two_change_the_exponent_only(method, n, d, bias):
    rng = np.random.default_rng(0)
    X, v = rng.standard_normal((n, d)), rng.standard_normal(n)
    v -= v.mean()
    options = {"bias": bias, "negative_slope": 0.3, "method": method}
    known = price(X, v, **options)
    for k, j in SHIFTS:
        found = price(np.ldexp(X, k), np.ldexp(v, j), **options)
        np.testing.assert_array_equal(np.ldexp([found.upper, found.value], -k - j), [known.upper, known.value])
        np.testing.assert_array_equal(np.ldexp(found.scores, -k - j), known.scores)
        np.testing.assert_array_equal(found.W, known.W)
        if bias == "free":
            np.testing.assert_array_equal(np.ldexp(found.b, -k), known.b)


@pytest.mark.parametrize("method", ["cones", "cells"])
def test_a_joint_bias_leaves_the_weights_any_scale(method):
    rng = np.random.default_rng(1)
    X, v = rng.standard_normal((7, 2)), rng.standard_normal(7)
    known = price(X, v, bias="joint", method=method)
    for j in (-1000, -300, 300, 1000):
        found = price(X, np.ldexp(v, j), bias="joint", method=method)
        assert (np.ldexp(found.upper, -j), np.ldexp(found.value, -j)) == (known.upper, known.value)


def test_the_ascent_knows_no_scale():
    rng = np.random.default_rng(2)
    X, v = rng.standard_normal((20, 3)), rng.standard_normal(20)
    v -= v.mean()
    known = make_pricer(X).ascend(v, random_state=0)
    start = np.column_stack([known.W, known.b])[:3]
    for k, j in SHIFTS:
        pricer, there = make_pricer(np.ldexp(X, k)), np.column_stack([start[:, :3], np.ldexp(start[:, 3], k)])
        found = pricer.ascend(np.ldexp(v, j), starts=there, n_starts=0)
        assert np.ldexp(found.value, -k - j) == pytest.approx(known.value, rel=1e-12)


def spread(rng, shape, orders):
    """Numbers of either sign, of all sizes over so many orders of magnitude."""
    return rng.standard_normal(shape) * 10.0 ** rng.uniform(-orders / 2, orders / 2, shape)


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("orders", [20, 170])
def test_no_neuron_beats_the_bound_when_entries_differ_by_many_orders(d, bias, orders):
    rng = np.random.default_rng([d, orders])
    for seed in range(4):
        X, v = spread(rng, (5, d), orders), spread(rng, 5, (0, orders)[seed % 2])
        if bias == "free":
            v[2:] = 0.0, -v[0], -v[1]
        slope = (0.0, -0.5, 3.0)[seed % 3]
        priced = price(X, v, bias=bias, negative_slope=slope, node_limit=200)
        W = np.vstack([priced.W[:4], rng.standard_normal((20, d))])
        W /= np.maximum(np.linalg.norm(W, axis=1), 1e-300)[:, None] * (1 + 1e-15)
        for w in W:
            hinges = {"free": -X @ w, "none": [0.0], "joint": [0.3, -0.9, 1e-9]}[bias]
            for b in hinges:
                u = np.append(w, b) / (1.0 if bias != "joint" else np.hypot(1.0, b) * (1 + 1e-15))
                assert abs(exact_score(X, v, u[:-1], u[-1], slope)) <= Fraction(priced.upper)


def test_places_far_apart_in_size_are_priced_well():
    """The tiny place has the large weight, so both matter; the bound is the sum of both, to all digits."""
    X, v = np.array([[1e-100, 0.0], [0.0, 1.0]]), np.array([3e100, 4.0])
    for bound in (price(X, v, bias="none").upper, price(X, v, bias="none", method="cells").upper):
        assert bound == pytest.approx(5.0, rel=1e-12)


@pytest.mark.parametrize(("X", "slope"), [([[1e91], [0.0]], 0.0), ([[1e-100], [0.0]], 0.0), ([[1.0]], 1e31)])
def test_out_of_range_is_refused(X, slope):
    with pytest.raises(InputError, match="bounds can be proved"):
        Points.prepare(X, "free", slope)


def test_the_size_is_at_every_scale_what_the_triangle_inequality_says():
    for k, j in itertools.product((-250, 0, 250), (-700, 0, 700)):
        size = make_pricer(np.ldexp([[3.0, 4.0]], k), "none").size(np.ldexp([2.0], j))
        assert np.ldexp(size, -k - j) == pytest.approx(10.0, rel=1e-12)
