r"""Neuron costs: what a unit of output weight costs at weights w and bias b.

The cost of a network sum_j v_j sigma(w_j.x + b_j) is sum_j abs(v_j) * norm(neuron j), and in the convex program a
group u = [w, b] (b absent in bias mode "none") of one cell costs norm(M u), M the *group matrix* of that cell:

| bias    | cost of one neuron         | group matrix       | free output constant |
|---------|----------------------------|--------------------|----------------------|
| "free"  | abs(v) * norm(w)           | [I, 0]             | yes (w = 0, b = 1)   |
| "joint" | abs(v) * norm([w, b])      | I                  | no                   |
| "none"  | abs(v) * norm(w), b = 0    | I                  | no                   |

By rescaling a neuron, these costs are half the squared weights at their least: the cost is weight decay
(Kumar & Haupt (3), (8); Savarese et al., Appendix A).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError

__all__ = ["NORMS", "Bias", "Euclidean", "Norm", "get_norm"]

Array = NDArray[np.float64]
Bias = Literal["free", "joint", "none"]


@dataclass(frozen=True)
class Norm(ABC):
    """The cost of a neuron.

    A new cost is a subclass with these two methods and one line in `NORMS`.

    Parameters
    ----------
    bias : {"free", "joint", "none"}
        What a neuron's bias costs; with "none" there is no bias.
    """

    bias: Bias
    name: ClassVar[str]

    @property
    def has_bias(self) -> bool:
        """True if neurons have a bias at all, so that a group is [w, b] and not w."""
        return self.bias != "none"

    @property
    def has_free_constant(self) -> bool:
        """True if an output constant costs nothing."""
        return self.bias == "free"

    @abstractmethod
    def neuron_costs(self, W: Array, b: Array) -> Array:
        """Return the cost of a unit of output weight at each neuron.

        Parameters
        ----------
        W : (m, d) array
            Weights.
        b : (m,) array
            Biases.

        Returns
        -------
        (m,) array
            Costs; infinite for neurons that the bias mode does not allow.
        """

    @abstractmethod
    def group_matrix(self, n_features: int) -> Array:
        """Return the (r, D) matrix M with cost norm(M u) of a group u of D = d + 1 (without bias: d) entries."""


class Euclidean(Norm):
    """The Euclidean norm of the weights, with the bias free, jointly penalised, or absent.

    Examples
    --------
    >>> W, b = np.array([[3.0, 4.0]]), np.array([12.0])
    >>> [float(Euclidean(bias).neuron_costs(W, b)[0]) for bias in ("free", "joint", "none")]
    [5.0, 13.0, inf]
    """

    name = "euclidean"

    def neuron_costs(self, W: Array, b: Array) -> Array:
        """Return norm(w) or norm([w, b]) of each neuron."""
        if self.bias == "joint":
            return np.hypot(np.linalg.norm(W, axis=1), b)
        costs = np.linalg.norm(W, axis=1)
        return np.where(b == 0, costs, np.inf) if self.bias == "none" else costs

    def group_matrix(self, n_features: int) -> Array:
        """Return [I, 0] if the bias is free, else the identity."""
        identity = np.eye(n_features + self.has_bias)
        return identity[:n_features] if self.bias == "free" else identity


NORMS: dict[str, type[Norm]] = {norm.name: norm for norm in (Euclidean,)}


def get_norm(norm: str | Norm, bias: str) -> Norm:
    """Return the norm of that name for that bias mode, or the norm object itself.

    Raises
    ------
    InputError
        If no norm has that name, there is no such bias mode, or a norm object is for another bias mode.
    """
    if bias not in get_args(Bias):
        raise InputError(f"bias={bias!r} is unknown; choose one of {', '.join(map(repr, get_args(Bias)))}.")
    if isinstance(norm, Norm):
        if norm.bias != bias:
            raise InputError(f"norm={norm!r} does not go with bias={bias!r}; pass the bias of the norm object.")
        return norm
    if norm not in NORMS:
        raise InputError(f"norm={norm!r} is unknown; choose one of {', '.join(map(repr, NORMS))}.")
    return NORMS[norm](bias)  # pyright: ignore[reportArgumentType]
