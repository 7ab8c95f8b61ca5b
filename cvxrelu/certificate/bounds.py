r"""Lower bounds: what a dual vector proves about all networks, given a bound on the scores of neurons.

    lower = dual objective of a repaired dual vector v, scaled by an upper bound on gamma(v), and rounded down
    gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b))

Weak duality makes it true for *every* v. A unit neuron is one of cost one, in the norm of the problem.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.nearby import EPS, FAR, WIDE_EPS, WIDENING, nearby
from cvxrelu.certificate.norm_multipliers import Multipliers
from cvxrelu.numerics.lengths import exponents_of, shifted
from cvxrelu.numerics.powers import shift_up, unit
from cvxrelu.pricing import Priced
from cvxrelu.problem.losses.rounding import ROUNDING
from cvxrelu.problem.problem import Problem

__all__ = [
    "DualBound",
    "Scope",
    "at_scale_one",
    "bound_dual",
    "centred",
    "dual_objective",
    "nothing_proven",
    "unsearched",
]

Array = NDArray[np.float64]
Scope = Literal["global", "sampled"]

# Exponent up to which a search sees a dual vector at the scale that it was given at, and up to which it and its gamma
# are handed on at that scale; beyond it scores might overflow.
NATURAL = 600


@dataclass(frozen=True, eq=False)
class DualBound:
    """What a dual vector proves.

    Attributes
    ----------
    dual : (N,) array
        The repaired vector, at the scale that `Certificate.dual` tells.
    gamma : float
        The proven upper bound on gamma(dual), infinite if there was no search.
    priced : Priced or None
        What the search found, for the repaired vector at the scale it was given at; None if there was no search.
    lower : float
        The lower bound on the optimum.
    scope : {"global", "sampled"}
        What the lower bound speaks of.
    method, multipliers
        As in `Certificate`.
    """

    dual: Array
    gamma: float
    priced: Priced | None
    lower: float
    scope: Scope
    method: str = "none"
    multipliers: Multipliers | None = None


def bound_dual(problem: Problem, dual: Array, search: Callable[[Array], Priced], scope: Scope = "global") -> DualBound:
    """Return the lower bound that a dual vector proves.

    Parameters
    ----------
    problem : Problem
        The problem.
    dual : (N,) array
        Any vector; the nearer to an optimal dual vector, the larger the lower bound.
    search : callable
        Bounds gamma(v) from above, as a `Pricer` of the problem does.
    scope : {"global", "sampled"}, default "global"
        What the search covers.

    Returns
    -------
    DualBound
        The repaired vector, its price, and the bound.
    """
    # At scale one, the repair and the bound are the same, to the last digit, whatever multiple of a vector is given.
    v, exponent = unit(dual)
    v = problem.repair(v, boxed=False)
    seen = exponent if abs(exponent) <= NATURAL else 0
    priced = search(shifted(v, seen)) if v.any() else None
    v, repaired = unit(v)
    gamma = 0.0 if priced is None else shift_up(priced.upper, -seen - repaired)
    gamma = float(np.nextafter(gamma + moved, np.inf)) if (moved := nearby(problem, v).moved) else gamma
    gamma = gamma if gamma >= 0 else np.inf  # what is not a number proves nothing
    lower = dual_objective(problem, v, gamma, problem.y)
    method = "none" if priced is None else priced.method
    return DualBound(*_as_given(problem, v, gamma, exponent + repaired), priced, lower, scope, method)


def nothing_proven(problem: Problem) -> DualBound:
    """Return what the zero vector proves: no objective is negative."""
    return DualBound(problem.no_dual, 0.0, None, 0.0, "global")


def unsearched(dual: Array) -> DualBound:
    """Return what a repaired dual vector proves before anybody searched its scores: nothing."""
    return DualBound(dual, np.inf, None, 0.0, "global")


def at_scale_one(v: Array, gamma: float) -> tuple[Array, float]:
    """Return the multiple of a dual vector whose largest entry is between 1/2 and 1, and its gamma."""
    v, exponent = unit(v)
    return v, shift_up(gamma, -exponent)


def _as_given(problem: Problem, v: Array, gamma: float, exponent: int) -> tuple[Array, float]:
    """Return v and gamma times 2^exponent or, where that loses a digit or leaves the domain of the dual, times 1.

    Where v itself is out of the domain, the largest power of two that takes it there is what both are given in.
    """
    for power in (exponent, 0, problem.loss.power_within(v, problem.y)):
        given, its_gamma = shifted(v, power), float(shifted(np.float64(gamma), power))
        back, same = at_scale_one(given, its_gamma)
        exactly = abs(power) <= NATURAL and same == gamma and np.array_equal(back, v)
        if exactly and problem.loss.allows(given, problem.y):
            return given, its_gamma
    return v, gamma


def dual_objective(problem: Problem, v: Array, gamma: float, y: Array) -> float:
    """Return the lower bound that a repaired dual vector proves.

    With a skip connection that is a bound of the vector v' nearby. The dual objective of labels is a sum of concave
    functions g_i(p_i) that start at zero, and t v' / (1 + ratio) has entries t p_i (1 - theta_i), 0 <= theta_i <=
    2 ratio: that takes no more than twice the ratio off a sum of positive terms (hinge, logistic), and four times that
    off t y.v - k t^2 norm(v)^2 / 2 up to its largest value, where it is half of its first term at least.
    """
    bound = problem.loss.lower_bound(v, centred(problem, y, v), gamma, problem.alpha)
    ratio = nearby(problem, v).ratio if problem.loss.labels else 0.0
    return bound * (1 - 4 * ratio) * (1 - ROUNDING * (ratio > 0)) if ratio <= FAR else 0.0


def centred(problem: Problem, y: Array, v: Array) -> Array:
    """Return targets less a function that is free, which changes nothing but the rounding of y.v.

    Where v sums to zero exactly that is their mean. With a skip connection v is not orthogonal to linear functions
    exactly, but the vector v' nearby is: the targets t returned have v.t (1 + ratio) <= v'.y, with what rounding makes
    of them, and zero if nothing is nearby. Of several outputs that holds for each column.
    """
    if problem.loss.labels:
        return y
    if not problem.skip:
        moves = problem.norm.has_free_constant and problem.loss.moves
        return y - np.sum(y / len(y), axis=0) if moves else y
    ratio = nearby(problem, v).ratio
    if not ratio <= FAR:
        return np.zeros_like(y)
    rest, error = _without_trend(problem, y) if problem.loss.moves else (y, np.zeros_like(y))
    # Multiples of a column make no difference, but its square must not vanish.
    v = shifted(v, -exponents_of(v.T))
    size, products = np.abs(v), rest * v
    taken = (size * error).sum(axis=0) + ratio * (size * (np.abs(rest) + error)).sum(axis=0)
    taken, square = taken + ratio * np.abs(products.sum(axis=0)), (v * v).sum(axis=0)
    return rest - (taken / np.where(square > 0, square, 1.0) * WIDENING) * v


def _without_trend(problem: Problem, y: Array) -> tuple[Array, Array]:
    """Return targets less an affine function of the inputs that is near them, and a bound on the rounding."""
    A, c = problem.free.affine(problem.free.coefficients(y))
    if not np.isfinite(A).all():  # rounding of features that are next to nothing may be worth such slopes
        return y, np.zeros_like(y)
    wide = [part.astype(np.longdouble) for part in (y, problem.X, A)]
    rest = np.asarray(wide[0] - (wide[1] @ wide[2] + c), dtype=float)
    size = np.abs(y) + np.abs(problem.X) @ np.abs(A) + np.abs(c)
    return rest, (len(A) + 4) * WIDE_EPS * size * WIDENING + EPS * np.abs(rest)
