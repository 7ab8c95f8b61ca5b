"""Entropies of probabilities of several classes: a sum that is no more than the exact one, and its slope."""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["entropies_below", "entropy_slope"]

Array = NDArray[np.float64]

EPS = float(np.finfo(float).eps)


def entropies_below(p: Array, sent: Array) -> Array:
    """Return H of the probabilities p of other classes and 1 - sent of the own, each term rounded to the safe side.

    Every term is concave, so it is least at an end of the interval that a rounded probability stands for.
    """
    from scipy.special import entr, xlog1py

    wide = 16 * EPS
    others = np.minimum(entr(p * (1 - wide)), entr(np.minimum(p * (1 + wide), 1.0)))
    low, high = sent * (1 - wide), np.minimum(sent * (1 + wide), 1.0)
    own = np.minimum(-xlog1py(1 - low, -low), -xlog1py(1 - high, -high))
    return others.sum(axis=1) + own


def entropy_slope(step: float, amounts: Array, sent: Array, counts: Array) -> float:
    """Return the derivative of the sum of entropies in the step, to a few digits."""
    own = 1 - step * sent
    if (own <= 0).any():
        return -math.inf
    ratio = np.log(own)[:, None] - np.log(np.where(amounts > 0, step * amounts, 1.0))
    return float(counts @ (amounts * np.where(amounts > 0, ratio, 0.0)).sum(axis=1))
