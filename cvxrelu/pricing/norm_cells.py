r"""Scores of the neurons of one cell whose cost is a norm there, by weak duality, rounding included.

In the cell of a pattern s the score is linear, g.u with g = sum_i h_i v_i z_i, and a neuron costs norm(M u), with M the
group matrix of the cell. With A = diag(s) Z, weak duality bounds the scores of the neurons of unit cost in the cell:

    max { g.u : A u >= 0, norm(M u) <= 1 }  <=  norm(p)    for any lam >= 0 and p with M' p = g + A' lam.

Let M have the singular value decomposition U S V', V = [V_1, V_0] with V_0 its null space (the cost may be a seminorm),
and T = V_1 S_1^-1, so that p stands for T' (g + A' lam), and V_0' (g + A' lam) = 0 is required. The least norm(p) is
sought as a non-negative least-squares problem in which that equation has a large weight; its residual is moreover the
maximiser u.

Rounding. The equation is then met up to q = V_0' (g + A' lam), which lies in the range of V_0' A_+', where A_+ are the
rows with lam > 0. So some change of lam by at most norm(q) / sigma, sigma the smallest nonzero singular value of that
matrix, meets it exactly. Where lam has room for it, it moves p by at most norm(T' A_+') norm(q) / sigma; where lam has
not, the entries without room are set to zero, in the end all, which any g in the range of M' allows. The bound also
includes the rounding of p, which grows with the condition of M. Singular values below a share `RANK_RTOL` of the
largest are taken for zero where integers say so (`cvxrelu.pricing.flats`); where they do not, a neuron of cost one
responds by no more than `Norm.reach` to each sample, and no less can be proven.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.least_squares import nonnegative_least_squares
from cvxrelu.pricing.flats import ExactRanks, doubtful_cells
from cvxrelu.pricing.orthonormal import orthonormal_rows
from cvxrelu.problem.cell_coordinates import CHUNK, RANK_RTOL, CellCoordinates
from cvxrelu.problem.norms import Norm
from cvxrelu.runtime.clock import Clock

__all__ = ["NormCells"]

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Share of its terms below which what g has outside the range of M' is rounding.
STRAY_RTOL = 1e-10
# Multiple of the rounding that the equation may be missed by after its correction.
STRAY_FACTOR = 64.0
# Share of its terms below which the best score in a cell is zero up to the accuracy of the least-squares method.
NEGLIGIBLE_SCORE = 1e-9
# Weights of the equation, against rows of order one. It is met to the square of their inverse, and the maximiser loses
# no more digits than the first; the others are for cells whose bound stays loose, since samples are nearly in a plane.
EQUATION_WEIGHTS = (1e5, 1e8, 1e11)
# Share by which the bound of a cell may exceed its best score before another weight is tried.
LOOSE_RTOL = 1e-8
# Rounded operations, in units of the roundoff, behind one entry of p: sums over N samples and a decomposition.
ROUNDED_TERMS = 64
ROUNDOFF = float(np.finfo(float).eps)


class _Solved(NamedTuple):
    """What was found in a cell: the proven bound, the best score up to rounding, and its neuron in coordinates."""

    upper: float
    value: float
    neuron: Array


@dataclass(frozen=True, eq=False)
class NormCells:
    """The cells of the data, and the cost of their neurons; made by `NormCells.of`.

    Attributes
    ----------
    patterns : (P, N) bool array
        The cells.
    slopes : (P, N) array
        h(s) of every cell.
    lifted : (N, D) array
        The lifted rows, in coordinates where they are orthonormal as far as their rank goes.
    transform : (D, D) array
        The coordinates: a group is transform times its coordinates.
    coordinates : CellCoordinates
        T and V_0 of every cell.
    ranks : ExactRanks, optional
        Of the lifted rows, where the cost is the length of responses; else M is taken for what it is.
    doubtful : (P,) bool array
        The cells that have more dimensions than floats show.
    scales : (k, N) array
        What responses are multiplied with in the cost of a doubtful cell, positive or negative as they are there, and
        infinity where there is none.
    """

    patterns: BoolArray
    slopes: Array
    lifted: Array
    transform: Array
    coordinates: CellCoordinates
    ranks: ExactRanks | None
    doubtful: BoolArray
    scales: Array

    @classmethod
    def of(cls, norm: Norm, X: Array, negative_slope: float, patterns: BoolArray, clock: Clock) -> Self:
        """Prepare cells; raise a SolverError if the clock expires before that."""
        lifted, transform = orthonormal_rows(X, norm.has_bias)
        coordinates = CellCoordinates.of_cells(norm, patterns, lifted, transform, clock)
        slopes, ranks = np.where(patterns, 1.0, negative_slope), ExactRanks(X, norm.has_bias)
        doubtful = doubtful_cells(norm, ranks, slopes, lifted, coordinates)
        responses = slopes[doubtful] * np.where(patterns[doubtful], 1.0, -1.0)
        scales = np.where(responses == 0, np.inf, np.sign(responses) * norm.scales(patterns[doubtful]))
        known = ranks if norm.of_responses else None
        return cls(patterns, slopes, lifted, transform, coordinates, known, doubtful, scales)

    def reaches(self, weights: Array) -> Array:
        """Return sum_i weights_i abs(h_i) norm(T' z_i) for every cell."""
        totals = np.empty(len(self.patterns))
        for start in range(0, len(totals), CHUNK):
            block = slice(start, start + CHUNK)
            lengths = np.linalg.norm(self.lifted @ self.coordinates.bases[block], axis=2)
            totals[block] = (np.abs(self.slopes[block]) * lengths) @ weights
        return totals

    def rounding(self, which: np.intp | slice, reaches: Array | float) -> Array:
        """Bound the rounding of norm(p), given the sum of the lengths of its terms."""
        return ROUNDOFF * (len(self.lifted) + ROUNDED_TERMS) * self.coordinates.conditions[which] * reaches

    def unconstrained(self, v: Array) -> Array:
        """Bound the absolute scores in every cell with lam = 0."""
        bounds = self.rounding(slice(None), self.reaches(np.abs(v)))
        for start in range(0, len(bounds), CHUNK):
            block = slice(start, start + CHUNK)
            weights = self.slopes[block] * v
            images = np.einsum("pn,pnk->pk", weights, self.lifted @ self.coordinates.bases[block])
            stray = np.einsum("pn,pnk->pk", weights, self.lifted @ self.coordinates.kernels[block])
            bounds[block] += np.linalg.norm(images, axis=1)
            sizes = np.abs(weights) @ np.linalg.norm(self.lifted, axis=1)
            bounds[block][np.linalg.norm(stray, axis=1) > STRAY_RTOL * sizes] = np.inf
        bounds[self.doubtful] = self._independent(v)
        return bounds

    def _independent(self, v: Array) -> Array:
        """Bound the absolute scores in doubtful cells, as if samples of one cell could respond independently."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            pulls = v / self.scales
            sides = [np.linalg.norm(np.maximum(pull, 0.0), axis=1) for pull in (pulls, -pulls)]
        bounds = np.maximum(*sides) * (1 + ROUNDOFF * (len(self.lifted) + ROUNDED_TERMS))
        return np.where(np.isfinite(bounds), bounds, np.inf)

    def solve(self, cell: np.intp, v: Array) -> _Solved:
        """Bound the scores in a cell."""
        signs = np.where(self.patterns[cell], 1.0, -1.0)[:, None]
        images, stray = (
            signs * (self.lifted @ self.coordinates.bases[cell]),
            signs * (self.lifted @ self.coordinates.kernels[cell]),
        )
        # Rows in the range of M' have nothing outside of it but rounding.
        stray[np.linalg.norm(stray, axis=1) <= RANK_RTOL] = 0.0
        target = signs[:, 0] * self.slopes[cell] * v
        first, *others = EQUATION_WEIGHTS if stray.any() else EQUATION_WEIGHTS[:1]
        solved = self._attempt(cell, target, images, stray, first)
        for weight in others:
            if solved.upper <= solved.value * (1 + LOOSE_RTOL):
                break
            again = self._attempt(cell, target, images, stray, weight)
            solved = solved._replace(upper=min(solved.upper, again.upper))
        return solved

    def _attempt(self, cell: np.intp, target: Array, images: Array, stray: Array, weight: float) -> _Solved:
        """Bound the scores in a cell, with a given weight of the equation."""
        weight *= np.abs(images).max()
        rows = np.hstack([images, weight * stray])
        lengths = np.linalg.norm(rows, axis=1)
        rows /= np.where(lengths > 0, lengths, 1.0)[:, None]
        nothing = np.zeros(len(self.transform))
        found = nonnegative_least_squares(rows.T, -(lengths * target) @ rows)
        if found is None:
            return _Solved(np.inf, 0.0, nothing)
        lam = np.divide(found, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        p, q = (target + lam) @ images, (target + lam) @ stray
        upper = np.inf if self.doubtful[cell] else self._proven(cell, target, lam, images, stray)
        cost = float(np.linalg.norm(p))
        if cost <= NEGLIGIBLE_SCORE * _reach(target, lam, images):
            return _Solved(upper, 0.0, nothing)
        # p and q are minus the residual, so A u >= 0 are the optimality conditions, with equality where lam > 0, which
        # rounding has blurred by the weight; and g.u = (g + A' lam).u.
        along, tight = weight**2 * q, lam > 0
        along += np.linalg.lstsq(stray[tight], -images[tight] @ p - stray[tight] @ along)[0]
        group = self.coordinates.bases[cell] @ p + self.coordinates.kernels[cell] @ along
        return _Solved(upper, float(p @ p + weight**2 * (q @ q)) / cost, group / cost)

    def _proven(self, cell: np.intp, target: Array, lam: Array, images: Array, stray: Array) -> float:
        """Return the bound that multipliers prove once they meet the equation; infinite if they cannot be made to."""
        lam, change = lam.copy(), 0.0
        used = (lam > 0) & stray.any(axis=1)
        while used.any():
            left, singular, right = np.linalg.svd(stray[used].T, full_matrices=False)
            rank = int((singular > RANK_RTOL * singular[0]).sum())
            flat = used | (self.slopes[cell] != 0) | ~stray.any(axis=1)
            if self.ranks is not None and not self.ranks.agree(flat, self.coordinates.ranks[cell] + rank):
                return np.inf
            moved = lam.copy()
            moved[used] -= right[:rank].T @ ((((target + lam) @ stray) @ left[:, :rank]) / singular[:rank])
            miss = float(np.linalg.norm((target + moved) @ stray))
            rounding = ROUNDOFF * (len(lam) + ROUNDED_TERMS) * _reach(target, np.abs(moved) + lam, stray)
            if miss > STRAY_FACTOR * rounding:
                return np.inf
            change = (miss + rounding) / singular[rank - 1]
            small = used & (moved <= change)
            if not small.any():
                lam = moved
                break
            # Multipliers without room for the change go.
            lam[small], change = 0.0, 0.0
            used &= ~small
        miss = float(np.linalg.norm((target + lam) @ stray))
        if miss > STRAY_FACTOR * ROUNDOFF * (len(lam) + ROUNDED_TERMS) * _reach(target, lam, stray):
            return np.inf
        shift = change * float(np.linalg.norm(images[used], 2)) if change else 0.0
        rounding = float(self.rounding(cell, _reach(target, lam, images)))
        return float(np.linalg.norm((target + lam) @ images)) + shift + rounding


def _reach(target: Array, lam: Array, rows: Array) -> float:
    """Return the sum of the lengths of the terms (target_i + lam_i) rows_i, before anything cancels."""
    return float((np.abs(target) + lam) @ np.linalg.norm(rows, axis=1))
