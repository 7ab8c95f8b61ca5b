r"""The relaxed program: the best moments, and with them a dual vector that is chosen for the bound.

    min  sum_i loss(f_i, y_i) + B sum_r s_r     f = c + sum_r (outputs of block r),   B = N alpha, or 1 for a constraint

over the moments of all blocks (`cvxrelu.relaxation.blocks`). It contains every network, so its value is at most the
optimum, and its multipliers prove that (`cvxrelu.multipliers`).

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
from scipy.linalg import LinAlgError, cholesky, solve_triangular

from cvxrelu.losses import Interpolation, Loss
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
    gap : float
        Complementarity gap, as a share of the objective; that of the last iteration.
    """

    xs: list[Array]
    ys: list[Array]
    multipliers: list[Cone]
    v: Array
    constant: float
    gap: float = np.inf


class _Factor(NamedTuple):
    """What the directions of one iteration share, of one block."""

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


class _Step(NamedTuple):
    """A direction of one block: of x, y, slacks and multipliers."""

    x: Array
    y: Array
    slacks: Cone
    multipliers: Cone


def start_from(parts: list[Part], xs: list[Array], v: Array, constant: float, price: float) -> State:
    """Return a state to start from: given moments, strictly inside, and multipliers in proportion to 1 / slacks, or less.

    Parameters
    ----------
    price : float
        Products of slacks and multipliers, next to the mass of the block.
    """
    ys = [part.block.middle(x) for part, x in zip(parts, xs, strict=True)]
    multipliers = []
    for part, x, y in zip(parts, xs, ys, strict=True):
        slacks, mu, least = part.block.slacks(x, y), price * x[0], LEAST_SLACK * x[0]
        moments, pairs = (S + least * np.eye(S.shape[-1]) for S in (slacks.moments, slacks.pairs))
        multipliers.append(
            Cone(
                mu * np.linalg.inv(moments),
                mu * np.linalg.inv(pairs),
                mu / (slacks.rows + least),
                mu / (slacks.sides + least),
            )
        )
    return State(list(xs), ys, multipliers, v, constant)


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
    N, blocks = len(task.y), [part.block for part in parts]
    box = task.loss.dual_model(state.v, task.y)
    low, high = np.isfinite(box.lower), np.isfinite(box.upper)
    degree = sum(block.degree for block in blocks) + int(low.sum() + high.sum())
    mu = _product(blocks, state) / sum(block.degree for block in blocks)
    at_low = np.where(low, mu / np.where(low, state.v - box.lower, 1.0), 0.0)
    at_high = np.where(high, mu / np.where(high, box.upper - state.v, 1.0), 0.0)
    best, least = state, np.inf
    for _ in range(MOST_ITERATIONS):
        model = task.loss.dual_model(state.v, task.y)
        to_low = np.where(low, state.v - np.where(low, box.lower, 0.0), 1.0)
        to_high = np.where(high, np.where(high, box.upper, 0.0) - state.v, 1.0)
        slacks = [block.slacks(x, y) for block, x, y in zip(blocks, state.xs, state.ys, strict=True)]
        product = sum(s.dot(z) for s, z in zip(slacks, state.multipliers, strict=True))
        product += at_low @ to_low + at_high @ to_high
        f = sum(part.outputs @ x for part, x in zip(parts, state.xs, strict=True)) + state.constant
        mass = abs(sum(part.cost @ x for part, x in zip(parts, state.xs, strict=True)))
        loss = task.loss.value(f, task.y) * N
        size = mass + (loss if np.isfinite(loss) else 0.0)
        off_v = f + model.curvature * state.v + model.slope - at_low + at_high
        off = []
        for part, z in zip(parts, state.multipliers, strict=True):
            on_x, on_y = part.block.adjoint(z)
            off.append((part.cost - part.outputs.T @ state.v - on_x, -on_y))
        gap = product / max(size, 1e-300)
        # What the residuals can change of the objective.
        worst = np.abs(off_v) @ np.abs(state.v)
        worst += sum(np.abs(residual) @ np.abs(x) for (residual, _), x in zip(off, state.xs, strict=True))
        worst /= max(size, 1e-300)
        state = replace(state, gap=gap)
        if gap + worst <= least:
            best, least = state, gap + worst
        if (gap <= accuracy and worst <= RESIDUAL_FACTOR * accuracy) or expired():
            break

        try:
            factors = [
                _factor(part, s, z) for part, s, z in zip(parts, slacks, state.multipliers, strict=True)
            ]
            K = np.diag(model.curvature + at_low / to_low + at_high / to_high)
            for factor in factors:
                K += factor.outputs.T @ factor.outputs
            K[np.diag_indices(N)] += REGULARISATION * np.trace(K)
            lower = cholesky(K, lower=True, check_finite=False)
        except (LinAlgError, np.linalg.LinAlgError):
            break
        ones = _solve(lower, np.ones(N)) if task.free_constant else np.ones(N)

        def direction(goals: list[Cone], low_goal: Array, high_goal: Array):
            """Return the step towards products of slacks and multipliers."""
            right = -off_v + low_goal - high_goal
            parts = []
            for block, goal, (off_x, off_y), factor in zip(blocks, goals, off, factors, strict=True):
                on_x, on_y = block.adjoint(goal)
                of_y = on_y - off_y
                of_x = on_x - off_x - block.forward(factor.eliminated, of_y)
                part = solve_triangular(factor.cholesky, factor.weights * of_x, lower=True, check_finite=False)
                right = right - factor.outputs.T @ part
                parts.append((part, of_y))
            dv = _solve(lower, right)
            dc = 0.0
            if task.free_constant:
                dc = (dv.sum() + state.v.sum()) / ones.sum()
                dv = dv - dc * ones
            steps = []
            for block, factor, (part, of_y), goal in zip(blocks, factors, parts, goals, strict=True):
                dx = part + factor.outputs @ dv
                dx = factor.weights * solve_triangular(
                    factor.cholesky, dx, lower=True, trans="T", check_finite=False
                )
                dy = block.backward(factor.eliminated, of_y, dx)
                ds = block.slacks(dx, dy)
                P = factor.scaling
                dz = Cone(
                    goal.moments - P.moments @ ds.moments @ P.moments,
                    goal.pairs - P.pairs @ ds.pairs @ P.pairs,
                    goal.rows - P.rows * ds.rows,
                    goal.sides - P.sides * ds.sides,
                )
                steps.append(_Step(dx, dy, ds, dz))
            dlow = np.where(low, low_goal - at_low / to_low * dv, 0.0)
            dhigh = np.where(high, high_goal + at_high / to_high * dv, 0.0)
            return dv, dc, steps, dlow, dhigh

        def longest(dv: Array, steps: list[_Step], dlow: Array, dhigh: Array) -> float:
            """Return how far the step can go until something meets the boundary."""
            length = min(
                _ratio(to_low, np.where(low, dv, 0.0)),
                _ratio(to_high, np.where(high, -dv, 0.0)),
                _ratio(at_low, dlow),
                _ratio(at_high, dhigh),
            )
            for factor, s, z, step in zip(factors, slacks, state.multipliers, steps, strict=True):
                for changes, spectrum in zip(_scaled(factor, step), (factor.spectrum, factor.spectra), strict=True):
                    length = min(length, *(_reach(spectrum, change) for change in changes))
                for now, change in ((s, step.slacks), (z, step.multipliers)):
                    length = min(length, _ratio(now.rows, change.rows), _ratio(now.sides, change.sides))
            return length

        goals = [Cone(*(-part for part in z)) for z in state.multipliers]
        dv, dc, steps, dlow, dhigh = direction(goals, -at_low, -at_high)
        length = min(1.0, longest(dv, steps, dlow, dhigh))
        left = (to_low + length * dv) @ (at_low + length * dlow) + (to_high - length * dv) @ (at_high + length * dhigh)
        for s, z, step in zip(slacks, state.multipliers, steps, strict=True):
            left += sum(
                float(np.vdot(a + length * da, b + length * db))
                for a, da, b, db in zip(s, step.slacks, z, step.multipliers, strict=True)
            )
        centre = float(np.clip(left / product, 0.0, 1.0)) ** 3 * product / degree

        goals = [
            _corrected(factor, s, z, step, centre)
            for factor, s, z, step in zip(factors, slacks, state.multipliers, steps, strict=True)
        ]
        low_goal = np.where(low, (centre - dv * dlow) / to_low - at_low, 0.0)
        high_goal = np.where(high, (centre + dv * dhigh) / to_high - at_high, 0.0)
        dv, dc, steps, dlow, dhigh = direction(goals, low_goal, high_goal)
        length = min(1.0, WAY * longest(dv, steps, dlow, dhigh))
        if not length > SHORTEST:
            break
        at_low, at_high = at_low + length * dlow, at_high + length * dhigh
        state = State(
            [x + length * step.x for x, step in zip(state.xs, steps, strict=True)],
            [y + length * step.y for y, step in zip(state.ys, steps, strict=True)],
            [
                Cone(*(part + length * change for part, change in zip(z, step.multipliers, strict=True)))
                for z, step in zip(state.multipliers, steps, strict=True)
            ],
            state.v + length * dv,
            state.constant + length * dc,
            state.gap,
        )
    return best


