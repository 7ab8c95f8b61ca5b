r"""An upper bound on gamma(v) in any number of dimensions, from multipliers, without rounding.

On each leaf of a tree of regions, nonnegative multipliers bound the score by a quadratic, F(u) <= kappa + g.u + u'Q u;
`cvxrelu.certificate.multipliers` says how, and here it is written a second time. Multipliers are not data: any
nonnegative numbers will do, so they are rounded to multiples of 2^-100, and one that is missing is replaced. Places,
weights and slope are fractions; over common denominators everything is an integer. With J = I and B = -I on w, and 0
and 1 on a free bias,

    M = [[beta - kappa - nu,  -g'/2], [-g'/2,  nu J + nu2 B - Q]],    F(u) <= beta - (1, u)'M (1, u).

That M is nearly semidefinite takes no elimination: with *any* L, such as a root of M found in floats,

    M = L L' + R,    (1, u)'M (1, u) >= -3 max(0, -r),    r = min_i (R_ii - sum_{j != i} abs(R_ij))

by Gershgorin's circles, since norm(1, u)^2 <= 3. R is computed in integers, and is as small as the rounding of L.
So F <= beta + 3 max(0, -r): floats only choose nu, beta and L, and a poor choice makes the bound larger, not wrong.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.rational.numbers import common_denominator
from cvxrelu.certificate.rational.semidefinite import (
    GRID,
    HALF_BITS,
    as_floats,
    choose,
    on_grid,
    refined,
    shortfall,
    strips,
)
from cvxrelu.errors import InputError
from cvxrelu.numerics.powers import exponent_of

__all__ = ["Places", "gamma_above", "places_of", "with_implied"]

Record = Mapping[str, Any]
Integers = NDArray[np.object_]


class Places(NamedTuple):
    """The distinct places, lifted, in the units of the multipliers.

    Attributes
    ----------
    Z : (n, m) array of int
        Rows times `unit`.
    unit : int
        Their common denominator.
    weights : list of n fractions, or (K,) arrays of fractions
        The dual vector on the places.
    reach : list of n fractions
        At least the largest abs(t_i) of a unit neuron that can be best.
    slope : Fraction
        Negative slope of the activation.
    anchored : bool
        Whether the last column is a free bias, in the strip abs(b) <= norm(w).
    """

    Z: Integers
    unit: int
    weights: list[Any]
    reach: list[Fraction]
    slope: Fraction
    anchored: bool


def gamma_above(
    rows: Sequence[tuple[Fraction, ...]],
    v: Sequence[Fraction],
    slope: Fraction,
    anchored: bool,
    trees: Sequence[Record],
    one_sided: bool = False,
) -> Fraction:
    """Return an upper bound on the largest absolute score of a unit neuron.

    Parameters
    ----------
    rows : sequence of N tuples of fractions
        The points; with a jointly penalised bias, the lifted points (x_i, 1).
    v : sequence of N fractions
        The dual vector, its largest entry about 1.
    slope : Fraction
        Negative slope a of the activation.
    anchored : bool
        True for a free bias; v must then sum to zero.
    trees : two records
        The multipliers, for the scores and for their negatives, as `cvxrelu.certificate.multiplier_record` writes them
        and after it has checked their shape.
    one_sided : bool, default False
        Whether only positive scores count, so that the second tree is not looked at.

    Returns
    -------
    Fraction
        The bound.

    Raises
    ------
    InputError
        If the multipliers prove nothing, or are not two trees.

    Examples
    --------
    Two places without bias; the score relu(w_1) + relu(w_2) is at most sqrt(2), and its negative at most 0:

    >>> rows, v = [(Fraction(1), Fraction(0)), (Fraction(0), Fraction(1))], [Fraction(1), Fraction(1)]
    >>> trees = {"curvature": [0.125**0.5, 0.125**0.5]}, {"linear": [-0.5, -0.5]}
    >>> bound = gamma_above(rows, v, Fraction(0), False, trees)
    >>> round(float(bound), 9), bound**2 >= 2
    (1.414213562, True)
    """
    if anchored and sum(v) != 0:
        raise ValueError("With a free bias gamma is infinite unless v sums to zero.")
    places, exponent = places_of(rows, v, slope, anchored)
    largest = 0
    sides = (1,) if one_sided else (1, -1)
    if len(trees) != 2:
        raise InputError("multipliers must be two trees, for the scores and for their negatives.")
    for side, tree in zip(sides, trees[: len(sides)], strict=True):
        for signs, leaf in _leaves(tree, {}):
            with np.errstate(over="ignore", invalid="ignore"):
                largest = max(largest, _bound_leaf(places, leaf, signs, side))
    return Fraction(largest, GRID) * Fraction(2) ** exponent


def places_of(
    rows: Sequence[tuple[Fraction, ...]], v: Sequence[Any], slope: Fraction, anchored: bool
) -> tuple[Places, int]:
    """Return the places, and the exponent of their unit; v holds fractions, or arrays of them."""
    merged: dict[tuple[Fraction, ...], Any] = {}
    for row, weight in zip(rows, v, strict=True):
        merged[row] = merged.get(row, 0) + weight
    points = sorted(merged)
    floats = np.array(points, dtype=float)
    # Any centre will do; this one the multipliers are made for.
    centre = floats.min(axis=0) / 2 + floats.max(axis=0) / 2 if anchored else np.zeros(floats.shape[1])
    exponent = exponent_of(floats - centre)
    scale = Fraction(2) ** -exponent
    shift = [Fraction(entry) for entry in centre.tolist()]
    lifted = [[(x - c) * scale for x, c in zip(point, shift, strict=True)] for point in points]
    unit = common_denominator(entry for row in lifted for entry in row)
    unit <<= max(0, GRID.bit_length() - unit.bit_length())
    Z = np.array([[int(entry * unit) for entry in row] for row in lifted], dtype=object)
    squares = (Z * Z).sum(axis=1)
    reach = _furthest(Z, unit) if anchored else [Fraction(math.isqrt(square) + 1, unit) for square in squares]
    if anchored:
        Z = np.column_stack([Z, np.full(len(Z), math.isqrt(squares.max()) + 1, dtype=object)])
    return Places(Z, unit, [merged[point] for point in points], reach, slope, anchored), exponent


def _furthest(Z: Integers, unit: int) -> list[Fraction]:
    """Return at least the distance from each place to the one that is furthest away, for entries of at most 2 units.

    Floats will do, for what they may miss is added: of a difference two roundings of its entries and its own, of its
    length as many as there are terms. Integers would take seconds for a thousand places, and minutes for ten thousand.
    """
    places = np.array(Z / unit, dtype=float)
    missed = Fraction((places.shape[1] + 8) ** 2, 2**50)
    return [Fraction(float(np.sqrt(np.square(places - place).sum(axis=1).max()))) + missed for place in places]


def _leaves(tree: Record, signs: dict[int, int]) -> Iterator[tuple[dict[int, int], Record]]:
    """Yield the leaves of a tree, each with the signs that are known in it."""
    if "sample" not in tree:
        yield signs, tree
        return
    yield from _leaves(tree["above"], {**signs, tree["sample"]: 1})
    yield from _leaves(tree["below"], {**signs, tree["sample"]: -1})


def _ceiling(value: Fraction) -> int:
    """Return a fraction times `GRID`, rounded up."""
    return -(-value.numerator * GRID // value.denominator)


def _bound_leaf(places: Places, leaf: Record, signs: dict[int, int], side: int) -> int:
    """Return beta of one leaf times `GRID`: side times the score is at most beta on its region."""
    Z, unit, weights, reach, a, anchored = places
    n, m = Z.shape
    signs, slips = with_implied(places, leaf, signs)
    even, odd = side * (1 - a) / 2, side * (1 + a) / 2
    theta = [on_grid(x, None) for x in leaf.get("linear", [0.0] * n)]
    c, h = ([on_grid(x) for x in leaf.get(name, [0.0] * n)] for name in ("curvature", "credit"))

    # Cuts: mu (abs(t_k) - sum lam_i abs(t_i)) <= d (e.u)^2 + mu^2 / (4 d).
    cuts = leaf.get("cuts", {"places": [], "shares": [], "mass": [], "curvature": []})
    mu = [on_grid(x) for x in cuts["mass"]]
    d = [on_grid(x) or mass for x, mass in zip(cuts["curvature"], mu, strict=True)]
    E = np.zeros((len(mu), m), dtype=object)
    moved = [0] * n  # times GRID^2
    for row, (first, *others), shares, mass in zip(E, cuts["places"], cuts["shares"], mu, strict=True):
        row += GRID * Z[first]
        moved[first] += GRID * mass
        for place, share in zip(others, map(on_grid, shares), strict=True):
            row -= share * Z[place]
            moved[place] -= share * mass
    kappa = sum(-(-mass * mass // (4 * bend)) for mass, bend in zip(mu, d, strict=True) if mass)

    # What is left of each place: A abs(t) <= c t^2 + A^2 / (4 c), or a linear term where the sign s of t is known. If
    # it is implied, s t is at least -slip norm(u), and abs(t) exceeds it by no more than twice that; norm(u) < 3/2.
    tilt: list[Fraction] = []
    bends = np.zeros(n, dtype=object)
    for i in range(n):
        rest = even * weights[i] - Fraction(moved[i], GRID**2)
        credit = h[i] * reach[i] / GRID
        if i in signs:
            gain = Fraction(max(theta[i], 0), GRID)
            tilt.append(odd * weights[i] + signs[i] * (rest + gain + credit))
            bends[i] = -h[i]
            if i in slips:
                kappa += _ceiling(3 * slips[i] * (abs(rest) + gain + credit))
            continue
        paid = max(0, _ceiling(rest + Fraction(abs(theta[i]), GRID) + credit)) if Z[i].any() else 0
        bend = c[i] or paid
        kappa += -(-paid * paid // (4 * bend)) if paid else 0
        tilt.append(odd * weights[i] - Fraction(theta[i], GRID))
        bends[i] = bend - h[i]
    common = common_denominator(tilt)
    g = np.array([int(entry * common) for entry in tilt], dtype=object) @ Z  # over common * unit

    curved = (Z.T * bends) @ Z
    if "products" in leaf and len(signs) > 1:
        eta = np.array([[on_grid(x) for x in row] for row in leaf["products"]], dtype=object)
        eta = (eta + eta.T) // 2
        known = sorted(signs)
        S = np.array([signs[k] * Z[k] for k in known], dtype=object)
        curved = curved + S.T @ eta @ S
        lengths = [_length(Z[k], unit) for k in known]
        for i in set(known) & set(slips):
            # Twice (i, j) and (j, i), norm(u)^2 <= 2.
            products = sum((x * length for x, length in zip(eta[known.index(i)], lengths, strict=True)), Fraction(0))
            kappa += _ceiling(4 * slips[i] * products / GRID)
    Q = GRID**2 * curved + (E.T * np.array(d, dtype=object)) @ E  # over GRID^3 unit^2

    bits = 2 * HALF_BITS
    M = np.zeros((m + 1, m + 1), dtype=object)
    M[1:, 1:] = (-Q << bits) // (GRID**3 * unit**2)
    M[0, 1:] = M[1:, 0] = (-g << bits) // (2 * common * unit)
    diagonal = np.arange(1, m + 1)
    inside = diagonal[: m - 1] if anchored else diagonal
    chosen = None
    for nu2 in strips(as_floats(M), leaf.get("strip", 0.0)) if anchored else [0]:
        H = M.copy()
        if anchored:
            H[inside, inside] -= refined(nu2)
            H[m, m] += refined(nu2)
        chosen = choose(as_floats(H), kappa / GRID, leaf.get("ball", 0.0), anchored)
        if chosen is not None:
            M = H
            break
    if chosen is None:
        raise InputError("The multipliers of the certificate prove no bound; find others.")
    nu, beta = map(on_grid, chosen)
    M[0, 0] = refined(beta - kappa - nu)
    M[inside, inside] += refined(nu)
    # Entries of M were rounded down by less than 1, and so is no eigenvalue smaller by more than m + 1.
    return beta + -(-3 * (shortfall(M) + m + 1) * GRID >> bits)


def with_implied(places: Places, leaf: Record, signs: dict[int, int]) -> tuple[dict[int, int], dict[int, Fraction]]:
    """Return all signs that are known, and by what share of norm(u) each implied s_k t_k can be below zero."""
    every, slips = dict(signs), {}
    implied = leaf.get("implied", {"places": [], "shares": [], "signs": []})
    for (first, *others), shares, sign in zip(*(implied[name] for name in ("places", "shares", "signs")), strict=True):
        rest = GRID * sign * places.Z[first]
        for place, share in zip(others, map(on_grid, shares), strict=True):
            rest = rest - share * signs[place] * places.Z[place]
        every[first], slips[first] = sign, _length(rest, GRID * places.unit)
    return every, slips


def _length(row: Integers, unit: int) -> Fraction:
    """Return at least the length of a row over `unit`."""
    return Fraction(math.isqrt(sum(row * row)) + 1, unit)
