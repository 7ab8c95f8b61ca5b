"""Losses of one's own: what is asked of a class that the package does not know, looked at where its targets are."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.problem.losses.loss import Loss
from cvxrelu.problem.losses.pieces import LossExpression
from cvxrelu.problem.losses.rounding import not_negative

__all__ = ["check_own"]

Vector = NDArray[np.float64]


def check_own(loss: Loss, y: Vector, known: Mapping[str, type[Loss]]) -> None:
    """Refuse what cannot be a loss, judged by what its methods return at the targets and at zero.

    Parameters
    ----------
    loss : Loss
        A loss without weights; those of the package are not looked at.
    y : (N,) array
        Its targets.
    known : dict
        The package's own losses by name, of which it may be a kind.

    Raises
    ------
    InputError
        If it is a constraint, has a name that is taken or a parameter that is no number, is negative or not a number.
    InputTypeError
        If a method returns something else than N numbers, or an expression that is not convex.
    """
    if type(loss).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return
    what = f"loss={type(loss).__name__}"
    if loss.name in known and not isinstance(loss, known[loss.name]):
        raise InputError(f"{what} has the name {loss.name!r}, by which another loss is known; choose another.")
    if not loss.regularised:
        raise InputError(f"{what} is a constraint, of which only the package's own are known; penalise what misses it.")
    for name, value in loss.params().items():
        if not isinstance(value, Real) or not np.isfinite(float(value)):
            raise InputError(f"{what} has the parameter {name}={value!r}; parameters are finite numbers.")
    if loss.several:
        return
    for z in (y.copy(), np.zeros_like(y)):
        with np.errstate(all="ignore"):  # zero may be where the loss is infinite
            losses, pulls = _vector(loss.values(z, y), f"{what}.values", y), loss.pulls(z, y)
        if np.isnan(losses).any():
            raise InputError(f"{what}.values are not numbers for some predictions; they have to be, or infinite.")
        not_negative(losses, loss.name)
        if pulls is None:
            continue
        if not isinstance(pulls, tuple) or len(pulls) != 2:
            raise InputTypeError(f"{what}.pulls has to return a pair, the lower and the upper end of each interval.")
        low, high = (_vector(end, f"{what}.pulls", y) for end in pulls)
        if not (low <= high)[np.isfinite(losses)].all():
            raise InputError(f"{what}.pulls has to return the lower ends first, and no NaN.")
    _check_expression(loss, y, what)


def _vector(found: object, method: str, y: Vector) -> Vector:
    if not isinstance(found, np.ndarray) or found.shape != y.shape or found.dtype.kind not in "fiu":
        shown = f"an array of shape {found.shape}" if isinstance(found, np.ndarray) else type(found).__name__
        raise InputTypeError(f"{method} has to return an array of shape {y.shape}, and returns {shown}.")
    return found.astype(float)


def _check_expression(loss: Loss, y: Vector, what: str) -> None:
    import cvxpy as cp

    found = loss.expression(cp.Variable(len(y)), y)
    if not isinstance(found, LossExpression):
        raise InputTypeError(f"{what}.expression has to return a LossExpression, and returns {type(found).__name__}.")
    losses = found.losses
    if not isinstance(losses, cp.Expression) or losses.shape != y.shape:
        raise InputTypeError(
            f"{what}.expression has to have one loss for each of {len(y)} samples, of shape {y.shape}."
        )
    if not losses.is_convex():
        raise InputTypeError(f"{what}.expression is not convex by the rules of cvxpy; losses have to be.")
