"""The concave relaxation of a score on a cone: one nearest-point problem.

Let H(u) = p . u - sum_i abs(c_i) max(z_i . u, 0), a concave function, and K = {lam = W u >= 0} a cone (or,
without rays, the whole space). Writing max(t, 0) = max over s in [0, 1] of s t, minimax gives

    max over u in K, norm(u) <= 1 of H(u)  =  min over s in [0, 1]^n, mu >= 0 of norm( p + sum_i s_i c_i z_i +
    W' mu ),

the distance from the origin of a zonotope plus a cone of rays. `cvxrelu.pricing.nearest` solves it with an
oracle: at the point y, the piece with s_i = 1 where z_i . y > 0 is the one furthest against y. The nearest
point itself is the maximiser u, and any weights on the pieces give an upper bound. It is exact to rounding
after about m pieces, kinks included, where a subgradient method would crawl.

In free mode norm(w) <= 1 binds only the first components of u = (w, b). The problem is solved in the
coordinates (w, shear (b - t . w)): with b close to t . w where it matters, the spurious cost of b is
negligible, and whatever remains of it the caller's bound takes into account.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.nearest import nearest
from cvxrelu.pricing.vectors import copy, fill, squared_norm
from cvxrelu.runtime.compiled import kernel

__all__ = ["relax", "scratch_for"]

Array = NDArray[np.float64]
Index = NDArray[np.int64]

OPTIMAL = 1e-13
"""Relative duality gap at which the nearest point is found."""

OUTSIDE = 1e-13
"""A generator coordinate this negative, relative to the ray times the point, has its ray added."""

ROUNDS_PER_DIMENSION = 12
"""Atoms tried per dimension before giving up: the bound of the last point is valid, only not the best."""


@kernel(error_model="numpy")
def scratch_for(m: int) -> tuple[Array, NDArray[np.bool_], Array, Array, Array, Array]:
    """Allocate the work space of `relax` for m lifted dimensions."""
    return (
        np.zeros((m + 3, m)),
        np.zeros(m + 3, np.bool_),
        np.zeros(m + 3),
        np.zeros((m + 3, m)),
        np.zeros((2 * m + 4, m + 2)),
        np.zeros((4, m)),
    )


@kernel(error_model="numpy")
def _shear(p: Array, t: Array, shear: float, out: Array) -> None:
    """Write p in the coordinates dual to (w, shear (b - t . w)); nothing changes when shear is 0."""
    m = len(p)
    copy(p, out)
    if shear > 0:
        for q in range(m - 1):
            out[q] += p[m - 1] * t[q]
        out[m - 1] = p[m - 1] / shear


@kernel(error_model="numpy")
def relax(
    offset: Array,
    members: Index,
    Z: Array,
    c: Array,
    rays: Array,
    t: Array,
    limits: tuple[float, float, float],
    u: Array,
    mean: Array,
    scratch: tuple[Array, NDArray[np.bool_], Array, Array, Array, Array],
) -> float:
    """Solve the relaxation, or stop as soon as its fate is known.

    Parameters
    ----------
    offset : (m,)
        The linear part p.
    members : (count,)
        Indices of the concave points.
    Z, c : (n, m), (n,)
        Lifted points and their weights, negative on the members.
    rays : (k, m)
        Rows W_k of the dual basis; none for the whole space.
    t : (m - 1,)
        Shear; unused when the shear parameter is 0.
    limits : (low, high, shear)
        Stop when the bound is at most `low`, or when the relaxation surely exceeds `high`; shear parameter.
    u : (m,)
        On entry a direction to start from; on return the maximiser in the original coordinates, of norm equal
        to the bound in the sheared ones.
    mean : (m,)
        Receives sum_i s_i c_i z_i.
    scratch
        From `scratch_for`.

    Returns
    -------
    lower : float
        A value that the relaxation attains (minus infinity if none was computed).
    """
    atoms, is_ray, weight, tags, work, vectors = scratch
    low, high, shear = limits
    m = len(offset)
    piece, h, y = vectors[0], vectors[1], vectors[2]
    lower = -np.inf
    size = 0
    norm = np.inf
    rays_help = True
    for _ in range(ROUNDS_PER_DIMENSION * m):
        added = False
        if size > 0:
            copy(y, u)
            if shear > 0:
                u[m - 1] = y[m - 1] / shear
                for q in range(m - 1):
                    u[m - 1] += t[q] * y[q]
            worst, chosen = 0.0, -1
            for k in range(len(rays)):
                dot, length = 0.0, 0.0
                for q in range(m):
                    dot += rays[k, q] * u[q]
                    length += rays[k, q] * rays[k, q]
                dot /= np.sqrt(length)
                if dot < worst:
                    worst, chosen = dot, k
            if rays_help and worst < -OUTSIDE * norm:
                _shear(rays[chosen], t, shear, atoms[size])
                is_ray[size] = True
                added = True
        if not added:
            fill(h, 0.0)
            for e in range(len(members)):
                i = members[e]
                dot = 0.0
                for q in range(m):
                    dot += Z[i, q] * u[q]
                if dot > 0:
                    for q in range(m):
                        h[q] += c[i] * Z[i, q]
            for q in range(m):
                piece[q] = offset[q] + h[q]
            _shear(piece, t, shear, atoms[size])
            is_ray[size] = False
            copy(h, tags[size])
            if size == 0:
                weight[0] = 1.0
                size = 1
                copy(atoms[0], y)
                norm = np.sqrt(squared_norm(y))
                if norm <= low:
                    break
                continue
            value = 0.0
            for q in range(m):
                value += y[q] * atoms[size, q]
            lower = value / norm
            if lower > high or value >= norm * norm * (1 - OPTIMAL):
                break
        weight[size] = 0.0
        size = nearest(atoms, is_ray, weight, size + 1, y, tags, work)
        before = norm
        norm = np.sqrt(squared_norm(y))
        if norm <= low or norm == 0:
            size = abs(size)
            break
        if size < 0 or norm >= before:
            # Rounding: nothing was gained. After a ray a piece may still help.
            size = abs(size)
            if not added:
                break
            rays_help = False
        else:
            rays_help = True
    copy(y, u)
    if shear > 0:
        u[m - 1] = y[m - 1] / shear
        for q in range(m - 1):
            u[m - 1] += t[q] * y[q]
    fill(mean, 0.0)
    for j in range(size):
        if not is_ray[j]:
            for q in range(m):
                mean[q] += weight[j] * tags[j, q]
    return lower
