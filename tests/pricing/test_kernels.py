"""The compiled pieces against plain NumPy and scipy."""

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from cvxrelu.pricing.climb import best_biases, climb
from cvxrelu.pricing.nearest import nearest
from cvxrelu.pricing.relaxation import relax, scratch_for
from cvxrelu.pricing.sweep import half_turns, sweep
from cvxrelu.pricing.tree import make_tree, pop, push, reserve


@pytest.mark.parametrize("seed", range(10))
def test_nearest_point_with_rays_is_nonnegative_least_squares(seed):
    rng = np.random.default_rng(seed)
    m, k = 4, 9
    g, rays = rng.standard_normal(m), rng.standard_normal((k, m))
    atoms, is_ray, weight, tags = (
        np.zeros((m + 3, m)),
        np.zeros(m + 3, bool),
        np.zeros(m + 3),
        np.zeros((m + 3, 1)),
    )
    work, point = np.zeros((2 * m + 4, m + 2)), g.copy()
    atoms[0], weight[0], size = g, 1.0, 1
    for _ in range(100):
        row = int(np.argmin(rays @ point))
        if rays[row] @ point > -1e-12:
            break
        atoms[size], is_ray[size], weight[size] = rays[row], True, 0.0
        size = abs(nearest(atoms, is_ray, weight, size + 1, point, tags, work))
    assert np.linalg.norm(point) == pytest.approx(nnls(rays.T, -g)[1], abs=1e-11)


@pytest.mark.parametrize("with_rays", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_relaxation_is_the_maximum_of_the_concave_function(seed, with_rays):
    rng = np.random.default_rng(seed)
    m, n = 3, 12
    Z, c, p = rng.standard_normal((n, m)), -np.abs(rng.standard_normal(n)), 9 * rng.standard_normal(m)
    U = np.linalg.qr(rng.standard_normal((m, m)))[0]
    rays = np.linalg.inv(U).T.copy() if with_rays else np.empty((0, m))
    u, mean = U.sum(axis=0), np.zeros(m)
    lower = relax(p, np.arange(n), Z, c, rays, np.zeros(m - 1), (0.0, np.inf, 0.0), u, mean, scratch_for(m))

    def bound(x):  # the dual function; every value is an upper bound on the maximum
        return np.linalg.norm(p + (x[:n] * c) @ Z + x[n:] @ rays)

    box = [(0, 1)] * n + [(0, None)] * len(rays)
    dual = min(
        minimize(bound, rng.uniform(size=n + len(rays)), bounds=box, options={"ftol": 1e-15}).fun for _ in range(5)
    )
    primal = p @ u + np.maximum(Z @ u, 0) @ c
    norm = np.linalg.norm(u)
    assert norm == pytest.approx(dual, rel=1e-5, abs=1e-5)
    if norm > 1e-6:
        assert primal / norm == pytest.approx(norm, rel=1e-9)
        assert lower == pytest.approx(norm, rel=1e-9)
        assert (rays @ u >= -1e-9).all()


def test_sweep_matches_the_score_at_its_directions():
    rng = np.random.default_rng(0)
    Z, c, g = rng.standard_normal((9, 2)), rng.standard_normal(9), rng.standard_normal(2)
    Z[3], Z[4] = 0.0, 2 * Z[5]
    values, directions = sweep(Z, c, (g[0], g[1]), *half_turns(Z), 2, True)
    for side, sign in enumerate((1.0, -1.0)):
        again = directions[side] @ g + np.maximum(directions[side] @ Z.T, 0) @ c
        np.testing.assert_allclose(sign * again, values[side], atol=1e-13)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=2), 1)


