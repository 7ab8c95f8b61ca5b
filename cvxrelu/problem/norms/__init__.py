"""Neuron costs by name. A new one is a class in this folder and a line in the table below."""

from typing import get_args

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.norms.euclidean import Euclidean
from cvxrelu.problem.norms.norm import Bias, Norm
from cvxrelu.problem.norms.own import check_own
from cvxrelu.problem.norms.response import LabelNoise, Response
from cvxrelu.problem.validation import as_choice

__all__ = ["NORMS", "Bias", "Euclidean", "LabelNoise", "Norm", "Response", "get_norm", "norm_on"]

NORMS: dict[str, type[Norm]] = {norm.name: norm for norm in (Euclidean, Response, LabelNoise)}


def get_norm(norm: str | Norm, bias: str) -> Norm:
    """Return the norm of that name for that bias mode, or the norm object itself.

    Raises
    ------
    InputError
        If no norm has that name, there is no such bias mode, or a norm object is for another bias mode.
    """
    as_choice(bias, get_args(Bias), "bias")
    if isinstance(norm, Norm):
        if norm.bias != bias:
            raise InputError(f"norm={norm!r} does not go with bias={bias!r}; pass the bias of the norm object.")
        return norm
    if isinstance(norm, type) and issubclass(norm, Norm):
        raise InputError(f"norm={norm.__name__} is a class; pass an object of it, {norm.__name__}({bias!r}, ...).")
    return NORMS[as_choice(norm, NORMS, "norm")](bias)  # pyright: ignore[reportArgumentType]


def norm_on(
    norm: Norm, X: NDArray[np.float64], negative_slope: float, weights: NDArray[np.float64] | None = None
) -> Norm:
    """Return a norm for the data, activation and weights of a problem; one that is not the package's is looked at.

    Raises
    ------
    InputError, InputTypeError
        If it cannot be the norm of neurons (`cvxrelu.problem.norms.own`).
    """
    check_own(norm, X, negative_slope, NORMS)
    return norm.on(X, negative_slope, weights)
