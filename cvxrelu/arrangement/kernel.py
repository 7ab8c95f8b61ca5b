"""Compiled walk over the vertices of an arrangement, each handing over the cell it is the lowest vertex of.

The arrangement: n rows a_i in R^D, D = k + 1, seen in the chart {g . u = 1} with the height h . u, both functionals
generic. Every k independent rows S meet in one vertex w, and if no other row passes through w, exactly one cell
has w as its lowest point: off S its signs are those of a_i . w, and on S they are those of y in

    h = y_0 g + sum_{i in S} y_i a_i.

The walk goes through the k-subsets S in lexicographic order. At depth m the rows are reduced by the first m of S, so
that D - m coordinates are left (vectors orthogonal to those m rows): with p the largest entry of the pivot row b,

    a'_q = (a_q b_p - b_q a_p) * scale,        q != p.

At depth k - 1 two coordinates are left, w = (-b_y, b_x), and one pass over the rows gives the pattern.

Errors. Next to every depth stand bounds on the error of its entries: from exact entries a, b with errors e the
numerator above errs by at most

    |a_q| e_p + |b_p| e_q + |b_q| e_p + |a_p| e_q + 2 e_p e_q + 3 u (|a_q b_p| + |b_q a_p|),       u = 2^-53,

with |a| replaced by the largest entry of a column, and likewise for every other product sum here. A sign counts only
if the number exceeds its bound (comparisons with NaN are false, so overflow decides nothing). What floats do not
decide is handed back: vertices in `odd`, to be treated exactly, and rows that might depend on the chosen ones in
`suspect`. Scales are powers of two, or, if `exact`, the previous pivot: Bareiss' elimination, in which every
number is a minor of the integer matrix and, below 2^53, exact in floats, so that the bounds of the rows are zero.

Degenerate vertices. Of all S that span the same vertex only the lexicographically first counts: it consists, in
order, of the rows that do not depend on those before them. So a subtree is left as soon as a row earlier than the
last chosen one newly depends on the chosen ones; rows that depend on the chosen are `dead`, and are not chosen.
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = [
    "DEPTH",
    "DONE",
    "FULL",
    "KEPT",
    "LEAVE",
    "ODD",
    "PHASE",
    "STAY",
    "SUSPECT",
    "WORK",
    "Walk",
    "advance",
    "place",
    "walk_vertices",
]

# Entries of Walk.control.
DEPTH, PHASE, KEPT, ODD, WORK = range(5)
# Values of control[PHASE]: enter a node, or, after its suspects were examined, keep it or leave it.
ENTER, STAY, LEAVE = range(3)
# What a walk reports.
DONE, FULL, SUSPECT = range(3)

_U = 2.0**-53
# Covers the rounding of the bounds themselves: a few hundred operations on positive numbers.
_SAFE = 1.0 + 1e-9


class Walk(NamedTuple):
    """State of a walk; arrays are changed in place.

    Rows are stored in stripes of n_bytes = ceil(n / 8): row i at place (i % 8) * n_bytes + i // 8, so that bit
    b of all bytes of a pattern is computed from contiguous entries; then the chart g and the height h.
    """

    reduced: NDArray[np.float64]  # (k, D, 8 * n_bytes + 2) rows reduced by the first m chosen ones
    row_error: NDArray[np.float64]  # (k, D) bounds on the error of rows, by coordinate
    row_size: NDArray[np.float64]  # (k, D) bounds on the computed entries of rows
    chart_error: NDArray[np.float64]  # (k, D)
    height_error: NDArray[np.float64]  # (k, D)
    pivot: NDArray[np.int64]  # (k,) coordinate eliminated at each depth
    inverse: NDArray[np.float64]  # (k,) reciprocal of the pivot
    margin: NDArray[np.float64]  # (k,) 1 / (abs(pivot) - its error)
    factor: NDArray[np.float64]  # (k, k + 2) entries of chosen rows, chart, height over the pivot
    chosen: NDArray[np.int64]  # (k,) S
    stop: NDArray[np.int64]  # (k,) first subset that is not visited
    dead: NDArray[np.uint8]  # (k, n) rows that depend on the first m chosen ones
    n_dead: NDArray[np.int64]  # (k,)
    suspect: NDArray[np.uint8]  # (n,)
    control: NDArray[np.int64]  # (5,)
    n: int
    exact: bool


@njit(cache=True, inline="always")
def place(row: int, n_bytes: int) -> int:
    """Return where row i is stored: (i % 8) * n_bytes + i // 8."""
    return (row & 7) * n_bytes + (row >> 3)


