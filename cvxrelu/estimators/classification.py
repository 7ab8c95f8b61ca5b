"""The classifier: by the sign of a network for two classes, by the largest of its outputs for more."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from joblib import delayed, effective_n_jobs
from numpy.typing import NDArray
from scipy.special import expit, log_expit, softmax
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from cvxrelu.certificate.certificate import Certificate
from cvxrelu.errors import InputError
from cvxrelu.estimators.base import strength, validated, weights_of
from cvxrelu.estimators.labelled import Labelled
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_choice, as_jobs
from cvxrelu.runtime.keyboard import heeding_interrupts

__all__ = ["ReLUClassifier"]

Array = NDArray[np.float64]


def _has_probabilities(estimator: "ReLUClassifier") -> bool:
    if estimator.loss != "logistic":
        raise AttributeError(f"predict_proba needs loss='logistic', and this classifier has loss={estimator.loss!r}.")
    return True


class ReLUClassifier(Labelled):
    """A classifier by the sign of a network, or for several classes by the largest of its outputs.

    Minimises (1/N) sum_i loss(y_i f(x_i)) + alpha * cost(f), or, with loss="margin", cost(f) subject to
    y_i f(x_i) >= 1, over one-hidden-layer networks f of every width. With more than two classes the network has an
    output for each, and the loss is the cross-entropy of their softmax or, with loss="margin", the constraint
    f_y(x_i) - f_k(x_i) >= 1 for all other classes k.

    Parameters
    ----------
    loss : {"logistic", "hinge", "margin"}, default "logistic"
        The loss; "margin" separates the training data exactly.
    alpha : float or "auto", default "auto"
        Regularisation strength, positive, as in `ReLURegressor`; of several classes, and with class weights and
        without, the largest. Not used by "margin".
    scale : bool or "auto", default "auto"
        As in `ReLURegressor`; of "margin", "auto" is False.
    multi_class : {"softmax", "ovr"}, default "softmax"
        Whether more than two classes are told apart by one network or, with "ovr", and for loss="hinge", positive
        output weights and methods that take one output, by one network for each class against the rest.
    class_weight : dict, "balanced" or None, default None
        What samples of a class count, times their own weights; "balanced" makes all classes weigh the same in sum.
    bias, negative_slope, skip, output_sign, method, tol, time_limit, max_rounds, prove, solver, n_jobs, random_state,
    warm_start, verbose
        As in `ReLUInterpolator`; with several classes, `n_jobs` networks are fitted at a time. Where output weights are
        positive, the first of two classes is predicted in a convex set.

    Attributes
    ----------
    alpha_ : float
        The strength used, as in `ReLURegressor`; not there for "margin".
    classes_ : (K,) array
        The classes.
    fits_ : list of Fit
        One, or one for each class against the rest, to features over `scale_`.
    networks_, certificates_ : list
        Their networks, which take the features as they come, and their certificates.
    scale_ : (d,) array
        What the features were divided by for the fit.
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
        multi_class: str = "softmax",
        class_weight: Mapping[Any, float] | str | None = None,
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
        super().__init__(
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
            warm_start=warm_start,
            verbose=verbose,
        )
        self.loss = loss
        self.alpha = alpha
        self.multi_class = multi_class
        self.class_weight = class_weight

    def _chooses_strength(self) -> bool:
        return self.loss != "margin" and super()._chooses_strength()

    @heeding_interrupts()
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the network, or one for each class against the rest.

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
        clock = self._clock()
        as_choice(self.multi_class, ("softmax", "ovr"), "multi_class")
        regularised, (loss, targets) = self.loss != "margin", self._targets(labels)

        def problems_of(counts: Array) -> list[Problem]:
            alpha = 1.0 if regularised else None
            return [self._problem(inputs, row, counts, loss=loss, alpha=alpha) for row in targets]

        problems = problems_of(self._with_classes(weights, labels))
        if regularised:
            # Class weights say what errors cost, and not that there is less noise: alpha suits the data without, too.
            without = problems_of(weights) if self._chooses_strength() and self.class_weight is not None else []
            self.alpha_ = strength(self.alpha, problems + without, clock)
            problems = [replace(problem, alpha=self.alpha_) for problem in problems]
        # Where they are fitted one after the other, each has its share of the time.
        share = min(1.0, effective_n_jobs(as_jobs(self.n_jobs)) / len(problems))
        seeded, starts = self._seeded(len(problems)), self._starts(len(problems))
        tasks = [
            delayed(each._solve)(problem, clock.share(share), start=start)
            for each, problem, start in zip(seeded, problems, starts, strict=True)
        ]
        self._gather(tasks, len(problems))
        self._count(self.fits_)
        return self

    @heeding_interrupts()
    def certify(
        self, X: Any, y: Any, time_limit: float | None = 60.0, *, sample_weight: Any = None
    ) -> list[Certificate]:
        """Prove how far the networks are from the best of all widths on some data; one certificate for each of `fits_`.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs, those of the fit or others.
        y : (N,) array_like
            Labels, those of the fit: all of its classes, and no others.
        time_limit : float or None, default 60.0
            Seconds for all proofs together; what is proven by then holds, and a warning says what is missing.
        sample_weight : (N,) array_like, optional
            Weights of these samples; `class_weight` plays no part here.

        Returns
        -------
        list of Certificate
            As `cvxrelu.certify` returns them, of features over `scale_`; the estimator stays as it is.

        Raises
        ------
        InputError
            If a label is no class of the fit, or a class of the fit has no sample of positive weight.
        """
        check_is_fitted(self, "networks_")
        inputs, labels = validated(self, X, y, dtype=np.float64, reset=False)
        unknown = np.setdiff1d(labels, self.classes_).tolist()
        if unknown:
            raise InputError(f"y holds {unknown[0]!r}, which is no class that the classifier was fitted to.")
        weights = weights_of(sample_weight, inputs)
        absent = np.setdiff1d(self.classes_, labels if weights is None else labels[weights != 0]).tolist()
        if absent:
            raise InputError(
                f"y lacks {absent[0]!r}, a class that the classifier was fitted to; certify needs a sample of "
                "positive weight of each."
            )
        return self._certified(self.fits_, inputs, self._targets(labels)[1], weights, time_limit)

    def decision_function(self, X: Any) -> Array:
        """Return f(x), positive for the second class; (n, K) with one column a class if there are more than two.

        Parameters
        ----------
        X : (n, d) array_like
            Inputs.
        """
        check_is_fitted(self, "networks_")
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
        """Return the (n, K) class probabilities: the softmax of the outputs.

        Those of two classes are 1 / (1 + exp(-f(x))); of one class against the rest these are normalised.

        Parameters
        ----------
        X : (n, d) array_like
            Inputs.
        """
        scores = self.decision_function(X)
        if scores.ndim == 1:
            return np.column_stack([expit(-scores), expit(scores)])
        if self._in_one:
            return np.asarray(softmax(scores, axis=1))
        # Probabilities that are all next to nothing are normalised by their logarithms.
        return np.asarray(softmax(log_expit(scores), axis=1))
