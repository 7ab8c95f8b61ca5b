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

from cvxrelu.pricing.relaxation import relax, scratch_for
from cvxrelu.runtime.compiled import kernel

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
    radius = Z[0, -1]
    if radius == 0:
        return np.zeros(len(neurons))
    t = neurons[:, :-1] @ Z[:, :-1].T
    order = np.argsort(-t, axis=1)
    t, weights = np.take_along_axis(t, order, axis=1), c[order]
    # Sums over the places beyond the hinge.
    mass = np.cumsum(weights, axis=1) - weights
    moment = np.cumsum(weights * t, axis=1) - weights * t
    best = np.argmax(moment - mass * t, axis=1)
    return -t[np.arange(len(t)), best] / radius


@kernel(error_model="numpy")
def _length(u: Array, count: int) -> float:
    """Return the norm of the leading components."""
    total = 0.0
    for q in range(count):
        total += u[q] * u[q]
    return np.sqrt(total)


@kernel(error_model="numpy", nogil=True)
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
    concave = np.empty(n, np.int64)
    bends = 0
    for i in range(n):
        if c[i] < 0:
            concave[bends] = i
            bends += 1
    scratch = scratch_for(m)
    offset, u, mean = np.empty(m), np.empty(m), np.empty(m)
    rays = np.empty((0, m))
    t = np.zeros(normed)
    size = np.empty(n)
    for i in range(n):
        size[i] = _length(Z[i], m)
    values = np.zeros(len(starts))
    for k in range(len(starts)):
        norm = _length(starts[k], normed)
        if norm == 0:
            continue
        for q in range(m):
            starts[k, q] /= norm
        value = _score(Z, c, linear, starts[k])
        tie = TIE
        for _ in range(MOST_STEPS):
            for q in range(m):
                offset[q] = linear[q]
                u[q] = starts[k, q]
            for i in range(n):
                if c[i] > 0:
                    dot = 0.0
                    for q in range(m):
                        dot += Z[i, q] * starts[k, q]
                    if dot > tie * size[i]:
                        for q in range(m):
                            offset[q] += c[i] * Z[i, q]
            if free:
                for q in range(normed):
                    t[q] = starts[k, normed] * starts[k, q]
            relax(offset, concave[:bends], Z, c, rays, t, (0.0, np.inf, SHEAR if free else 0.0), u, mean, scratch)
            norm = _length(u, normed)
            if norm == 0:
                break
            for q in range(m):
                u[q] /= norm
            now = _score(Z, c, linear, u)
            if not now > value + PROGRESS * abs(value):
                # On a kink of P there are two tangents, and the other one may lead on.
                if tie < 0:
                    break
                tie = -TIE
                continue
            tie = TIE
            value = now
            for q in range(m):
                starts[k, q] = u[q]
        values[k] = max(value, 0.0)
    return values
