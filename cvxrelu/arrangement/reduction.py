"""Compiled reduction of rows by a chosen row, with proven bounds on the rounding.

With b the chosen row, p its largest coordinate, every row a (and the functionals g and h) becomes

    a'_q = (a_q b_p - b_q a_p) * scale,        q != p,

which vanishes for b, so that one coordinate fewer is left. The coordinate p is kept as it is, solved for b:
like the coordinates solved before, which are treated as all others, it vanishes for all chosen rows but its
own (Gauss-Jordan elimination). If entries a, b err by at most e, then a' errs by at most

    scale * (|a_q| e_p + |b_p| e_q + |b_q| e_p + |a_p| e_q + 2 e_p e_q + 4 u (|a_q b_p| + |b_q a_p|)),    u =
    2^-53,

(of the 4 u, three cover products and difference, one the scaling), where for |a| stands the largest entry of
the coordinate. The scale is 1 / |b_p|, which is as good as any positive number. If the rows are small
integers (`exact`) it is the reciprocal of the previous pivot: Bareiss' elimination, where every number is a
minor of the integer matrix and exact in floats, so that the bounds of the rows are zero, and only those of
the functionals grow.

Everything is decided by comparisons `abs(value) > bound`, which are false for NaN. Coordinates that are left
at most double at each depth, because b_p is the largest of b, so they do not overflow; where solved ones do, so
does what is computed from them, and decides nothing.
"""

from cvxrelu.arrangement.lanes import LANES, eight_signs
from cvxrelu.arrangement.walk import UNIT_ROUNDOFF
from cvxrelu.runtime.compiled import kernel

__all__ = ["SAFE", "UNDERFLOW", "bury_suspects", "eliminate", "find_parallel", "find_suspects", "product_error"]

_U = UNIT_ROUNDOFF
# Covers the rounding of the bounds themselves: a few hundred operations on positive numbers.
SAFE = 1.0 + 1e-9
# Far above what products lose below the smallest normal number, also in the bounds themselves.
UNDERFLOW = 2.0**-1000


@kernel(inline="always", error_model="numpy")
def product_error(a, ea, b, eb):
    """Bound the error of a b from those of its factors, with room for rounding sums of four and a scaling."""
    return abs(a) * eb + abs(b) * ea + ea * eb + 4.0 * _U * abs(a * b) + UNDERFLOW


@kernel(inline="always", error_model="numpy")
def eliminate(walk, m):
    """Reduce depth m by the chosen row m to depth m + 1.

    Returns how many rows certainly do not vanish there, judged by the last coordinate left alone.
    """
    source, target = walk.reduced[m], walk.reduced[m + 1]
    height, width = source.shape
    left = height - m
    at = walk.chosen[m]
    p = 0
    for q in range(1, left):
        if abs(source[q, at]) > abs(source[p, at]):
            p = q
    b_p = source[p, at]
    walk.pivot[m] = b_p
    previous = walk.pivot[m - 1] if walk.exact and m > 0 else 1.0
    scale = 1.0 / abs(previous) if walk.exact else abs(1.0 / b_p)
    e_p, size_p, f_p = walk.row_error[m, p], walk.row_size[m, p], walk.functional_error[m, p]
    clear = 0
    for q in range(height):
        if q == p:
            continue
        to = q - 1 if p < q < left else q
        b_q = source[q, at]
        e_q, size_q, f_q = walk.row_error[m, q], walk.row_size[m, q], walk.functional_error[m, q]
        bound = product_error(size_q, f_q, b_p, e_p) + product_error(b_q, e_q, size_p, f_p)
        walk.functional_error[m + 1, to] = bound * scale * SAFE
        if walk.exact:
            walk.row_error[m + 1, to] = 0.0
        bound = walk.row_error[m + 1, to]
        walk.row_size[m + 1, to] = (size_q * abs(b_p) + abs(b_q) * size_p) * scale * SAFE
        if walk.exact:
            for i in range(width):
                target[to, i] = (source[q, i] * b_p - b_q * source[p, i]) / previous
        else:
            for i in range(width):
                target[to, i] = (source[q, i] * b_p - b_q * source[p, i]) * scale
        target[to, at] = 0.0
        if to == left - 2:
            for i in range(width - LANES):
                clear += abs(target[to, i]) > bound
    # The pivot's coordinate comes first of the solved ones.
    for i in range(width):
        target[left - 1, i] = source[p, i]
    walk.row_error[m + 1, left - 1], walk.functional_error[m + 1, left - 1] = e_p, f_p
    walk.row_size[m + 1, left - 1] = size_p
    return clear


