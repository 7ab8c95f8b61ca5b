"""Estimators for real targets: the interpolant of least cost, and errors of any kind with weight decay."""

from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cvxrelu.estimators.base import regression_loss, strength
from cvxrelu.estimators.regressor import Regressor
from cvxrelu.problem.losses import Loss
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.clock import Clock

__all__ = ["ReLUInterpolator", "ReLURegressor"]

Array = NDArray[np.float64]


class ReLUInterpolator(Regressor):
    """The least-cost network through all data points.

    Minimises cost(f) subject to f(x_i) = y_i, over one-hidden-layer networks f of every width.

    Parameters
    ----------
    bias : {"free", "joint", "none"}, default "free"
        Whether a neuron's bias costs nothing, counts like a weight, or is absent.
    negative_slope : float, default 0.0
        Slope of the leaky ReLU at negative arguments; any number that is not within 2^-10 (about 0.001) of 1.
    skip : bool, default False
        Whether the network has a skip connection A x, of which the weights cost nothing.
    output_sign : {"any", "positive"}, default "any"
        Which output weights neurons may have; with "positive" (and a slope below 1) predictions are a convex function
        of x. Some data then have no interpolant, while `ReLURegressor` always has a fit.
    scale : bool or "auto", default "auto"
        Whether weights cost what they do in units of the standard deviations of the features, so that it makes no
        difference in which units these come; their origins stay, which makes none where biases are free. "auto" is
        False here, and wherever an alpha is given, which goes with the units of the data.
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
        take far longer than the fit: give it a `time_limit`. With one feature the proof is always there,
        and with two unless biases cost ("joint").
        Without it, `fit_.status` says whether the network is one that local search does not improve.
    solver : str, default "CLARABEL"
        Any installed conic solver of cvxpy.
    n_jobs : int, default 1
        Workers, as in joblib.
    random_state : int or numpy.random.Generator, optional
        Seed of whatever is random in the method.
    warm_start : bool, default False
        Whether `fit` goes on from the network of the fit before, if there is one for as many features.
    verbose : int, default 0
        Whether to show progress.

    Attributes
    ----------
    network_ : Network
        The network.
    certificate_ : Certificate
        Bounds on the least cost, of features over `scale_`.
    fit_ : Fit
        The fit to features over `scale_`, with its network and the history.
    scale_ : (d,) array
        What the features were divided by for the fit; `network_` takes them as they come.
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
    Approach", equations (3) and (8).

    Examples
    --------
    >>> model = ReLUInterpolator().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])
    >>> model.predict([[0.5], [1.5]]).round(6)
    array([0.5, 0.5])
    >>> round(model.certificate_.upper, 6), model.certificate_.scope
    (2.0, 'global')
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs; equal rows must have equal targets.
        y : (N,) array_like or (N, K) array_like
            Targets; with K columns, one network of K outputs that share its neurons.
        sample_weight : (N,) array_like, optional
            Samples of weight zero are left out; other weights make no difference.

        Raises
        ------
        InputError
            If the data is unusable or contradicts itself.
        SolverError
            If the solver fails, or no network without bias, or with positive output weights, fits.
        """
        return self._fit(X, y, sample_weight)

    def _posed(self, X: Array, y: Array, sample_weight: Array | None, clock: Clock) -> Problem:
        return self._problem(X, y, sample_weight, loss="interpolation")


class ReLURegressor(Regressor):
    """Regression with the cost of the network as the penalty: weight decay, solved to its global optimum.

    Minimises (1/N) sum_i loss(f(x_i), y_i) + alpha * cost(f), with half the squared error by default, over
    one-hidden-layer networks f of every width.

    Parameters
    ----------
    alpha : float or "auto", default "auto"
        Regularisation strength, positive. "auto" is 0.3 alpha_max / sqrt(N), alpha_max being where a constant becomes
        optimal (estimated in three or more dimensions); `ReLURegressorCV` finds a better one by cross-validation.
    scale : bool or "auto", default "auto"
        As in `ReLUInterpolator`; "auto" is True if alpha is "auto": then features may come in any units.
    loss : {"squared", "huber", "absolute", "quantile"} or Loss, default "squared"
        What a prediction costs; an object such as ``cr.Quantile(0.9)`` brings its parameters.
    bias, negative_slope, skip, output_sign, method, tol, time_limit, max_rounds, prove, solver, n_jobs, random_state,
    warm_start, verbose
        As in `ReLUInterpolator`.

    Attributes
    ----------
    alpha_ : float
        The strength used, for the features over `scale_`: say scale=True where it is given again.
    network_, certificate_, fit_, scale_, n_iter_, n_features_in_
        As in `ReLUInterpolator`.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        As `ReLUInterpolator`.

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

    Convex regression: of all convex functions, the one with the least squared error and cost.

    >>> model = ReLURegressor(alpha=1e-3, skip=True, output_sign="positive").fit(x, np.cos(4 * x[:, 0]))
    >>> bool((np.diff(model.predict(x), 2) > -1e-9).all())
    True
    """

    def __init__(
        self,
        alpha: float | str = "auto",
        *,
        loss: str | Loss = "squared",
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
        self.alpha = alpha
        self.loss = loss

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs.
        y : (N,) array_like or (N, K) array_like
            Targets; with K columns, one network of K outputs that share its neurons.
        sample_weight : (N,) array_like, optional
            What each sample counts in the mean of the losses; at least zero.

        Raises
        ------
        InputError
            If the data or a parameter is unusable.
        SolverError
            If the solver fails.
        Interrupted
            At Ctrl-C; the estimator is fitted with the best network found until then, if there was one.
        """
        return self._fit(X, y, sample_weight)

    def _posed(self, X: Array, y: Array, sample_weight: Array | None, clock: Clock) -> Problem:
        problem = self._problem(X, y, sample_weight, loss=regression_loss(self.loss), alpha=1.0)
        self.alpha_ = strength(self.alpha, [problem], clock)
        return replace(problem, alpha=self.alpha_)
