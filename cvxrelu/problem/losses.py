r"""Losses: what a network pays for its predictions, and the dual of that.

With z the predictions and y the targets, a problem of `cvxrelu` is

    regularised loss:   min  (1/N) sum_i loss(z_i, y_i) + alpha * cost
    constraint:         min  cost   subject to   z fits y

and every one of them has a dual whose only coupling is gamma(v) <= bound, where
gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b)):

| name          | primal                     | dual objective, N times for a regularised loss         | bound   |
|---------------|----------------------------|--------------------------------------------------------|---------|
| interpolation | z = y                      | y.v                                                    | 1       |
| margin        | y_i z_i >= 1               | sum p_i,          v = y p,  p >= 0                     | 1       |
| squared       | (z_i - y_i)^2 / 2          | y.v - norm(v)^2/2                                      | N alpha |
| logistic      | log(1 + exp(-y_i z_i))     | sum H(p_i),       v = y p,  0 <= p <= 1, H the entropy | N alpha |
| hinge         | max(0, 1 - y_i z_i)        | sum p_i,          v = y p,  0 <= p <= 1                | N alpha |

If the output constant is free, v must also sum to zero. A loss object knows its row of this table: it
turns *any* vector into a dual feasible one (`repair`, then scaling inside `lower_bound`), which is why a
lower bound never depends on how well a solver did.

Every positive multiple of v proves the same: `lower_bound` looks for the best. It is right for any v and y, and loses
nothing if the largest entry of v is near 1 and y, gamma and alpha are within the range of `cvxrelu.numerics.powers`.
"""

import math
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import shifted
from cvxrelu.numerics.powers import exponent_of, shift_down, unit
from cvxrelu.problem.validation import as_choice

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = [
    "LOSSES",
    "DualModel",
    "Hinge",
    "Interpolation",
    "Logistic",
    "Loss",
    "LossExpression",
    "Margin",
    "Squared",
    "balance",
    "dot_below",
    "get_loss",
    "largest_step",
]

Vector = NDArray[np.float64]

# A network interpolates (separates) when it misses the targets by no more than this share of their spread.
# Decoded networks are usually ten thousand times closer; the certificate states the residual.
FIT_RTOL = 1e-6

# Relative margin by which every float lower bound is shrunk. The sums below are exactly rounded (math.fsum), so
# a few units in the last place (2.2e-16) are lost in the products and in the scaling; this is a hundred times that.
ROUNDING = 2e-14
# What products of numbers of at most 1 may lose by underflow, each; and bounds that are smaller count as zero, since
# theirs is no longer relative.
UNDERFLOW, LEAST = 2.0**-1074, 2.0**-1000
# Binary digits after the point of a vector's smallest unit, up to which all multiples of the unit are normal numbers.
MOST_DIGITS = 1000
# Halvings after which a best multiple is known to twelve digits, and the dual objective there, which is flat, to all.
HALVINGS = 40

# Distance of probabilities from 0 and 1 at which the entropy is expanded: its slope and curvature are infinite there.
INSIDE = 1e-9


class LossExpression(NamedTuple):
    """A loss in the language of cvxpy: a convex objective and the constraints that go with it."""

    objective: "cp.Expression | float"
    constraints: "list[cp.Constraint]"


class DualModel(NamedTuple):
    """A quadratic model v.(curvature * v) / 2 + slope.v of the negative dual objective, lower <= v <= upper."""

    curvature: Vector
    slope: Vector
    lower: Vector
    upper: Vector


