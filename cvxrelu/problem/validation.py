"""Checks of arrays and parameters: one clear sentence before any work starts."""

from collections.abc import Iterable
from numbers import Integral, Real
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse

from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.problem.rows import name_rows

__all__ = [
    "as_choice",
    "as_count",
    "as_floats",
    "as_generator",
    "as_jobs",
    "as_matrix",
    "as_real",
    "as_rows",
    "as_slope",
    "as_vector",
    "refuse_infinite",
]

T = TypeVar("T")
Array = NDArray[np.float64]

# Kinds of NumPy types that hold real numbers: booleans, integers, floats, and objects, which are converted.
NUMERIC_KINDS = "biufO"

# All integers up to this one are floats.
LARGEST_INTEGER = 2**53


def as_matrix(X: ArrayLike, name: str = "X") -> Array:
    """Return a read-only float64 copy of X after checking that it is two-dimensional, non-empty and finite.

    Raises
    ------
    InputTypeError
        If X is sparse, complex or not numeric.
    InputError
        If X has the wrong shape or a NaN or infinite entry.
    """
    matrix = as_floats(X, name)
    if matrix.ndim == 1:
        raise InputError(
            f"{name} is one-dimensional; it must be (n_samples, n_features): use {name}.reshape(-1, 1) for one feature."
        )
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(
            f"{name} has shape {matrix.shape}; it must be (n_samples, n_features) with at least one of each."
        )
    refuse_infinite(matrix, name)
    matrix.flags.writeable = False
    return matrix


def as_vector(y: ArrayLike, n_samples: int, name: str = "y") -> Array:
    """Return a read-only float64 copy of y after checking that it has n_samples finite entries.

    Raises
    ------
    InputTypeError
        If y is sparse, complex or not numeric.
    InputError
        If y has the wrong shape or a NaN or infinite entry.
    """
    vector = as_floats(y, name)
    if vector.shape != (n_samples,):
        raise InputError(f"{name} has shape {vector.shape}; it must be ({n_samples},), one entry for each row of X.")
    bad = np.flatnonzero(~np.isfinite(vector))
    if len(bad):
        raise InputError(f"{name} is NaN or infinite in {name_rows(bad)}; impute or drop it.")
    vector.flags.writeable = False
    return vector


def as_rows(y: ArrayLike, n_samples: int, name: str = "y") -> Array:
    """Return y as `as_vector` does or, if it is two-dimensional, as `as_matrix`, with n_samples rows."""
    if np.ndim(as_floats(y, name)) != 2:
        return as_vector(y, n_samples, name)
    matrix = as_matrix(y, name)
    if len(matrix) != n_samples:
        raise InputError(f"{name} has shape {matrix.shape}; it must have {n_samples} rows, one for each row of X.")
    return matrix


def as_floats(values: ArrayLike, name: str) -> Array:
    """Return a float64 copy of an array of any shape, NaN and infinities included.

    Raises
    ------
    InputTypeError
        If it is sparse, masked, complex or not numeric.
    InputError
        If it holds integers that no float64 is equal to.
    """
    if issparse(values):
        raise InputTypeError(f"{name} is a sparse matrix; pass a dense array ({name}.toarray()).")
    if np.ma.is_masked(values):
        raise InputTypeError(f"{name} has masked entries; fill them in ({name}.filled(...)) or drop their rows.")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError, RecursionError) as error:
        raise InputTypeError(f"{name} must be a rectangular array of real numbers ({error}).") from error
    if np.iscomplexobj(array):
        raise InputTypeError(f"{name} is complex; it must be real. Complex data not supported.")
    if array.dtype.kind not in NUMERIC_KINDS:
        raise InputTypeError(f"{name} must hold real numbers, not entries of type {array.dtype}; convert it to float.")
    try:
        with np.errstate(over="ignore"):  # longer floats become infinite, and are refused as such
            floats = np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"{name} must be an array of real numbers ({error}).") from error
    except OverflowError as error:
        raise InputError(f"{name} holds a number beyond the range of floats, 1.8e308; use another unit.") from error
    large = array[np.abs(floats) >= LARGEST_INTEGER] if array.dtype.kind in "iu" else []
    if any(int(entry) != int(float(entry)) for entry in large):
        raise InputError(f"{name} holds integers beyond 2**53 that no float equals; subtract an offset from them.")
    return floats


def refuse_infinite(matrix: Array, name: str) -> None:
    """Raise an InputError that names the rows of a matrix with NaN or infinite entries, if there are any."""
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise InputError(f"{name} has a NaN or infinite entry in {name_rows(bad)}; impute or drop it.")


def as_slope(negative_slope: object) -> float:
    """Return the slope of an activation at negative arguments: any finite float but 1.

    Raises
    ------
    InputTypeError, InputError
        If it is anything else.
    """
    slope = as_real(negative_slope, "negative_slope")
    if slope == 1:
        raise InputError("negative_slope=1 makes the activation linear; use another slope, 0 for ReLU.")
    return slope


