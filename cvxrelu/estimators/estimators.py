r"""scikit-learn estimators: certified networks behind `fit` and `predict`.

| estimator          | minimises                                                             |
|--------------------|-----------------------------------------------------------------------|
| `ReLUInterpolator` | cost(f)  subject to  f(x_i) = y_i                                     |
| `ReLURegressor`    | (1/N) sum_i (f(x_i) - y_i)^2 / 2 + alpha * cost(f)                    |
| `ReLUClassifier`   | (1/N) sum_i loss(y_i f(x_i)) + alpha * cost(f), or the maximal margin |

each over one-hidden-layer networks f of every width. Features are taken as they come: put a scaler in front, since the
cost of a weight depends on the unit of its feature. The default alpha goes with the units of the data as a whole.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from joblib import delayed, effective_n_jobs
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.preprocessing import label_binarize
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from cvxrelu.analysis.certify import certify
from cvxrelu.certificate.certificate import Certificate
from cvxrelu.errors import InputError, Interrupted
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_choice, as_jobs, as_seconds
from cvxrelu.program.zero_cost import default_alpha
from cvxrelu.runtime.parallel import results_of
from cvxrelu.solving.fit import Fit, solve

__all__ = ["ReLUClassifier", "ReLUInterpolator", "ReLURegressor"]

Array = NDArray[np.float64]

# Features up to which a proof takes no longer than the fit, and is always there.
PROVEN_FEATURES = 2
# Relative gap to reach where it is proven, and where local search has the last word: far less than what predictions owe
# to the choice of alpha.
EXACT_TOL, LOCAL_TOL = 1e-6, 1e-3


class _Estimator(BaseEstimator):
    """Parameters that all estimators share, and the way from them to fits."""

    _loss: ClassVar[str]

    def __init__(
        self,
        *,
        bias: str = "free",
        negative_slope: float = 0.0,
        method: str = "auto",
        tol: float | None = None,
        time_limit: float | None = 10.0,
        max_rounds: int | None = None,
        prove: bool = False,
        solver: str = "CLARABEL",
        n_jobs: int = 1,
        random_state: int | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
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

    def _problem(self, X: Array, y: Array, **problem: Any) -> Problem:
        return Problem(X, y, bias=self.bias, negative_slope=self.negative_slope, **problem)

    def _solve(self, problem: Problem, n_jobs: int = 1, share: float = 1.0) -> Fit:
        """Solve in a share of the time."""
        return solve(
            problem,
            self.method,
            tol=relative_gap(self.tol, problem, self.prove),
            time_limit=None if self.time_limit is None else share * self.time_limit,
            max_rounds=self.max_rounds,
            prove=self.prove,
            solver=self.solver,
            n_jobs=n_jobs,
            random_state=self.random_state,
            progress=bool(self.verbose),
        )

    def _certified(
        self, fits: Sequence[Fit], X: Array, targets: Iterable[Array], time_limit: float | None
    ) -> list[Certificate]:
        """Return what is proven about fitted networks on some data, each in its share of the time."""
        seconds = as_seconds(time_limit)
        return [
            certify(
                fit.network,
                replace(fit.problem, X=X, y=y),
                method=self.method,
                tol=relative_gap(self.tol, fit.problem, prove=True),
                time_limit=None if seconds is None else seconds / len(fits),
                solver=self.solver,
                n_jobs=self.n_jobs,
                random_state=self.random_state,
                progress=bool(self.verbose),
                warm_start=fit.network,
            )
            for fit, y in zip(fits, targets, strict=True)
        ]


def relative_gap(tol: float | None, problem: Problem, prove: bool) -> float:
    """Return the relative gap to reach: `tol`, or what suits the problem."""
    if tol is not None:
        return tol
    return EXACT_TOL if prove or problem.n_features <= PROVEN_FEATURES else LOCAL_TOL


def _strength(alpha: float | str, problems: Sequence[Problem]) -> float:
    """Return alpha or, if it is "auto", the largest of those that suit the problems."""
    if alpha == "auto":
        return max(default_alpha(problem) for problem in problems)
    if isinstance(alpha, str):
        raise InputError(f"alpha={alpha!r} must be a positive number or 'auto'.")
    return alpha


def _validated(estimator: BaseEstimator, *data: Any, **options: Any) -> Any:
    """Call scikit-learn's `validate_data`, whose annotations do not cover what it returns."""
    return validate_data(estimator, *data, **options)


