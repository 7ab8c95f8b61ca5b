r"""What `solve` tries, one after another, where numbers defeat a method.

    best constant, where a bound on gamma by the triangle inequality says that nothing is better
    the method asked for; for "auto" the one chosen, then the others that the problem is small enough for
    best constant, for a regularised loss

A method has failed if it raises a `SolverError` or ends with no network that meets the constraint of its loss; the next
one is then tried. For "auto" that also goes for a gap that was to be closed and that only rounding has kept open.
What the methods have found is put together: the best network and the best bound, which hold whatever they came from.
A network is never worse than the best constant, for which no solver is needed.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cvxrelu.arrangement import count_patterns
from cvxrelu.certificate.bounds import bound_dual
from cvxrelu.certificate.certificate import Certificate, certificate_of
from cvxrelu.certificate.searches import pricer_of
from cvxrelu.errors import SolverError, unmet
from cvxrelu.line import is_line_problem
from cvxrelu.problem.network import constant_network
from cvxrelu.problem.norms import Euclidean
from cvxrelu.problem.problem import Problem
from cvxrelu.program.zero_cost import KNOWN, best_constant, best_of_zero_cost, bound_by_size
from cvxrelu.runtime.endings import STOPS, Cause
from cvxrelu.solving.methods import METHODS, Outcome, Round, Run, choose_method

__all__ = ["climb", "is_closed"]

logger = logging.getLogger(__name__)

# Patterns times dimensions that "auto" enumerates where column generation has failed: some seconds.
FALLBACK_SIZE = 10_000


def climb(run: Run, method: str) -> Iterator[tuple[str, Outcome]]:
    """Yield what is found by a method, or by what comes after it, and the method that found it; the last is the best.

    Parameters
    ----------
    run : Run
        The arguments of `solve`.
    method : str
        One of `METHODS`, or "auto".

    Raises
    ------
    SolverError
        If the loss is a constraint and nothing meets it.
    """
    problem = run.problem
    if _constant_is_optimal(problem):
        yield "constant", _constant(run, "alpha is so large that nothing but a constant is worth its cost")
        return
    rungs, choice = _rungs(problem) if method == "auto" else ((method,), "")
    notes, best, used, failure = [choice] if choice else [], None, rungs[0], None
    for rung in rungs:
        found = None
        try:
            for outcome in METHODS[rung](run):
                found = outcome
                yield rung, found if best is None else _together(best, found)
        except SolverError as error:
            reason = error
        else:
            assert found is not None, "a method that ends has found something"
            if found.cause in STOPS or np.isfinite(found.certificate.upper):
                used = rung if best is None or found.certificate.upper < best.certificate.upper else used
                best = found if best is None else _together(best, found)
                if best.cause in STOPS or not run.prove or is_closed(best.certificate, run.tol):
                    break
                notes.append(f"method {rung!r} left a gap of {best.certificate.relative_gap:.1e}")
                continue
            reason = unmet(problem.loss.name, problem.bias)
        failure = failure or reason
        logger.info("method %r failed: %s", rung, reason)
        notes.append(f"method {rung!r} failed ({reason})")
        if problem.loss.regularised and run.clock.expired:
            break
    if problem.loss.regularised:
        used, best = _with_constant(run, used, best, notes)
    if best is None:
        raise failure or unmet(problem.loss.name, problem.bias)
    first, *rest = best.history
    note = "; ".join([*notes, first.note])
    yield used, replace(best, history=(replace(first, note=note), *rest))


def is_closed(certificate: Certificate, tol: float) -> bool:
    """Tell whether upper - lower <= tol * upper is proven."""
    return bool(np.isfinite(certificate.upper)) and certificate.gap <= tol * certificate.upper


def _rungs(problem: Problem) -> tuple[tuple[str, ...], str]:
    """Return the methods that "auto" tries, and the reason for the first."""
    first, reason = choose_method(problem)
    size = count_patterns(problem.n_samples, problem.n_features, problem.norm.has_bias) * problem.lifted.shape[1]
    fits = {"line": is_line_problem(problem), "generate": isinstance(problem.norm, Euclidean)}
    fits["enumerate"] = size <= FALLBACK_SIZE
    return (first, *(name for name, able in fits.items() if able and name != first)), reason


def _constant_is_optimal(problem: Problem) -> bool:
    """Tell whether the triangle inequality shows that a constant is best, which no solver could do better."""
    if problem.loss.name not in KNOWN or not isinstance(problem.norm, Euclidean):
        return False  # There is no theory, or the bound takes an enumeration.
    assert problem.alpha is not None, "a regularised loss always has alpha"
    return bound_by_size(problem) <= problem.n_samples * problem.alpha


def _constant(run: Run, note: str) -> Outcome:
    """Return the best constant and what its dual vector proves."""
    problem = run.problem
    network = constant_network(best_constant(problem), problem.n_features, problem.negative_slope)
    if problem.loss.name in KNOWN:
        bound = best_of_zero_cost(problem, run.clock.left).bound(problem, run.clock.left)
    else:
        bound = bound_dual(problem, np.zeros(problem.n_samples), pricer_of(problem))
    certificate = certificate_of(problem, network, bound)
    row = Round(0, certificate.upper, certificate.lower, run.clock.elapsed, note)
    complete = bound.priced is None or bound.priced.complete
    cause = Cause.TIME if run.clock.expired else Cause.ROUNDING if complete else Cause.PROOF
    return Outcome(network, certificate, (row,), cause)


def _with_constant(run: Run, used: str, best: Outcome | None, notes: list[str]) -> tuple[str, Outcome]:
    """Return what was found or, if that is nothing or worse, the best constant."""
    problem = run.problem
    network = constant_network(best_constant(problem), problem.n_features, problem.negative_slope)
    if best is not None and best.certificate.upper <= problem.objective(network):
        return used, best
    constant = _constant(run, "best network of zero cost")
    if best is None:
        return "constant", constant
    notes.append("a constant is better")
    return "constant", _together(best, constant)


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
