"""Points as rows: [x_i, 1] with bias, x_i without.

The pre-activation of a neuron u = [w, b] at x_i is the inner product of u with the lifted row
a_i = [x_i, 1] (with bias) or a_i = x_i (without), so the sign patterns of the points are the cells of
the central arrangement of the hyperplanes {u : a_i . u = 0}.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["lift"]


def lift(X: NDArray[np.float64], bias: bool) -> NDArray[np.float64]:
    """Append the constant feature: rows [x_i, 1] with bias, rows x_i without.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The points.
    bias : bool
        Whether neurons have a bias.

    Returns
    -------
    ndarray of shape (n_samples, n_features + bias)
        The lifted rows.

    Examples
    --------
    >>> lift(np.array([[2.0]]), True)
    array([[2., 1.]])
    """
    return np.column_stack([X, np.ones(len(X))]) if bias else np.array(X)
