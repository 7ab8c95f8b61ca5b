r"""Column generation: the global optimum from the few neurons that matter.

    restricted master over some neurons -> dual vector v -> neurons with abs(sum_i v_i sigma(w.x_i + b)) > bound -> ...

Every dual vector that is priced gives a rigorous lower bound, and every master solution a network, so the loop can stop
at any time with an honest gap. It ends when the gap is closed. Where exhaustive search is expensive (three or more
dimensions), neurons are found by local ascent first, and by exhaustive search when ascent finds nothing: only that
proves anything.

The masters share an oracle and take turns: sliding where neurons are to be moved first, then the dual master.
"""

from collections.abc import Iterator
from typing import Any

from cvxrelu.generation.column_rounds import ColumnMaster
from cvxrelu.generation.columns import drawn_in
from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.outputs_descent import OutputsDescent, is_descended
from cvxrelu.generation.outputs_rounds import OutputsMaster
from cvxrelu.generation.primal_rounds import PrimalMaster
from cvxrelu.generation.primal_rule import suits
from cvxrelu.generation.state import GenerationRound, Master
from cvxrelu.problem.problem import Problem
from cvxrelu.program.options import Options
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.worker import Worker

__all__ = ["generate"]


def generate(problem: Problem, options: Options, clock: Clock, scale: float = 0.0) -> Iterator[GenerationRound]:
    """Yield rounds of column generation until the relative gap is at most `options.tol`, or nothing improves it.

    Parameters
    ----------
    problem : Problem
        A problem with the Euclidean norm.
    options : Options
        The gap to reach, the most rounds (as when time is up, the last one searches for a bound), a seed, a network
        whose neurons join the first ones, and whether to search exhaustively where local ascent finds nothing; without
        that the lower bound may stay zero.
    clock : Clock
        No new round starts if the time left would not be enough for a master like the last one.
    scale : float, default 0.0
        Objective up to which the gap to reach is a share of it, and not of the objective itself.

    Yields
    ------
    GenerationRound
        Network and bounds after each round.

    Raises
    ------
    SolverError
        If no network meets the constraint of the loss.

    Examples
    --------
    >>> problem = Problem([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.0, 1.0, 1.0])
    >>> *_, last = generate(problem, Options(random_state=0), Clock())
    >>> last.bound.lower <= last.upper <= last.bound.lower * (1 + 1e-6)
    True
    """
    oracle = Oracle.of(problem, options, clock, scale)
    start, rounds = None if options.warm_start is None else drawn_in(problem, options.warm_start), 0
    with Worker() as worker:
        # Each master knows of its own state only.
        masters: list[Master[Any]] = [ColumnMaster(oracle, worker)]
        if problem.several:
            masters = [OutputsDescent(oracle)] if is_descended(oracle) else []
            masters.append(OutputsMaster(oracle, worker))
        elif suits(oracle):
            masters.insert(0, PrimalMaster.of(oracle))
        for master in masters:
            state = master.begin(start, rounds)
            while not master.has_ended(state):
                state = master.step(state)
                yield state.round
            if master.is_last(state):
                return
            start, rounds = state.round.network, state.rounds
