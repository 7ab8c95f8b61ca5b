"""The result of pricing a dual vector: an upper bound on gamma(v), and the unit neurons closest to it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Priced"]


@dataclass(frozen=True)
class Priced:
    """An upper bound on gamma(v) and the best unit neurons found.

    The score of a neuron is ``sum_i v_i sigma(w . x_i + b)``, and gamma(v) is the largest absolute score of
    any unit neuron, so ``value <= gamma(v) <= upper``.

    Attributes
    ----------
    upper : float
        Upper bound on gamma(v), rounding included; it also holds when the search was stopped early. Infinite
        after a local ascent, which proves nothing.
    value : float
        Largest absolute score among the neurons found, 0 if there are none; a score is correct up to the
        rounding of its own evaluation, which `upper` covers.
    W, b : ndarray of shape (n_neurons, n_features) and (n_neurons,)
        The unit neurons found, the best first.
    scores : ndarray of shape (n_neurons,)
        Their signed scores, by decreasing absolute value.
    method : str
        The method that ran.
    complete : bool
        Whether the search ended by itself: `upper` is at most ``value * (1 + tol)`` or at most the threshold,
        up to the rounding that `upper` includes.
    nodes : int
        Anchors, cells or cones looked at.

    Examples
    --------
    >>> import numpy as np
    >>> from cvxrelu.pricing import price
    >>> priced = price(np.array([[-1.0], [0.0], [1.0]]), np.array([1.0, -2.0, 1.0]))
    >>> round(priced.value, 12), priced.upper - priced.value < 1e-12
    (1.0, True)
    """

    upper: float
    value: float
    W: NDArray[np.float64]
    b: NDArray[np.float64]
    scores: NDArray[np.float64]
    method: str
    complete: bool
    nodes: int
