"""Bounds in rational arithmetic: exact where the answer is known, and never above it."""

import functools
import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cvxrelu as cr
from cvxrelu.certificate.rational import exact_bound, relaxed
from cvxrelu.certificate.rational.circle import gamma_squared
from cvxrelu.certificate.rational.numbers import entropy_below, log_below, root_above, to_fractions
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.pricing import price
from cvxrelu.problem.losses import Hinge
from tests.instances import LOSSES, REGULARISED, SIX_X, SIX_Y, SLOPES, make_problem, normal_data

KNOWN = dict(zip(SLOPES, (Fraction(30), Fraction(100, 3), Fraction(300, 13), Fraction(15), Fraction(30)), strict=True))
GRID = st.integers(-3, 3)


def exact_line_cost(x, y, slope):
    """Least cost of interpolants of one input, from the closed form, in fractions; x ascending and distinct."""
    slopes = [(y[k + 1] - y[k]) / (x[k + 1] - x[k]) for k in range(len(x) - 1)]
    curvature = sum(abs(after - before) for before, after in pairwise(slopes))
    p, q = abs(1 - slope), abs(1 + slope)
    return max(curvature / p, (curvature + abs(slopes[0] + slopes[-1])) / (p + q))


def exact_gamma(problem, v):
    rows = [tuple(to_fractions(row)) for row in problem.X]
    if problem.bias == "joint":
        rows = [(*row, Fraction(1)) for row in rows]
    slope = Fraction(problem.negative_slope)
    return gamma_squared(rows, to_fractions(v), slope, anchored=problem.bias == "free")


@pytest.mark.parametrize("slope", SLOPES)
def test_the_six_points_are_solved_exactly(slope):
    fit = cr.solve(cr.Problem(SIX_X, SIX_Y, negative_slope=slope))
    assert fit.certificate.verify_exact(exact_data="decimal").lower == KNOWN[slope]
    floats = fit.certificate.verify_exact()
    assert floats.lower >= fit.certificate.lower
    assert abs(floats.lower - KNOWN[slope]) < 1e-13


def test_the_dual_vector_of_the_six_points_is_found():
    bound = cr.solve(cr.Problem(SIX_X, SIX_Y)).certificate.verify_exact("decimal")
    half = Fraction(5, 2)
    assert (bound.lower, bound.gamma, bound.gamma_squared) == (30, 1, 1)
    assert bound.dual == (half, -3 * half, 2 * half, 2 * half, -3 * half, half)
    assert repr(bound) == "ExactBound(lower=30, exact_data='decimal')"


@pytest.mark.parametrize("shift", [1, -8, 0.25])
def test_a_shift_of_all_entries_makes_no_difference_where_constants_are_free(shift):
    # That they are free is that the entries sum to zero: what is off, least squares puts right at no loss.
    dual = np.array([2.5, -7.5, 5, 5, -7.5, 2.5])
    bound = exact_bound(cr.Problem(SIX_X, SIX_Y), dual + shift, "decimal")
    assert (bound.lower, bound.gamma) == (30, 1)
    assert bound.dual == tuple(map(Fraction, dual))


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("seed", range(3))
def test_integers_on_the_line_reach_the_closed_form_exactly(slope, seed):
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.choice(12, 6, replace=False)).astype(float), rng.integers(-3, 4, 6).astype(float)
    optimum = exact_line_cost(*(to_fractions(part) for part in (x, y)), to_fractions([slope], "decimal")[0])
    certificate = cr.solve(cr.Problem(x[:, None], y, negative_slope=slope)).certificate
    assert certificate.verify_exact("decimal").lower == optimum


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_features", [1, 2])
@pytest.mark.parametrize("slope", SLOPES)
def test_floating_point_bounds_are_confirmed(loss, n_features, slope):
    certificate = cr.solve(make_problem(loss, 7, n_features, negative_slope=slope)).certificate
    bound = certificate.verify_exact()
    assert certificate.lower <= bound.lower <= Fraction(certificate.upper * (1 + 1e-9))
    np.testing.assert_allclose(float(bound.lower), certificate.lower, rtol=1e-6)


@pytest.mark.parametrize(("bias", "n_features"), [("none", 1), ("none", 2), ("joint", 1)])
@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
def test_other_biases_on_the_circle_are_confirmed(loss, bias, n_features):
    certificate = cr.solve(make_problem(loss, 7, n_features, bias=bias, negative_slope=-0.3)).certificate
    assert certificate.lower <= certificate.verify_exact().lower <= certificate.upper * (1 + 1e-9)


