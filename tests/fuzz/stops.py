"""Larger problems, stopped at a random moment."""

import functools
import os
import signal
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import cvxrelu as cr
from tests.fuzz.trial import Trial
from tests.fuzz.truth import least_constant
from tests.hostile import CLASSES, EXACT
from tests.instances import LABELLED

# A stop that is later than this many seconds is a finding; an ordinary one is counted.
LATE = 3.0


def larger_problem(rng: np.random.Generator) -> tuple[cr.Problem, dict[str, Any]]:
    """Return an ordinary problem that takes seconds to minutes."""
    d = int(rng.choice([1, 2, 3, 5, 10, 30]))
    n = int(rng.choice([60, 150, 400, 1500]))
    X = rng.standard_normal((n, d))
    loss = str(rng.choice(["squared", "squared", "logistic", "hinge", "interpolation", "margin"]))
    y = np.abs(X[:, 0]) + X @ rng.standard_normal(d) / d + 0.1 * rng.standard_normal(n)
    y = np.sign(y - np.median(y) + 1e-9) if loss in LABELLED else y
    if rng.random() < 0.3:
        loss = str(rng.choice(["squared", "huber", "softmax", "interpolation", "multiclass-margin"]))
        y = np.column_stack([y, np.abs(X @ rng.standard_normal((d, int(rng.integers(1, 4)))))])
        y = np.unique(np.append([0, 1], y.argmax(axis=1)[2:]), return_inverse=True)[1] if loss in CLASSES else y
    alpha = None if loss in EXACT else float(10.0 ** rng.uniform(-4, -1))
    weights = rng.integers(int(loss in CLASSES), 3, n).astype(float) if rng.random() < 0.3 else None
    parts = {"sample_weight": weights, "skip": bool(rng.random() < 0.3)}
    if loss not in EXACT and y.ndim == 1 and loss not in CLASSES and rng.random() < 0.2:
        parts["output_sign"] = "positive"
    problem = cr.Problem(X, y, loss, bias=str(rng.choice(["free", "joint"])), alpha=alpha, **parts)
    method = str(rng.choice(["auto", "generate", "auto" if problem.several else "sample"]))
    return problem, {"method": method, "random_state": 0, "prove": bool(rng.random() < 0.7)}


@functools.cache
def _compile(loss: str, n_outputs: int, bias: str, n_features: int, method: str) -> None:
    """Have the kernels compiled that a problem needs: that is done once, and cannot be stopped."""
    X = np.random.default_rng(0).standard_normal((12, n_features))
    y = np.arange(12) % n_outputs if loss in CLASSES else np.where(np.arange(12) % 2, 1.0, -1.0)
    y = np.outer(y, np.arange(1, n_outputs + 1)) if n_outputs > 1 and loss not in CLASSES else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem = cr.Problem(X, y, loss, bias=bias, alpha=None if loss in EXACT else 0.01)  # pyright: ignore[reportArgumentType]
        for _ in range(2):  # what comes after a kernel that took all the time to compile is reached the next time
            cr.solve(problem, method, time_limit=1.0)


def stops(seed: int) -> Trial:
    """Stop a larger problem at a random moment, by its time limit or by Ctrl-C, and see how soon it ends."""
    trial, rng = Trial(), np.random.default_rng([seed, 2])
    problem, options = larger_problem(rng)
    _compile(problem.loss.name, problem.n_outputs, problem.bias, problem.n_features, options["method"])
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
        "outputs": problem.n_outputs,
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
