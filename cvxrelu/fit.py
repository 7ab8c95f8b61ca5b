r"""`solve`: from a problem to a certified network.

Problem -> Arrangement -> Cells -> Program -> Solution -> Network         (method "enumerate" or "sample")
Certificate: recomputed from (Problem, Network, dual vector) alone
"""

import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm.auto import tqdm

from cvxrelu.arrangement import count_patterns, enumerate_patterns, sample_patterns
from cvxrelu.backend import Solution, check_solver, run_solver
from cvxrelu.certificate import Certificate, certify_dual
from cvxrelu.decode import decode
from cvxrelu.errors import AccuracyWarning, InputError
from cvxrelu.network import Network
from cvxrelu.problem import Problem
from cvxrelu.program import Cells, build_program, covering_cells
from cvxrelu.validation import as_real

__all__ = ["Fit", "Round", "Status", "solve"]

BoolArray = NDArray[np.bool_]

logger = logging.getLogger(__name__)

# `method="auto"` enumerates up to this many patterns times dimensions: a second or two of solving.
AUTO_SIZE = 10_000
# Patterns times samples (the sign rows of the program) that "sample" draws; a second or two of solving.
SAMPLED_ROWS = 8_000
SAMPLED_PATTERNS = (40, 1000)

# Share of the loss of the zero function below which an objective is zero up to rounding.
ZERO_RTOL = 1e-12


class Status(Enum):
    """How a fit ended; each value is a sentence with a remedy."""

    OPTIMAL = "The network is globally optimal to the requested tolerance, and the certificate proves it."
    INACCURATE = (
        "The certificate holds, but its gap is larger than the requested tolerance; "
        "try another solver, or a larger tol."
    )
    SAMPLED = (
        "Only sampled sign patterns were searched, so nothing is proven about other networks; "
        "use method='enumerate' on fewer samples or features for a global certificate."
    )


@dataclass(frozen=True)
class Round:
    """One row of a fit's history.

    Attributes
    ----------
    patterns : int
        Sign patterns considered so far.
    upper, lower : float
        The bounds so far.
    seconds : float
        Time since the start.
    """

    patterns: int
    upper: float
    lower: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Fit:
    """A network with the proof of how good it is.

    Attributes
    ----------
    problem : Problem
        What was solved.
    network : Network
        The network.
    certificate : Certificate
        Bounds on the optimum.
    status : Status
        How it ended.
    history : tuple of Round
        One row a round.
    method : str
        The method that was used; for "auto", the one that was chosen.
    """

    problem: Problem
    network: Network
    certificate: Certificate
    status: Status
    history: tuple[Round, ...]
    method: str

    def __repr__(self) -> str:
        return (
            f"Fit(objective={self.objective:.10g}, relative_gap={self.certificate.relative_gap:.2e}, "
            f"scope={self.certificate.scope!r}, neurons={self.network.n_neurons}, status={self.status.name})"
        )

    @property
    def objective(self) -> float:
        """The problem's objective at the network, recomputed from the network."""
        return self.certificate.upper

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the network's predictions at the rows of X."""
        return self.network(X)


def solve(
    problem: Problem,
    method: str = "auto",
    *,
    tol: float = 1e-6,
    time_limit: float | None = None,
    solver: str = "CLARABEL",
    n_jobs: int = 1,
    random_state: int | np.random.Generator | None = None,
    progress: bool = False,
) -> Fit:
    """Fit a network of unbounded width to global optimality.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    method : {"auto", "enumerate", "sample"}, default "auto"
        "enumerate" uses every sign pattern and is exact; "sample" uses random ones, and its certificate speaks of those
        only; "auto" enumerates where that takes a few seconds and samples elsewhere.
    tol : float, default 1e-6
        Relative gap to reach.
    time_limit : float, optional
        Seconds. A solver that can stop early does so, and the certificate says how good its point is.
    solver : str, default "CLARABEL"
        Any installed cvxpy solver for second-order cones (exponential cones for the logistic loss).
    n_jobs : int, default 1
        Processes for the enumeration, as in joblib.
    random_state : int or numpy.random.Generator, optional
        Seed of the sampled patterns.
    progress : bool, default False
        Whether to show a progress bar.

    Returns
    -------
    Fit
        The network and its certificate.

    Raises
    ------
    InputError
        If an argument is out of range.
    SizeError
        If the patterns would not fit in memory.
    SolverError
        If the solver fails or no network meets the constraints.

    Warns
    -----
    AccuracyWarning
        If the gap reached is larger than `tol`.

    References
    ----------
    Kumar & Haupt, "Convexifying Sparse Interpolation with Infinitely Wide Neural Networks: An Atomic Norm
    Approach", Theorems 1 to 3.

    Examples
    --------
    >>> x = np.array([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0])
    >>> fit = solve(Problem(x[:, None], [1, -1, 1, 1, -1, 1]))
    >>> round(fit.objective, 6), fit.certificate.scope, fit.certificate.relative_gap < 1e-6
    (30.0, 'global', True)
    """
    if method not in ("auto", *METHODS):
        raise InputError(f"method={method!r} is unknown; choose 'auto' or one of {', '.join(map(repr, METHODS))}.")
    if as_real(tol, "tol") <= 0:
        raise InputError(f"tol={tol:g} must be positive.")
    if time_limit is not None and as_real(time_limit, "time_limit") <= 0:
        raise InputError(f"time_limit={time_limit:g} must be a positive number of seconds.")
    check_solver(solver)
    if method == "auto":
        method = _choose(problem)
    run = _Run(problem, solver, time_limit, n_jobs, random_state, progress, time.perf_counter())
    network, certificate, n_patterns = _fit_on_cells(run, METHODS[method])
    status = _judge(problem, certificate, tol)
    if status is Status.INACCURATE:
        message = f"The relative gap is {certificate.relative_gap:.1e}, above tol={tol:g}. {status.value}"
        warnings.warn(message, AccuracyWarning, stacklevel=2)
    row = Round(n_patterns, certificate.upper, certificate.lower, run.elapsed)
    return Fit(problem, network, certificate, status, (row,), method)


