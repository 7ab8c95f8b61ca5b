"""Estimators that choose alpha: scikit-learn's checks, and the choice itself."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_moons
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import parametrize_with_checks

import cvxrelu as cr
from cvxrelu.analysis.alpha_max import likely_alpha_max
from cvxrelu.estimators import cross_validation
from cvxrelu.estimators.cross_validation import FOLD_TOL
from cvxrelu.program.zero_cost import best_free_network
from cvxrelu.solving.fit import solve_as

# Each check fits many times, some to ten features: one alpha, few folds and few rounds will do for conventions.
QUICK = {"alphas": [0.1], "cv": 2, "tol": 1e-2, "max_rounds": 3}


@pytest.mark.filterwarnings(
    "ignore::cvxrelu.AccuracyWarning",
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::sklearn.exceptions.SkipTestWarning",
)
@parametrize_with_checks([cr.ReLURegressorCV(**QUICK), cr.ReLUClassifierCV(**QUICK)])
def test_scikit_learn_conventions(estimator, check, monkeypatch):
    # Conventions do not need tight bounds, and the time that each fit would spend on them adds up.
    for module in ("generation.oracle", "program.dual_face", "certificate.searches"):
        monkeypatch.setattr(f"cvxrelu.{module}.NODE_LIMIT", 100)
    check(estimator)


def noisy_wedge(n_samples=40, noise=0.2):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (n_samples, 1))
    return x, np.abs(x[:, 0]) + noise * rng.standard_normal(n_samples)


def test_regressor_chooses_what_cross_validation_by_hand_chooses():
    X, y = noisy_wedge()
    folds = KFold(3, shuffle=True, random_state=0)
    model = cr.ReLURegressorCV(n_alphas=4, cv=folds, scale=False).fit(X, y)
    assert model.alphas_[0] == cr.alpha_max(cr.Problem(X, y, loss="squared", alpha=1.0))
    assert model.alphas_[-1] == pytest.approx(1e-3 * model.alphas_[0])
    by_hand = np.array(
        [
            [
                np.mean((cr.ReLURegressor(alpha).fit(X[train], y[train]).predict(X[test]) - y[test]) ** 2)
                for train, test in folds.split(X)
            ]
            for alpha in model.alphas_
        ]
    )
    # A relative gap g leaves the predictions within sqrt(2 g) of the residuals, by strong convexity.
    np.testing.assert_allclose(model.mse_path_, by_hand, rtol=4 * np.sqrt(2 * FOLD_TOL))
    assert model.alpha_ == model.alphas_[np.argmin(by_hand.mean(axis=1))]
    assert 0 < model.alpha_ < model.alphas_[0]
    assert model.certificate_.relative_gap <= 1e-6
    assert model.fit_.problem.alpha == model.alpha_
    np.testing.assert_array_equal(model.predict(X), model.network_(X))


def test_the_grid_starts_low_enough_where_alpha_max_is_only_bounded():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 20))
    y = np.abs(X[:, 0]) + X[:, 1]
    problem = cr.Problem(X, y, loss="squared", alpha=1.0)
    with pytest.warns(cr.AccuracyWarning):
        proven = cr.alpha_max(problem, time_limit=0.1)
    model = cr.ReLURegressorCV(n_alphas=2, eps=0.5, cv=2, tol=0.1, time_limit=0.1, random_state=0).fit(X, y)
    assert 0.2 * proven < model.alphas_[0] < 0.8 * proven
    # A little below the start of the grid, a constant is beaten: it starts no lower than it should.
    with pytest.warns(cr.AccuracyWarning):
        fit = cr.solve(cr.Problem(X, y, loss="squared", alpha=0.9 * model.alphas_[0]), time_limit=0.1, random_state=0)
    assert fit.objective < 0.5 * np.var(y)


def test_alphas_may_be_given_in_any_order():
    X, y = noisy_wedge(20)
    model = cr.ReLURegressorCV(alphas=[0.01, 0.1], cv=2).fit(X, y)
    assert model.alphas_.tolist() == [0.1, 0.01]
    assert model.mse_path_.shape == (2, 2)


def test_constant_targets_give_a_constant():
    X = noisy_wedge(12)[0]
    model = cr.ReLURegressorCV(n_alphas=2, cv=2).fit(X, np.full(12, 0.1))
    assert model.alpha_ == 1.0
    assert model.network_.cost() == 0
    np.testing.assert_allclose(model.predict(X), 0.1)


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_binary_classifier(loss):
    X, y = make_moons(40, noise=0.1, random_state=0)
    labels = np.array(["lower", "upper"])[y]
    model = cr.ReLUClassifierCV(loss, n_alphas=4, eps=1e-2, cv=3, random_state=0).fit(X, labels)
    assert model.scores_.shape == (4, 3)
    assert model.scores_.mean(axis=1).max() > 0.8
    assert model.alpha_ == model.alphas_[np.argmax(model.scores_.mean(axis=1))]
    assert model.certificate_.relative_gap <= 1e-6
    assert hasattr(model, "predict_proba") == (loss == "logistic")
    plain = cr.ReLUClassifier(loss, model.alpha_, scale=True, random_state=0).fit(X, labels)
    np.testing.assert_array_equal(model.decision_function(X), plain.decision_function(X))


@pytest.mark.parametrize(("multi_class", "n_features", "count"), [("softmax", 4, 1), ("ovr", 4, 3), ("ovr", 2, 3)])
def test_several_classes_in_parallel_are_the_same(multi_class, n_features, count):
    X, y = load_iris(return_X_y=True)
    X, y = X[::5, -n_features:], y[::5]
    one = cr.ReLUClassifierCV(n_alphas=3, eps=0.1, cv=2, random_state=0, multi_class=multi_class).fit(X, y)
    two = clone(one).set_params(n_jobs=2).fit(X, y)
    assert len(one.fits_) == count
    assert one.networks_ == two.networks_
    np.testing.assert_array_equal(one.scores_, two.scores_)
    assert one.score(X, y) > 0.9
    options = {"multi_class": multi_class, "scale": True, "random_state": 0}
    plain = cr.ReLUClassifier("logistic", one.alpha_, **options).fit(X, y)
    if one.alpha_ < one.alphas_[0] and n_features > 2:
        # It starts from the networks of the folds, and ends where it would have without them.
        np.testing.assert_allclose(one.predict_proba(X), plain.predict_proba(X), atol=5e-3)


@pytest.mark.parametrize(
    ("estimator", "networks"), [(cr.ReLUClassifierCV("hinge"), "networks_"), (cr.ReLURegressorCV(), "network_")]
)
def test_with_a_generator_folds_in_parallel_are_the_same(estimator, networks):
    X, y = load_iris(return_X_y=True)
    one = estimator.set_params(alphas=[1e-3], cv=2, random_state=np.random.default_rng(0))
    two = clone(one).set_params(n_jobs=2).fit(X[::5], y[::5])
    assert getattr(one.fit(X[::5], y[::5]), networks) == getattr(two, networks)


@pytest.mark.parametrize("multi_class", ["softmax", "ovr"])
@pytest.mark.parametrize("lacking", [0, 1, 2])
def test_a_class_that_a_fold_lacks_is_never_predicted_there(multi_class, lacking):
    x = np.linspace(-1, 1, 12)[:, None]
    y = (np.array([0] * 5 + [1] * 5 + [2] * 2) + lacking + 1) % 3
    folds = [(np.arange(10), np.arange(10, 12)), (np.arange(1, 12), np.arange(1)), (np.arange(5), np.arange(12))]
    model = cr.ReLUClassifierCV(n_alphas=2, eps=1e-2, cv=folds, multi_class=multi_class).fit(x, y)
    assert (model.scores_[:, 0] == 0).all()
    # From five samples of one class nothing but that class is learned.
    assert (model.scores_[:, 2] == 5 / 12).all()


def test_grids_without_a_proof_start_from_the_estimate(monkeypatch):
    """The branch and bound for alpha_max would take longer than all fits."""

    def search(*_):
        raise AssertionError("alpha_max was searched for")

    monkeypatch.setattr(cross_validation, "best_of_zero_cost", search)
    monkeypatch.setattr("cvxrelu.analysis.path.best_of_zero_cost", search)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    y = np.abs(X[:, 0]) + X[:, 1]
    options = {"n_alphas": 3, "eps": 0.1, "cv": 2, "tol": 1e-2, "scale": False, "random_state": 0}
    model = cr.ReLURegressorCV(**options).fit(X, y)
    estimate = likely_alpha_max(cr.Problem(X, y, loss="squared", alpha=1.0))
    assert model.alphas_[0] == pytest.approx(estimate, rel=1e-2)  # merged samples are sorted, and starts are random
    labels = np.digitize(y, [0.0, 1.0])
    classifier = cr.ReLUClassifierCV(**options).fit(X, labels)
    several = cr.Problem(X, labels.astype(float), loss="softmax", alpha=1.0)
    assert classifier.alphas_[0] == pytest.approx(likely_alpha_max(several), rel=1e-2)
    with pytest.raises(AssertionError, match="searched"):
        cr.ReLURegressorCV(prove=True, **options).fit(X, y)


def test_unusable_parameters_are_refused():
    X, y = noisy_wedge(10)
    with pytest.raises(cr.InputError, match="loss='margin' is unknown; choose one of 'logistic', 'hinge'"):
        cr.ReLUClassifierCV("margin").fit(X, y > 0.5)
    with pytest.raises(cr.InputError, match="eps=2 must be between 0 and 1"):
        cr.ReLURegressorCV(eps=2).fit(X, y)
    with pytest.raises(cr.InputError, match="alphas must be a non-empty sequence of positive numbers"):
        cr.ReLURegressorCV(alphas=[1.0, -1.0]).fit(X, y)


def test_folds_are_stratified_and_ties_go_to_the_largest_alpha():
    """Sorted labels in two unstratified folds leave one class to learn from; two far clusters suit every alpha."""
    X = np.concatenate([np.linspace(-3, -2, 10), np.linspace(2, 3, 10)])[:, None]
    model = cr.ReLUClassifierCV(alphas=[1e-3, 1e-2, 3e-2], cv=2).fit(X, np.repeat([0, 1], 10))
    np.testing.assert_array_equal(model.scores_, np.ones((3, 2)))
    assert model.alpha_ == 3e-2
    flat = cr.ReLURegressorCV(alphas=[1e-2, 1.0], cv=2).fit(X, np.full(20, 0.5))
    assert flat.alpha_ == 1.0


def test_the_mean_over_folds_decides(monkeypatch):
    """The first fold likes the larger alpha best, and the others do not."""
    errors, alphas = np.array([[0.1, 3.0], [0.2, 1.0]]), [0.1, 0.01]
    X, y = np.arange(8.0)[:, None], np.arange(8.0) % 3
    both = np.stack([errors, errors[::-1]], axis=1)  # losses and squared errors, alpha by alpha
    monkeypatch.setattr(cr.ReLURegressorCV, "_over_folds", lambda *_, **__: (both, []))
    assert cr.ReLURegressorCV(alphas=alphas, cv=2).fit(X, y).alpha_ == 0.01
    monkeypatch.setattr(cr.ReLUClassifierCV, "_over_folds", lambda *_, **__: (1 - errors / 3, []))
    assert cr.ReLUClassifierCV(alphas=alphas, cv=2).fit(X, np.sign(y - 0.5)).alpha_ == 0.01


@pytest.mark.parametrize("shape", [(), (2,)])
def test_the_mean_of_networks_is_a_network(shape):
    rng = np.random.default_rng(0)
    networks = [
        cr.Network(
            rng.standard_normal((k, 3)),
            rng.standard_normal(k),
            rng.standard_normal((k, *shape)),
            rng.standard_normal(shape) if shape else 0.5 * k,
            0.1,
            rng.standard_normal((3, *shape)),
        )
        for k in (0, 2, 5)
    ]
    X = rng.standard_normal((20, 3))
    mean = cross_validation._mean(networks)
    np.testing.assert_allclose(mean(X), np.mean([network(X) for network in networks], axis=0), atol=1e-12)
    assert cross_validation._mean([]) is None


@pytest.fixture
def starts(monkeypatch):
    """What last fits start from, in their order."""
    found = []

    def last(problem, options):
        found.append(options.warm_start)
        return solve_as(problem, options)

    monkeypatch.setattr(cross_validation, "solve_as", last)
    return found


def test_the_last_fit_starts_from_the_networks_of_the_folds(starts):
    """But for classes that a fold lacks, as each does one of sorted labels in three; and one network starts anew."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((45, 6)), np.repeat([0, 1, 2], 15)
    X[:, 0] += 2 * y
    options = {"alphas": [0.1, 0.05], "random_state": 0}
    model = cr.ReLUClassifierCV(cv=3, multi_class="ovr", **options).fit(X, y)
    for start, fit in zip(starts, model.fits_, strict=True):
        assert fit.problem.objective(start) < fit.problem.objective(best_free_network(fit.problem))
    cr.ReLUClassifierCV(cv=KFold(3), multi_class="ovr", **options).fit(X, y)
    assert all(isinstance(start, cr.Network) for start in starts)
    cr.ReLUClassifierCV(cv=2, **options).fit(X, y)
    assert starts[6:] == [None]


