r"""Does weight decay lead to the certified optimum, and at which width? The six points with the squared loss.

    min over networks of a width:  (1/N) sum_i (f(x_i) - y_i)^2 / 2 + alpha sum_j (v_j^2 + norm(w_j)^2) / 2

is, at any width that the optimum needs, the least objective over all widths (Savarese et al., Appendix A; Kumar &
Haupt, Lemma 1). So every trained network has a certified gap, and there is nothing to reach below zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks.baselines import gradient_descent, sklearn_mlp
from benchmarks.experiments.common import certified, command_line, curve, middle, publish, scatter, trained
from benchmarks.harness import Record, timed
from benchmarks.problems import six_points
from cvxrelu.plots import INK

ALPHA = 0.01
# At the start; large enough to lose no time near zero. Gradient descent then needs steps of a thousandth: at width 1000
# the curvature of the loss is a few hundred.
SCALE, STEP = 0.3, 1e-3
# Gaps below this are drawn there: they are those of the certificate and of the last steps.
FLOOR = 1e-10


@dataclass(frozen=True)
class Size:
    """Widths, seeds of each, and steps."""

    widths: tuple[int, ...] = (4, 10, 100, 1000)
    seeds: int = 3
    steps: int = 100_000


DEFAULT, LARGE = Size(), Size(widths=(4, 6, 10, 30, 100, 300, 1000), seeds=10, steps=1_000_000)


def methods(width: int, steps: int) -> dict[str, tuple[Any, Any]]:
    """Return the ways to train, each a module with its settings."""
    full = {"width": width, "scale": SCALE, "tol": None, "max_steps": steps}
    return {
        "gradient descent": (gradient_descent, gradient_descent.Settings(**full, step=STEP)),
        "Adam, annealed": (gradient_descent, gradient_descent.Settings(**full, optimiser="adam", annealed=True)),
        "scikit-learn, L-BFGS": (sklearn_mlp, sklearn_mlp.Settings(width)),
    }


def run(output: Path, size: Size = DEFAULT) -> Record:
    """Train at every width in every way, write the results, and return the record."""
    points = six_points()
    problem = cr.Problem(points.X, points.y, "squared", alpha=ALPHA)
    fit = cr.solve(problem)
    rows = []
    for width in size.widths:
        for name, (method, settings) in methods(width, size.steps).items():
            for seed in range(size.seeds):
                outcome = timed(method.train, problem, settings, seed)
                row = {"method": name, "width": width, "seed": seed, "seconds": outcome.seconds}
                row |= trained(problem, outcome.value, fit.certificate.lower)
                rows.append(row | ({"step, loss, cost": curve(outcome.value)} if seed == 0 else {}))
    record = {
        "data": f"the six points of Kumar & Haupt; squared loss, free bias, alpha = {ALPHA}",
        "certified": certified(fit),
        "trained": rows,
    }
    return publish(output, "weight_decay", size, record, draw(rows, size), lines(rows))


def draw(rows: Sequence[Record], size: Size) -> Figure:
    """Return the figure: the gap of every network against the width."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.add_subplot()
    series = {
        name: [
            [max(row["relative_gap"], FLOOR) for row in rows if (row["method"], row["width"]) == (name, width)]
            for width in size.widths
        ]
        for name in dict.fromkeys(row["method"] for row in rows)
    }
    scatter(axes, series, size.widths)
    axes.axhline(0.01, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(len(size.widths) - 0.52, 0.012, "1 %", ha="right", color=INK, fontsize=9)
    axes.set(yscale="log", xlabel="width", ylabel="objective above the certified optimum")
    axes.legend(frameon=False, fontsize=9, loc="lower left")
    return figure


def lines(rows: Sequence[Record]) -> list[Record]:
    """Return the table: one line for each method and width."""
    summaries = []
    for name, width in dict.fromkeys((row["method"], row["width"]) for row in rows):
        group = [row for row in rows if (row["method"], row["width"]) == (name, width)]
        summaries.append(
            {
                "method": name,
                "width": width,
                "failures": sum(row["failure"] is not None for row in group),
                "median gap": middle((row["relative_gap"] for row in group), ".0e"),
                "largest gap": f"{np.max([row['relative_gap'] for row in group]):.0e}",
                "seconds": middle((row["seconds"] for row in group), ".1f"),
            }
        )
    return summaries


if __name__ == "__main__":
    command_line(run, DEFAULT, LARGE, __doc__)
