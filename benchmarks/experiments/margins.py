r"""The largest normalised margin, as weight decay vanishes and against the width.

Wei, Lee, Liu & Ma normalise the margin by all weights, gamma(Theta) = min_i y_i f(x_i) / norm(Theta)^2. For balanced
neurons norm(Theta)^2 is twice the cost, so the largest over networks of every width is

    gamma* = gamma_l1 / 2 = 1 / (2 V),      V = min cost(f)  subject to  y_i f(x_i) >= 1        (Theorem 3.3)

with gamma_l1 = 1 / V the margin of an l1 support vector machine over all neurons. V is certified here. Against it are

- minimisers of (1/N) sum_i log(1 + exp(-y_i f(x_i))) + lambda norm(Theta)^2, whose margin tends to gamma* as lambda
  falls (Figure 2), also over 1000 fixed neurons only, as there;
- the best networks of widths 1, 2, ..., N (Theorem 3.2).

Networks have no bias but see (x, 1), which is bias="joint".
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import linprog

import cvxrelu as cr
from benchmarks.baselines.finite_width import best_of_width
from benchmarks.experiments.common import bare, certified, command_line, publish
from benchmarks.harness import Record, median, table, timed, update_page
from benchmarks.problems import six_points
from benchmarks.weak_logistic import WeakLogistic, expected_margin
from cvxrelu.plots import BLUE, GREY, INK, ORANGE

Array = NDArray[np.float64]

# Above this, the loss itself is well conditioned; below, its limit for small lambda is exact to the same share.
WEAK = 1e-5
# Networks whose margin is this close to the largest have reached it: what solvers of small programs are good for.
REACHED_RTOL = 1e-5
# Even grids of neurons, and where they begin, in steps: how good one is depends on that.
GRIDS = {"evenly spaced": 0.0, "half a step on": 0.5}
COLOURS = (BLUE, ORANGE, GREY, INK)


@dataclass(frozen=True)
class Size:
    """Exponents of lambda = 10^-k, numbers of fixed neurons, draws of them; restarts of the search at fixed widths."""

    exponents: tuple[int, ...] = (3, 4, 6, 8, 10, 12, 14, 20, 30, 100)
    features: tuple[int, ...] = (10, 100, 1000, 10_000)
    draws: int = 10
    restarts: int = 3


LARGE = Size(features=(10, 100, 1000, 10_000, 100_000), draws=50, restarts=30)


def labelled() -> dict[str, cr.Problem]:
    """Return the margin problems: the six points, eight labelled by chance on the line, and eight in the plane."""
    six = six_points()
    problems = {"six points": cr.Problem(six.X, six.y, loss="margin", bias="joint")}
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        x, y = np.sort(rng.uniform(-1, 1, 8)), np.where(rng.random(8) < 0.5, -1.0, 1.0)
        problems[f"eight on the line, {seed}"] = cr.Problem(x[:, None], y, loss="margin", bias="joint")
    X, y = np.random.default_rng(0).standard_normal((8, 2)), np.where(np.arange(8) % 2, 1.0, -1.0)
    problems["eight in the plane"] = cr.Problem(X, y, loss="margin", bias="joint")
    return problems


def normalised_margin(problem: cr.Problem, network: cr.Network) -> float:
    """Return min_i y_i f(x_i) / norm(Theta)^2 of the network with its neurons balanced."""
    return float(np.min(problem.y * network(problem.X))) / (2 * network.cost(problem.bias, problem.norm))


def weakly_regularised(problem: cr.Problem, decay: float) -> Record:
    """Return the margin of the minimiser with this weight decay, certified, and how the loss as it stands is solved."""
    alpha = 2 * decay  # decay * norm(Theta)^2 = 2 * decay * cost
    plain = {"X": problem.X, "y": problem.y, "loss": "logistic", "bias": problem.bias, "alpha": alpha}
    weak = plain if decay >= WEAK else plain | {"loss": WeakLogistic(alpha, problem.n_samples), "alpha": 1.0}
    fit = cr.solve(cr.Problem(**weak), method="enumerate")
    return {
        "lambda": decay,
        "margin": normalised_margin(problem, fit.network),
        "relative_gap": fit.certificate.relative_gap,
        "in units of lambda": decay < WEAK,
        "loss as it stands": attempt(**plain),
    }


def attempt(**plain: Any) -> str | float:
    """Return the relative gap that the logistic loss as it stands is solved to, or how that failed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cr.AccuracyWarning)
            return cr.solve(cr.Problem(**plain), method="enumerate", tol=1e-2).certificate.relative_gap
    except cr.CvxReluError as error:
        return str(error)


