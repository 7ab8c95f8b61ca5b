"""Local ascent on the score: cheap columns, no proof.

The score is a difference of sublinear functions, F = P - M with P(u) = g0 . u + sum over c_i > 0 of c_i
max(z_i . u, 0). One step replaces P by its tangent at u, which is below P, and maximises the concave rest
over the unit ball exactly (`cvxrelu.pricing.relaxation`), kinks included: F never decreases, and a point that
stays where it is satisfies the first-order conditions (the convex-concave procedure of Yuille and Rangarajan,
2003). It ends after a few steps.

In free mode the bias is chosen exactly for the starting direction, at the best of the n hinges, by cumulative
sums; then the steps move it together with w, in coordinates sheared so that the current bias costs nothing.
"""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.pricing.points import Points, Weights
from cvxrelu.pricing.relaxation import relax, scratch_for
from cvxrelu.pricing.result import Priced

__all__ = ["DEFAULT_STARTS", "ascend", "climb"]

Array = NDArray[np.float64]

DEFAULT_STARTS = 16
"""Random starts of an ascent; each is climbed for the score and for its negative."""

MOST_STEPS = 100
"""Steps of one climb; a handful is usual."""

PROGRESS = 1e-12
"""Relative gain of a step below which a climb ends."""

SHEAR = 1e-3
"""Cost of moving the bias away from the current hinge in free mode: small enough not to hold it back."""

TIE = 1e-10
"""A place this close to the hinge, relative to its norm, is on it."""

DISTINCT = 1e-7
"""Neurons closer than this count as one."""


@njit(cache=True, error_model="numpy")
def _score(Z: Array, c: Array, linear: Array, u: Array) -> float:
    value = 0.0
    for q in range(len(u)):
        value += linear[q] * u[q]
    for i in range(len(c)):
        dot = 0.0
        for q in range(len(u)):
            dot += Z[i, q] * u[q]
        if dot > 0:
            value += c[i] * dot
    return value


@njit(cache=True, error_model="numpy")
def _best_bias(Z: Array, c: Array, linear: Array, u: Array) -> None:
    """Put the hinge of u through the place where the score is largest, w kept.

    With t_i = z_i . w (bias part left out) ascending, the score at the hinge t_k is
    linear + sum_{i > k} c_i (t_i - t_k).
    """
    n, m = Z.shape
    t = np.zeros(n)
    for i in range(n):
        for q in range(m - 1):
            t[i] += Z[i, q] * u[q]
    order = np.argsort(t)
    mass, moment = 0.0, 0.0
    best, hinge = -np.inf, 0.0
    for k in range(n - 1, -1, -1):
        i = order[k]
        value = moment - mass * t[i]
        if value > best:
            best, hinge = value, t[i]
        mass += c[i]
        moment += c[i] * t[i]
    if Z[0, m - 1] > 0:
        u[m - 1] = -hinge / Z[0, m - 1]


@njit(cache=True, error_model="numpy")
def climb(Z: Array, c: Array, linear: Array, normed: int, starts: Array) -> Array:
    """Climb from every start; the scores are those of (c, linear), so negate both for the other side.

    Parameters
    ----------
    Z, c, linear : (n, m), (n,), (m,)
        Lifted points, ReLU weights and linear part.
    normed : int
        Number of leading components whose norm is 1; m, or m - 1 in free mode.
    starts : (k, m)
        Overwritten by the neurons reached; a start without a direction stays.

    Returns
    -------
    values : (k,)
        Scores reached, not negative.
    """
    n, m = Z.shape
    free = normed < m
    concave = np.flatnonzero(c < 0)
    scratch = scratch_for(m)
    offset, u, mean = np.empty(m), np.empty(m), np.empty(m)
    rays = np.empty((0, m))
    t = np.zeros(normed)
    size = np.empty(n)
    for i in range(n):
        size[i] = np.sqrt(np.sum(Z[i] * Z[i]))
    values = np.zeros(len(starts))
    for k in range(len(starts)):
        norm = np.sqrt(np.sum(starts[k, :normed] ** 2))
        if norm == 0:
            continue
        starts[k] /= norm
        value = _score(Z, c, linear, starts[k])
        tie = TIE
        for _ in range(MOST_STEPS):
            offset[:] = linear
            for i in range(n):
                if c[i] > 0:
                    dot = 0.0
                    for q in range(m):
                        dot += Z[i, q] * starts[k, q]
                    if dot > tie * size[i]:
                        for q in range(m):
                            offset[q] += c[i] * Z[i, q]
            if free:
                t[:] = starts[k, normed] * starts[k, :normed]
            u[:] = starts[k]
            relax(offset, concave, Z, c, rays, t, (0.0, np.inf, SHEAR if free else 0.0), u, mean, scratch)
            norm = np.sqrt(np.sum(u[:normed] ** 2))
            if norm == 0:
                break
            u /= norm
            now = _score(Z, c, linear, u)
            if not now > value + PROGRESS * abs(value):
                # On a kink of P there are two tangents, and the other one may lead on.
                if tie < 0:
                    break
                tie = -TIE
                continue
            tie = TIE
            value = now
            starts[k] = u
        values[k] = max(value, 0.0)
    return values


