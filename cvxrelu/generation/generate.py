r"""Column generation: the global optimum from the few neurons that matter.

    restricted master over some neurons -> dual vector v -> neurons with abs(sum_i v_i sigma(w.x_i + b)) > bound -> ...

Every dual vector that is priced gives a rigorous lower bound, and every master solution a network, so the loop can stop
at any time with an honest gap. It ends when the gap is closed. Where exhaustive search is expensive (three or more
dimensions), neurons are found by local ascent first, and by exhaustive search when ascent finds nothing: only that
proves anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, bound_dual, nothing_proven, unsearched
from cvxrelu.errors import SolverError
from cvxrelu.generation.columns import Columns, first_network, network_of, starting_columns
from cvxrelu.generation.master import MasterSolution, solve_master
from cvxrelu.generation.sliding import MOST_ROUNDS, can_slide, sliding_rounds
from cvxrelu.pricing import Priced, Pricer, make_pricer
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.scaling import Scaling, standardise
from cvxrelu.relaxation import share_of_cones
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.endings import Cause
from cvxrelu.runtime.worker import Worker, is_portable

__all__ = ["GenerationRound", "generate"]

Array = NDArray[np.float64]

# A new column's score must exceed the bound by this share of the largest excess, and by more than rounding.
WORTHWHILE, ROUNDING = 0.05, 1e-10
# Unused columns are dropped when their score falls short of the bound by this multiple of the excess, within these
# limits: as the dual vector settles, fewer of them come back. Dual vectors of a penalised loss settle soon; those of a
# constraint are vertices or nearly so, and jump.
DROP_FACTOR, DROP_LIMITS = 0.2, (5e-4, 0.02)
CONSTRAINT_DROP_FACTOR, CONSTRAINT_DROP_LIMITS = 3.0, (0.03, 0.3)
# The master is solved to this share of the largest excess, within these limits: the first dual vectors are wild and are
# not worth many digits.
MASTER_SHARE, FINEST, COARSEST = 1e-3, 1e-9, 1e-4
# Columns with more than this share of the largest weight are kept whatever their score.
NEEDED_RTOL = 1e-3
# Most random starts of an ascent for each entry of X, before a search that may take all the time that is left.
MOST_STARTS = 2
# Most neurons in use to start from.
WARM_STARTS = 500
# The exhaustive search needs to bring gamma this close to the bound, as a share of the gap to reach.
PRICING_SHARE = 0.25
# Cones that an exhaustive search looks at before it settles for the bound it has, if time is not limited.
NODE_LIMIT = 100_000
# Rounds without any improvement after which exhaustive search is tried where ascent still finds columns, and the share
# of the time left that it gets.
STALLED, SEARCH_SHARE = 3, 0.3
# Rounds without any improvement of either bound after which rounding has the last word.
PATIENCE = 8
# Seconds that an exhaustive search gets when time is up: without it there would be no bound at all.
LAST_BOUND_SECONDS = 0.2
# Multiplications of an iteration (N^2 (k + N / 3)) beyond which a master, seconds then, is solved in another process,
# where it can be stopped; to start that takes a second.
LARGE_MASTER = 1e9
# Samples up to which the dual master is solved in seconds; more of them are solved by sliding, as is what need not be
# proven. Samples from which on sliding comes first, and the share of the objective that a round of it then has to save.
LARGEST_DUAL, SLIDING_FIRST, PAYING = 1000, 300, 0.01


@dataclass(frozen=True, eq=False)
class GenerationRound:
    """The state after a round.

    Attributes
    ----------
    network : Network
        The network of the master solution, in the units of the problem.
    upper : float
        Its objective.
    bound : DualBound
        The best lower bound so far.
    columns : int
        Number of neurons in the master.
    cause : Cause
        What the gap is due to, if this is the last round and it is open.
    """

    network: Network
    upper: float
    bound: DualBound
    columns: int
    cause: Cause


def generate(
    problem: Problem,
    *,
    tol: float,
    clock: Clock | None = None,
    max_rounds: int | None = None,
    random_state: int | np.random.Generator | None = None,
    start: Network | None = None,
    prove: bool = True,
) -> Iterator[GenerationRound]:
    """Yield rounds of column generation until the relative gap is at most `tol`, or nothing improves it.

    Parameters
    ----------
    problem : Problem
        The problem.
    tol : float
        Relative gap to reach.
    clock : Clock, optional
        No new round starts if the time left would not be enough for a master like the last one.
    max_rounds : int, optional
        Most rounds; as when time is up, the last one searches for a bound.
    random_state : int or numpy.random.Generator, optional
        Seed of the starting columns and of local ascent.
    start : Network, optional
        A network whose neurons join the starting columns, such as the solution of a similar problem.
    prove : bool, default True
        Whether to search exhaustively where local ascent finds nothing; without it the lower bound may stay zero.

    Yields
    ------
    GenerationRound
        Network and bounds after each round.

    Raises
    ------
    SolverError
        If no network meets the constraint of the loss.
    """
    rng, clock = np.random.default_rng(random_state), clock or Clock()
    standard, scaling = standardise(problem)
    standard_bound = 1.0 if standard.alpha is None else standard.n_samples * standard.alpha
    pricer = make_pricer(problem.X, problem.bias, problem.negative_slope)
    oracle = _Oracle(problem, pricer, standard_bound * scaling.score_scale, tol, clock, rng)
    best = nothing_proven(problem)
    large = problem.n_samples > LARGEST_DUAL
    if can_slide(standard) and not pricer.sweeps and (problem.n_samples > SLIDING_FIRST or not prove):
        # Where the master is to have the last word, sliding only goes on for as long as it pays.
        patient, settled, late, least, count = large or not prove, False, False, np.inf, 0
        for count, slid in enumerate(sliding_rounds(problem, pricer, oracle.bound, rng, start, clock), 1):
            start, settled = slid.network, slid.gap <= tol
            late = count == max_rounds or clock.expired
            if prove and (settled or late or count == MOST_ROUNDS):
                best = oracle.search(slid.dual, 1.0)
            cause = Cause.TIME if clock.expired else Cause.ROUNDS if count == max_rounds else Cause.PROOF
            upper = problem.objective(start)
            yield GenerationRound(start, upper, best, start.n_neurons, cause)
            if settled or late or (not patient and upper > least * (1 - PAYING)):
                break
            least = upper
        if late or large or settled:
            return
        max_rounds = None if max_rounds is None else max_rounds - count

    with Worker() as worker:
        yield from _column_rounds(standard, scaling, oracle, worker, start, max_rounds, prove)


def _column_rounds(
    standard: Problem,
    scaling: Scaling,
    oracle: "_Oracle",
    worker: Worker,
    start: Network | None,
    max_rounds: int | None,
    prove: bool,
) -> Iterator[GenerationRound]:
    """Yield rounds of a master problem and its pricing; the arguments are those of `generate` and what it made."""
    problem, pricer, clock, tol = oracle.problem, oracle.pricer, oracle.clock, oracle.tol
    standard_bound = oracle.bound / scaling.score_scale
    # On a line with free biases the hinges through the data are all that is needed, and the first columns.
    central = pricer.method != "line" or standard.loss.regularised
    best = nothing_proven(problem)
    columns = starting_columns(standard, pricer, scaling, oracle.rng, clock)
    if start is not None:
        costs = problem.norm.neuron_costs(start.W, start.b)
        columns += Columns.of(standard, *scaling.adopt(start.W[costs > 0], start.b[costs > 0]))
    dropped = columns[:0]
    dual, accuracy, excess = None, COARSEST, np.inf
    least, greatest, stalled, rounds = np.inf, 0.0, 0, 0
    network: Network | None = None
    while True:
        master_clock = Clock()
        n, k = columns.outputs.shape
        large = n * n * (k + n / 3) > LARGE_MASTER and is_portable(standard)
        solve = partial(worker.call, clock, solve_master) if large else solve_master
        try:
            master = solve(standard, columns.outputs, accuracy, dual, central)
        except TimeoutError:
            network = network or start or first_network(problem)
            yield GenerationRound(network, problem.objective(network), best, k, Cause.TIME)
            return
        except SolverError:
            # Of two hinges that are almost the same, the one that was dropped may be the one that fits.
            if not len(dropped):
                raise
            columns, dropped = columns + dropped, dropped[:0]
            continue
        dual = master.dual
        network = network_of(problem, standard, scaling, columns, master)
        upper = problem.objective(network)
        v = problem.loss.repair(dual * scaling.gradient_scale, problem.y, problem.norm.has_free_constant)
        rounds += 1
        late = rounds == max_rounds or clock.left <= master_clock.elapsed

        ascended = not (pricer.sweeps or late) and v.any()
        priced = oracle.ascend(v, network) if ascended else None
        settled, proven, late = oracle.excess(priced) <= oracle.tolerance, True, late or clock.expired
        if (settled or stalled > STALLED) and (prove or pricer.sweeps):
            bound = oracle.search(v, 1.0 if settled else SEARCH_SHARE)
            best, priced = max(best, bound, key=lambda known: known.lower), bound.priced
            proven = priced is None or priced.complete
        if rounds == max_rounds:
            cause = Cause.ROUNDS
        elif proven:
            cause = Cause.TIME if late else Cause.ROUNDING
        elif clock.limited:
            cause = Cause.TIME if late or pricer.sweeps else Cause.PROOF_TIME
        else:
            cause = Cause.PROOF
        # What proves nothing yet can be searched later, exhaustively or for evidence.
        known = unsearched(v) if v.any() and not best.dual.any() else best
        yield GenerationRound(network, upper, known, len(columns), cause)
        stalled = 0 if upper < least or best.lower > greatest else stalled + 1
        least, greatest = min(least, upper), max(greatest, best.lower)
        if late or upper * (1 - tol) <= best.lower or stalled == PATIENCE:
            return

        excess = oracle.excess(priced)
        if priced is None or excess <= (ROUNDING if prove else max(ROUNDING, oracle.tolerance)):
            if not proven or accuracy <= (FINEST if prove else max(FINEST, MASTER_SHARE * tol)):
                return
            accuracy = max(accuracy * MASTER_SHARE, FINEST)
            continue
        # Nothing is dropped in a round without progress: what was dropped might be what is missing.
        kept = _useful(standard, columns, master, excess, standard_bound) | (stalled > 0)
        new = np.abs(priced.scores) > oracle.bound * (1 + max(WORTHWHILE * excess, ROUNDING))
        dropped = columns[~kept]
        columns = columns[kept] + Columns.of(standard, *scaling.adopt(priced.W[new], priced.b[new]))
        # No progress with columns to add means that the master is not accurate enough to use them.
        accuracy *= MASTER_SHARE if stalled > 0 else 1.0
        accuracy = float(np.clip(MASTER_SHARE * excess, FINEST, np.clip(accuracy, FINEST, COARSEST)))


@dataclass(frozen=True, eq=False)
class _Oracle:
    """What tells, for a dual vector v of the problem, which neurons would improve the network.

    Attributes
    ----------
    problem : Problem
        The problem.
    pricer : Pricer
        Of its data.
    bound : float
        Largest score that a neuron of unit cost has at the optimum.
    tol : float
        Relative gap to reach.
    clock : Clock
        Once it has expired, nothing but the last bound is sought.
    rng : numpy.random.Generator
        Of the random starts.
    """

    problem: Problem
    pricer: Pricer
    bound: float
    tol: float
    clock: Clock
    rng: np.random.Generator

    @property
    def tolerance(self) -> float:
        """The largest excess that the gap to reach allows for."""
        return PRICING_SHARE * self.tol

    def excess(self, priced: Priced | None) -> float:
        """Return by what share the best neuron found exceeds the bound; it is negative if none does."""
        return -1.0 if priced is None else priced.value / self.bound - 1

    def ascend(self, v: Array, network: Network) -> Priced:
        """Look for neurons by local ascent, the harder the fewer are found."""
        heaviest = np.argsort(-np.abs(network.v))[:WARM_STARTS]
        starts = np.column_stack([network.W, network.b])[heaviest]
        return self.pricer.ascend(
            v,
            n_starts=MOST_STARTS * self.problem.X.size,
            starts=starts,
            threshold=self.bound * (1 + self.tolerance),
            random_state=self.rng,
            time_limit=self.clock.left,
        )

    def search(self, v: Array, share: float) -> DualBound:
        """Search exhaustively, for this share of the time left, and return the bound that this proves."""
        share *= share_of_cones(self.problem, self.clock)
        seconds = max(share * self.clock.left, LAST_BOUND_SECONDS)
        search = partial(
            self.pricer,
            tol=self.tolerance,
            threshold=self.bound * (1 + self.tolerance),
            time_limit=seconds,
            node_limit=None if self.clock.limited else round(share * NODE_LIMIT),
        )
        return bound_dual(self.problem, v, search)


def _useful(
    standard: Problem, columns: Columns, master: MasterSolution, excess: float, bound: float
) -> NDArray[np.bool_]:
    """Tell which columns have weight or might soon get some: their score is near the bound."""
    if standard.loss.regularised:
        shortfall = np.clip(DROP_FACTOR * excess, *DROP_LIMITS)
    else:
        shortfall = np.clip(CONSTRAINT_DROP_FACTOR * excess, *CONSTRAINT_DROP_LIMITS)
    weights = np.abs(master.weights)
    close = np.abs(columns.outputs.T @ master.dual) > (1 - shortfall) * bound
    return close | (weights > NEEDED_RTOL * weights.max())
