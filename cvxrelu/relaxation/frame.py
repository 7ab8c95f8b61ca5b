r"""The data as the relaxation sees it: lifted places in coordinates of their span, and the entries of M.

    score of a neuron u = scale * sum_i v_i (odd t_i + even abs(t_i)),   t_i = z_i.u

M = [[s, m'], [m, S]] is symmetric, so its upper triangle stands for it, row by row; a quadratic form left' S right is
linear in that.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import shifted
from cvxrelu.numerics.span import span_of
from cvxrelu.pricing.points import Points
from cvxrelu.program.scaling import Scaling

__all__ = ["Frame"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Frame:
    """The lifted places of the data in coordinates of their span.

    Attributes
    ----------
    Z : (n, D) array
        Rows; the last column is the bias's where there is a strip.
    strip : bool
        Whether the last coordinate of a neuron is bounded by the norm of the others, and free otherwise.
    reach : (n,) array
        Largest abs(z_i.u).
    odd, even : float
        p and q of sigma(t) = p t + q abs(t).
    place : (N,) int array
        The place of each sample; -1 where all neurons vanish.
    scale : float
        Predictions per unit of sum_j s_j sigma(z.u_j).
    """

    Z: Array
    strip: bool
    reach: Array
    odd: float
    even: float
    place: NDArray[np.intp]
    scale: float

    @classmethod
    def of(cls, points: Points, scaling: Scaling, reach: Array) -> "Frame":
        """Return the frame of places, given how far each reaches: those where all neurons vanish are left out."""
        kept = points.norms > 0 if points.bias == "none" else np.ones(len(points.Z), dtype=bool)
        index = np.cumsum(kept) - 1
        Z = points.Z[kept]
        if len(Z):
            Z = Z @ span_of(Z)
        if points.bias == "free":
            Z = np.column_stack([Z, np.full(len(Z), points.radius or 1.0)])
        a = points.negative_slope
        return cls(
            Z,
            points.bias == "free",
            reach[kept],
            (1 + a) / 2,
            (1 - a) / 2,
            np.where(kept, index, -1)[points.place],
            float(shifted(np.float64(scaling.gradient_scale / scaling.score_scale), points.exponent)),
        )

    @cached_property
    def lengths(self) -> Array:
        """Norms of the rows, 1 for zero rows."""
        norms = np.linalg.norm(self.Z, axis=1)
        return np.where(norms > 0, norms, 1.0)

    @cached_property
    def unit(self) -> Array:
        """The rows at length one."""
        return self.Z / self.lengths[:, None]

    @cached_property
    def credit(self) -> Array:
        """Length over reach."""
        return self.lengths / np.maximum(self.reach, 1e-300)

    @property
    def n_places(self) -> int:
        """Number of rows."""
        return len(self.Z)

    @property
    def dimension(self) -> int:
        """D."""
        return self.Z.shape[1]

    @property
    def normed(self) -> int:
        """Coordinates whose norm is at most one: all but the bias in a strip."""
        return self.dimension - self.strip

    @cached_property
    def upper(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of the entries of M that stand for it."""
        return np.triu_indices(self.dimension + 1)

    @cached_property
    def index(self) -> NDArray[np.intp]:
        """Place of every entry of M among them."""
        side = self.dimension + 1
        index = np.zeros((side, side), dtype=np.intp)
        index[self.upper] = np.arange(len(self.upper[0]))
        return np.maximum(index, index.T)

    @cached_property
    def multiplicity(self) -> Array:
        """How often each of them occurs in M: 2, or 1 on the diagonal."""
        return np.where(self.upper[0] == self.upper[1], 1.0, 2.0)

    @property
    def mean(self) -> NDArray[np.intp]:
        """Where m is."""
        return self.index[0, 1:]

    def second(self, left: Array, right: Array) -> Array:
        """Return rows that map M to left_j'S right_j."""
        left, right = (np.column_stack([np.zeros(len(rows)), rows]) for rows in (left, right))
        i, j = self.upper
        return (left[:, i] * right[:, j] + left[:, j] * right[:, i]) * (self.multiplicity / 2)
