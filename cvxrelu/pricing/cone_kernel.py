"""Bounding and splitting cones: the compiled part of `cvxrelu.pricing.cones`, where the mathematics is explained."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from cvxrelu.pricing.relaxation import relax, scratch_for
from cvxrelu.pricing.tree import FREE, NODES, Tree, pop, push, release, reserve

__all__ = ["ERROR_LIMIT", "Cutoff", "Problem", "branch", "plant"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ERROR_LIMIT = 512.0
"""Largest error of a generator, in units of roundoff; a cone with a worse one is not split but keeps its bound."""

SHEAR = 1e-3
"""Spurious cost of the sheared bias in free mode. It loosens the bound of a cone by SHEAR**2 times its
squared extent in the bias, less than what the interpolation loosens it by; smaller values cost digits."""


SHORTEST_EDGE = 0.7
"""An edge shorter than this, relative to the longest, is not split: cones must not become slivers."""


SAME = 0.02
"""Neurons closer than this count as one when the best few are kept."""

NOTABLE = 0.99
"""Share of the best value above which a neuron is worth keeping."""


class Problem(NamedTuple):
    """Lifted points (n, m), ReLU weights (n,), linear part (m,), and how many components are normed."""

    Z: Array
    c: Array
    linear: Array
    normed: int


class Cutoff(NamedTuple):
    """Best value so far (1,); the best distinct neurons (k, m) with their values (k,), in no order; the
    cutoff.

    cutoff = max(best * factor, best + slack, level): a cone whose bound does not exceed it is closed.
    """

    best: Array
    neurons: Array
    values: Array
    factor: float
    slack: float
    level: float


@njit(cache=True)
def _cutoff(search: Cutoff) -> float:
    best = search.best[0]
    return max(max(best * search.factor, best + search.slack), search.level)


@njit(cache=True)
def _offer(problem: Problem, search: Cutoff, u: Array) -> None:
    """Score the direction u on all points, and keep it if it is among the best."""
    Z, c, linear, normed = problem
    m = len(u)
    norm = 0.0
    for q in range(normed):
        norm += u[q] * u[q]
    if norm == 0:
        return
    norm = np.sqrt(norm)
    value = 0.0
    for q in range(m):
        value += linear[q] * u[q]
    for i in range(len(c)):
        dot = 0.0
        for q in range(m):
            dot += Z[i, q] * u[q]
        if dot > 0:
            value += c[i] * dot
    value = abs(value) / norm
    search.best[0] = max(search.best[0], value)
    # Replace the one in the same direction, or else the worst one.
    place = int(np.argmin(search.values))
    for k in range(len(search.values)):
        apart = 0.0
        for q in range(m):
            apart += (search.neurons[k, q] - u[q] / norm) ** 2
        if apart < SAME**2:
            place = k
            break
    if value > search.values[place]:
        search.values[place] = value
        search.neurons[place] = u / norm


@njit(cache=True)
def _settle(
    problem: Problem,
    tree: Tree,
    search: Cutoff,
    slot: int,
    members: Index,
    T: Array,
    ceiling: float,
    work: tuple[Index, Index, Array, Array, Array, Array],
    scratch: tuple[Array, NDArray[np.bool_], Array, Array, Array, Array],
) -> bool:
    """Fold the points that the cone decides, bound its score, and tell whether it has to stay open.

    `members` are the points its parent left undecided, `T[e, k]` is z . U_k for the e-th of them, and
    `ceiling` is a bound known already.
    """
    Z, c, _, normed = problem
    m = Z.shape[1]
    side = tree.side[slot]
    concave, convex, t, offset, u, mean = work
    U, W, base = tree.U[slot], tree.W[slot], tree.base[slot]
    plus, minus, undecided = tree.plus[slot], tree.minus[slot], tree.open[slot]
    undecided[:] = 0
    count, others = 0, 0
    for e in range(len(members)):
        i = members[e]
        positive, negative = False, False
        for k in range(m):
            positive |= T[e, k] > 0
            negative |= T[e, k] < 0
        weight = side * c[i]
        if positive and negative:
            undecided[i >> 6] |= np.uint64(1) << np.uint64(i & 63)
            if weight < 0:
                concave[count] = i
                count += 1
            else:
                convex[others] = i
                others += 1
        elif positive:
            target = plus if weight > 0 else minus
            for q in range(m):
                target[q] += weight * Z[i, q]

    # The convex part by interpolation: base_k at U_k, that is W' base; the concave part exactly.
    for q in range(m):
        offset[q] = minus[q]
        u[q] = 0.0
        for k in range(m):
            offset[q] += base[k] * W[k, q]
            u[q] += U[k, q]
    shear = 0.0
    if normed < m:
        # b = t . w on every generator but the one nearest to that hyperplane; W_k is normal to the others.
        k = int(np.argmax(np.abs(W[:, normed])))
        for q in range(normed):
            t[q] = -W[k, q] / W[k, normed]
        shear = SHEAR
    cutoff = _cutoff(search)
    relax(offset, concave[:count], Z, _weights(c, side), W, t, (cutoff, cutoff, shear), u, mean, scratch)
    tree.counts[NODES] += 1

    # Whatever the solver did, y = u_w is a vector, q_k = base_k + (minus + mean) . U_k bounds the score at
    # U_k in the relaxation, and for u = sum lam_k U_k with norm(u_w) <= 1, lam >= 0 and generators in one
    # orthant, norm(lam) <= 1: the score is at most q . lam <= norm(y) + norm(max(q - U y, 0)).
    length, excess = 0.0, 0.0
    for q in range(normed):
        length += u[q] * u[q]
    for k in range(m):
        gap = base[k]
        for q in range(m):
            gap += (minus[q] + mean[q]) * U[k, q]
        for q in range(normed):
            gap -= u[q] * U[k, q]
        if not gap <= 0:
            excess += gap * gap
    length = np.sqrt(length)
    bound = length + np.sqrt(excess)
    if not bound <= ceiling:  # also if it is not a number
        bound = ceiling
    tree.bound[slot] = bound
    if bound > cutoff:
        value = 0.0
        for q in range(m):
            value += (plus[q] + minus[q]) * u[q]
        for group in (convex[:others], concave[:count]):
            for e in range(len(group)):
                dot = 0.0
                for q in range(m):
                    dot += Z[group[e], q] * u[q]
                if dot > 0:
                    value += side * c[group[e]] * dot
        if value > length * NOTABLE * search.best[0]:
            _offer(problem, search, u)
    for k in range(m):
        lam = 0.0
        for q in range(m):
            lam += W[k, q] * u[q]
        tree.lam[slot, k] = max(lam, 0.0)
    return bound > _cutoff(search)


@njit(cache=True)
def _weights(c: Array, side: float) -> Array:
    """Weights for one side."""
    return c if side > 0 else -c


@njit(cache=True)
def _work(n: int, m: int, normed: int) -> tuple[Index, Index, Array, Array, Array, Array]:
    index = np.empty((2, n), np.int64)
    return index[0], index[1], np.zeros(normed), np.empty(m), np.empty(m), np.empty(m)


@njit(cache=True)
def _keep(tree: Tree, slot: int, stays: bool) -> None:
    """File a bounded node among the open ones, or remember its bound and release it."""
    if stays:
        push(tree, slot)
    else:
        tree.closed[0] = max(tree.closed[0], tree.bound[slot])
        release(tree, slot)


@njit(cache=True)
def plant(
    problem: Problem, tree: Tree, search: Cutoff, generators: Array, duals: Array, side: float, ceiling: float
) -> None:
    """Bound a root cone and add it to the tree."""
    Z, c, linear, normed = problem
    n, m = Z.shape
    scratch, work = scratch_for(m), _work(n, m, normed)
    slot = reserve(tree)
    if slot < 0:
        tree.closed[0] = max(tree.closed[0], ceiling)
        return
    members = np.arange(n)
    T = np.empty((n, m))
    tree.U[slot] = generators
    tree.W[slot] = duals
    tree.side[slot] = side
    tree.error[slot] = 0.0
    tree.minus[slot] = 0.0
    for q in range(m):
        tree.plus[slot, q] = side * linear[q]
    for k in range(m):
        total = 0.0
        for q in range(m):
            total += side * linear[q] * generators[k, q]
        for i in range(n):
            dot = 0.0
            for q in range(m):
                dot += Z[i, q] * generators[k, q]
            T[i, k] = dot
            if dot > 0 and side * c[i] > 0:
                total += side * c[i] * dot
        tree.base[slot, k] = total
    _keep(tree, slot, _settle(problem, tree, search, slot, members, T, ceiling, work, scratch))


@njit(cache=True)
def _edge(tree: Tree, slot: int, members: Index, T: Array, weights: Array) -> tuple[int, int]:
    """Choose the edge to split.

    Splitting (k, l) in the middle lowers the interpolation at the maximiser by min(lam_k, lam_l) times the
    interpolation error sum_i c_i (max(t_k, 0) + max(t_l, 0) - max(t_k + t_l, 0)) of the convex points there.
    """
    m = T.shape[1]
    lam, U = tree.lam[slot], tree.U[slot]
    longest, longest_k, longest_l = -1.0, 1, 0
    for k in range(m):
        for l in range(k):
            length = np.sum((U[k] - U[l]) ** 2)
            if length > longest:
                longest, longest_k, longest_l = length, k, l
    best, first, second = 0.0, longest_k, longest_l
    for k in range(m):
        for l in range(k):
            share = min(lam[k], lam[l])
            if share <= 0 or np.sum((U[k] - U[l]) ** 2) < SHORTEST_EDGE**2 * longest:
                continue
            error = 0.0
            for e in range(len(members)):
                tk, tl = T[e, k], T[e, l]
                if weights[members[e]] > 0 and tk * tl < 0:
                    error += weights[members[e]] * min(abs(tk), abs(tl))
            if share * error > best:
                best, first, second = share * error, k, l
    return first, second


@njit(cache=True)
def branch(problem: Problem, tree: Tree, search: Cutoff, budget: int) -> bool:
    """Split up to `budget` cones; return whether any are left that matter."""
    Z, c, _, normed = problem
    n, m = Z.shape
    scratch, work = scratch_for(m), _work(n, m, normed)
    members = np.empty(n, np.int64)
    T = np.empty((n, m))
    fresh = np.empty(n)
    column = np.empty(n)
    middle = np.empty(m)
    for _ in range(budget):
        slot = pop(tree)
        if slot < 0:
            return False
        if tree.bound[slot] <= _cutoff(search):
            tree.closed[0] = max(tree.closed[0], tree.bound[slot])
            release(tree, slot)
            continue
        count = 0
        for word in range(tree.open.shape[1]):
            bits = tree.open[slot, word]
            i = word * 64
            while bits != 0:
                if bits & np.uint64(1):
                    members[count] = i
                    count += 1
                bits >>= np.uint64(1)
                i += 1
        U, side = tree.U[slot], tree.side[slot]
        weights = _weights(c, side)
        for e in range(count):
            for k in range(m):
                dot = 0.0
                for q in range(m):
                    dot += Z[members[e], q] * U[k, q]
                T[e, k] = dot
        a, b = _edge(tree, slot, members[:count], T, weights)
        norm = 0.0
        for q in range(m):
            middle[q] = U[a, q] + U[b, q]
            if q < normed:
                norm += middle[q] * middle[q]
        scale = 1 / np.sqrt(norm)
        for q in range(m):
            middle[q] *= scale
        # The exact middle of the exact generators, scaled by the same number, is this close; see `cones`.
        error = scale * (tree.error[slot, a] + tree.error[slot, b]) * (1 + 1e-9) + 8.0
        if error > ERROR_LIMIT or tree.counts[FREE] < 2:
            tree.closed[0] = max(tree.closed[0], tree.bound[slot])
            release(tree, slot)
            continue
        total = 0.0
        for q in range(m):
            total += tree.plus[slot, q] * middle[q]
        for e in range(count):
            i = members[e]
            dot = 0.0
            for q in range(m):
                dot += Z[i, q] * middle[q]
            fresh[e] = dot
            if dot > 0 and weights[i] > 0:
                total += weights[i] * dot
        for half in range(2):
            gone, other = (a, b) if half == 0 else (b, a)
            child = reserve(tree)
            tree.U[child] = U
            tree.U[child, gone] = middle
            tree.W[child] = tree.W[slot]
            for q in range(m):
                tree.W[child, other, q] -= tree.W[slot, gone, q]
                tree.W[child, gone, q] /= scale
            tree.base[child] = tree.base[slot]
            tree.base[child, gone] = total
            tree.plus[child] = tree.plus[slot]
            tree.minus[child] = tree.minus[slot]
            tree.error[child] = tree.error[slot]
            tree.error[child, gone] = error
            tree.side[child] = side
            for e in range(count):
                column[e] = T[e, gone]
                T[e, gone] = fresh[e]
            open_ = _settle(
                problem, tree, search, child, members[:count], T[:count], tree.bound[slot], work, scratch
            )
            for e in range(count):
                T[e, gone] = column[e]
            _keep(tree, child, open_)
        release(tree, slot)
    return True
