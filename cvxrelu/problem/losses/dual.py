r"""The dual of a problem, the part that a loss knows.

Every problem has a dual whose only coupling is gamma(v) <= bound, where
gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b)):

| name          | primal                      | dual objective (N times if regularised)  | domain           | bound   |
|---------------|-----------------------------|------------------------------------------|------------------|---------|
| interpolation | z = y                       | y.v                                      | all v            | 1       |
| margin        | y z >= 1                    | sum p,      v = y p                      | p >= 0           | 1       |
| squared       | r^2/2,  r = y - z           | y.v - norm(v)^2/2                        | all v            | N alpha |
| logistic      | log(1 + exp(-y z))          | sum H(p),   v = y p, H the entropy       | 0 <= p <= 1      | N alpha |
| hinge         | max(0, 1 - y z)             | sum p,      v = y p                      | 0 <= p <= 1      | N alpha |

If the output constant is free, v must also sum to zero. A loss object knows its row of this table: it
turns *any* vector into a dual feasible one (`repair`, then scaling inside `lower_bound`), which is why a
lower bound never depends on how well a solver did. All rows but the logistic one are alike: y.v - k norm(v)^2/2 with
`curvature` k = 0 or 1 on a box, whose `limits` are those of v, or of p where the targets are labels (y.v = sum p then).

Every positive multiple of v proves the same: `lower_bound` looks for the best. It is right for any v and y, and loses
nothing if the largest entry of v is near 1 and y, gamma and alpha are within the range of `cvxrelu.numerics.powers`.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.free import Free
from cvxrelu.problem.losses.pieces import DualModel, ExactDual
from cvxrelu.problem.losses.rounding import (
    ROUNDING,
    balance,
    dot_below,
    largest_step,
    lighten,
    quotient_below,
    rounded_down,
)

__all__ = ["Dual"]

Vector = NDArray[np.float64]


class Dual:
    """The dual of a loss, of which any vector proves a lower bound once it is repaired.

    Attributes
    ----------
    regularised : bool
        True if the cost is weighted with ``alpha`` against a sum of losses; False if the loss is a constraint.
    labels : bool
        True if the targets are class labels -1 and +1.
    curvature : float
        k of the dual objective, 0.0 or 1.0.
    quadratic_dual : bool
        True if the dual objective is linear or quadratic, so that `dual_model` is the same at every v.
    """

    regularised: ClassVar[bool] = True
    labels: ClassVar[bool] = False
    curvature: ClassVar[float] = 0.0
    quadratic_dual: ClassVar[bool] = True

    def limits(self) -> tuple[float, float]:
        """Return the limits of v_i, or of p_i where the targets are labels; zero is between them."""
        return -math.inf, math.inf

    @property
    def tells_dual(self) -> bool:
        """Whether the dual is known, by `curvature`, `limits` or a `dual_model` of its own.

        Column generation rests on that, and so does sliding.
        """
        told = self.curvature > 0 or any(map(math.isfinite, self.limits()))
        return told or not self.regularised or type(self).dual_model is not Dual.dual_model

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return the same in fractions, written a second time; `exact` turns a parameter into one.

        Raises
        ------
        InputError
            If the loss does not know, and is not verified without rounding.
        """
        raise InputError(f"Exact verification does not know the dual of loss={self!r}.")

    def repair(self, v: Vector, y: Vector, balanced: bool, boxed: bool = True) -> Vector:
        """Return a vector near v in the domain of the dual; it sums to zero, exactly, if `balanced`.

        Unless `boxed`, a multiple of it is in the domain, which is all that `lower_bound` needs: what multiple of a
        vector is given then makes no difference.
        """
        low, high = self.box(y, boxed)
        if balanced and not self.labels:
            v = v - v.mean()
        v = np.clip(v, low, high)
        if not balanced:
            return v
        return balance(lighten(v) if np.isfinite(low).any() or np.isfinite(high).any() else v)

    def orthogonal(self, v: Vector, y: Vector, free: Free, boxed: bool = True) -> Vector:
        """Return a vector near v in the domain of the dual, as `repair`, that is orthogonal to all that is free.

        Its entries sum to zero exactly if constants are free; to linear functions it is orthogonal up to rounding.
        """
        v = free.nearest(v, *self.box(y, boxed))
        return balance(v) if free.has_constant else v

    def box(self, y: Vector, boxed: bool = True) -> tuple[Vector, Vector]:
        """Return the limits of each v_i; those of a vector of which a multiple is in the domain, unless `boxed`."""
        low, high = self._ends(y)
        if not boxed:
            low, high = np.where(low < 0, -np.inf, low), np.where(high > 0, np.inf, high)
        return low, high

    def allows(self, v: Vector, y: Vector) -> bool:
        """Tell whether v is in the domain of the dual, as it is."""
        low, high = self._ends(y)
        return bool((low <= v).all() and (v <= high).all())

    def power_within(self, v: Vector, y: Vector) -> int:
        """Return the largest k <= 0 with 2^k v in the domain of the dual, for a v of which a multiple is."""
        step = self._longest_step(v, y)
        return 0 if step >= 1 else math.frexp(step)[1] - 1

    def lower_bound(
        self, v: Vector, y: Vector, gamma: float, alpha: float | None, weights: Vector | None = None
    ) -> float:
        """Return the dual objective at the best feasible multiple of a repaired v, given gamma(v) <= `gamma`.

        It is max over t of t y.v - k t^2 norm(v)^2 / 2, over N, with t v in its box and t gamma <= N alpha; for a
        constraint y.v / gamma, as every v is feasible after division by gamma(v). With weights w, which have mean one,
        limits are those of v / w, and v^2 / w takes the place of v^2.
        """
        correlation = dot_below(v, y)
        if not self.regularised:
            return quotient_below(correlation, gamma)
        if correlation <= 0 or not (self.curvature or any(map(math.isfinite, self.limits()))):
            return 0.0  # no loss that is finite has y.v on all v for its dual: it says nothing of its own
        each = v if weights is None else v / weights
        bend = self.curvature * math.fsum(v * each) * (1 + ROUNDING)
        step = min(
            self._longest_step(each, y), largest_step(gamma, alpha, len(y)), correlation / bend if bend else math.inf
        )
        return rounded_down(step * (correlation - step * bend / 2) / len(y)) if step < math.inf else 0.0

    def dual_value(self, v: Vector, y: Vector) -> float:
        """Return the dual objective (N times the mean) at a v in its domain."""
        return math.fsum(self.dual_values(v, y))

    def dual_values(self, v: Vector, y: Vector) -> Vector:
        """Return what each sample adds to it, from the model unless overridden."""
        model = self.dual_model(v, y)
        return -v * (model.curvature * v / 2 + model.slope)

    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Return the second-order model of minus the dual objective (N times the mean) at v, and the domain of v."""
        return DualModel(np.full(len(y), self.curvature), -y, *self._ends(y))

    def _ends(self, y: Vector) -> tuple[Vector, Vector]:
        """Return the limits of each v_i."""
        low, high = self.limits()
        if not self.labels:
            return np.full(len(y), low), np.full(len(y), high)
        with np.errstate(invalid="ignore"):
            ends = low * y, high * y
        return np.minimum(*ends), np.maximum(*ends)

    def _longest_step(self, v: Vector, y: Vector) -> float:
        """Return the largest factor that keeps v in its domain."""
        shares = v * y if self.labels else v
        low, high = self.limits()
        most, least = float(np.max(shares, initial=0.0)), float(np.min(shares, initial=0.0))
        up = high / most if most > 0 else math.inf
        return min(up, low / least) if least < 0 and not self.labels else up
