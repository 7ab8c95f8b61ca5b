"""Targets that some network can have: labels of both classes, one value for equal rows, zero where every network is."""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.losses import Loss
from cvxrelu.problem.norms import Bias
from cvxrelu.problem.rows import name_rows

__all__ = ["check_targets", "first_conflict"]

Array = NDArray[np.float64]


def check_targets(loss: Loss, X: Array, y: Array, bias: Bias) -> None:
    """Raise an InputError if no network meets the targets, or they are not what the loss takes."""
    if loss.labels:
        _check_labels(loss, y)
    if loss.regularised:
        return
    clash = first_conflict(X, y)
    if clash is not None:
        raise InputError(
            f"Rows {clash[0]} and {clash[1]} of X are equal but their y differ ({y[clash[0]]:g} and "
            f"{y[clash[1]]:g}), so no function fits both; merge them, or use a regularised loss."
        )
    stuck = np.flatnonzero(~X.any(axis=1) & (y != 0))
    if bias == "none" and len(stuck):
        raise InputError(
            f"Without bias every network is 0 at the origin, so y cannot be met in {name_rows(stuck)}, "
            "where x = 0; use bias='free' or bias='joint'."
        )


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


def _check_labels(loss: Loss, y: Array) -> None:
    foreign = np.flatnonzero(np.abs(y) != 1)
    if len(foreign):
        raise InputError(
            f"loss={loss.name!r} takes labels -1 and +1, but y is something else in {name_rows(foreign)}; "
            "map your classes, or use ReLUClassifier."
        )
    if len(np.unique(y)) < 2:
        raise InputError(f"loss={loss.name!r} needs both classes, but every label in y is {y[0]:+g}.")
