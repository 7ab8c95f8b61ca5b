r"""Regions of several outputs: the leaves of a tree that splits neurons and directions, and how it grows.

    p.q >= 0, or <= 0             once: p is the direction that most are close to, up to their signs
    t_sample >= 0, or <= 0        where the moments have more of abs(t) than a network of such neurons would

A region gets the pairs that its moments violate, or is split. One that is clear is left out of the program for as long
as its old multipliers prove for the new dual matrix what is needed; then it comes back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from cvxrelu.certificate.norm_trees import Fork, NormTree
from cvxrelu.relaxation.moment_blocks import MomentBlock, Moments
from cvxrelu.relaxation.signs import inner_vector

__all__ = ["OutputRegion", "neighbours", "split_region", "violated_pairs"]

Array = NDArray[np.float64]
Pairs = NDArray[np.intp]

# How many pairs join in a round, for every place; how far from zero what one violates has to be, next to the largest
# moment, to be no rounding of a solver; and the least amount of one that stays, next to the largest.
JOINING, VIOLATED, NEEDED = 1.0, 1e-9, 1e-5
# Share of the largest eigenvalue of Y below which one is rounding, and has no inverse.
RANK_RTOL = 1e-8
# Samples that are tried for a split, and least error worth one, next to what is moved.
TRIED, WORTH = 6, 1e-5
# Stands for what is zero where it divides.
TINY = 1e-300
# What counts of errors that do not raise the score by themselves.
INDIRECT = 0.1


@dataclass(eq=False)
class OutputRegion:
    """A leaf of the tree while it grows: its block, and the moments and multipliers that were found for it."""

    block: MomentBlock
    found: Moments | None = None
    open: bool = True
    children: "tuple[int | tuple[float, ...], OutputRegion, OutputRegion] | None" = None

    def leaves(self) -> "Iterator[OutputRegion]":
        """Yield all leaves below."""
        if self.children is None:
            yield self
            return
        for child in self.children[1:]:
            yield from child.leaves()

    def tree(self, factor: float) -> NormTree:
        """Return the multipliers of all leaves below, times a factor."""
        if self.children is None:
            assert self.found is not None, "a region is solved before it is used"
            return self.found.multipliers.times(factor)
        where, above, below = self.children
        return Fork(where, above.tree(factor), below.tree(factor))

    def with_pairs(self, more: Pairs) -> bool:
        """Add pairs, and drop those not needed; tell if any is new."""
        assert self.found is not None, "a region has been solved"
        amounts = np.linalg.norm(self.found.multipliers.amounts, axis=1)
        kept = self.block.pairs[amounts > NEEDED * amounts.max(initial=0.0)]
        self.block = replace(self.block, pairs=np.vstack([kept, more]))
        return bool(len(more))


def neighbours(Z: Array, count: int) -> Pairs:
    """Return the pairs of nearest places, each once.

    Examples
    --------
    >>> neighbours(np.array([[0.0], [1.0], [5.0]]), 1)
    array([[0, 1],
           [1, 2]])
    """
    n = len(Z)
    if n < 2:
        return np.empty((0, 2), dtype=np.intp)
    near = np.atleast_2d(KDTree(Z).query(Z, min(count + 1, n))[1])[:, 1:]
    ends = np.column_stack([np.repeat(np.arange(n), near.shape[1]), near.ravel()])
    return np.unique(np.sort(ends, axis=1), axis=0).astype(np.intp)


def violated_pairs(region: OutputRegion) -> Pairs:
    """Return the pairs that the moments of a region violate most."""
    block, found = region.block, region.found
    assert found is not None, "a region has been solved"
    Z, n = block.Z, len(block.Z)
    inverse = np.linalg.pinv(found.Y, rcond=RANK_RTOL)
    heights = found.H @ inverse @ found.H.T
    apart = np.diag(heights)[:, None] + np.diag(heights) - 2 * heights
    moments = Z @ found.S @ Z.T
    reach = np.diag(moments)[:, None] + np.diag(moments) - 2 * moments
    excess = np.triu(apart - reach, 1)
    excess[block.pairs[:, 0], block.pairs[:, 1]] = 0.0
    known = block.signs != 0
    excess[np.outer(known, known)] = 0.0
    order = np.argsort(-excess, axis=None)[: max(1, round(JOINING * n))]
    rows, columns = np.unravel_index(order, excess.shape)
    worth = excess[rows, columns] > VIOLATED * max(float(np.abs(reach).max()), TINY)
    return np.column_stack([rows[worth], columns[worth]]).astype(np.intp)


def split_region(region: OutputRegion, weights: Array) -> bool:
    """Split a region across its directions, or by a sample; tell if that was possible.

    Parameters
    ----------
    region : OutputRegion
        A region that has been solved.
    weights : (n, K) array
        The dual matrix on the places.
    """
    # Moments do not tell (u, q) from (-u, -q) before there is a direction: the first one is that of most.
    directions = () if region.block.known.directions else (_main_direction(region),)
    for where in (*directions, *_samples(region, weights)):
        above, below = (_child(region, where, sign) for sign in (1.0, -1.0))
        if above is not None and below is not None:
            region.children = where, above, below
            if isinstance(where, tuple):
                # By itself that often gains nothing: halves are split at once, by the moments of the whole.
                for half in (above, below):
                    half.found = region.found
                    split_region(half, weights)
            return True
    return False


def _main_direction(region: OutputRegion) -> tuple[float, ...]:
    """Return the direction that most directions of a region are close to, up to their signs."""
    assert region.found is not None, "a region has been solved"
    return tuple((region.block.basis @ np.linalg.eigh(region.found.Y)[1][:, -1]).tolist())


def _samples(region: OutputRegion, weights: Array) -> list[int]:
    """Return the samples whose moments are furthest from those of a network, those first."""
    block, found = region.block, region.found
    assert found is not None, "a region has been solved"
    t, mass, sizes = block.Z @ found.C, max(found.mass, TINY), np.linalg.norm(weights, axis=1)
    # h is the mean of abs(t) q: that of t q, or of -t q, if the neurons of the region are on one side.
    W = weights @ block.basis
    gain = np.maximum((W * found.H).sum(axis=1) - np.abs((W * t).sum(axis=1)), 0.0)
    apart = np.minimum(np.linalg.norm(found.H - t, axis=1), np.linalg.norm(found.H + t, axis=1))
    # Which side that is has to agree with the second moments of two places.
    sides = np.where((found.H * t).sum(axis=1) >= 0, 1.0, -1.0)
    moments = block.Z @ found.S @ block.Z.T
    against = np.maximum(-np.outer(sides, sides) * moments, 0.0) @ sizes
    reach = float(sizes @ np.sqrt(np.maximum(np.diag(moments), 0.0) / mass))
    errors = gain + INDIRECT * sizes * (apart + against / max(reach, TINY))
    errors[block.signs != 0] = 0.0
    order = np.argsort(-errors)[:TRIED]
    return order[errors[order] > WORTH * float(sizes @ np.abs(found.H).sum(axis=1))].tolist()


def _child(region: OutputRegion, where: int | tuple[float, ...], sign: float) -> OutputRegion | None:
    """Return one side of a split; None if there is no room."""
    known = region.block.known.on(where, sign)
    block = replace(region.block, known=known)
    rows = block.P if isinstance(where, tuple) else np.array([s * block.unit[k] for k, s in known.signs.items()])
    if inner_vector(rows) is None:
        return None
    settled = block.signs != 0
    both = settled[block.pairs[:, 0]] & settled[block.pairs[:, 1]]
    return OutputRegion(replace(block, pairs=block.pairs[~both]))