@kernel(inline="always", error_model="numpy")
def find_suspects(walk, m, clear):
    """Count and mark the rows that may newly depend on the first m chosen ones; `clear` of them do not."""
    entries = walk.reduced[m]
    if _inherit_dead(walk, m) + clear == walk.n - m:
        return 0
    count = 0
    for i in range(walk.n):
        free = walk.dead[m, i]
        for q in range(entries.shape[0] - m):
            free = free or abs(entries[q, i]) > walk.row_error[m, q]
        count += _mark(walk, m, i, free)
    return count


@kernel(error_model="numpy")
def find_parallel(walk):
    """Count and mark the rows that may depend on the first k - 1 chosen ones, by their cross products.

    In the three coordinates left at depth k - 2, these rows are parallel to the last of the chosen.
    """
    m = walk.chosen.shape[0] - 1
    entries, e, size = walk.reduced[m - 1], walk.row_error[m - 1], walk.row_size[m - 1]
    at = walk.chosen[m - 1]
    p = 0
    for q in range(1, 3):
        if abs(entries[q, at]) > abs(entries[p, at]):
            p = q
    q = (p + 1) % 3
    b_p, b_q = entries[p, at], entries[q, at]
    bound = (product_error(b_p, e[p], size[q], e[q]) + product_error(b_q, e[q], size[p], e[p])) * SAFE
    bound = 0.0 if walk.exact else bound
    clear = 0
    for i in range(0, entries.shape[1] - LANES, LANES):
        clear += eight_signs((entries[q], entries[p]), i, (b_p, -b_q), bound) >> LANES
    if _inherit_dead(walk, m) + clear == walk.n - m:
        return 0
    count = 0
    for i in range(walk.n):
        free = walk.dead[m, i]
        for p in range(3):
            q = (p + 1) % 3
            b_p, b_q = entries[p, at], entries[q, at]
            bound = (product_error(b_p, e[p], size[q], e[q]) + product_error(b_q, e[q], size[p], e[p])) * SAFE
            bound = 0.0 if walk.exact else bound
            free = free or abs(entries[q, i] * b_p - entries[p, i] * b_q) > bound
        count += _mark(walk, m, i, free)
    return count


@kernel(inline="always")
def _inherit_dead(walk, m):
    """Declare dead at depth m what is dead before; return how many that are."""
    if walk.n_dead[m] or walk.n_dead[m - 1]:
        for i in range(walk.n):
            walk.dead[m, i] = walk.dead[m - 1, i]
    walk.n_dead[m] = walk.n_dead[m - 1]
    return walk.n_dead[m]


@kernel(inline="always")
def _mark(walk, m, row, free):
    """Mark a row as suspect unless it is free or one of the first m chosen ones."""
    for q in range(m):
        free = free or walk.chosen[q] == row
    walk.suspect[row] = not free
    return not free


@kernel()
def bury_suspects(walk, m):
    """Declare the suspects of depth m dead; False if one of them comes before the last chosen row."""
    first = True
    for i in range(walk.n):
        if walk.suspect[i]:
            walk.dead[m, i] = True
            walk.n_dead[m] += 1
            first = first and i > walk.chosen[m - 1]
    return first
