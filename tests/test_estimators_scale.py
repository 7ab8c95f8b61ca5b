"""Units of features: where the strength of regularisation is left to an estimator, so are they."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine, make_moons
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import cvxrelu as cr
from cvxrelu.estimators.features import deviations, of_multiples

UNITS, ORIGIN = np.array([2.0**-20, 3e5]), np.array([0.0, 1e6])
QUICK = {"time_limit": None, "random_state": 0}
MODELS = [
    cr.ReLURegressor(**QUICK),
    cr.ReLUClassifier(**QUICK),
    cr.ReLURegressorCV(n_alphas=2, cv=2, **QUICK),
    cr.ReLUClassifierCV(n_alphas=2, cv=2, **QUICK),
]


def moons():
    X, y = make_moons(30, noise=0.2, random_state=0)
    return X, y, (1.0 + np.arange(30) % 3)


def objectives(model):
    return [fit.objective for fit in getattr(model, "fits_", None) or [model.fit_]]


def test_deviations():
    rng = np.random.default_rng(0)
    X, counts = rng.standard_normal((20, 3)), rng.integers(0, 4, 20)
    copies = np.repeat(X, counts, axis=0)
    np.testing.assert_allclose(deviations(X, counts.astype(float)), copies.std(axis=0), rtol=1e-13)
    np.testing.assert_array_equal(deviations(X, counts.astype(float)), deviations(rng.permutation(copies), None))


@pytest.mark.parametrize("exponent", [-1060, -400, 400, 1000])
def test_deviations_at_every_scale(exponent):
    X = np.random.default_rng(0).standard_normal((20, 2)) + 10.0
    units = deviations(np.ldexp(X, exponent), None)
    if abs(exponent) < 500:
        np.testing.assert_array_equal(units, np.ldexp(deviations(X, None), exponent))
    assert np.isfinite(1 / units).all()
    assert np.isfinite(np.ldexp(X, exponent) / units).all()


def test_deviations_at_every_scale_of_the_weights():
    X, weights = np.random.default_rng(0).standard_normal((20, 2)), np.arange(1.0, 21.0)
    for size in (1e-200, 1e200, 1e306):
        np.testing.assert_allclose(deviations(X, size * weights), deviations(X, weights), rtol=1e-12)


def test_small_deviations_are_some():
    X = 1e6 + 1e-8 * np.random.default_rng(0).standard_normal((500, 1))
    assert deviations(X, None) == pytest.approx((X - X.mean()).std(), rel=1e-9)


def test_samples_without_weight_may_be_anywhere():
    X, y, weights = moons()
    far, weights = np.vstack([1e-20 * X, [[1e300, -1e300]]]), np.append(weights, 0.0)
    labels = np.append(y, y[0])
    for model in MODELS:
        fitted = clone(model).fit(far, labels, sample_weight=weights)
        proven = fitted.certify(far, labels, sample_weight=weights)
        proven = proven[0] if isinstance(proven, list) else proven
        assert proven.upper == pytest.approx(objectives(fitted)[0], rel=1e-9)


def test_errors_name_what_is_wrong():
    X, y, _ = moons()
    with pytest.raises(cr.CvxReluError, match=r"^alpha must be"):
        cr.ReLURegressor(alpha=np.array([0.1, 0.2])).fit(X, y)
    with pytest.raises(cr.InputError, match=r"^sample_weight is negative"):
        cr.ReLURegressor().fit(X, y, sample_weight=-np.ones(30))


def test_constants_have_no_units():
    X = np.column_stack([np.full(3, 7.0), 1e8 * np.ones(3) * (1 + np.array([0, 1, -1]) * 1e-16), [-1.0, 1.0, 0.0]])
    np.testing.assert_allclose(deviations(X, None), [1.0, 1.0, np.sqrt(2 / 3)])


@pytest.mark.parametrize("outputs", [(), (2,)])
def test_network_of_multiples(outputs):
    rng = np.random.default_rng(0)
    W, b, v, c, A = (rng.standard_normal(shape) for shape in ((4, 3), 4, (4, *outputs), outputs, (3, *outputs)))
    network, factors, X = cr.Network(W, b, v, c, 0.1, A), np.array([0.5, 2.0, -8.0]), rng.standard_normal((5, 3))
    np.testing.assert_array_equal(of_multiples(network, factors)(X), network(X * factors))


@pytest.mark.parametrize("model", MODELS)
def test_units_make_no_difference_by_default(model):
    X, y, weights = moons()
    one = clone(model).fit(X, y, sample_weight=weights)
    two = clone(model).fit(X * UNITS + ORIGIN, y, sample_weight=weights)
    np.testing.assert_allclose(two.scale_, one.scale_ * UNITS, rtol=1e-9)
    np.testing.assert_allclose(objectives(two), objectives(one), rtol=1e-5)
    assert two.score(X * UNITS + ORIGIN, y) == pytest.approx(one.score(X, y), abs=1e-3)


@pytest.mark.parametrize("model", MODELS[:2])
def test_it_is_a_scaler_in_front(model):
    X, y, _ = moons()
    X = X * UNITS
    scaled = clone(model).fit(X, y)
    piped = make_pipeline(StandardScaler(), clone(model).set_params(scale=False)).fit(X, y)
    assert piped[-1].alpha_ == pytest.approx(scaled.alpha_, rel=1e-6)
    np.testing.assert_allclose(objectives(piped[-1]), objectives(scaled), rtol=1e-6)
    np.testing.assert_array_equal(piped[-1].scale_, 1.0)


@pytest.mark.parametrize("skip", [False, True])
def test_networks_take_features_as_they_come(skip):
    X, y, _ = moons()
    X = X * UNITS
    model = cr.ReLURegressor(skip=skip, **QUICK).fit(X, np.column_stack([y, X[:, 0] / UNITS[0]]))
    expected = model.fit_.network(X / model.scale_)
    assert np.ptp(expected) > 0.5
    np.testing.assert_allclose(model.network_(X), expected, atol=1e-9)
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-9)


def test_an_alpha_that_is_given_is_in_the_units_of_the_data():
    X, y, _ = moons()
    X = X * [1.0, 10.0]
    given = cr.ReLURegressor(alpha=0.01, **QUICK).fit(X, y)
    assert given.fit_.objective == pytest.approx(
        cr.solve(cr.Problem(X, y, loss="squared", alpha=0.01)).objective, rel=1e-6
    )
    np.testing.assert_array_equal(given.scale_, 1.0)
    asked = cr.ReLURegressor(alpha=0.01, scale=True, **QUICK).fit(X, y)
    expected = cr.solve(cr.Problem(X / X.std(axis=0), y, loss="squared", alpha=0.01))
    assert asked.fit_.objective == pytest.approx(expected.objective, rel=1e-6)
    for model in (cr.ReLUInterpolator(), cr.ReLUClassifier("margin"), cr.ReLURegressorCV(alphas=[0.1], cv=2)):
        np.testing.assert_array_equal(clone(model).fit(X, y).scale_, 1.0)


def test_certify_is_about_the_fit():
    X, y, _ = moons()
    for model in MODELS[:2]:
        fitted = clone(model).fit(X * UNITS, y)
        proven = fitted.certify(X * UNITS, y)
        proven = proven[0] if isinstance(proven, list) else proven
        assert proven.upper == pytest.approx(objectives(fitted)[0], rel=1e-9)
        assert proven.relative_gap < 1e-5


@pytest.mark.parametrize("make", [cr.ReLURegressor, cr.ReLUClassifier])
def test_warm_starts_change_units(make, monkeypatch):
    """Other samples have other deviations, and the function to go on from is still the one that was found."""
    X, y, _ = moons()
    X, rows = X * UNITS, slice(None, None, 2)
    model = make(scale=True, warm_start=True, **QUICK).fit(X[rows], y[rows])
    found, before, starts = getattr(model, "network_", None) or model.networks_[0], model.scale_, []
    monkeypatch.setattr("cvxrelu.estimators.base.check_start", lambda problem, start: starts.append(start))
    model.fit(X, y)
    assert (model.scale_ != before).all()
    np.testing.assert_allclose(starts[0](X / model.scale_), found(X), atol=1e-12)


def test_a_table_in_all_kinds_of_units():
    """Thirteen features of which one is a thousand times as large as the others: 0.71 as they come."""
    X, y = load_wine(return_X_y=True)
    train = np.arange(len(y)) % 3 != 0
    assert cr.ReLUClassifier(random_state=0).fit(X[train], y[train]).score(X[~train], y[~train]) > 0.93


@pytest.mark.parametrize("scale", ["yes", 1, None, np.array([True, True])])
def test_what_is_no_choice(scale):
    with pytest.raises(cr.InputError, match=r"scale=.* must be True, False or 'auto'"):
        cr.ReLURegressor(scale=scale).fit([[0.0], [1.0]], [0.0, 1.0])
