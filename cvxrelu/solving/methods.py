r"""The ways from a problem to a certified network: every cell, random cells, or the cells that matter.

    enumerate   Problem -> Arrangement -> Cells -> Program -> Solution -> Network, Certificate
    sample      the same with random cells; the certificate speaks of those only
    line        Problem -> piecewise linear function -> Network, Certificate; for one input with free biases
    generate    Problem -> neurons <-> pricing of dual vectors -> Cells -> Program -> Solution -> Network, Certificate

A method is a function that yields outcomes, of which the last is what it ends with, and a line in `METHODS`. Where it
is interrupted, what it has yielded is not lost.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from cvxrelu.arrangement import bounding_rows, count_patterns, enumerate_patterns, sample_patterns
from cvxrelu.certificate.bounds import DualBound, nothing_proven
from cvxrelu.certificate.certificate import Certificate, certificate_of, certify_dual
from cvxrelu.certificate.searches import prove_dual
from cvxrelu.errors import InputError, SolverError
from cvxrelu.generation.columns import first_network
from cvxrelu.generation.generate import GenerationRound, generate
from cvxrelu.generation.sliding import can_slide
from cvxrelu.line import fit_function, is_line_problem
from cvxrelu.problem.network import Network
from cvxrelu.problem.norms import Euclidean
from cvxrelu.problem.problem import Problem
from cvxrelu.program.backend import Solution, run_solver
from cvxrelu.program.decode import NETWORK_RTOL, as_solution, decode, fewer_neurons, plain_network
from cvxrelu.program.program import Cells, build_program, covering_cells
from cvxrelu.program.ties import with_least_weights
from cvxrelu.relaxation import can_relax, is_relaxed_first, tighten
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.endings import STOPS, Cause
from cvxrelu.runtime.worker import Worker, is_portable

__all__ = ["METHODS", "Outcome", "Round", "Run", "choose_method"]

BoolArray = NDArray[np.bool_]

logger = logging.getLogger(__name__)

# "auto" enumerates up to this many patterns times dimensions, which is solved in some tenths of a second; column
# generation needs about as long for the smallest problems.
AUTO_SIZE = 1_000
# Patterns times samples (the sign rows of the program) that "sample" draws; a second or two of solving.
SAMPLED_ROWS = 8_000
SAMPLED_PATTERNS = (40, 1000)
# Entries of the prediction matrix up to which column generation ends with the program on the cells it found; some ten
# seconds of solving.
FINISHING_SIZE = 500_000
# How the gap to reach is spent: on the rounds of column generation, and on leaving neurons out afterwards.
LOOP_SHARE, REDUCTION_SHARE = 0.7, 0.25
# Entries of the matrices of a program, in all, from which on it takes a second to hand it to the solver.
LARGE_PROGRAM = 300_000
# Shares of the time left that the solver gets where decoding and a certificate follow, and the rounds of column
# generation where their last network is to be improved.
SOLVING_SHARE, ROUNDS_SHARE = 0.7, 0.85
# Share that the rounds get at most where the relaxation is to prove what they find.
RELAXED_SHARE = 0.5
# Entries times neurons of a network up to which neurons are left out when time is short, some tenths of a second.
QUICK_REDUCTION = 2e8


@dataclass(frozen=True)
class Round:
    """One row of a fit's history.

    Attributes
    ----------
    patterns : int
        Sign patterns in use: all of them, the sampled ones, or (method "generate") the neurons of the master problem,
        or the regions of the relaxation.
    upper, lower : float
        The bounds so far.
    seconds : float
        Time since the start.
    note : str
        What was done.
    """

    patterns: int
    upper: float
    lower: float
    seconds: float
    note: str = ""


@dataclass(frozen=True, eq=False)
class Run:
    """The arguments of one call of `solve`, and its clock."""

    problem: Problem
    tol: float
    clock: Clock
    max_rounds: int | None
    solver: str
    n_jobs: int
    random_state: int | np.random.Generator | None
    progress: bool
    warm_start: Network | None = None
    prove: bool = True

    def solve_on(self, cells: Cells, share: float = 1.0) -> Solution:
        """Solve the program of the problem on these cells, in the one or the other unit of its objective.

        It gets a share of the time left. A large one is solved in another process, where nothing keeps it from being
        stopped; that it was not solved in time is a TimeoutError.
        """
        clock = self.clock.share(share)
        solve = partial(solve_on_cells, self.problem, cells, self.solver)
        if cells.patterns.size * (self.problem.n_features + 1) <= LARGE_PROGRAM or not is_portable(self.problem):
            return solve(clock.left)
        with Worker() as worker:
            return worker.call(clock, solve, clock.left)

    def explain(self, cause: Cause) -> str:
        """Return why the gap is open, in a sentence."""
        return cause.explain(
            time_limit=self.clock.limit,
            max_rounds=self.max_rounds,
            solver=self.solver,
            n_features=self.problem.n_features,
        )


def solve_on_cells(problem: Problem, cells: Cells, solver: str, time_limit: float) -> Solution:
    """Solve the program of a problem on some cells, in the one or the other unit of its objective."""
    clock, program = Clock(time_limit), build_program(problem, cells)
    try:
        return run_solver(program, solver, clock.left)
    except SolverError:
        if not problem.loss.regularised or clock.expired:
            raise
        return run_solver(build_program(problem, cells, unit=1.0), solver, clock.left)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a method has come to; `cause` is what its gap is due to, if it is open."""

    network: Network
    certificate: Certificate
    history: tuple[Round, ...]
    cause: Cause


