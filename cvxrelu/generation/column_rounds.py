"""Rounds of a dual master problem and its pricing: columns come where they score more than the bound, and go if unused.

The dual vector has an entry for each sample, so the master takes seconds from a thousand samples on.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, nothing_proven, unsearched
from cvxrelu.errors import SolverError
from cvxrelu.generation.columns import Columns, first_network, network_of_master, starting_columns
from cvxrelu.generation.dual_master import MasterSolution, solve_master
from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.state import GenerationRound
from cvxrelu.pricing import Priced
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.endings import Cause
from cvxrelu.runtime.worker import Worker, is_portable

__all__ = ["ColumnMaster", "ColumnState", "goes_to_worker"]

Array = NDArray[np.float64]

# Unused columns are dropped when their score falls short of the bound by this multiple of the excess, within limits: as
# the dual vector settles, fewer of them come back. Dual vectors of a penalised loss settle soon; those of a constraint
# are vertices or nearly so, and jump.
DROP_FACTOR, DROP_LIMITS = 0.2, (5e-4, 0.02)
CONSTRAINT_DROP_FACTOR = 3.0
# The master is solved to this share of the largest excess, within limits: the first dual vectors are wild and are not
# worth many digits.
MASTER_SHARE, FINEST = 1e-3, 1e-9
# A new column's score must exceed the bound by more than rounding (guessed).
LEAST_EXCESS = 1e-10
# Columns with more than this share of the largest weight are kept whatever their score.
NEEDED_RTOL = 1e-3
# Rounds without any improvement after which exhaustive search is tried where ascent still finds columns, and the share
# of the time left that it gets.
STALLED, SEARCH_SHARE = 3, 0.3
# Rounds without any improvement of either bound after which rounding has the last word.
PATIENCE = 8
# Multiplications of an iteration, K^3 N^2 (k + N / 3), beyond which a master, seconds then, is solved in another
# process, where it can be stopped; to start that takes a second.
LARGE_MASTER = 1e9


def goes_to_worker(standard: Problem, outputs: Array) -> bool:
    """Tell whether a master on some neurons is solved where it can be stopped: N entries of all outputs are coupled."""
    n, k = outputs.shape
    return n * n * (k + n / 3) * standard.n_outputs**3 > LARGE_MASTER and is_portable(standard)


class _Habits(NamedTuple):
    """How much a round makes of what pricing found.

    Attributes
    ----------
    worthwhile : float
        A new column's score must exceed the bound by this share of the largest excess.
    coarsest : float
        Accuracy of the first masters.
    constraint_drops : (float, float)
        Limits of the shortfall at which unused columns are dropped where the loss is a constraint.
    """

    worthwhile: float
    coarsest: float
    constraint_drops: tuple[float, float]


# A sweep finds the best neuron of every anchor, and taking all of them, for rough masters, saves rounds (20 instead of
# 24 for 600 random labels). With ascents it costs some (150 samples of eight features: 107 instead of 62, where masters
# stayed rougher to the end, too).
SWEPT, ASCENDED = _Habits(0.0, 1e-2, (0.003, 0.3)), _Habits(0.05, 1e-4, (0.03, 0.3))


@dataclass(frozen=True, eq=False)
class ColumnState:
    """Columns, and what a round with them has come to.

    Attributes
    ----------
    start : Network or None
        The network that the columns began with.
    columns, dropped : Columns
        Those in use, and those that were left out last.
    accuracy : float
        To which the master is solved.
    best : DualBound
        The best bound that was searched.
    rounds : int
        Rounds until now.
    round : GenerationRound or None
        What a caller sees.
    master : MasterSolution or None
        Of the last round.
    priced : Priced or None
        The neurons found for its dual vector.
    proven : bool
        Whether no neuron scores more than they do.
    late : bool
        Whether there is no time or no round left.
    least, greatest : float
        The bounds on the optimum.
    stalled : int
        Rounds in which neither of them improved.
    """

    start: Network | None
    columns: Columns
    dropped: Columns
    best: DualBound
    rounds: int
    accuracy: float
    round: GenerationRound | None = None
    master: MasterSolution | None = None
    priced: Priced | None = None
    proven: bool = True
    late: bool = False
    least: float = np.inf
    greatest: float = 0.0
    stalled: int = 0


@dataclass(frozen=True, eq=False)
class ColumnMaster:
    """The dual master as a master of column generation; a large one is solved by the worker."""

    oracle: Oracle
    worker: Worker

    def begin(self, start: Network | None, rounds: int) -> ColumnState:
        """Return columns from which any targets can be met, and the neurons of a network."""
        oracle = self.oracle
        columns = starting_columns(oracle)
        if start is not None:
            costs = oracle.problem.norm.neuron_costs(start.W, start.b)
            adopted = oracle.scaling.adopt(start.W[costs > 0], start.b[costs > 0])
            columns += Columns.of(oracle.standard, *adopted)
        return ColumnState(start, columns, columns[:0], nothing_proven(oracle.problem), rounds, self._habits.coarsest)

    def step(self, state: ColumnState) -> ColumnState:
        """Solve the master on the next columns, and price its dual vector."""
        return self._round(self._refined(state))

    def has_ended(self, state: ColumnState) -> bool:
        """Tell whether the gap is closed, nothing improves it, or there is no time or no round left."""
        if state.round is None:
            return False
        options = self.oracle.options
        closed = state.round.upper * (1 - options.tol) <= state.best.lower
        if state.late or closed or state.stalled == PATIENCE:
            return True
        if not state.proven and self.oracle.excess(state.priced) <= self.oracle.tolerance:
            return True  # a search that broke off would come again, and prove as little
        finest = FINEST if options.prove else max(FINEST, MASTER_SHARE * options.tol)
        return self._finds_nothing(state) and (not state.proven or state.accuracy <= finest)

    def is_last(self, state: ColumnState) -> bool:
        """Tell that nothing comes after this master."""
        return True

    @property
    def _habits(self) -> _Habits:
        return SWEPT if self.oracle.pricer.sweeps else ASCENDED

    def _finds_nothing(self, state: ColumnState) -> bool:
        """Tell whether no neuron scores more than the bound, up to rounding or what need not be proven."""
        oracle = self.oracle
        enough = LEAST_EXCESS if oracle.options.prove else max(LEAST_EXCESS, oracle.tolerance)
        return oracle.excess(state.priced) <= enough

    def _refined(self, state: ColumnState) -> ColumnState:
        """Return the state with the columns and the accuracy for the next round."""
        if state.master is None:
            return state
        if state.priced is None or self._finds_nothing(state):
            return replace(state, accuracy=max(state.accuracy * MASTER_SHARE, FINEST))
        oracle, priced, excess = self.oracle, state.priced, self.oracle.excess(state.priced)
        # Nothing is dropped in a round without progress: what was dropped might be what is missing.
        kept = self._useful(state.columns, state.master, excess) | (state.stalled > 0)
        new = np.abs(priced.scores) > oracle.bound * (1 + max(self._habits.worthwhile * excess, LEAST_EXCESS))
        found = Columns.of(oracle.standard, *oracle.scaling.adopt(priced.W[new], priced.b[new]))
        # No progress with columns to add means that the master is not accurate enough to use them.
        coarsest = np.clip(state.accuracy * (MASTER_SHARE if state.stalled > 0 else 1.0), FINEST, self._habits.coarsest)
        return replace(
            state,
            # What a rough master leaves above the bound is found once more.
            columns=(state.columns[kept] + found).distinct(oracle.standard.free, int(kept.sum())),
            dropped=state.columns[~kept],
            accuracy=float(np.clip(MASTER_SHARE * excess, FINEST, coarsest)),
        )

    def _useful(self, columns: Columns, master: MasterSolution, excess: float) -> NDArray[np.bool_]:
        """Tell which columns have weight or might soon get some: their score is near the bound."""
        if self.oracle.problem.loss.regularised:
            shortfall = np.clip(DROP_FACTOR * excess, *DROP_LIMITS)
        else:
            shortfall = np.clip(CONSTRAINT_DROP_FACTOR * excess, *self._habits.constraint_drops)
        weights = np.abs(master.weights)
        close = np.abs(columns.outputs.T @ master.dual) > (1 - shortfall) * self.oracle.standard.score_bound
        return close | (weights > NEEDED_RTOL * weights.max())

    def _round(self, state: ColumnState) -> ColumnState:
        """Return the state after a round with its columns."""
        oracle, problem, clock = self.oracle, self.oracle.problem, self.oracle.clock
        options, master_clock = oracle.options, Clock()
        try:
            master = self._solve(state)
        except TimeoutError:
            network = state.round.network if state.round is not None else state.start or first_network(problem)
            upper, size = problem.objective(network), len(state.columns)
            return replace(state, round=GenerationRound(network, upper, state.best, size, Cause.TIME), late=True)
        except SolverError:
            # Of two hinges that are almost the same, the one that was dropped may be the one that fits.
            if not len(state.dropped):
                raise
            return self._round(replace(state, columns=state.columns + state.dropped, dropped=state.dropped[:0]))
        network = network_of_master(oracle, state.columns, master)
        upper, v = problem.objective(network), oracle.as_dual(master.dual)
        rounds, best = state.rounds + 1, state.best
        late = rounds == options.max_rounds or clock.left <= master_clock.elapsed

        ascended = not (oracle.pricer.sweeps or late) and v.any()
        priced = oracle.ascend(v, network) if ascended else None
        settled, proven, late = oracle.excess(priced) <= oracle.tolerance, True, late or clock.expired
        if (settled or state.stalled > STALLED) and (options.prove or oracle.pricer.sweeps):
            bound = oracle.search(v, 1.0 if settled else SEARCH_SHARE)
            best = max(best, bound, key=lambda known: known.lower)
            proven = bound.priced is None or bound.priced.complete
            # A search that broke off may have found less than the ascent.
            if proven or oracle.excess(bound.priced) >= oracle.excess(priced):
                priced = bound.priced
        if rounds == options.max_rounds:
            cause = Cause.ROUNDS
        elif proven:
            cause = Cause.TIME if late else Cause.ROUNDING
        else:
            stopped = clock.limited and (late or oracle.pricer.sweeps)
            cause = Cause.TIME if stopped else Cause.of_proof(clock.limited)
        # What proves nothing yet can be searched later, exhaustively or for evidence.
        known = unsearched(v) if v.any() and not best.dual.any() else best
        improved = upper < state.least or best.lower > state.greatest
        return replace(
            state,
            best=best,
            rounds=rounds,
            round=GenerationRound(network, upper, known, len(state.columns), cause),
            master=master,
            priced=priced,
            proven=proven,
            late=late,
            least=min(state.least, upper),
            greatest=max(state.greatest, best.lower),
            stalled=0 if improved else state.stalled + 1,
        )

    def _solve(self, state: ColumnState) -> MasterSolution:
        """Solve the master on the columns of a state.

        Raises
        ------
        TimeoutError
            If it was not solved in time.
        SolverError
            If it has no solution, or was not solved.
        """
        standard, outputs = self.oracle.standard, state.columns.outputs
        # On a line with free biases the hinges through the data are all that is needed, and the first columns.
        central = self.oracle.pricer.method != "line" or standard.loss.regularised
        large = goes_to_worker(standard, outputs)
        solve = partial(self.worker.call, self.oracle.clock, solve_master) if large else solve_master
        dual = None if state.master is None else state.master.dual
        return solve(standard, outputs, state.accuracy, dual, central)
