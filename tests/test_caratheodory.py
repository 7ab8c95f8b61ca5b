"""Fewer terms: the same sum, no dearer, independent."""

import numpy as np
import pytest

from cvxrelu.numerics import caratheodory
from cvxrelu.numerics.caratheodory import fewest_terms


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("kind", ["normal", "repeated", "nearly parallel", "low rank"])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 5), (4, 9), (10, 7), (20, 60)])
@pytest.mark.parametrize("together", [1, caratheodory.TOGETHER])
def test_same_sum_fewer_terms_no_dearer(together, n, k, kind, constant, monkeypatch):
    monkeypatch.setattr(caratheodory, "TOGETHER", together)
    rng = np.random.default_rng(n * k)
    columns = rng.standard_normal((n, k))
    if kind == "repeated":
        columns = columns[:, rng.integers(0, max(1, k // 2), k)] * rng.uniform(0.1, 10, k)
    if kind == "nearly parallel":
        columns = columns[:, rng.integers(0, max(1, k // 2), k)] + 1e-9 * rng.standard_normal((n, k))
    if kind == "low rank":
        columns = columns[:, :2] @ rng.standard_normal((min(k, 2), k))
    factors, costs = rng.uniform(0, 1, k) ** 8, rng.uniform(0.5, 2, k)
    fewer = fewest_terms(columns, factors, costs, constant)
    missing = columns @ (fewer - factors)
    np.testing.assert_allclose(missing, missing.mean() if constant else 0, atol=1e-10 * np.abs(columns).max())
    assert (fewer >= 0).all()
    assert costs @ fewer <= costs @ factors * (1 + 1e-12)
    support = columns[:, fewer > 0]
    if constant:
        support = support - support.mean(axis=0)
    assert support.shape[1] <= max(n - constant, 0)
    if kind == "low rank":
        assert support.shape[1] <= 2


def test_nothing_to_combine():
    assert fewest_terms(np.empty((3, 0)), np.empty(0), np.empty(0), True).shape == (0,)


@pytest.mark.parametrize(("size", "price"), [(1e-200, 1e200), (1e200, 1e-200), (1e-300, 1e300), (1e300, 1e300)])
def test_units_make_no_difference(size, price):
    rng = np.random.default_rng(0)
    columns, costs = rng.standard_normal((3, 8)), rng.uniform(0.5, 2, 8)
    found = fewest_terms(size * columns, np.ones(8), price * costs, False)
    np.testing.assert_allclose(found, fewest_terms(columns, np.ones(8), costs, False), rtol=1e-9)


def test_what_costs_more_than_floats_hold_goes_first():
    """A unit of the second vector costs more than the largest float."""
    columns = np.array([[1.0, 1e-310, 1.0], [0.0, 0.0, 1.0]])
    found = fewest_terms(columns, np.array([1.0, 1e300, 1.0]), np.ones(3), False)
    np.testing.assert_allclose(columns @ found, [2.0, 1.0])
    assert found[1] == 0
