"""The problems that methods are compared on, each a plain `cvxrelu.Problem`."""

import numpy as np

import cvxrelu as cr

__all__ = ["normal_plane", "rings", "six_points", "ten_points"]

# The smaller of two rings, and how far points stray from their ring (standard deviation).
INNER_RADIUS, STRAY = 0.45, 0.12
# How far ten points stray from an even grid of [-1, 1], in either direction: a quarter of its spacing.
JITTER = 0.05


def six_points() -> cr.Problem:
    """Return the interpolation problem of Kumar & Haupt, Figure 1, with free biases; the optimum is 30."""
    return cr.Problem([[-1.0], [-0.6], [-0.2], [0.2], [0.6], [1.0]], [1.0, -1.0, 1.0, 1.0, -1.0, 1.0])


def normal_plane(n_samples: int, seed: int = 0) -> cr.Problem:
    """Return the problem of interpolating noise in the plane: standard normal X (N, 2), then standard normal y.

    Targets that have nothing to do with the inputs are the hardest: every sample needs a neuron.
    """
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 2))
    return cr.Problem(X, rng.standard_normal(n_samples))


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
