"""What "auto" stands for: the method that a problem is solved by first, and those that come after it."""

import logging

from cvxrelu.arrangement import count_patterns
from cvxrelu.generation.primal_rule import MANY_SAMPLES
from cvxrelu.generation.sliding import can_slide
from cvxrelu.problem.problem import Problem
from cvxrelu.solving.methods import METHODS

__all__ = ["methods_to_try"]

logger = logging.getLogger(__name__)

# "auto" enumerates up to this many patterns times dimensions, which is solved in some tenths of a second; column
# generation needs about as long for the smallest problems.
AUTO_SIZE = 1_000
# Patterns times dimensions that "auto" enumerates where column generation has failed: some seconds.
FALLBACK_SIZE = 10_000


def methods_to_try(problem: Problem) -> tuple[tuple[str, ...], str]:
    """Return the methods that "auto" tries, one after the other, and the reason for the first.

    Examples
    --------
    >>> methods_to_try(Problem([[0.0], [1.0]], [0.0, 1.0]))
    (('line', 'generate', 'enumerate'), 'one input with free biases, where the problem has one variable a sample')
    """
    if problem.several:
        return ("generate",), f"{problem.n_outputs} outputs, whose neurons column generation finds"
    count = count_patterns(problem.n_samples, problem.n_features, problem.norm.has_bias)
    size = count * problem.lifted.shape[1]
    if METHODS["line"].takes(problem) and problem.n_samples > MANY_SAMPLES and can_slide(problem):
        first, reason = "generate", f"more than {MANY_SAMPLES} samples, which are many more than neurons"
    elif METHODS["line"].takes(problem):
        first, reason = "line", "one input with free biases, where the problem has one variable a sample"
    elif problem.norm.cellwise:
        first, reason = "enumerate", f"norm {problem.norm.name!r}, which differs from cell to cell"
    else:
        first = "enumerate" if size <= AUTO_SIZE else "generate"
        if not METHODS["generate"].takes(problem):
            first = "enumerate" if size <= FALLBACK_SIZE or problem.loss.tells_dual else "sample"
        reason = f"up to {count} patterns with {size} unknowns, of which up to {AUTO_SIZE} are enumerated"
    logger.info("method %r: %s", first, reason)
    small = size <= FALLBACK_SIZE
    able = (name for name in ("line", "generate", "enumerate") if METHODS[name].takes(problem))
    return (first, *(name for name in able if name != first and (small or name != "enumerate"))), reason
