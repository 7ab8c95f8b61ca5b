"""Branch and bound on cones: agreement with the exact methods, valid bounds when stopped, degenerate data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvxrelu.pricing import cones, forest, make_pricer, price
from cvxrelu.pricing.cone_bound import Cutoff, Problem
from cvxrelu.pricing.cone_split import branch
from cvxrelu.pricing.tree import PER_SLOT, make_tree, push, reserve
from tests.pricing.reference import (
    BIASES,
    SLOPES,
    balanced,
    check_priced,
    degenerate_problems,
    gamma_by_patterns,
    random_neurons,
    scores,
)


def noise(n, d, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    v = rng.standard_normal(n)
    return X, v - v.mean()


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_agrees_with_brute_force(d, bias, slope):
    X, v = noise(7, d, seed=d)
    gamma = gamma_by_patterns(X, v, bias, slope)
    priced = price(X, v, bias=bias, negative_slope=slope, method="cones")
    assert priced.complete
    assert priced.upper <= priced.value * (1 + 1e-9) + 1e-10
    check_priced(priced, X, v, bias, slope, gamma, tol=1e-9)


@given(degenerate_problems(), st.sampled_from(BIASES), st.sampled_from(SLOPES))
@settings(derandomize=True, deadline=None, max_examples=80)
def test_degenerate_data(problem, bias, slope):
    X, v = problem
    v = balanced(v, bias)
    gamma = gamma_by_patterns(X, v, bias, slope)
    priced = price(X, v, bias=bias, negative_slope=slope, method="cones", node_limit=20_000)
    check_priced(priced, X, v, bias, slope, gamma)
    assert priced.complete


@pytest.mark.parametrize("slope", [0.0, -0.3])
def test_agrees_with_the_sweeps_on_many_points(slope):
    for bias, d in (("free", 1), ("joint", 1), ("free", 2), ("none", 2)):
        X, v = noise(80, d, seed=2)
        exact = price(X, v, bias=bias, negative_slope=slope)
        priced = price(X, v, bias=bias, negative_slope=slope, method="cones", tol=1e-8)
        assert priced.complete
        assert priced.value == pytest.approx(exact.value, rel=1e-8)
        assert exact.value <= priced.upper <= exact.value * (1 + 2e-8)


@pytest.mark.parametrize("bias", BIASES)
def test_agrees_with_all_cells(bias):
    X, v = noise(9, 3, seed=3)
    cells = price(X, v, bias=bias, method="cells")
    cones = price(X, v, bias=bias, method="cones")
    assert cells.method == "cells"
    assert cells.complete
    assert cones.value == pytest.approx(cells.value, rel=2e-9)
    assert cones.upper == pytest.approx(cells.upper, rel=2e-9)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("d", [3, 5])
def test_a_search_stopped_anywhere_still_bounds(bias, d):
    X, v = noise(60, d, seed=4)
    exact = price(X, v, bias=bias, tol=1e-4)
    assert exact.complete
    W, b = random_neurons(np.random.default_rng(0), X, bias, 5000)
    assert np.abs(scores(X, v, W, b, 0.0)).max() <= exact.upper
    uppers = []
    for limit in (1, 100, 500, 2000):
        stopped = price(X, v, bias=bias, node_limit=limit)
        check_priced(stopped, X, v, bias, 0.0)
        assert stopped.upper >= exact.value
        uppers.append(stopped.upper)
    assert not price(X, v, bias=bias, node_limit=1).complete
    assert (np.diff(uppers) <= 1e-12 * uppers[0]).all()
    late = price(X, v, bias=bias, time_limit=0.0)
    assert not late.complete
    assert late.upper >= exact.value


@pytest.mark.parametrize("bias", BIASES)
def test_a_threshold_ends_the_search_early(bias):
    X, v = noise(60, 4, seed=5)
    exact = price(X, v, bias=bias, tol=1e-6)
    early = price(X, v, bias=bias, threshold=1.5 * exact.value)
    assert early.complete
    assert exact.value <= early.upper <= 1.5 * exact.value
    assert early.nodes < exact.nodes
    trivial = price(X, v, bias=bias, threshold=1e6)
    assert (trivial.complete, trivial.nodes) == (True, 0)
    assert trivial.upper <= 1e6


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize(("offset", "unit"), [(0.0, 1e-6), (0.0, 1e6), (1e6, 1.0), (1e6, 1e-3)])
def test_offsets_and_units(bias, offset, unit):
    X, v = noise(20, 3, seed=6)
    moved = offset + unit * X
    priced = price(moved, v, bias=bias, tol=1e-6, node_limit=200_000)
    assert priced.complete
    W, b = random_neurons(np.random.default_rng(1), moved, bias, 2000)
    rounding = 1e-13 * np.abs(v).sum() * (abs(offset) + unit)
    assert np.abs(scores(moved, v, W, b, 0.0)).max() <= priced.upper + rounding
    if bias == "free":
        assert priced.value == pytest.approx(unit * price(X, v).value, rel=2e-6 + 1e-9 * offset / unit)


def test_few_points_many_features():
    for bias in BIASES:
        X, v = noise(4, 6, seed=7)
        priced = price(X, v, bias=bias, tol=1e-6)
        assert priced.complete
        check_priced(priced, X, v, bias, 0.0, gamma_by_patterns(X, v, bias, 0.0), tol=1e-5)


def test_too_many_features_for_a_search_still_give_a_bound():
    X, v = noise(30, 40, seed=8)
    pricer = make_pricer(X, "joint")
    priced = pricer(v)
    found = pricer.ascend(v, random_state=0)
    assert not priced.complete
    assert found.value <= priced.upper < np.abs(v) @ np.sqrt((X**2).sum(axis=1) + 1)


def test_small_pools_go_depth_first_and_agree(monkeypatch):
    from cvxrelu.pricing import cones

    X, v = noise(50, 4, seed=9)
    exact = price(X, v, tol=1e-6)
    monkeypatch.setattr(cones, "MEMORY", 0)
    monkeypatch.setattr(cones, "FEWEST_SLOTS", 4500)
    shallow = price(X, v, tol=1e-6)
    assert shallow.complete
    assert shallow.value == pytest.approx(exact.value, rel=1e-6)


@pytest.mark.parametrize("bias", BIASES)
def test_zero_duals_and_single_points(bias):
    zero = price(np.eye(3), np.zeros(3), bias=bias)
    assert (zero.upper, zero.value, zero.complete) == (0.0, 0.0, True)
    one = price([[1.0, 2.0, 2.0]], [0.0 if bias == "free" else 2.0], bias=bias)
    assert one.complete
    assert one.value == pytest.approx({"free": 0.0, "joint": 2 * np.sqrt(10), "none": 6.0}[bias])


def test_a_score_that_vanishes_everywhere():
    X = np.array([[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])
    priced = price(X, [1.0, -1.0], bias="none", negative_slope=-1.0)
    assert priced.complete
    assert priced.upper < 1e-10


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("tol", [1e-6, 1e-9])
def test_nearly_coincident_points(bias, tol):
    rng = np.random.default_rng(11)
    for _ in range(3):
        X = rng.standard_normal((6, 2))[rng.integers(6, size=12)] + 1e-9 * rng.standard_normal((12, 2))
        v = balanced(rng.standard_normal(12), bias)
        priced = price(X, v, bias=bias, tol=tol, method="cones", node_limit=100_000)
        if bias != "joint":
            exact = price(X, v, bias=bias)
            assert exact.value * (1 - tol) <= priced.value <= exact.upper
            assert exact.value <= priced.upper
        assert priced.upper <= priced.value * (1 + 1e-6)


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
def test_several_trees_find_what_one_finds(bias, monkeypatch):
    rng = np.random.default_rng(0)
    X, v = rng.standard_normal((60, 4)), rng.standard_normal(60)
    v = v - v.mean() if bias == "free" else v
    one = price(X, v, bias=bias, method="cones", tol=1e-7)
    monkeypatch.setattr(cones, "ALONE", 20)
    monkeypatch.setattr(forest, "MOST_SPLITS", 16)
    pricer = make_pricer(X, bias, method="cones")
    several = [pricer(v, tol=1e-7, n_jobs=n_jobs) for n_jobs in (1, 2)]
    assert all(priced.complete and priced.nodes > 200 for priced in several)
    for priced in several:
        assert priced.value == pytest.approx(one.value, rel=1e-7)
        assert priced.upper == pytest.approx(one.upper, rel=1e-6)
    np.testing.assert_array_equal(several[0].W, several[1].W)
    assert several[0].upper == several[1].upper


def test_rounds_of_several_trees_stop_and_bound(monkeypatch):
    """More nodes, lower bounds, never below what is there; they are the same with two workers."""
    rng = np.random.default_rng(1)
    X, v = rng.standard_normal((60, 4)), rng.standard_normal(60)
    monkeypatch.setattr(cones, "ALONE", 50)
    monkeypatch.setattr(forest, "MOST_SPLITS", 16)
    pricer = make_pricer(X, "none", method="cones")
    value, limits = pricer(v).value, (50, 400, 1000, 2000)
    bounds = [[pricer(v, node_limit=limit, n_jobs=n_jobs).upper for limit in limits] for n_jobs in (1, 2)]
    assert bounds[0] == bounds[1]
    assert (np.diff(bounds[0]) <= 0).all()
    assert bounds[0][-1] >= value * (1 - 1e-12)
    assert bounds[0][0] > value * (1 + 1e-6)


def test_cones_that_were_closed_count_after_the_others_are_dealt():
    """Three open cones below what they would have to beat, and one that was closed with a larger bound."""
    problem = Problem(np.ones((1, 2)), np.ones(1), np.zeros(2), 2, 0.0)
    cutoff = Cutoff(np.array([5.0]), np.zeros((8, 2)), np.zeros(8), 1.0, 0.0, 0.0)
    tree = make_tree(100, 2, 1)
    tree.closed[0] = 7.0
    for bound in (3.0, 1.0, 2.0):
        slot = reserve(tree)
        tree.bound[slot] = bound
        push(tree, slot)
    trees, _, stopped = forest.branch_together(problem, tree, cutoff, lambda nodes: False, 1)
    assert not stopped
    assert len(trees) > 1
    assert max(part.closed[0] for part in trees) == 7.0
    assert not any(len(forest.open_cones(part)) for part in trees)


def test_a_cone_that_cannot_be_split_keeps_its_bound():
    """There is no room for its halves."""
    problem = Problem(np.array([[1.0, -1.0]]), np.ones(1), np.zeros(2), 2, 0.0)
    cutoff = Cutoff(np.array([1.0]), np.zeros((8, 2)), np.zeros(8), 1.0, 0.0, 0.0)
    tree = make_tree(2, 2, 1)
    slot = reserve(tree)
    for name in PER_SLOT:
        getattr(tree, name)[slot] = 0
    tree.U[slot] = tree.W[slot] = np.eye(2)
    tree.lam[slot], tree.side[slot], tree.open[slot], tree.bound[slot] = 0.5, 1.0, 1, 3.0
    push(tree, slot)
    branch(problem, tree, cutoff, 10)
    assert tree.closed[0] == 3.0
    assert not len(forest.open_cones(tree))
