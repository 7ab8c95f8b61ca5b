r"""Exact angular sweep of norm(F(u)), F(u) = G0 u + sum_i C_i max(z_i . u, 0) in R^K, over the unit circle.

Between two neighbouring critical directions F is linear, F(u) = A u with A (K, 2), so that norm(F) is largest over the
arc at an end of it or in the direction of the top singular vector of A, that is the top eigenvector of

    A'A = [[p, q], [q, r]],     largest eigenvalue (p + r)/2 + hypot((p - r)/2, q),

if that, or its opposite, points into the arc. All else is as in `cvxrelu.pricing.sweep`, of which this is the sweep for
K outputs: opposite arcs are handled together, and directions computed in the wrong order misplace a term by rounding
only. Errors of the entries of F, each at most eps times the number of terms times sum_i abs(C_ik) norm(z_i), add up to
an error of the norm of at most the same with norm(C_i) for abs(C_ik), by the triangle inequality; the squares summed in
A'A err in proportion to the result.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.sweep import critical_directions
from cvxrelu.runtime.compiled import kernel

__all__ = ["sweep_arcs", "sweep_arcs_of_anchors"]

Array = NDArray[np.float64]


@kernel(error_model="numpy")
def _length(A: Array, x: float, y: float) -> float:
    """Return norm(A u) for u = (x, y)."""
    total = 0.0
    for k in range(len(A)):
        entry = A[k, 0] * x + A[k, 1] * y
        total += entry * entry
    return np.sqrt(total)


@kernel(error_model="numpy")
def _peak(A: Array, lo: tuple[float, float], hi: tuple[float, float]) -> tuple[float, float, float]:
    """Return the largest norm(A u) over the arc from lo to hi (at most a half turn), and its direction u."""
    p, q, r = 0.0, 0.0, 0.0
    for k in range(len(A)):
        p += A[k, 0] * A[k, 0]
        q += A[k, 0] * A[k, 1]
        r += A[k, 1] * A[k, 1]
    bend = np.hypot(0.5 * (p - r), q)
    if bend > 0:
        turn = 0.5 * np.arctan2(q, 0.5 * (p - r))
        x, y = np.cos(turn), np.sin(turn)
        wide = lo[0] * hi[0] + lo[1] * hi[1] <= 0
        for _ in range(2):
            after, before = lo[0] * y - lo[1] * x >= 0, hi[0] * y - hi[1] * x <= 0
            if after and before and (wide or x * (lo[0] + hi[0]) + y * (lo[1] + hi[1]) >= 0):
                return np.sqrt(0.5 * (p + r) + bend), x, y
            x, y = -x, -y
    at_lo, at_hi = _length(A, lo[0], lo[1]), _length(A, hi[0], hi[1])
    return (at_lo, lo[0], lo[1]) if at_lo >= at_hi else (at_hi, hi[0], hi[1])


@kernel(error_model="numpy")
def sweep_arcs(Z: Array, C: Array, G: Array, halves: int) -> tuple[Array, Array]:
    """Best value and direction on every arc of the circle, in the order of the circle.

    Parameters
    ----------
    Z : (n, 2)
        Points; those at the origin never matter.
    C : (n, K)
        Weights.
    G : (K, 2)
        The linear part G0.
    halves : int
        2; or 1 for half of the circle, where norm(F(-u)) = norm(F(u)).

    Returns
    -------
    values : (halves * arcs,)
        Largest norm(F) on each arc.
    directions : (halves * arcs, 2)
        Where.
    """
    count = C.shape[1]
    edge, kept, order, first, inside = critical_directions(Z)
    m = len(order)
    values = np.empty(halves * m)
    directions = np.empty((halves * m, 2))
    if m == 0:
        return values, directions
    ux, uy = inside

    # F on the arc, and on the opposite one as a function of -u.
    A, B = np.empty((count, 2)), np.empty((count, 2))
    for k in range(count):
        for q in range(2):
            A[k, q] = G[k, q]
            B[k, q] = -G[k, q]
    active = np.zeros(m, np.bool_)
    for j in range(m):
        i = kept[j]
        active[j] = Z[i, 0] * ux + Z[i, 1] * uy > 0
        for k in range(count):
            for q in range(2):
                if active[j]:
                    A[k, q] += C[i, k] * Z[i, q]
                else:
                    B[k, q] -= C[i, k] * Z[i, q]
    for step in range(m):
        j = (first + step) % m
        sign = 1.0 if first + step < m else -1.0
        low_sign = sign if j > 0 else -sign
        before, after = order[j - 1], order[j]
        lo = (low_sign * edge[before, 0], low_sign * edge[before, 1])
        hi = (sign * edge[after, 0], sign * edge[after, 1])
        value, x, y = _peak(A, lo, hi)
        values[step] = value
        directions[step, 0], directions[step, 1] = x, y
        if halves == 2:
            value, x, y = _peak(B, lo, hi)
            values[step + m] = value
            directions[step + m, 0], directions[step + m, 1] = -x, -y
        i, change = kept[after], -1.0 if active[after] else 1.0
        for k in range(count):
            for q in range(2):
                A[k, q] += change * C[i, k] * Z[i, q]
                B[k, q] += change * C[i, k] * Z[i, q]
        active[after] = not active[after]
    return values, directions


@kernel(error_model="numpy", nogil=True)
def sweep_arcs_of_anchors(X: Array, V: Array, slope: float, span: tuple[int, int], halves: int) -> tuple[Array, Array]:
    """Largest norm of the scores among the neurons whose hinge passes through each anchor.

    Parameters
    ----------
    X : (n, 2)
        Places.
    V : (n, K)
        Weights, of which every column sums to zero.
    slope : float
        Negative slope of the activation.
    span : (start, stop)
        The anchors X[start:stop].
    halves : int
        As in `sweep_arcs`.

    Returns
    -------
    values : (stop - start,)
    directions : (stop - start, 2)
        The weights w; the bias is -w . x_k. Zero where all places coincide.
    """
    start, stop = span
    n, count = V.shape
    values = np.zeros(stop - start)
    directions = np.zeros((stop - start, 2))
    C, G = np.empty((n, count)), np.empty((count, 2))
    for i in range(n):
        for k in range(count):
            C[i, k] = (1 - slope) * V[i, k]
    Z = np.empty_like(X)
    for anchor in range(start, stop):
        for k in range(count):
            G[k, 0], G[k, 1] = 0.0, 0.0
        for i in range(n):
            for q in range(2):
                Z[i, q] = X[i, q] - X[anchor, q]
                for k in range(count):
                    G[k, q] += slope * V[i, k] * Z[i, q]
        arc_values, arc_directions = sweep_arcs(Z, C, G, halves)
        for arc in range(len(arc_values)):
            if arc_values[arc] > values[anchor - start]:
                values[anchor - start] = arc_values[arc]
                for q in range(2):
                    directions[anchor - start, q] = arc_directions[arc, q]
    return values, directions
