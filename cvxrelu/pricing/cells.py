"""Pricing over given sign patterns: a small convex problem for each cell.

On the cell of a pattern s the score is linear, g . u with g = sum_i h_i v_i z_i, h_i = 1 where s_i = +1 and a
elsewhere. Its maximum over the cell's cone {A u >= 0}, A = diag(s) Z, within the unit ball is, by duality,

    min over lam >= 0 of norm(g + A' lam),

and any lam >= 0 gives an upper bound. In free mode u = (w, b / radius) and only norm(w) <= 1 is required, so
the last component of y = g + A' lam should vanish. Since a maximiser has its hinge through a place, abs(b) <=
radius norm(w); hence for any vector t

    g . u <= y . u <= norm(y_w + y_b t) + abs(y_b) (1 + norm(t)),

rigorous for any lam >= 0. It is made tight by the nearest-point problem in the coordinates (w, SHEAR (u_b - t
. w)) with t taken from the previous solution, so that u_b - t . w nearly vanishes where it matters.

lam = 0 bounds every cell by one matrix product; the small problems are solved in order of that bound, until
it falls below the best value. Every solved cell yields its best neuron.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.pricing.nearest import nearest
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.weights import ROUNDOFF, Weights
from cvxrelu.runtime.compiled import kernel

__all__ = ["cell_search"]

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

CHUNK = 2048
"""Patterns multiplied at once, which bounds the memory of their float copy."""

TASKS_BETWEEN_CHECKS = 256
"""Cells solved before Python may look at the clock: some milliseconds each at the very worst."""


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
        length[i] = np.sqrt(np.sum(Z[i] * Z[i]))
    bound = np.inf
    for _ in range(PASSES if free else 1):
        # Start afresh in the sheared coordinates p -> (p_w + p_b t, p_b / SHEAR).
        atoms[0] = g
        if free:
            atoms[0, :normed] += g[normed] * t
            atoms[0, normed] /= SHEAR
        is_ray[0] = False
        weight[0] = 1.0
        tags[0, 0] = -1
        size = 1
        point[:] = atoms[0]
        norm = np.sqrt(np.sum(point * point))
        tight = False
        for _ in range(20 * m + 50):
            u[:] = point
            if free:
                u[normed] /= SHEAR
                for q in range(normed):
                    u[normed] += t[q] * point[q]
            # Bound from the multipliers found so far, computed from scratch with its own rounding.
            y[:] = g
            scale = np.sqrt(np.sum(g * g))
            for j in range(size):
                if is_ray[j]:
                    i = int(tags[j, 0])
                    step = weight[j] if signs[i] else -weight[j]
                    scale += weight[j] * length[i]
                    for q in range(m):
                        y[q] += step * Z[i, q]
            if free:
                shear = np.sqrt(np.sum(t * t))
                now = abs(y[normed]) * (1 + shear)
                now += np.sqrt(np.sum((y[:normed] + y[normed] * t) ** 2))
                scale *= 1 + shear
            else:
                now = np.sqrt(np.sum(y * y))
            bound = min(bound, now + 16 * (m + 4) * ROUNDOFF * scale)
            if bound <= cutoff or norm == 0:
                u[:] = 0
                return bound
            worst, row = -VIOLATION * np.sqrt(np.sum(u * u)), -1
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
            norm = np.sqrt(np.sum(point * point))
            if size < 0 or norm >= before:
                size = abs(size)
                tight = True  # as good as rounding allows
                break
        if not free or not tight or abs(y[normed]) <= ROUNDOFF * bound:
            break
        squared = np.sum(u[:normed] * u[:normed])
        if squared == 0:
            break
        t[:] = u[normed] / squared * u[:normed]
    return bound


@kernel(error_model="numpy")
def _inside(u: Array, signs: Patterns, used: Patterns, Z: Array, room: Array) -> bool:
    """Whether a neuron, not zero, satisfies the rows not in use, but for `room` times its length."""
    size = np.sqrt(np.sum(u * u))
    for i in range(Z.shape[0]):
        if not used[i]:
            dot = 0.0
            for q in range(Z.shape[1]):
                dot += Z[i, q] * u[q]
            if (dot if signs[i] else -dot) < -size * room[i]:
                return False
    return size > 0


@kernel(error_model="numpy")
def _solve_cells(
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
    room = OUTSIDE * np.sqrt(np.sum(Z * Z, axis=1))
    bounds, values, found = np.empty(len(tasks)), np.full(len(tasks), -1.0), np.zeros((len(tasks), Z.shape[1]))
    for k in range(len(tasks)):
        p = tasks[k] // 2
        gradient = (1.0 - 2.0 * (tasks[k] % 2)) * G[p]
        cutoff = max(best * (1 + tol), threshold)
        rows, seen = (used[p], used[p]) if len(used) > 0 else (everything, nothing)
        bounds[k] = _solve_cell(gradient, patterns[p], rows, Z, free, cutoff, found[k])
        inside = _inside(found[k], patterns[p], seen, Z, room)
        if len(used) > 0 and not inside and np.any(found[k] != 0):
            bounds[k] = min(bounds[k], _solve_cell(gradient, patterns[p], everything, Z, free, cutoff, found[k]))
            inside = _inside(found[k], patterns[p], nothing, Z, room)
        if inside:
            values[k] = bounds[k]
            best = max(best, bounds[k])
    return bounds, values, found


def cell_search(
    points: Points,
    weights: Weights,
    patterns: ArrayLike,
    *,
    facets: ArrayLike | None = None,
    tol: float = 1e-9,
    threshold: float | None = None,
    stop: Callable[[int], bool] | None = None,
) -> Priced:
    """Bound the score over the cells of the given patterns.

    Parameters
    ----------
    patterns : array_like of bool, shape (n_patterns, n_samples)
        Signs of the pre-activations, one row a cell.
    facets : array_like of bool, shape (n_patterns, n_samples), optional
        Rows that bound each cell, to save time: all others are looked at where those do not keep to it.
    tol, threshold, stop
        As in `cvxrelu.pricing.Pricer`.

    Raises
    ------
    InputError
        If the patterns or facets do not have the right shape.

    Examples
    --------
    >>> points = Points.prepare([[1.0], [-2.0]], "none", 0.0)
    >>> priced = cell_search(points, points.weigh([1.0, 3.0]), [[True, False], [False, True]])
    >>> round(priced.value, 12)
    6.0
    """
    S = np.asarray(patterns, dtype=bool)
    if S.ndim != 2 or S.shape[1] != len(points.X):
        raise InputError(f"patterns must have shape (n_patterns, {len(points.X)}), not {S.shape}.")
    used = np.zeros((0, S.shape[1]), bool) if facets is None else np.asarray(facets, dtype=bool)
    if facets is not None and used.shape != S.shape:
        raise InputError(f"facets must have the shape {S.shape} of patterns, not {used.shape}.")
    # Patterns speak of the samples, so the places are spread out again.
    Z = np.ascontiguousarray(points.lifted[points.place])
    free = points.bias == "free"
    G = _gradients(points, weights, Z, S)
    cheap = np.linalg.norm(G[:, :-1], axis=1) + np.abs(G[:, -1]) if free else np.linalg.norm(G, axis=1)
    bounds = np.repeat(cheap, 2)
    order = np.argsort(-bounds, kind="stable")
    if points.one_sided:
        bounds[1::2] = 0.0
        order = order[order % 2 == 0]
    margin = weights.margin(_terms(points))
    level = weights.room_below(threshold, margin)
    found: list[Array] = [np.zeros((0, Z.shape[1]))]
    best, done, stopped = 0.0, 0, False
    while done < len(order) and not stopped:
        if bounds[order[done]] <= max(best * (1 + tol / 2), level):
            break
        tasks = order[done : done + TASKS_BETWEEN_CHECKS]
        limits = (best, tol / 2, level)
        part, values, u = _solve_cells(G, S, used, Z, free, tasks, limits)
        bounds[tasks] = np.minimum(bounds[tasks], part)
        solved = np.any(u != 0, axis=1)
        best = max(best, float(values.max()))
        found.append(u[solved][np.argsort(-part[solved], kind="stable")])
        done += len(tasks)
        stopped = stop is not None and done < len(order) and stop(done)
    columns = np.concatenate(found)
    if points.bias == "none":
        columns = np.column_stack([columns, np.zeros(len(columns))])
    elif free:
        columns[:, -1] *= points.radius
    top = float(bounds.max(initial=0.0))
    return points.report(
        weights,
        columns,
        upper=top + margin,
        method="cells",
        complete=lambda value: top <= max(value * (1 + tol) + margin, level),
        nodes=done,
    )


def _terms(points: Points) -> float:
    """Count the rounded terms in a gradient: N additions and products, and the few of a norm."""
    return 2 * len(points.X) + 64.0 * (points.X.shape[1] + 2)


def _gradients(points: Points, weights: Weights, Z: Array, S: Patterns) -> Array:
    a = points.negative_slope
    VZ = weights.original[:, None] * Z
    G = np.empty((len(S), Z.shape[1]))
    base = a * VZ.sum(axis=0)
    for start in range(0, len(S), CHUNK):
        block = slice(start, start + CHUNK)
        G[block] = base + (1 - a) * (S[block].astype(np.float64) @ VZ)
    return G
