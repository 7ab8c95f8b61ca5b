"""Pricing in the plane: two features with a free bias or none, exact, by angular sweeps.

free    A maximiser has its hinge through some place x_k. The neurons of each anchor form a circle of
        directions, on which the score is swept exactly (`cvxrelu.pricing.sweep`): O(N^2 log N) in all, and O(N^2)
        for further dual vectors.
none    One sweep over the circle of w: O(N log N).

Of several outputs the norm of the scores is swept, by `cvxrelu.pricing.arcs`.
"""

from collections.abc import Callable

import numpy as np
from joblib import delayed
from numpy.typing import NDArray

from cvxrelu.pricing.arcs import sweep_arcs_of_anchors
from cvxrelu.pricing.line import circle_columns
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.sweep import half_turns, sweep_anchors, sweep_terms
from cvxrelu.pricing.weights import Weights
from cvxrelu.runtime.parallel import results_of

__all__ = ["price_plane"]

Array = NDArray[np.float64]

PAIRS_BETWEEN_CHECKS = 400_000
"""Point-anchor pairs swept before Python may look at the clock: some hundredths of a second."""

PAIRS_KEPT = 4_000_000
"""Point-anchor pairs up to which is kept how places follow each other around each, for the next dual vector: 16 MB."""

Turns = dict[int, tuple[NDArray[np.int32], Array]]
"""`half_turns` of the places seen from the anchors of a block, by the first of these."""


def price_plane(
    points: Points,
    weights: Weights,
    stop: Callable[[int], bool] | None = None,
    n_jobs: int = 1,
    turns: Turns | None = None,
) -> Priced:
    """Price exactly for two features, returning the best column of each anchor and sign.

    Parameters
    ----------
    stop : callable, optional
        Called with the number of anchors done; True ends the search, with the bound of the triangle
        inequality in place of the anchors left out.
    n_jobs : int, default 1
        Workers of joblib for blocks of anchors, threads unless it is told otherwise.
    turns : dict, optional
        What earlier searches among these points left for later ones, and where this one leaves it.

    Examples
    --------
    >>> points = Points.prepare([[0.0, 0.0], [3.0, 4.0]], "free", 0.0)
    >>> round(price_plane(points, points.weigh([-1.0, 1.0])).value, 12)
    5.0
    """
    margin = weights.margin(sweep_terms(len(points.X), weights.n_outputs))
    n = len(points.Z)
    if points.bias == "none":
        columns, best = circle_columns(points, weights)
        return points.report(
            weights, columns, upper=best + margin, method="plane", complete=lambda value: True, nodes=1
        )
    known: Turns = {} if turns is None else turns
    block = max(1, PAIRS_BETWEEN_CHECKS // n)
    firsts = range(0, n, block)
    tasks = (delayed(_swept)(points, weights, slice(first, first + block), known.get(first)) for first in firsts)
    sweeps = results_of(tasks, n_jobs if len(firsts) > 1 else 1, "threads")
    values, directions, done = [], [], 0
    for first, (part_values, part_directions, turn) in zip(firsts, sweeps, strict=True):
        values.append(part_values)
        directions.append(part_directions)
        if n * n <= PAIRS_KEPT:
            known[first] = turn
        done = first + len(turn[0])
        if stop is not None and stop(done):
            sweeps.close()
            break
    V, D = (np.concatenate(parts, axis=1)[: len(points.sides)] for parts in (values, directions))
    b = -np.einsum("skd,kd->sk", D, points.Z[:done])
    columns = np.concatenate([D, b[:, :, None]], axis=2).reshape(-1, 3)
    columns = columns[np.argsort(-V.reshape(-1), kind="stable")]
    upper = max(float(V.max()), 0.0) + margin if done == n else points.trivial_bound(weights)
    return points.report(weights, columns, upper=upper, method="plane", complete=lambda value: done == n, nodes=done)


def _swept(
    points: Points, weights: Weights, anchors: slice, turn: tuple[NDArray[np.int32], Array] | None
) -> tuple[Array, Array, tuple[NDArray[np.int32], Array]]:
    """Return the best scores of some anchors, a row for each sign, the neurons' directions, and the turns swept."""
    if turn is None:
        turn = half_turns(points.Z - points.Z[anchors, None])
    asked = points.Z, weights.v, points.negative_slope, anchors.start, *turn, points.halves
    if weights.v.ndim == 2:
        values, directions = sweep_arcs_of_anchors(*asked)
        return values[None], directions[None], turn
    return *sweep_anchors(*asked), turn
