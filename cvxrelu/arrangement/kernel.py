"""Compiled walk over the vertices of an arrangement, each handing over the cell it is the lowest vertex of.

The arrangement: n rows a_i in R^D, D = k + 1, seen in the chart {g . u = 1} with the height h . u, both
functionals generic. Every k independent rows S meet in one vertex w, and if no other row passes through w,
exactly one cell has w as its lowest point: off S its signs are those of a_i . w, and on S they are those of y
in

    h = y_0 g + sum_{i in S} y_i a_i.

Reduced by the first k - 2 rows of S, three coordinates are left, w = b_i x b_j with i, j the last two rows,
and one pass over the rows gives the pattern. In these coordinates

    s y_0 = t,   s y_i = c . b_j,   s y_j = - c . b_i,      s = g . w,   t = h . w,   c = g x h,

and in the coordinate F_q that is solved for q, one of the first k - 2 rows,

    s y_q F_q(b_q) = s F_q(h) - t F_q(g) - (c . b_j) F_q(b_i) + (c . b_i) F_q(b_j).

Signs count only if proven (see `reduction`). Vertices at which floats leave one undecided are handed back in
`odd` and treated exactly elsewhere.

Degenerate vertices. Of all S that span the same vertex only the lexicographically first counts: it consists,
in order, of the rows that do not depend on those before them. So a subtree is left as soon as a row earlier
than the last chosen one newly depends on the chosen ones; rows that depend on the chosen are `dead`, and are
not chosen.
"""

import numpy as np

from cvxrelu.arrangement.lanes import LANES, eight_signs
from cvxrelu.arrangement.reduction import (
    SAFE,
    UNDERFLOW,
    bury_suspects,
    eliminate,
    find_parallel,
    find_suspects,
    product_error,
)
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
from cvxrelu.runtime.compiled import kernel

__all__ = ["walk_vertices"]

_U = UNIT_ROUNDOFF


@kernel()
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


@kernel()
def _limit(chosen, stop, n):
    """Return where the last chosen row has to stop: n, earlier at the end of the walk, -1 beyond it."""
    last = chosen.shape[0] - 1
    for m in range(last):
        if chosen[m] < stop[m]:
            return n
        if chosen[m] > stop[m]:
            return -1
    return min(n, stop[last])


@kernel(error_model="numpy")
def _comes_later(bx, by, bz, wx, wy, wz, chosen, dead):
    """Whether a row before the last chosen one passes through the vertex (only asked if rows are exact)."""
    last = chosen.shape[0] - 1
    for i in range(chosen[last]):
        if bx[i] * wx + by[i] * wy + bz[i] * wz == 0.0 and not dead[i]:
            is_chosen = False
            for m in range(last):
                is_chosen = is_chosen or chosen[m] == i
            if not is_chosen:
                return True
    return False


@kernel(inline="always", error_model="numpy")
def _solve(walk, entries, s, t, turn_i, turn_j, error, turn_error):
    """Write the signs of s y on S to walk.upper; return whether they are sure.

    `error` bounds the errors of s and t, `turn_error` those of turn_i = c . b_i and turn_j = c . b_j. With E
    the error and M the size of a coordinate, a sum of four products errs by at most

        (|s| + |t| + |turn_i| + |turn_j|) (E + 4 u M) + 2 (error + turn_error) (M + E).
    """
    chosen, upper, k, depth = walk.chosen, walk.upper, walk.chosen.shape[0], entries.shape[0] - 3
    at_g = entries.shape[1] - LANES
    sure = abs(turn_i) > turn_error
    upper[k - 1] = turn_i < 0.0
    if k == 1:
        return sure
    i, j = chosen[k - 2], chosen[k - 1]
    sure &= abs(turn_j) > turn_error
    upper[k - 2] = turn_j > 0.0
    values = (abs(s) + abs(t) + abs(turn_i) + abs(turn_j)) * SAFE
    errors = 2.0 * (error + turn_error) * SAFE
    for q in range(depth):
        solved = entries[k - q]
        e, size = walk.functional_error[depth, k - q], walk.row_size[depth, k - q]
        value = s * solved[at_g + 1] - t * solved[at_g] - turn_j * solved[i] + turn_i * solved[j]
        bound = (values * (e + 4.0 * _U * size) + errors * (size + e)) * SAFE + UNDERFLOW
        own = solved[chosen[q]]
        # Where a product overflows, so does the value.
        sure &= (bound < abs(value)) & (abs(value) < np.inf) & (abs(own) > walk.row_error[depth, k - q])
        upper[q] = (value > 0.0) == (own > 0.0)
    return sure


