r"""scikit-learn's MLPRegressor and MLPClassifier, which minimise the problem's own objective with free biases.

    (1/N) sum_i loss_i + A / (2N) sum_j (v_j^2 + norm(w_j)^2),      A = N alpha

the loss being half the square (regressor) or the logistic loss (classifier). What the library minimises is therefore
N times smaller than in `benchmarks.baselines.training`, and the same.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

import cvxrelu as cr
from benchmarks.baselines.training import LOGITS, SQUARES, Checkpoint, Training

__all__ = ["Settings", "train"]


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    width : int
        Hidden neurons.
    solver : {"lbfgs", "adam", "sgd"}
        The library's solver; "lbfgs" is best for the few data here.
    tol : float
        The library's tolerance.
    max_iter : int
        Iterations; to run out of them is a failure.
    """

    width: int
    solver: str = "lbfgs"
    tol: float = 1e-10
    max_iter: int = 20_000


def train(problem: cr.Problem, settings: Settings, seed: int) -> Training[cr.Network]:
    """Train one of the library's networks on a problem.

    Parameters
    ----------
    problem : cvxrelu.Problem
        A problem with free bias and negative slope 0. Those without an alpha are trained without weight decay.
    settings : Settings
        How to train.
    seed : int
        Seed of the start.

    Returns
    -------
    Training
        The network. The library tells nothing of the way there that could be compared, so the curve is its end.

    Raises
    ------
    ValueError
        If the library has no network for the problem.
    """
    model_class = {**dict.fromkeys(SQUARES, MLPRegressor), **dict.fromkeys(LOGITS, MLPClassifier)}.get(
        problem.loss.name
    )
    if model_class is None or problem.bias != "free" or problem.negative_slope != 0:
        raise ValueError(f"scikit-learn has no network for {problem!r}; its biases are free and its slope is 0.")
    model = model_class(
        hidden_layer_sizes=(settings.width,),
        solver=settings.solver,
        alpha=problem.n_samples * (problem.alpha or 0.0),
        tol=settings.tol,
        max_iter=settings.max_iter,
        max_fun=10 * settings.max_iter,
        random_state=seed,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(problem.X, problem.y)
    failure = "; ".join(" ".join(str(warning.message).split()) for warning in caught) or None
    network = cr.as_network(model)
    predictions = network(problem.X)
    squares = problem.loss.name in SQUARES
    losses = (predictions - problem.y) ** 2 / 2 if squares else np.logaddexp(0.0, -problem.y * predictions)
    end = Checkpoint(model.n_iter_, float(losses.sum()), network.cost())
    return Training(network, end.step, end.loss, float("nan"), failure, (end,))
