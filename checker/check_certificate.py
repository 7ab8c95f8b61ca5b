r"""Check a certificate of cvxrelu, without cvxrelu: `python check_certificate.py certificate.json`.

    upper = objective of the network on the data                  (evaluated here, in integers)
    v is orthogonal to all that is free                           (made so here, in fractions, with a skip connection)
    lower = dual objective of v, scaled by gamma(v)               (gamma by brute force over anchors and arcs, here)
    gamma(v) = max over unit neurons of norm(sum_i v_i sigma(w.x_i + b)),   lower <= every network of every width

With one output v_i are numbers; with K outputs they are rows, and so are targets, for labels of classes indicators.
Needs NumPy only. Where neurons live on a circle, gamma is computed: one or two features with bias "free" or "none",
one feature with bias "joint". Elsewhere it is bounded, in integers, by the multipliers in the file, if there are any.
Exit code 0: verified. 1: refuted, or no certificate. 2: beyond this checker.
"""

import json
import math
import sys
from fractions import Fraction
from functools import partial

import numpy as np

NEARLY = Fraction(1e-6)  # a dual vector may be changed by this share, to be orthogonal to what is free exactly
RTOL = 1e-8  # claims may exceed what is found here by this share: sums are taken in another order
FIT_RTOL = Fraction(1e-6)  # an interpolant (a separator) may miss its targets (its margin) by this share
MISFIT_RTOL = 1e-6  # a network that costs less than interpolants by this share is none
WIDENING = 1e-12  # radians by which arcs are widened, for the rounding of angles
SMALLEST, LARGEST, STEEPEST = 2.0**-300, 2.0**300, 2.0**100  # of data and slopes: within them floats do not overflow
PRODUCTS = 3_000_000  # of fractions; some ten seconds
GRID, BITS = 1 << 100, 80  # multipliers are multiples of 1 / GRID, factors of 2^-BITS
exact = np.vectorize(Fraction, otypes=[object])


def cross_entropy(z, y):
    """Return log sum_k exp(z_k - z_own), of two classes for one output, rounded down."""
    gaps = np.hstack([0 * z, -y * z]) if z.shape[1] == 1 else z - (y * z).sum(axis=1, keepdims=True)
    return exact(np.logaddexp.reduce(gaps.astype(float), axis=1, keepdims=True) * (1 - 1e-12))


# Of the parameters in the file: what predictions pay, in fractions (None for a constraint), and of the dual, which is
# y.v - k v.v / 2, the limits of v (of y v for labels and classes) and k; that of cross-entropy is the entropy.
LOSSES = {
    "interpolation": lambda: (None, -math.inf, math.inf, 0, "numbers"),
    "margin": lambda: (None, 0, math.inf, 0, "labels"),
    "squared": lambda: (lambda z, y: (z - y) ** 2 / 2, -math.inf, math.inf, 1, "numbers"),
    "logistic": lambda: (cross_entropy, 0, 1, 0, "labels"),
    "softmax": lambda: (cross_entropy, 0, 1, 0, "classes"),
    "multiclass-margin": lambda: (None, 0, math.inf, 0, "classes"),
    "huber": lambda delta: (
        lambda z, y: np.where(abs(z - y) <= delta, (z - y) ** 2 / 2, exact(delta) * (abs(z - y) - exact(delta) / 2)),
        *(-delta, delta, 1, "numbers"),
    ),
    "absolute": lambda: (lambda z, y: abs(z - y), -1, 1, 0, "numbers"),
    "quantile": lambda q: (
        lambda z, y: np.maximum(exact(q) * (y - z), (1 - exact(q)) * (z - y)),
        *(q - 1, q, 0, "numbers"),
    ),
    "hinge": lambda: (lambda z, y: np.maximum(0, 1 - y * z), 0, 1, 0, "labels"),
}


def weights_of(task, N):
    """Return what each loss counts, in fractions of mean one."""
    if "sample_weight" not in task:
        return exact(np.ones(N))
    weights = exact(numbers(task["sample_weight"], (N,), "sample_weight"))
    require((weights > 0).all(), "sample weights must be positive")
    weights = weights * N / weights.sum()
    require((weights >= 1 / STEEPEST).all(), "sample weights must not be next to nothing")
    return weights


