"""Open cones on several trees, so that workers branch at the same time: large searches only.

    one tree until it has been split often  ->  its open cones dealt to some trees  ->  rounds of splits on each  -> ...

Between rounds the trees tell each other the best score. They are as many, and a round is as long, whatever the workers
are, so a search that the clock does not stop finds the same with any number of them. Dealt in the order of their
bounds, the cones of one tree are worth as much as those of another; when one has none left they are dealt again.
"""

from collections.abc import Callable, Sequence

import numpy as np
from joblib import delayed
from numpy.typing import NDArray

from cvxrelu.numerics.neighbours import near_groups
from cvxrelu.pricing.cone_bound import SAME, Cutoff, Problem
from cvxrelu.pricing.cone_split import branch
from cvxrelu.pricing.tree import DIVE_RESERVE, HEAP, NODES, PER_SLOT, STACK, Tree, make_tree
from cvxrelu.runtime.parallel import results_of

__all__ = ["branch_together", "nodes_of", "open_cones"]

TREES = 8
"""Trees of a large search."""

WORK, FEWEST_SPLITS, MOST_SPLITS = 2_500_000, 16, 1000
"""Entries of the lifted points times splits in a round of a tree, some hundredths of a second, and limits of these."""


def branch_together(
    problem: Problem, tree: Tree, cutoff: Cutoff, stop: Callable[[int], bool], n_jobs: int
) -> tuple[list[Tree], Cutoff, bool]:
    """Split what a tree holds until no cone is left that matters, or the search is stopped.

    Parameters
    ----------
    problem, tree, cutoff
        As in `cvxrelu.pricing.cone_split.branch`.
    stop : callable
        Called with the number of nodes done, by this tree and those that it is dealt to; True ends the search.
    n_jobs : int
        Workers of joblib, threads unless it is told otherwise.

    Returns
    -------
    trees : list of Tree
        Which hold all cones that are open, and the largest bound of those that were closed.
    cutoff : Cutoff
        With the best neurons of all.
    stopped : bool
        Whether cones are left.
    """
    splits = int(np.clip(WORK // problem.Z.size, FEWEST_SPLITS, MOST_SPLITS))
    trees, cutoffs, capacity = [tree], [cutoff], len(tree.bound) // TREES
    while count := sum(len(open_cones(part)) for part in trees):
        if stop(nodes_of(trees)):
            return trees, _merged(cutoffs), True
        if len(trees) < TREES or not all(len(open_cones(part)) for part in trees):
            trees, merged = _dealt(trees, max(capacity, 2 * (DIVE_RESERVE + count // TREES))), _merged(cutoffs)
            cutoffs = [_copied(merged) for _ in trees]
        best = max(part.best[0] for part in cutoffs)
        for part in cutoffs:
            part.best[0] = best
        pairs = zip(trees, cutoffs, strict=True)
        done = list(results_of((delayed(_branched)(problem, *pair, splits) for pair in pairs), n_jobs, "threads"))
        trees, cutoffs = [part for part, _ in done], [part for _, part in done]
    return trees, _merged(cutoffs), False


def open_cones(tree: Tree) -> NDArray[np.int64]:
    """Return the slots of the cones that are open."""
    return np.concatenate([tree.heap[: tree.counts[HEAP]], tree.stack[: tree.counts[STACK]]])


def nodes_of(trees: Sequence[Tree]) -> int:
    """Return how many nodes were bounded."""
    return sum(int(tree.counts[NODES]) for tree in trees)


def _branched(problem: Problem, tree: Tree, cutoff: Cutoff, splits: int) -> tuple[Tree, Cutoff]:
    """Return a tree, split so often, and its cutoff: the same ones, unless they came from another process."""
    branch(problem, tree, cutoff, splits)
    return tree, cutoff


def _dealt(trees: Sequence[Tree], capacity: int) -> list[Tree]:
    """Return new trees that share the open cones of some."""
    m, words = trees[0].U.shape[1], trees[0].open.shape[1]
    slots = [open_cones(tree) for tree in trees]
    owner = np.repeat(np.arange(len(trees)), [len(part) for part in slots])
    slot = np.concatenate(slots)
    bounds = np.concatenate([tree.bound[part] for tree, part in zip(trees, slots, strict=True)])
    order = np.argsort(-bounds, kind="stable")
    dealt = []
    for k in range(TREES):
        mine, tree = order[k::TREES], make_tree(capacity, m, 64 * words)
        for j, source in enumerate(trees):
            here = np.flatnonzero(owner[mine] == j)
            for name in PER_SLOT:
                getattr(tree, name)[here] = getattr(source, name)[slot[mine[here]]]
        # Falling bounds are a heap.
        tree.heap[: len(mine)] = np.arange(len(mine))
        tree.counts[:] = len(mine), 0, capacity - len(mine), 0
        dealt.append(tree)
    dealt[0].counts[NODES] = nodes_of(trees)
    dealt[0].closed[0] = max(tree.closed[0] for tree in trees)
    return dealt


def _copied(cutoff: Cutoff) -> Cutoff:
    """Return a cutoff with arrays of its own."""
    return cutoff._replace(best=cutoff.best.copy(), neurons=cutoff.neurons.copy(), values=cutoff.values.copy())


def _merged(cutoffs: Sequence[Cutoff]) -> Cutoff:
    """Return a cutoff with the best of all, and the best distinct neurons."""
    first, kept = cutoffs[0], len(cutoffs[0].values)
    neurons = np.concatenate([cutoff.neurons for cutoff in cutoffs])
    values = np.concatenate([cutoff.values for cutoff in cutoffs])
    order = np.argsort(-values, kind="stable")
    leaders = near_groups(neurons, SAME, order)
    top = [k for k in order if leaders[k] == k and values[k] > 0][:kept]
    merged = first._replace(best=first.best.copy(), neurons=np.zeros_like(first.neurons), values=np.zeros(kept))
    merged.best[0] = max(cutoff.best[0] for cutoff in cutoffs)
    merged.neurons[: len(top)], merged.values[: len(top)] = neurons[top], values[top]
    return merged
