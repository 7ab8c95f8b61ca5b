r"""Continuous piecewise linear functions on the line: what one-input networks are.

    f'' = sum_k c_k delta(t_k),     t_k the knots, c_k the jumps of f'

and a network sum_j v_j sigma(w_j x + b_j) + c has a knot at -b_j / w_j, of jump (1 - a) v_j abs(w_j), for each
neuron with w_j != 0 (Savarese et al. (29), with the sign of the position corrected).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.line.drawing import plot_function
from cvxrelu.line.networks import cheapest_network
from cvxrelu.line.samples import slope_rounding, straight
from cvxrelu.problem.network import Network
from cvxrelu.problem.validation import as_floats, as_real

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KnotMeasure", "PiecewiseLinear"]

Array = NDArray[np.float64]

# Hinges of a network nearer than this share of the extent of most bending are taken for one. The slope between them
# would be known to no better than eps / share = 2e-6 of (values / extent), whereas merging moves f by share * TV.
HINGE_SPACING = 1e-10
# Default relative tolerance of comparisons: far above rounding, far below the accuracy of any solver.
CLOSE_RTOL = 1e-9
# End slopes add up to zero if they do so relative to the steepest slope and TV(f'): the sum cancels, and functions
# come out of solvers.
BALANCE_RTOL = 1e-9


@dataclass(frozen=True, eq=False)
class KnotMeasure:
    """A second derivative: the measure sum_k jumps_k delta(positions_k).

    Attributes
    ----------
    positions : (k,) array
        Ascending.
    jumps : (k,) array
        By how much the slope rises there.
    """

    positions: Array
    jumps: Array

    @classmethod
    def from_network(cls, network: Network) -> "KnotMeasure":
        """Return f'' = (1 - a) sum_j v_j abs(w_j) delta(-b_j / w_j) of a network of one input.

        Neurons that share a hinge are added up; the jumps are exact where differences of slopes are not.

        Raises
        ------
        InputError
            If the network has more inputs.

        Examples
        --------
        >>> network = Network(W=[[2.0], [-1.0], [1.0]], b=[-2.0, 0.0, 0.0], v=[1.0, 3.0, 1.0])
        >>> measure = KnotMeasure.from_network(network)
        >>> measure.positions, measure.jumps
        (array([0., 1.]), array([4., 2.]))
        """
        _require_line(network)
        w, b, v, _ = _hinges(network)
        positions, place = np.unique(-b / w + 0.0, return_inverse=True)
        jumps = np.zeros(len(positions))
        np.add.at(jumps, place, (1 - network.negative_slope) * v * np.abs(w))
        return cls(positions, jumps)

    @property
    def total_variation(self) -> float:
        """The sum of the absolute jumps, TV(f')."""
        return float(np.abs(self.jumps).sum())


@dataclass(frozen=True, eq=False)
class PiecewiseLinear:
    """The continuous function with given values at its knots, linear between them and beyond them.

    Parameters
    ----------
    knots : (k,) array_like
        Strictly ascending, k >= 1. A knot may have no jump: an affine function is one knot with equal slopes.
    values : (k,) array_like
        f at the knots.
    left_slope, right_slope : float
        The slopes before the first knot and after the last.

    Raises
    ------
    InputTypeError
        If an argument is not numeric.
    InputError
        If the shapes differ, an entry is not finite, or the knots are not strictly ascending.

    Examples
    --------
    >>> tent = PiecewiseLinear([-1.0, 0.0, 1.0], [0.0, 1.0, 0.0], 0.0, 0.0)
    >>> tent([-5.0, -0.5, 0.0, 3.0])
    array([0. , 0.5, 1. , 0. ])
    >>> tent.derivative([-0.5, 0.0, 3.0])
    array([ 1., -1.,  0.])
    >>> tent.second_derivative().jumps, tent.second_derivative().total_variation
    (array([ 1., -2.,  1.]), 4.0)
    """

    knots: Array
    values: Array
    left_slope: float
    right_slope: float

    def __post_init__(self) -> None:
        for name in ("knots", "values"):
            array = as_floats(getattr(self, name), name)
            if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
                raise InputError(f"{name} must be a one-dimensional array of at least one finite number.")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if self.knots.shape != self.values.shape:
            raise InputError(f"There are {len(self.knots)} knots and {len(self.values)} values; give one for each.")
        if not (np.diff(self.knots) > 0).all():
            raise InputError("knots must be strictly ascending; sort them and merge equal ones.")
        for name in ("left_slope", "right_slope"):
            object.__setattr__(self, name, as_real(getattr(self, name), name))

    def __repr__(self) -> str:
        return (
            f"PiecewiseLinear({self.n_knots} knots, left_slope={self.left_slope:.6g}, "
            f"right_slope={self.right_slope:.6g})"
        )

    def __call__(self, x: ArrayLike) -> Array:
        """Return f(x), in the shape of x, which must be finite."""
        places = _as_places(x)
        inside = np.interp(places, self.knots, self.values)
        left = self.left_slope * np.minimum(places - self.knots[0], 0.0)
        right = self.right_slope * np.maximum(places - self.knots[-1], 0.0)
        return inside + left + right

    @cached_property
    def slopes(self) -> Array:
        """The slopes of the k + 1 pieces, from left to right."""
        inner = np.diff(self.values) / np.diff(self.knots)
        return np.concatenate([[self.left_slope], inner, [self.right_slope]])

    @property
    def n_knots(self) -> int:
        """Number of knots at which the slope does jump, by more than rounding."""
        return int(self._jumps().sum())

    @property
    def has_balanced_ends(self) -> bool:
        """Whether the end slopes add up to zero within rounding."""
        ends = abs(self.left_slope), abs(self.right_slope)
        scale = max(*ends, self.second_derivative().total_variation)
        return abs(self.left_slope + self.right_slope) <= BALANCE_RTOL * scale

    def derivative(self, x: ArrayLike) -> Array:
        """Return f'(x), at a knot the slope to its right, in the shape of x."""
        return self.slopes[np.searchsorted(self.knots, _as_places(x), side="right")]

    def second_derivative(self) -> KnotMeasure:
        """Return f'' as a measure on the knots."""
        return KnotMeasure(self.knots, np.diff(self.slopes))

    def simplified(self) -> "PiecewiseLinear":
        """Return the same function without the knots whose jump is zero up to rounding; one knot stays if all are.

        Examples
        --------
        >>> PiecewiseLinear([0.0, 1.0, 2.0], [0.0, 0.0, 1.0], 0.0, 1.0).simplified().knots
        array([1.])
        """
        keep = self._jumps()
        if not keep.any():
            keep[len(keep) // 2] = True
        return PiecewiseLinear(self.knots[keep], self.values[keep], self.left_slope, self.right_slope)

    def is_close(self, other: "PiecewiseLinear", rtol: float = CLOSE_RTOL) -> bool:
        """Tell whether two functions are equal, everywhere on the line, up to a relative tolerance.

        The difference is piecewise linear, so it is largest at a knot of either function or it is decided by the
        outer slopes. It is measured against the largest value at a knot and the rise of the steepest slope over the
        knots' extent; outer slopes, against the steepest slope.
        """
        places = np.union1d(self.knots, other.knots)
        mine, theirs = self(places), other(places)
        steepness = max(float(np.abs(function.slopes).max()) for function in (self, other))
        height = max(float(np.abs(mine).max()), float(np.abs(theirs).max()), steepness * float(np.ptp(places)))
        ends = abs(self.left_slope - other.left_slope), abs(self.right_slope - other.right_slope)
        return bool(np.abs(mine - theirs).max() <= rtol * height) and max(ends) <= rtol * steepness

    @classmethod
    def from_network(cls, network: Network) -> "PiecewiseLinear":
        """Return the function that a network of one input computes.

        Raises
        ------
        InputError
            If the network has more inputs.

        Examples
        --------
        >>> network = Network(W=[[2.0], [-1.0]], b=[-2.0, 0.0], v=[1.0, 3.0])
        >>> function = PiecewiseLinear.from_network(network)
        >>> function.knots, function.slopes
        (array([0., 1.]), array([-3.,  0.,  2.]))
        """
        _require_line(network)
        a = network.negative_slope
        w, b, v, linear = _hinges(network)
        if not len(w):
            return cls([0.0], network([[0.0]]), linear, linear)  # pyright: ignore[reportArgumentType]
        hinges, place = np.unique(-b / w, return_inverse=True)
        jumps = np.zeros(len(hinges))
        np.add.at(jumps, place, np.abs(v * w))
        # Where most of the bending is: the hinge far out of a neuron that has almost died says nothing about others.
        middle = _weighted_median(hinges, jumps)
        extent = np.maximum(np.abs(hinges - middle), _weighted_median(np.abs(hinges - middle), jumps))
        spaced = np.concatenate([[True], np.diff(hinges) > HINGE_SPACING * np.minimum(extent[1:], extent[:-1])])
        knots = hinges[spaced]
        left, right = (linear + float(v @ (w * np.where(active, 1.0, a))) for active in (w < 0, w > 0))
        return cls(knots, network(knots[:, None]), left, right)

    def to_network(self, negative_slope: float = 0.0, skip: bool = False) -> Network:
        """Return a cheapest network that computes this function; see `cheapest_network`."""
        return cheapest_network(self, negative_slope, skip)

    def plot(self, ax: "Axes | None" = None, **style: object) -> "Axes":
        """Draw the graph and its knots; see `plot_function`."""
        return plot_function(self, ax, **style)

    def _jumps(self) -> NDArray[np.bool_]:
        """Tell at which knots the slope jumps by more than the rounding of knots, values and end slopes."""
        ends = np.abs([self.left_slope, self.right_slope]) * np.finfo(float).eps
        rounding = np.concatenate([ends[:1], slope_rounding(self.knots, self.values), ends[1:]])
        flat = np.abs(np.diff(self.slopes)) <= rounding[1:] + rounding[:-1]
        # The rays at either end are as long as all between them.
        extent = float(np.ptp(self.knots)) or 1.0
        first, last = self.values[0] - self.left_slope * extent, self.values[-1] + self.right_slope * extent
        x = np.concatenate([[self.knots[0] - extent], self.knots, [self.knots[-1] + extent]])
        return ~straight(x, np.concatenate([[first], self.values, [last]]), flat)


def _require_line(network: Network) -> None:
    if network.v.ndim == 2:
        raise InputError(f"The network has {network.n_outputs} outputs; take one of them, network.output(k).")
    if network.n_features != 1:
        raise InputError(f"The network has {network.n_features} inputs; only those of one are functions on a line.")


def _hinges(network: Network) -> tuple[Array, Array, Array, float]:
    """Return (w, b, v) of the neurons that bend somewhere, and the slope of all that does not."""
    w, b, v = network.W[:, 0], network.b, network.v
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        bent = (v != 0) & np.isfinite(b / w)
    slopes = v[~bent] * w[~bent] * np.where(b[~bent] > 0, 1.0, network.negative_slope)
    return w[bent], b[bent], v[bent], float(network.skip[0] + slopes.sum())


def _weighted_median(values: Array, weights: Array) -> float:
    """Return a value with at most half of the weight on either side."""
    return float(np.quantile(values, 0.5, weights=weights, method="inverted_cdf"))


def _as_places(x: ArrayLike) -> Array:
    """Return where to evaluate a function, finite numbers of any shape."""
    places = as_floats(x, "x")
    if not np.isfinite(places).all():
        raise InputError("x has NaN or infinite entries; drop them.")
    return places
