r"""Weight decay that is annealed with the step, beside constant weight decay: Wei, Lee, Liu & Ma, Appendix F.

They train residual networks on CIFAR; here a network with one hidden layer sees scikit-learn's digits (8 x 8 pixels,
ten classes), a few hundred samples to train on and the others to test. For every weight decay of the first stage the
decay is held, or divided in each stage by what the step is divided by. The same seeds give the same splits, starts and
batches to both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from benchmarks.baselines.softmax import Settings, train
from benchmarks.experiments.common import command_line, publish, scatter
from benchmarks.harness import Record, timed

WAYS = {"constant": False, "annealed": True}
# The brightest pixel of the digits.
BRIGHTEST = 16.0


@dataclass(frozen=True)
class Size:
    """Weight decays of the first stage, seeds of each, training samples, width and steps."""

    decays: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1)
    seeds: int = 5
    samples: int = 300
    width: int = 100
    steps: int = 3000


LARGE = Size((1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1), seeds=20, samples=300, width=500, steps=10_000)


def evaluate(decay: float, annealed: bool, seed: int, size: Size) -> Record:
    """Train once; return the errors, and the squared norm of the weights."""
    pixels, digits = load_digits(return_X_y=True)
    X, X_new, y, y_new = train_test_split(
        pixels / BRIGHTEST, digits, train_size=size.samples, random_state=seed, stratify=digits
    )
    settings = Settings(size.width, 10, decay, annealed, steps=size.steps)
    run = timed(train, X, y, settings, seed)
    network = run.value.network
    errors = [float(np.mean(np.argmax(network(Z), axis=1) != labels)) for Z, labels in ((X, y), (X_new, y_new))]
    return {
        "decay": decay,
        "annealed": annealed,
        "seed": seed,
        "training error": errors[0],
        "test error": errors[1],
        "squared norm": run.value.curve[-1].cost,
        "failure": run.value.failure,
        "seconds": run.seconds,
    }


def run(output: Path, size: Size) -> Record:
    """Run the experiment, and write ``annealing.json``, ``annealing.png`` and the table."""
    rows = [
        evaluate(decay, annealed, seed, size)
        for decay in size.decays
        for annealed in WAYS.values()
        for seed in range(size.seeds)
    ]
    return publish(output, "annealing", size, {"data": "digits", "runs": rows}, draw(rows), errors_table(rows))


def errors(rows: Sequence[Record], decay: float, annealed: bool) -> list[float]:
    """Return the test errors of all seeds, in per cent."""
    return [100 * row["test error"] for row in rows if (row["decay"], row["annealed"]) == (decay, annealed)]


def errors_table(rows: Sequence[Record]) -> list[Record]:
    """Return the table: mean test errors, and the mean of their differences with its standard error."""
    lines = []
    for decay in sorted({row["decay"] for row in rows}):
        constant, annealed = (np.array(errors(rows, decay, way)) for way in WAYS.values())
        saved = constant - annealed
        deviation = saved.std(ddof=1) / np.sqrt(len(saved)) if len(saved) > 1 else np.nan
        lines.append(
            {
                "weight decay": f"{decay:g}",
                "test error, constant": f"{constant.mean():.2f} %",
                "test error, annealed": f"{annealed.mean():.2f} %",
                "saved by annealing": f"{saved.mean():+.2f} ± {deviation:.2f} %",
            }
        )
    return lines


def draw(rows: Sequence[Record]) -> Figure:
    """Return the figure: test errors against weight decay."""
    figure = Figure(figsize=(6.5, 4.2), layout="constrained")
    axes = figure.subplots()
    decays = sorted({row["decay"] for row in rows})
    series = {name: [errors(rows, decay, way) for decay in decays] for name, way in WAYS.items()}
    scatter(axes, series, [f"{decay:g}" for decay in decays])
    axes.set(xlabel="weight decay of the first stage", ylabel="wrong digits of the test set, %")
    axes.set_title("Digits: weight decay that is held, or divided with the step", fontsize=11)
    axes.legend(frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    command_line(run, Size(), LARGE, __doc__)
