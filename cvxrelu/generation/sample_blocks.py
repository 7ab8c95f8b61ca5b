"""Samples in blocks, and what neurons have there: matrices of one number for each neuron and sample, made once."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.activation import activation_slopes
from cvxrelu.problem.problem import Problem

__all__ = ["Block", "blocks_of"]

Array = NDArray[np.float64]

# Numbers of a block of the samples that stay in the cache between operations.
BLOCK_SIZE, FEWEST_ROWS = 2**16, 64


@dataclass(frozen=True, eq=False)
class Block:
    """Some samples, with their lifted rows, and with room for what all neurons have there.

    The rows and the matrices of numbers, one for each neuron and sample, are made once: to get memory for them takes as
    long as to fill them. Blocks of samples stay in the cache from one operation to the next.
    """

    samples: slice
    rows: Array
    columns: Array
    heights: Array
    room: Array

    def activate(self, slope: float) -> Array:
        """Return the activations of all neurons here, until the next call."""
        # The activation is the larger of t and its multiple, or the smaller of them.
        larger = np.minimum if slope > 1 else np.maximum
        return larger(self.heights, slope * self.heights if slope else 0.0, out=self.room)

    def pulled(self, pulls: Array, slope: float) -> Array:
        """Return what pulls at the heights, of what pulls at the activations, until the next call."""
        positive = self.heights >= 0
        return np.multiply(activation_slopes(positive, slope) if slope else positive, pulls, out=self.room)


def blocks_of(problem: Problem, m: int, single: bool) -> list[Block]:
    """Return all samples in blocks, for m neurons, in single precision or not."""
    n, dtype = problem.n_samples, cast("type[np.float64]", np.float32 if single else np.float64)
    bias = np.full(n, float(problem.norm.has_bias))
    lifted: Any = np.ascontiguousarray(np.column_stack([problem.X, bias]), dtype=dtype)
    size = max(BLOCK_SIZE // max(m, 1), FEWEST_ROWS)
    room, blocks = np.empty((m, size), dtype), list[Block]()
    for begin in range(0, n, size):
        rows = lifted[begin : begin + size]
        heights = np.empty((m, len(rows)), dtype)
        columns = np.ascontiguousarray(rows.T)
        blocks.append(Block(slice(begin, begin + size), rows, columns, heights, room[:, : len(rows)]))
    return blocks
