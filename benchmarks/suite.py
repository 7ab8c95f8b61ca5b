r"""The suite: problems that every method of the comparison is set, each one objective for all of them.

    (1/N) sum_i loss(f(x_i), y_i) + alpha sum_j abs(v_j) norm(w_j)

with half the square or the logistic loss. The six points and noise in the plane have the squared loss here, since no
trained network passes exactly through points. The teachers have no biases, which is the form that pyscnn solves; the
biases of all others are free, as in scikit-learn's networks. Features are standardised, and targets of regressions too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn import datasets

import cvxrelu as cr
from benchmarks.problems import normal_plane, six_points, teacher

__all__ = ["DEFAULT", "LARGE", "SUITE", "Sizes"]

# Weak regularisation where the data are few and separable; stronger where features are many.
SIX_ALPHA, NOISE_ALPHA, PLANE_ALPHA, REAL_ALPHA = 1e-2, 1e-3, 1e-3, 1e-2
# Standard deviations of what is added to the points; the smaller circle, by the larger one.
MOONS_NOISE, CIRCLES_NOISE, SPIRALS_NOISE = 0.2, 0.1, 0.05
CIRCLES_RATIO = 0.5
# How often the spirals turn, in radians.
SPIRALS_TURN = 3 * np.pi
# Columns that hardly vary are left out before the others are divided by their standard deviations.
CONSTANT = 1e-8


@dataclass(frozen=True)
class Sizes:
    """How many samples the problems have.

    Attributes
    ----------
    noise, plane, teacher : int
        Samples of random labels, of two classes in the plane, of the teachers.
    real : int
        The most samples of a real data set; a random part of larger ones is taken.
    """

    noise: int
    plane: int
    teacher: int
    real: int


DEFAULT = Sizes(noise=50, plane=100, teacher=100, real=150)
LARGE = Sizes(noise=200, plane=400, teacher=500, real=1797)


def xor(n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return standard normal points of the plane, labelled by whether their coordinates agree in sign."""
    X = rng.standard_normal((n_samples, 2))
    return X, X[:, 0] * X[:, 1] > 0


def spirals(n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return two spirals that wind around each other, one for each class, with noise."""
    labels = np.arange(n_samples) % 2
    along = np.sqrt(rng.uniform(size=n_samples))
    angles = SPIRALS_TURN * along + np.pi * labels
    X = along[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    return X + SPIRALS_NOISE * rng.standard_normal(X.shape), labels == 1


def moons(n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return two half moons."""
    X, labels = datasets.make_moons(n_samples, noise=MOONS_NOISE, random_state=int(rng.integers(2**31)))
    return np.asarray(X), np.asarray(labels) == 1


def circles(n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a circle inside another."""
    seed = int(rng.integers(2**31))
    X, labels = datasets.make_circles(n_samples, noise=CIRCLES_NOISE, factor=CIRCLES_RATIO, random_state=seed)
    return np.asarray(X), np.asarray(labels) == 1


Sample = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def _taught(sizes: Sizes, n_features: int) -> cr.Problem:
    """Return the problem of a teacher."""
    return teacher(sizes.teacher, n_features)


def _classes(sample: Sample, sizes: Sizes) -> cr.Problem:
    """Return the logistic problem of two classes in the plane."""
    X, positive = sample(sizes.plane, np.random.default_rng(0))
    return cr.Problem(_standardised(X), np.where(positive, 1.0, -1.0), "logistic", alpha=PLANE_ALPHA)


def _real(load: Callable[..., Any], target: int | None, sizes: Sizes) -> cr.Problem:
    """Return one class of a data set against the others, or for target None the regression, on a random part of it."""
    X, y = load(return_X_y=True)
    chosen = np.sort(np.random.default_rng(0).permutation(len(y))[: sizes.real])
    X, y = _standardised(X[chosen]), y[chosen]
    if target is None:
        return cr.Problem(X, (y - y.mean()) / y.std(), "squared", alpha=REAL_ALPHA)
    return cr.Problem(X, np.where(y == target, 1.0, -1.0), "logistic", alpha=REAL_ALPHA)


def _standardised(X: np.ndarray) -> np.ndarray:
    """Return the columns that vary, with mean 0 and variance 1."""
    X = X[:, X.std(axis=0) > CONSTANT]
    return (X - X.mean(axis=0)) / X.std(axis=0)


def _squared(problem: cr.Problem, alpha: float) -> cr.Problem:
    """Return an interpolation problem with the squared loss instead."""
    return cr.Problem(problem.X, problem.y, "squared", bias=problem.bias, alpha=alpha)


SUITE: Mapping[str, Callable[[Sizes], cr.Problem]] = {
    "six points": lambda sizes: _squared(six_points(), SIX_ALPHA),
    "random labels": lambda sizes: _squared(normal_plane(sizes.noise), NOISE_ALPHA),
    **{f"teacher, d={d}": partial(_taught, n_features=d) for d in (2, 5, 10, 20)},
    **{sample.__name__: partial(_classes, sample) for sample in (moons, circles, xor, spirals)},
    "iris": partial(_real, datasets.load_iris, 1),
    "wine": partial(_real, datasets.load_wine, 1),
    "breast cancer": partial(_real, datasets.load_breast_cancer, 1),
    "digits": partial(_real, datasets.load_digits, 8),
    "diabetes": partial(_real, datasets.load_diabetes, None),
}
