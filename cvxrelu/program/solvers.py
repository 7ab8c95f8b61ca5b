"""The only place that runs a solver of cvxpy: what each is asked for, when it stops, and how it is interrupted.

Compiled solvers do not see Ctrl-C by themselves. Clarabel works in a thread, which ends with its next step once it is
abandoned; ECOS and SCS catch the signal, and tell by a code, which is turned into what Python raises.
"""

import warnings
from concurrent.futures import Future
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from cvxrelu.errors import InputError, InputTypeError, SolverError
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.waiting import result_of

if TYPE_CHECKING:
    import cvxpy as cp
    from cvxpy.reductions.solvers.solving_chain import SolvingChain

__all__ = ["INFEASIBLE", "OPTIMAL", "Options", "check_point", "check_solver", "precisely", "run_clarabel", "run_model"]

Options = dict[str, float | int]

# Accuracy asked of interior-point solvers in scaled coordinates: two digits beyond the tightest gap that is promised
# (1e-6), and within what they reach in double precision.
INTERIOR_POINT_TOL = 1e-9
FALLBACK_TOL = 1e-7
# Small or simple programs are solved far more accurately than that, in a few more iterations.
PRECISE_TOL = 1e-12
# Regularisation of factors that break down without it, tenfold the usual.
REGULARISED = 1e-7
# A first-order solver needs about tenfold the iterations for each further digit.
FIRST_ORDER_TOL = 1e-7

