"""What a method of `solve` is: a search that yields what it has come to, and what it needs of a problem."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cvxrelu.errors import InputError
from cvxrelu.problem.problem import Problem
from cvxrelu.solving.run import Outcome, Run

__all__ = ["Method"]


def _any_problem(_: Problem) -> str | None:
    return None


@dataclass(frozen=True)
class Method:
    """One way from a problem to a certified network.

    Attributes
    ----------
    name : str
        What it is called in `solve`.
    outcomes : callable
        Yields outcomes for a run, of which the last is what it ends with: where it is interrupted, what it has yielded
        is not lost. It raises a `SolverError` where it fails.
    unmet_need : callable
        What a problem lacks that the method needs, as one sentence with a remedy; None if nothing.
    several : bool
        Whether it takes problems of several outputs.
    skips_proof : bool
        Whether it leaves the gap open if no proof is asked for.
    """

    name: str
    outcomes: Callable[[Run], Iterator[Outcome]]
    unmet_need: Callable[[Problem], str | None] = _any_problem
    several: bool = False
    skips_proof: bool = False

    def takes(self, problem: Problem) -> bool:
        """Tell whether a problem has what the method needs."""
        return self._need(problem) is None

    def check(self, problem: Problem) -> None:
        """Refuse a problem that lacks what the method needs.

        Raises
        ------
        InputError
            With the sentence.
        """
        need = self._need(problem)
        if need is not None:
            raise InputError(need)

    def _need(self, problem: Problem) -> str | None:
        if problem.several and not self.several:
            return f"method={self.name!r} takes one output; use method='generate' for several."
        return self.unmet_need(problem)
