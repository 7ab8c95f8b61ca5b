r"""What trained baselines share: a seeded start, steps down a gradient, a curve of checkpoints, in float64 with JAX.

What is trained follows from the problem, and is N times its objective once the neurons are balanced:

| problem's loss | trained                                                                              |
|----------------|--------------------------------------------------------------------------------------|
| interpolation  | sum_i (f(x_i) - y_i)^2 / 2                                                           |
| margin         | sum_i log(1 + exp(-y_i f(x_i)))                                                      |
| squared        | sum_i (f(x_i) - y_i)^2 / 2 + N alpha sum_j (v_j^2 + norm(w_j)^2) / 2                 |
| logistic       | sum_i log(1 + exp(-y_i f(x_i))) + N alpha sum_j (v_j^2 + norm(w_j)^2) / 2            |

The last two are weight decay, and the first two training without it. For bias="joint" the decay holds for [w_j, b_j] in
place of w_j, and for bias="none" there is no b; in both the output constant stays 0, since it is not free.

In the words of other libraries: `weight_decay` L of PyTorch's SGD adds L theta to the gradient, so with the *mean* of
the logistic losses it is alpha = L, and with the mean of squares (no half) alpha = L / 2; there the biases decay too.
`alpha` A of scikit-learn's networks is alpha = A / N.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax

import cvxrelu as cr

__all__ = [
    "Checkpoint",
    "Data",
    "Descent",
    "Method",
    "Parameters",
    "Training",
    "data_loss",
    "descend",
    "float64",
    "optimiser",
    "penalty",
    "predict",
    "start",
    "to_network",
]

# Checkpoints of the training curve: so many for every factor of ten in the number of steps.
CHECKPOINTS_PER_DECADE = 10
# What the losses of a problem are trained on; margin is what the logistic loss tends to when it tends to zero.
SQUARES, LOGITS = ("interpolation", "squared"), ("margin", "logistic")

Net = TypeVar("Net")
Weights = Any  # a pytree of arrays


@dataclass(frozen=True)
class Checkpoint:
    """A point of the training curve; the loss is the sum over the data, without any penalty.

    The seconds since the start, compilation included, are left out of comparisons: two runs never agree in them.
    """

    step: int
    loss: float
    cost: float
    seconds: float = field(default=math.nan, compare=False)


@dataclass(frozen=True, eq=False)
class Training(Generic[Net]):
    """A trained network and how it came about; `failure` says why training did not do what it should, if so."""

    network: Net
    steps: int
    loss: float
    gradient_norm: float
    failure: str | None
    curve: tuple[Checkpoint, ...]


class Parameters(NamedTuple):
    """A network with one hidden layer as a pytree."""

    W: jax.Array
    b: jax.Array
    v: jax.Array
    c: jax.Array


class Data(NamedTuple):
    """What a method trains on; `decay` is N alpha, or zero."""

    X: jax.Array
    y: jax.Array
    decay: jax.Array

    @classmethod
    def of(cls, problem: cr.Problem) -> "Data":
        """Return the data of a problem."""
        decay = problem.n_samples * (problem.alpha or 0.0)
        return cls(jnp.asarray(problem.X), jnp.asarray(problem.y), jnp.asarray(decay))


class Method(Protocol):
    """A way to train: hashable, so that it is compiled once."""

    def optimiser(self) -> optax.GradientTransformation:
        """Return what makes steps of gradients."""
        ...

    def objective(self, weights: Weights, data: Data, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return what is differentiated, random if it likes, and the loss that is watched."""
        ...


class Descent(NamedTuple):
    """Weights after so many steps, with the loss and the gradient there, the optimiser's state and the random key."""

    weights: Weights
    loss: jax.Array
    gradient: Weights
    memory: Any
    steps: jax.Array
    key: jax.Array


def descend(
    method: Method,
    weights: Weights,
    data: Data,
    key: jax.Array,
    *,
    tol: float | None,
    max_steps: int,
    read: Callable[[Weights], Net],
    cost: Callable[[Net], float],
) -> Training[Net]:
    """Follow a method from given weights.

    Parameters
    ----------
    method : Method
        Objective and optimiser.
    weights : pytree
        The start.
    data : Data
        What the objective is made of.
    key : jax.Array
        Random key of the objective; another one is derived for every step.
    tol : float or None
        Training ends when the watched loss is at most this; not to get there in time is a failure. With None it ends
        after `max_steps`, and only divergence is a failure.
    max_steps : int
        The most steps.
    read : callable
        Makes a network of weights.
    cost : callable
        What the curve shows of a network beside its loss.

    Returns
    -------
    Training
        The network, whether or not training succeeded; the last checkpoint's, if it diverged.
    """
    started = time.perf_counter()
    state = _begin(method, weights, data, key)
    target = -np.inf if tol is None else tol
    curve: list[Checkpoint] = []
    failure = None
    for until in (0, *_checkpoints(max_steps)):
        reached = _advance(method, state, data, target, until)
        if not np.isfinite(reached.loss):
            failure = f"diverged after step {int(state.steps)}"
            break
        state = reached
        seconds = time.perf_counter() - started
        curve.append(Checkpoint(int(state.steps), float(state.loss), cost(read(state.weights)), seconds))
        if state.loss <= target:
            break
    else:
        if tol is not None:
            failure = f"loss {float(state.loss):.3g} after {int(state.steps)} steps"
    norm = np.sqrt(sum(float(np.sum(np.square(part))) for part in jax.tree.leaves(state.gradient)))
    return Training(read(state.weights), int(state.steps), float(state.loss), float(norm), failure, tuple(curve))


