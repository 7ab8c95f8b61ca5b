r"""Full-batch gradient descent from a small random start, as networks are trained, in float64 with JAX.

    minimise L(W, b, v, c) = 1/2 sum_i (f(x_i) - y_i)^2,      f(x) = sum_j v_j sigma(w_j . x + b_j) + c

    (W, b, v, c) <- (W, b, v, c) - step * grad L,      started from independent normal entries

There is no regularisation: whatever keeps the weights small comes from the small start. Kumar & Haupt train so
(standard deviation 1e-3, step 1e-2, until the loss is under 1e-4) and compare the outcome with the network of least
cost. The loss here is half the *sum* of squares; with the mean instead, the same path takes N/2 times the steps.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import cvxrelu as cr

__all__ = ["Checkpoint", "Settings", "Training", "train"]

# Checkpoints of the training curve: so many for every factor of ten in the number of steps.
CHECKPOINTS_PER_DECADE = 10


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
        Step of gradient descent.
    tol : float
        Training ends when the loss is under this.
    max_steps : int
        Or after so many steps, which then counts as a failure.
    """

    width: int
    scale: float = 1e-3
    step: float = 1e-2
    tol: float = 1e-4
    max_steps: int = 2_000_000


@dataclass(frozen=True)
class Checkpoint:
    """A point of the training curve."""

    step: int
    loss: float
    cost: float


@dataclass(frozen=True, eq=False)
class Training:
    """A trained network and how it came about; `failure` says why the loss did not reach the tolerance, if so."""

    network: cr.Network
    steps: int
    loss: float
    gradient_norm: float
    failure: str | None
    curve: tuple[Checkpoint, ...]


class Parameters(NamedTuple):
    """The network as a pytree."""

    W: jax.Array
    b: jax.Array
    v: jax.Array
    c: jax.Array


class State(NamedTuple):
    """Parameters, with the loss and the gradient there, after so many steps."""

    parameters: Parameters
    loss: jax.Array
    gradient: Parameters
    steps: jax.Array


def train(problem: cr.Problem, settings: Settings, seed: int) -> Training:
    """Train a network on a problem's data.

    Parameters
    ----------
    problem : cvxrelu.Problem
        Its X, y and negative slope are used; its cost only watches.
    settings : Settings
        How to train.
    seed : int
        Seed of the start.

    Returns
    -------
    Training
        The network, whether or not the loss reached the tolerance; the last checkpoint's, if training diverged.
    """
    with _float64():
        X, y, slope = jnp.asarray(problem.X), jnp.asarray(problem.y), problem.negative_slope
        parameters = _start(settings, problem.n_features, seed)
        loss, gradient = jax.value_and_grad(_loss)(parameters, X, y, slope)
        state = State(parameters, loss, gradient, jnp.asarray(0))
        curve: list[Checkpoint] = []
        diverged = False
        for until in (0, *_checkpoints(settings.max_steps)):
            reached = _descend(state, X, y, slope, settings.step, settings.tol, until)
            diverged = not bool(jnp.isfinite(reached.loss))
            if diverged:
                break
            state = reached
            cost = _to_network(state.parameters, slope).cost(problem.bias, problem.norm)
            curve.append(Checkpoint(int(state.steps), float(state.loss), cost))
            if state.loss <= settings.tol:
                break
        return Training(
            _to_network(state.parameters, slope),
            int(state.steps),
            float(state.loss),
            float(jnp.sqrt(sum(jnp.sum(part**2) for part in state.gradient))),
            _failure(state, diverged, settings),
            tuple(curve),
        )


def _predict(parameters: Parameters, X: jax.Array, slope: float) -> jax.Array:
    hidden = X @ parameters.W.T + parameters.b
    return jax.nn.leaky_relu(hidden, slope) @ parameters.v + parameters.c


def _loss(parameters: Parameters, X: jax.Array, y: jax.Array, slope: float) -> jax.Array:
    return jnp.sum((_predict(parameters, X, slope) - y) ** 2) / 2


def _start(settings: Settings, n_features: int, seed: int) -> Parameters:
    """Return independent normal entries."""
    keys = jax.random.split(jax.random.key(seed), 4)
    shapes = ((settings.width, n_features), (settings.width,), (settings.width,), ())
    return Parameters(
        *(settings.scale * jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True))
    )


@partial(jax.jit, static_argnames=("slope", "step", "tol"))
def _descend(
    state: State, X: jax.Array, y: jax.Array, slope: float, step: float, tol: float, until: jax.Array | int
) -> State:
    """Return the state once the loss is at most `tol`, or after step number `until`."""

    def unfinished(state: State) -> jax.Array:
        return (state.loss > tol) & (state.steps < until)

    def advance(state: State) -> State:
        parameters = jax.tree.map(lambda entry, slope: entry - step * slope, state.parameters, state.gradient)
        return State(parameters, *jax.value_and_grad(_loss)(parameters, X, y, slope), state.steps + 1)

    return jax.lax.while_loop(unfinished, advance, state)


def _checkpoints(max_steps: int) -> list[int]:
    """Return step numbers that grow geometrically and end at `max_steps`."""
    count = int(np.ceil(np.log10(max_steps) * CHECKPOINTS_PER_DECADE)) + 1
    return np.unique(np.geomspace(1, max_steps, count).round().astype(int)).tolist()


def _to_network(parameters: Parameters, slope: float) -> cr.Network:
    W, b, v, c = (np.asarray(part) for part in parameters)
    return cr.Network(W, b, v, float(c), slope)


def _failure(state: State, diverged: bool, settings: Settings) -> str | None:
    """Return why training did not reach the tolerance, or None."""
    if diverged:
        return f"diverged after step {int(state.steps)}"
    if state.loss > settings.tol:
        return f"loss {float(state.loss):.3g} after {int(state.steps)} steps"
    return None


@contextmanager
def _float64() -> Iterator[None]:
    """Switch JAX to double precision, and back."""
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)
