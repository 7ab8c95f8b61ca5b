"""The cases of the benchmark of column generation: a problem, how it is solved, what is measured, what to reach."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cvxrelu as cr
from benchmarks.harness import Record, timed
from benchmarks.local_search import violation
from benchmarks.problems import normal_line, normal_plane, teacher, teacher_joint
from cvxrelu.function_space import minimum_cost
from cvxrelu.solving.run import Round

__all__ = ["CASES", "Case", "Goal"]

ASCENTS = 10_000
# An objective this close to the best one, or to what is proven, counts as found, and so does a violation as none.
FOUND = 1e-3

NOISE, TAUGHT = "random labels, interpolation", "ten neurons and noise, squared loss"

Check = Callable[[cr.Fit], Record]


@dataclass(frozen=True)
class Goal:
    """A figure of a record, and the most (or least) it may be."""

    figure: str
    limit: float
    least: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.limit:g}"

    def reached(self, record: Record) -> bool:
        """Say whether a record reaches the goal; a figure that is missing does not."""
        value = record.get(self.figure)
        return value is not None and (value >= self.limit if self.least else value <= self.limit)


@dataclass(frozen=True)
class Case:
    """A problem, how it is solved, what is measured besides, and the goals.

    Attributes
    ----------
    title : str
        What the problem is.
    problem : callable
        Makes the problem.
    goals : tuple of Goal
        What has to be reached.
    tol, time_limit
        Arguments of `cvxrelu.solve`.
    checks : tuple of callable
        Functions of the fit that return further figures.
    gates : tuple of int
        Numbers of random gates with which pyscnn fits the same problem.
    threads : int
        BLAS threads; more than one help with large matrices only.
    """

    title: str
    problem: Callable[[], cr.Problem]
    goals: tuple[Goal, ...]
    tol: float = 1e-6
    time_limit: float | None = None
    checks: tuple[Check, ...] = ()
    gates: tuple[int, ...] = ()
    threads: int = 1


def enumeration(fit: cr.Fit) -> Record:
    """Return the seconds of full enumeration on the same problem, and how many times slower it is."""
    run = timed(cr.solve, fit.problem, method="enumerate")
    return {
        "enumerate_seconds": run.seconds,
        "enumerate_objective": run.value.objective,
        "speed_up": run.seconds / fit.history[-1].seconds,
    }


def closed_form(fit: cr.Fit) -> Record:
    """Return the closed form of the one-dimensional problem, and the relative deviation of the objective from it."""
    least = minimum_cost(fit.problem.X, fit.problem.y)
    return {"closed_form": least, "deviation": abs(fit.objective / least - 1)}


def time_to_gap(fit: cr.Fit, gap: float) -> Record:
    """Return the seconds until this relative gap was certified."""
    return {f"seconds_to_gap_{gap:g}": _first(fit, lambda row: row.upper * (1 - gap) <= row.lower)}


def time_to_objective(fit: cr.Fit) -> Record:
    """Return the seconds until the objective was close to the final one, and to the final lower bound: a proof."""
    upper, lower = ((1 + FOUND) * bound for bound in (fit.certificate.upper, fit.certificate.lower))
    return {
        "seconds_to_objective": _first(fit, lambda row: row.upper <= upper),
        "seconds_to_objective_proven": _first(fit, lambda row: row.upper <= lower),
    }


def _first(fit: cr.Fit, holds: Callable[[Round], bool]) -> float | None:
    """Return the time of the first round that a condition holds in."""
    return next((row.seconds for row in fit.history if holds(row)), None)


def missed_neurons(fit: cr.Fit) -> Record:
    """Return the largest relative violation that random ascents find."""
    run = timed(violation, fit.problem, fit.network, ASCENTS)
    return {"ascents": ASCENTS, "ascent_seconds": run.seconds, "violation": run.value}


def _plane(n_samples: int, seconds: float, time_limit: float | None = None) -> Case:
    goals = (Goal("seconds", seconds), Goal("relative_gap", 1e-6))
    return Case(NOISE, partial(normal_plane, n_samples), goals, time_limit=time_limit)


def _large_teacher(n_samples: int, n_features: int, seconds: float, threads: int = 1) -> Case:
    """Return a case whose gap may stay open: it is stopped, and random ascents look for what it missed."""
    return Case(
        TAUGHT,
        partial(teacher, n_samples, n_features),
        (Goal("violation", FOUND),),
        time_limit=seconds,
        checks=(missed_neurons,),
        gates=(30, 100, 300),
        threads=threads,
    )


CASES = {
    "plane_50": _plane(50, 0.3),
    "plane_100": _plane(100, 1.0),
    "plane_200": _plane(200, 6.0),
    "plane_400": _plane(400, 45.0),
    "plane_1000": _plane(1000, 600.0, time_limit=600.0),
    "enumeration_100": Case(
        NOISE, partial(normal_plane, 100), (Goal("speed_up", 80.0, least=True),), checks=(enumeration,)
    ),
    "line_1000": Case(
        NOISE,
        partial(normal_line, 1000),
        (Goal("seconds", 5.0), Goal("deviation", 1e-8)),
        checks=(closed_form,),
    ),
    "teacher_50_2": Case(
        TAUGHT, partial(teacher, 50, 2), (Goal("seconds", 2.0), Goal("relative_gap", 1e-6)), gates=(30, 100, 300)
    ),
    "teacher_200_5": Case(
        TAUGHT,
        partial(teacher, 200, 5),
        (Goal("seconds_to_objective", 10.0), Goal("seconds_to_gap_0.003", 120.0), Goal("seconds_to_gap_0.001", 300.0)),
        tol=1e-3,
        time_limit=300.0,
        checks=(time_to_objective, partial(time_to_gap, gap=3e-3), partial(time_to_gap, gap=1e-3), missed_neurons),
        gates=(30, 100, 300),
    ),
    "teacher_500_10": _large_teacher(500, 10, 60.0),
    "teacher_1000_20": _large_teacher(1000, 20, 180.0, threads=2),
    "joint_1000_3": Case(
        f"{TAUGHT}, biases cost",
        partial(teacher_joint, 1000, 3, 1 / 20),
        (Goal("seconds", 30.0), Goal("relative_gap", 1e-4)),
        tol=1e-4,
    ),
}
