r"""The matrix of a Newton step of one block, in which every y_j is eliminated by hand.

    A' P A,   A the map from (x, y) to the slacks of a block, P the scaling of its cones (X -> P X P for matrices)

Its side is that of x, (D + 1)(D + 2) / 2 + n, however many cuts there are. A pair's form in (s, y_j, z_j'S z_j) leaves
a form in (s, z_j'S z_j, B_j a) behind. B has a few entries a row, so that B' W B is a sum over pairs of those.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.relaxation.blocks import Block
from cvxrelu.relaxation.cones import Cone

__all__ = ["Elimination", "newton_matrix"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Elimination:
    """The rows of y in a Newton matrix: what it takes to eliminate them and to get them back.

    Attributes
    ----------
    block : Block
        The block.
    yy, sy, Ty : (J,) arrays
        The entries of y_j with itself, with s, and with z_j'S z_j.
    below : (J,) array
        Minus those with B_j a.
    """

    block: Block
    yy: Array
    sy: Array
    Ty: Array
    below: Array

    @classmethod
    def of(cls, block: Block, scaling: Cone) -> "Elimination":
        """Return the entries, given the scaling of the block's cones."""
        first, mixed, last = scaling.pairs
        below = block.numbers(scaling).below
        return cls(block, 2 * (first * last + mixed**2) + below, 2 * first * mixed, 2 * last * mixed, below)

    def forward(self, right: Array) -> Array:
        """Return what a right-hand side of y takes off that of x."""
        block, share = self.block, right / self.yy
        on_M = block.squares.T @ (self.Ty * share)
        on_M[0] += self.sy @ share
        return block.gathered(on_M, -(block.transposed @ (self.below * share)))

    def backward(self, right: Array, x: Array) -> Array:
        """Return y, given its right-hand side and x."""
        block = self.block
        M = x[: len(block.frame.multiplicity)]
        taken = self.sy * M[0] + self.Ty * (block.squares @ M)
        return (right - taken + self.below * (block.balance @ block.magnitudes(x))) / self.yy


def newton_matrix(block: Block, scaling: Cone) -> tuple[Array, Elimination]:
    """Return the matrix of x, and what it takes to get y.

    Parameters
    ----------
    block : Block
        The block.
    scaling : Cone
        Matrices P, and weights of the numbers.
    """
    frame, free, n = block.frame, block.free, len(block.frame.multiplicity)
    rows, plus, minus, above, below = block.numbers(scaling)
    first, mixed, last = scaling.pairs
    yes = Elimination.of(block, scaling)

    # The 3 x 3 forms in (s, square, B a) that are left of each pair.
    determinant = 2 * (first * last - mixed**2) + below
    TT, ss = last**2 * determinant / yes.yy, first**2 * determinant / yes.yy
    sT = mixed**2 - yes.sy * yes.Ty / yes.yy
    bb, sb, Tb = below * (yes.yy - below) / yes.yy, below * yes.sy / yes.yy, below * yes.Ty / yes.yy
    TT[: len(free)] += block.credit**2 * above

    on_M = _of_moments(block, scaling.moments[0])
    on_M += _gram(block.squares, TT)
    on_M += _gram(block.rows, rows)
    crossed = block.squares.T @ sT
    on_M[0] += crossed
    on_M[:, 0] += crossed
    on_M[0, 0] += ss.sum()
    Z = frame.unit[free]
    on_M[np.ix_(frame.mean, frame.mean)] += _gram(Z, plus + minus)

    on_a = block.weighted_balance(bb)
    on_a[free, free] += plus + minus + above
    of_y = Tb[:, None] * block.squares
    of_y[:, 0] += sb
    mixed_a = (block.transposed @ of_y).T
    mixed_a[:, free] -= (block.squares[: len(free)] * (block.credit * above)[:, None]).T
    mixed_a[np.ix_(frame.mean, free)] += (Z * (minus - plus)[:, None]).T

    if len(block.known) == 0:
        return np.block([[on_M, mixed_a], [mixed_a.T, on_a]]), yes
    known, heights = block.known, block.heights
    half = mixed_a[:, known] @ heights
    on_M += half + half.T + heights.T @ on_a[np.ix_(known, known)] @ heights
    mixed_a[:, free] += heights.T @ on_a[np.ix_(known, free)]
    matrix = np.empty((block.size, block.size))
    matrix[:n, :n], matrix[:n, n:], matrix[n:, :n] = on_M, mixed_a[:, free], mixed_a[:, free].T
    matrix[n:, n:] = on_a[np.ix_(free, free)]
    return matrix, yes


def _of_moments(block: Block, P: Array) -> Array:
    """Return the form of M -> P M P in the entries that stand for M."""
    (i, j), c = block.frame.upper, block.frame.multiplicity
    at_i, at_j = P[i], P[j]
    form = at_i[:, i]
    form *= at_j[:, j]
    crossed = at_i[:, j]
    crossed *= at_j[:, i]
    form += crossed
    form *= c[:, None] * (c / 2)
    return form


def _gram(rows: Array, weights: Array) -> Array:
    """Return rows' diag(weights) rows, weights >= 0."""
    scaled = np.sqrt(weights)[:, None] * rows
    return scaled.T @ scaled
