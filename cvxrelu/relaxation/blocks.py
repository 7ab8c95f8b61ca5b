r"""The moments of the neurons of one region, and the inequalities between them.

A measure over unit neurons u of a region, all of one output sign, is replaced by

    M = [[s, m'], [m, S]]      its mass s, mean m and second moment S, the integral of u u'
    a_i                        standing for the integral of abs(t_i),  t_i = z_i.u, over the length of z_i
    y_j                        standing for the integrals of the activations' bounds, see below

with, for every measure on the region, and z_i, e_k of length one,

    M >= 0 (semidefinite),  trace(S_w) <= s,  S_bb <= trace(S_w)             the ball, and the strip of a free bias
    abs(z_i.m) <= a_i,  (length / reach) z_i'S z_i <= a_i <= y_i,             y_i^2 <= s z_i'S z_i
    (a_k - sum_i lam_i a_i) / length(e_k) <= y_k,                             y_k^2 <= s e_k'S e_k         cuts
    s_k z_k.m = a_k >= (length / reach) z_k'S z_k,  s_k s_l z_k'S z_l >= 0    where signs are known.

All of it is linear in x = (M, a) and y but for the cones: M, the 2 x 2 matrices [[s, y_j], [y_j, z_j'S z_j]], and
numbers that are not negative. `Block` knows these linear maps and their adjoints; `newton` makes the matrix of a step.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, eye_array, vstack

from cvxrelu.relaxation.cones import Cone
from cvxrelu.relaxation.frame import Frame
from cvxrelu.relaxation.signs import implied_signs

__all__ = ["Block", "Numbers"]

Array = NDArray[np.float64]


class Numbers(NamedTuple):
    """The numbers of a block's cones.

    Attributes
    ----------
    rows : (r,) array
        Ball, strip, a - (length / reach) z'S z of known signs, and their products.
    plus, minus, above : (n_free,) arrays
        a - t, a + t, a - (length / reach) z'S z of the places without a sign.
    below : (J,) array
        y - B a.
    """

    rows: Array
    plus: Array
    minus: Array
    above: Array
    below: Array


@dataclass(frozen=True, eq=False)
class Block:
    """One region of the unit neurons of one output sign.

    Attributes
    ----------
    frame : Frame
        The data.
    side : float
        The output sign, 1.0 or -1.0.
    signs : dict
        Signs of t_k that neurons of the region have, by place.
    cuts : tuple
        Rows (k, others, lam): abs(t_k) <= sum lam_i abs(t_i) + abs(e.u), e = z_k - sum lam_i z_i.
    """

    frame: Frame
    side: float
    signs: dict[int, float]
    cuts: tuple[tuple[int, tuple[int, ...], tuple[float, ...]], ...] = ()

    @cached_property
    def implied(self) -> dict[int, tuple[float, dict[int, float]]]:
        """Signs that follow: s_k and {j: c_j} with s_k z_k = sum_j c_j s_j z_j, c >= 0, in rows of length one.

        Such a place cannot be split at, and the moments of a region whose signs are all decided are exact only with it.
        """
        return implied_signs(self.frame.unit, self.signs)

    @cached_property
    def known(self) -> NDArray[np.intp]:
        """Places whose sign is known."""
        return np.array(sorted({*self.signs, *self.implied}), dtype=np.intp)

    @cached_property
    def free(self) -> NDArray[np.intp]:
        """All others."""
        return np.setdiff1d(np.arange(self.frame.n_places), self.known)

    @cached_property
    def oriented(self) -> Array:
        """Unit rows with known signs, times their signs."""
        signs = {k: sign for k, (sign, _) in self.implied.items()} | self.signs
        return np.array([signs[k] for k in self.known.tolist()])[:, None] * self.frame.unit[self.known]

    @cached_property
    def cut_rows(self) -> csr_array:
        """Rows e_k - lam on the places."""
        counts = [1 + len(others) for _, others, _ in self.cuts]
        rows = np.repeat(np.arange(len(self.cuts)), counts)
        columns = np.array([i for k, others, _ in self.cuts for i in (k, *others)], dtype=np.intp)
        values = np.array([x for _, _, lam in self.cuts for x in (1.0, *(-value for value in lam))])
        return csr_array((values, (rows, columns)), shape=(len(self.cuts), self.frame.n_places))

    @cached_property
    def spans(self) -> Array:
        """Lengths of the e_k."""
        return np.linalg.norm(self.cut_rows @ self.frame.Z, axis=1)

    @cached_property
    def directions(self) -> Array:
        """Unit vectors z_i and e_k whose second moments bound the y_j, (J, D)."""
        return np.vstack([self.frame.unit[self.free], (self.cut_rows @ self.frame.Z) / self.spans[:, None]])

    @cached_property
    def squares(self) -> Array:
        """Rows that map M to the second moments of the directions."""
        return self.frame.second(self.directions, self.directions)

    @cached_property
    def balance(self) -> csr_array:
        """B: what the y_j are at least, of all a."""
        frame = self.frame
        places = csr_array(eye_array(frame.n_places))[self.free]
        cuts = diags_array(1 / self.spans) @ self.cut_rows @ diags_array(frame.lengths)
        return csr_array(vstack([places, cuts]))

    @cached_property
    def transposed(self) -> csr_array:
        """B', by rows."""
        return csr_array(self.balance.T)

    @cached_property
    def _products(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
        """Products of two entries of a row of B: where in B' W B they go, of which row, and their values."""
        starts, columns, values = self.balance.indptr, self.balance.indices, self.balance.data
        counts = np.diff(starts)
        row = np.repeat(np.arange(len(counts)), counts**2)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts**2) - counts**2, counts**2)
        left, right = starts[row] + within // counts[row], starts[row] + within % counts[row]
        where = columns[left].astype(np.intp) * self.frame.n_places + columns[right]
        return where.astype(np.intp), row.astype(np.intp), np.asarray(values[left] * values[right], dtype=np.float64)

    def weighted_balance(self, weights: Array) -> Array:
        """Return B' diag(weights) B."""
        n, (where, row, products) = self.frame.n_places, self._products
        # Of nothing at all, the counts would be integers.
        return np.asarray(np.bincount(where, weights[row] * products, n * n), dtype=float).reshape(n, n)

    @cached_property
    def credit(self) -> Array:
        """Length over reach of the places without a sign."""
        return self.frame.credit[self.free]

    @cached_property
    def heights(self) -> Array:
        """Rows that map M to a_k where signs are known."""
        heights = np.zeros((len(self.known), len(self.frame.multiplicity)))
        heights[:, self.frame.mean] = self.oriented
        return heights

    @cached_property
    def rows(self) -> Array:
        """Rows that map M to the slacks of ball and strip, known signs and their products.

        The credit of a known sign implies the sign, and without it a half of a region would be bounded worse than all.
        """
        frame = self.frame
        diagonal = np.diag(frame.index)
        trace = np.zeros(len(frame.multiplicity))
        trace[diagonal[1 : frame.normed + 1]] = 1.0
        ball = -trace
        ball[0] += 1.0
        rows = [ball[None]]
        if frame.strip:
            trace[diagonal[-1]] -= 1.0
            rows.append(trace[None])
        left, right = np.triu_indices(len(self.known), 1)
        above = self.heights - frame.credit[self.known, None] * frame.second(self.oriented, self.oriented)
        return np.vstack([*rows, above, frame.second(self.oriented[left], self.oriented[right])])

    @cached_property
    def outputs(self) -> Array:
        """Rows that map x to the predictions at the samples, with the output sign."""
        frame, n = self.frame, len(self.frame.multiplicity)
        outputs = np.zeros((frame.n_places, self.size))
        outputs[:, frame.mean] = frame.odd * frame.Z
        outputs[self.free, n + np.arange(len(self.free))] = frame.even * frame.lengths[self.free]
        outputs[self.known, :n] += frame.even * frame.lengths[self.known, None] * self.heights
        return self.side * frame.scale * np.where(frame.place[:, None] >= 0, outputs[frame.place], 0.0)

    @property
    def size(self) -> int:
        """Entries of x."""
        return len(self.frame.multiplicity) + len(self.free)

    @property
    def degree(self) -> int:
        """Number of products of a slack and its multiplier: what a gap is divided by."""
        J = len(self.directions)
        return self.frame.dimension + 1 + 2 * J + len(self.rows) + 3 * len(self.free) + J

    def magnitudes(self, x: Array) -> Array:
        """Return all a."""
        n = len(self.frame.multiplicity)
        a = np.empty(self.frame.n_places)
        a[self.free], a[self.known] = x[n:], self.heights @ x[:n]
        return a

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of pairs and of numbers."""
        J = len(self.directions)
        return J, len(self.rows) + 3 * len(self.free) + J

    def numbers(self, cone: Cone) -> Numbers:
        """Return the numbers of an element of this block's cones, by kind."""
        r, n = len(self.rows), len(self.free)
        numbers = cone.numbers
        return Numbers(
            numbers[:r],
            numbers[r : r + n],
            numbers[r + n : r + 2 * n],
            numbers[r + 2 * n : r + 3 * n],
            numbers[r + 3 * n :],
        )

    def slacks(self, x: Array, y: Array) -> Cone:
        """Return the slacks of all cones."""
        frame, free = self.frame, self.free
        M, a = x[: len(frame.multiplicity)], self.magnitudes(x)
        t, squares = frame.unit[free] @ M[frame.mean], self.squares @ M
        above = a[free] - self.credit * squares[: len(free)]
        numbers = np.concatenate([self.rows @ M, a[free] - t, a[free] + t, above, y - self.balance @ a])
        return Cone(M[frame.index][None], np.stack([np.full(len(y), M[0]), y, squares]), numbers)

    def adjoint(self, cone: Cone) -> tuple[Array, Array]:
        """Return the adjoint of `slacks`, for x and for y."""
        frame, free = self.frame, self.free
        rows, plus, minus, above, below = self.numbers(cone)
        first, mixed, last = cone.pairs
        on_squares = last.copy()
        on_squares[: len(free)] -= self.credit * above
        on_M = frame.multiplicity * cone.moments[0][frame.upper] + self.rows.T @ rows + self.squares.T @ on_squares
        on_M[0] += first.sum()
        on_M[frame.mean] += frame.unit[free].T @ (minus - plus)
        on_a = -(self.transposed @ below)
        on_a[free] += plus + minus + above
        return self.gathered(on_M, on_a), 2 * mixed + below

    def gathered(self, on_M: Array, on_a: Array) -> Array:
        """Return the part of x, with a_k put back on M where signs are known."""
        if len(self.known):
            on_M = on_M + self.heights.T @ on_a[self.known]
        return np.concatenate([on_M, on_a[self.free]])
