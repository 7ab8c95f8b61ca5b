r"""A dual vector made orthogonal to all that is free, without rounding.

    v' = v - D eta,   D = diag(abs(v)),   F'v' = 0,   F = [1, X] or X,   eta = 0 but on as many rows as F has rank

With a skip connection dual vectors have F'v = 0. The rows are chosen in floats, by pivots of D F; eta is then the
solution of linear equations in fractions. Where F has dependent columns the equations are consistent if these depend on
others exactly; where they depend on others in floats only, no such v' is near.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

__all__ = ["orthogonal"]

# Share of the first pivot below which rows depend on those before.
RANK_RTOL = 1e-10


def orthogonal(v: Sequence[Fraction], columns: Sequence[Sequence[Fraction]]) -> list[Fraction] | None:
    """Return a vector near v that is orthogonal to the columns exactly; None if there is none with its signs.

    Examples
    --------
    >>> v = [Fraction(-1), Fraction(21, 10), Fraction(-1)]
    >>> orthogonal(v, [[Fraction(1)] * 3, [Fraction(0), Fraction(1), Fraction(2)]])
    [Fraction(-1, 1), Fraction(2, 1), Fraction(-1, 1)]
    """
    if not any(v) or not columns:
        return list(v)
    rows = _pivots(v, columns)
    residual = [sum((a * b for a, b in zip(column, v, strict=True)), Fraction(0)) for column in columns]
    table = [[column[i] * abs(v[i]) for i in rows] + [rest] for column, rest in zip(columns, residual, strict=True)]
    shares = _solution(table)
    if shares is None or any(abs(share) >= 1 for share in shares):
        return None
    changed = list(v)
    for i, share in zip(rows, shares, strict=True):
        changed[i] -= abs(v[i]) * share
    return changed


def _pivots(v: Sequence[Fraction], columns: Sequence[Sequence[Fraction]]) -> list[int]:
    """Return rows of D F that span all of them, up to rounding: the largest first, and what it leaves of the others."""
    sizes = [max(abs(entry) for entry in column) or Fraction(1) for column in columns]
    scaled = [[float(entry / size) for entry in column] for column, size in zip(columns, sizes, strict=True)]
    largest = max(abs(entry) for entry in v)
    rest = np.abs([float(entry / largest) for entry in v])[:, None] * np.array(scaled).T
    rows: list[int] = []
    first = 0.0
    for _ in columns:
        lengths = np.linalg.norm(rest, axis=1)
        first = first or float(lengths.max())
        best = int(np.argmax(lengths))
        if lengths[best] <= RANK_RTOL * first:
            break
        rows.append(best)
        unit = rest[best] / lengths[best]
        for _ in range(2):
            rest = rest - np.outer(rest @ unit, unit)
    return rows


def _solution(table: list[list[Fraction]]) -> list[Fraction] | None:
    """Return the only solution of equations, each with its right-hand side last; None if there is none, or many."""
    unknowns = len(table[0]) - 1
    for k in range(unknowns):
        pivot = next((i for i in range(k, len(table)) if table[i][k]), None)
        if pivot is None:
            return None
        table[k], table[pivot] = table[pivot], table[k]
        top = [entry / table[k][k] for entry in table[k]]
        table[k] = top
        table = [
            row if i == k or not row[k] else [entry - row[k] * above for entry, above in zip(row, top, strict=True)]
            for i, row in enumerate(table)
        ]
    return None if any(row[-1] for row in table[unknowns:]) else [row[-1] for row in table[:unknowns]]
