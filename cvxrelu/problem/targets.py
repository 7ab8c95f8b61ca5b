"""Targets that some network can have: labels of both classes, one value for equal rows, zero where every network is.

And an alpha where one is due.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.losses import Loss
from cvxrelu.problem.norms import Bias
from cvxrelu.problem.rows import name_rows
from cvxrelu.problem.validation import as_vector

__all__ = ["as_labels", "check_alpha", "check_targets", "first_conflict"]

Array = NDArray[np.float64]


def check_alpha(loss: Loss, alpha: float | None) -> None:
    """Raise an InputError if there is no alpha that the loss needs, or one that has no meaning or is not positive."""
    if loss.regularised and alpha is None:
        raise InputError(f"alpha is required by loss={loss.name!r}; pass a positive number such as alpha=0.1.")
    if alpha is not None and not loss.regularised:
        raise InputError(f"alpha has no meaning for loss={loss.name!r}, which fits exactly; leave it out.")
    if alpha is not None and alpha <= 0:
        raise InputError(
            f"alpha={alpha:g} must be positive; for an exact fit use loss='interpolation' or loss='margin'."
        )


def check_targets(loss: Loss, X: Array, y: Array, bias: Bias) -> None:
    """Raise an InputError if no network meets the targets, or they are not what the loss takes."""
    if loss.labels:
        loss.check_labels(y)
    if loss.regularised:
        return
    clash = first_conflict(X, y)
    if clash is not None:
        raise InputError(
            f"Rows {clash[0]} and {clash[1]} of X are equal but their y differ ({_shown(y[clash[0]])} and "
            f"{_shown(y[clash[1]])}), so no function fits both; merge them, or use a regularised loss."
        )
    # No label is met by zero, whatever its number.
    needed = (y.any(axis=1) if y.ndim == 2 else y != 0) | loss.labels
    stuck = np.flatnonzero(~X.any(axis=1) & needed)
    if bias == "none" and len(stuck):
        raise InputError(
            f"Without bias every network is 0 at the origin, so y cannot be met in {name_rows(stuck)}, "
            "where x = 0; use bias='free' or bias='joint'."
        )


def as_labels(y: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return labels of predictions of a shape: -1 and +1 if it is (N,), and if it is (N, K) 0, ..., K - 1.

    Other than those that a network is fitted to, they may be of some classes only.

    Raises
    ------
    InputError, InputTypeError
        If they are anything else.

    Examples
    --------
    >>> as_labels([2, 0], (2, 3))
    array([2., 0.])
    """
    labels = as_vector(y, shape[0])
    if not len(labels):
        raise InputError("X and y have no rows; pass one at least.")
    count = shape[1] if len(shape) == 2 else None
    foreign = np.flatnonzero(~np.isin(labels, [-1, 1] if count is None else np.arange(count)))
    if len(foreign):
        wanted = "-1 and +1" if count is None else f"0, ..., K - 1 of K = {count} outputs"
        raise InputError(
            f"y must hold labels {wanted}, but is something else in {name_rows(foreign)}; map your classes to these."
        )
    return labels


def first_conflict(X: Array, y: Array) -> tuple[int, int] | None:
    """Return two rows of X that are equal while their y differ, or None."""
    _, place = np.unique(X, axis=0, return_inverse=True)
    if y.ndim == 2:
        y = np.unique(y, axis=0, return_inverse=True)[1].reshape(-1).astype(float)
    order = np.lexsort((y, place))
    clash = (np.diff(place[order]) == 0) & (np.diff(y[order]) != 0)
    if not clash.any():
        return None
    k = int(np.argmax(clash))
    first, second = sorted((int(order[k]), int(order[k + 1])))
    return first, second


def _shown(target: Array | np.float64) -> str:
    return f"{target:g}" if np.ndim(target) == 0 else np.array2string(np.asarray(target), precision=6, threshold=6)
