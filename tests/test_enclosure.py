"""Upper bounds hold for networks as they are stored, in exact arithmetic, whatever cancels, overflows or underflows."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cvxrelu as cr
from cvxrelu.certificate.bounds import bound_dual
from cvxrelu.certificate.certificate import certificate_of
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.problem.enclosure import enclose, enclose_exactly, enclose_widely
from cvxrelu.problem.losses import FIT_RTOL
from tests.instances import BIASES, LABELLED, LOSSES, REGULARISED, RULES, exact_cost

SCALES = (1.0, 1.0, 1e12, 1e-12, 1e200, 1e-200, 1e-310, 1e308)
SLOPES = (0.0, 0.1, -0.3, -1.0, -2.0, 2.0, -1e3, 1e-300)
LARGEST = Fraction(np.finfo(float).max)


def _never(dual):
    raise AssertionError("a zero vector needs no search")


def exact_predictions(network, X):
    W, b, v = ([Fraction(t) for t in part.ravel().tolist()] for part in (network.W, network.b, network.v))
    d, a, outputs = network.n_features, Fraction(network.negative_slope), []
    for row in X.tolist():
        x, z = [Fraction(t) for t in row], Fraction(network.intercept)
        for j, weight in enumerate(v):
            t = sum((p * q for p, q in zip(W[j * d : (j + 1) * d], x, strict=True)), b[j])
            z += weight * (t if t >= 0 else a * t)
        outputs.append(z)
    return outputs


def decimal(value):
    return Decimal(value.numerator) / Decimal(value.denominator)


def exact_objective(problem, network):
    """The objective to sixty digits; of a separator, after it is scaled up to margin one."""
    z = exact_predictions(network, problem.X)
    y = [Fraction(t) for t in problem.y.tolist()]
    cost, loss = exact_cost(network, problem.bias), problem.loss.name
    if loss == "interpolation":
        return decimal(cost)
    if loss == "margin":
        return decimal(cost / min(1, *(t * p for t, p in zip(y, z, strict=True))))

    def losses(t, p):
        if loss == "logistic":
            return max(Decimal(0), decimal(-t * p)) + (1 + (-abs(decimal(t * p))).exp()).ln()
        return decimal(Fraction(RULES[loss].pays(t, p)))

    mean = sum(losses(t, p) for t, p in zip(y, z, strict=True)) / len(y)
    return mean + decimal(Fraction(problem.alpha) * cost)


def hostile(seed, n_features=None):
    """A network and inputs of wild scales, with neurons that vanish, cancel, or have their hinge on a point."""
    rng = np.random.default_rng(seed)
    d = n_features or int(rng.integers(1, 4))
    m, n = int(rng.integers(0, 7)), int(rng.integers(2, 6))

    def part(*shape):
        return rng.uniform(-1, 1, shape) * rng.choice(SCALES)

    X, W, b, v = part(n, d), part(m, d), part(m), part(m)
    if m and d == 1 and rng.random() < 0.5:
        with np.errstate(over="ignore"):
            b = -W[:, 0] * rng.choice(X[:, 0], m)
        b[~np.isfinite(b)] = 0.0
    W[rng.random(m) < 0.2] = 0.0
    v[rng.random(m) < 0.2] = 0.0
    if m > 1 and rng.random() < 0.3:  # two neurons that almost cancel
        W[1], b[1], v[1] = W[0], b[0], -v[0] * (1 + 2**-50)
    return cr.Network(W, b, v, rng.choice([0.0, 1.0, rng.choice(SCALES)]), rng.choice(SLOPES)), X


@pytest.mark.parametrize("enclosing", [enclose, enclose_widely, enclose_exactly])
@pytest.mark.parametrize("part", range(4))
def test_predictions_are_enclosed(enclosing, part):
    for seed in range(60 * part, 60 * part + 60):
        network, X = hostile(seed)
        values, radius = enclosing(network, X)
        for value, reach, exact in zip(values, radius, exact_predictions(network, X), strict=True):
            if np.isfinite(reach):
                assert abs(Fraction(value) - exact) <= Fraction(reach), seed
            elif enclosing is enclose_exactly:
                assert abs(exact) > LARGEST
            if enclosing is enclose_exactly and np.isfinite(reach):
                assert reach <= np.spacing(abs(value))


@pytest.mark.parametrize("n_features", [1, 3])
def test_ordinary_predictions_are_enclosed_closely(n_features):
    rng = np.random.default_rng(0)
    network = cr.Network(rng.standard_normal((40, n_features)), rng.standard_normal(40), rng.standard_normal(40), 0.3)
    values, radius = enclose(network, rng.standard_normal((50, n_features)))
    assert radius.max() <= 1e-12 * np.abs(values).max()


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 2e-19, reason="no floats are wider")
def test_wide_floats_enclose_more_closely():
    """A certificate needs to evaluate exactly only what cancels to less than a part in 10^8."""
    rng = np.random.default_rng(0)
    W, b, v = rng.standard_normal((40, 3)), rng.standard_normal(40), 1e3 * rng.standard_normal(40)
    network = cr.Network(np.vstack([W, W]), np.tile(b, 2), np.concatenate([v, -v * (1 - 1e-5)]), 0.3)
    X = rng.standard_normal((50, 3))
    assert enclose_widely(network, X).radius.max() < enclose(network, X).radius.max() / 1000


def test_ten_thousand_knots_are_summed_exactly():
    rng = np.random.default_rng(0)
    x = np.sort(rng.standard_normal(10_000))
    network = cr.Network(np.ones((10_000, 1)), -x, rng.standard_normal(10_000) * 1e6, 1e-3, 0.25)
    values, radius = enclose_exactly(network, x[:, None])
    rough, reach = enclose(network, x[:, None])
    assert (np.abs(rough - values) <= reach + radius).all()
    few = np.array([0, 1, 5_000, 9_999])
    np.testing.assert_array_equal(values[few], [float(z) for z in exact_predictions(network, x[few, None])])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bias", BIASES)
@settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), alpha=st.sampled_from([1e-300, 1e-12, 0.01, 1.0, 1e12, 1e300]))
def test_upper_bounds_are_above_the_exact_objective_and_near_it(loss, bias, seed, alpha):
    network, X = hostile(seed)
    if bias == "none":
        network = cr.Network(network.W, 0 * network.b, network.v, 0.0, network.negative_slope)
    z = enclose_exactly(network, X).values
    if loss not in LABELLED:
        y = z * (1 + 1e-9 * (loss == "squared"))
    else:
        y = np.where(np.arange(len(X)) % 2, -1.0, 1.0)
        if loss == "margin":
            with np.errstate(over="ignore"):
                scaled = network.v * (1 - 2e-8) / max(np.abs(z).min(), 1e-300)
            if not np.isfinite(scaled).all() or network.intercept:
                return
            network = cr.Network(network.W, network.b, scaled, 0.0, network.negative_slope)
            y = np.where(z >= 0, 1.0, -1.0)
            if len(np.unique(y)) < 2:
                return
    options = {"loss": loss, "bias": bias, "negative_slope": network.negative_slope}
    regularised = loss in REGULARISED
    try:
        problem = cr.Problem(X, y, alpha=alpha if regularised else None, **options)
    except cr.InputError:  # equal rows, or one at the origin
        return
    certificate = certificate_of(problem, network, bound_dual(problem, np.zeros(len(y)), _never))
    with localcontext() as context:
        context.prec, context.Emin, context.Emax = 60, -(10**6), 10**6
        if loss == "margin":
            margins = [t * p for t, p in zip(y, exact_predictions(network, X), strict=True)]
            if min(margins) < 1 - FIT_RTOL:
                assert certificate.upper == np.inf
                return
        exact = exact_objective(problem, network)
        assert certificate.upper >= exact
        if certificate.blur <= 1e-11 and certificate.upper < np.inf:
            assert Decimal(certificate.upper) <= exact * (1 + Decimal("1e-10")) + Decimal("1e-320") * Decimal(1 + alpha)


def test_an_objective_that_cancels_is_evaluated_to_sense():
    """Weights of 1e12, predictions of order one, and an objective that floats get wrong by a factor."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6, 2))
    W = np.repeat(rng.standard_normal((1, 2)), 4, axis=0) * 1e6
    network = cr.Network(W, [0.1, 0.1, 0.1, 0.1], [1e12, -1e12, 1e12 + 2, -1e12])
    problem = cr.Problem(X, enclose_exactly(network, X).values + 1e-2, loss="squared", alpha=1e-35)
    certificate = certificate_of(problem, network, bound_dual(problem, np.zeros(6), _never))
    with localcontext() as context:
        context.prec = 60
        exact = exact_objective(problem, network)
        assert exact <= certificate.upper <= exact * (1 + Decimal("1e-6"))
    assert "cancel" not in certificate.sentence


