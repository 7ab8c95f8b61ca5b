r"""gamma(v)^2 as an exact fraction, where neurons live on a circle.

    score(w) = sum_i v_i sigma(w . e_i) = w . (a m + (1 - a) G),   m = sum_i v_i e_i,   G = sum_{w . e_i > 0} v_i e_i

with e_i the rows themselves, or (free bias; v sums to zero) the rows relative to an anchor x_k through which the hinge
passes: for a fixed w the score is piecewise linear and bounded in b, so some anchor attains its maximum. The rays
orthogonal to the e_i cut the circle of unit w into arcs. On each arc F = a m + (1 - a) G is constant and

    max abs(w . F) = norm(F) if F or -F points into the arc,  else abs(t . F) / norm(t) at a ray t that ends it.

All squares of these are rational. Coordinates are scaled to integers, so every predicate is a sign of an integer.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cmp_to_key

from cvxrelu.certificate.rational.numbers import common_denominator

__all__ = ["gamma_squared"]

Ray = tuple[int, int]


def gamma_squared(
    rows: Sequence[tuple[Fraction, ...]],
    v: Sequence[Fraction],
    slope: Fraction,
    anchored: bool,
    one_sided: bool = False,
) -> Fraction:
    """Return the square of the largest absolute score of a unit neuron.

    Parameters
    ----------
    rows : sequence of N tuples of one or two fractions
        The points; with a jointly penalised bias, the lifted points (x_i, 1).
    v : sequence of N fractions
        The dual vector.
    slope : Fraction
        Negative slope a of the activation.
    anchored : bool
        True for a free bias; v must then sum to zero.
    one_sided : bool, default False
        Whether only positive scores count.

    Returns
    -------
    Fraction
        gamma(v)^2, exactly.

    Examples
    --------
    >>> rows = [(Fraction(0), Fraction(0)), (Fraction(3), Fraction(4))]
    >>> gamma_squared(rows, [Fraction(-1), Fraction(1)], Fraction(0), anchored=True)
    Fraction(25, 1)
    """
    if anchored and sum(v) != 0:
        raise ValueError("With a free bias gamma is infinite unless v sums to zero.")
    weights: dict[tuple[Fraction, ...], Fraction] = {}
    for row, weight in zip(rows, v, strict=True):
        weights[row] = weights.get(row, Fraction(0)) + weight
    weights = {row: weight for row, weight in weights.items() if weight}
    if not weights:
        return Fraction(0)
    unit = common_denominator(entry for row in weights for entry in row)
    share = common_denominator(weights.values())
    points = [tuple(int(entry * unit) for entry in row) for row in weights]
    masses = [int(weight * share) for weight in weights.values()]
    anchors = points if anchored else [(0,) * len(points[0])]
    peak = _line_peak if len(points[0]) == 1 else _plane_peak
    best = Fraction(0)
    for anchor in anchors:
        moments = [
            (tuple(x - z for x, z in zip(point, anchor, strict=True)), mass)
            for point, mass in zip(points, masses, strict=True)
        ]
        best = max(best, peak([(e, mass) for e, mass in moments if any(e)], slope, one_sided))
    return best / (unit * share * slope.denominator) ** 2


def _line_peak(moments: Sequence[tuple[tuple[int, ...], int]], slope: Fraction, one_sided: bool) -> Fraction:
    """Return the square of the larger score of w = 1 and w = -1, times the denominator of the slope squared."""
    p, q = slope.numerator, slope.denominator
    products = [mass * e[0] for e, mass in moments]
    right = sum(product for (e, _), product in zip(moments, products, strict=True) if e[0] > 0)
    total = sum(products)
    # w = 1: a m + (1 - a) right; w = -1: the same with the left part of m, up to sign.
    scores = p * total + (q - p) * right, -p * total - (q - p) * (total - right)
    return Fraction(max(max(score, 0 if one_sided else -score) for score in scores) ** 2)


def _plane_peak(moments: Sequence[tuple[tuple[int, ...], int]], slope: Fraction, one_sided: bool) -> Fraction:
    """Return the same for all unit w in the plane, by one sweep over the arcs."""
    if not moments:
        return Fraction(0)
    p, q = slope.numerator, slope.denominator
    mx, my = (sum(mass * e[axis] for e, mass in moments) for axis in (0, 1))
    # Turning counterclockwise past the ray (e_y, -e_x), w . e becomes positive; past its opposite, negative.
    jumps: dict[Ray, tuple[int, int]] = {}
    for (ex, ey), mass in moments:
        divisor = math.gcd(ex, ey)
        ray = (ey // divisor, -ex // divisor)
        for end, sign in ((ray, mass), ((-ray[0], -ray[1]), -mass)):
            x, y = jumps.get(end, (0, 0))
            jumps[end] = (x + sign * ex, y + sign * ey)
    rays = sorted(jumps, key=cmp_to_key(_by_angle))
    before = rays[-1]
    active = [(e, mass) for e, mass in moments if _is_active(e, before)]
    gx, gy = (sum(mass * e[axis] for e, mass in active) for axis in (0, 1))
    top, bottom = 0, 1
    for ray in rays:
        fx, fy = p * mx + (q - p) * gx, p * my + (q - p) * gy
        from_first, to_last = _cross(before, (fx, fy)), _cross((fx, fy), ray)
        score = fx * ray[0] + fy * ray[1]
        if (from_first >= 0 and to_last >= 0) or (from_first <= 0 and to_last <= 0 and not one_sided):
            square, norm = fx * fx + fy * fy, 1
        else:
            square, norm = 0 if one_sided and score < 0 else score**2, ray[0] ** 2 + ray[1] ** 2
        if square * bottom > top * norm:
            top, bottom = square, norm
        jump = jumps[ray]
        gx, gy, before = gx + jump[0], gy + jump[1], ray
    return Fraction(top, bottom)


def _cross(s: Ray, t: Ray) -> int:
    return s[0] * t[1] - s[1] * t[0]


def _by_angle(s: Ray, t: Ray) -> int:
    """Compare angles in (0, 2 pi]: first the half-planes, then the turn from one to the other."""
    halves = [ray[1] < 0 or (ray[1] == 0 and ray[0] > 0) for ray in (s, t)]
    return halves[0] - halves[1] or -_cross(s, t)


def _is_active(e: tuple[int, ...], ray: Ray) -> bool:
    """Say whether w . e > 0 for w just past the ray, counterclockwise."""
    ahead = e[0] * ray[0] + e[1] * ray[1]
    return ahead > 0 or (ahead == 0 and ray[0] * e[1] - ray[1] * e[0] > 0)