@njit(cache=True)
def advance(chosen, n, m):
    """Move on to the next subset that differs from S at or before position m; return where, -1 if at the end."""
    k = chosen.shape[0]
    while m >= 0 and chosen[m] >= n - k + m:
        m -= 1
    if m >= 0:
        chosen[m] += 1
        for q in range(m + 1, k):
            chosen[q] = chosen[q - 1] + 1
    return m


@njit(cache=True)
def _limit(chosen, stop, n):
    """Return where the last chosen row has to stop: n, earlier at the end of the walk, -1 beyond it."""
    last = chosen.shape[0] - 1
    for m in range(last):
        if chosen[m] < stop[m]:
            return n
        if chosen[m] > stop[m]:
            return -1
    return min(n, stop[last])


@njit(cache=True, error_model="numpy")
def _product_error(a, ea, b, eb):
    """Bound the error of fl(a b), and of one later addition, from those of its factors."""
    return abs(a) * eb + abs(b) * ea + ea * eb + 3.0 * _U * abs(a * b)


@njit(cache=True, error_model="numpy", nogil=True)
def _eliminate(walk, m):
    """Reduce the rows of depth m by the chosen row m."""
    source, target = walk.reduced[m], walk.reduced[m + 1]
    width = source.shape[1]
    n_bytes = (width - 2) // 8
    dimension = walk.reduced.shape[1] - m
    at = place(walk.chosen[m], n_bytes)
    p = 0
    for q in range(1, dimension):
        if abs(source[q, at]) > abs(source[p, at]):
            p = q
    b_p = source[p, at]
    previous = 1.0
    if walk.exact:
        if m > 0:
            earlier = walk.reduced[m - 1]
            previous = earlier[walk.pivot[m - 1], place(walk.chosen[m - 1], n_bytes)]
        shrink = 1.0 / abs(previous)
    else:
        shrink = math.ldexp(1.0, -math.frexp(b_p)[1])
    walk.pivot[m] = p
    walk.inverse[m] = 1.0 / b_p
    e_p, size_p = walk.row_error[m, p], walk.row_size[m, p]
    walk.margin[m] = 1.0 / (abs(b_p) - e_p) if abs(b_p) > e_p else np.inf
    for earlier_m in range(m):
        entry = walk.reduced[earlier_m, walk.pivot[earlier_m], at]
        walk.factor[earlier_m, m] = entry * walk.inverse[earlier_m]
    k = walk.reduced.shape[0]
    walk.factor[m, k] = source[p, width - 2] * walk.inverse[m]
    walk.factor[m, k + 1] = source[p, width - 1] * walk.inverse[m]
    to = 0
    for q in range(dimension):
        if q == p:
            continue
        b_q = source[q, at]
        if walk.exact:
            for i in range(width):
                target[to, i] = (source[q, i] * b_p - b_q * source[p, i]) / previous
        else:
            for i in range(width):
                target[to, i] = (source[q, i] * b_p - b_q * source[p, i]) * shrink
        target[to, at] = 0.0
        e_q, size_q = walk.row_error[m, q], walk.row_size[m, q]
        bound = _product_error(size_q, e_q, b_p, e_p) + _product_error(b_q, e_q, size_p, e_p)
        walk.row_error[m + 1, to] = 0.0 if walk.exact else bound * shrink * _SAFE
        walk.row_size[m + 1, to] = (size_q * abs(b_p) + abs(b_q) * size_p) * shrink * _SAFE
        for functional in range(2):
            errors = walk.chart_error if functional == 0 else walk.height_error
            at_f = width - 2 + functional
            bound = _product_error(source[q, at_f], errors[m, q], b_p, e_p)
            bound += _product_error(b_q, e_q, source[p, at_f], errors[m, p])
            errors[m + 1, to] = (bound * shrink + 2.0 * _U * abs(target[to, at_f])) * _SAFE
        to += 1


@njit(cache=True, error_model="numpy", nogil=True)
def _find_suspects(walk, m):
    """Count the rows that may newly depend on the first m chosen ones, and mark them."""
    entries = walk.reduced[m]
    n_bytes = (entries.shape[1] - 2) // 8
    limit = walk.row_error[m, 0]
    certain = 0
    for i in range(8 * n_bytes):
        certain += abs(entries[0, i]) > limit
    if certain == walk.n - m - walk.n_dead[m - 1]:
        walk.n_dead[m] = walk.n_dead[m - 1]
        if walk.n_dead[m]:
            walk.dead[m, :] = walk.dead[m - 1]
        return 0
    count = 0
    walk.n_dead[m] = walk.n_dead[m - 1]
    for i in range(walk.n):
        walk.suspect[i] = 0
        walk.dead[m, i] = walk.dead[m - 1, i] if walk.n_dead[m - 1] else 0
        if walk.dead[m, i]:
            continue
        free = False
        for q in range(walk.reduced.shape[1] - m):
            free = free or abs(entries[q, place(i, n_bytes)]) > walk.row_error[m, q]
        for q in range(m):
            free = free or walk.chosen[q] == i
        if not free:
            walk.suspect[i] = 1
            count += 1
    return count


