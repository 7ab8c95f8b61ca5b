r"""Methods against each other: every network scored by one objective, and held against one proven bound.

    excess of a network = objective / least objective that any method ever found - 1
    proven gap          = 1 - largest lower bound that was proven / objective

`benchmarks.suite` has the problems and `benchmarks.contenders` the methods. A method is believed nothing: its network
is scored here, in the same way for all. What no network of any width can beat is then asked of `cvxrelu.certify`, in a
process of its own that starts from the best network there is, whoever found it; the bound that cvxrelu proved while it
competed counts too, if it is larger. Every run has a process, which is killed after three times the time it was told.
The least objective is that of all runs so far (`benchmarks.best_known`), not of this one only.

    python -m benchmarks.comparison                                # minutes on two cores
    python -m benchmarks.comparison --only moons "teacher, d=5"    # these, merged into the results that are there
    python -m benchmarks.comparison --large                        # more samples and more time
"""

import argparse
import math
import os
import unittest.mock
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

import cvxrelu as cr
from benchmarks import best_known
from benchmarks.baselines import pyscnn
from benchmarks.comparison_figure import draw
from benchmarks.contenders import CONTENDERS, Entry, applies, certified
from benchmarks.deadlines import Outcome, with_deadline
from benchmarks.harness import RESULTS, Record, blas_threads, environment, read, score, table, update_page, write
from benchmarks.suite import DEFAULT, LARGE, SUITE, Sizes

