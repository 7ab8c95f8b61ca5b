"""One column of targets is one output, and two classes are labels: the whole table of problems, solved by other code.

Of two classes only f_1 - f_0 counts, and the cheapest output weights of a neuron for it are (-s, s) / 2, of length
abs(s) / sqrt(2): the softmax is the logistic loss with alpha / sqrt(2), and margins cost the sqrt(2)-th part.
"""

import itertools
import math

import numpy as np
import pytest

import cvxrelu as cr
from tests.instances import BIASES, SLOPES, normal_data

TOL = 1e-7
WEIGHTS = np.array([1.0, 2.0, 0.5, 3.0, 1.0, 1.5, 1.0])
# With weights or without, with a skip connection or without: every pair of a loss and a bias goes all four ways.
WAYS = list(itertools.product((False, True), (False, True)))
TABLE = [
    (loss, bias, slope, *WAYS[(k + j) % 4])
    for j, (loss, bias) in enumerate(itertools.product(("interpolation", "squared", "huber"), BIASES))
    for k, slope in enumerate(SLOPES)
]


def assert_same(one, other, unit=1.0, tol=TOL):
    """Check that both optima are what both certificates allow, `unit` of the second being one of the first."""
    for fit in (one, other):
        assert fit.certificate.scope == "global"
        assert fit.certificate.relative_gap <= tol
    assert one.certificate.lower <= unit * other.certificate.upper * (1 + 1e-12)
    assert unit * other.certificate.lower <= one.certificate.upper * (1 + 1e-12)
    assert unit * other.objective == pytest.approx(one.objective, rel=2 * tol)


@pytest.mark.parametrize(("loss", "bias", "slope", "weighted", "skip"), TABLE)
def test_one_column_is_one_output(loss, bias, slope, weighted, skip):
    X, y = normal_data(7, 2 if bias == "none" else 1)
    options = {"loss": loss, "bias": bias, "negative_slope": slope, "skip": skip}
    options["alpha"] = None if loss == "interpolation" else 0.03
    options["sample_weight"] = WEIGHTS if weighted else None
    if bias == "none" and slope == -1.0 and loss == "interpolation" and not skip:
        y = np.abs(y)  # and x to -x, or nothing odd is fitted
    one = cr.solve(cr.Problem(X, y, **options), tol=TOL)
    other = cr.solve(cr.Problem(X, y[:, None], **options), tol=TOL, random_state=0)
    assert_same(one, other)
    if bias == "free" and loss != "interpolation":  # the optimum's predictions are unique
        np.testing.assert_allclose(other.network(X)[:, 0], one.network(X), atol=2e-3)


@pytest.mark.parametrize(("loss", "classes"), [("logistic", "softmax"), ("margin", "multiclass-margin")])
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_two_classes_are_labels(loss, classes, bias, skip, weighted):
    X, _ = normal_data(7, 2 if bias == "none" else 1)
    labels = np.array([0, 1, 1, 0, 0, 1, 0])  # which no line or half-plane separates
    options = {"bias": bias, "negative_slope": 0.3, "skip": skip, "sample_weight": WEIGHTS if weighted else None}
    alpha, tol = (0.03, TOL) if loss == "logistic" else (None, 1e-6)
    one = cr.solve(cr.Problem(X, 2.0 * labels - 1, loss, alpha=alpha, **options), tol=tol)
    more = None if alpha is None else alpha * math.sqrt(2)
    other = cr.solve(cr.Problem(X, labels, classes, alpha=more, **options), tol=tol, random_state=0)
    assert_same(one, other, 1.0 if alpha else math.sqrt(2), tol)
