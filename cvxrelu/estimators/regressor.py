"""What estimators for real targets share: one network, of one output or as many as there are columns of targets."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from cvxrelu.certificate.certificate import Certificate
from cvxrelu.errors import InputError, Interrupted
from cvxrelu.estimators.base import Estimator, validated, weights_of
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.keyboard import heeding_interrupts
from cvxrelu.solving.fit import Fit

__all__ = ["Regressor"]

Array = NDArray[np.float64]


class Regressor(RegressorMixin, Estimator):
    """A network for real targets."""

    # Whether targets may be two-dimensional, and whether those of the fit were, with one column.
    _several_outputs, _in_column = True, False

    @property
    def _takes_several(self) -> bool:
        """Whether y may have several columns, which signs are not for."""
        return self._several_outputs and self.output_sign == "any"

    def _posed(self, X: Array, y: Array, sample_weight: Array | None, clock: Clock) -> Problem:
        """Return the problem of some data, its strength of regularisation found in a share of the time."""
        raise NotImplementedError

    @heeding_interrupts()
    def _fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        inputs, targets = self._checked(X, y)
        clock = self._clock()
        try:
            start = self.network_ if self.warm_start and hasattr(self, "network_") else None
            weights = weights_of(sample_weight, inputs)
            posed = self._posed(self._scaled(inputs, weights), targets, weights, clock)
            self._keep(self._solve(posed, clock, self.n_jobs, start))
        except Interrupted as interrupt:
            # What was found can predict.
            if interrupt.fit is not None:
                self._keep(interrupt.fit)
            raise
        self._count([self.fit_])
        return self

    def _keep(self, fit: Fit) -> Self:
        self.fit_, self.network_, self.certificate_, self.scale_ = fit, self._given(fit), fit.certificate, self._units
        return self

    def _checked(self, X: Any, y: Any, reset: bool = True) -> tuple[Array, Array]:
        """Return inputs and targets; one column of targets is one output, of which predictions have a column, too."""
        inputs, targets = validated(
            self, X, y, dtype=np.float64, y_numeric=True, multi_output=self._takes_several, reset=reset
        )
        column = targets.ndim == 2 and targets.shape[1] == 1
        if reset:
            self._in_column = column
        return inputs, targets.ravel() if column else targets

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self._takes_several
        return tags

    @heeding_interrupts()
    def certify(self, X: Any, y: Any, time_limit: float | None = 60.0, *, sample_weight: Any = None) -> Certificate:
        """Prove how far the network is from the best of all widths on some data, for the loss and the alpha of the fit.

        Parameters
        ----------
        X : (N, d) array_like
            Inputs, those of the fit or others.
        y : (N,) array_like or (N, K) array_like
            Targets, of as many columns as those of the fit.
        time_limit : float or None, default 60.0
            Seconds for the proof; what is proven by then holds, and a warning says what is missing.
        sample_weight : (N,) array_like, optional
            Weights of these samples.

        Returns
        -------
        Certificate
            As `cvxrelu.certify` returns it, of features over `scale_`; the estimator stays as it is.

        Raises
        ------
        InputError
            If the data is unusable, or y has not as many columns as the targets of the fit.

        Examples
        --------
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 0.0, 2.0]
        >>> from cvxrelu import ReLURegressor
        >>> ReLURegressor(alpha=0.01).fit(X, y).certify(X, y).scope
        'global'
        """
        check_is_fitted(self, "network_")
        inputs, targets = self._checked(X, y, reset=False)
        fitted, given = self.network_.n_outputs, targets[0].size
        if given != fitted:
            raise InputError(f"y must have as many columns as the targets of the fit, {fitted}, not {given}.")
        weights = weights_of(sample_weight, inputs)
        (certificate,) = self._certified([self.fit_], inputs, [targets], weights, time_limit)
        return certificate

    def predict(self, X: Any) -> Array:
        """Return the network's predictions, an (n,) array, or (n, K) if the targets were two-dimensional.

        Parameters
        ----------
        X : (n, d) array_like
            Inputs.
        """
        check_is_fitted(self, "network_")
        predictions = self.network_(validated(self, X, dtype=np.float64, reset=False))
        return predictions[:, None] if self._in_column else predictions
