r"""What the program fits, an iterate of its solution, and what that is off by.

    slacks = A x,   stationarity: cost - outputs' v - A' multipliers = 0,   f(x) + F c = what the dual vector v means

Slacks are those of the moments, so that only multipliers and predictions can be off.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.losses import Loss
from cvxrelu.relaxation.blocks import Block
from cvxrelu.relaxation.cones import Cone, joined

__all__ = ["Part", "Residuals", "State", "Task", "sizes_of", "to_ends"]

Array = NDArray[np.float64]

# Least objective that gaps are shares of: there are none that small in scaled units.
LEAST_SIZE = 1e-100


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
    free : (N, r) array
        F, the basis of what is free (`Problem.free`).
    """

    loss: Loss
    y: Array
    bound: float
    free: Array

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
    multipliers : Cone
        The multipliers of all of them.
    v : (N,) array
        Dual vector.
    constant : (r,) array
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
    multipliers: Cone
    v: Array
    constant: Array
    at_low: Array
    at_high: Array
    gap: float = np.inf
    iterations: int = 0


def sizes_of(parts: list[Part]) -> list[tuple[int, int]]:
    """Return the numbers of pairs and of numbers of the blocks."""
    return [part.block.sizes for part in parts]


def to_ends(task: Task, v: Array) -> tuple[Array, Array]:
    """Return the distances of v to the ends of its box; infinity where there is none."""
    box = task.loss.dual_model(v, task.y)
    return v - box.lower, box.upper - v


@dataclass(frozen=True, eq=False)
class Residuals:
    """What an iterate is off by.

    Attributes
    ----------
    slacks : Cone
        Slacks of all blocks.
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

    slacks: Cone
    of_v: Array
    of_blocks: list[tuple[Array, Array]]
    product: float
    degree: int
    size: float
    cost: float

    @classmethod
    def of(cls, parts: list[Part], task: Task, state: State) -> "Residuals":
        """Evaluate an iterate."""
        model, (to_low, to_high) = task.loss.dual_model(state.v, task.y), to_ends(task, state.v)
        low, high = np.isfinite(to_low), np.isfinite(to_high)
        of_v = task.free @ state.constant + model.curvature * state.v + model.slope - state.at_low + state.at_high
        slacks, of_blocks, cost = [], [], 0.0
        multipliers = state.multipliers.split(sizes_of(parts))
        for (block, outputs, costs), x, y, z in zip(parts, state.xs, state.ys, multipliers, strict=True):
            of_v = of_v + outputs @ x
            slacks.append(block.slacks(x, y))
            on_x, on_y = block.adjoint(z)
            of_x = costs - outputs.T @ state.v - on_x
            of_blocks.append((of_x, -on_y))
            cost += float(np.abs(of_x) @ np.abs(x))
        cost += float(np.abs(of_v) @ np.abs(state.v))
        together = joined(slacks)
        product = float(state.at_low[low] @ to_low[low] + state.at_high[high] @ to_high[high])
        product += together.dot(state.multipliers)
        degree = int(low.sum() + high.sum()) + sum(part.block.degree for part in parts)
        size = max(abs(task.loss.dual_value(state.v, task.y)), LEAST_SIZE)
        return cls(together, of_v, of_blocks, product, degree, size, cost)