def targets_of(task, y):
    """Return what predictions are compared with, a column for each output."""
    classes = loss_of(task)[-1] == "classes"
    return np.eye(task["outputs"])[y.astype(int)] if classes else y.reshape(len(y), -1)


def loss_of(task):
    """Return the row of the table that the loss of a problem has."""
    if task["loss"] not in LOSSES:
        raise Unchecked("an unknown loss")
    return LOSSES[task["loss"]](**task.get("loss_parameters", {}))


class Unchecked(Exception):
    """The certificate may be right, but this checker cannot tell."""


def require(condition, message):
    """Raise a ValueError with the message unless the condition holds."""
    if not condition:
        raise ValueError(message)


def numbers(values, shape, name):
    """Return finite floats of a given shape."""
    array = np.array(values, dtype=float).reshape(shape if np.size(values) == 0 else np.shape(values))
    require(array.shape == shape and np.isfinite(array).all(), f"{name} must be finite and of shape {shape}")
    return array


@partial(np.vectorize, otypes=[object])
def root(square):
    """Return the square root of a fraction, at most a relative 2^-100 too large."""
    n, d = square.numerator, square.denominator
    return Fraction(math.isqrt(n * d << 200) + (n > 0), d << 100)


def upper_bound(task, X, y, network):
    """Return the objective of the network as it is stored, and its predictions, in fractions."""
    slope, (N, d), m, several = task["negative_slope"], X.shape, len(network["v"]), "outputs" in task
    require(network["negative_slope"] == slope, "the network has another slope than the problem")
    y, (pays, *_, kind), joint = exact(targets_of(task, y)), loss_of(task), task["bias"] == "joint"
    shapes = {"W": (m, d), "b": (m,), "v": (m, *y.shape[1:] * several), "intercept": y.shape[1:] * several}
    if N * m * d * y.shape[1] > PRODUCTS:
        raise Unchecked("a network with too many products for fractions")
    W, b, v, c = (exact(numbers(network[name], shape, name)) for name, shape in shapes.items())
    v, c, t = v.reshape(m, y.shape[1]), c.reshape(1, -1), exact(X) @ W.T + b
    z = np.where(t >= 0, t, exact(slope) * t) @ v + c
    if "skip" in network:
        require(task.get("skip") is True, "the network has a skip connection and the problem has none")
        z = z + exact(X) @ exact(numbers(network["skip"], (d, *y.shape[1:] * several), "skip")).reshape(d, -1)
    cost = root((v**2).sum(axis=1)) @ root((W**2).sum(axis=1) + joint * b**2) + joint * root((c**2).sum(axis=1))[0]
    scale = (y.max(axis=0) - y.min(axis=0)).max() / 2 or abs(y).max() or 1
    margins = y * z if kind == "labels" else (y * z).sum(axis=1, keepdims=True) - z + y
    misfit = abs(z - y).max() / scale if kind == "numbers" else max(0, 1 - margins.min())
    negative = task.get("output_sign") == "positive" and ((v < 0).any() or (joint and (c < 0).any()))
    bad = negative or (task["bias"] == "none" and (c.any() or b.any()))
    if bad or (pays is None and misfit > FIT_RTOL):
        return math.inf, z
    if pays is None:
        return (cost if kind == "numbers" else cost / (1 - misfit)), z  # scaled up to margin one
    return (weights_of(task, N)[:, None] * pays(z, y)).sum() / N + Fraction(task["alpha"]) * cost, z


def lengths(rows):
    """Return the lengths of rows, of which no square underflows."""
    return np.hypot.reduce(np.abs(rows), axis=1)


