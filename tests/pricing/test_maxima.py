"""Independent ascents: they end in local maxima, in all of them where these can be listed, and are counted right."""

import time

import numpy as np
import pytest

from cvxrelu.arrangement import enumerate_patterns
from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.pricing import make_pricer, price_cells
from tests.pricing.reference import BIASES, SLOPES, balanced, scores


def numbers(n, d, seed, bias="free"):
    """Distinct points, and a vector that sums to zero exactly if the bias is free."""
    rng = np.random.default_rng(seed)
    v = rng.integers(-99, 100, n) / 64
    v[0] -= v.sum() if bias == "free" else 0.0
    return rng.standard_normal((n, d)), v


def local_maxima(X, v, bias, slope):
    """The signed scores of all local maxima: best neurons of a cell that no cell around them betters.

    Every cell is solved by itself. A maximum on the border of cells is found in each of them, and counted once: on one
    side, no sample is strictly on opposite sides of the hinges of the same neuron.
    """
    patterns = enumerate_patterns(X, bias != "none").to_bool()
    found = []
    for side in (1.0, -1.0):
        best = []
        for pattern in patterns:
            # Of the scores in the cell the largest, not the largest absolute one.
            priced = price_cells(X, side * v, [pattern], bias=bias, negative_slope=slope)
            k = np.flatnonzero(priced.scores > 1e-9)
            t = X @ priced.W[k[0]] + priced.b[k[0]] if len(k) else np.zeros(len(X))
            best.append((priced.scores[k[0]] if len(k) else 0.0, np.where(np.abs(t) < 1e-9, 0.0, np.sign(t))))
        values, signs = np.array([value for value, _ in best]), np.array([sign for _, sign in best])
        # A neuron is in the closure of the cells that differ from its signs only where it has none.
        around = [((sign == 0) | (patterns == (sign > 0))).all(axis=1) for sign in signs]
        local = [k for k in np.argsort(-values) if values[k] > 0 and values[around[k]].max() <= values[k] + 1e-9]
        kept = []
        for k in local:
            if not any((signs[k] * signs[j] >= 0).all() for j in kept):
                kept.append(k)
        found += [side * values[k] for k in kept]
    return sorted(found)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize(("bias", "d"), [("none", 2), ("none", 3), ("joint", 1), ("joint", 2)])
def test_all_local_maxima_are_found_and_nothing_else(bias, d, slope):
    for seed in range(2):
        X, v = numbers(7, d, seed, bias)
        maxima = make_pricer(X, bias, slope).maxima(v, 400, random_state=0)
        np.testing.assert_allclose(np.sort(maxima.scores), local_maxima(X, v, bias, slope), rtol=1e-7)
        assert maxima.ascents == 400
        assert maxima.once == 0


def local_maxima_on_a_line(x, v, slope):
    """The signed scores of the local maxima over biases, for both directions; between hinges the score is linear."""
    found = set()
    for w in (1.0, -1.0):
        hinges = np.sort(-w * x)
        values = scores(x[:, None], v, np.full((len(x), 1), w), hinges, slope)
        for side in (1.0, -1.0):
            heights = np.concatenate([[-np.inf], side * values, [-np.inf]])
            top = (heights[1:-1] > heights[:-2]) & (heights[1:-1] > heights[2:]) & (heights[1:-1] > 0)
            found |= {side * value for value in heights[1:-1][top]}
    return sorted(found)


@pytest.mark.parametrize("slope", [0.0, 0.1, -0.3])
def test_all_local_maxima_of_a_line_are_found(slope):
    for seed in range(4):
        X, v = numbers(9, 1, seed)
        wanted = np.array(local_maxima_on_a_line(X[:, 0], v, slope))
        found = make_pricer(X, "free", slope).maxima(v, 2000, random_state=0).scores
        assert np.abs(found[:, None] / wanted - 1).min(axis=1).max() < 1e-6
        large = wanted[np.abs(wanted) > 0.3 * np.abs(wanted).max()]
        assert np.abs(large[:, None] / found - 1).min(axis=1).max() < 1e-6


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize(("n", "d"), [(7, 1), (30, 2), (30, 3)])
def test_with_free_biases_every_end_is_a_local_maximum_and_the_best_is_among_them(n, d, slope):
    rng = np.random.default_rng(0)
    for seed in range(2):
        X, v = numbers(n, d, seed)
        maxima, priced = (pricer := make_pricer(X, "free", slope)).maxima(v, 300, random_state=0), pricer(v)
        for w, b, score in zip(maxima.W, maxima.b, maxima.scores, strict=True):
            assert scores(X, v, w, b, slope)[0] == pytest.approx(score, rel=1e-9)
            W, B = w + 1e-5 * rng.standard_normal((400, d)), b + 1e-5 * rng.standard_normal(400)
            W /= np.linalg.norm(W, axis=1)[:, None]
            assert (np.sign(score) * scores(X, v, W, B, slope)).max() <= abs(score) * (1 + 1e-7)
        assert maxima.largest == pytest.approx(priced.value, rel=1e-9)
        assert maxima.largest <= priced.upper * (1 + 1e-12)


