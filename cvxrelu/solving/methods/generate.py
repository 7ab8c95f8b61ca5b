r"""Method "generate": the neurons that pricing finds, then as few of them as will do, then a better bound if due.

    column generation -> the program on the cells of its last neurons -> fewest neurons -> the relaxation's bound

The gap to reach is shared among these: what the rounds leave of it is what leaving neurons out may cost.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from cvxrelu.arrangement import bounding_rows
from cvxrelu.certificate.certificate import certificate_of
from cvxrelu.certificate.searches import prove_dual
from cvxrelu.errors import SolverError
from cvxrelu.generation.fewer_outputs import fewer_of_several
from cvxrelu.generation.loop import generate
from cvxrelu.generation.primal_rule import MANY_SAMPLES
from cvxrelu.generation.sliding import can_slide
from cvxrelu.generation.state import GenerationRound
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.cells import Cells
from cvxrelu.program.decode import NETWORK_RTOL, decode, fewer_neurons
from cvxrelu.program.groups import as_solution
from cvxrelu.relaxation import can_relax, is_relaxed_first, tighten
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.endings import STOPS, Cause
from cvxrelu.runtime.progress import progress_line
from cvxrelu.solving.methods.method import Method
from cvxrelu.solving.run import RELAXATION, Outcome, Round, Run

__all__ = ["GENERATE"]

logger = logging.getLogger(__name__)

# Entries of the prediction matrix up to which column generation ends with the program on the cells it found; some ten
# seconds of solving.
FINISHING_SIZE = 500_000
# How the gap to reach is spent: on the rounds of column generation, and on leaving neurons out afterwards.
LOOP_SHARE, REDUCTION_SHARE = 0.7, 0.25
# Share of the time left that the rounds of column generation get where their last network is to be improved.
ROUNDS_SHARE = 0.85
# Share that the rounds get at most where the relaxation is to prove what they find, and share of what is then left for
# their last network.
RELAXED_SHARE, FINISHING_SHARE = 0.5, 0.3
# Entries times neurons of a network up to which neurons are left out when time is short, some tenths of a second.
QUICK_REDUCTION = 2e8


@dataclass(eq=False)
class _History:
    """The rows so far, to which every outcome adds one."""

    run: Run
    rows: list[Round] = field(default_factory=list)

    def outcome(self, state: GenerationRound, columns: int, note: str, exact: bool = True) -> Outcome:
        """Return what a state comes to, in a row of its own."""
        certificate = certificate_of(self.run.problem, state.network, state.bound, exact=exact)
        self.rows.append(self.run.row(columns, certificate, note))
        return Outcome(state.network, certificate, tuple(self.rows), state.cause)


def _generate(run: Run) -> Iterator[Outcome]:
    """Solve on the neurons that pricing finds, and finish on their cells."""
    problem, options, history = run.problem, run.options, _History(run)
    best: GenerationRound | None = None
    share = RELAXED_SHARE if options.prove and is_relaxed_first(problem) else ROUNDS_SHARE
    rounds = generate(problem, replace(options, tol=LOOP_SHARE * options.tol), run.clock.share(share))
    with progress_line(options.progress) as say:
        try:
            for state in rounds:
                # The last bound is the best one of its master, and the last network need not be the best network.
                bound = state.bound if best is None or state.bound.lower >= best.bound.lower else best.bound
                kept = state if best is None or state.upper <= best.upper else best
                best = replace(kept, bound=bound, cause=state.cause)
                found = history.outcome(best, state.columns, "master and pricing", exact=False)
                say(f"round {len(history.rows)}: relative gap {found.certificate.relative_gap:.1e}")
                yield found
        except SolverError as error:
            # What was found before stands.
            if best is None or not np.isfinite(best.upper):
                raise
            logger.info("the master failed in round %d: %s", len(history.rows) + 1, error)
    assert best is not None, "there is a first round"
    unproven = best.cause in (Cause.PROOF, Cause.PROOF_TIME, Cause.TIME)
    relaxed = unproven and options.prove and can_relax(problem) and not run.clock.expired
    finishing = replace(run, clock=run.clock.share(FINISHING_SHARE)) if relaxed else run
    try:
        network = _reduce(run, best) if best.cause in STOPS and not relaxed else _finish(finishing, best)
    except SolverError as error:
        logger.info("the last network is kept as it is: %s", error)
        network = best.network
    if options.warm_start is not None and problem.objective(options.warm_start) < problem.objective(network):
        network = options.warm_start
    best = replace(best, network=network, upper=problem.objective(network))
    yield history.outcome(best, network.n_neurons, "fewest neurons")
    if relaxed and not run.clock.expired:
        yield from _relax(history, best)


def _relax(history: _History, best: GenerationRound) -> Iterator[Outcome]:
    """Raise the lower bound by the relaxation, until the gap is closed or time or work are used up."""
    run = history.run
    target = best.upper * (1 - LOOP_SHARE * run.options.tol)
    for state in tighten(run.problem, run.clock, target, run.options.progress, run.options.n_jobs):
        if state.bound.lower > best.bound.lower:
            best = replace(best, bound=state.bound)
        if best.bound.lower >= target:
            best = replace(best, cause=Cause.ROUNDING)
        yield history.outcome(best, state.regions, f"{RELAXATION}, {state.cuts} cuts")
    if run.problem.several and run.clock.limited and best.bound.lower < target and not run.clock.expired:
        # No time for another program: searched by itself, the dual matrix of the best bound may prove more.
        bound = prove_dual(run.problem, best.bound.dual, run.clock, enough=run.problem.score_bound)
        if bound.lower > best.bound.lower:
            yield history.outcome(replace(best, bound=bound), best.network.n_neurons, "search of all neurons")


def _reduce(run: Run, state: GenerationRound) -> Network:
    """Return a network with at most as many neurons as samples, if that takes little time or time is not short."""
    network, problem = state.network, run.problem
    if problem.several:
        # What is left has to meet the targets: equations in as many unknowns as samples.
        unknowns = max(network.n_neurons, problem.n_samples * problem.loss.fixes_predictions)
        quick = problem.n_samples * problem.n_outputs * unknowns**2 <= QUICK_REDUCTION
        clock = Clock() if quick else run.clock
        return fewer_of_several(problem, network, REDUCTION_SHARE * run.options.tol, clock)
    quick = problem.n_samples * network.n_neurons**2 <= QUICK_REDUCTION
    return fewer_neurons(problem, network) if quick or not run.clock.limited else network


def _finish(run: Run, state: GenerationRound) -> Network:
    """Return a network with at most as many neurons as samples that is no worse than that of the last round.

    If the gap is still open with it, the program on the cells of its neurons moves them to their best places.
    """
    problem = run.problem
    if problem.several:
        return _reduce(run, state)
    solution = as_solution(problem, state.network, state.bound.dual)
    reduced = decode(problem, solution, None, max(NETWORK_RTOL, REDUCTION_SHARE * run.options.tol), run.clock)
    candidates = [state.network, reduced]
    closed = problem.objective(reduced) * (1 - run.options.tol) <= state.bound.lower
    # What has slid is where its cells would have it.
    slid = can_slide(problem) or problem.n_samples > MANY_SAMPLES
    moved = (not run.options.prove and slid) or run.clock.expired
    if not (closed or moved) and reduced.n_neurons and solution.plus.size * problem.n_samples <= FINISHING_SIZE:
        patterns = as_solution(problem, reduced, state.bound.dual).cells.patterns
        cells = Cells(patterns, bounding_rows(problem.X, patterns, problem.norm.has_bias))
        try:
            candidates.append(decode(problem, run.solve_on(cells), run.solve_on, clock=run.clock))
        except (SolverError, TimeoutError) as error:
            logger.info("the program on the cells of the last neurons was not solved: %s", error)
    objectives = np.array([problem.objective(network) for network in candidates])
    as_good = objectives <= objectives.min() + REDUCTION_SHARE * run.options.tol * abs(objectives.min())
    return min((candidates[k] for k in np.flatnonzero(as_good)), key=lambda network: network.n_neurons)


def _unmet_need(problem: Problem) -> str | None:
    if problem.one_sided and not problem.loss.regularised:
        return (
            "method='generate' has nothing to start from with output_sign='positive' and a loss that is a constraint; "
            "use method='enumerate'."
        )
    if not problem.loss.tells_dual:
        return (
            f"method='generate' rests on the dual of the loss, of which loss={problem.loss.name!r} tells nothing; give "
            "it `curvature`, `limits` or a `dual_model`, or use method='enumerate' or 'sample'."
        )
    if not problem.norm.cellwise:
        return None
    return f"method='generate' takes the Euclidean norm; use method='enumerate' for {problem.norm.name!r}."


GENERATE = Method("generate", _generate, _unmet_need, several=True, skips_proof=True)
