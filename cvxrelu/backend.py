"""The only place that runs a solver: a program goes in, a solution or an error comes out.

What the solvers of cvxpy call their outcomes is translated in one table. Primal and dual values are taken as a
proposal; the certificate judges them.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError, InputTypeError, SolverError, unmet
from cvxrelu.program import Cells, Program
from cvxrelu.scaling import Scaling

__all__ = ["Solution", "check_solver", "run_solver"]

Array = NDArray[np.float64]

# Accuracy asked of interior-point solvers in scaled coordinates: two digits beyond the tightest gap that is promised
# (1e-6), and within what they reach in double precision.
INTERIOR_POINT_TOL = 1e-9
FALLBACK_TOL = 1e-7
# A first-order solver needs about tenfold the iterations for each further digit.
FIRST_ORDER_TOL = 1e-7

# What each solver is asked for, attempt after attempt: where the first accuracy is out of reach, a looser one often is
# not, and the certificate tells what it is worth.
# The last of Clarabel's hands back the point at which it made no more progress.
SOLVER_OPTIONS: dict[str, tuple[dict[str, float | int], ...]] = {
    "CLARABEL": (
        *({"tol_gap_abs": tol, "tol_gap_rel": tol, "tol_feas": tol} for tol in (INTERIOR_POINT_TOL, FALLBACK_TOL)),
        {"accept_unknown": True},
    ),
    "ECOS": tuple(
        {"abstol": tol, "reltol": tol, "feastol": tol, "max_iters": 500} for tol in (INTERIOR_POINT_TOL, FALLBACK_TOL)
    ),
    "SCS": ({"eps_abs": FIRST_ORDER_TOL, "eps_rel": FIRST_ORDER_TOL, "max_iters": 200_000},),
}

# The name of each solver's time limit, in seconds; a solver that is not listed has none.
TIME_LIMIT_OPTION = {"CLARABEL": "time_limit", "SCS": "time_limit_secs"}

# A solver that is given no time at all fails instead of stopping.
SHORTEST_TIME = 0.01

USABLE = {cp.OPTIMAL, cp.OPTIMAL_INACCURATE, cp.USER_LIMIT}


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver proposes, in the scaled coordinates of its program.

    Attributes
    ----------
    plus, minus : (P, D) array
        The groups of positive and of negative output sign.
    constant : float
        The output constant; 0.0 if there is none.
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


def check_solver(solver: str) -> str:
    """Return the solver's name in capitals.

    Raises
    ------
    InputError, InputTypeError
        If cvxpy has no such solver installed.
    """
    if not isinstance(solver, str):
        raise InputTypeError(f"solver must be the name of a solver such as 'CLARABEL', not a {type(solver).__name__}.")
    name = solver.upper()
    if name not in cp.installed_solvers():
        raise InputError(
            f"solver={solver!r} is not installed; cvxpy has {', '.join(sorted(cp.installed_solvers()))}, of which "
            "CLARABEL and SCS are always there."
        )
    return name


def run_solver(program: Program, solver: str = "CLARABEL", time_limit: float | None = None) -> Solution:
    """Solve a program.

    Parameters
    ----------
    program : Program
        The program.
    solver : str, default "CLARABEL"
        Any installed cvxpy solver for the cones of the program.
    time_limit : float, optional
        Seconds, for solvers that can stop early.

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
    limit = {}
    if time_limit is not None and name in TIME_LIMIT_OPTION:
        limit[TIME_LIMIT_OPTION[name]] = max(time_limit, SHORTEST_TIME)
    failure: Exception | None = None
    for options in SOLVER_OPTIONS.get(name, ({},)):
        failure = _run(program, name, {**options, **limit})
        if failure is None:
            break
    if failure is not None:
        raise SolverError(
            f"{name} failed on this program ({failure}); try another solver, or look for near-duplicate rows in X."
        ) from failure
    status = program.model.status
    if status in (cp.INFEASIBLE, cp.INFEASIBLE_INACCURATE) and not program.problem.loss.regularised:
        raise unmet(program.problem.loss.name, program.problem.bias)
    if status not in USABLE or not _has_values(program):
        raise SolverError(
            f"{name} ended without a solution (status {status!r}); try another solver, or a longer time_limit."
        )
    return _read(program, accurate=status == cp.OPTIMAL)


def _run(program: Program, solver: str, options: dict[str, float | int]) -> Exception | None:
    """Run a solver on the program, and return its failure, if it is one."""
    with warnings.catch_warnings():
        # Inaccuracy is not hidden: it is measured by the certificate, and reported from there.
        warnings.simplefilter("ignore")
        try:
            program.model.solve(solver=solver, **options)
        except (cp.SolverError, cp.DCPError, ValueError, ArithmeticError) as error:  # DCPError: for a constant of NaN
            return error
    return None


def _has_values(program: Program) -> bool:
    values: list[Any] = [program.plus.value, program.minus.value, program.link.dual_value]
    return all(value is not None and np.isfinite(value).all() for value in values)


def _value(leaf: Any) -> Array:
    """Return the value of a variable or of a multiplier, which `_has_values` has checked."""
    return np.asarray(leaf, dtype=float)


def _read(program: Program, accurate: bool) -> Solution:
    problem, scaling, cells = program.problem, program.scaling, program.cells
    shape = (len(cells), scaling.lifted.shape[1], 1)
    # The multiplier of `predictions == output` is minus the gradient of the mean loss at the predictions.
    dual = _value(program.link.dual_value)
    if problem.loss.regularised:
        dual = dual * (problem.n_samples * scaling.gradient_scale * program.unit)
    return Solution(
        plus=(program.coordinates @ _value(program.plus.value).reshape(shape))[:, :, 0],
        minus=(program.coordinates @ _value(program.minus.value).reshape(shape))[:, :, 0],
        constant=0.0 if program.constant is None else float(_value(program.constant.value)),
        dual=dual,
        value=float(_value(program.model.value)) * program.unit,
        accurate=accurate,
        cells=cells,
        scaling=scaling,
    )
