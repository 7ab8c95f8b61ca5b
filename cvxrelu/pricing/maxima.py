"""The local maxima in which independent ascents end, and how often each was reached: what a search has seen of a score.

    start, side  ~  one distribution;    start -> end: exact steps uphill (`cvxrelu.pricing.climb`) until none is left

Every ascent draws a start and a side of its own, for the score or for its negative, and none knows of the others, so
their ends are independent draws from one distribution over the local maxima. Directions are isotropic, and a hinge goes
anywhere between two samples (or beyond them, where the bias costs something): every sign pattern may be drawn. A step
maximises a concave function that equals the score as long as no place of positive weight changes sides; so from a start
with the same such places ahead as at a maximum, one step leads there, and no maximum is out of reach. (Long marches, as
in `cvxrelu.pricing.ascent`, end higher on average, but never in some maxima, which may be the largest.) An ascent may
also end in no neuron: where no score on its side is positive, or the neuron is inactive on all the data.

Two ends are the same maximum if they are on one side and no place is strictly on opposite sides of their hinges. Then
the score is linear on a cone that holds both, whose unit neurons form a convex set: its maximisers are connected, and
a local maximum is one of them. That needs no distance, in which the neurons of a flat maximum may be far apart.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import shifted
from cvxrelu.pricing.climb import climb
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.score import Score
from cvxrelu.pricing.starts import lift, unlift
from cvxrelu.pricing.weights import Weights
from cvxrelu.runtime.clock import Clock

__all__ = ["Maxima", "find_maxima"]

Array = NDArray[np.float64]

ON_HINGE = 1e-7
"""A place this close to the hinge of a unit neuron, relative to its norm, counts as on it, and so on either side. (From
1e-8 to 1e-4, the number of maxima is the same on ordinary data.)"""

SAME_SCORE = 1e-6
"""Ends whose scores differ by more than this share of the largest are not compared, to save time: those of one maximum
mostly agree to 1e-12. One that stopped before, or on the wrong side of a place, counts as a maximum of its own, which
makes the search look less complete than it is."""

TERMS = 256.0
"""Sums of a score have as many terms as there are samples, and this many more: scores below their rounding are none."""

BEYOND = 1.0
"""How far beyond two samples a hinge is drawn, as a multiple of their distance, where the bias costs something."""

DRAWN = 256
"""Starts drawn at a time."""

RETURNS = 4
"""Times that a hinge which has left the data is taken back to the last place, from where the way may lead on."""


@dataclass(frozen=True, eq=False)
class Maxima:
    """The distinct local maxima that independent ascents ended in.

    Attributes
    ----------
    ascents : int
        Ascents that came to an end.
    W, b : (k, d) and (k,) arrays
        The unit neurons at the maxima.
    scores : (k,) array
        Their signed scores, by decreasing absolute value.
    counts : (k,) array of int
        How many ascents ended in each; those that ended in no neuron are missing from the sum.

    Examples
    --------
    >>> maxima = Maxima(5, np.eye(2), np.zeros(2), np.array([3.0, -2.0]), np.array([4, 1]))
    >>> maxima.largest, maxima.once
    (3.0, 1)
    """

    ascents: int
    W: Array
    b: Array
    scores: Array
    counts: NDArray[np.intp]

    @property
    def largest(self) -> float:
        """The largest absolute score; 0.0 if there is none."""
        return float(np.max(np.abs(self.scores), initial=0.0))

    @property
    def once(self) -> int:
        """How many maxima were reached by a single ascent."""
        return int(np.sum(self.counts == 1))


def find_maxima(points: Points, weights: Weights, n_ascents: int, rng: np.random.Generator, clock: Clock) -> Maxima:
    """Ascend from random starts, and count where the ascents end.

    Parameters
    ----------
    points, weights
        The places and the dual vector on them.
    n_ascents : int
        How many.
    rng : numpy.random.Generator
        Of the starts and their sides.
    clock : Clock
        Looked at between ascents; those that have not ended when it expires do not count.
    """
    score, noise = Score.of(points, weights), weights.margin(len(points.X) + TERMS)
    ascents, parts = 0, [_Ends.none(score)]
    while ascents < n_ascents and not clock.expired:
        count = min(DRAWN, n_ascents - ascents)
        sides, neurons, ended = rng.choice(points.sides, count), lift(points, _starts(points, count, rng)), 0
        while ended < count and not clock.expired:
            _go_up(score, sides[ended], neurons[ended : ended + 1])
            ended += 1
        ascents += ended
        parts.append(_Ends.of(score, sides[:ended], neurons[:ended], noise))
    ends = _Ends.together(parts)
    first, counts = _distinct(ends, score.Z)
    rows = unlift(points, ends.neurons[first])
    W, b = rows[:, :-1], rows[:, -1]
    if points.bias == "free":
        b = shifted(b, points.exponent) - W @ points.centre
    return Maxima(ascents, W, b, shifted((ends.sides * ends.values)[first], weights.exponent), counts)


def _starts(points: Points, count: int, rng: np.random.Generator) -> Array:
    """Draw rows (w, b) in the centred coordinates."""
    d = points.X.shape[1]
    W, places = rng.standard_normal((count, d)), points.Z[:, :d]
    first, second = places[rng.integers(len(places), size=(2, count))]
    reach = BEYOND if points.bias == "joint" else 0.0
    hinges = first + rng.uniform(-reach, 1 + reach, (count, 1)) * (second - first)
    b = -np.einsum("kd,kd->k", W, hinges) / (points.Z[0, -1] if points.bias == "joint" else 1.0)
    return np.column_stack([W, np.zeros(count) if points.bias == "none" else b])


def _go_up(score: Score, side: float, neuron: Array) -> None:
    """Climb from a start (1, m), which is overwritten; in free mode the hinge stays among the places."""
    for _ in range(RETURNS):
        climb(score.Z, side * score.c, side * score.linear, score.normed, neuron)
        if score.normed == neuron.shape[1]:
            return
        # Beyond the data the bias makes no difference, so the way uphill may be on the other end of nowhere.
        radius, t = score.Z[0, -1], score.Z[:, :-1] @ neuron[0, :-1]
        bias = float(np.clip(radius * neuron[0, -1], -t.max(), -t.min()))
        if radius == 0 or bias == radius * neuron[0, -1]:
            return
        neuron[0, -1] = bias / radius


@dataclass(frozen=True, eq=False)
class _Ends:
    """Where ascents ended: sides (k,), scores on them (k,), all positive, and lifted neurons (k, m)."""

    sides: Array
    values: Array
    neurons: Array

    @classmethod
    def none(cls, score: Score) -> "_Ends":
        """Return no ends."""
        return cls(np.empty(0), np.empty(0), np.empty((0, score.Z.shape[1])))

    @classmethod
    def of(cls, score: Score, sides: Array, neurons: Array, noise: float) -> "_Ends":
        """Return the ends that score more than rounding does."""
        values = sides * score(neurons)
        scoring = values > noise
        return cls(sides[scoring], values[scoring], neurons[scoring])

    @classmethod
    def together(cls, parts: "list[_Ends]") -> "_Ends":
        """Put ends together, the best first."""
        values = np.concatenate([part.values for part in parts])
        order = np.argsort(-values, kind="stable")
        sides, neurons = np.concatenate([part.sides for part in parts]), np.vstack([part.neurons for part in parts])
        return cls(sides[order], values[order], neurons[order])


def _distinct(ends: _Ends, Z: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the best end of each maximum, the best maximum first, and how many ends it stands for."""
    values, sides, neurons = ends.values, ends.sides, ends.neurons
    first, counts = np.zeros(len(values), dtype=np.intp), np.zeros(len(values), dtype=np.intp)
    hinge, reach = ON_HINGE * np.linalg.norm(Z, axis=1)[:, None], SAME_SCORE * np.max(values, initial=0.0)
    begin, end = 0, 0
    for k, value in enumerate(values):
        while begin < end and values[first[begin]] > value + reach:
            begin += 1
        known = first[begin:end]
        here, there = Z @ neurons[k][:, None], Z @ neurons[known].T
        apart = ((np.minimum(here, there) < -hinge) & (np.maximum(here, there) > hinge)).any(axis=0)
        same = ~apart & (sides[known] == sides[k])
        if same.any():
            counts[begin + int(np.argmax(same))] += 1
        else:
            first[end], counts[end] = k, 1
            end += 1
    return first[:end], counts[:end]
