r"""Dual vectors of several classes: amounts a_ik >= 0 that sample i of class y_i sends to every other class k.

    V_ik = -a_ik  for k != y_i,     V_i,y = sum_k a_ik,     so the rows of V sum to zero

and, if output constants are free, its columns do as well: a class sends as much as it gets. For the flows F_cl =
sum over i in c of a_il that is a circulation, and d_c F_cl / d_l is one for the right d > 0, which Osborne's iteration
finds (E. E. Osborne, "On pre-conditioning of matrices", J. ACM 7, 1960), if flows that lie on no cycle are left out.
All amounts are then cut to multiples of one power of two, of which sums have no rounding, and what is left over, some
units, goes off the largest amounts. So both sums vanish exactly.

With a skip connection columns of V are orthogonal to more functions F of the input than the constants, F'V = 0. With
rows F_i (e_y - e_k)' of a matrix C, one for each amount, that is C'a = 0, and the solution of the form a exp(-C lam) is
where the convex function sum of a exp(-C lam) is least: for constants these are the factors d_c / d_l.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.numerics.lengths import shifted
from cvxrelu.numerics.powers import exponent_of
from cvxrelu.problem.free import Free

__all__ = ["amounts_of", "circulating", "conserved", "paths_of"]

Array = NDArray[np.float64]

# Sweeps of Osborne's iteration, and the excess relative to the flows at which it ends: what is left is taken off
# without regard to what it costs.
SWEEPS, BALANCED = 500, 1e-15
# Binary digits of amounts, and of sums of them: the sum of a row, of up to 2^12 classes, and that of a column are
# integers of units below 2^53.
DIGITS, MOST_DIGITS = 40, 52
# Newton steps towards amounts that conserve all that is free, a handful are usual, halvings of a step, the largest
# change of a logarithm in one, and the miss relative to what is sent at which nothing is done, since amounts are cut.
NEWTON_STEPS, HALVINGS, FURTHEST, CONSERVED = 60, 30, 4.0, 2.0**-36
# Share of the largest amount below which others are zero, and how often it is looked at which these are.
FAINT, ROUNDS = 2.0**-34, 4


def amounts_of(v: Array, labels: NDArray[np.intp]) -> Array:
    """Return the amounts (N, K) of a matrix: minus its entries where these are negative, none for a sample's own class.

    Examples
    --------
    >>> amounts_of(np.array([[0.5, -0.25, 0.1]]), np.array([0]))
    array([[0.  , 0.25, 0.  ]])
    """
    amounts = np.maximum(-v, 0.0)
    amounts[np.arange(len(labels)), labels] = 0.0
    return amounts


def paths_of(F: Array, labels: NDArray[np.intp], count: int) -> Array:
    """Return C, an (N K, r (K - 1)) array: what each amount adds to F'V, but for its first column.

    That is minus the sum of the others.

    Parameters
    ----------
    F : (N, r) array
        Functions on the data.
    labels : (N,) array of int
        The class of each sample.
    count : int
        Number K of classes.

    Examples
    --------
    >>> paths_of(np.array([[2.0], [3.0]]), np.array([0, 1]), 2)
    array([[ 0.],
           [-2.],
           [ 3.],
           [ 0.]])
    """
    n, r = F.shape
    ways = np.eye(count)[labels][:, None, 1:] - np.eye(count)[None, :, 1:]
    return (F[:, None, :, None] * ways[:, :, None, :]).reshape(n * count, r * (count - 1))


def conserved(amounts: Array, labels: NDArray[np.intp], free: Free) -> Array:
    """Return amounts near the given ones, zero where these are, of which F'V = 0 up to rounding, if there are any.

    Faint amounts are zeros: some have to vanish, where nothing could make up for them.

    Parameters
    ----------
    amounts : (N, K) array
        Nonnegative, zero for a sample's own class.
    labels : (N,) array of int
        The class of each sample.
    free : Free
        The functions F.
    """
    if not np.isfinite(amounts).all():
        return amounts
    C, a = paths_of(free.basis, labels, amounts.shape[1]), amounts.ravel()
    for _ in range(ROUNDS):
        used = a > FAINT * a.max(initial=0.0)
        a = np.where(used, a, 0.0)
        if np.abs(C.T @ a).max(initial=0.0) <= CONSERVED * a.sum():
            break
        a[used] = _balanced(a[used], C[used])
    return a.reshape(amounts.shape)


def _balanced(a: Array, C: Array) -> Array:
    """Return a exp(-C lam) for the lam at which its sum is least, by Newton's method."""
    moved, lam = a, np.zeros(C.shape[1])
    for _ in range(NEWTON_STEPS):
        slope = C.T @ moved
        try:
            step = np.linalg.lstsq(C.T @ (moved[:, None] * C), slope)[0]
        except np.linalg.LinAlgError:  # of products beyond floats
            break
        step *= min(1.0, FURTHEST / max(float(np.abs(C @ step).max()), 1e-300))
        length, trial = 1.0, moved
        for _ in range(HALVINGS):
            trial = a * np.exp(-C @ (lam + length * step))
            if trial.sum() <= moved.sum() - 1e-4 * length * float(slope @ step):
                break
            length /= 2
        if not np.abs(C.T @ trial).sum() < np.abs(slope).sum() and not trial.sum() < moved.sum():
            break
        moved, lam = trial, lam + length * step
    return moved


