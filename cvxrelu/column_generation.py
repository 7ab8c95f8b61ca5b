r"""Column generation: the global optimum from the few neurons that matter.

    restricted master over some neurons -> dual vector v -> neurons with abs(sum_i v_i sigma(w.x_i + b)) > bound -> ...

Every dual vector that is priced gives a rigorous lower bound, and every master solution a network, so the loop can stop
at any time with an honest gap. It ends when the gap is closed. Where exhaustive search is expensive (three or more
dimensions), neurons are found by local ascent first, and by exhaustive search when ascent finds nothing: only that
proves anything.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.certificate import DualBound, bound_dual
from cvxrelu.errors import SolverError
from cvxrelu.master import MasterSolution, solve_master
from cvxrelu.network import Network, leaky_relu
from cvxrelu.pricing import Pricer, make_pricer
from cvxrelu.problem import Problem
from cvxrelu.scaling import Scaling, standardise

__all__ = ["Columns", "GenerationRound", "generate"]

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
MASTER_SHARE, FINEST, COARSEST = 1e-2, 1e-9, 1e-4
# Largest misfit of an interpolant, relative to the scale of the targets, and attempts to get there.
MISFIT, CORRECTIONS = 1e-11, 3
# Output weights below this share of the largest are zeros of the interior-point method.
USED_RTOL = 1e-9
# Columns with more than this share of the largest weight are kept whatever their score.
NEEDED_RTOL = 1e-3
# Random starts of the first local ascent; those of a round are this number divided by the excess, within these limits:
# first what is found at once matters, and in the end that nothing is missed. And the most neurons in use to start from.
ASCENT_STARTS, STARTS_FACTOR, ASCENT_LIMITS = 32, 10.0, (32, 500)
WARM_STARTS = 500
# Random starts for each entry of X where an ascent has found nothing.
THOROUGH_STARTS = 2
# The exhaustive search needs to bring gamma this close to the bound, as a share of the gap to reach.
PRICING_SHARE = 0.25
# Cones that an exhaustive search looks at before it settles for the bound it has, if no deadline is given.
NODE_LIMIT = 100_000
# Rounds without any improvement after which exhaustive search is tried where ascent still finds columns, and the share
# of the time left that it gets.
STALLED, SEARCH_SHARE = 3, 0.3
# Rounds without any improvement of either bound after which rounding has the last word.
PATIENCE = 8
# Seconds that an exhaustive search gets after the deadline: without it there would be no bound at all.
LAST_BOUND_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class Columns:
    """Neurons of unit cost in scaled coordinates, with their outputs on the data.

    Attributes
    ----------
    W : (k, d) array
        Weights.
    b : (k,) array
        Biases.
    outputs : (N, k) array
        sigma(w_j . x_i + b_j).
    """

    W: Array
    b: Array
    outputs: Array

    @classmethod
    def of(cls, problem: Problem, W: Array, b: Array) -> "Columns":
        """Evaluate neurons on the data of the (scaled) problem."""
        return cls(W, b, leaky_relu(problem.X @ W.T + b, problem.negative_slope))

    def __getitem__(self, keep: NDArray[np.bool_] | slice) -> "Columns":
        return Columns(self.W[keep], self.b[keep], self.outputs[:, keep])

    def __add__(self, other: "Columns") -> "Columns":
        return Columns(
            np.vstack([self.W, other.W]),
            np.append(self.b, other.b),
            np.hstack([self.outputs, other.outputs]),
        )

    def __len__(self) -> int:
        return len(self.b)


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
    """

    network: Network
    upper: float
    bound: DualBound
    columns: int


