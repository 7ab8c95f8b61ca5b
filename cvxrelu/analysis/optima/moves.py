r"""Hinges that move without a change on the data: along segments and rays, and neurons merged by that.

The weight mu (1 - theta) of one end of a segment and mu theta of the other are, on the data, the weight mu of a
neuron (1 - theta) u + theta u' between them. On a ray a neuron is linear on the data, h (w.x + b), so a change of b
is a change of the output constant by h times as much.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.analysis.optima.neurons import Neurons
from cvxrelu.analysis.optima.polytope import Polytope, solve_linear
from cvxrelu.numerics.activation import leaky_relu

__all__ = ["Move", "Parts", "best_moves", "merged", "moved", "moves_to", "random_moves"]

Array = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Move:
    """A place to which weight of some neurons can go.

    Attributes
    ----------
    sources : (1 or 2,) array of int
        The neurons.
    shares : (1 or 2,) array
        What each of them gives, per unit of weight at the new place.
    group : (D,) array
        The new place.
    constant : float
        What it adds to the output constant, per unit of weight.
    """

    sources: IntArray
    shares: Array
    group: Array
    constant: float = 0.0

    def gain(self, neurons: Neurons, z: Array) -> float:
        """Return the change of the output at the lifted point z, per unit of weight."""
        heights = np.append(neurons.groups[self.sources] @ z, self.group @ z)
        outputs = neurons.signs[self.sources[0]] * leaky_relu(heights, neurons.negative_slope)
        return float(outputs[-1] - self.shares @ outputs[:-1]) + self.constant


@dataclass(frozen=True, eq=False)
class Parts:
    """Neurons of a network: groups (m, D), signs (m,) and weights (m,)."""

    groups: Array
    signs: Array
    weights: Array


def moves_to(neurons: Neurons, z: Array) -> list[Move]:
    """Return the moves along segments and rays that put the hinge of a neuron on the lifted point z."""
    heights = neurons.groups @ z
    crossed = [pair for pair in neurons.segments if heights[pair[0]] * heights[pair[1]] < 0]
    moves = [
        _between(neurons, pair, float(heights[pair[0]] / (heights[pair[0]] - heights[pair[1]]))) for pair in crossed
    ]
    return moves + [_along(neurons, int(k), float(-heights[k])) for k in np.flatnonzero(neurons.rays * heights < 0)]


def random_moves(neurons: Neurons, rng: np.random.Generator, reach: float) -> Iterator[Move]:
    """Yield a move to a random place of every segment and ray, on rays at a mean distance `reach`, in random order."""
    rays = np.flatnonzero(neurons.rays)
    for index in rng.permutation(len(neurons.segments) + len(rays)):
        if index < len(neurons.segments):
            yield _between(neurons, neurons.segments[index], rng.uniform())
        else:
            k = int(rays[index - len(neurons.segments)])
            yield _along(neurons, k, float(neurons.rays[k]) * rng.exponential(reach))


def moved(neurons: Neurons, weights: Array, moves: list[Move], amounts: Array) -> Parts:
    """Return the neurons of a network after moves of the given amounts."""
    weights = weights.copy()
    for move, amount in zip(moves, amounts, strict=True):
        weights[move.sources] -= amount * move.shares
    places = np.array([move.group for move in moves]).reshape(len(moves), neurons.groups.shape[1])
    signs = np.array([neurons.signs[move.sources[0]] for move in moves])
    return Parts(
        np.vstack([neurons.groups, places]),
        np.append(neurons.signs, signs),
        np.append(weights, amounts),
    )


def merged(neurons: Neurons, weights: Array, elements: NDArray[np.bool_]) -> Parts:
    """Return a neuron, or one each way and of each sign, for each element of a cover, at the mean of what it covers.

    Neurons of both signs are in one place before.
    """
    groups, signs, totals = [], [], []
    left = np.where(elements.any(axis=0), np.maximum(weights, 0.0), 0.0)
    for element in elements:
        members = np.flatnonzero(element & (left > 0))
        if not len(members):
            continue
        directions = neurons.groups[members, : neurons.n_features]
        faces = np.where(directions @ directions[0] >= 0, 1.0, -1.0)
        mean = (left[members] * faces) @ neurons.groups[members] / left[members].sum()
        for face, sign in itertools.product((1.0, -1.0), (1.0, -1.0)):
            total = left[members[(faces == face) & (neurons.signs[members] == sign)]].sum()
            if total > 0:
                groups.append(face * mean)
                signs.append(sign)
                totals.append(total)
        left[members] = 0.0
    return Parts(np.array(groups).reshape(-1, neurons.groups.shape[1]), np.array(signs), np.array(totals))


def best_moves(polytope: Polytope, moves: list[Move], costs: Array) -> tuple[Array, Array]:
    """Return the point of the polytope, and the amounts of moves from it, of least costs (dimensions and moves)."""
    size = polytope.dimension
    # The first rows of the polytope say that the weights are not negative; moves take from them.
    taken = np.zeros((len(polytope.slack), len(moves)))
    for k, move in enumerate(moves):
        taken[move.sources, k] = move.shares
    matrix = np.block([[-polytope.slopes, taken], [np.zeros((len(moves), size)), -np.eye(len(moves))]])
    solution = solve_linear(costs, matrix, np.append(polytope.slack, np.zeros(len(moves))))
    return polytope.point(solution[:size]), np.maximum(solution[size:], 0.0)


def _between(neurons: Neurons, pair: IntArray, share: float) -> Move:
    shares = np.array([1 - share, share])
    return Move(pair, shares, shares @ neurons.groups[pair])


def _along(neurons: Neurons, k: int, change: float) -> Move:
    group = neurons.groups[k].copy()
    group[-1] += change
    slope = 1.0 if neurons.rays[k] > 0 else neurons.negative_slope
    return Move(np.array([k]), np.ones(1), group, -neurons.signs[k] * slope * change)
