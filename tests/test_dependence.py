"""Columns that depend on others exactly are told from those that do so up to rounding; held against fractions."""

from fractions import Fraction

import numpy as np
import pytest

from cvxrelu.certificate import dependence
from cvxrelu.certificate.dependence import FEW, PRIMES, spans
from cvxrelu.certificate.nearby import _independent_columns


def exact_rank(F):
    """The rank of floats, by elimination in fractions."""
    table, rank = [[Fraction(x) for x in row] for row in F.tolist()], 0
    for k in range(F.shape[1]):
        pivot = next((i for i in range(rank, len(table)) if table[i][k]), None)
        if pivot is None:
            continue
        table[rank], table[pivot] = table[pivot], table[rank]
        top = [entry / table[rank][k] for entry in table[rank]]
        below = ([a - row[k] * b for a, b in zip(row, top, strict=True)] for row in table[rank + 1 :])
        table, rank = [*table[: rank + 1], *below], rank + 1
    return rank


def indicators(rng, n, count):
    return np.eye(count)[rng.permutation(np.arange(n) % count)]


def short(rng, *shape):
    """Numbers of so few digits that sums and products with others are floats."""
    return rng.integers(-(2**20), 2**20, shape) / 2.0**18


def beside(X, more):
    """A matrix and columns made of its own."""
    return np.column_stack([X, more(X)])


# Matrices of 14 rows; columns depend on others in floats, exactly or up to rounding.
DEPENDENT = {
    "indicators": lambda rng: np.column_stack([np.ones(14), rng.standard_normal((14, 3)), indicators(rng, 14, 3)]),
    "two categories": lambda rng: np.column_stack([np.ones(14), indicators(rng, 14, 3), indicators(rng, 14, 2)]),
    "a column twice": lambda rng: beside(rng.standard_normal((14, 4)), lambda X: X[:, 1]),
    "other units": lambda rng: beside(rng.standard_normal((14, 3)), lambda X: X * [1024.0, 2.0**-70, -(2.0**200)]),
    "sums": lambda rng: beside(short(rng, 14, 4), lambda X: X[:, :2] + X[:, 2:]),
    "differences": lambda rng: beside(short(rng, 14, 4), lambda X: 3 * X[:, 2] - 7 * X[:, 0]),
    "thirds": lambda rng: beside(3 * short(rng, 14, 3), lambda X: X.sum(axis=1) / 3),
    "complements": lambda rng: beside(np.column_stack([np.ones(14), short(rng, 14)]), lambda X: X[:, 0] - X[:, 1]),
    "long coefficients": lambda rng: np.rint(999 * rng.random((14, 8))) @ np.rint(999 * rng.random((8, 10))),
    "mirror images": lambda rng: (lambda X: np.vstack([X, -X]))(rng.standard_normal((7, 16))),
    "equal rows": lambda rng: rng.standard_normal((5, 9))[np.arange(14) % 5],
    "more columns than rows": lambda rng: rng.standard_normal((14, 20)),
    "zeros": lambda rng: np.column_stack([np.zeros(14), rng.standard_normal((14, 2)), np.zeros(14)]),
}
ROUNDED = {
    "a multiple": lambda rng: beside(rng.standard_normal((14, 4)), lambda X: 0.1 * X[:, 1]),
    "a sum": lambda rng: beside(rng.standard_normal((14, 4)), lambda X: X[:, 0] + X[:, 1]),
    "one entry": lambda rng: beside(
        rng.standard_normal((14, 3)), lambda X: np.append(X[:-1, 0], np.nextafter(X[-1, 0], 9))
    ),
}


@pytest.fixture
def moduli(monkeypatch):
    """What coefficients are looked for modulo, in their order."""
    seen, fractions = [], dependence._fractions
    monkeypatch.setattr(dependence, "_fractions", lambda x, modulus: seen.append(modulus) or fractions(x, modulus))
    return seen


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", DEPENDENT)
def test_columns_left_out_are_combinations_of_those_kept(name, seed):
    F = DEPENDENT[name](np.random.default_rng(seed))
    kept = _independent_columns(F)
    assert kept is not None
    assert len(kept) == exact_rank(F) == exact_rank(F[:, kept])
    assert len(kept) < F.shape[1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ROUNDED)
def test_columns_are_kept_if_they_are_combinations_up_to_rounding(name, seed):
    F = ROUNDED[name](np.random.default_rng(seed))
    assert _independent_columns(F) is None
    assert exact_rank(F) == F.shape[1]


def test_what_is_equal_modulo_a_prime_is_not_equal():
    F = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, PRIMES[0]]])
    assert not spans(F, [0, 1], [0, 1])
    assert exact_rank(F) == 3


def test_a_determinant_that_a_prime_divides():
    F = np.array([[1.0, 1.0, 2.0], [1.0, 1.0 + PRIMES[0], 2.0 + PRIMES[0]], [3.0, 5.0, 8.0]])
    assert spans(F, [0, 1], [0, 1])
    assert not spans(F[[0, 0]], [0, 1], [0, 1])  # nothing is known of a singular block


def test_indicators_take_one_digit(moduli):
    """So that they are no more work where there are sixty columns beside them."""
    rng = np.random.default_rng(0)
    F = np.column_stack([np.ones(80), rng.standard_normal((80, 60)), indicators(rng, 80, 3)])
    assert len(_independent_columns(F)) == 63
    assert moduli == [PRIMES[0]]


def test_what_is_rounding_takes_none(moduli):
    X = np.random.default_rng(0).standard_normal((80, 60))
    assert _independent_columns(beside(X, lambda X: X[:, 0] + X[:, 1])) is None
    assert moduli == []


def test_mirror_images_are_known_by_their_rows(moduli):
    """Coefficients of columns would have some hundreds of digits."""
    X = np.random.default_rng(0).standard_normal((40, 90))
    assert len(_independent_columns(np.vstack([X, -X]))) == 40
    assert max(moduli) == PRIMES[0] ** FEW


def test_long_coefficients_are_looked_for_within_bounds(moduli, monkeypatch):
    F = DEPENDENT["long coefficients"](np.random.default_rng(0))
    assert len(_independent_columns(F)) == 8
    assert max(moduli) > PRIMES[0] ** FEW
    monkeypatch.setattr(dependence, "WORK", 1)
    assert _independent_columns(F) is None


def test_columns_of_zeros_depend_on_nothing():
    assert _independent_columns(np.zeros((3, 2))) == []
    assert spans(np.zeros((3, 2)), [], [])
    assert not spans(np.array([[0.0], [2.0**-1000]]), [], [])
