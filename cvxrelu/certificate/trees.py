"""Trees of multipliers: regions of the unit neurons, split by the signs of samples, with multipliers for each.

    node    t_sample >= 0, or t_sample <= 0: every neuron is in one of both, so that leaves leave nothing out
    leaf    multipliers of the inequalities between moments that hold on its region

What they prove is in `cvxrelu.certificate.multipliers`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from cvxrelu.certificate.implied import Implied, follow_from

__all__ = ["Cuts", "Leaf", "Split", "Tree", "leaves_of", "together"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cuts:
    """Inequalities abs(t_k) <= sum_i lam_i abs(t_i) + abs(e_k.u) with their multipliers.

    Attributes
    ----------
    rows : (K, n) sparse array
        Rows with 1 at k and -lam_i at i, lam >= 0.
    mass : (K,) array
        mu.
    curvature : (K,) array
        d.
    """

    rows: csr_array
    mass: Array
    curvature: Array

    def __len__(self) -> int:
        return len(self.mass)

    @property
    def valid(self) -> bool:
        """Whether every row has one positive entry, which is 1."""
        entries = self.rows.tocoo()
        positive = entries.data > 0
        count = np.bincount(entries.row[positive], minlength=len(self))
        return bool((count == 1).all() and (entries.data[positive] == 1.0).all())

    @classmethod
    def none(cls, n_places: int) -> "Cuts":
        """Return no cuts at all."""
        return cls(csr_array((0, n_places)), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, eq=False)
class Leaf:
    """Multipliers that bound the score of one side on one region; numbers below zero count as zero.

    Attributes
    ----------
    curvature : (n,) array
        c.
    linear : (n,) array
        theta, of any sign, or eta >= 0 where the sign of t_i is known.
    credit : (n,) array
        h.
    cuts : Cuts
        The cuts.
    ball, strip : float
        nu, which whoever reads the multipliers may replace by a better one, and nu2.
    products : (s, s) array
        eta_kl of the samples with known signs, in increasing order; symmetric.
    implied : tuple
        Signs that follow, (k, s_k, {j: c_j}): s_k z_k is about sum_j c_j s_j z_j, over samples j that were split at.
    """

    curvature: Array
    linear: Array
    credit: Array
    cuts: Cuts
    ball: float
    strip: float
    products: Array = field(default_factory=lambda: np.zeros((0, 0)))
    implied: Implied = ()

    @property
    def finite(self) -> bool:
        """Whether all multipliers are."""
        cuts = self.cuts
        arrays = (self.curvature, self.linear, self.credit, cuts.rows.data, cuts.mass, cuts.curvature, self.products)
        numbers = [self.ball, self.strip, *(c for _, _, shares in self.implied for c in shares.values())]
        return bool(np.isfinite(numbers).all()) and all(np.isfinite(array).all() for array in arrays)

    def follows_from(self, signs: dict[int, float]) -> bool:
        """Whether the implied signs follow from known ones."""
        return follow_from(self.implied, signs, len(self.curvature))


def together(leaves: Iterable[Leaf]) -> Leaf:
    """Return multipliers of a sum of dual vectors, given those of each on the same neurons, without known signs.

    Quadratics add up; and where two have a place in common, A^2 / c of the sums is no more than the sum of A^2 / c.
    """
    vectors, ball, strip = np.zeros((3, 1)), 0.0, 0.0
    cuts: list[Cuts] = []
    for leaf in leaves:
        vectors = vectors + np.stack([leaf.curvature, leaf.linear, leaf.credit])
        ball, strip = ball + leaf.ball, strip + leaf.strip
        cuts.append(leaf.cuts)
    rows = csr_array(vstack([part.rows for part in cuts]))
    mass, curvature = (np.concatenate([getattr(part, name) for part in cuts]) for name in ("mass", "curvature"))
    return Leaf(vectors[0], vectors[1], vectors[2], Cuts(rows, mass, curvature), ball, strip)


@dataclass(frozen=True, eq=False)
class Split:
    """A region in two: where t_sample >= 0, and where t_sample <= 0."""

    sample: int
    above: "Tree"
    below: "Tree"


Tree = Leaf | Split


def leaves_of(tree: Tree, signs: dict[int, float] | None = None) -> Iterator[tuple[dict[int, float], Leaf]]:
    """Yield the leaves of a tree, each with the signs that are known in it."""
    signs = signs or {}
    if isinstance(tree, Leaf):
        yield signs, tree
        return
    yield from leaves_of(tree.above, {**signs, tree.sample: 1.0})
    yield from leaves_of(tree.below, {**signs, tree.sample: -1.0})
