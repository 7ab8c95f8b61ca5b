r"""Units of features: with x_k / s_k in place of x_k a network costs what it would in units of s_k.

    cost(f) = sum_j norm(v_j) norm((s_1 w_j1, ..., s_d w_jd)),   s_k the standard deviation of feature k

The least cost, and the network as a function of x, are then the same whatever the units that features come in. Their
origin stays where it is, which makes no difference where biases are free.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import exponents_of, shifted
from cvxrelu.problem.network import Network
from cvxrelu.problem.sample_weight import merge_samples, shares_of

__all__ = ["deviations", "in_units", "of_multiples"]

Array = NDArray[np.float64]

ROUNDED = 4 * float(np.finfo(float).eps)
"""Deviation over the mean of what is constant up to rounding."""

LEAST, MOST = 2.0**-500, 2.0**500
"""Units, so that neither a feature over one nor a weight is beyond floats."""


def deviations(X: Array, weights: Array | None) -> Array:
    """Return the standard deviations of features, within `LEAST` and `MOST`; 1.0 where all is equal up to rounding.

    They are the same to the last digit whatever the order of the samples.

    Raises
    ------
    InputError
        If a weight is negative, or none is positive.

    Examples
    --------
    >>> deviations(np.array([[0.0, 1e100, 5.0], [2.0, 3e100, 5.0]]), None)
    array([1.e+000, 1.e+100, 1.e+000])
    """
    if weights is not None:
        shares_of(weights)  # which says what is wrong with them
        weights = np.ldexp(weights, -exponents_of(weights))
    rows, _, counts = merge_samples(X, np.zeros(len(X)), weights)
    exponents, shares = exponents_of(rows.T), counts / counts.sum()
    of_size_one = np.ldexp(rows, -exponents)
    means = shares @ of_size_one
    centred = of_size_one - means
    centred -= shares @ centred  # what rounding took from the means
    sizes = np.sqrt(shares @ centred**2)
    return np.where(sizes > ROUNDED * np.abs(means), np.clip(shifted(sizes, exponents), LEAST, MOST), 1.0)


def in_units(X: Array, units: Array, weights: Array | None) -> Array:
    """Return features over their units, infinite beyond the largest float unless a sample has no weight."""
    with np.errstate(over="ignore"):
        scaled = X / units
    if weights is not None:
        scaled[weights == 0] = np.nan_to_num(scaled[weights == 0])
    return scaled


def of_multiples(network: Network, factors: Array) -> Network:
    """Return the network x -> f(factors * x)."""
    by_row = factors.reshape(-1, *[1] * (network.skip.ndim - 1))
    parts = network.b, network.v, network.intercept, network.negative_slope
    return Network(network.W * factors, *parts, network.skip * by_row)
