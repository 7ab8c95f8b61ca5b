"""Pricing on the line: one feature, any bias mode, exact.

free    A maximiser has its hinge at some x_k, so 2N candidates w = +-1, b = -w x_k remain. With x sorted and
        s_k = sum_{j > k} v_j (x_j - x_k), the score of (1, -x_k) is a sum_i v_i x_i + (1 - a) s_k, and that
        of (-1, x_k) is -sum_i v_i x_i + s_k (1 - a) + ... by the same sums from the left: O(N log N).
        Of several outputs v_j is a row and s_k a vector, the norm of which is convex between the hinges.
joint   u = (w, b) moves on a circle: one angular sweep over the lifted points (x_i, 1), O(N log N).
none    Two candidates, w = 1 and w = -1.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import row_sizes, shifted
from cvxrelu.numerics.powers import exponent_of
from cvxrelu.pricing.arcs import sweep_arcs
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.sweep import half_turns, sweep, sweep_terms
from cvxrelu.pricing.weights import ROUNDOFF, Weights

__all__ = ["circle_columns", "price_line"]

Array = NDArray[np.float64]

UNDERFLOW = float(np.finfo(np.float64).tiny)
"""What underflow can take off a product or a sum, and a good deal more."""

EXTENDED = np.longdouble
"""Prefix sums run in the platform's widest float, where a million terms cost no digits of the result."""


