"""scikit-learn's own checks, and what the estimators add to them."""

import warnings

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris, make_friedman1, make_moons
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import cvxrelu as cr
from cvxrelu.solving.fit import solve_as
from tests.instances import SIX_X, SIX_Y

# A limit of seconds would make what is found depend on what else the machine does.
QUICK = {"tol": 1e-2, "max_rounds": 4, "time_limit": None}
FEW = {"alphas": [0.01], "cv": 2}


@pytest.mark.filterwarnings(
    "ignore::cvxrelu.AccuracyWarning",
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.SkipTestWarning",
)
@parametrize_with_checks(
    [
        cr.ReLUInterpolator(**QUICK),
        cr.ReLURegressor(**QUICK),
        cr.ReLURegressor(skip=True, output_sign="positive", **QUICK),
        cr.ReLUClassifier(**QUICK),
    ]
)
def test_scikit_learn_conventions(estimator, check, monkeypatch):
    # Conventions do not need tight bounds, and the time that each fit would spend on them adds up.
    for module in ("generation.oracle", "program.dual_face", "certificate.searches"):
        monkeypatch.setattr(f"cvxrelu.{module}.NODE_LIMIT", 100)
    check(estimator)


def test_interpolator():
    model = cr.ReLUInterpolator(negative_slope=-1).fit(SIX_X, SIX_Y)
    np.testing.assert_allclose(model.predict(SIX_X), SIX_Y, atol=1e-7)
    assert model.certificate_.upper == pytest.approx(15)
    assert model.certificate_.scope == "global"
    assert model.score(SIX_X, SIX_Y) == pytest.approx(1)


def test_regressor_in_a_pipeline():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 2)) * [1, 100]
    y = np.abs(X[:, 0]) + 0.1 * rng.standard_normal(40)
    model = make_pipeline(StandardScaler(), cr.ReLURegressor(alpha=0.01))
    assert cross_val_score(model, X, y, cv=3).mean() > 0.8


def test_more_regularisation_costs_less_and_fits_worse():
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((15, 2)), rng.standard_normal(15)
    costs = [cr.ReLURegressor(alpha).fit(X, y).network_.cost() for alpha in (1e-3, 1e-2, 1e-1)]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("loss", ["logistic", "hinge", "margin"])
def test_binary_classifier(loss):
    X, y = make_moons(30, noise=0.1, random_state=0)
    labels = np.array(["lower", "upper"])[y]
    model = cr.ReLUClassifier(loss, alpha=1e-3).fit(X, labels)
    assert model.score(X, labels) == 1.0
    assert model.classes_.tolist() == ["lower", "upper"]
    np.testing.assert_array_equal(model.decision_function(X) > 0, labels == "upper")
    (certificate,) = model.certificates_
    assert certificate.relative_gap <= 1e-6
    assert hasattr(model, "predict_proba") == (loss == "logistic")


@pytest.mark.parametrize(("multi_class", "networks"), [("softmax", 1), ("ovr", 3)])
def test_probabilities_of_several_classes(multi_class, networks):
    X, y = load_iris(return_X_y=True)
    X, y = X[::5, 2:], y[::5]
    model = cr.ReLUClassifier(alpha=0.01, multi_class=multi_class, time_limit=None).fit(X, y)
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
    assert model.score(X, y) > 0.9
    assert len(model.fits_) == networks


def test_several_classes_in_parallel_are_the_same():
    X, y = load_iris(return_X_y=True)
    one = cr.ReLUClassifier("hinge", time_limit=None).fit(X[::10, 2:], y[::10])
    two = clone(one).set_params(n_jobs=2).fit(X[::10, 2:], y[::10])
    assert one.networks_ == two.networks_


def test_with_a_generator_several_classes_in_parallel_are_the_same():
    X, y = load_iris(return_X_y=True)
    one, two = (
        cr.ReLUClassifier("hinge", alpha=1e-3, n_jobs=n_jobs, random_state=np.random.default_rng(0), **QUICK)
        for n_jobs in (1, 2)
    )
    with pytest.warns(ConvergenceWarning):
        assert one.fit(X[::5], y[::5]).networks_ == two.fit(X[::5], y[::5]).networks_


