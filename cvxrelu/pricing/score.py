"""The score of a dual vector as a function of lifted neurons: F(u) = G(u) . u, positively homogeneous in u = [w, b].

G(u) = linear + sum over z_i . u > 0 of c_i z_i,   z_i = [x_i, 1],   c = (1 - a) v,   linear = a sum_i v_i z_i
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.points import Points
from cvxrelu.pricing.weights import Weights

__all__ = ["Score", "sides_of"]

Array = NDArray[np.float64]

BLOCK = 500
"""Points in a product of matrices: what is between two products stays in the cache; and NumPy, which does not let other
threads run during a product of fewer than 500 numbers, lets them run during a stack of products."""


@dataclass(frozen=True, eq=False)
class Score:
    """F(u) = linear . u + sum_i c_i max(z_i . u, 0), for lifted neurons u.

    Attributes
    ----------
    Z, c, linear : (n, m), (n,), (m,)
        Lifted points, ReLU weights and linear part.
    normed : int
        Number of leading components of a neuron whose norm is 1; m, or m - 1 in free mode.
    even : bool
        Whether F(-u) = F(u), up to rounding.

    Examples
    --------
    >>> score = Score(np.eye(2), np.array([1.0, -1.0]), np.zeros(2), 2)
    >>> score(np.array([[3.0, 1.0], [-1.0, 1.0]]))
    array([ 2., -1.])
    """

    Z: Array
    c: Array
    linear: Array
    normed: int
    even: bool = False

    @classmethod
    def of(cls, points: Points, weights: Weights) -> "Score":
        """Return the score of a dual vector."""
        Z, a = np.ascontiguousarray(points.lifted), points.negative_slope
        return cls(Z, (1 - a) * weights.v, a * (weights.v @ Z), Z.shape[1] - (points.bias == "free"), points.even)

    def rough(self) -> "Score":
        """Return a multiple of F in single precision, which is faster and does for long steps."""
        size, weight = np.abs(self.Z).max(initial=0.0) or 1.0, np.abs(self.c).max(initial=0.0) or 1.0
        Z, c, linear = self.Z / size, self.c / weight, self.linear / (size * weight)
        single: Any = np.float32
        return Score(Z.astype(single), c.astype(single), linear.astype(single), self.normed, self.even)

    def __call__(self, neurons: Array) -> Array:
        """Return F of each row."""
        return neurons @ self.linear + np.maximum(neurons @ self.Z.T, 0.0) @ self.c

    def gradients(self, neurons: Array) -> Array:
        """Return G of each row; at a kink, that of the side where the kink's own term vanishes."""
        n, m = self.Z.shape
        count = n // BLOCK
        whole = count * BLOCK
        stack = self.Z[:whole].reshape(count, BLOCK, m), self.c[:whole].reshape(count, 1, BLOCK)
        return _pulled(neurons, *stack).sum(axis=0) + _pulled(neurons, self.Z[whole:], self.c[whole:]) + self.linear


def _pulled(neurons: Array, Z: Array, c: Array) -> Array:
    """Return the sum over z_i . u > 0 of c_i z_i for each row u; of a stack of points, one sum for each in it."""
    return ((neurons @ np.swapaxes(Z, -1, -2) > 0) * c) @ Z


def sides_of(score: Score, neurons: Array, sides: tuple[float, ...]) -> Array:
    """Return the side of each neuron's score, or the only one that counts."""
    if len(sides) == 1:
        return np.full(len(neurons), sides[0])
    return np.where(score(neurons) >= 0, 1.0, -1.0)
