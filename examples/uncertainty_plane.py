r"""All optimal networks in the plane, as a map of what the data leave open.

    width(x) = max f(x) - min f(x)   over all networks f of least cost with f(x_i) = y_i

Nine points of a checkerboard do not determine their cheapest interpolant: networks of the same, least cost disagree
between and beyond the points. At any x the set of all of them has a smallest and a largest prediction, found by two
linear programs; the map shows the difference. Where it is zero all optimal networks agree. To the left are the two that
disagree most in the middle of the map.
"""

from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

import cvxrelu as cr
from cvxrelu.plots import INK, plot_network_2d

X = np.array([[i, j] for i in (-1.0, 0.0, 1.0) for j in (-1.0, 0.0, 1.0)])
Y = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0])
REACH, GRID = 1.25, 21
WIDTHS = ["#ffffff", "#f3c9a5", "#d55e00", "#5c2600"]


def main(output: Path = Path("example_output")) -> None:
    """Draw two optimal networks and the map of the width into `output`."""
    optima = cr.optimal_set(cr.solve(cr.Problem(X, Y)))
    ticks = np.linspace(-REACH, REACH, GRID)
    places = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    extremes = optima.extreme_predictions(places)
    inner = np.abs(places).max(axis=1) < 1
    widest = int(np.argmax(np.where(inner, extremes.width, 0.0)))
    print(f"Optimal networks differ by up to {extremes.width[widest]:.4f} between the points, at {places[widest]}.")

    figure = Figure(figsize=(13.5, 4.7), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    for axes, member, name in zip(panels, (extremes.lowest[widest], extremes.highest[widest]), "lh", strict=False):
        plot_network_2d(member.network, X, Y, axes)
        axes.set_title(
            f"{'Smallest' if name == 'l' else 'Largest'} prediction at the cross\n"
            f"cost {member.objective:.4f}, gap {member.relative_gap:.0e}, {member.network.n_neurons} neurons"
        )
    width = extremes.width.reshape(GRID, GRID)
    colours = LinearSegmentedColormap.from_list("width", WIDTHS)
    image = panels[2].contourf(ticks, ticks, width, levels=np.linspace(0, width.max(), 25), cmap=colours)
    figure.colorbar(
        image, ax=panels[2], label="largest minus smallest prediction", ticks=np.arange(0, width.max(), 0.5)
    )
    for label, marker in ((1.0, "o"), (-1.0, "s")):
        panels[2].scatter(*X[label == Y].T, c="white", edgecolors=INK, marker=marker, s=50, zorder=4)
    panels[2].set(xlabel="$x_1$")
    panels[2].set_title("How far all optimal networks disagree")
    for axes in panels:
        cross = {"color": INK, "markersize": 9, "markeredgewidth": 2, "zorder": 5, "label": "largest disagreement"}
        axes.plot(*places[widest], "x", linestyle="", **cross)
        axes.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False)
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "uncertainty_plane.png", dpi=90)
    print(f"Wrote {output / 'uncertainty_plane.png'}.")


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