def price_line(points: Points, weights: Weights) -> Priced:
    """Price exactly for one feature, returning a column for every local maximum of the absolute score.

    Examples
    --------
    >>> points = Points.prepare([[0.0], [1.0], [2.0]], "none", 0.0)
    >>> round(price_line(points, points.weigh([1.0, 1.0, -3.0])).value, 12)
    5.0
    """
    n, margin = len(points.Z), weights.margin(len(points.X) + 256.0)
    if points.bias == "joint":
        columns, best = circle_columns(points, weights)
        margin = weights.margin(sweep_terms(len(points.X), weights.n_outputs))
    elif points.bias == "none":
        columns = np.array([[1.0, 0.0], [-1.0, 0.0]])
        best = float(points.sizes(points.score(weights, columns[:, :1], columns[:, 1])).max())
    else:
        scores, columns, margin = _hinges(points, weights)
        scores, columns = (part[: points.halves * len(scores) // 2] for part in (scores, columns))
        best = float(points.sizes(scores).max())
        columns = columns[_local_maxima(scores, points)]
    upper = best + margin
    return points.report(weights, columns, upper=upper, method="line", complete=lambda value: True, nodes=2 * n)


def circle_columns(points: Points, weights: Weights) -> tuple[Array, float]:
    """Find the local maxima of the absolute score over unit u in two lifted dimensions, best first.

    Returns
    -------
    columns : ndarray of shape (k, d + 1)
        For one feature rows (w, b); for two features without bias rows (w_1, w_2, 0).
    best : float
    """
    c = (1 - points.negative_slope) * weights.v
    order, start = half_turns(points.Z)
    if c.ndim == 2:
        linear = np.ascontiguousarray(points.negative_slope * (weights.v.T @ points.Z))
        values, directions = (part[None] for part in sweep_arcs(points.Z, c, linear, order, start, points.halves, True))
        return _peaks(points, values, directions)
    gx, gy = points.negative_slope * (weights.v @ points.Z)
    swept = sweep(points.Z, c, (float(gx), float(gy)), order, start, points.halves, True)
    return _peaks(points, *(part[: len(points.sides)] for part in swept))


def _peaks(points: Points, values: Array, directions: Array) -> tuple[Array, float]:
    """Return the columns of the local maxima among the arcs of a circle (sides, arcs), and the largest value."""
    if values.size == 0:
        return np.zeros((0, points.X.shape[1] + 1)), 0.0
    peaks = (values >= np.roll(values, 1, axis=1)) & (values > np.roll(values, -1, axis=1)) & (values > 0)
    peaks |= values == values.max()
    columns = directions[peaks]
    columns = columns[np.argsort(-values[peaks], kind="stable")]
    if points.bias == "none":
        columns = np.column_stack([columns, np.zeros(len(columns))])
    return columns, max(0.0, float(values.max()))


def _hinges(points: Points, weights: Weights) -> tuple[Array, Array, float]:
    """Scores of the neurons (1, -x_k), x ascending, then of (-1, x_k), x descending; their (w, b); their rounding."""
    # The distinct places, ascending, and their weights: neither centred nor merged in doubles, which would cost digits.
    places = np.unique(points.X[:, 0])
    hinge, x = shifted(places, -points.exponent), np.ldexp(places.astype(EXTENDED), -points.exponent)
    v = np.zeros((len(x), *weights.original.shape[1:]), EXTENDED)
    np.add.at(v, points.place, weights.original.astype(EXTENDED))
    gap = np.diff(x).reshape(-1, *(1,) * (v.ndim - 1))
    zero = np.zeros((1, *v.shape[1:]), EXTENDED)
    # sum_{j > k} v_j (x_j - x_k) grows, from k + 1 to k, by the gap times the weight to the right of it.
    weight_right, weight_left = np.cumsum(v[::-1], axis=0)[:-1][::-1], np.cumsum(v, axis=0)[:-1]
    right = np.concatenate([np.cumsum((weight_right * gap)[::-1], axis=0)[::-1], zero])
    left = np.concatenate([zero, np.cumsum(weight_left * gap, axis=0)])
    a = points.negative_slope
    # sigma(t) = max(t, 0) - a max(-t, 0)
    scores = np.concatenate([right - a * left, (left - a * right)[::-1]]).astype(np.float64)
    w = np.repeat([1.0, -1.0], len(x))
    centre = shifted(points.centre, -points.exponent)
    columns = np.column_stack([w, np.concatenate([-hinge, hinge[::-1]]) + w * centre])

    if scores.ndim == 2:
        scores = row_sizes(scores)
    wide = float(np.finfo(EXTENDED).eps)
    if _sums_are_exact(weights.original, float(np.abs(np.append(weight_left, weight_right)).max(initial=0))):
        # Only the gaps, the products with them and their sums are rounded, then the scores once.
        moment = float(((np.abs(weight_right) + np.abs(weight_left)) * gap).sum()) * (1 + abs(a))
        margin = (len(x) + 8.0) * wide * moment + weights.residue + (UNDERFLOW * len(x) if moment > 0 else 0.0)
    else:
        margin = weights.margin((3 * len(x) + len(points.X) + 16.0) * wide / ROUNDOFF)
    return scores, columns, margin + (v.size // len(v) + 2) * ROUNDOFF * float(np.abs(scores).max())


def _sums_are_exact(v: Array, largest: float) -> bool:
    """Tell whether partial sums of v, none larger than `largest`, need no rounding: all are multiples of one unit.

    Dual vectors that were made to sum to zero are multiples of the last digit of their largest entry.
    """
    unit = 2.0 ** (exponent_of(v) - 52)
    multiples = v / unit
    return bool((multiples == np.round(multiples)).all()) and largest < unit / float(np.finfo(EXTENDED).eps)


def _local_maxima(scores: Array, points: Points) -> NDArray[np.intp]:
    """Find the indices of the local maxima of the scores on each side within each half, best first."""
    half = len(scores) // points.halves
    found = np.zeros(len(scores), bool)
    for part in (slice(0, half), slice(half, None)):
        for side in points.sides:
            signed = side * scores[part]
            padded = np.concatenate([[-np.inf], signed, [-np.inf]])
            found[part] |= (signed > 0) & (signed > padded[:-2]) & (signed >= padded[2:])
    index = np.flatnonzero(found)
    return index[np.argsort(-np.abs(scores[index]), kind="stable")]
