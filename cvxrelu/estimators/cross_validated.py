"""The regressor and the classifier that choose their strength of regularisation by cross-validation."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from joblib import delayed
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import Interrupted
from cvxrelu.estimators.base import regression_loss, validated, weights_of
from cvxrelu.estimators.classification import ReLUClassifier
from cvxrelu.estimators.cross_validation import CrossValidated, Paths
from cvxrelu.estimators.labelled import OF_SEVERAL
from cvxrelu.estimators.regression import ReLURegressor
from cvxrelu.problem.validation import as_choice
from cvxrelu.runtime.keyboard import heeding_interrupts
from cvxrelu.solving.fit import Fit

__all__ = ["ReLUClassifierCV", "ReLURegressorCV"]

Array = NDArray[np.float64]


class ReLURegressorCV(CrossValidated, ReLURegressor):
    """Regression with the cost of the network as the penalty, whose strength is chosen by cross-validation.

    Minimises (1/N) sum_i loss(f(x_i), y_i) + alpha * cost(f), over one-hidden-layer networks f of every width, with the
    alpha of least mean loss on held-out folds.

    Parameters
    ----------
    loss : {"squared", "huber", "absolute", "quantile"} or Loss, default "squared"
        What a prediction costs.
    alphas : (k,) array_like, optional
        Strengths to try, positive; by default a grid of `n_alphas` from `cvxrelu.alpha_max` of all data down,
        or from the estimate of it by the best neuron found where nothing is proven or its search is cut short.
    n_alphas : int, default 10
        Length of the grid.
    eps : float, default 1e-3
        Last strength of the grid over the first.
    cv : int, splitter or iterable, optional
        Folds as in scikit-learn; 5 by default.
    scale : bool or "auto", default "auto"
        As in `ReLUInterpolator`; "auto" is True unless `alphas` are given: then features may come in any units.
    bias, negative_slope, skip, output_sign, method, tol, time_limit, max_rounds, prove, solver, n_jobs, random_state,
    verbose
        As in `ReLURegressor`. `n_jobs` folds are fitted at a time, to a relative gap of at most max(tol, 1e-4), or that
        share of what the best constant pays where nothing is proven, with `time_limit` for each alpha, none by default;
        the final network is fitted to `tol`, and proven if `prove`.

    Attributes
    ----------
    alpha_ : float
        The strength chosen, for the features over `scale_`; of equally good ones, the largest.
    alphas_ : (k,) array
        The strengths tried, falling.
    loss_path_, mse_path_ : (k, n_folds) arrays
        Mean loss, and mean squared error, on each fold.
    network_, certificate_, fit_, scale_, n_features_in_
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

    _several_outputs = False

    @heeding_interrupts()
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose alpha, and fit the network to all data with it.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs.
        y : (N,) array_like
            Targets.
        sample_weight : (N,) array_like, optional
            What each sample counts, in fits and on held-out folds; at least zero.

        Raises
        ------
        InputError
            If the data or a parameter is unusable.
        SolverError
            If a solver fails.
        """
        inputs, targets = validated(self, X, y, dtype=np.float64, y_numeric=True)
        loss = regression_loss(self.loss)
        weights = weights_of(sample_weight, inputs)
        inputs, counts = self._scaled(inputs, weights), np.ones(len(targets)) if weights is None else weights
        whole = self._at_any_alpha(inputs, targets, weights, loss)
        alphas = self._grid([whole])

        def errors(seeded: Self, train: Any, test: Any) -> tuple[Array, Paths]:
            networks = seeded._path(self._at_any_alpha(inputs[train], targets[train], counts[train], loss), alphas)
            test = test[counts[test] > 0]
            with np.errstate(over="ignore"):  # of what is predicted far from the others: an infinite loss
                predictions = np.array([network(inputs[test]) for network in networks])
                paid = np.array([loss.values(row, targets[test]) for row in predictions])
                both = np.stack([paid, (predictions - targets[test]) ** 2], axis=1)
                return np.average(both, axis=2, weights=counts[test]), [networks]

        self.alphas_ = alphas
        scores, of_folds = self._over_folds(errors, inputs, targets, weights, classes=False)
        self.loss_path_, self.mse_path_ = scores[:, 0], scores[:, 1]
        best = int(np.argmin(self.loss_path_.mean(axis=1)))
        self.alpha_ = float(alphas[best])
        try:
            self._keep(self._final(whole, self.alpha_, [networks[best] for (networks,) in of_folds]))
        except Interrupted as interrupt:
            if interrupt.fit is not None:
                self._keep(interrupt.fit)
            raise
        self._count([self.fit_])
        return self


class ReLUClassifierCV(CrossValidated, ReLUClassifier):
    """A classifier by the sign or the largest output of a network, with a strength chosen by cross-validation.

    Minimises (1/N) sum_i loss(y_i f(x_i)) + alpha * cost(f), over one-hidden-layer networks f of every width, with the
    alpha of the best mean accuracy on held-out folds. With more than two classes the network has an output for each, as
    in `ReLUClassifier`, or there is one network for each class against the rest, all with one alpha.

    Parameters
    ----------
    loss : {"logistic", "hinge"}, default "logistic"
        The loss.
    multi_class : {"softmax", "ovr"}, default "softmax"
        As in `ReLUClassifier`.
    class_weight : dict, "balanced" or None, default None
        As in `ReLUClassifier`; the accuracy on a fold is weighted, too.
    alphas, n_alphas, eps
        As in `ReLURegressorCV`; the default grid starts from the largest `cvxrelu.alpha_max` of the networks.
    cv : int, splitter or iterable, optional
        Folds as in scikit-learn; 5 stratified ones by default.
    scale, bias, negative_slope, skip, output_sign, method, tol, time_limit, max_rounds, prove, solver, n_jobs,
    random_state, verbose
        As in `ReLURegressorCV`.

    Attributes
    ----------
    alpha_ : float
        The strength chosen, for the features over `scale_`; of equally good ones, the largest.
    alphas_ : (k,) array
        The strengths tried, falling.
    scores_ : (k, n_folds) array
        Accuracy on each fold.
    classes_, fits_, networks_, certificates_, scale_, n_features_in_
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
        multi_class: str = "softmax",
        class_weight: Mapping[Any, float] | str | None = None,
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
        super().__init__(
            loss,
            alphas=alphas,
            n_alphas=n_alphas,
            eps=eps,
            cv=cv,
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
        self.multi_class = multi_class
        self.class_weight = class_weight

    @heeding_interrupts()
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose alpha, and fit the network, or one for each class against the rest, to all data with it.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs.
        y : (N,) array_like
            Labels of any kind that scikit-learn takes; at least two classes.
        sample_weight : (N,) array_like, optional
            What each sample counts, in fits and on held-out folds; at least zero.

        Raises
        ------
        InputError
            If the data or a parameter is unusable.
        SolverError
            If a solver fails.
        """
        inputs, labels, weights = self._labelled(X, y, sample_weight, ("logistic", "hinge"))
        as_choice(self.multi_class, ("softmax", "ovr"), "multi_class")
        weights, (loss, targets) = self._with_classes(weights, labels), self._targets(labels)
        wholes = [self._at_any_alpha(inputs, row, weights, loss) for row in targets]
        alphas = self._grid(wholes)

        def accuracies(seeded: Self, train: Any, test: Any) -> tuple[Array, Paths]:
            kept = weights[train] > 0
            known = inputs[train][kept], labels[train][kept], weights[train][kept]
            heights, networks = seeded._heights(*known, inputs[test], alphas)
            guesses = heights.argmax(axis=-1) if len(self.classes_) > 2 else (heights[..., 0] > 0).astype(int)
            return np.average(self.classes_[guesses] == labels[test], axis=1, weights=weights[test]), networks

        self.alphas_ = alphas
        self.scores_, of_folds = self._over_folds(accuracies, inputs, labels, weights, classes=True)
        best = int(np.argmax(self.scores_.mean(axis=1)))
        self.alpha_ = float(alphas[best])
        starts = [[fold[k][best] for fold in of_folds if fold[k]] for k in range(len(wholes))]
        tasks = zip(self._seeded(len(wholes)), wholes, starts, strict=True)
        finals = (delayed(seeded._final)(whole, self.alpha_, start) for seeded, whole, start in tasks)
        self._gather(finals, len(wholes))
        self._count(self.fits_)
        return self

    def _keep(self, fits: list[Fit]) -> Self:
        super()._keep(fits)
        self.fit_, self.network_, self.certificate_ = self.fits_[0], self.networks_[0], self.certificates_[0]
        return self

    def _heights(
        self, X: Array, labels: NDArray[Any], weights: Array, fold: Array, alphas: Array
    ) -> tuple[Array, Paths]:
        """Return what the paths of the other samples predict on a fold, and their networks.

        Predictions are an (n_alphas, n, n_networks or K) array. A class that the others lack is never predicted, and
        their only one always is: there is no network then.
        """
        if self._in_one:
            heights = np.full((len(alphas), len(fold), len(self.classes_)), -np.inf)
            there, places = np.unique(labels, return_inverse=True)
            columns = np.searchsorted(self.classes_, there)
            heights[..., columns] = 0.0
            if len(there) == 1:
                return heights, [[]]
            networks = self._path(self._at_any_alpha(X, places.astype(float), weights, OF_SEVERAL[self.loss]), alphas)
            heights[..., columns] = [network(fold) for network in networks]
            return heights, [networks]
        signs = self._signs(labels)
        paths = [
            self._path(self._at_any_alpha(X, row, weights, self.loss), alphas) if np.ptp(row) > 0 else []
            for row in signs
        ]
        only = [np.full((len(alphas), len(fold)), row[0] * np.inf) for row in signs]
        heights = [[f(fold) for f in networks] if networks else one for networks, one in zip(paths, only, strict=True)]
        return np.stack(heights, axis=-1), paths
