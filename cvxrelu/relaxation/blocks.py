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
numbers that are not negative. `Block` knows these linear maps, their adjoints, and the matrix of a Newton step, in
which every y_j is eliminated by hand: its side is (D + 1)(D + 2) / 2 + n however many cuts there are.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, nnls
from scipy.sparse import csr_array, diags_array, eye_array, vstack
from scipy.special import erf

__all__ = ["Block", "Cone", "Frame"]

Array = NDArray[np.float64]

# Signs are told apart in the start by at least this share of the length of the rows.
LEAST_MARGIN = 1e-6
# Entries up to which a sparse matrix is multiplied with as a dense one.
DENSE = 1_000_000
# Rows of length one are combinations of others if they are this close to them.
SAME = 1e-10
# Halvings of the spread around the mean until a start is inside a region.
HALVINGS = 40
# Shares of the room between abs(t) and the root of its square that a start takes, tried in turn.
ROOM = (0.3, 0.1, 0.03, 0.003)


class Cone(NamedTuple):
    """An element of the product of cones: slacks, or their multipliers.

    Attributes
    ----------
    moments : (D + 1, D + 1) array
        M, or its multiplier.
    pairs : (J, 2, 2) array
        The small matrices.
    rows : (r,) array
        Ball, strip, a - (length / reach) z'S z of known signs, and their products.
    sides : (3 n_free + J,) array
        a - t, a + t, a - (length / reach) z'S z, and y - B a.
    """

    moments: Array
    pairs: Array
    rows: Array
    sides: Array

    def dot(self, other: "Cone") -> float:
        """Return the inner product."""
        return float(sum(np.vdot(mine, its) for mine, its in zip(self, other, strict=True)))


