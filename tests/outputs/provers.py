"""What multipliers of several outputs prove: in floats, by the checker, and in fractions."""

from fractions import Fraction

import numpy as np

from cvxrelu.certificate.by_multipliers import record_of
from cvxrelu.certificate.norm_multipliers import bound_scores
from cvxrelu.certificate.rational.norms import norm_above
from cvxrelu.certificate.rational.numbers import to_fractions
from tests.test_checker import checker


def three_bounds(points, X, V, multipliers):
    """Their bounds on the norm of the scores of a dual matrix, in that order."""
    bias, slope, n, weights = points.bias, points.negative_slope, len(X), points.weigh(V)
    record, unit = record_of(multipliers), 2.0 ** (weights.exponent - points.exponent)
    rows = np.column_stack([X, np.ones(n)]) if bias == "joint" else X
    exact = [tuple(to_fractions(row)) for row in V / unit]
    if bias == "free":
        means = [sum(column) / n for column in zip(*exact, strict=True)]
        exact = [tuple(entry - mean for entry, mean in zip(row, means, strict=True)) for row in exact]
    lifted = [tuple(to_fractions(row)) for row in rows]
    return [
        bound_scores(points, weights, multipliers) * 2.0**weights.exponent,
        checker.relaxed_norm(rows, V / unit, slope, bias == "free", record) * unit,
        float(norm_above(lifted, exact, Fraction(slope), bias == "free", record)) * unit,
    ]
