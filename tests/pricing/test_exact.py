"""Line, plane and cells against brute force over all patterns, each other, and numbers known by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.pricing import make_pricer, price, price_cells
from cvxrelu.problem import losses as cr_losses
from tests.pricing.reference import (
    BIASES,
    SLOPES,
    all_patterns,
    balanced,
    check_priced,
    degenerate_problems,
    gamma_by_patterns,
    random_neurons,
    scores,
)

KH_X = np.array([-1, -0.6, -0.2, 0.2, 0.6, 1])[:, None]
KH_V = np.array([2.5, -7.5, 5, 5, -7.5, 2.5])


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_cells_and_sweeps_agree_with_brute_force(d, bias, slope):
    rng = np.random.default_rng(d)
    X = rng.standard_normal((7, d))
    v = balanced(rng.standard_normal(7), bias)
    gamma = gamma_by_patterns(X, v, bias, slope)
    check_priced(price_cells(X, v, all_patterns(7), bias=bias, negative_slope=slope), X, v, bias, slope, gamma)
    if d == 1 or (d == 2 and bias != "joint"):
        priced = price(X, v, bias=bias, negative_slope=slope)
        assert priced.complete
        assert priced.method == ("line" if d == 1 else "plane")
        check_priced(priced, X, v, bias, slope, gamma, tol=1e-12)


@given(degenerate_problems(), st.sampled_from(BIASES), st.sampled_from(SLOPES))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_degenerate_data(problem, bias, slope):
    X, v = problem
    v = balanced(v, bias)
    gamma = gamma_by_patterns(X, v, bias, slope)
    patterns = all_patterns(len(X))
    check_priced(price_cells(X, v, patterns, bias=bias, negative_slope=slope), X, v, bias, slope, gamma)
    if X.shape[1] == 1 or (X.shape[1] == 2 and bias != "joint"):
        priced = price(X, v, bias=bias, negative_slope=slope)
        check_priced(priced, X, v, bias, slope, gamma, tol=1e-12)


def test_dual_of_the_interpolation_example_is_exactly_feasible():
    for slope in SLOPES:
        priced = price(KH_X, KH_V, negative_slope=slope)
        assert priced.complete
        assert priced.upper - priced.value < 1e-11
    assert price(KH_X, KH_V).value == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("slope", SLOPES)
def test_line_against_every_hinge(slope):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((300, 1))
    v = balanced(rng.standard_normal(300), "free")
    W = np.repeat([[1.0], [-1.0]], 300, axis=0)
    b = np.concatenate([-X[:, 0], X[:, 0]])
    everything = scores(X, v, W, b, slope)
    priced = price(X, v, negative_slope=slope)
    assert priced.value == pytest.approx(np.abs(everything).max(), rel=1e-12)
    assert len(priced.scores) > 10
    assert {True, False} == set((priced.scores > 0).tolist())


@pytest.mark.parametrize("bias", ["joint", "none"])
@pytest.mark.parametrize("slope", SLOPES)
def test_circle_sweep_against_a_dense_grid(bias, slope):
    rng = np.random.default_rng(4)
    d = 1 if bias == "joint" else 2
    X = rng.standard_normal((60, d))
    v = rng.standard_normal(60)
    angle = np.linspace(0, 2 * np.pi, 20_001)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    W, b = (circle[:, :1], circle[:, 1]) if bias == "joint" else (circle, np.zeros(len(circle)))
    grid = np.abs(scores(X, v, W, b, slope)).max()
    priced = price(X, v, bias=bias, negative_slope=slope)
    assert grid <= priced.upper
    assert priced.upper == pytest.approx(grid, rel=3e-5)


@pytest.mark.parametrize("slope", [0.0, -0.3])
def test_plane_returns_the_best_of_each_anchor(slope):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((25, 2))
    v = balanced(rng.standard_normal(25), "free")
    priced = price(X, v, negative_slope=slope)
    angle = np.linspace(0, 2 * np.pi, 4001)
    W = np.column_stack([np.cos(angle), np.sin(angle)])
    for anchor in X:
        grid = scores(X, v, W, -W @ anchor, slope)
        through = np.abs(priced.W @ anchor + priced.b) < 1e-12
        assert grid.max() <= priced.scores[through].max() + 1e-9
        assert grid.min() >= priced.scores[through].min() - 1e-9


def test_facets_only_give_the_same_result():
    rng = np.random.default_rng(6)
    X = rng.standard_normal((6, 2))
    v = balanced(rng.standard_normal(6), "free")
    patterns = all_patterns(6)
    full = price_cells(X, v, patterns)
    assert price_cells(X, v, patterns, facets=np.ones_like(patterns)).upper == full.upper
    assert price_cells(X, v, patterns, facets=np.zeros_like(patterns)).upper >= full.upper


def test_cells_stop_at_a_threshold():
    rng = np.random.default_rng(7)
    X = rng.standard_normal((8, 3))
    v = rng.standard_normal(8)
    exact = price_cells(X, v, all_patterns(8), bias="joint")
    early = price_cells(X, v, all_patterns(8), bias="joint", threshold=2 * exact.value)
    assert early.complete
    assert exact.value <= early.upper <= 2 * exact.value
    assert early.nodes < exact.nodes


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("d", [1, 2])
def test_upper_bounds_random_neurons_far_from_the_origin(bias, d):
    rng = np.random.default_rng(8)
    for offset, unit in [(0.0, 1.0), (1e6, 1.0), (0.0, 1e-6), (0.0, 1e6), (1e6, 1e-3)]:
        X = offset + unit * rng.standard_normal((12, d))
        v = balanced(rng.standard_normal(12), bias)
        if d == 2 and bias == "joint":
            continue
        priced = price(X, v, bias=bias)
        W, b = random_neurons(rng, X, bias, 2000)
        slack = 1e-15 * np.abs(v).sum() * (abs(offset) + unit)
        assert np.abs(scores(X, v, W, b, 0.0)).max() <= priced.upper + 100 * slack
        assert priced.upper <= priced.value * (1 + 1e-9) + 1e4 * slack


@pytest.mark.parametrize("d", [1, 2])
def test_translation_and_scaling(d):
    rng = np.random.default_rng(9)
    X = rng.standard_normal((30, d))
    v = balanced(rng.standard_normal(30), "free")
    base = price(X, v).value
    assert price(X + 1e6, v).value == pytest.approx(base, rel=1e-8)
    for unit in (1e-6, 1e6):
        assert price(unit * X, v).value == pytest.approx(unit * base, rel=1e-10)
        assert price(X, unit * v).value == pytest.approx(unit * base, rel=1e-10)


def test_nothing_to_price():
    assert price([[1.0, 2.0]], [0.0]).upper == 0.0
    assert price(np.ones((4, 2)), [1.0, -1.0, 2.0, -2.0]).upper == 0.0
    assert price(np.ones((4, 1)), [1.0, -1.0, 2.0, -2.0]).value == 0.0
    zero = price(np.eye(2), [0.0, 0.0])
    assert (zero.upper, zero.value, zero.complete, zero.W.shape, zero.b.shape) == (
        0.0,
        0.0,
        True,
        (0, 2),
        (0,),
    )
    assert price([[0.0]], [3.0], bias="none").value == 0.0
    assert price([[0.0]], [3.0], bias="joint").value == pytest.approx(3.0)


def test_plane_stopped_early_still_bounds():
    """Only hinges through the far end of a line of points score there, and the sweep has not got so far."""
    X = np.column_stack([np.append(np.arange(2500.0), [1e4, 1e4]), np.append(np.zeros(2500), [1.0, 2.0])])
    v = np.zeros(2502)
    v[2400:2403] = 1.0, -2.0, 1.0
    stopped = price(X, v, method="plane", node_limit=1)
    assert not stopped.complete
    assert 0 < stopped.nodes < 2400
    assert stopped.upper >= 1.0  # what the neuron max(0, x_1 - 2401) scores


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_places_that_are_one_but_for_rounding(seed, outputs):
    """Seen from the middle of the data they are the same, so that more places are at some anchors than at others."""
    rng = np.random.default_rng(seed)
    X, V = rng.standard_normal((8, 2)), rng.standard_normal((8, outputs))
    X[:3] = [[1e-20, 0.0], [0.0, 0.0], [0.0, 1e-19]]
    V -= V.mean(axis=0)
    v = V[:, 0] if outputs == 1 else V
    plane, cones = price(X, v, method="plane"), price(X, v, method="cones")
    assert plane.upper >= cones.value * (1 - 1e-9)
    assert plane.value == pytest.approx(cones.value, rel=1e-6)


@pytest.mark.parametrize("kept", [4_000_000, 0])
def test_later_searches_of_the_plane_find_the_same(kept, monkeypatch):
    monkeypatch.setattr("cvxrelu.pricing.plane.PAIRS_KEPT", kept)
    rng = np.random.default_rng(0)
    X, V = rng.standard_normal((800, 2)), rng.standard_normal((3, 800))
    V -= V.mean(axis=1, keepdims=True)
    pricer = make_pricer(X)
    assert not pricer(V[0], node_limit=1).complete
    for v in V:
        again, fresh = pricer(v), make_pricer(X)(v)
        assert again.complete
        assert (again.value, again.upper) == (fresh.value, fresh.upper)
        np.testing.assert_array_equal(again.W, fresh.W)
    assert len(pricer.prepared.turns) == (2 if kept else 0)


def test_bad_input_is_refused():
    X, v = np.eye(3), np.ones(3)
    with pytest.raises(InputError, match="sum to zero"):
        price(np.eye(2), [1.0, 1.0])
    for bad in ({"bias": "some"}, {"negative_slope": 1.0}, {"negative_slope": np.nan}, {"method": "magic"}):
        with pytest.raises(InputError):
            make_pricer(X, **bad)
    with pytest.raises(InputError, match="does not price"):
        make_pricer(X, method="line")
    with pytest.raises(InputError, match="one entry"):
        price(X[:, :1], v[:2], bias="joint")
    with pytest.raises(InputError, match="finite"):
        price(X[:, :1], [1.0, np.nan, 0.0], bias="joint")
    with pytest.raises(InputTypeError):
        price([["a"]], [1.0])
    with pytest.raises(InputError, match="one-dimensional"):
        price([1.0, 2.0], [1.0, -1.0])
    with pytest.raises(InputError, match="patterns"):
        price_cells(X, v, [[True, False]], bias="joint")
    with pytest.raises(InputError, match="facets"):
        price_cells(X, v, [[True, False, True]], bias="joint", facets=[[True]])


@pytest.mark.parametrize("balanced", [True, False])
def test_bound_on_the_line_is_above_the_exact_maximum_and_close(balanced):
    """Neighbours 1e-9 apart make weights of 1e9 whose scores are of order one: nearly all digits cancel."""
    from fractions import Fraction

    rng = np.random.default_rng(3)
    x = np.sort(np.concatenate([rng.standard_normal(30), rng.standard_normal(30)]))
    x[1::2] = x[::2] + 1e-9 * rng.uniform(1, 2, 30)
    bends = np.concatenate([[0.0], rng.choice([-1.0, 1.0], len(x) - 2), [0.0]])
    slopes = np.diff(bends) / np.diff(x)
    v = np.diff(np.concatenate([[0.0], slopes, [0.0]]))
    if balanced:
        v = cr_losses.get_loss("interpolation").repair(v, v, True)
    else:
        v -= v.mean()
    exact_x, exact_v = ([Fraction(value) for value in values.tolist()] for values in (x, v))
    scores = [
        abs(sum(w * max(side * (z - hinge), Fraction(0)) for w, z in zip(exact_v, exact_x, strict=True)))
        for hinge in exact_x
        for side in (1, -1)
    ]
    priced = price(x[:, None], v)
    assert priced.upper >= max(scores)
    if balanced:
        assert priced.upper <= max(scores) * (1 + Fraction(1, 10**6))