def choose_method(problem: Problem) -> tuple[str, str]:
    """Return the method that "auto" stands for, and the reason."""
    if is_line_problem(problem):
        reason = "one input with free biases, where the problem has one variable a sample"
        logger.info("method 'line': %s", reason)
        return "line", reason
    if not isinstance(problem.norm, Euclidean):
        return "enumerate", f"norm {problem.norm.name!r}, which differs from cell to cell"
    count = count_patterns(problem.n_samples, problem.n_features, problem.norm.has_bias)
    size = count * problem.lifted.shape[1]
    method = "enumerate" if size <= AUTO_SIZE else "generate"
    reason = f"up to {count} patterns with {size} unknowns, of which up to {AUTO_SIZE} are enumerated"
    logger.info("method %r: %s", method, reason)
    return method, reason


def _enumerate(run: Run) -> Iterator[Outcome]:
    """Solve on cells that cover all neurons."""
    problem = run.problem
    with _stages(run, 4) as stage:
        stage("enumerating patterns")
        arrangement = enumerate_patterns(problem.X, problem.norm.has_bias, n_jobs=run.n_jobs, time_limit=run.clock.left)
        cells = Cells(arrangement.to_bool(), arrangement.facets())
        covering = covering_cells(problem, cells, arrangement.classes.leaders)
        yield from _solve_cells(run, stage, covering, len(cells), None)


