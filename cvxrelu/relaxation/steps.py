r"""One step of the interior-point method: the Newton system of all blocks, and the direction to take.

    Mehrotra's predictor and corrector, then correctors of Gondzio's for as long as they lengthen the step

Each block is eliminated by a Cholesky factorisation of its own; what is left has a row for every sample. A corrector
costs two triangular solves a block, next to nothing beside the factorisations.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs, get_lapack_funcs

from cvxrelu.relaxation.cones import Cone, NesterovTodd, joined, off_target
from cvxrelu.relaxation.newton import Elimination, newton_matrix
from cvxrelu.relaxation.states import Part, Residuals, State, Task, sizes_of, to_ends

__all__ = ["Newton"]

Array = NDArray[np.float64]

# Without the checks of scipy.linalg, which take longer than a triangular solve of this size.
_TRSM, _TRSV = get_blas_funcs(("trsm", "trsv"), dtype=np.float64)
(_POTRF,) = get_lapack_funcs(("potrf",), dtype=np.float64)

# What is added to the diagonal of a Newton matrix of unit diagonal, and what where that does not do.
REGULARISATION, STRONGER = 1e-14, 1e-10
# Share of the way to the boundary that a step goes; the shortest step worth making.
WAY, SHORTEST = 0.95, 1e-6
# Most correctors a step; how much longer a step they aim at, by a factor and a share of the whole step; by what share
# of that they have to lengthen it.
CORRECTORS, FURTHER, FURTHER_STILL, WORTH = 3, 1.5, 0.1, 0.1


class Direction(NamedTuple):
    """A direction: of v, c and the multipliers of the box, of x and y of each block, of slacks and multipliers."""

    v: Array
    constant: Array
    at_low: Array
    at_high: Array
    xs: list[Array]
    ys: list[Array]
    slacks: Cone
    multipliers: Cone


class Goals(NamedTuple):
    """Changes of the multipliers, of the cones and of the box, but for their linear part."""

    cones: Cone
    low: Array
    high: Array

    def plus(self, other: "Goals") -> "Goals":
        """Return the sum."""
        return Goals(self.cones.plus(other.cones), self.low + other.low, self.high + other.high)


@dataclass(frozen=True, eq=False)
class Newton:
    """The Newton system of an iterate, factored."""

    parts: list[Part]
    state: State
    residuals: Residuals
    to_low: Array
    to_high: Array
    scaling: NesterovTodd
    factors: list["_Factor"]
    lower: Array
    free: Array
    behind: Array

    @classmethod
    def of(cls, parts: list[Part], task: Task, state: State, residuals: Residuals) -> "Newton":
        """Factor; a LinAlgError says that a matrix is singular up to rounding."""
        to_low, to_high = to_ends(task, state.v)
        model = task.loss.dual_model(state.v, task.y)
        K = np.diag(model.curvature + state.at_low / to_low + state.at_high / to_high)
        scaling = NesterovTodd.of(residuals.slacks, state.multipliers)
        factors = [_Factor.of(*pair) for pair in zip(parts, scaling.scaling.split(sizes_of(parts)), strict=True)]
        for factor in factors:
            K += factor.outputs.T @ factor.outputs
        K[np.diag_indices(len(K))] += REGULARISATION * np.trace(K)
        lower = _cholesky(K)
        behind = np.empty_like(task.free)
        for column, vector in enumerate(task.free.T):
            behind[:, column] = _solve(lower, np.ascontiguousarray(vector))
        return cls(parts, state, residuals, to_low, to_high, scaling, factors, lower, task.free, behind)

    def step(self) -> State:
        """Return the next iterate, or the same if no step is possible."""
        residuals, state = self.residuals, self.state
        straight = self.towards(Goals(state.multipliers.times(-1.0), -state.at_low, -state.at_high))
        changes = self.scaling.scaled(straight.slacks, straight.multipliers)
        length = min(1.0, self._longest(straight, changes))
        left = self._product_after(straight, length) / residuals.product
        centre = float(np.clip(left, 0.0, 1.0)) ** 3 * residuals.product / residuals.degree
        goals = Goals(
            self.scaling.predicted(*changes, centre),
            (centre - straight.v * straight.at_low) / self.to_low - state.at_low,
            (centre + straight.v * straight.at_high) / self.to_high - state.at_high,
        )
        best = self.towards(goals)
        changes = self.scaling.scaled(best.slacks, best.multipliers)
        length = self._longest(best, changes)
        for _ in range(CORRECTORS):
            if length >= 1 / WAY:
                break
            aim = min(1.0, FURTHER * length + FURTHER_STILL)
            goals = goals.plus(self._correction(best, changes, aim, centre))
            bent = self.towards(goals)
            changes = self.scaling.scaled(bent.slacks, bent.multipliers)
            longer = self._longest(bent, changes)
            if longer < length + WORTH * (aim - length):
                if longer > length:
                    best, length = bent, longer
                break
            best, length = bent, longer
        length = min(1.0, WAY * length)
        return self._moved(best, length) if length > SHORTEST else state

    def _correction(self, direction: Direction, changes: tuple[Cone, Cone], aim: float, centre: float) -> Goals:
        """Return what brings the products after a step of length `aim` towards `centre`."""
        state = self.state

        def of_ends(ends: Array, change: Array, multipliers: Array, its_change: Array) -> Array:
            goal, bounded = np.zeros(len(ends)), np.isfinite(ends)
            products = (ends + aim * change)[bounded] * (multipliers + aim * its_change)[bounded]
            goal[bounded] = off_target(products, centre) / ends[bounded]
            return goal

        return Goals(
            self.scaling.corrected(*changes, aim, centre),
            of_ends(self.to_low, direction.v, state.at_low, direction.at_low),
            of_ends(self.to_high, -direction.v, state.at_high, direction.at_high),
        )

    def towards(self, goals: Goals) -> Direction:
        """Return the direction towards these goals and residuals of zero."""
        state, residuals, sizes = self.state, self.residuals, sizes_of(self.parts)
        right, halves = goals.low - goals.high - residuals.of_v, []
        cones = goals.cones.split(sizes)
        for part, goal, (of_x, of_y), factor in zip(self.parts, cones, residuals.of_blocks, self.factors, strict=True):
            on_x, on_y = part.block.adjoint(goal)
            on_y = on_y - of_y
            on_x = on_x - of_x - factor.eliminated.forward(on_y)
            half = _TRSV(factor.cholesky, factor.weights * on_x, lower=1)
            right = right - factor.outputs.T @ half
            halves.append((half, on_y))
        dv, dc = _solve(self.lower, right), np.zeros(self.free.shape[1])
        if len(dc):
            dc = np.asarray(np.linalg.solve(self.free.T @ self.behind, self.free.T @ (dv + state.v)), dtype=float)
            dv = dv - self.behind @ dc
        xs, ys, slacks = [], [], []
        for part, factor, (half, on_y) in zip(self.parts, self.factors, halves, strict=True):
            right = half + factor.outputs @ dv
            dx = factor.weights * _TRSV(factor.cholesky, right, lower=1, trans=1)
            dy = factor.eliminated.backward(on_y, dx)
            xs.append(dx)
            ys.append(dy)
            slacks.append(part.block.slacks(dx, dy))
        together = joined(slacks)
        multipliers = goals.cones.plus(self.scaling.apply(together), -1.0)
        at_low = goals.low - state.at_low / self.to_low * dv
        at_high = goals.high + state.at_high / self.to_high * dv
        return Direction(dv, dc, at_low, at_high, xs, ys, together, multipliers)

    def _longest(self, direction: Direction, changes: tuple[Cone, Cone]) -> float:
        """Return how far one can go until something meets the boundary."""
        state = self.state
        return min(
            _ratio(self.to_low, direction.v),
            _ratio(self.to_high, -direction.v),
            _ratio(state.at_low, direction.at_low),
            _ratio(state.at_high, direction.at_high),
            self.scaling.longest(*changes),
        )

    def _product_after(self, direction: Direction, length: float) -> float:
        """Return slacks times multipliers after a step."""
        state, low, high = self.state, np.isfinite(self.to_low), np.isfinite(self.to_high)
        product = (self.to_low + length * direction.v)[low] @ (state.at_low + length * direction.at_low)[low]
        product += (self.to_high - length * direction.v)[high] @ (state.at_high + length * direction.at_high)[high]
        after = self.residuals.slacks.plus(direction.slacks, length)
        return float(product) + after.dot(state.multipliers.plus(direction.multipliers, length))

    def _moved(self, direction: Direction, length: float) -> State:
        """Return the iterate after a step."""
        state = self.state
        return replace(
            state,
            xs=[x + length * change for x, change in zip(state.xs, direction.xs, strict=True)],
            ys=[y + length * change for y, change in zip(state.ys, direction.ys, strict=True)],
            multipliers=state.multipliers.plus(direction.multipliers, length),
            v=state.v + length * direction.v,
            constant=state.constant + length * direction.constant,
            at_low=state.at_low + length * direction.at_low,
            at_high=state.at_high + length * direction.at_high,
        )


@dataclass(frozen=True, eq=False)
class _Factor:
    """One block of a Newton system: its matrix, with rows and columns times `weights`, factored."""

    cholesky: Array
    weights: Array
    outputs: Array
    eliminated: Elimination

    @classmethod
    def of(cls, part: Part, scaling: Cone) -> "_Factor":
        """Factor."""
        matrix, eliminated = newton_matrix(part.block, scaling)
        curvatures = np.diag(matrix)
        if not (curvatures > 0).all():
            raise np.linalg.LinAlgError("The Newton matrix is not positive definite.")
        weights = 1 / np.sqrt(curvatures)
        matrix *= weights
        matrix *= weights[:, None]
        diagonal = np.diag_indices(len(matrix))
        try:
            matrix[diagonal] += REGULARISATION
            lower = _cholesky(matrix)
        except np.linalg.LinAlgError:
            matrix[diagonal] += STRONGER
            lower = _cholesky(matrix)
        # The transposed of an array by rows is one by columns, which is not copied.
        outputs = _TRSM(1.0, lower, (part.outputs * weights).T, lower=1)
        return cls(lower, weights, outputs, eliminated)


def _ratio(values: Array, changes: Array) -> float:
    """Return the largest t for which values + t changes are not negative."""
    falling = changes < 0
    return float(np.min(values[falling] / -changes[falling])) if falling.any() else np.inf


def _cholesky(matrix: Array) -> Array:
    """Return the lower Cholesky factor of a symmetric matrix, by columns; a LinAlgError says that there is none."""
    lower, failed = _POTRF(matrix.T, lower=1)
    if failed:
        raise np.linalg.LinAlgError("not positive definite")
    return lower


def _solve(lower: Array, right: Array) -> Array:
    """Solve with a Cholesky factor."""
    return _TRSV(lower, _TRSV(lower, right, lower=1), lower=1, trans=1)