def largest_score(E, v, slope, signed):
    """Return an upper bound on norm(sum_i v_i sigma(w.e_i)), or on the sum itself if `signed`, over unit w.

    The rows e_i have one or two entries, and v_i one for each output.
    """
    reach = lengths(v) @ lengths(E)
    margin = (len(v) + 64) * np.finfo(float).eps * (1 + abs(slope)) * reach
    if E.shape[1] == 1:
        E = np.column_stack([E, np.zeros(len(E))])  # a line in the plane
    E, v = E[E.any(axis=1)], v[E.any(axis=1)]
    turns = np.arctan2(E[:, 1], E[:, 0])[:, None] + np.pi / 2 * np.array([-1, 1])
    ends = np.unique(np.mod(turns, 2 * np.pi))
    if len(ends) == 0:
        return 0.0
    half = np.diff(np.append(ends, ends[0] + 2 * np.pi)) / 2
    middle = ends + half
    active = np.column_stack([np.cos(middle), np.sin(middle)]) @ E.T >= 0
    F = np.where(active, 1.0, slope) @ (v[:, :, None] * E[:, None]).reshape(len(E), -1)
    F = F.reshape(len(ends), -1, 2)  # on an arc, the score is F w
    G = F / np.abs(F).max(axis=(1, 2), keepdims=True).clip(1e-300)  # no square underflows
    (p, r), q = (G**2).sum(axis=1).T, G.prod(axis=2).sum(axis=1)
    peak = np.arctan2(F[:, 0, 1], F[:, 0, 0]) if signed else np.arctan2(2 * q, p - r) / 2  # of the score, or its norm
    turn = np.pi * (1 + signed)  # the peak counts, or the line through it
    offset = np.mod(peak - middle + turn / 2, turn) - turn / 2
    nearest = middle + np.clip(offset, -half - WIDENING, half + WIDENING)
    scores = (F @ np.stack([np.cos(nearest), np.sin(nearest)], axis=1)[:, :, None])[:, :, 0]
    return float(max(0, scores.max() if signed else lengths(scores).max()) + margin)


def orthogonal(v, columns):
    """Return fractions near v that are orthogonal to the columns: v_i (1 - eta_i), eta on rows where v is large."""
    rest, rows, first = np.abs(v)[:, None] * columns / np.abs(columns).max(axis=0).clip(1e-300), [], 0
    for _ in range(min(columns.shape)):  # pivots, in floats: they only choose rows
        size = np.linalg.norm(rest, axis=1)
        best = int(np.argmax(size))
        first = first or size[best]
        if size[best] <= 1e-10 * first:
            break
        rows.append(best)
        rest = rest - np.outer(rest @ rest[best], rest[best]) / size[best] ** 2
    v, F, m = exact(v), exact(columns), len(rows)
    table = [[*(F[rows, j] * v[rows]), v @ F[:, j]] for j in range(F.shape[1])]
    for k in range(m):  # elimination
        pivot = next((i for i in range(k, len(table)) if table[i][k]), None)
        require(pivot is not None, "what is free does not determine a vector nearby")
        table[k], table[pivot] = table[pivot], table[k]
        top = table[k] = [x / table[k][k] for x in table[k]]
        others = [[x - row[k] * y for x, y in zip(row, top, strict=True)] for row in table]
        table = [top if i == k else row for i, row in enumerate(others)]
    eta = np.array([row[-1] for row in table], dtype=object)
    require(not any(eta[m:]), "no vector nearby is orthogonal to what is free")
    require(all(abs(eta[:m]) <= NEARLY), "the dual vector is far from orthogonal to what is free")
    v[rows] *= 1 - eta[:m]
    return v


