"""What the experiments share: a command line, the record of a certified optimum, yardsticks and a look."""

import argparse
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks.baselines.training import Training
from benchmarks.harness import RESULTS, Record, environment, median, score, table, update_page, write

__all__ = [
    "bare",
    "certified",
    "command_line",
    "curve",
    "least_cost_of_own_predictions",
    "middle",
    "publish",
    "scatter",
    "shades",
    "trained",
]

DPI = 110
# From light to dark: viridis without its ends, which are hard to tell from black and from white.
SHADES = ("#a3c626", "#4db56f", "#2a9d8f", "#35708e", "#3b4a8c")
MARKERS = "os^Dv"
# Width of a group of marks on an axis whose ticks are 1 apart.
CLUSTER = 0.6
# A curve in a record has its numbers to so many digits.
DIGITS = 5
Size = TypeVar("Size")


def certified(fit: cr.Fit) -> Record:
    """Return the record of a certified optimum: its bounds and its score."""
    bounds = {name: getattr(fit.certificate, name) for name in ("upper", "lower", "relative_gap", "scope")}
    return bounds | score(fit.problem, fit.network)


def trained(problem: cr.Problem, training: Training[cr.Network], least: float) -> Record:
    """Return the record of a trained network, whose objective can be had for no less than `least`."""
    scored = score(problem, training.network)
    return scored | {
        "relative_gap": scored["objective"] / least - 1,
        "steps": training.steps,
        "loss": training.loss,
        "gradient_norm": training.gradient_norm,
        "failure": training.failure,
    }


def curve(training: Training) -> list[list[float]]:
    """Return a training curve as rows of step, loss and cost."""
    return [
        [point.step, *(float(f"{value:.{DIGITS}g}") for value in (point.loss, point.cost))] for point in training.curve
    ]


def least_cost_of_own_predictions(problem: cr.Problem, network: cr.Network) -> float:
    """Return a certified lower bound on the cost of every network that predicts what this one does on the data."""
    own = cr.Problem(problem.X, network(problem.X), bias=problem.bias, negative_slope=problem.negative_slope)
    return cr.certify(network, own).lower


def middle(values: Iterable[float], style: str) -> str:
    """Return the median of some values, formatted, or a dash if there are none."""
    found = list(values)
    return f"{median(found):{style}}" if found else "–"


def bare(axes: Axes) -> None:
    """Take the upper and the right edge off axes."""
    axes.spines[["top", "right"]].set_visible(False)


def shades(values: Sequence[int]) -> dict[int, str]:
    """Return a colour for each value, from light to dark."""
    places = np.linspace(0, len(SHADES) - 1, len(values)).round().astype(int)
    return {value: SHADES[place] for value, place in zip(values, places, strict=True)}


def scatter(axes: Axes, series: Mapping[str, Sequence[Sequence[float]]], ticks: Sequence[object]) -> None:
    """Draw one mark for every seed, the seeds of a tick side by side, in another shape for every series.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    series : mapping of str to sequences of sequences of float
        For each name, and for each tick, the values of the seeds.
    ticks : sequence
        What stands under the ticks.
    """
    step = CLUSTER / len(series)
    colours = shades(range(len(series)))
    for k, (name, groups) in enumerate(series.items()):
        places = [
            tick + (k + (seed + 0.5) / len(values) - len(series) / 2) * step
            for tick, values in enumerate(groups)
            for seed in range(len(values))
        ]
        values = [value for group in groups for value in group]
        style = {"color": colours[k], "markeredgecolor": "white", "markersize": 7, "label": name}
        axes.plot(places, values, MARKERS[k % len(MARKERS)], **style)
    axes.set(xticks=range(len(ticks)), xticklabels=[str(tick) for tick in ticks], xlim=(-0.5, len(ticks) - 0.5))
    bare(axes)


def publish(output: Path, name: str, size: object, record: Record, figure: Figure, rows: Sequence[Record]) -> Record:
    """Write an experiment's record, its figure and its table; return the record with what was added.

    Parameters
    ----------
    output : Path
        The folder.
    name : str
        Of the experiment: of both files, and of the section of the page.
    size : dataclass
        How large the experiment was.
    record : dict
        Its numbers.
    figure : Figure
        Its picture.
    rows : sequence of dict
        The lines of its table.
    """
    sized = dataclasses.asdict(size)  # pyright: ignore[reportArgumentType]
    full = {"experiment": name, "size": sized, "environment": environment()} | record
    write(output, name, full)
    figure.savefig(output / f"{name}.png", dpi=DPI)
    update_page(output, name, table(rows))
    return full


def command_line(run: Callable[[Path, Size], Record], default: Size, large: Size, description: str | None) -> None:
    """Run an experiment from the command line, at its default or its large size."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    parser.add_argument("--large", action="store_true", help="more of everything, for patient people")
    options = parser.parse_args()
    run(options.output, large if options.large else default)
    print(f"Wrote {options.output}.")
