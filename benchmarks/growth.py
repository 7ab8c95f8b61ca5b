r"""How the time of column generation grows with the number of samples, in one, two and three dimensions.

Random labels, standard normal X (N, d) and y, interpolation with free biases: the hardest targets, since nearly every
sample needs a neuron. The exponent p of seconds ~ N^p is that of the last step from one size to the next: smaller sizes
are mostly fixed costs, and a fit through all of them would promise too much.

    python -m benchmarks.growth                   # every dimension
    python -m benchmarks.growth --dimensions 2    # this one, merged into the results that are there
"""

import argparse
import itertools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks.harness import (
    RESULTS,
    Record,
    environment,
    isolated,
    median,
    read,
    repeated,
    score,
    table,
    update_page,
    write,
)
from benchmarks.problems import normal_data
from cvxrelu.plots import BLUE, INK, ORANGE

NAME = "growth"
# Sizes and relative gap for each dimension; pricing in three is a branch and bound, whose last digits cost most.
SIZES = {
    1: (50, 100, 200, 400, 800, 1600),
    2: (25, 50, 100, 200, 400, 800),
    3: (10, 20, 40, 80, 160),
}
TOLS = {1: 1e-6, 2: 1e-6, 3: 1e-3}
# Seconds that a size gets; the next size is left out if this one needed more than a quarter of that.
TIME_LIMIT, LAST_SHARE = 400.0, 0.25
# Numbers of samples under the picture, far enough apart to be read.
TICKS = (10, 25, 50, 100, 200, 400, 800, 1600)
COLOURS, MARKERS = {1: BLUE, 2: ORANGE, 3: "#009e73"}, {1: "o", 2: "s", 3: "^"}


def solve_one(n_samples: int, n_features: int, tol: float, time_limit: float) -> Record:
    """Solve one size, several times with different seeds while that is quick, and return its record."""
    seeds = itertools.count()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cr.solve(normal_data(12, n_features), method="generate", tol=tol)
        caught.clear()
        problem = normal_data(n_samples, n_features)
        runs = repeated(
            lambda: cr.solve(problem, method="generate", tol=tol, time_limit=time_limit, random_state=next(seeds))
        )
    seconds = [run.seconds for run in runs]
    fit: cr.Fit = runs[-1].value
    record = {
        "median_seconds": median(seconds),
        "seconds": seconds,
        "rounds": len(fit.history),
        "relative_gap": fit.certificate.relative_gap,
        "status": fit.status.name,
        "warnings": sorted({str(warning.message) for warning in caught}),
    }
    return record | score(problem, fit.network)


def measure(n_features: int, sizes: Sequence[int], time_limit: float) -> Record:
    """Solve ever larger problems of one dimension until one takes long or fails, and return their record."""
    before, rows = environment(), []
    for size in sizes:
        row = isolated(solve_one, size, n_features, TOLS[n_features], time_limit)
        rows.append({"n_samples": size} | row)
        if "failure" in row or row["status"] != "OPTIMAL" or row["median_seconds"] > LAST_SHARE * time_limit:
            break
    return {"tol": TOLS[n_features], "exponent": exponent(rows), "sizes": rows, "environment": before}


def exponent(rows: Iterable[Record]) -> float | None:
    """Return the slope of log seconds against log N between the two largest solved sizes, None if there is one.

    Examples
    --------
    >>> rows = [{"n_samples": n, "median_seconds": 1 + 1e-4 * n**2, "status": "OPTIMAL"} for n in (10, 800, 1600)]
    >>> round(exponent(rows), 2)
    1.98
    """
    solved = [row for row in rows if row.get("status") == "OPTIMAL"][-2:]
    if len(solved) < 2:
        return None
    sizes, seconds = (np.diff(np.log([row[key] for row in solved])) for key in ("n_samples", "median_seconds"))
    return float(seconds[0] / sizes[0])


def run(
    output: Path,
    dimensions: Iterable[int] = SIZES,
    sizes: Mapping[int, Sequence[int]] = SIZES,
    limit: float = TIME_LIMIT,
) -> Record:
    """Measure dimensions, merge them into ``growth.json``, draw ``growth.png``, and return what the former holds."""
    for dimension in dimensions:
        known = read(output, NAME).get("dimensions", {})
        known[str(dimension)] = measure(dimension, sizes[dimension], limit)
        record = {
            "benchmark": NAME,
            "data": "default_rng(0): X = standard_normal((N, d)), then standard normal y; interpolation, free bias",
            "time_limit": limit,
            "dimensions": {key: known[key] for key in sorted(known)},
        }
        write(output, NAME, record)
    record = read(output, NAME)
    draw(record).savefig(output / f"{NAME}.png", dpi=110)
    update_page(output, NAME, growth_table(record))
    return record


def draw(record: Record) -> Figure:
    """Return the figure: time against N in logarithms, a line a dimension, with the exponents of their last steps."""
    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.subplots()
    for key, measured in record["dimensions"].items():
        dimension = int(key)
        solved = [row for row in measured["sizes"] if row.get("status") == "OPTIMAL"]
        sizes, seconds = ([row[name] for row in solved] for name in ("n_samples", "median_seconds"))
        power = "" if measured["exponent"] is None else rf", last step $N^{{{measured['exponent']:.1f}}}$"
        style = {"color": COLOURS[dimension], "marker": MARKERS[dimension], "markersize": 7, "linewidth": 1.8}
        axes.loglog(sizes, seconds, label=f"$d = {dimension}$, gap {measured['tol']:g}{power}", **style)
    axes.set_xticks(TICKS)
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.xaxis.set_minor_formatter("")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="samples $N$", ylabel="seconds to a certified optimum")
    axes.grid(which="major", color=INK, alpha=0.12)
    axes.set_title("Random labels, interpolation, method='generate'", fontsize=11)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def growth_table(record: Record) -> str:
    """Return the table of all sizes."""
    return table(
        [
            {
                "d": dimension,
                "N": f"{row['n_samples']:,}",
                "seconds": row.get("failure") or f"{row['median_seconds']:.2f}",
                "rounds": row.get("rounds", ""),
                "relative gap": "" if "failure" in row else f"{row['relative_gap']:.0e}",
                "exponent of the last step": "–" if measured["exponent"] is None else f"{measured['exponent']:.1f}",
            }
            for dimension, measured in record["dimensions"].items()
            for row in measured["sizes"]
        ]
    )


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Growth of the time of column generation with the number of samples.")
    parser.add_argument("--dimensions", type=int, choices=SIZES, nargs="+", default=list(SIZES))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    print(growth_table(run(options.output, options.dimensions)))


if __name__ == "__main__":
    main()
