"""What kernels do with vectors, entry by entry.

`target[:] = source` and the reductions of NumPy do the same, but numba spends seconds on what may go wrong with them:
shapes that differ, and the messages that say so.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.runtime.compiled import kernel

__all__ = ["copy", "copy_rows", "fill", "squared_distance", "squared_norm"]

Array = NDArray[np.float64]


@kernel(error_model="numpy")
def copy(source: Array, target: Array) -> None:
    """Copy a vector."""
    for q in range(len(source)):
        target[q] = source[q]


@kernel(error_model="numpy")
def copy_rows(source: Array, target: Array) -> None:
    """Copy a matrix."""
    for k in range(len(source)):
        copy(source[k], target[k])


@kernel(error_model="numpy")
def fill(target: Array, value: float) -> None:
    """Set all entries of a vector."""
    for q in range(len(target)):
        target[q] = value


@kernel(error_model="numpy")
def squared_norm(vector: Array) -> float:
    """Return the sum of squares."""
    total = 0.0
    for q in range(len(vector)):
        total += vector[q] * vector[q]
    return total


@kernel(error_model="numpy")
def squared_distance(first: Array, second: Array) -> float:
    """Return the sum of the squared differences."""
    total = 0.0
    for q in range(len(first)):
        total += (first[q] - second[q]) ** 2
    return total
