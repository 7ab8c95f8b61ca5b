"""Exact angular sweep of F(u) = g0 . u + sum_i c_i max(z_i . u, 0) over the unit circle.

Between two neighbouring critical directions (those orthogonal to some z_i) F is linear, F(u) = A . u, so its
maximum over the arc is norm(A) if A points into the arc and lies at an end of it otherwise. Opposite arcs are
handled together: where the points with sum G are active at u, those with sum C - G are active at -u, hence
F(-u) = -(g0 + C - G) . u. One sort of n angles and O(1) work an arc: O(n log n).

Rounding. Critical directions come from the points themselves; the computed angles only order them, and are
right to a few units of roundoff. F is continuous, so two directions in the wrong order misplace c_i max(z_i .
u, 0) by O(eps) norm(z_i) abs(c_i), once for every i; the running sum A has at most 3n terms. `sweep_terms`
states the total.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.runtime.compiled import kernel

__all__ = ["critical_directions", "sweep", "sweep_anchors", "sweep_terms"]

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


@kernel()
def critical_directions(Z: Array) -> tuple[Array, NDArray[np.intp], NDArray[np.intp], int, tuple[float, float]]:
    """Directions in which terms of F start or cease to count, in the order of the half circle.

    Parameters
    ----------
    Z : (n, 2)
        Points; those at the origin never matter.

    Returns
    -------
    edge : (m, 2)
        The direction in the upper half plane that is orthogonal to each point.
    kept : (m,)
        Which points these are.
    order : (m,)
        How the directions follow each other.
    first : int
        The place in `order` of the direction at the end of the widest arc, where a sweep begins.
    inside : (float, float)
        The middle of that arc, where the sign of every point is beyond doubt.
    """
    n = len(Z)
    angle = np.empty(n)
    edge = np.empty((n, 2))
    kept = np.empty(n, np.int64)
    m = 0
    for i in range(n):
        r = np.hypot(Z[i, 0], Z[i, 1])
        if r == 0:
            continue
        # The direction orthogonal to z_i in the upper half plane.
        x, y = -Z[i, 1] / r, Z[i, 0] / r
        if y < 0 or (y == 0 and x < 0):
            x, y = -x, -y
        edge[m, 0] = x
        edge[m, 1] = y
        angle[m] = np.arctan2(y, x)
        kept[m] = i
        m += 1
    kept, edge = kept[:m], edge[:m]
    order, first = np.argsort(angle[:m]), 0
    if m == 0:
        return edge, kept, order, first, (1.0, 0.0)
    widest = angle[order[0]] + np.pi - angle[order[m - 1]]
    for j in range(1, m):
        width = angle[order[j]] - angle[order[j - 1]]
        if width > widest:
            widest = width
            first = j
    middle = angle[order[first]] - 0.5 * widest
    return edge, kept, order, first, (float(np.cos(middle)), float(np.sin(middle)))


@kernel()
def sweep(Z: Array, c: Array, gx: float, gy: float, halves: int) -> tuple[Array, Array]:
    """Best value and direction on every arc of the circle, in the order of the circle.

    Parameters
    ----------
    Z : (n, 2)
        Points; those at the origin never matter.
    c : (n,)
        Weights.
    gx, gy : float
        The linear term g0.
    halves : int
        2; or 1 for half of the circle, where F(-u) = F(u).

    Returns
    -------
    values : (2, halves * arcs)
        Largest F on each arc, and largest -F.
    directions : (2, halves * arcs, 2)
        Where.
    """
    edge, kept, order, first, inside = critical_directions(Z)
    m = len(order)
    values = np.empty((2, halves * m))
    directions = np.empty((2, halves * m, 2))
    if m == 0:
        return values, directions
    ux, uy = inside
    ax, ay = gx, gy  # F on the arc
    bx, by = -gx, -gy  # F on the opposite arc, as a function of -u
    active = np.zeros(m, np.bool_)
    for j in range(m):
        i = kept[j]
        px, py = float(c[i] * Z[i, 0]), float(c[i] * Z[i, 1])
        if Z[i, 0] * ux + Z[i, 1] * uy > 0:
            active[j] = True
            ax += px
            ay += py
        else:
            bx -= px
            by -= py
    for step in range(m):
        j = (first + step) % m
        sign = 1.0 if first + step < m else -1.0
        low_sign = sign if j > 0 else -sign
        before, after = order[j - 1], order[j]
        lo = (low_sign * edge[before, 0], low_sign * edge[before, 1])
        hi = (sign * edge[after, 0], sign * edge[after, 1])
        for half in range(halves):
            fx = ax if half == 0 else bx
            fy = ay if half == 0 else by
            flip = 1.0 - 2.0 * half
            for side in range(2):
                s = 1.0 - 2.0 * side
                slot = step + half * m
                value, where = _peak(s * fx, s * fy, lo, hi)
                values[side, slot] = value
                directions[side, slot, 0] = flip * where[0]
                directions[side, slot, 1] = flip * where[1]
        k = order[j]
        i = kept[k]
        px, py = float(c[i] * Z[i, 0]), float(c[i] * Z[i, 1])
        if active[k]:
            ax -= px
            ay -= py
            bx -= px
            by -= py
        else:
            ax += px
            ay += py
            bx += px
            by += py
        active[k] = not active[k]
    return values, directions


@kernel(nogil=True)
def sweep_anchors(X: Array, v: Array, slope: float, span: tuple[int, int], halves: int) -> tuple[Array, Array]:
    """Largest score and largest negated score among the neurons whose hinge passes through each anchor.

    Parameters
    ----------
    X : (n, 2)
        Places.
    v : (n,)
        Weights that sum to zero.
    slope : float
        Negative slope of the activation.
    span : (start, stop)
        The anchors X[start:stop].
    halves : int
        As in `sweep`.

    Returns
    -------
    values : (2, stop - start)
    directions : (2, stop - start, 2)
        The weights w; the bias is -w . x_k. Zero where all places coincide.
    """
    start, stop = span
    values = np.zeros((2, stop - start))
    directions = np.zeros((2, stop - start, 2))
    c = (1 - slope) * v
    Z = np.empty_like(X)
    for k in range(start, stop):
        gx, gy = 0.0, 0.0
        for i in range(len(X)):
            Z[i, 0] = X[i, 0] - X[k, 0]
            Z[i, 1] = X[i, 1] - X[k, 1]
            gx += v[i] * Z[i, 0]
            gy += v[i] * Z[i, 1]
        arc_values, arc_directions = sweep(Z, c, slope * gx, slope * gy, halves)
        for side in range(2):
            best = 0
            for arc in range(arc_values.shape[1]):
                if arc_values[side, arc] > arc_values[side, best]:
                    best = arc
            if arc_values.shape[1] > 0:
                values[side, k - start] = arc_values[side, best]
                for q in range(2):
                    directions[side, k - start, q] = arc_directions[side, best, q]
    return values, directions
