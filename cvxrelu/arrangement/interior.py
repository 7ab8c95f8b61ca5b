"""A point deep inside a given cell: the largest margin to its walls, by one small linear program.

For signs s and rows a_i, with Q an orthonormal basis of the columns of the lifted matrix A = Q R,

    max t   subject to   s_i q_i . v >= t * norm(q_i) for all i,   max abs(v_k) <= 1,      u = R^+ v.

The change of basis keeps the program well scaled when the points are far from the origin or their features
have different units. The linear program works in floats, so its point counts only if its signs, evaluated
exactly, are those asked for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from cvxrelu.arrangement.signs import exact_signs

__all__ = ["InteriorPoints", "interior_points"]


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
    scale = np.abs(rows).max(axis=0)
    scale[scale == 0] = 1.0
    left, singular, right = np.linalg.svd(rows[live] / scale, full_matrices=False)
    rank = int(np.sum(singular > singular[:1] * len(rows) * np.finfo(float).eps))
    basis = left[:, :rank]
    back = (right[:rank].T / singular[:rank]) / scale[:, np.newaxis]
    norms = np.linalg.norm(basis, axis=1)
    basis = basis / np.where(norms > 0, norms, 1.0)[:, np.newaxis]
    for p, pattern in enumerate(patterns[:, live]):
        signs = np.where(pattern, 1.0, -1.0)
        solution = linprog(
            np.append(np.zeros(rank), -1.0),
            A_ub=np.column_stack([-signs[:, np.newaxis] * basis, np.ones(len(signs))]),
            b_ub=np.zeros(len(signs)),
            bounds=[(-1.0, 1.0)] * rank + [(0.0, 1.0)],
            method="highs",
        )
        if solution.x is not None:
            points[p] = back @ solution.x[:rank]
    wanted = np.where(patterns, 1, -1)
    found = (exact_signs(rows, points) == np.where(live, wanted, 0)).all(axis=1)
    points[~found] = 0.0
    return InteriorPoints(points, found)
