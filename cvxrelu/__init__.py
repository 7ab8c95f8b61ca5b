"""Globally optimal one-hidden-layer (leaky) ReLU networks by convex optimisation.

    Problem -> Arrangement -> Program -> Solution -> Network,  and a Certificate that trusts none of them

Start with `Problem` and `solve`, or with the scikit-learn estimators. Names are imported when they are first used, so
that nobody waits for what they do not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvxrelu.analysis.alpha_max import alpha_max
    from cvxrelu.analysis.certify import certify
    from cvxrelu.analysis.foreign import as_network
    from cvxrelu.analysis.margins import MaxMargin, generalisation_bound, max_margin
    from cvxrelu.analysis.optima import OptimalSet, optimal_set
    from cvxrelu.analysis.path import Path, path
    from cvxrelu.arrangement import Arrangement, count_patterns, enumerate_patterns, sample_patterns
    from cvxrelu.certificate.certificate import Certificate
    from cvxrelu.certificate.evidence import Evidence
    from cvxrelu.certificate.file import load_certificate
    from cvxrelu.certificate.rational import ExactBound
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
    from cvxrelu.estimators.classification import ReLUClassifier
    from cvxrelu.estimators.cross_validated import ReLUClassifierCV, ReLURegressorCV
    from cvxrelu.estimators.regression import ReLUInterpolator, ReLURegressor
    from cvxrelu.problem.losses import Huber, Loss, Quantile
    from cvxrelu.problem.network import Network
    from cvxrelu.problem.problem import Problem
    from cvxrelu.program.open_program import OpenProgram, build_program
    from cvxrelu.solving.fit import Fit, Status, solve

    __version__: str

_NAMES = {
    "arrangement": ("Arrangement", "count_patterns", "enumerate_patterns", "sample_patterns"),
    "certificate.certificate": ("Certificate",),
    "certificate.file": ("load_certificate",),
    "analysis.certify": ("certify",),
    "errors": (
        "AccuracyWarning",
        "CvxReluError",
        "FileError",
        "InputError",
        "InputTypeError",
        "Interrupted",
        "SizeError",
        "SolverError",
    ),
    "estimators.classification": ("ReLUClassifier",),
    "estimators.cross_validated": ("ReLUClassifierCV", "ReLURegressorCV"),
    "estimators.regression": ("ReLUInterpolator", "ReLURegressor"),
    "certificate.evidence": ("Evidence",),
    "solving.fit": ("Fit", "Status", "solve"),
    "analysis.foreign": ("as_network",),
    "analysis.margins": ("MaxMargin", "generalisation_bound", "max_margin"),
    "problem.network": ("Network",),
    "analysis.optima": ("OptimalSet", "optimal_set"),
    "problem.losses": ("Huber", "Loss", "Quantile"),
    "problem.problem": ("Problem",),
    "program.open_program": ("OpenProgram", "build_program"),
    "certificate.rational": ("ExactBound",),
    "analysis.path": ("Path", "path"),
    "analysis.alpha_max": ("alpha_max",),
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
# Modules that are public as such.
_PUBLIC = ("function_space", "plots")

__all__ = [
    "AccuracyWarning",
    "Arrangement",
    "Certificate",
    "CvxReluError",
    "Evidence",
    "ExactBound",
    "FileError",
    "Fit",
    "Huber",
    "InputError",
    "InputTypeError",
    "Interrupted",
    "Loss",
    "MaxMargin",
    "Network",
    "OpenProgram",
    "OptimalSet",
    "Path",
    "Problem",
    "Quantile",
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
    "build_program",
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


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("cvxrelu")
    elif name in _MODULES:
        value = getattr(import_module(f"cvxrelu.{_MODULES[name]}"), name)
    elif name in _PUBLIC:
        return import_module(f"cvxrelu.{name}")
    else:
        raise AttributeError(f"module 'cvxrelu' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names that are there and those that can be imported."""
    return sorted({*globals(), *__all__, *_PUBLIC, "__version__"})
