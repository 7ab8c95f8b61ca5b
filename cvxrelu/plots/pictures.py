"""Pictures of networks: the function on a line, the decision in the plane.

matplotlib is imported when a picture is drawn, so that the rest of the package does without it
(``pip install "cvxrelu[plot]"``).
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import CvxReluError, InputError
from cvxrelu.plots.hinges import hinge_lines, visible_knots
from cvxrelu.plots.outputs import draw_curves, draw_regions
from cvxrelu.problem.network import Network
from cvxrelu.problem.targets import as_labels
from cvxrelu.problem.validation import as_instance, as_matrix, as_rows, as_vector
from cvxrelu.runtime.files import check_writable, writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["check_picture", "plot_network", "plot_network_1d", "plot_network_2d", "save_picture", "visible_knots"]

Array = NDArray[np.float64]

# Colours that stay apart in grey and for colour-blind readers (Okabe & Ito).
BLUE, ORANGE, GREY, INK = "#0072b2", "#d55e00", "#8a8a8a", "#222222"
PALE_BLUE, PALE_ORANGE = "#8fc1de", "#eeb38c"
# From low to high values, all light enough for dark hinges on them.
VALUES = ["#fdf8e1", "#a5d9b2", "#3b97bd"]
# Share of the data's extent that is drawn beyond it, and the points of a grid along one axis.
MARGIN, GRID = 0.15, 401
# Decision maps saturate at this multiple of the margin, so that what happens between the margins stays visible.
SATURATION = 2.0
# The margins are drawn at this share of theirs: a network is often +1 or -1, up to rounding, all over a region, where a
# level line at exactly that height would be noise.
MARGIN_LEVEL = 0.999
# Bands of colour in a map. Their edges are level lines, which turn only at hinges: the pieces become visible.
BANDS = 32


class PlotError(CvxReluError, ImportError):
    """matplotlib is not installed."""


def plot_network(network: Network, X: ArrayLike, y: ArrayLike, ax: "Axes | None" = None) -> "Axes":
    """Draw a network of one or two inputs with its data.

    Parameters
    ----------
    network : Network
        The network.
    X : (N, d) array_like
        Inputs, d = 1 or 2.
    y : (N,) array_like, or (N, K) array_like
        Targets. A network of several outputs takes labels 0, ..., K - 1 as well, and in the plane only these.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure with a legend by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    InputError, InputTypeError
        If this is no network or one of more than two inputs, the data is not for it, or its values there are beyond the
        range of floats.
    PlotError
        If matplotlib is not installed.
    """
    if as_instance(network, Network, "network").n_features > 2:
        raise InputError(_undrawable(network.n_features))
    draw = plot_network_1d if network.n_features == 1 else plot_network_2d
    return draw(network, X, y, ax)


def plot_network_1d(
    network: Network, X: ArrayLike, y: ArrayLike, ax: "Axes | None" = None, label: str | None = None
) -> "Axes":
    """Draw the graph of a one-input network, its hinges, and the data; parameters as in `plot_network`."""
    axes = _axes(ax)
    x, targets = _data(network, X, y)
    x = x[:, 0]
    low, high = _limits(x)
    knots = visible_knots(network, float(np.ptp(x)) or 1.0)
    inside = knots[(knots > low) & (knots < high)]
    grid = np.union1d(np.linspace(low, high, GRID), inside)
    values = _values(network, grid[:, None])
    for k, knot in enumerate(inside):
        axes.axvline(knot, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1, label=None if k else "hinge")
    if network.v.ndim == 2:
        draw_curves(axes, grid, values, x, targets)
    else:
        axes.plot(grid, values, color=BLUE, linewidth=2.2, label=label or "network", zorder=2)
        axes.plot(x, targets, "o", color=ORANGE, markeredgecolor="white", markersize=8, label="data", zorder=4)
    axes.set(xlabel="$x$", ylabel="$f(x)$", xlim=(low, high))
    axes.spines[["top", "right"]].set_visible(False)
    return axes if ax is not None else _with_legend(axes)


def plot_network_2d(network: Network, X: ArrayLike, y: ArrayLike, ax: "Axes | None" = None) -> "Axes":
    """Draw a two-input network as a map, with its neurons' hinges and the data; parameters as in `plot_network`.

    Labels -1 and +1 are drawn as two classes, with the decision boundary f(x) = 0 and the margins f(x) = -1 and +1.
    The more a neuron costs, the darker its hinge.
    """
    axes = _axes(ax)
    points, targets = _data(network, X, y)
    (left, right), (bottom, top) = box = _limits(points[:, 0]), _limits(points[:, 1])
    xs, ys = np.meshgrid(np.linspace(left, right, GRID), np.linspace(bottom, top, GRID))
    values = _values(network, np.column_stack([xs.ravel(), ys.ravel()])).reshape(*xs.shape, *network.v.shape[1:])
    draw = _draw_decision if np.isin(targets, (-1.0, 1.0)).all() else _draw_surface
    draw = draw_regions if network.v.ndim == 2 else draw
    draw(axes, (xs, ys, values), points, targets)
    lines = hinge_lines(network, float(np.hypot(right - left, top - bottom)))
    drawn = [_draw_hinge(axes, line, share, box) for line, share in lines]
    if any(drawn):
        axes.plot([], [], color=INK, linewidth=0.9, linestyle=(0, (4, 3)), label="hinges")
    axes.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(left, right), ylim=(bottom, top))
    return axes if ax is not None else _with_legend(axes)


def _with_legend(axes: "Axes") -> "Axes":
    """Return the axes of a figure of their own, in which nothing else says what is what."""
    axes.figure.legend(loc="outside lower center", ncols=5, frameon=False)
    return axes


def _draw_decision(axes: "Axes", surface: tuple[Array, Array, Array], points: Array, labels: Array) -> None:
    """Draw the map, the boundary and the margins of a classifier, and its two classes."""
    from matplotlib.colors import LinearSegmentedColormap

    xs, ys, values = surface
    colours = LinearSegmentedColormap.from_list("classes", [PALE_ORANGE, "white", PALE_BLUE])
    levels = np.linspace(-SATURATION, SATURATION, BANDS + 1)
    axes.contourf(xs, ys, values, levels=levels, cmap=colours, extend="both", zorder=0)
    for heights, width, style, label in (
        ([0.0], 2.2, "solid", "$f(x) = 0$"),
        ([-MARGIN_LEVEL, MARGIN_LEVEL], 1.0, "dotted", r"$f(x) = \pm 1$"),
    ):
        met = [height for height in heights if values.min() < height < values.max()]
        if met:
            axes.contour(xs, ys, values, levels=met, colors=INK, linewidths=width, linestyles=style, zorder=3)
            axes.plot([], [], color=INK, linewidth=width, linestyle=style, label=label)
    for label, colour, marker in ((-1.0, ORANGE, "s"), (1.0, BLUE, "o")):
        chosen = points[labels == label]
        axes.scatter(
            *chosen.T, c=colour, marker=marker, edgecolors="white", s=50, zorder=4, label=f"$y = {label:+.0f}$"
        )


def _draw_surface(axes: "Axes", surface: tuple[Array, Array, Array], points: Array, targets: Array) -> None:
    """Draw the map of a regression, and the data in the same colours."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.ticker import MaxNLocator

    low = float(min(surface[2].min(), targets.min()))
    high = float(max(surface[2].max(), targets.max()))
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        # A constant, in the middle of a range of its size.
        low, high = low - max(1.0, abs(low)) / 2, low + max(1.0, abs(low)) / 2
    colours = LinearSegmentedColormap.from_list("values", VALUES)
    bands = axes.contourf(*surface, levels=np.linspace(low, high, BANDS + 1), cmap=colours, zorder=0)
    axes.scatter(*points.T, c=targets, cmap=colours, vmin=low, vmax=high, edgecolors=INK, s=55, zorder=4, label="data")
    axes.figure.colorbar(bands, ax=axes, label="$f(x)$", ticks=MaxNLocator(6))


