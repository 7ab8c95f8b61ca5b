r"""Moments to start from: strictly inside of all the cones of a region.

The moments of any distribution on the region meet all inequalities with a_i the integrals of abs(t_i), strictly if it
is spread out: here of a normal distribution, about a vector well inside of the region's half-spaces.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from cvxrelu.relaxation.blocks import Block
from cvxrelu.relaxation.cones import inside
from cvxrelu.relaxation.signs import inner_vector

__all__ = ["first_moments", "holds", "middle"]

Array = NDArray[np.float64]

# Halvings of the spread around the mean until a start is inside a region.
HALVINGS = 40
# Shares of the room between abs(t) and the root of its square that a start takes, tried in turn.
ROOM = (0.3, 0.1, 0.03, 0.003)


def middle(block: Block, x: Array) -> Array:
    """Return y half way between its bounds, given x."""
    M = x[: len(block.frame.multiplicity)]
    floor = np.maximum(block.balance @ block.magnitudes(x), 0.0)
    return (floor + np.sqrt(np.maximum(M[0] * (block.squares @ M), 0.0))) / 2


def holds(block: Block, x: Array) -> bool:
    """Tell whether x, with the y in the middle, is strictly inside of all cones."""
    return inside(block.slacks(x, middle(block, x)))


def first_moments(block: Block) -> Array | None:
    """Return a point strictly inside, of mass one; None if there is no room."""
    frame, D = block.frame, block.frame.dimension
    mean, spread = np.zeros(D), np.full(D, 0.25)
    spread[: frame.normed] = 0.5 / frame.normed
    if len(block.known):
        inner = _inner(block)
        if inner is None:
            return None
        mean = inner
    halved = _halvings(block, mean, spread) if len(block.known) else 0
    spread = spread * 2.0**-halved
    for _ in range(halved, HALVINGS):
        M = np.zeros((D + 1, D + 1))
        M[0, 0], M[0, 1:], M[1:, 0] = 1.0, mean, mean
        M[1:, 1:] = np.outer(mean, mean) + np.diag(spread)
        t, deviation = frame.unit @ mean, np.sqrt(frame.unit**2 @ spread)
        ratio = t / deviation
        a = deviation * (np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + ratio * erf(ratio / np.sqrt(2)))
        # Where the spread is small beside the mean, that is |t| up to rounding; there is more room than that.
        room = np.hypot(t, deviation) - np.abs(t)
        for share in ROOM:
            x = np.concatenate([M[frame.upper], np.maximum(a, np.abs(t) + share * room)[block.free]])
            if holds(block, x):
                return x
        spread = spread / 2
    return None


def _halvings(block: Block, mean: Array, spread: Array) -> int:
    """Return how often a spread is halved at least, for ball, strip and known signs, which are linear in it."""
    M, spreads = np.outer(np.append(1.0, mean), np.append(1.0, mean)), np.diag(np.append(0.0, spread))
    without, with_it = (block.rows @ part[block.frame.upper] for part in (M, spreads))
    shrinks = with_it < 0
    most = float(np.min(without[shrinks] / -with_it[shrinks], initial=1.0))
    return int(np.clip(np.floor(-np.log2(most)), 0, HALVINGS)) if most > 0 else 0


def _inner(block: Block) -> Array | None:
    """Return a vector well inside the half-spaces of the known signs, the ball, the strip and all reaches."""
    frame, inner = block.frame, inner_vector(block.oriented)
    if inner is None:
        return None
    size = max(np.linalg.norm(inner[: frame.normed]), np.max(frame.credit * abs(frame.unit @ inner)))
    if frame.strip:
        size = max(size, 1.2 * abs(inner[-1]))
    return inner / (1.7 * size) if size > 0 else None
