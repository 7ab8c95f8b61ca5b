"""Which bound where: the one rule that shares the proof between branch and bound on cones and the relaxation.

    one feature, two features, data in a plane      sweeps, which are exact and need neither
    up to five features                             cones first, a third of the time: they often end; then relaxation
    more                                            relaxation, after a glance at the cones; only cones beyond its size
    more than a thousand samples                    the relaxation of shares of them

The better bound counts, so that none is lost by the order. Measured on the problems of benchmarks/suite.py: with four
and five features cones close the gap in seconds; with ten they stay at 38 % where the relaxation reaches 3 % in half a
minute.
"""

from collections.abc import Iterator

import numpy as np

from cvxrelu.certificate.searches import euclidean_pricer
from cvxrelu.problem.problem import Problem
from cvxrelu.relaxation.outputs import can_relax_outputs, relaxed_outputs
from cvxrelu.relaxation.rounds import RelaxedRound, relaxed_rounds
from cvxrelu.relaxation.shares import relaxed_shares
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.progress import progress_line

__all__ = ["can_relax", "is_relaxed_first", "share_of_cones", "tighten"]

# Side of the largest Newton matrix, which takes seconds to factor.
LARGEST = 3000
# Samples beyond which they are dealt out in shares: a program of so many takes two seconds a round, more as N^3.
MANY = 1000
# Features up to which cones are searched for long, and shares of the time that they get up to there and beyond.
FEW_FEATURES, SHARE_OF_FEW, SHARE_OF_MANY = 5, 0.3, 0.02
# Outputs up to which prices of one output bound those of several; beyond that there is one bound that costs nothing.
FEW_OUTPUTS = 4
# Multiplications of the relaxation where time is not limited; half a minute or so, and of shares, which stay in the
# cache.
MOST_WORK, MOST_OF_SHARES = 2e11, 2e12


def can_relax(problem: Problem) -> bool:
    """Tell whether the relaxation applies: not to other norms, beyond its size, or where a sweep is exact."""
    if problem.several:
        return can_relax_outputs(problem) and not euclidean_pricer(problem).sweeps
    if problem.norm.cellwise:
        return False
    side = problem.lifted.shape[1] + 1
    if side * (side + 1) // 2 + min(problem.n_samples, MANY) > LARGEST:
        return False
    return not euclidean_pricer(problem).sweeps


def is_relaxed_first(problem: Problem) -> bool:
    """Tell whether the relaxation is what bounds the optimum best."""
    many = problem.n_features > FEW_FEATURES or problem.n_outputs > FEW_OUTPUTS
    return many and can_relax(problem)


def share_of_cones(problem: Problem, clock: Clock) -> float:
    """Return the share of the time, or of the cones where time is not limited, that branch and bound gets."""
    if not can_relax(problem):
        return 1.0
    if problem.n_features <= FEW_FEATURES and problem.n_outputs <= FEW_OUTPUTS:
        return SHARE_OF_FEW if clock.limited else 1.0
    return SHARE_OF_MANY


def tighten(problem: Problem, clock: Clock, target: float, progress: bool, n_jobs: int = 1) -> Iterator[RelaxedRound]:
    """Yield rounds of the relaxation until the bound reaches the target, or time or a fixed amount of work are used up.

    Parameters
    ----------
    problem : Problem
        A problem that can be relaxed.
    clock : Clock
        Time to take.
    target : float
        A lower bound that is enough.
    progress : bool
        Whether to show a progress bar.
    n_jobs : int, default 1
        Workers of joblib for shares of many samples.
    """
    with progress_line(progress) as say:
        most = MOST_WORK
        if problem.several:
            rounds = relaxed_outputs(problem, clock, target)
        elif problem.n_samples > MANY:
            most = MOST_OF_SHARES
            rounds = relaxed_shares(problem, clock, target, np.inf if clock.limited else most, n_jobs)
        else:
            rounds = relaxed_rounds(problem, clock=clock, target=target)
        for state in rounds:
            gap = f", gap {max(1 - state.bound.lower / target, 0.0):.1e}" if 0 < target < float("inf") else ""
            say(f"relaxation: {state.regions} regions, {state.cuts} cuts{gap}")
            yield state
            if not clock.limited and state.work > most:
                return
