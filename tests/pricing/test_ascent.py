"""Local ascent: never more than gamma, usually all of it, and local maxima indeed."""

import time

import numpy as np
import pytest

from cvxrelu.errors import InputError
from cvxrelu.pricing import ascent, make_pricer
from cvxrelu.pricing.ascent import LONG, NEAR, SHORT, far_apart
from cvxrelu.pricing.march import march, march_by_products
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.score import BLOCK, Score
from cvxrelu.pricing.starts import lift, random_starts
from tests.pricing.reference import BIASES, SLOPES, check_priced, scores


def noise(n, d, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    v = rng.standard_normal(n)
    return X, v - v.mean()


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("bias", BIASES)
def test_finds_the_maximum_of_small_problems(bias, slope):
    X, v = noise(30, 3)
    pricer = make_pricer(X, bias, slope)
    found = pricer.ascend(v, n_starts=40, random_state=0)
    exact = pricer(v)
    check_priced(found, X, v, bias, slope)
    assert found.upper == np.inf
    assert not found.complete
    assert found.value <= exact.upper
    assert found.value == pytest.approx(exact.value, rel=1e-7)


@pytest.mark.parametrize("bias", BIASES)
def test_no_small_step_improves(bias):
    X, v = noise(40, 3, seed=1)
    found = make_pricer(X, bias).ascend(v, n_starts=5, random_state=1)
    rng = np.random.default_rng(2)
    for w, b, score in zip(found.W, found.b, found.scores, strict=True):
        W = w + 1e-5 * rng.standard_normal((300, 3))
        B = b + 1e-5 * rng.standard_normal(300) if bias != "none" else np.zeros(300)
        norm = np.linalg.norm(np.column_stack([W, B]) if bias == "joint" else W, axis=1)
        around = np.sign(score) * scores(X, v, W / norm[:, None], B / norm, 0.0)
        assert around.max() <= abs(score) * (1 + 1e-7)


def test_deterministic_and_improving_on_given_starts():
    X, v = noise(25, 4, seed=3)
    for bias in BIASES:
        pricer = make_pricer(X, bias)
        first = pricer.ascend(v, random_state=5)
        assert (first.scores == pricer.ascend(v, random_state=5).scores).all()
        start = np.column_stack([first.W, first.b])[:1]
        again = pricer.ascend(v, n_starts=0, starts=start)
        assert again.value >= first.value * (1 - 1e-12)


def test_nothing_to_climb():
    pricer = make_pricer(np.ones((3, 3)))
    assert pricer.ascend([1.0, 1.0, -2.0], random_state=0).value == 0.0
    assert pricer.ascend(np.zeros(3), n_starts=0).scores.shape == (0,)
    with pytest.raises(InputError, match="starts"):
        pricer.ascend(np.zeros(3), starts=[[1.0]])
    with pytest.raises(InputError, match="n_starts"):
        pricer.ascend(np.zeros(3), n_starts=-1)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("bias", BIASES)
def test_score_and_gradients_are_those_of_the_neurons(bias, slope):
    X, v = noise(20, 3, seed=4)
    points = Points.prepare(X, bias, slope)
    weights = points.weigh(v)
    score = Score.of(points, weights)
    W, b = np.random.default_rng(5).standard_normal((6, 3)), np.linspace(-1.0, 1.0, 6)
    columns = {
        "free": [W, (b + W @ points.centre) / (points.radius * 2.0**points.exponent)],
        "joint": [W, b],
        "none": [W],
    }
    neurons = np.column_stack(columns[bias])
    expected = scores(X, v, W, b if bias != "none" else 0 * b, slope) / 2.0**weights.exponent
    np.testing.assert_allclose(score(neurons), expected, atol=1e-12)
    np.testing.assert_allclose((score.gradients(neurons) * neurons).sum(axis=1), expected, atol=1e-12)


@pytest.mark.parametrize("n", [3, BLOCK - 1, BLOCK, 2 * BLOCK + 7])
def test_gradients_of_many_points_are_summed_by_blocks(n):
    rng = np.random.default_rng(n)
    score = Score(rng.standard_normal((n, 4)), rng.standard_normal(n), rng.standard_normal(4), 3)
    neurons = rng.standard_normal((5, 4))
    one_by_one = [
        score.linear + sum(c * z for z, c in zip(score.Z, score.c, strict=True) if z @ u > 0) for u in neurons
    ]
    np.testing.assert_allclose(score.gradients(neurons), one_by_one, atol=1e-10)


@pytest.mark.parametrize("lengths", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("bias", BIASES)
def test_marching_never_descends(bias, lengths):
    X, v = noise(40, 3, seed=6)
    points = Points.prepare(X, bias, 0.1)
    weights = points.weigh(v)
    score = Score.of(points, weights)
    starts = np.random.default_rng(7).standard_normal((30, score.Z.shape[1]))
    starts /= np.linalg.norm(starts[:, : score.normed], axis=1)[:, None]
    sides = np.resize([1.0, -1.0], len(starts))
    reached = march(score, sides, starts, lengths)
    np.testing.assert_allclose(reached, march_by_products(score, sides, starts, lengths), atol=1e-9)
    assert (sides * score(reached) >= sides * score(starts) - 1e-12).all()
    assert np.mean(sides * score(reached)) > np.mean(sides * score(starts)) + 1 / 2.0**weights.exponent
    np.testing.assert_allclose(np.linalg.norm(reached[:, : score.normed], axis=1), 1)


def test_neurons_are_not_almost_the_same():
    X, v = noise(200, 10, seed=8)
    found = make_pricer(X, "none").ascend(v, n_starts=200, random_state=0)
    closeness = found.W @ found.W.T - np.eye(len(found.W))
    same_side = np.sign(found.scores)[:, None] == np.sign(found.scores)
    assert len(found.W) > 50
    assert closeness[same_side].max() <= 1 - NEAR**2 / 2 + 1e-12
    assert (np.diff(np.abs(found.scores)) <= 0).all()


@pytest.mark.parametrize("even", [False, True])
def test_the_first_of_those_near_each_other_is_kept(even):
    rng = np.random.default_rng(12)
    directions = rng.standard_normal((4, 3))[rng.integers(4, size=120)] * rng.choice([1.0, -1.0], (120, 1))
    directions += 1e-4 * rng.standard_normal(directions.shape)
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    sides = rng.choice([1.0, -1.0], 120)
    starts = rng.integers(1, 9, size=120)
    cosines = directions @ directions.T
    near = ((np.abs(cosines) if even else cosines) > 1 - NEAR**2 / 2) & (sides[:, None] == sides)
    expected, left = {}, np.ones(120, dtype=bool)
    while left.any():
        first = int(np.argmax(left))
        expected[first] = int(starts[near[first] & left].sum())
        left &= ~near[first]
    assert len(expected) == (8 if even else 16)
    for most in (5, 120):
        kept, counts = far_apart(directions, sides, starts, even, most)
        assert dict(zip(kept.tolist(), counts.tolist(), strict=True)) == dict(list(expected.items())[:most])


def test_given_starts_go_up_on_their_side():
    X, v = noise(60, 4, seed=9)
    start = np.random.default_rng(10).standard_normal((10, 5))
    start[:, -1] = 0.0
    pricer = make_pricer(X, "none")
    for row in start:
        found = pricer.ascend(v, n_starts=0, starts=[row])
        before = scores(X, v, row[:-1], 0.0, 0.0)[0] / np.linalg.norm(row)
        assert found.scores[0] * np.sign(before) >= abs(before)


@pytest.mark.parametrize("slope", [0.0, -1.0])
def test_the_neurons_of_a_batch_climb_as_each_does_alone(slope, monkeypatch):
    X, v = noise(20, 3, seed=4)
    together = make_pricer(X, "free", slope).ascend(v, random_state=0)
    monkeypatch.setattr(ascent, "CLIMBED_TOGETHER", 3 * X.size)
    apart = make_pricer(X, "free", slope).ascend(v, random_state=0)
    np.testing.assert_array_equal(together.scores, apart.scores)
    np.testing.assert_array_equal(together.W, apart.W)


def test_misses_little_of_a_large_problem():
    X, v = noise(400, 10, seed=11)
    pricer = make_pricer(X, "none")
    few, many = (pricer.ascend(v, n_starts=count, random_state=count).value for count in (200, 2000))
    assert few >= 0.99 * many


@pytest.mark.parametrize("bias", BIASES)
def test_time_limit(bias):
    X, v = noise(3000, 10, seed=12)
    pricer = make_pricer(X, bias)
    whole = pricer.ascend(v, n_starts=20, random_state=0)
    assert pricer.ascend(v, n_starts=20, random_state=0, time_limit=np.inf).value == whole.value
    check_priced(pricer.ascend(v, n_starts=20, random_state=0, time_limit=0.0), X, v, bias, 0.0)
    begin = time.process_time()
    pricer.ascend(v, n_starts=2000, random_state=0, time_limit=0.1)
    assert time.process_time() - begin < 5.0


@pytest.mark.parametrize("exponent", [0, -400, 300])
def test_the_fewer_are_found_the_more_starts_are_drawn(exponent):
    X, v = noise(150, 10)
    pricer = make_pricer(X)
    best = pricer.ascend(v, n_starts=400, random_state=0).value
    v = np.ldexp(v, exponent)

    def found(share):
        return pricer.ascend(v, n_starts=400, threshold=np.ldexp(share * best, exponent), random_state=0)

    easy, hard, hopeless = found(0.1), found(0.995), found(1.5)
    assert easy.nodes < hard.nodes < hopeless.nodes == 400
    assert np.ldexp(hopeless.value, -exponent) == pytest.approx(best, rel=1e-9)
    assert easy.value > np.ldexp(0.1 * best, exponent)


def test_starts_between_given_ones_find_more():
    X, v = noise(150, 10)
    pricer = make_pricer(X)
    known = pricer.ascend(v, n_starts=100, random_state=0)
    starts = np.column_stack([known.W, known.b])[:40]
    alone = [pricer.ascend(v, n_starts=60, random_state=seed).value for seed in range(1, 6)]
    between = [pricer.ascend(v, n_starts=60, starts=starts, random_state=seed).value for seed in range(1, 6)]
    assert np.mean(between) > np.mean(alone)


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("size", [1.0, 100.0, 1e-3])
def test_hinges_of_random_starts_pass_through_places(bias, size):
    """In whatever units the places are: the last column of a joint bias has another size than one."""
    X = size * np.random.default_rng(0).standard_normal((7, 3))
    points = Points.prepare(X, bias, 0.0)
    starts = lift(points, random_starts(points, 50, np.random.default_rng(1)))
    heights = np.abs(starts @ points.lifted.T) / np.linalg.norm(starts, axis=1)[:, None]
    assert (heights.min(axis=1) <= 1e-12).all()


def test_one_input_without_a_bias_has_starts():
    points = Points.prepare(np.array([[2.0], [-1.0]]), "none", 0.0)
    assert random_starts(points, 5, np.random.default_rng(0))[:, 0].all()


@pytest.mark.parametrize("slope", SLOPES)
def test_hinges_however_far_away_are_starts(slope):
    """Beyond all places a neuron is linear on them, so that the distance of its hinge makes no difference."""
    X, v = noise(30, 3, seed=6)
    pricer = make_pricer(X, "free", slope)
    near, far = (np.array([[1.0, 2.0, -1.0, b], [1.0, 2.0, -1.0, -b]]) for b in (1e2, 1e120))
    options = {"n_starts": 4, "random_state": 0}
    with np.errstate(all="raise"):
        scouted = pricer.scout(v, starts=far, **options)
        ascended = pricer.ascend(v, starts=far, **options)
    assert ascended.value == pytest.approx(pricer.ascend(v, starts=near, **options).value, rel=1e-12)
    assert scouted.value > 0
