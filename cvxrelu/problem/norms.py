r"""Neuron costs: what a unit of output weight costs at weights w and bias b.

The cost of a network sum_j v_j sigma(w_j.x + b_j) is sum_j abs(v_j) * norm(neuron j), and in the convex program a
group u = [w, b] (b absent in bias mode "none") of one cell s costs norm(M_s u), M_s the *group matrix* of that cell.
With z_i = [x_i, 1] (x_i without bias), Z the matrix of these rows, and D_s = diag(h(s)) the slopes of the activation:

| norm          | bias            | cost of one neuron                             | group matrix M_s               |
|---------------|-----------------|------------------------------------------------|--------------------------------|
| "euclidean"   | "free"          | abs(v) * norm(w)                               | [I, 0]                         |
|               | "joint", "none" | abs(v) * norm([w, b])                          | I                              |
| "response"    | any             | abs(v) * r,  r^2 = mean_i sigma(z_i.u)^2       | D_s Z / sqrt(N)                |
| "label-noise" | "free", "joint" | 2 abs(v) r m_s,  m_s^2 = mean_i h_i^2 norm(z_i)^2 | 2 m_s D_s Z / sqrt(N)       |

With bias "free" an output constant costs nothing, whatever the norm; the Euclidean norm does not see the bias b then.
With sample weights, means over i are weighted.

By rescaling a neuron, the Euclidean costs are half the squared weights at their least: the cost is weight decay
(Kumar & Haupt (3), (8); Savarese et al., Appendix A). The other two are what gradient descent with noisy labels
implicitly minimises (de Dios & Bruna, "On Sparsity in Overparametrised Shallow ReLU Networks", Section 3): the mean
over the data of the squared gradient of a neuron in its parameters,

    mean_i [ sigma(z_i.u)^2 + v^2 h_i^2 norm(z_i)^2 ],    at its least over (v / t, t u):  2 abs(v) r m_s,

where they print abs(v) r. Both are seminorms of u: zero at neurons that vanish on the data.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.numerics.lengths import lengths
from cvxrelu.numerics.tolerances import ON_HINGE
from cvxrelu.problem.validation import as_choice

__all__ = ["NORMS", "Bias", "Euclidean", "LabelNoise", "Norm", "Response", "get_norm"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Bias = Literal["free", "joint", "none"]

# Rounding of a sum of squares: this many units in the last place (2.2e-16) for each of its terms are ample.
EPS, UNITS = float(np.finfo(float).eps), 8


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
    cellwise: ClassVar[bool] = True
    """True if the cost differs from cell to cell, so that neurons are searched cell by cell. False if it is the length
    of w or [w, b], which sweeps, cones, ascent, the relaxation and the closed forms of the line rest on."""

    @property
    def has_bias(self) -> bool:
        """True if neurons have a bias at all, so that a group is [w, b] and not w."""
        return self.bias != "none"

    @property
    def has_free_constant(self) -> bool:
        """True if an output constant costs nothing."""
        return self.bias == "free"

    @property
    def has_free_bias(self) -> bool:
        """True if the cost of a neuron does not depend on its bias, so that hinges move for nothing."""
        return False

    def on(self, X: Array, negative_slope: float, weights: Array | None = None) -> Self:
        """Return the norm for the (N, d) data, the activation and the sample weights of a problem, or itself.

        Weights have mean one; None are ones.
        """
        return self

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

    def rounding(self, W: Array, b: Array) -> Array:
        """Return how much less than the exact costs `neuron_costs` can be, an (m,) array.

        By default a few units in the last place for each weight, as for sums of squares.
        """
        return UNITS * EPS * (W.shape[1] + 1) * self.neuron_costs(W, b)

    def reach(self, X: Array, negative_slope: float) -> float:
        """Return at least the largest abs(sigma(w.x_i + b)) of a neuron of cost one on the (N, d) data.

        Where constants are free, that of a difference to the first sample. What rounding takes from bounds with a skip
        connection is in proportion to it; the default, infinity, proves nothing then.
        """
        return np.inf

    @abstractmethod
    def group_matrices(self, patterns: BoolArray, lifted: Array, transform: Array) -> Array:
        """Return matrices M with cost norm(M u') of the groups of given cells, in given coordinates u = transform u'.

        Parameters
        ----------
        patterns : (P, N) bool array
            Sign patterns of the cells.
        lifted : (N, D) array
            The lifted rows in these coordinates, Z transform.
        transform : (D, D) array
            The coordinates.

        Returns
        -------
        (P, r, D) array
            One matrix a cell; (1, r, D) if all cells share theirs.
        """


class Euclidean(Norm):
    """The Euclidean norm of the weights, with the bias free, jointly penalised, or absent.

    Examples
    --------
    >>> W, b = np.array([[3.0, 4.0]]), np.array([12.0])
    >>> [float(Euclidean(bias).neuron_costs(W, b)[0]) for bias in ("free", "joint", "none")]
    [5.0, 13.0, inf]
    """

    name, cellwise = "euclidean", False

    @property
    def has_free_bias(self) -> bool:
        """True if bias is "free"."""
        return self.bias == "free"

    def neuron_costs(self, W: Array, b: Array) -> Array:
        """Return norm(w) or norm([w, b]) of each neuron."""
        if self.bias == "joint":
            return np.hypot(lengths(W), b)
        costs = lengths(W)
        return np.where(b == 0, costs, np.inf) if self.bias == "none" else costs

    def reach(self, X: Array, negative_slope: float) -> float:
        """Return the length of the longest row, or of the longest difference to the first, times the steepest slope."""
        rows = {"free": X - X[0], "joint": np.column_stack([X, np.ones(len(X))]), "none": X}[self.bias]
        steepest = max(1.0, abs(negative_slope))
        return float(lengths(rows).max()) * steepest * (1 + UNITS * EPS * (X.shape[1] + 4))

    def group_matrices(self, patterns: BoolArray, lifted: Array, transform: Array) -> Array:
        """Return [I, 0] if the bias is free, else the identity, in the given coordinates."""
        return transform[None, :-1] if self.bias == "free" else transform[None]


@dataclass(frozen=True, eq=False)
class Response(Norm):
    """The root mean square of a neuron's response on the data: the potential that de Dios & Bruna print.

    Parameters
    ----------
    bias : {"free", "joint", "none"}
        With "free" an output constant costs nothing; with "joint" it costs as much as the neuron w = 0, b = 1; with
        "none" there are no biases.
    X : (N, d) array, optional
        The data; a `Problem` sets it.
    negative_slope : float, default 0.0
        Slope of the activation at negative arguments; a `Problem` sets it.
    weights : (N,) array, optional
        What each sample counts, of mean one; a `Problem` sets it.

    Examples
    --------
    >>> norm = Response("joint").on(np.array([[-1.0], [0.0], [1.0], [2.0]]), 0.0)
    >>> norm.neuron_costs(np.array([[2.0]]), np.array([0.0])) ** 2  # responses 0, 0, 2, 4
    array([5.])
    """

    X: Array | None = None
    negative_slope: float = 0.0
    weights: Array | None = None
    name = "response"

    def on(self, X: Array, negative_slope: float, weights: Array | None = None) -> Self:
        """Return the norm for these data, this activation and these weights."""
        return replace(self, X=X, negative_slope=negative_slope, weights=weights)

    def neuron_costs(self, W: Array, b: Array) -> Array:
        """Return the cost of each neuron.

        Where it jumps, since a sample lies on the hinge up to rounding, it is that of the cheaper neurons nearby.

        Raises
        ------
        InputError
            If the norm has no data.
        """
        X = self._data()
        heights = W @ X.T + b[:, None]
        reach = lengths(W)[:, None] * lengths(X) + np.abs(b)[:, None]
        side = np.where(np.abs(heights) <= ON_HINGE * reach, 0.0, np.sign(heights))
        slopes = np.abs(np.where(side > 0, 1.0, self.negative_slope))
        cheaper = np.where(side == 0, min(1.0, abs(self.negative_slope)), slopes)
        costs = self._factors(cheaper) * self._root_mean_square(slopes * heights)
        return np.where(b == 0, costs, np.inf) if self.bias == "none" else costs

    def rounding(self, W: Array, b: Array) -> Array:
        """Return as much for each sample, and what rounding makes of its pre-activation where terms cancel."""
        N, d = self._data().shape
        steepest = np.full((1, N), max(1.0, abs(self.negative_slope)))
        reach = lengths(W)[:, None] * lengths(self._data()) + np.abs(b)[:, None]
        cancelled = self._factors(steepest) * self._root_mean_square(steepest * reach)
        return UNITS * EPS * ((N + d + 1) * self.neuron_costs(W, b) + (d + 1) * cancelled)

    def reach(self, X: Array, negative_slope: float) -> float:
        """Return sqrt(N) over the least factor of the root mean square; twice that covers differences."""
        n = len(X) / float(1.0 if self.weights is None else self.weights.min())
        return 2.0 * float(np.sqrt(n)) / self._least_factor(n, negative_slope) * (1 + UNITS * EPS * len(X))

    def group_matrices(self, patterns: BoolArray, lifted: Array, transform: Array) -> Array:
        """Return the triangular factors of the matrices D_s Z / sqrt(N), times the factor of each cell."""
        slopes = np.where(patterns, 1.0, self.negative_slope)
        scale = self._factors(np.abs(slopes)) / np.sqrt(len(lifted))
        return np.asarray(np.linalg.qr((scale[:, None] * self._weighted(slopes))[:, :, None] * lifted, mode="r"))

    def _least_factor(self, n: float, negative_slope: float) -> float:
        """Return at most what multiplies it, for n samples of equal weight."""
        return 1.0

    def _factors(self, slopes: Array) -> Array:
        """Return what multiplies the root mean square response, given the (k, N) absolute slopes on the data."""
        return np.ones(len(slopes))

    def _root_mean_square(self, values: Array) -> Array:
        """Return the weighted root mean square of each row."""
        return lengths(self._weighted(values)) / np.sqrt(values.shape[1])

    def _weighted(self, values: Array) -> Array:
        return values if self.weights is None else np.sqrt(self.weights) * values

    def _data(self) -> Array:
        if self.X is None:
            raise InputError(
                f"norm={self.name!r} measures neurons on data; pass the norm of a problem, problem.norm, and its bias."
            )
        return self.X


@dataclass(frozen=True, eq=False)
class LabelNoise(Response):
    """What label noise makes gradient descent minimise: the potential of de Dios & Bruna, corrected.

    Parameters
    ----------
    bias : {"free", "joint"}
        With "free" an output constant costs nothing; with "joint" it costs as much as the neuron w = 0, b = 1.
    X, negative_slope
        As in `Response`.

    Raises
    ------
    InputError
        If bias is "none": where neurons cannot be moved off the data, a cost that jumps there has no minimum.

    Examples
    --------
    >>> norm = LabelNoise("joint").on(np.array([[-1.0], [0.0], [1.0], [2.0]]), 0.0)
    >>> norm.neuron_costs(np.array([[2.0]]), np.array([0.0])) ** 2  # 4 * 5 * (2 + 5) / 4; 0 on the hinge is not counted
    array([35.])
    """

    name = "label-noise"

    def __post_init__(self) -> None:
        if self.bias == "none":
            raise InputError("norm='label-noise' needs biases; use bias='free' or bias='joint'.")

    def _least_factor(self, n: float, negative_slope: float) -> float:
        # One sample at least is active, or all have the negative slope; and norm(z_i) is at least one.
        return 2.0 * min(1.0 / float(np.sqrt(n)), abs(negative_slope) or np.inf)

    def _factors(self, slopes: Array) -> Array:
        return 2.0 * self._root_mean_square(slopes * np.hypot(lengths(self._data()), 1.0))


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
    return NORMS[as_choice(norm, NORMS, "norm")](bias)  # pyright: ignore[reportArgumentType]