class _Regressor(RegressorMixin, _Estimator):
    """A network for real targets."""

    def _posed(self, X: Array, y: Array) -> Problem:
        """Return the problem of some data."""
        raise NotImplementedError

    def _fit(self, X: Any, y: Any) -> Self:
        inputs, targets = _validated(self, X, y, dtype=np.float64, y_numeric=True)
        try:
            return self._keep(self._solve(self._posed(inputs, targets), self.n_jobs))
        except Interrupted as interrupt:
            # What was found can predict.
            if interrupt.fit is not None:
                self._keep(interrupt.fit)
            raise

    def _keep(self, fit: Fit) -> Self:
        self.fit_, self.network_, self.certificate_ = fit, fit.network, fit.certificate
        return self

    def certify(self, X: Any, y: Any, time_limit: float | None = 60.0) -> Certificate:
        """Prove how far the network is from the best of all widths on some data, for the loss and the alpha of the fit.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs, those of the fit or others.
        y : (N,) array_like
            Targets.
        time_limit : float or None, default 60.0
            Seconds for the proof; what is proven by then holds, and a warning says what is missing.

        Returns
        -------
        Certificate
            As `cvxrelu.certify` returns it; the estimator stays as it is.

        Examples
        --------
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 0.0, 2.0]
        >>> ReLURegressor(alpha=0.01).fit(X, y).certify(X, y).scope
        'global'
        """
        check_is_fitted(self)
        inputs, targets = _validated(self, X, y, dtype=np.float64, y_numeric=True, reset=False)
        (certificate,) = self._certified([self.fit_], inputs, [targets], time_limit)
        return certificate

    def predict(self, X: Any) -> Array:
        """Return the network's predictions, an (n,) array.

        Parameters
        ----------
        X : (n, d) array_like
            Inputs.
        """
        check_is_fitted(self)
        return self.network_(_validated(self, X, dtype=np.float64, reset=False))


class ReLUInterpolator(_Regressor):
    """The least-cost network through all data points.

    Minimises cost(f) subject to f(x_i) = y_i, over one-hidden-layer networks f of every width.

    Parameters
    ----------
    bias : {"free", "joint", "none"}, default "free"
        Whether a neuron's bias costs nothing, counts like a weight, or is absent.
    negative_slope : float, default 0.0
        Slope of the leaky ReLU at negative arguments; any number but 1.
    method : {"auto", "enumerate", "generate", "line", "sample"}, default "auto"
        How the sign patterns are found; see `cvxrelu.solve`.
    tol : float, optional
        Relative gap to reach; by default 1e-6 where it is proven, and 1e-3 where local search has the last word.
    time_limit : float or None, default 10.0
        Seconds for the whole fit, after which the network is the best so far, with a warning; None is no limit.
    max_rounds : int, optional
        Rounds of column generation after which to stop. Unlike `time_limit`, it gives the same network every time.
    prove : bool, default False
        Whether to search, in three or more dimensions, for a proof that no network of any width is better, which may
        take far longer than the fit: give it a `time_limit`. With one or two features the proof is always there.
        Without it, `fit_.status` says whether the network is one that local search does not improve.
    solver : str, default "CLARABEL"
        Any installed conic solver of cvxpy.
    n_jobs : int, default 1
        Processes, as in joblib.
    random_state : int or numpy.random.Generator, optional
        Seed of whatever is random in the method.
    verbose : int, default 0
        Whether to show progress.

    Attributes
    ----------
    network_ : Network
        The network.
    certificate_ : Certificate
        Bounds on the least cost.
    fit_ : Fit
        Both, with the history.
    n_features_in_ : int
        Number of features.

    References
    ----------
    Kumar & Haupt, "Convexifying Sparse Interpolation with Infinitely Wide Neural Networks: An Atomic Norm
    Approach", equations (3) and (8).

    Examples
    --------
    >>> model = ReLUInterpolator().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])
    >>> model.predict([[0.5], [1.5]]).round(6)
    array([0.5, 0.5])
    >>> round(model.certificate_.upper, 6), model.certificate_.scope
    (2.0, 'global')
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs; equal rows must have equal targets.
        y : (N,) array_like
            Targets.

        Raises
        ------
        InputError
            If the data is unusable or contradicts itself.
        SolverError
            If the solver fails, or no network without bias fits.
        """
        return self._fit(X, y)

    def _posed(self, X: Array, y: Array) -> Problem:
        return self._problem(X, y, loss="interpolation")


