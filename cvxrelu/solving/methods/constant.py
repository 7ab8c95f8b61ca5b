"""The best constant: what is left where nothing else is worth its cost, or where all else fails."""

from collections.abc import Iterator

from cvxrelu.certificate.bounds import bound_dual, nothing_proven
from cvxrelu.certificate.searches import pricer_of
from cvxrelu.errors import SolverError
from cvxrelu.problem.problem import Problem
from cvxrelu.program.free_fit import free_fit
from cvxrelu.program.zero_cost import best_of_zero_cost, bound_by_size, is_known
from cvxrelu.runtime.endings import Cause
from cvxrelu.solving.methods.method import Method
from cvxrelu.solving.run import Outcome, Run

__all__ = ["CONSTANT", "is_constant_optimal"]


def is_constant_optimal(problem: Problem) -> bool:
    """Tell whether the triangle inequality shows that a constant is best, which no solver could do better."""
    if not is_known(problem) or problem.norm.cellwise:
        return False  # There is no theory, or the bound takes an enumeration.
    return bound_by_size(problem) <= problem.score_bound


def _constant(run: Run) -> Iterator[Outcome]:
    """Return the best constant and what its dual vector proves."""
    problem = run.problem
    network = free_fit(problem).network
    assert network is not None, "who asks for it knows that there is one"
    try:
        if is_known(problem):
            bound = best_of_zero_cost(problem, run.clock).bound(problem, run.clock)
        else:
            bound = bound_dual(problem, problem.no_dual, pricer_of(problem, run.clock))
    except SolverError:  # for there was no time to prepare the search
        bound = nothing_proven(problem)
    complete = bound.priced is None or bound.priced.complete
    cause = Cause.TIME if run.clock.expired else Cause.ROUNDING if complete else Cause.PROOF
    yield run.outcome(network, bound, 0, "best network of zero cost", cause)


def _unmet_need(problem: Problem) -> str | None:
    return None if problem.loss.regularised else f"A constant does not meet the constraint of {problem.loss.name!r}."


CONSTANT = Method("constant", _constant, _unmet_need, several=True)
