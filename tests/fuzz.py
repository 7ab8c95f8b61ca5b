"""Call everything public with whatever can be at once, and check what comes back: `python -m tests.fuzz --hours 1`.

    seed -> a call, drawn -> what it returned, or the one sentence it raised -> findings: promises that were not kept

    bounds      lower and upper against fractions: the objective of the network, and gamma(v) by brute force
    stops       time limits and Ctrl-C at random moments of larger problems: what is left holds, and comes soon
    files       certificates and networks, whole and damaged: read back unchanged, refused, or still true
    commands    command lines on damaged tables: 0, or 2 and one line
    arguments   public functions with an argument that is wrong
    estimators  fits and predictions of damaged tables

A finding is a bug. What was refused, and how late stops were, is counted.
"""

import argparse
import contextlib
import functools
import importlib.abc
import importlib.util
import io
import json
import os
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

import cvxrelu as cr
from cvxrelu.cli.main import main as command_line
from tests.exact import exact_dual, gamma_at_neurons, gamma_on_circle
from tests.hostile import hostile_problem
from tests.instances import CONSTRAINTS, LABELLED, RULES

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("check_certificate", ROOT / "checker" / "check_certificate.py")
assert spec is not None
assert spec.loader is not None
checker: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checker)

# Seconds that a hostile problem gets, a few dozen numbers.
ENOUGH = 5.0
# Share by which a bound may be on the wrong side of an exact value: none, but for the 2^-100 of roots of fractions.
HAIR = Fraction(1, 2**90)
# The least float of which a share is one, and what an objective of zero may be rounded up to.
TINY = float(np.finfo(float).tiny)
LEAST = 2.0**-1060
# The same with a skip connection, where a vector nearby is meant.
NEARBY = Fraction(1, 10**9)
# Share by which `upper` may be above the exact objective, where the certificate does not say that it is blurred.
LOOSE = Fraction(1, 10**9)
# Cells whose best neurons are tried where neurons do not live on a circle.
CELLS = 200
# A stop that is later than this many seconds is a finding; an ordinary one is counted.
LATE = 3.0
# The longest message.
LONGEST_MESSAGE = 900


