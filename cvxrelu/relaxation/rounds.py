r"""The relaxation in rounds: solve, prove, and add cuts or split regions, the one for as long as it pays.

    relaxed program -> dual vector v, multipliers -> gamma(v) <= beta -> a lower bound, after every round

Regions are the leaves of a tree that splits all unit neurons by the signs of samples. A region without mass is left out
of the program for as long as its old multipliers prove for the new v what is needed; else it comes back.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, bound_dual, nothing_proven
from cvxrelu.certificate.multipliers import Cuts, Leaf, Split, Tree, bound_leaf, leaves_of, reach_of
from cvxrelu.errors import SolverError
from cvxrelu.numerics.lengths import shifted
from cvxrelu.numerics.powers import shift_up
from cvxrelu.numerics.span import span_of
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.problem.problem import Problem
from cvxrelu.program.scaling import Scaling, standardise
from cvxrelu.relaxation.blocks import Block, Cone, Frame
from cvxrelu.relaxation.cuts import violated_cuts
from cvxrelu.relaxation.program import Task, price_block, solve_relaxed, start_from
from cvxrelu.runtime.clock import Clock

__all__ = ["RelaxedRound", "relaxed_rounds"]

Array = NDArray[np.float64]

logger = logging.getLogger(__name__)

# Relative accuracy of the first programs, as a share of the gap that is left, and of the last.
COARSE, SHARE_OF_GAP, FINE = 3e-3, 1e-2, 1e-7
# Cuts a round and region: pairs, and combinations. A multiplier this small next to the largest weight is not needed.
PAIRS, COMBINATIONS, NEEDED = 400, 150, 1e-4
# Share of all mass below which a region has none; what each starts the next program with at least, or is kept for.
EMPTY, LEAST_MASS = 1e-6, 1e-2
# A region is left out if its multipliers prove less than the largest bound by this share, and comes back if they prove
# more by that one.
CLEAR, CLOSED = 5e-3, 1e-9
# Length next to the longest row from which on the combination of a cut counts as a vector of its own.
SAME = 1e-9
# Share of the regions with mass that are split in a round, those with the largest errors first.
SPLIT_SHARE = 0.6
# Mass, and products of slacks and multipliers, to start from; how far inside a warm start is moved.
FIRST_MASS, CENTRE, INWARDS = 0.1, 0.1, 0.1
# Mass to start from where targets have to be met, which may be far away: from too little no step is possible.
MASS_OF_CONSTRAINTS = 10.0
# Gap from which on regions are left out: before that, the next cuts may turn everything around.
MATURE = 0.1
# Share of the gap that a round has to close for the next one to go on in the same way.
PAYING = 0.1
# Samples tried for a split.
TRIED = 6


@dataclass(frozen=True, eq=False)
class RelaxedRound:
    """What a round has proved.

    Attributes
    ----------
    bound : DualBound
        The best lower bound so far, with its multipliers.
    regions, cuts : int
        Regions in the program, and their cuts in all.
    work : float
        Multiplications so far, about.
    """

    bound: DualBound
    regions: int
    cuts: int
    work: float


@dataclass(eq=False)
class _Region:
    """A leaf of the tree while it grows: its block, moments and multipliers."""

    block: Block
    x: Array
    multipliers: Cone | None = None
    open: bool = True
    children: "tuple[int, _Region, _Region] | None" = field(default=None)

    def leaves(self) -> "Iterator[_Region]":
        """Yield all leaves below."""
        if self.children is None:
            yield self
            return
        for child in self.children[1:]:
            yield from child.leaves()


def relaxed_rounds(problem: Problem, *, clock: Clock | None = None, target: float = np.inf) -> Iterator[RelaxedRound]:
    """Yield rounds of the relaxation until time is up, the bound reaches `target`, or nothing can be added.

    Parameters
    ----------
    problem : Problem
        A problem with the Euclidean norm.
    clock : Clock, optional
        Time to take.
    target : float
        A lower bound that is enough.

    Yields
    ------
    RelaxedRound
        The bound after each round; it never falls.
    """
    clock = clock or Clock()
    try:
        _, scaling = standardise(problem)
    except SolverError as error:
        logger.info("no relaxation: %s", error)
        return
    points = Points.prepare(problem.X, problem.bias, problem.negative_slope)
    frame = _frame_of(points, scaling)
    if frame.n_places == 0:
        return
    N = problem.n_samples
    bound = N * scaling.alpha if problem.loss.regularised else 1.0
    task = Task(scaling.loss, scaling.y, bound, problem.norm.has_free_constant)
    prover = _Prover(problem, points, frame, scaling)

    roots = []
    for side in (1.0, -1.0):
        block = Block(frame, side, {})
        if block.start is None:
            return
        first = FIRST_MASS if problem.loss.regularised else MASS_OF_CONSTRAINTS
        roots.append(_Region(block, first * block.start))
    v, constant = _first_dual(task), 0.0
    best, step, gap = nothing_proven(problem), _cut, 1.0
    work = 0
    while True:
        regions = [leaf for root in roots for leaf in root.leaves()]
        active = [region for region in regions if region.open]
        accuracy = float(np.clip(SHARE_OF_GAP * gap, FINE, COARSE))
        # All regions start with some mass: next to nothing is next to the boundary.
        enough = LEAST_MASS * sum(region.x[0] for region in active)
        xs = [region.x * max(1.0, enough / region.x[0]) for region in active]
        parts = [task.part(region.block) for region in active]
        state = start_from(parts, task, xs, v, constant, CENTRE * bound)
        state = solve_relaxed(parts, task, state, accuracy, lambda: clock.expired)
        v, constant = state.v, state.constant
        for region, x, multipliers in zip(active, state.xs, state.multipliers, strict=True):
            region.x, region.multipliers = x, multipliers
        proven, trees, betas = prover.prove(v, roots)
        largest = max((betas.get(id(region), 0.0) for region in active), default=0.0)
        stale = [r for r in regions if not r.open and betas.get(id(r), 0.0) > largest * (1 + CLOSED)]
        for region in stale:
            _, region.multipliers = price_block(region.block, v, accuracy, lambda: clock.expired)
        if stale:
            proven, trees, betas = prover.prove(v, roots)
        before = best.lower
        if proven.lower > best.lower:
            best = replace(proven, multipliers=trees)
        work += sum(state.iterations * part.block.size**2 * part.block.degree for part in parts)
        cuts = sum(len(region.block.cuts) for region in active)
        logger.info("relaxation: %d regions, %d cuts, lower bound %.8g", len(active), cuts, best.lower)
        yield RelaxedRound(best, len(active), cuts, work)
        if clock.expired or best.lower >= target:
            return

        gap = max(1 - best.lower / target, 0.0) if np.isfinite(target) and target > 0 else COARSE / SHARE_OF_GAP
        if best.lower - before < PAYING * max(target - before, 0.0):
            step = _split if step is _cut else _cut
        if gap < MATURE:
            _sort_out(regions, betas)
        weights = np.abs(prover.place_weights(v))
        if not step(roots, weights):
            step = _split if step is _cut else _cut
            # The last program may have been solved for a larger gap than there is now.
            if not step(roots, weights) and accuracy <= np.clip(SHARE_OF_GAP * gap, FINE, COARSE):
                return
        v = _inside(task, v)


class _Prover:
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

    def prove(self, v: Array, roots: list[_Region]) -> tuple[DualBound, tuple[Tree, Tree], dict[int, float]]:
        """Return the lower bound, the multipliers, and what each region's prove, as a share of the largest."""
        problem, betas = self.problem, {}
        dual = problem.loss.repair(v * self.scaling.gradient_scale, problem.y, problem.norm.has_free_constant)
        found: list[tuple[Tree, Tree]] = []

        def search(given: Array) -> Priced:
            weights = self.points.weigh(given)
            exponent = weights.exponent - self.points.exponent
            factor = float(shifted(np.float64(self.scaling.gradient_scale / self.frame.scale), -exponent))
            # `given` is a multiple of the repaired vector by a power of two.
            ratio = np.abs(given).max() / np.abs(dual).max()
            factor *= ratio
            trees = tuple(self._tree(root, factor) for root in roots)
            for root, tree, side in zip(roots, trees, (1.0, -1.0), strict=True):
                for region, (signs, leaf) in zip(root.leaves(), leaves_of(tree), strict=True):
                    betas[id(region)] = bound_leaf(self.points, weights, leaf, signs, side, self.reach)
            found.append((trees[0], trees[1]))
            upper = max(betas.values()) + weights.margin(len(self.points.X) + 256.0)
            return _priced(self.points, shift_up(upper, weights.exponent), len(betas))

        if not dual.any():
            tree = self._tree(roots[0], 1.0), self._tree(roots[1], 1.0)
            return nothing_proven(problem), tree, {}
        proven = bound_dual(problem, dual, search)
        largest = max((beta for beta in betas.values() if 0 < beta < np.inf), default=1.0)
        return proven, found[0], {key: beta / largest for key, beta in betas.items()}

    def _tree(self, region: _Region, factor: float) -> Tree:
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
        plus, minus, above, below = np.split(z.sides * factor, [len(free), 2 * len(free), 3 * len(free)])
        curvature, linear, credit = np.zeros(n), np.zeros(n), np.zeros(n)
        at, size = rows[free], lengths[free]
        bends = factor * z.pairs[:, 1, 1]
        curvature[at] = bends[: len(free)] / size**2
        linear[at] = (plus - minus) / size
        credit[at] = above * block.credit / size**2
        head = 1 + self.frame.strip
        others = factor * z.rows[head:]
        known = block.known
        credit[rows[known]] = others[: len(known)] * self.frame.credit[known] / lengths[known] ** 2
        products = np.zeros((len(known), len(known)))
        upper = np.triu_indices(len(known), 1)
        products[upper] = others[len(known) :] / 2
        products = (products + products.T) / np.outer(lengths[known], lengths[known])
        needed = below[len(free) :] / block.spans > 0
        mass, bend = below[len(free) :] / block.spans, bends[len(free) :] / block.spans**2
        cut_rows = block.cut_rows[needed]
        spread = cut_rows.tocoo()
        cut_rows = type(cut_rows)((spread.data, (spread.row, rows[spread.col])), shape=(cut_rows.shape[0], n))
        cuts = Cuts(cut_rows, mass[needed], bend[needed])
        strip = float(factor * z.rows[1]) if self.frame.strip else 0.0
        return Leaf(curvature, linear, credit, cuts, float(factor * z.rows[0]), strip, products, implied)


