r"""A bound on the scores of several outputs from multipliers alone, in any dimension.

With C = (1 - a) V on the places and L = a V'Z + C'Z/2 the score of a neuron u is norm(L u + sum_i c_i abs(t_i)), where
t = Z u and c_i = C_i / 2. For any rows M_p of multipliers of pairs p = (i, k) of places, with e_p = z_i - z_k, let

    A_i = c_i - (what the pairs take from i, and give to k),      tau_i, tau_p > 0 any numbers.

Then for every unit vector q, since abs(abs(t_i) - abs(t_k)) <= abs(e_p . u), and x y <= tau x^2 / 2 + y^2 / (2 tau),

    q . score <= q'L u + u'Q1 u + q'Q2 q,
    Q1 = (sum_i tau_i z_i z_i' + sum_p tau_p e_p e_p') / 2,
    Q2 = (sum_i A_i A_i' / tau_i + sum_p M_p M_p' / tau_p) / 2

and beta = nu1 + nu2 bounds that over unit neurons wherever, for some nu3 >= 0 (nu3 = 0 unless the bias is free, when
abs(u_b) <= norm(u_w) for a best neuron),

    [[ (nu1 - nu3) I_w + nu3 I_b - Q1,  -L'/2 ],  [ -L/2,  nu2 I - Q2 ]]   is positive semidefinite.

Regions. On a leaf of a tree (`cvxrelu.certificate.norm_trees`) signs s_k t_k >= 0 are known, and p_j.q >= 0 for some
directions p_j. There the score is linear in t_k, so that A_k s_k z_k' goes to L and costs nothing else; and, with
multipliers f, eta >= 0, what is added to q . score is not negative:

    f_ij (p_j.q) (abs(t_i) -+ t_i)      adds f_ij p_j to A_i, and takes +-f_ij p_j z_i' off L
    eta_kl (s_k t_k) (s_l t_l)          adds s_k s_l eta_kl z_k z_l' to Q1
    eta_jl (p_j.q) (p_l.q)              adds eta_jl p_j p_l' to Q2.

The first says that abs(t_i) is not below zero, where p_j.q is not: without it, what a place takes off a score is not
told from what it adds. The largest bound of all leaves is one on the norm of every score. Signs that follow from known
ones are known up to what `cvxrelu.certificate.implied` says, which is charged for.

A solver that failed, or stopped early, only makes it looser. The three numbers nu may go with the multipliers, so that
whoever checks a bound has one matrix to look at.

Rounding. A is made from M, so it is off by a few roundings of its terms, which score no more than their size times
norm(z_i) (in free mode sqrt(2) norm(z_i)). Entries of the matrix are sums of n + P terms, and its eigenvalues as
computed are off by a small multiple of their number times eps times its norm; all that is added to nu1, nu2 and nu3.
"""

import functools
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.implied import follow_from, with_implied
from cvxrelu.certificate.norm_trees import Known, NormMultipliers, NormTree, changed_leaves, norm_leaves
from cvxrelu.certificate.trees import Tree
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.weights import Weights

__all__ = ["Multipliers", "bound_region", "bound_scores", "settled_numbers"]

Array = NDArray[np.float64]

EPS = float(np.finfo(float).eps)
# Least tau of a row, relative to the one at which both of its terms are the same for a neuron along it; and those that
# are tried: a row that a solver takes for nothing, up to its accuracy, must not be paid for as one of small tau.
LEAST_TAU, LEAST_TAUS = 1e-6, (1e-6, 1e-3, 1e-2, 1e-1)
# Steps of the search for nu, over logarithms of one number or two: the first on a grid for the whole range, the others
# on one half as wide as the one before.
STEPS, FIRST_STEP, FIRST_GRID, GRID = 14, 1.5, (-10, 2), (-2, 2)


Multipliers = tuple[Tree, Tree] | NormTree
"""What bounds gamma: trees for the scores of one output and for their negatives, or a tree for norms of scores."""


def bound_scores(points: Points, weights: Weights, tree: NormTree) -> float:
    """Return a bound on the scores of all unit neurons, in units of the points and of the weights.

    Parameters
    ----------
    points, weights
        The places and the dual matrix on them.
    tree : NormMultipliers or Fork
        Any multipliers, of all there is or of the regions of a tree; those of the relaxation make the bound close.

    Examples
    --------
    >>> points = Points.prepare(np.eye(3), "none", 0.0)
    >>> none = NormMultipliers(np.empty((0, 2), dtype=int), np.empty((0, 3)), np.ones(3), np.empty(0))
    >>> weights = points.weigh(np.eye(3))
    >>> 1.0 <= bound_scores(points, weights, none) * 2.0**weights.exponent < 1.3  # the largest norm(relu(u)) is 1
    True
    """
    return max(bound_region(points, weights, multipliers, known) for known, multipliers in norm_leaves(tree))


