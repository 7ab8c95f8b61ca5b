"""Steps along the gradient of a score on the sphere, from many starts at once.

    u <- u + t G(u) / norm(G(u)), then back to norm one, for falling t;   G(u) = g0 + sum over z_i . u > 0 of c_i z_i

The best point on the way counts (`cvxrelu.pricing.ascent` explains why). For few points and starts, calls of
NumPy would take most of the time: a step is compiled, with starts in the columns, which is what vector units like. Of
many, products of matrices are as fast as it gets.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.score import Score
from cvxrelu.pricing.starts import unit_rows
from cvxrelu.runtime.compiled import kernel

__all__ = ["march", "march_by_products"]

Array = NDArray[np.float64]

SMALL = 2**18
"""(Point, coordinate, start) triples up to which the compiled loop is faster."""


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
    >>> march(score, np.ones(1), np.array([[1.0, 0.0]]), np.geomspace(1.0, 1e-2, 60)).round(1)
    array([[0.6, 0.8]])
    """
    if score.Z.size * len(starts) <= SMALL:
        Z, c, linear = (np.asarray(part, dtype=np.float64) for part in (score.Z, score.c, score.linear))
        columns = np.array(starts.T, dtype=np.float64, order="C")
        return _march(Z, c, linear, score.normed, sides, columns, lengths).T
    return march_by_products(score, sides, starts, lengths)


def march_by_products(score: Score, sides: Array, starts: Array, lengths: Array) -> Array:
    """Do what `march` does by products of matrices, in the precision of the score."""
    sides, starts = sides.astype(score.Z.dtype), starts.astype(score.Z.dtype)
    here = unit_rows(starts, score.normed)
    best, reached = np.full_like(sides, -np.inf), here.copy()
    for length in lengths.tolist():
        gradients = score.gradients(here)
        gradients *= sides[:, None]
        values = np.einsum("km,km->k", gradients, here)
        better = values > best
        np.copyto(best, values, where=better)
        np.copyto(reached, here, where=better[:, None])
        steps = unit_rows(gradients, here.shape[1])
        steps *= length
        steps += here
        here = unit_rows(steps, score.normed)
    return reached


@kernel(error_model="numpy", nogil=True)
def _to_unit(columns: Array, normed: int, sizes: Array) -> None:
    """Divide columns by the norms of their leading components, where these are not zero."""
    m, k = columns.shape
    for s in range(k):
        sizes[s] = 0.0
    for q in range(normed):
        for s in range(k):
            sizes[s] += columns[q, s] * columns[q, s]
    for s in range(k):
        sizes[s] = np.sqrt(sizes[s]) if sizes[s] > 0 else np.inf
    for q in range(m):
        for s in range(k):
            columns[q, s] /= sizes[s]


@kernel(error_model="numpy", nogil=True)
def _march(Z: Array, c: Array, linear: Array, normed: int, sides: Array, columns: Array, lengths: Array) -> Array:
    """Do what `march` does, in double precision, with starts in the columns of a matrix, which is overwritten."""
    n, m = Z.shape
    k = columns.shape[1]
    gradients, heights, best = np.empty((m, k)), np.empty(k), np.empty(k)
    _to_unit(columns, normed, heights)
    reached = columns.copy()
    for s in range(k):
        best[s] = -np.inf
    for step in range(len(lengths)):
        for q in range(m):
            for s in range(k):
                gradients[q, s] = linear[q]
        for i in range(n):
            for s in range(k):
                heights[s] = 0.0
            for q in range(m):
                z = Z[i, q]
                for s in range(k):
                    heights[s] += z * columns[q, s]
            for q in range(m):
                z = c[i] * Z[i, q]
                for s in range(k):
                    gradients[q, s] += z if heights[s] > 0 else 0.0
        for s in range(k):
            heights[s] = 0.0
        for q in range(m):
            for s in range(k):
                gradients[q, s] *= sides[s]
                heights[s] += gradients[q, s] * columns[q, s]
        for s in range(k):
            if heights[s] > best[s]:
                best[s] = heights[s]
                for q in range(m):
                    reached[q, s] = columns[q, s]
        _to_unit(gradients, m, heights)
        for q in range(m):
            for s in range(k):
                columns[q, s] += lengths[step] * gradients[q, s]
        _to_unit(columns, normed, heights)
    return reached
