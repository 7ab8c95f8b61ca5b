r"""gamma(v)^2 as an exact fraction, where neurons live on a circle.

    score(w) = sum_i v_i sigma(w . e_i) = w . (a m + (1 - a) G),   m = sum_i v_i e_i,   G = sum_{w . e_i > 0} v_i e_i

with e_i the rows themselves, or (free bias; v sums to zero) the rows relative to an anchor x_k through which the hinge
passes: for a fixed w the score is piecewise linear and bounded in b, so some anchor attains its maximum. The rays
orthogonal to the e_i cut the circle of unit w into arcs. On each arc F = a m + (1 - a) G is constant and

    max abs(w . F) = norm(F) if F or -F points into the arc,  else abs(t . F) / norm(t) at a ray t that ends it.

All squares of these are rational. Coordinates are scaled to integers, so every predicate is a sign of an integer.

Of several outputs v_i are rows, and F w = (a m + (1 - a) G) w with F (K, 2) has the length

    norm(F w)^2 = w' [[p, q], [q, r]] w,    whose largest value is (p + r + sqrt((p - r)^2 + 4 q^2)) / 2,

in the plane rational but for that root, which is rounded up. The axes are rays as well, so that no arc is above a right
angle: the largest value is inside if and only if the length rises at the first end and falls at the last.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cmp_to_key, partial

from cvxrelu.certificate.rational.numbers import common_denominator, root_above

__all__ = ["gamma_squared", "norm_squared_above"]

Ray = tuple[int, int]
# A place and its masses, one for each output.
Moment = tuple[tuple[int, ...], tuple[int, ...]]
AXES: tuple[Ray, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))


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
    peaks = partial(_line_peak, one_sided=one_sided), partial(_plane_peak, one_sided=one_sided)
    return _largest(rows, [(weight,) for weight in v], slope, anchored, peaks)


def norm_squared_above(
    rows: Sequence[tuple[Fraction, ...]], V: Sequence[tuple[Fraction, ...]], slope: Fraction, anchored: bool
) -> Fraction:
    """Return the square of the largest norm of the scores of a unit neuron, a root in it rounded up.

    Parameters
    ----------
    rows, slope, anchored
        As in `gamma_squared`.
    V : sequence of N tuples of K fractions
        The dual matrix, of which every column must sum to zero with a free bias.

    Examples
    --------
    >>> rows = [(Fraction(0), Fraction(0)), (Fraction(3), Fraction(4))]
    >>> norm_squared_above(rows, [(Fraction(-1), Fraction(2)), (Fraction(1), Fraction(-2))], Fraction(0), anchored=True)
    Fraction(125, 1)
    """
    return _largest(rows, V, slope, anchored, (_line_norm, _plane_norm))


def _largest(
    rows: Sequence[tuple[Fraction, ...]],
    V: Sequence[tuple[Fraction, ...]],
    slope: Fraction,
    anchored: bool,
    peaks: tuple[Callable[[Sequence[Moment], Fraction], Fraction], Callable[[Sequence[Moment], Fraction], Fraction]],
) -> Fraction:
    """Return the largest peak about an anchor, by the rule for the line or that for the plane."""
    if anchored and any(sum(column) for column in zip(*V, strict=True)):
        raise ValueError("With a free bias gamma is infinite unless v sums to zero.")
    weights: dict[tuple[Fraction, ...], list[Fraction]] = {}
    for row, weight in zip(rows, V, strict=True):
        known = weights.get(row, [Fraction(0)] * len(weight))
        weights[row] = [entry + more for entry, more in zip(known, weight, strict=True)]
    weights = {row: weight for row, weight in weights.items() if any(weight)}
    if not weights:
        return Fraction(0)
    unit = common_denominator(entry for row in weights for entry in row)
    share = common_denominator(entry for weight in weights.values() for entry in weight)
    points = [tuple(int(entry * unit) for entry in row) for row in weights]
    masses = [tuple(int(entry * share) for entry in weight) for weight in weights.values()]
    anchors = points if anchored else [(0,) * len(points[0])]
    peak = peaks[len(points[0]) - 1]
    best = Fraction(0)
    for anchor in anchors:
        moments = [
            (tuple(x - z for x, z in zip(point, anchor, strict=True)), mass)
            for point, mass in zip(points, masses, strict=True)
        ]
        best = max(best, peak([(e, mass) for e, mass in moments if any(e)], slope))
    return best / (unit * share * slope.denominator) ** 2


def _line_scores(moments: Sequence[Moment], slope: Fraction) -> Iterator[tuple[int, int]]:
    """Yield the scores of w = 1 and w = -1, times the denominator of the slope, of every output."""
    p, q = slope.numerator, slope.denominator
    for k in range(len(moments[0][1]) if moments else 0):
        products = [mass[k] * e[0] for e, mass in moments]
        right = sum(product for (e, _), product in zip(moments, products, strict=True) if e[0] > 0)
        total = sum(products)
        # w = 1: a m + (1 - a) right; w = -1: the same with the left part of m, up to sign.
        yield p * total + (q - p) * right, -p * total - (q - p) * (total - right)


def _line_peak(moments: Sequence[Moment], slope: Fraction, one_sided: bool) -> Fraction:
    """Return the square of the larger score of w = 1 and w = -1, times the denominator of the slope squared."""
    scores = [score for pair in _line_scores(moments, slope) for score in pair]
    return Fraction(max((max(score, 0 if one_sided else -score) for score in scores), default=0) ** 2)


def _line_norm(moments: Sequence[Moment], slope: Fraction) -> Fraction:
    """Return the larger sum of squares of the scores of w = 1 and w = -1, in the same units."""
    scores = zip(*_line_scores(moments, slope), strict=True)
    return Fraction(max((sum(score**2 for score in side) for side in scores), default=0))


def _arcs(
    moments: Sequence[Moment], slope: Fraction, further: Sequence[Ray] = ()
) -> Iterator[tuple[Ray, Ray, list[Ray]]]:
    """Yield all arcs between rays, counterclockwise, with F times the denominator of the slope, a row an output."""
    p, q = slope.numerator, slope.denominator
    outputs = range(len(moments[0][1]) if moments else 0)
    m = [[sum(mass[k] * e[axis] for e, mass in moments) for axis in (0, 1)] for k in outputs]
    # Turning counterclockwise past the ray (e_y, -e_x), w . e becomes positive; past its opposite, negative.
    jumps: dict[Ray, list[list[int]]] = {ray: [[0, 0] for _ in outputs] for ray in further}
    for (ex, ey), mass in moments:
        divisor = math.gcd(ex, ey)
        ray = (ey // divisor, -ex // divisor)
        for end, sign in ((ray, 1), ((-ray[0], -ray[1]), -1)):
            jump = jumps.setdefault(end, [[0, 0] for _ in outputs])
            for k in outputs:
                jump[k][0] += sign * mass[k] * ex
                jump[k][1] += sign * mass[k] * ey
    rays = sorted(jumps, key=cmp_to_key(_by_angle))
    before = rays[-1]
    active = [(e, mass) for e, mass in moments if _is_active(e, before)]
    G = [[sum(mass[k] * e[axis] for e, mass in active) for axis in (0, 1)] for k in outputs]
    for ray in rays:
        yield before, ray, [(p * m[k][0] + (q - p) * G[k][0], p * m[k][1] + (q - p) * G[k][1]) for k in outputs]
        for k, jump in enumerate(jumps[ray]):
            G[k][0] += jump[0]
            G[k][1] += jump[1]
        before = ray


def _plane_peak(moments: Sequence[Moment], slope: Fraction, one_sided: bool) -> Fraction:
    """Return the same for all unit w in the plane, by one sweep over the arcs."""
    if not moments:
        return Fraction(0)
    top, bottom = 0, 1
    for before, ray, ((fx, fy),) in _arcs(moments, slope):
        from_first, to_last = _cross(before, (fx, fy)), _cross((fx, fy), ray)
        score = fx * ray[0] + fy * ray[1]
        if (from_first >= 0 and to_last >= 0) or (from_first <= 0 and to_last <= 0 and not one_sided):
            square, norm = fx * fx + fy * fy, 1
        else:
            square, norm = 0 if one_sided and score < 0 else score**2, ray[0] ** 2 + ray[1] ** 2
        if square * bottom > top * norm:
            top, bottom = square, norm
    return Fraction(top, bottom)


def _plane_norm(moments: Sequence[Moment], slope: Fraction) -> Fraction:
    """Return the largest norm(F w)^2 of unit w, rounded up, in the same units."""
    best = Fraction(0)
    for before, ray, F in _arcs(moments, slope, AXES) if moments else ():
        p, q, r = (sum(f[i] * f[j] for f in F) for i, j in ((0, 0), (0, 1), (1, 1)))
        if p + r <= best:
            continue  # no w has more
        rising, falling = (q * (x * x - y * y) + (r - p) * x * y for x, y in (before, ray))
        if rising > 0 > falling:
            best = max(best, (p + r + root_above(Fraction((p - r) ** 2 + 4 * q * q))) / 2)
        else:
            best = max(
                best, *(Fraction(p * x * x + 2 * q * x * y + r * y * y, x * x + y * y) for x, y in (before, ray))
            )
    return best


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