@njit(cache=True)
def _bury_suspects(walk, m):
    """Declare the suspects of depth m dead; False if one of them comes before the last chosen row."""
    first = True
    for i in range(walk.n):
        if walk.suspect[i]:
            walk.dead[m, i] = 1
            walk.n_dead[m] += 1
            first = first and i > walk.chosen[m - 1]
    return first


@njit(cache=True, error_model="numpy", nogil=True)
def _signs_off(bx, by, wx, wy, bound, pattern):
    """Write the pattern of the signs of bx wx + by wy; return how many exceed the bound."""
    n_bytes = pattern.shape[0]
    certain = 0
    for byte in range(n_bytes):
        bits = 0
        sure = 0
        for b in range(8):
            value = bx[b * n_bytes + byte] * wx + by[b * n_bytes + byte] * wy
            bits |= 1 << b if value > 0.0 else 0
            sure += abs(value) > bound
        pattern[byte] = bits
        certain += sure
    return certain


@njit(cache=True, inline="always")
def _set_sign(pattern, row, positive):
    """Set the bit of a row."""
    if positive:
        pattern[row >> 3] |= np.uint8(1 << (row & 7))
    else:
        pattern[row >> 3] &= np.uint8(255 ^ (1 << (row & 7)))


@njit(cache=True, error_model="numpy", nogil=True)
def _signs_on(walk, j, y, ey, pattern):
    """Write the signs of y on S, y[k - 1] and y[k] (of the chart) given; False if one is undecided."""
    k = walk.reduced.shape[0]
    n_bytes = pattern.shape[0]
    last = k - 1
    if not abs(y[last]) > ey[last]:
        return False
    _set_sign(pattern, j, y[last] > 0.0)
    at = place(j, n_bytes)
    for m in range(last - 1, -1, -1):
        p = walk.pivot[m]
        e_p, margin = walk.row_error[m, p], walk.margin[m]
        value = walk.factor[m, k + 1]
        size = abs(value)
        bound = (walk.height_error[m, p] + size * e_p) * margin + 2.0 * _U * size
        for q in range(m + 1, k + 1):
            if q == last:
                a, e = walk.reduced[m, p, at] * walk.inverse[m], e_p
            elif q == k:
                a, e = walk.factor[m, k], walk.chart_error[m, p]
            else:
                a, e = walk.factor[m, q], e_p
            ea = (e + abs(a) * e_p) * margin + 2.0 * _U * abs(a)
            bound += abs(y[q]) * ea + (abs(a) + ea) * ey[q]
            value -= y[q] * a
            size += abs(y[q] * a)
        y[m] = value
        ey[m] = (bound + (k + 4) * _U * size) * _SAFE
        if not abs(value) > ey[m]:
            return False
        _set_sign(pattern, walk.chosen[m], value > 0.0)
    return True


@njit(cache=True, error_model="numpy")
def _comes_later(walk, bx, by, wx, wy):
    """Whether a row before the last chosen one passes through the vertex (only asked if rows are exact)."""
    last = walk.chosen.shape[0] - 1
    n_bytes = (bx.shape[0] - 2) // 8
    for i in range(walk.chosen[last]):
        at = place(i, n_bytes)
        if bx[at] * wx + by[at] * wy == 0.0 and not (walk.n_dead[last] and walk.dead[last, i]):
            chosen = False
            for m in range(last):
                chosen = chosen or walk.chosen[m] == i
            if not chosen:
                return True
    return False


