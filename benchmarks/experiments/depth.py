r"""Networks of 2, 3 and 4 hidden layers on a line: Savarese, Evron, Soudry & Srebro, Figure 2, with the cost measured.

Weight decay on a deep network is no known cost of functions. The paper shows by pictures that deep networks learn
something like the linear spline of the shallow ones. Here that is measured: a deep network computes a piecewise linear
function f, and what a *shallow* network of any width would have to pay for it,

    R(f) = max( TV(f'), abs(f'(-inf) + f'(inf)) ),

is exact once its knots are. R(f) / V is 1 for a function that shallow networks would choose, V the least cost of any
function with the values f(x_i), in closed form.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.baselines.deep import Settings, train
from benchmarks.experiments.common import bare, command_line, curve, middle, publish, scatter, shades
from benchmarks.harness import Record, timed
from benchmarks.problems import ten_points
from cvxrelu.function_space import PiecewiseLinear, function_cost, min_norm_interpolant, minimum_cost
from cvxrelu.plots import INK, ORANGE

# On the mean of the squares, without halves, as in the experiment with ten points.
WEIGHT_DECAY = 1e-5
# A jump of f' below this share of the largest is no knot that anybody would see.
VISIBLE_JUMP = 1e-3


@dataclass(frozen=True)
class Size:
    """Hidden layers, their widths, seeds of each, and steps."""

    depths: tuple[int, ...] = (1, 2, 3, 4)
    widths: tuple[int, ...] = (20, 50)
    seeds: int = 3
    steps: int = 40_000


DEFAULT, LARGE = Size(), Size(widths=(20, 50, 100, 200), seeds=10, steps=600_000)


def run(output: Path, size: Size = DEFAULT) -> Record:
    """Train at every depth and width, write the results, and return the record."""
    problem = ten_points("squared", WEIGHT_DECAY / 2)
    rows, shown = [], {}
    for depth in size.depths:
        for width in size.widths:
            for seed in range(size.seeds):
                outcome = timed(train, problem, Settings(width, depth, max_steps=size.steps), seed)
                network = outcome.value.network
                function = network.function()
                cost, least = function_cost(function), minimum_cost(problem.X, network(problem.X))
                jumps = np.abs(function.second_derivative().jumps)
                row = {
                    "depth": depth,
                    "width": width,
                    "seed": seed,
                    "seconds": outcome.seconds,
                    "loss": outcome.value.loss,
                    "failure": outcome.value.failure,
                    "function_cost": cost,
                    "least_cost_of_own_predictions": least,
                    "ratio": cost / least,
                    "half_squared_weights": network.half_squared_weights,
                    "visible_knots": int(np.sum(jumps > VISIBLE_JUMP * jumps.max())),
                }
                rows.append(row | ({"step, loss, cost": curve(outcome.value)} if seed == 0 else {}))
                if width == size.widths[-1]:
                    shown[depth, seed] = function
    record = {
        "data": f"ten points on a line; squared loss, weight decay {WEIGHT_DECAY} on all weights, biases free",
        "least_interpolation_cost": minimum_cost(problem.X, problem.y),
        "trained": rows,
    }
    return publish(output, "depth", size, record, draw(shown, rows, size), lines(rows))


def draw(shown: dict[tuple[int, int], PiecewiseLinear], rows: Sequence[Record], size: Size) -> Figure:
    """Return the figure: the functions of the widest networks, and all ratios against the depth."""
    problem = ten_points()
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    functions, ratios = figure.subplots(1, 2, width_ratios=[3, 2])
    grid = np.linspace(-1.2, 1.2, 961)
    spline = min_norm_interpolant(problem.X, problem.y)
    functions.plot(grid, spline(grid), color=INK, linewidth=5, alpha=0.25, label="linear spline, of least cost")
    colours = shades(size.depths)
    for (depth, seed), function in shown.items():
        label = None if seed else f"{depth} hidden layer{'s' * (depth > 1)}"
        functions.plot(grid, function(grid), linewidth=1.1, color=colours[depth], label=label)
    functions.plot(problem.X, problem.y, "o", color=ORANGE, markeredgecolor="white", markersize=8, label="data")
    height = float(np.ptp(problem.y))
    low, high = float(problem.y.min()), float(problem.y.max())
    functions.set(xlabel="$x$", ylabel="$f(x)$", ylim=(low - 0.3 * height, high + 0.4 * height))
    functions.legend(frameon=False, fontsize=9, ncols=2)
    bare(functions)
    series = {
        f"width {width}": [
            [100 * (row["ratio"] - 1) for row in rows if (row["depth"], row["width"]) == (depth, width)]
            for depth in size.depths
        ]
        for width in size.widths
    }
    scatter(ratios, series, size.depths)
    ratios.axhline(0.0, color=INK, linewidth=1)
    ratios.set(xlabel="hidden layers", ylabel="function cost above the least for its predictions, %")
    ratios.legend(frameon=False, fontsize=9)
    return figure


def lines(rows: Sequence[Record]) -> list[Record]:
    """Return the table: one line for each depth and width."""
    summaries = []
    for depth, width in dict.fromkeys((row["depth"], row["width"]) for row in rows):
        group = [row for row in rows if (row["depth"], row["width"]) == (depth, width)]
        fitted = [row for row in group if not row["failure"]]
        summaries.append(
            {
                "hidden layers": depth,
                "width": width,
                "loss": middle((row["loss"] for row in fitted), ".0e"),
                "largest loss": middle([max(row["loss"] for row in fitted)] if fitted else [], ".0e"),
                "median R": middle((row["function_cost"] for row in fitted), ".3f"),
                "least R for its predictions": middle((row["least_cost_of_own_predictions"] for row in fitted), ".3f"),
                "median excess": middle((100 * (row["ratio"] - 1) for row in fitted), ".2g") + " %",
                "largest excess": middle([100 * (max(row["ratio"] for row in fitted) - 1)] if fitted else [], ".2g")
                + " %",
                "visible knots": middle((row["visible_knots"] for row in fitted), ".0f"),
                "half the squared weights": middle((row["half_squared_weights"] for row in fitted), ".2f"),
            }
        )
    return summaries


if __name__ == "__main__":
    command_line(run, DEFAULT, LARGE, __doc__)