def save_picture(axes: "Axes", file: str | PathLike[str]) -> None:
    """Write the figure of the axes to a file whose ending names the format.

    Raises
    ------
    InputError
        If matplotlib does not know the format, or the file cannot be written.
    """
    check_picture(file)
    # The canvas belongs to the whole figure, even if the axes are in a part of one.
    with writing(file):
        axes.figure.canvas.figure.savefig(file, dpi=130)


def check_picture(file: str | PathLike[str], n_features: int = 1) -> None:
    """Refuse a picture that could not be drawn or saved.

    Parameters
    ----------
    file : path
        Where to; an ending that is missing will be .png.
    n_features : int, default 1
        Number of inputs of the network to draw.

    Raises
    ------
    InputError
        If there are more than two inputs, matplotlib does not know the format, or the file cannot be written.
    PlotError
        If matplotlib is not installed.
    """
    if n_features > 2:
        raise InputError(_undrawable(n_features))
    bare = isinstance(file, (str, PathLike)) and Path(file).name and not Path(file).suffix
    check_writable(f"{file}.png" if bare else file)
    endings, ending = _axes(None).figure.canvas.get_supported_filetypes(), Path(file).suffix.removeprefix(".").lower()
    if ending and ending not in endings:
        raise InputError(f"{str(file)!r} has an unknown ending; a picture can be one of {', '.join(sorted(endings))}.")