@settings(derandomize=True, deadline=None, max_examples=80)
@given(
    points=st.lists(st.tuples(GRID, GRID), min_size=1, max_size=7),
    weights=st.lists(GRID, min_size=7, max_size=7),
    mode=st.sampled_from([("free", 1), ("free", 2), ("none", 2), ("joint", 1)]),
    slope=st.sampled_from(SLOPES),
    unit=st.sampled_from([1.0, 1e-6, 0.1]),
)
def test_gamma_is_that_of_pricing_on_degenerate_data(points, weights, mode, slope, unit):
    bias, n_features = mode
    X = np.array(points, dtype=float)[:, :n_features] * unit
    v = np.array(weights[: len(X)], dtype=float)
    if bias == "free":
        v[0] -= v.sum()
    problem = cr.Problem(X, np.zeros(len(X)), bias=bias, negative_slope=slope)
    gamma = root_above(exact_gamma(problem, v))
    priced = price(X, v, bias=bias, negative_slope=slope)
    assert gamma <= priced.upper
    np.testing.assert_allclose(float(gamma), priced.upper, rtol=1e-11, atol=1e-11 * unit)


@pytest.mark.parametrize("n_features", [1, 2])
def test_no_random_neuron_beats_gamma(n_features):
    rng = np.random.default_rng(1)
    problem = make_problem("squared", 8, n_features, negative_slope=0.3)
    v = rng.integers(-9, 10, 8).astype(float)
    v[0] -= v.sum()
    W = rng.standard_normal((20_000, n_features))
    W /= np.linalg.norm(W, axis=1)[:, None]
    # Half of the neurons have their hinge on a point, as a best one has.
    anchors = problem.X[rng.integers(0, 8, 20_000)] + rng.choice([0.0, 0.3], 20_000)[:, None]
    t = np.einsum("nkd,kd->nk", problem.X[:, None] - anchors, W)
    scores = np.abs(v @ np.where(t >= 0, t, 0.3 * t))
    gamma = math.sqrt(exact_gamma(problem, v))
    assert 0.999 * gamma < scores.max() <= gamma * (1 + 1e-12)


CASES = [make_problem(loss, 6, d, negative_slope=-0.3) for loss in LOSSES for d in (1, 2)]
# Where alpha is large gamma binds nothing, and the domain of the dual alone keeps a bound from being too high.
CASES += [make_problem(loss, 6, 1, alpha=10.0) for loss in REGULARISED]
fit_of = functools.cache(lambda case: cr.solve(CASES[case]))


@settings(derandomize=True, deadline=None, max_examples=120)
@given(
    case=st.integers(0, len(CASES) - 1),
    noise=st.lists(st.floats(-1, 1), min_size=6, max_size=6),
    size=st.sampled_from((1e-12, 1e-3, 1.0, 1e3)),
    scale=st.sampled_from((-1.0, 1e-9, 1.0, 1e9)),
)
def test_no_dual_vector_proves_too_much(case, noise, size, scale):
    problem, fit = CASES[case], fit_of(case)
    bound = exact_bound(problem, scale * (fit.certificate.dual + size * np.array(noise)))
    assert 0 <= bound.lower <= fit.objective * (1 + 1e-9)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        ([[0.0, 0.0]], [1.0]),
        ([[1.0], [1.0], [1.0]], [2.0, 2.0, 2.0]),
        ([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [2.0, 2.0]], [0.0, 1.0, 0.0, 0.0]),
        ([[1e6, 1e6], [1e6 + 1, 1e6], [1e6, 1e6 + 1], [1e6 + 1, 1e6 + 1]], [0.0, 1.0, 1.0, 0.0]),
        ([[0.0], [1e-6], [3e-6]], [1.0, -1.0, 1.0]),
    ],
)
def test_degenerate_data_is_confirmed(X, y):
    certificate = cr.solve(cr.Problem(X, y)).certificate
    bound = certificate.verify_exact()
    assert certificate.lower <= bound.lower <= certificate.upper * (1 + 1e-7)
    np.testing.assert_allclose(float(bound.lower), certificate.lower, rtol=1e-6)


def test_sixty_points_in_the_plane_are_confirmed():
    X, y = normal_data(60)
    fit = cr.solve(cr.Problem(X, y, loss="squared", alpha=0.05))
    assert fit.certificate.lower <= fit.certificate.verify_exact().lower <= fit.objective


@pytest.mark.parametrize("value", [Fraction(1), Fraction(2), Fraction(10**40 + 1, 3), Fraction(7, 10**40)])
def test_roots_are_bounded_from_above(value):
    root = root_above(value)
    assert 0 <= root**2 / value - 1 < Fraction(1, 2**120)
    assert root_above(value**2) == value


@pytest.mark.parametrize("value", [Fraction(3, 2), Fraction(2), Fraction(10**30), Fraction(10**30 + 1, 10**30)])
def test_logarithms_are_bounded_from_below(value):
    # exp(log_below(x)) <= x < exp(log_below(x) + 2^-110), by the series of exp with a bound on its tail.
    low = log_below(value)
    series = [Fraction(1)]
    while len(series) < 8 or series[-1] * 2**150 > 1:
        series.append(series[-1] * low / len(series))
    exponential = sum(series)
    assert exponential <= value
    assert (exponential + 2 * series[-1]) * (1 + Fraction(1, 2**100)) > value


