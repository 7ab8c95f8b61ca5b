"""Both bounds of a certificate held against exact values, of one output and of several."""

import contextlib
import importlib.util
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

import cvxrelu as cr
from tests.exact import exact_dual, gamma_at_neurons, gamma_on_circle, orthogonal_near
from tests.exact_outputs import exact_dual_of_outputs, norm_at_neurons, norm_on_circle
from tests.fuzz.trial import Trial
from tests.instances import RULES

spec = importlib.util.spec_from_file_location(
    "check_certificate", Path(__file__).parents[2] / "checker" / "check_certificate.py"
)
assert spec is not None
assert spec.loader is not None
checker: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checker)

# Share by which a bound may be on the wrong side of an exact value: none, but for the 2^-100 of roots of fractions, and
# of several outputs for the rounding of the directions in which scores are longest, which counts twice.
HAIR, SEVERAL = Fraction(1, 2**90), Fraction(1, 10**20)
# The least float of which a share is one, and what an objective of zero may be rounded up to.
TINY = float(np.finfo(float).tiny)
LEAST = 2.0**-1060
# The same with a skip connection, where a vector nearby is meant, and more where that is further away.
NEARBY, CHANGED = Fraction(1, 10**9), 100
# Share by which `upper` may be above the exact objective, where the certificate does not say that it is blurred.
LOOSE = Fraction(1, 10**9)
# Cells whose best neurons are tried where neurons do not live on a circle; of several outputs steps up the score.
CELLS, STEPS = 200, 5


def check_fit(trial: Trial, fit: cr.Fit, rng: np.random.Generator, tol: float = 1e-6) -> None:
    """Hold a fit against exact values."""
    trial.outcome = trial.outcome or fit.status.name
    problem, certificate = fit.problem, fit.certificate
    # An objective of zero, as of classes that what is free separates, is known to the least float.
    closed = certificate.gap <= tol * max(certificate.upper, TINY) < np.inf
    trial.require(fit.status is not cr.Status.OPTIMAL or (closed and certificate.scope == "global"), "not OPTIMAL")
    # Networks of other patterns may be better than the best one of sampled patterns.
    trial.require(certificate.lower <= certificate.upper or certificate.scope != "global", "lower > upper")
    if problem.loss.regularised:
        # As it is proven, which is held against the exact value below: in floats terms may cancel.
        trial.require(certificate.upper <= least_constant(problem) * (1 + 1e-9), "a constant is better")
    check_certificate(trial, certificate, rng)


def check_certificate(
    trial: Trial, certificate: cr.Certificate, rng: np.random.Generator, claimed_less: bool = False
) -> None:
    """Hold both bounds of a certificate against exact values; a changed file may claim less than it proves."""
    problem, network, v = certificate.problem, certificate.network, certificate.dual
    try:
        upper, predictions = checker.upper_bound(_task_of(problem), problem.X, problem.y, _parts_of(network))
    except checker.Unchecked:
        return
    if np.isfinite(certificate.upper):
        claimed = Fraction(certificate.upper)
        trial.require(upper <= claimed * (1 + HAIR), f"upper {certificate.upper!r} < {float(upper)!r}")
        slack = LOOSE + 2 * Fraction(certificate.blur)
        near = claimed * (1 - slack) <= upper + Fraction(LEAST)
        trial.require(near, f"upper {certificate.upper!r} is far above {float(upper)!r}")
    if certificate.scope != "global" or not v.any():
        # No objective is negative, and a file that claims less than that claims what is true.
        nothing = certificate.lower <= 0 if claimed_less else certificate.lower == 0
        trial.require(certificate.scope != "global" or nothing, "a bound from nothing")
        return
    aims = {"the targets": problem.y}
    if problem.loss.name == "interpolation" and np.isfinite(certificate.upper):
        aims["its own predictions"] = np.asarray(predictions).reshape(problem.y.shape)
    hair = SEVERAL if problem.several else HAIR
    if problem.skip:
        # Which of the vectors nearby is meant is for the package to say: they are within rounding of each other.
        try:
            v, change = _orthogonal(problem, v / 2.0 ** checker.exponent(v))
            hair = NEARBY + CHANGED * change
        except ValueError as error:
            trial.require(certificate.lower <= 0, f"lower {certificate.lower!r}, and {error}")
            return
    gamma = gamma_of(problem, v, rng)
    for aim, y in aims.items():
        if problem.several:
            found = exact_dual_of_outputs(problem, v, y, gamma)
        else:
            found = exact_dual(problem.loss.name, v, y, gamma, problem.alpha, problem.sample_weight)
        holds = Fraction(certificate.lower) <= found * (1 + hair)
        trial.require(holds, f"lower {certificate.lower!r} > {float(found)!r} for {aim}")


