r"""An upper bound on the scores of several outputs in any number of dimensions, from multipliers, without rounding.

`cvxrelu.certificate.norm_multipliers` says how they prove it, and here it is written a second time: with L, A, M and
any tau >= 0 as there, and any s with s tau >= 1,

    q.score <= q'L u + u'Q1 u + q'Q2 q,    Q1 = (sum_i tau_i z_i z_i' + sum_p tau_p e_p e_p') / 2,
                                           Q2 = (sum_i s_i A_i A_i' + sum_p s_p M_p M_p') / 2,

and more of each in the leaves of a tree, where signs of t_k and of p.q are known.

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
from numpy.typing import NDArray

from cvxrelu.certificate.rational.relaxed import Places, places_of, with_implied
from cvxrelu.certificate.rational.semidefinite import GRID, HALF_BITS, on_grid, refined, shortfall

__all__ = ["norm_above"]

Record = Mapping[str, Any]

_ceiling = np.vectorize(lambda value: math.ceil(value * GRID), otypes=[object])
_floor = np.vectorize(math.floor, otypes=[object])
_gridded = np.vectorize(on_grid, otypes=[object])


def norm_above(
    rows: Sequence[tuple[Fraction, ...]],
    V: Sequence[tuple[Fraction, ...]],
    slope: Fraction,
    anchored: bool,
    record: Record,
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
        The multipliers, as `cvxrelu.certificate.norm_record` writes them and after it has checked their shape.

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
    return _above(places, record, {}, []) * Fraction(2) ** exponent


def _above(places: Places, tree: Record, signs: dict[int, int], directions: list[list[float]]) -> Fraction:
    """Return the largest bound of the leaves below a node."""
    if "sample" in tree:
        k = tree["sample"]
        sides = (({**signs, k: sign}, directions) for sign in (1, -1))
    elif "direction" in tree:
        p = tree["direction"]
        sides = ((signs, [*directions, side]) for side in (p, [-x for x in p]))
    else:
        return _bound_leaf(places, tree, signs, directions)
    return max(_above(places, tree[name], *side) for name, side in zip(("above", "below"), sides, strict=True))


def _bound_leaf(places: Places, record: Record, split: dict[int, int], directions: list[list[float]]) -> Fraction:
    """Return the bound of one leaf, in units of the places."""
    Z, unit, slope, anchored = places.Z, places.unit, places.slope, places.anchored
    (n, m), weights = Z.shape, np.array(places.weights, dtype=object)
    pairs = np.array(record["pairs"], dtype=np.intp).reshape(-1, 2)
    M = _exactly(record["amounts"], (len(pairs), weights.shape[1]))
    A = (1 - slope) / 2 * weights
    np.subtract.at(A, pairs[:, 0], M)
    np.add.at(A, pairs[:, 1], M)

    # f (p.q) (abs(t) -+ t) >= 0, and abs(t) = s t up to twice slip norm(u) where the sign s is known.
    P = _exactly(directions, (len(directions), weights.shape[1]))
    over, under = np.maximum(_exactly(record.get("lifts"), (2, n, len(P))), 0)
    A = A + (over + under) @ P
    signs, slips = with_implied(places, record, split)
    signed = np.array([signs.get(i, 0) for i in range(n)], dtype=object)
    L = (1 + slope) / 2 * weights - (over - under) @ P + signed[:, None] * A
    slipped = sum((3 * slip * sum(abs(A[k]), Fraction(0)) for k, slip in slips.items()), Fraction(0))
    A[signed != 0] = 0

    A, E = np.vstack([A, M]), np.vstack([Z, Z[pairs[:, 0]] - Z[pairs[:, 1]]])
    given = [on_grid(x) for x in (*record["single"], *record["paired"])]
    tau = [x or size for x, size in zip(given, _ceiling(abs(A).max(axis=1)), strict=True)]
    tau = [x * (i >= n or not signed[i]) for i, x in enumerate(tau)]
    inverse = [-(-GRID * GRID // x) if x else 0 for x in tau]

    nu1, nu2, nu3 = (on_grid(x) for x in record["numbers"])
    diagonal = [nu1 - nu3 * anchored] * (m - anchored) + [nu3] * anchored + [nu2] * A.shape[1]
    form = np.diag(np.array([refined(number) for number in diagonal], dtype=object))
    fine = 1 << 2 * HALF_BITS
    S = np.array([split[k] * Z[k] for k in sorted(split)], dtype=object).reshape(-1, m)
    curved = (E.T * np.array(tau, dtype=object)) @ E + 2 * (S.T @ _products(record.get("products"), len(S)) @ S)
    form[:m, :m] += (-curved * fine) // (2 * GRID * unit**2)
    bent = (A.T * np.array(inverse, dtype=object)) @ A + 2 * (P.T @ _products(record.get("turns"), len(P)) @ P)
    form[m:, m:] += _floor(-bent * Fraction(fine, 2 * GRID))
    form[m:, :m] = _floor(-(L.T @ Z) * Fraction(fine, 2 * unit))
    form[:m, m:] = form[m:, :m].T
    # Entries were rounded down by less than 1, and so is no eigenvalue smaller by more than their number in a row.
    missing = shortfall(form) + len(form)
    return Fraction(nu1 + nu2, GRID) + Fraction(3 * missing, fine) + slipped


def _exactly(values: Any, shape: tuple[int, ...]) -> NDArray[np.object_]:
    """Return nested lists as an array of fractions of a shape; zeros if there are none."""
    array = np.full(shape, Fraction(0), dtype=object)
    if values is not None and array.size:
        array[...] = np.vectorize(Fraction, otypes=[object])(np.array(values, dtype=float))
    return array


def _products(values: Any, side: int) -> NDArray[np.object_]:
    """Return multipliers of products times `GRID`, made symmetric."""
    if values is None or not side:
        return np.zeros((side, side), dtype=object)
    eta = _gridded(np.array(values, dtype=float))
    return (eta + eta.T) // 2