def test_what_cannot_be_evaluated_to_sense_says_so(monkeypatch):
    monkeypatch.setattr("cvxrelu.certificate.evaluation.EVALUATION_PRODUCTS", 0)
    network = cr.Network([[1.0, 0.0], [1.0, 0.0]], [1.0, 0.0], [1e20, -1e20], -1e20)
    problem = cr.Problem([[3.0, 5.0], [1.0, 2.0]], [1.0, 1.0], loss="squared", alpha=1e-20)
    certificate = certificate_of(problem, network, bound_dual(problem, np.zeros(2), _never))
    assert certificate.upper > 1
    assert certificate.blur > 0.99
    assert "Its terms cancel so much that 100 % of its objective may be rounding." in certificate.sentence


def test_beyond_the_largest_float_the_sentence_says_so():
    network = cr.Network([[1e200]], [0.0], [1e200])
    problem = cr.Problem([[0.0], [1.0]], [0.0, 1.0], loss="squared", alpha=0.1)
    certificate = certificate_of(problem, network, bound_dual(problem, np.zeros(2), _never))
    assert certificate.upper == np.inf
    assert "beyond the largest float" in certificate.sentence


def test_a_small_misfit_that_makes_a_network_cheap_is_no_interpolation():
    near = 1e-12
    problem = cr.Problem([[0.0], [near], [1.0]], [0.0, 4e-7, 1.0])
    network = cr.Network([[1.0]], [0.0], [1.0])
    dual = np.array([-1.0 / near, 1.0 / near + 1.0, -1.0])
    certificate = certify_dual(problem, network, dual - dual.mean())
    assert (certificate.upper, certificate.relative_gap) == (np.inf, np.inf)
    assert 3.9e5 < certificate.lower <= certificate.verify_exact().lower
    assert "relative residual 8.0e-07); none that fits costs less than 39" in certificate.sentence
    assert "This one costs 1, which its misfit alone makes possible." in certificate.sentence


