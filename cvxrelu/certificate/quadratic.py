r"""The largest value of a quadratic on the unit ball, or on a ball and a strip, rounding included.

    kappa + g.u + u'Q u <= beta   if   [[beta - kappa - nu, -g'/2], [-g'/2, nu J + nu2 B - Q]]   is semidefinite,

with J = I on w, and B = (1 on b) - r^2 J, nu and nu2 >= 0. `beta` is the least number for which a Cholesky
factorisation of the matrix, with `ridge` added to its diagonal, ran to its end: then the matrix exceeds
-(ridge + m eps trace) (Rump, "Verification of positive definiteness", 2006), which is charged for, and so is what the
entries themselves are off by: norm([1, u])^2 <= 3. What is not finite proves nothing.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.pricing.weights import ROUNDOFF

__all__ = ["UNPROVED", "Proof", "Quadratic"]

Array = NDArray[np.float64]

# Diagonal that is added before a factorisation, as a share of the trace: more than its rounding, less than any gap.
RIDGE = 2.0**-44
# Forms larger than this, next to weights of order one, prove nothing; multiples of smaller ones do not overflow.
LARGEST_FORM = 2.0**400
# Steps of the search for the least beta, and its accuracy.
BISECTIONS, BETA_RTOL = 60, 1e-10


class Proof(NamedTuple):
    """An upper bound, with the nu and nu2 that prove it."""

    beta: float
    ball: float
    strip: float


UNPROVED = Proof(np.inf, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Quadratic:
    """kappa + g.u + u'Q u, and what rounding can have changed of it where norm([1, u])^2 <= 3."""

    kappa: float
    g: Array
    Q: Array
    error: float

    def beta(self, strip: bool, nu2: float) -> Proof:
        """Return the least bound found on the ball (and strip).

        A multiplier of the strip that is too small proves nothing: then one is tried that is large enough.
        """
        proof = self._beta(strip, nu2)
        if proof.beta < np.inf or not strip:
            return proof
        return self._beta(strip, max(nu2, self.Q[-1, -1]) + abs(self.g[-1]) / 2 + np.linalg.norm(self.Q[-1, :-1]))

    def _beta(self, strip: bool, nu2: float) -> Proof:
        """Return the least bound found for a multiplier of the strip."""
        m = len(self.g)
        J, H = np.eye(m), -self.Q
        if strip:
            J[-1, -1] = 0.0
            # The radius is a rounded norm.
            H = H + nu2 * (np.eye(m) - (2 + 4 * (m + 8) * ROUNDOFF) * J)
        scale = float(np.trace(np.abs(H)) + self.kappa + np.abs(self.g).sum())
        if not np.abs(H).sum() + scale <= LARGEST_FORM:
            return UNPROVED
        if not H.any() and scale == 0.0:
            return Proof(3 * self.error, 0.0, nu2)
        ridge = RIDGE * scale

        nu, beta = _best_ball(H + ridge * np.eye(m), self.g, strip, ridge)
        beta += self.kappa
        slack = BETA_RTOL * scale * 2.0**-6
        for _ in range(BISECTIONS):
            if not np.isfinite(beta):
                break
            full = np.block(
                [[np.array([[beta - self.kappa - nu]]), -self.g[None] / 2], [-self.g[:, None] / 2, H + nu * J]]
            )
            size = float(np.trace(np.abs(full)))
            try:
                scipy.linalg.cholesky(full + ridge * np.eye(m + 1))
            except scipy.linalg.LinAlgError:
                beta, slack = beta + slack, 4 * slack
                continue
            rounding = ridge + 4 * (m + 4) * ROUNDOFF * (size + (m + 1) * ridge) + 8 * ROUNDOFF * (beta + nu + nu2)
            return Proof((beta + 3 * (rounding + self.error)) * (1 + 4 * ROUNDOFF), nu, nu2)
        return UNPROVED


def _best_ball(H: Array, g: Array, strip: bool, least: float) -> tuple[float, float]:
    """Return nu >= 0 for which nu + g'(H + nu J)^-1 g / 4 is about least, at least `least` from where it is infinite.

    With the bias eliminated, which J leaves alone, and in the coordinates of an eigenbasis that is
    nu + sum_i g_i^2 / (lam_i + nu) / 4, convex, with a derivative that changes its sign within norm(g) / 2. What comes
    out is only where to look: nothing is proved here.
    """
    above = 0.0
    if strip:
        if not H[-1, -1] > 0:
            return 0.0, np.inf
        share = H[:-1, -1] / H[-1, -1]
        above = g[-1] ** 2 / H[-1, -1] / 4
        H, g = H[:-1, :-1] - np.outer(share, H[:-1, -1]), g[:-1] - share * g[-1]
    spectrum, vectors = np.linalg.eigh(H)
    squares = (vectors.T @ g) ** 2 / 4
    low = max(-spectrum.min(initial=0.0), 0.0) + least
    high = low + float(np.sqrt(squares.sum()))
    for _ in range(BISECTIONS):
        nu = (low + high) / 2
        if (squares / (spectrum + nu) ** 2).sum() > 1:
            low = nu
        else:
            high = nu
    return high, above + high + float((squares / (spectrum + high)).sum())
