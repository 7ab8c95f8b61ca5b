"""Pricing over given sign patterns: the small convex problem of `cvxrelu.pricing.cell` for each of them.

No multipliers bound every cell by one matrix product; the small problems are solved in order of that bound, until it
falls below the best value. Every solved cell yields its best neuron.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.pricing.cell import solve_cells
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.weights import Weights

__all__ = ["cell_search"]

Array = NDArray[np.float64]
Patterns = NDArray[np.bool_]

CHUNK = 2048
"""Patterns multiplied at once, which bounds the memory of their float copy."""

TASKS_BETWEEN_CHECKS = 256
"""Cells solved before Python may look at the clock: some milliseconds each at the very worst."""


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
        part, values, u = solve_cells(G, S, used, Z, free, tasks, limits)
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
