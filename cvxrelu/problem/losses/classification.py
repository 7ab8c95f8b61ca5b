"""Losses of labels -1 and +1, which depend on the margins y_i z_i: the largest margin, hinge and logistic."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.losses.loss import Loss
from cvxrelu.problem.losses.pieces import DualModel, ExactDual, LossExpression
from cvxrelu.problem.losses.regression import FIT_RTOL
from cvxrelu.problem.losses.rounding import ROUNDING, largest_step, rounded_down

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["Hinge", "Logistic", "Margin"]

Vector = NDArray[np.float64]

# Halvings after which a best multiple is known to twelve digits, and the dual objective there, which is flat, to all.
HALVINGS = 40
# Classes whose weights differ by less than this share are of one size, up to the rounding of their sums.
EVEN_RTOL = 1e-12
# Distance of probabilities from 0 and 1 at which the entropy is expanded: its slope and curvature are infinite there.
INSIDE = 1e-9


@dataclass(frozen=True, repr=False)
class Margin(Loss):
    """Separate the two classes with margin one: y_i z_i >= 1."""

    name, regularised, labels = "margin", False, True

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return 0.0 where y_i z_i is at least 1 - `FIT_RTOL`, else infinity."""
        return np.where(1.0 - y * z <= FIT_RTOL, 0.0, np.inf)

    def upper_bound(self, z: Vector, radius: Vector, y: Vector, cost: float) -> float:
        """Return the cost of the network, scaled up to margin one where rounding keeps it below."""
        shortfall = self.residual(z, y, radius)
        return math.inf if shortfall > FIT_RTOL else cost / (1 - shortfall) * (1 + ROUNDING * (shortfall > 0))

    def residual(self, z: Vector, y: Vector, radius: Vector | float = 0.0) -> float:
        """Return how far the smallest y_i z_i falls short of 1."""
        return max(0.0, float(np.max(1.0 - y * z + radius)))

    def aim(self, z: Vector, y: Vector) -> Vector:
        """Return z, with the predictions that fall short of margin one moved to it."""
        return y * np.maximum(y * z, 1.0)

    def feasible_factor(self, z: Vector, y: Vector) -> float:
        """Return the factor that makes the smallest y_i z_i one."""
        margin = float(np.min(y * z))
        return 1.0 / margin if margin > 0 else 1.0

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return the constraints y_i z_i >= 1."""
        import cvxpy as cp

        return LossExpression(0.0, [cp.multiply(y, z) >= 1])

    def limits(self) -> tuple[float, float]:
        """Return p >= 0."""
        return 0.0, math.inf

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return sum p for p >= 0."""
        return ExactDual(Fraction(0), None)


@dataclass(frozen=True, repr=False)
class Hinge(Loss):
    """The hinge loss max(0, 1 - y z) of support vector machines."""

    name, labels = "hinge", True

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return max(0, 1 - y z)."""
        return np.maximum(0.0, 1.0 - y * z)

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return max(0, 1 - y z)."""
        import cvxpy as cp

        return LossExpression(cp.pos(1 - cp.multiply(y, z)), [])

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return max(0, -y r)."""
        import cvxpy as cp

        return LossExpression(cp.pos(-cp.multiply(y, residuals)), [])

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return y p: p = 1 below margin one, 0 above it, anything between on it."""
        margins = y * z
        ends = y * (margins < 1), y * (margins <= 1)
        return np.minimum(*ends), np.maximum(*ends)

    def best_constant(self, y: Vector, weights: Vector | None = None) -> float:
        """Return the label of the larger class, 0.0 if there is none."""
        positive, negative = class_sizes(y, weights)
        return 0.0 if math.isclose(positive, negative, rel_tol=EVEN_RTOL) else math.copysign(1.0, positive - negative)

    def limits(self) -> tuple[float, float]:
        """Return 0 <= p <= 1."""
        return 0.0, 1.0

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return sum p for 0 <= p <= 1."""
        return ExactDual(Fraction(0), Fraction(1))


@dataclass(frozen=True, repr=False)
class Logistic(Loss):
    """The logistic loss log(1 + exp(-y z)), in nats."""

    name, labels, smooth, quadratic_dual = "logistic", True, True, False

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return log(1 + exp(-y z))."""
        return np.logaddexp(0.0, -y * z)

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return y p, with p = 1 / (1 + exp(y z)) the probability of the wrong label."""
        from scipy.special import expit

        pull = y * expit(-y * z)
        return pull, pull

    def best_constant(self, y: Vector, weights: Vector | None = None) -> float:
        """Return log(n+ / n-), n+ and n- the sizes of the classes."""
        positive, negative = class_sizes(y, weights)
        return math.log(positive / negative)

    def limits(self) -> tuple[float, float]:
        """Return 0 <= p <= 1."""
        return 0.0, 1.0

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return sum H(p) for 0 <= p <= 1."""
        return ExactDual(Fraction(0), Fraction(1), entropy=True)

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return log(1 + exp(-y z))."""
        import cvxpy as cp

        return LossExpression(cp.logistic(-cp.multiply(y, z)), [])

    def lower_bound(
        self, v: Vector, y: Vector, gamma: float, alpha: float | None, weights: Vector | None = None
    ) -> float:
        """Return the largest sum w H(t p / w) / N of the factors t that the hinge loss allows, w the weights."""
        counts = np.ones(len(y)) if weights is None else weights
        v = v / counts
        step = min(self._longest_step(v, y), largest_step(gamma, alpha, len(y)))
        p = np.maximum(v * y, 0.0)
        if not p.any():
            return 0.0
        if step > 0 and _entropy_slope(step * p, counts) < 0:
            # H rises up to 1/2, so the sum, which is concave in t, is largest where the largest t p is above that.
            low = min(step, 0.5 / float(p.max()))
            for _ in range(HALVINGS):
                middle = (low + step) / 2
                low, step = (middle, step) if _entropy_slope(middle * p, counts) > 0 else (low, middle)
        p = np.minimum(step * p, 1.0)
        # The product is rounded to where H is larger, or back.
        return rounded_down(math.fsum(counts * _entropy(np.nextafter(p, p > 0.5))) / len(y))

    def dual_values(self, v: Vector, y: Vector) -> Vector:
        """Return H(p)."""
        return _entropy(np.clip(v * y, 0.0, 1.0))

    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Return the expansion of -sum H(p) at p = y v, moved inside its box where the entropy has a slope."""
        p = np.clip(v * y, INSIDE, 1.0 - INSIDE)
        curvature, gradient = 1.0 / (p * (1.0 - p)), np.log(p / (1.0 - p))
        linear = super().dual_model(v, y)
        return DualModel(curvature, (gradient - curvature * p) * y, linear.lower, linear.upper)


def _entropy(p: Vector) -> Vector:
    """Return H(p) = -p log p - (1 - p) log(1 - p)."""
    from scipy.special import entr, xlog1py

    # entr(1 - p) would lose all digits of a small p.
    return entr(p) - xlog1py(1.0 - p, -p)


def _entropy_slope(p: Vector, weights: Vector) -> float:
    """Return the derivative of sum w H(t p) in t at t = 1, w the weights, to a few digits."""
    from scipy.special import logit

    inside = (p > 0) & (p < 1)
    return -math.inf if (p >= 1).any() else -float((weights * p)[inside] @ logit(p[inside]))


def class_sizes(y: Vector, weights: Vector | None) -> tuple[float, float]:
    """Return the weights of the labels +1 and -1; the numbers of them by default."""
    counts = np.ones(len(y)) if weights is None else weights
    return math.fsum(counts[y > 0]), math.fsum(counts[y < 0])
