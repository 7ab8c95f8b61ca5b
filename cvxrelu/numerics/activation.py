"""The leaky ReLU and its slopes."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["activation_slopes", "leaky_relu"]

Array = NDArray[np.float64]


def leaky_relu(t: Array, negative_slope: float = 0.0) -> Array:
    """Return t where t >= 0 and negative_slope * t elsewhere.

    Examples
    --------
    >>> leaky_relu(np.array([-2.0, 3.0]), 0.5)
    array([-1.,  3.])
    """
    return np.maximum(t, 0.0) if negative_slope == 0 else np.where(t >= 0, t, negative_slope * t)


def activation_slopes(positive: NDArray[np.bool_] | np.bool_, negative_slope: float) -> Array:
    """Return 1 where the argument of the activation is on the positive side, and the negative slope elsewhere.

    Examples
    --------
    >>> activation_slopes(np.array([True, False]), 0.5)
    array([1. , 0.5])
    """
    return np.where(positive, 1.0, negative_slope)
