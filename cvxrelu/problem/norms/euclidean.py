r"""The Euclidean norm: a neuron costs abs(v) norm(w), or abs(v) norm([w, b]) where biases count as weights.

By rescaling a neuron, these are half the squared weights at their least: the cost is weight decay (Kumar & Haupt (3),
(8); Savarese et al., Appendix A).
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import lengths
from cvxrelu.problem.norms.norm import EPS, UNITS, BoolArray, Norm

__all__ = ["Euclidean"]

Array = NDArray[np.float64]


class Euclidean(Norm):
    """The Euclidean norm of the weights, with the bias free, jointly penalised, or absent.

    Examples
    --------
    >>> W, b = np.array([[3.0, 4.0]]), np.array([12.0])
    >>> [float(Euclidean(bias).neuron_costs(W, b)[0]) for bias in ("free", "joint", "none")]
    [5.0, 13.0, inf]
    """

    name, cellwise = "euclidean", False

    @property
    def has_free_bias(self) -> bool:
        """True if bias is "free"."""
        return self.bias == "free"

    def neuron_costs(self, W: Array, b: Array) -> Array:
        """Return norm(w) or norm([w, b]) of each neuron."""
        if self.bias == "joint":
            return np.hypot(lengths(W), b)
        costs = lengths(W)
        return np.where(b == 0, costs, np.inf) if self.bias == "none" else costs

    def reach(self, X: Array, negative_slope: float) -> float:
        """Return the length of the longest row, or of the longest difference to the first, times the steepest slope."""
        rows = {"free": X - X[0], "joint": np.column_stack([X, np.ones(len(X))]), "none": X}[self.bias]
        steepest = max(1.0, abs(negative_slope))
        return float(lengths(rows).max()) * steepest * (1 + UNITS * EPS * (X.shape[1] + 4))

    def group_matrices(self, patterns: BoolArray, lifted: Array, transform: Array) -> Array:
        """Return [I, 0] if the bias is free, else the identity, in the given coordinates."""
        return transform[None, :-1] if self.bias == "free" else transform[None]
