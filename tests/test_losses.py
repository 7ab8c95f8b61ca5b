"""Losses: values, repaired duals, weak duality."""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cvxrelu as cr
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.problem.losses import LOSSES, Absolute, Huber, Loss, LossExpression, Quantile, get_loss
from tests.exact import entropy, exact_dual
from tests.instances import REGULARISED, RULES

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)


@pytest.mark.parametrize("name", LOSSES)
@settings(derandomize=True, deadline=None, max_examples=60)
@given(v=st.lists(numbers, min_size=2, max_size=12))
def test_repaired_vectors_are_in_the_domain(name, v):
    loss, y = get_loss(name), np.where(np.arange(len(v)) % 2, 1.0, -1.0)
    repaired = loss.repair(np.array(v), y, balanced=True)
    assert math.fsum(repaired) == 0
    if loss.labels:
        assert (repaired * y >= 0).all()
    low, high = RULES[name].box
    shares = repaired * y if loss.labels else repaired
    assert (shares >= low).all()
    assert (shares <= high).all()
    again = loss.repair(repaired, y, balanced=True)
    np.testing.assert_allclose(again, repaired, atol=1e-9 * max(1.0, np.abs(repaired).max()))


@pytest.mark.parametrize("loss", [Huber(0.3), Huber(1e-6), Quantile(0.1), Quantile(1e-9), Absolute()], ids=repr)
@settings(derandomize=True, deadline=None, max_examples=60)
@given(v=st.lists(numbers, min_size=2, max_size=12))
def test_rounding_does_not_leave_the_domain(loss, v):
    """Limits that are no powers of two are where a last digit shows, and lopsided ones where there are several."""
    repaired = loss.repair(np.array(v), np.zeros(len(v)), balanced=True)
    assert math.fsum(repaired) == 0
    assert loss.allows(repaired, np.zeros(len(v)))


@pytest.mark.parametrize("name", LOSSES)
def test_feasible_vectors_are_left_alone_without_a_constant(name):
    y = np.array([1.0, -1.0, 1.0])
    v = 0.3 * y
    np.testing.assert_array_equal(get_loss(name).repair(v, y, balanced=False), v)


@pytest.mark.parametrize(
    ("name", "z", "value"),
    [
        ("squared", [1.0, 2.0], (0 + 9) / 4),
        ("hinge", [0.5, 2.0], (0.5 + 3) / 2),
        ("logistic", [0.0, 0.0], math.log(2)),
        ("margin", [1.0, -1.0], 0.0),
        ("margin", [0.9, -1.0], math.inf),
        ("interpolation", [1.0, -1.0], 0.0),
        ("interpolation", [1.0, -1.1], math.inf),
    ],
)
def test_values(name, z, value):
    assert get_loss(name).value(np.array(z), np.array([1.0, -1.0])) == pytest.approx(value)


@pytest.mark.parametrize("name", ["squared", "logistic", "hinge"])
@settings(derandomize=True, deadline=None, max_examples=60)
@given(z=st.lists(st.floats(-3, 3), min_size=4, max_size=4), v=st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_weak_duality(name, z, v):
    """For one unit neuron phi with output c: loss(c phi) + alpha abs(c) >= dual, gamma = abs(v.phi)."""
    loss, y = get_loss(name), np.array([1.0, -1.0, 1.0, -1.0])
    dual = loss.repair(np.array(v), y, balanced=False)
    phi = np.array(z)
    gamma = abs(float(dual @ phi)) * (1 + 1e-12)
    bound = loss.lower_bound(dual, y, gamma, 0.1)
    for c in (-2.0, -0.5, 0.0, 0.3, 1.0, 4.0):
        assert bound <= loss.value(c * phi, y) + 0.1 * abs(c) + 1e-12


def test_logistic_loss_does_not_overflow():
    assert get_loss("logistic").value(np.array([-1e4]), np.array([1.0])) == 1e4


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="loss='hubris' is unknown; choose one of 'interpolation'"):
        get_loss("hubris")