def price_block(block: Block, v: Array, accuracy: float, expired: Callable[[], bool] = lambda: False) -> tuple[Array, Cone]:
    """Return the moments of mass one with the largest score, v times outputs, and their multipliers.

    The constraint that the mass is one is a prediction of its own, to be interpolated; its dual is minus the score.
    """
    assert block.start is not None, "a region in use has room"
    mass = np.zeros((1, block.size))
    mass[0, 0] = 1.0
    cost = -block.outputs.T @ v
    scale = float(np.abs(cost) @ np.abs(block.start))
    part, task = Part(block, mass, cost / scale), Task(Interpolation(), np.ones(1), 0.0, free_constant=False)
    state = start_from([part], [block.start], np.zeros(1), 0.0, PRICE)
    state = solve_relaxed([part], task, state, accuracy, expired)
    return state.xs[0], Cone(*(scale * array for array in state.multipliers[0]))


def _product(blocks: list[Block], state: State) -> float:
    """Return the inner product of all slacks and multipliers."""
    parts = zip(blocks, state.xs, state.ys, state.multipliers, strict=True)
    return sum(block.slacks(x, y).dot(z) for block, x, y, z in parts)


def _factor(part: Part, slacks: Cone, multipliers: Cone) -> _Factor:
    """Return the scaling of a block and the factors of its Newton matrix."""
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
    except LinAlgError:
        matrix[diagonal] += STRONGER
        lower = cholesky(matrix, lower=True, check_finite=False)
    outputs = solve_triangular(lower, weights[:, None] * part.outputs.T, lower=True, check_finite=False)
    return _Factor(
        root, inverse, spectrum, roots, inverses, spectra, lower, weights, outputs, eliminated, scaling
    )


