r"""How the time of a certified fit grows with the number of samples, in one, two and three dimensions.

    labels    random labels, standard normal X (N, d) and y, interpolation with free biases: nearly every sample needs
              a neuron, which is the hardest there is; gap 1e-6, 1e-3 in three dimensions
    few       six random neurons and noise, squared loss (`benchmarks.many_samples`), free biases, joint ones in three
              dimensions; gap 1e-4

The exponent p of seconds ~ N^p is that of the last step from one size to the next: smaller sizes are mostly fixed
costs, and a fit through all of them would promise too much.

    python -m benchmarks.growth                   # all of it
    python -m benchmarks.growth --only labels_2   # this one, merged into the results that are there
"""

import argparse
import itertools
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from benchmarks.many_samples import six_neurons
from benchmarks.problems import normal_data
from cvxrelu.plots import BLUE, INK, ORANGE

NAME = "growth"
# Seconds that a size gets; the next size is left out if this one needed more than a quarter of that.
TIME_LIMIT, LAST_SHARE = 400.0, 0.25
COLOURS, MARKERS = {1: BLUE, 2: ORANGE, 3: "#009e73"}, {1: "o", 2: "s", 3: "^"}
TITLES = {"labels": "Random labels, interpolation", "few": "Six neurons and noise, squared loss"}


@dataclass(frozen=True)
class Series:
    """Problems of one kind with ever more samples.

    Attributes
    ----------
    kind : str
        Whether every sample needs a neuron, or few neurons do for all (`TITLES`).
    n_features : int
        Dimension of the samples.
    tol : float
        Relative gap to be certified.
    sizes : tuple of int
        Numbers of samples.
    bias : str
        Whether biases cost nothing.
    """

    kind: str
    n_features: int
    tol: float
    sizes: tuple[int, ...]
    bias: str = "free"

    @property
    def name(self) -> str:
        """What the series is called."""
        return f"{self.kind}_{self.n_features}"

    def solve(self, n_samples: int, time_limit: float, seed: int) -> cr.Fit:
        """Fit a size."""
        options: dict[str, Any] = {"tol": self.tol, "time_limit": time_limit, "random_state": seed}
        if self.kind == "labels":
            return cr.solve(normal_data(n_samples, self.n_features), "generate", **options)
        return cr.solve(six_neurons(n_samples, self.n_features, bias=self.bias), **options)


# Three dimensions are a branch and bound, whose last digits cost most.
SERIES = {
    series.name: series
    for series in (
        Series("labels", 1, 1e-6, (50, 100, 200, 400, 800, 1600)),
        Series("labels", 2, 1e-6, (25, 50, 100, 200, 400, 800)),
        Series("labels", 3, 1e-3, (10, 20, 40, 80, 160)),
        Series("few", 1, 1e-4, (1_000, 10_000, 100_000, 1_000_000)),
        Series("few", 2, 1e-4, (1_000, 4_000, 20_000, 100_000)),
        Series("few", 3, 1e-4, (1_000, 3_000, 10_000), bias="joint"),
    )
}


def solve_one(series: Series, n_samples: int, time_limit: float) -> Record:
    """Solve one size, several times with different seeds while that is quick, and return its record."""
    seeds = itertools.count()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        series.solve(min(series.sizes), time_limit, 0)
        caught.clear()
        runs = repeated(lambda: series.solve(n_samples, time_limit, next(seeds)))
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
    return record | score(fit.problem, fit.network)


def measure(series: Series, limit: float) -> Record:
    """Solve ever larger problems of one series until one takes long or fails, and return their record."""
    before, rows = environment(), []
    for size in series.sizes:
        row = isolated(solve_one, series, size, limit)
        rows.append({"n_samples": size} | row)
        if "failure" in row or row["status"] != "OPTIMAL" or row["median_seconds"] > LAST_SHARE * limit:
            break
    return {"tol": series.tol, "exponent": exponent(rows), "sizes": rows, "environment": before}


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


def run(output: Path, names: Sequence[str] = tuple(SERIES), limit: float = TIME_LIMIT) -> Record:
    """Measure series, merge them into ``growth.json``, draw ``growth.png``, and return what the former holds."""
    for name in names:
        known = read(output, NAME).get("series", {})
        known[name] = measure(SERIES[name], limit)
        record = {
            "benchmark": NAME,
            "time_limit": limit,
            "series": {name: known[name] for name in SERIES if name in known},
        }
        write(output, NAME, record)
    record = read(output, NAME)
    draw(record).savefig(output / f"{NAME}.png", dpi=110)
    update_page(output, NAME, growth_table(record))
    return record


def draw(record: Record) -> Figure:
    """Return the figure: time against N in logarithms, a panel a kind, with the exponents of their last steps."""
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    panels = dict(zip(TITLES, figure.subplots(1, len(TITLES), sharey=True), strict=True))
    for name, measured in record["series"].items():
        series = SERIES[name]
        solved = [row for row in measured["sizes"] if row.get("status") == "OPTIMAL"]
        sizes, seconds = ([row[key] for row in solved] for key in ("n_samples", "median_seconds"))
        power = "" if measured["exponent"] is None else rf", last step $N^{{{measured['exponent']:.1f}}}$"
        bias = "" if series.bias == "free" else f", {series.bias} biases"
        label = f"$d = {series.n_features}${bias}, gap {series.tol:g}{power}"
        style = {"color": COLOURS[series.n_features], "marker": MARKERS[series.n_features], "markersize": 7}
        panels[series.kind].loglog(sizes, seconds, label=label, linewidth=1.8, **style)
        panels[series.kind].legend(frameon=False, fontsize=9)
    for kind, axes in panels.items():
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("samples $N$")
        axes.grid(which="major", color=INK, alpha=0.12)
        axes.set_title(TITLES[kind], fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
    panels["labels"].set_ylabel("seconds to a certified optimum")
    return figure


def growth_table(record: Record) -> str:
    """Return the table of all sizes."""
    return table(
        [
            {
                "problem": TITLES[SERIES[name].kind],
                "d": SERIES[name].n_features,
                "N": f"{row['n_samples']:,}",
                "seconds": row.get("failure") or f"{row['median_seconds']:.2f}",
                "rounds": row.get("rounds", ""),
                "relative gap": "" if "failure" in row else f"{row['relative_gap']:.0e}",
                "exponent of the last step": "–" if measured["exponent"] is None else f"{measured['exponent']:.1f}",
            }
            for name, measured in record["series"].items()
            for row in measured["sizes"]
        ]
    )


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Growth of the time of certified fits with the number of samples.")
    parser.add_argument("--only", choices=SERIES, nargs="+", default=list(SERIES))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    print(growth_table(run(options.output, options.only)))


if __name__ == "__main__":
    main()
