r"""Powers of two: units in which nothing under- or overflows, and which cost no digits.

    x = 2^k u,   1/2 < max_i abs(u_i) <= 1

gamma(v; X) is homogeneous in v and, up to what becomes of the biases, in X, and so are the bounds made of it. So they
are computed at scale one, where squares and products are far from the ends of the range of doubles, and taken back by a
shift of the exponent. That needs data of a scale, by which the largest absolute entry is meant, between `SMALLEST` and
`LARGEST`; entries may be as small as they like, or zero.
"""

import math
import sys

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.numerics.lengths import shifted

__all__ = [
    "LARGEST",
    "SMALLEST",
    "STEEPEST",
    "exponent_of",
    "require_scale",
    "require_slope",
    "shift_down",
    "shift_up",
    "unit",
]

Array = NDArray[np.float64]

# Scales of X, y and alpha. The longest product that a bound needs, N alpha y / (slope X), stays within 2^1022, and so
# do the objective y^2 and the cost y / X times alpha. 2^300 is about 2e90.
SMALLEST, LARGEST = 2.0**-300, 2.0**300
# Largest slope of the activation, for the same reason, about 1e30; and how near to 1 it may be: what an activation does
# beside a linear function is in the digits that a solver has least of (at 1e-6 a fifth of small tables was refused).
STEEPEST, NEAR_LINEAR = 2.0**100, 2.0**-10


def require_scale(values: ArrayLike, name: str) -> None:
    """Raise an InputError unless values all vanish or their scale is in the range in which bounds can be proved.

    Examples
    --------
    >>> require_scale([0.0, 1e-200, 3.0], "X")
    """
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest > 0 and not SMALLEST <= largest <= LARGEST:
        subject = f"The largest entry of {name} is" if np.ndim(values) else f"{name} is"
        raise InputError(
            f"{subject} {largest:.3g}, out of the range of {SMALLEST:.0e} to {LARGEST:.0e} in which bounds can be "
            "proved; change the units of the data."
        )


def require_slope(slope: float) -> None:
    """Raise an InputError unless a slope of the activation is in the range that bounds can be proved in."""
    if abs(slope) > STEEPEST:
        raise InputError(
            f"negative_slope={slope:.3g} is beyond {STEEPEST:.0e}, up to which bounds can be proved; use a flatter one."
        )
    if abs(1 - slope) < NEAR_LINEAR:
        raise InputError(
            f"negative_slope={slope:.9g} is within {NEAR_LINEAR:.0e} of 1, where solvers cannot tell the activation "
            "from a linear function; use one further from it, 0 for ReLU."
        )


def exponent_of(values: ArrayLike) -> int:
    """Return k with 2^(k-1) < max abs(values) <= 2^k; 0 if all vanish.

    Examples
    --------
    >>> exponent_of([0.5, -4.0]), exponent_of([4.1]), exponent_of([0.0])
    (2, 3, 0)
    """
    fraction, exponent = math.frexp(float(np.max(np.abs(values), initial=0.0)))
    return exponent - (fraction == 0.5)


def unit(values: ArrayLike) -> tuple[Array, int]:
    """Return u and k with values = 2^k u and 1/2 < max abs(u) <= 1; entries below 2^-1022 of the largest are rounded.

    Examples
    --------
    >>> unit([6.0, -1.0])
    (array([ 0.75 , -0.125]), 3)
    """
    exponent = exponent_of(values)
    return shifted(np.asarray(values, dtype=np.float64), -exponent), exponent


def shift_up(value: float, exponent: int) -> float:
    """Return a float that is at least value times 2^exponent.

    Examples
    --------
    >>> shift_up(3.0, 1), shift_up(1.0, -1100), shift_up(1.0, 1100)
    (6.0, 5e-324, inf)
    """
    moved = float(shifted(np.float64(value), exponent))
    return math.nextafter(moved, math.inf) if float(shifted(np.float64(moved), -exponent)) < value else moved


def shift_down(value: float, exponent: int) -> float:
    """Return a finite float that is at most value times 2^exponent.

    Examples
    --------
    >>> shift_down(3.0, 1), shift_down(1.0, -1100), shift_down(1.0, 1100)
    (6.0, 0.0, 1.7976931348623157e+308)
    """
    return min(-shift_up(-value, exponent), sys.float_info.max)
