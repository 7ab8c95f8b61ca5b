r"""Full-batch gradient descent and Adam, as networks are trained, with or without weight decay.

    minimise L(W, b, v, c) over a network of fixed width, from independent normal entries

with the L that `benchmarks.baselines.training` has for the problem. Kumar & Haupt train without weight decay from a
start of standard deviation 1e-3, with steps of 1e-2, until the loss is under 1e-4, and compare the outcome with the
network of least cost: whatever keeps the weights small there comes from the small start. The loss is the *sum* over the
data; with the mean instead, the same path takes N times the steps.

With weight decay, (v^2 + norm(w)^2) / 2 >= abs(v) norm(w) and equality is a rescaling away, so that

    min L  over networks of a width  >=  N min (the problem's objective)  over networks of every width,

with equality for every width that the optimum needs.
"""

from dataclasses import dataclass

import jax
import optax

import cvxrelu as cr
from benchmarks.baselines import training
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
        Step of gradient descent.
    tol : float or None
        Training ends when the loss on the data is at most this; None if it takes all its steps.
    max_steps : int
        Or after so many steps, which then counts as a failure.
    optimiser : {"gd", "adam"}
        Which steps are taken.
    annealed : bool
        Whether the step falls to zero, along half a cosine over `max_steps`. Without it, steps of a fixed size end up
        hopping about a minimum that has a kink, as the minima of weight decay have.
    """

    width: int
    scale: float = 1e-3
    step: float = 1e-2
    tol: float | None = 1e-4
    max_steps: int = 2_000_000
    optimiser: str = "gd"
    annealed: bool = False


@dataclass(frozen=True)
class FullBatch:
    """The loss on all data with its weight decay, for one optimiser."""

    loss: str
    bias: str
    slope: float
    name: str
    step: float
    annealed_over: int | None

    def optimiser(self) -> optax.GradientTransformation:
        """Return the optimiser."""
        return training.optimiser(self.name, self.step, self.annealed_over)

    def objective(self, weights: Parameters, data: Data, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the penalised loss, and the loss; nothing is random."""
        del key
        loss = training.data_loss(self.loss, training.predict(weights, data.X, self.bias, self.slope), data.y)
        return loss + data.decay * training.penalty(weights, self.bias), loss


def train(problem: cr.Problem, settings: Settings, seed: int) -> Training[cr.Network]:
    """Train a network on a problem.

    Parameters
    ----------
    problem : cvxrelu.Problem
        What to train on: see `benchmarks.baselines.training`.
    settings : Settings
        How to train.
    seed : int
        Seed of the start.

    Returns
    -------
    Training
        The network, whether or not the loss reached the tolerance; the last checkpoint's, if training diverged.

    Raises
    ------
    ValueError
        If the problem's loss or the optimiser is not one that networks are trained with here.
    """
    slope, bias = problem.negative_slope, problem.bias
    annealed_over = settings.max_steps if settings.annealed else None
    method = FullBatch(problem.loss.name, bias, slope, settings.optimiser, settings.step, annealed_over)
    with training.float64():
        key = jax.random.key(seed)
        return training.descend(
            method,
            training.start(settings.width, problem.n_features, settings.scale, bias, key),
            Data.of(problem),
            key,
            tol=settings.tol,
            max_steps=settings.max_steps,
            read=lambda weights: training.to_network(weights, slope),
            cost=lambda network: network.cost(bias, problem.norm),
        )
