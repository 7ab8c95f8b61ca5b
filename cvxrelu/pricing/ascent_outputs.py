r"""Local ascent on the score of several outputs: cheap columns, no proof.

    norm(F(u)),   F(u) = G0 u + sum_i C_i max(z_i . u, 0) in R^K

    q <- F(u) / norm(F(u)),   u <- a better neuron for the score q . F(u) of one output

Marches take short steps along the gradient of q . F from all starts at once (`cvxrelu.pricing.ascent` says why), with q
new in every step. From the best ends, climbs of one output, which get the kinks exactly right, alternate with q:
norm(F) is the largest q . F over unit q, so neither ever lowers it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.pricing.climb import climb
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.starts import between, lift, random_starts, unit_rows, unlift
from cvxrelu.pricing.weights import Weights
from cvxrelu.runtime.clock import Clock

__all__ = ["NormScore", "ascend_outputs"]

Array = NDArray[np.float64]

LONG, SHORT = np.geomspace(1.0, 1e-2, 40), np.geomspace(0.2, 1e-3, 30)
"""Steps from random starts, and from given ones and from where the others end."""

SCOUTED = np.geomspace(1.0, 1e-2, 20), np.geomspace(0.2, 1e-2, 10)
"""The same of scouts."""

BATCH_SIZE = 2**20
"""(Point, start) pairs that march together."""

HINGES = 2**21
"""(Point, start, output) triples up to which the best of all biases is looked for."""

NEAR = 3e-3
"""Of neurons that are closer than this (an angle) the best is kept."""

CLIMBED_SIZE, FEWEST_CLIMBS, MOST_CLIMBS, TURNS = 400_000, 4, 24, 10
"""Climbs times the size of the lifted data, limits of their number, and changes of q in each."""

PROGRESS = 1e-10
"""Relative gain of a change of q below which a climb ends."""

MOST_COLUMNS = 500
"""Neurons kept, the best ones."""


@dataclass(frozen=True, eq=False)
class NormScore:
    """F of lifted neurons.

    Attributes
    ----------
    Z, C, G : (n, m), (n, K), (K, m)
        Lifted points, ReLU weights and linear part.
    normed : int
        Number of leading components of a neuron whose norm is 1; m, or m - 1 in free mode.
    even : bool
        Whether norm(F(-u)) = norm(F(u)), up to rounding.

    Examples
    --------
    >>> score = NormScore(np.eye(2), np.eye(2), np.zeros((2, 2)), 2)
    >>> score(np.array([[3.0, 4.0], [-1.0, 1.0]]))
    array([5., 1.])
    """

    Z: Array
    C: Array
    G: Array
    normed: int
    even: bool = False

    @classmethod
    def of(cls, points: Points, weights: Weights) -> "NormScore":
        """Return the score of a dual matrix."""
        Z, a = np.ascontiguousarray(points.lifted), points.negative_slope
        return cls(Z, (1 - a) * weights.v, a * (weights.v.T @ Z), Z.shape[1] - (points.bias == "free"), points.even)

    def vectors(self, neurons: Array) -> Array:
        """Return F of each row, (k, K)."""
        return neurons @ self.G.T + np.maximum(neurons @ self.Z.T, 0.0) @ self.C

    def __call__(self, neurons: Array) -> Array:
        """Return norm(F) of each row."""
        return row_sizes(self.vectors(neurons))

    def march(self, starts: Array, lengths: Array) -> Array:
        """Take steps along the gradient on the sphere, and return the best neurons on the way."""
        here = unit_rows(starts, self.normed)
        best, reached = np.full(len(here), -np.inf), here.copy()
        for length in lengths.tolist():
            heights = here @ self.Z.T
            vectors = here @ self.G.T + np.maximum(heights, 0.0) @ self.C
            values = row_sizes(vectors)
            better = values > best
            best[better], reached[better] = values[better], here[better]
            turned = unit_rows(vectors, vectors.shape[1])
            gradients = turned @ self.G + ((heights > 0) * (turned @ self.C.T)) @ self.Z
            here = unit_rows(here + length * unit_rows(gradients, here.shape[1]), self.normed)
        return reached

    def with_best_biases(self, neurons: Array) -> Array:
        """Return neurons with the better of their own bias and the best one for w, in free mode."""
        if self.normed == neurons.shape[1] or self.Z[0, -1] == 0 or len(neurons) * self.C.size > HINGES:
            return neurons
        moved = neurons.copy()
        t = neurons[:, :-1] @ self.Z[:, :-1].T
        order = np.argsort(-t, axis=1)
        t, C = np.take_along_axis(t, order, axis=1)[..., None], self.C[order]
        mass, moment = np.cumsum(C, axis=1) - C, np.cumsum(C * t, axis=1) - C * t
        linear = neurons[:, :-1] @ self.G[:, :-1].T
        best = np.argmax(
            row_sizes((linear[:, None] + moment - mass * t).reshape(-1, C.shape[2])).reshape(order.shape), 1
        )
        moved[:, -1] = -t[np.arange(len(t)), best, 0] / self.Z[0, -1]
        return np.where((self(moved) > self(neurons))[:, None], moved, neurons)

    def climbed(self, neuron: Array) -> Array:
        """Return where climbs from a neuron in its own direction q end, with q new after each."""
        top, value = unit_rows(neuron[None], self.normed), 0.0
        for _ in range(TURNS):
            vector = self.vectors(top)[0]
            size = float(np.linalg.norm(vector))
            if not size > value * (1 + PROGRESS):
                break
            value, q = size, vector / size
            climb(self.Z, self.C @ q, q @ self.G, self.normed, top)
        return top[0]

    def distinct(self, neurons: Array) -> Array:
        """Return the best neurons that are not near each other, the best first."""
        values = self(neurons)
        order = np.argsort(-values, kind="stable")
        order = order[values[order] > 0]
        directions, kept = unit_rows(neurons, neurons.shape[1]), []
        for k in order:
            near = directions[kept] @ directions[k]
            if (np.abs(near) if self.even else near).max(initial=-1.0) <= 1 - NEAR**2 / 2:
                kept.append(int(k))
                if len(kept) == MOST_COLUMNS:
                    break
        return neurons[kept]


def ascend_outputs(
    points: Points,
    weights: Weights,
    given: Array,
    n_starts: int,
    rng: np.random.Generator,
    clock: Clock,
    quick: bool = False,
) -> Priced:
    """Go up from all starts, and return the neurons reached that are not almost the same.

    Parameters
    ----------
    points, weights
        The places and the dual matrix on them.
    given : (k, d + 1)
        Rows (w, b) in the centred coordinates, to start from beside random ones.
    n_starts : int
        Random starts, and half as many between pairs of the given ones.
    rng : numpy.random.Generator
        Of the starts.
    clock : Clock
        Looked at between batches; once it has expired, what has been reached is returned.
    quick : bool, default False
        Whether to take fewer steps, and leave it at where they end.

    Examples
    --------
    >>> points = Points.prepare([[1.0, 0.0], [0.0, 1.0]], "none", 0.0)
    >>> weights = points.weigh([[3.0, 0.0], [0.0, 4.0]])
    >>> priced = ascend_outputs(points, weights, np.empty((0, 3)), 8, np.random.default_rng(0), Clock())
    >>> round(priced.value, 9)
    4.0
    """
    score = NormScore.of(points, weights)
    given = lift(points, given)
    random = np.vstack([lift(points, random_starts(points, n_starts, rng)), between(given, n_starts // 2, rng)])
    reached = [given]
    size = max(1, BATCH_SIZE // len(score.Z))
    far, near = SCOUTED if quick else (LONG, SHORT)
    for starts, marches in ((given, (near,)), (random, (far, near))):
        for begin in range(0, len(starts), size):
            if clock.expired:
                break
            batch = score.with_best_biases(unit_rows(starts[begin : begin + size], score.normed))
            for lengths in marches:
                batch = score.with_best_biases(score.march(batch, lengths))
            reached.append(batch)
    found = score.distinct(np.vstack(reached))
    if not quick:
        climbs = int(np.clip(CLIMBED_SIZE // score.Z.size, FEWEST_CLIMBS, MOST_CLIMBS))
        tops = [score.climbed(neuron) for neuron in found[:climbs] if not clock.expired]
        found = score.distinct(np.vstack([*tops, found]))
    return points.report(
        weights,
        unlift(points, found),
        upper=np.inf,
        method="ascent",
        complete=lambda value: False,
        nodes=len(given) + n_starts,
    )
