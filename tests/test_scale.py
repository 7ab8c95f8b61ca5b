"""Lower bounds at every scale of the dual vector, of alpha and of the data."""

import importlib.util
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.rational import exact_bound
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.problem.losses import LOSSES, get_loss
from tests.exact import exact_dual
from tests.instances import LABELLED, RULES, make_problem, normal_data

spec = importlib.util.spec_from_file_location(
    "check_certificate", Path(cr.__file__).parent.parent / "checker" / "check_certificate.py"
)
checker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checker)


def nothing(problem):
    """A network without neurons."""
    return cr.Network(np.empty((0, problem.n_features)), [], [], 0.0, problem.negative_slope)


def some_dual(problem):
    """A dual vector with few digits, so that it is the same in denormal numbers, in the domain and along y."""
    if problem.loss.labels:
        return problem.y * np.resize([0.75, 0.5, 0.25], problem.n_samples)
    return np.round(8 * problem.y) / 64


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("bias", "d"), [("free", 1), ("free", 2), ("joint", 1), ("none", 2), ("none", 3)])
def test_every_multiple_of_a_dual_vector_proves_the_same(loss, bias, d):
    problem = make_problem(loss, 7, d, bias=bias, alpha=0.05)
    v = some_dual(problem)
    known = certify_dual(problem, nothing(problem), v)
    assert known.lower > 0
    for exponent in (-1060, -700, -30, -2, -1, 1, 2, 300, 1000):
        found = certify_dual(problem, nothing(problem), np.ldexp(v, exponent))
        assert found.lower == known.lower
        np.testing.assert_array_equal(found.dual * (1 / found.gamma), known.dual * (1 / known.gamma))
        assert found.of(nothing(problem)).lower == known.lower
        with np.errstate(over="ignore"):
            natural, size = np.ldexp(known.dual, exponent), np.abs(np.ldexp(known.dual, exponent)).max()
        if abs(exponent) <= 300 and size <= min(map(abs, filter(None, RULES[loss].box))):
            np.testing.assert_array_equal(found.dual, natural)
        else:
            assert 0.5 < np.abs(found.dual).max() / min(1.0, max(RULES[loss].box)) <= 1
    for factor in (1e-310, 1e300):
        found = certify_dual(problem, nothing(problem), v * factor)
        assert found.lower == pytest.approx(known.lower, rel=1e-7 if factor < 1 else 1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_every_multiple_is_verified_exactly_and_by_the_checker(loss):
    problem = make_problem(loss, 6, 2, alpha=0.05)
    v = some_dual(problem)
    known = exact_bound(problem, v)
    for exponent in (-1060, -2, 1, 1000):
        assert exact_bound(problem, np.ldexp(v, exponent)).lower == known.lower
    certificate = certify_dual(problem, nothing(problem), v)
    assert certificate.lower <= known.lower
    found = [
        checker.lower_bound(record_of(problem), problem.X, problem.y, np.ldexp(certificate.dual, k)) for k in SIZES
    ]
    np.testing.assert_allclose(found, certificate.lower, rtol=1e-9)


SIZES = (-1000, -600, -1, 0, 1, 600, 1000)


def record_of(problem):
    """What a file says of a problem."""
    names = ("bias", "alpha", "negative_slope")
    return {"loss": problem.loss.name, "loss_parameters": problem.loss.params()} | {
        name: getattr(problem, name) for name in names
    }


@pytest.mark.parametrize("loss", ["interpolation", "squared"])
def test_units_of_the_data_are_units_of_the_bound(loss):
    """X times s and y times t: the cost is t / s times what it was, and with alpha times s t the objective t^2."""
    X, y = normal_data(8, 2)
    v = y - y.mean()
    alpha = 0.02 if loss == "squared" else None
    known = certify_dual(cr.Problem(X, y, loss, alpha=alpha), nothing(cr.Problem(X, y)), v).lower
    for s, t in ((-250, 0), (-200, -90), (295, 2), (90, -200), (-90, 200)):
        scaled = cr.Problem(
            np.ldexp(X, s), np.ldexp(y, t), loss, alpha=None if alpha is None else math.ldexp(alpha, s + t)
        )
        found = certify_dual(scaled, nothing(scaled), v)
        assert math.ldexp(found.lower, -2 * t if alpha else s - t) == known
        assert exact_bound(scaled, v).lower >= found.lower
        record = record_of(scaled)
        assert checker.lower_bound(record, scaled.X, scaled.y, found.dual) == pytest.approx(found.lower, rel=1e-9)


def test_a_dual_vector_of_nearly_nothing_is_no_proof(tmp_path):
    """Squares of its entries underflow."""
    for d, bias in ((2, "free"), (2, "joint"), (3, "none")):
        X, y = normal_data(8, d)
        problem = cr.Problem(X, y, bias=bias)
        fit = cr.solve(problem)
        certificate = certify_dual(problem, fit.network, fit.certificate.dual * 1e-200)
        assert certificate.lower <= fit.objective * (1 + 1e-9)
        certificate.save(tmp_path / "tiny.json")
        record = json.loads((tmp_path / "tiny.json").read_text())
        record["lower"] *= 1.001
        record["dual"] = (np.array(record["dual"]) * 1e-200).tolist()
        (tmp_path / "tiny.json").write_text(json.dumps(record))
        with pytest.raises(cr.InputError, match="its dual vector proves"):
            cr.load_certificate(tmp_path / "tiny.json")


@pytest.mark.parametrize("name", LOSSES)
def test_lower_bounds_are_below_the_exact_value_for_every_alpha(name):
    loss, rng = get_loss(name), np.random.default_rng(0)
    for alpha in (1e-90, 1e-40, 1e-9, 0.1, 1e9, 1e90):
        for size in (1e-90, 1.0, 1e90) if not loss.labels else (1.0,):
            y = np.sign(rng.standard_normal(6)) if loss.labels else size * rng.standard_normal(6)
            v = loss.repair(rng.uniform(0.1, 1.0, 6) * y / np.abs(y), y, balanced=False)
            for gamma in (1e-90, 1e-3, 1.0, 1e90):
                exact = exact_dual(name, v, y, gamma, alpha)
                bound = loss.lower_bound(v, y, gamma, alpha)
                assert Fraction(bound) <= exact
                assert bound >= float(exact * (1 - Fraction(1, 10**12))) or exact < Fraction(1, 10**300)


def test_a_multiple_of_a_logistic_dual_vector_is_the_best_one():
    """Without a bound on gamma, p = 1/2 proves log 2, and so does every multiple of it."""
    loss, y = get_loss("logistic"), np.resize([1.0, -1.0], 6)
    for size in (0.01, 0.3, 0.5, 0.8, 1.0):
        assert loss.lower_bound(size * y, y, 0.0, 1.0) == pytest.approx(math.log(2), rel=1e-12)
    p = np.linspace(0.1, 0.45, 6)
    natural = loss.dual_value(p * y, y) / 6
    assert loss.lower_bound(2 * p * y, y, 0.0, 1.0) >= natural


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1.0, 1e150, 1e300])
def test_vectors_of_any_size_are_balanced_exactly(size):
    v = size * np.array([1.0, -0.3, 0.1, 0.7])
    for name in LOSSES:
        y = np.array([1.0, -1.0, 1.0, -1.0])
        repaired = get_loss(name).repair(np.abs(v) * y if name in LABELLED else v, y, balanced=True)
        assert np.isfinite(repaired).all()
        assert math.fsum(repaired) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": [[1e100], [0.0]]}, "largest entry of X is 1e\\+100, out of the range of 5e-91 to 2e\\+90"),
        ({"y": [1e-100, 0.0]}, "largest entry of y is 1e-100"),
        ({"alpha": 1e-165, "loss": "squared"}, "alpha is 1e-165"),
        ({"negative_slope": -1e40}, "negative_slope=-1e\\+40 is beyond 1e\\+30"),
        ({"negative_slope": 0.9991}, "negative_slope=0.9991 is within 1e-03 of 1"),
        ({"negative_slope": 1.0009}, "negative_slope=1.0009 is within 1e-03 of 1"),
    ],
)
def test_data_out_of_range_are_refused(arguments, message):
    with pytest.raises(cr.InputError, match=message):
        cr.Problem(**({"X": [[0.0], [1.0]], "y": [0.0, 1.0]} | arguments))
    assert cr.Problem([[0.0], [0.0]], [0.0, 0.0]).n_samples == 2


@pytest.mark.parametrize("alpha", [1e-40, 1e-90])
def test_nothing_false_is_said_of_weak_regularisation(alpha):
    """With alpha small enough the hinge loss is alpha times the least cost of margin one."""
    problem = make_problem("hinge", 8, 3, alpha=alpha)
    least = cr.solve(make_problem("margin", 8, 3)).certificate
    p = np.abs(least.dual)
    certificate = certify_dual(problem, nothing(problem), p * problem.y)
    assert 0 < certificate.lower <= alpha * least.upper
    assert certificate.lower >= alpha * least.lower * (1 - 1e-6)


@pytest.mark.parametrize("space", [1e-10, 1e-14])
def test_margins_of_labels_that_are_all_but_at_one_place(space):
    X, labels = [[1.0], [1.0 + space], [-1.0]], [1.0, -1.0, 1.0]
    problem = cr.Problem(X, labels, loss="margin")
    fit = cr.solve(problem)
    assert fit.status is cr.Status.OPTIMAL
    assert fit.objective == pytest.approx(cr.solve(cr.Problem(X, labels)).objective, rel=1e-9)
    assert cr.certify(fit.network, problem).relative_gap <= 1e-6