@pytest.mark.parametrize("seed", range(10))
def test_the_best_of_all_arcs_is_the_best_of_every_one(seed):
    rng = np.random.default_rng(seed)
    # Scores of one sign everywhere, too: their negatives have no maximum above zero.
    Z, c, g = rng.standard_normal((9, 2)), rng.standard_normal(9) + seed % 3, rng.standard_normal(2) * (seed % 2)
    turn = half_turns(Z)
    for halves in (1, 2):
        every, _ = sweep(Z, c, (g[0], g[1]), *turn, halves, True)
        best, where = sweep(Z, c, (g[0], g[1]), *turn, halves, False)
        np.testing.assert_allclose(best[:, 0], every.max(axis=1), rtol=1e-15)
        again = where[:, 0] @ g + np.maximum(where[:, 0] @ Z.T, 0) @ c
        np.testing.assert_allclose(again * [1, -1], best[:, 0], atol=1e-13)


@pytest.mark.parametrize("kind", ["generic", "integer", "collinear"])
def test_points_follow_each_other_around_a_half_turn(kind):
    rng = np.random.default_rng(1)
    Z = rng.standard_normal((4, 12, 2))
    if kind == "integer":
        Z = rng.integers(-2, 3, (4, 12, 2)).astype(float)
    elif kind == "collinear":
        Z[:, :, 1] = 3 * Z[:, :, 0]
    Z[0, 3], Z[1, :5], Z[2] = 0.0, 0.0, 0.0  # in some sets more points are at the origin than in others
    orders, starts = half_turns(Z)
    for points, order, start in zip(Z, orders, starts, strict=True):
        away = np.flatnonzero((points != 0).any(axis=1))
        assert (order[len(away) :] == -1).all()
        order = order[: len(away)]
        assert sorted(order) == list(away)
        sides = points @ start
        assert (np.abs(sides[away]) > 1e-9 * np.linalg.norm(points[away], axis=1)).all()
        # From the start on, counterclockwise, each direction is where its point changes sides.
        edges = np.column_stack([-points[:, 1], points[:, 0]]) * np.sign(sides)[:, None]
        turned = np.arctan2(edges @ [-start[1], start[0]], edges @ start)[order]
        assert (turned > 0).all()
        assert (np.diff(turned) > -1e-15).all()


def test_open_nodes_come_out_by_decreasing_bound():
    rng = np.random.default_rng(0)
    tree = make_tree(5000, 2, 3)
    bounds = rng.integers(0, 50, size=300).astype(float)
    for bound in bounds:
        slot = reserve(tree)
        tree.bound[slot] = bound
        push(tree, slot)
    out = [tree.bound[pop(tree)] for _ in bounds]
    assert out == sorted(bounds, reverse=True)
    assert pop(tree) == -1


def test_climbing_never_descends():
    rng = np.random.default_rng(1)
    Z, c, g = rng.standard_normal((30, 4)), rng.standard_normal(30), rng.standard_normal(4)
    starts = rng.standard_normal((20, 4))
    starts /= np.linalg.norm(starts, axis=1)[:, None]
    before = starts @ g + np.maximum(starts @ Z.T, 0) @ c
    values = climb(Z, c, g, 4, starts)
    after = starts @ g + np.maximum(starts @ Z.T, 0) @ c
    assert (after >= before - 1e-12).all()
    np.testing.assert_allclose(np.maximum(after, 0), values, atol=1e-12)


def test_best_biases_are_the_best_of_the_hinges():
    rng = np.random.default_rng(2)
    Z, W = np.column_stack([rng.standard_normal((15, 3)), np.full(15, 2.0)]), rng.standard_normal((6, 4))
    c = rng.standard_normal(15)
    c -= c.mean()
    T = W[:, :3] @ Z[:, :3].T
    at_hinges = np.maximum(T[:, :, None] - T[:, None, :], 0.0).transpose(0, 2, 1) @ c
    W[:, 3] = best_biases(Z, c, W)
    np.testing.assert_allclose(np.maximum(W @ Z.T, 0.0) @ c, at_hinges.max(axis=1), atol=1e-12)
    assert (best_biases(Z * [1.0, 1.0, 1.0, 0.0], c, W) == 0).all()
