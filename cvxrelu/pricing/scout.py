r"""Quick ascent for many samples: long steps on a part of them, short ones on all, from the best that were found.

    F(u) = sum_i v_i sigma(z_i.u)   ~   (N / n) sum over n of the samples,   to within some sqrt(N / n) / sqrt(N) of it

A neuron that is much better than those in use is so on a part of the samples, too. What the part only seems to show
goes down again on all of them. Steps are in single precision, and nothing is climbed to the end: what is found here
joins a network and moves on with it. Where this finds nothing, `cvxrelu.pricing.ascent` looks again, with all samples.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.ascent import Reached
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.score import Score, sides_of
from cvxrelu.pricing.starts import between, lift, random_starts, unlift
from cvxrelu.pricing.weights import Weights
from cvxrelu.runtime.clock import Clock

__all__ = ["scout"]

Array = NDArray[np.float64]

# Samples that scouts look at: so many, so many for every feature, or this share of all, whatever is most. Of fewer a
# neuron can make much that says nothing of the others.
FEWEST_SEEN, SEEN_A_FEATURE, SHARE_SEEN = 2000, 400, 0.25
# Steps from random starts, from between given ones, and on all samples; and from random starts where there are many,
# which is to find more.
FAR, NEAR, LAST = np.geomspace(1.0, 1e-2, 24), np.geomspace(0.5, 1e-2, 16), np.geomspace(0.2, 1e-3, 16)
FARTHER, MANY_STARTS = np.geomspace(1.0, 1e-2, 60), 32
# How many of the places that scouts find are looked at again, on all samples, at least; one for every start.
FOLLOWED = 24


def scout(
    points: Points,
    weights: Weights,
    given: Array,
    n_starts: int,
    rng: np.random.Generator,
    clock: Clock,
    n_jobs: int = 1,
) -> Priced:
    """Go up from random starts on a part of the samples, and from the best ends and the given neurons on all of them.

    Parameters
    ----------
    points, weights
        The places and the dual vector on them.
    given : (k, d + 1)
        Rows (w, b) in the centred coordinates.
    n_starts : int
        Random starts, each of which goes up on both sides, and as many between pairs of the given ones.
    rng : numpy.random.Generator
        Of the starts and of the part.
    clock : Clock
        Looked at between batches; once it has expired, what has been reached is returned.
    n_jobs : int, default 1
        Workers of joblib for the batches, threads unless it is told otherwise.
    """
    score, given = Score.of(points, weights), lift(points, given)
    seen = _seen(score, rng)
    random, paired = (
        np.repeat(lift(points, random_starts(points, n_starts, rng)), 2, axis=0),
        between(given, n_starts, rng),
    )
    steps, followed = FARTHER if n_starts >= MANY_STARTS else FAR, max(FOLLOWED, n_starts)
    far = Reached.by_march(
        seen, np.resize(points.sides, len(random)), random, steps, clock, seen.rough(), n_jobs=n_jobs
    )
    near = Reached.by_march(
        seen, sides_of(seen, paired, points.sides), paired, NEAR, clock, seen.rough(), n_jobs=n_jobs
    )
    found = (far + near).best(seen.even)
    starts = np.vstack([given, found.neurons[:followed]])
    sides = np.append(sides_of(score, given, points.sides), found.sides[:followed])
    reached = Reached.by_march(score, sides, starts, LAST, clock, score.rough(), n_jobs=n_jobs)
    return points.report(
        weights,
        unlift(points, reached.neurons),
        upper=np.inf,
        method="ascent",
        complete=lambda value: False,
        nodes=len(given) + 2 * n_starts,
    )


def _seen(score: Score, rng: np.random.Generator) -> Score:
    """Return the score on a random part of the samples, times what makes it comparable; all of it if it is small."""
    n = len(score.c)
    size = max(FEWEST_SEEN, SEEN_A_FEATURE * score.normed, round(SHARE_SEEN * n))
    if size >= n:
        return score
    rows = np.sort(rng.choice(n, size, replace=False))
    c = score.c[rows] * (n / size)
    if score.normed < score.Z.shape[1]:
        # Else a bias could raise the score for ever.
        c = c - c.mean()
    return Score(np.ascontiguousarray(score.Z[rows]), c, score.linear, score.normed)
