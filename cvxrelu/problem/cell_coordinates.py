"""Coordinates of the neurons of a cell in which their cost is a Euclidean norm, by singular value decompositions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import SolverError
from cvxrelu.problem.norms import Norm
from cvxrelu.runtime.clock import Clock

__all__ = ["CHUNK", "RANK_RTOL", "CellCoordinates"]

Array = NDArray[np.float64]

# Share of the largest singular value of a group matrix below which one is zero: that of samples in a plane is rounding.
RANK_RTOL = 1e-11
# Cells whose matrices are decomposed at once, which bounds the memory.
CHUNK = 4096


@dataclass(frozen=True, eq=False)
class CellCoordinates:
    """Coordinates u = (bases + kernels) y of each cell in which its cost norm(M u) is the norm of some entries of y.

    Attributes
    ----------
    bases : (P, D, D) array
        V_1 S_1^-1 of the singular value decomposition M = U S V', with columns of zeros to fill it up.
    kernels : (P, D, D) array
        V_0, the null space of M, with columns of zeros in the other places.
    conditions : (P,) array
        Condition number of M on its range.
    ranks : (P,) array of int
        Rank of M: the number of its singular values that are not taken for zero.
    cut : (P,) bool array
        Whether one is that the shape of M alone does not make zero.
    """

    bases: Array
    kernels: Array
    conditions: Array
    ranks: NDArray[np.intp]
    cut: NDArray[np.bool_]

    @classmethod
    def of(cls, matrices: Array) -> "CellCoordinates":
        """Return the coordinates of cells with (P, r, D) group matrices.

        Examples
        --------
        >>> found = CellCoordinates.of(np.array([[[4.0, 0.0]]]))
        >>> np.abs(found.bases[0]), np.abs(found.kernels[0])
        (array([[0.25, 0.  ],
               [0.  , 0.  ]]), array([[0., 0.],
               [0., 1.]]))
        """
        _, values, rotations = np.linalg.svd(matrices)
        singular = np.zeros((len(matrices), matrices.shape[2]))
        singular[:, : values.shape[1]] = values
        nonzero = singular > RANK_RTOL * singular[:, :1]
        inverses = np.divide(1.0, singular, out=np.zeros_like(singular), where=nonzero)
        columns = rotations.transpose(0, 2, 1)
        conditions = (singular[:, :1] * inverses).max(axis=1, initial=1.0)
        ranks = nonzero.sum(axis=1)
        return cls(columns * inverses[:, None], columns * ~nonzero[:, None], conditions, ranks, ranks < values.shape[1])

    @classmethod
    def of_cells(
        cls, norm: Norm, patterns: NDArray[np.bool_], lifted: Array, transform: Array, clock: Clock
    ) -> "CellCoordinates":
        """Return the coordinates of the (P, N) patterns of a norm; lifted rows and coordinates are as in `Norm`.

        Raises
        ------
        SolverError
            If the clock expires before that.
        """
        parts = []
        for start in range(0, max(len(patterns), 1), CHUNK):
            if clock.expired:
                raise SolverError(
                    f"time_limit={clock.limit:g} ended before all {len(patterns):,} cells of norm={norm.name!r} were "
                    "prepared; allow more, or give fewer samples."
                )
            part = patterns[start : start + CHUNK]
            matrices = norm.group_matrices(part, lifted, transform)
            parts.append(cls.of(np.broadcast_to(matrices, (len(part), *matrices.shape[1:]))))
        return cls(
            np.concatenate([part.bases for part in parts]),
            np.concatenate([part.kernels for part in parts]),
            np.concatenate([part.conditions for part in parts]),
            np.concatenate([part.ranks for part in parts]),
            np.concatenate([part.cut for part in parts]),
        )
