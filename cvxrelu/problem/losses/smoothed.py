r"""Losses with one kink, made smooth about a dual vector c, whose dual is curved a little.

    loss(z, y) = max over low <= v <= high of v u,   u = y - z, or 1 - y z where the targets are labels
    smoothed   = max over low <= v <= high of v u - width (v - c)^2 / 2,   which is at v = clip(c + u / width)

It is at most width (v - c)^2 / 2 below the loss, at the v of the loss, and its own v is in the domain of the loss's
dual. About zero it is the Moreau envelope (Nesterov 2005, "Smooth minimization of non-smooth functions"). About an
optimal dual vector it has the optima of the loss itself, whatever the width: one that is about the last dual vector
again and again is the proximal point method on the dual, or the method of multipliers on the samples (Rockafellar 1976,
"Augmented Lagrangians and applications of the proximal point algorithm in convex programming").
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.losses.loss import Loss
from cvxrelu.problem.losses.pieces import DualModel, LossExpression

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["Smoothed", "smoothed"]

Vector = NDArray[np.float64]

# Residuals at which a loss has to be what its dual says.
RESIDUALS = np.array([-3.0, -0.7, 0.0, 0.4, 2.0])


@dataclass(frozen=True, repr=False, eq=False)
class Smoothed(Loss):
    """The envelope for real targets.

    Parameters
    ----------
    low, high : float
        The limits of v.
    width : float
        Of the residuals over which the kink is spread, for each unit of v.
    center : float or (N,) array, default 0.0
        c, within the limits; times the label if there is one.

    Examples
    --------
    >>> Smoothed(-1.0, 1.0, 0.5).values(np.array([3.0, 0.1]), np.zeros(2))
    array([2.75, 0.01])
    """

    low: float
    high: float
    width: float
    center: float | Vector = 0.0

    name, smooth = "smoothed", True

    def params(self) -> dict[str, float]:
        """Return what all samples share."""
        return {"low": self.low, "high": self.high, "width": self.width}

    def _residuals(self, z: Vector, y: Vector) -> Vector:
        return 1.0 - y * z if self.labels else y - z

    def _slopes(self, u: Vector) -> Vector:
        """Return v."""
        return np.clip(self.center + u / self.width, self.low, self.high)

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return v u - width (v - c)^2 / 2."""
        u = self._residuals(z, y)
        v = self._slopes(u)
        return v * u - self.width / 2 * (v - self.center) ** 2

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return the same: what is left of the loss beyond a parabola."""
        import cvxpy as cp

        u = 1 - cp.multiply(y, z) if self.labels else y - z
        rest = cp.Variable(len(y))
        beyond = cp.maximum(self.low * rest, self.high * rest)
        parabola = cp.square(u - rest) / (2 * self.width) + cp.multiply(self.center, u - rest)
        return LossExpression(parabola + beyond, [])

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return v, times the label if there is one."""
        v = self._slopes(self._residuals(z, y))
        pull = y * v if self.labels else v
        return pull, pull

    def limits(self) -> tuple[float, float]:
        """Return those of v."""
        return self.low, self.high

    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Return y.v - width norm(v - c)^2 / 2 on the box, but for a constant."""
        model, center = super().dual_model(v, y), self.center * y if self.labels else self.center
        return model._replace(curvature=np.full(len(y), self.width), slope=model.slope - self.width * center)

    def dual_values(self, v: Vector, y: Vector) -> Vector:
        """Return the same with the constant."""
        return super().dual_values(v, y) - self.width / 2 * np.square(self.center)

    def bent(self, y: Vector) -> Vector:
        """Return predictions in the middle of the parabola."""
        u = self.width * ((self.low + self.high) / 2 - self.center)
        return y * (1.0 - u) if self.labels else y - u


@dataclass(frozen=True, repr=False, eq=False)
class SmoothedMargin(Smoothed):
    """The envelope for labels."""

    labels = True


def smoothed(loss: Loss, width: float) -> Smoothed | None:
    """Return the envelope about zero of a loss with one kink, None if it is no such loss.

    Examples
    --------
    >>> from cvxrelu.problem.losses import get_loss
    >>> smoothed(get_loss("hinge"), 0.1)
    SmoothedMargin(low=0, high=1, width=0.1)
    >>> smoothed(get_loss("squared"), 0.1) is None
    True
    """
    low, high = loss.limits()
    if not (loss.regularised and np.isfinite([low, high]).all() and low < high):
        return None
    kind = SmoothedMargin if loss.labels else Smoothed
    ones = np.ones_like(RESIDUALS)
    for y in (ones, -ones):
        z = y * (1.0 - RESIDUALS) if loss.labels else y - RESIDUALS
        if not np.allclose(loss.values(z, y), np.maximum(low * RESIDUALS, high * RESIDUALS)):
            return None
    return kind(low, high, width)
