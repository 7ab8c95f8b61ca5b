r"""The relaxation of many samples, by shares of them whose proofs are put together.

    min  (1/N) sum_i loss_i + alpha cost   >=   sum_k min (1/N) sum over share k of loss_i + alpha (N_k / N) cost

since the network of the left side is one of those that every share may choose for itself. A program of N samples takes
N^3 operations, and its shares N in all. They lose what a network of some hundred samples fits better than one of all,
which is little next to what the relaxation loses.

A share has a dual vector v_k with gamma(v_k) <= B N_k / N, so that one of all samples is put together from theirs,
gamma(v) <= sum_k gamma(v_k) <= B; and so are the multipliers (`together`), for all bound scores of the same neurons.
What comes out is an ordinary proof of the problem. Shares are random, so that each is like the whole, and get cuts;
their regions could not be put together.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from joblib import delayed, effective_n_jobs
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import nothing_proven
from cvxrelu.certificate.multipliers import reach_of
from cvxrelu.certificate.trees import Tree, together
from cvxrelu.errors import SolverError
from cvxrelu.pricing.points import Points
from cvxrelu.problem.free import Free
from cvxrelu.problem.problem import Problem
from cvxrelu.program.scaling import Scaling, standardise
from cvxrelu.relaxation.frame import Frame
from cvxrelu.relaxation.prover import Prover, prove_trees
from cvxrelu.relaxation.regions import Region, add_cuts
from cvxrelu.relaxation.rounds import (
    COARSE,
    FINE,
    HURRY,
    PAYING,
    SHARE_OF_GAP,
    RelaxedRound,
    effort_of,
    first_dual,
    inside,
    roots_of,
    solve_regions,
)
from cvxrelu.relaxation.states import Task
from cvxrelu.runtime.blas import one_blas_thread
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.parallel import results_of

__all__ = ["SHARE", "relaxed_shares"]

Array = NDArray[np.float64]

logger = logging.getLogger(__name__)

# Places of a share: a program of them takes half a second to two.
SHARE = 500
# What new cuts make of a round's work, about (measured once, for the first cuts).
GROWN = 1.5
# Iterations of a program at least, and multiplications a second at most (7e10 were measured): what cannot end in time
# with these is not begun.
FEWEST_ITERATIONS, FASTEST = 10, 2e11


@dataclass(eq=False)
class Share:
    """Some of the samples: their program, its regions, and the dual vector that it has come to.

    Attributes
    ----------
    rows : (N_k,) int array
        The samples.
    task : Task
        What is fitted, in the scaled units of the problem.
    roots : list of Region
        All neurons, for each side.
    prover : Prover
        Makes multipliers of the places of the problem.
    v, constant : (N_k,), (r,) arrays
        The dual vector, and the coefficients of what is free.
    """

    rows: NDArray[np.intp]
    task: Task
    roots: list[Region]
    prover: Prover
    v: Array
    constant: Array

    @property
    def effort(self) -> float:
        """Multiplications of an iteration, about."""
        return effort_of(self.roots)

    def solve(self, accuracy: float, clock: Clock) -> float:
        """Solve the program, from where it is, and return the multiplications that it took, about."""
        state = solve_regions(self.task, self.roots, self.v, self.constant, accuracy, lambda: clock.expired)
        self.v, self.constant = state.v, state.constant
        return state.iterations * self.effort

    def refine(self) -> bool:
        """Add cuts; tell if there were any."""
        added = add_cuts(self.roots, np.abs(self.prover.place_weights(self.v)))
        self.v = inside(self.task, self.v)
        return added

    def go_on(self, accuracy: float, clock: Clock, refined: bool) -> "tuple[Share, bool, float]":
        """Add cuts if it is to be refined, and solve; return the share, whether there were any, and the work.

        A worker that is another process has a copy.
        """
        with one_blas_thread():
            added = refined and self.refine()
            return self, added, self.solve(accuracy, clock)


def relaxed_shares(
    problem: Problem, clock: Clock, target: float, most_work: float, n_jobs: int = 1
) -> Iterator[RelaxedRound]:
    """Yield rounds of the relaxation of shares until time is up, the bound reaches `target`, or cuts do not pay.

    Parameters
    ----------
    problem : Problem
        A problem with the Euclidean norm.
    clock : Clock
        Time to take.
    target : float
        A lower bound that is enough.
    most_work : float
        Multiplications, about, which a first round is not to exceed.
    n_jobs : int, default 1
        Workers of joblib for the shares, processes unless it is told otherwise.

    Yields
    ------
    RelaxedRound
        The bound after each round; it never falls.
    """
    try:
        _, scaling = standardise(problem)
    except SolverError as error:
        logger.info("no relaxation: %s", error)
        return
    points = Points.prepare(problem.X, problem.bias, problem.negative_slope, problem.one_sided)
    least = _least_work(points)
    if least > min(most_work, FASTEST * clock.left):
        logger.info("relaxation: no time for shares of %d places", len(points.Z))
        return
    reach, workers = reach_of(points), effective_n_jobs(n_jobs)
    shares = [share for places in _dealt(points) if (share := _share(problem, points, scaling, places, reach))]
    best, gap, work, pace, refined = nothing_proven(problem), 1.0, 0.0, 0.0, False
    while shares:
        accuracy = float(np.clip(SHARE_OF_GAP * gap, FINE, COARSE))
        effort, began = sum(share.effort for share in shares), clock.elapsed
        if clock.limited and GROWN * pace * effort > clock.left / HURRY:
            logger.info("relaxation: no time for another round of %d shares", len(shares))
            return
        tasks, more = [delayed(share.go_on)(accuracy, clock, refined) for share in shares], not refined
        for k, (share, added, taken) in enumerate(results_of(tasks, n_jobs)):
            shares[k], more, work, took = share, more or added, work + taken, clock.elapsed - began
            if pace == 0.0 and k + 1 >= workers and took / (k + 1) * len(shares) > clock.left + took:
                logger.info("relaxation: no time for %d shares", len(shares))
                return
        refined = True
        pace = (clock.elapsed - began) / effort
        v = np.zeros(problem.n_samples)
        for share in shares:
            v[share.rows] = share.v

        def grow(factor: float) -> tuple[Tree, ...]:
            """Return the multipliers of all shares, for each side."""
            sides = range(len(points.sides))
            return tuple(together(share.prover.leaf(share.roots[k], factor) for share in shares) for k in sides)

        before = best.lower
        proven, trees, _ = prove_trees(problem, points, scaling, shares[0].prover.frame.scale, v, grow, reach)
        if proven.lower > best.lower:
            best = replace(proven, multipliers=trees)
        cuts = sum(len(root.block.cuts) for share in shares for root in share.roots)
        logger.info("relaxation: %d shares, %d cuts, lower bound %.8g", len(shares), cuts, best.lower)
        yield RelaxedRound(best, len(shares) * len(points.sides), cuts, work)
        gap = max(1 - best.lower / target, 0.0) if np.isfinite(target) and target > 0 else 1.0
        paid = not np.isfinite(target) or best.lower - before >= PAYING * (target - before)
        if clock.expired or best.lower >= target or not (paid and more):
            return


def _least_work(points: Points) -> float:
    """Return the multiplications of a first round, about, of the iterations that it takes at least."""
    D = points.Z.shape[1] + (points.bias == "free")
    size = (D + 1) * (D + 2) / 2 + SHARE
    return FEWEST_ITERATIONS * len(points.sides) * 6 * len(points.Z) * size**2


def _dealt(points: Points) -> list[NDArray[np.intp]]:
    """Return the places of each share, dealt at random, the same ones every time."""
    kept = np.flatnonzero(points.norms > 0) if points.bias == "none" else np.arange(len(points.Z))
    order = np.random.default_rng(0).permutation(kept)
    return [np.sort(places) for places in np.array_split(order, max(1, round(len(kept) / SHARE)))]


def _share(problem: Problem, points: Points, scaling: Scaling, places: NDArray[np.intp], reach: Array) -> Share | None:
    """Return the share of some places; None if there is no room in its regions, or nothing in it."""
    index = np.full(len(points.Z), -1)
    index[places] = np.arange(len(places))
    rows = np.flatnonzero(index[points.place] >= 0)
    if not len(rows):
        return None
    # The neurons are those of all places: their radius stays.
    some = replace(
        points,
        X=problem.X[rows],
        place=index[points.place[rows]],
        Z=points.Z[places],
        norms=points.norms[places],
    )
    frame = Frame.of(some, scaling, reach[places])
    roots = roots_of(problem, some, frame)
    if not roots:
        return None
    bound = (problem.n_samples * scaling.alpha if problem.loss.regularised else 1.0) * len(rows) / problem.n_samples
    free = Free.of(problem.X[rows], problem.norm.has_free_constant, problem.skip)
    task = Task(scaling.loss.on_samples(rows), scaling.y[rows], bound, free.basis)
    prover = Prover(problem, points, frame, scaling, places)
    return Share(rows, task, roots, prover, first_dual(task), np.zeros(free.rank))