@pytest.mark.parametrize("size", [1e-12, 1e-8, 1e-5, 0.3, 1 - 1e-9])
def test_lower_bound_of_the_logistic_loss_is_below_its_exact_value(size):
    """Where gamma leaves no room, the bound is the dual objective of p itself; where it leaves some, the best one."""
    y = np.resize([1.0, -1.0], 8)
    p = size * np.linspace(0.5, 1.0, 8)
    itself = sum(entropy(Decimal(value)) for value in p.tolist()) / len(p)
    for gamma in (8.0, 4.0, 0.0):
        exact = exact_dual("logistic", p * y, y, gamma, 1.0)
        bound = get_loss("logistic").lower_bound(p * y, y, gamma, 1.0)
        assert Fraction(bound) <= exact
        assert bound == pytest.approx(float(exact), rel=1e-12)
        if gamma == 8 and size <= 0.5:
            assert Fraction(bound) <= Fraction(itself)
            assert bound == pytest.approx(float(itself), rel=1e-12)


def test_a_separator_has_every_point_on_its_own_side():
    """Far on the wrong side is no better than near the boundary: the residual is 1 - min y z."""
    margin, y = get_loss("margin"), np.array([1.0, -1.0, 1.0])
    assert margin.residual(np.array([1.0, -5.0, 2.0]), y) == 0.0
    assert margin.residual(np.array([1.0, -5.0, -2.0]), y) == pytest.approx(3.0)
    assert margin.value(np.array([1.0, 5.0, 2.0]), y) == math.inf


@pytest.mark.parametrize(("offset", "unit"), [(0.0, 1e-6), (1e6, 1.0), (-3e4, 10.0)])
def test_a_misfit_is_the_same_in_other_units(offset, unit):
    loss, y, z = get_loss("interpolation"), np.array([0.0, 1.0, 4.0]), np.array([0.0, 1.5, 4.0])
    residual = loss.residual(z, y)
    assert residual > 0.1
    assert loss.residual(offset + unit * z, offset + unit * y) == pytest.approx(residual, rel=1e-6)


@pytest.mark.parametrize("name", REGULARISED)
@settings(derandomize=True, deadline=None, max_examples=60)
@given(y=st.lists(numbers, min_size=2, max_size=9), scale=st.sampled_from([1.0, 1e-9, 1e9, 1e56]))
def test_no_constant_is_better_than_the_best_one(name, y, scale):
    """Also where the parameter of a loss is far below the last digit of the targets, or far above them."""
    loss, y = get_loss(name), np.array(y) * scale
    if loss.labels:
        y = np.where(np.arange(len(y)) % 3, 1.0, -1.0)
    constant = loss.best_constant(y)
    paid = loss.value(np.full(len(y), constant), y)
    size = np.abs(y).max() or 1.0
    others = [*y, *np.linspace(y.min(), y.max(), 20), *(constant + size * np.array([-1e-3, -1e-6, 1e-6, 1e-3]))]
    assert paid <= min(loss.value(np.full(len(y), other), y) for other in others) * (1 + 1e-12) + 1e-300
    low, high = loss.pulls(np.full(len(y), constant), y)
    rounding = 1e-9 * (np.abs(low).max() + size * (loss.curvature > 0))
    assert low.sum() <= rounding * len(y)
    assert high.sum() >= -rounding * len(y)


class _Nameless(Loss):
    def values(self, z, y):
        return np.abs(z - y)

    def expression(self, z, y):
        return LossExpression(0.0, [])


def test_a_loss_of_ones_own_says_what_it_lacks():
    with pytest.raises(InputTypeError, match=r"loss=_Nameless\(\) has no name; .* name = 'my loss'"):
        cr.Problem([[0.0], [1.0]], [0.0, 1.0], loss=_Nameless(), alpha=1.0)
    with pytest.raises(InputTypeError, match=r"loss=Huber is a class; pass an object of it, Huber\(...\)"):
        cr.Problem([[0.0], [1.0]], [0.0, 1.0], loss=Huber, alpha=1.0)
    with pytest.raises(TypeError, match="expression"):
        type("Halfway", (cr.Loss,), {"name": "halfway", "values": _Nameless.values})()


