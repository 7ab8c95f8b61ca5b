r"""Neurons rescaled so that both of their layers weigh the same: norm(v_j) = norm(u_j), u = w or [w, b].

    norm(v) norm(u) = min over t of (norm(v / t)^2 + norm(t u)^2) / 2     (Savarese et al., Appendix A)

Factors are applied as powers of two times numbers near one, so that none is out of the range of floats.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.activation import leaky_relu
from cvxrelu.numerics.lengths import exponents_of, lengths, row_sizes, shifted
from cvxrelu.problem.norms import Norm

__all__ = ["BalancedParts", "balanced_parts"]

Array = NDArray[np.float64]


class BalancedParts(NamedTuple):
    """Hidden weights (m, d) and biases (m,), output weights (m,) or (m, K), and the output constant."""

    W: Array
    b: Array
    v: Array
    intercept: Any


def balanced_parts(norm: Norm, W: Array, b: Array, v: Array, intercept: Any, negative_slope: float) -> BalancedParts:
    """Return the parts of the same network with balanced neurons, without those that cost nothing.

    If an output constant costs something, it becomes a neuron w = 0.
    """
    if np.any(intercept) and not norm.has_free_constant:
        size = float(lengths(np.atleast_1d(intercept)))
        W, b = np.vstack([W, np.zeros(W.shape[1])]), np.append(b, size)
        v, intercept = np.concatenate([v, np.asarray(intercept)[None] / size]), 0.0
    counted = W if norm.has_free_bias else np.column_stack([W, b])
    used = counted.any(axis=1) & (row_sizes(v) > 0)
    intercept = intercept + leaky_relu(b[~used], negative_slope) @ v[~used]
    W, b, v, counted = W[used], b[used], v[used], counted[used]
    # The factor sqrt(norm(v) / size) may be out of range: it is applied as 2^k times a number between 1/2 and 2.
    exponents, outer = exponents_of(counted), row_sizes(v)
    sizes = lengths(shifted(counted, -exponents[:, None]))
    halves = (exponents_of(outer[:, None]) - exponents) // 2
    W, b, v = shifted(W, halves[:, None]), shifted(b, halves), shifted(v.T, -halves)
    factors = np.sqrt(shifted(shifted(outer, -halves), -halves - exponents) / sizes)
    return BalancedParts(W * factors[:, None], b * factors, (v / factors).T, intercept)
