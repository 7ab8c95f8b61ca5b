"""Rounds of a primal master problem with sliding in between, on ever more of the samples: many samples, few neurons.

    many random neurons slide
    neurons found join -> best output weights of all (a Lasso) -> they slide -> gradient of the loss -> pricing

The random neurons begin small, so that they spread before they count: from fewer, or larger ones, descent ends higher.
A round costs N k^2 and some hundred times N k d operations for k neurons in use, where the dual master takes N^3, and
memory for N k numbers. A loss with one kink is smoothed (`cvxrelu.problem.losses.smoothed`), ever less; in the end its
weights, and the dual vector, are those of a linear program (`exact_master`), and nothing slides. The first rounds look
at a random part of the samples only: a network of the part is within about the square root of their number of that of
all, so all that is left to do for larger parts is little. Nothing but the bounds of the last rounds is claimed, and
these are of all samples.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, nothing_proven, unsearched
from cvxrelu.generation.columns import Columns, first_network
from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.primal_improvement import improve, slid
from cvxrelu.generation.primal_master import force_of
from cvxrelu.generation.primal_parts import parts_of, wide_network
from cvxrelu.generation.primal_rule import is_alone, is_followed
from cvxrelu.generation.sliding import can_slide, merged
from cvxrelu.generation.state import GenerationRound
from cvxrelu.pricing import Priced
from cvxrelu.problem.network import Network
from cvxrelu.runtime.endings import Cause

__all__ = ["PrimalMaster", "PrimalState"]

Array = NDArray[np.float64]

# A round: random starts of the ascent, with all samples and after a round that saved little; the most neurons that
# join; and steps of sliding before the first.
STARTS, MORE_STARTS, MOST_STARTS = 16, 32, 64
MOST_NEW, FIRST_STEPS = 80, 200
# Random starts of the ascent, with all samples, that has to find nothing in the end: so many, or so many entries of X
# in all, which take some tenths of a second, up to a limit.
CONFIRMING, CONFIRMING_WORK, MOST_CONFIRMING = 32, 500_000, 2000
# Gap to reach from which on the scouts' word is enough where nothing is to be proven.
LOOSE = 1e-3
# Features up to which an exhaustive search takes no longer than that.
SEARCHED = 2
# Share of the gap to reach that a step has to save for another one.
PROGRESS = 1e-3
# Share of the gap to reach that one of so many rounds has to save, of the objective, for another one; and that the last
# round has to save where a rough network will do.
STALLING, PATIENCE, ROUGH_STALLING = 0.02, 3, 0.1
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
# New neurons score more than the bound by this share of the largest excess.
WORTHWHILE = 0.05


@dataclass(frozen=True, eq=False)
class PrimalState:
    """A network, and what is missing in it.

    Attributes
    ----------
    network : Network
        The network, in the units of the problem.
    best : DualBound
        The best bound that was searched.
    rounds, first : int
        Rounds until now, and before the first.
    part : int
        Which part of the samples the next round looks at.
    round : GenerationRound or None
        What a caller sees.
    missed : Priced or None
        Neurons that an exhaustive search found and local ascent did not.
    objective : float
        That of the network; infinite before the first round on a part of the samples.
    stalled : int
        Rounds on all samples in a row that saved little.
    searched : float
        The objective at the last exhaustive search; infinite before the first.
    refined : int
        How often what rounds, and steps in them, have to save was lowered.
    settled : bool
        Whether the gap is closed, as far as it was to be proven.
    late : bool
        Whether there is no time or no round left.
    dual, near : (N,) array or None, Columns or None
        What the last linear program left for the next one, as in `Improved`.
    """

    network: Network
    best: DualBound
    rounds: int
    first: int
    part: int = 0
    round: GenerationRound | None = None
    missed: Priced | None = None
    objective: float = np.inf
    stalled: int = 0
    searched: float = np.inf
    refined: int = 0
    settled: bool = False
    late: bool = False
    dual: Array | None = None
    near: Columns | None = None


@dataclass(frozen=True, eq=False)
class PrimalMaster:
    """The primal master; `parts` are oracles of parts of the samples, the last one of all."""

    oracle: Oracle
    parts: tuple[Oracle, ...]

    @classmethod
    def of(cls, oracle: Oracle) -> "PrimalMaster":
        """Return the master of a problem, with the parts of its samples that its rounds look at."""
        parts = parts_of(oracle)
        return cls(parts[-1], parts)

    def begin(self, start: Network | None, rounds: int) -> PrimalState:
        """Return the network to begin with: the one given, for all samples, or random neurons that have slid."""
        problem, part = self.oracle.problem, 0 if start is None else self._last_slid
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
        network, priced, arrived = oracle.enter(state.network), state.missed, np.isinf(state.objective)
        if priced is None and not (arrived and network.n_neurons):
            dual = self._dual(state, oracle, network)
            priced = self._scouted(oracle, dual, state)
            if oracle is self.oracle and self._closes(dual, state.network, priced):
                return self._ended(state, dual, priced)
        new = self._new(oracle, priced)
        if state.near is not None and np.isfinite(state.searched):
            # Before the first search only the weights count, not which of their dual vectors is feasible.
            new += state.near
        least = PROGRESS * oracle.gap_at(problem.objective(state.network)) * FINER**state.refined
        found = improve(oracle, network, new, least)
        improved = oracle.scaling.restore(found.network)
        rounds = state.rounds + 1
        late = rounds == options.max_rounds or rounds - state.first == MOST_ROUNDS or self.oracle.clock.expired
        cause = Cause.ROUNDS if rounds == options.max_rounds else Cause.PROOF
        cause = Cause.TIME if self.oracle.clock.expired else cause
        upper = problem.objective(improved)
        if state.round is not None and upper > state.round.upper:
            # What a part of the samples learns beyond the others is left to it.
            improved, upper = state.network, state.round.upper
        known = GenerationRound(improved, upper, state.best, improved.n_neurons, cause)
        after = replace(
            state,
            network=improved,
            rounds=rounds,
            round=known,
            missed=None,
            objective=upper,
            late=late,
            dual=found.dual,
            near=found.near,
        )
        if oracle is not self.oracle and not late:
            share = self._worthwhile(state) if state.part == self._last_slid else PAYING
            pays = upper <= state.objective * (1 - share)
            return after if pays else replace(after, part=state.part + 1, objective=np.inf)
        pays = upper <= state.objective * (1 - self._worthwhile(state))
        after = replace(after, stalled=0 if pays else state.stalled + 1)
        if late or (after.stalled >= self._patience(after) and not is_followed(self.oracle)):
            return self._ended(after, self._dual(after, self.oracle, self.oracle.enter(improved)), priced)
        return after

    def has_ended(self, state: PrimalState) -> bool:
        """Tell whether the gap is closed, rounds save no more, or there is no time or no round left."""
        return state.settled or state.late or state.stalled >= self._patience(state)

    def is_last(self, state: PrimalState) -> bool:
        """Tell whether no dual master is to follow, which few samples allow."""
        return state.settled or state.late or not is_followed(self.oracle)

    @property
    def _last_slid(self) -> int:
        """The last part in which neurons slide."""
        return len(self.parts) - (1 if can_slide(self.oracle.standard) else 2)

    def _worthwhile(self, state: PrimalState) -> float:
        """Share of the objective that a round on all samples has to save."""
        if is_followed(self.oracle):
            return FOLLOWED
        share = ROUGH_STALLING if self.oracle.is_rough(state.objective) else STALLING
        return share * self.oracle.gap_at(state.objective) * FINER**state.refined

    def _patience(self, state: PrimalState) -> int:
        """Return how many rounds in a row may save less, the last one included."""
        return 1 if is_followed(self.oracle) or self.oracle.is_rough(state.objective) else PATIENCE

    def _dual(self, state: PrimalState, oracle: Oracle, network: Network) -> Array:
        """Return the dual vector of a network in scaled coordinates: that of its weights, or minus a gradient."""
        if oracle is self.oracle and state.dual is not None:
            return state.dual
        smooth = self.parts[self._last_slid] if oracle is self.oracle else oracle
        return oracle.as_dual(force_of(smooth.standard, network(smooth.standard.X)))

    def _new(self, oracle: Oracle, priced: Priced | None) -> Columns:
        """Return the best of the neurons that were found and score more than the bound."""
        if priced is None:
            return Columns.of(oracle.standard, np.empty((0, oracle.standard.n_features)), np.empty(0))
        excess = max(oracle.excess(priced), 0.0)
        new = np.flatnonzero(np.abs(priced.scores) > oracle.bound * (1 + WORTHWHILE * excess))[:MOST_NEW]
        return Columns.of(oracle.standard, *oracle.scaling.adopt(priced.W[new], priced.b[new]))

    def _scouted(self, oracle: Oracle, dual: Array, state: PrimalState) -> Priced | None:
        """Look for neurons quickly, and thoroughly where all samples leave nothing to be found quickly."""
        if not dual.any():
            return None
        network, count = state.network, STARTS
        if oracle is self.oracle:
            count = MOST_STARTS if state.stalled else MORE_STARTS if is_alone(oracle) else STARTS
        starts = np.column_stack([network.W, network.b])
        options = {
            "starts": starts,
            "random_state": oracle.rng,
            "time_limit": oracle.clock.left,
            "n_jobs": oracle.options.n_jobs,
        }
        priced = oracle.pricer.scout(dual, n_starts=count, **options)
        searched = oracle.problem.n_features <= SEARCHED if oracle.options.prove else oracle.options.tol >= LOOSE
        if oracle is self.oracle and not searched and self._closes(dual, network, priced):
            count = int(np.clip(CONFIRMING_WORK // oracle.problem.X.size, CONFIRMING, MOST_CONFIRMING))
            again = oracle.pricer.ascend(dual, n_starts=count, **options)
            return max(priced, again, key=lambda found: found.value)
        return priced

    def _closes(self, dual: Array, network: Network, priced: Priced | None) -> bool:
        """Tell whether the gap is closed if no neuron scores more than the best one that was found."""
        problem, gamma = self.oracle.problem, 0.0 if priced is None else priced.value
        lower, upper = problem.loss.lower_bound(dual, problem.y, gamma, problem.alpha), problem.objective(network)
        return lower >= upper * (1 - self.oracle.gap_at(upper))

    def _ended(self, state: PrimalState, dual: Array, priced: Priced | None) -> PrimalState:
        """Return the state with its gap, searched if it is to be proven; it goes on with what was missed."""
        problem, options = self.oracle.problem, self.oracle.options
        upper, best, missed = problem.objective(state.network), state.best, None
        if options.prove:
            bound = self.oracle.search(dual, 1.0)
            best, missed = max(best, bound, key=lambda known: known.lower), bound.priced
        elif dual.any():
            best = unsearched(dual)
        proven = best.lower >= upper * (1 - options.tol)
        missed = None if proven or state.late else missed
        goes_on = missed is not None and self._is_news(missed, priced) and self._gained(state, upper)
        # If what was missed does not help, the neurons in use are not yet where they score no more than the bound.
        exhausted = not goes_on and missed is not None and missed.complete
        finer = exhausted and state.refined < MOST_REFINED
        cause = Cause.ROUNDING if proven or exhausted or state.round is None else state.round.cause
        return replace(
            state,
            best=best,
            round=GenerationRound(state.network, upper, best, state.network.n_neurons, cause),
            missed=missed if goes_on else None,
            stalled=0,
            searched=upper,
            refined=state.refined + finer,
            settled=not (goes_on or finer),
        )

    def _is_news(self, missed: Priced, known: Priced | None) -> bool:
        """Tell whether an exhaustive search found more than was known; after a linear program all is new."""
        least = known.value if known is not None and can_slide(self.oracle.standard) else self.oracle.bound
        return missed.value > least + self.oracle.tolerance * self.oracle.bound

    def _gained(self, state: PrimalState, upper: float) -> bool:
        """Tell whether rounds since the last search lowered the objective; linear programs end by themselves."""
        share = self._worthwhile(state)
        return upper <= state.searched * (1 - share) or not can_slide(self.oracle.standard)
