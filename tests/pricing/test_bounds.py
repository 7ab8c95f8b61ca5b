"""Upper bounds against gamma in rational arithmetic: never below it, whatever the data, the method, or the stop."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from cvxrelu.pricing import cones, forest, make_pricer, price
from cvxrelu.pricing.methods import METHODS
from cvxrelu.pricing.points import SUM_TOLERANCE
from tests.pricing.reference import gamma_squared_of

# Neurons on a circle, where gamma can be had exactly.
MODES = (("free", 1), ("free", 2), ("joint", 1), ("none", 2))


def dyadic(rng, shape):
    """Random numbers of few digits, so that sums of them are exact."""
    return rng.integers(-64, 65, shape) / 16


def zero_sum(v):
    """The vector with its sum taken off the first entry, exactly."""
    v = v.copy()
    v[0] -= v.sum()
    return v


def assert_above(priced, square):
    """The bound is at or above gamma, whose square is a fraction, with no allowance for rounding."""
    assert Fraction(priced.upper) ** 2 >= square


@pytest.mark.parametrize(("mode", "slope"), list(itertools.product(MODES, (0.0, 0.3, -1.0, -2.0, 2.0))))
@pytest.mark.parametrize("offset", [0.0, 3.1, 1e3])
def test_no_method_leaves_out_a_neuron(mode, slope, offset):
    """Far from the origin and with slopes beyond one, the best neuron may be active, or inactive, everywhere."""
    (bias, d), rng = mode, np.random.default_rng(0)
    for one_sign in (False, True):
        X, v = offset + rng.standard_normal((6, d)), dyadic(rng, 6)
        v = zero_sum(v) if bias == "free" else np.abs(v) if one_sign else v
        square = gamma_squared_of(X, v, bias, slope)
        for method in METHODS:
            if METHODS[method].applies(make_pricer(X, bias, slope).points):
                priced = price(X, v, bias=bias, negative_slope=slope, method=method)
                assert_above(priced, square)
                assert priced.complete
                assert priced.upper <= float(square) ** 0.5 * (1 + 3e-9) + 1e-12 * np.abs(v) @ np.abs(X).sum(axis=1)


@pytest.mark.parametrize(
    ("slots", "alone"), [(20, 20_000), (60, 20_000), (300, 20_000), (6000, 20_000), (60, 10), (6000, 30)]
)
def test_no_open_cone_is_forgotten(slots, alone, monkeypatch):
    """In pools so small that cones are dropped or searched depth first, stopped before the best neuron is found.

    So soon do some trees share the cones of one, in short rounds, that they do so more than once.

    Once it is found no bound falls below it, whatever is forgotten; of these problems climbing misses every third.
    """
    monkeypatch.setattr(cones, "MEMORY", 0)
    monkeypatch.setattr(cones, "FEWEST_SLOTS", slots)
    monkeypatch.setattr(cones, "ALONE", alone)
    monkeypatch.setattr(forest, "MOST_SPLITS", 16)
    missed = 0
    for seed in range(2, 18):
        rng = np.random.default_rng(seed)
        X, v = dyadic(rng, (40, 2)), zero_sum(dyadic(rng, 40))
        gamma = price(X, v, method="plane").value
        bounds = [price(X, v, method="cones", node_limit=limit) for limit in (20, 80, 10_000)]
        missed += bounds[0].value < gamma * (1 - 1e-6)
        assert min(priced.upper for priced in bounds) >= gamma * (1 - 1e-12)
        assert (np.diff([priced.upper for priced in bounds]) <= 1e-12 * bounds[0].upper).all()
    assert missed


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("method", ["auto", "cones", "cells"])
def test_a_sum_that_misses_zero_is_made_up_for(d, method):
    """The bound holds for each vector that sums to zero once one entry takes what the sum misses it by."""
    rng = np.random.default_rng(2)
    X, v = 5 + rng.standard_normal((6, d)), zero_sum(dyadic(rng, 6))
    missing = Fraction(SUM_TOLERANCE) / 2 * Fraction(np.abs(v).sum())
    for sign, entry in itertools.product((1, -1), range(6)):
        given = v.copy()
        given[entry] += float(sign * missing)
        priced = price(X, given, method=method)
        for taker in range(6):
            exact = [Fraction(value) for value in given.tolist()]
            exact[taker] -= sum(exact)
            assert_above(priced, gamma_squared_of(X, exact, "free", 0.0))


@pytest.mark.parametrize("slope", [0.0, -2.0])
def test_what_lies_outside_of_a_subspace_is_made_up_for(slope):
    """Pairs of points on a line but for rounding, with weights that cancel on it: only what lies outside scores.

    The neuron (-0.8 x_1 + 0.6 x_2 + b), of unit cost, sees that of all points if b is large, and of all by the slope if
    -b is. It is evaluated in fractions.
    """
    rng, n = np.random.default_rng(3), 1600
    heights, sides = np.repeat(rng.standard_normal(n // 2), 2), np.tile([1.0, -1.0], n // 2)
    X = heights[:, None] * [0.6, 0.8] + (2e-13 * sides)[:, None] * [-0.8, 0.6]
    pricer = make_pricer(X, "free", slope, "subspace")
    w = Fraction(-4, 5), Fraction(3, 5)
    rows = [[Fraction(entry) for entry in row] for row in X.tolist()]
    score = sum(int(side) * (w[0] * x + w[1] * y) for side, (x, y) in zip(sides, rows, strict=True))
    assert score > 3e-10
    assert pricer(sides).upper >= score * max(1, abs(Fraction(slope)))


@pytest.mark.parametrize(("X", "bias", "method"), [([[0.6, 0.8]], "none", "plane"), ([[0.75]], "joint", "line")])
def test_the_best_of_equal_arcs_is_a_column(X, bias, method):
    """One point and slope -1: the score is the same on both sides of it, and no arc is better than its neighbours."""
    priced = price(X, [2.0], bias=bias, negative_slope=-1.0, method=method)
    assert priced.value == pytest.approx({"none": 2.0, "joint": 2.5}[bias], rel=1e-12)
    assert abs(priced.scores[0]) == priced.value