@dataclass
class Trial:
    """What became of one call.

    Attributes
    ----------
    findings : list of str
        Promises that were not kept.
    outcome : str
        What the call ended in: a status, "refused", ...
    late : float or None
        Seconds between the moment it was to stop and its end, if it was stopped.
    """

    findings: list[str] = field(default_factory=list)
    outcome: str = ""
    late: float | None = None

    def require(self, kept: object, finding: str) -> None:
        """Note a finding unless a promise was kept."""
        if not kept:
            self.findings.append(finding)

    def call(self, function: Callable[..., Any], *arguments: Any, allowed: Any = (), **options: Any) -> Any:
        """Return what a call returns, or None if it is refused as it should be; note every other end."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                return function(*arguments, **options)
            except cr.CvxReluError as error:
                message = str(error)
                self.outcome = type(error).__name__
                self.require(0 < len(message) < LONGEST_MESSAGE and "\n" not in message, f"no sentence: {message}")
            except cr.Interrupted as interrupt:
                self.outcome = "interrupted"
                return interrupt.fit
            except allowed:
                self.outcome = "refused"
            except Exception:
                self.outcome = "raised"
                self.findings.append(traceback.format_exc(limit=-6))
            finally:
                leaks = {f"{w.category.__name__}: {w.message}" for w in caught if w.category is not cr.AccuracyWarning}
                self.findings.extend(sorted(leak for leak in leaks if not re.search(ALLOWED_LEAKS, leak)))
        return None

    def check_fit(self, fit: cr.Fit, rng: np.random.Generator, tol: float = 1e-6) -> None:
        """Hold a fit against exact values."""
        self.outcome = self.outcome or fit.status.name
        problem, certificate = fit.problem, fit.certificate
        # An objective of zero, as of classes that what is free separates, is known to the least float.
        closed = certificate.gap <= tol * max(certificate.upper, TINY) < np.inf
        self.require(fit.status is not cr.Status.OPTIMAL or (closed and certificate.scope == "global"), "not OPTIMAL")
        # Networks of other patterns may be better than the best one of sampled patterns.
        self.require(certificate.lower <= certificate.upper or certificate.scope != "global", "lower > upper")
        if problem.loss.regularised:
            self.require(problem.objective(fit.network) <= least_constant(problem) * (1 + 1e-9), "a constant is better")
        self.check_certificate(certificate, rng)

    def check_certificate(
        self, certificate: cr.Certificate, rng: np.random.Generator, claimed_less: bool = False
    ) -> None:
        """Hold both bounds of a certificate against exact values; a changed file may claim less than it proves."""
        problem, network, v = certificate.problem, certificate.network, certificate.dual
        task = {name: getattr(problem, name) for name in ("bias", "alpha", "negative_slope")} | {
            "loss": problem.loss.name,
            "loss_parameters": problem.loss.params(),
            "output_sign": problem.output_sign,
            "skip": problem.skip,
        }
        task |= {} if problem.sample_weight is None else {"sample_weight": problem.sample_weight.tolist()}
        parts = {name: getattr(network, name) for name in ("W", "b", "v", "intercept", "negative_slope")}
        parts |= {"skip": network.skip.tolist()} if network.skip.any() else {}
        try:
            upper, predictions = checker.upper_bound(task, problem.X, problem.y, parts)
        except checker.Unchecked:
            return
        if np.isfinite(certificate.upper):
            claimed = Fraction(certificate.upper)
            self.require(upper <= claimed * (1 + HAIR), f"upper {certificate.upper!r} < {float(upper)!r}")
            slack = LOOSE + 2 * Fraction(certificate.blur)
            near = claimed * (1 - slack) <= upper + Fraction(LEAST)
            self.require(near, f"upper {certificate.upper!r} is far above {float(upper)!r}")
        if certificate.scope != "global" or not v.any():
            # No objective is negative, and a file that claims less than that claims what is true.
            nothing = certificate.lower <= 0 if claimed_less else certificate.lower == 0
            self.require(certificate.scope != "global" or nothing, "a bound from nothing")
            return
        aims = {"the targets": problem.y}
        if problem.loss.name == "interpolation" and np.isfinite(certificate.upper):
            aims["its own predictions"] = np.asarray(predictions)[:, 0]
        hair = HAIR
        if problem.skip:
            # Which of the vectors nearby is meant is for the package to say: they are within rounding of each other.
            try:
                v, hair = checker.orthogonal(v / 2.0 ** checker.exponent(v), problem.free.columns), NEARBY
            except ValueError as error:
                self.require(certificate.lower <= 0, f"lower {certificate.lower!r}, and {error}")
                return
        gamma = gamma_of(problem, v, rng)
        for aim, y in aims.items():
            found = exact_dual(problem.loss.name, v, y, gamma, problem.alpha, problem.sample_weight)
            holds = Fraction(certificate.lower) <= found * (1 + hair)
            self.require(holds, f"lower {certificate.lower!r} > {float(found)!r} for {aim}")


# Warnings of other packages about themselves.
ALLOWED_LEAKS = r"DeprecationWarning|FutureWarning|ConvergenceWarning"


def least_constant(problem: cr.Problem) -> float:
    """Return the objective of the best constant that costs nothing."""
    free = problem.bias == "free"
    counts = np.ones(problem.n_samples) if problem.sample_weight is None else problem.sample_weight
    if problem.loss.name == "squared":
        y, w = ([Fraction(x) for x in part.tolist()] for part in (problem.y, counts))
        mean = Fraction(float(sum(a * b for a, b in zip(y, w, strict=True)) / sum(w))) if free else Fraction(0)
        # A mean may be a digit off.
        digit = Fraction(float(np.spacing(np.abs(problem.y).max())))
        return float(sum(b * (a - mean) ** 2 for a, b in zip(y, w, strict=True)) / (2 * sum(w)) + digit**2)
    if problem.loss.labels:
        share = float(np.average(problem.y > 0, weights=counts)) if free else 0.5
        if problem.loss.name == "hinge":
            return 2 * min(share, 1 - share) if free else 1.0
        return float(-share * np.log(share) - (1 - share) * np.log(1 - share))

    def paid(constant: float) -> float:
        return float(
            np.average([RULES[problem.loss.name].pays(constant, y) for y in problem.y.tolist()], weights=counts)
        )

    low, high = (float(problem.y.min()), float(problem.y.max())) if free else (0.0, 0.0)
    for _ in range(100):
        third = (high - low) / 3
        low, high = (low + third, high) if paid(low + third) > paid(high - third) else (low, high - third)
    return min(paid(low), *map(paid, np.unique(problem.y)[:: max(1, len(problem.y) // 20)])) if free else paid(0.0)


def gamma_of(problem: cr.Problem, v: np.ndarray, rng: np.random.Generator) -> Fraction:
    """Return gamma(v) where neurons live on a circle, and elsewhere the score of a good neuron, at most gamma(v)."""
    X, bias, slope, one_sided = problem.X, problem.bias, problem.negative_slope, problem.one_sided
    if X.shape[1] + (bias == "joint") <= 2:
        return gamma_on_circle(X, v, bias, slope, one_sided)
    exact, v = v, v.astype(float)
    rows = np.column_stack([X, np.ones(len(X))]) if bias == "joint" else X
    size = np.abs(rows).max(initial=0.0) or 1.0
    found = []
    for _ in range(CELLS):
        u = rng.standard_normal(rows.shape[1]) * rng.choice([1.0, *(1 / (np.abs(rows).max(axis=0) + 1e-300))])
        anchor = X[rng.integers(len(X))] if bias == "free" else 0.0
        Z = (rows - anchor) / size
        with contextlib.suppress(RuntimeError):  # of an iteration that does not end
            active = Z @ (u / np.abs(u).max()) >= 0
            gradient = (np.where(active, 1.0, slope) * (v / np.abs(v).max())) @ Z
            for side in (gradient, -gradient):
                signed = np.where(active[:, None], Z, -Z)
                found.append(side + nnls(signed.T, -side)[0] @ signed)
    with np.errstate(over="ignore"):
        values = [v @ _outputs(rows, u, bias, slope) for u in found]
        scores = [
            (score if one_sided else np.abs(score)).max() / (np.linalg.norm(u) or np.inf)
            for score, u in zip(values, found, strict=True)
        ]
    best = np.argsort(np.nan_to_num(scores))[-3:]
    return gamma_at_neurons(X, exact, bias, slope, np.array([found[k] for k in best]), one_sided)


def _outputs(rows: np.ndarray, u: np.ndarray, bias: str, slope: float) -> np.ndarray:
    """Return outputs of a neuron, a column for each anchor if its bias is free."""
    t = rows @ u
    t = t[:, None] - t if bias == "free" else t[:, None]
    return np.where(t >= 0, t, slope * t)


def bounds(seed: int) -> Trial:
    """Solve a hostile problem, certify its network once more, and hold the bounds against exact ones."""
    trial, rng = Trial(), np.random.default_rng([seed, 1])
    problem, options = hostile_problem(seed, with_parts=True)
    tol = float(rng.choice([1e-6, 1e-3, 1e-9]))
    if rng.random() < 0.2:
        options["max_rounds"] = int(rng.integers(1, 4))
    options |= {"tol": tol, "time_limit": float(rng.choice([ENOUGH, 0.05])), "prove": bool(rng.random() < 0.9)}
    fit = trial.call(cr.solve, problem, **options)
    if fit is not None:
        trial.check_fit(fit, rng, tol)
        again = trial.call(cr.certify, fit.network, problem, time_limit=ENOUGH)
        if again is not None:
            trial.check_certificate(again, rng)
    return trial


def larger_problem(rng: np.random.Generator) -> tuple[cr.Problem, dict[str, Any]]:
    """Return an ordinary problem that takes seconds to minutes."""
    d = int(rng.choice([1, 2, 3, 5, 10, 30]))
    n = int(rng.choice([60, 150, 400, 1500]))
    X = rng.standard_normal((n, d))
    loss = str(rng.choice(["squared", "squared", "logistic", "hinge", "interpolation", "margin"]))
    y = np.abs(X[:, 0]) + X @ rng.standard_normal(d) / d + 0.1 * rng.standard_normal(n)
    y = np.sign(y - np.median(y) + 1e-9) if loss in LABELLED else y
    alpha = None if loss in CONSTRAINTS else float(10.0 ** rng.uniform(-4, -1))
    weights = rng.integers(0, 3, n).astype(float) if rng.random() < 0.3 else None
    parts = {"sample_weight": weights, "skip": bool(rng.random() < 0.3)}
    if loss not in CONSTRAINTS and rng.random() < 0.2:
        parts["output_sign"] = "positive"
    problem = cr.Problem(X, y, loss, bias=str(rng.choice(["free", "joint"])), alpha=alpha, **parts)
    method = str(rng.choice(["auto", "generate", "sample"]))
    return problem, {"method": method, "random_state": 0, "prove": bool(rng.random() < 0.7)}


@functools.cache
def _compile(loss: str, bias: str, n_features: int, method: str) -> None:
    """Have the kernels compiled that a problem needs: that is done once, and cannot be stopped."""
    X = np.random.default_rng(0).standard_normal((12, n_features))
    y = np.where(np.arange(12) % 2, 1.0, -1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem = cr.Problem(X, y, loss, bias=bias, alpha=None if loss in CONSTRAINTS else 0.01)  # pyright: ignore[reportArgumentType]
        cr.solve(problem, method, time_limit=1.0)


def stops(seed: int) -> Trial:
    """Stop a larger problem at a random moment, by its time limit or by Ctrl-C, and see how soon it ends."""
    trial, rng = Trial(), np.random.default_rng([seed, 2])
    problem, options = larger_problem(rng)
    _compile(problem.loss.name, problem.bias, problem.n_features, options["method"])
    seconds = float(10.0 ** rng.uniform(-2, 0.7))
    alarm = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    if rng.random() < 0.5:
        options["time_limit"] = seconds
    else:
        alarm.start()
    started, waited = time.perf_counter(), _waited()
    fit = None
    try:
        fit = trial.call(cr.solve, problem, **options)
        ended, waited = time.perf_counter(), _waited() - waited
        alarm.cancel()
        if alarm.is_alive():
            alarm.join()
            time.sleep(0.01)  # in which the signal comes
    except KeyboardInterrupt:  # it came when the call was over
        ended, waited = started, 0.0
    late = max(0.0, ended - started - seconds)
    # On a machine that does other work, what the thread waited for a processor is nobody's fault.
    trial.late = late * max(0.0, 1 - waited / max(ended - started, 1e-9))
    stop = "time_limit" if "time_limit" in options else "Ctrl-C"
    shown = {
        **options,
        "loss": problem.loss.name,
        "bias": problem.bias,
        "shape": problem.X.shape,
        "alpha": problem.alpha,
        "skip": problem.skip,
        "output_sign": problem.output_sign,
        "weighted": problem.sample_weight is not None,
    }
    trial.require(trial.late < LATE, f"{stop} after {seconds:.2f} s: {trial.late:.1f} s late ({shown})")
    if fit is not None:
        certificate = fit.certificate
        trial.require(certificate.lower <= certificate.upper or certificate.scope != "global", "lower > upper")
        if problem.loss.regularised:
            trial.require(certificate.upper <= least_constant(problem) * (1 + 1e-9), "a constant is better")
        objective = problem.objective(fit.network)
        trial.require(objective <= certificate.upper * (1 + 1e-9), f"upper {certificate.upper} < {objective}")
        trial.outcome = f"{stop}: {fit.status.name}"
    else:
        trial.outcome = f"{stop}: {trial.outcome or 'over'}"
    return trial


def _waited() -> float:
    """Return the seconds that this thread has been ready and had no processor; 0.0 where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def files(seed: int) -> Trial:
    """Write a certificate and a network, damage the files, and read them again."""
    trial, rng = Trial(), np.random.default_rng([seed, 3])
    problem, options = hostile_problem(seed, with_parts=True)
    fit = trial.call(cr.solve, problem, time_limit=ENOUGH, **options)
    if fit is None:
        return trial
    with tempfile.TemporaryDirectory() as folder:
        file, archive = Path(folder, "certificate.json"), Path(folder, "network.npz")
        fit.certificate.save(file)
        fit.network.save(archive)
        loaded = trial.call(cr.load_certificate, file, time_limit=ENOUGH)
        if fit.status is cr.Status.OPTIMAL:  # others may have taken more time than there is now
            trial.require(loaded is not None and loaded.lower == fit.certificate.lower, f"refused: {trial.outcome}")
        trial.require(trial.call(cr.Network.load, archive) == fit.network, "the network is another")
        trial.outcome = "damaged"
        file.write_bytes(_damaged(file.read_bytes(), rng))
        archive.write_bytes(_damaged(archive.read_bytes(), rng))
        trial.call(cr.Network.load, archive)
        believed = trial.call(cr.load_certificate, file, time_limit=ENOUGH)
        if believed is not None:
            trial.outcome = "believed"
            # What is believed may have been computed in another order: the agreement that loading asks for.
            slack = (1 - 2e-8, 1 + 2e-8)
            eased = replace(believed, lower=believed.lower * slack[0], upper=believed.upper * slack[1])
            exact = Trial()
            exact.check_certificate(eased, rng, claimed_less=True)
            trial.findings += [finding for finding in exact.findings if "far above" not in finding]
    return trial