@dataclass(frozen=True, eq=False)
class _Run:
    """The arguments of one call of `solve`, and its clock."""

    problem: Problem
    solver: str
    time_limit: float | None
    n_jobs: int
    random_state: int | np.random.Generator | None
    progress: bool
    started: float

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.started

    @property
    def time_left(self) -> float | None:
        return None if self.time_limit is None else max(self.time_limit - self.elapsed, 0.0)

    def solve_on(self, cells: Cells) -> Solution:
        return run_solver(build_program(self.problem, cells), self.solver, self.time_left)


class _Outcome(NamedTuple):
    network: Network
    certificate: Certificate
    patterns: int


def _choose(problem: Problem) -> str:
    """Return the method that "auto" stands for, and log why."""
    count = count_patterns(problem.n_samples, problem.n_features, problem.norm.has_bias)
    size = count * problem.lifted.shape[1]
    method = "enumerate" if size <= AUTO_SIZE else "sample"
    logger.info("method %r: up to %d patterns, %d unknowns; %d are enumerated", method, count, size, AUTO_SIZE)
    return method


def _judge(problem: Problem, certificate: Certificate, tol: float) -> Status:
    # An objective of zero is reached up to rounding only, and is measured by the loss of predicting nothing.
    nothing = problem.loss.value(np.zeros(problem.n_samples), problem.y) if problem.loss.regularised else 0.0
    if certificate.gap > tol * max(certificate.upper, ZERO_RTOL * nothing):
        return Status.INACCURATE
    return Status.OPTIMAL if certificate.scope == "global" else Status.SAMPLED


class _Choice(NamedTuple):
    """Cells to solve on, how many patterns they stand for, and what the certificate may search (None: everything)."""

    cells: Cells
    patterns: int
    searched: BoolArray | None


def _every_cell(run: _Run) -> _Choice:
    """Choose the cells that cover all neurons."""
    problem = run.problem
    arrangement = enumerate_patterns(problem.X, problem.norm.has_bias, n_jobs=run.n_jobs)
    cells = Cells(arrangement.to_bool(), arrangement.facets())
    return _Choice(covering_cells(problem, cells, arrangement.classes.leaders), len(cells), None)


def _sampled_cells(run: _Run) -> _Choice:
    """Choose random cells, which are then all that the certificate can speak of."""
    problem = run.problem
    count = int(np.clip(SAMPLED_ROWS // problem.n_samples, *SAMPLED_PATTERNS))
    patterns = sample_patterns(problem.X, count, bias=problem.norm.has_bias, random_state=run.random_state)
    if problem.norm.has_bias and not problem.loss.regularised:
        patterns = np.unique(np.vstack([patterns, _staircase(problem, run.random_state)]), axis=0)
    return _Choice(Cells(patterns, np.ones_like(patterns)), len(patterns), patterns)


def _staircase(problem: Problem, random_state: int | np.random.Generator | None) -> BoolArray:
    """Return the half-spaces along one random direction: neurons with these patterns fit any consistent targets."""
    direction = np.random.default_rng(random_state).standard_normal(problem.n_features)
    heights = (problem.X - problem.X.mean(axis=0)) @ direction
    above = heights >= np.unique(heights)[:, None]
    return np.vstack([above, ~above])


METHODS: dict[str, Callable[[_Run], _Choice]] = {"enumerate": _every_cell, "sample": _sampled_cells}


def _fit_on_cells(run: _Run, choose: Callable[[_Run], _Choice]) -> _Outcome:
    """Choose cells, solve, decode, certify: the way of the data."""
    with tqdm(total=4, disable=not run.progress, bar_format="{desc:<22}{bar}| {n}/{total} [{elapsed}]") as bar:
        bar.set_description("choosing patterns")
        choice = choose(run)
        bar.update()
        bar.set_description(f"solving, {len(choice.cells)} cells")
        solution = run.solve_on(choice.cells)
        bar.update()
        bar.set_description("decoding")
        network = decode(run.problem, solution, run.solve_on)
        bar.update()
        bar.set_description("certifying")
        certificate = certify_dual(run.problem, network, solution.dual, patterns=choice.searched)
        bar.update()
    return _Outcome(network, certificate, choice.patterns)
