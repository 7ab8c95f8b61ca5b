r"""The regularisation path: optima for a falling sequence of regularisation strengths.

    f(alpha) minimises (1/N) sum_i loss(f(x_i), y_i) + alpha * cost(f),    alpha_max >= alpha_1 > alpha_2 > ...

It starts where a constant stops being optimal (`cvxrelu.program.zero_cost`), each fit starts from the neurons of the
one before, and each has its own certificate. Along the exact path the cost rises and the loss falls as alpha falls:
adding the two inequalities that say that f(alpha) is best for alpha and f(beta) for beta < alpha gives (alpha - beta)
(cost(f(alpha)) - cost(f(beta))) <= 0.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.analysis.alpha_max import CUT_SHORT
from cvxrelu.certificate.certificate import certificate_of
from cvxrelu.errors import AccuracyWarning, InputError, Interrupted, SolverError
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_count, as_floats, as_instance, as_real
from cvxrelu.program.options import Options
from cvxrelu.program.zero_cost import ZeroCost, best_of_zero_cost, is_known
from cvxrelu.runtime.blas import one_blas_thread
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.keyboard import heeding_interrupts
from cvxrelu.runtime.warned import warn
from cvxrelu.solving.fit import Fit, Status, check_start, solve_as
from cvxrelu.solving.run import Round

__all__ = ["Path", "alpha_grid", "path"]

Array = NDArray[np.float64]

# Relative gap at which the constant of zero cost is accepted without a search: the rounding of its two bounds, and next
# to a kink what linear programs leave open.
CONSTANT_RTOL, KINKED_RTOL = 1e-10, 1e-7


@dataclass(frozen=True, eq=False)
class Path:
    """Certified optima along a sequence of regularisation strengths.

    Attributes
    ----------
    problem : Problem
        The problem; its own alpha plays no part.
    alpha_max : float
        The smallest alpha for which a constant is optimal, or an upper bound on it if the search for it was cut short;
        infinite where it is not sought.
    alphas : (k,) array
        The strengths, falling.
    fits : tuple of Fit
        The fit at each of them.
    """

    problem: Problem
    alpha_max: float
    alphas: Array
    fits: tuple[Fit, ...]

    def __repr__(self) -> str:
        if not self.fits:
            return "Path(0 alphas)"
        return (
            f"Path({len(self.fits)} alphas from {self.alphas[0]:.4g} to {self.alphas[-1]:.4g}, "
            f"largest relative gap {self.relative_gaps.max():.1e}, up to {self.n_neurons.max()} neurons)"
        )

    @property
    def objectives(self) -> Array:
        """The objective at each alpha, a (k,) array."""
        return np.array([fit.objective for fit in self.fits])

    @property
    def costs(self) -> Array:
        """The cost of each network, a (k,) array."""
        return np.array([fit.network.cost(self.problem.bias, self.problem.norm) for fit in self.fits])

    @property
    def losses(self) -> Array:
        """The mean loss of each network, a (k,) array."""
        X, y, loss = self.problem.X, self.problem.y, self.problem.loss
        return np.array([loss.value(fit.network(X), y) for fit in self.fits])

    @property
    def n_neurons(self) -> NDArray[np.int_]:
        """The number of neurons of each network, a (k,) array."""
        return np.array([fit.network.n_neurons for fit in self.fits])

    @property
    def relative_gaps(self) -> Array:
        """The relative gap that each certificate proves, a (k,) array."""
        return np.array([fit.certificate.relative_gap for fit in self.fits])

    def predict(self, X: ArrayLike) -> Array:
        """Return the predictions of every network at the n rows of X, a (k, n) array."""
        return np.array([fit.network(X) for fit in self.fits])


@one_blas_thread()
def path(
    problem: Problem,
    alphas: ArrayLike | None = None,
    *,
    n_alphas: int = 30,
    eps: float = 1e-3,
    **options: Any,
) -> Path:
    """Solve a problem for many regularisation strengths, each from the network of the one before.

    Parameters
    ----------
    problem : Problem
        A problem of a penalised loss, whose alpha plays no part. Where the loss is one of your own and does not tell
        its `pulls`, the alphas have to be given.
    alphas : (k,) array_like, optional
        Positive strengths in any order; by default `n_alphas` of them from alpha_max down to `eps` times that, equally
        spaced in the logarithm (from 1 down, if alpha_max is 0 and a constant is always optimal).
    n_alphas : int, default 30
        Length of the default sequence.
    eps : float, default 1e-3
        Its last element over its first, less than one.
    **options
        Those of `cvxrelu.solve` at every alpha: method, tol, time_limit, random_state and so on; a `warm_start` is for
        the first of them.

    Returns
    -------
    Path
        The fits, by falling alpha. For alphas from alpha_max on it is the exact constant, found without a search
        (method "constant").

    Raises
    ------
    InputError
        If the loss has no alpha, or an argument is out of range.
    SolverError
        If the solver fails.
    Interrupted
        At Ctrl-C; its `path` holds what is finished, and its `fit` the best network for the next alpha.

    Warns
    -----
    AccuracyWarning
        If a gap is larger than the tolerance, or the sequence begins at an upper bound on alpha_max.

    References
    ----------
    Mishkin & Pilanci, "Optimal Sets and Solution Paths of ReLU Networks"; the proof of alpha_max is in
    `cvxrelu.program.zero_cost`.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 9)[:, None]
    >>> found = path(Problem(x, np.abs(x[:, 0]), loss="squared", alpha=1.0), n_alphas=4)
    >>> float(found.costs[0]), bool((np.diff(found.costs) > 0).all()), bool((found.relative_gaps <= 1e-6).all())
    (0.0, True, True)
    """
    as_instance(problem, Problem, "problem")
    unknown = [name for name in options if name not in Options.__dataclass_fields__]
    if unknown:
        raise TypeError(f"path() has no option {unknown[0]!r}; its options are those of solve.")
    asked = Options(**options)
    start, strengths = asked.warm_start, np.zeros(0) if alphas is None else _checked(alphas)
    if start is not None:
        check_start(problem, start)
    largest, fits = np.inf, list[Fit]()
    try:
        with heeding_interrupts():
            constant = _best_constant(problem, asked.time_limit, alphas is None)
            largest = np.inf if constant is None else constant.alpha_max
            strengths = alpha_grid(largest, n_alphas, eps) if alphas is None else strengths
            for alpha in strengths:
                at_alpha = replace(problem, alpha=float(alpha))
                fit = None
                if constant is not None and alpha >= largest:
                    fit = _constant_fit(at_alpha, constant, Clock(asked.time_limit))
                if fit is None:
                    fit = solve_as(at_alpha, replace(asked, warm_start=start))
                    start = fit.network
                fits.append(fit)
    except KeyboardInterrupt as interrupt:
        raise Interrupted(
            f"Interrupted after {len(fits)} of {len(strengths)} alphas; .path holds their fits.",
            (*fits, *getattr(interrupt, "fits", ())),
            Path(problem, largest, strengths[: len(fits)], tuple(fits)),
        ) from None
    return Path(problem, largest, strengths, tuple(fits))


def alpha_grid(largest: float, n_alphas: int = 30, eps: float = 1e-3) -> Array:
    """Return `n_alphas` strengths from `largest` (1.0 if that is 0) down to `eps` times it.

    Parameters
    ----------
    largest : float
        The first.
    n_alphas : int, default 30
        How many.
    eps : float, default 1e-3
        Last over first, between 0 and 1.

    Returns
    -------
    (n_alphas,) array
        Equally spaced in the logarithm, falling.

    Raises
    ------
    InputError
        If an argument is out of range.

    Examples
    --------
    >>> alpha_grid(2.0, 3, 0.01)
    array([2.  , 0.2 , 0.02])
    """
    as_count(n_alphas, "n_alphas")
    if not 0 < as_real(eps, "eps") < 1:
        raise InputError(f"eps={eps:g} must be between 0 and 1.")
    # Powers are taken of eps alone, so that the first strength is the largest one to the last bit.
    return (largest or 1.0) * eps ** (np.arange(n_alphas) / max(n_alphas - 1, 1))


def _checked(alphas: ArrayLike) -> Array:
    """Return strengths as a falling array of positive numbers."""
    strengths = np.atleast_1d(as_floats(alphas, "alphas"))
    if strengths.ndim != 1 or not len(strengths) or not (np.isfinite(strengths) & (strengths > 0)).all():
        raise InputError("alphas must be a non-empty sequence of positive numbers.")
    return np.sort(strengths)[::-1]


def _best_constant(problem: Problem, time_limit: float | None, needed: bool) -> ZeroCost | None:
    """Return the best constant, or None where that is not known and not needed."""
    if not needed and not is_known(problem):
        return None
    try:
        constant = best_of_zero_cost(problem, Clock(time_limit))
    except SolverError:  # for there was no time to prepare the search
        if needed:
            raise
        return None
    if needed and not constant.complete:
        warn(CUT_SHORT, AccuracyWarning)
    return constant


def _constant_fit(problem: Problem, constant: ZeroCost, clock: Clock) -> Fit | None:
    """Return the fit with the constant, or None if it is not proven to be optimal."""
    certificate = certificate_of(problem, constant.network, constant.bound(problem, clock))
    if certificate.gap > (CONSTANT_RTOL if problem.loss.smooth else KINKED_RTOL) * certificate.upper:
        return None
    row = Round(0, certificate.upper, certificate.lower, clock.elapsed, "best network of zero cost")
    return Fit(problem, constant.network, certificate, Status.OPTIMAL, (row,), "constant")
