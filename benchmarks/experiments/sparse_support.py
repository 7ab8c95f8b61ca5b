r"""Few neurons whatever the width, in places that all minimisers share: de Dios & Bruna, Sections 3 and 4.

With the squared loss and the cost sum_j abs(v_j) norm([w_j, b_j]) every minimiser, however wide, is supported on
finitely many directions [w, b], at most one for each cell (sign pattern) and sign of v, and *the same* for all
minimisers (Theorem 4.7, which says one for each cell; on closed cells that is false: x = y = -1, 1 are fitted
by (relu(1 + x) - relu(1 - x)) / 2, whose two neurons are both in the cell of the signs (+, +)). With the dual vector
d = y - z of the optimum they are where

    score(u) = sum_i d_i sigma(u . [x_i, 1]) / (N alpha),   norm(u) = 1,   has the size 1, its maximum.

On a line u is an angle, and everything can be drawn: the score, its peaks, and where trained neurons have gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import cvxrelu as cr
from benchmarks.baselines.gradient_descent import Settings, train
from benchmarks.experiments.common import bare, certified, command_line, middle, publish, scatter, shades, trained
from benchmarks.harness import Record, timed
from benchmarks.problems import ten_points
from cvxrelu.plots import GREY, INK, ORANGE

Array = NDArray[np.float64]

ALPHA = 1e-3
START = 0.3
# A peak of the score is one of the shared places if it is this near to the highest: dual vectors are a solver's.
PEAK_RTOL = 1e-5
# Neurons of a smaller share of the cost are dead: weight decay shrinks them towards zero without an end.
ALIVE = 1e-3
# Neurons nearer than this, in radians, are in one place: training ends somewhere near a minimiser.
SAME_PLACE = 0.02


@dataclass(frozen=True)
class Size:
    """Widths, seeds of each, and steps."""

    widths: tuple[int, ...] = (10, 30, 100, 300, 1000)
    seeds: int = 3
    steps: int = 100_000


DEFAULT, LARGE = Size(), Size(widths=(10, 30, 100, 300, 1000, 3000), seeds=10, steps=1_000_000)


def score(angles: Array, x: Array, dual: Array) -> Array:
    """Return sum_i dual_i sigma(cos(angle) x_i + sin(angle)) for every angle."""
    hidden = np.maximum(np.cos(angles)[:, None] * x + np.sin(angles)[:, None], 0.0)
    return hidden @ dual


def peaks(x: Array, dual: Array) -> Array:
    """Return the angles at which the size of the score has a local maximum on the arc of a cell.

    On a cell the score is g . (cos, sin): it is largest in the direction of g or of -g, or at an end of the arc.
    """
    ends = np.sort(np.concatenate([np.arctan2(-x, 1.0), np.arctan2(x, -1.0)]))
    starts, lengths = ends, np.diff(np.append(ends, ends[0] + 2 * np.pi))
    centers = starts + lengths / 2
    active = np.cos(centers)[:, None] * x + np.sin(centers)[:, None] > 0
    gradients = (active * dual) @ np.column_stack([x, np.ones_like(x)])
    inner = []
    for sign in (1, -1):
        along = np.arctan2(sign * gradients[:, 1], sign * gradients[:, 0])
        inside = np.mod(along - starts, 2 * np.pi) <= lengths
        inner.append(along[inside & active.any(axis=1)])
    return np.sort(_wrapped(np.concatenate([ends, *inner])))


def shared_places(problem: cr.Problem, dual: Array) -> tuple[Array, Array]:
    """Return the angles where a neuron of a minimiser can be, and the sign that its output weight has there."""
    x = problem.X[:, 0]
    angles = peaks(x, dual)
    heights = score(angles, x, dual)
    high = np.abs(heights) >= (1 - PEAK_RTOL) * np.abs(heights).max(initial=0.0)
    return angles[high], np.sign(heights[high])


def support(network: cr.Network) -> tuple[Array, Array, Array]:
    """Return angle, sign and share of the cost of the neurons that are alive."""
    angles = np.arctan2(network.b, network.W[:, 0])
    shares = np.abs(network.v) * np.hypot(network.b, network.W[:, 0])
    shares = shares / (shares.sum() or 1.0)
    alive = shares > ALIVE
    return angles[alive], np.sign(network.v[alive]), shares[alive]


def count_places(angles: Array, signs: Array) -> int:
    """Return in how many places neurons are: runs of near angles of one sign, round the circle."""
    count = 0
    for sign in (1, -1):
        chosen = np.sort(angles[signs == sign])
        gaps = np.diff(np.append(chosen, chosen[:1] + 2 * np.pi))
        count += max(int(np.sum(gaps > SAME_PLACE)), len(chosen) > 0)
    return count


def distances(angles: Array, signs: Array, places: Array, place_signs: Array) -> Array:
    """Return how far each neuron is from the nearest shared place of its sign; pi if there is none."""
    apart = np.abs(_wrapped(angles[:, None] - places))
    apart[signs[:, None] != place_signs] = np.pi
    return apart.min(axis=1, initial=np.pi)


def run(output: Path, size: Size = DEFAULT) -> Record:
    """Train at every width, write the results, and return the record."""
    problem = ten_points("squared", ALPHA, bias="joint")
    fit = cr.solve(problem, method="enumerate", tol=1e-8)
    places, place_signs = shared_places(problem, fit.certificate.dual)
    rows, shown = [], {}
    for width in size.widths:
        settings = Settings(width, START, tol=None, max_steps=size.steps, optimiser="adam", annealed=True)
        for seed in range(size.seeds):
            outcome = timed(train, problem, settings, seed)
            angles, signs, shares = support(outcome.value.network)
            away = distances(angles, signs, places, place_signs)
            row = {"width": width, "seed": seed, "seconds": outcome.seconds}
            row |= trained(problem, outcome.value, fit.certificate.lower)
            rows.append(
                row
                | {
                    "alive": len(angles),
                    "places": count_places(angles, signs),
                    "farthest": float(away.max(initial=0.0)),
                    "share_in_shared_places": float(shares[away <= SAME_PLACE].sum()),
                }
            )
            if seed == 0:
                shown[width] = outcome.value.network
    record = {
        "data": f"ten points on a line; squared loss, joint bias, alpha = {ALPHA}",
        "certified": certified(fit)
        | {"shared_places": places, "signs": place_signs, "places": count_places(*support(fit.network)[:2])},
        "trained": rows,
    }
    figure = draw(fit, shown, rows, size)
    return publish(output, "sparse_support", size, record, figure, lines(rows))


def draw(fit: cr.Fit, shown: dict[int, cr.Network], rows: Sequence[Record], size: Size) -> Figure:
    """Return the figure: the score with the trained neurons under it, and their number against the width."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[3, 2], height_ratios=[2, 3])
    bottom, counts = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[:, 1])
    top = figure.add_subplot(grid[0, 0], sharex=bottom)
    top.tick_params(labelbottom=False)
    _draw_score(top, fit)
    places, _ = shared_places(fit.problem, fit.certificate.dual)
    for place in places:
        bottom.axvline(place, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    colours = shades(size.widths)
    for level, (width, network) in enumerate(shown.items()):
        angles, signs, shares = support(network)
        for sign, marker in ((1, "^"), (-1, "v")):
            chosen = signs == sign
            style = {"c": colours[width], "marker": marker, "edgecolors": "white", "linewidths": 0.6, "zorder": 3}
            bottom.scatter(angles[chosen], np.full(chosen.sum(), level), 20 + 300 * shares[chosen], **style)
    bottom.set(yticks=range(len(shown)), yticklabels=[str(width) for width in shown], ylabel="width")
    bottom.set(xlabel="direction of $[w, b]$, radians", ylim=(-0.6, len(shown) - 0.4))
    bottom.set_title("trained neurons: up for v > 0, down for v < 0, area by their share of the cost", fontsize=9)
    bare(bottom)
    series = {
        name: [[row[key] for row in rows if row["width"] == width] for width in size.widths]
        for name, key in (("neurons alive", "alive"), ("places they are in", "places"))
    }
    scatter(counts, series, size.widths)
    least = count_places(*support(fit.network)[:2])
    counts.axhline(least, color=INK, linewidth=1.2, label="places in the certified optimum")
    counts.axhline(fit.problem.n_samples, color=GREY, linewidth=1.2, linestyle="dotted", label="number of points")
    counts.set(xlabel="width", ylabel="number", yscale="log", yticks=(5, 10, 20, 50), ylim=(3, None))
    counts.set_yticks([], minor=True)
    counts.set_yticklabels(["5", "10", "20", "50"])
    counts.legend(frameon=False, fontsize=9)
    return figure


def lines(rows: Sequence[Record]) -> list[Record]:
    """Return the table: one line for each width."""
    summaries = []
    for width in dict.fromkeys(row["width"] for row in rows):
        group = [row for row in rows if row["width"] == width]
        summaries.append(
            {
                "width": width,
                "median gap": middle((row["relative_gap"] for row in group), ".0e"),
                "neurons alive": middle((row["alive"] for row in group), ".0f"),
                "in so many places": middle((row["places"] for row in group), ".0f"),
                "cost in shared places": middle((100 * row["share_in_shared_places"] for row in group), ".2f") + " %",
                "farthest from one, radians": middle((row["farthest"] for row in group), ".4f"),
            }
        )
    return summaries


def _wrapped(angles: Array) -> Array:
    """Return angles in [-pi, pi)."""
    return np.mod(angles + np.pi, 2 * np.pi) - np.pi


def _draw_score(axes: Axes, fit: cr.Fit) -> None:
    problem, dual = fit.problem, fit.certificate.dual / fit.certificate.gamma
    angles = np.union1d(np.linspace(-np.pi, np.pi, 1441), peaks(problem.X[:, 0], dual))
    axes.plot(angles, score(angles, problem.X[:, 0], dual), color=INK, linewidth=1.3)
    places, signs = shared_places(problem, dual)
    axes.plot(places, signs, "o", color=ORANGE, markeredgecolor="white", markersize=7, label="where neurons can be")
    for level in (-1.0, 1.0):
        axes.axhline(level, color=GREY, linewidth=1, linestyle="dotted")
    axes.set(ylabel="score", ylim=(-1.35, 1.6), xlim=(-np.pi, np.pi))
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    bare(axes)


if __name__ == "__main__":
    command_line(run, DEFAULT, LARGE, __doc__)
