"""Sums, quotients and vectors in floats that err on the safe side: what lower bounds are made of."""

import math
import sys

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.numerics.lengths import shifted
from cvxrelu.numerics.powers import exponent_of, shift_down, unit

__all__ = [
    "ROUNDING",
    "balance",
    "dot_below",
    "largest_step",
    "lighten",
    "not_negative",
    "quotient_below",
    "rounded_down",
]

Vector = NDArray[np.float64]

# Relative margin by which every float lower bound is shrunk. The sums below are exactly rounded (math.fsum), so
# a few units in the last place (2.2e-16) are lost in the products and in the scaling; this is a hundred times that.
ROUNDING = 2e-14
# What products of numbers of at most 1 may lose by underflow, each; and bounds that are smaller count as zero, since
# theirs is no longer relative.
UNDERFLOW, LEAST = 2.0**-1074, 2.0**-1000
# Binary digits after the point of a vector's smallest unit, up to which all multiples of the unit are normal numbers.
MOST_DIGITS = 1000
# Share of the largest loss, or of one, that a loss may be below zero by rounding.
NEGLIGIBLE = 1e-12


def balance(v: Vector) -> Vector:
    """Return a vector near v whose entries sum to zero without any rounding, each between zero and what it was.

    All entries are cut to multiples of one power of two, the last digit of the largest, so that none leaves an interval
    around zero. Their sum is a multiple, too, and small, so it is found exactly, and the largest entry of its sign
    absorbs it. Vectors too small for that become zero.

    Examples
    --------
    >>> math.fsum(balance(np.array([0.1, 0.2, -0.3])))
    0.0
    """
    digits = 52 - exponent_of(v)
    if digits > MOST_DIGITS:
        return np.zeros_like(v)
    v = np.trunc(shifted(v, digits))
    excess = math.fsum(v)
    v[np.argmax(v * np.sign(excess))] -= excess
    return shifted(v, -digits)


def lighten(v: Vector) -> Vector:
    """Return v with the entries of the heavier sign scaled down until the sum is zero, up to rounding.

    That keeps every entry between zero and what it was.

    Examples
    --------
    >>> lighten(np.array([1.0, 3.0, -2.0]))
    array([ 0.5,  1.5, -2. ])
    """
    v, positive = v.copy(), v > 0
    weights = v[positive].sum(), -v[~positive].sum()
    for members, weight in ((positive, weights[0]), (~positive, weights[1])):
        v[members] *= min(weights) / weight if weight > 0 else 0.0
    return v


def dot_below(v: Vector, y: Vector) -> float:
    """Return a float that is at most the exact y.v."""
    (v, k), (y, j) = unit(v), unit(y)
    products = v * y
    rounding = ROUNDING * math.fsum(np.abs(products)) + 2 * len(v) * UNDERFLOW
    return shift_down(math.fsum(products) - rounding, k + j)


def rounded_down(bound: float) -> float:
    """Return a bound with its rounding taken off, or zero where it is negative or not a normal number."""
    return bound * (1 - ROUNDING) if bound >= LEAST else 0.0


def quotient_below(correlation: float, gamma: float) -> float:
    """Return correlation / gamma, rounded down; 0.0 for gamma = 0, which proves nothing where data can be fitted."""
    return rounded_down(min(correlation / gamma, sys.float_info.max)) if gamma > 0 else 0.0


def largest_step(gamma: float, alpha: float | None, n_samples: int) -> float:
    """Return the largest factor t with t gamma <= N alpha."""
    assert alpha is not None, "a regularised loss always has alpha"
    return n_samples * alpha / gamma * (1 - ROUNDING) if gamma > 0 else math.inf


def not_negative(losses: Vector, name: str) -> Vector:
    """Return losses, those that are negative by rounding as zero.

    Raises
    ------
    InputError
        If one is negative: that none is is what every lower bound rests on.
    """
    least = float(np.min(losses, initial=0.0))
    if least < 0:
        if least < -NEGLIGIBLE * max(1.0, float(np.max(losses, where=np.isfinite(losses), initial=0.0))):
            raise InputError(
                f"loss={name!r} is negative, {least:g} for one of the predictions; add to each loss what makes "
                "the least that it can be zero, which changes no optimum."
            )
        return np.maximum(losses, 0.0)
    return losses
