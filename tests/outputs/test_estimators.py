"""Estimators of several targets and classes, and fits to many samples."""

import numpy as np
import pytest
from sklearn.base import clone

import cvxrelu as cr
from cvxrelu.generation import outputs_newton
from cvxrelu.generation.outputs_newton import descend_outputs
from cvxrelu.generation.outputs_program import solve_outputs
from cvxrelu.program.free_fit import best_free_network
from cvxrelu.runtime.clock import Clock
from tests.hostile import hostile_problem
from tests.outputs.test_bars import LABELS, data


def test_targets_of_several_columns_are_one_network():
    X, Y = data()
    model = cr.ReLUInterpolator().fit(X, Y)
    np.testing.assert_allclose(model.predict(X), Y, atol=1e-6)
    assert model.network_.n_outputs == 3
    regressor = cr.ReLURegressor(alpha=0.02).fit(X, Y)
    assert regressor.predict(X).shape == Y.shape
    assert regressor.certify(X, Y).relative_gap <= 1e-6
    assert cr.ReLURegressor().fit(X, Y).alpha_ > 0
    for strange, columns in ((Y[:, 0], 1), (Y[:, :2], 2)):
        with pytest.raises(
            cr.InputError, match=f"^y must have as many columns as the targets of the fit, 3, not {columns}"
        ):
            regressor.certify(X, strange)


def test_one_column_is_fitted_as_one_output_and_predicted_as_a_column():
    X, Y = data()
    model = cr.ReLURegressor(alpha=0.02)
    column, vector = clone(model).fit(X, Y[:, :1]), clone(model).fit(X, Y[:, 0])
    np.testing.assert_array_equal(column.predict(X)[:, 0], vector.predict(X))


@pytest.mark.parametrize("loss", ["logistic", "margin"])
def test_classes_with_names(loss):
    X, _ = data()
    names = np.array(["ash", "birch", "cedar"])[LABELS]
    model = cr.ReLUClassifier(loss, alpha=1e-3).fit(X, names)
    assert model.score(X, names) == 1.0
    assert model.decision_function(X).shape == (9, 3)
    (certificate,) = model.certificates_
    assert certificate.scope == "global"
    assert cr.as_network(model) is model.networks_[0]


def test_the_hinge_loss_takes_one_class_against_the_rest():
    X, _ = data(15)
    y = np.arange(15) % 3
    assert len(cr.ReLUClassifier("hinge", alpha=0.1).fit(X, y).networks_) == 3
    with pytest.raises(cr.InputError, match="multi_class='both' is unknown"):
        cr.ReLUClassifier(multi_class="both").fit(X, y)


@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_many_samples_slide_to_the_optimum(loss):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((800, 2))
    clean = np.abs(X @ rng.standard_normal((2, 3)))
    y = clean.argmax(axis=1) if loss == "softmax" else clean + 0.1 * rng.standard_normal(clean.shape)
    fit = cr.solve(cr.Problem(X, y, loss=loss, alpha=0.03), tol=1e-2, random_state=0)
    assert fit.status is cr.Status.OPTIMAL
    assert fit.certificate.scope == "global"


@pytest.mark.parametrize("loss", ["squared", "huber", "softmax"])
def test_the_interior_point_method_is_what_a_cone_solver_finds(loss):
    X, Y = data(20)
    y = np.arange(20) % 3 if loss == "softmax" else Y
    problem = cr.Problem(X, y, loss=loss, alpha=0.02)
    outputs = np.maximum(np.random.default_rng(1).standard_normal((20, 12)), 0)
    own = descend_outputs(problem, outputs, np.zeros((12, 3)), np.zeros((1, 3)), 1e-9, Clock())
    cone = solve_outputs(problem, outputs, "CLARABEL", Clock())

    def objective(solution):
        z = outputs @ solution.weights + solution.free
        return problem.loss.value(z, problem.y) + 0.02 * np.linalg.norm(solution.weights, axis=1).sum()

    assert objective(own) == pytest.approx(objective(cone), rel=1e-6)
    assert objective(own) <= objective(cone) * (1 + 1e-8)
    # The dual matrix is in the domain of the dual of these neurons.
    assert np.linalg.norm(outputs.T @ own.dual, axis=1).max() <= problem.score_bound * (1 + 1e-9)


def test_an_objective_that_creeps_down_does_not_keep_the_interior_point_method(monkeypatch):
    """Inputs of 1e8 a hundred millionth apart and targets of 1e20: every level of mu saves another share of 1e-4."""
    problem, options = hostile_problem(504278, with_parts=True, with_outputs=True)
    usual, levels = outputs_newton._centred, []

    def counted(*args):
        levels.append(args[4])
        assert len(levels) < 200
        return usual(*args)

    monkeypatch.setattr(outputs_newton, "_centred", counted)
    objectives = []
    for seed in range(3):  # of which one may do little better than an affine function in a round
        levels.clear()
        with pytest.warns(cr.AccuracyWarning):
            fit = cr.solve(problem, max_rounds=1, time_limit=60, **options | {"random_state": seed})
        assert len(levels) > 20
        objectives.append(fit.objective)
    assert min(objectives) < 0.2 * problem.objective(best_free_network(problem))


def test_what_is_not_a_number_ends_the_interior_point_method(monkeypatch):
    problem = cr.Problem([[0.0], [1.0]], [[0.0, 0.0], [3.0, 4.0]], loss="squared", alpha=0.5)
    levels = []
    usual = outputs_newton._centred
    monkeypatch.setattr(outputs_newton, "_centred", lambda *args: (levels.append(args[4]), usual(*args))[1])
    with np.errstate(invalid="ignore"):
        descend_outputs(problem, np.array([[0.0], [1.0]]), np.full((1, 2), np.nan), np.zeros((1, 2)), 1e-9, Clock(20))
    assert len(levels) == 1
