"""`solve`: from a problem to a certified network, by one of the ways in `cvxrelu.solving.methods`."""

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.certificate.certificate import Certificate
from cvxrelu.certificate.wording import outlook_sentence
from cvxrelu.errors import AccuracyWarning, InputError, Interrupted
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_instance
from cvxrelu.program.options import Options
from cvxrelu.runtime.blas import one_blas_thread
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.endings import STOPS, Cause
from cvxrelu.runtime.keyboard import heeding_interrupts
from cvxrelu.runtime.warned import warn
from cvxrelu.solving.ladder import climb, is_closed
from cvxrelu.solving.methods import METHODS, check_method
from cvxrelu.solving.run import RELAXATION, Outcome, Round, Run

__all__ = ["Fit", "Status", "check_start", "solve", "solve_as"]

# Share of an objective that rounding of the predictions may hide where they meet the targets to some twenty roundings.
ROUNDED_AWAY = 0.1
# Share of the time that something else than the relaxation may take for its rounds to tell what more time would buy.
BESIDE = 0.1


class Status(Enum):
    """How a fit ended; each value is a sentence with a remedy."""

    OPTIMAL = "The network is globally optimal to the requested tolerance, and the certificate proves it."
    EXACT = (
        "A network of no cost fits the data but for rounding, which is all that is left of the objective and its gap; "
        "nothing needs to be done."
    )
    STOPPED = (
        "The search was stopped by its time limit, its number of rounds, or the keyboard; the certificate holds, and "
        "with more of it, from here on with warm_start=fit.network, its gap closes."
    )
    INACCURATE = (
        "The certificate holds, but its gap is larger than the requested tolerance, by the accuracy of a solver or by "
        "rounding; try another solver, rescaled data, or a larger tol."
    )
    UNPROVEN = (
        "No local search improves the network, but that no other is better is not proven, for that takes long in many "
        "dimensions; let it take its time with prove=True and time_limit=seconds."
    )
    SAMPLED = (
        "Only sampled sign patterns were searched, so nothing is proven about other networks; "
        "use method='enumerate' on fewer samples or features for a global certificate."
    )


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
        The method that found the network: for "auto" the one chosen or, where that failed, the next; "constant"
        if the best constant is what was left, or is optimal.
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

    @property
    def outlook(self) -> str:
        """What more time may buy where the relaxation left a gap: an extrapolation of its rounds, else nothing.

        Where something else took a part of the time, that would gain by more of it, too, in ways that nobody knows.
        """
        at = [k for k, row in enumerate(self.history) if row.note.startswith(RELAXATION)]
        if self.status is Status.OPTIMAL or not at or not 0 < self.objective < np.inf:
            return ""
        began = self.history[at[0] - 1].seconds if at[0] > 0 else 0.0
        if began > BESIDE * self.history[-1].seconds:
            return ""
        rows = [self.history[k] for k in at]
        return outlook_sentence([row.seconds - began for row in rows], [1 - row.lower / self.objective for row in rows])

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the network's predictions at the rows of X."""
        return self.network(X)


