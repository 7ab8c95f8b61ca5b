r"""Check a certificate of cvxrelu, without cvxrelu: `python check_certificate.py certificate.json`.

    upper = objective of the network on the data                  (evaluated here, in integers)
    lower = dual objective of v, scaled by gamma(v)               (gamma by brute force over anchors and arcs, here)
    gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b)),   lower <= every network of every width

Needs NumPy only, and covers problems whose neurons live on a circle: one or two features with bias "free" or "none",
one feature with bias "joint". Exit code 0: verified. 1: refuted, or no certificate. 2: beyond this checker.
"""

import json
import math
import sys
from fractions import Fraction
from functools import partial

import numpy as np

RTOL = 1e-8  # claims may exceed what is found here by this share: sums are taken in another order
FIT_RTOL = Fraction(1e-6)  # an interpolant (a separator) may miss its targets (its margin) by this share
MISFIT_RTOL = 1e-6  # a network that costs less than interpolants by this share is none
WIDENING = 1e-12  # radians by which arcs are widened, for the rounding of angles
PRODUCTS = 3_000_000  # of fractions; some ten seconds
exact = np.vectorize(Fraction, otypes=[object])
LABELLED, PENALISED = ("margin", "logistic", "hinge"), ("squared", "logistic", "hinge")


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
    slope, (N, d), m, loss = task["negative_slope"], X.shape, len(network["v"]), task["loss"]
    require(network["negative_slope"] == slope, "the network has another slope than the problem")
    parts = [numbers(network[k], s, k) for k, s in (("W", (m, d)), ("b", (m,)), ("v", (m,)), ("intercept", ()))]
    if N * m * d > PRODUCTS:
        raise Unchecked("a network with too many products for fractions")
    (W, b, v, c), y, joint = map(exact, parts), exact(y), task["bias"] == "joint"
    t = exact(X) @ W.T + b
    z = np.where(t >= 0, t, exact(slope) * t) @ v + c
    cost = np.abs(v) @ root((W**2).sum(axis=1) + joint * b**2) + joint * abs(c)
    scale = (y.max() - y.min()) / 2 or abs(y[0]) or 1
    misfit = {"interpolation": abs(z - y).max() / scale, "margin": max(0, 1 - (y * z).min())}.get(loss, 0)
    if misfit > FIT_RTOL or (task["bias"] == "none" and (c != 0 or b.any())):
        return math.inf, z
    if loss not in PENALISED:
        return (cost / (1 - misfit) if loss == "margin" else cost), z  # scaled up to margin one
    logistic = np.logaddexp(0, -(y * z).astype(float)) * (1 - 1e-12)
    losses = {"squared": (z - y) ** 2 / 2, "hinge": np.maximum(0, 1 - y * z), "logistic": exact(logistic)}
    return losses[loss].sum() / N + Fraction(task["alpha"]) * cost, z


def largest_score(E, v, slope):
    """Return an upper bound on abs(sum_i v_i sigma(w.e_i)) over unit w, for rows e_i of one or two entries."""
    reach = np.abs(v) @ np.linalg.norm(E, axis=1)
    margin = (len(v) + 64) * np.finfo(float).eps * (1 + abs(slope)) * reach
    if E.shape[1] == 1:
        left, right = np.minimum(E[:, 0], 0), np.maximum(E[:, 0], 0)
        return max(abs(v @ (right + slope * left)), abs(v @ (left + slope * right))) + margin
    E, v = E[E.any(axis=1)], v[E.any(axis=1)]
    turns = np.arctan2(E[:, 1], E[:, 0])[:, None] + np.pi / 2 * np.array([-1, 1])
    ends = np.unique(np.mod(turns, 2 * np.pi))
    if len(ends) == 0:
        return 0.0
    half = np.diff(np.append(ends, ends[0] + 2 * np.pi)) / 2
    middle = ends + half
    active = np.column_stack([np.cos(middle), np.sin(middle)]) @ E.T >= 0
    F = (np.where(active, 1.0, slope) * v) @ E  # on an arc, the score is w.F
    offset = np.abs(np.mod(np.arctan2(F[:, 1], F[:, 0]) - middle + np.pi / 2, np.pi) - np.pi / 2)
    nearest = np.maximum(0, offset - half - WIDENING)  # angle between the arc and the line through F
    return float((np.hypot(F[:, 0], F[:, 1]) * np.cos(nearest)).max() + margin)


