"""Regions of several outputs: a tree leaves nothing out, any multipliers prove bounds, and bounds close gaps."""

from dataclasses import replace

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.by_multipliers import record_of
from cvxrelu.certificate.norm_multipliers import bound_region, bound_scores, settled_numbers
from cvxrelu.certificate.norm_record import norms_of
from cvxrelu.certificate.norm_trees import Fork, NormMultipliers, changed_leaves, norm_leaves
from cvxrelu.pricing.points import Points
from cvxrelu.relaxation.outputs import relaxed_outputs
from cvxrelu.relaxation.signs import implied_signs
from cvxrelu.runtime.clock import Clock
from tests.outputs.provers import three_bounds
from tests.outputs.test_pricing import draw, random_units


def random_leaf(rng, Z, count, known):
    """Random multipliers of a region, with the signs that follow."""
    n, s, J = len(Z), len(known.signs), len(known.directions)
    lengths = np.linalg.norm(Z, axis=1)
    implied = tuple(
        (k, sign, {j: c * lengths[k] / lengths[j] for j, c in shares.items()})
        for k, (sign, shares) in implied_signs(Z / lengths[:, None], known.signs).items()
    )
    pairs = rng.integers(n, size=(4, 2))
    turns = (rng.standard_normal((side, side)) for side in (s, J))
    parts = {name: 0.1 * (part + part.T) for name, part in zip(("products", "turns"), turns, strict=True)}
    return NormMultipliers(
        pairs,
        rng.standard_normal((4, count)) / 4,
        rng.random(n),
        rng.random(4),
        **parts,
        lifts=0.1 * rng.standard_normal((2, n, J)),
        implied=implied,
    )


def random_tree(rng, Z, count, depth=4):
    """A tree of random splits, with random multipliers in its leaves."""
    empty = np.empty((0, 2), dtype=int)
    blank = NormMultipliers(empty, np.empty((0, count)), np.ones(len(Z)), np.empty(0))

    def grown(depth, places):
        if depth == 0 or rng.random() < 0.2:
            return blank
        if rng.random() < 0.5:
            where = int(places[0])
            places = places[1:]
        else:
            where = tuple(rng.standard_normal(count).tolist())
        return Fork(where, grown(depth - 1, places), grown(depth - 1, places))

    tree = grown(depth, rng.permutation(len(Z)))
    return changed_leaves(tree, lambda known, _: random_leaf(rng, Z, count, known))


def pairs_of(X, V, bias, slope, count, seed):
    """Random neurons with their lifted vectors in units of the points, directions, and q.score."""
    points = Points.prepare(X, bias, slope)
    W, b = random_units(X, bias, count, seed)
    T = X @ W.T + b
    q = np.random.default_rng(seed).standard_normal((count, V.shape[1]))
    scores = np.where(T >= 0, T, slope * T).T @ V
    q[::2] = scores[::2] + 1e-12 * q[::2]  # the best ones among them
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    T_places = np.zeros((len(points.Z), count))
    T_places[points.place] = T
    return T_places, q, (q * scores).sum(axis=1)


def inside(known, T, q):
    """Which of the neurons and directions are in a region."""
    found = np.ones(len(q), dtype=bool)
    for k, sign in known.signs.items():
        found &= sign * T[k] >= 0
    for p in known.directions:
        found &= q @ np.array(p) >= 0
    return found


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("slope", [0.0, -0.5])
def test_trees_leave_nothing_out_and_any_multipliers_bound_their_regions(bias, slope):
    for seed, d in ((0, 4), (1, 1), (2, 2)):
        X, V = draw(9, d, 3, seed)
        points = Points.prepare(X, bias, slope)
        weights, rng = points.weigh(V), np.random.default_rng(seed)
        T, q, values = pairs_of(X, V, bias, slope, 3000, seed)
        for _ in range(2):
            tree = random_tree(rng, points.lifted, 3)
            covered = np.zeros(len(q), dtype=int)
            for known, multipliers in norm_leaves(tree):
                here = inside(known, T, q)
                covered += here
                bound = bound_region(points, weights, multipliers, known) * 2.0**weights.exponent
                assert values[here].max(initial=0.0) <= bound
            # On a boundary they are in both regions.
            assert (covered >= 1).all()
            assert bound_scores(points, weights, tree) * 2.0**weights.exponent >= values.max()


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("slope", [0.0, -0.5])
def test_three_provers_agree_on_trees(bias, slope):
    for seed, d in ((0, 3), (1, 1)):
        X, V = draw(7, d, 2, seed)
        V = V / np.abs(V).max() * 0.75
        points = Points.prepare(X, bias, slope)
        weights, rng = points.weigh(V), np.random.default_rng(seed)
        tree = settled_numbers(points, weights, random_tree(rng, points.lifted, 2, 3))
        assert record_of(norms_of(record_of(tree), 7, 2)) == record_of(tree)
        bounds = three_bounds(points, X, V, tree)
        assert pairs_of(X, V, bias, slope, 3000, seed)[2].max() <= min(bounds)
        assert bounds[2] == pytest.approx(bounds[1], rel=1e-9)
        assert bounds[0] == pytest.approx(bounds[2], rel=1e-9)


def test_multipliers_of_other_shapes_count_as_nothing():
    X, V = draw(6, 3, 2)
    points = Points.prepare(X, "joint", 0.0)
    weights = points.weigh(V)
    leaf = NormMultipliers(np.empty((0, 2), dtype=int), np.empty((0, 2)), np.ones(6), np.empty(0))
    other = replace(leaf, products=np.ones((3, 3)), turns=np.ones((1, 1)), lifts=np.ones((2, 6, 2)))
    assert bound_scores(points, weights, other) == bound_scores(points, weights, leaf)
    astray = replace(leaf, implied=((1, 1.0, {0: 1.0}),))
    assert bound_scores(points, weights, astray) == np.inf


# With 7 samples, but 5 where neurons have three dimensions and losses are curved.
TINY = [
    ("squared", 7, 2, "none", 0.0),
    ("squared", 7, 2, "free", 0.0),
    ("squared", 7, 1, "joint", -0.5),
    ("softmax", 7, 2, "none", 0.3),
    ("softmax", 5, 2, "free", 0.0),
    ("huber", 7, 2, "none", 0.0),
    ("interpolation", 7, 2, "none", 0.0),
    ("multiclass-margin", 7, 2, "free", 0.0),
]


@pytest.mark.parametrize(("loss", "n", "d", "bias", "slope"), TINY)
def test_regions_close_gaps_that_sweeps_know(loss, n, d, bias, slope):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((7, d))[:n]
    labelled = loss in ("softmax", "multiclass-margin")
    y = np.array([0, 1, 2, 0, 1, 2, 1])[:n] if labelled else rng.standard_normal((7, 2))
    alpha = None if loss in ("interpolation", "multiclass-margin") else 0.03
    problem = cr.Problem(X, y, loss=loss, bias=bias, alpha=alpha, negative_slope=slope)
    upper, lowers, regions = cr.solve(problem, tol=1e-5, random_state=0).certificate.upper, [], []
    for state in relaxed_outputs(problem, Clock(20.0), upper * (1 - 1e-2)):
        lowers.append(state.bound.lower)
        regions.append(state.regions)
        assert state.bound.lower <= upper
    assert (np.diff(lowers) >= 0).all()
    assert lowers[-1] >= upper * (1 - 1e-2)
    assert lowers[0] < upper * (1 - 5e-2)
    assert max(regions) > 1
