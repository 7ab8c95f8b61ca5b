r"""Column generation: certified optima where enumeration is hopeless, and what is proven beyond them.

Each case is one call ``cvxrelu.solve(problem, method="generate")`` in a process of its own, and the figures it has to
reach (`benchmarks.cases`). Random labels (standard normal X and y) are the hardest interpolation problem; the teacher
is ten ReLU neurons and noise, fitted with the squared loss. Times to a gap are read off the history of that one call.
Where the gap may stay open, ten thousand random ascents that share no code with the package look for neurons that were
missed. pyscnn, the closest package, fits the same teachers in the same run, and the same objective scores its networks.

    python -m benchmarks.column_generation                              # every case
    python -m benchmarks.column_generation --only plane_50 line_1000    # these, merged into the results that are there
"""

import argparse
import itertools
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

import cvxrelu as cr
from benchmarks.baselines import pyscnn
from benchmarks.cases import CASES
from benchmarks.harness import (
    RESULTS,
    Record,
    environment,
    isolated,
    read,
    repeated,
    score,
    table,
    update_page,
    write,
)
from cvxrelu.pricing import make_pricer

NAME = "column_generation"
ROOT = Path(__file__).parent.parent
# Seconds that pyscnn gets for a network; it returns nothing before its end.
PYSCNN_SECONDS = 300.0
# Samples and cones with which compiled kernels are loaded before anything is timed.
WARM_SAMPLES, WARM_NODES = 12, 10
# What the project's page shows.
HEADLINES = ("line_1000", "plane_100", "plane_400", "plane_1000", "joint_1000_3", "teacher_200_5", "teacher_1000_20")


