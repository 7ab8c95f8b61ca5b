r"""Does redrawing a few neurons help gradient descent find the optimum? Wei, Lee, Liu & Ma, Section 4.

Their perturbed Wasserstein gradient flow (`baselines.wasserstein`) on a noisy teacher in the plane, squared loss with
weight decay, from neurons all over the sphere and from neurons whose weights are all positive; the latter have the
wrong activations and, where v >= norm(w), keep the sign of v for ever. Scored by the excess over the certified bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks.baselines.wasserstein import Settings, train
from benchmarks.experiments.common import certified, command_line, publish, scatter, trained
from benchmarks.harness import Record, median, timed

STARTS = ("everywhere", "one-sided")
# Standard deviation of the noise on the teacher's outputs.
NOISE = 0.1


@dataclass(frozen=True)
class Size:
    """Widths, chances of redrawing a neuron in a step, seeds of each; training; samples and regularisation."""

    widths: tuple[int, ...] = (20, 200)
    redrawn: tuple[float, ...] = (0.0, 1e-5, 1e-4, 1e-3)
    seeds: int = 3
    step: float = 5e-3
    steps: int = 10_000
    samples: int = 40
    alpha: float = 0.03


LARGE = Size(widths=(20, 100, 500, 2500), seeds=10, steps=100_000)


def noisy_teacher(size: Size) -> cr.Problem:
    """Return the squared-loss problem of a noisy teacher of four neurons in the plane, biases penalised."""
    rng = np.random.default_rng(0)
    X, weights = rng.standard_normal((size.samples, 2)), rng.standard_normal((4, 3))
    teacher = cr.Network(weights[:, :2], weights[:, 2], np.array([1.0, -1.0, 1.0, -1.0]))
    y = teacher(X) + NOISE * rng.standard_normal(size.samples)
    return cr.Problem(X, y, loss="squared", bias="joint", alpha=size.alpha)


def run(output: Path, size: Size) -> Record:
    """Run the experiment, and write ``wasserstein_flow.json``, ``wasserstein_flow.png`` and the table."""
    problem = noisy_teacher(size)
    fit = cr.solve(problem, random_state=0)
    rows = []
    for start in STARTS:
        for width in size.widths:
            for redrawn in size.redrawn:
                settings = Settings(width, redrawn, size.step, size.steps, size.steps, start == "one-sided")
                for seed in range(size.seeds):
                    run = timed(train, problem, settings, seed)
                    row = {"start": start, "width": width, "redrawn": redrawn, "seed": seed, "seconds": run.seconds}
                    rows.append(row | trained(problem, run.value, fit.certificate.lower))
    record = {"problem": f"noisy teacher, {problem!r}", "certified": certified(fit), "runs": rows}
    return publish(output, "wasserstein_flow", size, record, draw(rows), excess_table(rows))


def select(rows: Sequence[Record], **wanted: object) -> list[float]:
    """Return the excess, in per cent, of the runs with given settings; of at least a millionth, for logarithms."""
    group = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return [100 * max(row["relative_gap"], 1e-6) for row in group]


def excess_table(rows: Sequence[Record]) -> list[Record]:
    """Return the table: the median excess over the certified bound, and the largest."""
    lines = []
    for start in STARTS:
        for width in sorted({row["width"] for row in rows}):
            line: Record = {"start": start, "width": width}
            for redrawn in sorted({row["redrawn"] for row in rows}):
                excess = select(rows, start=start, width=width, redrawn=redrawn)
                line[f"redrawn {redrawn:g}"] = f"{median(excess):.3f} % ({max(excess):.3f} %)"
            lines.append(line)
    return lines


def draw(rows: Sequence[Record]) -> Figure:
    """Return the figure: excess against the chance of redrawing, one picture a start."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    chances = sorted({row["redrawn"] for row in rows})
    for axes, start in zip(figure.subplots(1, 2, sharey=True), STARTS, strict=True):
        series = {
            f"{width} neurons": [select(rows, start=start, width=width, redrawn=chance) for chance in chances]
            for width in sorted({row["width"] for row in rows})
        }
        scatter(axes, series, [f"{chance:g}" for chance in chances])
        axes.set(yscale="log", xlabel="chance of redrawing a neuron in a step")
        axes.set_ylabel("excess over the certified bound, %")
        axes.set_title(f"start: {start}", fontsize=11)
        axes.legend(frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    command_line(run, Size(), LARGE, __doc__)