@kernel(inline="always", error_model="numpy")
def _visit_line(walk, limit, out, tops, odd):
    """Visit the vertices of one line, chosen[k - 1] < limit; False if a buffer or the work ran out."""
    chosen, control, exact, upper = walk.chosen, walk.control, walk.exact, walk.upper
    k, n, n_bytes = chosen.shape[0], walk.n, out.shape[1]
    last, depth = k - 1, max(k - 2, 0)
    entries = walk.reduced[depth]
    dead = walk.dead[last]
    bx, by, bz = entries[0], entries[1], entries[2]
    gx, gy, gz = bx[8 * n_bytes], by[8 * n_bytes], bz[8 * n_bytes]
    hx, hy, hz = bx[8 * n_bytes + 1], by[8 * n_bytes + 1], bz[8 * n_bytes + 1]
    # A plane is as good as space with one more row.
    ix, iy, iz = 0.0, 0.0, 1.0
    if k > 1:
        ix, iy, iz = bx[chosen[k - 2]], by[chosen[k - 2]], bz[chosen[k - 2]]
    previous = walk.pivot[k - 3] if exact and k > 2 else 1.0
    # Errors of rows and functionals, sizes, and errors of w = b_i x b_j and of c = g x h, which for exact rows
    # are divided by the previous pivot: w consists of minors, too.
    ex, ey, ez = walk.row_error[depth, 0], walk.row_error[depth, 1], walk.row_error[depth, 2]
    fx, fy, fz = walk.functional_error[depth, 0], walk.functional_error[depth, 1], walk.functional_error[depth, 2]
    mx, my, mz = walk.row_size[depth, 0], walk.row_size[depth, 1], walk.row_size[depth, 2]
    ewx, ewy, ewz = 0.0, 0.0, 0.0
    if not exact:
        ewx = product_error(iy, ey, mz, ez) + product_error(iz, ez, my, ey)
        ewy = product_error(iz, ez, mx, ex) + product_error(ix, ex, mz, ez)
        ewz = product_error(ix, ex, my, ey) + product_error(iy, ey, mx, ex)
    scale = abs(1.0 / previous)
    cx, cy, cz = (gy * hz - gz * hy) / previous, (gz * hx - gx * hz) / previous, (gx * hy - gy * hx) / previous
    ecx = (product_error(gy, fy, hz, fz) + product_error(gz, fz, hy, fy)) * scale
    ecy = (product_error(gz, fz, hx, fx) + product_error(gx, fx, hz, fz)) * scale
    ecz = (product_error(gx, fx, hy, fy) + product_error(gy, fy, hx, fx)) * scale
    turn_error = product_error(mx, ex, cx, ecx) + product_error(my, ey, cy, ecy) + product_error(mz, ez, cz, ecz)
    turn_error *= SAFE
    turn_i = cx * ix + cy * iy + cz * iz
    # The sum of product_error(m, f, w, ew) over the coordinates is fixed + |w| . slope.
    fixed = (mx + fx) * ewx + (my + fy) * ewy + (mz + fz) * ewz + UNDERFLOW
    slope_x, slope_y, slope_z = fx + 4.0 * _U * mx, fy + 4.0 * _U * my, fz + 4.0 * _U * mz
    kept, n_odd, work = control[KEPT], control[ODD], control[WORK]
    j = chosen[last]
    while j < limit and kept < out.shape[0] and n_odd < odd.shape[0] and work > 0:
        work -= 1
        if dead[j]:
            j += 1
            continue
        chosen[last] = j
        jx, jy, jz = bx[j], by[j], bz[j]
        wx, wy, wz = iy * jz - iz * jy, iz * jx - ix * jz, ix * jy - iy * jx
        if exact:
            wx, wy, wz = wx / previous, wy / previous, wz / previous
        error = (fixed + abs(wx) * slope_x + abs(wy) * slope_y + abs(wz) * slope_z) * SAFE
        s, t = gx * wx + gy * wy + gz * wz, hx * wx + hy * wy + hz * wz
        turn_j = cx * jx + cy * jy + cz * jz
        sure = (abs(s) > error) & _solve(walk, entries, s, t, turn_i, turn_j, error, turn_error)
        # Opposite patterns have opposite w and s y: take that with the first row positive.
        upward = upper[0] if chosen[0] == 0 else bx[0] * wx + by[0] * wy + bz[0] * wz > 0.0
        if not upward:
            wx, wy, wz = -wx, -wy, -wz
        bound = 0.0 if exact else error
        certain = 0
        for byte in range(n_bytes):
            signs = eight_signs((bx, by, bz), LANES * byte, (wx, wy, wz), bound)
            out[kept, byte] = signs & 255
            certain += signs >> LANES
        if certain == n - k and sure:
            # Of S only the first k - 2 rows are zero in these coordinates, the others up to rounding.
            for m in range(max(k - 2, 0), k):
                out[kept, chosen[m] >> 3] &= ~(1 << (chosen[m] & 7))
            for m in range(k):
                out[kept, chosen[m] >> 3] |= (upper[m] == upward) << (chosen[m] & 7)
            if tops.shape[0]:
                for m in range(k):
                    tops[kept, m] = chosen[m]
            kept += 1
        elif not (exact and _comes_later(bx, by, bz, wx, wy, wz, chosen, dead)):
            for m in range(k):
                odd[n_odd, m] = chosen[m]
            n_odd += 1
        j += 1
    control[KEPT], control[ODD], control[WORK] = kept, n_odd, work
    chosen[last] = j
    return j >= limit


@kernel(error_model="numpy", nogil=True)
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
    line = chosen.shape[0] - 2
    control[KEPT] = 0
    control[ODD] = 0
    while True:
        limit = _limit(chosen, walk.stop, n)
        if limit < 0:
            return DONE
        if control[WORK] <= 0:
            return FULL
        m = control[DEPTH]
        if control[PHASE] == ENTER:
            control[WORK] -= 1
            control[PHASE] = STAY
            if walk.dead[m, chosen[m]]:
                control[PHASE] = LEAVE
            elif find_parallel(walk) if m == line else find_suspects(walk, m + 1, eliminate(walk, m)):
                if not walk.exact:
                    return SUSPECT
                control[PHASE] = STAY if bury_suspects(walk, m + 1) else LEAVE
        if control[PHASE] == STAY:
            if m < line:
                control[DEPTH] = m + 1
                control[PHASE] = ENTER
                continue
            if not _visit_line(walk, limit, out, tops, odd):
                return FULL
        changed = _advance(chosen, n, m)
        if changed < 0:
            return DONE
        control[DEPTH] = changed
        control[PHASE] = ENTER