NAME = "comparison"
# Seconds that a method is told it has, by default and for large problems, and after how many times that it is killed.
SECONDS, LARGE_SECONDS, GRACE = 6.0, 120.0, 3.0
# JAX would use all cores for one training.
ENVIRONMENT = blas_threads(1) | {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
# Excesses up to which a method found the best, and came close; percentages are written up to the last.
SAME, CLOSE, VAST = 1e-5, 1e-2, 1e2
# Points of a curve that are kept, and their digits; dots an inch of the picture.
CURVE_POINTS, DIGITS, DPI = 60, 8, 72


def compete(name: str, sizes: Sizes, seconds: float, without_pyscnn: str | None) -> Record:
    """Set one problem to all methods, one after the other, and return its record."""
    problem = SUITE[name](sizes)
    before = environment()
    outcomes = {
        method: with_deadline(prepare, problem, seconds, seconds=GRACE * seconds)
        for method, prepare in CONTENDERS.items()
        if applies(method, problem) and not (method == "pyscnn" and without_pyscnn)
    }
    runs = {method: _run(problem, outcome) for method, outcome in outcomes.items()}
    record = {
        "key": best_known.key_of(name, problem),
        "n_samples": problem.n_samples,
        "n_features": problem.n_features,
        "loss": problem.loss.name,
        "bias": problem.bias,
        "alpha": problem.alpha,
        "seconds": seconds,
        "pyscnn": without_pyscnn or "present",
        "runs": runs,
        "environment": before,
    }
    entries: dict[str, Entry] = {name: outcomes[name].value for name, run in runs.items() if "failure" not in run}
    return record | _held_against_bounds(problem, entries, runs, seconds)


def _held_against_bounds(
    problem: cr.Problem, entries: Mapping[str, Entry], runs: Mapping[str, Record], seconds: float
) -> Record:
    """Return what is proven of every network."""
    if not entries:
        return {"failure": "no method returned a network"}
    finder = min(entries, key=lambda method: runs[method]["objective"])
    asked = with_deadline(certified, problem, seconds, entries[finder].network, seconds=GRACE * seconds)
    bounds = {"certify": asked.value.lower} if asked.value else {}
    bounds |= {method: entry.certificate.lower for method, entry in entries.items() if entry.certificate}
    return {
        "lower": max(bounds.values(), default=0.0),
        "lower_bounds": bounds,
        "certify": {"seconds": asked.seconds, "failure": asked.failure},
    }


def held_against_best(output: Path, record: Record) -> Record:
    """Return the record of a problem with how far every run is from the best objective there ever was, and that.

    Parameters
    ----------
    output : Path
        The folder of the best objectives, which a better one is added to.
    record : dict
        What `compete` returned.
    """
    runs = {method: run for method, run in record["runs"].items() if "failure" not in run}
    if not runs:
        return record
    environment = record["environment"]
    found = {"version": environment["packages"]["cvxrelu"], "date": environment["date"]}
    best, lower = best_known.challenge(output, record["key"], runs, found), record["lower"]
    judged = {
        method: run | {"excess": run["objective"] / best["objective"] - 1, "relative_gap": 1 - lower / run["objective"]}
        for method, run in runs.items()
    }
    return record | {
        "runs": record["runs"] | judged,
        "best": best["objective"],
        "best_of": best["method"],
        "relative_gap": 1 - lower / best["objective"],
    }


def _run(problem: cr.Problem, outcome: Outcome) -> Record:
    """Return the record of a method's run, scored from its network."""
    record: Record = {"seconds": outcome.seconds}
    if outcome.value is None:
        return record | {"failure": outcome.failure}
    entry: Entry = outcome.value
    scored = score(problem, entry.network)
    if not math.isfinite(scored["objective"]):
        return record | {"failure": f"no finite objective: {entry.remark}"}
    record["seconds"] = entry.seconds or outcome.seconds
    kept = np.unique(np.linspace(0, len(entry.curve) - 1, CURVE_POINTS).round().astype(int)) if entry.curve else []
    curve = [[float(f"{value:.{DIGITS}g}") for value in entry.curve[k]] for k in kept]
    return record | scored | {"remark": entry.remark, "seconds, objective": curve}


def run(
    output: Path, names: Iterable[str] = SUITE, sizes: Sizes = DEFAULT, seconds: float = SECONDS, jobs: int = 2
) -> Record:
    """Set problems, several at a time, merge them into ``comparison.json``, and draw and tabulate all it holds."""
    without_pyscnn, names = pyscnn.available(), list(names)
    problems: dict[str, Record] = read(output, NAME).get("problems", {})
    with unittest.mock.patch.dict(os.environ, ENVIRONMENT), ThreadPoolExecutor(jobs) as pool:
        compete_one = partial(compete, sizes=sizes, seconds=seconds, without_pyscnn=without_pyscnn)
        try:
            for name, problem in zip(names, pool.map(compete_one, names), strict=True):
                problems[name] = held_against_best(output, problem)
                _publish(output, {known: problems[known] for known in SUITE if known in problems})
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return read(output, NAME)


def _publish(output: Path, problems: Mapping[str, Record]) -> None:
    """Write the record, the picture and the tables."""
    write(output, NAME, {"benchmark": NAME, "problems": problems})
    problems = read(output, NAME)["problems"]
    draw(problems).savefig(output / f"{NAME}.png", dpi=DPI)
    update_page(output, NAME, problems_table(problems))
    update_page(output, f"{NAME}-methods", methods_table(problems))


def problems_table(problems: Mapping[str, Record]) -> str:
    """Return the table of problems: the best objective, what is proven, and each method's excess and seconds."""
    rows = []
    for name, problem in problems.items():
        row = {"problem": name, "N": problem["n_samples"], "d": problem["n_features"]}
        row |= {"best objective": "–", "proven gap of the best": problem.get("failure", "")}
        if "best" in problem:
            row |= {
                "best objective": f"{problem['best']:.6g}",
                "proven gap of the best": _small(problem["relative_gap"]),
            }
        rows.append(row | {method: _cell(problem["runs"].get(method)) for method in CONTENDERS})
    return table(rows)


def _cell(run: Record | None) -> str:
    if run is None:
        return "–"
    if run.get("failure"):
        return run["failure"].partition(":")[0]
    return f"{_small(run['excess'])} in {run['seconds']:.1f} s"


def _small(share: float) -> str:
    """Return a share as a percentage, or in powers of ten if it is small or vast."""
    if CLOSE <= share < VAST:
        return f"{100 * share:.0f} %"
    return f"{share:.0e}" if share > 0 else "0"


def methods_table(problems: Mapping[str, Record]) -> str:
    """Return the table of methods: on how many problems each found the best, and what it took."""
    rows = []
    for method in CONTENDERS:
        runs = [problem["runs"][method] for problem in problems.values() if method in problem["runs"]]
        ended = [run for run in runs if not run.get("failure")]
        if not ended:
            continue
        rows.append(
            {
                "method": method,
                "problems": len(runs),
                "failed": len(runs) - len(ended),
                "best": sum(run["excess"] <= SAME for run in ended),
                "within 1 %": sum(run["excess"] <= CLOSE for run in ended),
                "largest excess": _small(max(run["excess"] for run in ended)),
                "median seconds": f"{np.median([run['seconds'] for run in ended]):.1f}",
                "median neurons": f"{np.median([run['neurons'] for run in ended]):.0f}",
            }
        )
    return table(rows)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Methods against each other, scored by the same objective.")
    parser.add_argument("--only", choices=SUITE, nargs="+", default=list(SUITE), help="problems, all by default")
    parser.add_argument("--large", action="store_true", help="more samples and more time")
    parser.add_argument(
        "--seconds", type=float, help="that a method is told it has; it is killed after three times as many"
    )
    parser.add_argument("--jobs", type=int, default=2, help="problems at a time")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    seconds = options.seconds or (LARGE_SECONDS if options.large else SECONDS)
    sizes = LARGE if options.large else DEFAULT
    problems = run(options.output, options.only, sizes, seconds, options.jobs)["problems"]
    print("\n\n".join([problems_table(problems), methods_table(problems)]))


if __name__ == "__main__":
    main()
