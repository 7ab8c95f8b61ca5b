"""Exact values that bounds are held against: fractions, and decimals of 60 digits for logarithms."""

from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 60

# Below this, 1 - q has lost digits of q, and three terms of the series of (1 - q) log(1 - q) have all 60.
TINY = Decimal("1e-20")


def entropy(q):
    """-q log q - (1 - q) log(1 - q) of a decimal."""
    if not 0 < q < 1:
        return Decimal(0)
    rest = q - q**2 / 2 - q**3 / 6 if q < TINY else -(1 - q) * (1 - q).ln()
    return rest - q * q.ln()


def exact_dual(loss, v, y, gamma, alpha):
    """The best dual objective of a multiple of v, whose gamma it is."""
    v, y = [Fraction(x) for x in v.tolist()], [Fraction(x) for x in y.tolist()]
    correlation = sum(a * b for a, b in zip(v, y, strict=True))
    if loss in ("interpolation", "margin"):
        return max(Fraction(0), correlation / Fraction(gamma))
    reach = [len(y) * Fraction(alpha) / Fraction(gamma)] if gamma else []
    if loss == "squared":
        square = sum(a * a for a in v)
        t = max(Fraction(0), min([*reach, correlation / square]))
        return t * (correlation - t * square / 2) / len(y)
    p = [a * b for a, b in zip(v, y, strict=True)]
    t = min([*reach, 1 / max(p)])
    if loss == "hinge":
        return t * sum(p) / len(y)

    def total(t):
        return sum(entropy(Decimal((t * q).numerator) / Decimal((t * q).denominator)) for q in p)

    low, high = Fraction(0), t
    for _ in range(120):
        third = (high - low) / 3
        low, high = (low + third, high) if total(low + third) < total(high - third) else (low, high - third)
    return Fraction(max(total(t), total(low), total(high))) / len(y)
