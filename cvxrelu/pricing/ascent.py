"""Local ascent on the score from many starts at once: cheap columns, no proof.

    u <- u + t G(u) / norm(G(u)), then back to norm one, for falling t;   G(u) = g0 + sum over z_i . u > 0 of c_i z_i

All starts march together, by matrix products. The score is positively homogeneous, F(u) = G(u) . u, so this is a damped
power iteration: where F is smooth it settles at maxima, for there G is parallel to u. The lengths t do not depend on
success, because at kinks, where line searches get stuck, only short steps help; the best point on the way counts. Long
steps take random starts to good regions, and look around the starts that are given, in single precision; short ones
take the best of them, and the starts that are given, to maxima. The best of these are climbed to the end
(`cvxrelu.pricing.climb`), which gets the kinks exactly right.

Every start goes up on one side: for the score or for its negative.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.clock import Clock
from cvxrelu.errors import InputError
from cvxrelu.lengths import shifted
from cvxrelu.pricing.climb import best_biases, climb
from cvxrelu.pricing.points import Points, Weights
from cvxrelu.pricing.result import Priced
from cvxrelu.validation import as_count, as_floats, as_generator

__all__ = ["DEFAULT_STARTS", "Score", "ascend", "march"]

Array = NDArray[np.float64]

DEFAULT_STARTS = 16
"""Random starts of an ascent; each goes up for the score and for its negative."""

LONG = np.geomspace(1.0, 1e-2, 60)
"""Steps from random starts, across the sphere at first: the slower they fall, the better the region where they end."""

AROUND = np.geomspace(0.5, 1e-2, 30)
"""Steps from the first of the given starts, as many as there are random ones, to the maxima nearby."""

SHORT = np.geomspace(0.2, 1e-4, 30)
"""Steps from good starts, long enough to follow a maximum that has moved since."""

BATCH_SIZE, LARGEST_BATCH = 2**17, 512
"""(Point, start) pairs that march together, a megabyte that stays in the cache; and starts, to look at the clock."""

NEAR = 3e-3
"""Of the neurons of one side that are closer than this (an angle) the best is kept: the others would add little."""

STARTS_PER_COLUMN, MANY_COLUMNS, MOST_COLUMNS = 8, 300, 2500
"""Neurons kept after a march, the best ones: one for so many of its starts, always so many, and at most so many."""

CLIMBED_SIZE, FEWEST_CLIMBS, MANY_CLIMBS = 200_000, 8, 64
"""Climbs times the size of the lifted data, and limits: they are to take no longer than the marches."""

STARTS_PER_CLIMB, MOST_CLIMBS = 8, 250
"""Many starts go with more climbs, one for so many of them, up to a limit."""

DISTINCT = 1e-7
"""Neurons closer than this count as one."""


@dataclass(frozen=True, eq=False)
class Score:
    """F(u) = linear . u + sum_i c_i max(z_i . u, 0), for lifted neurons u.

    Attributes
    ----------
    Z, c, linear : (n, m), (n,), (m,)
        Lifted points, ReLU weights and linear part.
    normed : int
        Number of leading components of a neuron whose norm is 1; m, or m - 1 in free mode.

    Examples
    --------
    >>> score = Score(np.eye(2), np.array([1.0, -1.0]), np.zeros(2), 2)
    >>> score(np.array([[3.0, 1.0], [-1.0, 1.0]]))
    array([ 2., -1.])
    """

    Z: Array
    c: Array
    linear: Array
    normed: int

    @classmethod
    def of(cls, points: Points, weights: Weights) -> "Score":
        """Return the score of a dual vector."""
        Z, a = np.ascontiguousarray(points.lifted), points.negative_slope
        return cls(Z, (1 - a) * weights.v, a * (weights.v @ Z), Z.shape[1] - (points.bias == "free"))

    def rough(self) -> "Score":
        """Return a multiple of F in single precision, which is faster and does for long steps."""
        size, weight = np.abs(self.Z).max(initial=0.0) or 1.0, np.abs(self.c).max(initial=0.0) or 1.0
        Z, c, linear = self.Z / size, self.c / weight, self.linear / (size * weight)
        single: Any = np.float32
        return Score(Z.astype(single), c.astype(single), linear.astype(single), self.normed)

    def __call__(self, neurons: Array) -> Array:
        """Return F of each row."""
        return neurons @ self.linear + np.maximum(neurons @ self.Z.T, 0.0) @ self.c

    def gradients(self, neurons: Array) -> Array:
        """Return G of each row; at a kink, that of the side where the kink's own term vanishes."""
        return ((neurons @ self.Z.T > 0) * self.c) @ self.Z + self.linear


