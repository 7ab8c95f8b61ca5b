r"""Perturbed Wasserstein gradient flow, by particles: Wei, Lee, Liu & Ma, Section 4.

A network of infinite width is a distribution rho of neurons theta = (w, v), and gradient descent moves it. The flow

    d rho / dt = -div(rho V) + s (U - rho),     V = -grad of the objective at a neuron,   U uniform on the sphere

also replaces neurons at the rate s by new ones, which is how it finds directions that no neuron has, and why it ends
near a global optimum in polynomial time. Here rho is m neurons of mass 1/m. With weights in units of 1/sqrt(m) these
are the neurons of an ordinary network, f(x) = sum_j v_j sigma(w_j . x), trained with weight decay; each step replaces
each neuron with a small probability. New neurons cost something of the order of s, so in the end the network settles
without replacement, along steps that fall to zero.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import cvxrelu as cr
from benchmarks.baselines import training
from benchmarks.baselines.gradient_descent import FullBatch
from benchmarks.baselines.training import Data, Parameters, Training

__all__ = ["Settings", "train"]


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    width : int
        Neurons m.
    redrawn : float
        Probability that a step redraws a neuron; 0 is the flow without perturbation.
    step : float
        Step of gradient descent.
    flow_steps : int
        Steps with redrawing.
    settle_steps : int
        Steps without, whose size falls to zero.
    one_sided : bool
        Whether all weights start positive, far from what most data needs, instead of uniformly on the sphere.
    """

    width: int
    redrawn: float = 1e-4
    step: float = 1e-2
    flow_steps: int = 20_000
    settle_steps: int = 20_000
    one_sided: bool = False


class Redrawing(NamedTuple):
    """The random key of the next step."""

    key: jax.Array


@dataclass(frozen=True)
class PerturbedFlow(FullBatch):
    """Full-batch gradient descent that redraws neurons."""

    redrawn: float

    def optimiser(self) -> optax.GradientTransformation:
        """Return steps followed by redrawing."""
        return optax.chain(super().optimiser(), redraw(self.redrawn, self.bias))


def redraw(probability: float, bias: str) -> optax.GradientTransformation:
    """Return the transformation that moves each neuron, with some probability, to a new place on the sphere."""

    def init(parameters: Parameters) -> Redrawing:
        # The start is what tells seeds apart; a seed of its own would have every one compiled anew.
        digits = jax.lax.bitcast_convert_type(parameters.v[0].astype(jnp.float32), jnp.uint32)
        return Redrawing(jax.random.fold_in(jax.random.key(0), digits))

    def update(changes: Parameters, state: Redrawing, parameters: Parameters) -> tuple[Parameters, Redrawing]:
        following, place, choice = jax.random.split(state.key, 3)
        width, n_features = parameters.W.shape
        fresh = on_the_sphere(jax.random.normal(place, (width, n_features + 2)), bias)
        chosen = jax.random.bernoulli(choice, probability, (width,))

        def change(change: jax.Array, old: jax.Array, new: jax.Array) -> jax.Array:
            return jnp.where(chosen.reshape((-1,) + (1,) * (old.ndim - 1)), new - old, change)

        neurons = (change(*parts) for parts in zip(changes[:3], parameters[:3], fresh[:3], strict=True))
        return Parameters(*neurons, changes.c), Redrawing(following)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def on_the_sphere(directions: jax.Array, bias: str) -> Parameters:
    """Return neurons with rows (w, b, v) of given directions and norm 1 / sqrt(m); without b if there is no bias."""
    W, b, v = directions[:, :-2], directions[:, -2] * (bias != "none"), directions[:, -1]
    radius = jnp.sqrt(len(v) * (jnp.sum(W**2, axis=1) + b**2 + v**2))
    return Parameters(W / radius[:, None], b / radius, v / radius, jnp.zeros(()))


def train(problem: cr.Problem, settings: Settings, seed: int) -> Training[cr.Network]:
    """Train a network with weight decay along the perturbed flow.

    Parameters
    ----------
    problem : cvxrelu.Problem
        A problem with loss "squared" or "logistic".
    settings : Settings
        How to train.
    seed : int
        Seed of the start and of the redrawing.

    Returns
    -------
    Training
        The network; the curve is that of both phases.
    """
    slope, bias = problem.negative_slope, problem.bias
    base = (problem.loss.name, bias, slope, "gd", settings.step)
    with training.float64():
        key = jax.random.key(seed)
        drawn = np.random.default_rng(seed).standard_normal((settings.width, problem.n_features + 2))
        weights = on_the_sphere(jnp.asarray(np.abs(drawn) if settings.one_sided else drawn), bias)
        follow = {
            "read": lambda weights: weights,
            "cost": lambda weights: training.to_network(weights, slope).cost(bias, problem.norm),
        }
        data = Data.of(problem)
        flow = PerturbedFlow(*base, None, settings.redrawn)
        flown = training.descend(flow, weights, data, key, tol=None, max_steps=settings.flow_steps, **follow)
        settle = FullBatch(*base, settings.settle_steps)
        end = training.descend(settle, flown.network, data, key, tol=None, max_steps=settings.settle_steps, **follow)
    later = (replace(point, step=point.step + flown.steps) for point in end.curve[1:])
    return Training(
        training.to_network(end.network, slope),
        flown.steps + end.steps,
        end.loss,
        end.gradient_norm,
        flown.failure or end.failure,
        (*flown.curve, *later),
    )
