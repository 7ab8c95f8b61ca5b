r"""Coordinates in which a problem is well conditioned, and the way back.

A group u = [w, b] acts on the lifted rows [x_i, 1]. Any invertible T gives the same program in other coordinates:

    [x_i, 1] u = ([x_i, 1] T) u',   u = T u',   cost = norm(M u) = norm((M T) u'),

so centring and scaling X is exact for every cost. Targets are centred where the output constant is free, and scaled
where the loss is homogeneous: f = t f' + m. Nothing here changes an optimum; it spares the solver data far from
the origin and units of 1e-6 or 1e6.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem import Problem

__all__ = ["Scaling"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scaling:
    """A problem in scaled coordinates.

    Attributes
    ----------
    lifted : (N, D) array
        The lifted rows times T.
    y : (N,) array
        The scaled targets.
    transform : (D, D) array
        T.
    group_matrix : (r, D) array
        M T, normalised to spectral norm one.
    alpha : float
        Weight of the scaled cost against the scaled loss; 1.0 if the loss is a constraint.
    y_center, y_scale : float
        m and t of f = t f' + m.
    objective_scale : float
        Objective of the problem per unit of scaled objective.
    gradient_scale : float
        Gradient of the loss in the predictions per unit of its scaled gradient.
    """

    lifted: Array
    y: Array
    transform: Array
    group_matrix: Array
    alpha: float
    y_center: float
    y_scale: float
    objective_scale: float
    gradient_scale: float

    @classmethod
    def of(cls, problem: Problem) -> "Scaling":
        """Return the scaling of a problem: columns of X of mean zero (with bias) and overall root mean square one."""
        X, y, norm, loss = problem.X, problem.y, problem.norm, problem.loss
        center = X.mean(axis=0) if norm.has_bias else np.zeros(problem.n_features)
        centered = X - center
        scale = _root_mean_square(centered)
        transform = np.eye(problem.n_features + norm.has_bias)
        transform[: problem.n_features, : problem.n_features] /= scale
        lifted = centered / scale
        if norm.has_bias:
            transform[-1, :-1] = -center / scale
            lifted = np.column_stack([lifted, np.ones(problem.n_samples)])

        y_center = float(y.mean()) if norm.has_free_constant and loss.degree is not None else 0.0
        y_scale = _root_mean_square(y - y_center) if loss.degree is not None else 1.0
        group_matrix = norm.group_matrix(problem.n_features) @ transform
        unit_cost = float(np.linalg.norm(group_matrix, 2)) * y_scale
        loss_scale = y_scale**loss.degree if loss.degree is not None else 1.0
        alpha = 1.0 if problem.alpha is None else problem.alpha * unit_cost / loss_scale
        return cls(
            lifted=lifted,
            y=(y - y_center) / y_scale,
            transform=transform,
            group_matrix=group_matrix * (y_scale / unit_cost),
            alpha=alpha,
            y_center=y_center,
            y_scale=y_scale,
            objective_scale=unit_cost if problem.alpha is None else loss_scale,
            gradient_scale=loss_scale / y_scale,
        )


def _root_mean_square(values: Array) -> float:
    """Return the root mean square, or 1.0 if all values vanish."""
    largest = np.max(np.abs(values))
    return float(largest * np.sqrt(np.mean((values / largest) ** 2))) if largest > 0 else 1.0
