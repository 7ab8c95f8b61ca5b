"""Local ascent on the score from many starts at once: cheap columns, no proof.

    u <- u + t G(u) / norm(G(u)), then back to norm one, for falling t;   G(u) = g0 + sum over z_i . u > 0 of c_i z_i

All starts march together, by matrix products. The score is positively homogeneous, F(u) = G(u) . u, so this is a damped
power iteration: where F is smooth it settles at maxima, for there G is parallel to u. The lengths t do not depend on
success, because at kinks, where line searches get stuck, only short steps help; the best point on the way counts. Long
steps take random starts to good regions, and look around the starts that are given, in single precision; short ones
take the best of them, and the starts that are given, to maxima. The best of these are climbed to the end
(`cvxrelu.pricing.climb`), which gets the kinks exactly right.

Starts are drawn at random, and between pairs of those that are given: near neurons in use good ones are found up to
thirty times as often, but some only elsewhere. Where a threshold says what is worth finding, the fewer starts end above
it, the more are drawn. Every start goes up on one side: for the score or for its negative.
"""

from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from joblib import delayed
from numpy.typing import NDArray

from cvxrelu.pricing.climb import best_biases, climb
from cvxrelu.pricing.march import march
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.score import Score, sides_of
from cvxrelu.pricing.starts import between, lift, random_starts, unit_rows, unlift
from cvxrelu.pricing.weights import Weights
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.compiled import kernel
from cvxrelu.runtime.parallel import results_of

__all__ = ["DEFAULT_STARTS", "Reached", "ascend", "far_apart"]

Array = NDArray[np.float64]

DEFAULT_STARTS = 16
"""Random starts of an ascent; each goes up for the score and for its negative."""

LONG = np.geomspace(1.0, 1e-2, 60)
"""Steps from random starts, across the sphere at first: the slower they fall, the better the region where they end."""

AROUND = np.geomspace(0.5, 1e-2, 30)
"""Steps from between pairs of the given starts, to the maxima nearby."""

SHORT = np.geomspace(0.2, 1e-4, 30)
"""Steps from good starts, long enough to follow a maximum that has moved since."""

FIRST_STARTS, PAIRED = 32, 0.5
"""Random starts of the first round, each of which doubles the number; and starts between pairs for each of them."""

ENOUGH, EARLY = 16, 0.25
"""Starts that end above a threshold after which no more are drawn, and the share of all starts after which one will do;
in between, the number that is enough falls."""

BATCH_SIZE, LARGEST_BATCH = 2**17, 512
"""(Point, start) pairs that march together, a megabyte that stays in the cache; and starts, to look at the clock."""

WELL_FILLED, MOST_PAIRS = 32, 2**22
"""Starts that march together however many points there are, for matrix products of few rows are slow: a tenth less time
than with twelve on 20,000 points; and pairs beyond which memory counts more."""

NEAR = 3e-3
"""Of the neurons of one side that are closer than this (an angle) the best is kept: the others would add little."""

STARTS_PER_COLUMN, MANY_COLUMNS, MOST_COLUMNS = 8, 300, 2500
"""Neurons kept after a march, the best ones: one for so many of its starts, always so many, and at most so many."""

CLIMBED_SIZE, FEWEST_CLIMBS, MANY_CLIMBS = 200_000, 8, 64
"""Climbs times the size of the lifted data, and limits: they are to take no longer than the marches."""

CLIMBED_TOGETHER = 2**13
"""Climbs times the size of the lifted data in one call, which takes milliseconds: on a dozen points each climb takes as
long as a call."""

CLEAR, STARTS_PER_CLIMB, MOST_CLIMBS = 0.1, 8, 250
"""Where no score is above the threshold by this share, digits count: many starts then go with more climbs, one for so
many of them, up to a limit."""


