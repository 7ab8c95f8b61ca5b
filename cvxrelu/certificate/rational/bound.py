r"""The lower bound of a dual vector, in rational arithmetic from the data to the last digit.

    dual vector v  ->  v in the domain of the dual, exactly  ->  gamma(v) <= g, rational  ->  dual objective of t v,
    t the best factor with gamma(t v) <= bound

The duals are those of the table in `cvxrelu.problem.losses`; they are written a second time here, so that neither copy
is believed because of the other. gamma(v)^2 is an exact fraction where neurons live on a circle: one or two features
with a free bias or none, one feature with a jointly penalised bias. Elsewhere multipliers prove a rational bound on it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cvxrelu.certificate.rational.circle import gamma_squared
from cvxrelu.certificate.rational.numbers import ExactData, entropy_below, root_above, to_fractions
from cvxrelu.certificate.rational.orthogonal import orthogonal
from cvxrelu.certificate.rational.relaxed import gamma_above
from cvxrelu.errors import InputError
from cvxrelu.numerics.powers import unit
from cvxrelu.problem.losses import ExactDual
from cvxrelu.problem.problem import Problem

__all__ = ["ExactBound", "exact_bound"]

Fractions = list[Fraction]

# Dual vectors are also tried with denominators up to these: where an optimal one has small denominators, a solver's
# copy of it, off by 1e-9, is rounded back to it. The largest is far below 1e9, or the error would survive.
DENOMINATORS = (100, 10_000)

# Halvings after which the best multiple of a logistic dual vector is known to twelve digits.
HALVINGS = 40

ZERO, ONE = Fraction(0), Fraction(1)


@dataclass(frozen=True)
class ExactBound:
    """A lower bound that is proven without any rounding.

    Attributes
    ----------
    lower : Fraction
        At most the objective of every network of every width.
    gamma : Fraction
        gamma(dual), rounded up if it is irrational; beyond one or two features what the multipliers prove of it.
    gamma_squared : Fraction
        The square of gamma(dual), exactly; beyond one or two features that of `gamma`.
    dual : tuple of N fractions
        The dual vector, in the domain of the dual: as it was given, or a multiple with simple entries.
    exact_data : {"float", "decimal"}
        What the bound takes the data to be: the floats themselves, or the decimals that print them.
    """

    lower: Fraction
    gamma: Fraction
    gamma_squared: Fraction
    dual: tuple[Fraction, ...]
    exact_data: ExactData

    def __repr__(self) -> str:
        n_digits = len(str(self.lower.denominator))
        lower = str(self.lower) if n_digits <= 12 else f"{float(self.lower):.16g}, a fraction of {n_digits} digits"
        return f"ExactBound(lower={lower}, exact_data={self.exact_data!r})"


def exact_bound(
    problem: Problem,
    dual: ArrayLike,
    exact_data: ExactData = "float",
    multipliers: Sequence[Mapping[str, Any]] | None = None,
) -> ExactBound:
    """Return the lower bound that a dual vector proves, in rational arithmetic.

    Parameters
    ----------
    problem : Problem
        One feature, or two features with a free bias or none, or any number with multipliers; one of the losses
        known by name.
    dual : (N,) array_like
        Any finite vector; the nearer to an optimal dual vector, the larger the lower bound.
    exact_data : {"float", "decimal"}, default "float"
        Whether X, y, alpha and the negative slope are the floats themselves, or the shortest decimals that print
        them: 0.6 is then 3/5. A bound for the decimals speaks of the decimal data only.
    multipliers : two records, optional
        What bounds gamma(dual) where it is not known, for the scores and for their negatives, as
        `cvxrelu.certificate.multiplier_record` writes them.

    Returns
    -------
    ExactBound
        The bound. The logarithms of the logistic loss are bounded from below by rationals, within 1e-23 of
        their size.

    Raises
    ------
    InputError
        If gamma is not known to be rational for the problem and there are no multipliers, or they prove nothing, or
        an argument is out of range.

    Examples
    --------
    >>> problem = Problem([[-1], [-0.6], [-0.2], [0.2], [0.6], [1]], [1, -1, 1, 1, -1, 1])
    >>> exact_bound(problem, [2.5, -7.5, 5, 5, -7.5, 2.5], exact_data="decimal")
    ExactBound(lower=30, exact_data='decimal')
    """
    circular = _on_circle(problem, multipliers is not None)
    vector = np.asarray(dual, dtype=float)
    if vector.shape != (problem.n_samples,) or not np.isfinite(vector).all():
        raise InputError(f"dual must have {problem.n_samples} finite entries, one for each sample.")
    vector, exponent = unit(vector)  # any multiple will do, and clipping to a box should not depend on which
    domain = problem.loss.exact_dual(lambda parameter: to_fractions([parameter], exact_data)[0])
    if domain.weights is not None:  # their mean is one, which floats are up to rounding
        mean = sum(domain.weights, ZERO) / problem.n_samples
        domain = domain._replace(weights=tuple(weight / mean for weight in domain.weights))
    y = to_fractions(problem.y, exact_data)
    rows = [tuple(to_fractions(row, exact_data)) for row in problem.X]
    if problem.bias == "joint":
        rows = [(*row, ONE) for row in rows]
    slope, *alpha = to_fractions([problem.negative_slope, *([problem.alpha] if problem.alpha else [])], exact_data)
    radius = len(y) * alpha[0] if alpha else ONE
    best: ExactBound | None = None
    candidates = [to_fractions(vector)]
    for candidate in candidates:
        v = _repair(problem, domain, candidate, y, rows)
        if circular:
            square = gamma_squared(rows, v, slope, problem.bias == "free", problem.one_sided)
            gamma = root_above(square)
        else:
            gamma = gamma_above(rows, v, slope, problem.bias == "free", multipliers or (), problem.one_sided)
            square = gamma**2
        lower = _objective(problem, domain, v, y, gamma, radius)
        longest, scale = _step(problem, domain, v, y), Fraction(2) ** exponent if best is None else ONE
        if longest is not None and scale > longest > 0:
            scale = min(ONE, longest)
        natural = tuple(scale * weight for weight in v)
        bound = ExactBound(lower, scale * gamma, scale**2 * square, natural, exact_data)
        if best is None and circular:  # multipliers go with one vector
            candidates.extend(_rounded([weight * radius / (gamma or radius) for weight in v]))
        if best is None or bound.lower > best.lower:
            best = bound
    assert best is not None, "there is always a first candidate"
    return best


def _on_circle(problem: Problem, with_multipliers: bool) -> bool:
    """Tell whether unit neurons live on a circle; an InputError if nothing can be proved without rounding."""
    circles = {"free": 2, "none": 2, "joint": 1}
    circular = problem.n_features <= circles[problem.bias]
    if problem.norm.cellwise or not (circular or with_multipliers):
        raise InputError(
            f"Exact verification knows the Euclidean norm with one feature, or two if the bias is free or absent, or "
            f"multipliers in the certificate, but the problem has {problem.n_features} features, "
            f"bias={problem.bias!r} and norm={problem.norm.name!r}; its floating-point certificate holds up to "
            "rounding."
        )
    if "exact_dual" not in vars(type(problem.loss.plain)):
        # What a class inherits is the dual of another loss.
        raise InputError(f"Exact verification does not know the dual of loss={problem.loss!r}.")
    return circular


def _rounded(v: Fractions) -> Iterator[Fractions]:
    """Yield the vector with small denominators."""
    for limit in DENOMINATORS:
        yield [weight.limit_denominator(limit) for weight in v]


def _repair(
    problem: Problem, domain: ExactDual, v: Fractions, y: Fractions, rows: list[tuple[Fraction, ...]]
) -> Fractions:
    """Return a vector near v, of which a multiple is in the domain of the dual."""
    balanced = problem.bias == "free"
    if not problem.loss.labels:
        mean = sum(v, ZERO) / len(v) if balanced and not problem.skip else ZERO
        v, y = [weight - mean for weight in v], [ONE] * len(v)
    shares = [weight * label for weight, label in zip(v, y, strict=True)]
    if domain.low == 0:
        shares = [max(ZERO, share) for share in shares]
    if domain.high == 0:
        shares = [min(ZERO, share) for share in shares]
    v = [share * label for share, label in zip(shares, y, strict=True)]
    if problem.skip:
        free = [
            *([[ONE] * len(v)] if balanced else []),
            *zip(*(row[: problem.n_features] for row in rows), strict=True),
        ]
        return orthogonal(v, free) or [ZERO] * len(v)
    if not balanced or not sum(v, ZERO):
        return v
    # Signs are bound: the heavier one is scaled down to the lighter.
    above, below = (abs(sum((weight for weight in v if sign * weight > 0), ZERO)) for sign in (1, -1))
    factors = (min(above, below) / above if above else ZERO), (min(above, below) / below if below else ZERO)
    return [weight * factors[weight < 0] for weight in v]


def _objective(
    problem: Problem, domain: ExactDual, v: Fractions, y: Fractions, gamma: Fraction, radius: Fraction
) -> Fraction:
    """Return the best dual objective of a multiple of v, whose gamma is at most the radius."""
    correlation = sum((weight * target for weight, target in zip(v, y, strict=True)), ZERO)
    reach = radius / gamma if gamma else None
    if not problem.loss.regularised:
        # gamma = 0 proves nothing about data that can be fitted.
        return max(ZERO, correlation * reach) if reach is not None else ZERO
    longest = _step(problem, domain, v, y)
    counts = domain.weights or [ONE] * len(v)
    t = min((step for step in (longest, reach) if step is not None), default=None)
    if domain.entropy:
        return max(ZERO, _entropies(v, counts, ZERO if t is None else t)) / len(v)
    bend = domain.curvature * sum((weight * weight / count for weight, count in zip(v, counts, strict=True)), ZERO)
    if correlation <= 0:
        return ZERO
    if bend:
        t = correlation / bend if t is None else min(t, correlation / bend)
    return ZERO if t is None else t * (correlation - t * bend / 2) / len(v)


def _entropies(v: Fractions, counts: Sequence[Fraction], t: Fraction) -> Fraction:
    """Return sum w H(s p / w), p = abs(v), rounded down, at the best s <= t that bisection in floats finds.

    The counts are the weights w of the samples.
    """
    terms = [(count, abs(weight) / count) for weight, count in zip(v, counts, strict=True) if weight]
    low, high = min(0.5 / float(max((p for _, p in terms), default=ONE)), float(t)), float(t)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slopes = (float(count * p) * _entropy_slope(middle * float(p)) for count, p in terms)
        low, high = (middle, high) if sum(slopes) > 0 else (low, middle)
    candidates = (t, min(t, Fraction(low)))
    return max(sum((count * entropy_below(s * p) for count, p in terms), ZERO) for s in candidates)


def _entropy_slope(p: float) -> float:
    """Return log((1 - p) / p), minus infinity from one on; zero for shares that are zero as floats and do not count."""
    if p == 0:
        return 0.0
    return math.log1p(-p) - math.log(p) if p < 1 else -math.inf


def _step(problem: Problem, domain: ExactDual, v: Fractions, y: Fractions) -> Fraction | None:
    """Return the largest t with t v in the domain; None if there is no largest, zero for v = 0."""
    if not any(v):
        return ZERO
    shares = [weight * target for weight, target in zip(v, y, strict=True)] if problem.loss.labels else v
    steps = [
        count * limit / share
        for share, count in zip(shares, domain.weights or [ONE] * len(v), strict=True)
        for limit in ([domain.high] if share > 0 else [domain.low] if share < 0 else [])
        if limit is not None
    ]
    return min(steps, default=None)