def march(score: Score, sides: Array, starts: Array, lengths: Array) -> Array:
    """Take steps along the gradient on the sphere, and return the best neurons on the way.

    Parameters
    ----------
    score : Score
        What to increase.
    sides : (k,)
        1.0 where the score is to rise and -1.0 where it is to fall.
    starts : (k, m)
        Neurons of any norm.
    lengths : (steps,)
        Lengths of the steps.

    Returns
    -------
    (k, m) array
        Unit neurons; a start of norm zero may stay.

    Examples
    --------
    >>> score = Score(np.array([[3.0, 4.0]]), np.ones(1), np.zeros(2), 2)
    >>> march(score, np.ones(1), np.array([[1.0, 0.0]]), LONG).round(1)
    array([[0.6, 0.8]])
    """
    # In the precision of the score.
    sides, starts = sides.astype(score.Z.dtype), starts.astype(score.Z.dtype)
    here = _unit(starts, score.normed)
    best, reached = np.full_like(sides, -np.inf), here.copy()
    for length in lengths.tolist():
        gradients = sides[:, None] * score.gradients(here)
        values = np.einsum("km,km->k", gradients, here)
        better = values > best
        best[better], reached[better] = values[better], here[better]
        here = _unit(here + length * _unit(gradients, here.shape[1]), score.normed)
    return reached


