r"""The relaxation of several outputs: one program over moments of neurons and of their directions.

Let u range over unit neurons and q over unit vectors of R^K, with moments of a measure on both of mass s

    [[S, C], [C', Y]] PSD,   trace S_w <= s,   trace Y <= s,   and for a free bias   S_bb <= trace S_w,

and h_i the integral of abs(t_i) q. Predictions are P_i = (1 + a)/2 C'z_i + (1 - a)/2 h_i + c, and A x_i more with a
skip connection, where the place i is in the set if and only if, for T_i = z_i'S z_i,

    [[T_i, h_i'], [h_i, Y]] PSD,      and for pairs, e = z_i - z_k,   [[e'S e, (h_i - h_k)'], [., Y]] PSD,

since abs(abs(t_i) - abs(t_k)) <= abs(e.u). So min loss(P, Y) + alpha s is a lower bound on the optimum of every width.
It is not trusted: its dual matrix and multipliers prove what `cvxrelu.certificate.norm_multipliers` makes of them. The
pairs that are most violated join from round to round. Where the loss is of labels, rows of V sum to zero, and K - 1
directions do.
"""

import logging
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from cvxrelu.certificate.bounds import DualBound, nothing_proven
from cvxrelu.certificate.by_multipliers import bound_by, settled_for
from cvxrelu.pricing.points import Points
from cvxrelu.problem.problem import Problem
from cvxrelu.relaxation.moments import MomentProgram, Moments
from cvxrelu.relaxation.rounds import RelaxedRound
from cvxrelu.runtime.clock import Clock

__all__ = ["can_relax_outputs", "relaxed_outputs"]

Array = NDArray[np.float64]
Pairs = NDArray[np.intp]

logger = logging.getLogger(__name__)

# Nearest neighbours of each place that are pairs from the start, and how many join in a round, for every place.
NEIGHBOURS, JOINING = 2, 1.0
# Rounds, and share of the gap that a round has to close for another one.
MOST_ROUNDS, PAYING = 12, 0.02
# Numbers of the cones of a program, and side of the matrix, up to which one is solved.
MOST_NUMBERS, MOST_SIDE = 60_000, 80
# A round that would take longer than is left is not begun.
HURRY = 1.5


def can_relax_outputs(problem: Problem) -> bool:
    """Tell whether the relaxation applies: losses with a gradient, of sizes that a program is solved for."""
    side = problem.n_features + 1 + problem.n_outputs
    numbers = (NEIGHBOURS + 1) * problem.n_samples * (problem.n_outputs + 1) * (problem.n_outputs + 2) // 2
    return (
        problem.several
        and problem.loss.name in ("squared", "softmax")
        and side <= MOST_SIDE
        and numbers <= MOST_NUMBERS
    )


def relaxed_outputs(problem: Problem, clock: Clock, target: float) -> Iterator[RelaxedRound]:
    """Yield rounds of the relaxation until time is up, the bound reaches the target, or a round does not pay.

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
    pairs, best, work = _neighbours(points), nothing_proven(problem), 0.0
    for _ in range(MOST_ROUNDS):
        began = clock.elapsed
        found = program.solve(pairs, clock)
        if found is None:
            logger.info("the relaxation of several outputs was not solved with %d pairs", len(pairs))
            return
        bound = _proven(problem, points, found)
        gained, best = bound.lower - best.lower, max(best, bound, key=lambda known: known.lower)
        work += 1e10
        yield RelaxedRound(best, 1, len(pairs), work)
        more = _violated(points, found, pairs)
        late = clock.limited and HURRY * (clock.elapsed - began) > clock.left
        if best.lower >= target or gained <= PAYING * (target - best.lower) or not len(more) or late:
            return
        pairs = np.vstack([pairs, more])


def _proven(problem: Problem, points: Points, found: Moments) -> DualBound:
    """Return what the dual matrix of a program proves, with its multipliers."""
    dual, size = problem.repair(found.dual), float(np.linalg.norm(found.dual))
    if not dual.any():
        return nothing_proven(problem)
    # Places of the program are in the units of the points, and so are the multipliers.
    factor = float(np.linalg.norm(points.weigh(dual).original)) / size
    return bound_by(problem, dual, settled_for(problem, dual, found.multipliers.times(factor)))


def _neighbours(points: Points) -> Pairs:
    """Return the pairs of nearest places, each once."""
    n = len(points.Z)
    if n < 2:
        return np.empty((0, 2), dtype=np.intp)
    near = np.atleast_2d(KDTree(points.Z).query(points.Z, min(NEIGHBOURS + 1, n))[1])[:, 1:]
    ends = np.column_stack([np.repeat(np.arange(n), near.shape[1]), near.ravel()])
    return np.unique(np.sort(ends, axis=1), axis=0).astype(np.intp)


def _violated(points: Points, found: Moments, pairs: Pairs) -> Pairs:
    """Return the pairs that a solution violates most."""
    Z, n = points.lifted, len(points.Z)
    inverse = np.linalg.pinv(found.Y, rcond=1e-8)
    heights = found.H @ inverse @ found.H.T
    apart = np.diag(heights)[:, None] + np.diag(heights) - 2 * heights
    moments = Z @ found.S @ Z.T
    reach = np.diag(moments)[:, None] + np.diag(moments) - 2 * moments
    excess = np.triu(apart - reach, 1)
    excess[pairs[:, 0], pairs[:, 1]] = 0.0
    order = np.argsort(-excess, axis=None)[: max(1, round(JOINING * n))]
    rows, columns = np.unravel_index(order, excess.shape)
    worth = excess[rows, columns] > 1e-9 * max(float(np.abs(reach).max()), 1e-300)
    return np.column_stack([rows[worth], columns[worth]]).astype(np.intp)
