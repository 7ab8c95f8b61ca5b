"""What a point set must be: a finite (n_samples, n_features) array, lifted to rows [x_i, 1] or x_i.

The pre-activation of a neuron u = [w, b] at x_i is the inner product of u with the lifted row
a_i = [x_i, 1] (with bias) or a_i = x_i (without), so the sign patterns of the points are the cells of
the central arrangement of the hyperplanes {u : a_i . u = 0}.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError, InputTypeError

__all__ = ["check_count", "check_points", "lift"]


def check_points(X: ArrayLike) -> NDArray[np.float64]:
    """Return X as a new read-only float64 array, or refuse it.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The points.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        A read-only copy.

    Raises
    ------
    InputTypeError
        If X is not real and numeric.
    InputError
        If X is not two-dimensional, is empty, or has entries that are not finite.

    Examples
    --------
    >>> check_points([[1, 2], [3, 4]]).flags.writeable
    False
    """
    try:
        raw = np.asarray(X)
    except ValueError as error:
        raise InputTypeError("X must be a rectangular array of numbers; its rows differ in length") from error
    if raw.dtype.kind not in "biufO":
        raise InputTypeError(f"X must hold real numbers, but its dtype is {raw.dtype}; convert it to float")
    try:
        points = np.array(raw, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise InputTypeError("X must hold real numbers, but some entries are not; convert it to float") from error
    if points.ndim != 2:
        raise InputError(f"X must have shape (n_samples, n_features), but has {points.ndim} dimension(s); reshape it")
    if 0 in points.shape:
        raise InputError(f"X must have at least one row and one column, but its shape is {points.shape}")
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if bad.size:
        raise InputError(
            f"X has NaN or infinite entries in {bad.size} row(s), the first of them row {bad[0]}; remove or impute them"
        )
    points.flags.writeable = False
    return points


def check_count(value: object, name: str, minimum: int = 1) -> int:
    """Return an integer argument as an int, or refuse it.

    Parameters
    ----------
    value : object
        The argument.
    name : str
        What to call it in the message.
    minimum : int, default 1
        Least allowed value.

    Returns
    -------
    int
        The value.

    Raises
    ------
    InputTypeError
        If the value is not an integer (booleans are not).
    InputError
        If it is below the minimum.

    Examples
    --------
    >>> check_count(3, "size")
    3
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise InputTypeError(f"{name} must be an integer, but is {value!r}; pass an int")
    if value < minimum:
        raise InputError(f"{name} must be at least {minimum}, but is {value}")
    return int(value)


def lift(X: NDArray[np.float64], bias: bool) -> NDArray[np.float64]:
    """Append the constant feature: rows [x_i, 1] with bias, rows x_i without.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The points.
    bias : bool
        Whether neurons have a bias.

    Returns
    -------
    ndarray of shape (n_samples, n_features + bias)
        The lifted rows.

    Examples
    --------
    >>> lift(np.array([[2.0]]), True)
    array([[2., 1.]])
    """
    return np.column_stack([X, np.ones(len(X))]) if bias else np.array(X)
