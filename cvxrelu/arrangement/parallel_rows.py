"""Which lifted rows define the same hyperplane: a_i = t * a_j for some t != 0.

Parallel rows (duplicate points, or without bias points on one line through the origin) always have equal
or always opposite signs inside a cell, so one representative of each class carries all information.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.arrangement.integers import IntegerRow, integer_rows, leading_sign
from cvxrelu.arrangement.lifting import lift
from cvxrelu.arrangement.packing import pack_patterns, unpack_patterns
from cvxrelu.problem.validation import as_matrix

__all__ = ["ParallelClasses", "classes_of_rows", "parallel_classes"]


@dataclass(frozen=True, eq=False)
class ParallelClasses:
    """Classes of parallel lifted rows.

    Attributes
    ----------
    representative : ndarray of int, shape (n_samples,)
        Index of the first row that is parallel to row i (i itself if it is the first), -1 for zero rows.
    orientation : ndarray of int8, shape (n_samples,)
        +1 where row i points as its representative does, -1 where it points the other way, +1 for zero rows.

    Examples
    --------
    >>> import numpy as np
    >>> classes = classes_of_rows(np.array([[1.0, 0.0], [-2.0, 0.0], [0.0, 0.0]]))
    >>> classes.representative.tolist(), classes.orientation.tolist(), classes.n_classes
    ([0, 0, -1], [1, -1, 1], 1)
    """

    representative: NDArray[np.intp]
    orientation: NDArray[np.int8]

    @property
    def leaders(self) -> NDArray[np.intp]:
        """Indices of the representatives, ascending, shape (n_classes,)."""
        return np.flatnonzero(self.representative == np.arange(len(self.representative)))

    @property
    def n_classes(self) -> int:
        """Number of distinct hyperplanes."""
        return len(self.leaders)

    @property
    def zero(self) -> NDArray[np.bool_]:
        """Mask of the zero rows, shape (n_samples,)."""
        return self.representative < 0

    def expand(self, packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Extend packed patterns of the representatives to all rows.

        Parameters
        ----------
        packed : ndarray of uint8, shape (p, ceil(n_classes / 8))
            Patterns; bit c is the sign at the c-th representative.

        Returns
        -------
        ndarray of uint8, shape (p, ceil(n_samples / 8))
            Patterns of all rows: parallel ones follow their representative, zero rows are positive.

        Examples
        --------
        >>> classes = parallel_classes([[1.0], [-1.0], [0.0]], bias=False)
        >>> classes.expand(np.array([[1], [0]], dtype=np.uint8)).tolist()
        [[5], [6]]
        """
        leaders = self.leaders
        if len(leaders) == len(self.representative):
            return packed
        signs = np.ones((len(packed), len(self.representative)), dtype=np.bool_)
        live = ~self.zero
        if live.any():
            column = np.searchsorted(leaders, self.representative[live])
            signs[:, live] = unpack_patterns(packed, len(leaders))[:, column] == (self.orientation[live] > 0)
        return pack_patterns(signs)


def parallel_classes(X: ArrayLike, bias: bool = True) -> ParallelClasses:
    """Find the classes of points whose lifted rows are parallel, exactly.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The points.
    bias : bool, default True
        Whether rows are lifted to [x_i, 1].

    Returns
    -------
    ParallelClasses
        Representative and orientation of each row.

    Raises
    ------
    InputError, InputTypeError
        If X is not a finite two-dimensional array of numbers.

    Examples
    --------
    >>> parallel_classes([[1.0, 2.0], [1.0, 2.0], [3.0, 6.0]]).representative.tolist()
    [0, 0, 2]
    >>> parallel_classes([[1.0, 2.0], [1.0, 2.0], [3.0, 6.0]], bias=False).representative.tolist()
    [0, 0, 0]
    """
    return classes_of_rows(lift(as_matrix(X), bias))


def classes_of_rows(rows: NDArray[np.float64]) -> ParallelClasses:
    """Find the classes of parallel rows, exactly; see `parallel_classes`.

    Parameters
    ----------
    rows : ndarray of shape (n, D)
        Lifted rows.

    Returns
    -------
    ParallelClasses
        Representative and orientation of each row.

    Examples
    --------
    >>> import numpy as np
    >>> classes_of_rows(np.array([[0.1, 0.3], [0.2, 0.6], [0.3, 0.9]])).n_classes  # 0.3 is not 3 * 0.1
    2
    """
    first: dict[IntegerRow, tuple[int, int]] = {}
    representative = np.full(len(rows), -1, dtype=np.intp)
    orientation = np.ones(len(rows), dtype=np.int8)
    for i, row in enumerate(integer_rows(rows)):
        sign = leading_sign(row)
        if sign == 0:
            continue
        key = row if sign > 0 else tuple(-entry for entry in row)
        leader, leader_sign = first.setdefault(key, (i, sign))
        representative[i] = leader
        orientation[i] = sign * leader_sign
    return ParallelClasses(representative, orientation)
