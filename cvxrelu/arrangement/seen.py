"""Degenerate vertices that are done with, so that not every basis of them is examined in integers.

A vertex in which the rows Z meet is met again for every basis S of Z, up to C(z, k) of them for z rows in k + 1
dimensions: for one vertex 150,000, if all but one of a hundred points are in a plane. The kernel leaves later ones out
only where floats are exact. In lexicographic order the first basis of Z, by which alone the vertex is treated, comes
before all others. So once a vertex was looked at,

    S in Z   =>   S is to be left out.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["SeenVertices"]

# Vertices remembered, the latest: all of a cube in five dimensions, nearly. One that was forgotten is looked at again.
_REMEMBERED = 1024
# Entries of the largest temporary array.
_ENTRIES = 2**22


class SeenVertices:
    """Degenerate vertices, by the rows that meet in them.

    Parameters
    ----------
    n : int
        Number of rows of the level.

    Examples
    --------
    >>> seen = SeenVertices(4)
    >>> seen.add([0, 1, 3])
    >>> seen.span(np.array([[0, 1], [0, 2], [1, 3]])).tolist()
    [True, False, True]
    """

    def __init__(self, n: int) -> None:
        self._rows = np.zeros((0, n), dtype=np.bool_)
        self._count = 0

    def add(self, rows: Sequence[int]) -> None:
        """Add a vertex.

        Parameters
        ----------
        rows : sequence of int
            All rows that meet there.
        """
        if self._count == len(self._rows) < _REMEMBERED:
            # Doubled as it fills: most data have no such vertex.
            more = min(max(8, self._count), _REMEMBERED - self._count)
            self._rows = np.concatenate([self._rows, np.zeros((more, self._rows.shape[1]), dtype=np.bool_)])
        place = self._count % _REMEMBERED
        self._rows[place] = False
        self._rows[place, rows] = True
        self._count += 1

    def span(self, subsets: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Tell which subsets are of rows that all meet in one of the vertices.

        Parameters
        ----------
        subsets : ndarray of int, shape (r, k)
            Rows of each subset.

        Returns
        -------
        ndarray of bool, shape (r,)
            True where they do.
        """
        found = np.zeros(len(subsets), dtype=np.bool_)
        known = self._rows[: self._count]
        step = max(1, _ENTRIES // max(1, subsets.size))
        for start in range(0, len(known), step):
            found |= known[start : start + step, subsets].all(axis=2).any(axis=0)
        return found