def _damaged(content: bytes, rng: np.random.Generator) -> bytes:
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


CELLS_OF_TABLES = (
    "",
    " ",
    "NA",
    "nan",
    "x",
    "1e999",
    "-0",
    "1,5",
    "٣",
    '"',
    "1e-320",
    "0x10",
    "inf",
    "True",
    "\x00",
    "é",
)


def _table(rng: np.random.Generator) -> tuple[str, list[str]]:
    """Return the text of a table, with some damage, and the names of its columns."""
    n, d = int(rng.integers(1, 15)), int(rng.integers(1, 4))
    values = rng.standard_normal((n, d + 1)).round(int(rng.integers(0, 5))) * 10.0 ** rng.integers(-3, 4)
    if rng.random() < 0.4:
        values[:, -1] = np.sign(values[:, -1]) if rng.random() < 0.7 else 1.0
    rows = [[str(x) for x in row] for row in values.tolist()]
    names = [*(f"x{k}" for k in range(d)), "y"]
    if rng.random() < 0.3:
        rows[rng.integers(n)][rng.integers(d + 1)] = str(rng.choice(CELLS_OF_TABLES))
    if rng.random() < 0.1:
        rows[rng.integers(n)].append("1")
    if rng.random() < 0.1:
        names[0] = str(rng.choice(["y", "", " ", "1.5", "é"]))
    separator = str(rng.choice([",", "\t", ";"], p=[0.8, 0.1, 0.1]))
    end = str(rng.choice(["\n", "\r\n"]))
    return end.join(separator.join(row) for row in [names, *rows]) + (end if rng.random() < 0.8 else ""), names


