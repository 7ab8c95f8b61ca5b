r"""Pricing of data that lie in a subspace, in coordinates of that subspace.

    gamma(v; X)  <=  gamma(v; Z) + L sum_i abs(v_i) norm(e_i),        x_i = Q z_i + e_i,  Q'Q = I

because a unit neuron w scores at x_i, up to its Lipschitz constant L times norm(e_i), what the neuron Q'w, whose norm
is no larger, scores at z_i. The e_i are rounding. With a free bias x_i is taken from the mean, so the subspace is
the affine hull; with a penalised one the rows are (x_i, 1) and the neuron in their subspace has no bias of its own.
Points on a line in any number of dimensions are so priced by a sweep, where branch and bound would find no end.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.numerics.powers import shift_up
from cvxrelu.numerics.span import span_of
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.weights import ROUNDOFF, Weights

__all__ = ["Subspace", "rows_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Subspace:
    """The points in coordinates of their subspace.

    Attributes
    ----------
    outer, inner : Points
        The points, and the same in coordinates of the subspace.
    origin : ndarray of shape (m,)
        A point of the affine hull, in free mode; else zero.
    basis : ndarray of shape (m, r)
        Q.
    """

    outer: Points
    inner: Points
    origin: Array
    basis: Array

    @classmethod
    def of(cls, points: Points) -> "Subspace":
        """Return the points in the least subspace that holds them up to rounding."""
        rows, origin = rows_of(points)
        basis = span_of(rows)
        bias = "free" if points.bias == "free" else "none"
        inner = Points.prepare((rows @ basis)[points.place], bias, points.negative_slope, points.one_sided, points.even)
        return cls(points, inner, origin, basis)

    def widening(self, weights: Weights) -> float:
        """Bound what leaving out the rest of the points, and rounding, can take off a score."""
        points, m = self.outer, len(self.basis)
        rows = points.Z - self.origin
        rest = np.hypot.reduce(rows - (rows @ self.basis) @ self.basis.T, axis=1)
        # Products with Q, and Q itself being orthonormal, err by a few roundings of m terms.
        slack = rest + 8 * (m + 4) * ROUNDOFF * (points.norms + np.hypot.reduce(self.origin))
        moved = points.lipschitz * float(row_sizes(weights.original) @ slack[points.place])
        inner = self.inner.weigh(weights.original)
        mass = shift_up(inner.mass, inner.exponent)
        return (moved + 8 * (m + 4) * ROUNDOFF * mass) * (1 + 1e-6) + weights.residue

    def lift(self, priced: Priced) -> Array:
        """Return columns (k, d + 1) of the points, rows (w, b) in their centred coordinates."""
        W = priced.W @ self.basis.T
        if self.outer.bias == "joint":
            return W
        return np.column_stack([W, priced.b - W @ self.origin if self.outer.bias == "free" else np.zeros(len(W))])


def rows_of(points: Points) -> tuple[Array, Array]:
    """Return the rows whose span counts, and what was subtracted from the places to get them."""
    origin = points.Z.mean(axis=0) if points.bias == "free" else np.zeros(points.Z.shape[1])
    return points.Z - origin, origin
