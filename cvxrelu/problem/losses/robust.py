"""The Huber loss: squared near the target, linear far from it, so that outliers pull no harder than others."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.losses.loss import Loss
from cvxrelu.problem.losses.pieces import ExactDual, LossExpression
from cvxrelu.problem.losses.regression import Squared
from cvxrelu.problem.validation import as_real

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["Huber"]

Vector = NDArray[np.float64]

# Share by which a sum of losses has to be below its limit, for its rounding.
SURE = 1e-9


@dataclass(frozen=True, repr=False)
class Huber(Loss):
    r"""Half the squared error where it is small, d (abs(r) - d/2) where r = y - z is beyond d in size.

    Parameters
    ----------
    delta : float, default 1.0
        d, in the units of the targets; positive.

    Raises
    ------
    InputError, InputTypeError
        If it is not a positive number.

    References
    ----------
    P. J. Huber (1964), "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 73-101.

    Examples
    --------
    >>> Huber(2.0).values(np.array([1.0, 10.0]), np.zeros(2))
    array([ 0.5, 18. ])
    """

    delta: float = 1.0

    name, smooth, curvature = "huber", True, 1.0

    def __post_init__(self) -> None:
        if as_real(self.delta, "delta") <= 0:
            raise InputError(f"delta={self.delta:g} must be positive.")

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return r^2/2 or d (abs(r) - d/2)."""
        size = np.abs(y - z)
        inner = np.minimum(size, self.delta)
        return inner * (size - inner / 2)

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return the same."""
        import cvxpy as cp

        width: Any = self.delta  # annotated as an integer there
        return LossExpression(cp.huber(y - z, width) / 2, [])

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return r, clipped to [-d, d]."""
        pull = np.clip(y - z, -self.delta, self.delta)
        return pull, pull

    def best_constant(self, y: Vector, weights: Vector | None = None) -> float:
        """Return the constant at which the pulls cancel.

        Their sum falls, and is linear between the places y_i -+ d, among which bisection finds the right two.

        Examples
        --------
        >>> Huber(1.0).best_constant(np.array([0.0, 0.0, 0.0, 100.0]))
        0.3333333333333333
        """
        counts = np.ones(len(y)) if weights is None else weights
        places = np.unique(np.concatenate([y - self.delta, y, y + self.delta]))

        def pull(place: float) -> float:
            return math.fsum(counts * self.pulls(np.full(len(y), place), y)[0])

        low, high = 0, len(places) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if pull(places[middle]) >= 0 else (low, middle)
        left, right = pull(places[low]), pull(places[high])
        share = left / (left - right) if left > right else 0.5
        candidates = (places[low], places[high], places[low] + share * (places[high] - places[low]))
        return float(min(candidates, key=lambda place: float(counts @ self.values(np.full(len(y), place), y))))

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """Return t^2 times the loss with d / t."""
        return Huber(self.delta / unit), unit**2

    def below(self, most: float) -> Loss:
        """Return half the squared error where that is the same, so long as no loss is beyond d^2 / 2."""
        return Squared() if most <= self.delta**2 / 2 * (1 - SURE) else self

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return unit times the loss of r with d / unit."""
        return LossExpression(unit * Huber(self.delta / unit).expression(residuals, np.zeros(len(y))).losses, [])

    def limits(self) -> tuple[float, float]:
        """Return abs(v) <= d."""
        return -self.delta, self.delta

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return y.v - norm(v)^2/2 for abs(v) <= d."""
        return ExactDual(-exact(self.delta), exact(self.delta), Fraction(1))
