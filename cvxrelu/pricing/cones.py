"""Pricing in any dimension: certified branch and bound on simplicial cones.

With the identity sigma(t) = a t + (1 - a) max(t, 0) the score of the lifted neuron u, or its negative, is

    F(u) = g0 . u + sum_i c_i max(z_i . u, 0) = P(u) - M(u),   P collects g0 and c_i > 0, M the rest,

both sublinear. On the cone spanned by generators U_1, ..., U_m, u = sum_k lam_k U_k with lam >= 0:

- P(u) <= sum_k lam_k P(U_k), its least concave majorant there, known from one evaluation per generator;
- -M(u) is concave, and kept as it is, but for the points whose sign the cone decides, which fold into a
vector.

The largest value of this relaxation in the unit ball is a nearest-point problem
(`cvxrelu.pricing.relaxation`), solved exactly. A cone whose bound exceeds the best score is split in the
middle of an edge, the edge whose splitting lowers the interpolation at the maximiser most. So a cone with no
undecided point of P closes at once, wherever the kinks of M are, and cones shrink only towards what the
convex kinks leave undecided. Roots: the orthants; in free mode, where u = (w, b / radius) and abs(b) <=
radius norm(w) for some maximiser, each orthant of w times that interval, cut into simplices. Both signs of
the score share the search. Where the score is even (`cvxrelu.pricing.points`), the orthants of one half-space do.

The upper bound is the largest bound of all cones that were closed, whatever for, and of all still open ones.

Rounding. Let eps be the unit roundoff, and compare the search with an ideal one whose generators are exact:
the roots are, and the middle of two exact generators is their exact sum times the floating-point scale that
the program computed, so that the two halves cover the cone exactly. (1) A computed generator with parents off
by e_1 and e_2 is off by at most scale (e_1 + e_2) plus (8 + m) eps; this is tracked, and no cone is split
beyond `ERROR_LIMIT` eps. (2) All generators
of a cone lie in one orthant in their axes and have norm 1 there, so for u = sum_k lam_k U_k with norm(u) <= 1
we have norm(lam) <= norm(u_axes) <= 1 and sum(lam) <= sqrt(m); in the two caps of a slab all components have
one sign and all norms are at least 1, with the same conclusion. (3) Hence a computed z_i . U_k is off
by (m + ERROR_LIMIT) eps norm(z_i) sqrt(m), the last factor for the bias component of U_k. Taking the sign of
z_i on the cone from the computed numbers, folding or interpolating with them, therefore changes the bound by
at most sqrt(m) times that and abs(c_i), for each point once. (4) Sums over points err by 2 n eps times their
absolute sums. (5) The relaxation is not trusted: from its weights, a convex combination of pieces up to a few
eps, and its solution y alone the bound is computed afresh, as explained in the code. `_margin` adds all of it
up, with room to spare.
"""

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.climb import climb
from cvxrelu.pricing.cone_bound import Cutoff, Problem
from cvxrelu.pricing.cone_split import ERROR_LIMIT, branch, plant
from cvxrelu.pricing.coordinates import choose_frame, merge_kinks
from cvxrelu.pricing.forest import branch_together, nodes_of, open_cones
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.starts import distinct, unlift
from cvxrelu.pricing.tree import NODES, Tree, make_tree
from cvxrelu.pricing.weights import Weights

__all__ = ["cone_search"]

Array = NDArray[np.float64]

KEPT = 8
"""Distinct neurons kept during a search."""

MEMORY = 256 * 2**20
"""Bytes for open cones; beyond it the search goes depth first."""

FEWEST_SLOTS, MOST_SLOTS = 10_000, 1_000_000
"""Limits of the number of open cones whatever their size."""

MOST_ROOTS = 2**17
"""With more root cones than this no search is tried: the bound that costs nothing is returned."""

MERGING_SHARE = 0.05
"""Share of the tolerance that merging near points may use up."""

CHEAP_CLIMB = 50_000
"""Size of the lifted data above which a climb takes so long that one has to do."""

FIRST_CLIMBS = 4
"""Climbs before the search."""

SLICE = 0.05
"""Seconds between two looks at the clock."""

ALONE = 20_000
"""Splits of one tree before its cones are dealt to several, half a second or so; most searches end before."""


