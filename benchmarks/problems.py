"""The problems that methods are compared on, each a plain `cvxrelu.Problem`."""

import numpy as np

import cvxrelu as cr

__all__ = ["normal_plane", "six_points"]


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
