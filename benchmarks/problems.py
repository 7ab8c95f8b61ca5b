"""The problems that methods are compared on, each a plain `cvxrelu.Problem`."""

import numpy as np
from numpy.typing import NDArray

import cvxrelu as cr
from cvxrelu.pricing import price

__all__ = [
    "cross",
    "hidden_cross",
    "normal_data",
    "normal_inputs",
    "normal_line",
    "normal_plane",
    "rings",
    "six_points",
    "teacher",
    "teacher_joint",
    "teacher_network",
    "ten_points",
]

TEACHER_NEURONS, TEACHER_NOISE, TEACHER_ALPHA = 10, 0.1, 1e-3
# Relative accuracy of the largest alpha that leaves a neuron, of which a share is taken.
ALPHA_RTOL = 1e-4
# The smaller of two rings, and how far points stray from their ring (standard deviation).
INNER_RADIUS, STRAY = 0.45, 0.12
# How far ten points stray from an even grid of [-1, 1], in either direction: a quarter of its spacing.
JITTER = 0.05


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


def ten_points(
    loss: str = "interpolation", alpha: float | None = None, bias: str = "free", seed: int = 0
) -> cr.Problem:
    """Return standard normal targets at ten uneven places of [-1, 1]."""
    rng = np.random.default_rng(seed)
    x = np.linspace(-1, 1, 10) + rng.uniform(-JITTER, JITTER, 10)
    return cr.Problem(x[:, None], rng.standard_normal(10), loss, bias, alpha=alpha)


def rings(n_samples: int, loss: str = "margin", alpha: float | None = None, seed: int = 0) -> cr.Problem:
    """Return two classes in the plane, one on a noisy ring of radius 1 and one on a ring inside it."""
    rng = np.random.default_rng(seed)
    labels = np.where(np.arange(n_samples) % 2, 1.0, -1.0)
    radii = np.where(labels > 0, 1.0, INNER_RADIUS) + STRAY * rng.standard_normal(n_samples)
    angles = rng.uniform(0, 2 * np.pi, n_samples)
    return cr.Problem(np.column_stack([radii * np.cos(angles), radii * np.sin(angles)]), labels, loss, alpha=alpha)


def hidden_cross(n_samples: int, n_features: int, rng: np.random.Generator) -> cr.Problem:
    """Return the margin problem of Wei, Lee, Liu & Ma, "Regularization Matters", Section 2, without bias.

    The first two of d features are one of (1, 0), (-1, 0), labelled +1, or of (0, 1), (0, -1), labelled -1; the others
    are independent signs that say nothing. abs(x_1) - abs(x_2) separates the classes at cost 4, with neurons that see
    no noise; no function of single features does better than chance.
    """
    X = rng.choice([-1.0, 1.0], (n_samples, n_features))
    corner = rng.integers(4, size=n_samples)
    X[:, :2] = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])[corner]
    return cr.Problem(X, np.where(corner < 2, 1.0, -1.0), loss="margin", bias="none")


def cross(n_features: int) -> cr.Network:
    """Return the network abs(x_1) - abs(x_2), which separates the classes of `hidden_cross` with margin one."""
    W = np.zeros((4, n_features))
    W[:, :2] = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    return cr.Network(W, np.zeros(4), np.array([1.0, 1.0, -1.0, -1.0]))


def teacher_network(n_neurons: int, n_features: int, rng: np.random.Generator) -> cr.Network:
    """Return a network without bias, with hidden weights from the unit sphere and output weights 1, -1, 1, ..."""
    W = rng.standard_normal((n_neurons, n_features))
    W /= np.linalg.norm(W, axis=1, keepdims=True)
    return cr.Network(W, np.zeros(n_neurons), (-1.0) ** np.arange(n_neurons))


def normal_inputs(
    network: cr.Network, n_samples: int, rng: np.random.Generator, distance: float = 0.0
) -> NDArray[np.float64]:
    """Return standard normal inputs (n, d) at which a network's outputs are no closer to zero than `distance`."""
    X = rng.standard_normal((n_samples, network.n_features))
    while len(near := np.flatnonzero(np.abs(network(X)) < distance)):
        X[near] = rng.standard_normal((len(near), X.shape[1]))
    return X
