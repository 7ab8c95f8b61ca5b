r"""The cells that the program has groups for: {u : s_i z_i . u >= 0 for all i}, s their sign patterns.

Fewer cells suffice if the bias costs nothing (Euclidean norm, bias "free"). A neuron may then be shifted until its
hinge passes through a data point without a change of cost: its value sum_i v_i sigma(w.x_i + b) against a dual vector v
with sum v = 0 is piecewise linear in b with kinks at the data. A neuron whose hinge passes through x_i lies in two
closed cells that differ in the sign of x_i only. The *parity* of the number of negative signs (places counted once)
differs between these two, so the cells of odd parity cover all such neurons, and the others can be left out. The two
*flat* cells, in which all signs are equal and the activation is linear, are kept whatever their parity, with b = 0 and
no sign rows: their bias only moves the free constant, which the decoder makes up for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.problem import Problem

__all__ = ["Cells", "covering_cells", "flat_cells"]

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of the arrangement that may hold neurons.

    Parameters
    ----------
    patterns : (P, N) bool array
        Their sign patterns, True for +1.
    rows : (P, N) bool array
        The sign constraints that are imposed: at least the facets of each cell.
    """

    patterns: BoolArray
    rows: BoolArray

    def __len__(self) -> int:
        return len(self.patterns)

    def __getitem__(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> "Cells":
        return Cells(self.patterns[keep], self.rows[keep])


def flat_cells(problem: Problem, patterns: BoolArray) -> BoolArray:
    """Return which cells are flat: all signs equal, in a problem whose biases are free."""
    return (patterns == patterns[:, :1]).all(axis=1) & problem.norm.has_free_bias


def covering_cells(problem: Problem, cells: Cells, places: NDArray[np.intp]) -> Cells:
    """Return cells that suffice for an optimum, given *all* the cells of a problem.

    Parameters
    ----------
    problem : Problem
        The problem.
    cells : Cells
        All cells of its arrangement.
    places : array of int
        The first sample at each place, so that samples that share a place count once.

    Returns
    -------
    Cells
        If biases are free the odd cells and the flat ones; otherwise all. Cells in which the activation vanishes
        are left out, and so is one of every opposite pair if both act alike: if the negative slope is -1, or they
        differ by what a skip connection does for nothing.
    """
    negative = ~cells.patterns
    keep = np.ones(len(cells), dtype=bool)
    if problem.norm.has_free_bias:
        keep = (negative[:, places].sum(axis=1) % 2 == 1) | flat_cells(problem, cells.patterns)
    if problem.is_even:
        # All signs equal: what neurons do there is free.
        keep &= cells.patterns.any(axis=1) & negative.any(axis=1)
        keep[0] |= not keep.any()
    elif problem.negative_slope == 0:
        keep &= cells.patterns.any(axis=1)
    kept = cells[keep]
    if problem.negative_slope == -1 or problem.is_even:
        return kept[_one_of_each_pair(kept.patterns)]
    return kept


def _one_of_each_pair(patterns: BoolArray) -> NDArray[np.intp]:
    """Return the indices of patterns whose opposite does not come earlier."""
    seen: set[bytes] = set()
    kept = []
    for index, pattern in enumerate(patterns):
        if np.packbits(~pattern).tobytes() not in seen:
            seen.add(np.packbits(pattern).tobytes())
            kept.append(index)
    return np.array(kept, dtype=np.intp)