def commands(seed: int) -> Trial:
    """Run the command line on a damaged table."""
    trial, rng = Trial(), np.random.default_rng([seed, 4])
    text, names = _table(rng)
    with tempfile.TemporaryDirectory() as folder:
        data, network = Path(folder, "data.csv"), Path(folder, "net.npz")
        content = text.encode()
        data.write_bytes(_damaged(content, rng) if rng.random() < 0.2 else content)
        loss = str(rng.choice(["squared", "logistic", "hinge", "interpolation", "margin"]))
        arguments = ["fit", str(data), "--target", str(rng.choice([names[-1], names[0]], p=[0.9, 0.1])), "--loss", loss]
        if rng.random() < 0.3:
            arguments += ["--alpha", str(rng.choice(["0.1", "0", "-1", "nan", "1e-9", "1e9", "x", "inf"]))]
        arguments += ["--skip"] if rng.random() < 0.2 else []
        arguments += ["--output-sign", "positive"] if rng.random() < 0.1 else []
        arguments += ["--sample-weight", str(rng.choice([*names, "w"]))] if rng.random() < 0.1 else []
        arguments += ["--time-limit", str(rng.choice(["2", "2", "2", "0", "0.001"])), "--output", str(network)]
        trial.outcome = _run_command(trial, arguments)
        if network.exists():
            trial.outcome += ", " + _run_command(trial, ["predict", str(network), str(data)])
    return trial


