"""Exact local ascent on the score of a dual vector, step by step, from one start after another.

The score is a difference of sublinear functions, F = P - M with P(u) = g0 . u + sum over c_i > 0 of c_i
max(z_i . u, 0). One step replaces P by its tangent at u, which is below P, and maximises the concave rest
over the unit ball exactly (`cvxrelu.pricing.relaxation`), kinks included: F never decreases, and a point that
stays where it is satisfies the first-order conditions (the convex-concave procedure of Yuille and Rangarajan,
2003). It ends after a few steps.

In free mode the bias can be chosen exactly for a direction, at the best of the n hinges, by cumulative sums; the steps
move it together with w, in coordinates sheared so that the current bias costs nothing.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.compiled import kernel
from cvxrelu.pricing.relaxation import relax, scratch_for

__all__ = ["best_biases", "climb"]

Array = NDArray[np.float64]

MOST_STEPS = 100
"""Steps of one climb; a handful is usual."""

PROGRESS = 1e-12
"""Relative gain of a step below which a climb ends."""

SHEAR = 1e-3
"""Cost of moving the bias away from the current hinge in free mode: small enough not to hold it back."""

TIE = 1e-10
"""A place this close to the hinge, relative to its norm, is on it."""


@kernel(error_model="numpy")
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


@kernel(error_model="numpy")
def best_biases(Z: Array, c: Array, neurons: Array) -> Array:
    """Return biases that put each hinge through the place where the score is largest, for w as it is.

    With t_i = z_i . w (bias part left out) ascending, the score at the hinge t_k is
    linear + sum_{i > k} c_i (t_i - t_k). The linear part does not depend on the bias, for v sums to zero.

    Parameters
    ----------
    Z, c : (n, m), (n,)
        Lifted points, whose last column is their radius, and ReLU weights.
    neurons : (k, m)
        Of which the last column is ignored.

    Returns
    -------
    biases : (k,)
        For that column.
    """
    n, m = Z.shape
    biases = np.zeros(len(neurons))
    if Z[0, m - 1] == 0:
        return biases
    for j in range(len(neurons)):
        t = np.zeros(n)
        for i in range(n):
            for q in range(m - 1):
                t[i] += Z[i, q] * neurons[j, q]
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
        biases[j] = -hinge / Z[0, m - 1]
    return biases


@kernel(error_model="numpy")
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
