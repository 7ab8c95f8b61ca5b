r"""Losses with one kink, made smooth: the Moreau envelope, whose dual is curved a little.

    loss(z, y) = max over low <= v <= high of v u,   u = y - z, or 1 - y z where the targets are labels
    smoothed   = max over low <= v <= high of v u - width v^2 / 2  =  v u - width v^2 / 2  at v = clip(u / width)

It is at most width max(low^2, high^2) / 2 below the loss, and its v is in the domain of the loss's dual: what is found
for the one has that gap for the other (Nesterov 2005, "Smooth minimization of non-smooth functions").
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


@dataclass(frozen=True, repr=False)
class Smoothed(Loss):
    """The envelope for real targets.

    Parameters
    ----------
    low, high : float
        The limits of v.
    width : float
        Of the residuals over which the kink is spread, for each unit of v.

    Examples
    --------
    >>> Smoothed(-1.0, 1.0, 0.5).values(np.array([3.0, 0.1]), np.zeros(2))
    array([2.75, 0.01])
    """

    low: float
    high: float
    width: float

    name, smooth = "smoothed", True

    def _residuals(self, z: Vector, y: Vector) -> Vector:
        return 1.0 - y * z if self.labels else y - z

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return v u - width v^2 / 2."""
        u = self._residuals(z, y)
        v = np.clip(u / self.width, self.low, self.high)
        return v * (u - self.width * v / 2)

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return the same: what is left of the loss beyond a parabola."""
        import cvxpy as cp

        u = 1 - cp.multiply(y, z) if self.labels else y - z
        rest = cp.Variable(len(y))
        beyond = cp.maximum(self.low * rest, self.high * rest)
        return LossExpression(cp.square(u - rest) / (2 * self.width) + beyond, [])

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return v, times the label if there is one."""
        v = np.clip(self._residuals(z, y) / self.width, self.low, self.high)
        pull = y * v if self.labels else v
        return pull, pull

    def limits(self) -> tuple[float, float]:
        """Return those of v."""
        return self.low, self.high

    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Return y.v - width norm(v)^2 / 2 on the box."""
        return super().dual_model(v, y)._replace(curvature=np.full(len(y), self.width))

    def bent(self, y: Vector) -> Vector:
        """Return predictions in the middle of the parabola."""
        u = self.width * (self.low + self.high) / 2
        return y * (1.0 - u) if self.labels else y - u


@dataclass(frozen=True, repr=False)
class SmoothedMargin(Smoothed):
    """The envelope for labels."""

    labels = True


def smoothed(loss: Loss, width: float) -> Smoothed | None:
    """Return the envelope of a loss with one kink, None if it is no such loss.

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