def _run_command(trial: Trial, arguments: list[str]) -> str:
    """Run a command; return its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = trial.call(command_line, arguments)
        except SystemExit as end:
            code = end.code
    said = err.getvalue()
    trial.require(code in (0, 2), f"exit code {code} of {arguments[0]}: {said}")
    trial.require("mistake of cvxrelu" not in said and "Traceback" not in said, said)
    trial.require(code != 2 or said.strip(), "exit code 2 without a word")
    return f"exit {code}"


STRANGE: tuple[Any, ...] = (
    None,
    "x",
    b"abc",
    {},
    (),
    [],
    -1,
    0,
    1,
    2.5,
    1e308,
    -1e308,
    5e-324,
    10**400,
    1j,
    True,
    float("nan"),
    float("inf"),
    object(),
    len,
    [[1], [1, 2]],
    "free",
    "squared",
    "auto",
    np.zeros((0, 2)),
    np.zeros((2, 0)),
    np.ones(4),
    np.ones((4, 2)),
    np.ones((4, 2, 1)),
    np.full((4, 2), np.nan),
    np.full((4, 2), 1e308),
    np.full(4, -1e-308),
    np.ones((4, 2), dtype=bool),
    np.array([["a", "b"]] * 4),
    np.array([1, 2, 3, 4], dtype=np.int8),
    np.random.default_rng(0),
)

X4 = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 1.0], [0.5, 3.0]])
Y4 = np.array([0.0, 1.0, 2.0, -1.0])
P4 = cr.Problem(X4, Y4, "squared", alpha=0.01)
N4 = cr.Network([[1.0, 1.0]], [0.0], [1.0])


def _targets() -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Return public calls that work, by name, with their arguments."""
    from cvxrelu import function_space as fs
    from cvxrelu.pricing import make_pricer, price

    problem = {"X": X4, "y": Y4, "loss": "squared", "bias": "free", "alpha": 0.1, "negative_slope": 0.0}
    problem |= {"norm": "euclidean", "sample_weight": None, "skip": False, "output_sign": "any"}
    limits = {"method": "auto", "tol": 1e-6, "time_limit": 5.0, "max_rounds": None, "solver": "CLARABEL", "n_jobs": 1}
    limits |= {"random_state": 0, "progress": False, "prove": True, "warm_start": None}
    network = {"W": [[1.0, 2.0]], "b": [0.5], "v": [2.0], "intercept": 0.0, "negative_slope": 0.0}
    network |= {"skip": None}
    fit = cr.solve(P4)
    line = {"x": [0.0, 1.0, 3.0, 4.0], "y": [0.0, 1.0, 0.0, 2.0], "negative_slope": 0.0}
    return {
        "Problem": (cr.Problem, problem),
        "solve": (cr.solve, {"problem": P4, **limits}),
        "path": (cr.path, {"problem": P4, "alphas": [0.1, 0.01], "tol": 1e-6, "time_limit": 5.0, "random_state": 0}),
        "certify": (cr.certify, {"network": N4, "problem": P4, "time_limit": 5.0}),
        "alpha_max": (cr.alpha_max, {"problem": P4, "time_limit": 5.0}),
        "optimal_set": (cr.optimal_set, {"fit": fit, "tol": 1e-7}),
        "max_margin": (cr.max_margin, {"certificate": fit.certificate}),
        "Network": (cr.Network, network),
        "call": (N4, {"X": X4}),
        "as_network": (cr.as_network, {"model": {"W": [[1.0, 2.0]], "b": [0.5], "v": [2.0]}, "negative_slope": 0.0}),
        "enumerate_patterns": (cr.enumerate_patterns, {"X": X4}),
        "count_patterns": (cr.count_patterns, {"n_samples": 4, "n_features": 2}),
        "sample_patterns": (cr.sample_patterns, {"X": X4, "n": 5, "random_state": 0}),
        "price": (price, {"X": X4, "v": Y4 - Y4.mean(), "bias": "free", "negative_slope": 0.0, "tol": 1e-9}),
        "ascend": (make_pricer(X4).ascend, {"v": Y4 - Y4.mean(), "n_starts": 4, "random_state": 0}),
        "search": (fit.certificate.search, {"n_ascents": 20, "random_state": 0, "time_limit": 5.0}),
        "load_certificate": (cr.load_certificate, {"file": "nowhere.json", "time_limit": 1.0}),
        "load": (cr.Network.load, {"file": "nowhere.npz"}),
        "minimum_cost": (fs.minimum_cost, line),
        "min_norm_interpolant": (fs.min_norm_interpolant, line),
        "envelope": (fs.envelope, line),
        "sparsest_interpolant": (fs.sparsest_interpolant, line),
    }


