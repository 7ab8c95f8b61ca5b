r"""The logistic loss with weak regularisation, in units in which it is well conditioned.

Weakly regularised networks separate by a wide margin, with losses near zero: as alpha falls to 1e-14, the objective
does too, far below the tolerances of any solver. Divided by alpha, and for predictions in units of mu, it is

    F(z) = (1/N) sum_i log(1 + exp(-mu y_i z_i)) / (alpha mu) + cost,         mu = log(1 / (N alpha)),

    log(1 + exp(-mu m)) / (N alpha mu) ~ exp(mu (1 - m)) / mu                 up to a factor 1 + O(N alpha)

which is of the order of one, and tends to the margin program (cost subject to m_i >= 1) as mu grows. Margins in units
of the cost are the same in all units. To first order, m_i - 1 = -log(p_i) / mu at the margin program's dual solution p,
so the normalised margin falls short of its limit by

    1 - margin(alpha) / margin(0) ~ 1 - sum_i p_i log(1 / (N alpha max p)) / sum_i p_i log(1 / (N alpha p_i)).
"""

import math

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from cvxrelu.problem.losses import DualModel, Logistic, LossExpression
from cvxrelu.problem.losses.rounding import ROUNDING, largest_step

__all__ = ["WeakLogistic", "expected_margin"]

Vector = NDArray[np.float64]


class WeakLogistic(Logistic):
    """The loss of F for a problem with alpha=1; the solver sees its limit for small alpha, the certificate F itself.

    Parameters
    ----------
    alpha : float
        The weak regularisation strength.
    n_samples : int
        Number of samples; N alpha must be less than 1.

    Raises
    ------
    ValueError
        If alpha is not that small.

    Examples
    --------
    >>> loss, y = WeakLogistic(1e-20, n_samples=2), np.array([1.0, -1.0])
    >>> bool(loss.value(y, y) < 0.05 < 1e8 < loss.value(0.5 * y, y))
    True
    """

    name, smooth = "weak logistic", False  # sliding has no use for it

    def __init__(self, alpha: float, n_samples: int) -> None:
        if not 0 < n_samples * alpha < 1:
            raise ValueError(f"alpha={alpha:g} is not weak for {n_samples} samples; it must be below 1 / n_samples.")
        self.alpha = alpha
        self.mu = -math.log(n_samples * alpha)

    def values(self, z: Vector, y: Vector) -> Vector:
        """Return the losses of F."""
        return super().values(self.mu * z, y) / (self.alpha * self.mu)

    def expression(self, z: cp.Expression, y: Vector) -> LossExpression:
        """Return the limit of the loss for small alpha."""
        return LossExpression(len(y) * cp.exp(self.mu * (1 - cp.multiply(y, z))) / self.mu, [])

    def pulls(self, z: Vector, y: Vector) -> tuple[Vector, Vector]:
        """Return y p / alpha, p the probability of the wrong label."""
        pull = super().pulls(self.mu * z, y)[0] / self.alpha
        return pull, pull

    def best_constant(self, y: Vector) -> float:
        """Return that of the logistic loss, in units of F."""
        return super().best_constant(y) / self.mu

    def limits(self) -> tuple[float, float]:
        """Return 0 <= p <= 1 / alpha."""
        return 0.0, 1 / self.alpha

    def lower_bound(self, v: Vector, y: Vector, gamma: float, alpha: float | None) -> float:
        """Return the dual objective sum H(t p) / N, p = alpha y v, in units of F; t makes gamma(v) at most N."""
        assert alpha == 1.0, "the regularisation strength is that of the loss"
        step = min(self._longest_step(v, y), largest_step(gamma, alpha, len(y)))
        if step == math.inf:
            return 0.0  # there is no p
        p = self.alpha * step * np.maximum(v * y, 0.0)
        # 1 - p would lose the digits of p, which are all there is to an entropy near zero.
        entropies = entr(p) - (1 - p) * np.log1p(-p)
        return math.fsum(entropies) / (len(y) * self.alpha * self.mu) * (1 - ROUNDING)

    def dual_model(self, v: Vector, y: Vector) -> DualModel:
        """Column generation has no use for probabilities this small."""
        raise NotImplementedError("Solve problems with this loss by method='enumerate'.")


def expected_margin(dual: Vector, alpha: float) -> float:
    """Return the margin at a small alpha over that at zero, to first order, from the margin program's optimal dual."""
    p = np.abs(dual)
    p = p[p > 0]
    logs = -np.log(len(dual) * alpha * p)
    return float(p.sum() * logs.min() / (p @ logs))