@settings(derandomize=True, deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000), size=st.sampled_from([0.0, 1e-15, 1e-12, 1e-9, 1e-7]))
def test_bounds_of_interpolants_never_cross(seed, size):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.uniform(0.001, 1, 6))
    network = cr.Network(np.ones((6, 1)), -x, rng.standard_normal(6), rng.standard_normal())
    y = network(x[:, None]) * (1 + size * rng.standard_normal(6))
    problem = cr.Problem(x[:, None], y)
    dual = rng.standard_normal(6)
    certificate = certify_dual(problem, network, dual)
    assert certificate.lower <= certificate.upper
    own = cr.Problem(x[:, None], enclose_exactly(network, x[:, None]).values)
    bounds = [certify_dual(each, network, dual).verify_exact().lower for each in (problem, own)]
    assert certificate.lower <= max(bounds[0], 0) * (1 + 1e-12)
    if certificate.upper < np.inf:
        assert certificate.lower <= max(bounds[1], 0) * (1 + 1e-12) + 1e-12


def test_a_separator_is_measured_at_margin_one():
    problem = cr.Problem([[-1.0], [1.0]], [-1.0, 1.0], loss="margin")
    for shortfall in (0.0, 1e-9, 5e-7):
        network = cr.Network([[1.0]], [1.0], [1.0 - shortfall], -1.0 + shortfall)
        certificate = certify_dual(problem, network, np.array([-1.0, 1.0]))
        exact = exact_cost(network, "free") / -exact_predictions(network, problem.X)[0]
        assert exact <= certificate.upper <= exact * (1 + Fraction(1, 10**13))
        assert certificate.lower <= 1 <= certificate.upper
    assert certify_dual(problem, cr.Network([[1.0]], [1.0], [0.9], -0.9), problem.y).upper == np.inf
