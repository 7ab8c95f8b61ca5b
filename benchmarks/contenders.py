r"""The contenders: ways to make a network of a problem, each prepared first and then timed.

    contender(problem, seconds) -> call,   call() -> Entry

A contender is told how long it may take; it is killed some time later. Trained networks have 100 neurons, and as many
steps as fit a fixed amount of arithmetic, so that the same seed gives the same network on every machine.
"""

import functools
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

import numpy as np

import cvxrelu as cr
from benchmarks.baselines import gradient_descent, pyscnn, sklearn_mlp
from benchmarks.column_generation import part, warm_up
from cvxrelu.certificate.certificate import Certificate

__all__ = ["CONTENDERS", "Entry", "applies", "certified"]

Call = Callable[[], "Entry"]
Given = ParamSpec("Given")
Value = TypeVar("Value")

WIDTH, SEED = 100, 0
# The start of trained networks; Adam's first step, which falls to zero; steps of gradient descent on the mean loss.
SCALE, ADAM_STEP, DESCENT_STEP = 0.3, 1e-2, 0.1
# Multiplications of inputs with weights that training may take, within limits: some seconds of one core.
WORK, FEWEST_STEPS, MOST_STEPS = 1.6e10, 2_000, 100_000
# pyscnn draws sign patterns with its neurons; half of them are gates.
GATES = 100


@dataclass(frozen=True)
class Entry:
    """What a contender hands in.

    Attributes
    ----------
    network : Network
        All that counts.
    curve : list of (seconds, objective)
        The objective on the way there; for cvxrelu, the bound that it reports after each round.
    remark : str
        What the method says of its end.
    certificate : Certificate or None
        Of cvxrelu: its lower bound is one that all are measured by.
    seconds : float or None
        What counts, if another interpreter had to be started on the clock.
    """

    network: cr.Network
    curve: list[tuple[float, float]]
    remark: str
    certificate: Certificate | None = None
    seconds: float | None = None


def solved(problem: cr.Problem, seconds: float, method: str = "auto") -> Call:
    """Prepare `cvxrelu.solve`."""

    @_quietly
    def call() -> Entry:
        fit = cr.solve(problem, method, time_limit=seconds, random_state=SEED)
        curve = [(row.seconds, row.upper) for row in fit.history if math.isfinite(row.upper)]
        certificate = fit.certificate if fit.certificate.scope == "global" else None
        return Entry(fit.network, curve, f"{fit.method}: {fit.status.name.lower()}", certificate)

    _quietly(_load)(problem, method)
    return call


def _load(problem: cr.Problem, method: str) -> None:
    """Load the compiled kernels that a method needs for a problem."""
    warm_up(problem)
    cr.solve(part(problem), method, time_limit=1.0)


def _quietly(function: Callable[Given, Value]) -> Callable[Given, Value]:
    """Return a function without its warnings of gaps that stay open, which are in the record."""

    @functools.wraps(function)
    def quiet(*arguments: Given.args, **options: Given.kwargs) -> Value:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cr.AccuracyWarning)
            return function(*arguments, **options)

    return quiet


def sampled(problem: cr.Problem, seconds: float) -> Call:
    """Prepare `cvxrelu.solve` on random sign patterns."""
    return solved(problem, seconds, "sample")


def adam(problem: cr.Problem, seconds: float) -> Call:
    """Prepare Adam with weight decay, whose step falls to zero."""
    return _descent(problem, gradient_descent.Settings(WIDTH, SCALE, ADAM_STEP, None, optimiser="adam", annealed=True))


def descent(problem: cr.Problem, seconds: float) -> Call:
    """Prepare gradient descent with weight decay on all data, with steps of a fixed size."""
    step = DESCENT_STEP / problem.n_samples  # the loss that is trained is a sum over the data
    return _descent(problem, gradient_descent.Settings(WIDTH, SCALE, step, None))


def _descent(problem: cr.Problem, settings: gradient_descent.Settings) -> Call:
    work = problem.n_samples * (problem.n_features + 1) * settings.width
    settings = replace(settings, max_steps=int(np.clip(WORK / work, FEWEST_STEPS, MOST_STEPS)))

    def call() -> Entry:
        training = gradient_descent.train(problem, settings, SEED)
        alpha = problem.alpha or 0.0
        curve = [(point.seconds, point.loss / problem.n_samples + alpha * point.cost) for point in training.curve]
        return Entry(training.network, curve, training.failure or f"{training.steps:,} steps")

    gradient_descent.train(problem, replace(settings, tol=math.inf), SEED)  # compiles, and takes no step
    return call


def library(problem: cr.Problem, seconds: float) -> Call:
    """Prepare scikit-learn's network, trained by L-BFGS."""

    def call() -> Entry:
        training = sklearn_mlp.train(problem, sklearn_mlp.Settings(WIDTH), SEED)
        return Entry(training.network, [], training.failure or f"{training.steps:,} iterations")

    return call


def convex_package(problem: cr.Problem, seconds: float) -> Call:
    """Prepare pyscnn, which takes no time limit."""

    def call() -> Entry:
        trained = pyscnn.train(problem, pyscnn.Settings(2 * GATES), math.inf)
        return Entry(trained.network, [], f"version {trained.version}", seconds=trained.seconds)

    return call


def certified(problem: cr.Problem, seconds: float, network: cr.Network) -> Callable[[], Certificate]:
    """Prepare the certificate of a network, searched from that network and with another seed than `solved`."""

    @_quietly
    def call() -> Certificate:
        options = {"time_limit": seconds, "random_state": SEED + 1, "warm_start": network}
        return cr.certify(network, problem, **options)

    _quietly(_load)(problem, "auto")
    return call


CONTENDERS: Mapping[str, Callable[[cr.Problem, float], Call]] = {
    "cvxrelu": solved,
    "cvxrelu, sampled": sampled,
    "Adam": adam,
    "gradient descent": descent,
    "scikit-learn": library,
    "pyscnn": convex_package,
}


def applies(name: str, problem: cr.Problem) -> bool:
    """Return whether a contender minimises the objective of a problem at all."""
    if name == "scikit-learn":
        return problem.bias == "free"
    if name == "pyscnn":
        return problem.bias == "none" and problem.loss.name == "squared"
    return True