# What each solver is asked for, attempt after attempt: where the first accuracy is out of reach, a looser one often is
# not, and the certificate tells what it is worth. Clarabel's factors of cones of more than four numbers may break down
# in the first step, unless they are regularised more (version 0.11); its last attempt hands back the point at which it
# made no more progress.
SOLVER_OPTIONS: dict[str, tuple[Options, ...]] = {
    "CLARABEL": (
        *({"tol_gap_abs": tol, "tol_gap_rel": tol, "tol_feas": tol} for tol in (INTERIOR_POINT_TOL, FALLBACK_TOL)),
        {"tol_gap_abs": FALLBACK_TOL, "tol_gap_rel": FALLBACK_TOL, "static_regularization_constant": REGULARISED},
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

# Where a solver that catches Ctrl-C says so.
INTERRUPT_CODE = {"ECOS": ("exitFlag", -4), "SCS": ("status_val", -5)}

# What cvxpy calls outcomes that come with a point, and those that prove that there is none.
OPTIMAL, USABLE = "optimal", {"optimal", "optimal_inaccurate", "user_limit"}
INFEASIBLE = {"infeasible", "infeasible_inaccurate"}
# It comes with cvxpy, which is slow to import and may not be needed at all.
DEFAULT_SOLVER = "CLARABEL"


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
    if name == DEFAULT_SOLVER:
        return name
    import cvxpy as cp

    if name not in cp.installed_solvers():
        raise InputError(
            f"solver={solver!r} is not installed; cvxpy has {', '.join(sorted(cp.installed_solvers()))}, of which "
            "CLARABEL and SCS are always there."
        )
    return name


def precisely(name: str, most_steps: int) -> tuple[Options, ...]:
    """Return options to try first on a program that is small or simple enough for a few more digits.

    Where these are out of reach, steps stall, and after the most that are allowed the point is as good as it gets.

    Examples
    --------
    >>> precisely("SCS", 60)
    ()
    """
    accuracy = {"tol_gap_abs": PRECISE_TOL, "tol_gap_rel": PRECISE_TOL, "tol_feas": PRECISE_TOL}
    return ({**accuracy, "max_iter": most_steps},) if name == "CLARABEL" else ()


def run_model(model: "cp.Problem", name: str, clock: Clock, first: tuple[Options, ...] = ()) -> str:
    """Solve a model in place, with one set of options after another until the solver does not fail.

    Parameters
    ----------
    model : cvxpy.Problem
        The model.
    name : str
        The solver, in capitals.
    clock : Clock
        When a solver that can is to stop.
    first : tuple of dict
        Options to try before the usual ones.

    Returns
    -------
    str
        How cvxpy calls what it ended with: `OPTIMAL`, one of `INFEASIBLE`, or another.

    Raises
    ------
    SolverError
        If all attempts failed.
    KeyboardInterrupt
        As soon as the solver notices that there was one.
    """
    import cvxpy as cp

    failure = None
    with warnings.catch_warnings():
        # Inaccuracy is not hidden: it is measured by the certificate, and reported from there.
        warnings.simplefilter("ignore")
        for options in (*first, *SOLVER_OPTIONS.get(name, ({},))):
            try:
                data, chain, inverse = model.get_problem_data(name, solver_opts=options)
                assert chain is not None, "a solver was named"
                if clock.limited and name in TIME_LIMIT_OPTION:
                    options = {**options, TIME_LIMIT_OPTION[name]: max(clock.left, SHORTEST_TIME)}
                model.unpack_results(_run(model, name, data, chain, options), chain, inverse)
                return str(model.status)
            except (cp.SolverError, cp.DCPError, ValueError, ArithmeticError) as error:  # DCPError: a constant of NaN
                failure = error
            if clock.expired:
                break
    other = "SCS" if name == DEFAULT_SOLVER else DEFAULT_SOLVER
    raise SolverError(
        f"{name} failed on this program ({failure}); try another solver, for example solver={other!r}, or look for "
        "near-duplicate rows in X."
    ) from failure


def check_point(model: "cp.Problem", name: str, values: list[Any]) -> None:
    """Refuse what a solver ended with if it is no point: some values are not there, or not finite.

    Raises
    ------
    SolverError
        With cvxpy's name for how it ended.
    """
    if model.status not in USABLE or not all(value is not None and np.isfinite(value).all() for value in values):
        raise SolverError(
            f"{name} ended without a solution (status {model.status!r}); try another solver, a longer time_limit, or "
            "look for near-duplicate rows and extreme units in X."
        )


def _run(model: "cp.Problem", name: str, data: Any, chain: "SolvingChain", options: Options) -> Any:
    """Return what the solver ends with."""
    if name == "CLARABEL":
        return _run_clarabel(data, chain.solver.parse_solver_opts(False, options))
    found: Any = chain.solve_via_data(model, data, warm_start=False, verbose=False, solver_opts=options)
    if name in INTERRUPT_CODE:
        key, code = INTERRUPT_CODE[name]
        if found["info"][key] == code:
            raise KeyboardInterrupt
    return found


def _run_clarabel(data: dict[str, Any], settings: Any) -> Any:
    """Run Clarabel as cvxpy runs it."""
    import scipy.sparse as sp
    from cvxpy.reductions.solvers.conic_solvers.clarabel_conif import dims_to_solver_cones

    size = len(data["c"])
    quadratic = sp.triu(data.get("P", sp.csc_array((size, size)))).tocsc()
    return run_clarabel(quadratic, data["c"], data["A"], data["b"], dims_to_solver_cones(data["dims"]), settings)


def run_clarabel(P: Any, q: Any, A: Any, b: Any, cones: list[Any], settings: Any, patience: float | None = None) -> Any:
    """Return what Clarabel ends with, run in a thread: only so can the main thread see a signal meanwhile.

    It minimises x'P x / 2 + q'x subject to A x + s = b with s in a product of cones, given the upper triangle of P.
    After `patience` seconds it is left to itself, to end with its next step, and that is a TimeoutError; but nothing
    can interrupt its set-up.
    """
    import clarabel

    abandoned, outcome = Event(), Future[Any]()

    def work() -> None:
        try:
            solver: Any = clarabel.DefaultSolver(P, q, A, b, cones, settings)  # pyright: ignore[reportAttributeAccessIssue]
            solver.set_termination_callback(lambda _: abandoned.is_set())
            outcome.set_result(solver.solve())
        except BaseException as error:
            outcome.set_exception(error)

    Thread(target=work, daemon=True).start()
    try:
        return result_of(outcome, Clock(patience))
    finally:
        abandoned.set()