def ascend(points: Points, weights: Weights, starts: Array) -> Priced:
    """Climb from each start for the score and for its negative, and return the distinct neurons reached.

    Parameters
    ----------
    starts : ndarray of shape (k, d + 1)
        Rows (w, b) in the centred coordinates. In free mode the better of the given bias and the best one for
        w is where the climb begins.
    """
    Z = points.lifted
    a = points.negative_slope
    free = points.bias == "free"
    normed = Z.shape[1] - free
    lifted = starts[:, : Z.shape[1]].copy()
    if free and points.radius > 0:
        lifted[:, -1] /= points.radius
    c, linear = (1 - a) * weights.v, a * (weights.v @ Z)
    reached = [np.empty((0, Z.shape[1]))]
    for side in (1.0, -1.0):
        begin = lifted.copy()
        if free:
            for row in begin:
                given = _score(Z, side * c, side * linear, row)
                moved = row.copy()
                _best_bias(Z, side * c, side * linear, moved)
                if _score(Z, side * c, side * linear, moved) > given:
                    row[:] = moved
        # One by one, so that an interruption is noticed between two climbs.
        for k in range(len(begin)):
            row = begin[k : k + 1]
            if climb(Z, side * c, side * linear, normed, row)[0] > 0:
                reached.append(row)
    columns = distinct(np.concatenate(reached))
    return points.report(
        weights, unlift(points, columns), upper=np.inf, method="ascent", complete=False, nodes=2 * len(starts)
    )


def random_starts(points: Points, n_starts: int, random_state: int | np.random.Generator | None) -> Array:
    """Draw (w, b) with isotropic w and the hinge through a random place, centred coordinates."""
    if n_starts < 0:
        raise InputError(f"n_starts must not be negative, not {n_starts}.")
    rng = np.random.default_rng(random_state)
    d = points.X.shape[1]
    W = rng.standard_normal((n_starts, d))
    hinges = points.Z[rng.integers(len(points.Z), size=n_starts), :d]
    b = np.zeros(n_starts) if points.bias == "none" else -np.einsum("kd,kd->k", W, hinges)
    return np.column_stack([W, b])


def given_starts(points: Points, starts: ArrayLike) -> Array:
    """Check starts (w, b) in the coordinates of X and centre them."""
    rows = np.asarray(starts, dtype=np.float64)
    d = points.X.shape[1]
    if rows.ndim != 2 or rows.shape[1] != d + 1 or not np.isfinite(rows).all():
        raise InputError(f"starts must be finite rows (w, b) of length {d + 1}, not of shape {rows.shape}.")
    rows = rows.copy()
    rows[:, -1] += rows[:, :-1] @ points.centre
    return rows


def unlift(points: Points, neurons: Array) -> Array:
    """Turn lifted neurons (k, m) into rows (w, b) in the centred coordinates."""
    if points.bias == "none":
        return np.column_stack([neurons, np.zeros(len(neurons))])
    if points.bias == "joint":
        return neurons
    return np.column_stack([neurons[:, :-1], points.radius * neurons[:, -1]])


def distinct(neurons: Array) -> Array:
    """Drop rows that repeat an earlier one to the grid of `DISTINCT`."""
    _, first = np.unique(np.round(neurons / DISTINCT), axis=0, return_index=True)
    return neurons[np.sort(first)]
