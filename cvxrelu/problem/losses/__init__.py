"""Losses: one class each, which knows its parameters, what it pays, its dual, and how it changes with the units.

Those of one output are `LOSSES`; for several outputs there are `outputs` of real targets and `classes` of labels.
`loss` has the table of all of them, and what a class has to say; `rounding` has what lower bounds are made of.
"""

from collections.abc import Mapping

from cvxrelu.errors import InputTypeError
from cvxrelu.problem.losses.classes import CLASS_LOSSES, MulticlassMargin, Softmax
from cvxrelu.problem.losses.classification import Hinge, Logistic, Margin
from cvxrelu.problem.losses.loss import Loss
from cvxrelu.problem.losses.pieces import DualModel, ExactDual, LossExpression
from cvxrelu.problem.losses.quantile import Absolute, Quantile
from cvxrelu.problem.losses.regression import FIT_RTOL, Interpolation, Squared
from cvxrelu.problem.losses.robust import Huber
from cvxrelu.problem.losses.weighted import Weighted
from cvxrelu.problem.validation import as_choice

__all__ = [
    "CLASS_LOSSES",
    "FIT_RTOL",
    "LOSSES",
    "Absolute",
    "DualModel",
    "ExactDual",
    "Hinge",
    "Huber",
    "Interpolation",
    "Logistic",
    "Loss",
    "LossExpression",
    "Margin",
    "MulticlassMargin",
    "Quantile",
    "Softmax",
    "Squared",
    "Weighted",
    "get_loss",
    "is_listed",
]

_ALL = (
    Interpolation,
    Margin,
    Squared,
    Huber,
    Absolute,
    Quantile,
    Logistic,
    Hinge,
)
LOSSES: dict[str, type[Loss]] = {loss.name: loss for loss in _ALL}


def get_loss(loss: str | Loss, params: Mapping[str, float] | None = None) -> Loss:
    """Return the loss of that name with these parameters, or the loss object itself.

    Raises
    ------
    InputError, InputTypeError
        If no loss has that name, a parameter is out of range, or an object lacks a name.

    Examples
    --------
    >>> get_loss("hinge")
    Hinge()
    """
    if isinstance(loss, Loss):
        if not isinstance(getattr(loss, "name", None), str):
            raise InputTypeError(f"loss={loss!r} has no name; give its class one, as in name = 'my loss'.")
        return loss
    if isinstance(loss, type) and issubclass(loss, Loss):
        raise InputTypeError(f"loss={loss.__name__} is a class; pass an object of it, {loss.__name__}(...).")
    table = {**LOSSES, **CLASS_LOSSES}
    return table[as_choice(loss, table, "loss")](**(params or {}))


def is_listed(loss: Loss) -> bool:
    """Tell whether a loss, without its weights, is one of `LOSSES`: its name and its parameters say all about it."""
    return {**LOSSES, **CLASS_LOSSES}.get(loss.name) is type(loss.plain)