def test_workers_warn_the_caller():
    X, y = load_iris(return_X_y=True)
    model = cr.ReLUClassifier("hinge", alpha=1e-3, prove=True, max_rounds=1, time_limit=None, random_state=0)
    told = []
    for n_jobs in (1, 2):
        with pytest.warns(cr.AccuracyWarning) as caught:
            model.set_params(n_jobs=n_jobs).fit(X[::5, 2:], y[::5])
        told.append([str(each.message) for each in caught])
    assert len(told[0]) > 1
    assert told[0] == told[1]


def test_class_weights_are_sample_weights_of_the_classes():
    X, y = make_moons(60, noise=0.3, random_state=0)
    X, y = X[y * np.arange(60) % 3 == 0], y[y * np.arange(60) % 3 == 0]
    sizes = np.bincount(y)
    balanced = cr.ReLUClassifier(alpha=0.05, class_weight="balanced").fit(X, y)
    given = cr.ReLUClassifier(alpha=0.05, class_weight={0: 1 / sizes[0], 1: 1 / sizes[1]}).fit(X, y)
    weighted = cr.ReLUClassifier(alpha=0.05).fit(X, y, 1 / sizes[y])
    plain = cr.ReLUClassifier(alpha=0.05).fit(X, y)
    objectives = [model.certificates_[0].upper for model in (balanced, given, weighted)]
    np.testing.assert_allclose(objectives, objectives[0], rtol=1e-6)
    assert (balanced.predict(X) == 1).sum() > (plain.predict(X) == 1).sum()


def test_a_class_without_weight_is_none():
    X, y = [[0.0], [1.0], [2.0], [3.0]], ["a", "b", "c", "a"]
    assert cr.ReLUClassifier(alpha=0.1).fit(X, y, [1, 1, 0, 1]).classes_.tolist() == ["a", "b"]


def test_fits_do_not_depend_on_the_order_of_the_samples():
    X, y = make_moons(30, noise=0.3, random_state=0)
    order = np.random.default_rng(0).permutation(30)
    model = cr.ReLURegressor(alpha=0.01, random_state=0)
    one, two = (clone(model).fit(X[rows], y[rows]) for rows in (slice(None), order))
    np.testing.assert_array_equal(one.predict(X), two.predict(X))


def test_errors_name_the_rows_as_they_were_given():
    with pytest.raises(ValueError, match="Rows 0 and 2 of X are equal but their y differ"):
        cr.ReLUInterpolator().fit([[5.0], [1.0], [5.0]], [1.0, 0.0, 2.0])


def test_weights_are_routed():
    X, y = make_moons(40, noise=0.3, random_state=0)
    weights = np.random.default_rng(0).uniform(0.1, 3, 40)
    with config_context(enable_metadata_routing=True):
        model = cr.ReLURegressor(alpha=0.1, random_state=0)
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = cross_validate(model, X, y, params={"sample_weight": weights}, cv=[(np.arange(20), np.arange(20, 40))])
    fitted = cr.ReLURegressor(alpha=0.1, random_state=0).fit(X[:20], y[:20], weights[:20])
    expected = fitted.score(X[20:], y[20:], weights[20:])
    assert scores["test_score"][0] == pytest.approx(expected, abs=1e-9)