def _frame_of(points: Points, scaling: Scaling) -> Frame:
    """Return the lifted places in coordinates of their span."""
    kept = points.norms > 0 if points.bias == "none" else np.ones(len(points.Z), dtype=bool)
    index = np.cumsum(kept) - 1
    Z = points.Z[kept]
    if len(Z):
        Z = Z @ span_of(Z)
    if points.bias == "free":
        Z = np.column_stack([Z, np.full(len(Z), points.radius or 1.0)])
    a = points.negative_slope
    return Frame(
        Z,
        points.bias == "free",
        reach_of(points)[kept],
        (1 + a) / 2,
        (1 - a) / 2,
        np.where(kept, index, -1)[points.place],
        float(shifted(np.float64(scaling.gradient_scale / scaling.score_scale), points.exponent)),
    )


def _first_dual(task: Task) -> Array:
    """Return a vector in the middle of the box of the dual, or next to its only end."""
    model = task.loss.dual_model(np.zeros(len(task.y)), task.y)
    low = np.where(np.isfinite(model.lower), model.lower, np.where(np.isfinite(model.upper), model.upper - 2, 0.0))
    high = np.where(np.isfinite(model.upper), model.upper, np.where(np.isfinite(model.lower), model.lower + 2, 0.0))
    return (low + high) / 2