def _task_of(problem: cr.Problem) -> dict[str, Any]:
    """Return a problem as the checker reads it."""
    task = {name: getattr(problem, name) for name in ("bias", "alpha", "negative_slope", "output_sign", "skip")}
    task |= {"loss": problem.loss.name, "loss_parameters": problem.loss.params()}
    task |= {} if problem.sample_weight is None else {"sample_weight": problem.sample_weight.tolist()}
    return task | ({"outputs": problem.n_outputs} if problem.several else {})


def _parts_of(network: cr.Network) -> dict[str, Any]:
    """Return a network as the checker reads it."""
    parts = {name: getattr(network, name) for name in ("W", "b", "v", "intercept", "negative_slope")}
    return parts | ({"skip": network.skip.tolist()} if network.skip.any() else {})


def _orthogonal(problem: cr.Problem, v: np.ndarray) -> tuple[np.ndarray, Fraction]:
    """Return fractions near v that are orthogonal to all that is free, and by what share an entry is changed at most.

    A ValueError says that there are none.
    """
    F, K = problem.free.columns, problem.n_outputs
    if not problem.several:
        return orthogonal_near(v, F)
    if not problem.loss.labels:
        columns, changes = zip(*(orthogonal_near(column, F) for column in v.T), strict=True)
        return np.column_stack(columns), max(changes)
    # Amounts that samples send from their own class to others, which have to add nothing to F'V.
    own = problem.y.astype(int).tolist()
    sent = [(i, k) for i in range(len(v)) for k in range(K) if k != own[i]]
    paths = [[f * ((own[i] == c) - (k == c)) for c in range(1, K) for f in F[i]] for i, k in sent]
    amounts, change = orthogonal_near(np.array([-v[i, k] for i, k in sent]), np.array(paths))
    V = np.full(v.shape, Fraction(0), dtype=object)
    for (i, k), amount in zip(sent, amounts, strict=True):
        V[i, k] -= amount
        V[i, own[i]] += amount
    return V, change


def least_constant(problem: cr.Problem) -> float:
    """Return the objective of the best constant that costs nothing."""
    free, y = problem.bias == "free", problem.y
    counts = np.ones(problem.n_samples) if problem.sample_weight is None else problem.sample_weight
    if problem.several and not problem.loss.labels:
        return sum(_least_of_column(problem.loss.name, column, counts, free) for column in y.T)
    if problem.several:
        sizes = np.bincount(y.astype(int), counts)
        return _entropy(sizes) if free else float(np.log(problem.n_outputs))
    return _least_of_column(problem.loss.name, y, counts, free)


