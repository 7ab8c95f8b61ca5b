"""Pictures of several outputs: a curve for each, and in the plane the regions where each class has the largest one."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_curves", "draw_regions"]

Array = NDArray[np.float64]

# Okabe and Ito's colours, which nearly all eyes tell apart; with more outputs they come again.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
# How strongly regions are coloured.
OPACITY = 0.3


def draw_curves(axes: "Axes", grid: Array, values: Array, x: Array, targets: Array) -> None:
    """Draw each output of a network of one input, a column of its values over a grid, with its data."""
    for k in range(values.shape[1]):
        colour = COLOURS[k % len(COLOURS)]
        axes.plot(grid, values[:, k], color=colour, linewidth=2.2, label=f"$f_{{{k}}}$", zorder=2)
        if targets.ndim == 2:
            axes.plot(x, targets[:, k], "o", color=colour, markeredgecolor="white", markersize=7, zorder=4)
    if targets.ndim == 1:
        low = float(values.min())
        for k in range(values.shape[1]):
            members = x[targets == k]
            axes.plot(
                members, np.full(len(members), low), "|", color=COLOURS[k % len(COLOURS)], markersize=12, zorder=4
            )


def draw_regions(axes: "Axes", surface: tuple[Array, Array, Array], points: Array, labels: Array) -> None:
    """Draw where each class has the largest output, and the data.

    Parameters
    ----------
    surface : (n, n), (n, n) and (n, n, K) arrays
        Both coordinates, and the outputs there.
    points, labels : (N, 2), (N,) arrays
        The data.
    """
    from matplotlib.colors import ListedColormap

    if labels.ndim != 1:
        raise InputError(
            "The map of a network of two inputs and several outputs takes labels; draw one output, "
            "plot_network(network.output(k), X, Y[:, k])."
        )
    xs, ys, values = surface
    count = values.shape[2]
    colours = [COLOURS[k % len(COLOURS)] for k in range(count)]
    levels = np.arange(count + 1) - 0.5
    best = values.argmax(axis=2)
    axes.contourf(xs, ys, best, levels=levels, cmap=ListedColormap(colours), alpha=OPACITY, zorder=0)
    axes.contour(xs, ys, best, levels=levels[1:-1], colors="#333333", linewidths=1.2, zorder=3)
    for k, colour in enumerate(colours):
        members = points[labels == k]
        axes.scatter(*members.T, c=colour, edgecolors="white", s=50, zorder=4, label=f"$y = {k}$")
