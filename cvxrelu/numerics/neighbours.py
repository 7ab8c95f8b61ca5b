"""Groups of points that hardly differ: each point that is in none yet begins one, and takes those near it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

__all__ = ["near_groups"]

Array = NDArray[np.float64]


def near_groups(
    points: Array, radii: ArrayLike, order: NDArray[np.intp] | None = None, p: float = 2.0, both_ways: bool = False
) -> NDArray[np.intp]:
    """Return for each point the one that began its group.

    Parameters
    ----------
    points : (n, d) array
        The points.
    radii : float or (n,) array
        How far the points of a group are at most from the one that began it, which has this radius.
    order : (n,) array of int, optional
        Who may begin first; by default the points as they come.
    p : float, default 2.0
        Which norm measures distances.
    both_ways : bool, default False
        Whether opposite points count as near.

    Returns
    -------
    (n,) array of int
        Indices of points; those that began a group have their own.

    Examples
    --------
    >>> near_groups(np.array([[0.0], [1.0], [0.1], [-1.0]]), 0.5, both_ways=True)
    array([0, 1, 0, 1])
    """
    leaders = np.full(len(points), -1)
    if not len(points):
        return leaders
    tree, reach = KDTree(points), np.broadcast_to(radii, len(points))
    for k in range(len(points)) if order is None else order:
        if leaders[k] < 0:
            ends = (points[k], -points[k]) if both_ways else (points[k],)
            near = np.concatenate([tree.query_ball_point(end, reach[k], p=p) for end in ends]).astype(np.intp)
            leaders[near[leaders[near] < 0]] = k
    return leaders