@pytest.mark.parametrize("loss", [Huber(0.3), Quantile(0.1), Absolute()], ids=repr)
def test_parameters_make_the_same_loss_again(loss):
    assert get_loss(loss.name, loss.params()) == loss


@pytest.mark.parametrize("delta", [0.0, -1.0, math.nan, math.inf])
def test_deltas_that_are_no_lengths_are_refused(delta):
    with pytest.raises(InputError, match="delta"):
        Huber(delta)


@pytest.mark.parametrize("loss", [Huber(1e-320), Huber(1e300), Quantile(1e-200)], ids=repr)
def test_parameters_are_in_the_range_of_the_data(loss):
    with pytest.raises(InputError, match="out of the range of 5e-91 to 2e\\+90 in which bounds can be proved"):
        cr.Problem([[0.0], [1.0]], [0.0, 1.0], loss=loss, alpha=1.0)


def test_a_large_delta_is_no_delta():
    """Where no optimum has an error beyond delta the problem is least squares, and where one has it is not."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((9, 2)), rng.standard_normal(9)
    least = np.sqrt(((y - y.mean()) ** 2).sum())
    assert Huber(1.01 * least).on_targets(y - y.mean()) == get_loss("squared")
    assert Huber(0.99 * least).on_targets(y - y.mean()) == Huber(0.99 * least)
    for alpha in (1e-12, 1e-3, 0.3):
        fits = [
            cr.solve(cr.Problem(X, y, loss=loss, alpha=alpha)) for loss in (Huber(1e4), Huber(1.01 * least), "squared")
        ]
        for fit in fits:
            assert 0 <= fit.certificate.relative_gap <= 1e-6
            assert fit.objective == pytest.approx(fits[-1].objective, rel=2e-6)


@dataclass(frozen=True, repr=False)
class _Thousandth(Loss):
    """A thousandth of the squared error, which says nothing of its dual."""

    name = "thousandth"

    def values(self, z, y):
        return 1e-3 * (z - y) ** 2

    def expression(self, z, y):
        return LossExpression(1e-3 * cp.square(z - y), [])


@dataclass(frozen=True, repr=False)
class _Relative(Loss):
    """Half the squared relative error, which depends on more than y - z, and whose dual is y.v - norm(y v)^2 / 2."""

    name, smooth = "relative", True

    def values(self, z, y):
        return ((z - y) / y) ** 2 / 2

    def expression(self, z, y):
        return LossExpression(cp.square(cp.multiply(1 / y, z - y)) / 2, [])

    def pulls(self, z, y):
        return (y - z) / y**2, (y - z) / y**2

    def lower_bound(self, v, y, gamma, alpha, weights=None):
        correlation, bend = float(v @ y), float(((y * v) ** 2).sum())
        if correlation <= 0:
            return 0.0
        step = min(correlation / bend, len(y) * alpha / gamma if gamma > 0 else math.inf)
        return step * (correlation - step * bend / 2) / len(y)


def test_a_loss_that_says_nothing_of_its_dual_is_certified_with_nothing():
    """It inherited y.v on all v, the dual of interpolation."""
    problem = cr.Problem([[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, -1.0, 2.0], loss=_Thousandth(), alpha=0.1)
    nothing = cr.Network(np.zeros((0, 1)), [], [])
    certificate = certify_dual(problem, cr.Network([[1.0]], [0.0], [9.0]), np.array([0.0, 1.0, -2.0, 1.0]))
    assert certificate.lower <= problem.objective(nothing)


def test_targets_of_a_loss_that_depends_on_more_than_their_distance_stay_where_they_are():
    y = np.array([10.0, 11.0, 9.0, 10.5])
    problem = cr.Problem([[0.0], [1.0], [2.0], [3.0]], y, loss=_Relative(), alpha=1e-3)
    best = (1 / y).sum() / (1 / y**2).sum()
    constant, beside = (cr.Network(np.zeros((0, 1)), [], [], c) for c in (best, best + 0.1))
    assert certify_dual(problem, beside, (y - best) / y**2).lower <= problem.objective(constant)
