"""The classifier: by the sign of a network for two classes, one network a class against the rest for more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from joblib import delayed, effective_n_jobs
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import label_binarize
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from cvxrelu.certificate.certificate import Certificate
from cvxrelu.errors import InputError, Interrupted
from cvxrelu.estimators.base import Estimator, strength, validated, weights_of
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_choice, as_jobs
from cvxrelu.runtime.parallel import results_of
from cvxrelu.solving.fit import Fit

__all__ = ["ReLUClassifier"]

Array = NDArray[np.float64]


def _has_probabilities(estimator: "ReLUClassifier") -> bool:
    if estimator.loss != "logistic":
        raise AttributeError(f"predict_proba needs loss='logistic', and this classifier has loss={estimator.loss!r}.")
    return True


class ReLUClassifier(ClassifierMixin, Estimator):
    """A classifier by the sign of a network; several classes are taken one against the rest.

    Minimises (1/N) sum_i loss(y_i f(x_i)) + alpha * cost(f), or, with loss="margin", cost(f) subject to
    y_i f(x_i) >= 1, over one-hidden-layer networks f of every width.

    Parameters
    ----------
    loss : {"logistic", "hinge", "margin"}, default "logistic"
        The loss; "margin" separates the training data exactly.
    alpha : float or "auto", default "auto"
        Regularisation strength, positive, as in `ReLURegressor`; of several classes, and with class weights and
        without, the largest. Not used by "margin".
    class_weight : dict, "balanced" or None, default None
        What samples of a class count, times their own weights; "balanced" makes all classes weigh the same in sum.
    bias, negative_slope, skip, output_sign, method, tol, time_limit, max_rounds, prove, solver, n_jobs, random_state,
    warm_start, verbose
        As in `ReLUInterpolator`; with several classes, `n_jobs` networks are fitted at a time. Where output weights are
        positive, the first of two classes is predicted in a convex set.

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
    n_iter_ : int
        Rounds of the fit; of several networks, the most.
    n_features_in_ : int
        Number of features.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        From `fit`, if `time_limit` or `max_rounds` stopped it before rounds ceased to improve the network.

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
        class_weight: Mapping[Any, float] | str | None = None,
        bias: str = "free",
        negative_slope: float = 0.0,
        skip: bool = False,
        output_sign: str = "any",
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
        super().__init__(
            bias=bias,
            negative_slope=negative_slope,
            skip=skip,
            output_sign=output_sign,
            method=method,
            tol=tol,
            time_limit=time_limit,
            max_rounds=max_rounds,
            prove=prove,
            solver=solver,
            n_jobs=n_jobs,
            random_state=random_state,
            warm_start=warm_start,
            verbose=verbose,
        )
        self.loss = loss
        self.alpha = alpha
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the network, or one for each class if there are more than two.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs.
        y : (N,) array_like
            Labels of any kind that scikit-learn takes; at least two classes.
        sample_weight : (N,) array_like, optional
            What each sample counts in the mean of the losses; at least zero.

        Raises
        ------
        InputError
            If the data or a parameter is unusable.
        SolverError
            If the solver fails, or no network without bias separates the classes.
        """
        inputs, labels, weights = self._labelled(X, y, sample_weight, ("logistic", "hinge", "margin"))
        regularised = self.loss != "margin"

        def problems_of(counts: Array) -> list[Problem]:
            alpha = 1.0 if regularised else None
            return [self._problem(inputs, row, counts, loss=self.loss, alpha=alpha) for row in self._signs(labels)]

        problems = problems_of(self._with_classes(weights, labels))
        if regularised:
            # Class weights say what errors cost, and not that there is less noise: alpha suits the data without, too.
            without = problems_of(weights) if self.alpha == "auto" and self.class_weight is not None else []
            self.alpha_ = strength(self.alpha, problems + without)
            problems = [replace(problem, alpha=self.alpha_) for problem in problems]
        # Where they are fitted one after the other, each has its share of the time.
        share = min(1.0, effective_n_jobs(as_jobs(self.n_jobs)) / len(problems))
        starts = self._starts(len(problems))
        tasks = [
            delayed(self._solve)(problem, share=share, start=start)
            for problem, start in zip(problems, starts, strict=True)
        ]
        self._gather(tasks, len(problems))
        self._count(self.fits_)
        return self

    def _starts(self, count: int) -> Sequence[Network | None]:
        """Return the networks of the fit before where they are to be gone on from, for as many classes."""
        networks = getattr(self, "networks_", []) if self.warm_start else []
        return networks if len(networks) == count else [None] * count

    def _labelled(self, X: Any, y: Any, sample_weight: Any, losses: Sequence[str]) -> tuple[Array, NDArray[Any], Array]:
        """Check the data of a fit and the loss, and keep the classes."""
        inputs, labels = validated(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        as_choice(self.loss, losses, "loss")
        weights = weights_of(sample_weight, inputs)
        weights = np.ones(len(labels)) if weights is None else weights
        self.classes_ = np.unique(labels[weights != 0])
        if len(self.classes_) < 2:
            raise InputError(
                f"Classifier can't train when only one class is present; y holds only {self.classes_[0]!r}."
            )
        return inputs, labels, weights

    def _with_classes(self, weights: Array, labels: NDArray[Any]) -> Array:
        """Return sample weights times those of their classes."""
        counted, result = weights != 0, weights.copy()
        of_classes = compute_class_weight(
            self.class_weight, classes=self.classes_, y=labels[counted], sample_weight=weights[counted]
        )
        result[counted] *= of_classes[np.searchsorted(self.classes_, labels[counted])]
        return result

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

    def certify(
        self, X: Any, y: Any, time_limit: float | None = 60.0, *, sample_weight: Any = None
    ) -> list[Certificate]:
        """Prove how far the networks are from the best of all widths on some data; one certificate for each of `fits_`.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs, those of the fit or others.
        y : (N,) array_like
            Labels, each a class of the fit.
        time_limit : float or None, default 60.0
            Seconds for all proofs together; what is proven by then holds, and a warning says what is missing.
        sample_weight : (N,) array_like, optional
            Weights of these samples; `class_weight` plays no part here.

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
        inputs, labels = validated(self, X, y, dtype=np.float64, reset=False)
        unknown = np.setdiff1d(labels, self.classes_)
        if len(unknown):
            raise InputError(f"y holds {unknown[0]!r}, which is no class that the classifier was fitted to.")
        return self._certified(self.fits_, inputs, self._signs(labels), weights_of(sample_weight, inputs), time_limit)

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
        inputs = validated(self, X, dtype=np.float64, reset=False)
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
