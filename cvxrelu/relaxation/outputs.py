r"""The relaxation of several outputs: one program over moments of neurons and of their directions.

Let u range over unit neurons and q over unit vectors of R^K, with moments of a measure on both of mass s

    [[S, C], [C', Y]] PSD,   trace S_w <= s,   trace Y <= s,   and for a free bias   S_bb <= trace S_w,

and h_i the integral of abs(t_i) q. Predictions are P_i = (1 + a)/2 C'z_i + (1 - a)/2 h_i + c, and A x_i more with a
skip connection, where the place i is in the set if and only if, for T_i = z_i'S z_i,

    [[T_i, h_i'], [h_i, Y]] PSD,      and for pairs, e = z_i - z_k,   [[e'S e, (h_i - h_k)'], [., Y]] PSD,

since abs(abs(t_i) - abs(t_k)) <= abs(e.u). So min loss(P, Y) + alpha s is a lower bound on the optimum of every width.
It is not trusted: its dual matrix and multipliers prove what `cvxrelu.certificate.norm_multipliers` makes of them. The
pairs that are most violated join from round to round, and those not needed leave. Where that does not pay, all pairs
(u, q) are divided into regions, each with its own moments, in which signs are known (`moment_blocks`). Where the loss
is of labels, rows of V sum to zero, and K - 1 directions do.
"""

import logging
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, nothing_proven
from cvxrelu.certificate.by_multipliers import bound_by
from cvxrelu.certificate.norm_multipliers import bound_region, settled_numbers
from cvxrelu.certificate.norm_trees import Known, NormTree, norm_leaves
from cvxrelu.errors import SolverError
from cvxrelu.pricing.points import Points
from cvxrelu.problem.problem import Problem
from cvxrelu.relaxation.moment_blocks import MomentBlock
from cvxrelu.relaxation.moment_losses import MOMENT_LOSSES
from cvxrelu.relaxation.moments import MomentProgram, Solution
from cvxrelu.relaxation.output_regions import OutputRegion, neighbours, split_region, violated_pairs
from cvxrelu.relaxation.rounds import RelaxedRound
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.worker import Worker, is_portable

__all__ = ["can_relax_outputs", "relaxed_outputs"]

Array = NDArray[np.float64]

logger = logging.getLogger(__name__)

# Nearest neighbours of each place that are pairs from the start.
NEIGHBOURS = 2
# Rounds, and share of the gap that a round has to close for another one of its kind.
MOST_ROUNDS, PAYING = 60, 0.05
# Numbers of the cones of the first program, cones of any one, and side of the matrix, up to which one is solved.
MOST_NUMBERS, MOST_CONES, MOST_SIDE = 60_000, 10_000, 80
# Places times the square of the matrix's side beyond which the solver's set-up may take seconds, in which nothing stops
# it: another process does it, which can be killed.
LARGE_PROGRAM = 150_000
# Work of as many cones as there are places (guessed), of the multiplications that `rule` allows.
WORK_OF_CONES = 3e9
# A round that would take longer than is left is not begun.
HURRY = 1.3
# A region is left out if its mass is this share of all, and its multipliers prove less than the largest bound by that.
EMPTY, CLEAR = 1e-2, 5e-3
# Share by which multipliers prove less than they should, from which on a region is priced by itself.
INACCURATE = 1e-3
# Share of the regions with mass that are split in a round, those with most mass first.
SPLIT_SHARE = 0.6


def can_relax_outputs(problem: Problem) -> bool:
    """Tell whether the relaxation applies: to sizes that a program is solved for."""
    side = problem.n_features + 1 + problem.n_outputs
    numbers = (NEIGHBOURS + 1) * problem.n_samples * (problem.n_outputs + 1) * (problem.n_outputs + 2) // 2
    return problem.several and problem.loss.name in MOMENT_LOSSES and side <= MOST_SIDE and numbers <= MOST_NUMBERS


