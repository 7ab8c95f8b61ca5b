r"""What a function costs, and the least that fitting points exactly costs, on the line with free bias.

With p = abs(1 - a) and q = abs(1 + a), a the negative slope, the least cost of a network that computes f is

    R(f) = max( TV(f') / p,  abs(f'(-inf) + f'(inf)) / q )

(Savarese et al., Theorem 3.1, for a = 0; proved in `networks`), finite for a = -1 only if f'(-inf) + f'(inf) = 0.

Minimum over interpolants. With slopes l_n and curvatures c_n as in `samples`, C = sum abs(c_n), S = abs(l_1 + l_{N-1}):
in each gap f' takes values on both sides of l_n (or equals it), so TV(f') >= C + u, where u is the sum of the
distances of f'(-inf) from l_1 and of f'(inf) from l_{N-1}, and abs(f'(-inf) + f'(inf)) >= S - u. Hence

    V = min over u >= 0 of max( (C + u) / p, (S - u) / q ) = max( C / p, (C + S) / (p + q) ),
    attained at the excess   u = max( 0, (p S - q C) / (p + q) ).

With a skip connection the end slopes are free: q is infinite in all this, R(f) = TV(f') / p, V = C / p and u = 0.
Where output weights are positive as well, the jumps of f' have the sign of 1 - a, and f is convex (a < 1) or concave:
then there is an interpolant if and only if the curvatures c_n have that sign, and nothing else changes.

Connecting the dots attains it if u = 0. Otherwise, with T the sign of l_1 + l_{N-1}, the end slopes must give way by
u in all, f'(-inf) = l_1 - T alpha, f'(inf) = l_{N-1} - T beta, alpha + beta = u, alpha, beta >= 0.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cvxrelu.line.piecewise import PiecewiseLinear
from cvxrelu.line.samples import Samples
from cvxrelu.problem.validation import as_flag, as_instance, as_slope

__all__ = [
    "Rates",
    "end_bend",
    "excess",
    "function_cost",
    "is_min_norm",
    "min_norm_interpolant",
    "minimum_cost",
]

# An excess below this share of C + S is none: it comes of the rounding of slopes, and leaving it out adds no more than
# this share to the cost.
EXCESS_RTOL = 1e-12
# Default relative tolerance of `is_min_norm`: far above rounding, below the accuracy of any solver.
MIN_NORM_RTOL = 1e-8


class Rates(NamedTuple):
    """p = abs(1 - a), the jump, and q = abs(1 + a), the sum of the end slopes, that a unit of cost buys.

    With a skip connection it buys any slopes, as they cost nothing: q is infinite.
    """

    jump: float
    tilt: float

    @classmethod
    def of(cls, negative_slope: float, skip: bool = False) -> "Rates":
        """Return the rates of an activation.

        Raises
        ------
        InputError
            If the slope is not a finite number other than 1.
        """
        a = as_slope(negative_slope)
        return cls(abs(1.0 - a), np.inf if as_flag(skip, "skip") else abs(1.0 + a))


def function_cost(function: PiecewiseLinear, negative_slope: float = 0.0, skip: bool = False) -> float:
    """Return R(f), the least cost of a network of any width, with free bias, that computes a function.

    Parameters
    ----------
    function : PiecewiseLinear
        The function.
    negative_slope : float, default 0.0
        Slope a of the activation at negative arguments, any but 1.
    skip : bool, default False
        Whether the network has a skip connection, which costs nothing; then the cost is TV(f') / abs(1 - a).

    Returns
    -------
    float
        max(TV(f') / abs(1 - a), abs(f'(-inf) + f'(inf)) / abs(1 + a)); infinite for a = -1 if the end slopes do not
        cancel (relative to `BALANCE_RTOL`).

    Raises
    ------
    InputError
        If the slope is 1.

    Examples
    --------
    >>> line = PiecewiseLinear([0.0], [0.0], 1.0, 1.0)
    >>> function_cost(line), function_cost(line, 3.0), function_cost(line, -1.0)
    (2.0, 0.5, inf)
    """
    as_instance(function, PiecewiseLinear, "function")
    p, q = Rates.of(negative_slope, skip)
    bending = function.second_derivative().total_variation / p
    if q == 0:
        return bending if function.has_balanced_ends else np.inf
    return max(bending, abs(function.left_slope + function.right_slope) / q)


def excess(total_curvature: float, end_slope_sum: float, rates: Rates) -> float:
    """Return u, by how much the end slopes of a minimum-norm interpolant give way in all; 0.0 if not at all."""
    p, q = rates
    if q == np.inf:
        return 0.0
    return max(0.0, (p * abs(end_slope_sum) - q * total_curvature) / (p + q))


def end_bend(samples: Samples, rates: Rates, rtol: float = EXCESS_RTOL) -> float:
    """Return T u, the excess with the sign of l_1 + l_{N-1}; 0.0 for one of at most a share rtol of C + S."""
    C, tilt = samples.total_curvature, samples.end_slope_sum
    total = excess(C, tilt, rates)
    return float(np.sign(tilt)) * total if total > rtol * (C + abs(tilt)) else 0.0


def minimum_cost(x: ArrayLike, y: ArrayLike, negative_slope: float = 0.0, skip: bool = False) -> float:
    """Return the least cost of a network of any width, with free bias, through given points.

    Parameters
    ----------
    x : (N,) or (N, 1) array_like
        Inputs, in any order; equal samples count once.
    y : (N,) array_like
        Targets.
    negative_slope : float, default 0.0
        Slope a of the activation at negative arguments, any but 1.
    skip : bool, default False
        Whether the network has a skip connection, which costs nothing; then V = C / p.

    Returns
    -------
    float
        V = max(C / p, (C + S) / (p + q)), p = abs(1 - a), q = abs(1 + a), in O(N log N).

    Raises
    ------
    InputTypeError
        If an argument is not numeric.
    InputError
        If the data are not finite or contradict each other, or the slope is 1.

    Examples
    --------
    The six points of Kumar & Haupt:

    >>> x, y = [-1, -0.6, -0.2, 0.2, 0.6, 1], [1, -1, 1, 1, -1, 1]
    >>> round(minimum_cost(x, y), 9), round(minimum_cost(x, y, -1.0), 9)
    (30.0, 15.0)
    """
    samples, (p, q) = Samples.of(x, y), Rates.of(negative_slope, skip)
    C, S = samples.total_curvature, abs(samples.end_slope_sum)
    return max(C / p, (C + S) / (p + q))


def min_norm_interpolant(
    x: ArrayLike, y: ArrayLike, negative_slope: float = 0.0, skip: bool = False
) -> PiecewiseLinear:
    """Return the minimum-norm interpolant that connects the dots.

    Its knots are the data points. Where the end slopes must give way, the left one does. Parameters and errors are
    those of `minimum_cost`.

    Returns
    -------
    PiecewiseLinear
        A function f through the points with R(f) = V.

    Examples
    --------
    Two points on a ramp take one neuron, which starts at the first:

    >>> min_norm_interpolant([0.0, 1.0], [0.0, 2.0]).slopes
    array([0., 2., 2.])
    """
    samples, rates = Samples.of(x, y), Rates.of(negative_slope, skip)
    if len(samples) == 1:
        return PiecewiseLinear(samples.x, samples.y, 0.0, 0.0)
    left = samples.slopes[0] - end_bend(samples, rates)
    return PiecewiseLinear(samples.x, samples.y, float(left), float(samples.slopes[-1]))


def is_min_norm(
    function: PiecewiseLinear,
    x: ArrayLike,
    y: ArrayLike,
    negative_slope: float = 0.0,
    *,
    rtol: float = MIN_NORM_RTOL,
    skip: bool = False,
) -> bool:
    """Tell whether a function interpolates points and no network does so at less cost.

    Parameters
    ----------
    function : PiecewiseLinear
        The function.
    x, y, negative_slope, skip
        As in `minimum_cost`.
    rtol : float, default `MIN_NORM_RTOL`
        How far the function may miss the targets, relative to half their range, and exceed the least cost, relative
        to that cost.

    Returns
    -------
    bool
        Whether it does both.

    Examples
    --------
    >>> tent = PiecewiseLinear([0.5], [1.0], 1.0, -1.0)
    >>> is_min_norm(tent, [0.0, 1.0], [0.5, 0.5]), is_min_norm(tent, [0.0, 0.5, 1.0], [0.5, 1.0, 0.5])
    (False, True)
    """
    samples = Samples.of(x, y)
    height = float(np.ptp(samples.y)) / 2 or float(np.abs(samples.y).max()) or 1.0
    if float(np.abs(function(samples.x) - samples.y).max()) > rtol * height:
        return False
    least = minimum_cost(samples.x, samples.y, negative_slope, skip)
    # Where nothing is the least, the cost of a rise by the height of the data over their extent is the yardstick.
    yardstick = least or height / (float(np.ptp(samples.x)) or 1.0)
    return function_cost(function, negative_slope, skip) <= least + rtol * yardstick