@dataclass(frozen=True, eq=False)
class Frame:
    """The lifted places of the data in coordinates of their span.

    Attributes
    ----------
    Z : (n, D) array
        Rows; the last column is the bias's where there is a strip.
    strip : bool
        Whether the last coordinate of a neuron is bounded by the norm of the others, and free otherwise.
    reach : (n,) array
        Largest abs(z_i.u).
    odd, even : float
        p and q of sigma(t) = p t + q abs(t).
    place : (N,) int array
        The place of each sample; -1 where all neurons vanish.
    scale : float
        Predictions per unit of sum_j s_j sigma(z.u_j).
    """

    Z: Array
    strip: bool
    reach: Array
    odd: float
    even: float
    place: NDArray[np.intp]
    scale: float

    @cached_property
    def lengths(self) -> Array:
        """Norms of the rows, 1 for zero rows."""
        norms = np.linalg.norm(self.Z, axis=1)
        return np.where(norms > 0, norms, 1.0)

    @cached_property
    def unit(self) -> Array:
        """The rows at length one."""
        return self.Z / self.lengths[:, None]

    @cached_property
    def credit(self) -> Array:
        """Length over reach."""
        return self.lengths / np.maximum(self.reach, 1e-300)

    @property
    def n_places(self) -> int:
        """Number of rows."""
        return len(self.Z)

    @property
    def dimension(self) -> int:
        """D."""
        return self.Z.shape[1]

    @property
    def normed(self) -> int:
        """Coordinates whose norm is at most one: all but the bias in a strip."""
        return self.dimension - self.strip

    @cached_property
    def upper(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of the entries of M that stand for it."""
        return np.triu_indices(self.dimension + 1)

    @cached_property
    def index(self) -> NDArray[np.intp]:
        """Place of every entry of M among them."""
        side = self.dimension + 1
        index = np.zeros((side, side), dtype=np.intp)
        index[self.upper] = np.arange(len(self.upper[0]))
        return np.maximum(index, index.T)

    @cached_property
    def multiplicity(self) -> Array:
        """How often each of them occurs in M: 2, or 1 on the diagonal."""
        return np.where(self.upper[0] == self.upper[1], 1.0, 2.0)

    @property
    def mean(self) -> NDArray[np.intp]:
        """Where m is."""
        return self.index[0, 1:]

    def second(self, left: Array, right: Array) -> Array:
        """Return rows that map M to left_j'S right_j."""
        left, right = (np.column_stack([np.zeros(len(rows)), rows]) for rows in (left, right))
        i, j = self.upper
        return (left[:, i] * right[:, j] + left[:, j] * right[:, i]) * (self.multiplicity / 2)


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
        unit, at = self.frame.unit, sorted(self.signs)
        if not at:
            return {}
        rows = np.array([self.signs[j] for j in at])[:, None] * unit[at]
        off = unit - unit @ np.linalg.pinv(rows, rcond=SAME) @ rows
        implied = {}
        for k in np.flatnonzero(np.linalg.norm(off, axis=1) <= SAME).tolist():
            for sign in (1.0, -1.0) if k not in self.signs and unit[k].any() else ():
                shares, distance = nnls(rows.T, sign * unit[k])
                if distance <= SAME:
                    implied[k] = sign, {j: float(c) for j, c in zip(at, shares, strict=True) if c > 0}
        return implied

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
    def balance(self) -> Array | csr_array:
        """B: what the y_j are at least, of all a; dense where that is fast."""
        frame = self.frame
        places = csr_array(eye_array(frame.n_places))[self.free]
        cuts = diags_array(1 / self.spans) @ self.cut_rows @ diags_array(frame.lengths)
        balance = csr_array(vstack([places, cuts]))
        return balance if len(self.directions) * frame.n_places > DENSE else balance.toarray()

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

    def slacks(self, x: Array, y: Array) -> Cone:
        """Return the slacks of all cones."""
        frame, free = self.frame, self.free
        M, a = x[: len(frame.multiplicity)], self.magnitudes(x)
        t, squares = frame.unit[free] @ M[frame.mean], self.squares @ M
        pairs = np.empty((len(y), 2, 2))
        pairs[:, 0, 0], pairs[:, 1, 1], pairs[:, 0, 1], pairs[:, 1, 0] = M[0], squares, y, y
        above = a[free] - self.credit * squares[: len(free)]
        sides = np.concatenate([a[free] - t, a[free] + t, above, y - self.balance @ a])
        return Cone(M[frame.index], pairs, self.rows @ M, sides)

    def adjoint(self, cone: Cone) -> tuple[Array, Array]:
        """Return the adjoint of `slacks`, for x and for y."""
        frame, free = self.frame, self.free
        plus, minus, above, below = np.split(cone.sides, [len(free), 2 * len(free), 3 * len(free)])
        on_squares = cone.pairs[:, 1, 1].copy()
        on_squares[: len(free)] -= self.credit * above
        on_M = frame.multiplicity * cone.moments[frame.upper] + self.rows.T @ cone.rows + self.squares.T @ on_squares
        on_M[0] += cone.pairs[:, 0, 0].sum()
        on_M[frame.mean] += frame.unit[free].T @ (minus - plus)
        on_a = -(self.balance.T @ below)
        on_a[free] += plus + minus + above
        return self._gathered(on_M, on_a), 2 * cone.pairs[:, 0, 1] + below

    def newton(self, scaling: "Cone") -> tuple[Array, "Elimination"]:
        """Return the matrix of x, y eliminated, of adjoint times scaling times slacks.

        Parameters
        ----------
        scaling : Cone
            Matrices P, which scale by P . P, and weights.
        """
        frame, free, n = self.frame, self.free, len(self.frame.multiplicity)
        (i, j), P, c = frame.upper, scaling.moments, frame.multiplicity
        on_M = P[np.ix_(i, i)]
        on_M *= P[np.ix_(j, j)]
        crossed = P[np.ix_(i, j)]
        crossed *= P[np.ix_(j, i)]
        on_M += crossed
        on_M *= c[:, None] * (c / 2)
        on_M += self.rows.T @ (scaling.rows[:, None] * self.rows)
        plus, minus, above, below = np.split(scaling.sides, [len(free), 2 * len(free), 3 * len(free)])
        on, yes = scaling.pairs, self._eliminated(scaling.pairs, below)

        # The 3 x 3 forms in (s, square, B a) that are left of each pair.
        determinant = 2 * (on[:, 0, 0] * on[:, 1, 1] - on[:, 0, 1] ** 2) + below
        TT, ss = on[:, 1, 1] ** 2 * determinant / yes.yy, on[:, 0, 0] ** 2 * determinant / yes.yy
        sT = on[:, 0, 1] ** 2 - yes.sy * yes.Ty / yes.yy
        bb, sb, Tb = below * (yes.yy - below) / yes.yy, below * yes.sy / yes.yy, below * yes.Ty / yes.yy

        TT[: len(free)] += self.credit**2 * above
        on_M += self.squares.T @ (TT[:, None] * self.squares)
        first = self.squares.T @ sT
        on_M[0] += first
        on_M[:, 0] += first
        on_M[0, 0] += ss.sum()
        Z = frame.unit[free]
        on_M[np.ix_(frame.mean, frame.mean)] += Z.T @ ((plus + minus)[:, None] * Z)

        on_a = self._weighted_balance(bb)
        on_a[free, free] += plus + minus + above
        mixed = (self.balance.T @ (Tb[:, None] * self.squares)).T
        mixed[0] += self.balance.T @ sb
        mixed[:, free] -= (self.squares[: len(free)] * (self.credit * above)[:, None]).T
        mixed[np.ix_(frame.mean, free)] += (Z * (minus - plus)[:, None]).T

        if len(self.known):
            half = mixed[:, self.known] @ self.heights
            on_M += half + half.T + self.heights.T @ on_a[np.ix_(self.known, self.known)] @ self.heights
            mixed[:, free] += self.heights.T @ on_a[np.ix_(self.known, free)]
        matrix = np.empty((self.size, self.size))
        matrix[:n, :n], matrix[:n, n:], matrix[n:, :n] = on_M, mixed[:, free], mixed[:, free].T
        matrix[n:, n:] = on_a[np.ix_(free, free)]
        return matrix, yes

    def _weighted_balance(self, weights: Array) -> Array:
        """Return B' diag(weights) B."""
        if isinstance(self.balance, np.ndarray):
            return (self.balance.T * weights) @ self.balance
        return (self.balance.T @ diags_array(weights) @ self.balance).toarray()

    def _eliminated(self, pairs: Array, below: Array) -> "Elimination":
        first, second, mixed = pairs[:, 0, 0], pairs[:, 1, 1], pairs[:, 0, 1]
        yy = 2 * (first * second + mixed**2) + below
        return Elimination(yy, 2 * first * mixed, 2 * second * mixed, below)

    def forward(self, eliminated: "Elimination", right: Array) -> Array:
        """Return what a right-hand side of y takes off that of x."""
        share = right / eliminated.yy
        on_M = self.squares.T @ (eliminated.Ty * share)
        on_M[0] += eliminated.sy @ share
        return self._gathered(on_M, -(self.balance.T @ (eliminated.below * share)))

    def backward(self, eliminated: "Elimination", right: Array, x: Array) -> Array:
        """Return y, given its right-hand side and x."""
        M = x[: len(self.frame.multiplicity)]
        taken = eliminated.sy * M[0] + eliminated.Ty * (self.squares @ M)
        return (right - taken + eliminated.below * (self.balance @ self.magnitudes(x))) / eliminated.yy

    def _gathered(self, on_M: Array, on_a: Array) -> Array:
        """Return the part of x, with a_k put back on M where signs are known."""
        if len(self.known):
            on_M = on_M + self.heights.T @ on_a[self.known]
        return np.concatenate([on_M, on_a[self.free]])

    def middle(self, x: Array) -> Array:
        """Return y half way between its bounds."""
        M = x[: len(self.frame.multiplicity)]
        floor = np.maximum(self.balance @ self.magnitudes(x), 0.0)
        return (floor + np.sqrt(np.maximum(M[0] * (self.squares @ M), 0.0))) / 2

    def holds(self, x: Array) -> bool:
        """Tell whether x, with the y in the middle, is strictly inside of all cones."""
        slacks = self.slacks(x, self.middle(x))
        if not (slacks.rows > 0).all() or not (slacks.sides > 0).all():
            return False
        try:
            np.linalg.cholesky(slacks.moments)
            np.linalg.cholesky(slacks.pairs)
        except np.linalg.LinAlgError:
            return False
        return True

    @cached_property
    def start(self) -> Array | None:
        """A point strictly inside, of mass one: the moments of a normal distribution; None if there is no room.

        Any distribution meets all inequalities with integrals of abs(t_i), strictly if it is spread out.
        """
        frame, D = self.frame, self.frame.dimension
        mean, spread = np.zeros(D), np.full(D, 0.25)
        spread[: frame.normed] = 0.5 / frame.normed
        if len(self.known):
            inner = self._inner()
            if inner is None:
                return None
            mean = inner
        for _ in range(HALVINGS):
            M = np.zeros((D + 1, D + 1))
            M[0, 0], M[0, 1:], M[1:, 0] = 1.0, mean, mean
            M[1:, 1:] = np.outer(mean, mean) + np.diag(spread)
            t, deviation = frame.unit @ mean, np.sqrt(frame.unit**2 @ spread)
            ratio = t / deviation
            a = deviation * (np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + ratio * erf(ratio / np.sqrt(2)))
            # Where the spread is small beside the mean, that is |t| up to rounding; there is more room than that.
            room = np.hypot(t, deviation) - np.abs(t)
            for share in ROOM:
                x = np.concatenate([M[frame.upper], np.maximum(a, np.abs(t) + share * room)[self.free]])
                if self.holds(x):
                    return x
            spread = spread / 2
        return None

    def _inner(self) -> Array | None:
        """Return a vector well inside the half-spaces of the known signs, the ball, the strip and all reaches."""
        D = self.frame.dimension
        rows = np.column_stack([-self.oriented, np.ones(len(self.known))])
        best = linprog(np.r_[np.zeros(D), -1.0], rows, np.zeros(len(rows)), bounds=[(-1, 1)] * D + [(None, 1)])
        if best.x is None or best.x[-1] <= LEAST_MARGIN:
            return None
        inner = best.x[:-1]
        size = max(np.linalg.norm(inner[: self.frame.normed]), np.max(self.frame.credit * abs(self.frame.unit @ inner)))
        if self.frame.strip:
            size = max(size, 1.2 * abs(inner[-1]))
        return inner / (1.7 * size) if size > 0 else None


class Elimination(NamedTuple):
    """The rows of y in a Newton matrix: what it takes to eliminate them and to get them back."""

    yy: Array
    sy: Array
    Ty: Array
    below: Array
