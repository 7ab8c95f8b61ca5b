"""Pictures of functions on the line and of the set of minimum-norm interpolants.

matplotlib is imported when a picture is drawn, so that the rest of the package does without it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.plots.pictures import BLUE, GREY, GRID, MARGIN, ORANGE, _axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_envelope", "plot_function"]

Array = NDArray[np.float64]


class Graph(Protocol):
    """What a picture needs of a `PiecewiseLinear`, which draws itself with it."""

    @property
    def knots(self) -> Array: ...

    @property
    def values(self) -> Array: ...

    @property
    def n_knots(self) -> int: ...

    def simplified(self) -> "Graph": ...

    def __call__(self, x: ArrayLike, /) -> Array: ...


class Band(Protocol):
    """What a picture needs of an `Envelope`, which draws itself with it."""

    @property
    def x(self) -> Array: ...

    @property
    def y(self) -> Array: ...

    def lower(self, x: ArrayLike, /) -> Array: ...

    def upper(self, x: ArrayLike, /) -> Array: ...

    def sample(self, n: int, random_state: Any, /) -> Sequence[Graph]: ...


def plot_function(function: Graph, ax: "Axes | None" = None, **style: object) -> "Axes":
    """Draw the graph of a piecewise linear function, with a ring at every knot.

    Parameters
    ----------
    function : PiecewiseLinear
        The function.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default. Axes that have something on them keep their limits.
    **style
        Passed on to `matplotlib.axes.Axes.plot` for the graph.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    PlotError
        If matplotlib is not installed.
    """
    axes = _axes(ax)
    f = function.simplified()
    margin = MARGIN * (float(np.ptp(f.knots)) or 1.0)
    low, high = axes.get_xlim() if axes.has_data() else (f.knots[0] - margin, f.knots[-1] + margin)
    inside = (f.knots > low) & (f.knots < high)
    grid = np.concatenate([[low], f.knots[inside], [high]])
    style = {"color": BLUE, "linewidth": 2.0, "solid_joinstyle": "round", "zorder": 3} | style
    (line,) = axes.plot(grid, f(grid), **style)  # pyright: ignore[reportArgumentType]
    if function.n_knots:
        ring = {"color": "white", "markeredgecolor": line.get_color(), "zorder": line.get_zorder() + 0.1}
        axes.plot(f.knots[inside], f.values[inside], "o", markersize=5, **ring)  # pyright: ignore[reportArgumentType]
    axes.set(xlim=(low, high), xlabel="x", ylabel="f(x)")
    return axes


def plot_envelope(
    band: Band,
    ax: "Axes | None" = None,
    *,
    members: int = 0,
    random_state: int | np.random.Generator | None = None,
) -> "Axes":
    """Draw the band of all minimum-norm interpolants, random members of it, and the points.

    Parameters
    ----------
    band : Envelope
        The set.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    members : int, default 0
        How many random members to draw.
    random_state : int or numpy.random.Generator, optional
        Seed of the members.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    PlotError
        If matplotlib is not installed.
    """
    axes = _axes(ax)
    margin = MARGIN * (float(np.ptp(band.x)) or 1.0)
    low, high = float(band.x[0] - margin), float(band.x[-1] + margin)
    grid = np.union1d(np.linspace(low, high, GRID), band.x)
    axes.fill_between(
        grid, band.lower(grid), band.upper(grid), color=BLUE, alpha=0.2, linewidth=0, label="all optima", zorder=1
    )
    drawn = band.sample(members, random_state) if members else ()
    for member in drawn:
        axes.plot(grid, member(grid), color=BLUE, linewidth=0.7, alpha=0.6, zorder=2)
    fixed = np.where(np.isclose(band.lower(grid), band.upper(grid), rtol=0, atol=1e-12), band.lower(grid), np.nan)
    axes.plot(grid, fixed, color=GREY if drawn else BLUE, linewidth=1.8, zorder=2.5, solid_capstyle="round")
    axes.plot(band.x, band.y, "o", color=ORANGE, markersize=6, label="data", zorder=4)
    axes.set(xlim=(low, high), xlabel="x", ylabel="f(x)")
    return axes