def _scaling(slack: Array, multiplier: Array) -> tuple[Array, Array, Array]:
    """Return R, its inverse and lam with R' Z R = R^-1 S R^-T = diag(lam), of one matrix or a stack of them."""
    left, right = np.linalg.cholesky(slack), np.linalg.cholesky(multiplier)
    U, lam, Vt = np.linalg.svd(np.swapaxes(right, -1, -2) @ left)
    widths = np.sqrt(lam)[..., None, :]
    return left @ np.swapaxes(Vt, -1, -2) / widths, np.swapaxes(right @ (U / widths), -1, -2), lam


def _scaled(factor: _Factor, step: _Step) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Return the steps of slacks and multipliers in coordinates in which both are diag(lam)."""
    R, inverse, Rs, inverses = factor.root, factor.inverse, factor.roots, factor.inverses
    large = inverse @ step.slacks.moments @ inverse.T, R.T @ step.multipliers.moments @ R
    small = (
        inverses @ step.slacks.pairs @ np.swapaxes(inverses, -1, -2),
        np.swapaxes(Rs, -1, -2) @ step.multipliers.pairs @ Rs,
    )
    return large, small


def _corrected(factor: _Factor, slacks: Cone, multipliers: Cone, step: _Step, centre: float) -> Cone:
    """Return what multipliers change by, but for the linear part, so that products come to `centre` in second order."""
    large, small = _scaled(factor, step)

    def corrected(spectrum: Array, changes: tuple[Array, Array], inverse: Array) -> Array:
        product = changes[0] @ changes[1]
        right = -(product + np.swapaxes(product, -1, -2)) / 2
        diagonal = np.arange(spectrum.shape[-1])
        right[..., diagonal, diagonal] += centre - spectrum**2
        right *= 2 / (spectrum[..., :, None] + spectrum[..., None, :])
        return np.swapaxes(inverse, -1, -2) @ right @ inverse

    return Cone(
        corrected(factor.spectrum, large, factor.inverse),
        corrected(factor.spectra, small, factor.inverses),
        (centre - step.slacks.rows * step.multipliers.rows) / slacks.rows - multipliers.rows,
        (centre - step.slacks.sides * step.multipliers.sides) / slacks.sides - multipliers.sides,
    )


def _reach(spectrum: Array, change: Array) -> float:
    """Return the largest t for which diag(lam) + t change is semidefinite, 0 for a direction that overflowed."""
    widths = np.sqrt(spectrum)
    change = change / (widths[..., :, None] * widths[..., None, :])
    if not np.isfinite(change).all():
        return 0.0
    least = np.linalg.eigvalsh((change + np.swapaxes(change, -1, -2)) / 2)[..., 0].min(initial=0.0)
    return np.inf if least >= 0 else -1 / least


def _ratio(values: Array, changes: Array) -> float:
    """Return the largest t for which values + t changes are not negative."""
    falling = changes < 0
    return float(np.min(values[falling] / -changes[falling])) if falling.any() else np.inf


def _solve(lower: Array, right: Array) -> Array:
    """Solve with a Cholesky factor."""
    half = solve_triangular(lower, right, lower=True, check_finite=False)
    return solve_triangular(lower, half, lower=True, trans="T", check_finite=False)
