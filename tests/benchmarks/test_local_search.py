"""Random ascents find what the exhaustive search finds, without sharing code with it."""

import doctest

import numpy as np
import pytest

import cvxrelu as cr
from benchmarks import local_search
from benchmarks.problems import teacher
from cvxrelu.pricing import price


def test_doctests() -> None:
    assert doctest.testmod(local_search).failed == 0
    assert doctest.testmod(local_search).attempted > 0


@pytest.mark.parametrize("negative_slope", [0.0, 0.3, -1.0])
@pytest.mark.parametrize("bias", ["joint", "none"])
def test_ascents_reach_the_largest_score(bias: str, negative_slope: float) -> None:
    rng = np.random.default_rng(0)
    X, v = rng.standard_normal((20, 3)), rng.standard_normal(20)
    exact = price(X, v, bias=bias, negative_slope=negative_slope).value
    points = np.column_stack([X, np.ones(20)]) if bias == "joint" else X
    starts = rng.standard_normal((200, points.shape[1]))
    found = max(local_search.ascents(points, sign * v, starts, negative_slope).max() for sign in (1.0, -1.0))
    assert found <= exact * (1 + 1e-12)
    assert found == pytest.approx(exact, rel=1e-3)


def test_ascents_are_scores_of_unit_neurons() -> None:
    # One point: every neuron that is active climbs to the point's norm, and one that is not stays at zero.
    best = local_search.ascents(np.array([[3.0, 4.0]]), np.ones(1), np.array([[1.0, 0.0], [-1.0, 0.0]]))
    assert best == pytest.approx([5.0, 0.0])


def test_violation_is_nothing_at_the_optimum_and_found_elsewhere() -> None:
    problem = teacher(30, 2)
    fit = cr.solve(problem, method="enumerate", tol=1e-8)
    assert abs(local_search.violation(problem, fit.network, 200)) < 1e-3
    worse = cr.Network(fit.network.W, fit.network.b, 0.9 * fit.network.v)
    assert local_search.violation(problem, worse, 200) > 1
