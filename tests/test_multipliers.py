"""Bounds from multipliers alone: right whatever the multipliers are."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse import csr_array

import cvxrelu as cr
from cvxrelu.certificate import quadratic
from cvxrelu.certificate.bounds import bound_dual
from cvxrelu.certificate.multipliers import _quadratic, bound_of, reach_of
from cvxrelu.certificate.trees import Cuts, Leaf, Split, leaves_of
from cvxrelu.numerics.powers import shift_up
from cvxrelu.pricing import price
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.relaxation import relaxed_rounds
from cvxrelu.runtime.clock import Clock
from tests.exact import gamma_at_neurons, gamma_on_circle
from tests.pricing.reference import random_neurons

# Where gamma is known exactly.
CIRCLES = (("free", 1), ("free", 2), ("joint", 1), ("none", 2))
SLOPES = (0.0, 0.3, -1.0, 2.0, -2.0)
FIELDS = ("curvature", "linear", "credit", "mass", "bend", "ball", "strip", "products", "rows")
HOSTILE = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e308, -1e308, 1e300, 1e-300, 5e-324, 1e160, 1e-160)


def dual_vector(rng, n_samples, bias):
    """Return a dual vector of few digits, which sums to zero exactly where it has to."""
    v = np.round(64 * rng.standard_normal(n_samples)) / 64
    if bias == "free":
        v[0] -= v.sum()
    return v


@pytest.fixture
def hurried(monkeypatch):
    """Less search for the least bound, which is right whatever it finds."""
    monkeypatch.setattr(quadratic, "BISECTIONS", 14)


def gamma_in_units(points, weights, v):
    """Return gamma(v) as a fraction, in units of the weights."""
    return gamma_on_circle(points.X, v, points.bias, points.negative_slope) / Fraction(2) ** weights.exponent


def parts_of(leaf):
    """Return the multipliers of a leaf by name."""
    cuts = leaf.cuts
    return dict(
        zip(
            FIELDS,
            (leaf.curvature, leaf.linear, leaf.credit, cuts.mass, cuts.curvature, leaf.ball, leaf.strip, leaf.products),
            strict=False,
        ),
        rows=cuts.rows.toarray(),
    )


def leaf_of(parts, implied=()):
    """Return a leaf of such multipliers."""
    cuts = Cuts(csr_array(parts["rows"]), parts["mass"], parts["bend"])
    return Leaf(
        parts["curvature"],
        parts["linear"],
        parts["credit"],
        cuts,
        float(parts["ball"]),
        float(parts["strip"]),
        parts["products"],
        implied,
    )


def map_leaves(tree, change):
    """Return a tree with other leaves."""
    if isinstance(tree, Leaf):
        return change(tree)
    return Split(tree.sample, map_leaves(tree.above, change), map_leaves(tree.below, change))


def random_leaf(rng, n_places, n_signs, size):
    """Return a leaf of random multipliers; some of the last are negative, which counts as zero."""
    rows = np.zeros((rng.integers(0, 5), n_places))
    for row in rows:
        others = rng.permutation(n_places)[: rng.integers(0, n_places + 1)]
        row[others] = -(10 ** rng.uniform(-2, 1)) * rng.exponential(size=len(others))
        row[rng.integers(n_places)] = 1.0

    def numbers(*shape):
        return size * 10 ** rng.uniform(-1, 1, shape) * rng.standard_normal(shape)

    return leaf_of(
        {
            "curvature": np.abs(numbers(n_places)) if rng.random() < 0.9 else numbers(n_places),
            "linear": numbers(n_places),
            "credit": numbers(n_places),
            "mass": np.abs(numbers(len(rows))),
            "bend": np.abs(numbers(len(rows))),
            "ball": abs(numbers()[()]),
            "strip": numbers()[()],
            "products": numbers(n_signs, n_signs),
            "rows": rows,
        }
    )


def random_tree(rng, n_places, depth, size, signs=()):
    """Return a random tree of random leaves."""
    sample = int(rng.integers(n_places))
    if depth == 0 or sample in signs or rng.random() < 0.3:
        return random_leaf(rng, n_places, len(signs), size)
    halves = (random_tree(rng, n_places, depth - 1, size, (*signs, sample)) for _ in range(2))
    return Split(sample, *halves)


def random_points(rng, bias, d, slope):
    """Return points: normal, lattice, equal, of one row, or of scales from 2^-450 to 1."""
    X = rng.standard_normal((rng.integers(1, 7), d))
    kind = rng.integers(6)
    if kind == 0:
        X = np.round(X)
    elif kind == 1:
        X[:] = X[0]
    elif kind == 2:
        X *= 2.0 ** rng.integers(-450, 1, (len(X), 1))
        X[0] = 1.0
    elif kind == 3:
        X *= 2.0 ** rng.choice([-290, 290])
    return Points.prepare(X, bias, slope)


@pytest.mark.parametrize(("mode", "slope"), list(itertools.product(CIRCLES, SLOPES)))
def test_random_multipliers_never_prove_too_much(mode, slope, hurried):
    """Against gamma in fractions."""
    (bias, d), rng = mode, np.random.default_rng(0)
    finite = 0
    for _ in range(25):
        points = random_points(rng, bias, d, slope)
        v = dual_vector(rng, len(points.X), bias)
        weights = points.weigh(v)
        gamma = gamma_in_units(points, weights, v)
        for depth in (0, 2):
            size = 10 ** rng.uniform(-2, 1)
            bound = bound_of(points, weights, tuple(random_tree(rng, len(points.Z), depth, size) for _ in range(2)))
            finite += bound < np.inf
            assert bound == np.inf or Fraction(bound) >= gamma
    assert finite > 10


@pytest.mark.parametrize(
    ("mode", "slope"), list(itertools.product((*CIRCLES, ("free", 3), ("joint", 4)), (0.0, 0.3, 2.0)))
)
def test_the_quadratic_is_above_every_score_of_its_region(mode, slope):
    """The inequality that all rests on, neuron by neuron: sharper than what is made of it."""
    (bias, d), rng = mode, np.random.default_rng(1)
    seen = 0
    for _ in range(25):
        X = rng.standard_normal((rng.integers(2, 9), d))
        X[-1] = X[0] * (1 + rng.choice([0.0, 1e-9]))
        points = Points.prepare(X, bias, slope)
        weights, n = points.weigh(dual_vector(rng, len(X), bias)), len(points.Z)
        W, b = random_neurons(rng, X, bias, 300)
        if bias == "free":
            b = (b + W @ points.centre) * 2.0**-points.exponent / (points.radius or 1.0)
        U = W if bias == "none" else np.column_stack([W, b])
        if bias == "joint":
            # The last column of the places is one, in their units.
            assert (points.lifted[:, -1] == points.lifted[0, -1]).all()
        U *= rng.uniform(0, 1, (len(U), 1)) ** 0.2
        T = U @ points.lifted.T
        scores = np.where(T >= 0, T, slope * T) @ weights.v
        for n_signs in (0, 1, 3):
            samples = sorted(rng.permutation(n)[:n_signs].tolist())
            signs = {k: float(np.sign(T[0, k]) or 1.0) for k in samples}
            inside = np.all([s * T[:, k] >= 0 for k, s in signs.items()], axis=0) if signs else np.ones(len(U), bool)
            leaf = random_leaf(rng, n, len(samples), 10 ** rng.uniform(-2, 1))
            for side in (1.0, -1.0):
                form = _quadratic(points, weights, leaf, signs, side, reach_of(points))
                if form is None:
                    continue
                u = U[inside]
                above = form.kappa + u @ form.g + ((u @ form.Q) * u).sum(axis=1)
                room = 3 * form.error + weights.margin(len(X) + 256.0)
                assert (side * scores[inside] <= above + room).all()
                assert form.error < 1e-10 * (1 + np.abs(above).max())
                seen += len(u)
    assert seen > 1000


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
def test_no_neuron_that_can_be_best_reaches_further(bias):
    rng = np.random.default_rng(2)
    for scale in (1.0, 2.0**290, 2.0**-290):
        X = scale * rng.standard_normal((8, 3))
        points = Points.prepare(X, bias, 0.0)
        W, b = random_neurons(rng, X / scale, bias, 4000)
        Z = np.column_stack([X / scale, np.ones(8)])
        if bias == "joint":
            Z = np.column_stack([X, np.ones(8)]) / 2.0**points.exponent
            T = Z @ np.column_stack([W, b]).T
        else:
            T = (Z @ np.column_stack([W, b]).T) * scale / 2.0**points.exponent
        _, first = np.unique(points.place, return_index=True)
        assert (np.abs(T[first]) <= reach_of(points)[:, None] * (1 + 1e-12)).all()
        if bias == "free":
            assert (np.abs(T[first]).max(axis=1) > 0.9 * reach_of(points)).all()


@pytest.fixture(scope="module")
def proofs():
    """Points, dual vectors and multipliers that prove them to a few digits, with regions and cuts."""
    found, rng = [], np.random.default_rng(3)
    options = [("squared", "free", 1, 0.0), ("hinge", "free", 2, 0.3), ("squared", "joint", 1, -1.0)]
    options += [("interpolation", "none", 2, 2.0), ("logistic", "none", 2, 0.0)]
    for loss, bias, d, slope in options:
        X, y = rng.standard_normal((9, d)), rng.standard_normal(9)
        X[4:6] = X[2:4] + 0.01 * rng.standard_normal((2, d))
        y = np.sign(y) if loss in ("hinge", "logistic") else y
        alpha = None if loss == "interpolation" else 0.03
        problem = cr.Problem(X, y, loss=loss, bias=bias, negative_slope=slope, alpha=alpha)
        upper = cr.solve(problem).certificate.upper
        rounds = relaxed_rounds(problem, clock=Clock(10.0), target=upper * (1 - 1e-2))
        last = list(itertools.islice(rounds, 5))[-1]
        points = Points.prepare(X, bias, slope)
        v = last.bound.dual
        found.append((problem, upper, points, points.weigh(v), v, last))
    assert (
        sum(len(leaf.cuts) for *_, last in found for tree in last.bound.multipliers for _, leaf in leaves_of(tree)) > 10
    )
    assert sum(len(list(leaves_of(tree))) for *_, last in found for tree in last.bound.multipliers) > 3 * len(found)
    return found


def test_good_multipliers_prove_what_they_say(proofs):
    for _, _, points, weights, v, last in proofs:
        bound, gamma = bound_of(points, weights, last.bound.multipliers), gamma_in_units(points, weights, v)
        assert gamma <= Fraction(bound) <= gamma * Fraction(1.25)
        assert bound <= shift_up(last.bound.gamma, -weights.exponent) * (1 + 1e-9)


def corrupted(rng, leaf, names, change):
    """Return a leaf with some multipliers changed."""
    parts = {name: np.array(value, float) for name, value in parts_of(leaf).items()}
    for name in names:
        parts[name] = change(rng, parts[name], name)
    return leaf_of(parts, leaf.implied)


def hostile(rng, values, name):
    """Put a number that nobody expects somewhere."""
    values = values.copy()
    if values.size:
        values.flat[rng.integers(values.size)] = rng.choice(HOSTILE)
    return values


def noisy(rng, values, name):
    size = 10 ** rng.uniform(-12, 0)
    return values if name == "rows" else values * (1 + size * rng.standard_normal(values.shape))


def truncated(rng, values, name):
    return values if name == "rows" else np.where(rng.random(values.shape) < 0.3, 0.0, values)


def negated(rng, values, name):
    return values if name == "rows" else np.where(rng.random(values.shape) < 0.3, -values, values)


def shuffled(rng, values, name):
    return rng.permutation(values) if values.ndim else values


def coarse(rng, values, name):
    return values.astype(np.float16).astype(float)


CHANGES = (hostile, noisy, truncated, negated, shuffled, coarse)


@pytest.mark.parametrize("change", CHANGES)
def test_corrupted_multipliers_never_prove_too_much(change, proofs, hurried):
    """Each kind of multiplier by itself, and all of them; the lower bound is never above what a network attains."""
    rng, finite, names = np.random.default_rng(4), 0, (*((name,) for name in FIELDS), FIELDS)
    for problem, upper, points, weights, v, last in proofs:
        gamma = gamma_in_units(points, weights, v)
        for some in names:
            only = rng.integers(2)
            trees = tuple(
                map_leaves(tree, lambda leaf, some=some: corrupted(rng, leaf, some, change)) if number == only else tree
                for number, tree in enumerate(last.bound.multipliers)
            )
            bound = bound_of(points, weights, trees)
            assert not math.isnan(bound)
            if bound == np.inf:
                continue
            finite += 1
            assert Fraction(bound) >= gamma
            lower = lower_bound(problem, v, points, trees)
            assert lower <= upper * (1 + (1e-12 if problem.loss.regularised else 1e-8))
    assert finite > 10


def lower_bound(problem, v, points, trees):
    """Return the lower bound that multipliers prove."""

    def search(given):
        weights = points.weigh(given)
        upper = shift_up(bound_of(points, weights, trees), weights.exponent)
        return Priced(upper, 0.0, np.empty((0, points.X.shape[1])), np.empty(0), np.empty(0), "relaxation", False, 1)

    return bound_dual(problem, v, search).lower


def test_multipliers_of_another_dual_vector(proofs, hurried):
    """They bound whatever vector they are used for."""
    rng = np.random.default_rng(5)
    for _, _, points, weights, v, last in proofs:
        for share in (1e-9, 1e-4, 1e-2, 1.0):
            other = v + share * np.abs(v).max() * dual_vector(rng, len(v), points.bias)
            if points.bias == "free":
                other[0] -= math.fsum(other)
            weights = points.weigh(other)
            bound = bound_of(points, weights, last.bound.multipliers)
            assert bound == np.inf or Fraction(bound) >= gamma_in_units(points, weights, other)


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
def test_three_dimensions(bias, hurried):
    """Against a search of cones, and exact scores of the neurons that it finds."""
    rng = np.random.default_rng(6)
    X, y = rng.standard_normal((8, 3)), rng.standard_normal(8)
    problem = cr.Problem(X, y, loss="squared", bias=bias, alpha=0.02)
    for found in itertools.islice(relaxed_rounds(problem, clock=Clock(10.0)), 4):
        v = found.bound.dual
        priced = price(X, v, bias=bias)
        neurons = np.column_stack([priced.W, priced.b]) if bias == "joint" else priced.W
        assert found.bound.gamma >= priced.value * (1 - 1e-12)
        assert Fraction(found.bound.gamma) >= gamma_at_neurons(X, v, bias, 0.0, neurons) * (1 - Fraction(2) ** -40)
        points = Points.prepare(X, bias, 0.0)
        weights = points.weigh(v)
        for change in CHANGES:
            trees = tuple(
                map_leaves(t, lambda leaf, c=change: corrupted(rng, leaf, FIELDS, c)) for t in found.bound.multipliers
            )
            assert shift_up(bound_of(points, weights, trees), weights.exponent) >= priced.value * (1 - 1e-12)


def test_the_regions_leave_out_no_neuron(proofs):
    rng = np.random.default_rng(7)
    for *_, points, _, _, last in proofs:
        U = rng.standard_normal((2000, points.lifted.shape[1]))
        U = np.vstack([U, np.zeros(U.shape[1]), *np.eye(U.shape[1])])
        T = U @ points.lifted.T
        T[np.abs(T) < 1e-15] = 0.0
        for tree in last.bound.multipliers:
            inside = np.array(
                [np.all([s * T[:, k] >= 0 for k, s in signs.items()], axis=0) for signs, _ in leaves_of(tree) if signs]
            )
            assert len(inside) == 0 or inside.any(axis=0).all()


def honest_leaf(n_places):
    """Return a leaf that proves something of everything."""
    one = np.ones(n_places)
    return Leaf(one, 0 * one, 0 * one, Cuts.none(n_places), 1.0, 1.0)


@pytest.mark.parametrize("name", FIELDS[:-1])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_proves_nothing(name, value):
    """On the second side, where the largest of the first side and not a number used to be the first."""
    points = Points.prepare([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "none", 0.0)
    weights, honest = points.weigh([-1.0, -1.0, -1.0]), honest_leaf(3)
    rows = np.array([[1.0, -0.5, 0.0]])
    leaf = leaf_of({**parts_of(honest), "rows": rows, "mass": np.ones(1), "bend": np.ones(1)})
    inner = leaf_of({**parts_of(leaf), "products": np.zeros((1, 1))})
    assert np.isfinite(bound_of(points, weights, (Split(1, inner, inner), Split(1, inner, inner))))
    parts = {key: np.array(part, float) for key, part in parts_of(inner).items()}
    # At a sample with a sign most of it is not used.
    parts[name].flat[min(1, parts[name].size - 1)] = value
    broken = leaf_of(parts)
    assert bound_of(points, weights, (honest, Split(1, inner, broken))) == np.inf
    assert bound_of(points, weights, (Split(1, broken, inner), honest)) == np.inf


def test_curvatures_next_to_the_largest_number_have_their_price():
    """Four of them are infinite, and what is divided by that was free: the quadratic was below a score."""
    points = Points.prepare([[1.0, 0.0], [0.0, 2.0**-500]], "none", -1.0)
    weights, tiny = points.weigh([1.0, 1.0]), 2.0**-500
    at = int(np.argmin(points.norms))
    curvature, linear = np.ones(2), np.zeros(2)
    curvature[at], linear[at] = 1.5 * 2.0**1023, 2.0**510
    leaf = Leaf(curvature, linear, np.zeros(2), Cuts.none(2), 1.0, 0.0)
    form = _quadratic(points, weights, leaf, {}, 1.0, reach_of(points))
    u = np.zeros(2)
    u[1] = linear[at] / curvature[at] / tiny / 2
    assert form.kappa + form.g @ u + u @ form.Q @ u + 3 * form.error >= 0


def test_numbers_below_zero_count_as_zero(hurried):
    """Of the strip, too: its inequality holds one way only."""
    rng, v = np.random.default_rng(9), np.array([-1.0, 2.0, -1.0, 0.5, -0.5])
    points = Points.prepare(rng.standard_normal((5, 2)), "free", 0.0)
    weights, honest = points.weigh(v), parts_of(honest_leaf(5))
    for name in ("strip", "credit", "mass", "bend"):
        for value in (0.1, 1.0, 10.0):
            rows = np.array([[1.0, -0.5, -0.2, 0.0, 0.0]])
            below = {**honest, "rows": rows, "mass": np.zeros(1), "bend": np.ones(1)}
            if name == "strip":
                # The quadratic is concave, so that there is room for less than no strip.
                below["credit"] = np.full(5, 40.0)
            zero = {key: np.array(part, float) for key, part in below.items()}
            below[name], zero[name] = zero[name] * 0 - value, zero[name] * 0
            bounds = [bound_of(points, weights, (leaf_of(parts), leaf_of(parts))) for parts in (below, zero)]
            assert bounds[0] == bounds[1]
            assert Fraction(bounds[0]) >= gamma_in_units(points, weights, v)


def test_cuts_with_other_signs_are_refused():
    points = Points.prepare([[1.0], [2.0], [4.0]], "joint", 0.0)
    weights = points.weigh([1.0, -1.0, 1.0])
    honest = honest_leaf(3)
    for row in ([1.0, 0.5, 0.0], [2.0, -1.0, 0.0], [-1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]):
        cuts = Cuts(csr_array(np.array([row])), np.ones(1), np.ones(1))
        leaf = Leaf(honest.curvature, honest.linear, honest.credit, cuts, 1.0, 0.0)
        assert bound_of(points, weights, (leaf, leaf)) == np.inf


@pytest.mark.parametrize("share", [0.0, -2.0, 0.5])
def test_a_false_sign_does_not_cancel_a_score(share):
    """The score is abs(t_1), t_1 = 2 t_0: with the wrong sign for one and eta for the other nothing would be left."""
    points = Points.prepare([[1.0, 0.0], [2.0, 0.0]], "none", -1.0)
    weights = points.weigh([0.0, 1.0])
    leaves = []
    for sign in (1.0, -1.0):
        parts = {**parts_of(honest_leaf(2)), "linear": np.array([2.0, 0.0]), "products": np.zeros((2, 2))}
        leaves.append(leaf_of(parts, ((1, -sign, {0: share}),)))
    small = leaf_of({**parts_of(honest_leaf(2)), "curvature": np.full(2, 1e-6)})
    bound = bound_of(points, weights, (Split(0, *leaves), small))
    assert bound_of(points, weights, (small, small)) > 1e3
    assert Fraction(bound) >= gamma_in_units(points, weights, np.array([0.0, 1.0]))


def test_signs_that_do_not_follow_are_paid_for(hurried):
    """A sign that is claimed to follow from others costs what it is off by."""
    rng, seen = np.random.default_rng(8), 0
    for _ in range(25):
        X, v = rng.standard_normal((4, 2)), np.round(64 * rng.standard_normal(4)) / 64
        points = Points.prepare(X, "none", 0.3)
        weights = points.weigh(v)
        gamma = gamma_in_units(points, weights, v)

        def claiming(leaf, rng=rng):
            shares = {1: float(rng.exponential()), 2: float(rng.standard_normal())}
            implied = ((3, float(rng.choice([-1.0, 1.0])), shares),)
            return leaf_of({**parts_of(leaf), "products": rng.exponential(size=(3, 3)) * 0.1}, implied)

        def tree(leaf=honest_leaf(4)):  # noqa: B008
            inner = [[claiming(leaf) for _ in range(2)] for _ in range(2)]
            return Split(1, Split(2, *inner[0]), Split(2, *inner[1]))

        bound = bound_of(points, weights, (tree(), tree()))
        seen += bound < 10 * gamma
        assert Fraction(bound) >= gamma
        # What follows is a sign.
        for sign in (2.0, 0.0, -0.5, np.nan):
            claimed = leaf_of({**parts_of(honest_leaf(4)), "products": np.zeros((3, 3))}, ((3, sign, {1: 1.0}),))
            wrong = Split(1, Split(2, claimed, claimed), Split(2, claimed, claimed))
            assert bound_of(points, weights, (wrong, tree())) == np.inf
        # What is said to follow from a sign that is not known proves nothing.
        assert bound_of(points, weights, (Split(1, claiming(honest_leaf(4)), honest_leaf(4)), honest_leaf(4))) == np.inf
    assert seen > 10
