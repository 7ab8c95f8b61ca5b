r"""Does gradient descent find the network of least cost? Training at several widths, beside the certified minimum.

The six points of Kumar & Haupt, Figure 1, free biases: cost(f) = sum_j abs(v_j) * norm(w_j), and no network of any
width that passes through the points costs less than 30. A trained network passes through them only up to the tolerance
of its training, so it is not a solution of that problem, and may cost less than 30. It *is* one of the problem of
fitting its own predictions z_i = f(x_i), whose certified minimum is the fair yardstick:

    excess = cost(f) / (least cost of any network with f(x_i) = z_i) - 1  >= 0.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks.baselines.gradient_descent import Settings, Training, train
from benchmarks.harness import RESULTS, Record, environment, median, score, table, timed, update_page, write
from benchmarks.problems import six_points
from cvxrelu.plots import GREY, INK, ORANGE

WIDTHS = (10, 100, 1000)
SCALES = (1e-3, 1e-1)
SEEDS = range(10)
MAX_STEPS = 2_000_000
# Light to dark with the width (viridis without its ends, which are hard to tell from black and from white).
COLOURS = ("#a3c626", "#2a9d8f", "#3b4a8c")
# Distance on the axis between the marks of two starts at the same width.
CLUSTER = 0.44


def least_cost_of_own_predictions(problem: cr.Problem, network: cr.Network) -> float:
    """Return a certified lower bound on the cost of every network that predicts what this one does on the data."""
    return cr.solve(cr.Problem(problem.X, network(problem.X), bias=problem.bias)).certificate.lower


def train_and_score(problem: cr.Problem, settings: Settings, seed: int) -> tuple[Record, Training]:
    """Train once, and return the record and the training."""
    run = timed(train, problem, settings, seed)
    training: Training = run.value
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


def run(
    output: Path,
    widths: Sequence[int] = WIDTHS,
    scales: Sequence[float] = SCALES,
    seeds: Sequence[int] = SEEDS,
    max_steps: int = MAX_STEPS,
) -> Record:
    """Train at every width, write ``widths.json`` and ``widths.png``, and return what the former holds."""
    problem = six_points()
    fit = cr.solve(problem)
    rows, trained, curves = [], [], []
    for scale in scales:
        for width in widths:
            settings = Settings(width, scale, max_steps=max_steps)
            for seed in seeds:
                row, training = train_and_score(problem, settings, seed)
                rows.append(row)
                trained.append(training.network)
                if seed == seeds[0]:
                    curve = [[point.step, float(f"{point.loss:.5g}"), round(point.cost, 4)] for point in training.curve]
                    curves.append({"width": width, "scale": scale, "seed": seed, "step, loss, cost": curve})
    record = {
        "benchmark": "widths",
        "data": "the six points of Kumar & Haupt, Figure 1; interpolation, free bias",
        "settings": dataclasses.asdict(Settings(0, max_steps=max_steps)) | {"width": list(widths), "scale": scales},
        "loss": "half the sum of squares",
        "environment": environment(),
        "certified": {
            "upper": fit.certificate.upper,
            "lower": fit.certificate.lower,
            "relative_gap": fit.certificate.relative_gap,
            "scope": fit.certificate.scope,
        }
        | score(problem, fit.network),
        "trained": rows,
        "curves": curves,
    }
    write(output, "widths", record)
    draw(problem, fit, rows, trained).savefig(output / "widths.png", dpi=110)
    update_page(output, "widths", widths_table(record))
    return record


def draw(problem: cr.Problem, fit: cr.Fit, rows: Sequence[Record], trained: Sequence[cr.Network]) -> Figure:
    """Return the figure: the trained functions, and their costs against the width."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    functions, costs = figure.subplots(1, 2)
    widths, scales = sorted({row["width"] for row in rows}), sorted({row["scale"] for row in rows})
    colours = dict(zip(widths, COLOURS, strict=False))

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

    costs.axhline(fit.certificate.lower, color=INK, linewidth=1.5, label=f"certified minimum, {fit.objective:.4f}")
    for k, scale in enumerate(scales):
        for place, width in enumerate(widths):
            group = [row for row in rows if (row["scale"], row["width"]) == (scale, width)]
            fitted = [row["cost"] for row in group if not row["failure"]]
            center = place + CLUSTER * (k - (len(scales) - 1) / 2)
            # Seeds are spread sideways so that equal costs do not hide each other.
            spread = center + 0.7 * CLUSTER * (np.arange(len(fitted)) + 0.5 - len(fitted) / 2) / len(group)
            costs.plot(spread, fitted, "os^D"[k % 4], color=colours[width], markeredgecolor="white", markersize=8)
            count = f"start {scale:g}\n{len(fitted)} of {len(group)} fit"
            costs.text(center, 0.02, count, transform=costs.get_xaxis_transform(), ha="center", color=INK, fontsize=8)
    lowest, highest = (edge([row["cost"] for row in rows if not row["failure"]] or [30.0]) for edge in (min, max))
    room = 0.1 + highest - lowest
    costs.set(ylim=(lowest - 0.25 * room, highest + 0.2 * room), ylabel="cost", xlabel="width")
    costs.set(xticks=range(len(widths)), xticklabels=map(str, widths), xlim=(-0.5, len(widths) - 0.5))
    costs.set_title("Cost of the networks that fit, one mark a seed", fontsize=11)
    costs.legend(frameon=False, fontsize=9, loc="upper right")
    for axes in (functions, costs):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def widths_table(record: Record) -> str:
    """Return the table: one line for each start and width, medians over the seeds that reached the tolerance."""
    lines = []
    for scale in record["settings"]["scale"]:
        for width in record["settings"]["width"]:
            rows = [row for row in record["trained"] if (row["scale"], row["width"]) == (scale, width)]
            good = [row for row in rows if not row["failure"]]
            line = {"start": f"{scale:g}", "width": width, "fitted": f"{len(good)} of {len(rows)}"}
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
            lines.append(line)
    return table(lines)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Trained networks of several widths beside the certified minimum.")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    print(widths_table(run(options.output)))


if __name__ == "__main__":
    main()
