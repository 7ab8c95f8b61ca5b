r"""scikit-learn estimators that choose the strength of regularisation by cross-validation.

    alpha_ = the alpha on the grid with the least mean over folds of the error on the fold of the path of the others

The grid falls from the smallest alpha for which a constant is optimal on all data (`cvxrelu.alpha_max`), or from the
estimate of it by the best neuron found where its search is cut short; every fold follows the whole path
(`cvxrelu.path`), and the network is then fitted to all data with `alpha_`.
"""

from collections.abc import Callable, Iterable
from typing import Any, Self, cast

import numpy as np
from joblib import delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import check_cv
from sklearn.utils.validation import validate_data

from cvxrelu.analysis.path import Path, alpha_grid, path
from cvxrelu.errors import Interrupted
from cvxrelu.estimators.estimators import ReLUClassifier, ReLURegressor, relative_gap
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_floats, as_jobs
from cvxrelu.program.zero_cost import ZeroCost, best_of_zero_cost
from cvxrelu.runtime.parallel import results_of
from cvxrelu.solving.fit import Fit

__all__ = ["ReLUClassifierCV", "ReLURegressorCV"]

Array = NDArray[np.float64]

# Relative gap to which the paths of the folds are solved, unless `tol` is larger: errors on a fold are known to a few
# per cent at best, and the final fit is solved to `tol`.
FOLD_TOL = 1e-4


class _CrossValidated:
    """What both estimators do: a grid, the paths of the folds, and the fit to all data."""

    alphas: ArrayLike | None
    n_alphas: int
    eps: float
    cv: Any
    bias: str
    negative_slope: float
    method: str
    tol: float | None
    time_limit: float | None
    max_rounds: int | None
    prove: bool
    solver: str
    n_jobs: int
    random_state: int | np.random.Generator | None
    verbose: int

    def _at_any_alpha(self, X: Array, y: Array, loss: str) -> Problem:
        # The path sets alpha itself.
        return Problem(X, y, loss=loss, bias=self.bias, alpha=1.0, negative_slope=self.negative_slope)

    def _grid(self, problems: Iterable[Problem]) -> Array:
        """Return the strengths to try: those given, or a grid from the largest alpha_max of the problems."""
        if self.alphas is None:
            largest = max(_start_of_grid(best_of_zero_cost(problem, self.time_limit)) for problem in problems)
            return alpha_grid(largest, self.n_alphas, self.eps)
        return np.sort(np.atleast_1d(as_floats(self.alphas, "alphas")))[::-1]

    def _gap(self, problem: Problem) -> float:
        """Return the relative gap to reach."""
        return relative_gap(self.tol, problem, self.prove)

    def _path(self, problem: Problem, alphas: ArrayLike, tol: float, prove: bool) -> Path:
        """Follow the path of some data."""
        return path(
            problem,
            alphas,
            method=self.method,
            tol=tol,
            time_limit=self.time_limit,
            max_rounds=self.max_rounds,
            solver=self.solver,
            random_state=self.random_state,
            prove=prove,
            progress=bool(self.verbose),
        )

    def _predictions(self, train: Problem, alphas: Array, X: Array) -> Array:
        """Return the predictions at X of the path of the training data, one row an alpha."""
        return self._path(train, alphas, max(self._gap(train), FOLD_TOL), prove=False).predict(X)

    def _final(self, problem: Problem, alpha: float) -> Fit:
        """Return the fit to all data: the exact constant where that is optimal."""
        return self._path(problem, [alpha], self._gap(problem), prove=self.prove).fits[0]

    def _over_folds(self, score: Callable[[Any, Any], Array], X: Array, y: NDArray[Any], classes: bool) -> Array:
        """Return the score of every alpha on every fold, a (n_alphas, n_folds) array."""
        folds = list(cast("Any", check_cv(self.cv, y, classifier=classes)).split(X, y))
        columns: list[Array] = []
        try:
            for column in results_of((delayed(score)(train, test) for train, test in folds), as_jobs(self.n_jobs)):
                columns.append(column)
        except KeyboardInterrupt:
            done = f"{len(columns)} of {len(folds)} folds"
            raise Interrupted(f"Interrupted after {done}, before a network was fitted to all data.") from None
        return np.column_stack(columns)


