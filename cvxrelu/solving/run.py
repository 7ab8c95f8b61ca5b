"""One call of `solve` while it runs: its problem, options and clock, and what its methods come to."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from cvxrelu.certificate.bounds import DualBound
from cvxrelu.certificate.certificate import Certificate, certificate_of
from cvxrelu.errors import SolverError
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.backend import Solution, run_solver
from cvxrelu.program.cells import Cells
from cvxrelu.program.options import Options
from cvxrelu.program.program import program_on
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.endings import Cause
from cvxrelu.runtime.worker import Worker, is_portable

__all__ = ["RELAXATION", "Outcome", "Round", "Run", "solve_on_cells"]

# What the notes of the relaxation's rounds begin with.
RELAXATION = "relaxation"

# Entries of the matrices of a program, in all, from which on it takes a second to hand it to the solver.
LARGE_PROGRAM = 300_000

# Ratio of the ranges of two columns from which on proofs were seen to take many times as long (squared loss, 40 x 3:
# 2 to 4 s at 10, and a gap of 35 % and more after 15 s at 100).
UNLIKE = 30.0


@dataclass(frozen=True)
class Round:
    """One row of a fit's history.

    Attributes
    ----------
    patterns : int
        Sign patterns in use: all of them, the sampled ones, or (method "generate") the neurons of the master problem,
        or the regions of the relaxation.
    upper, lower : float
        The bounds so far.
    seconds : float
        Time since the start.
    note : str
        What was done.
    """

    patterns: int
    upper: float
    lower: float
    seconds: float
    note: str = ""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method has come to; `cause` is what its gap is due to, if it is open."""

    network: Network
    certificate: Certificate
    history: tuple[Round, ...]
    cause: Cause


@dataclass(frozen=True, eq=False)
class Run:
    """One call of `solve`: what is asked, and the clock that started with it."""

    problem: Problem
    options: Options
    clock: Clock

    def solve_on(self, cells: Cells, share: float = 1.0) -> Solution:
        """Solve the program of the problem on these cells, in the one or the other unit of its objective.

        It gets a share of the time left. A large one is solved in another process, where nothing keeps it from being
        stopped; that it was not solved in time is a TimeoutError.
        """
        clock = self.clock.share(share)
        solve = partial(solve_on_cells, self.problem, cells, self.options.solver)
        if cells.patterns.size * (self.problem.n_features + 1) <= LARGE_PROGRAM or not is_portable(self.problem):
            return solve(clock)
        with Worker() as worker:
            return worker.call(clock, solve, clock)

    def row(self, patterns: int, certificate: Certificate, note: str) -> Round:
        """Return a row of the history: the bounds of a certificate, now."""
        return Round(patterns, certificate.upper, certificate.lower, self.clock.elapsed, note)

    def outcome(self, network: Network, bound: DualBound, patterns: int, note: str, cause: Cause) -> Outcome:
        """Return what a network and a bound come to, with a history of one row."""
        certificate = certificate_of(self.problem, network, bound)
        return Outcome(network, certificate, (self.row(patterns, certificate, note),), cause)

    def explain(self, cause: Cause) -> str:
        """Return why the gap is open, in a sentence or two."""
        sentence = cause.explain(
            time_limit=self.clock.limit,
            max_rounds=self.options.max_rounds,
            solver=self.options.solver,
            n_features=self.problem.n_features,
        )
        ranges = np.ptp(self.problem.X, axis=0)
        widest, narrowest = ranges.max(), ranges.min(where=ranges > 0, initial=np.inf)
        if cause not in (Cause.PROOF, Cause.PROOF_TIME) or widest <= UNLIKE * narrowest:
            return sentence
        return (
            f"{sentence} One column of X ranges {widest / narrowest:.0e} times as far as another, so that slopes in it "
            "cost next to nothing, and proofs take longer; bring columns to like units first (StandardScaler of "
            "scikit-learn; scale=True of the estimators)."
        )


def solve_on_cells(problem: Problem, cells: Cells, solver: str, clock: Clock) -> Solution:
    """Solve the program of a problem on some cells, in the one or the other unit of its objective."""
    try:
        return run_solver(program_on(problem, cells), solver, clock)
    except SolverError:
        if not problem.loss.regularised or clock.expired:
            raise
        return run_solver(program_on(problem, cells, unit=1.0), solver, clock)
