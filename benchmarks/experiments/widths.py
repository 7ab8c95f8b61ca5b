r"""Does gradient descent find the network of least cost? Training at several widths, beside the certified minimum.

The six points of Kumar & Haupt, Figure 1, free biases: cost(f) = sum_j abs(v_j) * norm(w_j), and no network of any
width that passes through the points costs less than 30. A trained network passes through them only up to the tolerance
of its training, so it is not a solution of that problem, and may cost less than 30. It *is* one of the problem of
fitting its own predictions z_i = f(x_i), whose certified minimum is the fair yardstick:

    excess = cost(f) / (least cost of any network with f(x_i) = z_i) - 1  >= 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks.baselines.gradient_descent import Settings, train
from benchmarks.baselines.training import Training
from benchmarks.experiments.common import (
    bare,
    certified,
    command_line,
    curve,
    least_cost_of_own_predictions,
    publish,
    shades,
)
from benchmarks.harness import Record, median, score, timed
from benchmarks.problems import six_points
from cvxrelu.plots import GREY, INK, ORANGE


@dataclass(frozen=True)
class Size:
    """Widths and starts (standard deviations of the weights), seeds of each, and the most steps."""

    widths: tuple[int, ...] = (10, 100, 1000)
    scales: tuple[float, ...] = (1e-3, 1e-1)
    seeds: int = 10
    max_steps: int = 2_000_000


DEFAULT, LARGE = Size(), Size(widths=(10, 30, 100, 300, 1000, 3000), seeds=30)
# Percents of excess below this are drawn there.
SMALLEST = 1e-3
# Distance on the axis between the marks of two starts at the same width.
CLUSTER = 0.44


def train_and_score(problem: cr.Problem, settings: Settings, seed: int) -> tuple[Record, Training[cr.Network]]:
    """Train once, and return the record and the training."""
    run = timed(train, problem, settings, seed)
    training: Training[cr.Network] = run.value
    least = least_cost_of_own_predictions(problem, training.network)
    scored = score(problem, training.network)
    record = {
        "width": settings.width,
        "scale": settings.scale,
        "seed": seed,
        "seconds": run.seconds,
        "steps": training.steps,
        "loss": training.loss,
        "gradient_norm": training.gradient_norm,
        "failure": training.failure,
        "least_cost_of_own_predictions": least,
        "excess": scored["cost"] / least - 1 if least > 0 else None,
    }
    return record | scored, training


def run(output: Path, size: Size = DEFAULT) -> Record:
    """Train at every width, write ``widths.json``, ``widths.png`` and the table, and return what the first holds."""
    problem = six_points()
    fit = cr.solve(problem)
    rows, networks, curves = [], [], []
    for scale in size.scales:
        for width in size.widths:
            for seed in range(size.seeds):
                row, training = train_and_score(problem, Settings(width, scale, max_steps=size.max_steps), seed)
                rows.append(row)
                networks.append(training.network)
                if seed == 0:
                    shown = {"width": width, "scale": scale, "seed": seed}
                    curves.append(shown | {"step, loss, cost": curve(training)})
    record = {
        "data": "the six points of Kumar & Haupt, Figure 1; interpolation, free bias",
        "loss": "half the sum of squares",
        "certified": certified(fit),
        "trained": rows,
        "curves": curves,
    }
    return publish(output, "widths", size, record, draw(problem, fit, rows, networks), lines(rows, size))


def draw(problem: cr.Problem, fit: cr.Fit, rows: Sequence[Record], trained: Sequence[cr.Network]) -> Figure:
    """Return the figure: the trained functions, and their costs against the width."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    functions, costs = figure.subplots(1, 2)
    widths, scales = sorted({row["width"] for row in rows}), sorted({row["scale"] for row in rows})
    colours = shades(widths)

    grid = np.linspace(-1.3, 1.3, 521)
    functions.plot(grid, fit.network(grid[:, None]), color=INK, linewidth=5, alpha=0.25, label="least cost, certified")
    named = set()
    for row, network in zip(rows, trained, strict=True):
        if row["scale"] != scales[0]:
            continue
        name = "failed" if row["failure"] else f"width {row['width']}"
        style = {"color": GREY, "linestyle": "dotted"} if row["failure"] else {"color": colours[row["width"]]}
        functions.plot(grid, network(grid[:, None]), linewidth=1.1, label=None if name in named else name, **style)
        named.add(name)
    functions.plot(problem.X[:, 0], problem.y, "o", color=ORANGE, markeredgecolor="white", markersize=8, label="data")
    functions.set(xlabel="$x$", ylabel="$f(x)$", ylim=(-1.7, 3.4), xlim=(-1.3, 1.3))
    functions.set_title(f"Functions, started at standard deviation {scales[0]:g}", fontsize=11)
    functions.legend(loc="upper center", ncols=3, frameon=False, fontsize=9)

    for k, scale in enumerate(scales):
        for place, width in enumerate(widths):
            group = [row for row in rows if (row["scale"], row["width"]) == (scale, width)]
            fitted = [max(100 * row["excess"], SMALLEST) for row in group if not row["failure"]]
            center = place + CLUSTER * (k - (len(scales) - 1) / 2)
            # Seeds are spread sideways so that equal costs do not hide each other.
            spread = center + 0.7 * CLUSTER * (np.arange(len(fitted)) + 0.5 - len(fitted) / 2) / len(group)
            style = {"color": colours[width], "markeredgecolor": "white", "markersize": 8, "linestyle": ""}
            costs.plot(spread, fitted, "os^D"[k % 4], **style)
            count = f"start {scale:g}\n{len(fitted)} of {len(group)} fit"
            costs.text(center, 0.02, count, transform=costs.get_xaxis_transform(), ha="center", color=INK, fontsize=8)
    costs.set(yscale="log", ylim=(SMALLEST / 10, 100), ylabel="cost above the least for the same predictions, %")
    costs.set(xticks=range(len(widths)), xticklabels=map(str, widths), xlim=(-0.5, len(widths) - 0.5), xlabel="width")
    costs.set_title("Certified excess of the networks that fit, one mark a seed", fontsize=11)
    bare(functions)
    bare(costs)
    return figure


def lines(rows: Sequence[Record], size: Size) -> list[Record]:
    """Return the table: one line for each start and width, medians over the seeds that reached the tolerance."""
    summaries = []
    for scale in size.scales:
        for width in size.widths:
            group = [row for row in rows if (row["scale"], row["width"]) == (scale, width)]
            good = [row for row in group if not row["failure"]]
            line = {"start": f"{scale:g}", "width": width, "fitted": f"{len(good)} of {len(group)}"}
            columns = {
                "steps": lambda row: row["steps"],
                "residual": lambda row: row["residual"],
                "cost": lambda row: row["cost"],
                "least cost for its predictions": lambda row: row["least_cost_of_own_predictions"],
                "excess": lambda row: 100 * row["excess"],
                "largest excess": lambda row: 100 * row["excess"],
            }
            formats = {"steps": ",.0f", "residual": ".0e", "excess": ".3f", "largest excess": ".3f"}
            for name, value in columns.items():
                summary = max if name == "largest excess" else median
                unit = " %" if "excess" in name else ""
                line[name] = f"{summary(map(value, good)):{formats.get(name, '.4f')}}{unit}" if good else "–"
            summaries.append(line)
    return summaries


if __name__ == "__main__":
    command_line(run, DEFAULT, LARGE, __doc__)
