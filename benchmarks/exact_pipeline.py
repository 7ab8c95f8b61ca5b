r"""The exact pipeline on noise in the plane: time, memory and gap; what facets and covering cells save; solvers.

Standard normal X (N, 2) and y, seed 0; interpolation with free biases; `cvxrelu.solve(problem, method="enumerate")`.
Each size runs in a process of its own, so that the peak memory is that size's, after a small problem has loaded the
compiled kernels; where a solve is short it is repeated and the median taken. The formulations are compared in one
process, in turns, by the median of their times.
"""

import argparse
import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path

import cvxpy as cp

import cvxrelu as cr
from benchmarks.baselines.full_program import Formulation, solve_program, to_network
from benchmarks.harness import (
    RESULTS,
    Record,
    environment,
    isolated,
    median,
    repeated,
    score,
    table,
    timed,
    update_page,
    write,
)
from benchmarks.problems import normal_plane

SIZES = (30, 50, 100)
COMPARED_SIZE, REPETITIONS = 30, 7
SOLVERS, SOLVER_SIZE = ("CLARABEL", "ECOS", "SCS"), 20
FORMULATIONS = (
    Formulation("every cell, all N rows", facets_only=False, covering_only=False),
    Formulation("every cell, facets", facets_only=True, covering_only=False),
    Formulation("covering cells, facets", facets_only=True, covering_only=True),
)
SEED = 0


def solve_one(n_samples: int, solver: str = "CLARABEL") -> Record:
    """Solve one size from start to certificate and return its record."""
    cr.solve(normal_plane(6), method="enumerate", solver=solver)
    problem = normal_plane(n_samples, SEED)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runs = repeated(cr.solve, problem, method="enumerate", solver=solver)
    seconds = [run.seconds for run in runs]
    fit: cr.Fit = runs[-1].value
    record = {
        "n_samples": n_samples,
        "solver": solver,
        "median_seconds": median(seconds),
        "seconds": seconds,
        "patterns": fit.history[-1].patterns,
        "lower": fit.certificate.lower,
        "relative_gap": fit.certificate.relative_gap,
        "scope": fit.certificate.scope,
        "status": fit.status.name,
        "warnings": sorted({str(warning.message) for warning in caught}),
    }
    return record | score(problem, fit.network)


def compare_formulations(n_samples: int, repetitions: int) -> Record:
    """Solve one problem in every formulation, in turns, and return the times of all and their ratios."""
    problem = normal_plane(n_samples, SEED)
    solve_program(normal_plane(6), FORMULATIONS[-1])
    seconds: dict[str, list[float]] = {formulation.name: [] for formulation in FORMULATIONS}
    rows = {}
    for repetition, formulation in itertools.product(range(repetitions), FORMULATIONS):
        run = timed(solve_program, problem, formulation)
        seconds[formulation.name].append(run.seconds)
        if repetition == 0:
            sizes = {"cells": run.value.cells, "sign_rows": run.value.sign_rows}
            rows[formulation.name] = sizes | score(problem, to_network(problem, run.value))
    medians = {name: median(times) for name, times in seconds.items()}
    fastest = medians[FORMULATIONS[-1].name]
    return {
        "n_samples": n_samples,
        "formulations": [
            {"name": name, "median_seconds": medians[name], "seconds": seconds[name], "ratio": medians[name] / fastest}
            | rows[name]
            for name in medians
        ],
    }


def run(
    output: Path,
    sizes: Sequence[int] = SIZES,
    compared_size: int = COMPARED_SIZE,
    repetitions: int = REPETITIONS,
    solver_size: int = SOLVER_SIZE,
) -> Record:
    """Run everything, write ``exact_pipeline.json`` and return what it holds."""
    record = {
        "benchmark": "exact_pipeline",
        "data": "default_rng(seed): X = standard_normal((N, 2)), then y = standard_normal(N); interpolation, free bias",
        "seed": SEED,
        "environment": environment(),
        "sizes": [{"n_samples": size} | isolated(solve_one, size) for size in sizes],
        "comparison": isolated(compare_formulations, compared_size, repetitions),
        "solvers": [
            {"solver": solver} | isolated(solve_one, solver_size, solver)
            for solver in SOLVERS
            if solver in cp.installed_solvers()
        ],
        "notes": "Wall clock, one BLAS thread, on a machine that other work may share; ratios within one process.",
    }
    write(output, "exact_pipeline", record)
    update_page(output, "sizes", sizes_table(record))
    update_page(output, "formulations", formulations_table(record))
    update_page(output, "solvers", solvers_table(record))
    return record


def sizes_table(record: Record) -> str:
    """Return the table of the sizes."""
    return table(
        [
            {"N": row["n_samples"], "failure": row["failure"]}
            if "failure" in row
            else {
                "N": row["n_samples"],
                "sign patterns": f"{row['patterns']:,}",
                "seconds": f"{row['median_seconds']:.2f}",
                "peak memory, MiB": f"{row['peak_mib']:.0f}",
                "certified minimum": f"{row['objective']:.6f}",
                "relative gap": f"{row['relative_gap']:.0e}",
                "neurons": row["neurons"],
            }
            for row in record["sizes"]
        ]
    )


def formulations_table(record: Record) -> str:
    """Return the table of the formulations."""
    return table(
        [
            {
                "program": row["name"],
                "cells": f"{row['cells']:,}",
                "sign rows a sign": f"{row['sign_rows']:,}",
                "median seconds": f"{row['median_seconds']:.2f}",
                "ratio": f"{row['ratio']:.1f}",
                "cost of its network": f"{row['objective']:.6f}",
            }
            for row in record["comparison"]["formulations"]
        ]
    )


def solvers_table(record: Record) -> str:
    """Return the table of the solvers."""
    return table(
        [
            {
                "solver": row["solver"],
                "seconds": f"{row['median_seconds']:.2f}",
                "cost": f"{row['objective']:.6f}",
                "relative gap": f"{row['relative_gap']:.0e}",
                "neurons": row["neurons"],
                "status": row["status"].lower(),
            }
            if "failure" not in row
            else dict.fromkeys(("seconds", "cost", "relative gap", "neurons"), "")
            | {"solver": row["solver"], "status": row["failure"]}
            for row in record["solvers"]
        ]
    )


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Time, memory and gap of the exact pipeline.")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    record = run(options.output, options.sizes)
    print("\n\n".join([sizes_table(record), formulations_table(record), solvers_table(record)]))


if __name__ == "__main__":
    main()
