r"""Networks against the ReLU kernel, with a teacher network in d = 20: Wei, Lee, Liu & Ma, Figure 3.

Inputs are standard normal; the teacher has six unit neurons with output weights 1, -1, ...; its outputs are the targets
of regression, and their signs, where they are not within a tenth of zero, the labels of classification. The network is
trained by Adam with a little weight decay, and the kernel machine has least norm. Bounds are, without constants,

    network:  cost / margin * sqrt(sum_i norm(x_i)^2) / n         kernel machine:  norm / margin * sqrt(tr K) / n

the Rademacher complexities of functions of that cost or norm, with margin 1 in regression. Beside the trained network
stands that of `cvxrelu.solve` on the same objective, with its test error, its objective and what is proven of both.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import cvxrelu as cr
from benchmarks.baselines.gradient_descent import Settings, train
from benchmarks.baselines.kernels import max_margin, min_norm, relu_kernel
from benchmarks.experiments.common import bare, certified, command_line, publish
from benchmarks.harness import Record, median, score, timed
from benchmarks.problems import normal_inputs, teacher_network
from cvxrelu.plots import BLUE, INK, ORANGE

Array = NDArray[np.float64]

# Weight decay: weak, and yet such that training gets where it leads.
DECAY = 1e-4
TEACHER_NEURONS = 6
# Of the outputs that are classified, the least.
DISTANCE = 0.1
TASKS = ("classification", "regression")
GREEN = "#009e73"
TRAINED, SOLVED, KERNEL = "trained network", "cvxrelu", "ReLU kernel"


@dataclass(frozen=True)
class Size:
    """Samples, seeds; seconds for cvxrelu; training; features, and test samples."""

    samples: tuple[int, ...] = (50, 100, 200, 400, 800)
    seeds: int = 3
    seconds: float = 10.0
    width: int = 200
    steps: int = 4000
    features: int = 20
    tests: int = 4000


LARGE = Size((50, 100, 200, 400, 800, 1600, 3200), seeds=100, seconds=60.0, width=1000, steps=20_000)


def compare(task: str, n_samples: int, seed: int, size: Size) -> Record:
    """Return errors and bounds of the network and of the kernel machine on one sample."""
    rng = np.random.default_rng([seed, n_samples])
    network = teacher_network(TEACHER_NEURONS, size.features, rng)
    classify = task == "classification"
    X, new = (normal_inputs(network, n, rng, DISTANCE * classify) for n in (n_samples, size.tests))
    y, truth = (np.sign(network(Z)) if classify else network(Z) for Z in (X, new))

    problem = cr.Problem(X, y, loss="logistic" if classify else "squared", bias="none", alpha=DECAY)
    settings = Settings(
        size.width, scale=0.1, step=5e-3, tol=None, max_steps=size.steps, optimiser="adam", annealed=True
    )
    run = timed(train, problem, settings, seed)
    complexity = float(np.sqrt(np.sum(X**2))) / n_samples

    def worth(student: cr.Network) -> Record:
        margin = float(np.min(y * student(X))) if classify else 1.0
        bound = student.cost("none") / margin * complexity if margin > 0 else np.inf
        return {"error": error(student(new), truth, classify), "bound": bound}

    record: Record = {"task": task, "n": n_samples, "seed": seed, "teacher's cost": network.cost("none")}
    record[TRAINED] = score(problem, run.value.network) | worth(run.value.network) | {"seconds": run.seconds}
    with warnings.catch_warnings():
        # A gap that stays open is recorded.
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        run = timed(cr.solve, problem, time_limit=size.seconds, random_state=seed)
    record[SOLVED] = certified(run.value) | worth(run.value.network) | {"seconds": run.seconds}

    run = timed(max_margin if classify else min_norm, relu_kernel, X, y)
    trace = float(np.trace(relu_kernel(X, X)))
    record[KERNEL] = {
        "error": error(run.value(new), truth, classify),
        "norm": run.value.norm,
        "bound": run.value.norm * np.sqrt(trace) / n_samples,
        "seconds": run.seconds,
    }
    return record


def error(predictions: Array, truth: Array, classify: bool) -> float:
    """Return the share of wrong signs, or the mean squared error as a share of the variance."""
    if classify:
        return float(np.mean(np.sign(predictions) != truth))
    return float(np.mean((predictions - truth) ** 2) / np.var(truth))


def run(output: Path, size: Size) -> Record:
    """Run the experiment, and write ``relu_kernel.json``, ``relu_kernel.png`` and the table."""
    rows = [
        compare(task, n_samples, seed, size)
        for task in TASKS
        for n_samples in size.samples
        for seed in range(size.seeds)
    ]
    record = {"teacher": f"{TEACHER_NEURONS} neurons, bias none", "decay": DECAY, "runs": rows}
    return publish(output, "relu_kernel", size, record, draw(rows), errors_table(rows))


def errors_table(rows: Sequence[Record]) -> list[Record]:
    """Return the table: medians over the seeds."""
    lines = []
    for task in TASKS:
        for n in sorted({row["n"] for row in rows}):
            group = [row for row in rows if (row["task"], row["n"]) == (task, n)]
            line = {"task": task, "n": n}
            for name in (TRAINED, SOLVED, KERNEL):
                line[f"error, {name}"] = f"{100 * median(row[name]['error'] for row in group):.2f} %"
                line[f"bound, {name}"] = f"{median(row[name]['bound'] for row in group):.3f}"
            excess = [row[TRAINED]["objective"] / row[SOLVED]["objective"] - 1 for row in group]
            line["objective, trained above cvxrelu"] = f"{100 * median(excess):+.1f} %"
            line["proven gap, cvxrelu"] = f"{100 * median(row[SOLVED]['relative_gap'] for row in group):.0f} %"
            lines.append(line)
    return lines


def draw(rows: Sequence[Record]) -> Figure:
    """Return the figure: errors, and below them bounds, for both tasks."""
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True)
    for column, task in zip(grid.T, TASKS, strict=True):
        group = [row for row in rows if row["task"] == task]
        for axes, quantity in zip(column, ("error", "bound"), strict=True):
            draw_quantity(axes, group, quantity)
            if (task, quantity) == ("regression", "error"):
                axes.set_yscale("log")
            else:
                axes.set_ylim(bottom=0)
        column[0].set_title(task, fontsize=11)
        column[1].set_xlabel("samples $n$")
    for axes, label in zip(grid.ravel(), ("wrong labels", "squared error / variance", "bound", "bound"), strict=True):
        axes.set_ylabel(label)
    return figure


def draw_quantity(axes: Axes, rows: Sequence[Record], quantity: str) -> None:
    """Draw errors or bounds: a mark for every seed, a line through the medians."""
    samples = sorted({row["n"] for row in rows})
    for name, colour in ((TRAINED, BLUE), (SOLVED, GREEN), (KERNEL, ORANGE)):
        groups = [[row[name][quantity] for row in rows if row["n"] == n] for n in samples]
        axes.plot(samples, [median(group) for group in groups], color=colour, label=f"{name}, median")
        for n, group in zip(samples, groups, strict=True):
            axes.plot([n] * len(group), group, "o", color=colour, markersize=4)
    axes.set(xscale="log")
    axes.set_xticks(samples, [str(n) for n in samples])
    axes.minorticks_off()
    axes.plot([], [], "o", color=INK, markersize=4, label="one seed")
    axes.legend(frameon=False, fontsize=9)
    bare(axes)


if __name__ == "__main__":
    command_line(run, Size(), LARGE, __doc__)
