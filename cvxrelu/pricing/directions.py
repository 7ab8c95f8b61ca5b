r"""Pricing of few outputs from that of one: branch and bound over the directions of the score.

    gamma(V) = max over unit q of g(q),     g(q) = gamma(V q) = max over unit neurons of abs( sum_i (q . V_i) sigma_i )

g is sublinear, so that on the cone of independent q_1, ..., q_r, for any g_j >= g(q_j),

    q = sum_j a_j q_j, a >= 0:     g(q) <= sum_j a_j g_j = h . q <= norm(h),     h . q_j = g_j,

and where h is not in the cone, the largest h . q over its unit vectors is that of a face. So a few prices of one
output, by whatever proves them, bound the price of a cone of directions, closely where the cone is narrow; cones are
halved where the bound is largest. g is even, so half of all directions do. V of the softmax has rank K - 1: three
classes take an arc of angles, four a cap. A price that was not finished is an upper bound like any other, and is gone
on with only where it matters.

Rounding. q is taken from an orthonormal basis of the rows of V, up to a rest E that adds at most sum_i norm(E_i) rho_i;
V q in floats is off by r eps norm(V_i) in each row, and h by an amount that the residual of its equations shows. The
middle of two directions is on their arc up to eps; what that leaves uncovered is a share of 1e-12 at most.
"""

import heapq
from collections.abc import Callable
from itertools import combinations, count, product

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.numerics.powers import shift_up
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.weights import ROUNDOFF, Weights

__all__ = ["MOST_RANK", "price_directions", "rank_of"]

Array = NDArray[np.float64]
Stop = Callable[[int], bool]

MOST_RANK = 4
"""Rank of V up to which directions are searched; the cones to begin with double with each."""

RANK_RTOL = 1e-11
"""Singular values below this share of the largest are left to the rest."""

FIRST_NODES, GROWTH = 200, 4
"""Nodes of the first price of a direction, and how many times more each time it is gone on with."""

SHARE = 0.25
"""Share of the tolerance that a price of one output is asked for."""

NARROWEST = 1e-7
"""Cones with shorter edges keep their bound."""


class _Prices:
    """Prices of directions, each searched as far as was worth it."""

    def __init__(self, points: Points, weights: Weights, basis: Array, search: Callable, stop: Stop) -> None:
        self.points, self.search, self.stop, self.nodes = points, search, stop, 0
        self.inner = weights.original @ basis
        self.uppers: list[float] = []
        self.budgets: list[int] = []
        self.directions: list[Array] = []
        self.done: list[bool] = []
        self.neurons: list[Array] = []

    def add(self, q: Array) -> int:
        """Price a new direction."""
        self.directions.append(q)
        self.uppers.append(np.inf)
        self.budgets.append(FIRST_NODES)
        self.done.append(False)
        self.go_on(len(self.directions) - 1)
        return len(self.directions) - 1

    def go_on(self, k: int) -> None:
        """Search a direction from the start again, with more nodes than before."""
        budget, before = self.budgets[k], self.nodes
        self.budgets[k] *= GROWTH
        v = self.inner @ self.directions[k]
        try:
            inner = self.points.weigh(v)
        except InputError:
            # Next to nothing of V is left in this direction, and what is does not sum to zero.
            sizes = np.abs(v) @ self.points.reach[self.points.place]
            self.uppers[k], self.done[k] = float(sizes) * 6 * self.points.lipschitz, True
            return
        if not v.any():
            self.uppers[k], self.done[k] = 0.0, True
            return
        most, halted = 0, False

        def halt(nodes: int) -> bool:
            nonlocal most, halted
            most = max(most, nodes)
            halted = nodes >= budget or self.stop(before + nodes)
            return halted

        priced = self.search(inner, halt)
        # One at least, where a search knows at once that it is not for it.
        self.nodes = before + max(most, priced.nodes, 1)
        # In units of 2^exponent of V: `weigh` counts from those of v.
        upper = shift_up(priced.upper, -self.points.exponent)
        # A search that ended by itself has no more to say, even if rounding keeps it from being complete.
        self.uppers[k], self.done[k] = min(self.uppers[k], upper), priced.complete or not halted
        self.neurons.append(np.column_stack([priced.W, priced.b])[:4])


def rank_of(weights: Weights) -> int:
    """Return the rank of a dual matrix, up to rounding."""
    return _basis(weights.original).shape[1]