@njit(cache=True, error_model="numpy", nogil=True)
def _leaves(walk, limit, out, tops, odd):
    """Visit the vertices of one line, chosen[k - 1] < limit; False if a buffer or the work ran out."""
    k, n = walk.chosen.shape[0], walk.n
    last = k - 1
    bx, by = walk.reduced[last, 0], walk.reduced[last, 1]
    width = bx.shape[0]
    n_bytes = (width - 2) // 8
    ex, ey = walk.row_error[last, 0], walk.row_error[last, 1]
    mx, my = walk.row_size[last, 0], walk.row_size[last, 1]
    cx, cy, fx, fy = bx[width - 2], by[width - 2], bx[width - 1], by[width - 1]
    ecx, ecy = walk.chart_error[last, 0], walk.chart_error[last, 1]
    efx, efy = walk.height_error[last, 0], walk.height_error[last, 1]
    top = cx * fy - cy * fx
    etop = _product_error(cx, ecx, fy, efy) + _product_error(cy, ecy, fx, efx)
    y, e = np.empty(k + 1), np.empty(k + 1)
    tail = np.uint8(255 >> (8 * n_bytes - n))
    control = walk.control
    while walk.chosen[last] < limit:
        if control[KEPT] == out.shape[0] or control[ODD] == odd.shape[0] or control[WORK] <= 0:
            return False
        j = walk.chosen[last]
        walk.chosen[last] += 1
        control[WORK] -= 1
        if walk.n_dead[last] and walk.dead[last, j]:
            continue
        at = place(j, n_bytes)
        wx, wy = -by[at], bx[at]
        height = cx * wx + cy * wy
        eheight = (_product_error(cx, ecx, wx, ey) + _product_error(cy, ecy, wy, ex)) * _SAFE
        pattern = out[control[KEPT]]
        decided = abs(height) > eheight
        if height < 0.0:
            wx, wy = -wx, -wy
        bound = _product_error(mx, ex, wx, ey) + _product_error(my, ey, wy, ex)
        bound = 0.0 if walk.exact else bound * _SAFE
        decided = _signs_off(bx, by, wx, wy, bound, pattern) == n - k and decided
        if decided:
            y[last] = -top / height
            e[last] = ((etop + abs(y[last]) * eheight) / (abs(height) - eheight) + 2.0 * _U * abs(y[last])) * _SAFE
            side = fx * by[at] - fy * bx[at]
            eside = _product_error(fx, efx, by[at], ey) + _product_error(fy, efy, bx[at], ex)
            y[k] = -side / height
            e[k] = ((eside + abs(y[k]) * eheight) / (abs(height) - eheight) + 2.0 * _U * abs(y[k])) * _SAFE
            decided = _signs_on(walk, j, y, e, pattern)
        walk.chosen[last] = j
        if decided:
            if tops.shape[0]:
                tops[control[KEPT], :] = walk.chosen
            if not pattern[0] & 1:
                for byte in range(n_bytes):
                    pattern[byte] ^= 255
                pattern[n_bytes - 1] &= tail
            control[KEPT] += 1
        elif not (walk.exact and _comes_later(walk, bx, by, wx, wy)):
            odd[control[ODD], :] = walk.chosen
            control[ODD] += 1
        walk.chosen[last] = j + 1
    return True


@njit(cache=True, error_model="numpy", nogil=True)
def walk_vertices(walk, out, tops, odd):
    """Walk on until done, a buffer is full, the allotted work is used up, or suspects need examination.

    Parameters
    ----------
    walk : Walk
        The state. control[WORK] says how many vertices to visit at most; on return control[KEPT] and
        control[ODD] count the rows written to `out` and `odd`.
    out : ndarray of uint8, shape (p, n_bytes)
        Receives patterns, packed, the first row positive.
    tops : ndarray of int32, shape (p, k) or (0, k)
        Receives the rows S of each pattern's lowest vertex.
    odd : ndarray of int32, shape (r, k)
        Receives the vertices that floats leave undecided.

    Returns
    -------
    int
        DONE, FULL (call again) or SUSPECT: examine the rows marked in walk.suspect at depth control[DEPTH] + 1,
        mark as dead those that depend on the chosen rows, set control[PHASE] to STAY or LEAVE and call again.
    """
    control, chosen, n = walk.control, walk.chosen, walk.n
    last = chosen.shape[0] - 1
    control[KEPT] = 0
    control[ODD] = 0
    while True:
        limit = _limit(chosen, walk.stop, n)
        if limit < 0:
            return DONE
        m = control[DEPTH]
        if m == last:
            if not _leaves(walk, limit, out, tops, odd):
                return FULL
            if limit < n:
                return DONE
            changed = advance(chosen, n, last - 1)
            if changed < 0:
                return DONE
            control[DEPTH] = changed
            continue
        if control[PHASE] == ENTER:
            control[WORK] -= 1
            control[PHASE] = STAY
            if walk.n_dead[m] and walk.dead[m, chosen[m]]:
                control[PHASE] = LEAVE
            else:
                _eliminate(walk, m)
                if _find_suspects(walk, m + 1):
                    if not walk.exact:
                        return SUSPECT
                    control[PHASE] = STAY if _bury_suspects(walk, m + 1) else LEAVE
        if control[PHASE] == STAY:
            control[DEPTH] = m + 1
        else:
            changed = advance(chosen, n, m)
            if changed < 0:
                return DONE
            control[DEPTH] = changed
        control[PHASE] = ENTER
        if control[WORK] <= 0:
            return FULL
