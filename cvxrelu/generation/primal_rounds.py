"""Rounds of a primal master problem with sliding in between, on ever more of the samples: many samples, few neurons.

    many random neurons slide
    neurons found join -> best output weights of all (a Lasso) -> they slide -> gradient of the loss -> pricing

The random neurons begin small, so that they spread before they count: from fewer, or larger ones, descent ends higher.
A round costs N k^2 and some hundred times N k d operations for k neurons in use, where the dual master takes N^3, and
memory for N k numbers. A loss with one kink is smoothed about the dual vector of the round before, which leads to the
optimum of the loss itself (`cvxrelu.problem.losses.smoothed`). The first rounds look at a random part of the samples
only: a network of the part is within about the square root of their number of that of all, so all that is left to do
for larger parts is little. Nothing but the bounds of the last rounds is claimed, and these are of all samples.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, nothing_proven, unsearched
from cvxrelu.generation.columns import first_network
from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.primal_improvement import improve, slid
from cvxrelu.generation.primal_master import force_of
from cvxrelu.generation.primal_parts import about, gained_by, parts_of, wide_network
from cvxrelu.generation.primal_rule import is_alone, is_crowded, is_followed
from cvxrelu.generation.sliding import can_slide, merged
from cvxrelu.generation.state import GenerationRound
from cvxrelu.pricing import Priced
from cvxrelu.problem.network import Network
from cvxrelu.runtime.endings import Cause

__all__ = ["PrimalMaster", "PrimalState"]

Array = NDArray[np.float64]

# Random starts of a round's ascent, with all samples and after a round that saved little.
STARTS, MORE_STARTS, MOST_STARTS = 16, 32, 64
# Steps of sliding before the first round.
FIRST_STEPS = 200
# Random starts of the ascent, with all samples, that has to find nothing in the end: so many, or so many entries of X
# in all, which take some tenths of a second, up to a limit; of a loss with a kink where nothing is to be proven so many
# times as many, since with fewer 2,000 x 5 samples ended up to 1e-4 above what the dual master found.
CONFIRMING, CONFIRMING_WORK, MOST_CONFIRMING, MORE_CONFIRMING = 32, 500_000, 2000, 20
# Gap to reach from which on the scouts' word is enough where nothing is to be proven.
LOOSE = 1e-3
# Features up to which an exhaustive search takes no longer than that; next to a kink, where scores have many small
# maxima, one that did not close the gap is not repeated before that.
SEARCHED = 2
# Share of the gap to reach that a step has to save for another one.
PROGRESS = 1e-3
# Share of the gap to reach that one of so many rounds has to save, of the objective, for another one; of so many where
# the loss has a kink, whose dual vectors still move then; and that the last round has to save where a rough network
# will do.
STALLING, PATIENCE, KINKED_PATIENCE, ROUGH_STALLING = 0.02, 3, 6, 0.1
# Where an exhaustive search finds nothing that was missed, but the gap is open, rounds go on that have to save less by
# this factor, so many times.
FINER, MOST_REFINED = 0.1, 2
# Share of the objective that every round has to save where a dual master follows, which then is the faster one.
FOLLOWED = 0.01
# The share of the objective of all samples that a round on a part of them has to save for another one.
PAYING = 3e-3
# Rounds after which nothing more is expected: twice as many as the slowest that were seen took, 200 random targets in
# ten dimensions.
MOST_ROUNDS = 300


@dataclass(frozen=True, eq=False)
class PrimalState:
    """A network, and what is missing in it.

    Attributes
    ----------
    network : Network
        The network that rounds go on from, in the units of the problem.
    best : DualBound
        The best bound that was searched.
    rounds, first : int
        Rounds until now, and before the first.
    part : int
        Which part of the samples the next round looks at.
    round : GenerationRound or None
        What a caller sees, with the best network.
    dual : (N,) array or None
        Minus the gradient of the loss at the network, in scaled coordinates; None before the first round on a part.
    missed : Priced or None
        Neurons that an exhaustive search found and local ascent did not.
    objective : float
        That of the best network; infinite before the first round on a part of the samples.
    stalled : int
        Rounds on all samples in a row that saved little.
    saved : float
        What rounds have saved since the last exhaustive search; infinite before the first.
    refined : int
        How often what rounds, and steps in them, have to save was lowered.
    settled : bool
        Whether the gap is closed, as far as it was to be proven, or rounds do not close it.
    handed_on : bool
        Whether it is left to a dual master, which takes few samples to the last digits.
    late : bool
        Whether there is no time or no round left.
    """

    network: Network
    best: DualBound
    rounds: int
    first: int
    part: int = 0
    round: GenerationRound | None = None
    dual: Array | None = None
    missed: Priced | None = None
    objective: float = np.inf
    stalled: int = 0
    saved: float = np.inf
    refined: int = 0
    settled: bool = False
    handed_on: bool = False
    late: bool = False


@dataclass(frozen=True, eq=False)
class PrimalMaster:
    """The primal master; `parts` are oracles of parts of the samples, the last one of all, where no loss has a kink."""

    oracle: Oracle
    parts: tuple[Oracle, ...]

    @classmethod
    def of(cls, oracle: Oracle) -> "PrimalMaster":
        """Return the master of a problem, with the parts of its samples that its rounds look at."""
        return cls(oracle, parts_of(oracle))

    def begin(self, start: Network | None, rounds: int) -> PrimalState:
        """Return the network to begin with: the one given, for all samples, or random neurons that have slid."""
        problem, part = self.oracle.problem, 0 if start is None else self._last
        network = first_network(problem) if start is None else start
        if start is None:
            oracle = self.parts[part]
            spread = slid(oracle, wide_network(oracle), FIRST_STEPS, PROGRESS * oracle.options.tol)
            wide = oracle.scaling.restore(merged(oracle.standard, spread))
            network = min((network, wide), key=oracle.problem.objective)
        return PrimalState(network, nothing_proven(problem), rounds, rounds, part)

    def step(self, state: PrimalState) -> PrimalState:
        """Price the network, let what is found join it, solve for the output weights, and slide."""
        oracle, problem, options = self.parts[state.part], self.oracle.problem, self.oracle.options
        network, priced, whole = oracle.enter(state.network), state.missed, state.part == self._last
        if priced is None and not (np.isinf(state.objective) and network.n_neurons):
            dual = self._dual(state)
            priced = self._scouted(dual, state)
            if whole and self._closes(dual, state, priced):
                return self._ended(state, dual, priced)
        smooth = about(oracle, state.dual)
        least = PROGRESS * oracle.gap_at(problem.objective(state.network)) * FINER**state.refined
        found = improve(smooth, network, priced, least)
        dual = force_of(smooth.standard, found(smooth.standard.X))
        improved = oracle.scaling.restore(found)
        rounds = state.rounds + 1
        late = rounds == options.max_rounds or rounds - state.first == MOST_ROUNDS or self.oracle.clock.expired
        limited = self.oracle.clock.limited and options.prove
        cause = Cause.ROUNDS if rounds == options.max_rounds else Cause.of_proof(limited)
        cause = Cause.TIME if self.oracle.clock.expired else cause
        # What a part of the samples learns beyond the others is left to it, and of steps to a dual vector some go up.
        known = GenerationRound(improved, problem.objective(improved), state.best, improved.n_neurons, cause)
        if state.round is not None and state.round.upper < known.upper:
            known = replace(known, network=state.round.network, upper=state.round.upper)
        share = self._worthwhile(state) if whole else PAYING
        saved = state.objective - known.upper + gained_by(smooth, dual)
        pays = saved >= share * known.upper
        after = replace(
            state,
            network=improved,
            rounds=rounds,
            round=known,
            dual=dual,
            missed=None,
            objective=known.upper,
            saved=state.saved + saved,
            late=late,
        )
        if whole:
            after = replace(after, stalled=0 if pays else state.stalled + 1)
        elif late or not pays:
            part = self._last if late else state.part + 1
            after = replace(after, network=known.network, part=part, dual=None, objective=np.inf)
        if late or (after.stalled >= self._patience(after) and not is_followed(self.oracle)):
            return self._ended(after, self._dual(after), priced)
        return after

    def has_ended(self, state: PrimalState) -> bool:
        """Tell whether the gap is closed, neurons are many, rounds save no more, or no time or no round is left."""
        return state.settled or state.late or state.stalled >= self._patience(state) or self._is_crowded(state)

    def is_last(self, state: PrimalState) -> bool:
        """Tell whether no dual master is to follow, which few samples allow, or many neurons ask for."""
        if state.settled or state.late:
            return not state.handed_on
        return not (is_followed(self.oracle) or self._is_crowded(state))

    def _is_crowded(self, state: PrimalState) -> bool:
        return state.round is not None and is_crowded(self.oracle, state.network.n_neurons)

    @property
    def _last(self) -> int:
        """The part that is all samples."""
        return len(self.parts) - 1

    def _worthwhile(self, state: PrimalState) -> float:
        """Share of the objective that a round on all samples has to save."""
        if is_followed(self.oracle):
            return FOLLOWED
        share = ROUGH_STALLING if self.oracle.is_rough(state.objective) else STALLING
        return share * self.oracle.gap_at(state.objective) * FINER**state.refined

    def _patience(self, state: PrimalState) -> int:
        """Return how many rounds in a row may save less, the last one included."""
        if is_followed(self.oracle) or self.oracle.is_rough(state.objective):
            return 1
        return PATIENCE if can_slide(self.oracle.standard) else KINKED_PATIENCE

    def _dual(self, state: PrimalState) -> Array:
        """Return the dual vector of a state in the units of the problem, in the domain of the dual."""
        oracle, dual = self.parts[state.part], state.dual
        if dual is None:
            dual = force_of(oracle.standard, oracle.enter(state.network)(oracle.standard.X))
        return oracle.as_dual(dual)

    def _scouted(self, dual: Array, state: PrimalState) -> Priced | None:
        """Look for neurons quickly, and thoroughly where all samples leave nothing to be found quickly."""
        if not dual.any():
            return None
        oracle, network, whole, count = self.parts[state.part], state.network, state.part == self._last, STARTS
        if whole:
            count = MOST_STARTS if state.stalled else MORE_STARTS if is_alone(oracle) else STARTS
        starts = np.column_stack([network.W, network.b])
        options = {
            "starts": starts,
            "random_state": oracle.rng,
            "time_limit": oracle.clock.left,
            "n_jobs": oracle.options.n_jobs,
        }
        priced = oracle.pricer.scout(dual, n_starts=count, **options)
        searched = oracle.options.tol >= LOOSE
        if oracle.options.prove:
            missing = np.isfinite(state.saved) and not can_slide(self.oracle.standard)
            searched = oracle.problem.n_features <= SEARCHED and not missing
        if whole and not searched and self._closes(dual, state, priced):
            more = 1 if oracle.options.prove or can_slide(self.oracle.standard) else MORE_CONFIRMING
            count = int(np.clip(more * CONFIRMING_WORK // oracle.problem.X.size, CONFIRMING, MOST_CONFIRMING))
            again = oracle.pricer.ascend(dual, n_starts=count, **options)
            return max(priced, again, key=lambda found: found.value)
        return priced

    def _closes(self, dual: Array, state: PrimalState, priced: Priced | None) -> bool:
        """Tell whether the gap is closed if no neuron scores more than the best one that was found."""
        problem, gamma = self.oracle.problem, 0.0 if priced is None else priced.value
        lower, upper = problem.loss.lower_bound(dual, problem.y, gamma, problem.alpha), self._upper(state)
        return lower >= upper * (1 - self.oracle.gap_at(upper))

    def _upper(self, state: PrimalState) -> float:
        """Return the least objective that is known."""
        return self.oracle.problem.objective(state.network) if state.round is None else state.round.upper

    def _ended(self, state: PrimalState, dual: Array, priced: Priced | None) -> PrimalState:
        """Return the state with its gap, searched if it is to be proven; it goes on with what was missed."""
        options, upper, best, found = self.oracle.options, self._upper(state), state.best, None
        if options.prove:
            bound = self.oracle.search(dual, 1.0)
            best, found = max(best, bound, key=lambda known: known.lower), bound.priced
        elif dual.any():
            best = unsearched(dual)
        proven = best.lower >= upper * (1 - options.tol)
        found = None if proven or state.late else found
        missed = found if found is not None and self._is_news(found, priced) else None
        closer = state.saved + best.lower - state.best.lower >= self._worthwhile(state) * upper
        goes_on = missed is not None and closer
        # If what was missed does not help, the neurons in use are not yet where they score no more than the bound.
        exhausted = not goes_on and found is not None and found.complete
        handed_on = exhausted and not is_alone(self.oracle)
        finer = exhausted and not handed_on and state.refined < MOST_REFINED
        network, cause = state.network, Cause.ROUNDING
        if state.round is not None:
            network, cause = state.round.network, cause if proven or exhausted else state.round.cause
        return replace(
            state,
            best=best,
            round=GenerationRound(network, upper, best, network.n_neurons, cause),
            missed=missed if goes_on or finer else None,
            stalled=0,
            saved=0.0,
            refined=state.refined + finer,
            settled=not (goes_on or finer),
            handed_on=handed_on,
        )

    def _is_news(self, missed: Priced, known: Priced | None) -> bool:
        """Tell whether an exhaustive search found more than was known."""
        least = self.oracle.bound if known is None else known.value
        return missed.value > least + self.oracle.tolerance * self.oracle.bound
