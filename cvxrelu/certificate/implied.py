r"""Signs that follow from others: s_k z_k = sum_j c_j s_j z_j + r with c >= 0, so s_k t_k is at least r.u.

Where s_j t_j >= 0 for all j, abs(t_k) exceeds s_k t_k by at most 2 norm(r) norm(u), which is charged for like rounding.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.pricing.weights import ROUNDOFF

__all__ = ["Implied", "follow_from", "with_implied"]

Array = NDArray[np.float64]
Implied = tuple[tuple[int, float, dict[int, float]], ...]


def follow_from(implied: Implied, signs: dict[int, float], n_places: int) -> bool:
    """Whether implied signs are signs, of places, and say what they follow from: only known signs."""
    return all(abs(sign) == 1 and 0 <= k < n_places and shares.keys() <= signs.keys() for k, sign, shares in implied)


def with_implied(Z: Array, lengths: Array, signs: dict[int, float], implied: Implied) -> tuple[dict[int, float], Array]:
    """Return all signs that are known, and by what share of norm(u) each s_k t_k can be below zero."""
    slips, every = np.zeros(len(Z)), dict(signs)
    for k, sign, shares in implied:
        if k in signs:
            continue
        others = np.array(list(shares), dtype=int)
        c = np.maximum(np.array(list(shares.values())), 0.0)
        rest = sign * Z[k] - (c * np.array([signs[j] for j in shares])) @ Z[others]
        rounding = 4 * (len(others) + Z.shape[1] + 8) * ROUNDOFF
        slips[k] = (np.linalg.norm(rest) + rounding * (lengths[k] + c @ lengths[others])) * (1 + rounding)
        every[k] = sign
    return every, slips
