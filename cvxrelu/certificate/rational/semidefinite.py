r"""How far a symmetric matrix of integers is from semidefinite, and which multipliers make it so.

    M = L L' + R,    eigenvalues of M >= min_i (R_ii - sum_{j != i} abs(R_ij))      with any L, such as a root in floats

Floats choose; what is proved is proved in integers, on the grids that are named here.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["GRID", "HALF_BITS", "as_floats", "choose", "on_grid", "refined", "shortfall", "strips"]

Integers = NDArray[np.object_]
Floats = NDArray[np.float64]

# Multipliers, kappa, nu and beta are multiples of 2^-100, entries of L of 2^-80 and so those of M of 2^-160: far less
# than a bound's last digit in units in which the largest place and weight are about 1.
GRID, HALF_BITS = 2**100, 80
# Share of the sum of entries that is added before a factorisation in floats.
SHIFT = 2.0**-47
# Scale of a matrix that vanishes, or nearly so.
LEAST = 2.0**-60
# Steps of the golden-section search for nu; digits beyond the eighth change beta by less than rounding does.
SEARCH_STEPS, GOLDEN = 60, (math.sqrt(5) - 1) / 2


def on_grid(value: float, least: int | None = 0) -> int:
    """Return a number times `GRID`, rounded up, and at least `least`."""
    numerator, denominator = float(value).as_integer_ratio()
    rounded = -(-numerator * GRID // denominator)
    return rounded if least is None else max(rounded, least)


def strips(M: Floats, nu2: float) -> list[int]:
    """Return the multiplier of the strip, and one that is large enough if that is too small."""
    g, bias = -2 * M[0, -1], M[-1, 1:]
    enough = max(nu2, -bias[-1], 0.0) + abs(g) / 2 + float(np.linalg.norm(bias[:-1]))
    return [on_grid(nu2), on_grid(enough)]


def refined(value: Any) -> Any:
    """Return multiples of 1 / GRID as multiples of 2^-160."""
    return value * (1 << 2 * HALF_BITS) // GRID


def as_floats(M: Integers) -> Floats:
    """Return the matrix in floats."""
    return np.array(M / (1 << 2 * HALF_BITS), dtype=float)


def choose(M: Floats, kappa: float, start: float, anchored: bool) -> tuple[float, float] | None:
    """Return nu and beta for which M is about semidefinite, and beta is least, if there are any.

    Nothing is proved here.
    """
    g, H = -2 * M[0, 1:], M[1:, 1:]
    J = np.eye(len(g))
    if anchored:
        J[-1, -1] = 0.0
    scale = max(float(np.abs(H).sum() + np.abs(g).sum()) + kappa, LEAST)
    shift = SHIFT * scale

    def least(nu: float) -> float:
        """Return the least beta for one nu."""
        try:
            L = np.linalg.cholesky(H + nu * J + shift * np.eye(len(g)))
        except np.linalg.LinAlgError:
            return np.inf
        return kappa + nu + float(np.sum(np.linalg.solve(L, g) ** 2)) / 4

    high = max(float(start), shift)
    for _ in range(2 * SEARCH_STEPS):
        if np.isfinite(least(high)):
            break
        high = 2 * max(high, shift)
    low, high = 0.0, least(high)  # nu is never above beta
    if not np.isfinite(high):
        return None
    for _ in range(SEARCH_STEPS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if least(left) < least(right):
            high = right
        else:
            low = left
    return high, least(high)


def shortfall(M: Integers) -> int:
    """Return how far below zero an eigenvalue of M can be at most; an OverflowError if it is too large for floats."""
    values, vectors = np.linalg.eigh(as_floats(M))
    L = vectors * np.sqrt(np.maximum(values, 0.0))
    if not np.isfinite(L).all():
        raise OverflowError("eigenvalues beyond the range of floats")
    rounded = np.array([[int(math.ldexp(x, HALF_BITS)) for x in row] for row in L.tolist()], dtype=object)
    return max(0, -_lowest(M - rounded @ rounded.T))


def _lowest(R: Integers) -> int:
    """Return a lower bound on the eigenvalues of a matrix, by Gershgorin's circles."""
    return min(R.diagonal() + np.abs(R.diagonal()) - np.abs(R).sum(axis=1))
