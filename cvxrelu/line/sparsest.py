r"""A minimum-norm interpolant with the provably least number of knots, in linear time once the data are sorted.

Let u be the excess of `cost`. If u > 0 the end slopes give way by alpha on the left and beta on the right, with
alpha + beta = u: write c_1 = T alpha and c_N = -T beta for the curvatures that this adds before x_2 and after x_{N-1},
and c_1 = c_N = 0 if u = 0. Then TV(f') = abs(c_1) + C + abs(c_N) for every minimiser. That leaves
no variation to spare, so that

  (i)   on a gap (x_n, x_{n+1}) whose end curvatures c_n, c_{n+1} differ in sign, or one of which is zero, f is affine;
  (ii)  if c_n != 0, f has a knot in (x_{n-1}, x_{n+1}), with x_0 = -inf and x_{N+1} = +inf, since f' takes the value of
        l_{n-1} and of l_n there (at the ends: the value of f'(-inf), of f'(inf)).

Take a run: a maximal stretch of m curvatures of one sign, with no zero between. By (i) all its knots lie between its
first point and its last, inclusive (at the ends of the data: beyond them too), so different runs share none; by (ii)
its 1st, 3rd, 5th, ... curvature each have a knot, in intervals that do not overlap: at least ceil(m / 2). That many
suffice: the 1st and 2nd curvature are replaced by one knot of jump c_n + c_{n+1} where the lines left of x_n and right
of x_{n+1} meet, which is at their barycentre, between x_n and x_{n+1}; and so on in pairs; if m is odd the last stays.

The excess goes to one end: giving it all to the left or to the right lengthens one run by one or adds a run of one,
giving it to both ends does so at both ends, and ceil(m / 2) does not fall as m grows. (The run that c_1 joins has sign
T and that which c_N joins has sign -T, so they are two.) So the better of the two ends is the best of all.

This is Debarre, Denoyelle, Unser & Fageot, "Sparsest piecewise-linear regression of one-dimensional data", with
the extension to the end slopes that the cost of a network asks for.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.line.cost import EXCESS_RTOL, Rates, end_bend
from cvxrelu.line.piecewise import PiecewiseLinear
from cvxrelu.line.samples import Samples

__all__ = ["sparsest_interpolant", "sparsest_through"]

Array = NDArray[np.float64]


def sparsest_interpolant(
    x: ArrayLike, y: ArrayLike, negative_slope: float = 0.0, skip: bool = False
) -> PiecewiseLinear:
    """Return a minimum-norm interpolant with the least number of knots among all minimum-norm interpolants.

    Parameters
    ----------
    x : (N,) or (N, 1) array_like
        Inputs, in any order; equal samples count once.
    y : (N,) array_like
        Targets.
    negative_slope : float, default 0.0
        Slope a of the activation at negative arguments, any but 1.
    skip : bool, default False
        Whether the network has a skip connection, which costs nothing: then there is no excess.

    Returns
    -------
    PiecewiseLinear
        A function f through the points with R(f) = V. Points that are collinear up to the rounding of their
        coordinates count as collinear.

    Raises
    ------
    InputTypeError
        If an argument is not numeric.
    InputError
        If the data are not finite or contradict each other, or the slope is 1.

    References
    ----------
    Debarre, Denoyelle, Unser & Fageot, "Sparsest piecewise-linear regression of one-dimensional data".

    Examples
    --------
    The six points of Kumar & Haupt:

    >>> f = sparsest_interpolant([-1, -0.6, -0.2, 0.2, 0.6, 1], [1, -1, 1, 1, -1, 1]).second_derivative()
    >>> f.positions.round(9) + 0.0, f.jumps.round(9)
    (array([-0.6, 0. , 0.6]), array([ 10., -10., 10.]))
    """
    return sparsest_through(Samples.of(x, y), Rates.of(negative_slope, skip))


def sparsest_through(
    samples: Samples, rates: Rates, turns: Array | None = None, excess_rtol: float = EXCESS_RTOL
) -> PiecewiseLinear:
    """Return the sparsest minimum-norm interpolant of sorted samples.

    Where they come from a solver, the caller knows better than `Samples.turns` which curvatures count, and which share
    of C + S an excess may have and still be none.
    """
    if len(samples) == 1:
        return PiecewiseLinear(samples.x, samples.y, 0.0, 0.0)
    # Without the points on straight stretches; a gap that held some is rigid, since f is affine there by (i).
    corners = samples.corners(turns)
    rigid = np.diff(np.searchsorted(samples.x, corners.x)) > 1
    bend = end_bend(corners, rates, excess_rtol)
    curvatures = np.concatenate([[0.0], corners.curvatures, [0.0]])
    if bend == 0:
        return _pair(corners, curvatures, rigid)
    prepended, appended = curvatures.copy(), curvatures.copy()
    prepended[0], appended[-1] = bend, -bend
    candidates = [_pair(corners, ends, rigid) for ends in (prepended, appended)]
    # Of two as sparse, the one whose rounding matters less: floats may not resolve a steep end far from the origin.
    return min(candidates, key=lambda f: (len(f.knots), float(np.abs(f(corners.x) - corners.y).max())))


def _pair(corners: Samples, curvatures: Array, rigid: NDArray[np.bool_]) -> PiecewiseLinear:
    """Return the interpolant that merges curvatures of each run two by two."""
    x, y, slopes = corners.x, corners.y, corners.slopes
    sign = np.sign(curvatures)
    loose = (sign[:-1] == sign[1:]) & (sign[:-1] != 0) & ~rigid
    index = np.arange(len(loose))
    # The position of a gap in its run is its distance from the last gap that is not loose.
    merged = loose & ((index - np.maximum.accumulate(np.where(loose, -1, index))) % 2 == 1)
    alone = sign != 0
    alone[:-1] &= ~merged
    alone[1:] &= ~merged
    k = np.flatnonzero(merged)
    left, right = slopes[0] - curvatures[0], slopes[-1] + curvatures[-1]
    shift = np.diff(x)[k] * (curvatures[k + 1] / (curvatures[k] + curvatures[k + 1]))
    meeting = np.clip(x[k] + shift, x[k], x[k + 1])
    height = y[k] + (slopes[k] - curvatures[k]) * (meeting - x[k])
    knots, values = np.concatenate([x[alone], meeting]), np.concatenate([y[alone], height])
    if not len(knots):
        knots, values = x[:1], y[:1]
    order = np.argsort(knots)
    return PiecewiseLinear(knots[order], values[order], float(left), float(right))