class Loss(ABC):
    """One row of the table above.

    A new loss is a subclass with the five abstract methods and one line in `LOSSES`.

    Attributes
    ----------
    name : str
        What `Problem(loss=...)` calls it.
    regularised : bool
        True if the cost is weighted with ``alpha`` against a sum of losses; False if the loss is a constraint.
    labels : bool
        True if the targets are class labels -1 and +1.
    degree : int or None
        k if loss(t z + m, t y + m) = t^k loss(z, y) for t > 0 and any m, so that targets may be centred and scaled;
        None if there is no such k.
    quadratic_dual : bool
        True if the dual objective is linear or quadratic, so that `dual_model` is the same at every v.
    """

    name: ClassVar[str]
    regularised: ClassVar[bool]
    labels: ClassVar[bool]
    degree: ClassVar[int | None] = None
    quadratic_dual: ClassVar[bool] = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    def values(self, z: Vector, y: Vector) -> Vector:
        """Return the loss of each prediction, convex in it; for a constraint 0.0 where it is met, else infinity."""

    def value(self, z: Vector, y: Vector) -> float:
        """Return the mean loss of predictions z."""
        with np.errstate(over="ignore"):
            return float(np.mean(self.values(z, y)))

    @abstractmethod
    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return the mean loss of the cvxpy expression z, with any constraints it needs."""

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return the mean loss at z = y + unit r over `unit`, of the cvxpy expression r.

        Where alpha is small and the targets can be met, z differs from y by a multiple of alpha, and the objective is
        one. With that as the unit, a loss that is homogeneous in z - y has no small number left in it.
        """
        loss = self.expression(y + unit * residuals, y)
        return LossExpression(loss.objective / unit, loss.constraints)

    @abstractmethod
    def repair(self, v: Vector, y: Vector, balanced: bool) -> Vector:
        """Return a vector near v in the domain of the dual; it sums to zero, exactly, if `balanced`."""

    @abstractmethod
    def lower_bound(self, v: Vector, y: Vector, gamma: float, alpha: float | None) -> float:
        """Return the dual objective at the best feasible multiple of a repaired v, given gamma(v) <= `gamma`."""

    def dual_value(self, v: Vector, y: Vector) -> float:
        """Return the dual objective (N times the mean) at a v in its domain, from the model unless overridden."""
        model = self.dual_model(v, y)
        return -float(v @ (model.curvature * v / 2 + model.slope))

    @abstractmethod
    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Return the second-order model of minus the dual objective (N times the mean) at v, and the domain of v."""

    def force(self, z: Vector, y: Vector) -> Vector | None:
        """Return minus the gradient of N times the loss at predictions z, or None if it has none everywhere."""
        return None

    def upper_bound(self, z: Vector, radius: Vector, y: Vector, cost: float) -> float:
        """Return at least the objective of a network, rounding included.

        The loss is convex, so it is largest at an end of the interval that a prediction lies in. `values` have to be
        right to within a relative `ROUNDING`.

        Parameters
        ----------
        z, radius : (N,) arrays
            The predictions are within `radius` of z.
        y : (N,) array
            Targets.
        cost : float
            At least the cost of the network, times alpha if there is one.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            low = np.where(radius > 0, np.nextafter(z - radius, -np.inf), z)
            high = np.where(radius > 0, np.nextafter(z + radius, np.inf), z)
            losses = np.maximum(self.values(low, y), self.values(high, y))
            total = math.fsum(losses) if len(y) * np.max(losses) < np.inf else math.inf
            if total == 0 and (
                not self.regularised or (cost == 0 and np.array_equal(low, y) and np.array_equal(high, y))
            ):
                return cost  # there is no loss that could have underflowed
            # What underflows in the losses, their mean, alpha times the cost and this sum is a least float at most.
            return (total / len(y) * (1 + ROUNDING) + cost) * (1 + ROUNDING) + 4 * math.ulp(0.0)

    def attained_bound(self, z: Vector, radius: Vector, v: Vector, gamma: float) -> float:
        """Return a lower bound on the cost of all networks that predict what a network within `radius` of z does.

        Infinity where it makes no difference that a constraint is met by rounding only.
        """
        return math.inf

    def residual(self, z: Vector, y: Vector, radius: Vector | float = 0.0) -> float:
        """Return the relative violation of the constraint by predictions within `radius` of z; 0.0 without one."""
        return 0.0

    def aim(self, z: Vector, y: Vector) -> Vector:
        """Return the predictions that a solution means if it predicts z up to a solver's accuracy."""
        return z

    def feasible_factor(self, z: Vector, y: Vector) -> float:
        """Return what to multiply predictions z with so that they satisfy the constraint exactly, 1 if nothing does."""
        return 1.0