def test_the_entropy_is_bounded_from_below():
    assert entropy_below(Fraction(0)) == entropy_below(Fraction(1)) == 0
    tiny = Fraction(1, 10**90)
    assert float(entropy_below(tiny) / tiny) == pytest.approx(90 * math.log(10) + 1, rel=1e-15)
    assert entropy_below(1 - tiny) == entropy_below(tiny)
    for p in (Fraction(1, 3), Fraction(1, 10**9), Fraction(999, 1000)):
        entropy = -p * math.log(p) - (1 - p) * math.log1p(-p)
        np.testing.assert_allclose(float(entropy_below(p)), entropy, rtol=1e-14)


@pytest.mark.parametrize("alpha", [1e-9, 1e-30, 1e-80, 1.0])
def test_logistic_bounds_are_confirmed_for_shares_of_any_size(alpha):
    """Next to 1, most of these shares are nothing, and their entropies are all that there is."""
    problem = make_problem("logistic", 6, 1, alpha=alpha)
    v = problem.y * 10.0 ** -np.array([0.0, 0.0, 20.0, 20.0, 300.0, 300.0])
    bound = certify_dual(problem, cr.Network([[1.0]], [0.0], [1.0]), v)
    assert 0 < bound.lower <= bound.verify_exact().lower <= Fraction(bound.lower) * (1 + Fraction(1, 10**11))


@pytest.mark.parametrize("scale", [1.0, 1.5, 3.0, 1e9])
@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_multiples_of_a_dual_vector_stay_in_its_box(loss, scale):
    """At a large alpha the constant is optimal, and p above one would prove more than its loss."""
    problem = make_problem(loss, 7, 1, alpha=10.0)
    fit = cr.solve(problem)
    bound = exact_bound(problem, scale * problem.y)
    assert bound.lower <= fit.objective * (1 + 1e-9)
    assert exact_bound(problem, scale * fit.certificate.dual).lower <= fit.objective * (1 + 1e-9)


class Softened(Hinge):
    """A loss that says that it is another."""


def test_what_has_no_exact_bound_is_refused():
    cases = [
        (make_problem("squared", n_features=3), "Exact verification knows"),
        (make_problem("squared", bias="joint"), "Exact verification knows"),
        (cr.Problem(SIX_X, SIX_Y, loss=Softened(), alpha=0.1), "does not know the dual of loss=Softened"),
    ]
    for problem, message in cases:
        with pytest.raises(cr.InputError, match=message):
            exact_bound(problem, np.ones(problem.n_samples))
    problem = cr.Problem(SIX_X, SIX_Y)
    with pytest.raises(cr.InputError, match="exact_data='exact' is unknown"):
        exact_bound(problem, np.ones(6), "exact")
    for dual in (np.ones(5), np.full(6, np.nan)):
        with pytest.raises(cr.InputError, match="6 finite entries"):
            exact_bound(problem, dual)
    with pytest.raises(ValueError, match="sums to zero"):
        gamma_squared([(Fraction(1),)], [Fraction(1)], Fraction(0), anchored=True)


@pytest.mark.parametrize("share", [1.0, 0.9, 0.0])
def test_numbers_that_are_chosen_badly_cost_what_they_lack(share, monkeypatch):
    """Beta and nu are chosen in floats: what the matrix then lacks of being semidefinite is added, in integers."""
    choose = relaxed.choose
    monkeypatch.setattr(relaxed, "choose", lambda *args: tuple(share * number for number in choose(*args)))
    rows, v = [(Fraction(1), Fraction(0)), (Fraction(0), Fraction(1))], [Fraction(1), Fraction(1)]
    trees = {"curvature": [0.125**0.5, 0.125**0.5]}, {"linear": [-0.5, -0.5]}
    assert relaxed.gamma_above(rows, v, Fraction(0), False, trees) ** 2 >= 2


@pytest.mark.parametrize("d", [1, 4, 30])
def test_no_place_is_further_away_than_floats_say(d):
    """They do without the squares of ten thousand places in integers, and exceed the truth by next to nothing."""
    rng = np.random.default_rng(d)
    rows = [tuple(map(Fraction, row)) for row in (1e5 + rng.standard_normal((25, d)) / 3).tolist()]
    places, _ = relaxed.places_of(rows, [Fraction(1), Fraction(-1)] + [Fraction(0)] * 23, Fraction(0), True)
    points = places.Z[:, :d].tolist()
    for point, reach in zip(points, places.reach, strict=True):
        exact = max(sum((a - b) ** 2 for a, b in zip(point, other, strict=True)) for other in points)
        furthest = Fraction(math.isqrt(exact) + 1, places.unit)
        assert furthest <= reach <= furthest + Fraction((d + 9) ** 2, 2**50)
