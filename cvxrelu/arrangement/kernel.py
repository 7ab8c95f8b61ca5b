"""Compiled walk over the vertices of an arrangement, each handing over the cell it is the lowest vertex of.

The arrangement: n rows a_i in R^D, D = k + 1, seen in the chart {g . u = 1} with the height h . u, both
functionals generic. Every k independent rows S meet in one vertex w, and if no other row passes through w,
exactly one cell has w as its lowest point: off S its signs are those of a_i . w, and on S they are those of y
in

    h = y_0 g + sum_{i in S} y_i a_i.

Reduced by the first k - 1 rows of S, two coordinates are left, w = (-b_y, b_x) with b the last row, and one
pass over the rows gives the pattern. The system for y is triangular, and is solved at once for all vertices
of one line, which share the first k - 1 rows.

Signs count only if proven (see `reduction`). Vertices at which floats leave one undecided are handed back in
`odd` and treated exactly elsewhere.

Degenerate vertices. Of all S that span the same vertex only the lexicographically first counts: it consists,
in order, of the rows that do not depend on those before them. So a subtree is left as soon as a row earlier
than the last chosen one newly depends on the chosen ones; rows that depend on the chosen are `dead`, and are
not chosen.
"""

import math

import numpy as np
from numba import njit

from cvxrelu.arrangement.reduction import SAFE, bury_suspects, eliminate, find_suspects, product_error
from cvxrelu.arrangement.walk import (
    DEPTH,
    DONE,
    ENTER,
    FULL,
    KEPT,
    LEAVE,
    ODD,
    PHASE,
    STAY,
    SUSPECT,
    UNIT_ROUNDOFF,
    WORK,
)

__all__ = ["walk_vertices"]

_U = UNIT_ROUNDOFF
# Multiplied with 8 bytes that are 0 or 1, it collects them as bits of the highest byte, the first byte
# lowest.
_GATHER = 0x0102040810204080


@njit(cache=True)
def _advance(chosen, n, m):
    """Go to the next subset that differs from S at or before position m; return where, -1 at the end."""
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


@njit(cache=True, inline="always", error_model="numpy")
def _solve_line(walk, first):
    """Solve for y at the vertices of a line from the last row `first` on, and note where its signs are sure.

    In the two coordinates left, h = y_0 g + y_last b; then, from the deepest, y_m from the pivot coordinate
    of depth m.
    """
    k, n = walk.chosen.shape[0], walk.n
    last = k - 1
    rows, y, e, sure = walk.reduced, walk.weight, walk.weight_error, walk.sure
    factor, factor_error = walk.factor, walk.factor_error
    at_g = rows.shape[2] - 2
    cx, cy, fx, fy = (
        rows[last, 0, at_g],
        rows[last, 1, at_g],
        rows[last, 0, at_g + 1],
        rows[last, 1, at_g + 1],
    )
    ex, ey = walk.row_error[last, 0], walk.row_error[last, 1]
    ecx, ecy = walk.chart_error[last, 0], walk.chart_error[last, 1]
    efx, efy = walk.height_error[last, 0], walk.height_error[last, 1]
    top = cx * fy - cy * fx
    etop = product_error(cx, ecx, fy, efy) + product_error(cy, ecy, fx, efx)
    for j in range(first, n):
        x_j, y_j = rows[last, 0, j], rows[last, 1, j]
        det = cx * y_j - cy * x_j
        edet = product_error(cx, ecx, y_j, ey) + product_error(cy, ecy, x_j, ex)
        side = fx * y_j - fy * x_j
        eside = product_error(fx, efx, y_j, ey) + product_error(fy, efy, x_j, ex)
        inverse = 1.0 / det
        # From abs(det) > 2 edet: 1 / (abs(det) - edet) < 2 / abs(det).
        grow = 2.0 * abs(inverse) * SAFE
        solution = top * inverse
        error = (etop + abs(solution) * edet) * grow + 4.0 * _U * abs(solution)
        y[last, j], e[last, j] = solution, error
        sure[j] = (abs(det) > 2.0 * edet * SAFE) & (abs(solution) > error * SAFE)
        solution = side * inverse
        y[k, j], e[k, j] = solution, (eside + abs(solution) * edet) * grow + 4.0 * _U * abs(solution)
    rounding = (k + 6) * _U
    for m in range(last - 1, -1, -1):
        p, inverse, ratio_error = walk.pivot[m], walk.inverse[m], walk.ratio_error[m]
        chart, e_chart, height, e_height = (
            factor[m, k],
            factor_error[m, k],
            factor[m, k + 1],
            factor_error[m, k + 1],
        )
        for j in range(first, n):
            a = rows[m, p, j] * inverse
            ea = (1.0 + abs(a)) * ratio_error + rounding * abs(a)
            y[m, j] = height - y[last, j] * a - y[k, j] * chart
            error = e_height + abs(y[last, j]) * ea + (abs(a) + ea) * e[last, j]
            e[m, j] = error + abs(y[k, j]) * e_chart + (abs(chart) + e_chart) * e[k, j]
        for q in range(m + 1, last):
            a, ea = factor[m, q], factor_error[m, q]
            for j in range(first, n):
                y[m, j] -= y[q, j] * a
                e[m, j] += abs(y[q, j]) * ea + (abs(a) + ea) * e[q, j]
        for j in range(first, n):
            sure[j] &= abs(y[m, j]) > e[m, j] * SAFE


