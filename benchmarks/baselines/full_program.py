r"""The finite convex program as it stands in the papers: every cell, with all N sign rows.

    z = sum_s h(s) * (Z (u_s+ - u_s-)) + c,      s * (Z u_s+) >= 0,   s * (Z u_s-) >= 0   for all s in J

Kumar & Haupt, Theorems 1 to 3. cvxrelu imposes only the rows that bound a cell and, where the bias is free, only the
cells that cover all hinges through a data point; both leave the optimum as it is. Here the two can be left out.
"""

from dataclasses import dataclass

import numpy as np

import cvxrelu as cr
from cvxrelu.program.backend import Solution, run_solver
from cvxrelu.program.cells import Cells, covering_cells
from cvxrelu.program.decode import decode
from cvxrelu.program.program import program_on

__all__ = ["Formulation", "solve_program", "to_network"]


@dataclass(frozen=True)
class Formulation:
    """Which rows and cells a program has.

    Attributes
    ----------
    name : str
        What to call it.
    facets_only : bool
        Whether the sign rows are the facets of each cell, or all N.
    covering_only : bool
        Whether the cells are those that cover all neurons, or all.
    """

    name: str
    facets_only: bool
    covering_only: bool


@dataclass(frozen=True, eq=False)
class Solved:
    """A solution, and the size of its program."""

    solution: Solution
    cells: int
    sign_rows: int


def solve_program(problem: cr.Problem, formulation: Formulation, solver: str = "CLARABEL") -> Solved:
    """Enumerate the cells of a problem, build its program and solve it."""
    arrangement = cr.enumerate_patterns(problem.X, problem.norm.has_bias)
    patterns = arrangement.to_bool()
    cells = Cells(patterns, arrangement.facets() if formulation.facets_only else np.ones_like(patterns))
    if formulation.covering_only:
        cells = covering_cells(problem, cells, arrangement.classes.leaders)
    solution = run_solver(program_on(problem, cells), solver)
    return Solved(solution, len(cells), int(cells.rows.sum()))


def to_network(problem: cr.Problem, solved: Solved) -> cr.Network:
    """Return the network of a solution."""
    return decode(problem, solved.solution, lambda cells: run_solver(program_on(problem, cells)))
