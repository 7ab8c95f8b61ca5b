r"""The moments of one region of several outputs, and the inequalities between them.

    x = (svec [[S, C], [C', Y]], s, H)        h_i is known, s_i C'z_i, where the sign of t_i is

With T_e = e'S e, P the directions with p.q >= 0, and split samples k, l

    trace S_w <= s,   trace Y <= s,   S_bb <= trace S_w (free bias),   [[S, C], [C', Y]] PSD
    [[T_i, h_i'], [h_i, Y]] PSD,   [[T_e, (h_i - h_k)'], [., Y]] PSD          places without a sign; pairs
    s_k s_l z_k'S z_l >= 0,   p_j'Y p_l >= 0,   s_k p_j.C'z_k >= 0            products of two known signs
    p_j.h_i >= abs(p_j.C'z_i)                                                 (p_j.q) (abs(t_i) -+ t_i) >= 0

hold for every measure on the region; a known sign implies all that is left out for it.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.implied import Implied
from cvxrelu.certificate.norm_trees import Known, NormMultipliers
from cvxrelu.numerics.lengths import row_sizes
from cvxrelu.relaxation.moment_rows import Rows, svec_places, unsvec
from cvxrelu.relaxation.signs import implied_signs

__all__ = ["MomentBlock", "Moments", "Numbers"]

Array = NDArray[np.float64]
Places = NDArray[np.intp]


class Moments(NamedTuple):
    """The moments of a region, and multipliers for it.

    Attributes
    ----------
    mass : float
        s.
    S, C, Y : (D, D), (D, r), (r, r) arrays
        Second moments of neurons and of directions.
    H : (n, r) array
        h of all places.
    multipliers : NormMultipliers
        For the dual matrix of the program, in units of the points.
    """

    mass: float
    S: Array
    C: Array
    Y: Array
    H: Array
    multipliers: NormMultipliers


class Numbers(NamedTuple):
    """Where the rows of numbers that are not negative are, by kind."""

    products: Places
    turns: Places
    crossed: Places
    lifts: Places


@dataclass(frozen=True, eq=False)
class MomentBlock:
    """One region.

    Attributes
    ----------
    Z : (n, D) array
        Lifted places.
    normed : int
        D, or one less where the bias is free.
    basis : (K, r) array
        Orthonormal directions of predictions that matter.
    known : Known
        Signs and directions of the region.
    pairs : (P, 2) array of int
        Pairs of places, not both of a known sign.
    """

    Z: Array
    normed: int
    basis: Array
    known: Known
    pairs: Places

    @cached_property
    def unit(self) -> Array:
        """The places at length one."""
        return self.Z / self.lengths[:, None]

    @cached_property
    def lengths(self) -> Array:
        """Lengths of the places, 1 for zero rows."""
        lengths = row_sizes(self.Z)
        return np.where(lengths > 0, lengths, 1.0)

    @cached_property
    def implied(self) -> Implied:
        """Signs that follow."""
        size = self.lengths
        return tuple(
            (k, sign, {j: float(c * size[k] / size[j]) for j, c in shares.items()})
            for k, (sign, shares) in implied_signs(self.unit, self.known.signs).items()
        )

    @cached_property
    def signs(self) -> Array:
        """Signs of all places, 0 where there is none."""
        signs = np.zeros(len(self.Z))
        for k, sign in ({k: sign for k, sign, _ in self.implied} | self.known.signs).items():
            signs[k] = sign
        return signs

    @cached_property
    def free(self) -> Places:
        """Places without a sign."""
        return np.flatnonzero(self.signs == 0)

    @cached_property
    def S(self) -> Array:
        """Rows that were split at, times their signs."""
        split = sorted(self.known.signs)
        return np.array([self.known.signs[k] for k in split])[:, None] * self.Z[split]

    @cached_property
    def P(self) -> Array:
        """Directions p, in the basis."""
        return np.array(self.known.directions).reshape(-1, len(self.basis)) @ self.basis

    @property
    def r(self) -> int:
        """Number of directions that matter."""
        return self.basis.shape[1]

    @property
    def side(self) -> int:
        """Side of the matrix of moments."""
        return self.Z.shape[1] + self.r

    @property
    def size(self) -> int:
        """Number of columns."""
        return self.mass + 1 + len(self.free) * self.r

    @property
    def mass(self) -> int:
        """Where s is."""
        return self.side * (self.side + 1) // 2

    @property
    def n_cones(self) -> int:
        """Number of cones of places and pairs."""
        return len(self.free) + len(self.pairs)

    @cached_property
    def _at(self) -> Places:
        return svec_places(self.side)

    @cached_property
    def _cross(self) -> Places:
        """Where C is."""
        D = self.Z.shape[1]
        return self._at[:D, D:]

    @cached_property
    def _heights(self) -> Places:
        """Where H is, (n, r); anywhere for places of known sign."""
        heights = np.zeros((len(self.Z), self.r), dtype=np.intp)
        heights[self.free] = self.mass + 1 + np.arange(len(self.free) * self.r).reshape(-1, self.r)
        return heights

    def put_outputs(self, rows: Rows, at: Places, first: int, place: Places, a: float) -> None:
        """Put -(1 + a)/2 C'z_i - (1 - a)/2 h_i of all samples into rows at, (N, r)."""
        sign = self.signs[place]
        rows.put(at, first + self._heights[place], np.where(sign == 0, -(1 - a) / 2, 0.0)[:, None])
        factor = -((1 + a) / 2 + (1 - a) / 2 * sign)[:, None] * self.Z[place] / np.sqrt(2)
        rows.put(at[:, None, :], first + self._cross[None], factor[:, :, None])

    def add_numbers(self, rows: Rows, first: int) -> Numbers:
        """Add the rows of numbers that are not negative; return where products are, by kind."""
        D, at, S, P = self.Z.shape[1], self._at, self.S, self.P
        diagonal = first + np.diag(at)
        for part in (diagonal[: self.normed], diagonal[D:]):
            row = rows.add(1)
            rows.put(row, first + self.mass, -1.0)
            rows.put(row, part, 1.0)
        if self.normed < D:
            row = rows.add(1)
            rows.put(row, diagonal[: self.normed], -1.0)
            rows.put(row, diagonal[self.normed : D], 1.0)
        found = []
        for vectors, start in ((S, 0), (P, D)):
            k, j = np.triu_indices(len(vectors), 1)
            found.append(rows.add(len(k)))
            # In an svec entries off the diagonal are times sqrt(2), and each stands for two.
            for p in range(vectors.shape[1]):
                for q in range(p + 1):
                    value = vectors[k, p] * vectors[j, q] + vectors[k, q] * vectors[j, p]
                    rows.put(found[-1], first + at[start + p, start + q], -value / (2.0 if p == q else np.sqrt(2)))
        crossed, lifts = rows.add(len(S) * len(P)), rows.add(2 * len(self.free) * len(P))
        self._put_cross(rows, crossed.reshape(len(S), len(P)), first, S, 1.0)
        for sign, part in zip((1.0, -1.0), lifts.reshape(2, len(self.free), len(P)), strict=True):
            self._put_cross(rows, part, first, self.Z[self.free], -sign)
            rows.put(part[:, :, None], first + self._heights[self.free][:, None, :], -P[None])
        return Numbers(found[0], found[1], crossed, lifts)

    def _put_cross(self, rows: Rows, at: Places, first: int, vectors: Array, sign: float) -> None:
        """Put sign p_j.C'z_i into rows at (i, j), to be positive."""
        values = vectors[:, None, :, None] * self.P[None, :, None, :] / np.sqrt(2)
        rows.put(at[:, :, None, None], first + self._cross[None, None], -sign * values)

    def add_cones(self, rows: Rows, first: int) -> tuple[Places, list[int]]:
        """Add the semidefinite matrices; return where those of places and pairs are, and all sides."""
        whole = rows.add(self.mass)
        rows.put(whole, first + np.arange(self.mass), -1.0)
        D, r, at = self.Z.shape[1], self.r, self._at
        ends = self.pairs[:, 0], self.pairs[:, 1]
        E = np.vstack([self.Z[self.free], self.Z[ends[0]] - self.Z[ends[1]]])
        width = (r + 1) * (r + 2) // 2
        cones = rows.add(width * len(E)).reshape(len(E), width)
        for q in range(D):
            for p in range(q + 1):
                factor = 1.0 if p == q else np.sqrt(2)
                rows.put(cones[:, 0], first + at[p, q], -factor * E[:, p] * E[:, q])
        mixed = cones[:, [(j + 1) * (j + 2) // 2 for j in range(r)]]
        count = len(self.free)
        rows.put(mixed[:count], first + self._heights[self.free], -np.sqrt(2))
        for end, sign in zip(ends, (1.0, -1.0), strict=True):
            known = self.signs[end]
            value = np.where(known == 0, -sign * np.sqrt(2), 0.0)
            rows.put(mixed[count:], first + self._heights[end], value[:, None])
            # sqrt(2) h = sqrt(2) s C'z, and an entry of C is that of the svec over sqrt(2).
            linear = -sign * known[:, None] * self.Z[end]
            rows.put(mixed[count:, None, :], first + self._cross[None], linear[:, :, None])
        for j in range(r):
            for k in range(j + 1):
                rows.put(cones[:, (j + 1) * (j + 2) // 2 + 1 + k], first + at[D + k, D + j], -1.0)
        return cones, [self.side, *[r + 1] * len(E)]

    def read(self, x: Array, z: Array, numbers: Numbers, cones: Places) -> Moments:
        """Return moments from the block's part of a solution, and multipliers from all of those of its program."""
        D, r, n, free = self.Z.shape[1], self.r, len(self.Z), self.free
        M = unsvec(x[: self.mass], self.side)
        H = self.signs[:, None] * (self.Z @ M[:D, D:])
        H[free] = x[self.mass + 1 :].reshape(-1, r)
        products, turns, crossed, lifted = (np.maximum(z[part], 0.0) for part in numbers)
        tau = np.maximum(2 * z[cones[:, 0]], 0.0)
        amounts = -np.sqrt(2) * z[cones][:, [(j + 1) * (j + 2) // 2 for j in range(r)]] @ self.basis.T
        single = np.zeros(n)
        single[free] = tau[: len(free)]
        J, split = len(self.P), sorted(self.known.signs)
        lifts = np.zeros((2, n, J))
        lifts[:, free] = lifted.reshape(2, len(free), J)
        for k, row in zip(split, crossed.reshape(len(split), J), strict=True):
            # (p.q) s t = (p.q) (abs(t) + s t) / 2
            lifts[1 if self.signs[k] > 0 else 0, k] = row / 2
        multipliers = NormMultipliers(
            self.pairs,
            amounts[len(free) :],
            single,
            tau[len(free) :],
            products=_symmetric(products, len(split)),
            turns=_symmetric(turns, J),
            lifts=lifts,
            implied=self.implied,
        )
        return Moments(float(x[self.mass]), M[:D, :D], M[:D, D:], M[D:, D:], H, multipliers)


def _symmetric(upper: Array, side: int) -> Any:
    """Return a symmetric matrix with half of the numbers given on either side of the diagonal."""
    matrix = np.zeros((side, side))
    matrix[np.triu_indices(side, 1)] = upper / 2
    return matrix + matrix.T
