"""Certificates of networks from elsewhere, in words, and in files."""

import ast
import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

import cvxrelu as cr
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.certificate.wording import sentence_of
from cvxrelu.pricing import make_pricer
from cvxrelu.problem.losses import Hinge
from tests.instances import BIASES, LOSSES, SIX_X, SIX_Y, make_problem, objective_by_hand

X = np.random.default_rng(0).standard_normal((20, 2))
Y = np.sin(2 * X[:, 0]) + X[:, 1] / 2
LABELS = np.where(Y > 0, 1.0, -1.0)


def train(kind, y=Y, **options):
    """A network of scikit-learn, trained a little."""
    settings = {"hidden_layer_sizes": (8,), "max_iter": 60, "random_state": 0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return kind(**settings).fit(X, y)


@pytest.fixture(scope="module")
def regressor():
    return train(MLPRegressor)


def test_a_trained_regressor_gets_its_gap(regressor):
    problem = cr.Problem(X, Y, loss="squared", alpha=0.01)
    certificate = cr.certify(regressor, problem, random_state=0)
    fit = cr.solve(problem, random_state=0)
    network = certificate.network
    np.testing.assert_allclose(network(X), regressor.predict(X), rtol=1e-12)
    np.testing.assert_allclose(certificate.upper, objective_by_hand(problem, network), rtol=1e-12)
    assert certificate.lower == fit.certificate.lower
    assert certificate.scope == "global"
    assert certificate.upper > 1.5 * fit.objective
    assert str(certificate) == certificate.sentence
    assert "above the best possible" in certificate.sentence or "times the best possible" in certificate.sentence


@pytest.mark.parametrize(("kind", "loss", "y"), [(MLPRegressor, "squared", Y), (MLPClassifier, "logistic", LABELS)])
def test_weight_decay_of_scikit_learn_is_the_cost(kind, loss, y):
    model = train(kind, y, alpha=0.4, solver="lbfgs")
    certificate = cr.certify(model, cr.Problem(X, y, loss=loss, alpha=0.4 / len(X)))
    assert certificate.upper <= model.loss_
    np.testing.assert_allclose(certificate.upper, model.loss_, rtol=0.01)


@pytest.mark.parametrize("labels", [LABELS, np.where(LABELS > 0, "yes", "no")])
def test_the_output_of_a_classifier_is_its_logit(labels):
    model = train(MLPClassifier, labels)
    network = cr.as_network(model)
    np.testing.assert_allclose(1 / (1 + np.exp(-network(X))), model.predict_proba(X)[:, 1], rtol=1e-12)
    certificate = cr.certify(model, cr.Problem(X, LABELS, loss="logistic", alpha=0.01))
    assert 0 < certificate.lower < certificate.upper < 10


def test_networks_of_this_package_pass_through():
    fit = cr.solve(cr.Problem(SIX_X, SIX_Y))
    estimator = cr.ReLUInterpolator().fit(SIX_X, SIX_Y)
    classifier = cr.ReLUClassifier(alpha=0.1).fit(SIX_X, SIX_Y)
    assert cr.as_network(fit.network) is fit.network
    assert cr.as_network(fit) is fit.network
    assert cr.as_network(estimator) is estimator.network_
    assert cr.as_network(classifier) is classifier.networks_[0]
    assert cr.certify(fit, fit.problem).relative_gap < 1e-6


def test_arrays_are_networks():
    W, b, v, c = [[1.0], [-2.0]], [0.0, 1.0], [0.5, -1.0], 3.0
    network = cr.Network(W, b, v, c)
    assert cr.as_network((W, b, v, c)) == network
    assert cr.as_network((W, b, v)) == cr.Network(W, b, v)
    assert cr.as_network((W, b, v, np.array([c]))) == network
    assert cr.as_network({"W": W, "b": b, "v": v, "intercept": c}) == network
    assert cr.as_network((W, b, v, c), negative_slope=0.2).negative_slope == 0.2
    leaky = cr.as_network({"W": W, "b": b, "v": v, "negative_slope": -1.0}, negative_slope=0.2)
    assert leaky.negative_slope == -1.0


def test_arrays_get_the_slope_of_the_problem():
    problem = cr.Problem(SIX_X, SIX_Y, loss="squared", alpha=0.1, negative_slope=0.1)
    parts = ([[1.0]], [0.0], [1.0])
    certificate = cr.certify(parts, problem)
    assert certificate.upper == pytest.approx(problem.objective(cr.Network(*parts, negative_slope=0.1)), rel=1e-11)


def test_what_is_no_network_is_refused(regressor):
    many = cr.ReLUClassifier(alpha=0.1, tol=1e-3, multi_class="ovr").fit(X[:9], np.arange(9) % 3)
    cases = [
        (train(MLPRegressor, hidden_layer_sizes=(4, 4)), cr.InputError, "has 2 hidden layers"),
        (train(MLPRegressor, activation="identity"), cr.InputError, "activation='identity'"),
        (train(MLPRegressor, activation="tanh"), cr.InputError, "activation='tanh'"),
        (MLPRegressor(), cr.InputError, "not fitted"),
        (many, cr.InputError, "holds 3 networks"),
        ("relu", cr.InputTypeError, "str cannot be read as a network"),
        (([[1.0]], [0.0]), cr.InputTypeError, "tuple cannot be read"),
        (([[1.0]], [0.0, 1.0], [1.0]), cr.InputError, "have shapes"),
        (
            ([[1.0], [1.0, 2.0]], [0.0, 1.0], [1.0, 1.0]),
            cr.InputTypeError,
            "W of a network must be a rectangular array",
        ),
        (([[1.0]], [0.0], [np.nan]), cr.InputError, "must be finite"),
        (([[1.0]], [0.0], [1.0], "c"), cr.InputTypeError, "c of a network must hold real numbers"),
        ({"W": [[1.0]], "b": [0.0]}, cr.InputError, "has the keys"),
        ({"W": [[1.0]], "b": [0.0], "v": [1.0], "c": 1.0}, cr.InputError, "has the keys"),
    ]
    for model, error, message in cases:
        with pytest.raises(error, match=message):
            cr.as_network(model)


def test_a_network_of_another_problem_is_refused(regressor):
    with pytest.raises(cr.InputError, match="takes 2 features and the problem has 1"):
        cr.certify(regressor, cr.Problem(SIX_X, SIX_Y, loss="squared", alpha=0.1))
    with pytest.raises(cr.InputError, match="negative slope"):
        cr.certify(regressor, cr.Problem(X, Y, loss="squared", alpha=0.1, negative_slope=0.5))


def test_certify_does_not_import_the_networks_of_scikit_learn():
    source = (Path(cr.__file__).parent / "analysis" / "foreign.py").read_text()
    modules = [node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    assert not [module for module in modules if module.startswith("sklearn")]


@pytest.mark.parametrize(
    ("upper", "lower", "residual", "words"),
    [
        (1.0, 1.0, 0.0, "The best possible, up to rounding"),
        (1.0 - 1e-12, 1.0, 1e-8, "relative residual of 1.0e-08."),
        (1.2, 1.0, 0.0, "At most 20 % above the best possible"),
        (1.2001, 1.0, 0.0, "At most 21 % above the best possible"),
        (1.0 + 1.01e-9, 1.0, 0.0, "At most 1.1e-7 % above"),
        (7.01, 2.0, 0.0, "At most 3.6 times the best possible"),
        (1e30, 1.0, 0.0, "At most 1.1e+30 times the best possible"),
        (0.5, 0.0, 0.0, "At most 0.5 above the best possible, of which no positive bound is known"),
        (np.inf, 1.23456789, 0.03, "(relative residual 3.0e-02); none that fits costs less than 1.234567 ("),
    ],
)
def test_sentences_are_rounded_to_the_safe_side(upper, lower, residual, words):
    sentence = sentence_of(upper, lower, "global", residual)
    assert words in sentence
    assert "(proven for networks of every width)." in sentence
    assert "nothing is proven about others" in sentence_of(upper, lower, "sampled", residual)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("bias", BIASES)
def test_a_file_holds_the_certificate_to_the_last_bit(loss, bias, tmp_path):
    problem = make_problem(loss, bias=bias, n_features=3, negative_slope=0.1)
    certificate = cr.solve(problem).certificate
    certificate.save(tmp_path / "certificate.json")
    loaded = cr.load_certificate(tmp_path / "certificate.json")
    for name in ("upper", "lower", "gamma", "scope", "residual", "network", "sentence"):
        assert getattr(loaded, name) == getattr(certificate, name), name
    for name in ("X", "y", "bias", "norm", "alpha", "negative_slope"):
        np.testing.assert_array_equal(getattr(loaded.problem, name), getattr(problem, name))
    assert loaded.problem.loss.name == loss
    np.testing.assert_array_equal(loaded.dual, certificate.dual)


def test_a_file_is_proved_again_where_the_search_of_cells_is_left_with_a_gap(tmp_path):
    """Columns of 80, 0.01 and 1000: rounding leaves the cells 6e-8 apart, where branch and bound comes to 1e-11."""
    X = [
        [-9.69003633426949, -0.0004528201025680886, -552.9606301063152],
        [66.3119646288729, 0.007978601416660666, 1363.0765951684732],
        [41.56918046661978, 0.005998163622869693, 1531.3903428435679],
        [119.44946893598126, -0.012703021190636868, -1138.5792137493509],
        [-27.0462118578943, 0.011111754901609674, 126.80725458240519],
        [-14.265504620722776, -0.0018273814035462844, 430.2442193143406],
        [-141.2591200580492, -0.00531279467764455, -874.0763684556899],
        [71.44015393283699, 0.015396715047638159, -1970.2639881928042],
    ]
    problem = cr.Problem(X, np.append(-np.ones(7), 1.0), loss="logistic", alpha=1.0, negative_slope=-2.0)
    cells = make_pricer(problem.X, problem.bias, problem.negative_slope, "cells")
    # Which dual vectors are left with one depends on their last digits.
    fits = (cr.solve(problem, "generate", random_state=seed, tol=1e-8) for seed in range(20))
    certificate = next(fit.certificate for fit in fits if not cells(fit.certificate.dual).complete)
    certificate.save(tmp_path / "certificate.json")
    loaded = cr.load_certificate(tmp_path / "certificate.json")
    assert (loaded.upper, loaded.lower) == (certificate.upper, certificate.lower)
    assert certify_dual(problem, certificate.network, certificate.dual).gamma <= certificate.gamma * (1 + 1e-9)


def test_a_claim_that_is_a_little_too_large_is_not_handed_on(tmp_path):
    certificate = cr.solve(cr.Problem(SIX_X, SIX_Y)).certificate
    replace(certificate, lower=certificate.upper * (1 + 5e-9)).save(tmp_path / "certificate.json")
    loaded = cr.load_certificate(tmp_path / "certificate.json")
    assert loaded.lower == certificate.lower <= loaded.upper


def test_a_network_that_misses_the_data_is_kept_with_its_infinite_bound(tmp_path):
    problem = cr.Problem(SIX_X, SIX_Y)
    constant = cr.Network(np.empty((0, 1)), [], [], 0.5)
    certificate = cr.certify(constant, problem)
    assert "misses the data" in certificate.sentence
    certificate.save(tmp_path / "certificate.json")
    loaded = cr.load_certificate(tmp_path / "certificate.json")
    assert (loaded.upper, loaded.lower, loaded.network) == (np.inf, certificate.lower, constant)


def test_a_sampled_certificate_stays_sampled(tmp_path):
    fit = cr.solve(make_problem("squared", 12), method="sample", random_state=0, tol=1e-3)
    fit.certificate.save(tmp_path / "certificate.json")
    loaded = cr.load_certificate(tmp_path / "certificate.json")
    assert (loaded.scope, loaded.lower) == ("sampled", fit.certificate.lower)
    assert loaded.verify_exact().lower <= fit.objective


class Softened(Hinge):
    """A loss that its name does not bring back."""


def test_a_loss_without_a_name_cannot_be_saved(tmp_path):
    problem = cr.Problem(SIX_X, SIX_Y, loss=Softened(), alpha=0.1)
    certificate = certify_dual(problem, cr.Network([[1.0]], [0.0], [1.0]), SIX_Y)
    with pytest.raises(cr.InputError, match="cannot be written"):
        certificate.save(tmp_path / "certificate.json")


def test_files_that_are_no_certificates_are_refused(tmp_path):
    file = tmp_path / "certificate.json"
    certificate = cr.solve(cr.Problem(SIX_X, SIX_Y)).certificate
    certificate.save(file)
    text = file.read_text()
    record = json.loads(text)
    damaged = [text[:-20], "", "[]", "1", text.replace("30", "NaN"), text.replace('"dual": [', '"dual": [1e999, ')]
    damaged += [json.dumps({key: record[key] for key in record if key != missing}) for missing in record]
    damaged += [json.dumps(record | change) for change in ({"scope": "all"}, {"network": 3}, {"lower": 10**400})]
    complete = len(damaged)
    damaged.remove(json.dumps({key: record[key] for key in record if key != "claim"}))
    assert len(damaged) == complete - 1
    for content in damaged:
        file.write_text(content)
        with pytest.raises(cr.InputError, match="is not a"):
            cr.load_certificate(file)
    with pytest.raises(cr.FileError, match="no such file"):
        cr.load_certificate(tmp_path / "nowhere.json")


def test_a_lower_bound_is_read_without_proof_only_on_request(tmp_path):
    file = tmp_path / "certificate.json"
    cr.solve(cr.Problem(SIX_X, SIX_Y)).certificate.save(file)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"lower": 30.5}))
    with pytest.raises(cr.InputError, match=r"claims the lower bound 30.5, but its dual vector proves (30|29.9999)"):
        cr.load_certificate(file)
    assert cr.load_certificate(file, verify=False).lower == 30.5


