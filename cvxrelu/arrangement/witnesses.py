"""Float points strictly inside cells, verified exactly.

An integer point u of the interior is scaled to a largest entry of about 1 and rounded to floats. Where that
leaves a thin cell, odd multiples of u are tried, since they round elsewhere, and then the point of largest
margin (`interior_points`). Whatever the source, a point counts only if its exact signs are those of the cell.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement.integers import IntegerRow
from cvxrelu.arrangement.interior import interior_points
from cvxrelu.arrangement.signs import exact_signs
from cvxrelu.errors import InputError

__all__ = ["round_point", "verified_witnesses"]

# Factors whose products with a point are rounded to different floats.
_MULTIPLES = (1, 3, 5, 7, 11, 13, 19, 23)


def round_point(point: IntegerRow) -> list[float]:
    """Scale an integer point by a power of two to a largest entry of about 1 and round it to floats.

    Parameters
    ----------
    point : tuple of int
        The point, not zero.

    Returns
    -------
    list of float
        Correctly rounded coordinates.

    Examples
    --------
    >>> round_point((4, -1))
    [0.5, -0.125]
    """
    scale = 1 << max(entry.bit_length() for entry in map(abs, point))
    return [entry / scale for entry in point]


def verified_witnesses(
    rows: NDArray[np.float64], patterns: NDArray[np.bool_], points: Sequence[IntegerRow]
) -> NDArray[np.float64]:
    """Round interior points to floats that are still strictly inside.

    Parameters
    ----------
    rows : ndarray of shape (n, D)
        Lifted rows.
    patterns : ndarray of bool, shape (p, n)
        Patterns of the cells.
    points : sequence of tuple of int
        An integer point inside each cell.

    Returns
    -------
    ndarray of shape (p, D)
        A float point inside each cell.

    Raises
    ------
    InputError
        If a cell is too thin for a point to be found.

    Examples
    --------
    >>> verified_witnesses(np.eye(2), np.array([[True, False]]), [(2, -1)])
    array([[ 0.5 , -0.25]])
    """
    wanted = np.where(patterns, 1, -1) * rows.any(axis=1)
    witnesses = np.empty((len(points), rows.shape[1]))
    failed = np.arange(len(points))
    for multiple in _MULTIPLES:
        witnesses[failed] = [round_point(tuple(multiple * u for u in points[p])) for p in failed.tolist()]
        wrong = exact_signs(rows, witnesses[failed]) != wanted[failed]
        failed = failed[wrong.any(axis=1)]
        if not failed.size:
            return witnesses
    retry = interior_points(rows, patterns[failed])
    witnesses[failed] = retry.points
    thin = failed[~retry.found]
    if thin.size:
        raise InputError(
            f"{thin.size} cell(s), the first of them pattern {thin[0]}, are too thin to contain a "
            "float witness; merge points that nearly coincide, or centre and scale X"
        )
    return witnesses
