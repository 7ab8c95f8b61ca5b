"""The errors and warnings of cvxrelu.

Every error derives from `CvxReluError` and from the built-in that a caller would expect, so that either
can be caught. Every message is one sentence that says what is wrong and what to do.
"""

import re
from typing import Any

__all__ = [
    "AccuracyWarning",
    "CvxReluError",
    "FileError",
    "InputError",
    "InputTypeError",
    "Interrupted",
    "SizeError",
    "SolverError",
]

# What a message repeats of a value it was given: runs of digits and words longer than this lose their middle. No number
# that a user typed has as many digits, and no usual path as many letters.
LONGEST_DIGITS, LONGEST_WORD = 40, 160
# Characters of a whole message, for values with spaces in them, such as lists.
LONGEST_MESSAGE = 800
# How many characters stay at both ends of what is cut.
HEAD, TAIL = 20, 10


def _cut(text: str, head: int = HEAD, tail: int = TAIL) -> str:
    return f"{text[:head]}...({len(text)} characters)...{text[-tail:]}"


class CvxReluError(Exception):
    """Base class of all errors raised by cvxrelu; it keeps messages to one short line, whatever values they repeat."""

    def __init__(self, message: str = "") -> None:
        line = " ".join(message.split())
        short = re.sub(rf"\d{{{LONGEST_DIGITS},}}|\S{{{LONGEST_WORD},}}", lambda found: _cut(found[0]), line)
        super().__init__(short if len(short) <= LONGEST_MESSAGE else _cut(short, LONGEST_MESSAGE // 2, 200))


class InputError(CvxReluError, ValueError):
    """An argument has an unusable value; raised before any work starts."""


class InputTypeError(CvxReluError, TypeError):
    """An argument has an unusable type; raised before any work starts."""


class FileError(InputError, OSError):
    """A file cannot be read or written."""


class SolverError(CvxReluError, RuntimeError):
    """A convex solver failed, or found that the program has no solution."""


class SizeError(CvxReluError, MemoryError):
    """The computation would not fit in memory; raised before any work starts."""


class AccuracyWarning(UserWarning):
    """The result is usable but less accurate than asked; its certificate states how accurate it is."""


def unmet(loss: str, bias: str, one_sided: bool = False) -> SolverError:
    """Return the error for a constraint that no network was found to meet; with biases there always is one.

    Parameters
    ----------
    loss, bias : str
        Of the problem.
    one_sided : bool, default False
        Whether its output weights have to be positive.
    """
    if one_sided:
        return SolverError(
            f"No network with output_sign='positive' meets loss={loss!r} on this data, or none within the digits of "
            "floats; use output_sign='any', a skip connection if there is none, or a regularised loss."
        )
    if bias == "none":
        return SolverError(
            f"No network with bias='none' meets loss={loss!r} on this data, or none within the digits of floats; "
            "use bias='free' or bias='joint', or a regularised loss."
        )
    return SolverError(
        f"The networks that meet loss={loss!r} on this data are beyond the digits of floats, or not among the "
        "patterns that were tried; rescale or merge rows of X that are near each other, subtract a constant from y "
        "where biases cost, or use a regularised loss."
    )


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: the program stops, unless this is caught, and nothing that was found is lost.

    Attributes
    ----------
    fits : tuple of Fit
        What was found, in the order in which it was sought; the last one is what the work under way had come to, with
        a certificate that holds.
    path : Path or None
        Of an interrupted `cvxrelu.path`, what is finished of it.
    certificate : Certificate or None
        Of an interrupted `cvxrelu.certify` that works on the bound alone, what is proven until then.
    """

    def __init__(self, message: str, fits: tuple[Any, ...] = (), path: Any = None, certificate: Any = None) -> None:
        super().__init__(message)
        self.fits = fits
        self.path = path
        self.certificate = certificate

    @property
    def fit(self) -> Any:
        """The last of `fits`, or None if nothing was found yet."""
        return self.fits[-1] if self.fits else None
