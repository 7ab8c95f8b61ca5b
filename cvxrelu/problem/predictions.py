r"""Predictions in floats: f(x) = sum_j v_j sigma(w_j . x + b_j) + A x + c.

In blocks of rows, so that hidden activations stay in the cache; with one input by prefix sums over the hinges, which is
O((n + m) log m), and in wide floats, since prefix sums cancel. How far from exact either is: `enclosure`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.activation import leaky_relu

__all__ = ["predictions"]

Array = NDArray[np.float64]
Wide = NDArray[np.longdouble]

# Most numbers of hidden activations that are computed at a time: some 32 MB.
BLOCK_SIZE = 2**22


def predictions(X: Array, W: Array, b: Array, v: Array, intercept: float, skip: Array, negative_slope: float) -> Array:
    """Return the predictions of a network for the rows of X (n, d), in floats that are not finite beyond their range.

    They are (n,), or (n, K) where v is (m, K).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if W.shape[1] == 1:
            return _on_the_line(X[:, 0], W[:, 0], b, v, intercept, skip[0], negative_slope)
        rows = max(1, BLOCK_SIZE // max(1, len(v)))
        blocks = [X[start : start + rows] for start in range(0, len(X), rows)] or [X]
        hidden = [leaky_relu(block @ W.T + b, negative_slope) @ v for block in blocks]
        return np.concatenate(hidden) + (X @ skip if skip.any() else 0.0) + intercept


def _on_the_line(
    x: Array, weights: Array, biases: Array, v: Array, intercept: float, skip: Any, negative_slope: float
) -> Array:
    bent = weights != 0
    w, b, u = (part[bent].astype(np.longdouble) for part in (weights, biases, v))
    with np.errstate(over="ignore"):  # a hinge at infinity has all numbers on one side, as it should
        hinges = np.asarray(-b / w, dtype=float)
    order = np.argsort(hinges)
    passed = np.searchsorted(hinges[order], x, side="right")
    past = np.where(w > 0, 1.0, negative_slope)[order]
    ahead = np.where(w > 0, negative_slope, 1.0)[order]

    def total(terms: Wide) -> Wide:
        """Return the sums of the terms with the slopes that the neurons have at each x."""
        before = np.concatenate([[0.0], np.cumsum(terms * past)])
        after = np.concatenate([np.cumsum((terms * ahead)[::-1])[::-1], [0.0]])
        return (before + after)[passed]

    constant = leaky_relu(biases[~bent], negative_slope) @ v[~bent] + intercept
    if v.ndim == 2:
        slopes = [total((part * w)[order]) + np.longdouble(a) for part, a in zip(u.T, skip, strict=True)]
        columns = [slope * x + total((part * b)[order]) for part, slope in zip(u.T, slopes, strict=True)]
        return np.asarray(np.column_stack(columns) + constant, dtype=float)
    slopes = total((u * w)[order]) + np.longdouble(skip)
    return (slopes * x + total((u * b)[order]) + constant).astype(float)
