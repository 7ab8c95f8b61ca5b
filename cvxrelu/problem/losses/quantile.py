"""Absolute errors, of equal or of unequal weight above and below: networks that predict medians and other quantiles."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.losses.loss import ExactDual, Loss, LossExpression

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["Absolute"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Absolute(Loss):
    """The mean absolute error, whose best constant is a median.

    Examples
    --------
    >>> Absolute().best_constant(np.array([0.0, 1.0, 2.0, 5.0]))
    1.5
    """

    name = "absolute"

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return abs(y - z)."""
        return np.abs(y - z)

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return mean abs(y - z)."""
        import cvxpy as cp

        return LossExpression(cp.norm1(y - z) / len(y), [])

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return mean abs(r)."""
        import cvxpy as cp

        return LossExpression(cp.norm1(residuals) / len(y), [])

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return sign(y - z), and both signs where that is zero."""
        return np.where(z < y, 1.0, -1.0), np.where(z <= y, 1.0, -1.0)

    def best_constant(self, y: Vector) -> float:
        """Return the median, the middle one if there are many."""
        return float(np.median(y))

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """Return t times the same loss."""
        return self, unit

    def limits(self) -> tuple[float, float]:
        """Return abs(v) <= 1."""
        return -1.0, 1.0

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return y.v for abs(v) <= 1."""
        return ExactDual(Fraction(-1), Fraction(1))
