r"""What all estimators share: their parameters, and the way from them to fits.

| estimator          | minimises                                                             |
|--------------------|-----------------------------------------------------------------------|
| `ReLUInterpolator` | cost(f)  subject to  f(x_i) = y_i                                     |
| `ReLURegressor`    | (1/N) sum_i loss(f(x_i), y_i) + alpha * cost(f)                       |
| `ReLUClassifier`   | (1/N) sum_i loss(y_i f(x_i)) + alpha * cost(f), or the maximal margin |

each over one-hidden-layer networks f of every width; with sample weights, means are weighted. The cost of a weight
depends on the unit of its feature: an alpha that is given is in the units of the data, and where it is left to the
estimator, so are the units, the standard deviations of the features (`scale`). The default alpha goes with the units of
the data as a whole. Equal samples are merged and all are sorted before the fit, so that with a `random_state` it is the
same whatever their order, and a weight of k is k copies; without one, fits that are as good may differ.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight, validate_data

from cvxrelu.analysis.alpha_max import SEARCH_SHARE, default_alpha
from cvxrelu.certificate.certificate import Certificate
from cvxrelu.errors import InputError
from cvxrelu.estimators.features import deviations, in_units, of_multiples
from cvxrelu.problem.losses import LOSSES, Loss, get_loss
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.sample_weight import merge_samples
from cvxrelu.problem.validation import as_seconds
from cvxrelu.program.options import Options
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.warned import warn
from cvxrelu.solving.fit import Fit, Status, check_start, solve_as

__all__ = ["Estimator", "regression_loss", "strength", "validated", "weights_of"]

Array = NDArray[np.float64]

# Features up to which a proof takes no longer than the fit, and is always there.
PROVEN_FEATURES = 2
# Relative gap to reach where it is proven, and where local search has the last word: far less than what predictions owe
# to the choice of alpha.
EXACT_TOL, LOCAL_TOL = 1e-6, 1e-3
# Number of seeds that may be drawn from a generator.
SEEDS = 2**32
# Parameters that are those of the problem.
POSED = ("bias", "negative_slope", "skip", "output_sign")


class Estimator(BaseEstimator):
    """Parameters that all estimators share, and the way from them to fits."""

    # What the features were divided by for the fit that is kept.
    scale_: Array

    def __init__(
        self,
        *,
        bias: str = "free",
        negative_slope: float = 0.0,
        skip: bool = False,
        output_sign: str = "any",
        scale: bool | str = "auto",
        method: str = "auto",
        tol: float | None = None,
        time_limit: float | None = 10.0,
        max_rounds: int | None = None,
        prove: bool = False,
        solver: str = "CLARABEL",
        n_jobs: int = 1,
        random_state: int | np.random.Generator | None = None,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        self.bias = bias
        self.negative_slope = negative_slope
        self.skip = skip
        self.output_sign = output_sign
        self.scale = scale
        self.method = method
        self.tol = tol
        self.time_limit = time_limit
        self.max_rounds = max_rounds
        self.prove = prove
        self.solver = solver
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    def _chooses_strength(self) -> bool:
        """Tell whether the strength of regularisation is left to the estimator."""
        return _is_auto(getattr(self, "alpha", None))

    def _scaled(self, X: Array, weights: Array | None) -> Array:
        """Return features in the units in which weights are to cost, and keep these units for the fit."""
        scaled = self._chooses_strength() if _is_auto(self.scale) else self.scale
        if not isinstance(scaled, bool | np.bool_):
            raise InputError(f"scale={self.scale!r} must be True, False or 'auto'.")
        self._units = deviations(X, weights) if scaled else np.ones(X.shape[1])
        return in_units(X, self._units, weights)

    def _given(self, fit: Fit) -> Network:
        """Return the network of a fit as one of the features as they were given."""
        return of_multiples(fit.network, 1 / self._units)

    def _problem(self, X: Array, y: Array, weights: Array | None, **problem: Any) -> Problem:
        parts: dict[str, Any] = {name: getattr(self, name) for name in POSED}
        # It names the rows as they were given, if it refuses some.
        posed = Problem(X, y, sample_weight=weights, **parts, **problem)
        X, y, weights = merge_samples(X, y, weights)
        return replace(posed, X=X, y=y, sample_weight=weights)

    def _options(self, problem: Problem, **changes: Any) -> Options:
        """Return the options of `solve` for a problem: the parameters, but for what is to be different.

        The relative gap to reach is `tol` or, by default, what suits the problem.
        """
        names = ("method", "time_limit", "max_rounds", "prove", "solver", "n_jobs", "random_state")
        options: dict[str, Any] = {name: getattr(self, name) for name in names}
        options |= {"tol": self.tol, "progress": bool(self.verbose)} | changes
        if options["tol"] is None:
            proven = options["prove"] or problem.n_features <= PROVEN_FEATURES
            options["tol"] = EXACT_TOL if proven else LOCAL_TOL
        return Options(**options)

    def _clock(self) -> Clock:
        """Return a clock for the whole fit."""
        return Clock(Options(time_limit=self.time_limit).time_limit)

    def _solve(self, problem: Problem, clock: Clock, n_jobs: int = 1, start: Network | None = None) -> Fit:
        """Solve in the time that is left, from a network found before if its neurons may be some of the problem's."""
        if start is not None and start.n_features != problem.n_features:
            start = None
        if start is not None:
            try:
                start = of_multiples(start, self._units)
                check_start(problem, start)
            except InputError:
                start = None
        return solve_as(problem, self._options(problem, n_jobs=n_jobs, time_limit=clock.as_limit, warm_start=start))

    def _seeded(self, count: int) -> list[Self]:
        """Return this estimator so many times or, if `random_state` is a generator, copies with seeds drawn from it.

        What they find is the same whoever the workers are: copies of one generator would all begin alike.
        """
        if not isinstance(self.random_state, np.random.Generator):
            return [self] * count
        copies = [copy(self) for _ in range(count)]
        for each, seed in zip(copies, self.random_state.integers(SEEDS, size=count).tolist(), strict=True):
            each.random_state = seed
        return copies

    def _count(self, fits: Sequence[Fit]) -> None:
        """Keep the most rounds that a fit took, and warn if one was stopped before it had converged."""
        self.n_iter_ = max(len(fit.history) for fit in fits)
        # Who asked for a proof has been told of its gap.
        if not self.prove and any(fit.status is Status.STOPPED for fit in fits):
            warn(
                "The fit was stopped by time_limit or max_rounds before rounds ceased to improve the network, the best "
                "so far; allow more, or go on from here with warm_start=True.",
                ConvergenceWarning,
            )

    def _certified(
        self, fits: Sequence[Fit], X: Array, targets: Iterable[Array], weights: Array | None, time_limit: float | None
    ) -> list[Certificate]:
        """Return what is proven about fitted networks on some data, each in its share of the time."""
        seconds = as_seconds(time_limit)
        certificates = []
        for fit, y in zip(fits, targets, strict=True):
            problem = replace(fit.problem, X=in_units(X, self.scale_, weights), y=y, sample_weight=weights)
            limit = None if seconds is None else seconds / len(fits)
            options = self._options(problem, prove=True, time_limit=limit, max_rounds=None, warm_start=fit.network)
            certificates.append(solve_as(problem, options).certificate.of(fit.network))
        return certificates


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def strength(alpha: float | str, problems: Sequence[Problem], clock: Clock) -> float:
    """Return alpha or, if it is "auto", the largest of those that suit the problems, found in a share of the time."""
    if _is_auto(alpha):
        search = clock.share(SEARCH_SHARE)
        return max(default_alpha(problem, search.share(1 / (len(problems) - k))) for k, problem in enumerate(problems))
    if isinstance(alpha, str):
        raise InputError(f"alpha={alpha!r} must be a positive number or 'auto'.")
    return alpha


def weights_of(sample_weight: Any, X: Array) -> Array | None:
    """Return sample weights as an (N,) array, None if there are none; as scikit-learn checks them."""
    return None if sample_weight is None else _check_sample_weight(sample_weight, X, dtype=np.float64)


def validated(estimator: BaseEstimator, *data: Any, **options: Any) -> Any:
    """Call scikit-learn's `validate_data`, whose annotations do not cover what it returns."""
    return validate_data(estimator, *data, **options)


def regression_loss(loss: str | Loss) -> Loss:
    """Return the loss of real targets that is meant.

    Raises
    ------
    InputError, InputTypeError
        If there is none of that name, or it is for labels or a constraint.

    Examples
    --------
    >>> regression_loss("quantile")
    Quantile(q=0.5)
    """
    found = get_loss(loss)
    if found.labels or not found.regularised:
        names = ", ".join(repr(name) for name, each in LOSSES.items() if each.regularised and not each.labels)
        raise InputError(f"loss={found!r} is not for regression; choose one of {names}, or a loss object.")
    return found
