"""Prices of dual matrices: sweeps, directions and ascent against sums in NumPy."""

import math
from fractions import Fraction

import numpy as np
import pytest

from cvxrelu.pricing import make_pricer
from cvxrelu.pricing.arcs import sweep_arcs
from cvxrelu.pricing.directions import FIRST_NODES
from cvxrelu.pricing.sweep import half_turns
from cvxrelu.problem.losses.circulation import circulating


def draw(n, d, count, seed=0):
    rng = np.random.default_rng(seed)
    X, V = rng.standard_normal((n, d)), rng.standard_normal((n, count))
    return X, V - V.mean(axis=0)


def norms(X, V, W, b, slope):
    t = X @ W.T + b
    return np.linalg.norm(np.where(t >= 0, t, slope * t).T @ V, axis=1)


def random_units(X, bias, count, seed=1):
    """Unit neurons with hinges among the data."""
    rng = np.random.default_rng(seed)
    W = rng.standard_normal((count, X.shape[1]))
    b = -np.einsum("kd,kd->k", W, X[rng.integers(len(X), size=count)]) * (bias != "none")
    sizes = np.linalg.norm(np.column_stack([W, b]) if bias == "joint" else W, axis=1)
    return W / sizes[:, None], b / sizes


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize(("n", "d", "count"), [(7, 1, 3), (9, 2, 3), (9, 2, 1), (10, 3, 2), (8, 3, 3)])
@pytest.mark.parametrize("slope", [0.0, -0.5])
def test_no_neuron_scores_more_than_the_bound(n, d, count, bias, slope):
    X, V = draw(n, d, count)
    pricer = make_pricer(X, bias, slope)
    priced = pricer(V, tol=1e-3)
    assert priced.complete
    assert priced.value <= priced.upper <= priced.value * (1 + 2e-3)
    W, b = random_units(X, bias, 20_000)
    assert norms(X, V, W, b, slope).max() <= priced.upper
    np.testing.assert_allclose(norms(X, V, priced.W, priced.b, slope), priced.scores, rtol=1e-9)
    found = pricer.ascend(V, n_starts=32, random_state=0)
    assert priced.value * (1 - 1e-3) <= found.value <= priced.upper
    # Of one column it is what one output has.
    one = pricer(V[:, 0], tol=1e-6)
    same = pricer(V[:, :1], tol=1e-6)
    assert same.upper == pytest.approx(one.upper, rel=2e-6)


def test_a_sweep_is_what_numpy_finds_arc_by_arc():
    X, V = draw(8, 2, 3)
    G = np.random.default_rng(2).standard_normal((3, 2))
    values, directions = sweep_arcs(X, V, G, *half_turns(X), 2, True)
    edges = np.sort(np.concatenate([np.arctan2(X[:, 0], -X[:, 1]), np.arctan2(-X[:, 0], X[:, 1])]))
    best = []
    for low, high in zip(edges, [*edges[1:], edges[0] + 2 * np.pi], strict=True):
        turns = np.linspace(low, high, 4001)
        units = np.column_stack([np.cos(turns), np.sin(turns)])
        scores = G @ units.T + V.T @ np.maximum(X @ units.T, 0)
        best.append(np.linalg.norm(scores, axis=0).max())
    np.testing.assert_allclose(np.sort(values), np.sort(best), rtol=1e-6)
    at = np.linalg.norm(G @ directions.T + V.T @ np.maximum(X @ directions.T, 0), axis=0)
    np.testing.assert_allclose(at, values, rtol=1e-12)
    for halves in (1, 2):
        all_values, _ = sweep_arcs(X, V, G, *half_turns(X), halves, True)
        best, where = sweep_arcs(X, V, G, *half_turns(X), halves, False)
        np.testing.assert_allclose(best, [all_values.max()], rtol=1e-15)
        at = np.linalg.norm(G @ where[0] + V.T @ np.maximum(X @ where[0], 0))
        np.testing.assert_allclose(at, best[0], rtol=1e-12)


def test_many_outputs_are_bounded_by_singular_values():
    X, V = draw(30, 4, 8)
    priced = make_pricer(X)(V)
    assert priced.method == "spectral"
    W, b = random_units(X, "free", 5000)
    assert norms(X, V, W, b, 0.0).max() <= priced.value * (1 + 1e-9)
    assert priced.value <= priced.upper


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sparse", [False, True])
def test_amounts_between_classes_circulate_exactly(seed, sparse):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(4), rng.integers(4, size=20)])
    amounts = rng.exponential(size=(24, 4)) * (rng.random((24, 4)) < (0.2 if sparse else 1.0))
    amounts[np.arange(24), labels] = 0.0
    V = circulating(amounts, labels, balanced=True)
    assert all(math.fsum(column) == 0 for column in V.T)
    assert all(math.fsum(row) == 0 for row in V)
    assert (V[np.arange(4) != labels[:, None]] <= 0).all()
    # What circulates already stays, up to a small share.
    again = circulating(-np.minimum(V, 0), labels, balanced=True)
    np.testing.assert_allclose(again, V, atol=1e-9 * max(np.abs(V).max(), 1e-300))


def test_many_outputs_are_added_up_with_room_for_rounding():
    """Scores of neurons on two equal rows, whose squares are known in fractions."""
    X = np.array([[1.0, 0.0], [1.0, 2.0**-20]])
    pricer = make_pricer(X, "none")
    for c in np.linspace(0.51, 0.99, 15).tolist():
        square = Fraction(c) ** 2 * 4000 * (4 + Fraction(1, 2**40))
        assert Fraction(pricer(np.full((2, 4000), c)).upper) ** 2 >= square


def test_a_search_that_rounding_keeps_from_a_tolerance_is_not_made_again():
    X, V = draw(10, 3, 3)
    V -= V.mean(axis=1, keepdims=True)
    pricer = make_pricer(X, bias="free", method="cells")
    exact, close = (pricer(V, tol=tol, time_limit=30) for tol in (0.0, 1e-12))
    assert exact.nodes < 10 * close.nodes
    assert close.value * (1 - 1e-12) <= exact.value <= exact.upper <= close.value * (1 + 1e-11)


def test_searches_that_their_budget_ended_go_on():
    X, V = draw(25, 3, 2)
    priced = make_pricer(X, bias="free", method="cones")(V, tol=1e-6)
    assert priced.complete
    assert priced.nodes > 10 * FIRST_NODES


@pytest.mark.parametrize("d", [12, 13])
def test_a_limit_of_nodes_holds_where_no_cone_is_looked_at(d):
    X, V = draw(40, d, 2)
    priced = make_pricer(X, bias="free")(V, tol=1e-6, node_limit=100, time_limit=100)
    assert 100 <= priced.nodes < 1000
    assert not priced.complete
