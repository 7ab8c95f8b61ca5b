"""The open nodes of the branch and bound on cones: a pool of slots, and a heap of them by bound.

A node is the cone spanned by the rows of U. Its slot holds

    U      generators, rows, of norm 1 in their normed part
    W      dual basis, rows: W_k . U_l is 1 if k = l and else 0, so that u = sum_k (W_k . u) U_k
    base   g0 . U_k + sum over convex points of c_i max(z_i . U_k, 0)
    plus   g0 + sum of c_i z_i over the convex points that are positive on the cone
    minus  the sum of c_i z_i over the concave points that are positive on the cone
    error  how far U_k may be from the exact generator that it stands for, in units of roundoff
    lam    coordinates of the relaxation's maximiser
    open   bit set of the undecided points
    bound  upper bound on the score
    side   +1 where the score itself is bounded, -1 for its negative

While the pool has room the node with the largest bound is taken first, which makes the bound of an
interrupted search as good as it can be. When the pool is nearly full, children go to a stack and are finished
first, so that the memory stays bounded.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.runtime.compiled import kernel

__all__ = [
    "DIVE_RESERVE",
    "FREE",
    "HEAP",
    "NODES",
    "PER_SLOT",
    "STACK",
    "Tree",
    "make_tree",
    "pop",
    "push",
    "release",
    "reserve",
]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

HEAP, STACK, FREE, NODES = 0, 1, 2, 3
"""Positions in `Tree.counts`: sizes of heap, stack and list of free slots, and the nodes bounded."""

DIVE_RESERVE = 4096
"""Free slots below which the search goes depth first. A dive needs two slots a level; cones are too thin to
be split after a few hundred levels."""


PER_SLOT = ("U", "W", "base", "plus", "minus", "error", "lam", "bound", "side", "open")
"""The arrays of a tree that have a row for each slot."""


class Tree(NamedTuple):
    """Arrays of the pool; see the module's docstring."""

    U: Array
    W: Array
    base: Array
    plus: Array
    minus: Array
    error: Array
    lam: Array
    bound: Array
    side: Array
    open: NDArray[np.uint64]
    heap: Index
    stack: Index
    free: Index
    counts: Index
    closed: Array


def make_tree(capacity: int, m: int, n: int) -> Tree:
    """Allocate a pool of `capacity` slots for m lifted dimensions and n points."""
    square, row = (capacity, m, m), (capacity, m)
    return Tree(
        np.empty(square),
        np.empty(square),
        np.empty(row),
        np.empty(row),
        np.empty(row),
        np.empty(row),
        np.empty(row),
        np.empty(capacity),
        np.empty(capacity),
        np.empty((capacity, (n + 63) // 64), np.uint64),
        np.empty(capacity, np.int64),
        np.empty(capacity, np.int64),
        np.arange(capacity - 1, -1, -1),
        np.array([0, 0, capacity, 0]),
        np.zeros(1),
    )


@kernel()
def reserve(tree: Tree) -> int:
    """Take a free slot; -1 if there is none."""
    if tree.counts[FREE] == 0:
        return -1
    tree.counts[FREE] -= 1
    return int(tree.free[tree.counts[FREE]])


@kernel()
def release(tree: Tree, slot: int) -> None:
    """Give a slot back."""
    tree.free[tree.counts[FREE]] = slot
    tree.counts[FREE] += 1


@kernel()
def push(tree: Tree, slot: int) -> None:
    """Add an open node to the heap, or to the stack while memory is short."""
    if tree.counts[FREE] < DIVE_RESERVE:
        tree.stack[tree.counts[STACK]] = slot
        tree.counts[STACK] += 1
        return
    heap, bound = tree.heap, tree.bound
    child = tree.counts[HEAP]
    tree.counts[HEAP] += 1
    while child > 0:
        parent = (child - 1) // 2
        if bound[heap[parent]] >= bound[slot]:
            break
        heap[child] = heap[parent]
        child = parent
    heap[child] = slot


@kernel()
def pop(tree: Tree) -> int:
    """Remove the node to split next; -1 if there is none."""
    if tree.counts[STACK] > 0:
        tree.counts[STACK] -= 1
        return int(tree.stack[tree.counts[STACK]])
    if tree.counts[HEAP] == 0:
        return -1
    heap, bound = tree.heap, tree.bound
    top = heap[0]
    tree.counts[HEAP] -= 1
    size = tree.counts[HEAP]
    slot = heap[size]
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        if child + 1 < size and bound[heap[child + 1]] > bound[heap[child]]:
            child += 1
        if bound[slot] >= bound[heap[child]]:
            break
        heap[parent] = heap[child]
        parent = child
    heap[parent] = slot
    return int(top)