def _draw_hinge(axes: "Axes", line: Array, share: float, box: tuple[tuple[float, float], ...]) -> bool:
    """Draw the line w.x + b = 0 if it meets the box, the darker the larger its share of the cost; tell whether."""
    (left, right), (bottom, top) = box
    w, b = line[:2], line[2]
    center, half = np.array([left + right, bottom + top]) / 2, np.array([right - left, top - bottom]) / 2
    if abs(w @ center + b) > np.abs(w) @ half:
        return False
    foot = center - (w @ center + b) * w
    along = 2 * np.hypot(*half) * np.array([-w[1], w[0]])
    axes.plot(
        *np.array([foot - along, foot + along]).T,
        color=INK,
        linewidth=0.9,
        alpha=0.15 + 0.6 * share,
        linestyle=(0, (4, 3)),
        zorder=2,
    )
    return True


def _undrawable(n_features: int) -> str:
    return f"A network of {n_features} inputs cannot be drawn; fit one or two features to get a picture."


def _limits(x: Array) -> tuple[float, float]:
    margin = MARGIN * (np.ptp(x) or 1.0)
    return float(x.min() - margin), float(x.max() + margin)


def _data(network: Network, X: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """Return checked inputs of the network, and their targets."""
    points = as_matrix(X)
    if points.shape[1] != as_instance(network, Network, "network").n_features:
        raise InputError(f"X has {points.shape[1]} columns, and the network takes {network.n_features} inputs.")
    if network.v.ndim == 1:
        return points, as_vector(y, len(points))
    targets = as_rows(y, len(points))
    if targets.ndim == 1:
        return points, as_labels(targets, (len(points), network.n_outputs))
    if targets.shape[1] != network.n_outputs:
        raise InputError(f"y has shape {targets.shape}; it must be ({len(points)}, {network.n_outputs}).")
    return points, targets


def _values(network: Network, places: Array) -> Array:
    """Return the values of the network in the picture, which have to be floats."""
    values = network(places)
    if not np.isfinite(values).all():
        raise InputError("The network has values beyond the range of floats, so it cannot be drawn; rescale the data.")
    return values


def _axes(ax: "Axes | None") -> "Axes":
    try:
        from matplotlib.axes import Axes
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError('Pictures need matplotlib; install it with pip install "cvxrelu[plot]".') from error
    if ax is not None:
        return as_instance(ax, Axes, "ax")
    # A figure without pyplot: it belongs to nobody's global state and is freed with its last reference.
    return Figure(figsize=(6, 4), layout="constrained").add_subplot()
