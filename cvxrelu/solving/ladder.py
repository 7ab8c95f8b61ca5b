r"""What `solve` tries, one after another, where numbers defeat a method.

    best constant, where a bound on gamma by the triangle inequality says that nothing is better
    the method asked for; for "auto" the one chosen, then the others that the problem is small enough for
    best constant, for a regularised loss
    slope zero, for a constraint beside which all affine functions are free
    a network that interpolates the labels, for the margin

A method has failed if it raises a `SolverError` or ends with no network that meets the constraint of its loss; the next
one is then tried, and what it had found stands. For "auto" that also goes for a gap that only rounding has kept open,
unless it is left open since no proof is asked for.
What the methods have found is put together: the best network and the best bound, which hold whatever they came from.
A network is never worse than the best constant, for which no solver is needed.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from cvxrelu.certificate.bounds import unsearched
from cvxrelu.certificate.certificate import Certificate
from cvxrelu.certificate.searches import prove_dual
from cvxrelu.errors import CvxReluError, SolverError, unmet
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.free_fit import best_free_network, meets_for_free
from cvxrelu.runtime.endings import STOPS
from cvxrelu.solving.choice import methods_to_try
from cvxrelu.solving.methods import METHODS
from cvxrelu.solving.methods.constant import CONSTANT, is_constant_optimal
from cvxrelu.solving.run import Outcome, Run

__all__ = ["climb", "is_closed"]

# The least objective of which a gap is a share, as in `Certificate.relative_gap`.
TINY = float(np.finfo(float).tiny)

# Share of the time that the search for an affine function that meets a constraint gets.
AFFINE_SHARE = 0.3
# Share of what is left that another problem gets whose solution is one of this; the rest is for the proof.
OTHER_SHARE = 0.5

logger = logging.getLogger(__name__)


def climb(run: Run) -> Iterator[tuple[str, Outcome]]:
    """Yield what is found by a method, or by what comes after it, and the method that found it; the last is the best.

    Parameters
    ----------
    run : Run
        The problem, which the method of its options takes, and the rest that `solve` was asked.

    Raises
    ------
    SolverError
        If the loss is a constraint and nothing meets it.
    """
    problem, options = run.problem, run.options
    if meets_for_free(problem, run.clock.share(AFFINE_SHARE)) is not None:
        yield CONSTANT.name, _constant(run, "an affine function meets the constraint, and costs nothing")
        return
    if is_constant_optimal(problem):
        yield CONSTANT.name, _constant(run, "alpha is so large that nothing but a constant is worth its cost")
        return
    rungs, choice = methods_to_try(problem) if options.method == "auto" else ((options.method,), "")
    notes, best, used, failure = [choice] if choice else [], None, rungs[0], None
    for rung in rungs:
        found = reason = None
        try:
            for outcome in METHODS[rung].outcomes(run):
                found = outcome
                yield rung, found if best is None else _together(best, found)
        except SolverError as error:
            reason = error
        except MemoryError as error:
            if isinstance(error, CvxReluError):  # which says what to do
                raise
            reason = SolverError(f"Method {rung!r} needs more memory than there is; use another one, or fewer samples.")
        stands = found is not None and np.isfinite(found.certificate.upper)
        if found is not None and (stands or (reason is None and found.cause in STOPS)):
            used = rung if best is None or found.certificate.upper < best.certificate.upper else used
            best = found if best is None else _together(best, found)
            if reason is None:
                unasked = not options.prove and METHODS[rung].skips_proof
                if best.cause in STOPS or unasked or is_closed(best.certificate, options.tol):
                    break
                notes.append(f"method {rung!r} left a gap of {best.certificate.relative_gap:.1e}")
                continue
        reason = reason or unmet(problem.loss.name, problem.bias, problem.one_sided)
        failure = failure or reason
        logger.info("method %r failed: %s", rung, reason)
        notes.append(f"method {rung!r} failed ({reason})")
        if problem.loss.regularised and run.clock.expired:
            break
    if problem.loss.regularised:
        used, best = _with_constant(run, used, best, notes)
    slope = problem.negative_slope
    if best is None and problem.is_even and slope and not (problem.one_sided and slope > 1):  # which turns signs around
        used, best = _by_way_of(run, used, replace(problem, negative_slope=0.0), "as ReLU", _with_slope)
    if best is None and problem.loss.labels and not problem.several:
        used, best = _by_way_of(run, used, replace(problem, loss="interpolation"), "labels as targets")
    if best is None:
        raise failure or unmet(problem.loss.name, problem.bias, problem.one_sided)
    first, *rest = best.history
    note = "; ".join([*notes, first.note])
    yield used, replace(best, history=(replace(first, note=note), *rest))


def is_closed(certificate: Certificate, tol: float) -> bool:
    """Tell whether upper - lower <= tol * upper is proven."""
    # Next to the least float, a share of it is none.
    return bool(np.isfinite(certificate.upper)) and certificate.gap <= tol * max(certificate.upper, TINY)


def _constant(run: Run, note: str) -> Outcome:
    """Return the best constant and what its dual vector proves, with this note in its history."""
    (found,) = CONSTANT.outcomes(run)
    return replace(found, history=tuple(replace(row, note=note) for row in found.history))


def _with_constant(run: Run, used: str, best: Outcome | None, notes: list[str]) -> tuple[str, Outcome]:
    """Return what was found or, if that is nothing or worse, the best constant."""
    problem = run.problem
    network = best_free_network(problem)
    if best is not None and best.certificate.upper <= problem.objective(network):
        return used, best
    (constant,) = CONSTANT.outcomes(run)
    if best is None:
        return CONSTANT.name, constant
    notes.append("a constant is better")
    return CONSTANT.name, _together(best, constant)


def _by_way_of(
    run: Run,
    used: str,
    other: Problem,
    note: str,
    turned: Callable[[Network, float], Network] = lambda network, slope: network,
) -> tuple[str, Outcome | None]:
    """Return what the solution of another problem is to this one, if that is solved, and the method that solves it."""
    problem, found = run.problem, None
    if run.clock.expired:
        return used, None
    options = replace(run.options, method="auto", warm_start=None)
    try:
        for method, outcome in climb(Run(other, options, run.clock.share(OTHER_SHARE))):
            used, found = method, outcome
    except SolverError as error:
        logger.info("%s failed: %s", note, error)
    if found is None:
        return used, None
    network = turned(found.network, problem.negative_slope)
    if not np.isfinite(problem.objective(network)):
        return used, None
    dual = problem.repair(found.certificate.dual)
    bound = prove_dual(problem, dual, run.clock) if run.options.prove else unsearched(dual)
    return used, run.outcome(network, bound, 0, note, found.cause)


def _with_slope(network: Network, a: float) -> Network:
    """Return a ReLU network with another slope: relu(t) = (sigma(t) - a t) / (1 - a), and what is linear is free."""
    v = network.v / (1 - a)
    skip, intercept = network.skip - a * (network.W.T @ v), network.intercept - a * (network.b @ v)
    return replace(network, v=v, negative_slope=a, skip=skip, intercept=intercept)


def _together(first: Outcome, second: Outcome) -> Outcome:
    """Return the better network of two outcomes with the better bound."""
    better = min(first, second, key=lambda outcome: outcome.certificate.upper)
    bound = max(first, second, key=lambda outcome: (outcome.certificate.scope == "global", outcome.certificate.lower))
    known = first.history[-1]
    # A row holds the bounds so far, whichever method they are from.
    later = (
        replace(row, upper=min(row.upper, known.upper), lower=max(row.lower, known.lower)) for row in second.history
    )
    return Outcome(
        better.network,
        bound.certificate.of(better.network),
        (*first.history, *later),
        first.cause if first.cause in STOPS else second.cause,
    )
