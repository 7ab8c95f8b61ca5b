"""Rounds of column generation for several outputs: the cone program of the neurons in use, and pricing of its dual.

Where sweeps price, every round proves a bound. Elsewhere local ascent looks for neurons, and only where it finds none
that is worth it are all searched, for the bound and for what ascent has missed.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, bound_dual, nothing_proven
from cvxrelu.errors import SolverError
from cvxrelu.generation.column_rounds import goes_to_worker
from cvxrelu.generation.columns import Columns, corrected, first_network, starting_columns
from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.outputs_newton import descend_outputs
from cvxrelu.generation.outputs_program import OutputsSolution, free_of, solve_outputs
from cvxrelu.generation.state import GenerationRound
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.pricing import Priced
from cvxrelu.problem.network import Network
from cvxrelu.program.free_fit import best_free_network
from cvxrelu.program.groups import made_feasible
from cvxrelu.runtime.endings import Cause
from cvxrelu.runtime.worker import Worker

__all__ = ["OutputsMaster", "OutputsState"]

Array = NDArray[np.float64]

# Rounds after which nothing more is expected, and rounds in a row without progress of either bound that end them.
MOST_ROUNDS, PATIENCE = 100, 4
# Share of the gap to reach that counts as progress.
PROGRESS = 1e-2
# Most neurons that join in a round; and neurons not in use that are kept beside them, more where
# a solver of cone programs ends less exactly.
MOST_NEW, SPARE, MANY = 40, 30, 300
# Share of the cost from which on a neuron is in use.
IN_USE = 1e-4
# New neurons score more than the bound by this share of the largest excess.
WORTHWHILE = 0.1
# Accuracy of a master with a gradient, as a share of the gap that is left, and its limits.
ACCURACY, FINEST, COARSEST = 1e-2, 1e-9, 1e-4
# Random starts of an ascent.
STARTS = 64


@dataclass(frozen=True, eq=False)
class OutputsState:
    """The neurons that the next master may use, and what is known.

    Attributes
    ----------
    columns : Columns
        The neurons, those in use first.
    solution : OutputsSolution or None
        The last solution, for the first of the neurons.
    network : Network
        The best network so far, in the units of the problem.
    upper : float
        Its objective.
    best : DualBound
        The best bound so far.
    rounds : int
        Rounds until now.
    round : GenerationRound or None
        What a caller sees.
    accuracy : float
        Share of the objective that the next master may miss.
    idle : int
        Rounds in a row without progress.
    ended : bool
        Whether another round is of no use, or not allowed.
    """

    columns: Columns
    solution: OutputsSolution | None
    network: Network | None
    upper: float
    best: DualBound
    rounds: int
    round: GenerationRound | None = None
    accuracy: float = COARSEST
    idle: int = 0
    ended: bool = False


@dataclass(frozen=True, eq=False)
class OutputsMaster:
    """The master of several outputs, a cone program; a large one is solved by the worker."""

    oracle: Oracle
    worker: Worker

    def begin(self, start: Network | None, rounds: int) -> OutputsState:
        """Return the first neurons, and those of a network if there is one."""
        oracle = self.oracle
        inner = None if start is None else oracle.enter(start)
        if inner is None or not inner.n_neurons:
            columns = starting_columns(oracle)
        else:
            columns = Columns.of(oracle.standard, inner.W, inner.b)
            if not self._descends:
                # Only the first neurons are sure to meet a constraint.
                columns = starting_columns(oracle) + columns
        columns = columns.distinct(oracle.standard.free)
        return OutputsState(columns, None, None, np.inf, nothing_proven(oracle.problem), rounds)

    def step(self, state: OutputsState) -> OutputsState:
        """Solve the master, price its dual, and let what is missing join."""
        oracle, problem, options = self.oracle, self.oracle.problem, self.oracle.options
        try:
            solution = self._solved(state)
        except TimeoutError:
            if state.round is not None:
                return replace(state, round=replace(state.round, cause=Cause.TIME), ended=True)
            network = first_network(problem)
            upper = problem.objective(network)
            known = GenerationRound(network, upper, state.best, len(state.columns), Cause.TIME)
            return replace(state, network=network, upper=upper, round=known, ended=True)
        except SolverError:
            if state.round is None:
                raise
            # New neurons may be so near to others that a solver fails; what was found before stays.
            return replace(state, round=replace(state.round, cause=Cause.SOLVER), ended=True)
        network = self._network(state.columns, solution)
        upper = problem.objective(network)
        best_network, least = (state.network, state.upper) if upper > state.upper else (network, upper)
        assert best_network is not None or not np.isfinite(upper), "the first network is the best so far"
        best_network = network if best_network is None else best_network
        dual = oracle.as_dual(solution.dual)
        priced, bound = self._priced(dual, network)
        if bound is None and oracle.excess(priced) <= oracle.tolerance and options.prove:
            bound = oracle.search(dual, 1.0)
            priced = bound.priced if bound.priced is not None and bound.priced.value > priced.value else priced
        best = state.best if bound is None or bound.lower <= state.best.lower else bound
        rounds, excess = state.rounds + 1, oracle.excess(priced)
        gained = (state.upper - least) + (best.lower - state.best.lower)
        idle = 0 if not gained <= PROGRESS * options.tol * abs(least) else state.idle + 1
        closed = best.lower >= least * (1 - options.tol)
        # A master that was not solved to the end has nothing to say of what is missing.
        nothing = not closed and excess <= oracle.tolerance and state.accuracy <= FINEST
        left = 1.0 if best.lower <= 0 else 1 - best.lower / least
        accuracy = min(max(ACCURACY * min(left, max(excess, 0.0)), FINEST), COARSEST, state.accuracy)
        limit = rounds == options.max_rounds
        ended = closed or nothing or limit or idle == PATIENCE or rounds == MOST_ROUNDS or oracle.clock.expired
        cause = Cause.ROUNDING
        if not closed:
            searched = bound is not None and bound.priced is not None and bound.priced.complete
            unproven = (nothing or idle == PATIENCE or rounds == MOST_ROUNDS) and not searched
            cause = Cause.of_proof(oracle.clock.limited and options.prove) if unproven else cause
            cause = Cause.ROUNDS if limit else Cause.TIME if oracle.clock.expired and not unproven else cause
        if ended and self._descends:
            polished = self._network(state.columns, self._polished(state.columns, solution))
            if (objective := problem.objective(polished)) < least:
                best_network, least = polished, objective
        known = GenerationRound(best_network, least, best, len(state.columns), cause)
        columns, solution = self._next(state.columns, solution, priced)
        return replace(
            state,
            columns=columns,
            solution=solution,
            network=best_network,
            upper=least,
            best=best,
            rounds=rounds,
            round=known,
            accuracy=accuracy,
            idle=idle,
            ended=ended,
        )

    def has_ended(self, state: OutputsState) -> bool:
        """Tell whether another round is of no use, or not allowed."""
        return state.ended

    def is_last(self, state: OutputsState) -> bool:
        """Tell that no other master follows."""
        return True

    def _solved(self, state: OutputsState) -> OutputsSolution:
        """Return the solution of the master on the neurons at hand; a TimeoutError says that it took too long."""
        oracle, standard, columns = self.oracle, self.oracle.standard, state.columns
        if not self._descends:
            large = goes_to_worker(standard, columns.outputs)
            given = standard, columns.outputs, oracle.options.solver, oracle.clock
            return self.worker.call(oracle.clock, solve_outputs, *given) if large else solve_outputs(*given)
        weights = np.zeros((len(columns), standard.n_outputs))
        if state.solution is None:
            free = free_of(standard, best_free_network(standard))
        else:
            weights[: len(state.solution.weights)] = state.solution.weights
            free = state.solution.free
        return descend_outputs(standard, columns.outputs, weights, free, state.accuracy, oracle.clock)

    def _polished(self, columns: Columns, solution: OutputsSolution) -> OutputsSolution:
        """Return the solution on the neurons that carry some of the cost, as exact as can be."""
        sizes = row_sizes(solution.weights)
        kept = np.flatnonzero(sizes > IN_USE * sizes.sum())
        start = solution.weights[kept], solution.free
        found = descend_outputs(self.oracle.standard, columns.outputs[:, kept], *start, FINEST, self.oracle.clock)
        weights = np.zeros_like(solution.weights)
        weights[kept] = found.weights
        return replace(found, weights=weights)

    @property
    def _descends(self) -> bool:
        """Whether the loss has a gradient, so that the master has its own method."""
        return self.oracle.standard.loss.regularised and self.oracle.standard.loss.smooth

    def _network(self, columns: Columns, solution: OutputsSolution) -> Network:
        """Return the network of a master solution, in the units of the problem."""
        used, standard = solution.weights.any(axis=1), self.oracle.standard
        weights, (skip, constants) = solution.weights[used], standard.free.affine(solution.free)
        if standard.loss.fixes_predictions:
            weights = corrected(standard, columns.outputs[:, used], weights, standard.free.basis @ solution.free)
        network = Network(columns.W[used], columns.b[used], weights, constants, standard.negative_slope, skip)
        return made_feasible(self.oracle.problem, self.oracle.scaling.restore(network))

    def _priced(self, dual: Array, network: Network) -> tuple[Priced, DualBound | None]:
        """Return what scores most, and the bound where that is known for certain."""
        oracle = self.oracle
        if oracle.pricer.sweeps:
            bound = bound_dual(oracle.problem, dual, oracle.pricer)
            # What is rounding next to what is free has no price.
            return bound.priced or _none(oracle), bound
        if not dual.any():
            return _none(oracle), None
        starts = np.column_stack([network.W, network.b])[np.argsort(-row_sizes(network.v))]
        found = oracle.pricer.ascend(
            dual, n_starts=STARTS, starts=starts, random_state=oracle.rng, time_limit=oracle.clock.left
        )
        return found, None

    def _next(self, columns: Columns, solution: OutputsSolution, priced: Priced) -> tuple[Columns, OutputsSolution]:
        """Return the neurons in use, the best others, and those that were found; and the weights of the first."""
        oracle, standard = self.oracle, self.oracle.standard
        sizes, scores = row_sizes(solution.weights), row_sizes(columns.outputs.T @ solution.dual)
        in_use = sizes > IN_USE * sizes.sum()
        spare = np.argsort(-np.where(in_use, np.inf, scores), kind="stable")
        kept = np.zeros(len(columns), dtype=bool)
        many = SPARE if self._descends else MANY
        kept[spare[: np.count_nonzero(in_use) + many]] = True
        excess = max(oracle.excess(priced), 0.0)
        new = np.flatnonzero(priced.scores > oracle.bound * (1 + WORTHWHILE * excess))[:MOST_NEW]
        found = Columns.of(standard, *oracle.scaling.adopt(priced.W[new], priced.b[new]))
        joined = (columns[kept] + found).distinct(standard.free, int(kept.sum()))
        return joined, replace(solution, weights=solution.weights[kept])


def _none(oracle: Oracle) -> Priced:
    d = oracle.problem.n_features
    return Priced(0.0, 0.0, np.empty((0, d)), np.empty(0), np.empty(0), "none", True, 0)
