"""What a loss says of itself to others: in cvxpy, as a model of its dual, and as its dual in fractions."""

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["DualModel", "ExactDual", "LossExpression"]

Vector = NDArray[np.float64]


class LossExpression(NamedTuple):
    """Losses in the language of cvxpy: a convex expression for each sample, and the constraints that go with them."""

    losses: "cp.Expression | float"
    constraints: "list[cp.Constraint]"

    @property
    def mean(self) -> "cp.Expression | float":
        """The mean loss."""
        import cvxpy as cp

        return cp.sum(self.losses) / self.losses.size if isinstance(self.losses, cp.Expression) else self.losses


class DualModel(NamedTuple):
    """A quadratic model v.(curvature * v) / 2 + slope.v of the negative dual objective, lower <= v <= upper."""

    curvature: Vector
    slope: Vector
    lower: Vector
    upper: Vector


class ExactDual(NamedTuple):
    """The row of the table in fractions, for verification without rounding.

    Attributes
    ----------
    low, high : Fraction or None
        The limits of v_i, or of p_i where the targets are labels (of classes: of all amounts of a sample); None where
        there is none.
    curvature : Fraction
        k of the dual objective y.v - k norm(v)^2/2, where y of classes are indicators.
    entropy : bool
        Whether the dual objective is sum H(p) instead.
    weights : tuple of N fractions, optional
        What each loss counts; one by default. With a weight w, d(v) becomes w d(v / w), on limits that are w times as
        large.
    """

    low: Fraction | None
    high: Fraction | None
    curvature: Fraction = Fraction(0)
    entropy: bool = False
    weights: tuple[Fraction, ...] | None = None
