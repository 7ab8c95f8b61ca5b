r"""The finite convex program of a set of sign patterns, as one vectorised cvxpy model.

With s a sign pattern, h(s)_i = 1 where s_i = +1 and the negative slope elsewhere, and Z the lifted rows [x_i, 1],
a network with at most one neuron of each output sign in each cell predicts and costs

    z = sum_s h(s) * (Z (u_s+ - u_s-)) + X A + c      cost = sum_s norm(M_s u_s+) + norm(M_s u_s-)
    s * (Z u_s+) >= 0,   s * (Z u_s-) >= 0            (the group stays in its cell)

and the program is min loss(z, y) + alpha * cost (Kumar & Haupt, Theorems 1 to 3, with the sign of the second
constraint corrected). Only the rows that bound a cell are imposed. A and c are there if they are free, and u_s- where
output weights may be negative.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cvxrelu.numerics.activation import activation_slopes
from cvxrelu.problem.cell_coordinates import CellCoordinates
from cvxrelu.problem.problem import Problem
from cvxrelu.program.cells import Cells, flat_cells
from cvxrelu.program.scaling import Scaling

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["GroupVariables", "Program", "program_on", "variables_of"]

# Regularisation below which predictions stay so near the labels that they are measured from there.
TINY = 1e-11

BoolArray = NDArray[np.bool_]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GroupVariables:
    """The groups of some cells as variables of cvxpy, in scaled coordinates, and what is affine or convex in them.

    Attributes
    ----------
    stacked : cvxpy.Variable
        The groups u_s+ and then, where output weights may be negative, u_s-, in the coordinates of their cells, stacked
        into a vector of P * D or 2 * P * D entries.
    free : cvxpy.Variable or None
        The coefficients of what is free (`Free.basis`), if anything is.
    coordinates : (P, D, D) array
        The coordinates: u_s is coordinates[s] times what the variables hold.
    output : cvxpy.Expression
        The scaled predictions, (N,).
    cost : cvxpy.Expression
        Their scaled cost.
    constraints : list of cvxpy.Constraint
        That each group stays in its cell.
    """

    stacked: "cp.Variable"
    free: "cp.Variable | None"
    coordinates: Array
    output: Any
    cost: Any
    constraints: list[Any]

    @property
    def variables(self) -> "list[cp.Variable]":
        """All variables."""
        return [self.stacked] if self.free is None else [self.stacked, self.free]

    @property
    def vectors(self) -> tuple[Array, Array]:
        """The values of u_s+ and u_s-, (P, D) arrays."""
        n_cells, size, _ = self.coordinates.shape
        stacked = np.asarray(self.stacked.value, dtype=float).reshape(-1, n_cells, size, 1)
        plus = (self.coordinates @ stacked[0])[:, :, 0]
        return plus, (self.coordinates @ stacked[1])[:, :, 0] if len(stacked) == 2 else np.zeros_like(plus)

    @property
    def coefficients(self) -> Array:
        """The values of the coefficients of what is free; none, if nothing is."""
        return np.zeros(0) if self.free is None else np.asarray(self.free.value, dtype=float)


@dataclass(frozen=True, eq=False)
class Program:
    """A cvxpy model with the handles that a solution is read from.

    Attributes
    ----------
    model : cvxpy.Problem
        The program in scaled coordinates.
    groups : GroupVariables
        Its groups.
    link : cvxpy.Constraint
        The constraint that ties the predictions to the groups; its multiplier is the dual vector.
    unit : float
        Scaled objective per unit of the model's objective.
    cells : Cells
        The cells, in the order of the groups.
    problem : Problem
        What is being solved.
    scaling : Scaling
        The coordinates.
    """

    model: "cp.Problem"
    groups: GroupVariables
    link: "cp.Constraint"
    unit: float
    cells: Cells
    problem: Problem
    scaling: Scaling


def program_on(problem: Problem, cells: Cells, unit: float | None = None) -> Program:
    """Return the convex program of a problem on some of its cells; nothing is solved.

    Parameters
    ----------
    problem : Problem
        The problem.
    cells : Cells
        The cells that may hold neurons, P of them.
    unit : float, optional
        What the model measures the scaled objective in, and the distance of predictions from targets (from labels,
        which they may exceed by far, and from targets on a kink of the loss, which they meet, only where it is tiny).
        By default alpha, where it is small: the optimum is a multiple of it, if the targets can be met; where they
        cannot, 1.0 is right.

    Returns
    -------
    Program
        The model, in the coordinates of `Scaling`.
    """
    import cvxpy as cp

    scaling = Scaling.of(problem)
    groups = variables_of(problem, scaling, cells)
    unit = min(1.0, scaling.alpha) if unit is None else unit
    distance = unit if (scaling.loss.moves and scaling.loss.smooth) or unit <= TINY else 1.0
    residuals = cp.Variable(problem.n_samples, name="residuals")
    predictions = scaling.y + distance * residuals if problem.loss.regularised else residuals
    link = predictions == groups.output

    loss = scaling.loss
    paid = loss.near(residuals, scaling.y, distance) if loss.regularised else loss.expression(residuals, scaling.y)
    objective = cp.Minimize(paid.mean * (distance / unit) + scaling.alpha / unit * groups.cost)
    model = cp.Problem(objective, [link, *groups.constraints, *paid.constraints])
    return Program(model, groups, link, unit, cells, problem, scaling)


def variables_of(problem: Problem, scaling: Scaling, cells: Cells) -> GroupVariables:
    """Return the groups of some cells as variables of cvxpy."""
    import cvxpy as cp

    matrices, coordinates = _group_coordinates(scaling, cells.patterns)
    n_cells, size = len(cells), matrices.shape[2]
    sides, basis = (1.0,) if problem.one_sided else (1.0, -1.0), problem.free.basis
    # One variable, and one term of each kind: with few cells, what cvxpy does for each takes longer than to solve.
    stacked = cp.Variable(len(sides) * n_cells * size, name="groups")
    free = cp.Variable(basis.shape[1], name="free") if basis.size else None

    rows = scaling.lifted @ coordinates
    predictions = _prediction_matrix(cells.patterns, rows, problem.negative_slope)
    output: Any = sp.hstack([side * predictions for side in sides], format="csr") @ stacked
    output = output if free is None else output + basis @ free

    flat = flat_cells(problem, cells.patterns)
    bounding = cells.rows & ~flat[:, None]
    constraints: list[Any] = []
    if bounding.any():
        cone = _cone_matrix(cells.patterns, bounding, rows)
        constraints.append(sp.block_diag([cone] * len(sides), format="csr") @ stacked >= 0)
    if flat.any():
        constraints.append(stacked[np.flatnonzero(np.tile(flat, len(sides))) * size + size - 1] == 0)
    cost = _group_norms(np.concatenate([matrices] * len(sides)), stacked)
    return GroupVariables(stacked, free, coordinates, output, cost, constraints)


def _group_coordinates(scaling: Scaling, patterns: BoolArray) -> tuple[Array, Array]:
    """Return the group matrices of cells, and the coordinates that they are for.

    Where cells differ, the coordinates are their own, with a group matrix of zeros and ones: what the scaling of the
    data makes even for all cells is not so in each of them.
    """
    matrices = scaling.group_matrices(patterns)
    identity = np.eye(matrices.shape[2])
    if len(matrices) == 1:
        n_cells = len(patterns)
        return np.repeat(matrices, n_cells, axis=0), np.broadcast_to(identity, (n_cells, *identity.shape))
    cells = CellCoordinates.of(matrices)
    return np.any(cells.bases, axis=1, keepdims=True) * identity, cells.bases + cells.kernels


def _group_norms(matrices: Array, groups: "cp.Variable") -> Any:
    """Return the sum over the groups u_s of norm(M_s u_s)."""
    import cvxpy as cp

    n_cells, n_rows, _ = matrices.shape
    diagonal = sp.bsr_array((matrices, np.arange(n_cells), np.arange(n_cells + 1))).tocsr()
    images = cp.reshape(diagonal @ groups, (n_cells, n_rows), order="C")
    # One row makes a linear program, which solvers do faster and more accurately than second-order cones.
    return cp.sum(cp.abs(images)) if n_rows == 1 else cp.sum(cp.norm(images, 2, axis=1))


def _prediction_matrix(patterns: BoolArray, rows: Array, negative_slope: float) -> sp.csr_array:
    """Return the (N, P * D) matrix that maps stacked groups u_s to sum_s h(s) * (Z_s u_s), given the (P, N, D) Z_s."""
    weights = activation_slopes(patterns, negative_slope)
    cell, sample = np.nonzero(weights)
    _, n_samples, size = rows.shape
    entries = weights[cell, sample, None] * rows[cell, sample]
    columns = cell[:, None] * size + np.arange(size)
    places = np.broadcast_to(sample[:, None], columns.shape)
    shape = (n_samples, len(patterns) * size)
    return sp.csr_array((entries.ravel(), (places.ravel(), columns.ravel())), shape=shape)


def _cone_matrix(patterns: BoolArray, bounding: BoolArray, rows: Array) -> sp.csr_array:
    """Return the matrix with a row s_i z_i, of unit length, in the columns of group s for each bounding row."""
    cell, sample = np.nonzero(bounding)
    size = rows.shape[2]
    units = rows[cell, sample]
    lengths = np.linalg.norm(units, axis=1)
    entries = units * (np.where(patterns[cell, sample], 1.0, -1.0) / np.where(lengths > 0, lengths, 1.0))[:, None]
    columns = cell[:, None] * size + np.arange(size)
    starts = np.arange(len(cell) + 1) * size
    return sp.csr_array((entries.ravel(), columns.ravel(), starts), shape=(len(cell), len(patterns) * size))
