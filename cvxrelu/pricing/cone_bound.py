"""Bounding one cone: the compiled heart of `cvxrelu.pricing.cones`, where the mathematics is explained."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.relaxation import relax
from cvxrelu.pricing.tree import NODES, Tree
from cvxrelu.pricing.vectors import fill
from cvxrelu.runtime.compiled import kernel

__all__ = ["Cutoff", "Problem", "cutoff_of", "settle", "side_weights"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SHEAR = 1e-3
"""Spurious cost of the sheared bias in free mode. It loosens the bound of a cone by SHEAR**2 times its
squared extent in the bias, less than what the interpolation loosens it by; smaller values cost digits."""


SAME = 0.02
"""Neurons closer than this count as one when the best few are kept."""

NOTABLE = 0.99
"""Share of the best value above which a neuron is worth keeping."""


class Problem(NamedTuple):
    """Lifted points (n, m), ReLU weights (n,), linear part (m,), and the norm of a neuron.

    norm(u)^2 is the sum of squares of the first `axes` components, plus the square of `weight` times the last
    component if that is not among them. The axes are also what generators are normalised in.
    """

    Z: Array
    c: Array
    linear: Array
    axes: int
    weight: float


class Cutoff(NamedTuple):
    """What a cone has to beat.

    `best` (1,) is the best value so far, `neurons` (k, m) and `values` (k,) the best distinct neurons in no
    order, and cutoff = max(best * factor, best + slack, level): a cone whose bound does not exceed it is
    closed.
    """

    best: Array
    neurons: Array
    values: Array
    factor: float
    slack: float
    level: float


@kernel(error_model="numpy")
def cutoff_of(search: Cutoff) -> float:
    """Compute the bound that a cone must exceed to stay open."""
    best = search.best[0]
    return max(max(best * search.factor, best + search.slack), search.level)


@kernel(error_model="numpy")
def _norm(problem: Problem, u: Array) -> float:
    total = 0.0
    for q in range(problem.axes):
        total += u[q] * u[q]
    if problem.axes < len(u):
        total += (problem.weight * u[problem.axes]) ** 2
    return np.sqrt(total)


@kernel(error_model="numpy")
def _least_product(problem: Problem, U: Array) -> float:
    least = np.inf
    for k in range(len(U)):
        for j in range(k + 1):
            product = 0.0
            for q in range(problem.axes):
                product += U[k, q] * U[j, q]
            if problem.axes < len(U):
                product += problem.weight**2 * U[k, problem.axes] * U[j, problem.axes]
            least = min(least, product)
    return least


@kernel(error_model="numpy")
def _offer(problem: Problem, search: Cutoff, u: Array) -> None:
    """Score the direction u on all points, and keep it if it is among the best."""
    Z, c, linear = problem.Z, problem.c, problem.linear
    m = len(u)
    norm = _norm(problem, u)
    if not norm > 0:
        return
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
    place = 0
    for k in range(len(search.values)):
        if search.values[k] < search.values[place]:
            place = k
    for k in range(len(search.values)):
        apart = 0.0
        for q in range(m):
            apart += (search.neurons[k, q] - u[q] / norm) ** 2
        if apart < SAME**2:
            place = k
            break
    if value > search.values[place]:
        search.values[place] = value
        for q in range(m):
            search.neurons[place, q] = u[q] / norm


@kernel(error_model="numpy")
def side_weights(c: Array, side: float) -> Array:
    """Return the weights of the score (side 1) or of its negative (side -1)."""
    return c if side > 0 else -c


@kernel(error_model="numpy")
def settle(
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
    Z, c, axes, tilt = problem.Z, problem.c, problem.axes, problem.weight
    m = Z.shape[1]
    side = tree.side[slot]
    concave, convex, t, offset, u, mean = work
    U, W, base = tree.U[slot], tree.W[slot], tree.base[slot]
    plus, minus, undecided = tree.plus[slot], tree.minus[slot], tree.open[slot]
    for word in range(len(undecided)):
        undecided[word] = np.uint64(0)
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
    if axes < m and tilt > 0:
        fill(t, 0.0)
        shear = tilt
    elif axes < m:
        # b = t . w on every generator but the one nearest to that hyperplane; W_k is normal to the others.
        k = 0
        for j in range(m):
            if abs(W[j, axes]) > abs(W[k, axes]):
                k = j
        for q in range(axes):
            t[q] = -W[k, q] / W[k, axes]
        shear = SHEAR
    cutoff = cutoff_of(search)
    relax(offset, concave[:count], Z, side_weights(c, side), W, t, (cutoff, cutoff, shear), u, mean, scratch)
    tree.counts[NODES] += 1

    # Whatever the solver did, y = (u_w, weight^2 u_b) is a vector, of dual norm norm(u), and
    # q_k = base_k + (minus + mean) . U_k bounds the score at U_k in the relaxation. For u = sum lam_k U_k
    # with norm(u) <= 1 and lam >= 0, norm(lam) <= 1 (see `cones`), so the score is at most
    # q . lam <= norm(u) + norm(max(q - U y, 0)).
    length, excess, highest = _norm(problem, u), 0.0, 0.0
    for k in range(m):
        gap = base[k]
        for q in range(m):
            gap += (minus[q] + mean[q]) * U[k, q]
        highest = max(highest, gap)
        for q in range(axes):
            gap -= u[q] * U[k, q]
        if axes < m:
            gap -= tilt**2 * u[axes] * U[k, axes]
        if not gap <= 0:
            excess += gap * gap
    bound = length + np.sqrt(excess)
    if bound > cutoff:
        # In a thin cone y loses digits, but with g the least inner product of two generators
        # norm(u)^2 >= g sum(lam)^2, so q . lam <= max(q, 0) / sqrt(g), which needs no y.
        least = _least_product(problem, U)
        if least > 0:
            bound = min(bound, highest / np.sqrt(least))
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
    return bound > cutoff_of(search)
