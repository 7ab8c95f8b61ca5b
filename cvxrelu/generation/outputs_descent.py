"""Rounds for several outputs: all neurons slide, and pricing finds those that are missing.

    many small random neurons slide  ->  neurons found join, so small that the objective falls  ->  they slide  -> ...
                                     ->  in the end, those near each other become one, if the objective stays

The random neurons begin small, so that they spread before they count (`cvxrelu.generation.primal_rounds`). Where few
neurons are in use, and not random ones, an interior-point method finds their best output weights first. A round takes
some hundred times N k (d + K) operations, where the cone program takes (k K)^3. Nothing but the bound of the last round
is claimed.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, nothing_proven
from cvxrelu.generation.columns import first_network
from cvxrelu.generation.oracle import ROUGH, Oracle
from cvxrelu.generation.outputs_newton import descend_outputs
from cvxrelu.generation.outputs_program import free_of
from cvxrelu.generation.outputs_sliding import slide_outputs
from cvxrelu.generation.sliding import merged
from cvxrelu.generation.state import GenerationRound
from cvxrelu.numerics.activation import leaky_relu
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.pricing import Priced
from cvxrelu.problem.network import Network
from cvxrelu.runtime.endings import Cause

__all__ = ["OutputsDescent", "is_descended"]

Array = NDArray[np.float64]

# Entries of the predictions from which on neurons slide even where sweeps tell what is missing: in the plane with K = 3
# it takes as long at N = 100, and a third to a fifteenth of the time at N = 400.
MANY_ENTRIES = 400
# Random neurons that slide first, and what they cost together, in coordinates of order one; most steps of sliding, of
# which digits of ten classes take some thousand.
WIDE, SMALL, STEPS = 100, 1e-1, 2000
# Unknowns up to which output weights are found by the interior-point method, unless a rough network will do. Of random
# neurons it would leave few before they have spread: 600 samples of four classes in six dimensions then end 1.5 %
# higher in the mean, after twice the time.
MOST_UNKNOWNS = 400
# The same up to which the interior-point master follows, where something is to be proven and no sweep prices.
MOST_FOLLOWED = 600
# Random starts of the ascent; the most neurons that join; rounds after which nothing more is expected.
STARTS, MOST_NEW, MOST_ROUNDS = 32, 40, 40
# Share of the gap to reach that a round has to save of the objective for another one; and the least gap that it goes
# for where the interior-point master follows, which gets further in less time: rounds that save a millionth each would
# go on until there are a thousand neurons.
SAVING, FOLLOWED_GAP = 0.5, 1e-4
# New neurons score more than the bound by this share of the largest excess.
WORTHWHILE = 0.1
# Angles at which neurons become one in the end, the first that raises the objective by no more than this share of the
# gap to reach. Random neurons that slide to one place do not quite meet: a tenth to a half of them do as well.
ANGLES, RAISED = (0.3, 0.2, 0.1, 0.03), 0.1
# Shares of the cost that new neurons try to begin with.
BEGINNINGS = (1e-1, 1e-2, 1e-3, 1e-4)


def is_descended(oracle: Oracle) -> bool:
    """Tell whether the loss has a gradient, and samples are many or no sweep tells at once what is missing."""
    standard = oracle.standard
    wanted = standard.no_dual.size > MANY_ENTRIES or not oracle.pricer.sweeps
    return standard.loss.regularised and standard.loss.smooth and wanted


@dataclass(frozen=True, eq=False)
class DescentState:
    """A network in scaled coordinates, and what is known.

    Attributes
    ----------
    inner : Network
        The network, in scaled coordinates.
    best : DualBound
        The bound that was searched.
    rounds : int
        Rounds until now.
    round : GenerationRound or None
        What a caller sees.
    ended : bool
        Whether another round is of no use, or not allowed.
    random : bool
        Whether the neurons are the first, random ones.
    """

    inner: Network
    best: DualBound
    rounds: int
    round: GenerationRound | None = None
    ended: bool = False
    random: bool = False


@dataclass(frozen=True, eq=False)
class OutputsDescent:
    """The master of several outputs that comes first, and alone where nothing is to be proven."""

    oracle: Oracle

    def begin(self, start: Network | None, rounds: int) -> DescentState:
        """Return the network to begin with: the one given, or random neurons."""
        oracle = self.oracle
        inner = self._wide() if start is None else oracle.enter(start)
        return DescentState(inner, nothing_proven(oracle.problem), rounds, random=start is None)

    def step(self, state: DescentState) -> DescentState:
        """Let the neurons slide, then look for those that are missing, and let them join."""
        oracle, problem, options = self.oracle, self.oracle.problem, self.oracle.options
        gap = self._gap(state.inner)
        rough = gap >= ROUGH
        inner = self._slid(state.inner, gap, chosen=not state.random and not rough)
        network = oracle.scaling.restore(inner)
        upper, before = problem.objective(network), np.inf if state.round is None else state.round.upper
        if upper > before and state.round is not None:
            network, upper = state.round.network, before
            inner = oracle.enter(network)
        dual, rounds = oracle.as_dual(self._force(inner)), state.rounds + 1
        limit, priced = rounds == options.max_rounds, None
        settled = upper > before * (1 - SAVING * gap) or rounds == MOST_ROUNDS
        if not (limit or settled):
            priced = self._priced(dual, network, rough)
            settled = not oracle.clock.expired and oracle.excess(priced) <= oracle.tolerance
        late = oracle.clock.expired and not settled
        ended, best, cause = (
            limit or settled or late,
            state.best,
            Cause.of_proof(oracle.clock.limited and options.prove),
        )
        if ended and not (rough or oracle.clock.expired):
            # No round may end higher than the one before, or that one's network would be taken instead.
            fewer = self._fewer(inner, min(upper * (1 + RAISED * oracle.gap_at(upper)), before))
            if fewer is not None:
                inner, network = fewer, oracle.scaling.restore(fewer)
                upper, dual = problem.objective(network), oracle.as_dual(self._force(inner))
        if ended and options.prove:
            best = oracle.search(dual, 1.0)
            proven = best.lower >= upper * (1 - options.tol)
            cause = Cause.ROUNDING if proven else cause
        cause = Cause.ROUNDS if limit else Cause.TIME if late else cause
        known = GenerationRound(network, upper, best, network.n_neurons, cause)
        joined = inner if ended else self._joined(inner, priced)
        return replace(state, inner=joined, best=best, rounds=rounds, round=known, ended=ended, random=False)

    def has_ended(self, state: DescentState) -> bool:
        """Tell whether another round is of no use, or not allowed."""
        return state.ended

    def is_last(self, state: DescentState) -> bool:
        """Tell whether the interior-point master has nothing left to do, or too many unknowns for it."""
        options, known = self.oracle.options, state.round
        assert known is not None, "there was a round"
        closed = known.bound.lower >= known.upper * (1 - options.tol)
        late = self.oracle.clock.expired or state.rounds == options.max_rounds
        return closed or late or not self._is_followed(state.inner)

    def _wide(self) -> Network:
        """Return small random neurons around the best network of zero cost."""
        standard, rng = self.oracle.standard, self.oracle.rng
        W = rng.standard_normal((WIDE, standard.n_features))
        b = np.zeros(WIDE)
        if standard.norm.has_bias:
            b = -np.einsum("jk,jk->j", W, standard.X[rng.integers(standard.n_samples, size=WIDE)])
        costs, v = standard.norm.neuron_costs(W, b), rng.standard_normal((WIDE, standard.n_outputs))
        v *= SMALL / WIDE / row_sizes(v)[:, None]
        first = first_network(standard)
        return replace(first, W=W / costs[:, None], b=b / costs, v=v)

    def _slid(self, inner: Network, gap: float, chosen: bool) -> Network:
        """Return the network after all has moved, from the best output weights if they are to be chosen and are few."""
        oracle, standard = self.oracle, self.oracle.standard
        if chosen and 0 < inner.v.size <= MOST_UNKNOWNS:
            outputs = leaky_relu(standard.X @ inner.W.T + inner.b, inner.negative_slope)
            free = free_of(standard, inner)
            found = descend_outputs(standard, outputs, inner.v, free, 1e-6, oracle.clock)
            used = found.weights.any(axis=1)
            skip, offset = standard.free.affine(found.free)
            weighted = Network(inner.W[used], inner.b[used], found.weights[used], offset, inner.negative_slope, skip)
            inner = min((inner, weighted), key=standard.objective)
        slid = slide_outputs(standard, inner, STEPS, oracle.clock, gap)
        return min((merged(standard, slid), slid, inner), key=standard.objective)

    def _fewer(self, inner: Network, most: float) -> Network | None:
        """Return the network after neurons near each other have become one and slid, if its objective is at most so."""
        oracle, standard, gap = self.oracle, self.oracle.standard, self._gap(inner)
        for angle in ANGLES:
            fewer = merged(standard, inner, angle)
            if fewer.n_neurons < inner.n_neurons:
                fewer = slide_outputs(standard, fewer, STEPS, oracle.clock, gap)
                if oracle.problem.objective(oracle.scaling.restore(fewer)) <= most:
                    return fewer
        return None

    def _is_followed(self, inner: Network) -> bool:
        """Tell whether the interior-point master comes next: something is to be proven, and unknowns are few enough."""
        oracle = self.oracle
        return oracle.options.prove and (inner.v.size <= MOST_FOLLOWED or oracle.pricer.sweeps)

    def _gap(self, inner: Network) -> float:
        """Return the relative gap that rounds go for."""
        tol = self.oracle.gap_at(self.oracle.problem.objective(self.oracle.scaling.restore(inner)))
        return max(tol, FOLLOWED_GAP) if self._is_followed(inner) else tol

    def _force(self, inner: Network) -> Array:
        standard = self.oracle.standard
        force = standard.loss.force(inner(standard.X), standard.y)
        assert force is not None, "the loss has a gradient"
        return force

    def _priced(self, dual: Array, network: Network, rough: bool) -> Priced | None:
        oracle = self.oracle
        if not dual.any() or oracle.clock.expired:
            return None
        starts = np.column_stack([network.W, network.b])
        options = {"starts": starts, "random_state": oracle.rng, "time_limit": oracle.clock.left}
        look = oracle.pricer.scout if rough else oracle.pricer.ascend
        return look(dual, n_starts=STARTS, **options)

    def _joined(self, inner: Network, priced: Priced | None) -> Network:
        """Return the network with neurons that score more than the bound, so small that the objective falls."""
        oracle, standard = self.oracle, self.oracle.standard
        if priced is None:
            return inner
        excess = max(oracle.excess(priced), 0.0)
        new = np.flatnonzero(priced.scores > oracle.bound * (1 + WORTHWHILE * excess))[:MOST_NEW]
        if not len(new):
            return inner
        W, b = oracle.scaling.adopt(priced.W[new], priced.b[new])
        pulls = leaky_relu(standard.X @ W.T + b, inner.negative_slope).T @ self._force(inner)
        sizes = row_sizes(pulls)[:, None]
        directions = pulls / np.where(sizes > 0, sizes, 1.0)
        cost = max(float(row_sizes(inner.v).sum()), 1.0)
        trials = [
            replace(
                inner,
                W=np.vstack([inner.W, W]),
                b=np.append(inner.b, b),
                v=np.vstack([inner.v, share * cost / len(new) * directions]),
            )
            for share in BEGINNINGS
        ]
        return min(trials, key=standard.objective)
