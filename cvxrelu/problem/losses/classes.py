r"""Losses of several classes: cross-entropy of the softmax, and the largest multi-class margin.

    softmax             log sum_k exp(z_ik) - z_i,y        dual  sum_i H(p_i),   V_i = e_y - p_i
    multiclass-margin   z_i,y - z_i,k >= 1, k != y         dual  sum_ik a_ik,    V_i = sum_k a_ik (e_y - e_k)

Labels are the integers 0, ..., K - 1. In both cases V is made of amounts a_ik >= 0 that a sample sends from its own
class to others (`circulation`); of the softmax they are probabilities, a_ik = p_ik, with sum_k a_ik <= 1. With
weights w, V_i / w_i takes the place of V_i, and w_i H that of H.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.free import Free
from cvxrelu.problem.losses.circulation import amounts_of, circulating, conserved
from cvxrelu.problem.losses.entropy import entropies_below, entropy_slope
from cvxrelu.problem.losses.loss import Loss
from cvxrelu.problem.losses.pieces import ExactDual, LossExpression
from cvxrelu.problem.losses.regression import FIT_RTOL
from cvxrelu.problem.losses.rounding import ROUNDING, largest_step, quotient_below, rounded_down
from cvxrelu.problem.rows import name_rows

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["CLASS_LOSSES", "MulticlassMargin", "OfClasses", "Softmax"]

Array = NDArray[np.float64]

EPS = float(np.finfo(float).eps)
# Halvings after which a best multiple is known to twelve digits, and the dual objective there, which is flat, to all.
HALVINGS = 40


@dataclass(frozen=True, repr=False, eq=False)
class OfClasses(Loss):
    """What losses of several classes share.

    Attributes
    ----------
    weights : (N,) array or None
        What the samples count, if it is not the same; positive, of mean one.
    """

    weights: Array | None = None

    labels, several = True, True

    @property
    def tells_dual(self) -> bool:
        """Whether the dual is known; it is."""
        return True

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @property
    def plain(self) -> Loss:
        """The loss without the weights."""
        return type(self)()

    def params(self) -> dict[str, float]:
        """Return none: there are no parameters."""
        return {}

    def n_outputs(self, y: Array) -> int:
        """Return the number of classes."""
        return int(y.max()) + 1

    def first_dual(self, y: Array) -> Array:
        """Return indicators of the labels, less their share of all classes."""
        count = self.n_outputs(y)
        return _indicators(np.empty((len(y), count)), y) - 1 / count

    def check_labels(self, y: Array) -> None:
        """Raise an InputError if labels are not 0, ..., K - 1, each of which occurs, K at least two."""
        foreign = np.flatnonzero((y != np.round(y)) | (y < 0) | (y >= len(y)))
        if len(foreign):
            raise InputError(
                f"loss={self.name!r} takes the labels 0, ..., K - 1 of K classes, each with at least one sample, but "
                f"y is something else in {name_rows(foreign)}; number your classes, or use ReLUClassifier."
            )
        present = np.unique(y)
        if len(present) < 2:
            raise InputError(f"loss={self.name!r} needs two classes or more, but every label in y is {y[0]:g}.")
        absent = np.setdiff1d(np.arange(len(present)), present)
        if len(absent):
            raise InputError(
                f"loss={self.name!r} takes the labels 0, ..., K - 1, each with at least one sample, but class "
                f"{absent[0]} has none; number the classes that occur."
            )

    def on_targets(self, y: Array) -> Loss:
        """Return the loss itself."""
        return self

    def exact_dual(self, exact: Callable[[float], Fraction]) -> ExactDual:
        """Return entropies of amounts that sum to one at most, and their weights; or the sum of all amounts."""
        weights = None if self.weights is None else tuple(map(exact, self.weights.tolist()))
        return ExactDual(Fraction(0), Fraction(1) if self.regularised else None, Fraction(0), self.regularised, weights)

    def repair(self, v: Array, y: Array, balanced: bool, boxed: bool = True) -> Array:
        """Return a matrix near v in the domain of the dual, or of which a multiple is there unless `boxed`."""
        labels = _integers(y)
        amounts = amounts_of(v, labels)
        if boxed and self.regularised:
            sent = amounts.sum(axis=1) / self._counts(y)
            amounts = amounts / np.maximum(sent * (1 + 4 * EPS), 1.0)[:, None]
        return circulating(amounts, labels, balanced)

    def orthogonal(self, v: Array, y: Array, free: Free, boxed: bool = True) -> Array:
        """Return such a matrix whose columns are orthogonal to all that is free, to ones exactly."""
        labels = _integers(y)
        amounts = conserved(amounts_of(v, labels), labels, free)
        if boxed and self.regularised:
            most = float((amounts.sum(axis=1) / self._counts(y)).max())
            amounts = amounts / max(most * (1 + 4 * EPS), 1.0)
        return circulating(amounts, labels, free.has_constant)

    def allows(self, v: Array, y: Array) -> bool:
        """Tell whether v is in the domain of the dual, as it is."""
        sent = _own(v, y)
        others = np.where(_indicators(v, y) > 0, 0.0, v)
        return bool((others <= 0).all() and (sent >= 0).all() and self._longest_step(v, y) >= 1)

    def _longest_step(self, v: Array, y: Array) -> float:
        """Return the largest factor that keeps v in its domain, rounded down."""
        if not self.regularised:
            return math.inf
        most = float(np.max(_own(v, y) / self._counts(y), initial=0.0))
        return 1 / most * (1 - 4 * EPS) if most > 0 else math.inf

    def _counts(self, y: Array) -> Array:
        return np.ones(len(y)) if self.weights is None else self.weights


@dataclass(frozen=True, repr=False, eq=False)
class Softmax(OfClasses):
    """The cross-entropy log sum_k exp(z_k) - z_y of the probabilities exp(z_k) / sum_l exp(z_l), in nats.

    Examples
    --------
    >>> float(Softmax().values(np.zeros((1, 4)), np.array([2.0]))[0])  # log 4
    1.3862943611198906
    """

    name, smooth, quadratic_dual = "softmax", True, False

    def values(self, z: Array, y: Array) -> Array:
        """Return the losses, an (N,) array."""
        return self._counts(y) * _excess(z - _own(z, y)[:, None], y)

    def expression(self, z: "cp.Expression", y: Array) -> LossExpression:
        """Return the losses in cvxpy."""
        import cvxpy as cp

        own = cp.sum(cp.multiply(_indicators(np.zeros(z.shape), y), z), axis=1)
        return LossExpression(cp.multiply(self._counts(y), cp.log_sum_exp(z, axis=1) - own), [])

    def force(self, z: Array, y: Array) -> Array:
        """Return e_y - p, times the weights."""
        from scipy.special import softmax

        return self._counts(y)[:, None] * (_indicators(z, y) - softmax(z, axis=1))

    def bends(self, z: Array, y: Array) -> Array:
        """Return diag(p) - p p', times the weights."""
        from scipy.special import softmax

        p = softmax(z, axis=1)
        return self._counts(y)[:, None, None] * (p[:, :, None] * np.eye(p.shape[1]) - p[:, :, None] * p[:, None, :])

    def pulls(self, z: Array, y: Array) -> tuple[Array, Array]:
        """Return the force, twice: the loss has a gradient."""
        force = self.force(z, y)
        return force, force

    def constants(self, y: Array) -> Array:
        """Return the logarithms of the sizes of the classes, which sum to zero."""
        sizes = np.bincount(_integers(y), self._counts(y))
        return np.log(sizes) - np.log(sizes).mean()

    def lower_bound(self, v: Array, y: Array, gamma: float, alpha: float | None, weights: Array | None = None) -> float:
        """Return the largest sum_i w_i H(p_i(t)) / N of the factors t with t gamma <= N alpha and t v in the domain."""
        counts = self._counts(y)
        amounts = amounts_of(v, _integers(y)) / counts[:, None]
        sent = _own(v, y) / counts
        step = min(self._longest_step(v, y), largest_step(gamma, alpha, len(y)))
        if not sent.any() or step <= 0:
            return 0.0
        if entropy_slope(step, amounts, sent, counts) < 0:
            # The sum of entropies is concave in t.
            low = 0.0
            for _ in range(HALVINGS):
                middle = (low + step) / 2
                rising = entropy_slope(middle, amounts, sent, counts) > 0
                low, step = (middle, step) if rising else (low, middle)
            step = low
        return rounded_down(math.fsum(counts * entropies_below(step * amounts, step * sent)) / len(y))

    def upper_bound(self, z: Array, radius: Array, y: Array, cost: float) -> float:
        """Return at least the objective of a network, rounding included."""
        own = _own(z, y)[:, None]
        with np.errstate(over="ignore", invalid="ignore"):
            gaps, wide = z - own, radius + _own(radius, y)[:, None]
            # Differences are off by a share of themselves, however large the predictions are.
            gaps += wide + 4 * EPS * (np.abs(gaps) + wide)
            losses = self._counts(y) * _excess(gaps, y)
            total = math.fsum(losses) if np.isfinite(losses).all() else math.inf
            return (total / len(y) * (1 + ROUNDING) + cost) * (1 + ROUNDING) + 4 * math.ulp(0.0)

    def dual_value(self, v: Array, y: Array) -> float:
        """Return the dual objective (N times the mean) at a v in its domain."""
        counts = self._counts(y)
        return math.fsum(counts * entropies_below(amounts_of(v, _integers(y)) / counts[:, None], _own(v, y) / counts))