def as_real(value: object, name: str) -> float:
    """Return a parameter as a finite float.

    Raises
    ------
    InputTypeError
        If it is not a real number.
    InputError
        If it is NaN or infinite.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise InputTypeError(f"{name} must be a real number, not {_shown(value)}.")
    try:
        number = float(value)
    except OverflowError as error:
        raise InputError(f"{name} is beyond the range of floats, 1.8e308; choose a smaller number.") from error
    if not np.isfinite(number):
        raise InputError(f"{name}={number:g} must be finite.")
    return number


def as_count(value: object, name: str, least: int = 1, most: int = LARGEST_INTEGER) -> int:
    """Return a parameter as an int that is positive, or not less than another number, and not more than a third.

    Raises
    ------
    InputTypeError
        If it is not an integer.
    InputError
        If it is less, or more.
    """
    wanted = "a positive integer" if least == 1 else f"an integer, {least} or more"
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise InputTypeError(f"{name} must be {wanted}, not {_shown(value)}.")
    count = int(value)
    if not least <= count <= most:
        largest = "2**53" if most == LARGEST_INTEGER else most
        raise InputError(f"{name}={_shown(value)} must be {wanted}, and at most {largest}.")
    return count


def as_choice(value: object, choices: Iterable[str], name: str) -> str:
    """Return a parameter that is one of a few words.

    Raises
    ------
    InputTypeError
        If it is no word.
    InputError
        If it is another word.

    Examples
    --------
    >>> as_choice("free", ["free", "joint"], "bias")
    'free'
    """
    words = list(choices)
    if not isinstance(value, str):
        raise InputTypeError(f"{name} must be one of {', '.join(map(repr, words))}, not {_shown(value)}.")
    if value not in words:
        raise InputError(f"{name}={value!r} is unknown; choose one of {', '.join(map(repr, words))}.")
    return value


def as_generator(random_state: object) -> np.random.Generator:
    """Return a generator of random numbers: one that is passed as it is, of a RandomState one that it seeds.

    Raises
    ------
    InputTypeError, InputError
        If it is neither None, nor an integer, which is not negative, nor a generator of NumPy.
    """
    if isinstance(random_state, np.random.Generator) or random_state is None:
        return np.random.default_rng(random_state)
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    if isinstance(random_state, (bool, np.bool_)) or not isinstance(random_state, Integral):
        raise InputTypeError(f"random_state must be an integer, a numpy Generator or None, not {_shown(random_state)}.")
    if random_state < 0:
        raise InputError(f"random_state={_shown(random_state)} must not be negative.")
    return np.random.default_rng(int(random_state))


def as_jobs(n_jobs: object) -> int:
    """Return a number of workers as joblib counts them: None is one, -1 one a core, -2 one less, and so on.

    Raises
    ------
    InputTypeError, InputError
        If it is anything else.
    """
    if isinstance(n_jobs, Integral) and n_jobs < 0:
        return int(n_jobs)
    return 1 if n_jobs is None else as_count(n_jobs, "n_jobs")


def as_limit(value: object, name: str) -> float:
    """Return a number that is not negative, infinity included.

    Raises
    ------
    InputTypeError, InputError
        If it is anything else.
    """
    limit = np.inf if isinstance(value, float) and value == np.inf else as_real(value, name)
    if limit < 0:
        raise InputError(f"{name}={limit:g} must not be negative.")
    return limit


def as_seconds(time_limit: object) -> float | None:
    """Return a time limit: None, or a number of seconds as in `as_limit`."""
    return None if time_limit is None else as_limit(time_limit, "time_limit")


def as_flag(value: object, name: str) -> bool:
    """Return a parameter that is true or false.

    Raises
    ------
    InputTypeError
        If it is anything else.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InputTypeError(f"{name} must be True or False, not {_shown(value)}.")
    return bool(value)


def as_instance(value: object, kind: type[T], name: str) -> T:
    """Return a parameter that is an object of the package.

    Raises
    ------
    InputTypeError
        If it is of another type.

    Examples
    --------
    >>> as_instance({"X": 1}, dict, "problem")
    {'X': 1}
    """
    if not isinstance(value, kind):
        wanted = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        raise InputTypeError(f"{name} must be a {wanted}, not {_shown(value)}.")
    return value


def _shown(value: object) -> str:
    """Return a value as a message repeats it: numbers and words themselves, of all else the type."""
    if isinstance(value, (str, float, complex, type(None))) or (isinstance(value, int) and abs(value) < 10**30):
        return repr(value)
    return f"a {type(value).__name__}" if not isinstance(value, int) else "an integer of more than 30 digits"