def solve(
    problem: Problem,
    method: str = "auto",
    *,
    tol: float = 1e-6,
    time_limit: float | None = None,
    max_rounds: int | None = None,
    solver: str = "CLARABEL",
    n_jobs: int = 1,
    random_state: int | np.random.Generator | None = None,
    progress: bool = False,
    warm_start: Network | None = None,
    prove: bool = True,
) -> Fit:
    """Fit a network of unbounded width to global optimality.

    Parameters
    ----------
    problem : Problem
        What to minimise.
    method : {"auto", "enumerate", "generate", "line", "sample"}, default "auto"
        "enumerate" uses every sign pattern; "generate" finds the neurons that matter by column generation and proves
        that no others do; "line" takes one input with free biases, and solves for the function; "sample" uses random
        patterns, and its certificate speaks of those only; "auto" is "line" where that can be, but for smooth losses
        of more than 1,000 samples, "enumerate" for tiny problems and for norms other than the Euclidean, and "generate"
        for all others.
    tol : float, default 1e-6
        Relative gap to reach.
    time_limit : float, optional
        Seconds after which the best network so far is returned, with its honest gap. Without a limit, the exhaustive
        search in three or more dimensions still settles for a looser bound after a fixed number of steps.
    max_rounds : int, optional
        Rounds of column generation after which to stop likewise.
    solver : str, default "CLARABEL"
        Any installed cvxpy solver for second-order cones (exponential cones for the logistic loss).
    n_jobs : int, default 1
        Workers, as in joblib: threads for the enumeration, local ascent, sweeps of the plane and branch and bound, and
        processes for the relaxation of more than 1,000 samples, unless `joblib.parallel_config` says otherwise. The
        result does not depend on it, but for what is done in time.
    random_state : int or numpy.random.Generator, optional
        Seed of sampled patterns, starting columns and local ascent.
    progress : bool, default False
        Whether to show a progress bar.
    prove : bool, default True
        Whether to search exhaustively for a better neuron where local ascent finds none, which in more than a few
        dimensions takes most of the time. Without it the bounds hold, but the lower one may be zero.
    warm_start : Network, optional
        A network whose neurons column generation starts with, such as the solution of a similar problem; the other
        methods have no use for it.

    Returns
    -------
    Fit
        The network and its certificate.

    Raises
    ------
    InputError, InputTypeError
        If an argument is out of range or of another type.
    SizeError
        If the patterns would not fit in memory.
    SolverError
        If the loss is a constraint, and no network meets it that doubles can hold. For a regularised loss a network is
        returned always, none worse than the best constant: where a method fails, the next one is tried.
    Interrupted
        At Ctrl-C; its `fit` is what was found until then.

    Warns
    -----
    AccuracyWarning
        If the gap reached is larger than `tol`, with the reason and what helps; not with ``prove=False``.

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
    options = Options(method, tol, time_limit, max_rounds, solver, n_jobs, random_state, progress, warm_start, prove)
    return solve_as(problem, options)


@one_blas_thread()
def solve_as(problem: Problem, options: Options, clock: Clock | None = None) -> Fit:
    """Fit a network as `solve` does, with its options as one value, by a clock of their time limit that is running."""
    as_instance(problem, Problem, "problem")
    check_method(options.method)
    if options.method != "auto":
        METHODS[options.method].check(problem)
    if options.warm_start is not None:
        check_start(problem, options.warm_start)
    run = Run(problem, options, clock or Clock(options.time_limit))
    method, found = options.method, None
    try:
        with heeding_interrupts():
            for used, outcome in climb(run):
                method, found = used, outcome
    except KeyboardInterrupt:
        if found is None:
            raise Interrupted("Interrupted before a network was found.") from None
        fit = _fit_of(run, replace(found, cause=Cause.KEYBOARD), method)
        raise Interrupted(f"Interrupted; .fit is the best network so far. {fit.certificate}", (fit,)) from None
    assert found is not None, "a method that ends has found something"
    if not (problem.loss.proves or found.cause in STOPS):
        found = replace(found, cause=Cause.UNTOLD)
    fit = _fit_of(run, found, method)
    # Who does without a proof does not ask for a gap.
    asked = options.prove or np.isinf(fit.objective)
    if asked and fit.status in (Status.INACCURATE, Status.STOPPED, Status.UNPROVEN):
        gap = f"The relative gap is {fit.certificate.relative_gap:.1e}, above tol={options.tol:g}."
        message = " ".join(filter(None, [f"{fit.certificate} {gap} {run.explain(found.cause)}", fit.outlook]))
        warn(message, AccuracyWarning)
    return fit


def check_start(problem: Problem, network: Network) -> None:
    """Raise an InputError if neurons of a network are none of the problem's."""
    try:
        problem.check_network(network)
    except InputError as error:
        raise InputError(f"warm_start does not go with the problem. {error}") from error
    if not np.isfinite(network.cost(problem.bias, problem.norm)):
        raise InputError(
            f"warm_start has neurons of infinite cost with bias={problem.bias!r}; pass that of a similar problem."
        )


def _fit_of(run: Run, outcome: Outcome, method: str) -> Fit:
    """Return what was found, with its status."""
    status = _judge(outcome, run.options.tol, run.options.prove)
    return Fit(run.problem, outcome.network, outcome.certificate, status, outcome.history, method)


def _judge(outcome: Outcome, tol: float, prove: bool) -> Status:
    """Say how a fit ended: by what is proven and nothing else. There is no absolute floor, so zero is met by zero."""
    certificate = outcome.certificate
    if is_closed(certificate, tol):
        return Status.OPTIMAL if certificate.scope == "global" else Status.SAMPLED
    if not outcome.network.n_neurons and certificate.blur > ROUNDED_AWAY:
        return Status.EXACT
    if outcome.cause in STOPS:
        return Status.STOPPED
    return Status.UNPROVEN if outcome.cause in (Cause.PROOF, Cause.UNTOLD) or not prove else Status.INACCURATE
