"""Exact angular sweep of F(u) = g0 . u + sum_i c_i max(z_i . u, 0) over the unit circle.

Between two neighbouring critical directions (those orthogonal to some z_i) F is linear, F(u) = A . u, so its
maximum over the arc is norm(A) if A points into the arc and lies at an end of it otherwise. Opposite arcs are
handled together: where the points with sum G are active at u, those with sum C - G are active at -u, hence
F(-u) = -(g0 + C - G) . u. One sort of n angles, which depends on the points alone and serves all weights, and O(1)
work an arc: O(n log n). Where only the best of all arcs is asked for, one with norm(A) below the best so far is passed
over.

Rounding. Critical directions come from the points themselves; the computed angles only order them, and are
right to a few units of roundoff. F is continuous, so two directions in the wrong order misplace c_i max(z_i .
u, 0) by O(eps) norm(z_i) abs(c_i), once for every i; the running sum A has at most 3n terms, and a computed norm(A) is
right to a few units. `sweep_terms` states the total.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.runtime.compiled import kernel

__all__ = ["edge", "half_turns", "length_of", "sweep", "sweep_anchors", "sweep_terms"]

Array = NDArray[np.float64]


def sweep_terms(n_samples: int, n_outputs: int = 1) -> int:
    """Count the rounded terms that a sweep over n_samples points may add up, with room to spare.

    The squares of several outputs are added up one after the other, twice.
    """
    return 8 * n_samples + 256 + 4 * (n_outputs - 1)


@kernel()
def _peak(ax: float, ay: float, lo: tuple[float, float], hi: tuple[float, float]) -> tuple[float, tuple[float, float]]:
    """Maximum of A . u over the arc from lo to hi (at most a half turn), and its direction."""
    if lo[0] * ay - lo[1] * ax >= 0 and hi[0] * ay - hi[1] * ax <= 0:
        r = np.sqrt(ax * ax + ay * ay)
        # On an arc of half a turn lo + hi is rounding noise; there, and on any arc of a quarter turn or more, the two
        # half-planes above meet in the arc alone.
        wide = lo[0] * hi[0] + lo[1] * hi[1] <= 0
        if r > 0 and (wide or ax * (lo[0] + hi[0]) + ay * (lo[1] + hi[1]) >= 0):
            return r, (ax / r, ay / r)
    at_lo = ax * lo[0] + ay * lo[1]
    at_hi = ax * hi[0] + ay * hi[1]
    return (at_lo, lo) if at_lo >= at_hi else (at_hi, hi)


def half_turns(Z: Array) -> tuple[NDArray[np.int32], Array]:
    """Order points by the directions orthogonal to them, at which their terms of F start or cease to count.

    Parameters
    ----------
    Z : (..., n, 2)
        Sets of points; those at the origin never matter.

    Returns
    -------
    order : (..., n)
        The other points, as their directions follow each other over half a turn, then -1 for each at the origin.
    start : (..., 2)
        The direction from which it goes, counterclockwise: the middle of the widest arc between two, where the sign
        of every point is beyond doubt.
    """
    x, y = -Z[..., 1], Z[..., 0]
    below = (y < 0) | ((y == 0) & (x < 0))
    angle = np.arctan2(np.where(below, -y, y), np.where(below, -x, x))
    at_origin = (x == 0) & (y == 0)
    angle[at_origin] = 4.0  # beyond all others
    place, count = np.arange(angle.shape[-1]), (~at_origin).sum(axis=-1, keepdims=True)
    order = np.argsort(angle, axis=-1)
    angle = np.take_along_axis(angle, order, axis=-1)
    last = np.take_along_axis(angle, np.maximum(count - 1, 0), axis=-1)
    width = np.where(place < count, np.diff(angle, axis=-1, prepend=last - np.pi), 0.0)
    first = np.argmax(width, axis=-1, keepdims=True)
    middle = np.take_along_axis(angle - 0.5 * width, first, axis=-1)
    order = np.take_along_axis(order, (first + place) % np.maximum(count, 1), axis=-1)
    order = np.where(place < count, order, -1).astype(np.int32)
    return order, np.concatenate([np.cos(middle), np.sin(middle)], axis=-1)


@kernel()
def length_of(order: NDArray[np.int32]) -> int:
    """Return how many points an order of `half_turns` names."""
    m = len(order)
    while m > 0 and order[m - 1] < 0:
        m -= 1
    return m


@kernel()
def edge(x: float, y: float, side: float) -> tuple[float, float]:
    """Return the direction at which a half turn leaves the side, 1.0 or -1.0, on which the point was at its start."""
    r = side * np.hypot(x, y)
    return -y / r, x / r


@kernel()
def sweep(
    Z: Array, c: Array, g: tuple[float, float], order: NDArray[np.int32], start: Array, halves: int, every: bool
) -> tuple[Array, Array]:
    """Best value and direction on every arc of the circle, in the order of the circle, or on all of them.

    Parameters
    ----------
    Z : (n, 2)
        Points.
    c : (n,)
        Weights.
    g : (float, float)
        The linear term g0.
    order : (n,)
    start : (2,)
        Of these points, from `half_turns`.
    halves : int
        2; or 1 for half of the circle, where F(-u) = F(u).
    every : bool
        Whether every arc is asked for.

    Returns
    -------
    values : (2, halves * m), or (2, 1) of the best
        Largest F on each arc, of m points that are not at the origin, and largest -F.
    directions : (2, halves * m, 2), or (2, 1, 2)
        Where. The best of no arc is zero.
    """
    m = length_of(order)
    values = np.zeros((2, halves * m if every else 1))
    directions = np.zeros((2, halves * m if every else 1, 2))
    if m == 0:
        return values, directions
    if not every:
        values[:] = -np.inf
    ax, ay = g  # F on the arc
    bx, by = -ax, -ay  # F on the opposite arc, as a function of -u
    side_of = np.zeros(len(Z))
    for i in order[:m]:
        side_of[i] = 1.0 if Z[i, 0] * start[0] + Z[i, 1] * start[1] > 0 else -1.0
        if side_of[i] > 0:
            ax += c[i] * Z[i, 0]
            ay += c[i] * Z[i, 1]
        else:
            bx -= c[i] * Z[i, 0]
            by -= c[i] * Z[i, 1]
    before = order[m - 1]
    x, y = edge(Z[before, 0], Z[before, 1], float(side_of[before]))
    lo = (-x, -y)
    for step in range(m):
        i = order[step]
        hi = edge(Z[i, 0], Z[i, 1], float(side_of[i]))
        for half in range(halves):
            fx = ax if half == 0 else bx
            fy = ay if half == 0 else by
            flip = 1.0 - 2.0 * half
            for side in range(2):
                slot = step + half * m if every else 0
                best = values[side, slot]
                if not every and best > 0 and fx * fx + fy * fy <= best * best:
                    continue
                s = 1.0 - 2.0 * side
                value, where = _peak(s * fx, s * fy, lo, hi)
                if every or value > best:
                    values[side, slot] = value
                    directions[side, slot, 0] = flip * where[0]
                    directions[side, slot, 1] = flip * where[1]
        change = -side_of[i] * c[i]
        ax += change * Z[i, 0]
        ay += change * Z[i, 1]
        bx += change * Z[i, 0]
        by += change * Z[i, 1]
        lo = hi
    return values, directions


@kernel(nogil=True)
def sweep_anchors(
    X: Array, v: Array, slope: float, first: int, order: NDArray[np.int32], start: Array, halves: int
) -> tuple[Array, Array]:
    """Largest score and largest negated score among the neurons whose hinge passes through each anchor.

    Parameters
    ----------
    X : (n, 2)
        Places.
    v : (n,)
        Weights that sum to zero.
    slope : float
        Negative slope of the activation.
    first : int
        The anchors are X[first], X[first + 1] and so on.
    order : (k, n)
    start : (k, 2)
        `half_turns` of the places seen from each anchor.
    halves : int
        As in `sweep`.

    Returns
    -------
    values : (2, k)
    directions : (2, k, 2)
        The weights w; the bias is -w . x of the anchor. Zero where all places coincide.
    """
    values = np.empty((2, len(order)))
    directions = np.empty((2, len(order), 2))
    c = (1 - slope) * v
    Z = np.empty_like(X)
    for k in range(len(order)):
        gx, gy = 0.0, 0.0
        for i in range(len(X)):
            Z[i, 0] = X[i, 0] - X[first + k, 0]
            Z[i, 1] = X[i, 1] - X[first + k, 1]
            gx += v[i] * Z[i, 0]
            gy += v[i] * Z[i, 1]
        best, where = sweep(Z, c, (slope * gx, slope * gy), order[k], start[k], halves, False)
        for side in range(2):
            values[side, k] = best[side, 0]
            directions[side, k, 0] = where[side, 0, 0]
            directions[side, k, 1] = where[side, 0, 1]
    return values, directions
