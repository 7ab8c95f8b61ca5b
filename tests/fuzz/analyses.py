"""What is said of a problem beyond one fit: alpha_max, the path, all optima, margins, and certificates of networks.

Each is held against fits of its own: what a path proves at one alpha, against a fit from nothing there; constants,
beyond alpha_max; members of the set of optima, against the objective that they share and the extremes that bound them;
a network that was moved, against the certificate of the one that it was.
"""

from dataclasses import replace
from typing import Any

import numpy as np

import cvxrelu as cr
from tests.fuzz.ordinary import ENOUGH, EXACT, ROUNDED, table, targets
from tests.fuzz.trial import Trial
from tests.fuzz.truth import least_constant
from tests.hostile import SLOPES

ONE_OUTPUT = ("squared", "absolute", "huber", "quantile", "hinge", "logistic", "interpolation", "margin")
# Relative room of what optima agree in that were computed in different ways.
AGREED = 1e-6


def analyses(seed: int) -> Trial:
    """Analyse a problem of one output, and check what is said against fits."""
    trial, rng = Trial(), np.random.default_rng([seed, 9])
    X, loss = table(rng), str(rng.choice(ONE_OUTPUT))
    bias, slope = str(rng.choice(["free", "joint", "none"])), float(rng.choice(SLOPES))
    options: dict[str, Any] = {"loss": loss, "bias": bias, "negative_slope": slope}
    if loss not in EXACT:
        options |= {"alpha": float(10.0 ** rng.uniform(-3, 0)), "skip": bool(rng.random() < 0.2 and loss != "logistic")}
    problem = trial.call(cr.Problem, X, targets(rng, X, loss, several=False), **options)
    if problem is None:  # equal rows with other targets
        return trial
    fit = trial.call(cr.solve, problem, random_state=seed, time_limit=ENOUGH)
    if fit is None:
        return trial
    _moved(trial, fit, rng)
    if problem.loss.regularised:
        _strengths(trial, problem, rng, seed)
    elif loss == "margin":
        _margins(trial, fit)
    if fit.status is cr.Status.OPTIMAL:
        _optima(trial, fit, rng, seed)
    trial.outcome = trial.outcome or fit.status.name
    return trial


def _moved(trial: Trial, fit: cr.Fit, rng: np.random.Generator) -> None:
    """Certify a network near the one that was found: the bound holds for both, and the upper end is its objective."""
    problem, network = fit.problem, fit.network
    moved = replace(network, v=network.v * (1 + 1e-2 * rng.standard_normal(network.v.shape)))
    certificate = trial.call(cr.certify, moved, problem, time_limit=ENOUGH)
    if certificate is None:
        return
    room = ROUNDED * (1 + abs(fit.certificate.upper))
    trial.require(certificate.lower <= fit.certificate.upper + room, f"{certificate.lower} is not below {fit}")
    objective = problem.objective(moved)
    close = certificate.upper == objective or abs(certificate.upper - objective) <= ROUNDED * (1 + abs(objective))
    trial.require(close, f"{certificate.upper} of a network of objective {objective} ({problem})")


def _strengths(trial: Trial, problem: cr.Problem, rng: np.random.Generator, seed: int) -> None:
    """Hold a path against fits from nothing, and constants against alpha_max."""
    largest = trial.call(cr.alpha_max, problem, time_limit=ENOUGH)
    path = trial.call(cr.path, problem, n_alphas=4, eps=1e-2, random_state=seed, time_limit=ENOUGH)
    if largest is None or path is None:
        return
    k = int(rng.integers(len(path.fits)))
    there = replace(problem, alpha=float(path.alphas[k]))
    cold = trial.call(cr.solve, there, random_state=seed + 1, time_limit=ENOUGH)
    for one, other in ((path.fits[k], cold), (cold, path.fits[k])) if cold is not None else ():
        below = one.certificate.lower <= other.certificate.upper * (1 + ROUNDED) + ROUNDED**2
        trial.require(below, f"at alpha {there.alpha}: lower {one.certificate.lower} > {other.certificate.upper}")
    for here, after in zip(path.fits, path.fits[1:], strict=False):
        falls = after.certificate.lower <= here.certificate.upper * (1 + ROUNDED)
        trial.require(falls, f"a smaller alpha costs more ({problem})")
    if not largest > 0:
        return
    beyond = replace(problem, alpha=largest * (1 + ROUNDED))
    best = trial.call(cr.solve, beyond, random_state=seed, time_limit=ENOUGH)
    if best is not None and not problem.skip:
        constant = least_constant(beyond)
        good = best.certificate.upper >= constant * (1 - ROUNDED) - ROUNDED**2
        trial.require(good, f"beyond alpha_max {best.certificate.upper} beats the best constant, {constant}")


def _margins(trial: Trial, fit: cr.Fit) -> None:
    """The margin of the network is between the bounds on the largest."""
    margin = trial.call(cr.max_margin, fit.certificate)
    problem = fit.problem
    reached = trial.call(fit.network.normalised_margin, problem.X, problem.y, problem.bias)
    if margin is not None and reached is not None:
        trial.require(reached <= margin.upper * (1 + AGREED), f"a margin of {reached} above {margin} ({problem})")
        trial.require(reached >= margin.lower * (1 - AGREED), f"a margin of {reached} below {margin} ({problem})")


def _optima(trial: Trial, fit: cr.Fit, rng: np.random.Generator, seed: int) -> None:
    """Members are optimal, and predict no more and no less than the extremes."""
    problem = fit.problem
    optima = trial.call(cr.optimal_set, fit, allowed=cr.SolverError)  # one in a hundred is not found
    if optima is None:
        return
    points = rng.uniform(problem.X.min(axis=0), problem.X.max(axis=0), (3, problem.n_features))
    extremes = trial.call(optima.extreme_predictions, points)
    members = [optima.center, *optima.sample(2, random_state=seed), optima.sparsest(random_state=seed)]
    for member in members:
        objective = problem.objective(member.network)
        optimal = objective <= optima.lower * (1 + AGREED) + ROUNDED**2
        trial.require(optimal, f"a member of objective {objective} where {optima.lower} is optimal ({problem})")
        if extremes is None:
            continue
        values = member.network(points)
        room = AGREED * (1 + np.abs([extremes.lower, extremes.upper]).max())
        within = (values >= extremes.lower - room).all() and (values <= extremes.upper + room).all()
        trial.require(within, f"a member predicts {values} beyond {extremes} ({problem})")
