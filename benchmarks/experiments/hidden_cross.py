r"""Few samples suffice a network, and not the neural tangent kernel: "Regularization Matters", Section 2.

Four corners of a cross in the first two of d features, and d - 2 features of noise (`problems.hidden_cross`). Wei, Lee,
Liu & Ma prove that a network with weight decay learns it from n of the order of d samples, while the neural tangent
kernel needs n of the order of d^2 to do better than chance. Here the network is that of the largest margin itself,

    V = min cost(f)  subject to  y_i f(x_i) >= 1,           V <= 4, the cost of abs(x_1) - abs(x_2) on any sample,

certified where the dimension allows it, and a network trained by Adam with a little weight decay stands beside it.
Column generation starts from the cross, so that no network shown costs more than what is known beforehand.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks.baselines.gradient_descent import Settings, train
from benchmarks.baselines.kernels import KERNELS, max_margin
from benchmarks.experiments.common import bare, certified, command_line, publish
from benchmarks.harness import Record, median, timed
from benchmarks.problems import cross, hidden_cross
from cvxrelu.plots import BLUE, GREY, INK, ORANGE

# Weight decay of the trained network: small enough that all samples keep their margin.
DECAY = 1e-4
LEAST_COST, TRAINED = "largest margin", "trained"
COLOURS = {LEAST_COST: BLUE, TRAINED: ORANGE, "NTK": INK, "ReLU kernel": GREY}


@dataclass(frozen=True)
class Size:
    """Features d; samples in units of d; seeds of each; rounds of column generation; training; test samples."""

    features: tuple[int, ...] = (5, 20)
    multiples: tuple[int, ...] = (1, 2, 4, 8)
    seeds: int = 3
    rounds: int = 40
    width: int = 100
    steps: int = 2000
    tests: int = 4000


LARGE = Size(features=(5, 20, 40), multiples=(1, 2, 3, 4, 6, 8, 12, 16), seeds=10, rounds=200, width=500, steps=5000)


def compare(n_samples: int, n_features: int, seed: int, size: Size) -> Record:
    """Return how every method does on one sample; an error is the share of wrong labels of new samples."""
    rng = np.random.default_rng([seed, n_samples, n_features])
    problem, new = hidden_cross(n_samples, n_features, rng), hidden_cross(size.tests, n_features, rng)

    def error(predictions: np.ndarray) -> float:
        return float(np.mean(np.sign(predictions) != new.y))

    record: Record = {"d": n_features, "n": n_samples, "seed": seed}
    with warnings.catch_warnings():
        # A gap that stays open is recorded.
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        run = timed(cr.solve, problem, max_rounds=size.rounds, random_state=seed, warm_start=cross(n_features))
    fit: cr.Fit = run.value
    record[LEAST_COST] = certified(fit) | {"error": error(fit.network(new.X)), "seconds": run.seconds}

    penalised = cr.Problem(problem.X, problem.y, loss="logistic", bias="none", alpha=DECAY)
    settings = Settings(
        size.width, scale=0.1, step=1e-2, tol=None, max_steps=size.steps, optimiser="adam", annealed=True
    )
    run = timed(train, penalised, settings, seed)
    network: cr.Network = run.value.network
    least = float(np.min(problem.y * network(problem.X)))
    cost = network.cost("none") / least if least > 0 else np.inf
    record[TRAINED] = {"error": error(network(new.X)), "cost at margin one": cost, "seconds": run.seconds}

    for name, kernel in KERNELS.items():
        run = timed(max_margin, kernel, problem.X, problem.y)
        record[name] = {"error": error(run.value(new.X)), "norm": run.value.norm, "seconds": run.seconds}
    return record


def sample_sizes(n_features: int, size: Size) -> list[int]:
    """Return d times the multiples below d, and d^2."""
    return [multiple * n_features for multiple in size.multiples if multiple < n_features] + [n_features**2]


def run(output: Path, size: Size) -> Record:
    """Run the experiment, and write ``hidden_cross.json``, ``hidden_cross.png`` and the table."""
    rows = [
        compare(n_samples, n_features, seed, size)
        for n_features in size.features
        for n_samples in sample_sizes(n_features, size)
        for seed in range(size.seeds)
    ]
    record = {"problem": "hidden cross, loss margin, bias none", "decay": DECAY, "runs": rows}
    return publish(output, "hidden_cross", size, record, draw(rows), errors_table(rows))


def errors_table(rows: Sequence[Record]) -> list[Record]:
    """Return the table: medians over the seeds."""
    lines = []
    for d, n in sorted({(row["d"], row["n"]) for row in rows}):
        group = [row for row in rows if (row["d"], row["n"]) == (d, n)]
        bounds = [median(row[LEAST_COST][bound] for row in group) for bound in ("lower", "upper")]
        errors = {f"error, {name}": f"{100 * median(row[name]['error'] for row in group):.1f} %" for name in COLOURS}
        lines.append(
            {"d": d, "n": n}
            | errors
            | {
                "V, proven between": " and ".join(f"{bound:.4f}" for bound in bounds),
                "cost, trained": f"{median(row[TRAINED]['cost at margin one'] for row in group):.4f}",
                "neurons": f"{median(row[LEAST_COST]['neurons'] for row in group):.0f}",
            }
        )
    return lines


def draw(rows: Sequence[Record]) -> Figure:
    """Return the figure: errors against the number of samples, one picture for each dimension."""
    features = sorted({row["d"] for row in rows})
    figure = Figure(figsize=(5.5 * len(features), 4.4), layout="constrained")
    for axes, d in zip(figure.subplots(1, len(features), squeeze=False)[0], features, strict=True):
        draw_errors(axes, [row for row in rows if row["d"] == d])
        axes.set_title(f"{d} features; a dot for each seed, lines through medians", fontsize=11)
    return figure


def draw_errors(axes: Axes, rows: Sequence[Record]) -> None:
    """Draw the errors in one dimension: a mark for every seed, a line through the medians."""
    samples = sorted({row["n"] for row in rows})
    for name, colour in COLOURS.items():
        groups = [[100 * row[name]["error"] for row in rows if row["n"] == n] for n in samples]
        axes.plot(samples, [median(group) for group in groups], color=colour, label=name)
        for n, group in zip(samples, groups, strict=True):
            axes.plot([n] * len(group), group, "o", color=colour, markersize=4)
    axes.set(xscale="log", xlabel="samples $n$", ylabel="wrong labels of new samples, %", ylim=(-2, 60))
    axes.set_xticks(samples, [str(n) for n in samples])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=9, loc="upper right")
    bare(axes)


if __name__ == "__main__":
    command_line(run, Size(), LARGE, __doc__)