@dataclass(frozen=True, repr=False, eq=False)
class MulticlassMargin(OfClasses):
    """Separate the classes with margin one: z_y - z_k >= 1 for every class k but a sample's own."""

    name, regularised = "multiclass-margin", False

    def values(self, z: Array, y: Array) -> Array:
        """Return 0.0 where all margins are at least 1 - `FIT_RTOL`, else infinity."""
        return np.where(1.0 - self.margins(z, y) <= FIT_RTOL, 0.0, np.inf)

    def margins(self, z: Array, y: Array) -> Array:
        """Return z_y less the largest of the others, an (N,) array."""
        return _own(z, y) - np.where(_indicators(z, y) > 0, -np.inf, z).max(axis=1)

    def expression(self, z: "cp.Expression", y: Array) -> LossExpression:
        """Return the constraints."""
        import cvxpy as cp

        own = _indicators(np.zeros(z.shape), y)
        gaps = cp.reshape(cp.sum(cp.multiply(own, z), axis=1), (z.shape[0], 1), order="C") - z
        return LossExpression(0.0, [gaps + own >= 1])

    def lower_bound(self, v: Array, y: Array, gamma: float, alpha: float | None, weights: Array | None = None) -> float:
        """Return sum_ik a_ik / gamma."""
        return quotient_below(math.fsum(_own(v, y)) * (1 - ROUNDING), gamma)

    def upper_bound(self, z: Array, radius: Array, y: Array, cost: float) -> float:
        """Return the cost of the network, scaled up to margin one where rounding keeps it below."""
        shortfall = self.residual(z, y, radius)
        return math.inf if shortfall > FIT_RTOL else cost / (1 - shortfall) * (1 + ROUNDING * (shortfall > 0))

    def residual(self, z: Array, y: Array, radius: Array | float = 0.0) -> float:
        """Return how far the smallest margin falls short of one, at most."""
        wide = np.broadcast_to(radius, z.shape)
        rounding = 2 * EPS * np.abs(z).max(axis=1) * bool(wide.any())
        others = np.where(_indicators(z, y) > 0, -np.inf, z + wide).max(axis=1)
        return max(0.0, float(np.max(1.0 - (_own(z, y) - _own(wide, y) - others) + rounding)))

    def feasible_factor(self, z: Array, y: Array) -> float:
        """Return the factor that makes the smallest margin one."""
        margin = float(np.min(self.margins(z, y)))
        return 1.0 / margin if margin > 0 else 1.0


CLASS_LOSSES: dict[str, type[OfClasses]] = {loss.name: loss for loss in (Softmax, MulticlassMargin)}


def _integers(y: Array) -> NDArray[np.intp]:
    return y.astype(np.intp)


def _own(z: Array, y: Array) -> Array:
    """Return the entry of each row in the column of its label."""
    return z[np.arange(len(y)), _integers(y)]


def _indicators(z: Array, y: Array) -> Array:
    """Return ones in the columns of the labels, in the shape of z."""
    return np.asarray(np.arange(z.shape[1]) == y[:, None], dtype=float)


def _excess(gaps: Array, y: Array) -> Array:
    """Return log(1 + sum over k != y of exp(gap_k)), without loss of digits where it is small, or of range."""
    others = np.where(_indicators(gaps, y) > 0, -np.inf, gaps)
    top = np.maximum(others.max(axis=1), 0.0)
    rest = np.exp(others - top[:, None]).sum(axis=1)
    return np.where(top > 0, top + np.log(np.exp(-top) + rest), np.log1p(rest))
