r"""Fully connected ReLU networks of several hidden layers on the line, trained with weight decay on all weights.

    minimise  sum_i (f(x_i) - y_i)^2 / 2 + N alpha sum of all squared weights / 2,      biases free

With one hidden layer this is the problem of cvxrelu; with more it is not, and nobody has a convex form of it. The
function on the line is piecewise linear all the same, and its exact knots are found layer by layer.
"""

from dataclasses import dataclass
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import ArrayLike, NDArray

import cvxrelu as cr
from benchmarks.baselines import training
from benchmarks.baselines.training import Data, Training
from cvxrelu.function_space import PiecewiseLinear, function_cost

__all__ = ["DeepNetwork", "Settings", "train"]

Array = NDArray[np.float64]
Layers = tuple[tuple[jax.Array, jax.Array], ...]

# Knots nearer than this, or than this share of their distance from the origin if they are beyond the data, which has a
# size of one, are one: the function moves by no more than that share of its variation, and slopes between nearer knots
# would be rounding.
KNOT_SPACING = 1e-8
# Neurons that turn farther out than this count as straight: their weight is a billionth of their bias, they are dead.
FAR = 1e9


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    width : int
        Neurons of each hidden layer.
    depth : int
        Hidden layers.
    scale : float
        Standard deviation of a weight at the start, times the square root of the number of inputs of its layer.
        Biases start alike.
    step : float
        Step of Adam at the start; it falls to zero along half a cosine.
    max_steps : int
        Steps.
    """

    width: int
    depth: int
    scale: float = 1.0
    step: float = 1e-2
    max_steps: int = 100_000


@dataclass(frozen=True, eq=False)
class DeepNetwork:
    """A network of one input, with pairs of weights (outputs, inputs) and biases, layer by layer."""

    layers: tuple[tuple[Array, Array], ...]

    @classmethod
    def of(cls, network: cr.Network) -> "DeepNetwork":
        """Return a network of one hidden layer, of slope 0, as one of these."""
        return cls(((network.W, network.b), (network.v[None], np.array([network.intercept]))))

    def __call__(self, X: ArrayLike) -> Array:
        """Return the predictions at the rows of X, an (n, 1) array."""
        return self._layer(np.asarray(X, dtype=float), len(self.layers))[:, 0]

    @property
    def half_squared_weights(self) -> float:
        """Half the sum of the squared weights, without biases."""
        return sum(float(np.sum(W**2)) for W, _ in self.layers) / 2

    def function(self) -> PiecewiseLinear:
        """Return the function that the network computes.

        Examples
        --------
        Two layers that fold the line twice, abs(abs(x) - 1):

        >>> fold, add = np.array([[1.0], [-1.0]]), np.array([[1.0, 1.0], [-1.0, -1.0]])
        >>> network = DeepNetwork(((fold, np.zeros(2)), (add, np.array([-1.0, 1.0])), (np.ones((1, 2)), np.zeros(1))))
        >>> network.function().simplified().knots
        array([-1.,  0.,  1.])
        """
        knots = np.zeros(1)
        for depth in range(1, len(self.layers)):
            knots = _merged(np.concatenate([knots, self._crossings(knots, depth)]))
        places = _extended(knots)
        values = self(places[:, None])
        slopes = np.diff(values) / np.diff(places)
        return PiecewiseLinear(knots, values[1:-1], slopes[0], slopes[-1])

    def _layer(self, X: Array, depth: int) -> Array:
        """Return the values before the activation of a layer, (n, units)."""
        hidden = X
        for k, (W, b) in enumerate(self.layers[:depth]):
            hidden = (np.maximum(hidden, 0.0) if k else hidden) @ W.T + b
        return hidden

    def _crossings(self, knots: Array, depth: int) -> Array:
        """Return where the units of a layer cross zero, given all knots of what feeds them."""
        places = _extended(knots)
        values = self._layer(places[:, None], depth)
        rise, run = np.diff(values, axis=0), np.diff(places)[:, None]
        along = np.divide(-values[:-1], rise, out=np.full_like(rise, np.nan), where=rise != 0)
        inside = (along > 0) & (along < 1)
        # The first and the last piece are rays, which go on beyond the places.
        inside[0] |= along[0] <= 0
        inside[-1] |= along[-1] >= 1
        crossings = (places[:-1, None] + along * run)[inside]
        return crossings[np.abs(crossings) <= FAR]


@dataclass(frozen=True)
class Decayed:
    """The squared loss with weight decay on all weights."""

    step: float
    max_steps: int

    def optimiser(self) -> optax.GradientTransformation:
        """Return annealed Adam."""
        return training.optimiser("adam", self.step, self.max_steps)

    def objective(self, weights: Layers, data: Data, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the penalised loss, and the loss; nothing is random."""
        del key
        hidden = data.X
        for W, b in weights[:-1]:
            hidden = jax.nn.relu(hidden @ W.T + b)
        W, b = weights[-1]
        loss = training.data_loss("squared", (hidden @ W.T + b)[:, 0], data.y)
        return loss + data.decay * sum(jnp.sum(W**2) for W, _ in weights) / 2, loss


def train(problem: cr.Problem, settings: Settings, seed: int) -> Training[DeepNetwork]:
    """Train a network of several layers on a problem with one input, squared loss and free biases.

    Parameters
    ----------
    problem : cvxrelu.Problem
        The problem.
    settings : Settings
        How to train.
    seed : int
        Seed of the start.

    Returns
    -------
    Training
        The network; the cost in its curve is the function's, R(f) of `cvxrelu.function_space`.

    Raises
    ------
    ValueError
        If the problem is another.
    """
    expected = ("squared", "free", 1, 0.0)
    if (problem.loss.name, problem.bias, problem.n_features, problem.negative_slope) != expected:
        raise ValueError(f"Deep networks take the squared loss on the line, free biases and slope 0, not {problem!r}.")
    with training.float64():
        key = jax.random.key(seed)
        return training.descend(
            Decayed(settings.step, settings.max_steps),
            _start(settings, key),
            Data.of(problem),
            key,
            tol=None,
            max_steps=settings.max_steps,
            read=lambda weights: DeepNetwork(tuple((np.asarray(W), np.asarray(b)) for W, b in weights)),
            cost=lambda network: function_cost(network.function()),
        )


def _start(settings: Settings, key: jax.Array) -> Layers:
    sizes = (1, *[settings.width] * settings.depth, 1)
    layers = []
    for layer, (inputs, outputs) in zip(jax.random.split(key, len(sizes) - 1), pairwise(sizes), strict=True):
        weights, biases = jax.random.split(layer)
        scale = settings.scale / np.sqrt(inputs)
        W = scale * jax.random.normal(weights, (outputs, inputs))
        layers.append((W, scale * jax.random.normal(biases, (outputs,))))
    return tuple(layers)


def _extended(knots: Array) -> Array:
    """Return the knots with a place on each of the outer rays, as far from the knot as that is from the data."""
    first, last = knots[0], knots[-1]
    return np.concatenate([[first - max(1.0, abs(first))], knots, [last + max(1.0, abs(last))]])


def _merged(knots: Array) -> Array:
    """Return the sorted knots without those that follow another too closely."""
    distinct = np.unique(knots)
    sizes = np.maximum(np.abs(distinct), 1.0)
    return distinct[np.concatenate([[True], np.diff(distinct) > KNOT_SPACING * sizes[1:]])]
