"""A few seconds of every fuzz trial; `python -m tests.fuzz` makes them for hours."""

from dataclasses import replace

import numpy as np
import pytest

import cvxrelu as cr
from tests.exact import gamma_at_neurons, gamma_on_circle
from tests.fuzz import KINDS, Trial, attempt, gamma_of
from tests.pricing.reference import gamma_squared_of

TRIALS = {"bounds": 24, "stops": 3, "files": 12, "commands": 12, "arguments": 100, "estimators": 8}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_found(kind):
    findings = {seed: attempt(kind, 1000 + seed).findings for seed in range(TRIALS[kind])}
    assert not any(findings.values()), {seed: found for seed, found in findings.items() if found}


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


def test_forged_bounds_are_found():
    fit = cr.solve(cr.Problem([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], [0.0, 1.0, 3.0], "squared", alpha=0.01))
    for name, share in [("lower", 1 + 1e-5), ("upper", 1 - 1e-5), ("upper", 1 + 1e-5)]:
        forged = replace(fit.certificate, **{name: getattr(fit.certificate, name) * share})
        trial = Trial()
        trial.check_certificate(forged, np.random.default_rng(0))
        assert len(trial.findings) == 1
        assert name in trial.findings[0]
