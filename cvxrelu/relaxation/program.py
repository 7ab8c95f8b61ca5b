r"""The relaxed program: the best moments, and with them a dual vector that is chosen for the bound.

    min  sum_i loss(f_i, y_i) + B sum_r s_r     f = c + sum_r (outputs of block r),   B = N alpha, or 1 for a constraint

over the moments of all blocks (`cvxrelu.relaxation.blocks`). It contains every network, so its value is at most the
optimum, and its multipliers prove that (`cvxrelu.certificate.multipliers`).

It is solved by a primal-dual interior-point method with Nesterov-Todd scaling and Mehrotra's predictor and corrector
(Vandenberghe, "The CVXOPT linear and quadratic cone program solvers", 2010). Nothing is stored but what the structure
leaves: the small cones of samples and cuts are eliminated by hand, so that a step costs J n^2 for J cones and
n = (D + 1)(D + 2) / 2 + N, and cuts may be thousands. Where a Newton matrix is singular up to rounding, or no step is
possible, what was reached is returned: the bound is proved from it afterwards, and only looser.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular

from cvxrelu.problem.losses import Interpolation, Loss
from cvxrelu.relaxation.blocks import Block, Cone, Elimination

__all__ = ["Part", "State", "Task", "price_block", "solve_relaxed", "start_from"]

Array = NDArray[np.float64]

# Most iterations; twenty to forty are usual. The shortest step worth making.
MOST_ITERATIONS, SHORTEST = 60, 1e-6
# Share of the way to the boundary that a step goes.
WAY = 0.95
# What is added to the diagonal of a Newton matrix of unit diagonal, and what where that does not do.
REGULARISATION, STRONGER = 1e-14, 1e-10
# Products of slacks and multipliers that pricing starts from, next to the size of scores.
PRICE = 1e-2
# Share of the mass that slacks count as at least, for the first multipliers.
LEAST_SLACK = 1e-3
# Least objective that gaps are shares of: there are none that small in scaled units.
LEAST_SIZE = 1e-100
# Residuals may be larger than the gap by this factor.
RESIDUAL_FACTOR = 10.0


@dataclass(frozen=True, eq=False)
class Task:
    """What the program fits, in scaled units.

    Attributes
    ----------
    loss : Loss
        The loss.
    y : (N,) array
        Targets.
    bound : float
        B: the cost of the mass of a block.
    free_constant : bool
        Whether c is free, or zero.
    """

    loss: Loss
    y: Array
    bound: float
    free_constant: bool

    def part(self, block: Block) -> "Part":
        """Return a block with its outputs and costs."""
        cost = np.zeros(block.size)
        cost[0] = self.bound
        return Part(block, block.outputs, cost)


class Part(NamedTuple):
    """A block in a program: min cost.x + loss(... + outputs x)."""

    block: Block
    outputs: Array
    cost: Array


@dataclass(frozen=True, eq=False)
class State:
    """An iterate.

    Attributes
    ----------
    xs, ys : lists of arrays
        Moments of the blocks.
    multipliers : list of Cone
        Their multipliers.
    v : (N,) array
        Dual vector.
    constant : float
        c.
    at_low, at_high : (N,) arrays
        Multipliers of the ends of the box of v, zero where there is none.
    gap : float
        Complementarity gap, as a share of the objective.
    iterations : int
        Iterations made.
    """

    xs: list[Array]
    ys: list[Array]
    multipliers: list[Cone]
    v: Array
    constant: float
    at_low: Array
    at_high: Array
    gap: float = np.inf
    iterations: int = 0


def start_from(parts: list[Part], task: Task, xs: list[Array], v: Array, constant: float, price: float) -> State:
    """Return a state to start from: given moments, strictly inside, and multipliers of about 1 / slacks.

    Parameters
    ----------
    price : float
        Products of slacks and multipliers, next to the mass of the block.
    """
    ys = [part.block.middle(x) for part, x in zip(parts, xs, strict=True)]
    multipliers, product, degree = [], 0.0, 0
    for (block, _, _), x, y in zip(parts, xs, ys, strict=True):
        slacks, mu, least = block.slacks(x, y), price * x[0], LEAST_SLACK * x[0]
        moments, pairs = (S + least * np.eye(S.shape[-1]) for S in (slacks.moments, slacks.pairs))
        multipliers.append(
            Cone(
                mu * np.linalg.inv(moments),
                mu * np.linalg.inv(pairs),
                mu / (slacks.rows + least),
                mu / (slacks.sides + least),
            )
        )
        product, degree = product + slacks.dot(multipliers[-1]), degree + block.degree
    to_low, to_high = _to_ends(task, v)
    mu = product / degree
    return State(list(xs), ys, multipliers, v, constant, mu / to_low, mu / to_high)


def solve_relaxed(
    parts: list[Part], task: Task, state: State, accuracy: float, expired: Callable[[], bool] = lambda: False
) -> State:
    """Return moments and multipliers whose gap is at most `accuracy` of the objective, or the best there are.

    Parameters
    ----------
    parts : list of Part
        The regions.
    task : Task
        Loss, targets and bound.
    state : State
        Where to start: strictly inside all cones.
    accuracy : float
        Relative gap to reach.
    expired : callable
        Whether time is up.
    """
    best, least, iteration = state, np.inf, 0
    for iteration in range(MOST_ITERATIONS):
        residuals = _Residuals.of(parts, task, state)
        state = replace(state, gap=residuals.product / residuals.size, iterations=iteration)
        if residuals.product + residuals.cost <= least:
            best, least = state, residuals.product + residuals.cost
        settled = residuals.cost <= RESIDUAL_FACTOR * accuracy * residuals.size
        if (state.gap <= accuracy and settled) or expired():
            break
        try:
            newton = _Newton.of(parts, task, state, residuals)
        except np.linalg.LinAlgError:
            break
        straight = newton.towards(*newton.goals(None, 0.0))
        length = min(1.0, newton.longest(straight))
        left = newton.product_after(straight, length) / residuals.product
        centre = float(np.clip(left, 0.0, 1.0)) ** 3 * residuals.product / residuals.degree
        bent = newton.towards(*newton.goals(straight, centre))
        length = min(1.0, WAY * newton.longest(bent))
        if not length > SHORTEST:
            break
        state = newton.moved(bent, length)
    return replace(best, iterations=iteration)


def price_block(
    block: Block, v: Array, accuracy: float, expired: Callable[[], bool] = lambda: False
) -> tuple[Array, Cone]:
    """Return the moments of mass one with the largest score, v times outputs, and their multipliers.

    The constraint that the mass is one is a prediction of its own, to be interpolated; its dual is minus the score.
    """
    assert block.start is not None, "a region in use has room"
    mass = np.zeros((1, block.size))
    mass[0, 0] = 1.0
    cost = -block.outputs.T @ v
    scale = float(np.abs(cost) @ np.abs(block.start))
    part, task = Part(block, mass, cost / scale), Task(Interpolation(), np.ones(1), 0.0, free_constant=False)
    state = start_from([part], task, [block.start], np.zeros(1), 0.0, PRICE)
    state = solve_relaxed([part], task, state, accuracy, expired)
    return state.xs[0], Cone(*(scale * array for array in state.multipliers[0]))


def _to_ends(task: Task, v: Array) -> tuple[Array, Array]:
    """Return the distances of v to the ends of its box; infinity where there is none."""
    box = task.loss.dual_model(v, task.y)
    return v - box.lower, box.upper - v


class _Direction(NamedTuple):
    """A direction: of v, c and the multipliers of the box, and of each block."""

    v: Array
    constant: float
    at_low: Array
    at_high: Array
    steps: list["_Step"]


class _Step(NamedTuple):
    """A direction of one block: of x, y, slacks and multipliers."""

    x: Array
    y: Array
    slacks: Cone
    multipliers: Cone


@dataclass(frozen=True, eq=False)
class _Residuals:
    """What an iterate is off by.

    Attributes
    ----------
    slacks : list of Cone
        Slacks of the blocks.
    of_v : (N,) array
        Predictions less those that the dual vector means.
    of_blocks : list of pairs of arrays
        Stationarity in x and y of each block.
    product, degree : float, int
        Slacks times multipliers, and the number of products.
    size : float
        The dual objective: at the optimum the objective, before that less.
    cost : float
        What the residuals can change of the objective.
    """

    slacks: list[Cone]
    of_v: Array
    of_blocks: list[tuple[Array, Array]]
    product: float
    degree: int
    size: float
    cost: float

    @classmethod
    def of(cls, parts: list[Part], task: Task, state: State) -> "_Residuals":
        """Evaluate an iterate."""
        model, (to_low, to_high) = task.loss.dual_model(state.v, task.y), _to_ends(task, state.v)
        low, high = np.isfinite(to_low), np.isfinite(to_high)
        of_v = state.constant + model.curvature * state.v + model.slope - state.at_low + state.at_high
        slacks, of_blocks = [], []
        product = float(state.at_low[low] @ to_low[low] + state.at_high[high] @ to_high[high])
        degree, cost = int(low.sum() + high.sum()), 0.0
        for (block, outputs, costs), x, y, z in zip(parts, state.xs, state.ys, state.multipliers, strict=True):
            of_v = of_v + outputs @ x
            slacks.append(block.slacks(x, y))
            product, degree = product + slacks[-1].dot(z), degree + block.degree
            on_x, on_y = block.adjoint(z)
            of_x = costs - outputs.T @ state.v - on_x
            of_blocks.append((of_x, -on_y))
            cost += float(np.abs(of_x) @ np.abs(x))
        cost += float(np.abs(of_v) @ np.abs(state.v))
        size = max(abs(task.loss.dual_value(state.v, task.y)), LEAST_SIZE)
        return cls(slacks, of_v, of_blocks, product, degree, size, cost)


@dataclass(frozen=True, eq=False)
class _Newton:
    """The Newton system of an iterate, factored.

    The blocks are eliminated, each by a Cholesky factorisation of its own; what is left has a row for every sample.
    """

    parts: list[Part]
    free_constant: bool
    state: State
    residuals: _Residuals
    to_low: Array
    to_high: Array
    factors: list["_Factor"]
    lower: Array

    @classmethod
    def of(cls, parts: list[Part], task: Task, state: State, residuals: _Residuals) -> "_Newton":
        """Factor; a LinAlgError says that a matrix is singular up to rounding."""
        to_low, to_high = _to_ends(task, state.v)
        model = task.loss.dual_model(state.v, task.y)
        K = np.diag(model.curvature + state.at_low / to_low + state.at_high / to_high)
        factors = []
        for part, slacks, z in zip(parts, residuals.slacks, state.multipliers, strict=True):
            factors.append(_Factor.of(part, slacks, z))
            K += factors[-1].outputs.T @ factors[-1].outputs
        K[np.diag_indices(len(K))] += REGULARISATION * np.trace(K)
        lower = cholesky(K, lower=True, check_finite=False)
        return cls(parts, task.free_constant, state, residuals, to_low, to_high, factors, lower)

    def goals(self, last: _Direction | None, centre: float) -> tuple[list[Cone], Array, Array]:
        """Return the changes of the multipliers that bring all products to `centre`, but for their linear part.

        The second order of the products is that of the last direction.
        """
        state = self.state
        if last is None:
            straight = [Cone(*(-part for part in z)) for z in state.multipliers]
            return straight, -state.at_low, -state.at_high
        cones = [
            factor.corrected(slacks, z, step, centre)
            for factor, slacks, z, step in zip(
                self.factors, self.residuals.slacks, state.multipliers, last.steps, strict=True
            )
        ]
        low = (centre - last.v * last.at_low) / self.to_low - state.at_low
        high = (centre + last.v * last.at_high) / self.to_high - state.at_high
        return cones, low, high

    def towards(self, goals: list[Cone], low: Array, high: Array) -> _Direction:
        """Return the direction towards these goals and residuals of zero."""
        state, residuals = self.state, self.residuals
        right, halves = low - high - residuals.of_v, []
        for part, goal, (of_x, of_y), factor in zip(self.parts, goals, residuals.of_blocks, self.factors, strict=True):
            on_x, on_y = part.block.adjoint(goal)
            on_y = on_y - of_y
            on_x = on_x - of_x - part.block.forward(factor.eliminated, on_y)
            half = solve_triangular(factor.cholesky, factor.weights * on_x, lower=True, check_finite=False)
            right = right - factor.outputs.T @ half
            halves.append((half, on_y))
        dv, dc = _solve(self.lower, right), 0.0
        if self.free_constant:
            ones = _solve(self.lower, np.ones(len(dv)))
            dc = float((dv.sum() + state.v.sum()) / ones.sum())
            dv = dv - dc * ones
        steps = []
        for part, factor, (half, on_y), goal in zip(self.parts, self.factors, halves, goals, strict=True):
            right = half + factor.outputs @ dv
            back = solve_triangular(factor.cholesky, right, lower=True, trans=1, check_finite=False)
            dx = factor.weights * back
            dy = part.block.backward(factor.eliminated, on_y, dx)
            slacks, P = part.block.slacks(dx, dy), factor.scaling
            multipliers = Cone(
                goal.moments - P.moments @ slacks.moments @ P.moments,
                goal.pairs - P.pairs @ slacks.pairs @ P.pairs,
                goal.rows - P.rows * slacks.rows,
                goal.sides - P.sides * slacks.sides,
            )
            steps.append(_Step(dx, dy, slacks, multipliers))
        return _Direction(
            dv, dc, low - state.at_low / self.to_low * dv, high + state.at_high / self.to_high * dv, steps
        )

    def longest(self, direction: _Direction) -> float:
        """Return how far one can go until something meets the boundary."""
        state = self.state
        length = min(
            _ratio(self.to_low, direction.v),
            _ratio(self.to_high, -direction.v),
            _ratio(state.at_low, direction.at_low),
            _ratio(state.at_high, direction.at_high),
        )
        for factor, slacks, z, step in zip(
            self.factors, self.residuals.slacks, state.multipliers, direction.steps, strict=True
        ):
            large, small = factor.scaled(step)
            length = min(
                length,
                *(_reach(factor.spectrum, change) for change in large),
                *(_reach(factor.spectra, change) for change in small),
                *(_ratio(now.rows, change.rows) for now, change in ((slacks, step.slacks), (z, step.multipliers))),
                *(_ratio(now.sides, change.sides) for now, change in ((slacks, step.slacks), (z, step.multipliers))),
            )
        return length

    def product_after(self, direction: _Direction, length: float) -> float:
        """Return slacks times multipliers after a step."""
        state, low, high = self.state, np.isfinite(self.to_low), np.isfinite(self.to_high)
        product = (self.to_low + length * direction.v)[low] @ (state.at_low + length * direction.at_low)[low]
        product += (self.to_high - length * direction.v)[high] @ (state.at_high + length * direction.at_high)[high]
        for slacks, z, step in zip(self.residuals.slacks, state.multipliers, direction.steps, strict=True):
            product += _moved(slacks, step.slacks, length).dot(_moved(z, step.multipliers, length))
        return float(product)

    def moved(self, direction: _Direction, length: float) -> State:
        """Return the iterate after a step."""
        state, steps = self.state, direction.steps
        return replace(
            state,
            xs=[x + length * step.x for x, step in zip(state.xs, steps, strict=True)],
            ys=[y + length * step.y for y, step in zip(state.ys, steps, strict=True)],
            multipliers=[_moved(z, step.multipliers, length) for z, step in zip(state.multipliers, steps, strict=True)],
            v=state.v + length * direction.v,
            constant=state.constant + length * direction.constant,
            at_low=state.at_low + length * direction.at_low,
            at_high=state.at_high + length * direction.at_high,
        )


@dataclass(frozen=True, eq=False)
class _Factor:
    """One block of a Newton system: its scaling, and its matrix factored.

    `root`, `inverse` and `spectrum` are R, its inverse and lam with R' Z R = R^-1 S R^-T = diag(lam), for M; `roots`,
    `inverses` and `spectra` the same for the small matrices. The matrix has rows and columns times `weights`.
    """

    root: Array
    inverse: Array
    spectrum: Array
    roots: Array
    inverses: Array
    spectra: Array
    cholesky: Array
    weights: Array
    outputs: Array
    eliminated: Elimination
    scaling: Cone

    @classmethod
    def of(cls, part: Part, slacks: Cone, multipliers: Cone) -> "_Factor":
        """Scale and factor."""
        root, inverse, spectrum = _scaling(slacks.moments, multipliers.moments)
        roots, inverses, spectra = _scaling(slacks.pairs, multipliers.pairs)
        scaling = Cone(
            inverse.T @ inverse,
            np.swapaxes(inverses, -1, -2) @ inverses,
            multipliers.rows / slacks.rows,
            multipliers.sides / slacks.sides,
        )
        matrix, eliminated = part.block.newton(scaling)
        weights = 1 / np.sqrt(np.diag(matrix))
        matrix *= weights
        matrix *= weights[:, None]
        diagonal = np.diag_indices(len(matrix))
        try:
            matrix[diagonal] += REGULARISATION
            lower = cholesky(matrix, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            matrix[diagonal] += STRONGER
            lower = cholesky(matrix, lower=True, check_finite=False)
        outputs = solve_triangular(lower, weights[:, None] * part.outputs.T, lower=True, check_finite=False)
        return cls(root, inverse, spectrum, roots, inverses, spectra, lower, weights, outputs, eliminated, scaling)

    def scaled(self, step: _Step) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Return the steps of slacks and multipliers in coordinates in which both are diag(lam)."""
        large = (
            self.inverse @ step.slacks.moments @ self.inverse.T,
            self.root.T @ step.multipliers.moments @ self.root,
        )
        small = (
            self.inverses @ step.slacks.pairs @ np.swapaxes(self.inverses, -1, -2),
            np.swapaxes(self.roots, -1, -2) @ step.multipliers.pairs @ self.roots,
        )
        return large, small

    def corrected(self, slacks: Cone, multipliers: Cone, step: _Step, centre: float) -> Cone:
        """Return the goals of the multipliers, to second order."""
        large, small = self.scaled(step)
        return Cone(
            _corrected(self.spectrum, large, self.inverse, centre),
            _corrected(self.spectra, small, self.inverses, centre),
            (centre - step.slacks.rows * step.multipliers.rows) / slacks.rows - multipliers.rows,
            (centre - step.slacks.sides * step.multipliers.sides) / slacks.sides - multipliers.sides,
        )


