r"""Coordinates in which a problem is well conditioned, and the way back.

A group u = [w, b] acts on the lifted rows [x_i, 1]. Other coordinates u = T u' give the same program, if T is
invertible, or if w is confined to the span of the data, where the w of some optimum is (its affine hull, if biases are
free):

    [x_i, 1] u = ([x_i, 1] T) u',   u = T u',   cost = norm(M u) = norm((M T) u'),

so centring, scaling and turning X is exact for every cost, with M the group matrix of the cell. Targets are centred
where the output constant is free, lose a linear part where that is free, and are scaled where the loss is homogeneous:
f = t f' + B x + m. Nothing here changes an
optimum; it spares the solver data far from the origin, units of 1e-6 or 1e6, and features that depend on others.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.errors import InputError, SolverError
from cvxrelu.numerics.centring import centred
from cvxrelu.numerics.lengths import lengths
from cvxrelu.numerics.span import span_of
from cvxrelu.problem.free import Free
from cvxrelu.problem.losses import Loss
from cvxrelu.problem.network import Network
from cvxrelu.problem.norms import Norm
from cvxrelu.problem.problem import Problem

__all__ = ["AFFINE_RTOL", "Scaling", "split_groups", "standardise", "with_loss"]

Array = NDArray[np.float64]

# Targets that vary by less than this share of their size are constant up to the rounding of their mean.
CONSTANT_RTOL = 1e-14
# Likewise for targets less an affine function.
AFFINE_RTOL = 1e-13


@dataclass(frozen=True, eq=False)
class Scaling:
    """A problem in scaled coordinates.

    Attributes
    ----------
    lifted : (N, R) array
        The lifted rows times T.
    y : (N,) array
        The scaled targets.
    loss : Loss
        The loss in their units, or a simpler one that has the same optima.
    transform : (D, R) array
        T.
    inverse : (R, D) array
        Its left inverse; what it leaves out of a group makes no difference on the data.
    norm : Norm
        The cost of a neuron.
    cost_scale : float
        Scaled cost of a group per unit of norm(M T u'); with it, M T has spectral norm one in the cell of all signs +1.
    alpha : float
        Weight of the scaled cost against the scaled loss; 1.0 if the loss is a constraint.
    y_center, y_scale : float
        m and t of f = t f' + B x + m; of several outputs m is (K,).
    y_slope : (d,) array, or (d, K) array
        B, zero without a skip connection.
    objective_scale : float
        Objective of the problem per unit of scaled objective.
    gradient_scale : float
        Gradient of the loss in the predictions per unit of its scaled gradient.
    score_scale : float
        Score of a neuron of unit cost per unit of the scaled score of that neuron at unit scaled cost.
    """

    lifted: Array
    y: Array
    loss: Loss
    transform: Array
    inverse: Array
    norm: Norm
    cost_scale: float
    alpha: float
    y_center: Any
    y_scale: float
    y_slope: Array
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
        centered = _centered(X, center) if norm.has_bias and scale_inputs else X
        scale = _root_mean_square(centered) if scale_inputs else 1.0
        confined = norm.of_responses or not norm.cellwise  # other norms may cost less outside of where the data are
        basis = _subspace(centred(X)[0] if norm.has_free_bias else X) if confined else np.eye(X.shape[1])
        transform: Array = basis / scale
        inverse: Array = scale * basis.T
        lifted = centered @ transform
        if norm.has_bias:
            shift = -center @ transform
            transform = np.asarray(scipy.linalg.block_diag(transform, 1.0))
            transform[-1, :-1] = shift
            inverse = np.asarray(scipy.linalg.block_diag(inverse, 1.0))
            inverse[-1, :-1] = center
            lifted = np.column_stack([lifted, np.ones(problem.n_samples)])

        centre = y.mean(axis=0) if problem.several else float(y.mean())
        y_center = centre if norm.has_free_constant and loss.moves else 0.0
        y_slope = np.zeros((X.shape[1], *problem.no_dual.shape[1:]))
        rest = y - y_center
        if problem.skip and loss.moves:
            free = problem.free.coefficients(y)
            y_slope, y_center = problem.free.affine(free)
            rest = y - problem.free.basis @ free
        y_scale = _root_mean_square(rest) if loss.moves else 1.0
        if y_scale <= (AFFINE_RTOL if problem.skip else CONSTANT_RTOL) * np.max(np.abs(y)):
            y_scale = 1.0
        targets = rest / y_scale
        everywhere = np.ones((1, problem.n_samples), dtype=bool)
        largest = float(np.linalg.norm(norm.group_matrices(everywhere, lifted, transform)[0], 2))
        unit_cost = (largest or 1.0) * y_scale
        loss, loss_scale = loss.in_units(y_scale) or (loss, 1.0)
        alpha = 1.0 if problem.alpha is None else problem.alpha * unit_cost / loss_scale
        return cls(
            lifted=lifted,
            y=targets,
            loss=loss.on_targets(targets),
            transform=transform,
            inverse=inverse,
            norm=norm,
            cost_scale=y_scale / unit_cost,
            alpha=alpha,
            y_center=y_center,
            y_scale=y_scale,
            y_slope=y_slope,
            objective_scale=unit_cost if problem.alpha is None else loss_scale,
            gradient_scale=loss_scale / y_scale,
            score_scale=loss_scale / unit_cost,
        )

    def group_matrices(self, patterns: NDArray[np.bool_]) -> Array:
        """Return the matrices M T of given cells, scaled: (P, r, D), or (1, r, D) if all cells share theirs."""
        return self.norm.group_matrices(patterns, self.lifted, self.transform) * self.cost_scale

    def costs(self, patterns: NDArray[np.bool_], groups: Array) -> Array:
        """Return the scaled costs of groups (P, D), one in each of the given cells."""
        return lengths((self.group_matrices(patterns) @ groups[:, :, None])[:, :, 0])

    def restore(self, network: Network) -> Network:
        """Return the network in the units of the problem, given one in scaled coordinates."""
        groups = np.column_stack([network.W, network.b])[:, : self.transform.shape[1]] @ self.transform.T
        skip, constant = self.y_slope, network.intercept * self.y_scale + self.y_center
        if network.skip.any():
            lifted = np.concatenate([network.skip, 0.0 * network.skip[:1]])[: self.transform.shape[1]]
            linear = self.transform @ lifted * self.y_scale
            skip = skip + linear[: len(skip)]
            constant = constant + linear[len(skip) :].sum(axis=0)
        return Network(
            *split_groups(groups, self.norm.has_bias),
            network.v * self.y_scale,
            constant,
            network.negative_slope,
            skip,
        )

    def enter(self, W: Array, b: Array) -> Array:
        """Return neurons in the units of the problem as groups in scaled coordinates."""
        return np.column_stack([W, b])[:, : len(self.transform)] @ self.inverse.T

    def adopt(self, W: Array, b: Array) -> tuple[Array, Array]:
        """Return neurons in scaled coordinates, of unit scaled cost, given neurons in the units of the problem."""
        groups = self.enter(W, b) / (self.norm.neuron_costs(W, b) * self.cost_scale)[:, None]
        return split_groups(groups, self.norm.has_bias)


def split_groups(groups: Array, has_bias: bool) -> tuple[Array, Array]:
    """Return the weights and the biases of groups [w, b]; where there are no biases the groups are all weights.

    Examples
    --------
    >>> split_groups(np.array([[1.0, 2.0, 3.0]]), has_bias=True)
    (array([[1., 2.]]), array([3.]))
    """
    return (groups[:, :-1], groups[:, -1].copy()) if has_bias else (groups, np.zeros(len(groups)))


def standardise(problem: Problem) -> tuple[Problem, Scaling]:
    """Return a problem of the same kind with inputs and targets of order one, and the way back.

    Inputs are only scaled where the Euclidean cost stays Euclidean: not if it includes the bias.

    Raises
    ------
    SolverError
        If the cost and the loss differ in size by more than floats can hold in such coordinates.
    """
    scaling = Scaling.of(problem, scale_inputs=problem.bias != "joint")
    try:
        standard = Problem(
            split_groups(scaling.lifted, problem.norm.has_bias)[0],
            scaling.y,
            loss=scaling.loss,
            bias=problem.bias,
            norm=problem.norm,
            alpha=scaling.alpha if problem.loss.regularised else None,
            negative_slope=problem.negative_slope,
            sample_weight=problem.sample_weight,
            skip=problem.skip,
            output_sign=problem.output_sign,
        )
    except InputError as error:
        # The problem itself is in range; what is not is alpha times the cost beside the loss.
        raise SolverError(f"In coordinates of order one, {error}") from error
    if problem.skip:
        standard = _sharing(standard, problem.free.enter(standard.X, scaling.inverse))
    return standard, scaling


def with_loss(standard: Problem, loss: Loss) -> Problem:
    """Return a problem that `standardise` made with another loss, and with the same that is free."""
    return _sharing(replace(standard, loss=loss), standard.free)


def _sharing(standard: Problem, free: Free) -> Problem:
    """Return a problem that is new with what is free as it was told of X before it was centred.

    What is rounding, and not free for that, cannot be told from other differences afterwards.
    """
    vars(standard)["free"] = free  # where `Problem.free` keeps what it has found
    return standard


def _root_mean_square(values: Array) -> float:
    """Return the root mean square, or 1.0 if all values vanish."""
    largest = np.max(np.abs(values))
    return float(largest * np.sqrt(np.mean((values / largest) ** 2))) if largest > 0 else 1.0


def _centered(X: Array, center: Array) -> Array:
    """Return X less its center, with columns of equal values exactly zero, which a mean need not be equal to."""
    return (X - center) * (np.ptp(X, axis=0) > 0)


def _subspace(rows: Array) -> Array:
    """Return an orthonormal basis (d, r) of the rows' span; the standard one where they span all of space."""
    basis = span_of(rows)
    return np.eye(len(basis)) if basis.shape[1] == len(basis) else basis
