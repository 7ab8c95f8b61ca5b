r"""The moment program of several outputs as Clarabel sees it.

    min x'P x / 2 + q'x   subject to   A x + s = b,   s in a product of cones

    x = (svec [[S, C], [C', Y]], s, c, A, H, F, what the loss needs),    F = (1 + a)/2 Z C + (1 - a)/2 H + 1 c' + X A

svec stacks the columns of an upper triangle, entries off the diagonal times sqrt(2), so that inner products are kept.
Lengths are in units of the points and targets in units of their size; the cost of mass is in proportion.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cvxrelu.certificate.norm_multipliers import NormMultipliers
from cvxrelu.pricing.points import Points
from cvxrelu.problem.problem import Problem
from cvxrelu.program.solvers import run_clarabel
from cvxrelu.runtime.clock import Clock

__all__ = ["MomentProgram", "Moments"]

Array = NDArray[np.float64]
Pairs = NDArray[np.intp]

# Accuracy asked of the solver: the bound is rebuilt from what it finds.
ACCURACY = 1e-6


@dataclass(frozen=True, eq=False)
class Moments:
    """A solution.

    Attributes
    ----------
    S, Y : (D, D), (r, r) arrays
        Second moments of neurons and of directions.
    H : (n, r) array
        h of the places.
    dual : (N, K) array
        The dual matrix, in the units of the problem.
    multipliers : NormMultipliers
        For it, in units of the points.
    """

    S: Array
    Y: Array
    H: Array
    dual: Array
    multipliers: NormMultipliers


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

    def solve(self, pairs: Pairs, clock: Clock) -> Moments | None:
        """Solve with cuts for these pairs of places; None if the solver fails."""
        import clarabel

        problem, points, unit = self.problem, self.points, self.unit
        Z, place, N, r = points.lifted, points.place, problem.n_samples, self.basis.shape[1]
        n, D = Z.shape
        side, free = D + r, points.bias == "free"
        normed = D - free
        at = _svec_places(side)
        skips = problem.n_features * problem.skip
        sizes = {"M": side * (side + 1) // 2, "s": 1, "c": r * free, "A": skips * r, "H": n * r, "F": N * r}
        labels = problem.loss.labels
        sizes |= {"u": N, "e": N * problem.n_outputs} if labels else {}
        starts = dict(zip(sizes, np.cumsum([0, *sizes.values()])[:-1].tolist(), strict=True))
        total = sum(sizes.values())
        counts = np.ones(N) if problem.sample_weight is None else problem.sample_weight
        rows = _Rows(total)

        # Predictions.
        a = problem.negative_slope
        cross = np.array([[at[k, D + j] for j in range(r)] for k in range(D)])
        for j in range(r):
            entries = [(starts["F"] + np.arange(N) * r + j, np.ones(N)), (starts["H"] + place * r + j, -(1 - a) / 2)]
            entries += [(np.full(N, cross[k, j]), -(1 + a) / 2 * Z[place, k] / np.sqrt(2)) for k in range(D)]
            if free:
                entries.append((np.full(N, starts["c"] + j), -np.ones(N)))
            entries += [(np.full(N, starts["A"] + k * r + j), -Z[place, k]) for k in range(skips)]
            rows.add(entries, np.zeros(N))
        cones: list[Any] = [clarabel.ZeroConeT(N * r)]  # pyright: ignore[reportAttributeAccessIssue]

        # Traces, and the strip of the bias.
        diagonal = at[np.arange(side), np.arange(side)]
        mass = [(np.array([starts["s"]]), np.array([-1.0]))]
        rows.add_one([*mass, (diagonal[:normed], np.ones(normed))])
        rows.add_one([*mass, (diagonal[D:], np.ones(r))])
        if free:
            rows.add_one([(diagonal[:normed], -np.ones(normed)), (diagonal[normed : normed + 1], np.ones(1))])
        linear = 2 + free
        if labels:
            sums = [(starts["e"] + np.arange(N) * problem.n_outputs + k, np.ones(N)) for k in range(problem.n_outputs)]
            rows.add(sums, np.ones(N))
            linear += N
        cones.append(clarabel.NonnegativeConeT(linear))  # pyright: ignore[reportAttributeAccessIssue]
        if labels:
            self._add_losses(rows, starts)
            cones += [clarabel.ExponentialConeT()] * (N * problem.n_outputs)  # pyright: ignore[reportAttributeAccessIssue]

        # Moments, places and pairs.
        rows.add([(np.arange(sizes["M"]), -np.ones(sizes["M"]))], np.zeros(sizes["M"]))
        cones.append(clarabel.PSDTriangleConeT(side))  # pyright: ignore[reportAttributeAccessIssue]
        first = rows.count
        E = np.vstack([Z, Z[pairs[:, 0]] - Z[pairs[:, 1]]])
        width = (r + 1) * (r + 2) // 2
        self._add_blocks(rows, E, pairs, at, starts["H"])
        cones += [clarabel.PSDTriangleConeT(r + 1)] * len(E)  # pyright: ignore[reportAttributeAccessIssue]

        q = np.zeros(total)
        per_mass = (problem.alpha or 0.0) / (2.0**points.exponent)
        P = sp.csc_matrix((total, total))
        if labels:
            q[starts["u"] : starts["u"] + N], q[starts["s"]] = counts / N, per_mass
        else:
            q[starts["s"]] = per_mass / unit
            targets = problem.free.rest(problem.y) / unit
            weights = np.repeat(counts, r) / N
            q[starts["F"] : starts["F"] + N * r] = -weights * targets.ravel()
            curved = np.zeros(total)
            curved[starts["F"] : starts["F"] + N * r] = weights
            P = sp.diags(curved, format="csc")
        settings: Any = clarabel.DefaultSettings()  # pyright: ignore[reportAttributeAccessIssue]
        settings.verbose = False
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = ACCURACY
        if clock.limited:
            settings.time_limit = max(clock.left, 0.1)
        found = run_clarabel(P, q, rows.matrix(), np.array(rows.right), cones, settings)
        x, z = np.array(found.x), np.array(found.z)
        if not (np.isfinite(x).all() and np.isfinite(z).all() and x.any()):
            return None
        F = x[starts["F"] : starts["F"] + N * r].reshape(N, r) @ self.basis.T * unit
        if not labels:
            F = F + problem.y - problem.free.rest(problem.y)
        dual = problem.loss.force(F, problem.y)
        assert dual is not None, "the loss has a gradient"
        moments = _unsvec(x[: sizes["M"]], side)
        blocks = z[first : first + width * len(E)].reshape(len(E), width)
        scale = N * unit
        tau = 2 * blocks[:, 0] * scale
        offs = np.array([j * (j + 1) // 2 for j in range(1, r + 1)])
        amounts = -2 * blocks[:, offs] / np.sqrt(2) * scale @ self.basis.T
        H = x[starts["H"] : starts["H"] + n * r].reshape(n, r)
        multipliers = NormMultipliers(pairs, amounts[n:], np.maximum(tau[:n], 0), np.maximum(tau[n:], 0))
        return Moments(moments[:D, :D], moments[D:, D:], H, dual, multipliers)

    def _add_losses(self, rows: "_Rows", starts: dict[str, int]) -> None:
        """Add exp(z_k - z_y - u) <= e_k for every sample and class."""
        labels, r = self.problem.y.astype(np.intp), self.basis.shape[1]
        for i, own in enumerate(labels):
            for k in range(self.problem.n_outputs):
                change = self.basis[k] - self.basis[own]
                rows.add_one([(starts["F"] + i * r + np.arange(r), -change), (np.array([starts["u"] + i]), np.ones(1))])
                rows.add_one([], 1.0)
                rows.add_one([(np.array([starts["e"] + i * self.problem.n_outputs + k]), -np.ones(1))])

    def _add_blocks(self, rows: "_Rows", E: Array, pairs: Pairs, at: NDArray[np.intp], first: int) -> None:
        """Add the cones of places and pairs."""
        n, r, D = len(self.points.Z), self.basis.shape[1], E.shape[1]
        upper = [(p, q) for q in range(D) for p in range(q + 1)]
        places = np.array([at[p, q] for p, q in upper])
        factors = np.array([1.0 if p == q else np.sqrt(2) for p, q in upper])
        for m, e in enumerate(E):
            rows.add_one([(places, -factors * np.array([e[p] * e[q] for p, q in upper]))])
            ends = [(m, 1.0)] if m < n else [(int(pairs[m - n, 0]), 1.0), (int(pairs[m - n, 1]), -1.0)]
            for j in range(r):
                rows.add_one([(np.array([first + end * r + j]), np.array([-sign * np.sqrt(2)])) for end, sign in ends])
                for k in range(j + 1):
                    rows.add_one([(np.array([at[D + k, D + j]]), -np.ones(1))])


class _Rows:
    """The rows of A and b, as they come."""

    def __init__(self, total: int) -> None:
        self.total, self.count = total, 0
        self.at: list[Any] = []
        self.columns: list[Any] = []
        self.values: list[Any] = []
        self.right: list[float] = []

    def add(self, entries: list[Any], right: Array) -> None:
        """Add a row for each entry of the right-hand side, which has one number in each of the columns given."""
        rows = self.count + np.arange(len(right))
        for columns, values in entries:
            self.at.append(rows)
            self.columns.append(columns)
            self.values.append(np.broadcast_to(values, len(right)))
        self.right += list(right)
        self.count += len(right)

    def add_one(self, entries: list[Any], right: float = 0.0) -> None:
        """Add one row with several entries."""
        for columns, values in entries:
            self.at.append(np.full(len(columns), self.count))
            self.columns.append(columns)
            self.values.append(values)
        self.right.append(right)
        self.count += 1

    def matrix(self) -> Any:
        """Return A."""
        parts = (np.concatenate(part) for part in (self.values, self.at, self.columns))
        values, rows, columns = parts
        return sp.csc_matrix((values, (rows, columns)), shape=(self.count, self.total))


def _svec_places(side: int) -> NDArray[np.intp]:
    """Return where the entries of a symmetric matrix are in its svec."""
    at = np.zeros((side, side), dtype=np.intp)
    for j in range(side):
        for i in range(j + 1):
            at[i, j] = at[j, i] = j * (j + 1) // 2 + i
    return at


def _unsvec(x: Array, side: int) -> Array:
    """Return the symmetric matrix of an svec."""
    matrix = x[_svec_places(side)] / np.sqrt(2)
    matrix[np.diag_indices(side)] *= np.sqrt(2)
    return matrix
