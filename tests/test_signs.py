"""Output weights of one sign: fits are convex, and what is proven is proven of all convex ones."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.pricing import make_pricer, price_cells
from tests.direct import optimum_by_brute_force
from tests.instances import (
    BIASES,
    CONSTRAINTS,
    REGULARISED,
    assert_certified,
    make_problem,
    normal_data,
    objective_by_hand,
)
from tests.test_checker import verdict
from tests.test_skip import SLOPES, total_variation


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize(("k", "loss"), list(enumerate(REGULARISED)))
def test_positive_output_weights_against_brute_force(k, loss, bias, skip, tmp_path):
    slope = SLOPES[(k + BIASES.index(bias)) % 4]
    problem = make_problem(
        loss, 9, 2, seed=5, alpha=0.02, bias=bias, negative_slope=slope, skip=skip, output_sign="positive"
    )
    best = optimum_by_brute_force(problem)
    for method in ("enumerate", "generate"):
        fit = cr.solve(problem, method)
        assert (fit.network.v >= 0).all()
        assert fit.certificate.relative_gap <= 1e-6
        assert fit.objective == pytest.approx(best, rel=2e-6)
        assert objective_by_hand(problem, fit.network) == pytest.approx(fit.objective, rel=1e-9)
    if bias != "joint":
        fit.certificate.save(tmp_path / "original.json")
        record = json.loads((tmp_path / "original.json").read_text())
        assert record["needs"] == [*(["skip"] if skip else []), "output_sign"]
        assert verdict(record, tmp_path) == 0
        assert fit.certificate.verify_exact().lower >= fit.certificate.lower
        assert cr.load_certificate(tmp_path / "original.json").problem.one_sided
        changed = json.loads(json.dumps(record))
        changed["problem"].pop("output_sign")
        changed["needs"].remove("output_sign")
        if not changed["needs"]:
            del changed["needs"]
            changed["format"] = "cvxrelu certificate 1"
        if fit.objective > 1.001 * cr.solve(replace(problem, output_sign="any")).objective:
            assert verdict(changed, tmp_path) == 1


def test_the_checker_sees_a_negative_output_weight(tmp_path):
    problem = make_problem("squared", 9, 1, seed=5, alpha=0.02, skip=True, output_sign="positive")
    certificate = cr.solve(problem).certificate
    certificate.save(tmp_path / "original.json")
    record = json.loads((tmp_path / "original.json").read_text())
    record["network"]["v"] = [-v for v in record["network"]["v"]]
    network = replace(certificate.network, v=-certificate.network.v)
    record["upper"] = replace(problem, output_sign="any").objective(network) * (1 + 1e-12)
    assert verdict(record, tmp_path) == 1


def test_convex_regression():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (40, 2))
    y = (X**2).sum(axis=1) + 3 * X[:, 0] + 0.1 * rng.standard_normal(40)
    fit = cr.solve(cr.Problem(X, y, "squared", alpha=1e-3, skip=True, output_sign="positive"))
    assert fit.certificate.relative_gap <= 1e-6
    A, B = rng.uniform(-2, 2, (2, 500, 2))
    assert (fit.network((A + B) / 2) <= (fit.network(A) + fit.network(B)) / 2 + 1e-9).all()
    for targets, ratio in ((y, 1.0), (-y, 0.5)):
        convex = cr.solve(replace(fit.problem, y=targets))
        free = cr.solve(replace(fit.problem, y=targets, output_sign="any"))
        assert free.objective <= ratio * convex.objective * (1 + 1e-6)


def test_convex_interpolation():
    x = np.array([-2.0, -1.0, 0.5, 2.0])
    fit = cr.solve(cr.Problem(x[:, None], x**2, skip=True, output_sign="positive"), "enumerate")
    assert fit.objective == pytest.approx(total_variation(x, x**2), rel=1e-6)
    assert fit.certificate.relative_gap <= 1e-6
    with pytest.raises(cr.SolverError, match="No network with output_sign='positive' meets"):
        cr.solve(cr.Problem(x[:, None], -(x**2), output_sign="positive"), "enumerate")


@pytest.mark.parametrize("loss", [*REGULARISED, "interpolation", "margin"])
@pytest.mark.parametrize("slope", SLOPES)
def test_convex_functions_on_the_line(loss, slope):
    """In closed form: what enumeration finds; concave functions for slopes above one."""
    problem = make_problem(loss, 12, 1, seed=3, negative_slope=slope, skip=True, output_sign="positive")
    if loss in CONSTRAINTS:
        bowl = np.sign(1 - slope) * (problem.X[:, 0] - 0.3) ** 2
        problem = replace(problem, y=bowl if loss == "interpolation" else np.where(bowl > np.median(bowl), 1.0, -1.0))
    fit = cr.solve(problem, "line")
    assert_certified(fit)
    assert (fit.network.v >= 0).all()
    assert fit.objective == pytest.approx(cr.solve(problem, "enumerate").objective, rel=2e-6)


def test_convex_interpolation_on_the_line_in_closed_form():
    rng = np.random.default_rng(0)
    for n in (3, 10, 300):
        x = rng.standard_normal(n)
        y = np.exp(x) - 7 * x
        fit = cr.solve(cr.Problem(x[:, None], y, skip=True, output_sign="positive"))
        assert fit.objective == pytest.approx(total_variation(x, y), rel=1e-9)
        assert fit.certificate.relative_gap <= 1e-9
        with pytest.raises(cr.SolverError, match="output_sign='positive'"):
            cr.solve(cr.Problem(x[:, None], -y, skip=True, output_sign="positive"))


def test_convex_interpolation_in_more_dimensions_than_are_swept():
    X = np.random.default_rng(0).uniform(-1, 1, (10, 4))
    fit = cr.solve(cr.Problem(X, (X**2).sum(axis=1), skip=True, output_sign="positive"), tol=1e-4)
    assert fit.certificate.relative_gap <= 1e-4
    with pytest.raises(cr.SolverError, match="output_sign='positive'"):
        cr.solve(cr.Problem(X[:4, :1], -(X[:4, 0] ** 2), "interpolation", "joint", skip=True, output_sign="positive"))


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(
    ("bias", "d", "slope"), [("free", 1, 0.0), ("free", 2, -1.0), ("joint", 1, 2.0), ("none", 2, 0.3)]
)
@pytest.mark.parametrize("loss", ["squared", "absolute"])
def test_the_set_of_all_optima_of_one_sign(loss, bias, d, slope, skip):
    options = {"alpha": 0.01, "bias": bias, "negative_slope": slope, "skip": skip, "output_sign": "positive"}
    fit = cr.solve(make_problem(loss, 12, d, seed=4, **options), tol=1e-8)
    optima = cr.optimal_set(fit, tol=1e-6)
    for member in (*optima.sample(2, random_state=0), optima.sparsest()):
        assert member.relative_gap <= 1e-6
        assert (member.network.v >= 0).all()


def test_cells_whose_scores_do_not_count_hide_no_others():
    """On the side that counts all scores are small, on the other there is a large one."""
    X, v = np.array([[1.0], [2.0], [3.0], [-1.0]]), np.array([0.1, 0.2, -5.0, 1.0])
    patterns = cr.enumerate_patterns(X, bias=False).to_bool()
    priced = price_cells(X, v, patterns, bias="none", one_sided=True)
    assert priced.upper == pytest.approx(1.0, rel=1e-9)
    assert priced.value == pytest.approx(1.0, rel=1e-9)
    # In the plane, with cells of both kinds in one batch.
    X, v = normal_data(12, 2, seed=1)
    v = v - v.mean() - 0.5 * np.abs(X[:, 0])
    patterns = cr.enumerate_patterns(X, bias=False).to_bool()
    found, whole = price_cells(X, v, patterns, bias="none", one_sided=True), make_pricer(X, "none", one_sided=True)(v)
    assert found.value == pytest.approx(whole.value, rel=1e-9)
    assert found.upper == pytest.approx(whole.upper, rel=1e-6)


def test_what_one_sign_refuses():
    X, y = normal_data(8, 2)
    with pytest.raises(cr.InputError, match="euclidean"):
        cr.Problem(X, y, norm="response", output_sign="positive")
    with pytest.raises(cr.InputError, match="output_sign"):
        cr.Problem(X, y, output_sign="negative")
    problem = cr.Problem(X, y, "squared", alpha=0.1, output_sign="positive")
    with pytest.raises(cr.InputError, match="negative output weights"):
        problem.objective(cr.Network([[1.0, 0.0]], [0.0], [-1.0]))
    with pytest.raises(cr.InputError, match="method='enumerate'"):
        cr.solve(cr.Problem(X, y, output_sign="positive"), "generate")
    with pytest.raises(cr.InputError, match="with skip=True only; use method='auto'"):
        cr.solve(cr.Problem(X[:, :1], y, "squared", alpha=0.1, output_sign="positive"), "line")
    assert set(CONSTRAINTS) == {"interpolation", "margin"}


@pytest.mark.parametrize("model", [cr.ReLURegressor, cr.ReLURegressorCV])
def test_convex_estimators(model):
    X, y = normal_data(40, 2, seed=8)
    options = {"n_alphas": 3, "cv": 2} if model is cr.ReLURegressorCV else {}
    fitted = model(skip=True, output_sign="positive", **options).fit(X, (X**2).sum(axis=1) + 50 * X[:, 0] + y / 9)
    A, B = np.random.default_rng(0).uniform(-2, 2, (2, 100, 2))
    assert (fitted.predict((A + B) / 2) <= (fitted.predict(A) + fitted.predict(B)) / 2 + 1e-9).all()
    assert fitted.network_.v.min() > 0
    assert fitted.certificate_.relative_gap <= 1e-6
    assert fitted.score(X, (X**2).sum(axis=1) + 50 * X[:, 0]) > 0.99


def test_convex_classes_and_interpolants():
    X = normal_data(30, 2, seed=8)[0]
    square = (X**2).sum(axis=1)
    labels = np.where(square < 1.2, "in", "out")
    for model in (cr.ReLUClassifier("hinge"), cr.ReLUClassifierCV("hinge", n_alphas=3, cv=2)):
        model.set_params(output_sign="positive").fit(X, labels)
        assert (model.network_ if hasattr(model, "network_") else model.networks_[0]).v.min() > 0
        assert model.score(X, labels) > 0.9
    convex = cr.ReLUInterpolator(skip=True, output_sign="positive")
    np.testing.assert_allclose(convex.fit(X[:9], square[:9]).predict(X[:9]), square[:9], atol=1e-6)
    with pytest.raises(cr.SolverError, match="output_sign='positive'"):
        convex.fit(X[:9], -square[:9])
    with pytest.raises(cr.InputError, match="output_sign"):
        convex.set_params(output_sign="negative").fit(X[:9], square[:9])


def test_weights_that_are_zero_but_for_rounding_are_not_negative():
    """Of an affine fit that is all there is the master kept one weight, -3.5e-10."""
    X = np.add([[1.2344508108180188], [0.0993460842604496]], [1e9, 1e9 + 1])
    options = {"loss": "absolute", "bias": "joint", "alpha": 0.7221140769978822, "skip": True, "negative_slope": 2.0}
    problem = cr.Problem(X, [-0.36081171, -0.38492304], output_sign="positive", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        fit = cr.solve(problem)
    assert fit.objective < 0.02  # nothing pays 0.373, a constant 0.012
