"""Local ascent: never more than gamma, usually all of it, and local maxima indeed."""

import numpy as np
import pytest

from cvxrelu.errors import InputError
from cvxrelu.pricing import make_pricer
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
