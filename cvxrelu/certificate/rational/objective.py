r"""The dual objective of the best multiple of a dual vector, in fractions.

    max over t of  sum_i w_i d(t V_i / w_i) / N   with t V in the domain and t gamma <= radius

with weights w and d of the table in `cvxrelu.problem.losses`: <V, Y> - k norm(V)^2 / 2, in which targets of classes are
indicators, or entropies, whose logarithms are rounded down.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

from cvxrelu.certificate.rational.domain import Matrix
from cvxrelu.certificate.rational.numbers import entropy_below
from cvxrelu.problem.losses import ExactDual

__all__ = ["best_objective", "longest_step"]

# Halvings after which the best multiple of a dual vector with entropies is known to twelve digits.
HALVINGS = 40

ZERO, ONE = Fraction(0), Fraction(1)


def best_objective(
    domain: ExactDual, V: Matrix, Y: Matrix, gamma: Fraction, radius: Fraction, *, regularised: bool, labels: bool
) -> Fraction:
    """Return the best dual objective of a multiple of V, whose gamma is at most the radius.

    Parameters
    ----------
    domain : ExactDual
        What the loss says of its dual.
    V, Y : N tuples of K fractions
        The dual matrix, of which a multiple is in the domain, and the targets; of classes their indicators.
    gamma, radius : Fraction
        A bound on the scores, and what they may be.
    regularised, labels : bool
        What the loss is.
    """
    correlation = sum((entry * aim for v, y in zip(V, Y, strict=True) for entry, aim in zip(v, y, strict=True)), ZERO)
    reach = radius / gamma if gamma else None
    if not regularised:
        # gamma = 0 proves nothing about data that can be fitted.
        return max(ZERO, correlation * reach) if reach is not None else ZERO
    longest = longest_step(domain, V, Y, labels=labels)
    counts = domain.weights or [ONE] * len(V)
    t = min((step for step in (longest, reach) if step is not None), default=None)
    if domain.entropy:
        shares = [_shares(v, y, count) for v, y, count in zip(V, Y, counts, strict=True)]
        return max(ZERO, _entropies(shares, counts, ZERO if t is None else t)) / len(V)
    squares = (entry * entry / count for v, count in zip(V, counts, strict=True) for entry in v)
    bend = domain.curvature * sum(squares, ZERO)
    if correlation <= 0:
        return ZERO
    if bend:
        t = correlation / bend if t is None else min(t, correlation / bend)
    return ZERO if t is None else t * (correlation - t * bend / 2) / len(V)


def longest_step(domain: ExactDual, V: Matrix, Y: Matrix, *, labels: bool) -> Fraction | None:
    """Return the largest t with t V in the domain; None if there is no largest, zero for V = 0."""
    if not any(map(any, V)):
        return ZERO
    steps = [
        count * limit / share
        for v, y, count in zip(V, Y, domain.weights or [ONE] * len(V), strict=True)
        for share in ([entry * aim for entry, aim in zip(v, y, strict=True)] if labels else v)
        for limit in ([domain.high] if share > 0 else [domain.low] if share < 0 else [])
        if limit is not None
    ]
    return min(steps, default=None)


def _shares(v: Sequence[Fraction], y: Sequence[Fraction], count: Fraction) -> list[Fraction]:
    """Return the probabilities of all classes but the own; of one output that of the other label."""
    return [abs(entry) / count for entry, aim in zip(v, y, strict=True) if entry and (len(v) == 1 or not aim)]


# Power of two that steps of floats go up to.
HIGHEST = 1000


def _entropies(shares: Sequence[list[Fraction]], counts: Sequence[Fraction], t: Fraction) -> Fraction:
    """Return sum w H(s p), rounded down, at the best s <= t that bisection in floats finds.

    The counts are the weights w of the samples.
    """
    terms = [(count, p, sum(p, ZERO)) for count, p in zip(counts, shares, strict=True) if p]
    low = high = float(min(t, Fraction(2) ** HIGHEST))
    if (most := float(max((sent for *_, sent in terms), default=ONE))) > 0:
        low = min(0.5 / most, high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slopes = (
            float(count * each) * _entropy_slope(middle * float(each), middle * float(sent))
            for count, p, sent in terms
            for each in p
        )
        low, high = (middle, high) if sum(slopes) > 0 else (low, middle)
    candidates = (t, min(t, Fraction(low)))
    return max(
        sum((count * entropy_below(*(s * each for each in p)) for count, p, _ in terms), ZERO) for s in candidates
    )


def _entropy_slope(p: float, sent: float) -> float:
    """Return log((1 - sent) / p), minus infinity from one on; zero for shares that are zero as floats."""
    if p == 0:
        return 0.0
    return math.log1p(-sent) - math.log(p) if sent < 1 else -math.inf