class Interpolation(Loss):
    """Fit the targets exactly: z = y."""

    name, regularised, labels, degree = "interpolation", False, False, 0

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return 0.0 where z meets y up to `FIT_RTOL` times the spread of y, else infinity."""
        return np.where(np.abs(z - y) / self._scale(y) <= FIT_RTOL, 0.0, np.inf)

    def residual(self, z: Vector, y: Vector, radius: Vector | float = 0.0) -> float:
        """Return max abs(z - y), relative to half the range of y (to the largest abs(y) if y is constant)."""
        return float(np.max((np.abs(z - y) + radius) / self._scale(y)))

    def attained_bound(self, z: Vector, radius: Vector, v: Vector, gamma: float) -> float:
        """Return z.v / gamma, less what the radius can make of it: the network interpolates its own predictions."""
        if gamma == 0 or not np.isfinite(radius).all():
            return 0.0
        shortfall = math.fsum(np.abs(v) * radius) * (1 + ROUNDING) / gamma
        return max(0.0, self.lower_bound(v, z, gamma, None) - shortfall * (1 + ROUNDING))

    def _scale(self, y: Vector) -> float:
        return float(np.ptp(y) / 2 or np.max(np.abs(y)) or 1.0)

    def aim(self, z: Vector, y: Vector) -> Vector:
        """Return y, the only feasible predictions."""
        return y

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return the constraint z == y."""
        return LossExpression(0.0, [z == y])

    def repair(self, v: Vector, y: Vector, balanced: bool) -> Vector:
        """Subtract the mean where v must sum to zero."""
        return balance(v - v.mean()) if balanced else v

    def lower_bound(self, v: Vector, y: Vector, gamma: float, alpha: float | None) -> float:
        """Return y.v / gamma: every v is feasible after division by gamma(v)."""
        return _quotient_below(dot_below(v, y), gamma)

    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Return -y.v on all of space."""
        infinite = np.full(len(y), np.inf)
        return DualModel(np.zeros(len(y)), -y, -infinite, infinite)


class Squared(Loss):
    """Half the mean squared error."""

    name, regularised, labels, degree = "squared", True, False, 2

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return (z - y)^2 / 2."""
        return (z - y) ** 2 / 2

    def force(self, z: Vector, y: Vector) -> Vector:
        """Return y - z."""
        return y - z

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return mean (z - y)^2 / 2."""
        import cvxpy as cp

        return LossExpression(cp.sum_squares(z - y) / (2 * len(y)), [])

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return unit * mean r^2 / 2."""
        import cvxpy as cp

        return LossExpression(unit / (2 * len(y)) * cp.sum_squares(residuals), [])

    def repair(self, v: Vector, y: Vector, balanced: bool) -> Vector:
        """Subtract the mean where v must sum to zero."""
        return balance(v - v.mean()) if balanced else v

    def lower_bound(self, v: Vector, y: Vector, gamma: float, alpha: float | None) -> float:
        """Return max over t of t y.v - t^2 norm(v)^2 / 2 with abs(t) gamma <= N alpha, over N."""
        correlation, square = dot_below(v, y), math.fsum(v * v) * (1 + ROUNDING)
        if correlation <= 0 or square == 0:
            return 0.0
        step = min(correlation / square, largest_step(gamma, alpha, len(y)))
        return _down(step * (correlation - step * square / 2) / len(y))

    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Return norm(v)^2 / 2 - y.v on all of space."""
        infinite = np.full(len(y), np.inf)
        return DualModel(np.ones(len(y)), -y, -infinite, infinite)


class _Classification(Loss):
    """Losses of the margin y_i z_i, with duals v = y p; `_box` is the upper bound on p."""

    labels = True
    _box: ClassVar[float] = math.inf

    def repair(self, v: Vector, y: Vector, balanced: bool) -> Vector:
        """Clip p = y v to its box, then scale the heavier class down until v sums to zero."""
        p = np.clip(v * y, 0.0, self._box)
        if balanced:
            positive = y > 0
            weights = p[positive].sum(), p[~positive].sum()
            lighter = min(weights)
            for members, weight in ((positive, weights[0]), (~positive, weights[1])):
                p[members] *= lighter / weight if weight > 0 else 0.0
            return balance(p * y)
        return p * y

    def _longest_step(self, v: Vector, y: Vector, gamma: float, alpha: float | None) -> float:
        """Return the largest factor that keeps p = y v in its box and gamma(v) within N alpha; 0.0 if v vanishes."""
        largest = float(np.max(v * y, initial=0.0))
        return min(self._box / largest, largest_step(gamma, alpha, len(y))) if largest > 0 else 0.0

    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Return -sum p, for v = y p and p in its box."""
        ends = 0.0 * y, self._box * y
        return DualModel(np.zeros(len(y)), -y, np.minimum(*ends), np.maximum(*ends))


class Margin(_Classification):
    """Separate the two classes with margin one: y_i z_i >= 1."""

    name, regularised = "margin", False

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

    def lower_bound(self, v: Vector, y: Vector, gamma: float, alpha: float | None) -> float:
        """Return sum p / gamma."""
        return _quotient_below(dot_below(v, y), gamma)


