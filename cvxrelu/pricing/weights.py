"""A dual vector on the distinct places, in units of a power of two, and what rounding can add to its scores.

How places and weights are scaled, and where the margin comes from: `cvxrelu.pricing.points`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.powers import shift_down

__all__ = ["ROUNDOFF", "Weights"]

Array = NDArray[np.float64]

ROUNDOFF = 2.0**-53
"""Unit roundoff of doubles."""

FAINT = 2.0**-480
"""What raising entries to that, and underflow, can change a term of a sum by."""


@dataclass(frozen=True)
class Weights:
    """A dual vector on the distinct places.

    Attributes
    ----------
    v : ndarray of shape (n_places,)
        Summed weights.
    original : ndarray of shape (n_samples,)
        The vector as given, in units of a power of two.
    exponent : int
        A score is a score of these weights on these places times 2^exponent.
    factor : float
        f of the module's docstring.
    mass : float
        f * sum_i abs(v_i) rho_i over the samples, the scale of all rounding.
    residue : float
        What the correction of sum(v) in free mode can add to a score; 0 in the other modes.
    """

    v: Array
    original: Array
    exponent: int
    factor: float
    mass: float
    residue: float

    @property
    def n_outputs(self) -> int:
        """Number of outputs that are scored together."""
        return 1 if self.v.ndim == 1 else self.v.shape[1]

    def margin(self, terms: float) -> float:
        """Bound the rounding of a method whose sums have at most `terms` terms, at least one for each sample."""
        faint = FAINT * self.factor if self.mass > 0 else 0.0
        return terms * (ROUNDOFF * self.mass * (1 + 1e-6) + faint) + self.residue

    def room_below(self, threshold: float | None, margin: float) -> float:
        """Return a bound that, once the margin is added in floats, is at most the threshold on scores as given.

        Examples
        --------
        >>> from cvxrelu.pricing.points import Points
        >>> weights = Points.prepare([[4.0]], "none", 0.0).weigh([1.0])
        >>> weights.room_below(None, 0.5), weights.room_below(8.0, 0.0) <= 2.0
        (-inf, True)
        """
        if threshold is None:
            return -math.inf
        threshold = shift_down(threshold, -self.exponent)
        return threshold - margin - 4 * ROUNDOFF * (abs(threshold) + margin)
