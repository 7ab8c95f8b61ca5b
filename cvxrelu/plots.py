"""Pictures of networks: the function on a line, the decision in the plane.

matplotlib is imported when a picture is drawn, so that the rest of the package does without it
(``pip install "cvxrelu[plot]"``).
"""

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import CvxReluError, InputError
from cvxrelu.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["hinges_1d", "plot_network", "plot_network_1d", "plot_network_2d", "save_picture"]

Array = NDArray[np.float64]

# Colours that stay apart in grey and for colour-blind readers (Okabe & Ito).
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#777777"
# Share of the data's extent that is drawn beyond it, and the points of a grid along one axis.
MARGIN, GRID = 0.15, 401
DPI = 130


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
    y : (N,) array_like
        Targets.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    InputError
        If the network has more than two inputs.
    PlotError
        If matplotlib is not installed.
    """
    if network.n_features > 2:
        raise InputError(
            f"A network of {network.n_features} inputs cannot be drawn; fit one or two features to get a picture."
        )
    draw = plot_network_1d if network.n_features == 1 else plot_network_2d
    return draw(network, X, y, ax)


def plot_network_1d(
    network: Network, X: ArrayLike, y: ArrayLike, ax: "Axes | None" = None, label: str | None = None
) -> "Axes":
    """Draw the graph of a one-input network, its knots, and the data; parameters as in `plot_network`."""
    axes = _axes(ax)
    x, targets = np.asarray(X, dtype=float)[:, 0], np.asarray(y, dtype=float)
    low, high = _limits(x)
    knots = hinges_1d(network)
    inside = knots[(knots > low) & (knots < high)]
    grid = np.union1d(np.linspace(low, high, GRID), inside)
    axes.plot(grid, network(grid[:, None]), color=BLUE, linewidth=2, label=label or "network", zorder=2)
    axes.plot(inside, network(inside[:, None]), "o", color="white", markeredgecolor=BLUE, markersize=6, zorder=3)
    axes.plot(x, targets, "o", color=ORANGE, markersize=6, label="data", zorder=4)
    axes.set(xlabel="x", ylabel="f(x)", xlim=(low, high))
    return axes


def plot_network_2d(network: Network, X: ArrayLike, y: ArrayLike, ax: "Axes | None" = None) -> "Axes":
    """Draw a two-input network as a map, with its neurons' hinges and the data; parameters as in `plot_network`.

    Labels -1 and +1 are drawn as two classes, with the decision boundary f(x) = 0.
    """
    axes = _axes(ax)
    points, targets = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    (left, right), (bottom, top) = _limits(points[:, 0]), _limits(points[:, 1])
    xs, ys = np.meshgrid(np.linspace(left, right, GRID), np.linspace(bottom, top, GRID))
    values = network(np.column_stack([xs.ravel(), ys.ravel()])).reshape(xs.shape)
    labels = bool(np.isin(targets, (-1.0, 1.0)).all())
    if labels:
        span = float(np.max(np.abs(values))) or 1.0
        axes.contourf(xs, ys, np.clip(values, -2, 2), levels=np.linspace(-2, 2, 21), cmap="RdBu", alpha=0.45)
        if values.min() < 0 < values.max():
            axes.contour(xs, ys, values, levels=[0.0], colors="black", linewidths=2)
            margins = [level for level in (-1.0, 1.0) if -span < level < span]
            axes.contour(xs, ys, values, levels=margins, colors="black", linewidths=0.8, linestyles="dotted")
        for label, colour, marker in ((-1.0, ORANGE, "s"), (1.0, BLUE, "o")):
            chosen = targets == label
            axes.scatter(*points[chosen].T, c=colour, marker=marker, edgecolors="white", s=45, zorder=4)
    else:
        low, high = min(values.min(), targets.min()), max(values.max(), targets.max())
        mesh = axes.contourf(xs, ys, values, levels=np.linspace(low, high or low + 1, 25), cmap="viridis", alpha=0.85)
        axes.scatter(*points.T, c=targets, cmap="viridis", vmin=low, vmax=high, edgecolors="white", s=45, zorder=4)
        axes.figure.colorbar(mesh, ax=axes, label="f(x)")
    for w, b in zip(network.W, network.b, strict=True):
        _draw_hinge(axes, w, b, (left, right, bottom, top))
    axes.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(left, right), ylim=(bottom, top))
    return axes


def save_picture(axes: "Axes", file: str | PathLike[str]) -> None:
    """Write the figure of the axes to a file whose ending names the format."""
    figure: Any = axes.get_figure(root=True)
    figure.savefig(file, dpi=DPI)


def hinges_1d(network: Network) -> Array:
    """Return the sorted positions -b / w of the hinges of a one-input network, an array of at most m entries."""
    slopes = network.W[:, 0]
    return np.unique(-network.b[slopes != 0] / slopes[slopes != 0])


def _draw_hinge(axes: "Axes", w: Array, b: float, box: tuple[float, float, float, float]) -> None:
    """Draw the part of the line w.x + b = 0 in the box."""
    left, right, bottom, top = box
    center, reach = np.array([left + right, bottom + top]) / 2, np.hypot(right - left, top - bottom)
    length = np.linalg.norm(w)
    if length == 0 or abs(w @ center + b) > length * reach:
        return
    foot = center - (w @ center + b) / length**2 * w
    along = np.array([-w[1], w[0]]) / length
    ends = np.array([foot - reach * along, foot + reach * along])
    axes.plot(*ends.T, color=GREY, linewidth=0.9, alpha=0.8, linestyle="dashed", zorder=3)


def _limits(x: Array) -> tuple[float, float]:
    margin = MARGIN * (np.ptp(x) or 1.0)
    return float(x.min() - margin), float(x.max() + margin)


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotError('Pictures need matplotlib; install it with pip install "cvxrelu[plot]".') from error
    # A figure without pyplot: it belongs to nobody's global state and is freed with its last reference.
    return Figure(figsize=(6, 4), layout="constrained").add_subplot()
