"""A point deep inside a given cell: the one of largest margin to its walls.

For signs s and rows a_i, with Q an orthonormal basis of the columns of the lifted matrix A = Q R and p_i = s_i
q_i / norm(q_i), the direction of largest margin is the shortest vector in the convex hull of the p_i (the dual of
the support vector machine), and with non-negative least squares (Gordan's alternative)

    min norm(sum_i l_i p_i)^2 + (1 - sum_i l_i)^2   subject to   l >= 0,      v = sum_i l_i p_i,      u = R^+ v,

has p_i . v >= 1 - sum_i l_i > 0 for all i. Where rounding leaves the cell, which happens to thin ones, a linear
program is tried: max t subject to p_i . v >= t for all i, max abs(v_k) <= 1.

The change of basis keeps the program well scaled when the points are far from the origin or their features
have different units. All this is computed in floats, so a point counts only if its signs, evaluated exactly, are
those asked for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from cvxrelu.arrangement.signs import exact_signs
from cvxrelu.numerics.least_squares import least_distance_multipliers

__all__ = ["InteriorPoints", "interior_points"]

# Size of a column from which on it counts: of smaller ones the inverse is beyond floats.
LEAST = 2.0**-900


@dataclass(frozen=True, eq=False)
class InteriorPoints:
    """Points inside cells.

    Attributes
    ----------
    points : ndarray of shape (p, D)
        A point strictly inside each cell where `found`, else zeros.
    found : ndarray of bool, shape (p,)
        Whether the point was found and verified exactly.

    Examples
    --------
    >>> interior_points(np.eye(2), np.array([[True, False]])).found.tolist()
    [True]
    """

    points: NDArray[np.float64]
    found: NDArray[np.bool_]


def interior_points(rows: NDArray[np.float64], patterns: NDArray[np.bool_]) -> InteriorPoints:
    """Find a point strictly inside each cell.

    Parameters
    ----------
    rows : ndarray of shape (n, D)
        Lifted rows, zero rows allowed.
    patterns : ndarray of bool, shape (p, n)
        Patterns, True for +.

    Returns
    -------
    InteriorPoints
        The points and whether each was found; those of cells that are empty or thinner than the
        accuracy of a linear program are not.

    Examples
    --------
    >>> found = interior_points(np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[True, False]]))
    >>> bool(found.points[0, 1] > 0 > found.points[0].sum())
    True
    """
    points = np.zeros((len(patterns), rows.shape[1]))
    live = rows.any(axis=1)
    scale = np.maximum(np.abs(rows).max(axis=0), LEAST)
    left, singular, right = np.linalg.svd(rows[live] / scale, full_matrices=False)
    rank = int(np.sum(singular > singular[:1] * len(rows) * np.finfo(float).eps))
    basis = left[:, :rank]
    back = (right[:rank].T / singular[:rank]) / scale[:, np.newaxis]
    norms = np.linalg.norm(basis, axis=1)
    basis = basis / np.where(norms > 0, norms, 1.0)[:, np.newaxis]
    signs = np.where(patterns, 1, -1) * live
    # Without walls every point is inside.
    found = np.full(len(patterns), rank == 0)
    for method in (_shortest, _most_central):
        for p in np.flatnonzero(~found):
            points[p] = back @ method(signs[p, live, np.newaxis] * basis)
        found[~found] = (exact_signs(rows, points[~found]) == signs[~found]).all(axis=1)
    points[~found] = 0.0
    return InteriorPoints(points, found)


def _shortest(walls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shortest vector in the hull of the walls, or zero."""
    multipliers = least_distance_multipliers(walls, np.ones(len(walls)))
    return np.zeros(walls.shape[1]) if multipliers is None else multipliers @ walls


def _most_central(walls: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the point of the cube that is farthest from all walls, by a linear program, or zero."""
    rank = walls.shape[1]
    solution = linprog(
        np.append(np.zeros(rank), -1.0),
        A_ub=np.column_stack([-walls, np.ones(len(walls))]),
        b_ub=np.zeros(len(walls)),
        bounds=[(-1.0, 1.0)] * rank + [(0.0, 1.0)],
        method="highs",
    )
    return np.zeros(rank) if solution.x is None else solution.x[:rank]