def ascend(
    points: Points,
    weights: Weights,
    given: Array,
    n_starts: int,
    threshold: float,
    rng: np.random.Generator,
    clock: Clock,
    n_jobs: int = 1,
) -> Priced:
    """Go up from all starts, and return the neurons reached that are not almost the same.

    Parameters
    ----------
    points, weights
        The places and the dual vector on them.
    given : (k, d + 1)
        Rows (w, b) in the centred coordinates, which go up on the side of their score. In free mode starts begin with
        the better of their own bias and the best one for w.
    n_starts : int
        The most random starts, each of which goes up on both sides.
    threshold : float
        Score of these weights on these places that is worth finding.
    rng : numpy.random.Generator
        Of the starts.
    clock : Clock
        Looked at between batches; once it has expired, what has been reached is returned.
    n_jobs : int, default 1
        Workers of joblib for the batches and the climbs, threads unless it is told otherwise.
    """
    score = Score.of(points, weights)
    given = lift(points, given)
    sides = sides_of(score, given, points.sides)
    found, drawn, hits = Reached.by_march(score, sides, given, SHORT, clock, n_jobs=n_jobs), 0, 0
    while drawn < n_starts and not (hits and hits / ENOUGH + drawn / (EARLY * n_starts) >= 1) and not clock.expired:
        fresh = min(max(drawn, FIRST_STARTS), n_starts - drawn)
        random = lift(points, random_starts(points, fresh, rng))
        reached = _scouted(score, points.sides, random, between(given, int(PAIRED * fresh), rng), clock, n_jobs)
        hits += int(reached.counts[reached.values > threshold].sum())
        found, drawn = found + reached, drawn + fresh
    found = found.best(score.even)
    climbs = int(np.clip(CLIMBED_SIZE // score.Z.size, FEWEST_CLIMBS, MANY_CLIMBS))
    if found.values.max(initial=0.0) <= threshold * (1 + CLEAR):
        climbs = max(climbs, min(2 * n_starts // STARTS_PER_CLIMB, MOST_CLIMBS))
    batches = _climbing_batches(found.sides[:climbs], score.Z.size)
    climbing = (
        delayed(_climbed)(score, found.sides[batch[0]], found.neurons[batch])
        for batch in takewhile(lambda _: not clock.expired, batches)
    )
    for batch, (tops, values) in zip(batches, results_of(climbing, n_jobs, "threads"), strict=False):
        found.neurons[batch], found.values[batch] = tops, values
    columns = found.best(score.even).neurons
    return points.report(
        weights,
        unlift(points, columns),
        upper=np.inf,
        method="ascent",
        complete=lambda value: False,
        nodes=len(given) + drawn,
    )


def _climbing_batches(sides: Array, size: int) -> list[NDArray[np.intp]]:
    """Return which neurons climb in one call, those of one side, in the order of the best of each batch."""
    together = max(CLIMBED_TOGETHER // size, 1)
    alike = [np.flatnonzero(sides == side) for side in (1.0, -1.0)]
    batches = [rows[begin : begin + together] for rows in alike for begin in range(0, len(rows), together)]
    return sorted(batches, key=lambda rows: int(rows[0]))


def _climbed(score: Score, side: float, neurons: Array) -> tuple[Array, Array]:
    """Return where climbs from neurons end, and the scores on their side."""
    tops = neurons.copy()
    return tops, climb(score.Z, side * score.c, side * score.linear, score.normed, tops)


def _marched(score: Score, guide: Score, sides: Array, neurons: Array, lengths: Array) -> tuple[Array, Array]:
    """Return where a batch that is led by a guide ends, and the scores on their sides."""
    ends = march(guide, sides, _with_best_biases(score, sides, neurons), lengths)
    return ends, sides * score(ends)


def _scouted(
    score: Score, sides: tuple[float, ...], random: Array, paired: Array, clock: Clock, n_jobs: int
) -> "Reached":
    """Take long steps from new starts, random ones on both sides, and short ones from the best of where they end."""
    rough, both = score.rough(), np.repeat(random, 2, axis=0)
    scouts = Reached.by_march(score, np.resize(sides, len(both)), both, LONG, clock, rough, n_jobs=n_jobs)
    neighbours = Reached.by_march(score, sides_of(score, paired, sides), paired, AROUND, clock, rough, n_jobs=n_jobs)
    good = scouts + neighbours
    return Reached.by_march(score, good.sides, good.neurons, SHORT, clock, counts=good.counts, n_jobs=n_jobs)


@dataclass(frozen=True, eq=False)
class Reached:
    """Neurons with a positive score on their sides, none almost the same as a better one, the best first.

    Attributes
    ----------
    sides, neurons : (k,), (k, m)
        1.0 where the score is positive and -1.0 where it is negative; lifted neurons.
    values : (k,)
        Their scores, without the sign.
    counts : (k,)
        How many starts came to them.
    """

    sides: Array
    neurons: Array
    values: Array
    counts: NDArray[np.intp]

    def __add__(self, other: "Reached") -> "Reached":
        """Put together without looking who is the same or better."""
        return Reached(
            np.append(self.sides, other.sides),
            np.vstack([self.neurons, other.neurons]),
            np.append(self.values, other.values),
            np.append(self.counts, other.counts),
        )

    @classmethod
    def by_march(
        cls,
        score: Score,
        sides: Array,
        starts: Array,
        lengths: Array,
        clock: Clock,
        guide: Score | None = None,
        counts: NDArray[np.intp] | None = None,
        n_jobs: int = 1,
    ) -> "Reached":
        """March in batches, led by a guide if there is one; starts that are not reached in time stay where they are."""
        neurons = unit_rows(starts, score.normed)
        n = len(score.Z)
        size = max(min(BATCH_SIZE // n, LARGEST_BATCH), min(WELL_FILLED, MOST_PAIRS // n), 1)
        # Batches are the same whoever marches them, alike and even in number or nearly so: two workers end together.
        count = -(-len(neurons) // (2 * size)) * 2 if len(neurons) > size else 1
        size = max(-(-len(neurons) // count), 1)
        batches = [slice(begin, begin + size) for begin in range(0, len(neurons), size)]
        marches = (
            delayed(_marched)(score, guide or score, sides[batch], neurons[batch].copy(), lengths)
            for batch in batches
            if not clock.expired
        )
        values, marched = np.empty(len(neurons)), 0
        n_jobs = n_jobs if len(batches) > 1 else 1
        for batch, (ends, heights) in zip(batches, results_of(marches, n_jobs, "threads"), strict=False):
            neurons[batch], values[batch], marched = ends, heights, batch.stop
        values[marched:] = sides[marched:] * score(neurons[marched:])
        counts = np.ones(len(neurons), dtype=np.intp) if counts is None else counts
        return cls(sides, neurons, values, counts).best(score.even)

    def best(self, even: bool) -> "Reached":
        """Keep the best neurons that are not near each other; in the even case opposite ones are the same."""
        order = np.argsort(-self.values, kind="stable")
        order = order[self.values[order] > 0]
        most = int(np.clip(len(self.neurons) // STARTS_PER_COLUMN, MANY_COLUMNS, MOST_COLUMNS))
        directions = unit_rows(self.neurons[order], self.neurons.shape[1])
        kept, counts = far_apart(directions, self.sides[order], self.counts[order], even, most)
        best = order[kept]
        return Reached(self.sides[best], self.neurons[best], self.values[best], counts)


@kernel(error_model="numpy", nogil=True)
def far_apart(
    directions: Array, sides: Array, starts: NDArray[np.intp], even: bool, most: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows that are not near an earlier one of these on their side, and how many starts come to each.

    A row's starts count for the first of these that it is near. In the even case opposite directions are the same.
    """
    n, m = directions.shape
    kept, counts = np.empty(most, np.intp), np.empty(most, np.intp)
    size = 0
    for i in range(n):
        place = 0
        while place < size:
            j = kept[place]
            if sides[i] == sides[j]:
                cosine = 0.0
                for q in range(m):
                    cosine += directions[i, q] * directions[j, q]
                if (abs(cosine) if even else cosine) > 1 - NEAR**2 / 2:
                    break
            place += 1
        if place < size:
            counts[place] += starts[i]
        elif size < most:
            kept[size], counts[size] = i, starts[i]
            size += 1
    return kept[:size], counts[:size]


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
