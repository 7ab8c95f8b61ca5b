r"""What costs nothing: the constants and, with a skip connection, all linear functions of the input.

    f(x) = sum_j v_j sigma(w_j.x + b_j) + A x + c          F = [1, X] on the data, or one of the two, or neither

A dual vector v has F'v = 0: else the loss could be lowered for nothing. F may have dependent columns, and more columns
than rows. So it is used through a basis of its span, orthogonal and with a root mean square of one,

    F = B R,    B'B = N I,    B = [1, ...] if constants are free,

and A is the least one, of all that are the same on the data. Columns that are rounding, by themselves or beside others,
are left out: what they could do for nothing floats would not see. Of several outputs there is such a combination for
each, and all columns of a dual matrix are orthogonal to F. `nearest` finds the vector of a box that is nearest to a
given one with F'v = 0, by Newton's method on the multipliers lam of the condition (k unknowns, k the rank):

    v(lam) = clip(v - B lam, low, high),   max over lam of  norm(v(lam) - v)^2 / 2 + lam.B'v(lam),

a concave function of lam whose gradient is B'v(lam).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.numerics.centring import centred
from cvxrelu.numerics.lengths import lengths

__all__ = ["Free"]

Array = NDArray[np.float64]

# Singular values of columns of unit length below this share of the largest, times their number, are rounding.
EPS = float(np.finfo(float).eps)
RANK_RTOL = 4 * EPS
# Rounding of the terms of a function of unit size that leaves too little of it; and length at which a column counts.
BLURRED, SHORTEST = 2.0**-5, 2.0**-1000
# Newton steps of `nearest`, of which a handful are usual; halvings of a step; share of the entries' size at which the
# condition holds up to rounding, and at which nothing is done about it: what is repaired once stays as it is.
NEWTON_STEPS, HALVINGS, ROUNDING, NEGLIGIBLE = 60, 30, 1e-15, 2e-15
# Longest step, in units of the largest entry; entries below this share of it are zero.
FURTHEST, FAINT = 4.0, 1e-13
# Curvature, as a share of that without a box, that is added where all entries are on their ends.
DAMPING = 1e-12


@dataclass(frozen=True, eq=False)
class Free:
    """The functions that cost nothing, on the data.

    Attributes
    ----------
    columns : (N, k) array
        F, as it is stored: ones, if constants are free, then X, if there is a skip connection.
    basis : (N, r) array
        B; the ones come first, as they are.
    lift : (d + 1, r) array
        [A, c] of each column of the basis.
    has_constant : bool
        Whether constants are free.
    complete : bool
        Whether B spans F, and no column of X was left out.
    """

    columns: Array
    basis: Array
    lift: Array
    has_constant: bool
    complete: bool = True

    @classmethod
    def of(cls, X: Array, constant: bool, skip: bool) -> "Free":
        """Return the functions that cost nothing.

        Examples
        --------
        >>> free = Free.of(np.array([[1.0], [2.0], [3.0]]), constant=True, skip=True)
        >>> A, c = free.affine(free.coefficients(np.array([1.0, 3.0, 5.0])))
        >>> A.round(12), round(c, 12)
        (array([2.]), -1.0)
        """
        (n, d), ones = X.shape, np.ones((len(X), int(constant)))
        lift = np.zeros((d + 1, int(constant)))
        lift[-1:] = 1.0
        if not skip:
            return cls(ones, ones, lift, constant)
        moving, center = centred(X) if constant else (X, np.zeros(d))
        sizes = lengths(moving.T)
        clear = _clear(X, moving, sizes)
        units = sizes[clear]
        # All of the right vectors, and no more of the left ones than there are columns.
        left, singular, right = np.linalg.svd(moving[:, clear] / units, full_matrices=n < len(units))
        rank = int(np.sum(singular > RANK_RTOL * max(n, d) * singular.max(initial=0.0)))
        scale, A = np.sqrt(n), np.zeros((d, rank))
        slopes = (right[:rank].T / singular[:rank]) * scale / units[:, None]
        # The least of all A that are the same on the data.
        null, _ = np.linalg.qr(right[rank:].T / units[:, None])
        A[clear] = slopes - null @ (null.T @ slopes)
        return cls(
            np.hstack([ones, X]),
            np.hstack([ones, left[:, :rank] * scale]),
            np.hstack([lift, np.vstack([A, -center @ A])]),
            constant,
            bool(clear[sizes > 0].all()),
        )

    @property
    def rank(self) -> int:
        """Number r of functions in the basis."""
        return self.basis.shape[1]

    @property
    def linear(self) -> Array:
        """The columns of the basis beside the ones, which belong to the skip connection."""
        return self.basis[:, int(self.has_constant) :]

    def enter(self, X: Array, inverse: Array) -> "Free":
        """Return the same functions of other inputs X: `inverse` takes [A, c], or A alone, to what they are there."""
        ones, size = self.columns[:, : int(self.has_constant)], inverse.shape[1]
        lift = np.zeros((X.shape[1] + 1, self.rank))
        lift[: len(inverse)] = inverse @ self.lift[:size]
        return replace(self, columns=np.hstack([ones, X]) if self.linear.size else ones, lift=lift)

    def split(self, coefficients: Array) -> tuple[float, Array]:
        """Return the coefficient of the ones, 0.0 if there are none, and those of the skip connection."""
        return (float(coefficients[0]), coefficients[1:]) if self.has_constant else (0.0, coefficients)

    def skip_of(self, linear: Array) -> tuple[Array, float]:
        """Return A and c of a combination of the columns of the skip connection."""
        lifted = self.lift[:, int(self.has_constant) :] @ linear
        return lifted[:-1], float(lifted[-1])

    def affine(self, coefficients: Array) -> tuple[Array, Any]:
        """Return A (d,) and c of a combination of the basis or, for (r, K) coefficients, A (d, K) and c (K,)."""
        with np.errstate(over="ignore", invalid="ignore"):  # slopes may be beyond floats, and are refused then
            lifted = self.lift @ coefficients
        return lifted[:-1], float(lifted[-1]) if lifted.ndim == 1 else lifted[-1]

    def coefficients(self, values: Array) -> Array:
        """Return the coefficients of the combination that is nearest to values, a (r,) or (r, k) array."""
        if not self.linear.size:
            return values.mean(axis=0, keepdims=True)[: self.rank]
        found = self.basis.T @ values / len(values)
        # Once more, for the digits that are lost where nearly all is free.
        return found + self.basis.T @ (values - self.basis @ found) / len(values)

    def rest(self, values: Array) -> Array:
        """Return what is left of values without the nearest combination."""
        return values - self.basis @ self.coefficients(values)

    def nearest(self, v: Array, low: Array, high: Array) -> Array:
        """Return the vector with low <= v <= high and F'v = 0, up to rounding, that is nearest to v.

        Parameters
        ----------
        v : (N,) array
            Any vector.
        low, high : (N,) arrays
            The box, which has zero in it.

        Examples
        --------
        >>> free = Free.of(np.array([[0.0], [1.0], [2.0]]), constant=True, skip=True)
        >>> free.nearest(np.array([1.0, 0.0, 0.0]), np.full(3, -1.0), np.full(3, 1.0)).round(12)
        array([ 0.16666667, -0.33333333,  0.16666667])
        """
        B, n = self.basis, len(v)
        size = float(np.abs(v).max(initial=0.0))
        kept = (low <= v) & (v <= high) & ((v == 0) | (np.abs(v) > FAINT * size))
        if kept.all() and np.abs(B.T @ v).max(initial=0.0) <= NEGLIGIBLE * n * size:
            return v
        if not (np.isfinite(low).any() or np.isfinite(high).any()):
            return self._settled(self.rest(self.rest(v)), size, low, high)
        lam = np.zeros(self.rank)

        def at(lam: Array) -> tuple[Array, Array, float]:
            u = np.clip(v - B @ lam, low, high)
            slope = B.T @ u
            return u, slope, float((u - v) @ (u - v)) / 2 + float(lam @ slope)

        u, slope, value = at(lam)
        for _ in range(NEWTON_STEPS):
            if np.abs(slope).max(initial=0.0) <= ROUNDING * n * size:
                break
            inside = B[(low < u) & (u < high)]
            step = np.linalg.solve(inside.T @ inside + DAMPING * n * np.eye(self.rank), slope)
            # Where all is at its ends, further than this makes no difference.
            step *= min(1.0, FURTHEST * size / max(float(np.abs(B @ step).max()), np.finfo(float).tiny))
            length, promised = 1.0, float(slope @ step)
            for _ in range(HALVINGS):
                moved = at(lam + length * step)
                if moved[2] >= value + 1e-4 * length * promised or (moved[2] >= value and length < 1e-6):
                    break
                length /= 2
            else:
                break
            lam = lam + length * step
            u, slope, value = moved
        return self._settled(u, size, low, high)

    def _settled(self, u: Array, size: float, low: Array, high: Array) -> Array:
        """Return the vector with the last rounding of F'v taken off, by entries inside their box that are not zero.

        What should be zero, and is so but for rounding, is zero: where rows of X are few or far from general, no other
        entries could make up for it.
        """
        u = np.where(np.abs(u) > FAINT * size, u, 0.0)
        room = np.minimum(u - low, high - u)
        weights = np.where(np.isfinite(room), np.maximum(room, 0.0), np.abs(u).max(initial=0.0)) ** 2 * (u != 0)
        for _ in range(2):
            gram = self.basis.T @ (weights[:, None] * self.basis)
            shares = np.linalg.lstsq(gram, self.basis.T @ u)[0]
            moved = u - weights * (self.basis @ shares)
            if not ((low <= moved) & (moved <= high)).all():
                break
            if np.abs(self.basis.T @ moved).max(initial=0.0) >= np.abs(self.basis.T @ u).max(initial=0.0):
                break
            u = moved
        return u


def _clear(X: Array, moving: Array, sizes: Array) -> NDArray[np.bool_]:
    """Return which columns, less their means, are more than rounding, by themselves and beside the others.

    The columns x and x + 1, far from the origin, differ by a function with slopes of 1e13 and more, which is lost in
    the rounding of its terms.
    """
    n, d = X.shape
    clear = sizes > np.maximum(SHORTEST, np.abs(X).max(axis=0) * (np.sqrt(n) * EPS / BLURRED))
    while clear.any():
        kept = np.flatnonzero(clear)
        factors: Any = scipy.linalg.qr(moving[:, kept] / sizes[kept], mode="r", pivoting=True)
        triangle, order = factors
        rank = int(np.sum(np.abs(triangle.diagonal()) > RANK_RTOL * max(n, d)))
        kept = kept[order[:rank]]
        slopes = scipy.linalg.solve_triangular(triangle[:rank, :rank], np.eye(rank)) * np.sqrt(n) / sizes[kept, None]
        with np.errstate(over="ignore", invalid="ignore"):
            blurred = ~((np.abs(X[:, kept]) @ np.abs(slopes)).max(axis=0) * EPS <= BLURRED)
        if not blurred.any():
            break
        clear[kept[blurred]] = False
    return clear