def ascend(points: Points, weights: Weights, given: Array, random: Array, clock: Clock) -> Priced:
    """Go up from all starts, and return the neurons reached that are not almost the same.

    Parameters
    ----------
    points, weights
        The places and the dual vector on them.
    given, random : (k, d + 1)
        Rows (w, b) in the centred coordinates. Given ones go up on the side of their score, random ones on both. In
        free mode they begin with the better of their own bias and the best one for w.
    clock : Clock
        Looked at between batches; once it has expired, what has been reached is returned.
    """
    score = Score.of(points, weights)
    few = int(np.clip(CLIMBED_SIZE // score.Z.size, FEWEST_CLIMBS, MANY_CLIMBS))
    most = max(few, min(len(random) // STARTS_PER_CLIMB, MOST_CLIMBS))
    given, random = _lift(points, given), np.repeat(_lift(points, random), 2, axis=0)
    given_sides = np.where(score(given) >= 0, 1.0, -1.0)
    sides = np.resize([1.0, -1.0], len(random))

    rough, around = score.rough(), slice(len(random) // 2)
    scouts = _Reached.by_march(score, sides, random, LONG, clock, rough)
    neighbours = _Reached.by_march(score, given_sides[around], given[around], AROUND, clock, rough)
    good = np.concatenate([given, neighbours.neurons, scouts.neurons])
    good_sides = np.concatenate([given_sides, neighbours.sides, scouts.sides])
    found = _Reached.by_march(score, good_sides, good, SHORT, clock)
    for k, side in enumerate(found.sides[:most]):
        if clock.expired:
            break
        climb(score.Z, side * score.c, side * score.linear, score.normed, found.neurons[k : k + 1])
    columns = _Reached.best(score, found.sides, found.neurons).neurons
    return points.report(
        weights,
        unlift(points, columns),
        upper=np.inf,
        method="ascent",
        complete=lambda value: False,
        nodes=len(given) + len(random),
    )


@dataclass(frozen=True, eq=False)
class _Reached:
    """Neurons with a positive score on their sides, none almost the same as a better one, the best first."""

    sides: Array
    neurons: Array

    @classmethod
    def by_march(
        cls,
        score: Score,
        sides: Array,
        starts: Array,
        lengths: Array,
        clock: Clock,
        guide: Score | None = None,
    ) -> "_Reached":
        """March in batches, led by a guide if there is one; starts that are not reached in time stay where they are."""
        neurons = _unit(starts, score.normed)
        size = int(np.clip(BATCH_SIZE // len(score.Z), 1, LARGEST_BATCH))
        for begin in range(0, len(neurons), size):
            if clock.expired:
                break
            batch = slice(begin, begin + size)
            begun = _with_best_biases(score, sides[batch], neurons[batch])
            neurons[batch] = march(guide or score, sides[batch], begun, lengths)
        return cls.best(score, sides, neurons)

    @classmethod
    def best(cls, score: Score, sides: Array, neurons: Array) -> "_Reached":
        """Keep the best neurons that are not near each other."""
        values = sides * score(neurons)
        order = np.argsort(-values, kind="stable")
        order = order[values[order] > 0]
        most = int(np.clip(len(neurons) // STARTS_PER_COLUMN, MANY_COLUMNS, MOST_COLUMNS))
        directions = _unit(neurons, neurons.shape[1])
        kept = np.empty(0, dtype=np.intp)
        for k in order:
            near = directions[kept] @ directions[k] > 1 - NEAR**2 / 2
            if not (near & (sides[kept] == sides[k])).any():
                kept = np.append(kept, k)
                if len(kept) == most:
                    break
        return cls(sides[kept], neurons[kept])


def _unit(rows: Array, normed: int) -> Array:
    """Divide rows by the norms of their leading components, where these are not zero."""
    norms = np.linalg.norm(rows[:, :normed], axis=1, keepdims=True)
    return np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)


def _with_best_biases(score: Score, sides: Array, neurons: Array) -> Array:
    """Return neurons with the better of their own bias and the best one for w, in free mode."""
    neurons = neurons.copy()
    if score.normed == neurons.shape[1]:
        return neurons
    moved = neurons.copy()
    for side in (1.0, -1.0):
        moved[sides == side, -1] = best_biases(score.Z, side * score.c, neurons[sides == side])
    better = sides * score(moved) > sides * score(neurons)
    neurons[better] = moved[better]
    return neurons


def random_starts(points: Points, n_starts: int, random_state: int | np.random.Generator | None) -> Array:
    """Draw (w, b) with isotropic w and the hinge through a random place, centred coordinates."""
    n_starts = as_count(n_starts, "n_starts", least=0)
    rng = as_generator(random_state)
    d = points.X.shape[1]
    W = rng.standard_normal((n_starts, d))
    hinges = points.Z[rng.integers(len(points.Z), size=n_starts), :d]
    b = np.zeros(n_starts) if points.bias == "none" else -np.einsum("kd,kd->k", W, hinges)
    return np.column_stack([W, b])


def given_starts(points: Points, starts: ArrayLike) -> Array:
    """Check starts (w, b) in the coordinates of X and bring them to those of the places."""
    rows = as_floats(starts, "starts")
    d = points.X.shape[1]
    if rows.ndim != 2 or rows.shape[1] != d + 1 or not np.isfinite(rows).all():
        raise InputError(f"starts must be finite rows (w, b) of length {d + 1}, not of shape {rows.shape}.")
    rows = rows.copy()
    if points.bias == "free":
        rows[:, -1] = shifted(rows[:, -1] + rows[:, :-1] @ points.centre, -points.exponent)
    return rows


def _lift(points: Points, rows: Array) -> Array:
    """Turn rows (w, b) in the centred coordinates into lifted neurons."""
    lifted = rows[:, : points.lifted.shape[1]].copy()
    if points.bias == "free" and points.radius > 0:
        lifted[:, -1] /= points.radius
    return lifted


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
