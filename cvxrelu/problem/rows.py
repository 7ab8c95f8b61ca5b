"""Rows of data that a message names."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["first_conflict", "name_rows"]

Array = NDArray[np.float64]

# How many offending rows a message names.
NAMED_ROWS = 5


def name_rows(rows: Iterable[int]) -> str:
    """Return 'row 3' or 'rows 1, 2, 5, ... (9 in all)'.

    Examples
    --------
    >>> name_rows([3]), name_rows([1, 2])
    ('row 3', 'rows 1, 2')
    """
    numbers = [int(row) for row in rows]
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    named = ", ".join(map(str, numbers[:NAMED_ROWS]))
    return f"rows {named}" + (f", ... ({len(numbers)} in all)" if len(numbers) > NAMED_ROWS else "")


def first_conflict(X: Array, y: Array) -> tuple[int, int] | None:
    """Return two rows of X that are equal while their y differ, or None."""
    _, place = np.unique(X, axis=0, return_inverse=True)
    order = np.lexsort((y, place))
    clash = (np.diff(place[order]) == 0) & (np.diff(y[order]) != 0)
    if not clash.any():
        return None
    k = int(np.argmax(clash))
    first, second = sorted((int(order[k]), int(order[k + 1])))
    return first, second


def merge_samples(
    X: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return equal samples merged into one of their total weight, sorted, without those of weight zero.

    It makes no difference to the result in which order samples are given, or whether as copies or with a weight.

    Examples
    --------
    >>> merge_samples(np.array([[1.0], [0.0], [1.0]]), np.array([5.0, 6.0, 5.0]), None)
    (array([[0.],
           [1.]]), array([6., 5.]), array([1., 2.]))
    """
    rows, places = np.unique(np.column_stack([X, y]), axis=0, return_inverse=True)
    totals = np.bincount(places.reshape(-1), weights).astype(float)
    kept = totals != 0
    return rows[kept, :-1], rows[kept, -1], totals[kept]
