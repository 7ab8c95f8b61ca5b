r"""Networks with several outputs: stochastic gradient descent on the cross-entropy, with constant or annealed decay.

    f(x) = V relu(W x + b) + c,    theta <- theta - step_t (grad of the mean cross-entropy of a batch + L_t theta)

Training has stages of equal length; from one to the next the step is divided by a factor, as is usual, and so is the
weight decay L_t if it is annealed (Wei, Lee, Liu & Ma, Appendix F). Such a network has several outputs, unlike a
`cvxrelu.Network`; it is scored by its accuracy.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from benchmarks.baselines import training
from benchmarks.baselines.training import Data, Training

__all__ = ["Settings", "Softmax", "train"]

MOMENTUM = 0.9


class Softmax(NamedTuple):
    """The weights; called with inputs, it returns the scores of the classes."""

    W: jax.Array
    b: jax.Array
    V: jax.Array
    c: jax.Array

    def __call__(self, X: NDArray[np.float64] | jax.Array) -> jax.Array:
        """Return the scores, one row an input."""
        return jax.nn.relu(X @ self.W.T + self.b) @ self.V.T + self.c


@dataclass(frozen=True)
class Settings:
    """How to train; hashable, so that it is compiled once.

    Attributes
    ----------
    width : int
        Hidden neurons.
    n_classes : int
        Outputs.
    decay : float
        Weight decay L of the first stage.
    annealed : bool
        Whether later stages have less of it.
    step : float
        Step of the first stage.
    steps : int
        Steps of all stages together.
    batch : int
        Samples a step.
    stages : int
        Number of stages.
    factor : float
        What the step, and annealed decay, is divided by between stages.
    """

    width: int
    n_classes: int
    decay: float
    annealed: bool
    step: float = 0.1
    steps: int = 3000
    batch: int = 64
    stages: int = 3
    factor: float = 10.0

    def optimiser(self) -> optax.GradientTransformation:
        """Return stochastic gradient descent with momentum and both schedules."""
        rates = self._staged(self.step)
        decay = self._staged(self.decay) if self.annealed else self.decay
        return optax.chain(optax.add_decayed_weights(decay), optax.sgd(rates, momentum=MOMENTUM))

    def objective(self, weights: Softmax, data: Data, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the mean cross-entropy of a random batch, twice."""
        chosen = jax.random.randint(key, (self.batch,), 0, len(data.y))
        entropies = optax.softmax_cross_entropy_with_integer_labels(weights(data.X[chosen]), data.y[chosen])
        return jnp.mean(entropies), jnp.mean(entropies)

    def _staged(self, first: float) -> optax.Schedule:
        ends = {self.steps * stage // self.stages: 1 / self.factor for stage in range(1, self.stages)}
        return optax.piecewise_constant_schedule(first, ends)


def train(X: NDArray[np.float64], y: NDArray[np.int64], settings: Settings, seed: int) -> Training[Softmax]:
    """Train a classifier.

    Parameters
    ----------
    X : (n, d) array
        Inputs.
    y : (n,) array
        Classes 0, 1, ...
    settings : Settings
        How to train.
    seed : int
        Seed of the start and of the batches.

    Returns
    -------
    Training
        The network; its curve shows the squared norm of all weights as the cost.
    """
    rng = np.random.default_rng(seed)
    W = np.sqrt(2 / X.shape[1]) * rng.standard_normal((settings.width, X.shape[1]))
    V = np.sqrt(1 / settings.width) * rng.standard_normal((settings.n_classes, settings.width))
    start = W, np.zeros(settings.width), V, np.zeros(settings.n_classes)
    with training.float64():
        return training.descend(
            settings,
            Softmax(*map(jnp.asarray, start)),
            Data(*map(jnp.asarray, (X, y, 0.0))),
            jax.random.key(seed),
            tol=None,
            max_steps=settings.steps,
            read=lambda weights: Softmax(*map(np.asarray, weights)),  # pyright: ignore[reportArgumentType]
            cost=lambda network: float(sum(np.sum(part**2) for part in network)),
        )
