"""Compiled reduction of rows by a chosen row, with proven bounds on the rounding.

With b the chosen row, p its largest coordinate, every row a (and the functionals g and h) becomes

    a'_q = (a_q b_p - b_q a_p) * scale,        q != p,

which vanishes for b, so that one coordinate fewer is left. If entries a, b err by at most e, then a' errs by
at most

    scale * (|a_q| e_p + |b_p| e_q + |b_q| e_p + |a_p| e_q + 2 e_p e_q + 4 u (|a_q b_p| + |b_q a_p|)),    u =
    2^-53,

(of the 4 u, three cover products and difference, one the scaling). For the rows, |a| is the largest entry of
the column. The scale is 1 / |b_p|, which is as good as any positive number. If the rows are small integers
(`exact`) it is the reciprocal of the previous pivot: Bareiss' elimination, where every number is a minor of
the integer matrix and exact in floats, so that the bounds of the rows are zero.

Everything is decided by comparisons `abs(value) > bound`, which are false for NaN, so overflow decides
nothing.
"""

import numpy as np
from numba import njit

from cvxrelu.arrangement.walk import UNIT_ROUNDOFF

__all__ = ["SAFE", "bury_suspects", "eliminate", "find_suspects", "product_error"]

_U = UNIT_ROUNDOFF
# Covers the rounding of the bounds themselves: a few hundred operations on positive numbers.
SAFE = 1.0 + 1e-9


@njit(cache=True, inline="always", error_model="numpy")
def product_error(a, ea, b, eb):
    """Bound the error of a b from those of its factors, with room for rounding a difference and a scaling."""
    return abs(a) * eb + abs(b) * ea + ea * eb + 4.0 * _U * abs(a * b)


@njit(cache=True, inline="always", error_model="numpy")
def eliminate(walk, m):
    """Reduce depth m by the chosen row m to depth m + 1.

    Returns how many rows certainly do not vanish there, judged by the last coordinate alone.
    """
    source, target = walk.reduced[m], walk.reduced[m + 1]
    width = source.shape[1]
    dimension = walk.reduced.shape[1] - m
    at = walk.chosen[m]
    p = 0
    for q in range(1, dimension):
        if abs(source[q, at]) > abs(source[p, at]):
            p = q
    b_p = source[p, at]
    inverse = 1.0 / b_p
    previous = 1.0
    scale = abs(inverse)
    if walk.exact:
        if m > 0:
            previous = walk.reduced[m - 1, walk.pivot[m - 1], walk.chosen[m - 1]]
        scale = 1.0 / abs(previous)
    walk.pivot[m] = p
    walk.inverse[m] = inverse
    _store_ratios(walk, m, p, b_p)
    e_p, size_p = walk.row_error[m, p], walk.row_size[m, p]
    to, clear = 0, 0
    for q in range(dimension):
        if q == p:
            continue
        b_q = source[q, at]
        e_q, size_q = walk.row_error[m, q], walk.row_size[m, q]
        bound = product_error(size_q, e_q, b_p, e_p) + product_error(b_q, e_q, size_p, e_p)
        bound = 0.0 if walk.exact else bound * scale * SAFE
        walk.row_error[m + 1, to] = bound
        walk.row_size[m + 1, to] = (size_q * abs(b_p) + abs(b_q) * size_p) * scale * SAFE
        if walk.exact:
            error = product_error(source[q, width - 2], walk.chart_error[m, q], b_p, e_p)
            error += product_error(b_q, e_q, source[p, width - 2], walk.chart_error[m, p])
            walk.chart_error[m + 1, to] = error * scale * SAFE
            error = product_error(source[q, width - 1], walk.height_error[m, q], b_p, e_p)
            error += product_error(b_q, e_q, source[p, width - 1], walk.height_error[m, p])
            walk.height_error[m + 1, to] = error * scale * SAFE
        clear = 0
        if walk.exact:
            for i in range(width):
                target[to, i] = (source[q, i] * b_p - b_q * source[p, i]) / previous
            for i in range(width - 2):
                clear += target[to, i] != 0.0
        else:
            for i in range(width - 2):
                value = (source[q, i] * b_p - b_q * source[p, i]) * scale
                target[to, i] = value
                clear += abs(value) > bound
            for i in range(width - 2, width):
                target[to, i] = (source[q, i] * b_p - b_q * source[p, i]) * scale
        target[to, at] = 0.0
        to += 1
    return clear


@njit(cache=True, inline="always", error_model="numpy")
def _store_ratios(walk, m, p, b_p):
    """Store what the triangular system for y needs: entries at pivots, over the pivots, with their errors.

    A ratio r = a / b_p errs by at most (e_a + |r| e_b) / (|b_p| - e_b) + 2 u |r|, where the quotient is below
    (e_a + |r| e_b) (1 + 2 e_b / |b_p|) / |b_p| for |b_p| > 2 e_b. To the 2 u come k + 4 for the share of r in
    a sum of k + 2 products.
    """
    k = walk.reduced.shape[0]
    width = walk.reduced.shape[2]
    rounding = (k + 6) * _U
    inverse, e_p = walk.inverse[m], walk.row_error[m, p]
    margin = np.inf
    if abs(b_p) > 2.0 * e_p:
        margin = abs(inverse) * (1.0 + 2.0 * e_p * abs(inverse)) * SAFE
    walk.ratio_error[m] = e_p * margin
    for before in range(m):
        ratio = walk.reduced[before, walk.pivot[before], walk.chosen[m]] * walk.inverse[before]
        walk.factor[before, m] = ratio
        walk.factor_error[before, m] = (1.0 + abs(ratio)) * walk.ratio_error[before] + rounding * abs(ratio)
    ratio = walk.reduced[m, p, width - 2] * inverse
    walk.factor[m, k] = ratio
    walk.factor_error[m, k] = (walk.chart_error[m, p] + abs(ratio) * e_p) * margin + rounding * abs(ratio)
    ratio = walk.reduced[m, p, width - 1] * inverse
    walk.factor[m, k + 1] = ratio
    walk.factor_error[m, k + 1] = (walk.height_error[m, p] + abs(ratio) * e_p) * margin + rounding * abs(ratio)


@njit(cache=True, inline="always", error_model="numpy")
def find_suspects(walk, m, clear):
    """Count and mark the rows that may newly depend on the first m chosen ones; `clear` of them do not."""
    entries, n = walk.reduced[m], walk.n
    if walk.n_dead[m] or walk.n_dead[m - 1]:
        walk.dead[m, :] = walk.dead[m - 1]
    walk.n_dead[m] = walk.n_dead[m - 1]
    if clear == n - m - walk.n_dead[m]:
        return 0
    count = 0
    for i in range(n):
        walk.suspect[i] = False
        if walk.dead[m, i]:
            continue
        free = False
        for q in range(walk.reduced.shape[1] - m):
            free = free or abs(entries[q, i]) > walk.row_error[m, q]
        for q in range(m):
            free = free or walk.chosen[q] == i
        if not free:
            walk.suspect[i] = True
            count += 1
    return count


@njit(cache=True)
def bury_suspects(walk, m):
    """Declare the suspects of depth m dead; False if one of them comes before the last chosen row."""
    first = True
    for i in range(walk.n):
        if walk.suspect[i]:
            walk.dead[m, i] = True
            walk.n_dead[m] += 1
            first = first and i > walk.chosen[m - 1]
    return first
