r"""Fewer terms in a non-negative combination, at no greater cost (Caratheodory's theorem, made constructive).

    sum_j f_j a_j = t,  f >= 0   ->   the same sum with linearly independent a_j,  and  sum_j c_j f_j  not greater

Along a direction z with sum_j z_j a_j = 0 the sum does not change. Of z and -z one does not raise the cost; following
it until a term vanishes leaves one term fewer and one direction fewer. The directions are kept as an orthonormal basis
of the null space, from which a reflection removes each term that has vanished, so rounding does not build up. Of many
terms some come at a time, beside those that the ones before have left: k of them take O(k N^2) operations, not O(k^3).
All at once leave a few less.

A vertex of the linear program over f has as few terms, but simplex codes stop at a feasibility of 1e-9 and often fail
on columns that are almost parallel, of which solutions of interior-point methods are full.
"""

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import exponents_of, lengths, shifted
from cvxrelu.numerics.tolerances import QR_RANK_RTOL

__all__ = ["fewest_terms"]

Array = NDArray[np.float64]

# Terms that are looked at together: a third of a second.
TOGETHER = 800
# The most that a unit of length costs, beyond which it makes no difference.
DEAREST = 1e150


def fewest_terms(columns: Array, factors: Array, costs: Array, constant: bool, others: Array | None = None) -> Array:
    """Return factors of a combination that has linearly independent columns, the same sum, and no greater cost.

    Parameters
    ----------
    columns : (N, k) array
        The vectors that are combined, as columns, none of them zero.
    factors : (k,) array
        Their factors, non-negative.
    costs : (k,) array
        Cost of a unit of each, positive.
    constant : bool
        Whether a multiple of the vector of ones may change, too, at no cost.
    others : (N, r) array, optional
        Further vectors of which multiples may change, orthogonal to each other and to the ones, if these may.

    Returns
    -------
    (k,) array
        Non-negative factors, at most N of them positive, at most N - 1 with a constant. The sum is the same up to
        rounding, and up to a multiple of ones with a constant.

    Examples
    --------
    >>> fewest_terms(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]]), np.ones(3), np.ones(3), False).round(12)
    array([2., 0., 0.])
    """
    if not len(factors):
        return factors
    sizes = lengths(columns.T)
    matrix = columns / sizes
    if constant:
        matrix = matrix - matrix.mean(axis=0)
    if others is not None and others.size:
        matrix = matrix - others @ ((others.T @ matrix) / (others**2).sum(axis=0)[:, None])
    # In units of the longest column and of the dearest, so that neither over- nor underflows with the other.
    sizes, costs = shifted(sizes, -exponents_of(sizes)), shifted(costs, -exponents_of(costs))
    with np.errstate(over="ignore"):
        values, prices = factors * sizes, np.minimum(costs / sizes, DEAREST)
    left, step = np.empty(0, int), max(len(matrix), TOGETHER - len(matrix))
    for begin in range(0, len(values), step):
        together = np.concatenate([left, np.arange(begin, min(begin + step, len(values)))])
        values[together] = _independent(matrix[:, together], values[together], prices[together])
        left = together[values[together] > 0]
    return values / sizes


def _independent(matrix: Array, values: Array, prices: Array) -> Array:
    """Return values whose positive ones belong to linearly independent columns: the same sum, at no greater cost."""
    factorisation: Any = scipy.linalg.qr(matrix.T, pivoting=True)
    orthogonal, triangle = factorisation[0], factorisation[1]
    heights = np.abs(np.diag(triangle))
    basis = orthogonal[:, int(np.sum(heights > QR_RANK_RTOL * heights[0])) :]
    while basis.shape[1]:
        slopes = basis.T @ prices
        direction = -basis @ slopes if slopes.any() else basis[:, 0]
        if not (direction < 0).any():
            direction = -direction
        falls = direction < 0
        steps = np.full(len(values), np.inf)
        with np.errstate(over="ignore"):  # what falls as slowly as that does not count
            steps[falls] = -values[falls] / direction[falls]
        first = int(np.argmin(steps))
        if steps[first] == np.inf:
            break
        values = np.maximum(values + steps[first] * direction, 0.0)
        values[first] = 0.0
        basis = _without(basis, first)
    return values


def _without(basis: Array, index: int) -> Array:
    """Return an orthonormal basis of the vectors spanned by `basis` whose entry `index` is zero."""
    mirror = basis[index].copy()
    mirror[0] += np.copysign(np.linalg.norm(mirror), mirror[0])
    reflected = basis - np.outer(basis @ mirror, 2.0 * mirror / (mirror @ mirror))
    reflected[index] = 0.0
    return reflected[:, 1:]