def _inside(task: Task, v: Array) -> Array:
    """Return a dual vector moved a little to the middle of its box."""
    return v + INWARDS * (_first_dual(task) - v)


def _priced(points: Points, upper: float, nodes: int) -> Priced:
    d = points.X.shape[1]
    return Priced(upper, 0.0, np.empty((0, d)), np.empty(0), np.empty(0), "relaxation", False, nodes)


def _sort_out(regions: list[_Region], betas: dict[int, float]) -> None:
    """Leave regions without mass out of the program, and take those back whose multipliers no longer do."""
    proofs = [betas.get(id(region), np.inf) for region in regions if region.open]
    if not proofs or not 0 < max(proofs) < np.inf:
        return
    largest = max(proofs)
    total = sum(region.x[0] for region in regions if region.open)
    for region in regions:
        proven = betas.get(id(region), np.inf) / largest
        if region.open:
            # The largest may only be proved badly: what has mass is needed whatever it is next to that.
            region.open = not proven < 1 - CLEAR or region.x[0] > LEAST_MASS * total
        elif not proven <= 1 + CLOSED:
            region.open, region.x = True, LEAST_MASS * total * _room(region.block)


def _with_mass(roots: list[_Region]) -> list[_Region]:
    regions = [leaf for root in roots for leaf in root.leaves() if leaf.open]
    total = sum(region.x[0] for region in regions)
    return [region for region in regions if region.x[0] > EMPTY * total]


