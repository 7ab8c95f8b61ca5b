r"""Trees of multipliers of several outputs: regions of unit neurons u and unit directions q of the outputs' space.

    node    t_sample >= 0, or <= 0;   or   p.q >= 0, or <= 0, for a direction p:   every (u, q) is in one of both
    leaf    multipliers of the inequalities that hold on its region

The norm of a score is the largest q.score, so a bound on that in every leaf is one on the norm: leaves leave nothing
out. What they prove is in `cvxrelu.certificate.norm_multipliers`; of one output the trees are in
`cvxrelu.certificate.trees`, where outputs have two directions, and a tree for each.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.implied import Implied

__all__ = ["Fork", "Known", "NormMultipliers", "NormTree", "changed_leaves", "norm_leaves"]

Array = NDArray[np.float64]
Where = int | tuple[float, ...]


@dataclass(frozen=True, eq=False)
class NormMultipliers:
    """Multipliers for a dual matrix, on one region; what is negative counts as zero, but for `amounts`.

    Attributes
    ----------
    pairs : (P, 2) array of int
        Places i and k of each pair.
    amounts : (P, K) array
        M.
    single, paired : (n,), (P,) arrays
        tau of places and of pairs; zero is replaced by a number that is not.
    numbers : three floats, optional
        nu1, nu2 and nu3; nearly the best ones are looked for where there are none.
    products : (s, s) array
        eta of the samples that were split at, in increasing order; symmetric.
    turns : (J, J) array
        eta of the directions that were split at, in the order of the splits; symmetric.
    lifts : (2, n, J) array
        Multipliers of (p_j.q) (abs(t_i) - t_i) and of (p_j.q) (abs(t_i) + t_i).
    implied : tuple
        Signs that follow, (k, s_k, {j: c_j}): s_k z_k is about sum_j c_j s_j z_j, over samples j that were split at.

    Arrays of another shape than the region's, such as those left out, count as zero.
    """

    pairs: NDArray[np.intp]
    amounts: Array
    single: Array
    paired: Array
    numbers: tuple[float, float, float] | None = None
    products: Array = field(default_factory=lambda: np.zeros((0, 0)))
    turns: Array = field(default_factory=lambda: np.zeros((0, 0)))
    lifts: Array = field(default_factory=lambda: np.zeros((2, 0, 0)))
    implied: Implied = ()

    def times(self, factor: float) -> "NormMultipliers":
        """Return the multipliers for a positive multiple of the dual matrix."""
        names = ("amounts", "single", "paired", "products", "turns", "lifts")
        numbers = self.numbers and (factor * self.numbers[0], factor * self.numbers[1], factor * self.numbers[2])
        return replace(self, numbers=numbers, **{name: factor * getattr(self, name) for name in names})


@dataclass(frozen=True, eq=False)
class Fork:
    """A region in two: by the sign of a sample's t, or of p.q for a direction p."""

    where: Where
    above: "NormTree"
    below: "NormTree"


NormTree = NormMultipliers | Fork


class Known(NamedTuple):
    """What is known on a region: signs of t_k, and directions p_j with p_j.q >= 0."""

    signs: dict[int, float]
    directions: tuple[tuple[float, ...], ...]

    @classmethod
    def nothing(cls) -> "Known":
        """Return what is known of all there is."""
        return cls({}, ())

    def on(self, where: Where, sign: float) -> "Known":
        """Return what is known on one side of a split."""
        if isinstance(where, int):
            return Known({**self.signs, where: sign}, self.directions)
        return Known(self.signs, (*self.directions, tuple(sign * x for x in where)))


def norm_leaves(tree: NormTree, known: Known | None = None) -> Iterator[tuple[Known, NormMultipliers]]:
    """Yield the leaves of a tree, each with what is known in it.

    Examples
    --------
    >>> none = NormMultipliers(np.empty((0, 2), dtype=int), np.empty((0, 2)), np.ones(1), np.empty(0))
    >>> [known.signs for known, _ in norm_leaves(Fork(0, none, Fork((1.0, 0.0), none, none)))]
    [{0: 1.0}, {0: -1.0}, {0: -1.0}]
    """
    known = known or Known.nothing()
    if isinstance(tree, NormMultipliers):
        yield known, tree
        return
    yield from norm_leaves(tree.above, known.on(tree.where, 1.0))
    yield from norm_leaves(tree.below, known.on(tree.where, -1.0))


def changed_leaves(
    tree: NormTree, change: Callable[[Known, NormMultipliers], NormMultipliers], known: Known | None = None
) -> NormTree:
    """Return the tree with other multipliers in its leaves."""
    known = known or Known.nothing()
    if isinstance(tree, NormMultipliers):
        return change(known, tree)
    above = changed_leaves(tree.above, change, known.on(tree.where, 1.0))
    return Fork(tree.where, above, changed_leaves(tree.below, change, known.on(tree.where, -1.0)))
