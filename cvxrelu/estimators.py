r"""scikit-learn estimators: certified networks behind `fit` and `predict`.

| estimator          | minimises                                                             |
|--------------------|-----------------------------------------------------------------------|
| `ReLUInterpolator` | cost(f)  subject to  f(x_i) = y_i                                     |
| `ReLURegressor`    | (1/N) sum_i (f(x_i) - y_i)^2 / 2 + alpha * cost(f)                    |
| `ReLUClassifier`   | (1/N) sum_i loss(y_i f(x_i)) + alpha * cost(f), or the maximal margin |

each over one-hidden-layer networks f of every width. Features are taken as they come: put a scaler in front, since the
cost of a weight depends on the unit of its feature.
"""

from typing import Any, ClassVar, Self

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from cvxrelu.errors import InputError
from cvxrelu.fit import Fit, solve
from cvxrelu.problem import Problem

__all__ = ["ReLUClassifier", "ReLUInterpolator", "ReLURegressor"]

Array = NDArray[np.float64]

_PARAMETERS = """bias : {"free", "joint", "none"}, default "free"
        Whether a neuron's bias costs nothing, counts like a weight, or is absent.
    negative_slope : float, default 0.0
        Slope of the leaky ReLU at negative arguments; any number but 1.
    method : {"auto", "enumerate", "sample"}, default "auto"
        How the sign patterns are found; see `cvxrelu.solve`.
    tol : float, default 1e-6
        Relative gap to reach.
    time_limit : float, optional
        Seconds.
    solver : str, default "CLARABEL"
        Any installed conic solver of cvxpy.
    n_jobs : int, default 1
        Processes, as in joblib.
    random_state : int or numpy.random.Generator, optional
        Seed of sampled patterns."""


class _Estimator(BaseEstimator):
    """Parameters that all estimators share, and the way from them to fits."""

    _loss: ClassVar[str]

    def __init__(
        self,
        *,
        bias: str = "free",
        negative_slope: float = 0.0,
        method: str = "auto",
        tol: float = 1e-6,
        time_limit: float | None = None,
        solver: str = "CLARABEL",
        n_jobs: int = 1,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        self.bias = bias
        self.negative_slope = negative_slope
        self.method = method
        self.tol = tol
        self.time_limit = time_limit
        self.solver = solver
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _solve(self, X: Array, y: Array, n_jobs: int = 1, **problem: Any) -> Fit:
        return solve(
            Problem(X, y, bias=self.bias, negative_slope=self.negative_slope, **problem),
            self.method,
            tol=self.tol,
            time_limit=self.time_limit,
            solver=self.solver,
            n_jobs=n_jobs,
            random_state=self.random_state,
        )