def start(width: int, n_features: int, scale: float, bias: str, key: jax.Array) -> Parameters:
    """Return independent normal entries of standard deviation `scale`; zero where the bias mode has no such entry."""
    keys = jax.random.split(key, 4)
    shapes = ((width, n_features), (width,), (width,), ())
    W, b, v, c = (scale * jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True))
    return Parameters(W, b * (bias != "none"), v, c * (bias == "free"))


def predict(parameters: Parameters, X: jax.Array, bias: str, slope: float) -> jax.Array:
    """Return f(x) for the rows of X; only what the bias mode has is differentiated."""
    b = jax.lax.stop_gradient(parameters.b) if bias == "none" else parameters.b
    c = parameters.c if bias == "free" else jax.lax.stop_gradient(parameters.c)
    return jax.nn.leaky_relu(X @ parameters.W.T + b, slope) @ parameters.v + c


def penalty(parameters: Parameters, bias: str) -> jax.Array:
    """Return half the sum of the squared weights that the bias mode counts."""
    biases = jnp.sum(parameters.b**2) if bias == "joint" else 0.0
    return (jnp.sum(parameters.W**2) + jnp.sum(parameters.v**2) + biases) / 2


def data_loss(name: str, predictions: jax.Array, y: jax.Array) -> jax.Array:
    """Return the sum of the losses that a problem of this loss is trained on.

    Raises
    ------
    ValueError
        If nobody trains on that loss.
    """
    if name in SQUARES:
        return jnp.sum((predictions - y) ** 2) / 2
    if name in LOGITS:
        return jnp.sum(jax.nn.softplus(-y * predictions))
    raise ValueError(f"There is no training for loss={name!r}; choose one of {', '.join(SQUARES + LOGITS)}.")


def optimiser(name: str, step: float, annealed_over: int | None = None) -> optax.GradientTransformation:
    """Return gradient descent ("gd") or Adam ("adam"), whose step falls to zero along half a cosine if it is annealed.

    Raises
    ------
    ValueError
        If the name is another.
    """
    rules = {"gd": optax.sgd, "adam": optax.adam}
    if name not in rules:
        raise ValueError(f"There is no optimiser {name!r}; choose one of {', '.join(rules)}.")
    return rules[name](step if annealed_over is None else optax.cosine_decay_schedule(step, annealed_over))


def to_network(parameters: Parameters, slope: float) -> cr.Network:
    """Return the network of parameters."""
    W, b, v, c = (np.asarray(part) for part in parameters)
    return cr.Network(W, b, v, float(c), slope)


@contextmanager
def float64() -> Iterator[None]:
    """Switch JAX to double precision, and back."""
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def _evaluate(method: Method, weights: Weights, data: Data, key: jax.Array) -> tuple[jax.Array, Weights]:
    """Return the watched loss and the gradient of the objective."""
    (_, loss), gradient = jax.value_and_grad(method.objective, has_aux=True)(weights, data, key)
    return loss, gradient


@partial(jax.jit, static_argnames="method")
def _begin(method: Method, weights: Weights, data: Data, key: jax.Array) -> Descent:
    """Return the state before the first step."""
    loss, gradient = _evaluate(method, weights, data, key)
    return Descent(weights, loss, gradient, method.optimiser().init(weights), jnp.asarray(0), key)


@partial(jax.jit, static_argnames="method")
def _advance(method: Method, state: Descent, data: Data, tol: float, until: int) -> Descent:
    """Return the state once the loss is at most `tol`, or after step number `until`."""
    rule = method.optimiser()

    def unfinished(state: Descent) -> jax.Array:
        return (state.loss > tol) & (state.steps < until)

    def advance(state: Descent) -> Descent:
        change, memory = rule.update(state.gradient, state.memory, state.weights)
        weights = optax.apply_updates(state.weights, change)
        key = jax.random.fold_in(state.key, state.steps)
        return Descent(weights, *_evaluate(method, weights, data, key), memory, state.steps + 1, state.key)

    return jax.lax.while_loop(unfinished, advance, state)


def _checkpoints(max_steps: int) -> list[int]:
    """Return step numbers that grow geometrically and end at `max_steps`."""
    count = int(np.ceil(np.log10(max_steps) * CHECKPOINTS_PER_DECADE)) + 1
    return np.unique(np.geomspace(1, max_steps, count).round().astype(int)).tolist()