def _corrected(spectrum: Array, changes: tuple[Array, Array], inverse: Array, centre: float) -> Array:
    """Return what brings the product of a matrix and its multiplier to `centre`, in their own coordinates."""
    product = changes[0] @ changes[1]
    right = -(product + np.swapaxes(product, -1, -2)) / 2
    diagonal = np.arange(spectrum.shape[-1])
    right[..., diagonal, diagonal] += centre - spectrum**2
    right *= 2 / (spectrum[..., :, None] + spectrum[..., None, :])
    return np.swapaxes(inverse, -1, -2) @ right @ inverse


def _moved(cone: Cone, change: Cone, length: float) -> Cone:
    return Cone(*(part + length * step for part, step in zip(cone, change, strict=True)))


def _scaling(slack: Array, multiplier: Array) -> tuple[Array, Array, Array]:
    """Return R, its inverse and lam with R' Z R = R^-1 S R^-T = diag(lam), of one matrix or a stack of them."""
    left, right = np.linalg.cholesky(slack), np.linalg.cholesky(multiplier)
    U, lam, Vt = np.linalg.svd(np.swapaxes(right, -1, -2) @ left)
    widths = np.sqrt(lam)[..., None, :]
    return left @ np.swapaxes(Vt, -1, -2) / widths, np.swapaxes(right @ (U / widths), -1, -2), lam


def _reach(spectrum: Array, change: Array) -> float:
    """Return the largest t for which diag(lam) + t change is semidefinite, 0 for a direction that overflowed."""
    widths = np.sqrt(spectrum)
    change = change / (widths[..., :, None] * widths[..., None, :])
    if not np.isfinite(change).all():
        return 0.0
    if change.shape[-1] == 2:
        first, second, mixed = change[..., 0, 0], change[..., 1, 1], change[..., 0, 1]
        least = ((first + second) / 2 - np.hypot((first - second) / 2, mixed)).min(initial=0.0)
    else:
        least = np.linalg.eigvalsh((change + change.T) / 2)[0]
    return np.inf if least >= 0 else -1 / least


def _ratio(values: Array, changes: Array) -> float:
    """Return the largest t for which values + t changes are not negative."""
    falling = changes < 0
    return float(np.min(values[falling] / -changes[falling])) if falling.any() else np.inf


def _solve(lower: Array, right: Array) -> Array:
    """Solve with a Cholesky factor."""
    half = solve_triangular(lower, right, lower=True, check_finite=False)
    return solve_triangular(lower, half, lower=True, trans=1, check_finite=False)
