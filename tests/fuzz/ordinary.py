"""Ordinary problems in three guises: what is proven in one is true of the others, and networks are as good in floats.

Tables of the kind that people have: normal or rounded, with indicators and columns that depend on others, near and far
from the origin, as few samples as features. Each is solved as it is; with its samples in another order, moved along
where that makes no difference, with another seed; and without a proof.
"""

from typing import Any

import numpy as np

import cvxrelu as cr
from tests.fuzz.trial import Trial
from tests.hostile import SLOPES

# Seconds that a problem gets.
ENOUGH = 5.0
# What rounding of inputs and predictions may change, of targets of order one; and how much worse a network may be that
# nobody has proven.
ROUNDED, UNPROVEN = 1e-6, 2e-2
ONE_OUTPUT = ("squared", "absolute", "huber", "quantile", "hinge", "logistic", "interpolation", "margin")
SEVERAL = ("squared", "huber", "softmax", "multiclass-margin", "interpolation")
EXACT = ("interpolation", "margin", "multiclass-margin")


def ordinary(seed: int) -> Trial:
    """Solve a problem, the same in other words, and the same without a proof."""
    trial, rng = Trial(), np.random.default_rng([seed, 8])
    X, several = table(rng), rng.random() < 0.25
    loss = str(rng.choice(SEVERAL if several else ONE_OUTPUT))
    y = targets(rng, X, loss, several)
    bias = str(rng.choice(["free", "joint", "none"]))
    # Affine functions separate few samples, and such losses then have no minimum.
    skip = bool(rng.random() < 0.3) and loss not in ("logistic", "softmax")
    options: dict[str, Any] = {"loss": loss, "bias": bias, "skip": skip, "negative_slope": float(rng.choice(SLOPES))}
    if loss not in EXACT:
        options["alpha"] = float(10.0 ** rng.uniform(-3, 0))
    problem = trial.call(cr.Problem, X, y, **options)
    order = rng.permutation(len(X))
    moved = X[order] + (2.0 ** rng.integers(0, 10) if bias == "free" else 0.0)
    other = trial.call(cr.Problem, moved, y[order], **options)
    if problem is None or other is None:  # equal rows with other targets
        return trial
    fits = [
        trial.call(cr.solve, problem, random_state=seed, time_limit=ENOUGH),
        trial.call(cr.solve, other, random_state=seed + 1, time_limit=ENOUGH),
        trial.call(cr.solve, problem, random_state=seed + 2, time_limit=ENOUGH, prove=False),
    ]
    found = [fit for fit in fits if fit is not None]
    trial.require(len(found) in ((0, 3) if loss in EXACT else (3,)), f"refused: {trial.outcome} ({problem})")
    for fit in found:
        upper = fit.certificate.upper
        close = upper == np.inf or abs(fit.problem.objective(fit.network) - upper) <= ROUNDED * (1 + upper)
        trial.require(close, f"{fit.problem.objective(fit.network)} in floats, {upper} proven ({problem})")
        for against in found:
            true = fit.certificate.lower <= against.certificate.upper * (1 + ROUNDED) + ROUNDED**2
            trial.require(true, f"lower {fit.certificate.lower} > upper {against.certificate.upper} ({problem})")
    if len(found) == 3 and found[0].status is cr.Status.OPTIMAL and found[2].status is not cr.Status.STOPPED:
        good = found[2].objective <= found[0].objective * (1 + UNPROVEN) + ROUNDED
        trial.require(good, f"{found[2].objective} without a proof, {found[0].objective} is optimal ({problem})")
    trial.outcome = trial.outcome or found[0].status.name
    return trial


def table(rng: np.random.Generator) -> np.ndarray:
    """Draw inputs."""
    n, d = int(rng.integers(2, 13)), int(rng.integers(1, 5))
    X = rng.standard_normal((n, d))
    if rng.random() < 0.4:
        X = np.round(X, int(rng.integers(0, 2)))
    if rng.random() < 0.2:
        X = np.column_stack([np.eye(3)[rng.integers(0, 3, n)], X[:, 0]])
    if rng.random() < 0.3:
        X = X + 10.0 ** rng.integers(0, 4, X.shape[1])
    if rng.random() < 0.2:
        X = np.column_stack([X, X[:, 0] - np.round(X[:, 0].mean()), np.full(n, 7.0)])
    return X


def targets(rng: np.random.Generator, X: np.ndarray, loss: str, several: bool) -> np.ndarray:
    """Draw targets of order one, or labels of at least two classes."""
    n = len(X)
    if loss in ("softmax", "multiclass-margin"):
        return rng.permutation(np.arange(n) % min(n, 3))
    if loss in ("hinge", "logistic", "margin"):
        return rng.permutation(np.where(np.arange(n) % 2, 1.0, -1.0))
    return rng.standard_normal((n, 2) if several else n) + rng.integers(0, 2)