def _sample(run: Run) -> Iterator[Outcome]:
    """Solve on random cells, which are then all that the certificate can speak of."""
    problem = run.problem
    with _stages(run, 4) as stage:
        stage("sampling patterns")
        count = int(np.clip(SAMPLED_ROWS // problem.n_samples, *SAMPLED_PATTERNS))
        patterns = sample_patterns(problem.X, count, bias=problem.norm.has_bias, random_state=run.random_state)
        if problem.norm.has_bias and not problem.loss.regularised:
            patterns = np.unique(np.vstack([patterns, _staircase(problem, run.random_state)]), axis=0)
        yield from _solve_cells(run, stage, Cells(patterns, np.ones_like(patterns)), len(patterns), patterns)


def _solve_cells(
    run: Run, stage: Callable[[str], None], cells: Cells, n_patterns: int, searched: BoolArray | None
) -> Iterator[Outcome]:
    """Solve on the cells, decode, certify: the way of the data."""
    problem = run.problem
    stage(f"solving, {len(cells)} cells")
    try:
        solution = run.solve_on(cells, SOLVING_SHARE)
    except TimeoutError:
        certificate = certificate_of(problem, first_network(problem), nothing_proven(problem))
        row = Round(0, certificate.upper, certificate.lower, run.clock.elapsed, "no time for the program")
        yield Outcome(certificate.network, certificate, (row,), Cause.TIME)
        return

    def outcome(network: Network, bound: DualBound) -> Outcome:
        certificate = certificate_of(problem, network, bound)
        row = Round(
            n_patterns, certificate.upper, certificate.lower, run.clock.elapsed, f"program on {len(cells)} cells"
        )
        complete = bound.priced is None or bound.priced.complete
        cause = Cause.TIME if run.clock.expired else Cause.ROUNDING if solution.accurate else Cause.SOLVER
        return Outcome(network, certificate, (row,), cause if complete or run.clock.expired else Cause.PROOF)

    network = plain_network(problem, solution)
    yield outcome(network, nothing_proven(problem))
    if not run.clock.expired:
        stage("decoding")
        network = with_least_weights(problem, decode(problem, solution, run.solve_on, clock=run.clock))
        yield outcome(network, nothing_proven(problem))
    stage("certifying")
    yield outcome(network, prove_dual(problem, solution.dual, patterns=searched, time_limit=run.clock.left))


def _staircase(problem: Problem, random_state: int | np.random.Generator | None) -> BoolArray:
    """Return the half-spaces along one random direction: neurons with these patterns fit any consistent targets."""
    direction = np.random.default_rng(random_state).standard_normal(problem.n_features)
    heights = (problem.X - problem.X.mean(axis=0)) @ direction
    above = heights >= np.unique(heights)[:, None]
    return np.vstack([above, ~above])


def _generate(run: Run) -> Iterator[Outcome]:
    """Solve on the neurons that pricing finds, and finish on their cells."""
    if not isinstance(run.problem.norm, Euclidean):
        raise InputError(
            f"method='generate' takes the Euclidean norm; use method='enumerate' for {run.problem.norm.name!r}."
        )
    problem = run.problem
    history: list[Round] = []
    best: GenerationRound | None = None

    def outcome(state: GenerationRound, columns: int, note: str, exact: bool = True) -> Outcome:
        certificate = certificate_of(problem, state.network, state.bound, exact=exact)
        history.append(Round(columns, certificate.upper, certificate.lower, run.clock.elapsed, note))
        return Outcome(state.network, certificate, tuple(history), state.cause)

    rounds = generate(
        problem,
        tol=LOOP_SHARE * run.tol,
        clock=run.clock.share(RELAXED_SHARE if run.prove and is_relaxed_first(problem) else ROUNDS_SHARE),
        max_rounds=run.max_rounds,
        random_state=run.random_state,
        start=run.warm_start,
        prove=run.prove,
    )
    with tqdm(disable=not run.progress, bar_format="{desc} [{elapsed}]") as bar:
        try:
            for state in rounds:
                # The last bound is the best bound; the last network need not be the best network.
                if best is None or state.upper <= best.upper:
                    best = state
                else:
                    best = replace(best, bound=state.bound, cause=state.cause)
                found = outcome(best, state.columns, "master and pricing", exact=False)
                bar.set_description(f"round {len(history)}: relative gap {found.certificate.relative_gap:.1e}")
                yield found
        except SolverError as error:
            # What was found before stands.
            if best is None or not np.isfinite(best.upper):
                raise
            logger.info("the master failed in round %d: %s", len(history) + 1, error)
    assert best is not None, "there is a first round"
    unproven = best.cause in (Cause.PROOF, Cause.PROOF_TIME, Cause.TIME)
    relaxed = unproven and run.prove and can_relax(problem) and not run.clock.expired
    try:
        network = _reduce(run, best) if best.cause in STOPS and not relaxed else _finish(run, best)
    except SolverError as error:
        logger.info("the last network is kept as it is: %s", error)
        network = best.network
    if run.warm_start is not None and problem.objective(run.warm_start) < problem.objective(network):
        network = run.warm_start
    best = replace(best, network=network, upper=problem.objective(network))
    yield outcome(best, network.n_neurons, "fewest neurons")
    if relaxed:
        yield from _relax(run, best, outcome)


def _relax(run: Run, best: GenerationRound, outcome: Callable[..., Outcome]) -> Iterator[Outcome]:
    """Raise the lower bound by the relaxation, until the gap is closed or time or work are used up."""
    target = best.upper * (1 - LOOP_SHARE * run.tol)
    for state in tighten(run.problem, run.clock, target, run.progress):
        if state.bound.lower > best.bound.lower:
            best = replace(best, bound=state.bound)
        if best.bound.lower >= target:
            best = replace(best, cause=Cause.ROUNDING)
        yield outcome(best, state.regions, f"relaxation, {state.cuts} cuts")


def _reduce(run: Run, state: GenerationRound) -> Network:
    """Return a network with at most as many neurons as samples, if that takes little time or time is not short."""
    network = state.network
    quick = run.problem.n_samples * network.n_neurons**2 <= QUICK_REDUCTION
    return fewer_neurons(run.problem, network) if quick or not run.clock.limited else network


def _finish(run: Run, state: GenerationRound) -> Network:
    """Return a network with at most as many neurons as samples that is no worse than that of the last round.

    If the gap is still open with it, the program on the cells of its neurons moves them to their best places.
    """
    problem = run.problem
    solution = as_solution(problem, state.network, state.bound.dual)
    reduced = decode(problem, solution, _refuse, max(NETWORK_RTOL, REDUCTION_SHARE * run.tol), run.clock)
    candidates = [state.network, reduced]
    closed = problem.objective(reduced) * (1 - run.tol) <= state.bound.lower
    # What has slid is where its cells would have it.
    moved = (not run.prove and can_slide(problem)) or run.clock.expired
    if not (closed or moved) and reduced.n_neurons and solution.plus.size * problem.n_samples <= FINISHING_SIZE:
        patterns = as_solution(problem, reduced, state.bound.dual).cells.patterns
        cells = Cells(patterns, bounding_rows(problem.X, patterns, problem.norm.has_bias))
        try:
            candidates.append(decode(problem, run.solve_on(cells), run.solve_on, clock=run.clock))
        except (SolverError, TimeoutError) as error:
            logger.info("the program on the cells of the last neurons was not solved: %s", error)
    objectives = np.array([problem.objective(network) for network in candidates])
    as_good = objectives <= objectives.min() + REDUCTION_SHARE * run.tol * abs(objectives.min())
    return min((candidates[k] for k in np.flatnonzero(as_good)), key=lambda network: network.n_neurons)


def _line(run: Run) -> Iterator[Outcome]:
    """Solve for the function values at the data (one input, free biases)."""
    problem = run.problem
    if not is_line_problem(problem):
        raise InputError("method='line' takes one input, bias='free' and the Euclidean norm; use method='auto'.")
    with _stages(run, 2) as stage:
        stage("fitting the function")
        fitted = fit_function(problem, run.solver, run.clock.left)
        network = fitted.function.to_network(problem.negative_slope)
        stage("certifying")
        certificate = certify_dual(problem, network, fitted.dual)
    note = "program in the function values"
    row = Round(network.n_neurons, certificate.upper, certificate.lower, run.clock.elapsed, note)
    yield Outcome(network, certificate, (row,), Cause.TIME if run.clock.expired else Cause.SOLVER)


def _refuse(cells: Cells) -> Solution:
    raise SolverError(f"{len(cells)} cells are too many to be solved again.")


@contextmanager
def _stages(run: Run, count: int) -> Iterator[Callable[[str], None]]:
    """Show a progress bar over stages; call the value with the name of each as it begins."""
    with tqdm(total=count, disable=not run.progress, bar_format="{desc:<24}{bar}| {n}/{total} [{elapsed}]") as bar:

        def stage(name: str) -> None:
            bar.set_description(name)
            bar.update()

        yield stage


METHODS: dict[str, Callable[[Run], Iterator[Outcome]]] = {
    "enumerate": _enumerate,
    "generate": _generate,
    "line": _line,
    "sample": _sample,
}