def arguments(seed: int) -> Trial:
    """Call a public function with one or two arguments replaced by something strange."""
    trial, rng = Trial(), np.random.default_rng([seed, 5])
    targets = _targets()
    name = str(rng.choice(list(targets)))
    function, options = targets[name]
    options = dict(options)
    wrong = {}
    for key in rng.choice(list(options), size=min(len(options), int(rng.integers(1, 3))), replace=False):
        wrong[str(key)] = options[str(key)] = STRANGE[rng.integers(len(STRANGE))]
    trial.call(function, **options)
    trial.outcome = trial.outcome or "accepted"
    trial.findings = [f"{name} with {str(wrong)[:200]}: {finding}" for finding in trial.findings]
    return trial


def estimators(seed: int) -> Trial:
    """Fit an estimator to a damaged table, and predict."""
    trial, rng = Trial(), np.random.default_rng([seed, 6])
    problem, _ = hostile_problem(seed, with_parts=True)
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


KINDS: dict[str, tuple[Callable[[int], Trial], int]] = {
    "bounds": (bounds, 5),
    "stops": (stops, 1),
    "files": (files, 1),
    "commands": (commands, 1),
    "arguments": (arguments, 10),
    "estimators": (estimators, 1),
}
"""The trials, and how often a round of the script makes each."""


