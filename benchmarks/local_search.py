r"""Does any neuron improve a network? Many random local ascents, in NumPy, that share no code with the package.

A network f is optimal for a regularised loss with residuals v_i = y_i - f(x_i) (squared loss) only if no unit neuron u
has a score above the bound,

    abs( sum_i v_i sigma(u . x_i) ) <= N alpha,        norm(u) <= 1,

x_i with a one appended where biases cost as weights do. An ascent proves nothing, but one that exceeds the bound is a
neuron that was missed.
"""

import numpy as np
from numpy.typing import NDArray

import cvxrelu as cr

__all__ = ["ascents", "violation"]

Array = NDArray[np.float64]

# Lengths of the steps on the sphere, falling geometrically: across cells at first, far below any tolerance at last.
FIRST_STEP, LAST_STEP, STEPS = 0.5, 1e-5, 200
# Ascents made at once, for the sake of memory.
BATCH = 500


def violation(problem: cr.Problem, network: cr.Network, n_starts: int, seed: int = 0) -> float:
    """Return the largest score that random ascents find, relative to the bound: more than 0 is a neuron that improves.

    Parameters
    ----------
    problem : cvxrelu.Problem
        With the squared loss, and biases that cost or none.
    network : cvxrelu.Network
        The network.
    n_starts : int
        Number of ascents from isotropic random neurons, every other one for the negative of the score.
    seed : int, default 0
        Of the starts.

    Examples
    --------
    >>> problem = cr.Problem([[1.0], [-1.0]], [1.0, 0.0], "squared", bias="none", alpha=0.1)
    >>> round(1 + violation(problem, cr.Network([[1.0]], [0.0], [0.8]), 4), 9)  # the optimum
    1.0
    >>> round(1 + violation(problem, cr.Network([[1.0]], [0.0], [0.6]), 4), 9)
    2.0
    """
    assert problem.loss.name == "squared"
    assert problem.bias != "free"
    assert problem.alpha is not None
    points = problem.lifted
    residuals = problem.y - network(problem.X)
    rng = np.random.default_rng(seed)
    largest = 0.0
    for begin in range(0, n_starts, BATCH):
        starts = rng.standard_normal((min(BATCH, n_starts - begin), points.shape[1]))
        for sign, half in ((1.0, starts[::2]), (-1.0, starts[1::2])):
            largest = max(largest, *ascents(points, sign * residuals, half, problem.negative_slope))
    return float(largest / (problem.n_samples * problem.alpha) - 1)


def ascents(points: Array, v: Array, starts: Array, negative_slope: float = 0.0) -> Array:
    """Return the best scores sum_i v_i sigma(u . z_i) on the ways up from every start.

    Normalised gradient steps on the unit sphere, of lengths that do not depend on success: they pass the kinks at which
    a line search gets stuck.

    Parameters
    ----------
    points : (N, m) array
        Rows z_i.
    v : (N,) array
        Weights of the points.
    starts : (k, m) array
        Where to start; only the directions count.
    negative_slope : float, default 0.0
        Of the activation.

    Returns
    -------
    (k,) array
        The scores.
    """
    U = starts / np.linalg.norm(starts, axis=1, keepdims=True)
    best = np.zeros(len(U))
    for length in np.geomspace(FIRST_STEP, LAST_STEP, STEPS):
        slopes = np.where(points @ U.T >= 0, 1.0, negative_slope)
        gradients = (slopes * v[:, None]).T @ points
        # The score is positively homogeneous: it is the product of its gradient with u.
        best = np.maximum(best, np.einsum("km,km->k", gradients, U))
        sizes = np.linalg.norm(gradients, axis=1, keepdims=True)
        U = U + length * np.divide(gradients, sizes, out=np.zeros_like(U), where=sizes > 0)
        U /= np.linalg.norm(U, axis=1, keepdims=True)
    return best
