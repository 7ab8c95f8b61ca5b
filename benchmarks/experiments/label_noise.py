r"""What noise on the labels makes gradient descent minimise: de Dios & Bruna, Sections 3 and 4, on six points.

At interpolants, stochastic gradient descent with noisy labels drifts towards a small mean squared gradient. Rescaling
(v, w, b) -> (v / t, t w, t b) changes no prediction, and at the best t a neuron with activity h_i in {0, 1} has

    (1/N) sum_i norm(grad f(x_i))^2 = 2 abs(v) sqrt( mean_i sigma(w.x_i + b)^2 ) sqrt( mean_i h_i (1 + norm(x_i)^2) )

(the paper prints abs(v) times the first root alone, which is not the minimum). So there are two costs of a network: the
variation norm, sum_j abs(v_j) norm(w_j), of weight decay, and this one. Both have a least value among all interpolants
of all widths; each training is held against both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import cvxrelu as cr
from benchmarks.baselines import gradient_descent, label_noise
from benchmarks.baselines.training import Training
from benchmarks.experiments.common import (
    SHADES,
    bare,
    certified,
    command_line,
    curve,
    least_cost_of_own_predictions,
    middle,
    publish,
)
from benchmarks.harness import Record, timed
from benchmarks.problems import six_points
from cvxrelu.plots import BLUE, INK, ORANGE

Array = NDArray[np.float64]

# Noise that is large beside the step leaves the fit within a few steps' reach, and makes the drift fast.
NOISE = 1.0
# Half the sum of squares, of all trained networks in the end: what they cost is then that of an interpolant to 1e-4.
TOL = 1e-8
COLOURS = {"gradient descent": BLUE, "with label noise": ORANGE}


@dataclass(frozen=True)
class Size:
    """Widths, starts (standard deviations of the weights), seeds of each, and steps with noise."""

    widths: tuple[int, ...] = (20, 100)
    scales: tuple[float, ...] = (1e-3, 1e-1)
    seeds: int = 2
    noisy_steps: int = 500_000


DEFAULT, LARGE = Size(), Size(widths=(20, 100, 1000), scales=(1e-3, 1e-1, 3e-1), seeds=5, noisy_steps=5_000_000)


def sensitivity(network: cr.Network, X: Array) -> float:
    """Return the mean squared gradient over the neurons of a ReLU network, at its least over rescalings of them."""
    hidden = X @ network.W.T + network.b
    responses = np.mean(np.maximum(hidden, 0.0) ** 2, axis=0)
    gradients = np.mean((hidden > 0) * (1 + np.sum(X**2, axis=1))[:, None], axis=0)
    return float(2 * np.abs(network.v) @ np.sqrt(responses * gradients))


def least_sensitivity(X: Array, y: Array) -> float:
    """Return the least sensitivity of a ReLU network of any width through given points, as a solver finds it.

    The program has a group u = [w, b] for each pattern s and each sign of v, as that of the variation norm, but the
    group costs 2 m_s norm(D_s Z u) / sqrt(N): Z the rows [x_i, 1], D_s the 0-1 slopes, m_s^2 the mean of the
    squared rows of D_s Z.
    """
    Z = np.column_stack([X, np.ones(len(X))])
    predictions: Any = cp.Variable()
    cost: Any = 0.0
    constraints = []
    for pattern in cr.enumerate_patterns(X).to_bool():
        active = pattern[:, None] * Z
        rate = 2 * np.linalg.norm(active) / len(X)
        for sign in (1.0, -1.0):
            group = cp.Variable(Z.shape[1])
            predictions = predictions + sign * (active @ group)
            cost = cost + rate * cp.norm(active @ group)
            constraints.append(np.where(pattern, 1.0, -1.0)[:, None] * Z @ group >= 0)
    program = cp.Problem(cp.Minimize(cost), [*constraints, predictions == y])
    return float(program.solve(solver="CLARABEL"))  # pyright: ignore[reportArgumentType]


def methods(width: int, scale: float, size: Size) -> dict[str, Callable[[cr.Problem, int], Training[cr.Network]]]:
    """Return the two ways to train."""
    plain = gradient_descent.Settings(width, scale, tol=TOL)
    noisy = label_noise.Settings(width, scale, noise=NOISE, noisy_steps=size.noisy_steps, tol=TOL)
    return {
        "gradient descent": lambda problem, seed: gradient_descent.train(problem, plain, seed),
        "with label noise": lambda problem, seed: label_noise.train(problem, noisy, seed),
    }


def run(output: Path, size: Size = DEFAULT) -> Record:
    """Train with and without noise, write the results, and return the record."""
    problem = six_points()
    fit = cr.solve(problem)
    rows, shown = [], []
    for width in size.widths:
        for scale in size.scales:
            for name, method in methods(width, scale, size).items():
                for seed in range(size.seeds):
                    outcome = timed(method, problem, seed)
                    training = outcome.value
                    network = training.network
                    row = {
                        "method": name,
                        "width": width,
                        "scale": scale,
                        "seed": seed,
                        "seconds": outcome.seconds,
                        "steps": training.steps,
                        "loss": training.loss,
                        "failure": training.failure,
                        "cost": network.cost(),
                        "least_cost": least_cost_of_own_predictions(problem, network),
                        "sensitivity": sensitivity(network, problem.X),
                        "least_sensitivity": least_sensitivity(problem.X, network(problem.X)),
                    }
                    rows.append(row | ({"step, loss, cost": curve(training)} if seed == 0 else {}))
                    if width == size.widths[-1] and not training.failure:
                        shown.append((name, network))
    best = {
        "least_sensitivity": least_sensitivity(problem.X, problem.y),
        "sensitivity_of_least_cost": sensitivity(fit.network, problem.X),
    }
    record = {
        "data": "the six points of Kumar & Haupt, Figure 1; interpolation",
        "noise": NOISE,
        "certified": certified(fit) | best,
        "trained": rows,
    }
    return publish(output, "label_noise", size, record, draw(fit, shown, rows, best), lines(rows))


def draw(fit: cr.Fit, shown: Sequence[tuple[str, cr.Network]], rows: Sequence[Record], best: Record) -> Figure:
    """Return the figure: the trained functions, and all networks in the plane of the two costs."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    functions, costs = figure.subplots(1, 2, width_ratios=[3, 2])
    grid = np.linspace(-1.3, 1.3, 521)
    named = set()
    for name, network in shown:
        label = None if name in named else name
        functions.plot(grid, network(grid[:, None]), linewidth=1.2, color=COLOURS[name], label=label)
        named.add(name)
    X, y = fit.problem.X[:, 0], fit.problem.y
    functions.plot(X, y, "o", color=INK, markeredgecolor="white", markersize=8, label="data")
    functions.set(xlabel="$x$", ylabel="$f(x)$", xlim=(-1.3, 1.3), ylim=(-1.7, 3.2))
    functions.legend(frameon=False, fontsize=9, ncols=3, loc="upper center")
    for name, colour in COLOURS.items():
        group = [row for row in rows if row["method"] == name and not row["failure"]]
        places = [row["cost"] for row in group], [row["sensitivity"] for row in group]
        costs.plot(*places, "o", color=colour, markeredgecolor="white", markersize=8, label=name)
    costs.axvline(fit.certificate.lower, color=SHADES[-1], linewidth=1.2, label="least variation norm, certified")
    costs.axhline(best["least_sensitivity"], color=INK, linewidth=1.2, linestyle="dotted", label="least sensitivity")
    costs.set(xlabel="variation norm", ylabel="sensitivity: mean squared gradient", ylim=(0, None))
    costs.legend(frameon=False, fontsize=9)
    bare(functions)
    bare(costs)
    return figure


def lines(rows: Sequence[Record]) -> list[Record]:
    """Return the table: one line for each method, width and start."""
    summaries = []
    for key in dict.fromkeys((row["method"], row["width"], row["scale"]) for row in rows):
        group = [row for row in rows if (row["method"], row["width"], row["scale"]) == key]
        good = [row for row in group if not row["failure"]]
        summaries.append(
            {
                "training": key[0],
                "width": key[1],
                "start": f"{key[2]:g}",
                "fitted": f"{len(good)} of {len(group)}",
                "variation norm": middle((row["cost"] for row in good), ".3f"),
                "above its least": middle((100 * (row["cost"] / row["least_cost"] - 1) for row in good), ".3g") + " %",
                "sensitivity": middle((row["sensitivity"] for row in good), ".3f"),
                "above the least": middle(
                    (100 * (row["sensitivity"] / row["least_sensitivity"] - 1) for row in good), ".3g"
                )
                + " %",
                "seconds": middle((row["seconds"] for row in group), ".1f"),
            }
        )
    return summaries


if __name__ == "__main__":
    command_line(run, DEFAULT, LARGE, __doc__)