def test_a_flat_maximum_is_one_maximum():
    """The score of the hinge at any place between -0.2 and 0.2 is the same."""
    X, v = np.array([[-1.0], [-0.6], [-0.2], [0.2], [0.6], [1.0]]), np.array([1.0, -3.0, 2.0, 2.0, -3.0, 1.0])
    maxima = make_pricer(X).maxima(v, 500, random_state=0)
    np.testing.assert_allclose(np.abs(maxima.scores), 0.4)
    assert len(maxima.scores) == 6  # at either side, the hinge at -0.6, at 0.6 and between
    assert maxima.counts.min() > 20


def test_samples_at_one_place_count_once():
    X, v = numbers(10, 3, 0)
    once = make_pricer(X).maxima(v, 200, random_state=0)
    twice = make_pricer(np.vstack([X, X])).maxima(np.append(0.75 * v, 0.25 * v), 200, random_state=0)
    np.testing.assert_allclose(twice.scores, once.scores)
    np.testing.assert_array_equal(twice.counts, once.counts)


@pytest.mark.parametrize("bias", BIASES)
def test_units_change_nothing(bias):
    """Nor does the origin, where biases are free."""
    X, v = numbers(20, 3, 1, bias)
    here = make_pricer(X, bias).maxima(v, 200, random_state=0)
    for exponent in (-300, 200):
        there = make_pricer(X, bias).maxima(np.ldexp(v, exponent), 200, random_state=0)
        np.testing.assert_array_equal(np.ldexp(there.scores, -exponent), here.scores)
        np.testing.assert_array_equal(there.counts, here.counts)
    if bias != "joint":
        np.testing.assert_allclose(
            make_pricer(1e9 * X, bias).maxima(v, 400, random_state=0).largest, 1e9 * here.largest
        )
    if bias == "free":
        far = make_pricer(X + 1000.0, bias).maxima(v, 200, random_state=0)
        np.testing.assert_allclose(far.largest, here.largest, rtol=1e-9)
        np.testing.assert_allclose(scores(X + 1000.0, v, far.W[:1], far.b[0], 0.0), far.scores[:1], rtol=1e-9)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("unit", [1e-4, 1e4])
def test_hinges_go_through_the_data_in_any_units(bias, unit):
    X, v = numbers(20, 2, 2, bias)
    pricer = make_pricer(unit * X, bias)
    assert pricer.maxima(v, 300, random_state=0).largest == pytest.approx(pricer(v).value, rel=1e-8)


def test_the_same_seed_finds_the_same():
    X, v = numbers(40, 5, 0)
    pricer = make_pricer(X)
    first, again, other = (pricer.maxima(v, 300, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.scores, again.scores)
    np.testing.assert_array_equal(first.counts, again.counts)
    assert not np.array_equal(first.counts, other.counts)


def test_how_often_ascents_find_something_new_is_estimated_without_bias():
    """The share of maxima seen once, and of later ascents that end in none of those seen, agree on average."""
    X, v = numbers(40, 5, 0)
    pricer = make_pricer(X)
    later = pricer.maxima(v, 4000, random_state=0)
    estimates, truths = [], []
    for seed in range(1, 21):
        seen = pricer.maxima(v, 100, random_state=seed)
        new = np.abs(later.scores[:, None] / seen.scores - 1).min(axis=1) > 1e-7
        estimates.append(seen.once / seen.ascents)
        truths.append(later.counts[new].sum() / later.ascents)
    assert np.mean(truths) > 0.05
    assert np.mean(estimates) == pytest.approx(np.mean(truths), abs=0.02)


def test_nothing_to_find():
    assert make_pricer(np.ones((3, 2))).maxima([1.0, 1.0, -2.0], 20, random_state=0).scores.shape == (0,)
    empty = make_pricer([[1.0, 2.0]], "none").maxima([0.0], 20, random_state=0)
    assert (empty.ascents, empty.largest, empty.W.shape, empty.b.shape) == (20, 0.0, (0, 2), (0,))
    one_side = make_pricer([[1.0]], "none").maxima([-1.0], 200, random_state=0)
    assert one_side.scores.tolist() == [-1.0]
    assert 30 < one_side.counts[0] < 70  # a quarter: on this side, and not from where the neuron is inactive


@pytest.mark.parametrize("bias", BIASES)
def test_time_limit(bias):
    X, v = np.random.default_rng(0).standard_normal((2000, 11))[:, :10], np.random.default_rng(1).standard_normal(2000)
    pricer = make_pricer(X, bias, method="cones")
    v = balanced(v, bias)
    assert pricer.maxima(v, 10, random_state=0, time_limit=0.0).ascents == 0
    begin = time.perf_counter()
    some = pricer.maxima(v, 10**6, random_state=0, time_limit=0.5)
    assert time.perf_counter() - begin < 5.0
    assert 0 < some.ascents < 10**6
    assert some.counts.sum() <= some.ascents


def test_strange_arguments_are_refused():
    pricer = make_pricer([[0.0], [1.0]])
    with pytest.raises(InputError, match="n_ascents"):
        pricer.maxima([1.0, -1.0], 0)
    with pytest.raises(InputTypeError, match="random_state"):
        pricer.maxima([1.0, -1.0], 5, random_state="x")
    with pytest.raises(InputError, match="sum to zero"):
        pricer.maxima([1.0, 1.0], 5)
