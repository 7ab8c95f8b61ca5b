r"""Coordinates in which a problem is well conditioned, and the way back.

A group u = [w, b] acts on the lifted rows [x_i, 1]. Any invertible T gives the same program in other coordinates:

    [x_i, 1] u = ([x_i, 1] T) u',   u = T u',   cost = norm(M u) = norm((M T) u'),

so centring and scaling X is exact for every cost, with M the group matrix of the cell. Targets are centred where the
output constant is free, and scaled where the loss is homogeneous: f = t f' + m. Nothing here changes an optimum; it
spares the solver data far from the origin and units of 1e-6 or 1e6.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.network import Network
from cvxrelu.norms import Norm
from cvxrelu.problem import Problem

__all__ = ["Scaling", "standardise"]

Array = NDArray[np.float64]

# Targets that vary by less than this share of their size are constant up to the rounding of their mean.
CONSTANT_RTOL = 1e-14


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
    norm : Norm
        The cost of a neuron.
    cost_scale : float
        Scaled cost of a group per unit of norm(M T u'); with it, M T has spectral norm one in the cell of all signs +1.
    alpha : float
        Weight of the scaled cost against the scaled loss; 1.0 if the loss is a constraint.
    y_center, y_scale : float
        m and t of f = t f' + m.
    objective_scale : float
        Objective of the problem per unit of scaled objective.
    gradient_scale : float
        Gradient of the loss in the predictions per unit of its scaled gradient.
    score_scale : float
        Score of a neuron of unit cost per unit of the scaled score of that neuron at unit scaled cost.
    """

    lifted: Array
    y: Array
    transform: Array
    norm: Norm
    cost_scale: float
    alpha: float
    y_center: float
    y_scale: float
    objective_scale: float
    gradient_scale: float
    score_scale: float

    @classmethod
    def of(cls, problem: Problem, scale_inputs: bool = True) -> "Scaling":
        """Return the scaling of a problem: columns of X of mean zero (with bias) and overall root mean square one.

        Without `scale_inputs`, only the targets are scaled, and T is the identity.
        """
        X, y, norm, loss = problem.X, problem.y, problem.norm, problem.loss
        center = X.mean(axis=0) if norm.has_bias and scale_inputs else np.zeros(problem.n_features)
        centered = X - center
        scale = _root_mean_square(centered) if scale_inputs else 1.0
        transform = np.eye(problem.n_features + norm.has_bias)
        transform[: problem.n_features, : problem.n_features] /= scale
        lifted = centered / scale
        if norm.has_bias:
            transform[-1, :-1] = -center / scale
            lifted = np.column_stack([lifted, np.ones(problem.n_samples)])

        y_center = float(y.mean()) if norm.has_free_constant and loss.degree is not None else 0.0
        y_scale = _root_mean_square(y - y_center) if loss.degree is not None else 1.0
        if y_scale <= CONSTANT_RTOL * np.max(np.abs(y)):
            y_scale = 1.0
        everywhere = np.ones((1, problem.n_samples), dtype=bool)
        largest = float(np.linalg.norm(norm.group_matrices(everywhere, lifted, transform)[0], 2))
        unit_cost = (largest or 1.0) * y_scale
        loss_scale = y_scale**loss.degree if loss.degree is not None else 1.0
        alpha = 1.0 if problem.alpha is None else problem.alpha * unit_cost / loss_scale
        return cls(
            lifted=lifted,
            y=(y - y_center) / y_scale,
            transform=transform,
            norm=norm,
            cost_scale=y_scale / unit_cost,
            alpha=alpha,
            y_center=y_center,
            y_scale=y_scale,
            objective_scale=unit_cost if problem.alpha is None else loss_scale,
            gradient_scale=loss_scale / y_scale,
            score_scale=loss_scale / unit_cost,
        )

    def group_matrices(self, patterns: NDArray[np.bool_]) -> Array:
        """Return the matrices M T of given cells, scaled: (P, r, D), or (1, r, D) if all cells share theirs."""
        return self.norm.group_matrices(patterns, self.lifted, self.transform) * self.cost_scale

    def costs(self, patterns: NDArray[np.bool_], groups: Array) -> Array:
        """Return the scaled costs of groups (P, D), one in each of the given cells."""
        return np.linalg.norm(self.group_matrices(patterns) @ groups[:, :, None], axis=(1, 2))

    def restore(self, network: Network) -> Network:
        """Return the network in the units of the problem, given one in scaled coordinates."""
        groups = np.column_stack([network.W, network.b])[:, : len(self.transform)] @ self.transform.T
        n_features = network.n_features
        return Network(
            groups[:, :n_features],
            groups[:, n_features] if groups.shape[1] > n_features else network.b,
            network.v * self.y_scale,
            network.intercept * self.y_scale + self.y_center,
            network.negative_slope,
        )

    def adopt(self, W: Array, b: Array) -> tuple[Array, Array]:
        """Return neurons in scaled coordinates, of unit scaled cost, given neurons in the units of the problem."""
        groups = np.linalg.solve(self.transform, np.column_stack([W, b])[:, : len(self.transform)].T).T
        groups = groups / (self.norm.neuron_costs(W, b) * self.cost_scale)[:, None]
        return groups[:, : W.shape[1]], groups[:, W.shape[1]] if groups.shape[1] > W.shape[1] else b


def standardise(problem: Problem) -> tuple[Problem, Scaling]:
    """Return a problem of the same kind with inputs and targets of order one, and the way back.

    Inputs are only scaled where the Euclidean cost stays Euclidean: not if it includes the bias.
    """
    scaling = Scaling.of(problem, scale_inputs=problem.bias != "joint")
    standard = Problem(
        scaling.lifted[:, : problem.n_features],
        scaling.y,
        loss=problem.loss,
        bias=problem.bias,
        norm=problem.norm,
        alpha=scaling.alpha if problem.loss.regularised else None,
        negative_slope=problem.negative_slope,
    )
    return standard, scaling


def _root_mean_square(values: Array) -> float:
    """Return the root mean square, or 1.0 if all values vanish."""
    largest = np.max(np.abs(values))
    return float(largest * np.sqrt(np.mean((values / largest) ** 2))) if largest > 0 else 1.0
