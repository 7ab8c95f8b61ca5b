"""Warnings name the line from which the package was called, however deep inside they are given."""

import sys
import warnings

__all__ = ["warn"]

PASSING = ("cvxrelu", "contextlib", "sklearn", "joblib")
"""Where calls only pass through: the package, its decorators, pipelines and searches that fit estimators, workers."""


def warn(message: str, category: type[Warning]) -> None:
    """Give a warning that names the first line, from here outwards, of code that neither is nor serves the package."""
    frame, level = sys._getframe(1), 2
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in PASSING:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
