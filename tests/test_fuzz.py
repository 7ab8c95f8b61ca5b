"""A few seconds of every fuzz trial; `python -m tests.fuzz` makes them for hours."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.rational.circle import norm_squared_above
from tests.exact import gamma_at_neurons, gamma_on_circle, orthogonal_near
from tests.exact_outputs import fractions_of, norm_at_neurons
from tests.fuzz import KINDS, Trial, attempt, check_certificate, gamma_of
from tests.pricing.reference import gamma_squared_of

TRIALS = {
    "bounds": 24,
    "stops": 3,
    "files": 12,
    "commands": 12,
    "arguments": 100,
    "estimators": 8,
    "norms": 40,
    "ordinary": 12,
    "analyses": 8,
}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found(kind):
    findings = {seed: attempt(kind, 1000 + seed).findings for seed in range(TRIALS[kind])}
    assert not any(findings.values()), {seed: found for seed, found in findings.items() if found}


# Weights whose squares overflow; a dual vector that is rounding; slopes beyond floats; a network without neurons to put
# right; outputs of 1e-300 beside others; a mean that is two digits off; hinges between samples a thousandth apart;
# samples out of range once others have no weight; slopes beyond floats again; classes whose outputs are alike in ten
# digits; equal targets of one of three outputs that have a trend; dual vectors of classes beyond floats; an affine
# function that is better than the constant but for rounding; losses beyond floats on a fold; coordinates of samples
# that are far from the origin beside their distances; corrections of the relaxation beyond floats; responses that count
# as being on the hinge; coordinates that are all but singular; a dual vector that is rounding, once more; rounding of
# columns that counted as free; slopes beyond floats in both directions.
@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        ("bounds", k)
        for k in (24264, 24844, 50489, 90575, 300460, 504278, 720257, 721249, 730843, 840518, 840964, 841660, 861896)
    ]
    + [
        ("bounds", 912464),
        ("bounds", 932143),
        ("files", 940499),
        ("norms", 931429),
        ("norms", 931480),
        ("estimators", 910471),
        ("norms", 87),
        ("norms", 332),
        ("norms", 1090),
        ("analyses", 1536),
        ("ordinary", 1070109),
        ("ordinary", 1070195),
        ("bounds", 1070338),
    ]
    + [("stops", k) for k in (21137, 50085, 860133)],
)
def test_what_was_found_once_is_not_found_again(kind, seed):
    assert not attempt(kind, seed).findings


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("slope", [0.0, -0.3, 2.0])
def test_the_exact_gamma_is_that_of_another_method(bias, slope):
    rng = np.random.default_rng(0)
    for d in (1, 2) if bias != "joint" else (1,):
        X, v = rng.standard_normal((5, d)), rng.integers(-8, 8, 5) / 8
        v[0] -= v.sum()
        gamma = gamma_on_circle(X, v, bias, slope)
        assert float(gamma) == pytest.approx(float(gamma_squared_of(X, v, bias, slope)) ** 0.5, rel=1e-14)
        problem = cr.Problem(X, v, "squared", bias=bias, alpha=1.0, negative_slope=slope)
        neurons = rng.standard_normal((50, d + (bias == "joint")))
        assert 0.3 * gamma < gamma_at_neurons(X, v, bias, slope, neurons) <= gamma == gamma_of(problem, v, rng)


@pytest.mark.parametrize("bias", ["free", "joint", "none"])
@pytest.mark.parametrize("slope", [0.0, -0.3, 2.0])
def test_exact_norms_are_those_of_another_method(bias, slope):
    rng = np.random.default_rng(0)
    for d in (1, 2) if bias != "joint" else (1,):
        X, V = rng.standard_normal((5, d)), rng.integers(-8, 8, (5, 3)) / 8
        V[0] -= V.sum(axis=0)
        problem = cr.Problem(X, V, "squared", bias=bias, alpha=1.0, negative_slope=slope)
        gamma = gamma_of(problem, V, rng)
        rows = np.column_stack([X, np.ones(5)]) if bias == "joint" else X
        square = norm_squared_above(*map(fractions_of, (rows, V, slope)), bias == "free")
        assert 0 <= square - gamma**2 < 1e-25 * square
        assert 0.3 * gamma < norm_at_neurons(X, V, bias, slope, rng.standard_normal((50, rows.shape[1]))) <= gamma


def test_a_vector_is_made_orthogonal_by_little():
    v, columns = np.array([-1.0, 2.0, -1.0 + 1e-9]), np.array([[1.0, 1.0, 0.1], [1.0, 1.0, 0.2], [1.0, 1.0, 0.3]])
    near, change = orthogonal_near(v, columns[:, :1])
    assert 0 < change < 1e-8
    assert sum(near) == 0
    whole, _ = orthogonal_near(v, columns)  # of two columns one is enough, and the last takes two more entries
    assert [sum(whole * [Fraction(x) for x in column]) for column in columns.T.tolist()] == [0, 0, 0]


@pytest.mark.parametrize("y", [[0.0, 1.0, 3.0], [[0.0, 1.0], [1.0, 0.0], [3.0, 1.0]]])
def test_forged_bounds_are_found(y):
    fit = cr.solve(cr.Problem([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], y, "squared", alpha=0.01))
    for name, share in [("lower", 1 + 1e-5), ("upper", 1 - 1e-5), ("upper", 1 + 1e-5)]:
        forged = replace(fit.certificate, **{name: getattr(fit.certificate, name) * share})
        trial = Trial()
        check_certificate(trial, forged, np.random.default_rng(0))
        assert len(trial.findings) == 1
        assert name in trial.findings[0]
