r"""From the program's multipliers to what they prove: a dual vector of the problem, and trees of multipliers.

multipliers of rows of length one, in scaled units  ->  multipliers of places  ->  gamma(v) <= beta  ->  lower bound
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, bound_dual, nothing_proven
from cvxrelu.certificate.multipliers import bound_leaf
from cvxrelu.certificate.trees import Cuts, Leaf, Split, Tree, leaves_of
from cvxrelu.numerics.lengths import shifted
from cvxrelu.numerics.powers import shift_up
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.problem.problem import Problem
from cvxrelu.program.scaling import Scaling
from cvxrelu.relaxation.blocks import Block
from cvxrelu.relaxation.cones import Cone
from cvxrelu.relaxation.frame import Frame
from cvxrelu.relaxation.regions import Region

__all__ = ["Prover", "prove_trees"]

Array = NDArray[np.float64]


def prove_trees(
    problem: Problem,
    points: Points,
    scaling: Scaling,
    unit: float,
    v: Array,
    grow: Callable[[float], tuple[Tree, ...]],
    reach: Array,
) -> tuple[DualBound, tuple[Tree, Tree], list[list[float]]]:
    """Return the lower bound of a dual vector, its multipliers, and what those of each leaf prove, by sides.

    Parameters
    ----------
    problem, points, scaling
        The problem, its places and its scaled coordinates.
    unit : float
        Predictions per unit of scores (`Frame.scale`).
    v : (N,) array
        The dual vector, scaled.
    grow : callable
        Returns the multipliers of each side, times a factor.
    reach : (n,) array
        `reach_of` the places.
    """
    dual = problem.repair(v * scaling.gradient_scale)
    found: list[tuple[Tree, Tree]] = []
    betas: list[list[float]] = []

    def search(given: Array) -> Priced:
        weights = points.weigh(given)
        exponent = weights.exponent - points.exponent
        factor = float(shifted(np.float64(scaling.gradient_scale / unit), -exponent))
        # `given` is a multiple of the repaired vector by a power of two.
        trees = grow(factor * np.abs(given).max() / np.abs(dual).max())
        betas[:] = [
            [bound_leaf(points, weights, leaf, signs, side, reach) for signs, leaf in leaves_of(tree)]
            for tree, side in zip(trees, points.sides, strict=True)
        ]
        # Where one side counts, it stands for the other, which nobody looks at.
        found.append((trees[0], trees[-1]))
        upper = max(map(max, betas)) + weights.margin(len(points.X) + 256.0)
        return _priced(points, shift_up(upper, weights.exponent), sum(map(len, betas)))

    proven = bound_dual(problem, dual, search) if dual.any() else nothing_proven(problem)
    if not found:  # the dual vector was rounding, and repaired it vanishes
        trees = grow(1.0)
        return nothing_proven(problem), (trees[0], trees[-1]), []
    return proven, found[0], betas


class Prover:
    """Makes multipliers of a dual vector of the problem from those of the program, and bounds of them.

    The frame may be that of some places only, whose indices are `rows`: then its multipliers are those of a share of
    the dual vector (`cvxrelu.relaxation.shares`).
    """

    def __init__(
        self, problem: Problem, points: Points, frame: Frame, scaling: Scaling, rows: NDArray[np.intp] | None = None
    ) -> None:
        self.problem, self.points, self.frame, self.scaling = problem, points, frame, scaling
        every = np.flatnonzero(points.norms > 0) if points.bias == "none" else np.arange(len(points.Z))
        self.rows = every if rows is None else rows

    def place_weights(self, v: Array) -> Array:
        """Return the weights of a dual vector on the places of the frame."""
        weights = np.zeros(self.frame.n_places)
        kept = self.frame.place >= 0
        np.add.at(weights, self.frame.place[kept], v[kept])
        return weights

    def prove(
        self, v: Array, roots: list[Region], reach: Array
    ) -> tuple[DualBound, tuple[Tree, Tree], dict[int, float]]:
        """Return the lower bound, the multipliers, and what each region's prove, as a share of the largest."""
        proven, trees, betas = prove_trees(
            self.problem,
            self.points,
            self.scaling,
            self.frame.scale,
            v,
            lambda factor: tuple(self.tree(root, factor) for root in roots),
            reach,
        )
        largest = max((beta for side in betas for beta in side if 0 < beta < np.inf), default=1.0)
        regions = [root.leaves() for root in roots]
        shares = {
            id(region): beta / largest
            for leaves, side in zip(regions, betas, strict=False)
            for region, beta in zip(leaves, side, strict=True)
        }
        return proven, trees, shares

    def tree(self, region: Region, factor: float) -> Tree:
        """Return the tree of a region, its multipliers times a factor."""
        if region.children is not None:
            k, above, below = region.children
            return Split(int(self.rows[k]), self.tree(above, factor), self.tree(below, factor))
        return self.leaf(region, factor)

    def leaf(self, region: Region, factor: float) -> Leaf:
        """Return the multipliers of a leaf, times a factor."""
        return self._leaf(region.block, region.multipliers, factor)

    def _leaf(self, block: Block, z: Cone | None, factor: float) -> Leaf:
        """Return the multipliers of the places, from those of rows of length one."""
        n, rows, lengths, free = len(self.points.Z), self.rows, self.frame.lengths, block.free
        implied = tuple(
            (int(rows[k]), sign, {int(rows[j]): c * float(lengths[k] / lengths[j]) for j, c in shares.items()})
            for k, (sign, shares) in block.implied.items()
        )
        if z is None:
            zero = np.zeros(n)
            return Leaf(zero, zero, zero, Cuts.none(n), 0.0, 0.0, np.zeros((len(block.known),) * 2), implied)
        z = z.times(factor)
        numbers = block.numbers(z)
        curvature, linear, credit = np.zeros(n), np.zeros(n), np.zeros(n)
        at, size = rows[free], lengths[free]
        bends = z.pairs[2]
        curvature[at] = bends[: len(free)] / size**2
        linear[at] = (numbers.plus - numbers.minus) / size
        credit[at] = numbers.above * block.credit / size**2
        head = 1 + self.frame.strip
        others = numbers.rows[head:]
        known = block.known
        credit[rows[known]] = others[: len(known)] * self.frame.credit[known] / lengths[known] ** 2
        products = np.zeros((len(known), len(known)))
        upper = np.triu_indices(len(known), 1)
        products[upper] = others[len(known) :] / 2
        products = (products + products.T) / np.outer(lengths[known], lengths[known])
        needed = numbers.below[len(free) :] / block.spans > 0
        mass, bend = numbers.below[len(free) :] / block.spans, bends[len(free) :] / block.spans**2
        cut_rows = block.cut_rows[needed]
        spread = cut_rows.tocoo()
        cut_rows = type(cut_rows)((spread.data, (spread.row, rows[spread.col])), shape=(cut_rows.shape[0], n))
        cuts = Cuts(cut_rows, mass[needed], bend[needed])
        strip = float(numbers.rows[1]) if self.frame.strip else 0.0
        return Leaf(curvature, linear, credit, cuts, float(numbers.rows[0]), strip, products, implied)


def _priced(points: Points, upper: float, nodes: int) -> Priced:
    d = points.X.shape[1]
    return Priced(upper, 0.0, np.empty((0, d)), np.empty(0), np.empty(0), "relaxation", False, nodes)
