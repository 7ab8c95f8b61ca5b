"""All minimum-norm interpolants of points on a line: the band they fill, the sparsest, and why there is no densest.

Weight decay alone does not choose among the functions in the band: all of them are networks of the same, least
cost. Three knots are the fewest through the six points of Kumar & Haupt, "Convexifying Sparse Interpolation with
Infinitely Wide Neural Networks"; compare Figure 1 there and Figure 1 of Savarese et al., "How do infinite width bounded
norm networks look in function space?". Where the data are steep and nearly straight the band opens beyond them.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cvxrelu.function_space import (
    PiecewiseLinear,
    envelope,
    function_cost,
    is_min_norm,
    minimum_cost,
    sparsest_interpolant,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SIX = np.array([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0]), np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
WAVE_X = np.array([0.0, 0.55, 1.2, 1.75, 2.5, 3.1, 3.75, 4.45, 5.0, 5.8, 6.3, 7.0, 7.6, 8.4])
WAVE = WAVE_X, np.sin(1.5 * WAVE_X) + 0.12 * WAVE_X
RISE = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.5, 3.7])

BLUE, ORANGE, INK, SOFT, GREY = "#0072b2", "#d55e00", "#222222", "#666666", "#9a9a9a"
MEMBERS = 40
# Share of the data's extent drawn beyond it (more where the ends are open), and points of a curve.
BEYOND, OPEN, GRID = 0.11, 0.45, 1201


def main(output: Path = Path("example_output")) -> None:
    """Draw the five panels into `output`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7.6), layout="constrained")
    figure.get_layout_engine().set(wspace=0.05, hspace=0.08)  # pyright: ignore[reportOptionalMemberAccess]
    grid = figure.add_gridspec(2, 6)
    first = figure.add_subplot(grid[0, :2])
    second, third = (figure.add_subplot(grid[0, k : k + 2], sharey=first) for k in (2, 4))
    wave, rise = figure.add_subplot(grid[1, :4]), figure.add_subplot(grid[1, 4:])

    draw_all(first, *SIX, "All interpolants of least cost")
    first.set(ylim=(-1.55, 2.5), yticks=(-1, 0, 1, 2))
    draw_one(second, *SIX, sparsest_interpolant(*SIX), "The sparsest")
    draw_one(third, *SIX, dense_interpolant(50), "There is no densest")
    draw_all(wave, *WAVE, "The band opens between turns of one direction")
    draw_all(rise, *RISE, "Steep and nearly straight: open ends", OPEN)
    for axes in (first, wave):
        axes.set_ylabel("$f(x)$", color=SOFT)
    # The first panel names the band, its members and the data, the second what is drawn of one member.
    entries = [dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True)) for axes in (first, second)]
    named = entries[0] | entries[1]
    figure.legend(named.values(), named, loc="outside lower center", ncols=3, frameon=False)

    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "interpolants_1d.png", dpi=100)
    print(f"The least cost through the six points is {minimum_cost(*SIX):g}. Wrote {output / 'interpolants_1d.png'}.")


def dense_interpolant(knots: int) -> PiecewiseLinear:
    """Return an interpolant of the six points whose top is a parabola, in that many steps, tangent to the sides."""
    x, y = SIX
    top = np.linspace(-0.2, 0.2, knots)
    arc = 1.5 - 12.5 * top**2
    function = PiecewiseLinear(
        np.concatenate([x[:2], top, x[-2:]]), np.concatenate([y[:2], arc, y[-2:]]), -5.0, 5.0
    ).simplified()
    assert is_min_norm(function, x, y)
    return function


def draw_band(axes: "Axes", x: "Array", y: "Array", beyond: float = BEYOND) -> "Array":
    """Draw the band of all minimisers, and return the grid it was drawn on."""
    band, margin = envelope(x, y), beyond * np.ptp(x)
    grid = np.union1d(np.linspace(x[0] - margin, x[-1] + margin, GRID), x)
    name = "where interpolants of least cost can be"
    axes.fill_between(grid, band.lower(grid), band.upper(grid), color=BLUE, alpha=0.14, linewidth=0, label=name)
    axes.set_xlim(grid[0], grid[-1])
    return grid


def draw_all(axes: "Axes", x: "Array", y: "Array", title: str, beyond: float = BEYOND) -> None:
    """Draw the band with random members, and strongly what all members share."""
    grid, band = draw_band(axes, x, y, beyond), envelope(x, y)
    for k, member in enumerate(band.sample(MEMBERS, random_state=1)):
        name = None if k else f"{MEMBERS} of them"
        axes.plot(grid, member(grid), color=BLUE, linewidth=0.6, alpha=0.45, label=name)
    fixed = np.where(band.upper(grid) - band.lower(grid) < 1e-9, band.lower(grid), np.nan)
    axes.plot(
        grid,
        fixed,
        color=BLUE,
        linewidth=2.2,
        solid_capstyle="round",
        zorder=3,
        label="what all share, or the one drawn",
    )
    finish(axes, x, y, title, f"{MEMBERS} of a continuum, each of cost {minimum_cost(x, y):.4g}")


def draw_one(axes: "Axes", x: "Array", y: "Array", function: PiecewiseLinear, title: str) -> None:
    """Draw one minimiser in the band, with its knots and the larger jumps of its slope."""
    bends = function.simplified().second_derivative()
    grid = np.union1d(draw_band(axes, x, y), bends.positions)
    axes.plot(grid, function(grid), color=BLUE, linewidth=2.2, solid_joinstyle="round", zorder=3)
    few = len(bends.positions) < 10
    for knot, jump in zip(bends.positions, bends.jumps, strict=True):
        place, large = (knot, float(function(knot))), abs(jump) > 1
        size, width = (12, 1.1) if large else (3, 0.5)
        axes.plot(*place, "o", markersize=size, color="white", alpha=1 if few else 0.9, zorder=3.2)
        ring = {"color": "none", "markeredgecolor": INK, "markeredgewidth": width, "label": None}
        if large and knot == bends.positions[0]:
            ring["label"] = "knot, with the change of slope"
        axes.plot(*place, "o", markersize=size, zorder=5, **ring)
        if large:
            text, offset = f"{jump:+.0f}".replace("-", "−"), (0, -16 if jump > 0 else 16)
            axes.annotate(text, place, offset, textcoords="offset points", ha="center", va="center", color=INK)
    finish(axes, x, y, title, f"{function.n_knots} knots, cost {function_cost(function):.4g}")


def finish(axes: "Axes", x: "Array", y: "Array", title: str, subtitle: str) -> None:
    """Add the points, the words and the frame."""
    axes.plot(x, y, "o", color=ORANGE, markersize=6.5, zorder=4, label="data")
    axes.set_xlabel("$x$", color=SOFT)
    axes.set_title(title, fontsize=12.5, color=INK, loc="left", pad=21)
    axes.text(0, 1.025, subtitle, transform=axes.transAxes, fontsize=10, color=SOFT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(colors=SOFT, labelsize=9)


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