@njit(cache=True, error_model="numpy")
def _signs_off(bx, by, wx, wy, bound, signs):
    """Write the signs of bx wx + by wy; return how many of the values exceed the bound."""
    certain = 0
    for i in range(signs.shape[0]):
        value = bx[i] * wx + by[i] * wy
        signs[i] = value > 0.0
        certain += abs(value) > bound
    return certain


@njit(cache=True, error_model="numpy")
def _comes_later(bx, by, wx, wy, chosen, dead):
    """Whether a row before the last chosen one passes through the vertex (only asked if rows are exact)."""
    last = chosen.shape[0] - 1
    for i in range(chosen[last]):
        if bx[i] * wx + by[i] * wy == 0.0 and not dead[i]:
            is_chosen = False
            for m in range(last):
                is_chosen = is_chosen or chosen[m] == i
            if not is_chosen:
                return True
    return False


@njit(cache=True, inline="always", error_model="numpy")
def _visit_line(walk, limit, out, tops, odd):
    """Visit the vertices of one line, chosen[k - 1] < limit; False if a buffer or the work ran out."""
    chosen, control, weight, sure, exact = walk.chosen, walk.control, walk.weight, walk.sure, walk.exact
    signs, words = walk.signs, walk.signs.view(np.uint64)
    k, n, n_bytes = chosen.shape[0], walk.n, out.shape[1]
    last = k - 1
    dead = walk.dead[last]
    bx, by = walk.reduced[last, 0], walk.reduced[last, 1]
    cx, cy = bx[8 * n_bytes], by[8 * n_bytes]
    ex, ey = walk.row_error[last, 0], walk.row_error[last, 1]
    mx, my = walk.row_size[last, 0], walk.row_size[last, 1]
    tail = np.uint8(255 >> (8 * n_bytes - n))
    kept, n_odd, work = control[KEPT], control[ODD], control[WORK]
    j = chosen[last]
    _solve_line(walk, j)
    while j < limit and kept < out.shape[0] and n_odd < odd.shape[0] and work > 0:
        work -= 1
        if dead[j]:
            j += 1
            continue
        chosen[last] = j
        # Where sure[j] holds, this sign of g . w is proven, too: it is that of the determinant in the system
        # for y.
        up = math.copysign(1.0, cy * bx[j] - cx * by[j])
        wx, wy = -by[j] * up, bx[j] * up
        bound = product_error(mx, ex, wx, ey) + product_error(my, ey, wy, ex)
        bound = 0.0 if exact else bound * SAFE
        if _signs_off(bx, by, wx, wy, bound, signs) == n - k and sure[j]:
            first = weight[0, j] > 0.0 if chosen[0] == 0 else signs[0] == 1
            flip = 0 if first else 255
            for byte in range(n_bytes):
                out[kept, byte] = ((words[byte] * np.uint64(_GATHER)) >> np.uint64(56)) ^ np.uint64(flip)
            for m in range(k):
                row = chosen[m]
                bit = row & 7
                positive = (weight[m, j] > 0.0) ^ (not first)
                out[kept, row >> 3] = (out[kept, row >> 3] & ~(1 << bit)) | (positive << bit)
            out[kept, n_bytes - 1] &= tail
            if tops.shape[0]:
                for m in range(k):
                    tops[kept, m] = chosen[m]
            kept += 1
        elif not (exact and _comes_later(bx, by, wx, wy, chosen, dead)):
            for m in range(k):
                odd[n_odd, m] = chosen[m]
            n_odd += 1
        j += 1
    control[KEPT], control[ODD], control[WORK] = kept, n_odd, work
    chosen[last] = j
    return j >= limit


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
        DONE, FULL (call again) or SUSPECT: examine the rows marked in walk.suspect at depth control[DEPTH] +
        1, mark as dead those that depend on the chosen rows, set control[PHASE] to STAY or LEAVE and call
        again.
    """
    control, chosen, n = walk.control, walk.chosen, walk.n
    last = chosen.shape[0] - 1
    control[KEPT] = 0
    control[ODD] = 0
    while True:
        limit = _limit(chosen, walk.stop, n)
        if limit < 0:
            return DONE
        if control[WORK] <= 0:
            return FULL
        m = control[DEPTH]
        if m == last:
            if not _visit_line(walk, limit, out, tops, odd):
                return FULL
            if limit < n:
                return DONE
            changed = _advance(chosen, n, last - 1)
            if changed < 0:
                return DONE
            control[DEPTH] = changed
            continue
        if control[PHASE] == ENTER:
            control[WORK] -= 1
            control[PHASE] = STAY
            if walk.dead[m, chosen[m]]:
                control[PHASE] = LEAVE
            else:
                if find_suspects(walk, m + 1, eliminate(walk, m)):
                    if not walk.exact:
                        return SUSPECT
                    control[PHASE] = STAY if bury_suspects(walk, m + 1) else LEAVE
        if control[PHASE] == STAY:
            control[DEPTH] = m + 1
        else:
            changed = _advance(chosen, n, m)
            if changed < 0:
                return DONE
            control[DEPTH] = changed
        control[PHASE] = ENTER