def drawn_neurons(problem: cr.Problem, count: int, seed: int) -> Array:
    """Return what unit neurons [w, b] predict, (N, count), drawn from the circle by a seed."""
    return _predictions(problem, np.random.default_rng(seed).random(count))


def even_neurons(problem: cr.Problem, count: int, phase: float) -> Array:
    """Return the same of evenly spaced neurons, the first so many steps from the angle 0."""
    return _predictions(problem, (np.arange(count) + phase) / count)


def _predictions(problem: cr.Problem, angles: Array) -> Array:
    directions = np.stack([np.cos(2 * np.pi * angles), np.sin(2 * np.pi * angles)])
    return np.maximum(np.column_stack([problem.X, np.ones(problem.n_samples)]) @ directions, 0.0)


def least_cost_over(problem: cr.Problem, features: Array) -> float:
    """Return the least cost of margin one over fixed neurons, an l1 support vector machine; infinite for none."""
    signed = problem.y[:, None] * features
    columns = np.concatenate([signed, -signed], axis=1)
    answer = linprog(np.ones(columns.shape[1]), A_ub=-columns, b_ub=-np.ones(len(columns)))
    return float(answer.fun) if answer.success else np.inf


def weakly_regularised_over(problem: cr.Problem, features: Array, decay: float) -> float:
    """Return the normalised margin of the minimiser over fixed neurons with weight decay."""
    weights = cp.Variable(features.shape[1])
    loss = WeakLogistic(2 * decay, problem.n_samples)
    losses = loss.expression(features @ weights, problem.y).mean
    cp.Problem(cp.Minimize(losses + cp.norm1(weights))).solve(solver="CLARABEL")
    assert weights.value is not None
    return float(np.min(problem.y * (features @ weights.value)) / (2 * np.abs(weights.value).sum()))


def approximations(problem: cr.Problem, size: Size) -> list[Record]:
    """Return the largest margins over fixed neurons, evenly spaced and drawn."""
    rows = []
    for count in size.features:
        drawn = [1 / least_cost_over(problem, drawn_neurons(problem, count, seed)) for seed in range(size.draws)]
        even = {
            name: 1 / least_cost_over(problem, even_neurons(problem, count, phase)) for name, phase in GRIDS.items()
        }
        rows.append({"neurons": count, "gamma_l1, drawn": drawn} | even)
    return rows


def widths(name: str, problem: cr.Problem, restarts: int) -> Record:
    """Return the best margin at every width from 1 to N, as a share of the certified largest."""
    fit = cr.solve(problem)
    record: Record = {"problem": name, "certified": certified(fit), "widths": []}
    for width in range(1, problem.n_samples + 1):
        run = timed(best_of_width, problem, width, seed=0, restarts=restarts)
        best = run.value
        share = 0.0 if best.network is None else 2 * fit.objective * normalised_margin(problem, best.network)
        row = {"width": width, "share": share, "exhaustive": best.exhaustive, "seconds": run.seconds}
        record["widths"].append(row)
        if share > 1 - REACHED_RTOL:
            break
    return record


def run(output: Path, size: Size) -> Record:
    """Run the experiment, and write ``margins.json``, ``margins.png`` and both tables."""
    problems = labelled()
    problem = problems["six points"]
    fit = cr.solve(problem, method="enumerate")
    dual = fit.certificate.dual / fit.certificate.gamma
    weak = [weakly_regularised(problem, 10.0**-exponent) for exponent in size.exponents]
    features = drawn_neurons(problem, 1000, seed=0)
    for row in weak:
        row["expected"] = expected_margin(dual, 2 * row["lambda"]) / (2 * fit.objective)
        if row["in units of lambda"]:
            row["margin over 1000 neurons"] = weakly_regularised_over(problem, features, row["lambda"])
    record = {
        "problem": "six points, loss margin, bias joint",
        "certified": certified(fit) | {"gamma*": normalised_margin(problem, fit.network)},
        "lambda": weak,
        "fixed neurons": approximations(problem, size),
        "widths": [widths(name, each, size.restarts) for name, each in problems.items()],
    }
    full = publish(output, "margins", size, record, draw(record), lambda_table(record))
    update_page(output, "margins-fixed", table(fixed_table(record)))
    update_page(output, "margins-widths", table(widths_table(record)))
    return full