def test_the_residual_is_that_of_the_network_that_was_given():
    problem = cr.Problem(SIX_X, SIX_Y)
    network = cr.Network([[1.0]], [0.0], [1.0])
    expected = np.max(np.abs(network(SIX_X) - SIX_Y)) / (np.ptp(SIX_Y) / 2)
    assert cr.certify(network, problem).residual == pytest.approx(expected, rel=1e-12)


def test_the_relative_gap_is_relative_to_the_upper_bound():
    """So it is at most one, and infinite for a network that does not fit."""
    problem = cr.Problem(SIX_X, SIX_Y, loss="squared", alpha=0.01)
    certificate = cr.certify(cr.Network([[10.0]], [0.0], [10.0]), problem)
    assert certificate.upper > 10 * certificate.lower > 0
    assert certificate.relative_gap == pytest.approx(1 - certificate.lower / certificate.upper, rel=1e-12)
    assert cr.certify(cr.Network([[1.0]], [0.0], [1.0]), cr.Problem(SIX_X, SIX_Y)).relative_gap == np.inf


def test_a_dual_vector_that_was_repaired_is_handed_on_repaired(tmp_path):
    file = tmp_path / "certificate.json"
    problem = cr.Problem([[1.0]] * 5, [1.0, -1.0, -1.0, -1.0, -1.0], "hinge", alpha=0.01)
    cr.solve(problem).certificate.save(file)
    record = json.loads(file.read_text())
    record["dual"][0] *= 2
    file.write_text(json.dumps(record))
    loaded = cr.load_certificate(file)
    assert loaded.lower == record["lower"]
    assert np.sum(loaded.dual) == 0
    assert loaded.of(loaded.network).lower == pytest.approx(loaded.lower, rel=1e-9)
