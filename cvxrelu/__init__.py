"""Globally optimal one-hidden-layer (leaky) ReLU networks by convex optimisation.

    Problem -> Arrangement -> Program -> Solution -> Network,  and a Certificate that trusts none of them

Start with `Problem` and `solve`, or with the scikit-learn estimators.
"""

from importlib.metadata import version

from cvxrelu.arrangement import Arrangement, count_patterns, enumerate_patterns, sample_patterns
from cvxrelu.certificate import Certificate
from cvxrelu.certificate_file import load_certificate
from cvxrelu.certify import certify
from cvxrelu.errors import (
    AccuracyWarning,
    CvxReluError,
    FileError,
    InputError,
    InputTypeError,
    Interrupted,
    SizeError,
    SolverError,
)
from cvxrelu.estimators import ReLUClassifier, ReLUInterpolator, ReLURegressor
from cvxrelu.estimators_cv import ReLUClassifierCV, ReLURegressorCV
from cvxrelu.fit import Fit, Status, solve
from cvxrelu.foreign import as_network
from cvxrelu.margins import MaxMargin, generalisation_bound, max_margin
from cvxrelu.network import Network
from cvxrelu.optima import OptimalSet, optimal_set
from cvxrelu.problem import Problem
from cvxrelu.rational import ExactBound
from cvxrelu.regularisation_path import Path, path
from cvxrelu.zero_cost import alpha_max

__version__ = version("cvxrelu")
__all__ = [
    "AccuracyWarning",
    "Arrangement",
    "Certificate",
    "CvxReluError",
    "ExactBound",
    "FileError",
    "Fit",
    "InputError",
    "InputTypeError",
    "Interrupted",
    "MaxMargin",
    "Network",
    "OptimalSet",
    "Path",
    "Problem",
    "ReLUClassifier",
    "ReLUClassifierCV",
    "ReLUInterpolator",
    "ReLURegressor",
    "ReLURegressorCV",
    "SizeError",
    "SolverError",
    "Status",
    "alpha_max",
    "as_network",
    "certify",
    "count_patterns",
    "enumerate_patterns",
    "generalisation_bound",
    "load_certificate",
    "max_margin",
    "optimal_set",
    "path",
    "sample_patterns",
    "solve",
]