def ceiling(x):
    """Return x GRID, rounded up."""
    return -(-Fraction(x).numerator * GRID // Fraction(x).denominator)


grid = np.vectorize(lambda x: max(0, ceiling(x)), otypes=[object])  # what is negative counts as zero
floor = np.vectorize(math.floor, otypes=[object])


def length(row, unit):
    """Return at least the length of a row of integers over their unit."""
    return Fraction(math.isqrt(row @ row) + 1, unit)


def placed(rows, v, free):
    """Return the distinct rows as integers over a unit, and what v, reach and lengths are in units of a power of two.

    If biases are free, then the hinge of some best neuron passes through a place, so abs(t_i) <= the largest distance
    from place i, and with radius as last entry of every row, u = (w, b), abs(b) <= norm(w).
    """
    places, place = np.unique(rows, axis=0, return_inverse=True)
    weights = np.full((len(places), *v.shape[1:]), Fraction(0))
    np.add.at(weights, place.reshape(-1), exact(v))
    centre = free * (places.min(axis=0) / 2 + places.max(axis=0) / 2)
    power = Fraction(2) ** exponent(places - centre)
    Z = (exact(places) - exact(centre)) / power
    unit = max(GRID, *(x.denominator for x in Z.flat))
    Z = np.vectorize(int, otypes=[object])(Z * unit)
    squares = (Z**2).sum(axis=1)
    reach = np.array([Fraction(math.isqrt(square) + 1, unit) for square in squares])
    if free:  # in floats, which miss less than this of distances between entries of at most two
        near, missed = np.array(Z / unit, dtype=float), Fraction((8 + Z.shape[1]) ** 2, 2**50)
        reach = np.array([Fraction(np.sqrt(((near - row) ** 2).sum(axis=1)).max()) + missed for row in near])
    if free:
        Z = np.column_stack([Z, np.full(len(Z), math.isqrt(squares.max()) + 1)])
    return Z, unit, weights, reach, power


def shortfall(M):
    """Return at least how far below zero x'M x is for norm(x)^2 <= 3, times GRID, of M rounded down to 2^-160.

    With any L, M = L L' + R, R >= lowest by Gershgorin, less its side for entries rounded down.
    """
    values, vectors = np.linalg.eigh(np.array(M / (1 << 2 * BITS), dtype=float))
    L = np.vectorize(lambda x: int(math.ldexp(x, BITS)), otypes=[object])(vectors * np.sqrt(np.maximum(values, 0)))
    R = M - L @ L.T
    lowest = min(R.diagonal() + abs(R.diagonal()) - abs(R).sum(axis=1)) - len(M)
    return -min(lowest, 0) * 3 * GRID // (1 << 2 * BITS) + 1


def relaxed_norm(rows, v, slope, free, tree):
    """Return an upper bound on norm(sum_i v_i sigma(t_i)) of unit neurons, for rows of any length, and rows v_i.

    That is the largest q.score of unit q. All (u, q) are split by the signs of some t_k, and of p.q for directions p.
    """
    Z, unit, weights, _, power = placed(rows, v, free)

    def largest(node, signs, P):
        """Return the largest bound of the leaves below a node, where some signs, and p.q >= 0, are known."""
        if "sample" in node:
            k = node["sample"]
            require(type(k) is int and 0 <= k < len(Z) and k not in signs, "a split at no place, or at one twice")
            return max(largest(node["above"], signs | {k: 1}, P), largest(node["below"], signs | {k: -1}, P))
        if "direction" in node:
            p = exact(numbers(node["direction"], weights.shape[1:], "direction"))
            return max(largest(node["above"], signs, [*P, p]), largest(node["below"], signs, [*P, -p]))
        P = np.array(P, dtype=object).reshape(-1, weights.shape[1])
        return norm_leaf(Z, unit, weights, Fraction(slope), free, signs, P, node)

    return float(largest(tree, {}, []) * power / GRID) * (1 + 2**-50)


def norm_leaf(Z, unit, weights, a, free, split, P, leaf):
    """Return at least q.score on a region, times GRID.

    sigma(t) = (1 + a)/2 t + (1 - a)/2 abs(t), and A_i = (1 - a)/2 v_i less what pairs p = (i, k) take, M_p, and give to
    k, and with f >= 0 of 0 <= f (p.q) (abs(t_i) -+ t_i). With e_p = z_i - z_k, abs(abs(t_i) - abs(t_k)) <= abs(e_p.u).
    So for unit q, tau > 0 and inverse >= 1 / tau, but where abs(t_i) = s_i t_i, with products of signs, eta >= 0, and L
    of what is linear,
        q.score <= q'L'Z u + sum (tau (e.u)^2 + inverse (q.A)^2) / 2 + u'S'eta S u + q'P'eta P q.
    """
    (n, m), K, pairs = Z.shape, weights.shape[1], leaf["pairs"]
    known = all(len(pair) == 2 and all(type(k) is int and 0 <= k < n for k in pair) for pair in pairs)
    require(known, "a pair of other places")
    (i, k), A = np.array(pairs, dtype=int).reshape(-1, 2).T, (1 - a) / 2 * weights
    M = exact(numbers(leaf["amounts"], (len(pairs), K), "amounts"))
    np.subtract.at(A, i, M)
    np.add.at(A, k, M)
    J, s = len(P), sorted(split)
    over, under = np.maximum(exact(numbers(leaf.get("lifts", np.zeros((2, n, J))), (2, n, J), "lifts")), 0)
    signs, slip = implied_signs(Z, unit, split, leaf)
    sign = np.array([signs.get(k, 0) for k in range(n)], dtype=object)
    A = A + (over + under) @ P
    L = (1 + a) / 2 * weights - (over - under) @ P + sign[:, None] * A
    slipped = ceiling(3 * (slip @ abs(A).sum(axis=1)))
    A[sign != 0] = 0
    E, A = np.vstack([Z, Z[i] - Z[k]]), np.vstack([A, M])
    tau = grid([*numbers(leaf["single"], (n,), "single"), *numbers(leaf["paired"], (len(pairs),), "paired")])
    tau = np.where(tau > 0, tau, grid(abs(A).max(axis=1)))  # what is missing is replaced
    tau[:n][sign != 0] = 0
    inverse = np.array([-(-GRID * GRID // x) if x else 0 for x in tau], dtype=object)
    nu1, nu2, nu3 = grid(numbers(leaf["numbers"], (3,), "numbers"))
    eta, turns = (numbers(leaf.get(x, np.zeros((c, c))), (c, c), x) for x, c in (("products", len(s)), ("turns", J)))
    eta, turns, S = grid(eta + eta.T), grid(turns + turns.T), np.array([split[k] for k in s])[:, None] * Z[s]
    fine, diagonal = 1 << 2 * BITS, [nu1 - free * nu3] * (m - free) + [nu3] * free + [nu2] * K
    F = np.diag(np.array(diagonal, dtype=object) * fine // GRID)
    F[:m, :m] += -((E.T * tau) @ E + S.T @ eta @ S) * fine // (2 * GRID * unit**2)
    F[m:, m:] += floor(-((A.T * inverse) @ A + P.T @ turns @ P) * Fraction(fine, 2 * GRID))
    F[m:, :m] = floor(-(L.T @ Z) * Fraction(fine, 2 * unit))
    F[:m, m:] = F[m:, :m].T
    return nu1 + nu2 + shortfall(F) + slipped


def combinations(record, n):
    """Yield lists of places, and what their rows are multiplied with, times GRID."""
    for at, shares in zip(record["places"], record["shares"], strict=True):
        require(len(at) > 0 and all(type(k) is int and 0 <= k < n for k in at), "a combination of other places")
        yield at, np.array([GRID, *-grid(numbers(shares, (len(at) - 1,), "shares"))], dtype=object)


def implied_signs(Z, unit, split, leaf):
    """Return all signs that are known, and what share of norm(u) each s_k t_k may be below zero."""
    signs, slip = dict(split), np.array([Fraction(0)] * len(Z))
    implied = leaf.get("implied", {"places": [], "shares": [], "signs": []})
    for (at, lam), sign in zip(combinations(implied, len(Z)), implied["signs"], strict=True):
        require(sign in (1, -1) and at[0] not in signs and {*at[1:]} <= {*split}, "a sign that does not follow")
        signs[at[0]] = int(sign)
        slip[at[0]] = length((lam * [signs[k] for k in at]) @ Z[at], GRID * unit)
    return signs, slip


def relaxed_score(rows, v, slope, free, trees, claimed):
    """Return an upper bound on the same for rows of any length, whose weights sum to zero if biases are free.

    With t = Z u, sigma(t) = odd t + even abs(t). All neurons are split by the signs of some t_k, and each leaf of
    either tree has its bound.
    """
    Z, unit, weights, reach, power = placed(rows, v, free)
    beta = ceiling(Fraction(claimed) / power)

    def largest(node, side, signs):
        """Return the largest bound of the leaves below a node, where some signs are known."""
        if "sample" not in node:
            score = (side * (1 + Fraction(slope)) / 2 * weights, side * (1 - Fraction(slope)) / 2 * weights)
            return leaf_bound(Z, unit, score, reach, free, signs, node, beta)
        k = node["sample"]
        require(type(k) is int and 0 <= k < len(Z) and k not in signs, "a split at no place, or at one twice")
        return max(largest(node["above"], side, signs | {k: 1}), largest(node["below"], side, signs | {k: -1}))

    bounds = [largest(tree, side, {}) for tree, side in zip(trees, (1, -1), strict=False)]
    return float(max(0, *bounds) * power / GRID) * (1 + 2**-50)


def leaf_bound(Z, unit, score, reach, free, split, leaf, beta):
    """Return at least sum_i odd_i t_i + omega_i abs(t_i) where signs are as split, times GRID: beta, if that is enough.

    It is at most kappa + g.u + u'Q u, by any multipliers >= 0 (but theta), since norm(u)^2 <= 2 and norm(w) <= 1:
        A abs(t_i) <= c t_i^2 + A^2 / (4 c)                       0 <= h (reach_i abs(t_i) - t_i^2)
        0 <= abs(theta) abs(t_i) - theta t_i                      0 <= eta (s_k t_k) (s_l t_l), s the signs
        mu (abs(t_k) - sum_i lam_i abs(t_i)) <= d (e.u)^2 + mu^2 / (4 d),      e = z_k - sum_i lam_i z_i
    and s_k t_k = abs(t_k) up to 2 norm(r) norm(u) where s_k z_k = r + sum_j c_j s_j z_j, c >= 0: then s_k is implied.
    """
    (odd, omega), (n, m) = score, Z.shape

    (signs, slip), moved = implied_signs(Z, unit, split, leaf), np.array([0] * n, dtype=object)
    cuts = leaf.get("cuts", {"places": [], "shares": [], "mass": [], "curvature": []})
    mu, d = (grid(numbers(cuts[name], (len(cuts["places"]),), name)) for name in ("mass", "curvature"))
    d, E = np.where(d > 0, d, mu), np.zeros((len(mu), m), dtype=object)
    for k, (at, lam) in enumerate(combinations(cuts, n)):
        E[k] = lam @ Z[at]
        np.add.at(moved, at, lam * mu[k])
    theta, c, h = (numbers(leaf.get(x, [0.0] * n), (n,), x) for x in ("linear", "curvature", "credit"))
    theta, c, h = exact(theta), grid(c), grid(h)

    s = np.array([signs.get(i, 0) for i in range(n)], dtype=object)
    known = np.flatnonzero(s)
    rest = omega - moved * Fraction(1, GRID**2)
    gain = np.where(s == 0, abs(theta), np.maximum(theta, 0)) + h * reach / GRID
    A = np.where((s == 0) & Z.any(axis=1), grid(rest + gain), 0)
    c = np.where(A * (c == 0), A, np.where(s == 0, c, 0))  # a missing c is replaced
    kappa = sum(-(-x * x // (4 * y)) for x, y in zip([*mu, *A], [*d, *c], strict=True) if x)
    tilt = odd + np.where(s == 0, -theta, s * (rest + gain))
    eta = numbers(leaf.get("products", np.zeros((len(known),) * 2)), (len(known),) * 2, "products")
    eta, S = grid(eta + eta.T) // 2, s[known, None] * Z[known]
    sizes = np.array([length(row, unit) for row in S], dtype=object)
    kappa += ceiling(3 * (slip @ (abs(rest) + gain)) + 4 * (slip[known] @ eta @ sizes) / GRID)
    curved = GRID**2 * ((Z.T * (c - h)) @ Z + S.T @ eta @ S) + (E.T * d) @ E

    # [[beta - kappa - nu, -g'/2], [-g'/2, nu J + nu2 B - Q]] in units of 2^-160; norm([1, u])^2 <= 3.
    common, ones, fine = max(x.denominator for x in tilt), np.arange(1, m + 1 - free), 1 << 2 * BITS
    M = np.zeros((m + 1, m + 1), dtype=object)
    M[1:, 1:] = -curved * fine // (GRID**3 * unit**2)
    M[0, 1:] = M[1:, 0] = -((tilt * common) @ Z * fine) // (2 * common * unit)
    nu, nu2 = (int(grid(float(leaf.get(name, 0.0)))) for name in ("ball", "strip"))
    M[ones, ones] += (nu - nu2 * free) * fine // GRID
    M[m, m] += nu2 * free * fine // GRID
    M[0, 0] = (beta - kappa - nu) * fine // GRID
    return beta + shortfall(M)


def exponent(values):
    """Return k with 2^(k-1) < max abs(values) <= 2^k; 0 if all vanish."""
    fraction, k = math.frexp(abs(values).max())
    return k - (fraction == 0.5)


def lower_bound(task, X, y, v, proof=None, claimed=0.0):
    """Return the dual objective of the best multiple of v; multipliers prove gamma(v) <= claimed, or something more."""
    N, (pays, lowest, highest, bend, kind) = len(y), loss_of(task)
    y, v, signed = targets_of(task, y), v.reshape(N, -1), task.get("output_sign") == "positive"
    require(task["bias"] != "free" or not any(map(math.fsum, v.T)), "the dual vector does not sum to zero")
    away = kind == "classes" and (any(map(math.fsum, v)) or (v[y == 0] > 0).any())
    rows = np.column_stack([X, np.ones(N)]) if task["bias"] == "joint" else X
    if rows.shape[1] > 2 and proof is None:
        raise Unchecked(f"{X.shape[1]} features with bias {task['bias']!r}, and no multipliers")
    unit, scale = exponent(rows), exponent(v)  # powers of two: no square underflows in these units
    rows, v = np.ldexp(rows, -unit), np.ldexp(v, -scale)
    fine, free = v, task["bias"] == "free"
    if task.get("skip") and v.any():
        F = np.column_stack([np.ones((N, int(free))), X])  # as it is: what underflows would be free no more
        if kind == "classes":  # amounts that a sample sends to others add nothing to what each class has of F
            ways = (y[:, None, 1:] - np.eye(len(y[0]))[None, :, 1:])[:, :, None]
            sent = orthogonal((v * (y - 1)).ravel(), (F[:, None, :, None] * ways).reshape(v.size, -1)).reshape(v.shape)
            fine = y.astype(int) * sent.sum(axis=1, keepdims=True) - sent
        else:
            fine = np.column_stack([orthogonal(column, F) for column in v.T])
        v = fine.astype(float)
    if rows.shape[1] <= 2:
        anchors = np.unique(rows, axis=0) if free else np.zeros((1, rows.shape[1]))
        gamma = max(largest_score(rows - anchor, v, task["negative_slope"], signed) for anchor in anchors)
    elif "outputs" in task:
        gamma = relaxed_norm(rows, fine, task["negative_slope"], free, proof)
    else:
        require(len(proof) == 2, "multipliers are two trees, for the scores and for their negatives")
        claimed, trees = math.ldexp(claimed, -unit - scale), proof[: 2 - signed]  # negative scores may not count
        gamma = relaxed_score(rows, fine[:, 0], task["negative_slope"], free, trees, claimed)
    gamma, w = math.ldexp(gamma, unit), weights_of(task, N).astype(float)[:, None]
    p = (v if kind == "numbers" else v * y) / w  # a weight w makes w d(v / w) of d(v)
    require(not away and (lowest < 0 or (p >= 0).all()), "the dual vector leaves its domain")
    correlation, square = float((exact(fine) * exact(y)).sum()), math.fsum((v * v / w).flat)
    if correlation <= 0 or pays is None:
        return max(0.0, correlation / gamma) if gamma > 0 else 0.0
    most, least = float(p.max()), float(p.min())
    limit = min(highest / most if most > 0 else math.inf, lowest / least if least < 0 else math.inf)
    t = min(limit, N * task["alpha"] / gamma if gamma > 0 else math.inf)
    if pays is not cross_entropy:
        t = min(t, correlation / (bend * square) if bend else math.inf)
        return t * (correlation - t * bend * square / 2) / N
    low, w, sent = min(t, limit / 2), w[:, 0], p.sum(axis=1)  # the entropy rises up to here; its slope falls
    parts = p if kind == "labels" else np.maximum(-v, 0) / w[:, None]
    i, k = np.nonzero(parts)
    for _ in range(50):
        middle = (low + t) / 2
        ratios = (1 - middle * sent[i]) / (middle * parts[i, k])
        low, t = (middle, t) if (w[i] * parts[i, k]) @ np.log(ratios) > 0 else (low, middle)
    others, own = t * parts[i, k], t * sent[t * sent < 1]
    total = math.fsum(-w[i] * others * np.log(others))
    return (total - math.fsum(w[t * sent < 1] * (1 - own) * np.log1p(-own))) / N


def check(record):
    """Return a verdict; raise ValueError if something is claimed that does not hold."""
    require(record["format"] in [f"cvxrelu certificate {k}" for k in (1, 2, 3)], "unknown format")
    proof, task, needs = record.get("multipliers"), record["problem"], record.get("needs", [])
    parts = {name: task.get(name) for name in ("sample_weight", "skip", "output_sign", "outputs")}
    parts |= {"skip": True, "output_sign": "positive"}
    if not set(needs) <= set(parts):
        raise Unchecked(f"a problem with {', '.join(needs)}")
    require((record["format"][-1] == "3") == bool(needs), "parts of the problem that the format does not have")
    require([task[k] for k in parts if k in task] == [parts[k] for k in needs], "parts that the file does not name")
    X = numbers(task["X"], np.shape(task["X"]), "X")
    require(X.ndim == 2 and X.size > 0, "X must be a matrix")
    (pays, lowest, highest, _, kind), several, K = loss_of(task), "outputs" in task, task.get("outputs", 1)
    require(type(K) is int and K >= 1, "the number of outputs must be one")
    shape = (len(X), *(K,) * several)
    y, v = numbers(task["y"], shape[: 2 - (kind == "classes")], "y"), numbers(record["dual"], shape, "dual")
    require(kind != "labels" or (not several and (np.abs(y) == 1).all()), "labels must be -1 and +1")
    require(kind != "classes" or (several and {*y} == {*range(K)}), "labels must be 0, ..., K - 1")
    require(not several or "output_sign" not in needs, "several outputs have no signs")
    require(pays is None or task["alpha"] > 0, "alpha must be positive")
    if task["bias"] not in ("free", "joint", "none") or task["norm"] != "euclidean" or record["scope"] != "global":
        raise Unchecked("an unknown bias or norm, or a certificate of sampled patterns")
    require(task["negative_slope"] != 1, "with slope 1 there is no activation")
    scales = [abs(X).max(), abs(y).max(), task.get("alpha") or 0, *task.get("loss_parameters", {}).values()]
    if not all(x == 0 or SMALLEST <= x <= LARGEST for x in scales) or not abs(task["negative_slope"]) <= STEEPEST:
        raise Unchecked("data or a slope beyond the range of numbers for which bounds can be proved")
    require(lowest <= 0 <= highest, "the loss has parameters that it cannot have")
    claimed = math.inf if record["upper"] is None else float(record["upper"])
    upper, z = upper_bound(task, X, y, record["network"])
    lower = lower_bound(task, X, y, v, proof, record["gamma"])
    if task["loss"] == "interpolation":  # whoever undercuts the bound for y owes it to a misfit
        misses = upper == math.inf or lower > upper * (1 + MISFIT_RTOL)
        own = lower if misses else lower_bound(task, X, np.array(z, dtype=float), v, proof, record["gamma"])
        upper, lower = math.inf if misses else upper, min(lower, own)
    print(f"upper bound: claimed {claimed:.12g}, found {float(upper):.12g}")
    # Claims are rounded up by what rounding may make of predictions, which may be most of an objective next to zero.
    still = (weights_of(task, len(y))[:, None] * pays(0 * z, exact(targets_of(task, y)))).sum() / len(y) if pays else 0
    honest = claimed == upper or claimed <= upper * (1 + RTOL) + still * RTOL
    require(upper <= claimed and honest, "the objective is another")
    print(f"lower bound: claimed {record['lower']:.12g}, found {lower:.12g}")
    require(record["lower"] <= lower * (1 + RTOL), "the dual vector does not prove the claimed lower bound")
    least = min(lower, record["lower"])
    return f"no network of any width has an objective below {least!r}; this one has at most {claimed!r}"


def main(arguments):
    """Check the file named on the command line."""
    try:
        require(len(arguments) == 1, "usage: python check_certificate.py certificate.json")
        with open(arguments[0], encoding="utf-8") as file:
            print("VERIFIED:", check(json.load(file)))
    except Unchecked as reason:
        print("CANNOT CHECK:", reason)
        return 2
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        print(f"NOT VERIFIED: {type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