def lower_bound(task, X, y, v):
    """Return the dual objective of the best multiple of v."""
    N, loss = len(y), task["loss"]
    require(task["bias"] != "free" or math.fsum(v) == 0, "the dual vector does not sum to zero")
    rows = np.column_stack([X, np.ones(N)]) if task["bias"] == "joint" else X
    if rows.shape[1] > 2:
        raise Unchecked(f"{X.shape[1]} features with bias {task['bias']!r}")
    unit, scale, height = (math.frexp(np.abs(values).max())[1] for values in (rows, v, y))  # powers of two: no square
    rows, v, heights = np.ldexp(rows, -unit), np.ldexp(v, -scale), np.ldexp(y, -height)  # underflows in these units
    anchors = np.unique(rows, axis=0) if task["bias"] == "free" else np.zeros((1, rows.shape[1]))
    gamma = math.ldexp(max(largest_score(rows - anchor, v, task["negative_slope"]) for anchor in anchors), unit)
    p = v * np.sign(y)
    require(loss not in LABELLED or (p >= 0).all(), "the dual vector leaves its domain")
    mean = heights.mean() if task["bias"] == "free" and loss not in LABELLED else 0
    correlation, square = math.ldexp(math.fsum(v * (heights - mean)), height), math.fsum(v * v)
    if correlation <= 0 or loss not in PENALISED:
        return max(0.0, correlation / gamma) if gamma > 0 else 0.0
    limit = correlation / square if loss == "squared" else 1 / p.max()
    t = min(limit, N * task["alpha"] / gamma if gamma > 0 else math.inf)
    if loss != "logistic":
        return t * (correlation - (t * square / 2 if loss == "squared" else 0)) / N
    low, p = min(t, limit / 2), p[p > 0]  # the entropy of t p rises up to here; its slope falls
    for _ in range(50):
        middle = (low + t) / 2
        low, t = (middle, t) if p @ np.log(1 / (middle * p) - 1) > 0 else (low, middle)
    p = t * p[t * p < 1]
    return math.fsum(-p * np.log(p) - (1 - p) * np.log1p(-p)) / N


def check(record):
    """Return a verdict; raise ValueError if something is claimed that does not hold."""
    require(record["format"] == "cvxrelu certificate 1", "unknown format")
    task = record["problem"]
    X = numbers(task["X"], np.shape(task["X"]), "X")
    require(X.ndim == 2 and X.size > 0, "X must be a matrix")
    y, v = numbers(task["y"], (len(X),), "y"), numbers(record["dual"], (len(X),), "dual")
    require(task["loss"] not in LABELLED or (np.abs(y) == 1).all(), "labels must be -1 and +1")
    require(task["loss"] not in PENALISED or task["alpha"] > 0, "alpha must be positive")
    known = task["loss"] in ("interpolation", *LABELLED, *PENALISED) and task["bias"] in ("free", "joint", "none")
    if not known or task["norm"] != "euclidean" or record["scope"] != "global":
        raise Unchecked("an unknown loss, bias or norm, or a certificate of sampled patterns")
    require(task["negative_slope"] != 1, "with slope 1 there is no activation")
    claimed = math.inf if record["upper"] is None else float(record["upper"])
    upper, z = upper_bound(task, X, y, record["network"])
    lower = lower_bound(task, X, y, v)
    if task["loss"] == "interpolation":  # whoever undercuts the bound for y owes it to a misfit
        misses = upper == math.inf or lower > upper * (1 + MISFIT_RTOL)
        own = lower if misses else lower_bound(task, X, np.array(z, dtype=float), v)
        upper, lower = math.inf if misses else upper, min(lower, own)
    print(f"upper bound: claimed {claimed:.12g}, found {float(upper):.12g}")
    require(upper <= claimed and (claimed == upper or claimed <= upper * (1 + RTOL)), "the objective is another")
    print(f"lower bound: claimed {record['lower']:.12g}, found {lower:.12g}")
    require(record["lower"] <= lower * (1 + RTOL), "the dual vector does not prove the claimed lower bound")
    return f"no network of any width has an objective below {min(lower, record['lower'])!r}; this one has {claimed!r}"


def main(arguments):
    """Check the file named on the command line."""
    try:
        require(len(arguments) == 1, "usage: python check_certificate.py certificate.json")
        with open(arguments[0], encoding="utf-8") as file:
            print("VERIFIED:", check(json.load(file)))
    except Unchecked as reason:
        print("CANNOT CHECK:", reason)
        return 2
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        print(f"NOT VERIFIED: {type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
