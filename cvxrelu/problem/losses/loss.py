r"""What a network pays for its predictions, and the dual of that.

With z the predictions and y the targets, a problem of `cvxrelu` is

    regularised loss:   min  (1/N) sum_i loss(z_i, y_i) + alpha * cost
    constraint:         min  cost   subject to   z fits y

A loss object knows what predictions pay, and the dual of that (`cvxrelu.problem.losses.dual`).
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.numerics.convex import least_convex
from cvxrelu.problem.losses.dual import Dual
from cvxrelu.problem.losses.pieces import LossExpression
from cvxrelu.problem.losses.rounding import ROUNDING, not_negative
from cvxrelu.problem.rows import name_rows

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["Loss", "mean_of"]

Vector = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class Loss(Dual, ABC):
    """What is paid for predictions, and its dual: a row of the table in `cvxrelu.problem.losses.dual`.

    A new loss is a frozen dataclass, whose fields are its parameters, with `values` and `expression`, and
    what of the rest it knows; and one line in `cvxrelu.problem.losses.LOSSES`. An object can be passed to `Problem` as
    it is. Losses are convex and never negative, and one of your own is no constraint.

    Attributes
    ----------
    name : str
        What `Problem(loss=...)` calls it.
    smooth : bool
        True if the loss has a gradient everywhere.
    several : bool
        True if there are several outputs, of which `n_outputs` tells the number.

    Those of `Dual` say the rest: whether it is a constraint, takes labels, and how its dual is curved.
    """

    name: ClassVar[str]
    smooth: ClassVar[bool] = False
    several: ClassVar[bool] = False

    def n_outputs(self, y: Vector) -> int:
        """Return the number of outputs that a network has for these targets."""
        return 1

    def bends(self, z: Vector, y: Vector) -> Vector:
        """Return the curvature of N times the loss of each sample, an (N, K, K) array; one output has its dual's."""
        raise NotImplementedError

    def first_dual(self, y: Vector) -> Vector:
        """Return what a dual vector of the data may look like before anything is fitted: the targets."""
        return y

    def constants(self, y: Vector) -> Vector:
        """Return the constant of least loss for every output."""
        return np.array([self.best_constant(y)])

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value:g}" for name, value in self.params().items())
        return f"{type(self).__name__}({given})"

    def params(self) -> dict[str, float]:
        """Return the parameters by name, with which the class makes the same loss again."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def plain(self) -> "Loss":
        """The loss without sample weights."""
        return self

    def check_labels(self, y: Vector) -> None:
        """Refuse what is not a label, where the targets are labels: by default both of -1 and +1, and nothing else.

        Raises
        ------
        InputError
            If an entry is something else, or all are the same.
        """
        foreign = np.flatnonzero(np.abs(y) != 1)
        if len(foreign):
            raise InputError(
                f"loss={self.name!r} takes labels -1 and +1, but y is something else in {name_rows(foreign)}; "
                "map your classes, or use ReLUClassifier."
            )
        if len(np.unique(y)) < 2:
            raise InputError(f"loss={self.name!r} needs both classes, but every label in y is {y[0]:+g}.")

    # What is paid.

    @abstractmethod
    def values(self, z: Vector, y: Vector) -> Vector:
        """Return the loss of each prediction, convex and not negative; of a constraint 0.0 if met, else infinity."""

    @abstractmethod
    def expression(self, z: "cp.Expression", y: Vector) -> LossExpression:
        """Return the loss of each entry of the cvxpy expression z, with any constraints it needs."""

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector] | None:
        """Return the ends of minus the subdifferential of N times the mean loss at z, for each sample.

        The default is None: not known. Then there is no alpha_max, and no dual vector of the best constant.
        """
        return None

    def value(self, z: Vector, y: Vector) -> float:
        """Return the mean loss of predictions z."""
        with np.errstate(over="ignore"):
            return float(np.mean(self.values(z, y)))

    def near(self, residuals: "cp.Expression", y: Vector, unit: float) -> LossExpression:
        """Return the losses at z = y + unit r over `unit`, of the cvxpy expression r.

        Where alpha is small and the targets can be met, z differs from y by a multiple of alpha, and the objective is
        one. With that as the unit, a loss that is homogeneous in z - y has no small number left in it.
        """
        loss = self.expression(y + unit * residuals, y)
        return LossExpression(loss.losses / unit, loss.constraints)

    def best_constant(self, y: Vector, weights: Vector | None = None) -> float:
        """Return the constant of least loss, one inside if they are an interval; by default it is searched for.

        With weights, which have mean one, losses count that much. The default looks at zero, the mean and the targets,
        and from the best of them for where the `pulls` change sign or, where they are not known, by values alone. A
        kink elsewhere is met up to rounding only, where the pulls are those of one side.
        """
        counts = np.ones(len(y)) if weights is None else weights

        def paid(value: float) -> float:
            return float(counts @ self.values(np.full(len(y), value), y))

        def pull(value: float) -> float:
            """Return what is nearest to zero of minus the slope."""
            pulls = self.pulls(np.full(len(y), value), y)
            return math.nan if pulls is None else float(np.clip(0.0, *(counts @ end for end in pulls)))

        with np.errstate(all="ignore"):  # of predictions at which the loss is infinite
            best = min((0.0, mean_of(y, weights), *np.unique(y)), key=paid)
            return least_convex(paid, pull, float(best), float(np.ptp(y)) or 1.0)

    def in_units(self, unit: float) -> "tuple[Loss, float] | None":
        """Return a loss l and a factor f with loss(t z + m, t y + m) = f l(z, y) for any m, t the unit.

        Targets are then centred and scaled; the default is None, that they cannot be.
        """
        return None

    def on_targets(self, y: Vector) -> "Loss":
        """Return a simpler loss that has the same optima on these targets, or the loss itself if none is known.

        The network zero costs nothing, so that the losses of an optimum are no more in sum than those of zero, and none
        of them is more than that sum. A loss that is the same below it, and no less beyond, has the same optima.
        """
        return self.below(float(self.values(np.zeros(len(y)), y).sum()))

    def on_samples(self, rows: NDArray[np.intp]) -> "Loss":
        """Return the loss of some of the samples: itself, but for sample weights."""
        return self

    def below(self, most: float) -> "Loss":
        """Return a simpler loss that is the same where this one is at most `most`, and nowhere less, or itself."""
        return self

    @property
    def fixes_predictions(self) -> bool:
        """Whether the loss is a constraint that leaves no choice: predictions are the targets."""
        return not (self.regularised or self.labels)

    @property
    def proves(self) -> bool:
        """Whether anything is known of lower bounds; without, a dual vector proves nothing."""
        return self.tells_dual or type(self.plain).lower_bound is not Dual.lower_bound

    @property
    def moves(self) -> bool:
        """Whether the loss depends on y - z only, so that targets may be centred."""
        return self.in_units(1.0) is not None

    def force(self, z: Vector, y: Vector) -> Vector | None:
        """Return minus the gradient of N times the loss at predictions z, or None if it has none everywhere."""
        pulls = self.pulls(z, y) if self.smooth else None
        return None if pulls is None else pulls[0]

    def bent(self, y: Vector) -> Vector:
        """Return predictions at which a loss with a gradient is curved most; for labels zeros, else the targets."""
        return np.zeros(len(y)) if self.labels else y

    # What is proven of a network.

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
            losses = not_negative(np.maximum(self.values(low, y), self.values(high, y)), self.name)
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


def mean_of(y: Vector, weights: Vector | None = None) -> float:
    """Return the mean; that of equal numbers is not always that number in floats."""
    if np.ptp(y) == 0:
        return float(y[0])
    # A digit that rounding takes may be more than they vary, so that comes last.
    near = np.average(y, weights=weights)
    return float(near + np.average(y - near, weights=weights))
