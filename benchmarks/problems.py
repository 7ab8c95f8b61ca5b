"""The problems that methods are compared on, each a plain `cvxrelu.Problem`."""

import numpy as np

import cvxrelu as cr
from cvxrelu.pricing import price

__all__ = ["normal_data", "normal_line", "normal_plane", "six_points", "teacher", "teacher_joint"]

TEACHER_NEURONS, TEACHER_NOISE, TEACHER_ALPHA = 10, 0.1, 1e-3
# Relative accuracy of the largest alpha that leaves a neuron, of which a share is taken.
ALPHA_RTOL = 1e-4


def six_points() -> cr.Problem:
    """Return the interpolation problem of Kumar & Haupt, Figure 1, with free biases; the optimum is 30."""
    return cr.Problem([[-1.0], [-0.6], [-0.2], [0.2], [0.6], [1.0]], [1.0, -1.0, 1.0, 1.0, -1.0, 1.0])


def normal_data(n_samples: int, n_features: int, seed: int = 0) -> cr.Problem:
    """Return the problem of interpolating noise: standard normal X (N, d), then standard normal y, free biases.

    Targets that have nothing to do with the inputs are the hardest: every sample needs a neuron.
    """
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return cr.Problem(X, rng.standard_normal(n_samples))


def normal_plane(n_samples: int, seed: int = 0) -> cr.Problem:
    """Return the problem of interpolating noise in the plane."""
    return normal_data(n_samples, 2, seed)


def normal_line(n_samples: int, seed: int = 0) -> cr.Problem:
    """Return the problem of interpolating noise on a line."""
    return normal_data(n_samples, 1, seed)


def teacher(n_samples: int, n_features: int, seed: int = 0) -> cr.Problem:
    """Return the problem of fitting ten ReLU neurons and noise, squared loss, alpha = 1e-3, no biases.

    Standard normal X, then hidden weights, then output weights, then 0.1 times standard normal noise.
    """
    X, y = _taught(n_samples, n_features, seed)
    return cr.Problem(X, y, "squared", bias="none", alpha=TEACHER_ALPHA)


def teacher_joint(n_samples: int, n_features: int, share: float, seed: int = 0) -> cr.Problem:
    """Return the same data with biases that cost, and alpha = `share` of gamma(y) / N, where the last neuron leaves."""
    X, y = _taught(n_samples, n_features, seed)
    largest = price(X, y, bias="joint", tol=ALPHA_RTOL).value / n_samples
    return cr.Problem(X, y, "squared", bias="joint", alpha=share * largest)


def _taught(n_samples: int, n_features: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of a network of ten neurons with noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    W = rng.standard_normal((TEACHER_NEURONS, n_features))
    y = np.maximum(X @ W.T, 0.0) @ rng.standard_normal(TEACHER_NEURONS)
    return X, y + TEACHER_NOISE * rng.standard_normal(n_samples)
