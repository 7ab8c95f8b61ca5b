"""The convex problem of one cell, compiled.

On the cell of a pattern s the score is linear, g . u with g = sum_i h_i v_i z_i, h_i = 1 where s_i = +1 and a
elsewhere. Its maximum over the cell's cone {A u >= 0}, A = diag(s) Z, within the unit ball is, by duality,

    min over lam >= 0 of norm(g + A' lam),

and any lam >= 0 gives an upper bound. In free mode u = (w, b / radius) and only norm(w) <= 1 is required, so
the last component of y = g + A' lam should vanish. Since a maximiser has its hinge through a place, abs(b) <=
radius norm(w); hence for any vector t

    g . u <= y . u <= norm(y_w + y_b t) + abs(y_b) (1 + norm(t)),

rigorous for any lam >= 0. It is made tight by the nearest-point problem in the coordinates (w, SHEAR (u_b - t
. w)) with t taken from the previous solution, so that u_b - t . w nearly vanishes where it matters.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.nearest import nearest
from cvxrelu.pricing.vectors import copy, fill, squared_norm
from cvxrelu.pricing.weights import ROUNDOFF
from cvxrelu.runtime.compiled import kernel

__all__ = ["solve_cells"]

Array = NDArray[np.float64]
Patterns = NDArray[np.bool_]

SHEAR = 1e-3
"""Cost of the sheared bias in free mode. The bound is loose by SHEAR**2 times the sheared bias, which the
next pass makes as small as SHEAR**2; much smaller values only cost digits."""

PASSES = 3
"""Passes of shearing: two reach rounding level from any start, the third one is spare."""

VIOLATION = 1e-13
"""A row counts as satisfied within this, relative to the norms: only tightness depends on it."""

OUTSIDE = 1e-7
"""A neuron that violates a row by more than this, relative to the norms, is not the best one of the cell."""

SHORTEST = 2.0**-400
"""Shorter rows do not bound a cell: what they lost, entries below 2^-500, could matter with large multipliers."""


@kernel(error_model="numpy")
def _solve_cell(g: Array, signs: Patterns, used: Patterns, Z: Array, free: bool, cutoff: float, u: Array) -> float:
    """Bound max g . u over the cell from above; `u` receives the maximiser, or zero if it was not reached."""
    n, m = Z.shape
    normed = m - 1 if free else m
    capacity = m + 2
    atoms = np.zeros((capacity, m))
    is_ray = np.zeros(capacity, np.bool_)
    weight = np.zeros(capacity)
    tags = np.zeros((capacity, 1))
    work = np.zeros((2 * m + 4, m + 2))
    point = np.zeros(m)
    y = np.zeros(m)
    t = np.zeros(normed)
    length = np.zeros(n)
    for i in range(n):
        length[i] = np.sqrt(squared_norm(Z[i]))
    bound = np.inf
    for _ in range(PASSES if free else 1):
        # Start afresh in the sheared coordinates p -> (p_w + p_b t, p_b / SHEAR).
        copy(g, atoms[0])
        if free:
            for q in range(normed):
                atoms[0, q] += g[normed] * t[q]
            atoms[0, normed] /= SHEAR
        is_ray[0] = False
        weight[0] = 1.0
        tags[0, 0] = -1
        size = 1
        copy(atoms[0], point)
        norm = np.sqrt(squared_norm(point))
        tight = False
        for _ in range(20 * m + 50):
            copy(point, u)
            if free:
                u[normed] /= SHEAR
                for q in range(normed):
                    u[normed] += t[q] * point[q]
            # Bound from the multipliers found so far, computed from scratch with its own rounding.
            copy(g, y)
            scale = np.sqrt(squared_norm(g))
            for j in range(size):
                if is_ray[j]:
                    i = int(tags[j, 0])
                    step = weight[j] if signs[i] else -weight[j]
                    scale += weight[j] * length[i]
                    for q in range(m):
                        y[q] += step * Z[i, q]
            if free:
                shear = np.sqrt(squared_norm(t))
                beside = 0.0
                for q in range(normed):
                    beside += (y[q] + y[normed] * t[q]) ** 2
                now = abs(y[normed]) * (1 + shear) + np.sqrt(beside)
                scale *= 1 + shear
            else:
                now = np.sqrt(squared_norm(y))
            bound = min(bound, now + 16 * (m + 4) * ROUNDOFF * scale)
            if bound <= cutoff or norm == 0:
                fill(u, 0.0)
                return bound
            worst, row = -VIOLATION * np.sqrt(squared_norm(u)), -1
            for i in range(n):
                if used[i] and length[i] > SHORTEST:
                    dot = 0.0
                    for q in range(m):
                        dot += Z[i, q] * u[q]
                    dot = (dot if signs[i] else -dot) / length[i]
                    if dot < worst:
                        worst, row = dot, i
            if row < 0:
                tight = True
                break
            side = 1.0 if signs[row] else -1.0
            for q in range(m):
                atoms[size, q] = side * Z[row, q]
            if free:
                for q in range(normed):
                    atoms[size, q] += atoms[size, normed] * t[q]
                atoms[size, normed] /= SHEAR
            is_ray[size] = True
            weight[size] = 0.0
            tags[size, 0] = row
            size = nearest(atoms, is_ray, weight, size + 1, point, tags, work)
            before = norm
            norm = np.sqrt(squared_norm(point))
            if size < 0 or norm >= before:
                size = abs(size)
                tight = True  # as good as rounding allows
                break
        if not free or not tight or abs(y[normed]) <= ROUNDOFF * bound:
            break
        squared = squared_norm(u[:normed])
        if squared == 0:
            break
        for q in range(normed):
            t[q] = u[normed] / squared * u[q]
    return bound


@kernel(error_model="numpy")
def _inside(u: Array, signs: Patterns, used: Patterns, Z: Array, room: Array) -> bool:
    """Whether a neuron, not zero, satisfies the rows not in use, but for `room` times its length."""
    size = np.sqrt(squared_norm(u))
    for i in range(Z.shape[0]):
        if not used[i]:
            dot = 0.0
            for q in range(Z.shape[1]):
                dot += Z[i, q] * u[q]
            if (dot if signs[i] else -dot) < -size * room[i]:
                return False
    return size > 0


@kernel(error_model="numpy")
def solve_cells(
    G: Array,
    patterns: Patterns,
    used: Patterns,
    Z: Array,
    free: bool,
    tasks: NDArray[np.int64],
    limits: tuple[float, float, float],
) -> tuple[Array, Array, Array]:
    """Bounds and maximisers of several tasks; task 2 p + s is pattern p with the sign (-1)^s of the score.

    `limits` holds the best value so far, the tolerance above it, and the threshold; values are those reached, or -1.
    Where the rows in use leave the cell, all are used: centring rounds, and may open a sliver to one side.
    """
    best, tol, threshold = limits
    everything, nothing = np.ones(Z.shape[0], np.bool_), np.zeros(Z.shape[0], np.bool_)
    room = np.empty(len(Z))
    for i in range(len(Z)):
        room[i] = OUTSIDE * np.sqrt(squared_norm(Z[i]))
    bounds, values, found = np.empty(len(tasks)), np.full(len(tasks), -1.0), np.zeros((len(tasks), Z.shape[1]))
    for k in range(len(tasks)):
        p = tasks[k] // 2
        gradient = (1.0 - 2.0 * (tasks[k] % 2)) * G[p]
        cutoff = max(best * (1 + tol), threshold)
        rows, seen = (used[p], used[p]) if len(used) > 0 else (everything, nothing)
        bounds[k] = _solve_cell(gradient, patterns[p], rows, Z, free, cutoff, found[k])
        inside = _inside(found[k], patterns[p], seen, Z, room)
        if len(used) > 0 and not inside and squared_norm(found[k]) > 0:
            bounds[k] = min(bounds[k], _solve_cell(gradient, patterns[p], everything, Z, free, cutoff, found[k]))
            inside = _inside(found[k], patterns[p], nothing, Z, room)
        if inside:
            values[k] = bounds[k]
            best = max(best, bounds[k])
    return bounds, values, found
