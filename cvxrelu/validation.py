"""Checks of arrays and parameters: one clear sentence before any work starts."""

from collections.abc import Iterable
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse

from cvxrelu.errors import InputError, InputTypeError

__all__ = ["as_count", "as_matrix", "as_real", "as_vector", "first_conflict", "name_rows"]

Array = NDArray[np.float64]

# Kinds of NumPy types that hold real numbers: booleans, integers, floats, and objects, which are converted.
NUMERIC_KINDS = "biufO"

# How many offending rows a message names.
NAMED_ROWS = 5


def as_matrix(X: ArrayLike, name: str = "X") -> Array:
    """Return a read-only float64 copy of X after checking that it is two-dimensional, non-empty and finite.

    Raises
    ------
    InputTypeError
        If X is sparse, complex or not numeric.
    InputError
        If X has the wrong shape or a NaN or infinite entry.
    """
    matrix = _as_float(X, name)
    if matrix.ndim == 1:
        raise InputError(
            f"{name} is one-dimensional; it must be (n_samples, n_features): use {name}.reshape(-1, 1) for one feature."
        )
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(
            f"{name} has shape {matrix.shape}; it must be (n_samples, n_features) with at least one of each."
        )
    bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
    if len(bad):
        raise InputError(f"{name} has a NaN or infinite entry in {name_rows(bad)}; impute or drop it.")
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
    vector = _as_float(y, name)
    if vector.shape != (n_samples,):
        raise InputError(f"{name} has shape {vector.shape}; it must be ({n_samples},), one entry for each row of X.")
    bad = np.flatnonzero(~np.isfinite(vector))
    if len(bad):
        raise InputError(f"{name} is NaN or infinite in {name_rows(bad)}; impute or drop it.")
    vector.flags.writeable = False
    return vector


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
        raise InputTypeError(f"{name} must be a real number, not {value!r}.")
    if not np.isfinite(float(value)):
        raise InputError(f"{name}={value!r} must be finite.")
    return float(value)


def as_count(value: object, name: str) -> int:
    """Return a parameter as a positive int.

    Raises
    ------
    InputTypeError
        If it is not an integer.
    InputError
        If it is not positive.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise InputTypeError(f"{name} must be a positive integer, not {value!r}.")
    if value < 1:
        raise InputError(f"{name}={value} must be a positive integer.")
    return int(value)


def name_rows(rows: Iterable[int]) -> str:
    """Return 'row 3' or 'rows 1, 2, 5, ... (9 in all)'.

    Examples
    --------
    >>> name_rows([3]), name_rows([1, 2])
    ('row 3', 'rows 1, 2')
    """
    numbers = [int(row) for row in rows]
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    named = ", ".join(map(str, numbers[:NAMED_ROWS]))
    return f"rows {named}" + (f", ... ({len(numbers)} in all)" if len(numbers) > NAMED_ROWS else "")


def first_conflict(X: Array, y: Array) -> tuple[int, int] | None:
    """Return two rows of X that are equal while their y differ, or None."""
    _, place = np.unique(X, axis=0, return_inverse=True)
    order = np.lexsort((y, place))
    clash = (np.diff(place[order]) == 0) & (np.diff(y[order]) != 0)
    if not clash.any():
        return None
    k = int(np.argmax(clash))
    first, second = sorted((int(order[k]), int(order[k + 1])))
    return first, second


def _as_float(values: ArrayLike, name: str) -> Array:
    if issparse(values):
        raise InputTypeError(f"{name} is a sparse matrix; pass a dense array ({name}.toarray()).")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputTypeError(f"{name} must be a rectangular array of real numbers ({error}).") from error
    if np.iscomplexobj(array):
        raise InputTypeError(f"{name} is complex; it must be real. Complex data not supported.")
    if array.dtype.kind not in NUMERIC_KINDS:
        raise InputTypeError(f"{name} must hold real numbers, not entries of type {array.dtype}; convert it to float.")
    try:
        return np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"{name} must be an array of real numbers ({error}).") from error