def circulating(amounts: Array, labels: NDArray[np.intp], balanced: bool) -> Array:
    """Return the matrix V of amounts near the given ones whose rows, and if `balanced` columns, sum to zero exactly.

    Parameters
    ----------
    amounts : (N, K) array
        Nonnegative, zero for a sample's own class.
    labels : (N,) array of int
        The class of each sample; every class has one.
    balanced : bool
        Whether columns are to sum to zero.

    Examples
    --------
    >>> circulating(np.array([[0.0, 0.3], [0.6, 0.0]]), np.array([0, 1]), balanced=True).sum(axis=0)
    array([0., 0.])
    """
    n, count = amounts.shape
    if not np.isfinite(amounts).all():
        raise InputError("v has a NaN or infinite entry; impute or drop it.")
    classes = np.arange(count) == labels[:, None]
    if balanced:
        flows = np.array([amounts[labels == c].sum(axis=0) for c in range(count)])
        amounts = amounts * _factors(flows)[labels]
    digits = min(DIGITS, MOST_DIGITS - n.bit_length()) - exponent_of(amounts)
    if not amounts.any() or digits > 1000:
        return np.zeros_like(amounts)
    units = np.trunc(shifted(amounts, digits))
    if balanced:
        _settle(units, labels)
    v = np.where(classes, units.sum(axis=1, keepdims=True), -units)
    return shifted(v, -digits)


def _factors(flows: Array) -> Array:
    """Return what flows between classes are multiplied with to be a circulation, at most one."""
    from scipy.sparse.csgraph import connected_components

    _, parts = connected_components(flows > 0, directed=True, connection="strong")
    flows = np.where(parts[:, None] == parts, flows, 0.0)
    d, total = np.ones(len(flows)), flows.sum()
    for _ in range(SWEEPS):
        for k in range(len(flows)):
            sent, got = d[k] * float(flows[k] @ (1 / d)), float(d @ flows[:, k]) / d[k]
            if sent > 0 and got > 0:
                d[k] *= math.sqrt(got / sent)
        moved = d[:, None] * flows / d
        if np.abs(moved.sum(axis=1) - moved.sum(axis=0)).max() <= BALANCED * total:
            break
    factors = np.where(flows > 0, d[:, None] / d, 0.0)
    return factors / max(float(factors.max(initial=0.0)), 1e-300)


def _settle(units: Array, labels: NDArray[np.intp]) -> None:
    """Change integer amounts, by as little as it takes, until every class sends what it gets."""
    count = units.shape[1]
    members = [np.flatnonzero(labels == c) for c in range(count)]
    excess = [math.fsum(units[members[c]].ravel()) - math.fsum(units[:, c]) for c in range(count)]
    while any(excess):
        # Of what the class s sends in excess to t, or what t sends too little to s.
        s, t = int(np.argmax(excess)), int(np.argmin(excess))
        amount = min(excess[s], -excess[t])
        i = members[s][np.argmax(units[members[s], t])]
        if units[i, t] > 0:
            amount = min(amount, float(units[i, t]))
            units[i, t] -= amount
        else:
            units[members[t][np.argmin(units[members[t]].sum(axis=1))], s] += amount
        excess[s], excess[t] = excess[s] - amount, excess[t] + amount
