r"""Costs that look at the data: what gradient descent with noisy labels implicitly minimises.

de Dios & Bruna, "On Sparsity in Overparametrised Shallow ReLU Networks", Section 3: the mean over the data of the
squared gradient of a neuron in its parameters, z_i = [x_i, 1], u = [w, b], h_i the slope of the activation at z_i.u,

    mean_i [ sigma(z_i.u)^2 + v^2 h_i^2 norm(z_i)^2 ],    at its least over (v / t, t u):  2 abs(v) r m,

r^2 = mean_i sigma(z_i.u)^2, m^2 = mean_i h_i^2 norm(z_i)^2, where they print abs(v) r. Both are seminorms of u: zero at
neurons that vanish on the data.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.numerics.lengths import lengths
from cvxrelu.numerics.tolerances import ON_HINGE
from cvxrelu.problem.norms.norm import EPS, UNITS, BoolArray, Norm

__all__ = ["LabelNoise", "Response"]

Array = NDArray[np.float64]

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]

# The distance of numbers next to zero, by which products there may be wrong.
SMALLEST = float(np.finfo(float).smallest_subnormal)
# Slopes nearer to zero, but not zero, are refused: bounds in the plane are loose from some 1e-6 down, of no use here,
# and coordinates of cells overflow at 1e-160.
LEAST_SLOPE = 1e-12


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
    name, of_responses = "response", True

    def on(self, X: Array, negative_slope: float, weights: Array | None = None) -> Self:
        """Return the norm for these data, this activation and these weights.

        Raises
        ------
        InputError
            If the slope is so near zero that neurons of cost one would have weights out of the range of floats.
        """
        if 0 < abs(negative_slope) < LEAST_SLOPE:
            raise InputError(
                f"negative_slope={negative_slope:g} is too near zero for norm={self.name!r}, where neurons that are "
                f"negative at all samples cost next to nothing; use 0, or {LEAST_SLOPE:g} and more."
            )
        return replace(self, X=X, negative_slope=negative_slope, weights=weights)

    def neuron_costs(self, W: Array, b: Array) -> Array:
        """Return the cost of each neuron.

        Where it jumps, since a sample lies on the hinge, it is that of the cheaper neurons nearby.

        Raises
        ------
        InputError
            If the norm has no data.
        """
        heights, reach = self._heights(W, b)
        responses = self._root_mean_square(self._slopes(heights > 0) * heights)
        costs = self._factors_at(W, b, heights, reach) * responses
        return np.where(b == 0, costs, np.inf) if self.bias == "none" else costs

    def rounding(self, W: Array, b: Array) -> Array:
        """Return as much for each sample, and what rounding makes of its pre-activation where terms cancel."""
        N, d = self._data().shape
        steepest = np.full((1, N), max(1.0, abs(self.negative_slope)))
        cancelled = self._factors(steepest) * self._root_mean_square(steepest * self._heights(W, b)[1])
        return UNITS * EPS * ((N + d + 1) * self.neuron_costs(W, b) + (d + 1) * cancelled)

    def reach(self, X: Array, negative_slope: float) -> float:
        """Return sqrt(N) over the least factor of the root mean square; twice that covers differences."""
        n = len(X) / float(1.0 if self.weights is None else self.weights.min())
        return 2.0 * float(np.sqrt(n)) / self._least_factor(n, negative_slope) * (1 + UNITS * EPS * len(X))

    def scales(self, patterns: BoolArray) -> Array:
        """Return the roots of the weights over N, times the factor of each cell."""
        factors = self._factors(np.abs(self._slopes(patterns))) / np.sqrt(patterns.shape[1])
        return factors[:, None] * self._weighted(np.ones(patterns.shape))

    def group_matrices(self, patterns: BoolArray, lifted: Array, transform: Array) -> Array:
        """Return the triangular factors of the matrices D_s Z / sqrt(N), times the factor of each cell."""
        scaled = self.scales(patterns) * self._slopes(patterns)
        return np.asarray(np.linalg.qr(scaled[:, :, None] * lifted, mode="r"))

    def _heights(self, W: Array, b: Array) -> tuple[Array, Array]:
        """Return the pre-activations on the data, and the sizes of their terms."""
        X = self._data()
        return W @ X.T + b[:, None], np.abs(W) @ np.abs(X).T + np.abs(b)[:, None]

    def _slopes(self, patterns: BoolArray) -> Array:
        """Return the slopes of the activation at the samples of each cell."""
        return np.where(patterns, 1.0, self.negative_slope)

    def _least_factor(self, n: float, negative_slope: float) -> float:
        """Return at most what multiplies it, for n samples of equal weight."""
        return 1.0

    def _factors(self, slopes: Array) -> Array:
        """Return what multiplies the root mean square response, given the (k, N) absolute slopes on the data."""
        return np.ones(len(slopes))

    def _factors_at(self, W: Array, b: Array, heights: Array, reach: Array) -> Array:
        """Return that of neurons, given what `_heights` returns for them."""
        return np.ones(len(W))

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

    def settled(self, W: Array, b: Array) -> Array:
        """Return biases that put samples next to a hinge on it or, in exact arithmetic, where they cost less."""
        heights, reach = self._heights(W, b)
        neurons, samples = self._in_doubt(W, b, np.abs(heights) <= ON_HINGE * reach)[0]
        settled = b.copy()
        dear = int(np.sign(1.0 - abs(self.negative_slope)))  # the side of a hinge where samples cost more, or neither
        for neuron in np.unique(neurons) if dear else ():
            near = samples[neurons == neuron]
            highest = max(dear * self._height(W[neuron], float(b[neuron]), sample) for sample in near)
            if highest > 0:
                limit = Fraction(float(b[neuron])) - dear * highest
                nearest = float(limit)
                is_beyond = dear * (Fraction(nearest) - limit) > 0
                settled[neuron] = np.nextafter(nearest, -dear * np.inf) if is_beyond else nearest
        return settled

    def _factors_at(self, W: Array, b: Array, heights: Array, reach: Array) -> Array:
        slopes, terms = np.abs(self._slopes(heights > 0)), W.shape[1] + 1
        at_hinge, doubt = min(1.0, abs(self.negative_slope)), terms * (UNITS * EPS * reach + SMALLEST)
        doubtful, at_rest = self._in_doubt(W, b, np.abs(heights) <= doubt)
        slopes[at_rest] = at_hinge
        for neuron, sample in zip(*doubtful, strict=True):
            height = self._height(W[neuron], float(b[neuron]), sample)
            slopes[neuron, sample] = at_hinge if height == 0 else abs(self.negative_slope) if height < 0 else 1.0
        return self._factors(slopes)

    def _in_doubt(self, W: Array, b: Array, near: BoolArray) -> tuple[Pairs, Pairs]:
        """Return the pairs of neurons and samples near a hinge of which floats do not tell the side, and the others.

        The others have no term but zeros and lie on it, as do all samples of a neuron without weights.
        """
        neurons, samples = np.nonzero(near)
        moved = (b[neurons] != 0) | ((W != 0)[neurons] & (self._data() != 0)[samples]).any(axis=1)
        return (neurons[moved], samples[moved]), (neurons[~moved], samples[~moved])

    def _height(self, w: Array, b: float, sample: np.intp) -> Fraction:
        """Return the pre-activation of a sample exactly."""
        terms = zip(w.tolist(), self._data()[sample].tolist(), strict=True)
        return sum((Fraction(weight) * Fraction(x) for weight, x in terms), Fraction(b))

    def _factors(self, slopes: Array) -> Array:
        return 2.0 * self._root_mean_square(slopes * np.hypot(lengths(self._data()), 1.0))
