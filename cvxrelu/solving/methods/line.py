"""Method "line": one input with free biases, where the problem has one variable a sample, the function value there."""

from collections.abc import Iterator

from cvxrelu.certificate.searches import prove_dual
from cvxrelu.line import fit_function, is_line_problem
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.endings import Cause
from cvxrelu.runtime.progress import progress_stages
from cvxrelu.solving.methods.method import Method
from cvxrelu.solving.run import Outcome, Run

__all__ = ["LINE"]


def _line(run: Run) -> Iterator[Outcome]:
    """Solve for the function values at the data."""
    problem = run.problem
    with progress_stages(run.options.progress, 2) as stage:
        stage("fitting the function")
        fitted = fit_function(problem, run.options.solver, run.clock.left)
        network = fitted.network(problem)
        stage("certifying")
        bound = prove_dual(problem, fitted.dual)
    cause = Cause.TIME if run.clock.expired else Cause.SOLVER
    yield run.outcome(network, bound, network.n_neurons, "program in the function values", cause)


def _unmet_need(problem: Problem) -> str | None:
    if is_line_problem(problem):
        return None
    if problem.one_sided and not problem.skip:
        return "method='line' takes output_sign='positive' with skip=True only; use method='auto'."
    return "method='line' takes one input, bias='free' and the Euclidean norm; use method='auto'."


LINE = Method("line", _line, _unmet_need)