def _start_of_grid(constant: ZeroCost) -> float:
    """Return alpha_max or, where the search for it was cut short, what the best neuron found makes of it.

    The proven bound is then two to four times too large on real data of ten to thirty features, and a fifth of a grid
    that started there would be spent on constants.
    """
    if constant.complete or constant.priced is None:
        return constant.alpha_max
    return constant.priced.value / len(constant.dual)


class ReLURegressorCV(_CrossValidated, ReLURegressor):
    """Least squares with the cost of the network as the penalty, whose strength is chosen by cross-validation.

    Minimises (1/N) sum_i (f(x_i) - y_i)^2 / 2 + alpha * cost(f), over one-hidden-layer networks f of every width, with
    the alpha of least mean squared error on held-out folds.

    Parameters
    ----------
    alphas : (k,) array_like, optional
        Strengths to try, positive; by default a grid of `n_alphas` from `cvxrelu.alpha_max` of all data down,
        or from the estimate of it by the best neuron found where its search is cut short.
    n_alphas : int, default 10
        Length of the grid.
    eps : float, default 1e-3
        Last strength of the grid over the first.
    cv : int, splitter or iterable, optional
        Folds as in scikit-learn; 5 by default.
    bias, negative_slope, method, tol, time_limit, max_rounds, prove, solver, n_jobs, random_state, verbose
        As in `ReLURegressor`. `n_jobs` folds are fitted at a time, to a relative gap of at most max(tol, 1e-4), with
        `time_limit` for each alpha, none by default; the final network is fitted to `tol`, and proven if `prove`.

    Attributes
    ----------
    alpha_ : float
        The strength chosen; of equally good ones, the largest.
    alphas_ : (k,) array
        The strengths tried, falling.
    mse_path_ : (k, n_folds) array
        Mean squared error on each fold.
    network_, certificate_, fit_, n_features_in_
        As in `ReLURegressor`, of the fit to all data.

    See Also
    --------
    cvxrelu.path : The fits for all strengths.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, (40, 1))
    >>> y = np.abs(x[:, 0]) + 0.05 * rng.standard_normal(40)
    >>> model = ReLURegressorCV(n_alphas=5).fit(x, y)
    >>> model.mse_path_.shape, model.score(x, y) > 0.9, model.certificate_.relative_gap < 1e-6
    ((5, 5), True, True)
    """

    def __init__(
        self,
        *,
        alphas: ArrayLike | None = None,
        n_alphas: int = 10,
        eps: float = 1e-3,
        cv: Any = None,
        bias: str = "free",
        negative_slope: float = 0.0,
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
        self.alphas = alphas
        self.n_alphas = n_alphas
        self.eps = eps
        self.cv = cv
        self.bias = bias
        self.negative_slope = negative_slope
        self.method = method
        self.tol = tol
        self.time_limit = time_limit
        self.max_rounds = max_rounds
        self.prove = prove
        self.solver = solver
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Choose alpha, and fit the network to all data with it.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs.
        y : (N,) array_like
            Targets.

        Raises
        ------
        InputError
            If the data or a parameter is unusable.
        SolverError
            If a solver fails.
        """
        inputs, targets = cast("Any", validate_data(self, X, y, dtype=np.float64, y_numeric=True))
        whole = self._at_any_alpha(inputs, targets, "squared")
        alphas = self._grid([whole])

        def errors(train: Any, test: Any) -> Array:
            problem = self._at_any_alpha(inputs[train], targets[train], "squared")
            return ((self._predictions(problem, alphas, inputs[test]) - targets[test]) ** 2).mean(axis=1)

        self.alphas_ = alphas
        self.mse_path_ = self._over_folds(errors, inputs, targets, classes=False)
        self.alpha_ = float(alphas[np.argmin(self.mse_path_.mean(axis=1))])
        try:
            return self._keep(self._final(whole, self.alpha_))
        except Interrupted as interrupt:
            if interrupt.fit is not None:
                self._keep(interrupt.fit)
            raise


class ReLUClassifierCV(_CrossValidated, ReLUClassifier):
    """A classifier by the sign of a network, whose strength of regularisation is chosen by cross-validation.

    Minimises (1/N) sum_i loss(y_i f(x_i)) + alpha * cost(f), over one-hidden-layer networks f of every width, with the
    alpha of the best mean accuracy on held-out folds. Several classes are taken one against the rest, with one alpha.

    Parameters
    ----------
    loss : {"logistic", "hinge"}, default "logistic"
        The loss.
    alphas, n_alphas, eps
        As in `ReLURegressorCV`; the default grid starts from the largest `cvxrelu.alpha_max` of the classes.
    cv : int, splitter or iterable, optional
        Folds as in scikit-learn; 5 stratified ones by default.
    bias, negative_slope, method, tol, time_limit, max_rounds, prove, solver, n_jobs, random_state, verbose
        As in `ReLURegressorCV`.

    Attributes
    ----------
    alpha_ : float
        The strength chosen; of equally good ones, the largest.
    alphas_ : (k,) array
        The strengths tried, falling.
    scores_ : (k, n_folds) array
        Accuracy on each fold.
    classes_, fits_, networks_, certificates_, n_features_in_
        As in `ReLUClassifier`, of the fit to all data.
    network_, certificate_, fit_
        The first of `networks_`, `certificates_` and `fits_`: the only one, if there are two classes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (40, 1))
    >>> model = ReLUClassifierCV("hinge", n_alphas=5).fit(X, np.where(np.abs(X[:, 0]) < 0.5, "in", "out"))
    >>> model.predict([[-0.9], [0.1], [0.8]])
    array(['out', 'in', 'out'], dtype='<U3')
    >>> model.scores_.shape
    (5, 5)
    """

    def __init__(
        self,
        loss: str = "logistic",
        *,
        alphas: ArrayLike | None = None,
        n_alphas: int = 10,
        eps: float = 1e-3,
        cv: Any = None,
        bias: str = "free",
        negative_slope: float = 0.0,
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
        self.loss = loss
        self.alphas = alphas
        self.n_alphas = n_alphas
        self.eps = eps
        self.cv = cv
        self.bias = bias
        self.negative_slope = negative_slope
        self.method = method
        self.tol = tol
        self.time_limit = time_limit
        self.max_rounds = max_rounds
        self.prove = prove
        self.solver = solver
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any) -> Self:
        """Choose alpha, and fit the network, or one for each class if there are more than two, to all data with it.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs.
        y : (N,) array_like
            Labels of any kind that scikit-learn takes; at least two classes.

        Raises
        ------
        InputError
            If the data or a parameter is unusable.
        SolverError
            If a solver fails.
        """
        inputs, labels = self._labelled(X, y, ("logistic", "hinge"))
        classes, signs = self.classes_, self._signs(labels)
        wholes = [self._at_any_alpha(inputs, row, self.loss) for row in signs]
        alphas = self._grid(wholes)

        def accuracies(train: Any, test: Any) -> Array:
            heights = np.stack([self._heights(inputs, row, train, test, alphas) for row in signs], axis=-1)
            guesses = heights.argmax(axis=-1) if len(classes) > 2 else (heights[..., 0] > 0).astype(int)
            return (classes[guesses] == labels[test]).mean(axis=1)

        self.alphas_ = alphas
        self.scores_ = self._over_folds(accuracies, inputs, labels, classes=True)
        self.alpha_ = float(alphas[np.argmax(self.scores_.mean(axis=1))])
        return self._gather((delayed(self._final)(whole, self.alpha_) for whole in wholes), len(wholes))

    def _keep(self, fits: list[Fit]) -> Self:
        super()._keep(fits)
        self.fit_, self.network_, self.certificate_ = self.fits_[0], self.networks_[0], self.certificates_[0]
        return self

    def _heights(self, X: Array, signs: Array, train: Any, test: Any, alphas: Array) -> Array:
        """Return the predictions on a fold for one class against the rest, one row an alpha."""
        if np.ptp(signs[train]) == 0:
            # No path without both labels: a class that the other folds lack is never predicted, and their only one is.
            return np.full((len(alphas), len(X[test])), signs[train][0] * np.inf)
        return self._predictions(self._at_any_alpha(X[train], signs[train], self.loss), alphas, X[test])
