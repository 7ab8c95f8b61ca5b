r"""The relaxed program: the best moments, and with them a dual vector that is chosen for the bound.

    min  sum_i loss(f_i, y_i) + B sum_r s_r     f = c + sum_r (outputs of block r),   B = N alpha, or 1 for a constraint

over the moments of all blocks (`cvxrelu.relaxation.blocks`). It contains every network, so its value is at most the
optimum, and its multipliers prove that (`cvxrelu.certificate.multipliers`).

It is solved by a primal-dual interior-point method with Nesterov-Todd scaling (Vandenberghe, "The CVXOPT linear and
quadratic cone program solvers", 2010), step by step in `steps`. Nothing is stored but what the structure leaves: the
small cones of samples and cuts are eliminated by hand, so that a step costs J n^2 for J cones and
n = (D + 1)(D + 2) / 2 + N, and cuts may be thousands. Where a Newton matrix is singular up to rounding, or no step is
possible, what was reached is returned: the bound is proved from it afterwards, and only looser.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.losses import Interpolation
from cvxrelu.relaxation.blocks import Block
from cvxrelu.relaxation.cones import Cone, joined
from cvxrelu.relaxation.starts import first_moments, middle
from cvxrelu.relaxation.states import Part, Residuals, State, Task, to_ends
from cvxrelu.relaxation.steps import Newton

__all__ = ["price_block", "solve_relaxed", "start_from"]

Array = NDArray[np.float64]

# Most iterations; ten to thirty are usual. Residuals may be larger than the gap by this factor.
MOST_ITERATIONS, RESIDUAL_FACTOR = 60, 10.0
# Products of slacks and multipliers that pricing starts from, next to the size of scores.
PRICE = 1e-2
# Share of the mass that slacks count as at least, for the first multipliers.
LEAST_SLACK = 0.1


def start_from(parts: list[Part], task: Task, xs: list[Array], v: Array, constant: Array, price: float) -> State:
    """Return a state to start from: given moments, strictly inside, and multipliers of about 1 / slacks.

    Parameters
    ----------
    price : float
        Products of slacks and multipliers, next to the mass of the block.
    """
    ys = [middle(part.block, x) for part, x in zip(parts, xs, strict=True)]
    slacks = [part.block.slacks(x, y) for part, x, y in zip(parts, xs, ys, strict=True)]
    first = [cone.inverse(LEAST_SLACK * x[0], price * x[0]) for cone, x in zip(slacks, xs, strict=True)]
    product = sum(cone.dot(multipliers) for cone, multipliers in zip(slacks, first, strict=True))
    mu = product / sum(part.block.degree for part in parts)
    to_low, to_high = to_ends(task, v)
    return State(list(xs), ys, joined(first), v, constant, mu / to_low, mu / to_high)


def solve_relaxed(
    parts: list[Part], task: Task, state: State, accuracy: float, expired: Callable[[], bool] = lambda: False
) -> State:
    """Return moments and multipliers whose gap is at most `accuracy` of the objective, or the best there are.

    Parameters
    ----------
    parts : list of Part
        The regions.
    task : Task
        Loss, targets and bound.
    state : State
        Where to start: strictly inside all cones.
    accuracy : float
        Relative gap to reach.
    expired : callable
        Whether time is up.
    """
    best, least, iteration = state, np.inf, 0
    for iteration in range(MOST_ITERATIONS):
        residuals = Residuals.of(parts, task, state)
        state = replace(state, gap=residuals.product / residuals.size, iterations=iteration)
        if residuals.product + residuals.cost <= least:
            best, least = state, residuals.product + residuals.cost
        settled = residuals.cost <= RESIDUAL_FACTOR * accuracy * residuals.size
        if (state.gap <= accuracy and settled) or expired():
            break
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # of what breaks down with the next factors
                after = Newton.of(parts, task, state, residuals).step()
        except np.linalg.LinAlgError:
            break
        if after is state:
            break
        state = after
    return replace(best, iterations=iteration)


def price_block(
    block: Block, v: Array, accuracy: float, expired: Callable[[], bool] = lambda: False
) -> tuple[Array, Cone]:
    """Return the moments of mass one with the largest score, v times outputs, and their multipliers.

    The constraint that the mass is one is a prediction of its own, to be interpolated; its dual is minus the score.
    """
    start = first_moments(block)
    assert start is not None, "a region in use has room"
    mass = np.zeros((1, block.size))
    mass[0, 0] = 1.0
    cost = -block.outputs.T @ v
    scale = float(np.abs(cost) @ np.abs(start))
    part, task = Part(block, mass, cost / scale), Task(Interpolation(), np.ones(1), 0.0, np.empty((1, 0)))
    state = start_from([part], task, [start], np.zeros(1), np.zeros(0), PRICE)
    state = solve_relaxed([part], task, state, accuracy, expired)
    return state.xs[0], state.multipliers.times(scale)
