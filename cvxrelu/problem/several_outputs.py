"""What is asked of a network of several outputs, and what of it there is.

Targets are (N, K), one column an output, or for the losses of several classes labels (N,); K = 1 is allowed, and the
same problem as with one output.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.losses import Loss
from cvxrelu.problem.losses.outputs import of_outputs
from cvxrelu.problem.losses.weighted import weighted
from cvxrelu.problem.norms import Norm
from cvxrelu.problem.validation import as_rows

__all__ = ["as_targets", "loss_of", "refuse_unsupported", "require_one_output"]

Array = NDArray[np.float64]


def as_targets(y: ArrayLike, n_samples: int, loss: Loss) -> Array:
    """Return targets as a read-only (N,) or (N, K) array of finite floats.

    Raises
    ------
    InputError, InputTypeError
        If they are anything else, or two-dimensional for a loss that takes labels.
    """
    targets = as_rows(y, n_samples)
    if targets.ndim == 2 and loss.labels:
        raise InputError(f"y is two-dimensional, but loss={loss.name!r} takes labels; pass an array of shape (N,).")
    return targets


def loss_of(plain: Loss, targets: Array, weights: Array | None) -> Loss:
    """Return the loss on these targets, with sample weights if there are any."""
    if plain.several:
        return replace(plain, weights=weights if plain.regularised else None)
    if targets.ndim == 2:
        return of_outputs(plain, weights if plain.regularised else None)
    return weighted(plain, weights) if weights is not None and plain.regularised else plain


def refuse_unsupported(norm: Norm, output_sign: str) -> None:
    """Raise an InputError for what is known of networks of one output only."""
    if norm.cellwise:
        raise InputError(f"Several outputs take norm='euclidean', not {norm.name!r}; leave norm out.")
    if output_sign != "any":
        raise InputError("Several outputs take output_sign='any'; for convex functions solve one problem for each.")


def require_one_output(several: bool, what: str) -> None:
    """Raise an InputError if there are several outputs; `what` is what takes one only."""
    if several:
        raise InputError(f"{what} takes one output; pose a problem of each output by itself, with y of shape (N,).")
