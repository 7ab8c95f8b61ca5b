"""Sample weights: what each row counts in the mean of the losses, (1/N) sum_i w_i loss_i with w of mean one.

A weight of k is k copies of the row, and a weight of zero is its absence.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.rows import name_rows

__all__ = ["merge_samples", "shares_of"]

Array = NDArray[np.float64]

# Weights are at their mean up to rounding if it is this near to one; then they are taken as they are.
MEAN_RTOL = 1e-15
# Share of the mean that a positive weight has at least; the largest one is N at most.
LEAST_WEIGHT = 2.0**-100


def shares_of(weights: Array) -> tuple[Array | None, NDArray[np.intp]]:
    """Return the positive weights over their mean, None if they are all the same, and which they are."""
    kept = np.flatnonzero(weights)
    if len(negative := np.flatnonzero(weights < 0)):
        raise InputError(f"sample_weight is negative in {name_rows(negative)}; weights are zero or more.")
    if not len(kept):
        raise InputError("sample_weight is zero for every sample; at least one has to count.")
    positive = weights[kept]
    if np.ptp(positive) == 0:
        return None, kept
    with np.errstate(over="ignore", under="ignore"):
        shares = positive / positive.max()
        mean = math.fsum(shares) / len(kept)
        small = positive.max() <= len(kept)  # as it is if the mean is one; sums of others may be beyond floats
        shares = positive if small and abs(math.fsum(positive) / len(kept) - 1) <= MEAN_RTOL else shares / mean
    extreme = np.flatnonzero(shares < LEAST_WEIGHT)
    if len(extreme):
        raise InputError(
            f"sample_weight is positive and less than 1e-30 of the mean in {name_rows(kept[extreme])}; use 0 instead."
        )
    shares.flags.writeable = False
    return shares, kept


def merge_samples(X: Array, y: Array, weights: Array | None) -> tuple[Array, Array, Array]:
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
    kept, d = totals != 0, X.shape[1]
    return rows[kept, :d], rows[kept, d:].reshape(-1, *y.shape[1:]), totals[kept]
