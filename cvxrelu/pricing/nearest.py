"""The point nearest to the origin of a polyhedron: Wolfe's algorithm with rays.

The polyhedron is {sum_j w_j p_j + sum_k mu_k r_k : w >= 0, sum w = 1, mu >= 0} with pieces p_j and rays r_k
that the caller generates one by one: each call gets the current corral (an independent set of atoms and their
positive weights) with one more atom of weight zero, and moves to the nearest point of the enlarged corral,
dropping atoms whose weight would turn negative. Without rays it is P. Wolfe, "Finding the nearest point in a
polytope" (1976); with one piece and rays only it is the non-negative least squares algorithm of Lawson and
Hanson.

Every iterate is a point of the polyhedron, so its norm is a valid upper bound on the smallest norm whatever
the rounding; what a caller claims from it must allow for the rounding of the weighted sum only.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.vectors import copy
from cvxrelu.runtime.compiled import kernel

__all__ = ["nearest"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

DEPENDENT = 1e-11
"""A column whose part orthogonal to the others is smaller than this, relative to itself, is dependent on
them: the nearest point cannot be improved reliably through it."""


@kernel(error_model="numpy")
def _affine(atoms: Array, is_ray: Flags, size: int, Q: Array, R: Array, target: Array) -> bool:
    """Find the nearest point's weights when they may have any sign; False if the atoms are dependent."""
    m = atoms.shape[1]
    base = 0
    while is_ray[base]:
        base += 1
    column = 0
    for j in range(size):
        if j == base:
            continue
        if column >= m:
            return False
        length = 0.0
        for q in range(m):
            x = atoms[j, q] if is_ray[j] else atoms[j, q] - atoms[base, q]
            Q[column, q] = x
            length += x * x
        length = np.sqrt(length)
        # Gram-Schmidt, twice: as orthogonal as a Householder factorisation.
        for k in range(column):
            R[k, column] = 0.0
        for _ in range(2):
            for k in range(column):
                dot = 0.0
                for q in range(m):
                    dot += Q[k, q] * Q[column, q]
                R[k, column] += dot
                for q in range(m):
                    Q[column, q] -= dot * Q[k, q]
        rest = 0.0
        for q in range(m):
            rest += Q[column, q] * Q[column, q]
        rest = np.sqrt(rest)
        if rest <= DEPENDENT * length:
            return False
        R[column, column] = rest
        for q in range(m):
            Q[column, q] /= rest
        column += 1
    # Back substitution for R c = -Q p_base, the weights running over the atoms but the base, last first.
    total = 1.0
    j = size
    for k in range(column - 1, -1, -1):
        j -= 1
        if j == base:
            j -= 1
        x = 0.0
        for q in range(m):
            x -= Q[k, q] * atoms[base, q]
        later = size
        for p in range(column - 1, k, -1):
            later -= 1
            if later == base:
                later -= 1
            x -= R[k, p] * target[later]
        target[j] = x / R[k, k]
        if not is_ray[j]:
            total -= target[j]
    target[base] = total
    return True


@kernel(error_model="numpy")
def nearest(atoms: Array, is_ray: Flags, weight: Array, size: int, point: Array, tags: Array, work: Array) -> int:
    """Move to the nearest point of the corral's convex and conic hull; return the number of atoms kept.

    Parameters
    ----------
    atoms : (capacity, m)
        The corral; the newest atom is the last of the first `size`, with weight 0.
    is_ray : (capacity,) bool
        Whether an atom is a ray. At least one is not.
    weight : (capacity,)
        Overwritten.
    size : int
        At most m + 2.
    point : (m,)
        Receives the weighted sum.
    tags : (capacity, anything)
        Rows moved along with the atoms: whatever the caller knows them by.
    work : (2 * m + 4, m + 2)
        Scratch.

    Returns
    -------
    size : int
        Negated when the newest atom turned out dependent, and was dropped without a change.
    """
    m = atoms.shape[1]
    Q = work[: m + 1, :m]
    R = work[m + 1 : 2 * m + 3, : m + 2]
    target = work[2 * m + 3, : m + 2]
    stalled = False
    while True:
        if not _affine(atoms, is_ray, size, Q, R, target):
            size -= 1
            stalled = True
            break
        step, blocking = 1.0, -1
        for j in range(size):
            if target[j] <= 0:
                drop = weight[j] - target[j]
                ratio = weight[j] / drop if drop > 0 else 0.0
                if blocking < 0 or ratio < step:
                    step, blocking = ratio, j
        for j in range(size):
            weight[j] = max(0.0, weight[j] + step * (target[j] - weight[j]))
        if blocking < 0:
            break
        kept = 0
        for j in range(size):
            if j != blocking and (weight[j] > 0 or target[j] > 0):
                if kept != j:
                    copy(atoms[j], atoms[kept])
                    copy(tags[j], tags[kept])
                    is_ray[kept] = is_ray[j]
                    weight[kept] = weight[j]
                kept += 1
        size = kept
    total = 0.0
    for j in range(size):
        if not is_ray[j]:
            total += weight[j]
    for j in range(size):
        if not is_ray[j]:
            weight[j] = weight[j] / total
    for q in range(m):
        point[q] = 0.0
        for j in range(size):
            point[q] += weight[j] * atoms[j, q]
    return -size if stalled else size