def generate(
    problem: Problem,
    *,
    tol: float,
    deadline: float | None = None,
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
    deadline : float, optional
        Value of `time.perf_counter` after which no new round starts.
    max_rounds : int, optional
        Most rounds; as at the deadline, the last one searches for a bound.
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
    rng = np.random.default_rng(random_state)
    standard, scaling = standardise(problem)
    pricer = make_pricer(problem.X, problem.bias, problem.negative_slope)
    # On a line with free biases the hinges through the data are all that is needed, and the first columns.
    central = pricer.method != "line" or standard.loss.regularised
    ascend_first = not pricer.sweeps
    standard_limit = 1.0 if standard.alpha is None else standard.n_samples * standard.alpha
    limit = standard_limit * scaling.score_scale

    columns = _starting_columns(standard, pricer, scaling, rng)
    if start is not None:
        costs = problem.norm.neuron_costs(start.W, start.b)
        columns += Columns.of(standard, *scaling.adopt(start.W[costs > 0], start.b[costs > 0]))
    dropped = columns[:0]
    best = DualBound(np.zeros(problem.n_samples), None, 0.0, "global")
    dual, accuracy, excess = None, COARSEST, np.inf
    least, greatest, stalled, rounds = np.inf, 0.0, 0, 0
    while True:
        try:
            master = solve_master(standard, columns.outputs, accuracy, dual, central)
        except SolverError:
            # Of two hinges that are almost the same, the one that was dropped may be the one that fits.
            if not len(dropped):
                raise
            columns, dropped = columns + dropped, dropped[:0]
            continue
        dual = master.dual
        network = _network(problem, standard, scaling, columns, master)
        upper = problem.objective(network)
        v = problem.loss.repair(dual * scaling.gradient_scale, problem.y, problem.norm.has_free_constant)
        rounds += 1
        late = rounds == max_rounds or (deadline is not None and time.perf_counter() >= deadline)
        priced, proven = None, True
        if ascend_first and v.any() and not late:
            heaviest = np.argsort(-np.abs(network.v))[:WARM_STARTS]
            starts = np.column_stack([network.W, network.b])[heaviest]
            seconds = None if deadline is None else deadline - time.perf_counter()
            n_starts = int(np.clip(STARTS_FACTOR / max(excess, ROUNDING), *ASCENT_LIMITS))
            priced = pricer.ascend(v, n_starts=n_starts, starts=starts, random_state=rng, time_limit=seconds)
            if priced.value <= limit * (1 + PRICING_SHARE * tol):
                # Before a search that may take all the time that is left, look harder.
                thorough = THOROUGH_STARTS * problem.X.size
                priced = pricer.ascend(v, n_starts=thorough, starts=starts, random_state=rng, time_limit=seconds)
        done = priced is None or priced.value <= limit * (1 + PRICING_SHARE * tol)
        if (done or stalled > STALLED) and (prove or pricer.sweeps):
            # While there are columns to add, a search that proves nothing must leave time to add them.
            share = 1.0 if done else SEARCH_SHARE
            seconds = None if deadline is None else max(share * (deadline - time.perf_counter()), LAST_BOUND_SECONDS)
            search = partial(
                pricer,
                tol=PRICING_SHARE * tol,
                threshold=limit * (1 + PRICING_SHARE * tol),
                time_limit=seconds,
                node_limit=NODE_LIMIT if deadline is None else None,
            )
            bound = bound_dual(problem, v, search)
            best, priced = max(best, bound, key=lambda known: known.lower), bound.priced
            proven = priced is None or priced.complete
        yield GenerationRound(network, upper, best, len(columns))
        stalled = 0 if upper < least or best.lower > greatest else stalled + 1
        least, greatest = min(least, upper), max(greatest, best.lower)
        if late or upper * (1 - tol) <= best.lower or stalled == PATIENCE:
            return

        excess = 0.0 if priced is None else priced.value / limit - 1
        if excess <= (ROUNDING if prove else max(ROUNDING, PRICING_SHARE * tol)):
            if not proven or accuracy <= (FINEST if prove else max(FINEST, MASTER_SHARE * tol)):
                return
            accuracy = max(accuracy * MASTER_SHARE, FINEST)
            continue
        new = np.abs(priced.scores) > limit * (1 + max(WORTHWHILE * excess, ROUNDING))
        if standard.loss.regularised:
            shortfall = np.clip(DROP_FACTOR * excess, *DROP_LIMITS)
        else:
            shortfall = np.clip(CONSTRAINT_DROP_FACTOR * excess, *CONSTRAINT_DROP_LIMITS)
        weights = np.abs(master.weights)
        close = np.abs(columns.outputs.T @ dual) > (1 - shortfall) * standard_limit
        # Nothing is dropped in a round without progress: what was dropped might be what is missing.
        kept = close | (weights > NEEDED_RTOL * weights.max()) | (stalled > 0)
        dropped = columns[~kept]
        columns = columns[kept] + Columns.of(standard, *scaling.adopt(priced.W[new], priced.b[new]))
        # No progress with columns to add means that the master is not accurate enough to use them.
        accuracy *= MASTER_SHARE if stalled > 0 else 1.0
        accuracy = float(np.clip(MASTER_SHARE * excess, FINEST, np.clip(accuracy, FINEST, COARSEST)))


def _starting_columns(standard: Problem, pricer: Pricer, scaling: Scaling, rng: np.random.Generator) -> Columns:
    """Return neurons from which the master is feasible if any are, and the first local maxima of the targets."""
    if standard.loss.regularised:
        W, b = rng.standard_normal((ASCENT_STARTS, standard.n_features)), np.zeros(ASCENT_STARTS)
    elif standard.norm.has_bias:
        W, b = _staircase(standard.X, rng)
    else:
        W = _fan(standard.X, rng)
        b = np.zeros(len(W))
    costs = standard.norm.neuron_costs(W, b)
    W, b, costs = W[costs > 0], b[costs > 0], costs[costs > 0]
    start = Columns.of(standard, W / costs[:, None], b / costs)
    y = standard.loss.repair(standard.y, standard.y, standard.norm.has_free_constant)
    if not y.any():
        return start
    local = pricer.ascend(y, n_starts=ASCENT_STARTS, random_state=rng)
    return start + Columns.of(standard, *scaling.adopt(local.W, local.b))


def _staircase(X: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return both hinges at every point along one random direction, and constants: they fit whatever is consistent."""
    direction = rng.standard_normal(X.shape[1])
    heights = np.unique(X @ direction)
    W = np.repeat([direction, -direction, np.zeros_like(direction)], [len(heights), len(heights), 2], axis=0)
    return W, np.concatenate([-heights, heights, [1.0, -1.0]])


def _fan(X: Array, rng: np.random.Generator) -> Array:
    """Return neurons without bias, hinges through every point seen in one random plane, and both ways along each axis.

    Without bias a function is linear plus even; the fan bends once between neighbouring lines through the origin, so
    it takes any values on them, and the axes give the linear part.
    """
    axes = np.eye(X.shape[1])
    first, second = rng.standard_normal((2, X.shape[1]))
    across = np.outer(X @ first, second) - np.outer(X @ second, first)
    across = across[np.linalg.norm(across, axis=1) > 0]
    return np.vstack([across, -across, axes, -axes])


def _network(
    problem: Problem, standard: Problem, scaling: Scaling, columns: Columns, master: MasterSolution
) -> Network:
    """Return the network of a master solution, in the units of the problem."""
    weights = np.abs(master.weights)
    used = weights > USED_RTOL * weights.max()
    output_weights = _corrected(standard, columns.outputs[:, used], master.weights[used], master.constant)
    network = scaling.restore(
        Network(columns.W[used], columns.b[used], output_weights, master.constant, problem.negative_slope)
    )
    factor = problem.loss.feasible_factor(network(problem.X), problem.y)
    return replace(network, v=network.v * factor, intercept=network.intercept * factor)


def _corrected(standard: Problem, outputs: Array, weights: Array, constant: float) -> Array:
    """Return the output weights, changed so that the predictions are what an exact solution would predict.

    The change is the smallest relative to the weights themselves: what is almost zero stays so.
    """
    shares = weights**2
    for _ in range(CORRECTIONS):
        predictions = outputs @ weights + constant
        misfit = standard.loss.aim(predictions, standard.y) - predictions
        if np.abs(misfit).max() <= MISFIT:
            break
        gram = (outputs * shares) @ outputs.T
        solution: Any = scipy.linalg.lstsq(gram, misfit, lapack_driver="gelsy")
        weights = weights + shares * (outputs.T @ solution[0])
    return weights
