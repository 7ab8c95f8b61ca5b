"""A program goes in, a solution or an error comes out.

Primal and dual values are taken as a proposal; the certificate judges them.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import unmet
from cvxrelu.program.cells import Cells
from cvxrelu.program.program import Program
from cvxrelu.program.scaling import Scaling
from cvxrelu.program.solvers import INFEASIBLE, OPTIMAL, check_point, check_solver, run_model
from cvxrelu.runtime.clock import Clock

__all__ = ["Solution", "run_solver"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver proposes, in the scaled coordinates of its program.

    Attributes
    ----------
    plus, minus : (P, D) array
        The groups of positive and of negative output sign.
    constant : float
        The output constant; 0.0 if there is none.
    linear : (r,) array
        The coefficients of the skip connection (`Free.linear`).
    dual : (N,) array
        The dual vector, in the units of the problem (up to a positive factor if the loss is a constraint).
    value : float
        The scaled objective that the solver reports.
    accurate : bool
        Whether the solver reached its tolerances.
    cells : Cells
        The cells of the groups.
    scaling : Scaling
        The coordinates.
    """

    plus: Array
    minus: Array
    constant: float
    dual: Array
    value: float
    accurate: bool
    cells: Cells
    scaling: Scaling
    linear: Array = field(default_factory=lambda: np.zeros(0))


def run_solver(program: Program, solver: str = "CLARABEL", clock: Clock | None = None) -> Solution:
    """Solve a program.

    Parameters
    ----------
    program : Program
        The program.
    solver : str, default "CLARABEL"
        Any installed cvxpy solver for the cones of the program.
    clock : Clock, optional
        When a solver that can is to stop.

    Returns
    -------
    Solution
        The point that the solver ended at, which may be inaccurate.

    Raises
    ------
    SolverError
        If the program is infeasible, or the solver ends without a point.
    """
    name = check_solver(solver)
    status = run_model(program.model, name, clock or Clock())
    if status in INFEASIBLE and not program.problem.loss.regularised:
        raise unmet(program.problem.loss.name, program.problem.bias, program.problem.one_sided)
    values = [variable.value for variable in program.groups.variables]
    check_point(program.model, name, [*values, program.link.dual_value])
    return _read(program, accurate=status == OPTIMAL)


def _value(leaf: Any) -> Array:
    """Return the value of a variable or of a multiplier, which is known to be there."""
    return np.asarray(leaf, dtype=float)


def _read(program: Program, accurate: bool) -> Solution:
    problem, scaling = program.problem, program.scaling
    plus, minus = program.groups.vectors
    constant, linear = problem.free.split(program.groups.coefficients)
    # The multiplier of `predictions == output` is minus the gradient of the mean loss at the predictions.
    dual = _value(program.link.dual_value)
    if problem.loss.regularised:
        dual = dual * (problem.n_samples * scaling.gradient_scale * program.unit)
    return Solution(
        plus=plus,
        minus=minus,
        constant=constant,
        dual=dual,
        value=float(_value(program.model.value)) * program.unit,
        accurate=accurate,
        cells=program.cells,
        scaling=scaling,
        linear=linear,
    )
