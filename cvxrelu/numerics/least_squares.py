r"""Non-negative least squares where they may fail, and the least-distance problem that they solve.

    min norm(s)  subject to  G s >= h      by      min norm([G'; h'] u - e_last)  over u >= 0

The shortest s is a multiple of G'u (Lawson & Hanson, "Solving Least Squares Problems", Section 23.4).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

__all__ = ["least_distance_multipliers", "nonnegative_least_squares"]

Array = NDArray[np.float64]

# Steps of the active-set method for each unknown; a few times the support are usual.
STEPS = 10


def nonnegative_least_squares(A: Array, b: Array) -> Array | None:
    """Return the u >= 0 that minimises norm(A u - b), or None if the active-set method runs out of steps.

    Examples
    --------
    >>> nonnegative_least_squares(np.eye(2), np.array([1.0, -1.0]))
    array([1., 0.])
    """
    try:
        return nnls(A, b, maxiter=STEPS * A.shape[1])[0]
    except RuntimeError:
        return None


def least_distance_multipliers(G: Array, h: Array) -> Array | None:
    """Return the multipliers u of the shortest s with G s >= h, up to a common factor; None if the method stalls.

    Examples
    --------
    Of the points beyond both lines, the nearest to the origin is held by one of them:

    >>> least_distance_multipliers(np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([1.0, 0.0])) > 0
    array([ True, False])
    """
    return nonnegative_least_squares(np.vstack([G.T, h]), np.append(np.zeros(G.shape[1]), 1.0))
