r"""The moment program of several outputs as Clarabel sees it.

    min x'P x / 2 + q'x   subject to   A x + s = b,   s in a product of cones

    x = (the moments of each region, c, A, F, what the loss needs: `moment_losses`)
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
from cvxrelu.relaxation.moment_losses import MOMENT_LOSSES
from cvxrelu.relaxation.moment_rows import Rows
from cvxrelu.runtime.clock import Clock

__all__ = ["MomentProgram", "Solution"]

Array = NDArray[np.float64]

# Accuracy asked of the solver: the bound is rebuilt from what it finds.
ACCURACY = 1e-6
# Seconds beyond its time limit after which the solver is left to itself: a step may take as long as all rounds.
GRACE = 0.5


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
        """Return the program of a problem."""
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
        free, skips = int(points.bias == "free"), problem.n_features * problem.skip
        loss = MOMENT_LOSSES[problem.loss.name](problem, self.basis, unit)
        shapes = {f"block {k}": (block.size, 1) for k, block in enumerate(blocks)}
        shapes |= {"c": (free, r), "A": (skips, r), "F": (N, r)} | loss.variables()
        ends = np.cumsum([height * width for height, width in shapes.values()])
        total = int(ends[-1])
        parts = np.split(np.arange(total), ends[:-1])
        at = {name: part.reshape(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
        firsts = [int(at[f"block {k}"][0, 0]) for k in range(len(blocks))]
        rows, a = Rows(total), problem.negative_slope

        # Predictions.
        outputs = rows.add(N * r).reshape(N, r)
        rows.put(outputs, at["F"], 1.0)
        if free:
            rows.put(outputs, at["c"], -1.0)
        for k in range(skips):
            rows.put(outputs, at["A"][k], -points.Z[place, k, None])
        for block, first in zip(blocks, firsts, strict=True):
            block.put_outputs(rows, outputs, first, place, a)
        loss.add_zeros(rows, at)
        cones: list[Any] = [clarabel.ZeroConeT(zeros := rows.count)]  # pyright: ignore[reportAttributeAccessIssue]

        # Numbers, exponentials, and matrices.
        numbers = [block.add_numbers(rows, first) for block, first in zip(blocks, firsts, strict=True)]
        loss.add_numbers(rows, at)
        cones.append(clarabel.NonnegativeConeT(rows.count - zeros))  # pyright: ignore[reportAttributeAccessIssue]
        cones += [clarabel.ExponentialConeT()] * loss.add_exponentials(rows, at)  # pyright: ignore[reportAttributeAccessIssue]
        where = []
        for block, first, kinds in zip(blocks, firsts, numbers, strict=True):
            matrices, sides = block.add_cones(rows, first)
            cones += [clarabel.PSDTriangleConeT(side) for side in sides]  # pyright: ignore[reportAttributeAccessIssue]
            where.append((kinds, matrices))

        # The sum of all losses, not their mean: multipliers are about one, and accurate enough.
        q, curved = np.zeros(total), np.zeros(total)
        loss.put_costs(at, q, curved)
        per_mass = problem.score_bound / 2.0**points.exponent
        # Multipliers are in units of the targets, or such that mass costs one.
        scale = unit if problem.loss.regularised else per_mass
        per_mass /= scale
        q[[first + block.mass for first, block in zip(firsts, blocks, strict=True)]] = per_mass
        found = _run(sp.diags(curved, format="csc"), q, rows, cones, clock)
        if found is None:
            return None
        x, z = found
        dual = scale * z[outputs] @ self.basis.T
        if problem.loss.smooth:
            # Which is in the domain.
            dual = problem.loss.force(x[at["F"]] @ self.basis.T * unit + self._known_part(), problem.y)
            assert dual is not None, "the loss has a gradient"
        moments = [
            block.read(x[first : first + block.size], scale * z, *kinds)
            for block, first, kinds in zip(blocks, firsts, where, strict=True)
        ]
        return Solution(dual, moments)

    def _known_part(self) -> Array | float:
        """Return what is free of the targets, which the program leaves out."""
        problem = self.problem
        return 0.0 if problem.loss.labels else problem.y - problem.free.rest(problem.y)

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


def _run(P: Any, q: Array, rows: Rows, cones: list[Any], clock: Clock) -> tuple[Array, Array] | None:
    """Return the solution of a program and its multipliers; None if there are none."""
    import clarabel

    settings: Any = clarabel.DefaultSettings()  # pyright: ignore[reportAttributeAccessIssue]
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = ACCURACY
    patience = None
    if clock.limited:
        settings.time_limit = max(clock.left, 0.1)
        patience = settings.time_limit + GRACE
    try:
        found = run_clarabel(P, q, rows.matrix(), np.array(rows.right), cones, settings, patience)
    except TimeoutError:
        return None
    x, z = np.array(found.x), np.array(found.z)
    return (x, z) if np.isfinite(x).all() and np.isfinite(z).all() and x.any() else None