def _cut(roots: list[_Region], weights: Array) -> bool:
    """Add the most violated cuts to all open regions, and drop those not needed; tell if any was added."""
    added = 0
    for region in [leaf for root in roots for leaf in root.leaves() if leaf.open]:
        block, z = region.block, region.multipliers
        assert z is not None, "a region with mass has been solved"
        masses = z.sides[3 * len(block.free) + len(block.free) :] / block.spans
        largest = np.abs(weights).max() * block.frame.scale * abs(block.frame.even)
        kept = tuple(cut for cut, mass in zip(block.cuts, masses, strict=True) if mass > NEEDED * largest)
        new = violated_cuts(block, region.x, weights, PAIRS, COMBINATIONS)
        new = [cut for cut in new if cut[0] not in block.known]
        added += len(new)
        candidate = replace(block, cuts=kept + tuple(new))
        sound = candidate.spans > SAME * block.frame.lengths.max()
        candidate = replace(candidate, cuts=tuple(c for c, good in zip(candidate.cuts, sound, strict=True) if good))
        if candidate.start is not None:
            region.block, region.x = candidate, _warm(candidate, region.x)
    return added > 0


def _split(roots: list[_Region], weights: Array) -> bool:
    """Split the regions whose moments are furthest from a network's; tell if any was."""
    scored = []
    for region in _with_mass(roots):
        block, frame = region.block, region.block.frame
        t = frame.unit @ region.x[: len(frame.multiplicity)][frame.mean]
        errors = weights * frame.lengths * (block.magnitudes(region.x) - np.abs(t))
        errors[block.known] = 0.0
        order = np.argsort(-errors)[:TRIED]
        scored.append((float(errors[order[0]]), region, order))
    scored.sort(key=lambda item: -item[0])
    done = 0
    for error, region, order in scored[: max(2, round(SPLIT_SHARE * len(scored)))]:
        if error <= 0:
            break
        for k in order.tolist():
            halves = [replace(region.block, signs={**region.block.signs, k: sign}) for sign in (1.0, -1.0)]
            if k in region.block.known or any(half.start is None for half in halves):
                continue
            above, below = (_Region(half, region.x[0] / 2 * half.start) for half in halves)
            region.children = (k, above, below)
            done += 1
            break
    for region in _with_mass(roots):
        region.x = _warm(region.block, region.x)
    return done > 0


def _room(block: Block) -> Array:
    """Return a point inside a region that is in use."""
    assert block.start is not None, "regions without room are not used"
    return block.start


def _warm(block: Block, x: Array) -> Array:
    """Return moments strictly inside, near given ones."""
    start = _room(block)
    share = INWARDS
    while share < 1:
        moved = (1 - share) * x + share * x[0] * start
        if len(x) == block.size and block.holds(moved):
            return moved
        share *= 2
    return x[0] * start
