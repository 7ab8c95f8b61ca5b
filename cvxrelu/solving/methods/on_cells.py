r"""The way of the data on given cells: Program -> Solution -> Network, and what its dual vector proves.

A network is there as soon as the program is solved; decoding makes it small, and the certificate comes last. Whatever
ends in between, what was yielded before stands.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, nothing_proven
from cvxrelu.certificate.searches import prove_dual
from cvxrelu.generation.columns import first_network
from cvxrelu.problem.network import Network
from cvxrelu.program.cells import Cells
from cvxrelu.program.decode import decode, plain_network
from cvxrelu.program.ties import with_least_weights
from cvxrelu.runtime.endings import Cause
from cvxrelu.solving.run import Outcome, Run

__all__ = ["outcomes_on_cells"]

# Share of the time left that the solver gets where decoding and a certificate follow.
SOLVING_SHARE = 0.7


def outcomes_on_cells(
    run: Run, stage: Callable[[str], None], cells: Cells, n_patterns: int, searched: NDArray[np.bool_] | None
) -> Iterator[Outcome]:
    """Solve on the cells, decode, certify.

    Parameters
    ----------
    run : Run
        What is asked.
    stage : callable
        Shows the stage that begins.
    cells : Cells
        Where neurons may be.
    n_patterns : int
        The sign patterns that the cells stand for.
    searched : (P, N) bool array or None
        The patterns that the certificate speaks of; None for all.

    Yields
    ------
    Outcome
        With the network of the solution, with the decoded one, and with the bound that its dual vector proves.
    """
    problem = run.problem
    stage(f"solving, {len(cells)} cells")
    try:
        solution = run.solve_on(cells, SOLVING_SHARE)
    except TimeoutError:
        network = first_network(problem)
        yield run.outcome(network, nothing_proven(problem), 0, "no time for the program", Cause.TIME)
        return

    def outcome(network: Network, bound: DualBound) -> Outcome:
        complete = bound.priced is None or bound.priced.complete
        cause = Cause.ROUNDING if solution.accurate else Cause.SOLVER
        cause = Cause.TIME if run.clock.expired else cause if complete else Cause.PROOF
        return run.outcome(network, bound, n_patterns, f"program on {len(cells)} cells", cause)

    network = plain_network(problem, solution)
    yield outcome(network, nothing_proven(problem))
    if not run.clock.expired:
        stage("decoding")
        network = with_least_weights(problem, decode(problem, solution, run.solve_on, clock=run.clock))
        yield outcome(network, nothing_proven(problem))
    stage("certifying")
    yield outcome(network, prove_dual(problem, solution.dual, run.clock, patterns=searched))
