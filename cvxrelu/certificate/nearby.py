r"""The dual vector that is meant: one near the float vector v that is orthogonal to all that is free, exactly.

With a skip connection a dual vector has F'v = 0, F = [1, X] or X (`cvxrelu.problem.free`), and floats meet that up to
rounding only. Nothing can be claimed for v then; but for

    v' = v - D eta,   D = diag(abs(v)),   eta = 0 off a set S of rows,   (F'D) eta = F'v,

which is orthogonal to F exactly. With S as many rows as F has independent columns, G = (D F)_S and any M near G'^-1,

    max abs(eta) <= max abs(M) abs(F'v) / (1 - q),    q = norm(I - M G') < 1   (in the maximum norm),

and a bound on the right-hand side, rounding included, is the `ratio`: abs(v'_i - v_i) <= ratio abs(v_i). So v' has the
signs of v, and v' / (1 + ratio) is in every box around zero that v is in. Pivoting chooses rows with large abs(v_i),
and the ratio is 1e-15 or so. Bounds are claimed for v':

    gamma(v') <= gamma(v) + moved,    moved = sum_S ratio abs(v_i) * reach,
    y.v' = (y - F beta).v' >= (y - F beta).v - ratio sum_i abs(v_i (y - F beta)_i)   for any beta,

reach being the largest response of a unit neuron on the data (if biases are free, that to a difference of two samples,
for the changes sum to zero). Columns that depend on others, exactly (`cvxrelu.certificate.dependence`), are left out;
nothing is proven where columns depend on others up to rounding only, for such a combination is free like any other.

Of several outputs each column of a dual matrix has its own vector nearby, and what scores change by is the length of
what they change by in each. With classes the entries of V are amounts a_ik that a sample sends to others
(`cvxrelu.problem.losses.circulation`), F'V = 0 is C'a = 0, and a takes the place of v and C that of F: a' has the signs
of a, so that rows of V' sum to zero as well, and a change of an amount by e changes two entries of V by e, its scores
by no more than sqrt(2) e reach. A concave function g >= 0 of the amounts of a sample loses no more than a share t where
none of these loses more: for the chain of points at which those that lose more than u are zero has mean a' over u in
[0, 1], and is a for all u > t.
"""

import math
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.certificate.dependence import spans
from cvxrelu.numerics.centring import centred
from cvxrelu.numerics.powers import unit
from cvxrelu.problem.free import Free
from cvxrelu.problem.losses.circulation import amounts_of, paths_of
from cvxrelu.problem.problem import Problem

