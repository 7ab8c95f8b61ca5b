"""Absolute errors, of equal or of unequal weight above and below: networks that predict medians and other quantiles."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.losses.loss import Loss
from cvxrelu.problem.losses.pieces import ExactDual, LossExpression
from cvxrelu.problem.validation import as_real

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["Absolute", "Quantile"]

Vector = NDArray[np.float64]

# Share of all weights by which a quantile may miss a step of their sums, for their rounding.
QUANTILE_RTOL = 1e-12


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
        """Return abs(y - z)."""
        import cvxpy as cp

        return LossExpression(cp.abs(y - z), [])

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return abs(r)."""
        import cvxpy as cp

        return LossExpression(cp.abs(residuals), [])

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return sign(y - z), and both signs where that is zero."""
        return np.where(z < y, 1.0, -1.0), np.where(z <= y, 1.0, -1.0)

    def best_constant(self, y: Vector, weights: Vector | None = None) -> float:
        """Return the median, the middle one if there are many."""
        return weighted_quantile(y, 0.5, weights)

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """Return t times the same loss."""
        return self, unit

    def limits(self) -> tuple[float, float]:
        """Return abs(v) <= 1."""
        return -1.0, 1.0

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return y.v for abs(v) <= 1."""
        return ExactDual(Fraction(-1), Fraction(1))


@dataclass(frozen=True, repr=False)
class Quantile(Loss):
    """The pinball loss max(q r, (q - 1) r), r = y - z, whose best constant is the q-quantile of the targets.

    Parameters
    ----------
    q : float, default 0.5
        Which quantile, between 0 and 1; with 0.5 the loss is half the absolute error.

    Raises
    ------
    InputError, InputTypeError
        If it is not a number between them.

    References
    ----------
    R. Koenker & G. Bassett (1978), "Regression quantiles", Econometrica 46, 33-50.

    Examples
    --------
    >>> Quantile(0.9).values(np.array([0.0, 0.0]), np.array([1.0, -1.0]))
    array([0.9, 0.1])
    """

    q: float = 0.5

    name = "quantile"

    def __post_init__(self) -> None:
        if not 0 < as_real(self.q, "q") < 1:
            raise InputError(f"q={self.q:g} must be between 0 and 1.")

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return max(q r, (q - 1) r)."""
        return np.maximum(self.q * (y - z), (1 - self.q) * (z - y))

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return the same."""
        import cvxpy as cp

        return LossExpression(cp.maximum(self.q * (y - z), (1 - self.q) * (z - y)), [])

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return the same at y - z = -r."""
        return self.expression(residuals, np.zeros(len(y)))

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return q below the target, q - 1 above it, and both on it."""
        return np.where(z < y, self.q, self.q - 1), np.where(z <= y, self.q, self.q - 1)

    def best_constant(self, y: Vector, weights: Vector | None = None) -> float:
        """Return the quantile, the middle one if there are many."""
        return weighted_quantile(y, self.q, weights)

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """Return t times the same loss."""
        return self, unit

    def limits(self) -> tuple[float, float]:
        """Return q - 1 <= v <= q."""
        return self.q - 1, self.q

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return y.v for q - 1 <= v <= q."""
        return ExactDual(exact(self.q) - 1, exact(self.q))


def weighted_quantile(y: Vector, q: float, weights: Vector | None) -> float:
    """Return the q-quantile of weighted numbers, the middle one if there are many.

    Examples
    --------
    >>> weighted_quantile(np.array([0.0, 1.0, 5.0]), 0.5, np.array([1.0, 1.0, 2.0]))
    3.0
    """
    order = np.argsort(y, kind="stable")
    shares = np.cumsum(np.ones(len(y)) if weights is None else weights[order])
    wanted, slack = q * shares[-1], QUANTILE_RTOL * shares[-1]
    low, high = np.searchsorted(shares, [wanted - slack, wanted + slack])
    ends = y[order[np.minimum([low, high], len(y) - 1)]]
    return float(ends[0] + (ends[1] - ends[0]) / 2)
