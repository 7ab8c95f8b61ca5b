r"""Ten points on a line, widths 20 and 100, weight decay 1e-5: Savarese, Evron, Soudry & Srebro, Figure 1.

The claim: a wide network with a little weight decay learns a linear spline, of the least possible function cost

    R(f) = max( TV(f'), abs(f'(-inf) + f'(inf)) ),

which is V for interpolants. With weight decay the optimum gives up a little of the fit for a smaller cost, and it is
that optimum, certified, that a trained network is held against; V, in closed form, stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks.baselines.deep import DeepNetwork
from benchmarks.baselines.gradient_descent import Settings, train
from benchmarks.experiments.common import (
    bare,
    certified,
    command_line,
    curve,
    middle,
    publish,
    scatter,
    shades,
    trained,
)
from benchmarks.harness import Record, timed
from benchmarks.problems import ten_points
from cvxrelu.function_space import function_cost, minimum_cost
from cvxrelu.plots import INK, ORANGE

# Weight decay 1e-5 on the mean of the squares, without halves, is alpha = 0.5e-5.
WEIGHT_DECAY = 1e-5
START = 0.3
# Gaps below this are drawn there.
FLOOR = 1e-9


@dataclass(frozen=True)
class Size:
    """Widths, draws of the targets, seeds of each, and steps."""

    widths: tuple[int, ...] = (20, 100)
    draws: int = 2
    seeds: int = 5
    steps: int = 300_000


DEFAULT, LARGE = Size(), Size(widths=(10, 20, 50, 100, 500), draws=5, seeds=10, steps=3_000_000)


def run(output: Path, size: Size = DEFAULT) -> Record:
    """Train at every width on every draw, write the results, and return the record."""
    rows, optima, shown = [], [], {}
    for draw_seed in range(size.draws):
        problem = ten_points("squared", WEIGHT_DECAY / 2, seed=draw_seed)
        fit = cr.solve(problem)
        optima.append({"draw": draw_seed, "least_interpolation_cost": minimum_cost(problem.X, problem.y)})
        optima[-1] |= certified(fit)
        for width in size.widths:
            settings = Settings(width, START, tol=None, max_steps=size.steps, optimiser="adam", annealed=True)
            for seed in range(size.seeds):
                outcome = timed(train, problem, settings, seed)
                training = outcome.value
                cost = function_cost(DeepNetwork.of(training.network).function())
                row = {"draw": draw_seed, "width": width, "seed": seed, "seconds": outcome.seconds}
                row |= trained(problem, training, fit.certificate.lower)
                row |= {"function_cost": cost, "function_cost_ratio": cost / optima[-1]["cost"]}
                rows.append(row | ({"step, loss, cost": curve(training)} if seed == 0 else {}))
                if draw_seed == 0:
                    shown[width, seed] = training.network
    record = {
        "data": f"ten points on a line; squared loss, free bias, alpha = {WEIGHT_DECAY / 2}",
        "certified": optima,
        "trained": rows,
    }
    picture = draw(cr.solve(ten_points("squared", WEIGHT_DECAY / 2)), shown, rows, size)
    return publish(output, "ten_points", size, record, picture, lines(rows, optima))


def draw(fit: cr.Fit, shown: dict[tuple[int, int], cr.Network], rows: Sequence[Record], size: Size) -> Figure:
    """Return the figure: the functions on the first draw, and all gaps against the width."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    functions, gaps = figure.subplots(1, 2, width_ratios=[3, 2])
    grid = np.linspace(-1.2, 1.2, 961)
    functions.plot(grid, fit.network(grid[:, None]), color=INK, linewidth=5, alpha=0.25, label="certified optimum")
    colours = shades(size.widths)
    for (width, seed), network in shown.items():
        label = None if seed else f"width {width}"
        functions.plot(grid, network(grid[:, None]), linewidth=1.1, color=colours[width], label=label)
    X, y = fit.problem.X[:, 0], fit.problem.y
    functions.plot(X, y, "o", color=ORANGE, markeredgecolor="white", markersize=8, label="data")
    height = float(np.ptp(y))
    functions.set(xlabel="$x$", ylabel="$f(x)$", ylim=(y.min() - 0.3 * height, y.max() + 0.3 * height))
    functions.set_title("Targets 1: the certified optimum, and networks trained from several seeds", fontsize=11)
    functions.legend(frameon=False, fontsize=9, ncols=2)
    bare(functions)
    series = {
        f"targets {k + 1}": [
            [max(row["relative_gap"], FLOOR) for row in rows if (row["draw"], row["width"]) == (k, width)]
            for width in size.widths
        ]
        for k in range(size.draws)
    }
    scatter(gaps, series, size.widths)
    gaps.set(yscale="log", xlabel="width", ylabel="objective above the certified optimum")
    gaps.legend(frameon=False, fontsize=9)
    return figure


def lines(rows: Sequence[Record], optima: Sequence[Record]) -> list[Record]:
    """Return the table: one line for each draw and width."""
    summaries = []
    for k, width in dict.fromkeys((row["draw"], row["width"]) for row in rows):
        group = [row for row in rows if (row["draw"], row["width"]) == (k, width)]
        summaries.append(
            {
                "targets": k + 1,
                "width": width,
                "V, interpolation": f"{optima[k]['least_interpolation_cost']:.4f}",
                "R of the optimum": f"{optima[k]['cost']:.4f}",
                "median R": middle((row["function_cost"] for row in group), ".4f"),
                "range of R": f"{min(r['function_cost'] for r in group):.3f} to "
                f"{max(r['function_cost'] for r in group):.3f}",
                "objective within 1 %": f"{sum(row['relative_gap'] < 0.01 for row in group)} of {len(group)}",
                "median gap": middle((row["relative_gap"] for row in group), ".0e"),
                "seconds": middle((row["seconds"] for row in group), ".1f"),
            }
        )
    return summaries


if __name__ == "__main__":
    command_line(run, DEFAULT, LARGE, __doc__)