__all__ = ["EPS", "FAR", "WIDENING", "WIDE_EPS", "Nearby", "nearby"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

# Ratio above which a vector proves nothing: rounding is a billion times less, unless columns depend on others nearly.
FAR = 1e-4
# Share of the largest pivot below which columns are looked at exactly.
RANK_RTOL = 1e-10
# Relative widening of bounds that are computed in floats, from sums of up to some thousands of terms.
WIDENING = 1 + 1e-9
# The distance from 1 to the next float, of the usual and of the widest ones; what a product may lose by underflow.
EPS, WIDE_EPS = float(np.finfo(float).eps), float(np.finfo(np.longdouble).eps)
UNDERFLOW = 2.0**-1000


class Nearby(NamedTuple):
    """How far from v the vector is that is meant: by a ratio of each entry; and what a score changes by at most."""

    ratio: float
    moved: float


HERE, NOWHERE = Nearby(0.0, 0.0), Nearby(np.inf, np.inf)


def nearby(problem: Problem, v: Array) -> Nearby:
    """Return how far from v there is a vector that is orthogonal to all that is free.

    Parameters
    ----------
    problem : Problem
        The problem.
    v : (N,) or (N, K) array
        A vector that `Problem.repair` returned, or a multiple of it.

    Returns
    -------
    Nearby
        Zeros without a skip connection, infinities if no such vector is found.

    Examples
    --------
    >>> problem = Problem([[0.1], [0.2], [0.3]], [0.0, 1.0, 0.0], skip=True)
    >>> found = nearby(problem, problem.repair(np.array([-1.0, 2.0, -1.0])))
    >>> found.ratio < 1e-14, found.moved < 1e-14
    (True, True)
    """
    if not problem.skip or not v.any():
        return HERE
    if not np.isfinite(v).all():
        return NOWHERE
    free = problem.free
    kept = _independent(free, free.columns, np.ones(len(v), dtype=bool))
    # All of them where that is not known.
    kept = list(range(free.columns.shape[1])) if kept is None else kept
    if not problem.several:
        return _of_entries(problem, v, free.columns, kept)
    if not problem.loss.labels:
        each = [_of_entries(problem, column, free.columns, kept) for column in v.T if column.any()]
        return Nearby(max(one.ratio for one in each), math.hypot(*(one.moved for one in each)) * WIDENING)
    labels, count = problem.y.astype(np.intp), problem.n_outputs
    kept = [(count - 1) * j + k for j in kept for k in range(count - 1)]
    ratio, moved = _of_entries(problem, amounts_of(v, labels).ravel(), paths_of(free.columns, labels, count), kept)
    return Nearby(ratio, math.sqrt(2) * moved * WIDENING)


def _of_entries(problem: Problem, v: Array, columns: Array, kept: list[int]) -> Nearby:
    """Return how far from entries v there are others that are orthogonal to columns, some of which span the same."""
    v, exponent = unit(v)
    ratio, used = _ratio(problem.free, columns, kept, v)
    if not ratio <= FAR:
        return NOWHERE
    reach = problem.norm.reach(problem.X, problem.negative_slope)
    moved = ratio * float(np.abs(v[used]).sum()) * reach * WIDENING
    return Nearby(ratio, float(np.ldexp(moved, exponent)))


def _ratio(free: Free, columns: Array, kept: list[int], v: Array) -> tuple[float, Indices]:
    """Return a bound on abs(eta), and S."""
    used = v != 0
    scaled, rows = _scaled(columns[used]), np.flatnonzero(used)
    found = _solved(scaled[:, kept], v[used])
    if found is None and not used.all():
        # Fewer rows may have fewer independent columns.
        fewer = _independent(free, columns, used)
        found = None if fewer is None else _solved(scaled[:, fewer], v[used])
    return (np.inf, rows[:0]) if found is None else (found[0], rows[found[1]])


def _solved(columns: Array, v: Array) -> tuple[float, Indices] | None:
    """Return a bound on abs(eta) and S, given independent columns; None if they are not, up to rounding."""
    n, k = columns.shape
    if k == 0:
        return 0.0, np.empty(0, dtype=np.intp)
    if n < k:
        return None
    weighted = np.abs(v)[:, None] * columns
    pivots = _pivots(weighted.T)[1][:k]
    G = weighted[pivots]
    if not np.isfinite(G).all() or np.linalg.matrix_rank(G) < k:
        return None
    M = np.linalg.inv(G.T)
    miss = np.abs(np.eye(k) - M @ G.T) + 4 * (k + 4) * EPS * (np.abs(M) @ np.abs(G.T)) + UNDERFLOW
    q = float(miss.sum(axis=1).max()) * WIDENING
    if not q < 0.5:
        return None
    # Sums in wide floats are right to a few units of those for each of their terms.
    products = columns.astype(np.longdouble) * v.astype(np.longdouble)[:, None]
    left = np.abs(products.sum(axis=0)) + (n + 4) * WIDE_EPS * np.abs(products).sum(axis=0)
    shares = np.abs(M) @ (left.astype(float) * (1 + 2 * EPS) + n * UNDERFLOW)
    return float(shares.max()) / (1 - q) * WIDENING, pivots


def _scaled(columns: Array) -> Array:
    """Return columns over powers of two, with largest entries of about one; others may underflow."""
    scales = np.abs(columns).max(axis=0, initial=0.0)
    return columns / np.exp2(np.frexp(np.where(scales > 0, scales, 1.0))[1])


def _pivots(matrix: Array) -> tuple[Array, Indices]:
    """Return the pivots of a QR factorisation, in absolute value, and the columns in their order."""
    found: Any = scipy.linalg.qr(matrix, mode="r", pivoting=True)
    return np.abs(np.diag(found[0])), np.asarray(found[1], dtype=np.intp)


# What is known of some rows of F, or of the paths made of it: which rows they are is the same for many a vector.
_KNOWN: "WeakKeyDictionary[Free, dict[tuple[int, bytes], list[int] | None]]" = WeakKeyDictionary()


def _independent(free: Free, columns: Array, used: NDArray[np.bool_]) -> list[int] | None:
    """Return independent columns that span the same, on the rows used, known exactly; None where they are not known."""
    known, key = _KNOWN.setdefault(free, {}), (len(used), np.packbits(used).tobytes())
    if key not in known:
        known[key] = _independent_columns(columns[used])
    return known[key]


def _independent_columns(columns: Array) -> list[int] | None:
    """Return columns of which all others are combinations, exactly; None if there are none that floats tell apart."""
    # The pivots of centred columns, of length one: the constant comes first, if there is one. Floats choose, in which
    # small entries of a column may underflow; whether others are combinations is said by the columns as they are.
    if not len(columns):
        return []
    scaled = _scaled(columns)
    constant = bool(scaled.shape[1]) and bool((scaled[:, 0] == scaled[0, 0]).all() and scaled[0, 0] != 0)
    moving = centred(scaled)[0] if constant else scaled.copy()
    sizes = np.linalg.norm(moving, axis=0)
    moving /= np.where(sizes > 0, sizes, 1.0)
    heights, order = _pivots(moving)
    rank = int(np.sum(heights > RANK_RTOL * max(heights.max(initial=0.0), 1e-300)))
    kept = sorted([0] * constant + [int(j) for j in order[:rank]])
    others = [j for j in range(columns.shape[1]) if j not in kept]
    if not others:
        return kept
    # Rows that are equal say the same.
    distinct = list({row.tobytes(): i for i, row in enumerate(columns)}.values())
    columns, scaled = columns[distinct], scaled[distinct]
    if len(columns) < len(kept):
        return None
    rows = _pivots(scaled[:, kept].T)[1][: len(kept)]
    return kept if spans(columns, rows.tolist(), kept) else None