def test_a_regressor_starts_from_the_networks_of_its_own_strength(starts):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 6))
    model = cr.ReLURegressorCV(n_alphas=3, cv=2, random_state=0).fit(X, np.abs(X[:, 0]) + 0.1 * X[:, 1])
    assert model.alpha_ < model.alphas_[0]
    assert model.fit_.problem.objective(starts[0]) < 1.3 * model.fit_.objective


def test_folds_need_weight_on_both_sides():
    X, y = np.random.default_rng(0).standard_normal((40, 3)), np.random.default_rng(1).standard_normal(40)
    weights = np.repeat([1.0, 0.0], [8, 32])
    with pytest.raises(cr.InputError, match="No fold has samples of positive weight"):
        cr.ReLURegressorCV(cv=5).fit(X, y, sample_weight=weights)
    weights[8:9] = 1.0  # two folds have some to train and some to test
    model = cr.ReLURegressorCV(cv=5, alphas=[0.1]).fit(X, y, sample_weight=weights)
    assert model.mse_path_.shape[-1] == 2


@pytest.mark.parametrize("given", [list, lambda places: np.isin(np.arange(20), places)], ids=["lists", "masks"])
def test_folds_may_be_lists_and_masks(given):
    X, y, halves = np.arange(20.0)[:, None], np.abs(np.arange(20.0) - 8), np.split(np.arange(20), 2)
    folds = [tuple(map(given, halves)), tuple(map(given, halves[::-1]))]
    model = cr.ReLURegressorCV(alphas=[0.1, 0.01], cv=folds).fit(X, y)
    same = cr.ReLURegressorCV(alphas=[0.1, 0.01], cv=[tuple(halves), tuple(halves[::-1])]).fit(X, y)
    np.testing.assert_array_equal(model.mse_path_, same.mse_path_)
