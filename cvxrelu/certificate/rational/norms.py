r"""An upper bound on the scores of several outputs in any number of dimensions, from multipliers, without rounding.

`cvxrelu.certificate.norm_multipliers` says how they prove it, and here it is written a second time: with L, A, M and
any tau >= 0 as there, and any s with s tau >= 1,

    q.score <= q'L u + u'Q1 u + q'Q2 q,    Q1 = (sum_i tau_i z_i z_i' + sum_p tau_p e_p e_p') / 2,
                                           Q2 = (sum_i s_i A_i A_i' + sum_p s_p M_p M_p') / 2.

Multipliers are rounded to multiples of 2^-100, and tau that are missing are replaced. With

    [[ (nu1 - nu3) I_w + nu3 I_b - Q1,  -L'/2 ],  [ -L/2,  nu2 I - Q2 ]]  >=  -r,

the score is at most nu1 + nu2 + 3 max(0, r), since norm(u)^2 + norm(q)^2 <= 3; r is found as in
`cvxrelu.certificate.rational.relaxed`. Nothing is searched for: the numbers nu go with the multipliers.
"""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from cvxrelu.certificate.rational.relaxed import places_of
from cvxrelu.certificate.rational.semidefinite import GRID, HALF_BITS, on_grid, refined, shortfall

__all__ = ["norm_above"]

_ceiling = np.vectorize(lambda value: math.ceil(value * GRID), otypes=[object])
_floor = np.vectorize(math.floor, otypes=[object])
_gridded = np.vectorize(on_grid, otypes=[object])


def norm_above(
    rows: Sequence[tuple[Fraction, ...]],
    V: Sequence[tuple[Fraction, ...]],
    slope: Fraction,
    anchored: bool,
    record: Mapping[str, Any],
) -> Fraction:
    """Return an upper bound on the largest norm of the scores of a unit neuron.

    Parameters
    ----------
    rows : sequence of N tuples of fractions
        The points; with a jointly penalised bias, the lifted points (x_i, 1).
    V : sequence of N tuples of K fractions
        The dual matrix, its largest entry about 1.
    slope : Fraction
        Negative slope a of the activation.
    anchored : bool
        True for a free bias; every column of V must then sum to zero.
    record : dict
        The multipliers, as `cvxrelu.certificate.multiplier_record` writes them and after it has checked their shape.

    Examples
    --------
    Two places without bias, each with an output of its own: norm(relu(u)) is 1 at most.

    >>> rows = [(Fraction(1), Fraction(0)), (Fraction(0), Fraction(1))]
    >>> numbers = {"single": [0.5, 0.5], "paired": [], "numbers": [0.5, 0.5, 0.0]}
    >>> bound = norm_above(rows, rows, Fraction(0), False, {"pairs": [], "amounts": [], **numbers})
    >>> 1 <= bound < 1 + Fraction(1, 10**9)
    True
    """
    if anchored and any(sum(column) for column in zip(*V, strict=True)):
        raise ValueError("With a free bias gamma is infinite unless v sums to zero.")
    places, exponent = places_of(rows, [np.array(row, dtype=object) for row in V], slope, anchored)
    Z, unit, weights = places.Z, places.unit, np.array(places.weights, dtype=object)
    m = Z.shape[1]
    pairs = np.array(record["pairs"], dtype=np.intp).reshape(-1, 2)
    M = np.array([[Fraction(x) for x in row] for row in record["amounts"]], dtype=object)
    M = M.reshape(len(pairs), weights.shape[1])
    A = (1 - slope) / 2 * weights
    np.subtract.at(A, pairs[:, 0], M)
    np.add.at(A, pairs[:, 1], M)
    A, E = np.vstack([A, M]), np.vstack([Z, Z[pairs[:, 0]] - Z[pairs[:, 1]]])
    given = [on_grid(x) for x in (*record["single"], *record["paired"])]
    tau = [x or size for x, size in zip(given, _ceiling(abs(A).max(axis=1)), strict=True)]
    inverse = [-(-GRID * GRID // x) if x else 0 for x in tau]

    nu1, nu2, nu3 = (on_grid(x) for x in record["numbers"])
    diagonal = [nu1 - nu3 * anchored] * (m - anchored) + [nu3] * anchored + [nu2] * A.shape[1]
    form = np.diag(np.array([refined(number) for number in diagonal], dtype=object))
    fine = 1 << 2 * HALF_BITS
    form[:m, :m] += (-((E.T * np.array(tau, dtype=object)) @ E) * fine) // (2 * GRID * unit**2)
    form[m:, m:] += _floor(-((A.T * np.array(inverse, dtype=object)) @ A) * Fraction(fine, 2 * GRID))
    form[m:, :m] = _floor(-(1 + slope) * (weights.T @ Z) * Fraction(fine, 4 * unit))
    form[:m, m:] = form[m:, :m].T
    # Entries were rounded down by less than 1, and so is no eigenvalue smaller by more than their number in a row.
    missing = shortfall(form) + len(form)
    return (Fraction(nu1 + nu2, GRID) + Fraction(3 * missing, fine)) * Fraction(2) ** exponent
