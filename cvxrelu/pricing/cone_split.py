"""Splitting cones: the compiled part of `cvxrelu.pricing.cones`, where the mathematics is explained."""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.cone_bound import Cutoff, Problem, cutoff_of, settle, side_weights
from cvxrelu.pricing.relaxation import scratch_for
from cvxrelu.pricing.tree import FREE, Tree, pop, push, release, reserve
from cvxrelu.pricing.vectors import copy, copy_rows, fill, squared_distance
from cvxrelu.runtime.compiled import kernel

__all__ = ["ERROR_LIMIT", "branch", "plant"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

ERROR_LIMIT = 512.0
"""Largest error of a generator, in units of roundoff; a cone with a worse one keeps its bound, unsplit."""

THINNEST = 1e-13
"""Cones with shorter edges are points as far as floats can tell; they keep their bound, unsplit."""

SHORTEST_EDGE = 0.7
"""An edge shorter than this, relative to the longest, is not split: cones must not become slivers."""


@kernel(error_model="numpy")
def _work(n: int, m: int) -> tuple[Index, Index, Array, Array, Array, Array]:
    index = np.empty((2, n), np.int64)
    return index[0], index[1], np.zeros(m - 1), np.empty(m), np.empty(m), np.empty(m)


@kernel(error_model="numpy")
def _keep(tree: Tree, slot: int, stays: bool) -> None:
    """File a bounded node among the open ones, or remember its bound and release it."""
    if stays:
        push(tree, slot)
    else:
        tree.closed[0] = max(tree.closed[0], tree.bound[slot])
        release(tree, slot)


@kernel(error_model="numpy")
def plant(
    problem: Problem, tree: Tree, search: Cutoff, generators: Array, duals: Array, side: float, ceiling: float
) -> None:
    """Bound a root cone and add it to the tree."""
    Z, c, linear = problem.Z, problem.c, problem.linear
    n, m = Z.shape
    scratch, work = scratch_for(m), _work(n, m)
    slot = reserve(tree)
    if slot < 0:
        tree.closed[0] = max(tree.closed[0], ceiling)
        return
    members = np.arange(n)
    T = np.empty((n, m))
    copy_rows(generators, tree.U[slot])
    copy_rows(duals, tree.W[slot])
    tree.side[slot] = side
    fill(tree.error[slot], 0.0)
    fill(tree.minus[slot], 0.0)
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
    _keep(tree, slot, settle(problem, tree, search, slot, members, T, ceiling, work, scratch))


@kernel(error_model="numpy")
def _edge(tree: Tree, slot: int, members: Index, T: Array, weights: Array) -> tuple[int, int]:
    """Choose the edge to split.

    Splitting (k, j) in the middle lowers the interpolation at the maximiser by min(lam_k, lam_j) times the
    interpolation error sum_i c_i (max(t_k, 0) + max(t_j, 0) - max(t_k + t_j, 0)) of the convex points there.
    """
    m = T.shape[1]
    lam, U = tree.lam[slot], tree.U[slot]
    longest, longest_k, longest_j = -1.0, 1, 0
    for k in range(m):
        for j in range(k):
            length = squared_distance(U[k], U[j])
            if length > longest:
                longest, longest_k, longest_j = length, k, j
    best, first, second = 0.0, longest_k, longest_j
    for k in range(m):
        for j in range(k):
            share = min(lam[k], lam[j])
            if share <= 0 or squared_distance(U[k], U[j]) < SHORTEST_EDGE**2 * longest:
                continue
            error = 0.0
            for e in range(len(members)):
                tk, tj = T[e, k], T[e, j]
                if weights[members[e]] > 0 and tk * tj < 0:
                    error += weights[members[e]] * min(abs(tk), abs(tj))
            if share * error > best:
                best, first, second = share * error, k, j
    return first, second


@kernel(error_model="numpy", nogil=True)
def branch(problem: Problem, tree: Tree, search: Cutoff, budget: int) -> bool:
    """Split up to `budget` cones; return whether any are left that matter."""
    Z, c, axes = problem.Z, problem.c, problem.axes
    n, m = Z.shape
    scratch, work = scratch_for(m), _work(n, m)
    members = np.empty(n, np.int64)
    T = np.empty((n, m))
    fresh = np.empty(n)
    column = np.empty(n)
    middle = np.empty(m)
    for _ in range(budget):
        slot = pop(tree)
        if slot < 0:
            return False
        if tree.bound[slot] <= cutoff_of(search):
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
        weights = side_weights(c, side)
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
            if q < axes:
                norm += middle[q] * middle[q]
        scale = 1 / np.sqrt(norm)
        for q in range(m):
            middle[q] *= scale
        # The exact middle of the exact generators, scaled by the same number, is this close; see `cones`.
        error = scale * (tree.error[slot, a] + tree.error[slot, b]) * (1 + 1e-9) + 8.0 + m
        short = squared_distance(U[a], U[b]) < THINNEST**2
        if short or error > ERROR_LIMIT or tree.counts[FREE] < 2:
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
            copy_rows(U, tree.U[child])
            copy(middle, tree.U[child, gone])
            copy_rows(tree.W[slot], tree.W[child])
            for q in range(m):
                tree.W[child, other, q] -= tree.W[slot, gone, q]
                tree.W[child, gone, q] /= scale
            copy(tree.base[slot], tree.base[child])
            tree.base[child, gone] = total
            copy(tree.plus[slot], tree.plus[child])
            copy(tree.minus[slot], tree.minus[child])
            copy(tree.error[slot], tree.error[child])
            tree.error[child, gone] = error
            tree.side[child] = side
            for e in range(count):
                column[e] = T[e, gone]
                T[e, gone] = fresh[e]
            open_ = settle(problem, tree, search, child, members[:count], T[:count], tree.bound[slot], work, scratch)
            for e in range(count):
                T[e, gone] = column[e]
            _keep(tree, child, open_)
        release(tree, slot)
    return True
