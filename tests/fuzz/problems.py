"""Hostile problems solved, written to files that are damaged, and fitted by estimators."""

import contextlib
import io
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import cvxrelu as cr
from tests.fuzz.trial import Trial
from tests.fuzz.truth import check_certificate, check_fit, checker
from tests.hostile import hostile_problem

# Seconds that a hostile problem gets, a few dozen numbers.
ENOUGH = 5.0
# What is believed may have been computed in another order: the agreement that loading and the checker ask for.
AGREEMENT = 2e-8
# What the checker refuses a file with.
REFUSALS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def bounds(seed: int) -> Trial:
    """Solve a hostile problem, certify its network once more, and hold the bounds against exact ones."""
    trial, rng = Trial(), np.random.default_rng([seed, 1])
    problem, options = hostile_problem(seed, with_parts=True, with_outputs=True)
    tol = float(rng.choice([1e-6, 1e-3, 1e-9]))
    if rng.random() < 0.2:
        options["max_rounds"] = int(rng.integers(1, 4))
    options |= {"tol": tol, "time_limit": float(rng.choice([ENOUGH, 0.05])), "prove": bool(rng.random() < 0.9)}
    fit = trial.call(cr.solve, problem, **options)
    if fit is not None:
        check_fit(trial, fit, rng, tol)
        again = trial.call(cr.certify, fit.network, problem, time_limit=ENOUGH)
        if again is not None:
            check_certificate(trial, again, rng)
    return trial


def files(seed: int) -> Trial:
    """Write a certificate and a network, damage the files, and read them again."""
    trial, rng = Trial(), np.random.default_rng([seed, 3])
    problem, options = hostile_problem(seed, with_parts=True, with_outputs=True)
    fit = trial.call(cr.solve, problem, time_limit=ENOUGH, **options)
    if fit is None:
        return trial
    with tempfile.TemporaryDirectory() as folder:
        file, archive = Path(folder, "certificate.json"), Path(folder, "network.npz")
        fit.certificate.save(file)
        fit.network.save(archive)
        loaded = trial.call(cr.load_certificate, file, time_limit=ENOUGH)
        if fit.status is cr.Status.OPTIMAL:  # others may have taken more time than there is now
            least = fit.certificate.lower * (1 - AGREEMENT)
            same = loaded is not None and least <= loaded.lower <= fit.certificate.lower
            trial.require(same, f"refused: {trial.outcome}")
        trial.require(trial.call(cr.Network.load, archive) == fit.network, "the network is another")
        _believed(trial, file, rng)
        trial.outcome = "damaged"
        file.write_bytes(damaged(file.read_bytes(), rng))
        archive.write_bytes(damaged(archive.read_bytes(), rng))
        trial.call(cr.Network.load, archive)
        if _believed(trial, file, rng):
            trial.outcome = "believed"
    return trial


def _believed(trial: Trial, file: Path, rng: np.random.Generator) -> bool:
    """Tell whether the package or the checker believes a file, and hold what it claims then against exact values."""
    loaded = trial.call(cr.load_certificate, file, time_limit=ENOUGH)
    found = {"loading": loaded} if loaded is not None else {}
    if _checked(file):
        found["the checker"] = trial.call(cr.load_certificate, file, verify=False)
    for who, believed in found.items():
        if believed is None:
            continue
        eased = replace(believed, lower=believed.lower * (1 - AGREEMENT), upper=believed.upper * (1 + AGREEMENT))
        exact = Trial()
        check_certificate(exact, eased, rng, claimed_less=True)
        trial.findings += [f"{who}: {finding}" for finding in exact.findings if "far above" not in finding]
    if loaded is not None:
        with contextlib.suppress(cr.CvxReluError):
            bound = loaded.verify_exact()
            # What is no interpolant but for rounding may cost less than those are worth.
            most = loaded.upper * (1 + (0.0 if loaded.problem.loss.regularised else 1e-6))
            trial.require(bound.lower <= most, f"exactly {float(bound.lower)!r} > {loaded.upper!r}")
    return bool(found)


def _checked(file: Path) -> bool:
    """Tell whether the checker believes a file."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(checker.Unchecked, *REFUSALS):
        return bool(checker.check(json.loads(file.read_bytes())))
    return False


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with a digit, a byte, a number or a piece changed; sometimes as it was."""
    kind = rng.integers(6)
    where = int(rng.integers(len(content)))
    if kind == 0:
        return content[:where] + bytes([int(rng.integers(256))]) + content[where + 1 :]
    if kind == 1:
        return content[:where] + content[where + int(rng.integers(1, 50)) :]
    if kind == 2:
        return content[:where]
    numbers = list(re.finditer(rb"-?\d+\.?\d*(?:e[-+]?\d+)?", content))
    if kind in (3, 4) and numbers:
        chosen = numbers[rng.integers(len(numbers))]
        strange = [b"0", b"1e400", b"-1", b"1e-300", b"1e300", b"null", b'"1"', b"[]", b"NaN", b"true", b"9" * 400]
        with contextlib.suppress(ValueError):
            value = float(chosen[0])
            strange += [repr(value * float(f)).encode() for f in (1.001, 0.999, -1, 2, 1 + 1e-7, 1e6)] * 3
        return content[: chosen.start()] + strange[rng.integers(len(strange))] + content[chosen.end() :]
    return content


def estimators(seed: int) -> Trial:
    """Fit an estimator to a damaged table, and predict."""
    trial, rng = Trial(), np.random.default_rng([seed, 6])
    problem, _ = hostile_problem(seed, with_parts=True, with_outputs=True)
    X, y = problem.X.copy(), problem.y.copy()
    if rng.random() < 0.2:
        X[rng.integers(len(X)), 0] = rng.choice([np.nan, np.inf, 1e308])
    kinds: dict[str, Callable[[], Any]] = {
        "regressor": lambda: cr.ReLURegressor(time_limit=ENOUGH),
        "interpolator": lambda: cr.ReLUInterpolator(time_limit=ENOUGH),
        "classifier": lambda: cr.ReLUClassifier(time_limit=ENOUGH, loss=str(rng.choice(["logistic", "hinge"]))),
        "regressor cv": lambda: cr.ReLURegressorCV(n_alphas=3, cv=2, time_limit=ENOUGH),
    }
    kind = str(rng.choice(list(kinds)))
    model = kinds[kind]().set_params(skip=problem.skip, output_sign=problem.output_sign)
    if problem.several and kind == "classifier":
        model.set_params(loss=str(rng.choice(["softmax", "multiclass-margin"])))
    if kind == "classifier":
        y = rng.choice(["a", "b", "c"][: int(rng.integers(1, 4))], len(X))
    # scikit-learn's own checks of tables raise a ValueError.
    weights = rng.integers(0, 3, len(X)) if rng.random() < 0.3 else None
    fitted = trial.call(model.fit, X, y, weights, allowed=ValueError)
    if fitted is not None:
        predictions = trial.call(fitted.predict, X)
        trial.require(predictions is not None and len(predictions) == len(X), "no predictions")
        if kind == "classifier" and hasattr(fitted, "predict_proba"):
            trial.require(np.allclose(fitted.predict_proba(X).sum(axis=1), 1), "probabilities do not sum to one")
    trial.outcome = f"{kind}: {trial.outcome or 'fitted'}"
    return trial
