r"""The lower bound of a dual vector, in rational arithmetic from the data to the last digit.

    dual vector v  ->  v in the domain of the dual, exactly  ->  gamma(v) <= g, rational  ->  dual objective of t v,
    t the best factor with gamma(t v) <= bound

The duals are those of the table in `cvxrelu.problem.losses`; they are written a second time here, so that neither copy
is believed because of the other. gamma(v)^2 is an exact fraction where neurons live on a circle: one or two features
with a free bias or none, one feature with a jointly penalised bias; of several outputs up to a root that is rounded up.
Elsewhere multipliers prove a rational bound on it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cvxrelu.certificate.rational.circle import gamma_squared, norm_squared_above
from cvxrelu.certificate.rational.domain import Matrix, Rows, repaired
from cvxrelu.certificate.rational.norms import norm_above
from cvxrelu.certificate.rational.numbers import ExactData, root_above, to_fractions
from cvxrelu.certificate.rational.objective import best_objective, longest_step
from cvxrelu.certificate.rational.relaxed import gamma_above
from cvxrelu.errors import InputError
from cvxrelu.numerics.powers import unit
from cvxrelu.problem.losses import is_listed
from cvxrelu.problem.problem import Problem

__all__ = ["ExactBound", "exact_bound"]

# Dual vectors are also tried with denominators up to these: where an optimal one has small denominators, a solver's
# copy of it, off by 1e-9, is rounded back to it. The largest is far below 1e9, or the error would survive.
DENOMINATORS = (100, 10_000)

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
        The square of gamma(dual), exactly, or with several outputs rounded up; beyond one or two features that of
        `gamma`.
    dual : tuple of N fractions, or of N tuples of K
        The dual vector, in the domain of the dual: as it was given, or a multiple with simple entries.
    exact_data : {"float", "decimal"}
        What the bound takes the data to be: the floats themselves, or the decimals that print them.
    """

    lower: Fraction
    gamma: Fraction
    gamma_squared: Fraction
    dual: tuple[Fraction, ...] | tuple[tuple[Fraction, ...], ...]
    exact_data: ExactData

    def __repr__(self) -> str:
        n_digits = len(str(self.lower.denominator))
        lower = str(self.lower) if n_digits <= 12 else f"{float(self.lower):.16g}, a fraction of {n_digits} digits"
        return f"ExactBound(lower={lower}, exact_data={self.exact_data!r})"


def exact_bound(
    problem: Problem,
    dual: ArrayLike,
    exact_data: ExactData = "float",
    multipliers: Any = None,
) -> ExactBound:
    """Return the lower bound that a dual vector proves, in rational arithmetic.

    Parameters
    ----------
    problem : Problem
        One feature, or two features with a free bias or none, or any number with multipliers; one of the losses
        known by name.
    dual : (N,) array_like, or (N, K) of K outputs
        Any finite vector; the nearer to an optimal dual vector, the larger the lower bound.
    exact_data : {"float", "decimal"}, default "float"
        Whether X, y, alpha and the negative slope are the floats themselves, or the shortest decimals that print
        them: 0.6 is then 3/5. A bound for the decimals speaks of the decimal data only.
    multipliers : record, optional
        What bounds gamma(dual) where it is not known, as `cvxrelu.certificate.multiplier_record` writes it: for the
        scores and for their negatives, or for the norms of those of several outputs.

    Returns
    -------
    ExactBound
        The bound. The logarithms of the logistic loss and the softmax are bounded from below by rationals, within 1e-23
        of their size.

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
    vector, several = np.asarray(dual, dtype=float), problem.several
    if vector.shape != problem.no_dual.shape or not np.isfinite(vector).all():
        each = f"row of {problem.n_outputs}" if several else "one"
        raise InputError(f"dual must have {problem.n_samples} finite entries, {each} for each sample.")
    vector, exponent = unit(vector)  # any multiple will do, and clipping to a box should not depend on which
    domain = problem.loss.exact_dual(lambda parameter: to_fractions([parameter], exact_data)[0])
    if domain.weights is not None:  # their mean is one, which floats are up to rounding
        mean = sum(domain.weights, ZERO) / problem.n_samples
        domain = domain._replace(weights=tuple(weight / mean for weight in domain.weights))
    Y, loss = _columns(problem, exact_data), problem.loss
    rows = [tuple(to_fractions(row, exact_data)) for row in problem.X]
    if problem.bias == "joint":
        rows = [(*row, ONE) for row in rows]
    slope, *alpha = to_fractions([problem.negative_slope, *([problem.alpha] if problem.alpha else [])], exact_data)
    radius = len(Y) * alpha[0] if alpha else ONE
    best: ExactBound | None = None
    candidates = [[tuple(to_fractions(row)) for row in vector.reshape(len(Y), -1)]]
    for candidate in candidates:
        V = repaired(problem, domain, candidate, Y, rows)
        gamma, square = _gamma(problem, rows, V, slope, None if circular else multipliers)
        lower = best_objective(domain, V, Y, gamma, radius, regularised=loss.regularised, labels=loss.labels)
        longest = longest_step(domain, V, Y, labels=loss.labels)
        scale = Fraction(2) ** exponent if best is None else ONE
        if longest is not None and scale > longest > 0:
            scale = min(ONE, longest)
        natural = tuple(tuple(scale * weight for weight in row) for row in V)
        given = natural if several else tuple(weight for (weight,) in natural)
        bound = ExactBound(lower, scale * gamma, scale**2 * square, given, exact_data)
        if best is None and circular:  # multipliers go with one vector
            per_gamma = radius / (gamma or radius)
            candidates.extend(_rounded([tuple(weight * per_gamma for weight in row) for row in V]))
        if best is None or bound.lower > best.lower:
            best = bound
    assert best is not None, "there is always a first candidate"
    return best


def _gamma(problem: Problem, rows: Rows, V: Matrix, slope: Fraction, multipliers: Any) -> tuple[Fraction, Fraction]:
    """Return gamma(V), rounded up, and its square: what multipliers prove of it, or on the circle what it is."""
    anchored, v = problem.bias == "free", [row[0] for row in V]
    if multipliers is None:
        if problem.several:
            square = norm_squared_above(rows, V, slope, anchored)
        else:
            square = gamma_squared(rows, v, slope, anchored, problem.one_sided)
        return root_above(square), square
    try:
        if problem.several:
            gamma = norm_above(rows, V, slope, anchored, multipliers)
        else:
            gamma = gamma_above(rows, v, slope, anchored, multipliers, problem.one_sided)
    except (OverflowError, np.linalg.LinAlgError) as error:
        raise InputError("The multipliers of the certificate are beyond the range of floats; find others.") from error
    return gamma, gamma**2


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
    if not is_listed(problem.loss) and "exact_dual" not in vars(type(problem.loss.plain)):
        # What a class of somebody else's inherits is the dual of another loss.
        raise InputError(f"Exact verification does not know the dual of loss={problem.loss!r}.")
    return circular


def _rounded(V: Matrix) -> Iterator[Matrix]:
    """Yield the matrix with small denominators."""
    for limit in DENOMINATORS:
        yield [tuple(weight.limit_denominator(limit) for weight in row) for row in V]


def _columns(problem: Problem, exact_data: ExactData) -> Matrix:
    """Return the targets, a column for each output; of labels of classes their indicators."""
    if problem.several and problem.loss.labels:
        return [tuple(ONE * (k == label) for k in range(problem.n_outputs)) for label in problem.y.tolist()]
    return [tuple(to_fractions(row, exact_data)) for row in problem.y.reshape(problem.n_samples, -1)]