def price_directions(
    points: Points,
    weights: Weights,
    search: Callable[[Weights, Stop, float], Priced],
    tol: float,
    threshold: float | None,
    stop: Stop,
) -> Priced:
    """Price a dual matrix of small rank, given what prices dual vectors of one output.

    Parameters
    ----------
    search : callable
        Prices weights of one output, until it is told to stop or is as exact as a tolerance, the last argument.
    tol, threshold, stop
        As in `cvxrelu.pricing.Pricer`; nodes are those of all searches.
    """
    basis = _basis(weights.original)
    rest = weights.original - (weights.original @ basis) @ basis.T
    rank, sizes = basis.shape[1], row_sizes(weights.original)
    reach = points.reach[points.place] * (3 * points.lipschitz)
    lost = float((row_sizes(rest) + 8 * (rank + weights.original.shape[1]) * ROUNDOFF * sizes) @ reach) * (1 + 1e-6)
    prices = _Prices(points, weights, basis, lambda inner, halt: search(inner, halt, SHARE * tol), stop)
    level = weights.room_below(threshold, lost)
    order, heap, closed, value = count(), [], 0.0, 0.0

    def known() -> float:
        """Return the largest norm of the scores of any neuron found."""
        nonlocal value
        if prices.neurons:
            rows = np.concatenate(prices.neurons)
            b = points_bias(points, rows)
            value = max(value, float(points.score(weights, rows[:, :-1], b).max(initial=0.0)))
            prices.neurons, kept[:] = [], [*kept, rows]
        return value

    kept: list[Array] = []
    # Half of the orthants: a direction and its opposite have the same price.
    axes = [prices.add(corner) for corner in np.eye(rank)]
    for signs in product((1.0, -1.0), repeat=rank - 1):
        members = [(sign * prices.directions[k], k) for sign, k in zip((1.0, *signs), axes, strict=True)]
        heapq.heappush(heap, (-_bound(members, prices.uppers), next(order), members))
    stopped = False
    while heap and not stopped:
        bound, _, members = heapq.heappop(heap)
        fresh = _bound(members, prices.uppers)
        if fresh < -bound:
            heapq.heappush(heap, (-fresh, next(order), members))
            continue
        if fresh <= max(known() * (1 + tol), level):
            closed = max(closed, fresh)
            break  # none of the others is larger
        stopped = stop(prices.nodes)
        a, b = max(combinations(range(rank), 2), key=lambda pair: _apart(members, pair), default=(0, 0))
        unfinished = [k for _, k in members if not prices.done[k]]
        wide = rank > 1 and _apart(members, (a, b)) > NARROWEST
        if stopped or not (unfinished or wide):
            closed = max(closed, fresh)
            continue
        spread = _apart(members, (a, b)) ** 2 / 8
        if unfinished and (not wide or spread < _doubt(unfinished, prices, known())):
            prices.go_on(max(unfinished, key=lambda k: prices.uppers[k]))
            heapq.heappush(heap, (-min(fresh, _bound(members, prices.uppers)), next(order), members))
            continue
        middle = members[a][0] + members[b][0]
        middle = middle / np.linalg.norm(middle)
        new = prices.add(middle)
        for gone in (a, b):
            child = [(middle, new) if j == gone else member for j, member in enumerate(members)]
            heapq.heappush(heap, (-min(fresh, _bound(child, prices.uppers)), next(order), child))
    known()
    largest = max([closed, *(-bound for bound, _, _ in heap)])
    upper = (largest * (1 + 1e-12) + lost) + weights.residue
    columns = np.concatenate(kept) if kept else np.empty((0, points.X.shape[1] + 1))
    columns = np.column_stack([columns[:, :-1], points_bias(points, columns)])
    best = points.score(weights, columns[:, :-1], columns[:, -1])
    return points.report(
        weights,
        columns[np.argsort(-best, kind="stable")],
        upper=min(upper, points.trivial_bound(weights)),
        method="directions",
        complete=lambda found: not stopped and upper <= max(found * (1 + tol) + 2 * lost, level + lost),
        nodes=prices.nodes,
    )


def points_bias(points: Points, rows: Array) -> Array:
    """Return the biases of neurons (w, b) as reported, in the centred coordinates."""
    if points.bias != "free":
        return rows[:, -1]
    return np.ldexp(rows[:, -1] + rows[:, :-1] @ points.centre, -points.exponent)


def _basis(V: Array) -> Array:
    """Return an orthonormal basis (K, r) of the rows of V, up to rounding."""
    _, singular, right = np.linalg.svd(V, full_matrices=False)
    rank = max(1, int(np.sum(singular > RANK_RTOL * singular[0])))
    return right[:rank].T


def _apart(members: list, pair: tuple[int, int]) -> float:
    return float(np.linalg.norm(members[pair[0]][0] - members[pair[1]][0]))


def _doubt(unfinished: list[int], prices: _Prices, value: float) -> float:
    """Return by what share the worst unfinished price may be too large."""
    return max(prices.uppers[k] for k in unfinished) / max(value, 1e-300) - 1


def _bound(members: list, uppers: list[float]) -> float:
    """Return the largest h . q over unit q of a cone, that of its faces included, rounded up."""
    Q, g = np.array([q for q, _ in members]), np.array([uppers[k] for _, k in members])
    if not np.isfinite(g).all():
        return np.inf
    if len(g) == 1:
        return float(g[0])
    h = np.linalg.solve(Q, g)
    # Whatever the rounding, h (1 + s) is at least g_j at all q_j.
    short = float(np.max((g - Q @ h) / np.maximum(g, 1e-300), initial=0.0)) + 1e-14 * len(g)
    weights = np.linalg.solve(Q.T, h)
    if (weights >= 0).all():
        return float(np.linalg.norm(h)) * (1 + short)
    faces = ([member for j, member in enumerate(members) if j != gone] for gone in np.flatnonzero(weights < 0))
    return max(_on_face(face, uppers) for face in faces)


def _on_face(members: list, uppers: list[float]) -> float:
    """Return the bound of a face, in coordinates of its span."""
    Q = np.array([q for q, _ in members])
    basis = np.linalg.qr(Q.T)[0]
    return _bound([(q @ basis, k) for q, k in members], uppers)
