r"""Data on a line, sorted: the polyline that connects the dots, and which of its corners are real.

l_n = (y_{n+1} - y_n) / (x_{n+1} - x_n),  n = 1..N-1          slopes
c_n = l_n - l_{n-1},                      n = 2..N-1          curvatures, as point masses of f''
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.rows import name_rows
from cvxrelu.problem.validation import as_floats, as_matrix, as_vector

__all__ = ["Samples", "slope_rounding", "straight"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

# Data are rounded themselves: a coordinate that was measured in decimals or came out of a few operations is off by
# some units in the last place. Points count as collinear if moving their coordinates by this many makes them so.
COORDINATE_ULPS = 8.0


def slope_rounding(x: Array, y: Array) -> Array:
    """Return how much the slopes of a polyline may owe to the rounding of its coordinates.

    Parameters
    ----------
    x, y : (n,) array
        Corners, x ascending.

    Returns
    -------
    (n - 1,) array
        By how much each slope changes, to first order, if every coordinate moves by `COORDINATE_ULPS` units in its
        last place.
    """
    gaps = np.diff(x)
    slopes = np.abs(np.diff(y) / gaps)
    heights, places = np.abs(y[1:]) + np.abs(y[:-1]), np.abs(x[1:]) + np.abs(x[:-1])
    return COORDINATE_ULPS * np.finfo(float).eps * (heights + slopes * places) / gaps


def straight(x: Array, y: Array, flat: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell at which inner corners of a polyline it goes straight on, of those where it turns by no more than rounding.

    Parameters
    ----------
    x, y : (n,) array
        Corners, x ascending.
    flat : (n - 2,) bool array
        Whether the polyline turns by no more than rounding.

    Returns
    -------
    (n - 2,) bool array
        The same but for stretches that bend together: those of which a corner is off the chord between their ends.

    Examples
    --------
    >>> straight(np.arange(4.0), np.array([0.0, 1.0, 2.0, 4.0]), np.array([True, True]))
    array([False, False])
    """
    flat, padded = flat.copy(), np.concatenate([[False], flat, [False]])
    # The flat corners start, ..., stop - 1 have their neighbours start - 1 and stop as the ends of their chord.
    start, stop = np.flatnonzero(~padded[:-1] & padded[1:]) + 1, np.flatnonzero(padded[:-1] & ~padded[1:]) + 1
    if not len(start):
        return flat
    corner = np.flatnonzero(flat) + 1
    run = np.repeat(np.arange(len(start)), stop - start)
    left, right = start[run] - 1, stop[run]
    slope = (y[right] - y[left]) / (x[right] - x[left])
    miss = np.abs(y[corner] - y[left] - slope * (x[corner] - x[left]))
    heights = np.abs(y[corner]) + np.abs(y[left]) + np.abs(y[right])
    reach = np.abs(x[left]) + np.abs(x[right])
    allowed = COORDINATE_ULPS * np.finfo(float).eps * (heights + np.abs(slope) * reach)
    bowed = np.logical_or.reduceat(miss > allowed, np.cumsum(stop - start) - (stop - start))
    flat[corner - 1] = ~bowed[run]
    return flat


@dataclass(frozen=True, eq=False)
class Samples:
    """Points (x_n, y_n) with x strictly ascending.

    Attributes
    ----------
    x, y : (n,) array
        The points.
    first : (n,) array of int
        Where each point stood in the data that `of` was given; of several equal samples, one of them.

    Examples
    --------
    >>> samples = Samples.of([2.0, 0.0, 1.0, 1.0], [0.0, 0.0, 3.0, 3.0])
    >>> samples.x, samples.slopes, samples.curvatures
    (array([0., 1., 2.]), array([ 3., -3.]), array([-6.]))
    """

    x: Array
    y: Array
    first: Indices

    @classmethod
    def of(cls, x: ArrayLike, y: ArrayLike) -> "Samples":
        """Sort samples and merge equal ones.

        Parameters
        ----------
        x : (N,) or (N, 1) array_like
            Inputs, in any order.
        y : (N,) array_like
            Targets.

        Raises
        ------
        InputTypeError
            If an argument is not numeric.
        InputError
            If there are no samples, an entry is not finite, the lengths differ, two equal inputs have different
            targets, or inputs are so near each other that the slope between them overflows.
        """
        inputs = as_floats(x, "x")
        column = as_matrix(inputs[:, None] if inputs.ndim == 1 else inputs, "x")
        if column.shape[1] != 1:
            raise InputError(f"x has {column.shape[1]} columns; functions on the line take one, an (N,) array.")
        place, value = column[:, 0], as_vector(y, len(column))
        order = np.arange(len(place)) if (np.diff(place) > 0).all() else np.argsort(place, kind="stable")
        place, value = place[order], value[order]
        repeated = np.diff(place) == 0
        clash = repeated & (np.diff(value) != 0)
        if clash.any():
            k = int(np.argmax(clash))
            rows = name_rows(sorted((int(order[k]), int(order[k + 1]))))
            raise InputError(
                f"The x of {rows} are equal but their y differ ({value[k]:g} and {value[k + 1]:g}), so no function "
                "fits both; merge them, or use a regularised loss."
            )
        kept = np.concatenate([[True], ~repeated])
        samples = cls(place[kept], value[kept], order[kept])
        samples._check_slopes()
        return samples

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def slopes(self) -> Array:
        """The slopes l_1, ..., l_{N-1}."""
        return np.diff(self.y) / np.diff(self.x)

    @cached_property
    def curvatures(self) -> Array:
        """The curvatures c_2, ..., c_{N-1}; empty for one or two points."""
        return np.diff(self.slopes)

    @cached_property
    def total_curvature(self) -> float:
        """C, the sum of the absolute curvatures."""
        return float(np.abs(self.curvatures).sum())

    @cached_property
    def end_slope_sum(self) -> float:
        """l_1 + l_{N-1}, whose absolute value is S; 0.0 for a single point."""
        return float(self.slopes[0] + self.slopes[-1]) if len(self) > 1 else 0.0

    @cached_property
    def turns(self) -> Array:
        """The signs of the curvatures, 0.0 where a curvature is zero up to the rounding of the data.

        Many small turns of one sign make a large one, as on a parabola sampled very finely. So a stretch of
        zeros is believed only if all its points lie, up to the same rounding, on the chord between its ends.
        """
        if len(self) < 3:
            return np.zeros(0)
        rounding = slope_rounding(self.x, self.y)
        flat = straight(self.x, self.y, np.abs(self.curvatures) <= rounding[1:] + rounding[:-1])
        return np.where(flat, 0.0, np.sign(self.curvatures))

    def corners(self, turns: Array | None = None) -> "Samples":
        """Return the end points and the points where the polyline turns; by default according to `turns`."""
        kept = np.concatenate([[0], np.flatnonzero(self.turns if turns is None else turns) + 1, [len(self) - 1]])
        return Samples(self.x[kept], self.y[kept], self.first[kept])

    def _check_slopes(self) -> None:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            steep = ~np.isfinite(np.diff(self.y) / np.diff(self.x))
        if steep.any():
            k = int(np.argmax(steep))
            raise InputError(
                f"The slope between x={self.x[k]!r} and x={self.x[k + 1]!r} overflows; merge samples that near, "
                "or rescale the data."
            )
