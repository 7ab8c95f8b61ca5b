r"""What estimators share that choose the strength of regularisation by cross-validation.

    alpha_ = the alpha on the grid with the least mean over folds of the error on the fold of the path of the others

The grid falls from the smallest alpha for which a constant is optimal on all data (`cvxrelu.alpha_max`), or from the
estimate of it by the best neuron found where nothing is proven or the search is cut short; every fold follows the whole
path (`cvxrelu.path`, or from its small end up where networks slide), and the network is then fitted to all data with
`alpha_`, from the mean of those of the folds where they slide and have one output.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

import numpy as np
from joblib import delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import check_cv

from cvxrelu.analysis.alpha_max import likely_alpha_max
from cvxrelu.analysis.path import alpha_grid, path
from cvxrelu.errors import InputError, Interrupted, SolverError
from cvxrelu.estimators.base import PROVEN_FEATURES, Estimator
from cvxrelu.generation.loop import generate
from cvxrelu.generation.sliding import can_slide
from cvxrelu.problem.losses import Loss
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_floats, as_jobs, as_seconds
from cvxrelu.program.options import Options
from cvxrelu.program.zero_cost import best_free_network, best_of_zero_cost, zero_cost_dual
from cvxrelu.runtime.blas import one_blas_thread
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.parallel import results_of
from cvxrelu.solving.fit import Fit, solve_as

__all__ = ["CrossValidated", "Paths"]

Array = NDArray[np.float64]

# Relative gap to which the paths of the folds are solved, unless `tol` is larger: errors on a fold are known to a few
# per cent at best, and the final fit is solved to `tol`. Where neurons slide it is a share of what the best constant
# pays, as in scikit-learn's Lasso: that is the scale on which errors of strengths are compared, and networks that all
# but interpolate would take most of the time to lose no matter where.
FOLD_TOL = 1e-4
# The networks of a fold, one list over the strengths for each problem; and with them the scores.
Paths = list[list[Network]]
Scored = tuple[Array, Paths]
# Methods that are column generation where nothing is to be proven.
SLIDING_METHODS = ("auto", "generate")


class CrossValidated(Estimator):
    """What both estimators do: a grid, the paths of the folds, and the fit to all data."""

    alphas_: Array

    def __init__(
        self,
        loss: str | Loss = "squared",
        *,
        alphas: ArrayLike | None = None,
        n_alphas: int = 10,
        eps: float = 1e-3,
        cv: Any = None,
        bias: str = "free",
        negative_slope: float = 0.0,
        skip: bool = False,
        output_sign: str = "any",
        scale: bool | str = "auto",
        method: str = "auto",
        tol: float | None = None,
        time_limit: float | None = None,
        max_rounds: int | None = None,
        prove: bool = False,
        solver: str = "CLARABEL",
        n_jobs: int = 1,
        random_state: int | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        # What comes after this class in the order of methods is an estimator for a given alpha, which this one is not.
        Estimator.__init__(
            self,
            bias=bias,
            negative_slope=negative_slope,
            skip=skip,
            output_sign=output_sign,
            scale=scale,
            method=method,
            tol=tol,
            time_limit=time_limit,
            max_rounds=max_rounds,
            prove=prove,
            solver=solver,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )
        self.loss = loss
        self.alphas = alphas
        self.n_alphas = n_alphas
        self.eps = eps
        self.cv = cv

    def _at_any_alpha(self, X: Array, y: Array, weights: Array | None, loss: str | Loss) -> Problem:
        # The path sets alpha itself.
        return self._problem(X, y, weights, loss=loss, alpha=1.0)

    def _chooses_strength(self) -> bool:
        return self.alphas is None

    def _grid(self, problems: Iterable[Problem]) -> Array:
        """Return the strengths to try: those given, or a grid from the largest alpha_max of the problems."""
        if self.alphas is None:
            largest = max(self._start_of_grid(problem) for problem in problems)
            return alpha_grid(largest, self.n_alphas, self.eps)
        return np.sort(np.atleast_1d(as_floats(self.alphas, "alphas")))[::-1]

    def _start_of_grid(self, problem: Problem) -> float:
        """Return alpha_max or, where it is not proven or the search was cut short, what the best neuron makes of it.

        The proven bound is then two to four times too large on real data of ten to thirty features, and a fifth of a
        grid that started there would be spent on constants.
        """
        if self._slides(problem):
            return likely_alpha_max(problem)
        constant = best_of_zero_cost(problem, Clock(as_seconds(self.time_limit)))
        if constant.complete or constant.priced is None:
            return constant.alpha_max
        return constant.priced.value / len(constant.dual)

    @one_blas_thread()
    def _path(self, train: Problem, alphas: Array) -> list[Network]:
        """Return the networks of the path of the training data, one for each alpha."""
        options = self._options(train, n_jobs=1, prove=False)
        rough = replace(options, tol=max(self._options(train).tol, FOLD_TOL))
        if self._slides(train):
            try:
                return _networks(train, alphas, rough)
            except SolverError:
                pass  # the path has other methods to turn to
        return [fit.network for fit in path(train, alphas, **vars(rough)).fits]

    def _final(self, problem: Problem, alpha: float, of_folds: list[Network]) -> Fit:
        """Return the fit to all data: the exact constant where that is optimal and something is proven.

        Where networks slide it starts from the mean of those of the folds, unless there are several outputs, whose
        random neurons take less time than five times as many good ones.
        """
        if self._slides(problem):
            start = None if problem.several else _mean(of_folds)
            return solve_as(replace(problem, alpha=alpha), self._options(problem, warm_start=start))
        return path(problem, [alpha], **vars(self._options(problem))).fits[0]

    def _slides(self, problem: Problem) -> bool:
        """Tell whether nothing is to be proven, and networks are found by sliding."""
        many = problem.n_features > PROVEN_FEATURES and self.method in SLIDING_METHODS and not self.prove
        return many and can_slide(problem) and bool(zero_cost_dual(problem).any())

    def _over_folds(
        self, score: Callable[[Any, Any, Any], Scored], X: Array, y: NDArray[Any], weights: Array | None, classes: bool
    ) -> tuple[Array, list[Paths]]:
        """Return the scores of every alpha on every fold of positive weight, and the networks of each fold.

        Scores are an (n_alphas, ..., n_folds) array.
        """
        split, places = cast("Any", check_cv(self.cv, y, classifier=classes)).split(X, y), np.arange(len(y))
        folds = [(places[train], places[test]) for train, test in split]
        if weights is not None:
            folds = [(train, test) for train, test in folds if weights[train].any() and weights[test].any()]
            if not folds:
                raise InputError(
                    "No fold has samples of positive weight both to train and to test; give more of them weight, or cv."
                )
        scored: list[Scored] = []
        try:
            tasks = zip(self._seeded(len(folds)), folds, strict=True)
            for found in results_of((delayed(score)(seeded, *fold) for seeded, fold in tasks), as_jobs(self.n_jobs)):
                scored.append(found)
        except KeyboardInterrupt:
            done = f"{len(scored)} of {len(folds)} folds"
            raise Interrupted(f"Interrupted after {done}, before a network was fitted to all data.") from None
        columns, paths = zip(*scored, strict=True)
        return np.stack(columns, axis=-1), list(paths)


def _mean(networks: list[Network]) -> Network | None:
    """Return the mean of networks, a network of all their neurons; None of none."""
    if not networks:
        return None
    count, (first, *_) = len(networks), networks
    return Network(
        np.vstack([network.W for network in networks]),
        np.concatenate([network.b for network in networks]),
        np.concatenate([network.v for network in networks]) / count,
        np.sum([network.intercept for network in networks], axis=0) / count,
        first.negative_slope,
        np.sum([network.skip for network in networks], axis=0) / count,
    )


def _networks(problem: Problem, alphas: Array, options: Options) -> list[Network]:
    """Return the networks of a path from its small end: neurons that a larger alpha needs are among those of a smaller.

    The way down would have to find them one by one. Gaps are shares of what the best constant pays.
    """
    networks: list[Network] = []
    scale = problem.objective(best_free_network(problem))
    for alpha in alphas[::-1]:
        start, clock = networks[-1] if networks else None, Clock(options.time_limit)
        rounds = generate(replace(problem, alpha=float(alpha)), replace(options, warm_start=start), clock, scale)
        networks.append(min(rounds, key=lambda state: state.upper).network)
    return networks[::-1]