def test_unknown_losses_are_refused():
    with pytest.raises(cr.InputError, match="loss='squared' is unknown; choose one of 'logistic', 'hinge', 'margin'"):
        cr.ReLUClassifier("squared").fit(SIX_X, SIX_Y)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("bias", "some"),
        ("negative_slope", 1.0),
        ("skip", "perhaps"),
        ("output_sign", "up"),
        ("method", "magic"),
        ("tol", -1.0),
        ("time_limit", -1.0),
        ("max_rounds", 0),
        ("solver", "abacus"),
    ],
)
@pytest.mark.parametrize(
    "model",
    [
        cr.ReLUInterpolator(),
        cr.ReLURegressor(),
        cr.ReLUClassifier(),
        cr.ReLURegressorCV(**FEW),
        cr.ReLUClassifierCV(**FEW),
    ],
)
def test_every_parameter_arrives(model, parameter, value):
    """What `solve` and `Problem` refuse, an estimator that passes it on refuses."""
    with pytest.raises(cr.CvxReluError, match=parameter if parameter != "solver" else "abacus"):
        clone(model).set_params(**{parameter: value}).fit(np.arange(20.0)[:, None], np.arange(20) // 5 % 2)


@pytest.mark.parametrize("model", [cr.ReLURegressor(), cr.ReLUClassifier("hinge", n_jobs=1)])
def test_time_limits_arrive(model, monkeypatch):
    limits = []

    def limited(problem, options):
        limits.append(options.time_limit)
        return solve_as(problem, options)

    monkeypatch.setattr("cvxrelu.estimators.base.solve_as", limited)
    for given in (50.0, None):
        clone(model).set_params(time_limit=given).fit(np.arange(9.0)[:, None], np.arange(9) // 3)
    assert all(0 < limit <= 50.0 for limit in limits[: len(limits) // 2])
    assert limits[len(limits) // 2 :] == [None] * (len(limits) // 2)


def test_probabilities_of_several_classes_are_logistic_and_normalised():
    X, y = load_iris(return_X_y=True)
    model = cr.ReLUClassifier(alpha=0.05, tol=1e-3, multi_class="ovr").fit(X[::10, 2:], y[::10])
    alone = 1 / (1 + np.exp(-model.decision_function(X[:, 2:])))
    expected = alone / alone.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X[:, 2:]), expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
def test_a_fit_is_proven_later():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 3))
    y = np.abs(X[:, 0]) + X[:, 1]
    model = cr.ReLURegressor(alpha=0.02).fit(X, y)
    certificate = model.certify(X, y, time_limit=20.0)
    assert certificate.network == model.network_
    assert certificate.upper == pytest.approx(model.certificate_.upper)
    assert certificate.lower > max(0.9 * certificate.upper, model.certificate_.lower)
    other = model.certify(X[:10], y[:10], time_limit=1.0)
    assert other.problem.n_samples == 10
    assert other.problem.alpha == 0.02
    with pytest.raises(cr.InputError, match="time_limit"):
        model.certify(X, y, time_limit=-1)

    labels = np.digitize(y, [0.0, 1.0])
    classifier = cr.ReLUClassifier("hinge", alpha=0.05).fit(X[:, :2], labels)
    certificates = classifier.certify(X[:, :2], labels)
    assert [round(c.upper, 9) for c in certificates] == [round(f.objective, 9) for f in classifier.fits_]
    assert all(c.scope == "global" and c.relative_gap < 1e-5 for c in certificates)
    with pytest.raises(cr.InputError, match="no class"):
        classifier.certify(X[:, :2], labels + 1)


@pytest.mark.parametrize("multi_class", ["softmax", "ovr"])
@pytest.mark.parametrize("classes", [2, 3])
def test_certify_needs_every_class_of_the_fit(multi_class, classes):
    X, y = load_iris(return_X_y=True)
    X, names = X[y < classes][::10, 2:], np.array(["ash", "birch", "cedar"])[y[y < classes]][::10]
    model = cr.ReLUClassifier(alpha=0.05, multi_class=multi_class, tol=1e-2).fit(X, names)
    for absent in model.classes_:
        rest = names != absent
        with pytest.raises(cr.InputError, match=f"^y lacks '{absent}', a class that the classifier was fitted to;"):
            model.certify(X[rest], names[rest])
        with pytest.raises(cr.InputError, match=f"^y lacks '{absent}'"):
            model.certify(X, names, sample_weight=rest)


def test_regressors_take_losses():
    """Of targets with a heavy tail above, medians and quantiles are predicted, and outliers are held off."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (80, 1))
    y = np.abs(x[:, 0]) + rng.exponential(0.3, 80)
    below = {q: np.mean(y <= cr.ReLURegressor(0.01, loss=cr.Quantile(q)).fit(x, y).predict(x)) for q in (0.1, 0.5, 0.9)}
    np.testing.assert_allclose(list(below.values()), [0.1, 0.5, 0.9], atol=0.06)
    twice, half = (cr.ReLURegressor(a, loss=loss).fit(x, y) for a, loss in ((0.02, "absolute"), (0.01, "quantile")))
    assert twice.fit_.objective == pytest.approx(2 * half.fit_.objective, rel=1e-6)
    spoiled = np.where(np.arange(80) == 3, 1e3, y)
    robust, fooled = (cr.ReLURegressor(0.01, loss=loss).fit(x, spoiled).predict(x) for loss in ("huber", "squared"))
    assert np.abs(robust - y).mean() < 0.5 < 5 < np.abs(fooled - y).mean()
    chosen = cr.ReLURegressorCV("absolute", n_alphas=3, cv=3).fit(x, y)
    assert chosen.loss_path_.shape == chosen.mse_path_.shape == (3, 3)
    with pytest.raises(cr.InputError, match="not for regression"):
        cr.ReLURegressor(loss="hinge").fit(x, y)


def friedman(n_samples=400):
    return make_friedman1(n_samples, random_state=0)


@pytest.mark.parametrize("change", [{"negative_slope": 0.1}, {"bias": "none"}, {"output_sign": "positive"}])
def test_a_warm_start_that_does_not_fit_is_none(change):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 2)), rng.standard_normal(20)
    model = cr.ReLURegressor(alpha=0.01, warm_start=True, method="generate").fit(X, y)
    assert (model.network_.v < 0).any()
    again = model.set_params(**change).fit(X, y)
    fresh = clone(model).set_params(warm_start=False).fit(X, y)
    assert again.fit_.objective == pytest.approx(fresh.fit_.objective, rel=1e-3)  # the default accuracy


@pytest.mark.parametrize("make", [cr.ReLURegressor, cr.ReLUClassifier])
def test_a_warm_start_goes_on_where_it_was_stopped(make):
    X, y = friedman()
    y = y if make is cr.ReLURegressor else y > np.median(y)
    model = make(alpha=0.01, max_rounds=1, time_limit=None, warm_start=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match="stopped by time_limit or max_rounds"):
        model.fit(X, y)
    objectives = [fit.objective for fit in getattr(model, "fits_", None) or [model.fit_]]
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    again = [fit.objective for fit in getattr(model, "fits_", None) or [model.fit_]]
    assert again < objectives
    model.set_params(max_rounds=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y)
    assert model.n_iter_ > 1
    # Other features begin anew.
    assert model.set_params(max_rounds=None).fit(X[:, :3], y).n_features_in_ == 3


def test_two_classes_are_left_where_weights_leave_two():
    """Labels without weight are of no class, and predictions are not turned round by them."""
    X, y = np.arange(8.0)[:, None], np.array(list("aaaabbbc"))
    weights = (y != "c").astype(float)
    for multi_class in ("softmax", "ovr"):
        model = cr.ReLUClassifier(alpha=1e-3, multi_class=multi_class).fit(X, y, sample_weight=weights)
        assert list(model.classes_) == ["a", "b"]
        assert model.decision_function(X).shape == (8,)
        assert model.score(X, y, sample_weight=weights) == 1.0
    X, y = np.tile(np.arange(9.0)[:, None], (3, 1)), np.tile(list("aaabbbccc"), 3)
    model = cr.ReLUClassifierCV(alphas=[1e-3], cv=3).fit(X, y, sample_weight=(y != "c").astype(float))
    assert list(model.classes_) == ["a", "b"]
    assert model.score(X[y != "c"], y[y != "c"]) == 1.0


@pytest.mark.parametrize("nothing", list("abc"))
def test_a_class_needs_weight(nothing):
    X, y = np.arange(9.0)[:, None], np.repeat(["a", "b", "c"], 3)
    weights = {label: float(label != nothing) for label in "abc"}
    with pytest.raises(cr.InputError, match=f"class_weight leaves .*{nothing}'.* no weight"):
        cr.ReLUClassifier(class_weight=weights).fit(X, y)


def test_probabilities_far_from_all_classes():
    X, y = np.arange(9.0)[:, None], np.repeat([0, 1, 2], 3)
    model = cr.ReLUClassifier(multi_class="ovr", alpha=0.01).fit(X, y)
    model.networks_ = [cr.Network([[1.0]], [0.0], [-k]) for k in (1.0, 1.001, 2.0)]
    probabilities = model.predict_proba([[800.0]])[0]
    np.testing.assert_allclose(probabilities, [1 / (1 + np.exp(-0.8)), 1 / (1 + np.exp(0.8)), 0.0], rtol=1e-9)


@pytest.mark.parametrize("model", [cr.ReLURegressor(alpha=-1.0), cr.ReLUClassifier(alpha=-1.0)])
def test_what_failed_is_not_fitted(model):
    X, y = np.arange(6.0)[:, None], np.repeat([0, 1], 3)
    model = clone(model)
    with pytest.raises(cr.InputError):
        model.fit(X, y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_a_negative_weight_of_a_class_is_named():
    with pytest.raises(cr.InputError, match="class_weight of class 'a' is negative"):
        cr.ReLUClassifier(class_weight={"a": -1, "b": 1}).fit([[0.0], [1.0], [2.0]], ["a", "b", "a"])