def relaxed_outputs(problem: Problem, clock: Clock, target: float) -> Iterator[RelaxedRound]:
    """Yield rounds of the relaxation until time is up, the bound reaches the target, or nothing can be added.

    Parameters
    ----------
    problem : Problem
        A problem of several outputs that can be relaxed.
    clock : Clock
        Time to take.
    target : float
        A lower bound that is enough.
    """
    points = Points.prepare(problem.X, problem.bias, problem.negative_slope)
    program = MomentProgram.of(problem, points)
    root = OutputRegion(program.block(Known.nothing(), neighbours(points.Z, NEIGHBOURS)))
    best, work, splits, pace = nothing_proven(problem), 0.0, False, 0.0
    with Worker() as worker:
        for _ in range(MOST_ROUNDS):
            began, active = clock.elapsed, [region for region in root.leaves() if region.open]
            cones = sum(region.block.n_cones for region in active)
            if (pace and clock.limited and HURRY * pace * cones > clock.left) or cones > MOST_CONES:
                logger.info("relaxation of several outputs: no time for a program on %d regions", len(active))
                return
            found = _solved(program, [region.block for region in active], clock, worker)
            if found is None:
                logger.info("the relaxation of several outputs was not solved with %d regions", len(active))
                return
            for region, moments in zip(active, found.moments, strict=True):
                region.found = moments
            bound, betas = _proven(program, root, found.dual, clock)
            gained, best = bound.lower - best.lower, max(best, bound, key=lambda known: known.lower)
            work, pace = work + WORK_OF_CONES * cones / len(points.Z), (clock.elapsed - began) / max(cones, 1)
            pairs = sum(len(region.block.pairs) for region in active)
            logger.info("relaxation: %d regions, %d pairs, lower bound %.8g", len(active), pairs, best.lower)
            yield RelaxedRound(best, len(active), pairs, work)
            if clock.expired or best.lower >= target:
                return
            if gained < PAYING * (target - best.lower + gained):
                splits = not splits
            back = _sort_out(root, betas)
            regions = _with_mass(root)
            done = sum(region.with_pairs(violated_pairs(region)) for region in regions) > 0
            if splits or not done:
                weights, most = points.weigh(problem.repair(found.dual)).v, max(2, round(SPLIT_SHARE * len(regions)))
                divided = (region for region in regions if split_region(region, weights))
                done = bool(list(islice(divided, most))) or done
            if not done and not back:
                return


def _solved(program: MomentProgram, blocks: list[MomentBlock], clock: Clock, worker: Worker) -> Solution | None:
    """Solve with these regions, in another process if that is large; None if it fails or takes too long."""
    problem = program.problem
    large = len(program.points.Z) * (problem.n_features + 1 + problem.n_outputs) ** 2 > LARGE_PROGRAM
    if not large or not is_portable(problem):
        return program.solve(blocks, clock)
    try:
        return worker.call(clock, program.solve, blocks, clock)
    except (TimeoutError, SolverError):
        return None


def _proven(
    program: MomentProgram, root: OutputRegion, dual: Array, clock: Clock
) -> tuple[DualBound, dict[int, float]]:
    """Return what a dual matrix proves by the multipliers of all regions, and what each of them proves.

    Regions get new multipliers, for it alone, where those they have prove too little: where they were left out of the
    program, or that was solved inaccurately.
    """
    problem, points = program.problem, program.points
    size, dual = float(np.linalg.norm(dual)), problem.repair(dual)
    if not dual.any():
        return nothing_proven(problem), {}
    # Places of the program are in the units of the points, and so are the multipliers.
    weights = points.weigh(dual)
    factor = float(np.linalg.norm(weights.original)) / size

    def proofs() -> tuple[NormTree, dict[int, float]]:
        tree = settled_numbers(points, weights, root.tree(factor))
        return tree, {
            id(region): bound_region(points, weights, multipliers, known)
            for region, (known, multipliers) in zip(root.leaves(), norm_leaves(tree), strict=True)
        }

    tree, betas = proofs()
    leaves, enough = list(root.leaves()), problem.score_bound * (1 + INACCURATE)
    stale = [region for region in leaves if not betas[id(region)] * 2.0**weights.exponent <= enough]
    for region in stale if len(leaves) > 1 else ():
        if not clock.expired and (priced := program.price(region.block, weights.v, clock)) is not None:
            known = region.found or priced
            region.found = known._replace(multipliers=priced.multipliers.times(1 / factor))
    if stale and len(leaves) > 1:
        tree, betas = proofs()
    return bound_by(problem, dual, tree), betas


def _sort_out(root: OutputRegion, betas: dict[int, float]) -> bool:
    """Leave regions without mass out of the program, and take those back that are needed; tell if any was."""
    leaves = list(root.leaves())
    largest = max((betas.get(id(region), 0.0) for region in leaves if region.open), default=0.0)
    total = sum(region.found.mass for region in leaves if region.open and region.found)
    back = False
    for region in leaves:
        clear = betas.get(id(region), np.inf) < (1 - CLEAR * region.open) * largest
        small = not region.open or (region.found is not None and region.found.mass < EMPTY * total)
        back = back or not (region.open or clear)
        region.open = not (clear and small)
    return back


def _with_mass(root: OutputRegion) -> list[OutputRegion]:
    """Return the open regions with mass, those with most mass first."""
    masses = [(region.found.mass, region) for region in root.leaves() if region.open and region.found]
    masses.sort(key=lambda item: -item[0])
    total = sum(mass for mass, _ in masses)
    return [region for mass, region in masses if mass > EMPTY * total]
