"""Rows that bound a given cell, by polar duality, without the rest of the arrangement.

Take u strictly inside the cell {s_i a_i . u >= 0} and scale each row to p_i = a_i / (a_i . u), so that
p_i . u = 1. Row i is redundant, a_i being in the cone of the others with their signs, exactly when p_i is not
a vertex of the convex hull of all p_i, which lies in the hyperplane {p : p . u = 1} of dimension D - 1.

The hull is computed in floats, so points near its boundary count as vertices too: the answer may contain a
row too many, which costs a solver one idle constraint, but does not miss one.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.arrangement.interior import interior_points
from cvxrelu.arrangement.lifting import lift
from cvxrelu.arrangement.parallel_rows import classes_of_rows
from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.problem.validation import as_matrix

__all__ = ["bounding_rows"]

# Distance from the hull, relative to its size, up to which a point counts as one of its vertices. Far above
# the rounding of Qhull (about 1e-14) and of the interior point.
_HULL_TOLERANCE = 1e-9
# The hull of n points has up to n^(dimension / 2) facets; beyond this dimension all rows are kept.
_MAX_HULL_DIMENSION = 6


def bounding_rows(X: ArrayLike, patterns: ArrayLike, bias: bool = True) -> NDArray[np.bool_]:
    """Find the rows that bound each of the given cells.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The points.
    patterns : array-like of bool, shape (p, n_samples)
        Patterns that occur, for example from `sample_patterns`.
    bias : bool, default True
        Whether rows are lifted to [x_i, 1].

    Returns
    -------
    ndarray of bool, shape (p, n_samples)
        True for every row that bounds the cell (of parallel rows only the first), and possibly for rows
        that do not: those within rounding of the boundary, and all rows where the hull cannot decide (more
        than seven lifted dimensions, a cell too thin for a linear program).

    Raises
    ------
    InputTypeError
        If the patterns are not boolean or X is not numeric.
    InputError
        If their shapes do not fit, or X is not finite.

    Examples
    --------
    >>> bounding_rows([[0.0], [1.0], [2.0], [3.0]], [[False, True, True, True]]).astype(int).tolist()
    [[1, 1, 0, 0]]
    """
    points = as_matrix(X)
    signs = np.asarray(patterns)
    if signs.dtype != np.bool_:
        raise InputTypeError(f"patterns must be boolean, True for +, but their dtype is {signs.dtype}")
    if signs.ndim != 2 or signs.shape[1] != len(points):
        raise InputError(f"patterns must have shape (p, {len(points)}), but their shape is {signs.shape}")
    rows = lift(points, bias)
    leaders = classes_of_rows(rows).leaders
    inside = interior_points(rows, signs)
    result = np.zeros(signs.shape, dtype=np.bool_)
    for p in range(len(signs)):
        if inside.found[p] and len(leaders):
            result[p, leaders] = _on_hull(rows[leaders], inside.points[p])
        else:
            result[p, leaders] = True
    return result


def _on_hull(rows: NDArray[np.float64], inside: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mask of the rows whose polar points are on, or within tolerance of, the boundary of their hull."""
    n_rows, dimension = rows.shape
    everything = np.ones(n_rows, dtype=np.bool_)
    if dimension == 1 or n_rows <= dimension or dimension - 1 > _MAX_HULL_DIMENSION:
        return everything
    # In units in which u = (1, ..., 1) / sqrt(D) or so, p . u = 1 is far from every coordinate axis.
    weights = np.where(inside == 0.0, 1.0, np.abs(inside))
    direction = inside / weights
    polar = rows * weights
    with np.errstate(all="ignore"):
        polar = polar / (polar @ direction)[:, np.newaxis]
    if not np.isfinite(polar).all():
        return everything
    frame = np.linalg.svd(direction[np.newaxis])[2][1:]
    flat = polar @ frame.T
    flat = flat - flat.mean(axis=0)
    left, singular, _ = np.linalg.svd(flat, full_matrices=False)
    if singular[-1] <= _HULL_TOLERANCE * singular[0]:
        return everything
    flat = left / np.abs(left).max(axis=0)
    if dimension == 2:
        return (flat[:, 0] <= flat.min() + _HULL_TOLERANCE) | (flat[:, 0] >= flat.max() - _HULL_TOLERANCE)
    from scipy.spatial import ConvexHull, QhullError

    try:
        hull = ConvexHull(flat)
    except QhullError:
        return everything
    depth = (flat @ hull.equations[:, :-1].T + hull.equations[:, -1]).max(axis=1)
    on_hull = depth >= -_HULL_TOLERANCE
    on_hull[hull.vertices] = True
    return on_hull