def lambda_table(record: Record) -> list[Record]:
    """Return the table: margins along lambda, as shares of the certified largest."""
    largest = record["certified"]["gamma*"]
    rows = []
    for row in record["lambda"]:
        plain = row["loss as it stands"]
        drawn = row.get("margin over 1000 neurons")
        rows.append(
            {
                "lambda": f"{row['lambda']:.0e}",
                "margin / gamma*": f"{row['margin'] / largest:.6f}",
                "expected": f"{row['expected'] / largest:.6f}",
                "proven gap": f"{row['relative_gap']:.0e}",
                "1000 drawn neurons": "–" if drawn is None else f"{drawn / largest:.6f}",
                "gap, loss as it stands": "fails" if isinstance(plain, str) else f"{plain:.0e}",
            }
        )
    return rows


def fixed_table(record: Record) -> list[Record]:
    """Return the table: how much of gamma_l1 = 2 gamma* fixed neurons reach."""
    largest = 2 * record["certified"]["gamma*"]
    return [
        {
            "neurons": f"{row['neurons']:,}",
            **{name: f"{row[name] / largest:.6f}" for name in GRIDS},
            "drawn, median": f"{median(row['gamma_l1, drawn']) / largest:.6f}",
            "drawn, worst": f"{min(row['gamma_l1, drawn']) / largest:.6f}",
        }
        for row in record["fixed neurons"]
    ]


def widths_table(record: Record) -> list[Record]:
    """Return the table: margins at every width, as shares of the certified largest."""
    most = max(len(each["widths"]) for each in record["widths"])
    rows = []
    for each in record["widths"]:
        row = {"problem": each["problem"], "gamma*": f"{1 / (2 * each['certified']['lower']):.6f}"}
        shares = {
            point["width"]: f"{point['share']:.4f}{'' if point['exhaustive'] else '*'}" for point in each["widths"]
        }
        rows.append(row | {f"m = {width}": shares.get(width, "") for width in range(1, most + 1)})
    return rows


def draw(record: Record) -> Figure:
    """Return the figure: margins along lambda, and along the width."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    along_lambda, along_width = figure.subplots(1, 2)
    draw_lambda(along_lambda, record)
    draw_widths(along_width, record["widths"])
    for axes in (along_lambda, along_width):
        bare(axes)
    return figure


def draw_lambda(axes: Axes, record: Record) -> None:
    """Draw how far the margin falls short of the largest."""
    largest, rows = record["certified"]["gamma*"], record["lambda"]
    some = [row for row in rows if "margin over 1000 neurons" in row]
    series = (
        ("expected", rows, {"color": GREY, "label": "expected, to first order"}),
        ("margin", rows, {"color": BLUE, "marker": "o", "linestyle": "", "label": "all networks, certified"}),
        ("margin over 1000 neurons", some, {"color": ORANGE, "marker": "^", "label": "1000 neurons drawn once"}),
    )
    for name, chosen, style in series:
        # The margin falls short by about one over the number of decades.
        decades = [-np.log10(row["lambda"]) for row in chosen]
        axes.loglog(decades, [100 * (1 - row[name] / largest) for row in chosen], **style)
    ticks = [3, 4, 6, 10, 20, 30, 100]
    axes.set_xticks(ticks, [f"$10^{{-{tick}}}$" for tick in ticks])
    axes.set_yticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
    axes.minorticks_off()
    axes.axhline(1, color=INK, linewidth=0.8, linestyle="dotted", label="one per cent short")
    axes.set(xlabel=r"weight decay $\lambda$", ylabel=r"$1 - \gamma_\lambda\,/\,\gamma^*$, %")
    axes.set_title("How far weak decay falls short of the certified largest margin", fontsize=11)
    axes.legend(frameon=False, fontsize=9)


def draw_widths(axes: Axes, records: Sequence[Record]) -> None:
    """Draw the margin against the width."""
    for record, colour in zip(records, COLOURS, strict=False):
        rows = record["widths"]
        axes.plot([row["width"] for row in rows], [row["share"] for row in rows], color=colour, label=record["problem"])
        for row in rows:
            fill = colour if row["exhaustive"] else "white"
            axes.plot(row["width"], row["share"], "o", color=colour, markerfacecolor=fill)
    axes.plot([], [], "o", color=INK, label="every choice tried")
    axes.plot([], [], "o", color=INK, markerfacecolor="white", label="best found")
    axes.axhline(1.0, color=INK, linewidth=0.8, linestyle="dotted", label="certified, all widths")
    axes.set(xlabel="width $m$", ylabel=r"$\gamma^{*,m}\,/\,\gamma^*$")
    axes.set_title("Largest margin of width m, as a share of the certified largest", fontsize=11)
    axes.legend(frameon=False, fontsize=9)


if __name__ == "__main__":
    command_line(run, Size(), LARGE, __doc__)
