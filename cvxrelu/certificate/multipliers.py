r"""A bound on gamma(v) from multipliers alone, in any number of dimensions.

The activation is sigma(t) = p t + q abs(t), p = (1 + a) / 2 and q = (1 - a) / 2, so the score of a lifted unit neuron
u = (w, b), or its negative, is

    F(u) = l.u + sum_i omega_i abs(t_i),   t_i = z_i.u,   l = +-p sum_i v_i z_i,   omega_i = +-q v_i.

Nonnegative multipliers bound it by a quadratic. For any of them, and for e_k = z_k - sum_i lam_i z_i with lam >= 0,

    A_i abs(t_i)                               <=  c_i t_i^2 + A_i^2 / (4 c_i)                       c_i > 0
    mu_k (abs(t_k) - sum_i lam_i abs(t_i))     <=  d_k (e_k.u)^2 + mu_k^2 / (4 d_k)                  d_k > 0
    -abs(theta_i) abs(t_i)                     <=  -theta_i t_i
    -h_i rho_i abs(t_i)                        <=  -h_i t_i^2                                        abs(t_i) <= rho_i
    omega_i abs(t_i)                            =  omega_i s_i t_i  <=  (omega_i + eta_i) s_i t_i   where s_i t_i >= 0

so that, once the multipliers of each abs(t_i) add up to omega_i, which they always do with A_i as large as that takes
(or with s_i t_i where that is abs(t_i)), F(u) <= kappa + g.u + u'Q u. And beta is an upper bound of that on the unit
ball of w (and, if biases are free, on the strip b^2 <= norm(w)^2 r^2, where some best neuron is, since its hinge passes
through a place of the data) as soon as

    [[beta - kappa - nu,  -g'/2], [-g'/2,  nu J + nu2 B - Q]]   is positive semidefinite,

with J = I on w and B = (1 on b) - r^2 J.

Products of signs, eta_kl s_k s_l t_k t_l >= 0, are added to Q where signs are known. The sign of a t_i is known in the
leaves of a tree whose nodes split all neurons by the sign of one t_k: its leaves leave nothing out by construction. And
others follow: where s_k z_k = sum_j c_j s_j z_j + r with c >= 0, s_k t_k is at least r.u, so abs(t_k) exceeds it by at
most 2 norm(r) norm(u), which is charged for like rounding. The largest beta of all leaves, for F and for -F, bounds
gamma(v).

Rounding. What the entries of the quadratic are off by is at most (terms) eps times the sums of absolute values that
they are made of, and is charged for; semidefiniteness is proved in `cvxrelu.certificate.quadratic`. A square that
underflows is of a multiplier below 2^-537, which moves no score by more than the margin of the weights; what is not
finite proves nothing.

Lemma (why this is all there is to prove): the multipliers of the `mu` are a transport plan from the positive to the
negative part of omega. What is moved from one sample to another pays for their distance only.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.implied import with_implied
from cvxrelu.certificate.quadratic import UNPROVED, Proof, Quadratic
from cvxrelu.certificate.trees import Leaf, Split, Tree, leaves_of
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.weights import ROUNDOFF, Weights

__all__ = ["bound_leaf", "bound_of", "reach_of", "settled"]

Array = NDArray[np.float64]

# Pairs of places whose distances are formed at once: 8 MB.
PAIRS = 2**20


def reach_of(points: Points) -> Array:
    """Return rho: the largest abs(t_i) of a unit neuron that can be best, rounded up.

    Its hinge passes through a place, if biases are free, so that is the distance to the furthest place.
    """
    if points.bias != "free":
        # Every hypot may err by an ulp.
        return points.norms * (1 + 2 * (points.Z.shape[1] + 8) * ROUNDOFF)
    Z, m = points.Z, points.Z.shape[1]
    squares = (Z**2).sum(axis=1)
    furthest, step = np.empty(len(Z)), max(1, PAIRS // len(Z))
    for begin in range(0, len(Z), step):
        near = slice(begin, begin + step)
        furthest[near] = squares[near] + (squares - 2 * Z[near] @ Z.T).max(axis=1)
    # Squares err by some m eps (2 radius)^2; the furthest place is half a side of the bounding box away at least, and
    # that is radius / sqrt(m) at least.
    return np.sqrt(np.maximum(furthest, 0.0)) + 8 * (m + 8) * np.sqrt(m) * ROUNDOFF * points.radius


def bound_of(points: Points, weights: Weights, trees: tuple[Tree, Tree]) -> float:
    """Return an upper bound on gamma(v), from the multipliers of both sides.

    Parameters
    ----------
    points, weights : Points, Weights
        Data and dual vector; the multipliers are in their units.
    trees : pair of trees
        Multipliers for the scores, and for the negative ones.

    Returns
    -------
    float
        In units of the weights, rounding included; infinity if the multipliers prove nothing.
    """
    reach = reach_of(points)
    betas = (
        bound_leaf(points, weights, leaf, signs, side, reach)
        for side, tree in zip(points.sides, trees[: len(points.sides)], strict=True)
        for signs, leaf in leaves_of(tree)
    )
    return max(betas) + weights.margin(len(points.X) + 256.0)


def bound_leaf(
    points: Points, weights: Weights, leaf: Leaf, signs: dict[int, float], side: float, reach: Array
) -> float:
    """Return beta of one leaf: side times the score is at most that on its region."""
    return _prove_leaf(points, weights, leaf, signs, side, reach).beta


def settled(points: Points, weights: Weights, trees: tuple[Tree, Tree]) -> tuple[Tree, Tree]:
    """Return multipliers with the nu and nu2 of each leaf that the search for the best ones ends with.

    With them, whoever checks a bound has one matrix for each leaf to look at.
    """
    reach = reach_of(points)

    def settle(tree: Tree, signs: dict[int, float], side: float) -> Tree:
        if isinstance(tree, Split):
            above, below = {**signs, tree.sample: 1.0}, {**signs, tree.sample: -1.0}
            return Split(tree.sample, settle(tree.above, above, side), settle(tree.below, below, side))
        proof = _prove_leaf(points, weights, tree, signs, side, reach)
        return replace(tree, ball=proof.ball, strip=proof.strip) if proof.beta < np.inf else tree

    return settle(trees[0], {}, 1.0), settle(trees[1], {}, -1.0)


def _prove_leaf(
    points: Points, weights: Weights, leaf: Leaf, signs: dict[int, float], side: float, reach: Array
) -> Proof:
    """Return beta of one leaf, infinity if nothing is proved."""
    form = _quadratic(points, weights, leaf, signs, side, reach)
    if form is None:
        return UNPROVED
    with np.errstate(all="ignore"):
        proof = form.beta(points.bias == "free", max(leaf.strip, 0.0))
    # Not a number is not above anything.
    return proof if proof.beta < np.inf else UNPROVED


@np.errstate(all="ignore")
def _quadratic(
    points: Points, weights: Weights, leaf: Leaf, signs: dict[int, float], side: float, reach: Array
) -> Quadratic | None:
    """Return the quadratic that bounds the score on a leaf; None where a multiplier is missing."""
    Z, v, a = points.lifted, weights.v, points.negative_slope
    omega, odd = side * (1 - a) / 2 * v, side * (1 + a) / 2 * v
    if not leaf.finite or not leaf.cuts.valid or not leaf.follows_from(signs):
        return None
    lengths = np.linalg.norm(Z, axis=1)
    signs, slips = with_implied(Z, lengths, signs, leaf.implied)
    known = np.array(sorted(signs), dtype=int)
    sign = np.array([signs[k] for k in known])
    free = np.ones(len(Z), dtype=bool)
    free[known] = False

    cuts, mu, d = leaf.cuts, np.maximum(leaf.cuts.mass, 0.0), np.maximum(leaf.cuts.curvature, 0.0)
    terms = len(Z) + len(mu) + Z.shape[1] + 64
    eps = 4 * terms * ROUNDOFF
    omega = np.where(lengths > 0, omega, 0.0)
    absolute = abs(cuts.rows)
    E, spans = cuts.rows @ Z, absolute @ lengths
    moved = cuts.rows.T @ mu
    gross = np.abs(omega) + absolute.T @ mu
    rest = omega - moved
    linear, credit, c = leaf.linear, np.maximum(leaf.credit, 0.0), np.maximum(leaf.curvature, 0.0)

    paid = np.maximum(rest + np.abs(linear) + credit * reach, 0.0)
    paid = np.where(paid + gross > 0, paid + eps * (gross + np.abs(linear) + credit * reach), 0.0)[free]
    # Divided twice: four times the largest numbers is infinite, and nothing would be left of the price.
    prices = np.where(paid > 0, paid**2 / c[free] / 4, 0.0)
    fares = np.where(mu > 0, mu**2 / d / 4, 0.0)
    kappa = float(prices.sum() + fares.sum()) * (1 + eps)
    if not np.isfinite(kappa):
        return None

    slope = odd.copy()
    slope[free] -= linear[free]
    slope[known] += sign * (rest + np.maximum(linear, 0.0) + credit * reach)[known]
    g = slope @ Z
    bend = np.where(free, c, 0.0) - credit
    Q = (Z.T * bend) @ Z + (E.T * d) @ E
    size = float((np.abs(odd) + gross + np.abs(linear) + credit * reach) @ lengths)
    size += float((c + credit) @ lengths**2 + d @ spans**2)
    slipped = float(slips @ (gross + np.abs(linear) + credit * reach))
    if len(known) > 1:
        S = sign[:, None] * Z[known]
        products = np.maximum((leaf.products + leaf.products.T) / 2, 0.0)
        Q = Q + S.T @ products @ S
        size += float(lengths[known] @ products @ lengths[known])
        slipped += 2 * float(slips[known] @ products @ lengths[known])
    return Quadratic(kappa, g, Q, eps * size + slipped * (1 + eps))
