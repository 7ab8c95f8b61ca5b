"""Exact values that bounds are held against: fractions, and decimals of 60 digits for logarithms."""

from decimal import Decimal, getcontext
from fractions import Fraction
from math import inf, isqrt

import numpy as np

from tests.instances import CONSTRAINTS, RULES

getcontext().prec = 60

# Below this, 1 - q has lost digits of q, and three terms of the series of (1 - q) log(1 - q) have all 60.
TINY = Decimal("1e-20")


def entropy(q):
    """-q log q - (1 - q) log(1 - q) of a decimal."""
    if not 0 < q < 1:
        return Decimal(0)
    rest = q - q**2 / 2 - q**3 / 6 if q < TINY else -(1 - q) * (1 - q).ln()
    return rest - q * q.ln()


def exact_dual(loss, v, y, gamma, alpha, weights=None):
    """The best dual objective of a multiple of v, whose gamma it is; a weight w makes w d(v / w) of d(v)."""
    v, y = [Fraction(x) for x in v.tolist()], [Fraction(x) for x in y.tolist()]
    weights = [Fraction(1)] * len(y) if weights is None else [Fraction(x) for x in weights.tolist()]
    weights = [x * len(y) / sum(weights) for x in weights]
    correlation = sum(a * b for a, b in zip(v, y, strict=True))
    if loss in CONSTRAINTS:
        if not gamma:
            return inf if correlation > 0 else Fraction(0)
        return max(Fraction(0), correlation / Fraction(gamma))
    if not any(v):
        return Fraction(0)
    rule = RULES[loss]
    p = [a * b for a, b in zip(v, y, strict=True)] if rule.labels else v
    p = [a / w for a, w in zip(p, weights, strict=True)]
    steps = [len(y) * Fraction(alpha) / Fraction(gamma)] if gamma else []
    steps += [Fraction(end) / q for q in p for end in rule.box if q * Fraction(end if abs(end) < inf else 0) > 0]
    if loss != "logistic":
        square = rule.bend * sum(w * a * a for a, w in zip(p, weights, strict=True))
        steps += [correlation / square] if square else []
        t = max(Fraction(0), min(steps))
        return max(Fraction(0), t * (correlation - t * square / 2) / len(y))
    t = min(steps)

    def total(t):
        shares = (Decimal((t * q).numerator) / Decimal((t * q).denominator) for q in p)
        counts = (Decimal(w.numerator) / Decimal(w.denominator) for w in weights)
        return sum(count * entropy(share) for count, share in zip(counts, shares, strict=True))

    low, high = Fraction(0), t
    for _ in range(120):
        third = (high - low) / 3
        low, high = (low + third, high) if total(low + third) < total(high - third) else (low, high - third)
    return Fraction(max(total(t), total(low), total(high))) / len(y)


def root(square):
    """The square root of a fraction, at most a relative 2^-100 too small."""
    n, d = square.numerator, square.denominator
    return Fraction(isqrt(n * d << 200), d << 100)


def lifted(X, bias):
    """Rows z_i of fractions for every place that a neuron's hinge has to be tried at: t = z . u."""
    rows = [[Fraction(x) for x in row] for row in X.tolist()]
    if bias == "joint":
        return [[[*row, Fraction(1)] for row in rows]]
    anchors = sorted(set(map(tuple, rows))) if bias == "free" else [[Fraction(0)] * len(rows[0])]
    return [[[x - a for x, a in zip(row, anchor, strict=True)] for row in rows] for anchor in anchors]


def dot(a, b):
    """Inner product of fractions."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def score_squared(rows, v, slope, u, one_sided=False):
    """The squared score of the unit neuron in the direction of u, whatever its norm; zero if it does not count."""
    outputs = [t if t >= 0 else slope * t for t in (dot(row, u) for row in rows)]
    score = dot(v, outputs)
    return Fraction(0) if one_sided and score < 0 else score**2 / dot(u, u)


def gamma_on_circle(X, v, bias, slope, one_sided=False):
    """gamma(v) where neurons have one or two components: the score peaks at the ends of arcs or along a gradient."""
    v, slope = [Fraction(x) for x in v.tolist()], Fraction(slope)
    best = Fraction(0)
    for rows in lifted(X, bias):
        kinks = [row for row in rows if any(row)]
        if len(rows[0]) == 1:
            directions = [[Fraction(1)], [Fraction(-1)]]
        else:
            directions = [[-s * row[1], s * row[0]] for row in kinks for s in (1, -1)]
        best = max([best, *(score_squared(rows, v, slope, u, one_sided) for u in directions)])
        if len(rows[0]) == 1:
            continue
        for u in directions:
            # The arc that begins at u, counterclockwise: what is zero at u is positive where it turns to be.
            turn = [-u[1], u[0]]
            sides = [(dot(row, u), dot(row, turn)) > (0, 0) for row in rows]
            shares = [x if side else slope * x for x, side in zip(v, sides, strict=True)]
            gradient = [dot(shares, column) for column in zip(*rows, strict=True)]
            for sign in (1, -1) if any(gradient) else ():
                best = max(best, score_squared(rows, v, slope, [sign * g for g in gradient], one_sided))
    return root(best)


def gamma_at_neurons(X, v, bias, slope, neurons, one_sided=False):
    """The largest score among the neurons of some directions, hinges through every place: at most gamma(v)."""
    v, slope = [Fraction(x) for x in v.tolist()], Fraction(slope)
    directions = [[Fraction(x) for x in u] for u in neurons.tolist() if np.any(u)]
    scores = (score_squared(rows, v, slope, u, one_sided) for rows in lifted(X, bias) for u in directions)
    return root(max(scores, default=Fraction(0)))


def orthogonal_near(v, columns):
    """A vector v (1 - eta) that is orthogonal to columns, which may depend on others, and the largest abs(eta).

    Gaussian elimination with the largest pivot of all; a ValueError if there is no such vector.
    """
    v = [Fraction(x) for x in v.tolist()]
    table = []
    for column in columns.T.tolist():
        row = [Fraction(x) * weight for x, weight in zip(column, v, strict=True)]
        size = max(map(abs, row)) or 1
        table.append([entry / size for entry in (*row, sum(row))])
    solved = {}
    while table:
        size, k, i = max((abs(entry), k, i) for k, row in enumerate(table) for i, entry in enumerate(row[:-1]))
        if not size:
            break
        top = table.pop(k)
        top = [entry / top[i] for entry in top]
        table = [[a - row[i] * b for a, b in zip(row, top, strict=True)] for row in table]
        solved = {j: [a - row[i] * b for a, b in zip(row, top, strict=True)] for j, row in solved.items()} | {i: top}
    if any(row[-1] for row in table):
        raise ValueError("no vector nearby is orthogonal to what is free")
    for i, row in solved.items():
        v[i] *= 1 - row[-1]
    return np.array(v, dtype=object), max((abs(row[-1]) for row in solved.values()), default=Fraction(0))