@np.errstate(all="ignore")
def bound_region(points: Points, weights: Weights, multipliers: NormMultipliers, known: Known) -> float:
    """Return a bound on q.score for all u and q of one region; infinity if the multipliers prove nothing."""
    if not follow_from(multipliers.implied, known.signs, len(points.Z)):
        return np.inf
    form = _form_of(points, weights, multipliers, known)
    numbers = multipliers.numbers or form.best_numbers()
    if numbers is None or not np.isfinite(numbers).all():
        return np.inf
    nu1, nu2, nu3 = (max(number, 0.0) for number in numbers)
    matrix = form.matrix((nu1, nu2, nu3))
    if not np.isfinite(matrix).all():
        return np.inf
    size = form.size + float(np.linalg.norm(matrix))
    doubt = 8 * (form.terms + 8 * len(matrix)) * EPS * size * len(matrix)
    shift = max(0.0, -float(np.linalg.eigvalsh(matrix)[0])) * (1 + 1e-9) + doubt
    free = points.bias == "free"
    beta = nu1 + nu2 + (2 + free) * shift
    bound = float(beta * (1 + 8 * EPS) + form.lost + weights.margin(len(points.X) + 256.0))
    return bound if bound >= 0 else np.inf


@np.errstate(all="ignore")
def settled_numbers(points: Points, weights: Weights, tree: NormTree) -> NormTree:
    """Return multipliers with the tau and nu that the search for the best ones ends with, if it finds any."""

    def settle(known: Known, multipliers: NormMultipliers) -> NormMultipliers:
        best, least = multipliers, np.inf
        for share in LEAST_TAUS:
            form = _form_of(points, weights, multipliers, known, share)
            numbers = form.best_numbers()
            if numbers is not None and numbers[0] + numbers[1] < least:
                least = numbers[0] + numbers[1]
                best = replace(multipliers, single=form.single, paired=form.paired, numbers=numbers)
        return best

    return changed_leaves(tree, settle)


class _Form(NamedTuple):
    """The quadratic form that bounds q . score; lengths of u that count are those of its first `normed` entries.

    Attributes
    ----------
    Q1, Q2, L : arrays
        As above.
    normed : int
        All entries of u, or all but the bias where that is free.
    size, terms : float, int
        What rounding of the matrix is relative to, and of how many terms its entries are sums.
    lost : float
        What rounding of A adds to a score.
    single, paired : arrays
        tau.
    """

    Q1: Array
    Q2: Array
    L: Array
    normed: int
    size: float
    terms: int
    lost: float
    single: Array
    paired: Array

    def matrix(self, numbers: tuple[float, float, float]) -> Array:
        """Return the matrix that has to be semidefinite."""
        nu1, nu2, nu3 = numbers
        ball = np.full(len(self.Q1), nu1 - nu3 * (self.normed < len(self.Q1)))
        ball[self.normed :] = nu3
        return np.block([[np.diag(ball) - self.Q1, -self.L.T / 2], [-self.L / 2, nu2 * np.eye(len(self.Q2)) - self.Q2]])

    def best_numbers(self) -> tuple[float, float, float] | None:
        """Return nu1, nu2 and nu3 of nearly the least nu1 + nu2, if there are any; any numbers are safe."""
        if not all(np.isfinite(part).all() for part in (self.Q1, self.Q2, self.L)):
            return None  # multipliers beyond the range of floats prove nothing, and LAPACK would complain of them
        try:
            return _best_numbers(self)
        except (np.linalg.LinAlgError, ValueError):
            return None


