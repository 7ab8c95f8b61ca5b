r"""Hinges within rounding of a data point are put exactly on it, with the predictions kept or put right.

min over changes of the groups:  sum_i (change of the prediction at x_i - misfit_i)^2 + HINGE_WEIGHT^2 * sum over
hinges near points of (z_i.(u + change))^2,   and of these the smallest change
"""

from typing import Any

import numpy as np
import scipy.linalg

from cvxrelu.numerics.activation import activation_slopes
from cvxrelu.numerics.lengths import lengths
from cvxrelu.problem.problem import Problem
from cvxrelu.program.cells import flat_cells
from cvxrelu.program.groups import Groups
from cvxrelu.program.scaling import Scaling
from cvxrelu.runtime.clock import Clock

__all__ = ["polish"]

# Weight of hinges on points against the predictions, where they contradict each other by rounding: the cost may jump at
# a hinge.
HINGE_WEIGHT = 1e4
# Multiplications of a least-squares problem (m n min(m, n)) that a second is ample for; it cannot be stopped. Measured:
# 1.3e9 on a core that has nothing else to do.
POLISHED_PER_SECOND = 5e8


def polish(problem: Problem, scaling: Scaling, groups: Groups, snap: float, clock: Clock) -> Groups | None:
    """Put hinges within `snap` of a data point on it and, for an interpolant, remove the misfit; None without time."""
    lifted = scaling.lifted
    count, size = groups.vectors.shape
    weights = groups.signs[:, None] * activation_slopes(groups.patterns, problem.negative_slope)
    preactivations = groups.vectors @ lifted.T
    scale = lengths(groups.vectors)[:, None] * lengths(lifted)
    flat = flat_cells(problem, groups.patterns)
    # Where a point is beyond the hinge for its cell, by the solver's accuracy, the hinge is meant to be on it.
    beyond = (preactivations != 0) & (groups.patterns == (preactivations < 0))
    close = (np.abs(preactivations) <= snap * scale) | beyond
    group, sample = np.nonzero(close & (scale > 0) & ~flat[:, None])
    rows, columns = len(group) + len(lifted), count * size
    if rows * columns * min(rows, columns) > POLISHED_PER_SECOND * clock.left:
        return None

    on_hinge = np.zeros((len(group), count, size))
    on_hinge[np.arange(len(group)), group] = lifted[sample]
    outputs = (weights.T[:, :, None] * lifted[:, None, :]).reshape(len(lifted), count * size)
    predictions = groups.predictions(problem, scaling)
    misfit = scaling.loss.aim(predictions, scaling.y) - predictions
    matrix = np.vstack([HINGE_WEIGHT * on_hinge.reshape(len(group), count * size), outputs])
    # Flat groups have no bias of their own: theirs stays zero.
    matrix[:, np.flatnonzero(flat) * size + size - 1] = 0.0
    free = problem.free.basis
    matrix = np.hstack([matrix, np.vstack([np.zeros((len(group), free.shape[1])), free])])
    target = np.concatenate([-HINGE_WEIGHT * preactivations[group, sample], misfit])
    solution: Any = scipy.linalg.lstsq(matrix, target, lapack_driver="gelsy")
    change = solution[0]
    constant, linear = problem.free.split(change[count * size :])
    return Groups(
        groups.signs,
        groups.patterns,
        groups.vectors + change[: count * size].reshape(count, size),
        groups.constant + constant,
        groups.linear + linear,
    )
