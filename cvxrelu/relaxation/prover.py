r"""From the program's multipliers to what they prove: a dual vector of the problem, and trees of multipliers.

multipliers of rows of length one, in scaled units  ->  multipliers of places  ->  gamma(v) <= beta  ->  lower bound
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, bound_dual, nothing_proven
from cvxrelu.certificate.multipliers import bound_leaf, reach_of
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

__all__ = ["Prover"]

Array = NDArray[np.float64]


class Prover:
    """Makes multipliers of a dual vector of the problem from those of the program, and bounds of them."""

    def __init__(self, problem: Problem, points: Points, frame: Frame, scaling: Scaling) -> None:
        self.problem, self.points, self.frame, self.scaling = problem, points, frame, scaling
        self.reach = reach_of(points)
        self.rows = np.flatnonzero(points.norms > 0) if points.bias == "none" else np.arange(len(points.Z))

    def place_weights(self, v: Array) -> Array:
        """Return the weights of a dual vector on the places of the frame."""
        weights = np.zeros(self.frame.n_places)
        kept = self.frame.place >= 0
        np.add.at(weights, self.frame.place[kept], v[kept])
        return weights

    def prove(self, v: Array, roots: list[Region]) -> tuple[DualBound, tuple[Tree, Tree], dict[int, float]]:
        """Return the lower bound, the multipliers, and what each region's prove, as a share of the largest."""
        problem, betas = self.problem, {}
        dual = problem.repair(v * self.scaling.gradient_scale)
        found: list[tuple[Tree, Tree]] = []

        def search(given: Array) -> Priced:
            weights = self.points.weigh(given)
            exponent = weights.exponent - self.points.exponent
            factor = float(shifted(np.float64(self.scaling.gradient_scale / self.frame.scale), -exponent))
            # `given` is a multiple of the repaired vector by a power of two.
            ratio = np.abs(given).max() / np.abs(dual).max()
            factor *= ratio
            trees = tuple(self._tree(root, factor) for root in roots)
            for root, tree, side in zip(roots, trees, self.points.sides, strict=True):
                for region, (signs, leaf) in zip(root.leaves(), leaves_of(tree), strict=True):
                    betas[id(region)] = bound_leaf(self.points, weights, leaf, signs, side, self.reach)
            # Where one side counts, it stands for the other, which nobody looks at.
            found.append((trees[0], trees[-1]))
            upper = max(betas.values()) + weights.margin(len(self.points.X) + 256.0)
            return _priced(self.points, shift_up(upper, weights.exponent), len(betas))

        if not dual.any():
            tree = self._tree(roots[0], 1.0), self._tree(roots[-1], 1.0)
            return nothing_proven(problem), tree, {}
        proven = bound_dual(problem, dual, search)
        largest = max((beta for beta in betas.values() if 0 < beta < np.inf), default=1.0)
        return proven, found[0], {key: beta / largest for key, beta in betas.items()}

    def _tree(self, region: Region, factor: float) -> Tree:
        """Return the tree of a region, its multipliers times a factor."""
        if region.children is not None:
            k, above, below = region.children
            return Split(int(self.rows[k]), self._tree(above, factor), self._tree(below, factor))
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