class Hinge(_Classification):
    """The hinge loss max(0, 1 - y z) of support vector machines."""

    name, regularised, _box = "hinge", True, 1.0

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return max(0, 1 - y z)."""
        return np.maximum(0.0, 1.0 - y * z)

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return mean max(0, 1 - y z)."""
        import cvxpy as cp

        return LossExpression(cp.sum(cp.pos(1 - cp.multiply(y, z))) / len(y), [])

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return mean max(0, -y r)."""
        import cvxpy as cp

        return LossExpression(cp.sum(cp.pos(-cp.multiply(y, residuals))) / len(y), [])

    def lower_bound(self, v: Vector, y: Vector, gamma: float, alpha: float | None) -> float:
        """Return t sum p / N, t the largest factor that keeps t p <= 1 and gamma(t v) <= N alpha."""
        return _down(self._longest_step(v, y, gamma, alpha) * dot_below(v, y) / len(y))


class Logistic(_Classification):
    """The logistic loss log(1 + exp(-y z)), in nats."""

    name, regularised, quadratic_dual, _box = "logistic", True, False, 1.0

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return log(1 + exp(-y z))."""
        return np.logaddexp(0.0, -y * z)

    def force(self, z: Vector, y: Vector) -> Vector:
        """Return y p, with p = 1 / (1 + exp(y z)) the probability of the wrong label."""
        from scipy.special import expit

        return y * expit(-y * z)

    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return mean log(1 + exp(-y z))."""
        import cvxpy as cp

        return LossExpression(cp.sum(cp.logistic(-cp.multiply(y, z))) / len(y), [])

    def lower_bound(self, v: Vector, y: Vector, gamma: float, alpha: float | None) -> float:
        """Return the largest sum H(t p) / N of the factors t that the hinge loss allows."""
        step, p = self._longest_step(v, y, gamma, alpha), np.maximum(v * y, 0.0)
        if step > 0 and _entropy_slope(step * p) < 0:
            # H rises up to 1/2, so the sum, which is concave in t, is largest where the largest t p is above that.
            low = min(step, 0.5 / float(p.max()))
            for _ in range(HALVINGS):
                middle = (low + step) / 2
                low, step = (middle, step) if _entropy_slope(middle * p) > 0 else (low, middle)
        p = np.minimum(step * p, 1.0)
        # The product is rounded to where H is larger, or back.
        return _down(math.fsum(_entropy(np.nextafter(p, p > 0.5))) / len(y))

    def dual_value(self, v: Vector, y: Vector) -> float:
        """Return sum H(p)."""
        return math.fsum(_entropy(np.clip(v * y, 0.0, 1.0)))

    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Return the expansion of -sum H(p) at p = y v, moved inside its box where the entropy has a slope."""
        p = np.clip(v * y, INSIDE, 1.0 - INSIDE)
        curvature, gradient = 1.0 / (p * (1.0 - p)), np.log(p / (1.0 - p))
        linear = super().dual_model(v, y)
        return DualModel(curvature, (gradient - curvature * p) * y, linear.lower, linear.upper)


def balance(v: Vector) -> Vector:
    """Return a vector near v whose entries sum to zero without any rounding.

    All entries become multiples of one power of two, the last digit of the largest. Their sum is one, too, and small,
    so it is found exactly, and the largest entry of its sign absorbs it. Vectors too small for that become zero.
    """
    digits = 52 - exponent_of(v)
    if digits > MOST_DIGITS:
        return np.zeros_like(v)
    v = np.round(shifted(v, digits))
    excess = math.fsum(v)
    v[np.argmax(v * np.sign(excess))] -= excess
    return shifted(v, -digits)


def dot_below(v: Vector, y: Vector) -> float:
    """Return a float that is at most the exact y.v."""
    (v, k), (y, j) = unit(v), unit(y)
    products = v * y
    rounding = ROUNDING * math.fsum(np.abs(products)) + 2 * len(v) * UNDERFLOW
    return shift_down(math.fsum(products) - rounding, k + j)


def _down(bound: float) -> float:
    """Return a bound with its rounding taken off, or zero where it is negative or not a normal number."""
    return bound * (1 - ROUNDING) if bound >= LEAST else 0.0


def _quotient_below(correlation: float, gamma: float) -> float:
    """Return correlation / gamma, rounded down; 0.0 for gamma = 0, which proves nothing where data can be fitted."""
    return _down(min(correlation / gamma, sys.float_info.max)) if gamma > 0 else 0.0


def _entropy(p: Vector) -> Vector:
    """Return H(p) = -p log p - (1 - p) log(1 - p)."""
    from scipy.special import entr, xlog1py

    # entr(1 - p) would lose all digits of a small p.
    return entr(p) - xlog1py(1.0 - p, -p)


def _entropy_slope(p: Vector) -> float:
    """Return the derivative of sum H(t p) in t at t = 1, to a few digits."""
    from scipy.special import logit

    inside = p[(p > 0) & (p < 1)]
    return -math.inf if (p >= 1).any() else -float(inside @ logit(inside))


def largest_step(gamma: float, alpha: float | None, n_samples: int) -> float:
    """Return the largest factor t with t gamma <= N alpha."""
    assert alpha is not None, "a regularised loss always has alpha"
    return n_samples * alpha / gamma * (1 - ROUNDING) if gamma > 0 else math.inf


LOSSES: dict[str, type[Loss]] = {loss.name: loss for loss in (Interpolation, Margin, Squared, Logistic, Hinge)}


def get_loss(loss: str | Loss) -> Loss:
    """Return the loss of that name, or the loss object itself.

    Raises
    ------
    InputError, InputTypeError
        If no loss has that name.

    Examples
    --------
    >>> get_loss("hinge")
    Hinge()
    """
    if isinstance(loss, Loss):
        return loss
    return LOSSES[as_choice(loss, LOSSES, "loss")]()
