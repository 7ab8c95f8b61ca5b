r"""A dual vector made one of the domain of the dual, without rounding: its signs and what it sums to, not its size.

    real targets       1'v = 0, or F'v = 0 with a skip connection (`cvxrelu.certificate.rational.orthogonal`)
    labels -1 and +1   v = y p,  p >= 0
    labels of classes  V_ik = -a_ik for k != y_i,  V_i,y = sum_k a_ik,  a >= 0      (rows sum to zero)

and where constants are free, columns sum to zero; with a skip connection F'V = 0, which for classes is C'a = 0
(`cvxrelu.problem.losses.circulation`).
"""

from fractions import Fraction

import numpy as np

from cvxrelu.certificate.rational.orthogonal import orthogonal
from cvxrelu.problem.losses import ExactDual
from cvxrelu.problem.problem import Problem

__all__ = ["Matrix", "Rows", "repaired"]

Fractions = list[Fraction]
Rows = list[tuple[Fraction, ...]]
# A row for each sample, with an entry for each output.
Matrix = list[tuple[Fraction, ...]]

ZERO, ONE = Fraction(0), Fraction(1)


def repaired(problem: Problem, domain: ExactDual, V: Matrix, Y: Matrix, rows: Rows) -> Matrix:
    """Return a dual matrix near V, of which a multiple is in the domain of the dual; one output has one column.

    Parameters
    ----------
    problem : Problem
        The problem.
    domain : ExactDual
        What its loss says of it.
    V, Y : N tuples of K fractions
        A dual matrix, and the targets; of classes their indicators.
    rows : N tuples of fractions
        The points, or lifted points.
    """
    if problem.several and problem.loss.labels:
        return _conserving(problem, V, Y, rows) if problem.skip else _circulating(problem, V, Y)
    columns = zip(zip(*V, strict=True), zip(*Y, strict=True), strict=True)
    return list(zip(*(_column(problem, domain, list(v), list(y), rows) for v, y in columns), strict=True))


def _column(problem: Problem, domain: ExactDual, v: Fractions, y: Fractions, rows: Rows) -> Fractions:
    """Return the same of one output."""
    balanced = problem.bias == "free"
    if not problem.loss.labels:
        mean = sum(v, ZERO) / len(v) if balanced and not problem.skip else ZERO
        v, y = [weight - mean for weight in v], [ONE] * len(v)
    shares = [weight * label for weight, label in zip(v, y, strict=True)]
    if domain.low == 0:
        shares = [max(ZERO, share) for share in shares]
    if domain.high == 0:
        shares = [min(ZERO, share) for share in shares]
    v = [share * label for share, label in zip(shares, y, strict=True)]
    if problem.skip:
        return orthogonal(v, list(zip(*_free(problem, rows), strict=True))) or [ZERO] * len(v)
    if not balanced or not sum(v, ZERO):
        return v
    # Signs are bound: the heavier one is scaled down to the lighter.
    above, below = (abs(sum((weight for weight in v if sign * weight > 0), ZERO)) for sign in (1, -1))
    factors = (min(above, below) / above if above else ZERO), (min(above, below) / below if below else ZERO)
    return [weight * factors[weight < 0] for weight in v]


def _free(problem: Problem, rows: Rows) -> Rows:
    """Return what is free beside the neurons, a row for each sample."""
    constant = (ONE,) if problem.bias == "free" else ()
    return [constant + row[: problem.n_features] for row in rows]


def _conserving(problem: Problem, V: Matrix, Y: Matrix, rows: Rows) -> Matrix:
    """Return amounts that add nothing to any column of F'V."""
    classes = range(problem.n_outputs)
    own = [y.index(ONE) for y in Y]
    amounts = [ZERO if k == c else max(ZERO, -v[k]) for v, c in zip(V, own, strict=True) for k in classes]
    samples = list(zip(_free(problem, rows), own, strict=True))
    paths = [
        [f[r] * ((c == column) - (k == column)) for f, c in samples for k in classes]
        for column in classes[1:]
        for r in range(len(samples[0][0]))
    ]
    found = orthogonal(amounts, paths) or [ZERO] * len(amounts)
    sent = [tuple(found[i : i + len(classes)]) for i in range(0, len(found), len(classes))]
    return [tuple(sum(a, ZERO) if k == c else -a[k] for k in classes) for a, c in zip(sent, own, strict=True)]


def _circulating(problem: Problem, V: Matrix, Y: Matrix) -> Matrix:
    """Return amounts that every class sends as much of as it gets if constants are free: in floats, if V has others."""
    for candidate in (V, None):
        if candidate is None:
            floats = problem.repair(np.array(V, dtype=float), boxed=False)
            candidate = [tuple(map(Fraction, row)) for row in floats.tolist()]
        sent = _sent(candidate, Y)
        if problem.bias != "free" or not any(sum(column) for column in zip(*sent, strict=True)):
            return sent
    return [tuple(ZERO for _ in row) for row in V]


def _sent(V: Matrix, Y: Matrix) -> Matrix:
    """Return the matrix of the amounts in V, whose rows sum to zero."""
    sent: Matrix = []
    for v, y in zip(V, Y, strict=True):
        amounts = [ZERO if own else max(ZERO, -entry) for entry, own in zip(v, y, strict=True)]
        sent.append(tuple(sum(amounts, ZERO) if own else -amount for amount, own in zip(amounts, y, strict=True)))
    return sent
