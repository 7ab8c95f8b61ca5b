r"""The moment program of several outputs as Clarabel sees it.

    min x'P x / 2 + q'x   subject to   A x + s = b,   s in a product of cones

    x = (the moments of each region, c, A, F, what the loss needs)
    F = sum over regions of (1 + a)/2 Z C + (1 - a)/2 H,   + 1 c' + X A

Lengths are in units of the points and targets in units of their size; the cost of mass is in proportion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cvxrelu.certificate.norm_trees import Known
from cvxrelu.pricing.points import Points
from cvxrelu.problem.problem import Problem
from cvxrelu.program.solvers import run_clarabel
from cvxrelu.relaxation.moment_blocks import MomentBlock, Moments
from cvxrelu.relaxation.moment_rows import Rows
from cvxrelu.runtime.clock import Clock

__all__ = ["MomentProgram", "Solution"]

Array = NDArray[np.float64]

# Accuracy asked of the solver: the bound is rebuilt from what it finds.
ACCURACY = 1e-6


class Solution(NamedTuple):
    """A dual matrix in the units of the problem, and the moments of all regions."""

    dual: Array
    moments: list[Moments]


@dataclass(frozen=True, eq=False)
class MomentProgram:
    """What the programs of all rounds share.

    Attributes
    ----------
    problem, points
        The problem, and its places.
    basis : (K, r) array
        Orthonormal directions of predictions that matter: all of them, or those that sum to zero.
    unit : float
        Size of the targets; one for labels.
    """

    problem: Problem
    points: Points
    basis: Array
    unit: float

    @classmethod
    def of(cls, problem: Problem, points: Points) -> "MomentProgram":
        """Return the program of a problem with the loss "squared" or "softmax"."""
        count = problem.n_outputs
        if problem.loss.labels:
            basis: Any = np.linalg.svd(np.eye(count) - 1 / count)[0][:, : count - 1]
            return cls(problem, points, basis, 1.0)
        spread = problem.free.rest(problem.y)
        return cls(problem, points, np.eye(count), float(np.sqrt(np.mean(spread**2))) or 1.0)

    def block(self, known: Known, pairs: NDArray[np.intp]) -> MomentBlock:
        """Return the block of a region."""
        Z = self.points.lifted
        return MomentBlock(Z, Z.shape[1] - (self.points.bias == "free"), self.basis, known, pairs)

    def solve(self, blocks: Sequence[MomentBlock], clock: Clock) -> Solution | None:
        """Solve with these regions; None if the solver fails."""
        import clarabel

        problem, points, unit = self.problem, self.points, self.unit
        N, r, place = problem.n_samples, self.basis.shape[1], points.place
        free, skips, labels = points.bias == "free", problem.n_features * problem.skip, problem.loss.labels
        sizes = {f"block {k}": block.size for k, block in enumerate(blocks)}
        sizes |= {"c": r * free, "A": skips * r, "F": N * r, "u": N * labels, "e": N * problem.n_outputs * labels}
        starts = dict(zip(sizes, np.cumsum([0, *sizes.values()])[:-1].tolist(), strict=True))
        firsts = [starts[f"block {k}"] for k in range(len(blocks))]
        total = sum(sizes.values())
        counts = np.ones(N) if problem.sample_weight is None else problem.sample_weight
        rows, a, directions = Rows(total), problem.negative_slope, np.arange(r)

        # Predictions.
        F = starts["F"] + np.arange(N * r).reshape(N, r)
        outputs = rows.add(N * r).reshape(N, r)
        rows.put(outputs, F, 1.0)
        if free:
            rows.put(outputs, starts["c"] + directions, -1.0)
        for k in range(skips):
            rows.put(outputs, starts["A"] + k * r + directions, -points.Z[place, k, None])
        for block, first in zip(blocks, firsts, strict=True):
            block.put_outputs(rows, outputs, first, place, a)
        cones: list[Any] = [clarabel.ZeroConeT(N * r)]  # pyright: ignore[reportAttributeAccessIssue]

        # Numbers, exponentials, and matrices.
        numbers = [block.add_numbers(rows, first) for block, first in zip(blocks, firsts, strict=True)]
        if labels:
            sums = rows.add(N, 1.0)
            rows.put(sums[:, None], starts["e"] + np.arange(N * problem.n_outputs).reshape(N, -1), 1.0)
        cones.append(clarabel.NonnegativeConeT(rows.count - N * r))  # pyright: ignore[reportAttributeAccessIssue]
        if labels:
            self._add_losses(rows, starts, F)
            cones += [clarabel.ExponentialConeT()] * (N * problem.n_outputs)  # pyright: ignore[reportAttributeAccessIssue]
        where = []
        for block, first, kinds in zip(blocks, firsts, numbers, strict=True):
            matrices, sides = block.add_cones(rows, first)
            cones += [clarabel.PSDTriangleConeT(side) for side in sides]  # pyright: ignore[reportAttributeAccessIssue]
            where.append((kinds, matrices))

        q, masses = np.zeros(total), [first + block.mass for first, block in zip(firsts, blocks, strict=True)]
        per_mass = (problem.alpha or 0.0) / (2.0**points.exponent)
        P = sp.csc_matrix((total, total))
        q[masses] = per_mass / unit
        if labels:
            q[starts["u"] : starts["u"] + N] = counts / N
        else:
            targets = problem.free.rest(problem.y) / unit
            weights = np.repeat(counts, r) / N
            q[F.ravel()] = -weights * targets.ravel()
            curved = np.zeros(total)
            curved[F.ravel()] = weights
            P = sp.diags(curved, format="csc")
        # The sum of all losses, not their mean: multipliers are about one, and accurate enough.
        found = _run(N * P, N * q, rows, cones, clock)
        if found is None:
            return None
        x, z = found
        fitted = x[F] @ self.basis.T * unit
        if not labels:
            fitted = fitted + problem.y - problem.free.rest(problem.y)
        dual = problem.loss.force(fitted, problem.y)
        assert dual is not None, "the loss has a gradient"
        moments = [
            block.read(x[first : first + block.size], unit * z, *at)
            for block, first, at in zip(blocks, firsts, where, strict=True)
        ]
        return Solution(dual, moments)

    def price(self, block: MomentBlock, weights: Array, clock: Clock) -> Moments | None:
        """Return the moments of mass one with the largest score, and their multipliers; None if the solver fails.

        Parameters
        ----------
        block : MomentBlock
            A region.
        weights : (n, K) array
            A dual matrix on the places.
        clock : Clock
            Time to take.
        """
        import clarabel

        n, r = len(block.Z), block.r
        losses = Rows(block.size)
        at = losses.add(n * r).reshape(n, r)
        block.put_outputs(losses, at, 0, np.arange(n), self.problem.negative_slope)
        rows = Rows(block.size)
        rows.put(rows.add(1, 1.0), block.mass, 1.0)
        numbers = block.add_numbers(rows, 0)
        cones: list[Any] = [
            clarabel.ZeroConeT(1),  # pyright: ignore[reportAttributeAccessIssue]
            clarabel.NonnegativeConeT(rows.count - 1),  # pyright: ignore[reportAttributeAccessIssue]
        ]
        matrices, sides = block.add_cones(rows, 0)
        cones += [clarabel.PSDTriangleConeT(side) for side in sides]  # pyright: ignore[reportAttributeAccessIssue]
        cost = losses.matrix().T @ (weights @ self.basis).ravel()
        found = _run(sp.csc_matrix((block.size,) * 2), cost, rows, cones, clock)
        return found and block.read(*found, numbers, matrices)

    def _add_losses(self, rows: Rows, starts: dict[str, int], F: NDArray[np.intp]) -> None:
        """Add exp(z_k - z_y - u) <= e_k for every sample and class."""
        labels, count = self.problem.y.astype(np.intp), self.problem.n_outputs
        at = rows.add(3 * len(labels) * count).reshape(len(labels), count, 3)
        rows.right[int(at[0, 0, 0]) :] = np.tile([0.0, 1.0, 0.0], len(labels) * count).tolist()
        change = self.basis[None] - self.basis[labels][:, None]
        rows.put(at[:, :, :1], F[:, None, :], -change)
        rows.put(at[:, :, 0], starts["u"] + np.arange(len(labels))[:, None], 1.0)
        rows.put(at[:, :, 2], starts["e"] + np.arange(len(labels) * count).reshape(-1, count), -1.0)


def _run(P: Any, q: Array, rows: Rows, cones: list[Any], clock: Clock) -> tuple[Array, Array] | None:
    """Return the solution of a program and its multipliers; None if there are none."""
    import clarabel

    settings: Any = clarabel.DefaultSettings()  # pyright: ignore[reportAttributeAccessIssue]
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = ACCURACY
    if clock.limited:
        settings.time_limit = max(clock.left, 0.1)
    found = run_clarabel(P, q, rows.matrix(), np.array(rows.right), cones, settings)
    x, z = np.array(found.x), np.array(found.z)
    return (x, z) if np.isfinite(x).all() and np.isfinite(z).all() and x.any() else None
