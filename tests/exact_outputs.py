"""Exact values of several outputs: norms of scores in fractions, and dual objectives of matrices."""

from decimal import Decimal
from fractions import Fraction
from math import inf

import numpy as np

from tests.exact import dot, exact_dual, lifted, root


def fractions_of(values):
    """An array of numbers as tuples of fractions."""
    return tuple(fractions_of(row) for row in values) if np.ndim(values) else Fraction(values)


def norm_squared(rows, V, slope, u):
    """The squared norm of the scores of the unit neuron in the direction of u, whatever its norm."""
    outputs = [t if t >= 0 else slope * t for t in (dot(row, u) for row in rows)]
    return sum(dot(column, outputs) ** 2 for column in zip(*V, strict=True)) / dot(u, u)


def steepest(F):
    """The direction in which a matrix of fractions is longest, up to rounding; None if it vanishes."""
    largest = max(abs(entry) for row in F for entry in row)
    if not largest:
        return None
    return np.linalg.svd(np.array([[float(entry / largest) for entry in row] for row in F]))[2][0]


def norm_on_circle(X, V, bias, slope):
    """gamma(V) where neurons have one or two components, from below, to more than twice the digits of a float.

    On an arc the scores are F u, whose norm is largest at an end of the arc, or along the top singular vector of F.
    """
    V, slope = fractions_of(V), Fraction(slope)
    best = Fraction(0)
    for rows in lifted(X, bias):
        if len(rows[0]) == 1:
            directions = [[Fraction(1)], [Fraction(-1)]]
        else:
            directions = [[-s * row[1], s * row[0]] for row in rows if any(row) for s in (1, -1)]
        best = max([best, *(norm_squared(rows, V, slope, u) for u in directions)])
        if len(rows[0]) == 1:
            continue
        for u in directions:
            # The arc that begins at u, counterclockwise: what is zero at u is positive where it turns to be.
            turn = [-u[1], u[0]]
            slopes = [1 if (dot(row, u), dot(row, turn)) > (0, 0) else slope for row in rows]
            moved = [[h * x for x in row] for h, row in zip(slopes, rows, strict=True)]
            F = [[dot(column, axis) for axis in zip(*moved, strict=True)] for column in zip(*V, strict=True)]
            top = steepest(F)
            for sign in (1, -1) if top is not None else ():
                best = max(best, norm_squared(rows, V, slope, [Fraction(sign * x) for x in top.tolist()]))
    return root(best)


def norm_at_neurons(X, V, bias, slope, neurons):
    """The largest norm of scores among neurons of some directions, hinges through every place: at most gamma(V)."""
    V, slope = fractions_of(V), Fraction(slope)
    directions = [[Fraction(x) for x in u] for u in neurons.tolist() if np.any(u)]
    return root(max((norm_squared(rows, V, slope, u) for rows in lifted(X, bias) for u in directions), default=0))


def exact_dual_of_outputs(problem, V, Y, gamma):
    """The best dual objective of a multiple of a dual matrix V, whose gamma it is, for targets Y or labels."""
    name, count, weights = problem.loss.name, problem.n_outputs, problem.sample_weight
    weights = np.ones(len(V)) if weights is None else weights
    if not problem.loss.labels:
        V, Y = np.asarray(V), np.asarray(Y)
        alpha = None if problem.alpha is None else Fraction(problem.alpha) / count
        each = exact_dual(name, V.ravel(), Y.ravel(), gamma, alpha, np.repeat(weights, count))
        return each if problem.alpha is None else count * each
    V, own = fractions_of(V), problem.y.astype(int).tolist()
    sent = [row[label] for row, label in zip(V, own, strict=True)]
    if name == "multiclass-margin":
        if not gamma:
            return inf if sum(sent) > 0 else Fraction(0)
        return max(Fraction(0), sum(sent) / gamma)
    weights = fractions_of(weights)
    weights = [weight * len(V) / sum(weights) for weight in weights]
    # A sum of entropies of amounts and of what is left of 1, concave in the multiple.
    amounts = [
        ([-entry / weight for k, entry in enumerate(row) if k != label], weight)
        for row, label, weight in zip(V, own, weights, strict=True)
    ]
    most = max(sum(p) for p, _ in amounts)
    if not most:
        return Fraction(0)
    high = min(1 / most, len(V) * Fraction(problem.alpha) / gamma if gamma else inf)

    def total(t):
        return sum((decimal(weight) * entropy([t * x for x in p]) for p, weight in amounts), Decimal(0))

    low, best = Fraction(0), total(high)
    for _ in range(120):
        third = (high - low) / 3
        left, right = total(low + third), total(high - third)
        best = max(best, left, right)
        low, high = (low + third, high) if left < right else (low, high - third)
    return Fraction(best) / len(V)


def decimal(x):
    """A fraction as a decimal of 60 digits."""
    return Decimal(x.numerator) / Decimal(x.denominator)


def entropy(shares):
    """The entropy of shares, fractions, and of what is left of 1."""
    rest = 1 - sum(shares)
    small = 1 - rest
    # log(1 - q) to all digits also where q is next to nothing.
    logarithm = decimal(rest).ln() if small > Fraction(1, 10**20) else -decimal(small + small**2 / 2 + small**3 / 3)
    others = sum((-decimal(p) * decimal(p).ln() for p in shares if p > 0), Decimal(0))
    return others - decimal(rest) * logarithm if rest > 0 else others
