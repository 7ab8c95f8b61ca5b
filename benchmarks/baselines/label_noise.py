r"""Stochastic gradient descent with noise on the labels: de Dios & Bruna, Algorithm 1 (after Blanc et al.).

    draw a sample i and a sign e = +-1,     theta <- theta - step * grad (f(x_i) - y_i - noise * e)^2 / 2

At a network that interpolates, the noise is all that moves it, and it drifts, over some 1 / (step * noise)^2 steps,
towards interpolants along which the predictions depend less on the weights: what is implicitly minimised is

    (1/N) sum_i norm(grad_theta f(x_i))^2 .

Nothing decays. In the end the network hovers about the data, so full-batch gradient descent settles it.
"""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import optax

import cvxrelu as cr
from benchmarks.baselines import gradient_descent, training
from benchmarks.baselines.training import Data, Parameters, Training

__all__ = ["Settings", "train"]


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    width : int
        Hidden neurons.
    scale : float
        Standard deviation of every entry at the start.
    step : float
        Step of both phases.
    noise : float
        Size of the noise on a label.
    noisy_steps : int
        Steps with noise, one sample each.
    tol : float
        Then the loss, half the sum of squares, is brought down to this without noise.
    max_steps : int
        In at most so many steps; not to get there is a failure.
    """

    width: int
    scale: float = 1e-1
    step: float = 1e-2
    noise: float = 0.5
    noisy_steps: int = 1_000_000
    tol: float = 1e-4
    max_steps: int = 1_000_000


@dataclass(frozen=True)
class NoisyLabel:
    """The squared loss at a random sample, with a random label."""

    bias: str
    slope: float
    step: float
    noise: float

    def optimiser(self) -> optax.GradientTransformation:
        """Return plain steps."""
        return training.optimiser("gd", self.step)

    def objective(self, weights: Parameters, data: Data, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the loss at one sample with noise, and the loss of all without."""
        sample, sign = jax.random.split(key)
        i = jax.random.randint(sample, (), 0, len(data.y))
        residuals = training.predict(weights, data.X, self.bias, self.slope) - data.y
        noisy = residuals[i] - self.noise * jax.random.rademacher(sign, (), residuals.dtype)
        return noisy**2 / 2, jnp.sum(residuals**2) / 2


def train(problem: cr.Problem, settings: Settings, seed: int) -> Training[cr.Network]:
    """Train a network on the data of an interpolation problem.

    Parameters
    ----------
    problem : cvxrelu.Problem
        A problem with loss "interpolation", whose cost only watches.
    settings : Settings
        How to train.
    seed : int
        Seed of the start, of the samples and of the noise.

    Returns
    -------
    Training
        The network, settled or not; the curve is that of both phases.

    Raises
    ------
    ValueError
        If the problem is not one of interpolation.
    """
    if problem.loss.name != "interpolation":
        raise ValueError(f"Label noise is for loss='interpolation', not {problem.loss.name!r}.")
    slope, bias = problem.negative_slope, problem.bias
    settle = gradient_descent.FullBatch("interpolation", bias, slope, "gd", settings.step, None)
    with training.float64():
        key, noise = jax.random.split(jax.random.key(seed))
        follow = {
            "read": lambda weights: weights,
            "cost": lambda weights: training.to_network(weights, slope).cost(bias, problem.norm),
        }
        begin = training.start(settings.width, problem.n_features, settings.scale, bias, key)
        data = Data.of(problem)
        noisy = training.descend(
            NoisyLabel(bias, slope, settings.step, settings.noise),
            begin,
            data,
            noise,
            tol=None,
            max_steps=settings.noisy_steps,
            **follow,
        )
        calm = training.descend(
            settle, noisy.network, data, key, tol=settings.tol, max_steps=settings.max_steps, **follow
        )
        later = (replace(point, step=point.step + noisy.steps) for point in calm.curve[1:])
        return Training(
            training.to_network(calm.network, slope),
            noisy.steps + calm.steps,
            calm.loss,
            calm.gradient_norm,
            noisy.failure or calm.failure,
            (*noisy.curve, *later),
        )
