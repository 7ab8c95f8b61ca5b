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
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import exponents_of, lengths, row_sizes, shifted

__all__ = ["Bias", "Norm"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Bias = Literal["free", "joint", "none"]

# Rounding of a sum of squares: this many units in the last place (2.2e-16) for each of its terms are ample.
EPS, UNITS = float(np.finfo(float).eps), 8
# A number from 2^k to 2^(k + 1) keeps all digits if it is divided by 2^(k + ROOM), and a subnormal one as it is.
ROOM = 1022


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

    of_responses: ClassVar[bool] = False
    """True if the cost in a cell is the length of what a neuron responds with, each response times its scale."""

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

    def settled(self, W: Array, b: Array) -> Array:
        """Return biases, changed by rounding at most, at which neurons cost least; where no cost jumps, the same."""
        return b

    def charges(
        self, W: Array, b: Array, v: Array, intercept: float, sizes_of: Callable[[Array, Array], Array] | None = None
    ) -> Array:
        """Return what the neurons of a network cost, and last what its output constant does, an (m + 1,) array.

        Every neuron is first rescaled by a power of two, which changes no digit, so that its weights are near one:
        costs are infinite, or zero, only if they are out of the range of floats themselves.

        Parameters
        ----------
        W, b, v, intercept : arrays and float
            The parts of the network.
        sizes_of : callable, default `neuron_costs`
            What is weighted with abs(v), or with norm(v) where there are several outputs.
        """
        sizes_of = sizes_of or self.neuron_costs
        parts = W if self.has_free_bias else np.column_stack([W, b])
        exponents = exponents_of(parts)
        if self.of_responses:
            # Not so far that a small bias loses digits: the side of a hinge on which a sample is may be all it decides.
            smallest = np.min(np.abs(parts), axis=1, where=parts != 0, initial=1.0)
            exponents = np.minimum(exponents, np.maximum(exponents_of(smallest[:, None]) + ROOM, 0))
        sizes = sizes_of(shifted(W, -exponents[:, None]), shifted(b, -exponents))
        with np.errstate(invalid="ignore", over="ignore"):
            costs = shifted(row_sizes(v), exponents) * sizes
        # A neuron that must not be costs infinity even if v = 0, and one that costs nothing does so for every v.
        costs = np.where(np.isfinite(sizes) & (sizes > 0), costs, sizes)
        if self.has_free_constant or not np.any(intercept):
            return np.append(costs, 0.0)
        constant = float(lengths(np.atleast_1d(intercept)))
        return np.append(costs, constant * sizes_of(np.zeros((1, W.shape[1])), np.ones(1))[0])

    def reach(self, X: Array, negative_slope: float) -> float:
        """Return at least the largest abs(sigma(w.x_i + b)) of a neuron of cost one on the (N, d) data.

        Where constants are free, that of a difference to the first sample. What rounding takes from bounds with a skip
        connection is in proportion to it; the default, infinity, proves nothing then.
        """
        return np.inf

    def scales(self, patterns: BoolArray) -> Array:
        """Return what each response is multiplied with where the cost is `of_responses`, a (P, N) array for P cells.

        That bounds what neurons of cost one respond with whatever the rank of the data, which floats may not tell.
        """
        return np.zeros(patterns.shape)

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