def cone_search(
    points: Points,
    weights: Weights,
    *,
    tol: float,
    threshold: float | None,
    stop: Callable[[int], bool],
    n_jobs: int = 1,
) -> Priced:
    """Price by branch and bound on cones.

    Parameters
    ----------
    tol, threshold, stop, n_jobs
        As in `cvxrelu.pricing.methods.Search`.

    Examples
    --------
    >>> points = Points.prepare([[1.0, 0.0, 0.0], [0.0, -2.0, 0.0]], "none", 0.0)
    >>> priced = cone_search(
    ...     points, points.weigh([3.0, 2.0]), tol=1e-9, threshold=None, stop=lambda nodes: False
    ... )
    >>> round(priced.value, 9), priced.complete
    (5.0, True)
    """
    lifted = np.ascontiguousarray(points.lifted)
    m = lifted.shape[1]
    a = points.negative_slope
    c, linear = (1 - a) * weights.v, a * (weights.v @ lifted)
    climbs = FIRST_CLIMBS if lifted.size <= CHEAP_CLIMB else 1
    normed = m - 1 if points.bias == "free" else m
    # The axes as starts: not to begin with nothing, nor to spend on climbing what the search finds anyway.
    sides = points.sides
    first = _climbed(lifted, c, linear, normed, np.eye(m)[: min(normed, climbs)], sides)
    best = float(_sizes(lifted, c, linear, normed, first).max(initial=0.0))
    kinks = merge_kinks(lifted, c, linear, points.bias == "none", MERGING_SHARE * tol * best)
    frame = choose_frame(kinks.Z, points.bias == "free")
    problem = Problem(
        np.ascontiguousarray(kinks.Z @ frame.basis.T),
        kinks.c,
        frame.basis @ kinks.linear,
        frame.axes,
        frame.weight,
    )
    margin = _margin(points, weights, m) + kinks.slack
    cutoff = Cutoff(
        np.zeros(1), np.zeros((KEPT, m)), np.zeros(KEPT), 1 + tol / 2, margin, weights.room_below(threshold, margin)
    )
    cutoff.best[0] = best
    ceiling = _ceiling(lifted, c, linear, normed, weights, margin)
    top, nodes, stopped = ceiling, 0, True
    if ceiling <= cutoff.level or margin == 0:
        stopped = False
    elif m << (frame.axes + 1) <= MOST_ROOTS:
        row = 8 * (2 * m * m + 5 * m + 2 + (len(kinks.Z) + 63) // 64)
        tree = make_tree(max(FEWEST_SLOTS, min(MOST_SLOTS, MEMORY // row)), m, len(kinks.Z))
        trees, cutoff, stopped = _run(problem, tree, cutoff, ceiling, points, stop, n_jobs)
        nodes, top = nodes_of(trees), max(_highest(part) for part in trees)
    met = cutoff.neurons[np.argsort(-cutoff.values)][: np.count_nonzero(cutoff.values)] @ frame.basis
    neurons = np.concatenate([_climbed(lifted, c, linear, normed, met[: 2 * climbs], sides), met, first])
    # Climbs to one maximum end a billionth apart: the best of them is to stand for it.
    neurons = distinct(neurons[np.argsort(-_sizes(lifted, c, linear, normed, neurons), kind="stable")])
    return points.report(
        weights,
        unlift(points, neurons),
        upper=top + margin,
        method="cones",
        complete=lambda value: not stopped and top <= max(value * (1 + tol) + 2 * margin, cutoff.level),
        nodes=nodes,
    )


def _run(
    problem: Problem,
    tree: Tree,
    cutoff: Cutoff,
    ceiling: float,
    points: Points,
    stop: Callable[[int], bool],
    n_jobs: int,
) -> tuple[list[Tree], Cutoff, bool]:
    """Search until done or stopped; what holds the cones, what they had to beat, and whether it was stopped."""
    for generators in _roots(problem, points.even):
        duals = np.ascontiguousarray(np.linalg.inv(generators).T, dtype=np.float64)
        for side in points.sides:
            plant(problem, tree, cutoff, generators, duals, side, ceiling)
        if stop(int(tree.counts[NODES])):
            tree.closed[0] = ceiling
            return [tree], cutoff, True
    budget, left = 16, ALONE
    while left > 0:
        start, splits = time.perf_counter(), min(budget, left)
        if not branch(problem, tree, cutoff, splits):
            return [tree], cutoff, False
        if stop(int(tree.counts[NODES])):
            return [tree], cutoff, True
        left -= splits
        if time.perf_counter() - start < SLICE:
            budget *= 2
        elif budget > 1:
            budget //= 2
    return branch_together(problem, tree, cutoff, stop, n_jobs)


def _highest(tree: Tree) -> float:
    """Return the largest bound of any cone of a tree."""
    return max(float(tree.closed[0]), float(tree.bound[open_cones(tree)].max(initial=0.0)))


def _roots(problem: Problem, even: bool) -> Iterator[Array]:
    """Yield the generators, as rows, of cones that together cover every neuron that can be best, or its opposite."""
    m, axes = problem.Z.shape[1], problem.axes
    # The opposite of a cone has all axes the other way, so that one sign of the last will do.
    for bits in range(1 << axes if not even else 1 << axes >> 1):
        corner = np.diag([1.0 if bits >> k & 1 else -1.0 for k in range(axes)])
        if axes == m:
            yield corner
            continue
        # The simplex of the axes times the interval [-1, 1], by its staircase triangulation ...
        for j in range(axes):
            low = np.column_stack([corner[: j + 1], np.full(j + 1, -1.0)])
            high = np.column_stack([corner[j:], np.full(axes - j, 1.0)])
            yield np.vstack([low, high])
        # ... and, unless the bias is free, what lies above and below, where every point is decided.
        if problem.weight > 0:
            for end in (1.0, -1.0):
                base = np.column_stack([corner, np.full(axes, end)])
                yield np.vstack([base, np.append(np.zeros(axes), end / problem.weight)])


def _margin(points: Points, weights: Weights, m: int) -> float:
    """Bound the rounding of a search; see the module's docstring."""
    return weights.margin(m * (4.0 * len(points.X) + 2 * ERROR_LIMIT + 64 * m))


def _ceiling(Z: Array, c: Array, linear: Array, normed: int, weights: Weights, margin: float) -> float:
    """Bound all scores at once.

    With max(t, 0) = (t + abs(t)) / 2 and Cauchy-Schwarz, for norm(u) <= r,
    F(u) <= (g0 + sum c_i z_i / 2) . u + r / 2 sqrt( sum_+ c_i  lambda_max(sum_+ c_i z_i z_i') ), the sums
    over c_i > 0. In free mode abs(u_b) <= 1, so r = sqrt(2).
    """
    free = normed < Z.shape[1]
    middle = linear + 0.5 * (c @ Z)
    first = float(np.linalg.norm(middle[:normed])) + (abs(float(middle[-1])) if free else 0.0)
    second = 0.0
    for side in (1.0, -1.0):
        part = np.maximum(side * c, 0.0)
        moment = float(np.linalg.eigvalsh((Z * part[:, None]).T @ Z)[-1])
        second = max(second, 0.5 * np.sqrt((2.0 if free else 1.0) * part.sum() * max(moment, 0.0)))
    # Squares are summed here, whose rounding is relative to the result.
    spectral = (first + second) * (1 + 1e-9) + margin
    return min(spectral, weights.mass * (1 + 1e-9) + weights.residue)


def _climbed(Z: Array, c: Array, linear: Array, normed: int, starts: Array, sides: tuple[float, ...]) -> Array:
    """Climb from each start on the side of its score, if that counts."""
    scores = starts @ linear + np.maximum(starts @ Z.T, 0.0) @ c
    parts = []
    for side in sides:
        part = np.ascontiguousarray(starts[side * scores > 0])
        for k in range(len(part)):
            climb(Z, side * c, side * linear, normed, part[k : k + 1])
        parts.append(part)
    return np.concatenate(parts)


def _sizes(Z: Array, c: Array, linear: Array, normed: int, neurons: Array) -> Array:
    """Return the absolute scores of neurons of any norm; zero where they have no weights."""
    scores, norms = neurons @ linear + np.maximum(neurons @ Z.T, 0.0) @ c, np.linalg.norm(neurons[:, :normed], axis=1)
    return np.divide(np.abs(scores), norms, out=np.zeros(len(neurons)), where=norms > 0)