def _least_of_column(loss: str, y: np.ndarray, counts: np.ndarray, free: bool) -> float:
    """Return the same of one output."""
    if loss == "squared":
        targets, w = ([Fraction(x) for x in part.tolist()] for part in (y, counts))
        mean = Fraction(float(sum(a * b for a, b in zip(targets, w, strict=True)) / sum(w))) if free else Fraction(0)
        # A mean may be a digit off.
        digit = Fraction(float(np.spacing(np.abs(y).max())))
        return float(sum(b * (a - mean) ** 2 for a, b in zip(targets, w, strict=True)) / (2 * sum(w)) + digit**2)
    if RULES[loss].labels:
        sizes = np.array([counts[y < 0].sum(), counts[y > 0].sum()]) if free else np.ones(2)
        return 2 * float(sizes.min() / sizes.sum()) if loss == "hinge" else _entropy(sizes)

    def paid(constant: float) -> float:
        return float(np.average([RULES[loss].pays(constant, target) for target in y.tolist()], weights=counts))

    low, high = (float(y.min()), float(y.max())) if free else (0.0, 0.0)
    for _ in range(100):
        third = (high - low) / 3
        low, high = (low + third, high) if paid(low + third) > paid(high - third) else (low, high - third)
    return min(paid(low), *map(paid, np.unique(y)[:: max(1, len(y) // 20)])) if free else paid(0.0)


def _entropy(sizes: np.ndarray) -> float:
    """Return the entropy of the shares of some sizes, to all digits also if one is nearly all there is."""
    others = np.array([np.delete(sizes, k).sum() for k in range(len(sizes))])
    most = others < sizes
    logarithms = np.log1p(-np.where(most, others, 0.0) / sizes.sum())
    logarithms[~most] = np.log(sizes[~most] / sizes.sum())
    return float(-(sizes / sizes.sum() * logarithms).sum())


def gamma_of(problem: cr.Problem, v: np.ndarray, rng: np.random.Generator) -> Fraction:
    """Return gamma(v) where neurons live on a circle, and elsewhere the score of a good neuron, at most gamma(v)."""
    X, bias, slope, one_sided = problem.X, problem.bias, problem.negative_slope, problem.one_sided
    if X.shape[1] + (bias == "joint") <= 2:
        if problem.several:
            return norm_on_circle(X, v, bias, slope)
        return gamma_on_circle(X, v, bias, slope, one_sided)
    rows = np.column_stack([X, np.ones(len(X))]) if bias == "joint" else X
    floats = v.astype(float) / (np.abs(v.astype(float)).max() or 1.0)
    with np.errstate(all="ignore"):
        found = _good_neurons(problem, rows, floats, rng)
        values = [floats.T @ _outputs(rows, u, bias, slope) for u in found]
        if problem.several:
            values = [np.linalg.norm(value, axis=0) for value in values]
        scores = [
            (value if one_sided else np.abs(value)).max() / (np.linalg.norm(u) or np.inf)
            for value, u in zip(values, found, strict=True)
        ]
    best = np.array([found[k] for k in np.argsort(np.nan_to_num(scores))[-3:]])
    if problem.several:
        return norm_at_neurons(X, v, bias, slope, best)
    return gamma_at_neurons(X, v, bias, slope, best, one_sided)


def _good_neurons(problem: cr.Problem, rows: np.ndarray, v: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Return the best neurons of random cells; of several outputs those at which a few steps from cell to cell end."""
    size, slope = np.abs(rows).max(initial=0.0) or 1.0, problem.negative_slope
    found = []
    for _ in range(CELLS):
        # In units of the features every other time, so that hinges pass between samples whatever these are.
        u = rng.standard_normal(rows.shape[1]) / (np.abs(rows).max(axis=0) + 1e-300) ** rng.integers(2)
        anchor = problem.X[rng.integers(len(rows))] if problem.bias == "free" else 0.0
        Z = (rows - anchor) / size
        for _ in range(STEPS if problem.several else 1):
            active = Z @ (u / np.abs(u).max()) >= 0
            slopes = np.where(active, 1.0, slope)
            if not problem.several:
                signed = np.where(active[:, None], Z, -Z)
                with contextlib.suppress(RuntimeError):  # of an iteration that does not end
                    found += [
                        side + nnls(signed.T, -side)[0] @ signed for side in ((slopes * v) @ Z, -(slopes * v) @ Z)
                    ]
                continue
            top = np.linalg.svd((slopes[:, None] * v).T @ Z)[2][0]
            u = top if top @ u >= 0 else -top
            found += [u, -u]
    return found


def _outputs(rows: np.ndarray, u: np.ndarray, bias: str, slope: float) -> np.ndarray:
    """Return outputs of a neuron, a column for each anchor if its bias is free."""
    t = rows @ u
    t = t[:, None] - t if bias == "free" else t[:, None]
    return np.where(t >= 0, t, slope * t)