class ReLURegressor(_Regressor):
    """Least squares with the cost of the network as the penalty: weight decay, solved to its global optimum.

    Minimises (1/N) sum_i (f(x_i) - y_i)^2 / 2 + alpha * cost(f), over one-hidden-layer networks f of every width.

    Parameters
    ----------
    alpha : float or "auto", default "auto"
        Regularisation strength, positive. "auto" is 0.3 alpha_max / sqrt(N), alpha_max being where a constant becomes
        optimal (estimated in three or more dimensions); `ReLURegressorCV` finds a better one by cross-validation.
    bias, negative_slope, method, tol, time_limit, max_rounds, prove, solver, n_jobs, random_state, verbose
        As in `ReLUInterpolator`.

    Attributes
    ----------
    alpha_ : float
        The strength used.
    network_, certificate_, fit_, n_features_in_
        As in `ReLUInterpolator`.

    References
    ----------
    de Dios & Bruna, "On Sparsity in Overparametrised Shallow ReLU Networks", equation (7); Savarese, Evron, Soudry &
    Srebro, "How do infinite width bounded norm networks look in function space?", equation (28).

    Examples
    --------
    >>> x = np.linspace(-1, 1, 9)[:, None]
    >>> model = ReLURegressor(alpha=1e-3).fit(x, np.abs(x[:, 0]))
    >>> model.network_.n_neurons <= 8, model.certificate_.relative_gap < 1e-6
    (True, True)
    """

    def __init__(
        self,
        alpha: float | str = "auto",
        *,
        bias: str = "free",
        negative_slope: float = 0.0,
        method: str = "auto",
        tol: float | None = None,
        time_limit: float | None = 10.0,
        max_rounds: int | None = None,
        prove: bool = False,
        solver: str = "CLARABEL",
        n_jobs: int = 1,
        random_state: int | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            bias=bias,
            negative_slope=negative_slope,
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
        self.alpha = alpha

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the network.

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
            If the solver fails.
        Interrupted
            At Ctrl-C; the estimator is fitted with the best network found until then, if there was one.
        """
        return self._fit(X, y)

    def _posed(self, X: Array, y: Array) -> Problem:
        problem = self._problem(X, y, loss="squared", alpha=1.0)
        self.alpha_ = _strength(self.alpha, [problem])
        return replace(problem, alpha=self.alpha_)


def _has_probabilities(estimator: "ReLUClassifier") -> bool:
    if estimator.loss != "logistic":
        raise AttributeError(f"predict_proba needs loss='logistic', and this classifier has loss={estimator.loss!r}.")
    return True


class ReLUClassifier(ClassifierMixin, _Estimator):
    """A classifier by the sign of a network; several classes are taken one against the rest.

    Minimises (1/N) sum_i loss(y_i f(x_i)) + alpha * cost(f), or, with loss="margin", cost(f) subject to
    y_i f(x_i) >= 1, over one-hidden-layer networks f of every width.

    Parameters
    ----------
    loss : {"logistic", "hinge", "margin"}, default "logistic"
        The loss; "margin" separates the training data exactly.
    alpha : float or "auto", default "auto"
        Regularisation strength, positive, as in `ReLURegressor`; of several classes the largest. Not used by "margin".
    bias, negative_slope, method, tol, time_limit, max_rounds, prove, solver, n_jobs, random_state, verbose
        As in `ReLUInterpolator`; with several classes, `n_jobs` networks are fitted at a time.

    Attributes
    ----------
    alpha_ : float
        The strength used; not there for "margin".
    classes_ : (K,) array
        The classes.
    fits_ : list of Fit
        One for two classes, otherwise one for each class against the rest.
    networks_, certificates_ : list
        Their networks and certificates.
    n_features_in_ : int
        Number of features.

    References
    ----------
    Kumar & Haupt, "Convexifying Sparse Interpolation with Infinitely Wide Neural Networks: An Atomic Norm
    Approach", equation (11); Wei, Lee, Liu & Ma, "Regularization Matters".

    Examples
    --------
    Exclusive or, which no linear classifier gets right:

    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], ["even", "odd", "odd", "even"]
    >>> ReLUClassifier(loss="margin").fit(X, y).predict(X)
    array(['even', 'odd', 'odd', 'even'], dtype='<U4')
    """

    def __init__(
        self,
        loss: str = "logistic",
        alpha: float | str = "auto",
        *,
        bias: str = "free",
        negative_slope: float = 0.0,
        method: str = "auto",
        tol: float | None = None,
        time_limit: float | None = 10.0,
        max_rounds: int | None = None,
        prove: bool = False,
        solver: str = "CLARABEL",
        n_jobs: int = 1,
        random_state: int | np.random.Generator | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            bias=bias,
            negative_slope=negative_slope,
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
        self.alpha = alpha

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the network, or one for each class if there are more than two.

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
            If the solver fails, or no network without bias separates the classes.
        """
        inputs, labels = self._labelled(X, y, ("logistic", "hinge", "margin"))
        signs = self._signs(labels)
        regularised = self.loss != "margin"
        problems = [self._problem(inputs, y, loss=self.loss, alpha=1.0 if regularised else None) for y in signs]
        if regularised:
            self.alpha_ = _strength(self.alpha, problems)
            problems = [replace(problem, alpha=self.alpha_) for problem in problems]
        # Where they are fitted one after the other, each has its share of the time.
        share = min(1.0, effective_n_jobs(as_jobs(self.n_jobs)) / len(problems))
        return self._gather((delayed(self._solve)(problem, share=share) for problem in problems), len(problems))

    def _labelled(self, X: Any, y: Any, losses: Sequence[str]) -> tuple[Array, NDArray[Any]]:
        """Check the data of a fit and the loss, and keep the classes."""
        inputs, labels = _validated(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        as_choice(self.loss, losses, "loss")
        self.classes_ = np.unique(labels)
        if len(self.classes_) < 2:
            raise InputError(
                f"Classifier can't train when only one class is present; y holds only {self.classes_[0]!r}."
            )
        return inputs, labels

    def _gather(self, tasks: Iterable[Any], count: int) -> Self:
        """Keep the fits of all classes; if interrupted, those there are, if there is one for each."""
        fits: list[Fit] = []
        try:
            for fit in results_of(tasks, as_jobs(self.n_jobs)):
                fits.append(fit)
            return self._keep(fits)
        except KeyboardInterrupt as interrupt:
            fits += getattr(interrupt, "fits", ())
            if len(fits) == count:
                self._keep(fits)
            raise Interrupted(
                f"Interrupted; .fits holds what was found for {len(fits)} of {count} networks.", tuple(fits)
            ) from None

    def _keep(self, fits: list[Fit]) -> Self:
        self.fits_ = fits
        self.networks_ = [fit.network for fit in fits]
        self.certificates_ = [fit.certificate for fit in fits]
        return self

    def certify(self, X: Any, y: Any, time_limit: float | None = 60.0) -> list[Certificate]:
        """Prove how far the networks are from the best of all widths on some data; one certificate for each of `fits_`.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs, those of the fit or others.
        y : (N,) array_like
            Labels, each a class of the fit.
        time_limit : float or None, default 60.0
            Seconds for all proofs together; what is proven by then holds, and a warning says what is missing.

        Returns
        -------
        list of Certificate
            As `cvxrelu.certify` returns them; the estimator stays as it is.

        Raises
        ------
        InputError
            If a label is no class of the fit, or a network has a single one to be measured by.
        """
        check_is_fitted(self)
        inputs, labels = _validated(self, X, y, dtype=np.float64, reset=False)
        unknown = np.setdiff1d(labels, self.classes_)
        if len(unknown):
            raise InputError(f"y holds {unknown[0]!r}, which is no class that the classifier was fitted to.")
        return self._certified(self.fits_, inputs, self._signs(labels), time_limit)

    def _signs(self, labels: NDArray[Any]) -> Array:
        """Return the labels as -1 and 1, a row for each network."""
        signs = label_binarize(labels, classes=self.classes_, neg_label=-1, pos_label=1)
        return np.asarray(signs, dtype=float).T

    def decision_function(self, X: Any) -> Array:
        """Return f(x), positive for the second class; (n, K) with one column a class if there are more than two.

        Parameters
        ----------
        X : (n, d) array_like
            Inputs.
        """
        check_is_fitted(self)
        inputs = _validated(self, X, dtype=np.float64, reset=False)
        scores = np.column_stack([network(inputs) for network in self.networks_])
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the class of each row of X.

        Parameters
        ----------
        X : (n, d) array_like
            Inputs.
        """
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Return the (n, K) class probabilities 1 / (1 + exp(-f(x))), normalised if there are more than two classes.

        Parameters
        ----------
        X : (n, d) array_like
            Inputs.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        probabilities = expit(scores)
        return probabilities / probabilities.sum(axis=1, keepdims=True)
