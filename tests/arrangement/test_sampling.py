"""Sampled patterns occur, are distinct and reproducible."""

import numpy as np
import pytest

import cvxrelu.arrangement as arr
from cvxrelu.errors import InputError, InputTypeError
from tests.arrangement.instances import as_set, lattice


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "X",
    [
        np.random.default_rng(0).standard_normal((100, 2)),
        lattice(9, 2),
        np.random.default_rng(0).integers(0, 3, (30, 3)).astype(float),
        1e6 + np.random.default_rng(0).standard_normal((80, 2)),
        np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]),
        np.array([[1.0, 2.0], [-1.0, -2.0], [3.0, 1.0], [-1.5, -0.5], [0.0, 1.0]]),
    ],
)
def test_sampled_patterns_occur(X, bias):
    sampled = arr.sample_patterns(X, 300, bias=bias, random_state=0)
    everything = arr.enumerate_patterns(X, bias)
    assert len(as_set(sampled)) == len(sampled)
    assert as_set(sampled) <= as_set(everything.to_bool())
    assert len(sampled) >= min(300, len(everything))


def test_drawing_by_vertices_finds_a_whole_arrangement(monkeypatch):
    monkeypatch.setattr("cvxrelu.arrangement.sampling._SMALL", 0)
    X = np.random.default_rng(0).standard_normal((15, 2))
    sampled = arr.sample_patterns(X, 10**6, random_state=0)
    assert as_set(sampled) == as_set(arr.enumerate_patterns(X).to_bool())


def test_large_data():
    X = np.random.default_rng(0).standard_normal((1000, 20))
    sampled = arr.sample_patterns(X, 500, random_state=0)
    assert sampled.shape == (500, 1000)
    assert len(np.unique(sampled, axis=0)) == 500
    np.testing.assert_array_equal(sampled, arr.sample_patterns(X, 500, random_state=0))


def test_more_features_than_samples():
    X = np.random.default_rng(0).standard_normal((30, 50))
    assert arr.sample_patterns(X, 400, random_state=0).shape == (400, 30)


def test_wide_range_of_magnitudes():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 2)) * 10.0 ** rng.integers(-200, 200, (80, 2))
    sampled = arr.sample_patterns(X, 50, random_state=0)
    assert as_set(sampled) <= as_set(arr.enumerate_patterns(X).to_bool())


def test_unusable_arguments_are_refused():
    with pytest.raises(InputError, match="n=0 must be a positive integer"):
        arr.sample_patterns([[0.0]], 0)
    with pytest.raises(InputTypeError, match="random_state"):
        arr.sample_patterns([[0.0]], 1, random_state="a")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="random_state"):
        arr.sample_patterns([[0.0]], 1, random_state=-1)