def _form_of(
    points: Points, weights: Weights, multipliers: NormMultipliers, known: Known, least: float = LEAST_TAU
) -> _Form:
    """Return the form of multipliers on a region."""
    Z, a = points.lifted, points.negative_slope
    free, roots = points.bias == "free", np.sqrt(2.0) if points.bias == "free" else 1.0
    C = (1 - a) * weights.v
    L = a * (weights.v.T @ Z) + C.T @ Z / 2
    E = Z[multipliers.pairs[:, 0]] - Z[multipliers.pairs[:, 1]]
    A, moved = C / 2, row_sizes(C)
    np.subtract.at(A, multipliers.pairs[:, 0], multipliers.amounts)
    np.add.at(A, multipliers.pairs[:, 1], multipliers.amounts)
    for end in range(2):
        np.add.at(moved, multipliers.pairs[:, end], row_sizes(multipliers.amounts))
    lengths, widths = row_sizes(Z), row_sizes(E)
    # Directions with p.q >= 0, and signs.
    P = np.array(known.directions).reshape(-1, C.shape[1])
    over, under = _fitting(multipliers.lifts, (2, len(Z), len(P)))
    A += (over + under) @ P
    L -= P.T @ ((over - under).T @ Z)
    moved += (over + under) @ row_sizes(P)
    signs, slips = with_implied(Z, lengths, known.signs, multipliers.implied)
    at, slipped = np.array(sorted(signs), dtype=int), 2 * roots * float(slips @ row_sizes(A))
    L += A[at].T @ (np.array([signs[k] for k in at.tolist()])[:, None] * Z[at])
    A[at] = 0.0
    # A row whose multiplier is zero, or nearly, gets one of its own.
    single = np.maximum(multipliers.single, least * row_sizes(A) / np.where(lengths > 0, lengths, 1.0))
    single[at] = 0.0
    paired = np.maximum(multipliers.paired, least * row_sizes(multipliers.amounts) / np.where(widths > 0, widths, 1.0))
    Q1 = (Z.T @ (single[:, None] * Z) + E.T @ (paired[:, None] * E)) / 2
    Q2 = (_over(A, single) + _over(multipliers.amounts, paired)) / 2
    size = float(np.trace(Q1) + np.trace(Q2) + row_sizes(C) @ lengths * (1 + 2 * abs(a) / abs(1 - a)))
    split = np.array(sorted(known.signs), dtype=int)
    S = np.array([known.signs[k] for k in split.tolist()])[:, None] * Z[split]
    for Q, rows, given in ((Q1, S, multipliers.products), (Q2, P, multipliers.turns)):
        eta, sizes = _fitting((given + given.T) / 2, (len(rows),) * 2), row_sizes(rows)
        Q += rows.T @ eta @ rows
        size += float(sizes @ eta @ sizes)
    if known.signs or known.directions:
        size += float(moved @ lengths)
    terms = len(Z) + len(E) + 2 * (len(P) + len(at))
    lost = 64 * EPS * (len(E) + len(P) + 4) * float(moved @ lengths) * roots + slipped
    return _Form(Q1, Q2, L, Z.shape[1] - free, size, terms, lost, single, paired)


def _fitting(values: Array, shape: tuple[int, ...]) -> Array:
    """Return what is not negative of an array of some shape; nothing of one of another shape."""
    return np.maximum(values, 0.0) if values.shape == shape else np.zeros(shape)


def _over(rows: Array, tau: Array) -> Array:
    """Return the sum of row row' / tau; rows of zeros count nothing."""
    used = rows.any(axis=1)
    return rows[used].T @ (rows[used] / tau[used, None])


def _best_numbers(form: _Form) -> tuple[float, float, float]:
    """Return nu1, nu2 and nu3 of nearly the least nu1 + nu2: on a grid, and on finer ones around the best there."""
    Q1, Q2, L, normed, *_ = form
    free = normed < len(Q1)
    scale = float(np.linalg.norm(Q1, 2) + np.linalg.norm(Q2, 2) + np.linalg.norm(L, 2)) or 1.0
    sizes, turn = np.linalg.eigh(Q1[:normed, :normed])
    L, side = np.column_stack([L[:, :normed] @ turn, L[:, normed:]]), turn.T @ Q1[:normed, normed:]

    def numbers(x: Array) -> Array:
        """Return them for nu1 - nu3 and nu3 above the least by the exponentials of x."""
        over = scale * np.exp(x)
        inverse = 1 / (sizes[-1] - sizes + over[:, :1] + EPS * scale)
        nu1, nu3 = sizes[-1] + over[:, 0], np.zeros(len(x))
        matrices = Q2 + (L[:, :normed] * inverse[:, None]) @ L[:, :normed].T / 4
        if free:
            # The weights are eliminated: nu3 has to be above what is left of the bias.
            need = Q1[-1, -1] + inverse @ side[:, 0] ** 2
            rows = L[:, -1] + (inverse * side[:, 0]) @ L[:, :normed].T
            nu3 = np.maximum(need, 0.0) + over[:, 1]
            matrices += rows[:, :, None] * (rows / (nu3 - need + EPS * scale)[:, None])[:, None] / 4
        nu2 = np.linalg.eigvalsh(matrices)[:, -1]
        return np.array([nu1 + nu3, nu2, nu3], dtype=float).T

    found, best = np.zeros(1 + free), np.zeros(3)
    for step in range(STEPS):
        tried = found + FIRST_STEP * 0.5**step * _grid(FIRST_GRID if step == 0 else GRID, 1 + free)
        values = numbers(tried)
        totals = values[:, 0] + values[:, 1]
        least = int(np.argmin(np.where(np.isfinite(totals), totals, np.inf)))
        found, best = tried[least], values[least]
    nu1, nu2, nu3 = best.tolist()
    return nu1, nu2, nu3


@functools.cache
def _grid(ends: tuple[int, int], dimension: int) -> Array:
    """Return the integer points of a cube, from the first to the last on each axis."""
    return np.array(list(product(range(ends[0], ends[1] + 1), repeat=dimension)), dtype=float)
