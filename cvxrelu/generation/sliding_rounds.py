"""Rounds of sliding: the neurons in use move, are priced, and are joined by those that are found, in turns.

It takes k N d operations for k neurons in use where a dual master takes N^3, so it comes first where samples are many,
and it has the last word where nothing needs to be proven.
"""

from dataclasses import dataclass

import numpy as np

from cvxrelu.certificate.bounds import DualBound, nothing_proven
from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.sliding import can_slide, merged, slide
from cvxrelu.generation.state import GenerationRound
from cvxrelu.numerics.activation import leaky_relu
from cvxrelu.pricing import Priced
from cvxrelu.problem.network import Network, constant_network
from cvxrelu.runtime.endings import Cause

__all__ = ["SlidingMaster", "SlidingState"]

# A round: random starts of the ascent, the most neurons that join, steps of L-BFGS, and more of them where no neuron is
# missing; and the most rounds.
STARTS, MOST_NEW, STEPS, LAST_STEPS, MOST_ROUNDS = 64, 20, 60, 600, 40
# New neurons score more than the bound by this share of the largest excess.
WORTHWHILE = 0.05
# Samples up to which the dual master is solved in seconds; more of them are solved by sliding, as is what need not be
# proven. Samples from which on sliding comes first, and the share of the objective that a round of it then has to save.
LARGEST_DUAL, SLIDING_FIRST, PAYING = 1000, 300, 0.01


@dataclass(frozen=True, eq=False)
class SlidingState:
    """A network that slides.

    Attributes
    ----------
    network : Network
        The network, in coordinates of order one.
    best : DualBound
        The best bound that was searched.
    rounds, first : int
        Rounds until now, and before the first.
    round : GenerationRound or None
        What a caller sees.
    priced : Priced or None
        The neurons found for the network of the last round; None before, and where its dual vector is zero.
    settled : bool
        Whether the gap is closed if no neuron scores more than the best one that ascent found, which proves nothing.
    late : bool
        Whether there is no time or no round left.
    pays : bool
        Whether the last round saved much of the objective.
    """

    network: Network
    best: DualBound
    rounds: int
    first: int
    round: GenerationRound | None = None
    priced: Priced | None = None
    settled: bool = False
    late: bool = False
    pays: bool = True


@dataclass(frozen=True, eq=False)
class SlidingMaster:
    """Sliding as a master of column generation."""

    oracle: Oracle

    @staticmethod
    def suits(oracle: Oracle) -> bool:
        """Tell whether sliding is possible, and sooner than the dual master or enough without a proof."""
        wanted = oracle.problem.n_samples > SLIDING_FIRST or not oracle.options.prove
        return can_slide(oracle.standard) and not oracle.pricer.sweeps and wanted

    def begin(self, start: Network | None, rounds: int) -> SlidingState:
        """Return the network that slides first: the one given, or the best constant."""
        oracle = self.oracle
        standard = oracle.standard
        begun = (
            constant_network(0.0, standard.n_features, standard.negative_slope)
            if start is None
            else oracle.enter(start)
        )
        network = slide(standard, begun, STEPS, oracle.clock)
        return SlidingState(network, nothing_proven(oracle.problem), rounds, rounds)

    def step(self, state: SlidingState) -> SlidingState:
        """Let what was found join and slide, and price where it ended."""
        oracle, problem, options = self.oracle, self.oracle.problem, self.oracle.options
        network, rounds = self._joined(state), state.rounds + 1
        force = oracle.standard.loss.force(network(oracle.standard.X), oracle.standard.y)
        assert force is not None, "only smooth losses slide"
        dual, restored = oracle.as_dual(force), oracle.scaling.restore(network)
        upper, priced, settled = problem.objective(restored), None, True
        if dual.any():
            priced = oracle.pricer.ascend(
                dual,
                n_starts=STARTS,
                starts=np.column_stack([restored.W, restored.b]),
                random_state=oracle.rng,
                time_limit=oracle.clock.left,
            )
            lower = problem.loss.lower_bound(dual, problem.y, priced.value, problem.alpha)
            settled = 1 - lower / upper <= options.tol
        late = rounds == options.max_rounds or oracle.clock.expired
        best = state.best
        if options.prove and (settled or late or rounds - state.first == MOST_ROUNDS):
            best = oracle.search(dual, 1.0)
        stopped = Cause.ROUNDS if rounds == options.max_rounds else Cause.PROOF
        cause = Cause.TIME if oracle.clock.expired else stopped
        return SlidingState(
            network,
            best,
            rounds,
            state.first,
            GenerationRound(restored, upper, best, restored.n_neurons, cause),
            priced,
            settled,
            late,
            pays=state.round is None or upper <= state.round.upper * (1 - PAYING),
        )

    def has_ended(self, state: SlidingState) -> bool:
        """Tell whether no neuron is missing, or there is no time or no round left, or the dual master does better."""
        over = state.settled or state.late or state.rounds - state.first == MOST_ROUNDS
        return over or not (state.pays or self._has_last_word)

    def is_last(self, state: SlidingState) -> bool:
        """Tell whether no dual master is to follow."""
        return state.settled or state.late or self.oracle.problem.n_samples > LARGEST_DUAL

    @property
    def _has_last_word(self) -> bool:
        """Whether sliding goes on for as long as it finds neurons, and not only for as long as it pays."""
        return self.oracle.problem.n_samples > LARGEST_DUAL or not self.oracle.options.prove

    def _joined(self, state: SlidingState) -> Network:
        """Return the network after the neurons that were found have joined it and all have slid."""
        oracle, network, priced = self.oracle, state.network, state.priced
        if priced is None:
            return network
        standard, bound = oracle.standard, oracle.bound
        excess = max(oracle.excess(priced), 0.0)
        new = np.flatnonzero(np.abs(priced.scores) > bound * (1 + WORTHWHILE * excess))[:MOST_NEW]
        W, b = oracle.scaling.adopt(priced.W[new], priced.b[new])
        active = leaky_relu(standard.X @ W.T + b, standard.negative_slope)
        # A cautious Newton step for each, as if all of them were alike.
        varying = standard.free.rest(active)
        curvature = len(new) * np.sum(varying**2, axis=0) * oracle.scaling.score_scale
        # What does not vary on the data, but for rounding, is no neuron to add.
        varies = curvature > 0
        new, W, b, curvature = new[varies], W[varies], b[varies], curvature[varies]
        weights = np.sign(priced.scores[new]) * (np.abs(priced.scores[new]) - bound) / curvature
        joined = Network(
            np.vstack([network.W, W]),
            np.append(network.b, b),
            np.append(network.v, weights),
            network.intercept,
            standard.negative_slope,
            network.skip,
        )
        return merged(standard, slide(standard, joined, STEPS if len(new) else LAST_STEPS, oracle.clock))
