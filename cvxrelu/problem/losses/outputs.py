r"""What a network of several outputs pays for its predictions, and the dual of that.

    z, V (N, K),     gamma(V) = max over unit neurons of norm( sum_i V_i sigma(w.x_i + b) )_2 <= bound

| name              | primal                            | dual objective (N times, if a mean)       | domain of V   |
|-------------------|-----------------------------------|-------------------------------------------|---------------|
| interpolation     | z = Y                             | <Y, V>                                    | all V         |
| squared, huber    | sum_k loss(z_ik, Y_ik)            | sum_ik of the dual of each                | that of each  |
| softmax           | log sum_k exp(z_ik) - z_i,y       | sum_i H(p_i),  V_i = e_y - p_i            | probabilities |
| multiclass-margin | z_i,y - z_i,k >= 1 for all k != y | sum_ik a_ik,  V_i = sum_k a_ik (e_y - e_k) | a_ik >= 0    |

If output constants are free, every column of V sums to zero; with a skip connection it is orthogonal to all linear
functions of the input. This file has the first two rows: losses of real targets,
each of which is paid for every entry by itself, so that all is known from the loss of one output.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.free import Free
from cvxrelu.problem.losses.loss import Loss
from cvxrelu.problem.losses.pieces import ExactDual, LossExpression
from cvxrelu.problem.losses.regression import FIT_RTOL
from cvxrelu.problem.losses.weighted import Weighted

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["ELEMENTWISE", "Elementwise", "of_outputs"]

Array = NDArray[np.float64]

# The losses of one output that are known for several, by name.
ELEMENTWISE = ("interpolation", "squared", "huber")
# What dividing by the number of outputs and multiplying with it again may lose.
EPS = float(np.finfo(float).eps)


def of_outputs(loss: Loss, weights: Array | None) -> "Elementwise":
    """Return the loss of several outputs, given that of one.

    Raises
    ------
    InputError
        If it is none of `ELEMENTWISE`.
    """
    if loss.name not in ELEMENTWISE:
        names = ", ".join(map(repr, ELEMENTWISE))
        raise InputError(
            f"loss={loss.name!r} takes one output, and y is two-dimensional; for several real targets choose one of "
            f"{names}, for several classes 'softmax' or 'multiclass-margin' with labels 0, 1, ... of shape (N,)."
        )
    return Elementwise(loss, weights)


@dataclass(frozen=True, repr=False, eq=False)
class Elementwise(Loss):
    """The sum of a loss over the outputs.

    Attributes
    ----------
    loss : Loss
        What each entry pays.
    weights : (N,) array or None
        What the samples count, if it is not the same; positive, of mean one.

    Examples
    --------
    >>> from cvxrelu.problem.losses import Squared
    >>> Elementwise(Squared()).values(np.zeros((2, 2)), np.array([[1.0, 1.0], [0.0, 2.0]]))
    array([1., 2.])
    """

    loss: Loss
    weights: Array | None = None

    several = True

    def __post_init__(self) -> None:
        for name in ("name", "regularised", "labels", "curvature", "quadratic_dual", "smooth"):
            object.__setattr__(self, name, getattr(self.loss, name))

    def __repr__(self) -> str:
        return repr(self.loss)

    @property
    def plain(self) -> Loss:
        """The loss of one output, without the weights."""
        return self.loss

    @property
    def each(self) -> Loss:
        """The loss of one output on all samples."""
        return self.loss if self.weights is None else Weighted(self.loss, self.weights)

    def params(self) -> dict[str, float]:
        """Return those of the loss."""
        return self.loss.params()

    def n_outputs(self, y: Array) -> int:
        """Return the number of columns of the targets."""
        return y.shape[1]

    def values(self, z: Array, y: Array) -> Array:
        """Return the sums over the outputs, an (N,) array."""
        if self.fixes_predictions:
            return np.where(np.abs(z - y).max(axis=1) / _scale(y) <= FIT_RTOL, 0.0, np.inf)
        return self._flat(y).values(z.ravel(), y.ravel()).reshape(y.shape).sum(axis=1)

    def expression(self, z: "cp.Expression", y: Array) -> LossExpression:
        """Return the losses of all entries, or the constraint."""
        paid = self.loss.expression(z, y)
        if self.weights is None or self.fixes_predictions:
            return paid
        import cvxpy as cp

        return LossExpression(cp.multiply(self.weights[:, None], paid.losses), paid.constraints)

    def pulls(self, z: Array, y: Array) -> tuple[Array, Array] | None:
        """Return the pulls of every entry."""
        pulls = self._flat(y).pulls(z.ravel(), y.ravel())
        return None if pulls is None else (pulls[0].reshape(y.shape), pulls[1].reshape(y.shape))

    def force(self, z: Array, y: Array) -> Array | None:
        """Return minus the gradient of N times the loss."""
        force = self._flat(y).force(z.ravel(), y.ravel())
        return None if force is None else force.reshape(y.shape)

    def bends(self, z: Array, y: Array) -> Array:
        """Return the curvatures of all entries on the diagonals, one over those of the dual inside its box."""
        flat = self._flat(y)
        force = flat.force(z.ravel(), y.ravel())
        assert force is not None, "the loss has a gradient"
        model = flat.dual_model(force, y.ravel())
        bends = np.where((model.lower < force) & (force < model.upper), 1 / model.curvature, 0.0)
        return bends.reshape(y.shape)[:, :, None] * np.eye(y.shape[1])

    def constants(self, y: Array) -> Array:
        """Return the best constant of every output."""
        return np.array([self.each.best_constant(column) for column in y.T])

    def in_units(self, unit: float) -> tuple[Loss, float] | None:
        """Return the loss in these units, with the same weights."""
        found = self.loss.in_units(unit)
        return None if found is None else (Elementwise(found[0], self.weights), found[1])

    def on_targets(self, y: Array) -> Loss:
        """Return what is simpler for each entry, none of which pays more than all do where predictions are zero."""
        most = float(self.values(np.zeros_like(y), y).sum())
        return Elementwise(self.loss.below(most if self.weights is None else most / self.weights.min()), self.weights)

    def repair(self, v: Array, y: Array, balanced: bool, boxed: bool = True) -> Array:
        """Return what each output makes of its column."""
        columns = zip(v.T, y.T, strict=True)
        return np.column_stack([self.each.repair(column, target, balanced, boxed) for column, target in columns])

    def orthogonal(self, v: Array, y: Array, free: Free, boxed: bool = True) -> Array:
        """Return what each output makes of its column."""
        columns = zip(v.T, y.T, strict=True)
        return np.column_stack([self.each.orthogonal(column, target, free, boxed) for column, target in columns])

    def allows(self, v: Array, y: Array) -> bool:
        """Tell whether every entry is in the domain of the dual."""
        return self._flat(y).allows(v.ravel(), y.ravel())

    def power_within(self, v: Array, y: Array) -> int:
        """Return the largest k <= 0 with 2^k v in the domain of the dual."""
        return self._flat(y).power_within(v.ravel(), y.ravel())

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return that of every entry."""
        return self.each.exact_dual(exact)

    def lower_bound(self, v: Array, y: Array, gamma: float, alpha: float | None, weights: Array | None = None) -> float:
        """Return the dual objective at the best feasible multiple of a repaired V, given gamma(V) <= `gamma`.

        It is that of N K entries of one output, whose mean is a K-th of what is paid here.
        """
        count = y.shape[1]
        if alpha is None:
            return self._flat(y).lower_bound(v.ravel(), y.ravel(), gamma, None)
        return count * self._flat(y).lower_bound(v.ravel(), y.ravel(), gamma, alpha / count) * (1 - _lost(count))

    def upper_bound(self, z: Array, radius: Array, y: Array, cost: float) -> float:
        """Return at least the objective of a network, rounding included."""
        count = y.shape[1]
        if self.fixes_predictions:
            return cost if self.residual(z, y, radius) <= FIT_RTOL else math.inf
        entries = self._flat(y).upper_bound(z.ravel(), radius.ravel(), y.ravel(), cost / count)
        return count * entries * (1 + _lost(count))

    def attained_bound(self, z: Array, radius: Array, v: Array, gamma: float) -> float:
        """Return a lower bound on the cost of all networks that predict what a network within `radius` of z does."""
        return self.loss.attained_bound(z.ravel(), radius.ravel(), v.ravel(), gamma)

    def residual(self, z: Array, y: Array, radius: Array | float = 0.0) -> float:
        """Return the largest misfit of an interpolant, relative to half the largest range of an output."""
        return float(np.max(np.abs(z - y) + radius)) / _scale(y) if self.fixes_predictions else 0.0

    def aim(self, z: Array, y: Array) -> Array:
        """Return the targets where they have to be met."""
        return self.loss.aim(z, y)

    def _flat(self, y: Array) -> Loss:
        """Return the loss of the entries of y, one row after the other."""
        return self.loss if self.weights is None else Weighted(self.loss, np.repeat(self.weights, y.shape[1]))


def _scale(y: Array) -> float:
    """Return half the largest range of a column, or if all are constant the largest entry."""
    return float(np.ptp(y, axis=0).max() / 2 or np.max(np.abs(y)) or 1.0)


def _lost(count: int) -> float:
    """Return what dividing by a number and multiplying with it may change, as a share; nothing for powers of two."""
    return 4 * EPS * bool(count & (count - 1))
