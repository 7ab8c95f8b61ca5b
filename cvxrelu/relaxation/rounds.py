r"""The relaxation in rounds: solve, prove, and add cuts or split regions, the one for as long as it pays.

    relaxed program -> dual vector v, multipliers -> gamma(v) <= beta -> a lower bound, after every round

Regions are the leaves of a tree that splits all unit neurons by the signs of samples. A region without mass is left out
of the program for as long as its old multipliers prove for the new v what is needed; else it comes back.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, nothing_proven
from cvxrelu.certificate.multipliers import reach_of
from cvxrelu.errors import SolverError
from cvxrelu.pricing.points import Points
from cvxrelu.problem.problem import Problem
from cvxrelu.program.scaling import standardise
from cvxrelu.relaxation.blocks import Block
from cvxrelu.relaxation.frame import Frame
from cvxrelu.relaxation.program import price_block, solve_relaxed, start_from
from cvxrelu.relaxation.prover import Prover
from cvxrelu.relaxation.regions import CLOSED, LEAST_MASS, Region, add_cuts, sort_out, split_regions
from cvxrelu.relaxation.states import State, Task, sizes_of
from cvxrelu.runtime.clock import Clock

__all__ = [
    "RelaxedRound",
    "effort_of",
    "first_dual",
    "inside",
    "relaxed_rounds",
    "roots_of",
    "solve_regions",
]

Array = NDArray[np.float64]

logger = logging.getLogger(__name__)

# Relative accuracy of the first programs, as a share of the gap that is left, and of the last.
COARSE, SHARE_OF_GAP, FINE = 3e-3, 1e-2, 1e-7
# Mass, and products of slacks and multipliers, to start from; how far to the middle of its box a dual vector is moved.
FIRST_MASS, CENTRE, INWARDS = 0.1, 0.01, 0.1
# Mass to start from where targets have to be met, which may be far away: from too little no step is possible.
MASS_OF_CONSTRAINTS = 10.0
# Gap from which on regions are left out: before that, the next cuts may turn everything around.
MATURE = 0.1
# A round that would take longer than is left, by this factor, is not begun: cut short, it proves next to nothing.
HURRY = 1.3
# Share of the gap that a round has to close for the next one to go on in the same way.
PAYING = 0.1
# What a region takes in an iteration besides its multiplications (1.8 ms), which is nearly all where samples are few.
OVERHEAD = 1e7


@dataclass(frozen=True, eq=False)
class RelaxedRound:
    """What a round has proved.

    Attributes
    ----------
    bound : DualBound
        The best lower bound so far, with its multipliers.
    regions, cuts : int
        Regions in the program, and their cuts in all.
    work : float
        Multiplications so far, about.
    """

    bound: DualBound
    regions: int
    cuts: int
    work: float


def relaxed_rounds(problem: Problem, *, clock: Clock | None = None, target: float = np.inf) -> Iterator[RelaxedRound]:
    """Yield rounds of the relaxation until time is up, the bound reaches `target`, or nothing can be added.

    Parameters
    ----------
    problem : Problem
        A problem with the Euclidean norm.
    clock : Clock, optional
        Time to take.
    target : float
        A lower bound that is enough.

    Yields
    ------
    RelaxedRound
        The bound after each round; it never falls.
    """
    clock = clock or Clock()
    try:
        _, scaling = standardise(problem)
    except SolverError as error:
        logger.info("no relaxation: %s", error)
        return
    points = Points.prepare(problem.X, problem.bias, problem.negative_slope, problem.one_sided)
    reach = reach_of(points)
    frame = Frame.of(points, scaling, reach)
    if frame.n_places == 0:
        return
    N = problem.n_samples
    bound = N * scaling.alpha if problem.loss.regularised else 1.0
    task = Task(scaling.loss, scaling.y, bound, problem.free.basis)
    prover = Prover(problem, points, frame, scaling)

    roots = roots_of(problem, points, frame)
    if not roots:
        return
    v, constant = first_dual(task), np.zeros(problem.free.rank)
    best, step, gap = nothing_proven(problem), add_cuts, 1.0
    work, pace = 0.0, 0.0
    while True:
        began = clock.elapsed
        regions = [leaf for root in roots for leaf in root.leaves()]
        active = [region for region in regions if region.open]
        accuracy = float(np.clip(SHARE_OF_GAP * gap, FINE, COARSE))
        effort = effort_of(active)
        if clock.limited and pace * effort > clock.left / HURRY:
            logger.info("relaxation: no time for a program on %d regions", len(active))
            return
        state = solve_regions(task, active, v, constant, accuracy, lambda: clock.expired)
        v, constant = state.v, state.constant
        proven, trees, betas = prover.prove(v, roots, reach)
        largest = max((betas.get(id(region), 0.0) for region in active), default=0.0)
        stale = [r for r in regions if not r.open and betas.get(id(r), 0.0) > largest * (1 + CLOSED)]
        for region in stale:
            _, region.multipliers = price_block(region.block, v, accuracy, lambda: clock.expired)
        if stale:
            proven, trees, betas = prover.prove(v, roots, reach)
        before = best.lower
        if proven.lower > best.lower:
            best = replace(proven, multipliers=trees)
        # What a round does besides takes as long as an iteration does, and may be all that it does.
        work += state.iterations * effort + OVERHEAD * len(active)
        pace = (clock.elapsed - began) / effort
        cuts = sum(len(region.block.cuts) for region in active)
        logger.info("relaxation: %d regions, %d cuts, lower bound %.8g", len(active), cuts, best.lower)
        yield RelaxedRound(best, len(active), cuts, work)
        if clock.expired or best.lower >= target:
            return

        gap = max(1 - best.lower / target, 0.0) if np.isfinite(target) and target > 0 else COARSE / SHARE_OF_GAP
        if best.lower - before < PAYING * max(target - before, 0.0):
            step = split_regions if step is add_cuts else add_cuts
        if gap < MATURE:
            sort_out(regions, betas)
        weights = np.abs(prover.place_weights(v))
        if not step(roots, weights):
            step = split_regions if step is add_cuts else add_cuts
            # The last program may have been solved for a larger gap than there is now.
            if not step(roots, weights) and accuracy <= np.clip(SHARE_OF_GAP * gap, FINE, COARSE):
                return
        v = inside(task, v)


def roots_of(problem: Problem, points: Points, frame: Frame) -> list[Region]:
    """Return the region of all neurons for each side; none if there is no room in them."""
    mass = FIRST_MASS if problem.loss.regularised else MASS_OF_CONSTRAINTS
    roots = [Region.of(Block(frame, side, {}), mass) for side in points.sides]
    return [root for root in roots if root is not None] if None not in roots else []


def first_dual(task: Task) -> Array:
    """Return a vector in the middle of the box of the dual, or next to its only end."""
    model = task.loss.dual_model(np.zeros(len(task.y)), task.y)
    low = np.where(np.isfinite(model.lower), model.lower, np.where(np.isfinite(model.upper), model.upper - 2, 0.0))
    high = np.where(np.isfinite(model.upper), model.upper, np.where(np.isfinite(model.lower), model.lower + 2, 0.0))
    return (low + high) / 2


def inside(task: Task, v: Array) -> Array:
    """Return a dual vector moved a little to the middle of its box."""
    return v + INWARDS * (first_dual(task) - v)


def effort_of(regions: list[Region]) -> float:
    """Return the multiplications of an iteration on some regions, about, with what else it does counted as such."""
    return float(sum(region.block.size**2 * region.block.degree + OVERHEAD for region in regions))


def solve_regions(
    task: Task, regions: list[Region], v: Array, constant: Array, accuracy: float, expired: Callable[[], bool]
) -> State:
    """Solve the program on some regions, which keep their moments and multipliers."""
    # All regions start with some mass: next to nothing is next to the boundary.
    enough = LEAST_MASS * sum(region.x[0] for region in regions)
    xs = [region.x * max(1.0, enough / region.x[0]) for region in regions]
    parts = [task.part(region.block) for region in regions]
    state = start_from(parts, task, xs, v, constant, CENTRE * task.bound)
    state = solve_relaxed(parts, task, state, accuracy, expired)
    for region, x, multipliers in zip(regions, state.xs, state.multipliers.split(sizes_of(parts)), strict=True):
        region.x, region.multipliers = x, multipliers
    return state
