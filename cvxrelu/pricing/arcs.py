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

from cvxrelu.pricing.sweep import edge, length_of
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
def _peak(A: Array, lo: tuple[float, float], hi: tuple[float, float], least: float) -> tuple[float, float, float]:
    """Return the largest norm(A u) over the arc from lo to hi (at most a half turn), and its direction u.

    If it is certain not to exceed `least` that is returned, with the direction zero.
    """
    p, q, r = 0.0, 0.0, 0.0
    for k in range(len(A)):
        p += A[k, 0] * A[k, 0]
        q += A[k, 0] * A[k, 1]
        r += A[k, 1] * A[k, 1]
    bend = np.hypot(0.5 * (p - r), q)
    norm = np.sqrt(0.5 * (p + r) + bend)
    if norm <= least:
        return least, 0.0, 0.0
    if bend > 0:
        turn = 0.5 * np.arctan2(q, 0.5 * (p - r))
        x, y = np.cos(turn), np.sin(turn)
        wide = lo[0] * hi[0] + lo[1] * hi[1] <= 0
        for _ in range(2):
            after, before = lo[0] * y - lo[1] * x >= 0, hi[0] * y - hi[1] * x <= 0
            if after and before and (wide or x * (lo[0] + hi[0]) + y * (lo[1] + hi[1]) >= 0):
                return norm, x, y
            x, y = -x, -y
    at_lo, at_hi = _length(A, lo[0], lo[1]), _length(A, hi[0], hi[1])
    return (at_lo, lo[0], lo[1]) if at_lo >= at_hi else (at_hi, hi[0], hi[1])


@kernel(error_model="numpy")
def sweep_arcs(
    Z: Array, C: Array, G: Array, order: NDArray[np.int32], start: Array, halves: int, every: bool
) -> tuple[Array, Array]:
    """Best value and direction on every arc of the circle, in the order of the circle, or on all of them.

    Parameters
    ----------
    Z : (n, 2)
        Points.
    C : (n, K)
        Weights.
    G : (K, 2)
        The linear part G0.
    order : (n,)
    start : (2,)
        Of these points, from `cvxrelu.pricing.sweep.half_turns`.
    halves : int
        2; or 1 for half of the circle, where norm(F(-u)) = norm(F(u)).
    every : bool
        Whether every arc is asked for.

    Returns
    -------
    values : (halves * m,), or (1,) of the best
        Largest norm(F) on each arc, of m points that are not at the origin.
    directions : (halves * m, 2), or (1, 2)
        Where. Zero where norm(F) is.
    """
    count, m = C.shape[1], length_of(order)
    values = np.zeros(halves * m if every else 1)
    directions = np.zeros((halves * m if every else 1, 2))
    if m == 0:
        return values, directions

    # F on the arc, and on the opposite one as a function of -u.
    A, B = np.empty((count, 2)), np.empty((count, 2))
    for k in range(count):
        for q in range(2):
            A[k, q] = G[k, q]
            B[k, q] = -G[k, q]
    side_of = np.zeros(len(Z))
    for i in order[:m]:
        side_of[i] = 1.0 if Z[i, 0] * start[0] + Z[i, 1] * start[1] > 0 else -1.0
        for k in range(count):
            for q in range(2):
                if side_of[i] > 0:
                    A[k, q] += C[i, k] * Z[i, q]
                else:
                    B[k, q] -= C[i, k] * Z[i, q]
    last = order[m - 1]
    x, y = edge(Z[last, 0], Z[last, 1], float(side_of[last]))
    lo = (-x, -y)
    for step in range(m):
        i = order[step]
        hi = edge(Z[i, 0], Z[i, 1], float(side_of[i]))
        for half in range(halves):
            slot = step + half * m if every else 0
            value, x, y = _peak(A if half == 0 else B, lo, hi, values[slot])
            if value > values[slot]:
                values[slot] = value
                directions[slot, 0] = x if half == 0 else -x
                directions[slot, 1] = y if half == 0 else -y
        for k in range(count):
            for q in range(2):
                A[k, q] -= side_of[i] * C[i, k] * Z[i, q]
                B[k, q] -= side_of[i] * C[i, k] * Z[i, q]
        lo = hi
    return values, directions


@kernel(error_model="numpy", nogil=True)
def sweep_arcs_of_anchors(
    X: Array, V: Array, slope: float, first: int, order: NDArray[np.int32], start: Array, halves: int
) -> tuple[Array, Array]:
    """Largest norm of the scores among the neurons whose hinge passes through each anchor.

    Parameters
    ----------
    X : (n, 2)
        Places.
    V : (n, K)
        Weights, of which every column sums to zero.
    slope : float
        Negative slope of the activation.
    first : int
        The anchors are X[first], X[first + 1] and so on.
    order : (k, n)
    start : (k, 2)
        `cvxrelu.pricing.sweep.half_turns` of the places seen from each anchor.
    halves : int
        As in `sweep_arcs`.

    Returns
    -------
    values : (k,)
    directions : (k, 2)
        The weights w; the bias is -w . x of the anchor. Zero where all places coincide.
    """
    n, count = V.shape
    values = np.empty(len(order))
    directions = np.empty((len(order), 2))
    C, G = np.empty((n, count)), np.empty((count, 2))
    for i in range(n):
        for k in range(count):
            C[i, k] = (1 - slope) * V[i, k]
    Z = np.empty_like(X)
    for anchor in range(len(order)):
        for k in range(count):
            G[k, 0], G[k, 1] = 0.0, 0.0
        for i in range(n):
            for q in range(2):
                Z[i, q] = X[i, q] - X[first + anchor, q]
                for k in range(count):
                    G[k, q] += slope * V[i, k] * Z[i, q]
        best, where = sweep_arcs(Z, C, G, order[anchor], start[anchor], halves, False)
        values[anchor] = best[0]
        for q in range(2):
            directions[anchor, q] = where[0, q]
    return values, directions
