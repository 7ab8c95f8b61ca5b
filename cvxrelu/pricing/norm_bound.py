r"""A bound on the scores of several outputs that costs two singular values: all neurons at once, in any dimension.

    F(u) = G0 u + sum_i C_i max(t_i, 0) = (G0 + C'Z/2) u + C'abs(t)/2,     t = Z u
    norm(F(u)) <= (smax(G0 + C'Z/2) + smax(C) smax(Z) / 2) norm(u),

smax the largest singular value; in free mode norm(u)^2 <= 2 for a best neuron.
"""

import numpy as np

from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.pricing.ascent_outputs import NormScore, ascend_outputs
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.weights import Weights
from cvxrelu.runtime.clock import Clock

__all__ = ["bound_norms"]

# Relative widening for the rounding of singular values.
WIDENING = 1 + 1e-9
# Random starts of the ascent that looks for good neurons.
STARTS = 32


def bound_norms(points: Points, weights: Weights) -> Priced:
    """Return the bound, and the neurons that a local ascent finds.

    Examples
    --------
    >>> points = Points.prepare(np.eye(3), "none", 0.0)
    >>> priced = bound_norms(points, points.weigh(np.eye(3)))
    >>> round(priced.value, 9), round(priced.upper, 6)
    (1.0, 1.0)
    """
    score = NormScore.of(points, weights)
    linear, spread = score.G + score.C.T @ score.Z / 2, np.linalg.norm(score.C, 2) * np.linalg.norm(score.Z, 2) / 2
    size = np.sqrt(2.0) if points.bias == "free" else 1.0
    # An entry of the linear part is a sum over the points, whose rounding is relative to its terms.
    lost = weights.margin(len(points.X) + 256.0)
    upper = float(np.linalg.norm(linear, 2) + spread) * size * WIDENING + lost + weights.residue
    upper = min(
        upper, float(row_sizes(weights.original) @ points.reach[points.place]) * weights.factor * WIDENING + lost
    )
    nothing, rng = np.empty((0, points.X.shape[1] + 1)), np.random.default_rng(0)
    found = ascend_outputs(points, weights, nothing, STARTS, rng, Clock(), quick=True)
    columns = np.column_stack([found.W, found.b])
    if points.bias == "free":
        columns[:, -1] = np.ldexp(found.b + found.W @ points.centre, -points.exponent)
    return points.report(
        weights, columns, upper=upper, method="spectral", complete=lambda value: upper <= value * (1 + 1e-9), nodes=1
    )