def measure(name: str) -> Record:
    """Solve a case and return its record; short solves are repeated with other seeds, and the median one is taken."""
    case = CASES[name]
    problem = case.problem()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warm_up(problem)
        caught.clear()
        seeds = itertools.count()
        options = {"method": "generate", "tol": case.tol, "time_limit": case.time_limit}
        runs = repeated(lambda: cr.solve(problem, random_state=next(seeds), **options))
    run = sorted(runs, key=lambda run: run.seconds)[(len(runs) - 1) // 2]
    fit: cr.Fit = run.value
    record = {
        "title": case.title,
        "n_samples": problem.n_samples,
        "n_features": problem.n_features,
        "loss": problem.loss.name,
        "bias": problem.bias,
        "alpha": problem.alpha,
        "tol": case.tol,
        "time_limit": case.time_limit,
        "seconds": run.seconds,
        "seconds_of_all": [run.seconds for run in runs],
        "lower": fit.certificate.lower,
        "relative_gap": fit.certificate.relative_gap,
        "scope": fit.certificate.scope,
        "sentence": fit.certificate.sentence,
        "status": fit.status.name,
        "warnings": sorted({str(warning.message) for warning in caught}),
        "rounds": len(fit.history),
        "seconds, columns, upper, lower": [[row.seconds, row.patterns, row.upper, row.lower] for row in fit.history],
    }
    record |= score(problem, fit.network)
    for check in case.checks:
        record |= check(fit)
    return record


def part(problem: cr.Problem) -> cr.Problem:
    """Return a problem with the samples of the smallest and of the largest targets only, so of both classes."""
    ranked = np.argsort(problem.y, kind="stable")
    few = np.concatenate([ranked[: WARM_SAMPLES // 2], ranked[-WARM_SAMPLES // 2 :]])
    return cr.Problem(problem.X[few], problem.y[few], problem.loss, problem.bias, alpha=problem.alpha)


def warm_up(problem: cr.Problem) -> None:
    """Load the compiled kernels that a problem needs, by a part of it and a few steps of its pricing."""
    cr.solve(part(problem), method="generate", tol=1e-2, time_limit=1.0)
    v = problem.y - problem.y.mean()
    make_pricer(problem.X, problem.bias)(v, node_limit=WARM_NODES)


def run(output: Path, names: Iterable[str] = CASES, pyscnn_seconds: float = PYSCNN_SECONDS) -> Record:
    """Run cases, merge them into ``column_generation.json`` one by one, and return all that it holds."""
    record = read(output, NAME)
    without_pyscnn = pyscnn.available()
    for name in names:
        threads = CASES[name].threads
        before = environment() | {"blas_threads": threads}
        row = isolated(measure, name, threads=threads)
        row["goals"] = [
            {"figure": goal.figure, "goal": str(goal), "reached": goal.reached(row)} for goal in CASES[name].goals
        ]
        if CASES[name].gates:
            if without_pyscnn:  # what it did the last time stands
                row["pyscnn"] = record.get("cases", {}).get(name, {}).get("pyscnn", without_pyscnn)
            else:
                problem = CASES[name].problem()
                row["pyscnn"] = [pyscnn.recorded(problem, gates, pyscnn_seconds) for gates in CASES[name].gates]
        cases = record.get("cases", {}) | {name: row | {"environment": before}}
        record = {
            "benchmark": NAME,
            "data": "benchmarks/problems.py, seed 0: normal_plane, normal_line, teacher, teacher_joint",
            "notes": "Wall clock. pyscnn: null where a case has none; of an earlier run where it was absent.",
            "cases": {known: cases[known] for known in CASES if known in cases},
        }
        write(output, NAME, record)
    cases = read(output, NAME)["cases"]
    update_page(output, "generation", cases_table(cases))
    update_page(output, "goals", goals_table(cases))
    if compared := pyscnn_table(cases):
        update_page(output, "pyscnn", compared)
    return record


def cases_table(cases: Mapping[str, Record]) -> str:
    """Return the table of the problems and how they were solved."""
    return table([{"case": name} | _summary(row) for name, row in cases.items()])


def headline_table(cases: Mapping[str, Record]) -> str:
    """Return the table of the headlines that were measured, empty if none was."""
    lines = [_summary(cases[name]) for name in HEADLINES if name in cases]
    return table(lines) if lines else ""


def _summary(row: Record) -> dict[str, str]:
    line = dict.fromkeys(("problem", "N", "d", "seconds", "objective", "proven gap", "neurons"), "")
    if "failure" in row:
        return line | {"problem": row["failure"]}
    return line | {
        "problem": row["title"],
        "N": f"{row['n_samples']:,}",
        "d": f"{row['n_features']}",
        "seconds": f"{row['seconds']:.2f}",
        "objective": f"{row['objective']:.7g}",
        "proven gap": f"{row['relative_gap']:.0e}",
        "neurons": f"{row['neurons']}",
    }


def goals_table(cases: Mapping[str, Record]) -> str:
    """Return the table of the figures to reach."""
    return table(
        [
            {
                "case": name,
                "figure": goal["figure"].replace("_", " "),
                "goal": goal["goal"],
                "measured": "–" if row.get(goal["figure"]) is None else f"{row[goal['figure']]:.3g}",
                "reached": "yes" if goal["reached"] else "no",
            }
            for name, row in cases.items()
            for goal in row["goals"]
        ]
    )


def pyscnn_table(cases: Mapping[str, Record]) -> str:
    """Return the table of the problems that pyscnn fitted too; the share is of our objective."""
    lines = []
    for name, ours in cases.items():
        if "failure" in ours or not isinstance(ours.get("pyscnn"), list):
            continue
        for row in [ours | {"gates": "–"}, *ours["pyscnn"]]:
            method = f"pyscnn, {row['gates']:,} gates" if "version" in row or "failure" in row else "cvxrelu"
            line = {"case": name, "method": method}
            if "failure" in row:
                line |= {"seconds": row["failure"], "objective": "", "of cvxrelu's": "", "neurons": ""}
            else:
                line |= {
                    "seconds": f"{row['seconds']:.1f}",
                    "objective": f"{row['objective']:.6f}",
                    "of cvxrelu's": f"{row['objective'] / ours['objective']:.3f}",
                    "neurons": f"{row['neurons']}",
                }
            lines.append(line)
    return table(lines) if lines else ""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Column generation, its goals, and pyscnn on the same problems.")
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES), help="cases to run, all by default")
    parser.add_argument("--pyscnn-seconds", type=float, default=PYSCNN_SECONDS, help="for each of its networks")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if absent := pyscnn.available():
        print(absent)
    cases = run(options.output, options.only, options.pyscnn_seconds)["cases"]
    if options.output == RESULTS:
        update_page(ROOT, "headlines", headline_table(cases))
    print("\n\n".join([cases_table(cases), goals_table(cases), pyscnn_table(cases)]))


if __name__ == "__main__":
    main()
