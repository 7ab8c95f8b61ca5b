r"""Losses that count more for some samples than for others.

    mean loss = (1/N) sum_i w_i loss(z_i, y_i),    w >= 0 of mean one

What multiplies a loss multiplies its dual and the domain of it: a sample adds w_i d(v_i / w_i) to the dual objective
where it added d(v_i). So a weight of k is what k copies of a sample are, each of which has the k-th part of v_i.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.losses.loss import Loss
from cvxrelu.problem.losses.pieces import DualModel, ExactDual, LossExpression

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["Weighted", "weighted"]

Vector = NDArray[np.float64]


def weighted(loss: Loss, weights: Vector) -> "Weighted":
    """Return a loss with sample weights.

    Raises
    ------
    InputError
        If it is one of your own whose methods do not take them.
    """
    for method, count in ((loss.lower_bound, 5), (loss.best_constant, 2)):
        try:
            inspect.signature(method).bind(*[None] * count)
        except TypeError:
            raise InputError(
                f"loss={loss!r} cannot have sample weights: its {method.__name__} takes none as last argument."
            ) from None
    return Weighted(loss, weights)


@dataclass(frozen=True, repr=False, eq=False)
class Weighted(Loss):
    """A loss with sample weights, as `Problem(sample_weight=...)` makes it.

    Attributes
    ----------
    loss : Loss
        What each sample pays; not a constraint.
    weights : (N,) array
        What that counts; positive, of mean one.

    Examples
    --------
    >>> from cvxrelu.problem.losses import Squared
    >>> Weighted(Squared(), np.array([0.5, 1.5])).values(np.zeros(2), np.array([2.0, 2.0]))
    array([1., 3.])
    """

    loss: Loss
    weights: Vector

    def __post_init__(self) -> None:
        for name in ("name", "regularised", "labels", "curvature", "quadratic_dual", "smooth"):
            object.__setattr__(self, name, getattr(self.loss, name))

    def __repr__(self) -> str:
        return repr(self.loss)

    def on_samples(self, rows: NDArray[np.intp]) -> Loss:
        """Return the loss with the weights of some samples, whose mean may be another than one."""
        return replace(self, weights=self.weights[rows])

    @property
    def plain(self) -> Loss:
        """The loss without the weights."""
        return self.loss

    @property
    def tells_dual(self) -> bool:
        """Whether the dual of the loss is known."""
        return self.loss.tells_dual

    def params(self) -> dict[str, float]:
        """Return those of the loss."""
        return self.loss.params()

    def check_labels(self, y: Vector) -> None:
        """Refuse what is not a label of the loss."""
        self.loss.check_labels(y)

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return the losses times their weights."""
        return self.weights * self.loss.values(z, y)

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return the same."""
        return self._times(self.loss.expression(z, y))

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return the same near the targets."""
        return self._times(self.loss.near(residuals, y, unit))

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector] | None:
        """Return the pulls times the weights."""
        pulls = self.loss.pulls(z, y)
        return None if pulls is None else (self.weights * pulls[0], self.weights * pulls[1])

    def best_constant(self, y: Vector, weights: Vector | None = None) -> float:
        """Return the constant of least weighted loss."""
        return self.loss.best_constant(y, self._all(weights))

    def in_units(self, unit: float) -> tuple[Loss, float] | None:
        """Return the loss in these units, with the same weights."""
        found = self.loss.in_units(unit)
        return None if found is None else (Weighted(found[0], self.weights), found[1])

    def below(self, most: float) -> Loss:
        """Return the simpler loss with the same weights: no loss is more than `most` over the least of them."""
        return Weighted(self.loss.below(most / float(self.weights.min())), self.weights)

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return the dual of the loss, and the weights."""
        return self.loss.exact_dual(exact)._replace(weights=tuple(exact(weight) for weight in self.weights.tolist()))

    def lower_bound(
        self, v: Vector, y: Vector, gamma: float, alpha: float | None, weights: Vector | None = None
    ) -> float:
        """Return the dual objective at the best feasible multiple of v."""
        return self.loss.lower_bound(v, y, gamma, alpha, self._all(weights))

    def dual_values(self, v: Vector, y: Vector) -> Vector:
        """Return w d(v / w)."""
        return self.weights * self.loss.dual_values(v / self.weights, y)

    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Return the model of w d(v / w)."""
        model = self.loss.dual_model(v / self.weights, y)
        return DualModel(
            model.curvature / self.weights, model.slope, self.weights * model.lower, self.weights * model.upper
        )

    def bent(self, y: Vector) -> Vector:
        """Return predictions at which the loss is curved most."""
        return self.loss.bent(y)

    def _ends(self, y: Vector) -> tuple[Vector, Vector]:
        low, high = self.loss._ends(y)
        return self.weights * low, self.weights * high

    def _longest_step(self, v: Vector, y: Vector) -> float:
        return self.loss._longest_step(v / self.weights, y)

    def _all(self, weights: Vector | None) -> Vector:
        return self.weights if weights is None else self.weights * weights

    def _times(self, of: LossExpression) -> LossExpression:
        import cvxpy as cp

        return LossExpression(cp.multiply(self.weights, of.losses), of.constraints)
