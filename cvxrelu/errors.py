"""The errors and warnings of cvxrelu.

Every error derives from `CvxReluError` and from the built-in that a caller would expect, so that either
can be caught. Every message is one sentence that says what is wrong and what to do.
"""

__all__ = ["AccuracyWarning", "CvxReluError", "InputError", "InputTypeError", "SizeError", "SolverError"]


class CvxReluError(Exception):
    """Base class of all errors raised by cvxrelu."""


class InputError(CvxReluError, ValueError):
    """An argument has an unusable value; raised before any work starts."""


class InputTypeError(CvxReluError, TypeError):
    """An argument has an unusable type; raised before any work starts."""


class SolverError(CvxReluError, RuntimeError):
    """A convex solver failed, or found that the program has no solution."""


class SizeError(CvxReluError, MemoryError):
    """The computation would not fit in memory; raised before any work starts."""


class AccuracyWarning(UserWarning):
    """The result is usable but less accurate than asked; its certificate states how accurate it is."""
