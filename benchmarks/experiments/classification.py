r"""Classification in the plane, trained at several widths: Kumar & Haupt, Figure 2, with every network's certified gap.

Two comparisons on two noisy rings, free biases:

    margin     min cost(f)  s.t.  y_i f(x_i) >= 1.  Gradient descent on the logistic loss from a small start, without
               weight decay; its network is scaled to margin one, so that it is feasible, and its cost compared.
    logistic   min (1/N) sum log(1 + exp(-y_i f(x_i))) + alpha cost(f).  Adam with weight decay; objectives compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import cvxrelu as cr
from benchmarks.baselines.gradient_descent import Settings, train
from benchmarks.experiments.common import certified, command_line, curve, middle, publish, scatter, shades, trained
from benchmarks.harness import Record, timed
from benchmarks.problems import rings
from cvxrelu.plots import plot_network_2d

ALPHA = 1e-3
# Kumar & Haupt's start and tolerance; the step is as large as stays stable on the sum of the losses.
SMALL_START, STEP, TOL = 1e-3, 0.03, 1e-4
DECAYED_START = 0.3
# Places along an axis where trained functions are evaluated for the picture of their boundaries.
GRID = 241


@dataclass(frozen=True)
class Size:
    """Points, widths, seeds of each, steps of gradient descent at most, and steps of Adam."""

    n_samples: int = 40
    widths: tuple[int, ...] = (10, 30, 100, 300)
    seeds: int = 3
    descent_steps: int = 300_000
    adam_steps: int = 50_000


DEFAULT = Size()
LARGE = Size(n_samples=100, widths=(10, 30, 100, 300, 1000), seeds=5, descent_steps=3_000_000, adam_steps=300_000)


def separates(network: cr.Network, problem: cr.Problem) -> bool:
    """Tell whether a network has every point on the side of its class."""
    return bool((problem.y * network(problem.X) > 0).all())


def with_margin_one(network: cr.Network, problem: cr.Problem) -> cr.Network:
    """Return a network that separates the classes scaled so that the least y_i f(x_i) is one; another unchanged."""
    if not separates(network, problem):
        return network
    margin = float(np.min(problem.y * network(problem.X)))
    return replace(network, v=network.v / margin, intercept=network.intercept / margin)


def run(output: Path, size: Size = DEFAULT) -> Record:
    """Train at every width on both problems, write the results, and return the record."""
    margin, logistic = rings(size.n_samples), rings(size.n_samples, "logistic", ALPHA)
    fits = {"margin": cr.solve(margin, random_state=0), "logistic": cr.solve(logistic, random_state=0)}
    rows, shown = [], {}
    for width in size.widths:
        descent = Settings(width, SMALL_START, STEP, TOL, size.descent_steps)
        adam = Settings(width, DECAYED_START, tol=None, max_steps=size.adam_steps, optimiser="adam", annealed=True)
        for problem, settings in ((margin, descent), (logistic, adam)):
            name = problem.loss.name
            for seed in range(size.seeds):
                outcome = timed(train, problem, settings, seed)
                training = outcome.value
                if name == "margin":
                    training = replace(training, network=with_margin_one(training.network, margin))
                row = {"problem": name, "width": width, "seed": seed, "seconds": outcome.seconds}
                row |= trained(problem, training, fits[name].certificate.lower)
                rows.append(row | ({"step, loss, cost": curve(training)} if seed == 0 else {}))
                if name == "margin" and not (width in shown and separates(shown[width], margin)):
                    shown[width] = training.network
    record = {
        "data": f"{size.n_samples} points on two noisy rings in the plane; free bias; logistic with alpha = {ALPHA}",
        "certified": {name: certified(fit) for name, fit in fits.items()},
        "trained": rows,
    }
    return publish(output, "classification", size, record, draw(fits["margin"], rows, shown, size), lines(rows))


def draw(fit: cr.Fit, rows: Sequence[Record], shown: dict[int, cr.Network], size: Size) -> Figure:
    """Return the figure: the certified classifier with trained boundaries over it, and all gaps against the width."""
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    plane, gaps = figure.subplots(1, 2)
    plot_network_2d(fit.network, fit.problem.X, fit.problem.y, plane)
    for width, colour in shades(list(shown)).items():
        xs, ys, values = _on_grid(shown[width], plane.get_xlim(), plane.get_ylim())
        fits = separates(shown[width], fit.problem)
        style = "solid" if fits else "dashed"
        plane.contour(xs, ys, values, levels=[0.0], colors=colour, linewidths=1.3, linestyles=style, zorder=3)
        label = f"width {width}" if fits else f"width {width}, does not separate"
        plane.plot([], [], color=colour, linewidth=1.3, linestyle=style, label=label)
    plane.set_title("The certified largest margin, and trained boundaries", fontsize=11)
    plane.legend(fontsize=7, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.13), frameon=False)
    # An infinite gap, of a network that does not separate the classes, has no mark.
    series = {
        name: [
            [_drawn(row["relative_gap"]) for row in rows if (row["problem"], row["width"]) == (key, width)]
            for width in size.widths
        ]
        for key, name in (("margin", "margin, gradient descent"), ("logistic", "logistic with weight decay, Adam"))
    }
    scatter(gaps, series, size.widths)
    gaps.set(yscale="log", xlabel="width", ylabel="above the certified optimum, relative")
    gaps.legend(frameon=False, fontsize=9)
    return figure


def lines(rows: Sequence[Record]) -> list[Record]:
    """Return the table: one line for each problem and width."""
    summaries = []
    for name, width in dict.fromkeys((row["problem"], row["width"]) for row in rows):
        group = [row for row in rows if (row["problem"], row["width"]) == (name, width)]
        separating = [row["relative_gap"] for row in group if np.isfinite(row["relative_gap"])]
        summaries.append(
            {
                "problem": name,
                "width": width,
                "feasible": f"{len(separating)} of {len(group)}",
                "steps": middle((row["steps"] for row in group), ",.0f"),
                "median gap": middle((100 * gap for gap in separating), ".2g") + " %",
                "largest gap": middle([100 * max(separating)] if separating else [], ".2g") + " %",
                "seconds": middle((row["seconds"] for row in group), ".1f"),
            }
        )
    return summaries


def _drawn(gap: float) -> float:
    return gap if np.isfinite(gap) else float("nan")


def _on_grid(
    network: cr.Network, across: tuple[float, float], up: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    xs, ys = np.meshgrid(np.linspace(*across, GRID), np.linspace(*up, GRID))
    return xs, ys, network(np.column_stack([xs.ravel(), ys.ravel()])).reshape(xs.shape)


if __name__ == "__main__":
    command_line(run, DEFAULT, LARGE, __doc__)
