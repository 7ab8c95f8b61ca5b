r"""With and without weight decay, from a large start: "Regularization Matters", Figure 2.

Full-batch gradient descent on the logistic loss of the hidden cross (`problems.hidden_cross`), d = 20, from weights so
large that without weight decay most neurons keep the activation pattern they start with: the network trains like its
neural tangent kernel, and generalises as badly. Weight decay makes it leave. Along training are recorded

- the normalised margin min_i y_i f(x_i) / (2 cost), which cannot exceed gamma* = 1 / (2 V); V, at most the cost 4 of
  the cross itself, is bounded from below;
- the share of wrong labels of new samples;
- the share of pairs of a neuron and a sample whose activation differs from the start's.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks.baselines import training
from benchmarks.baselines.gradient_descent import FullBatch
from benchmarks.baselines.kernels import max_margin, ntk_kernel
from benchmarks.baselines.training import Data
from benchmarks.experiments.common import bare, certified, command_line, middle, publish
from benchmarks.harness import Record, median, timed
from benchmarks.problems import cross, hidden_cross
from cvxrelu.plots import BLUE, GREY, INK, ORANGE

COLOURS = (GREY, ORANGE, BLUE, INK)
MARGIN, ERROR, CHANGED = "normalised margin", "wrong labels", "activations changed"
# Relative gap up to which a margin counts as the largest possible.
PROVEN = 1e-6


@dataclass(frozen=True)
class Size:
    """Samples, features, weight decays (alpha), seeds of each, training, and test samples."""

    samples: int = 160
    features: int = 20
    decays: tuple[float, ...] = (0.0, 1e-3, 3e-3)
    seeds: int = 5
    width: int = 200
    scale: float = 0.3
    step: float = 5e-4
    steps: int = 40_000
    tests: int = 4000


LARGE = Size(decays=(0.0, 3e-4, 1e-3, 3e-3), seeds=20, width=1000, step=1e-4, steps=400_000)


@dataclass
class Watch:
    """Looks at every network of a training curve, and notes what has changed since the first."""

    problem: cr.Problem
    new: cr.Problem
    rows: list[list[float]] = field(default_factory=list)
    first: Any = None

    def __call__(self, network: cr.Network) -> float:
        """Note margin, error and activations; return the cost."""
        active = self.problem.X @ network.W.T > 0
        self.first = active if self.first is None else self.first
        cost = network.cost("none")
        margin = float(np.min(self.problem.y * network(self.problem.X))) / (2 * cost)
        error = float(np.mean(np.sign(network(self.new.X)) != self.new.y))
        self.rows.append([margin, error, float(np.mean(active != self.first))])
        return cost


def follow(problem: cr.Problem, new: cr.Problem, decay: float, seed: int, size: Size) -> Record:
    """Train once and return the curves."""
    watch = Watch(problem, new)
    method = FullBatch("logistic", "none", 0.0, "gd", size.step, None)
    with training.float64():
        key = jax.random.key(seed)
        data = Data.of(problem)._replace(decay=jax.numpy.asarray(decay * problem.n_samples))
        run = timed(
            training.descend,
            method,
            training.start(size.width, problem.n_features, size.scale, "none", key),
            data,
            key,
            tol=None,
            max_steps=size.steps,
            read=lambda weights: training.to_network(weights, 0.0),
            cost=watch,
        )
    end = dict(zip((MARGIN, ERROR, CHANGED), watch.rows[-1], strict=True))
    steps = [point.step for point in run.value.curve]
    curves = [[step, *(float(f"{value:.5g}") for value in row)] for step, row in zip(steps, watch.rows, strict=True)]
    record = {"decay": decay, "seed": seed, "loss": run.value.loss, "failure": run.value.failure}
    return record | end | {"seconds": run.seconds, "step, margin, error, changed": curves}


def yardsticks(problem: cr.Problem, new: cr.Problem, seed: int) -> Record:
    """Return the best that column generation makes of the cross, with what is proven, and the kernel machine."""
    with warnings.catch_warnings():
        # A gap that stays open is recorded.
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        fit = cr.solve(problem, warm_start=cross(problem.n_features), random_state=seed)
    machine = max_margin(ntk_kernel, problem.X, problem.y)
    return {
        "seed": seed,
        "largest margin": certified(fit) | {ERROR: float(np.mean(np.sign(fit.network(new.X)) != new.y))},
        "NTK": {"norm": machine.norm, ERROR: float(np.mean(np.sign(machine(new.X)) != new.y))},
    }


def run(output: Path, size: Size) -> Record:
    """Run the experiment, and write ``lazy_training.json``, ``lazy_training.png`` and the table."""
    rows, beside = [], []
    for seed in range(size.seeds):
        rng = np.random.default_rng(seed)
        problem, new = (hidden_cross(n, size.features, rng) for n in (size.samples, size.tests))
        beside.append(yardsticks(problem, new, seed))
        rows += [follow(problem, new, decay, seed, size) for decay in size.decays]
    record = {"problem": "hidden cross, bias none", "yardsticks": beside, "runs": rows}
    return publish(output, "lazy_training", size, record, draw(rows, beside), ends_table(rows, beside))


def ends_table(rows: Sequence[Record], beside: Sequence[Record]) -> list[Record]:
    """Return the table: where training ends, medians over the seeds, and what the yardsticks reach."""
    lines = []
    for decay in sorted({row["decay"] for row in rows}):
        group = [row for row in rows if row["decay"] == decay]
        name = f"trained, weight decay {decay:g}" if decay else "trained without weight decay"
        lines.append(line(name, *(middle([row[each] for row in group], ".4f") for each in (MARGIN, CHANGED)), group))
    best = [row["largest margin"] for row in beside]
    lines.append(line("largest margin", middle([1 / (2 * row["cost"]) for row in best], ".4f"), "–", best))
    lines.append(line("NTK", "–", "–", [row["NTK"] for row in beside]))
    return lines


def line(name: str, margin: str, changed: str, group: Sequence[Record]) -> Record:
    """Return a line of the table."""
    errors = f"{100 * median(row[ERROR] for row in group):.1f} %"
    return {"method": name, MARGIN: margin, ERROR: errors, CHANGED: changed}


def draw(rows: Sequence[Record], beside: Sequence[Record]) -> Figure:
    """Return the figure: the three curves along training."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    for k, (axes, name) in enumerate(zip(figure.subplots(1, 3), (MARGIN, ERROR, CHANGED), strict=True)):
        draw_curves(axes, rows, k + 1)
        axes.set_title(name, fontsize=11)
        if name == MARGIN:
            optima = [row["largest margin"] for row in beside]
            proven = all(optimum["relative_gap"] < PROVEN for optimum in optima)
            known, label = (
                max(1 / (2 * optimum["cost"]) for optimum in optima),
                "largest possible" if proven else "largest found",
            )
            axes.axhline(known, color=INK, linestyle="dotted", linewidth=1, label=label)
            axes.set_ylim(bottom=-0.05)
        if name == ERROR:
            errors = [row["NTK"][ERROR] for row in beside]
            axes.axhline(median(errors), color=INK, linestyle="dashed", linewidth=1, label="NTK")
        axes.legend(frameon=False, fontsize=9)
    return figure


def draw_curves(axes: Axes, rows: Sequence[Record], column: int) -> None:
    """Draw one column of all curves."""
    decays = sorted({row["decay"] for row in rows})
    for row in rows:
        curve = np.array(row["step, margin, error, changed"])
        label = (f"weight decay {row['decay']:g}" if row["decay"] else "no weight decay") if row["seed"] == 0 else None
        axes.plot(1 + curve[:, 0], curve[:, column], color=COLOURS[decays.index(row["decay"])], label=label)
    axes.set(xscale="log", xlabel="1 + steps")
    bare(axes)


if __name__ == "__main__":
    command_line(run, Size(), LARGE, __doc__)
