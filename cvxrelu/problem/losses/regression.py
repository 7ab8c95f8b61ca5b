"""Losses of real targets: interpolation and squared errors."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.losses.loss import Loss, mean_of
from cvxrelu.problem.losses.pieces import ExactDual, LossExpression
from cvxrelu.problem.losses.rounding import ROUNDING

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["FIT_RTOL", "Interpolation", "Squared"]

Vector = NDArray[np.float64]

# A network interpolates (separates) when it misses the targets by no more than this share of their spread.
# Decoded networks are usually ten thousand times closer; the certificate states the residual.
FIT_RTOL = 1e-6


@dataclass(frozen=True, repr=False)
class Interpolation(Loss):
    """Fit the targets exactly: z = y."""

    name, regularised = "interpolation", False

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return 0.0 where z meets y up to `FIT_RTOL` times the spread of y, else infinity."""
        return np.where(np.abs(z - y) / self._scale(y) <= FIT_RTOL, 0.0, np.inf)

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return the constraint z == y."""
        return LossExpression(0.0, [z == y])

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """Return the same loss: a constraint has no size."""
        return self, 1.0

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return y.v on all of space."""
        return ExactDual(None, None)

    def residual(self, z: Vector, y: Vector, radius: Vector | float = 0.0) -> float:
        """Return max abs(z - y), relative to half the range of y (to the largest abs(y) if y is constant)."""
        return float(np.max((np.abs(z - y) + radius) / self._scale(y)))

    def attained_bound(self, z: Vector, radius: Vector, v: Vector, gamma: float) -> float:
        """Return z.v / gamma, less what the radius can make of it: the network interpolates its own predictions."""
        if gamma == 0 or not np.isfinite(radius).all():
            return 0.0
        shortfall = math.fsum(np.abs(v) * radius) * (1 + ROUNDING) / gamma
        return max(0.0, self.lower_bound(v, z, gamma, None) - shortfall * (1 + ROUNDING))

    def aim(self, z: Vector, y: Vector) -> Vector:
        """Return y, the only feasible predictions."""
        return y

    def _scale(self, y: Vector) -> float:
        return float(np.ptp(y) / 2 or np.max(np.abs(y)) or 1.0)


@dataclass(frozen=True, repr=False)
class Squared(Loss):
    """Half the mean squared error."""

    name, smooth, curvature = "squared", True, 1.0

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return (z - y)^2 / 2."""
        return (z - y) ** 2 / 2

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return (z - y)^2 / 2."""
        import cvxpy as cp

        return LossExpression(cp.square(z - y) / 2, [])

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return unit * r^2 / 2."""
        import cvxpy as cp

        return LossExpression(unit / 2 * cp.square(residuals), [])

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return y - z."""
        return y - z, y - z

    def best_constant(self, y: Vector, weights: Vector | None = None) -> float:
        """Return the mean."""
        return mean_of(y, weights)

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """Return t^2 times the same loss."""
        return self, unit**2

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return y.v - norm(v)^2/2 on all of space."""
        return ExactDual(None, None, Fraction(1))