def attempt(kind: str, seed: int) -> Trial:
    """Make a trial; that it cannot be made is a finding, too."""
    try:
        return KINDS[kind][0](seed)
    except Exception:
        return Trial([traceback.format_exc(limit=-6)], "not made")


def rounds(first: int, step: int, seconds: float, kinds: tuple[str, ...]) -> Iterator[tuple[str, int, Trial]]:
    """Make trials for so many seconds; the seeds are `first`, `first + step`, ... for every kind."""
    ends, made = time.perf_counter() + seconds, Counter()
    while True:
        for kind in kinds:
            for _ in range(KINDS[kind][1]):
                if time.perf_counter() > ends:
                    return
                seed = first + step * made[kind]
                made[kind] += 1
                yield kind, seed, attempt(kind, seed)


class WithoutJax(importlib.abc.MetaPathFinder):
    """Refuse to import jax, as cvxpy does where it can: jax swallows a Ctrl-C while it collects garbage."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """Raise ModuleNotFoundError for jax, as if it were not installed, and leave everything else to others."""
        if fullname == "jax":
            raise ModuleNotFoundError("kept out", name="jax")


def work(first: int, step: int, seconds: float, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Make trials in this process, print findings at once, and return the counts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.meta_path.insert(0, WithoutJax())
    counts, outcomes, findings, late = Counter(), {kind: Counter() for kind in kinds}, [], []
    for kind, seed, trial in rounds(first, step, seconds, kinds):
        counts[kind] += 1
        outcomes[kind][trial.outcome] += 1
        late += [] if trial.late is None else [(trial.outcome.partition(":")[0], trial.late)]
        for finding in trial.findings:
            findings.append(f"{kind} {seed}: {finding}")
            print(findings[-1], flush=True)
    return {"counts": counts, "outcomes": outcomes, "findings": findings, "late": late}


def main() -> None:
    """Run from the command line."""
    from benchmarks.harness import RESULTS, environment, table, update_page, write

    parser = argparse.ArgumentParser(description="Call everything with whatever can be, and check what comes back.")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the first trial of every kind")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    record = {"environment": environment(), "hours": options.hours, "jobs": options.jobs, "seed": options.seed}
    with ProcessPoolExecutor(options.jobs) as pool:
        parts = [
            pool.submit(work, options.seed + k, options.jobs, 3600 * options.hours, tuple(options.only))
            for k in range(options.jobs)
        ]
        results = [part.result() for part in parts]
    late = [pair for result in results for pair in result["late"]]
    stopped = {stop: sorted(seconds for kind, seconds in late if kind == stop) for stop in sorted({s for s, _ in late})}
    record |= {
        "trials": dict(sum((result["counts"] for result in results), Counter())),
        "outcomes": {kind: dict(sum((r["outcomes"][kind] for r in results), Counter())) for kind in options.only},
        "seconds late (median, 95 %, 99 %, most)": {
            stop: [round(float(np.quantile(seconds, q)), 3) for q in (0.5, 0.95, 0.99, 1.0)]
            for stop, seconds in stopped.items()
        },
        "findings": [finding for result in results for finding in result["findings"]],
    }
    print(json.dumps({key: record[key] for key in record if key != "environment"}, indent=1))
    write(options.output, "fuzz", record)
    rows = [
        {
            "calls": kind,
            "made": f"{record['trials'][kind]:,}",
            "findings": sum(f.startswith(kind) for f in record["findings"]),
        }
        for kind in options.only
    ]
    late = [
        {"stop": stop, "median s late": median, "95 %": most, "99 %": nearly, "latest": latest}
        for stop, (median, most, nearly, latest) in record["seconds late (median, 95 %, 99 %, most)"].items()
    ]
    update_page(options.output, "fuzz", "\n\n".join(table(part) for part in (rows, late) if part))


if __name__ == "__main__":
    main()
