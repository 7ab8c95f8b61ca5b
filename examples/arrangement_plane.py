"""An arrangement in the plane: points and, dual to them, lines and the cells between them.

    y_i > m x_i + c      <=>      (m, c) is below the line c = y_i - m x_i

A line that sorts points of the plane into two sides, y = m x + c, is a point (m, c) of a second plane, where
the point (x_i, y_i) is the line of all that pass through it. Each cell between these lines is one sign
pattern. The picture shows both planes; the cell in yellow holds the lines in yellow, all of which sort the
points alike, and its edges are its facets, the points that those lines can meet.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection

import cvxrelu.arrangement as arr

INK, PAPER = "#22223b", "#fbfaf7"
ABOVE, BELOW, CHOSEN = "#c8553d", "#2e6f95", "#f2c14e"
WINDOW = np.array([[-2.6, 2.6], [-3.4, 3.4]])
LABEL_GAP = 0.32


def cell_polygon(lines, signs):
    """Vertices, in order, of the part of a cell inside the window; None if it is empty there."""
    (left, right), (bottom, top) = WINDOW
    box = np.array([[-1.0, 0.0, left], [1.0, 0.0, -right], [0.0, -1.0, bottom], [0.0, 1.0, -top]])
    halves = np.vstack([-signs[:, None] * lines, box])
    inside = interior_of(halves)
    if inside is None:
        return None
    corners = HalfspaceIntersection(halves, inside).intersections
    return corners[ConvexHull(corners).vertices]


def interior_of(halves):
    """Centre of the largest disc in {z : A z + b <= 0}, None if there is none to be seen."""
    norms = np.linalg.norm(halves[:, :2], axis=1)
    solution = linprog(
        [0.0, 0.0, -1.0],
        A_ub=np.column_stack([halves[:, :2], norms]),
        b_ub=-halves[:, 2],
        bounds=[(None, None), (None, None), (0.0, None)],
    )
    return solution.x[:2] if solution.success and solution.x[2] > 1e-6 else None


def main(output: Path = Path("example_output")) -> None:
    """Enumerate the patterns of seven points and draw both planes into `output`."""
    points = np.array([[-1.5, -0.6], [-0.9, 1.1], [-0.2, -1.0], [0.35, 0.55], [0.8, -0.3], [1.3, 1.2], [1.7, -1.1]])
    arrangement = arr.enumerate_patterns(points)
    patterns = arrangement.to_bool()
    facets = arrangement.facets()
    print(f"Seven points in the plane are sorted by lines in {len(arrangement)} ways.")
    # u = [w_1, w_2, b] with w_2 > 0 is the line y = m x + c, m = -w_1 / w_2 and c = -b / w_2, and sign + is
    # above it.
    lines = np.column_stack([points[:, 0], -np.ones(len(points)), points[:, 1]]) * [-1.0, 1.0, 1.0]
    polygons = {}
    for index, pattern in enumerate(patterns):
        polygon = cell_polygon(lines, np.where(pattern, 1.0, -1.0))
        if polygon is not None:
            polygons[index] = polygon
    balanced = [i for i in polygons if patterns[i].sum() == 3]
    chosen = max(balanced, key=lambda i: facets[i].sum() + 0.1 * ConvexHull(polygons[i]).volume)

    with mpl.rc_context({"font.family": "DejaVu Sans", "text.color": INK, "axes.labelcolor": INK}):
        figure = Figure(figsize=(12, 6.2), facecolor=PAPER, layout="constrained")
        primal, dual = figure.subplots(1, 2)
        draw_points(primal, points, patterns[chosen], polygons[chosen])
        draw_cells(dual, points, patterns, polygons, chosen, facets[chosen])
        figure.suptitle(f"Seven points, {len(arrangement)} sign patterns\n", fontsize=15)
        output.mkdir(parents=True, exist_ok=True)
        figure.savefig(output / "arrangement_plane.png", dpi=90, facecolor=PAPER)
    print(f"Wrote {output / 'arrangement_plane.png'}.")


def style(axes, title):
    """Quiet axes with a title."""
    axes.set_facecolor(PAPER)
    axes.set_title(title, fontsize=11, pad=20)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#d8d4c9")


def draw_points(axes, points, signs, polygon):
    """Draw the points, in the colour of their side, and hyperplanes of the chosen cell."""
    x = np.array([-2.3, 2.3])
    weights = np.random.default_rng(1).dirichlet(np.ones(len(polygon)), 26)
    for slope, offset in weights @ polygon:
        axes.plot(x, slope * x + offset, color=CHOSEN, lw=1.1, alpha=0.5, zorder=1)
    for corner in polygon:
        axes.plot(x, corner[0] * x + corner[1], color="#b98a17", lw=1.0, alpha=0.9, zorder=2)
    axes.scatter(*points.T, s=130, c=np.where(signs, ABOVE, BELOW), edgecolor=PAPER, lw=1.8, zorder=3)
    for i, point in enumerate(points):
        axes.annotate(str(i + 1), point, (0, 11), textcoords="offset points", ha="center", fontsize=10, zorder=4)
    axes.set_xlim(-2.1, 2.3)
    axes.set_ylim(-2.0, 2.1)
    style(axes, "Points, and lines $y = mx + c$ that sort them in one way")
    axes.set_xlabel("$x$")
    axes.set_ylabel("$y$")


def draw_cells(axes, points, patterns, polygons, chosen, bounding):
    """Draw the dual lines and the cells between them, shaded by how many points are above."""
    tints = mpl.colors.LinearSegmentedColormap.from_list("sides", ["#d3e4ee", "#f7f4ec", "#f3d5cc"])
    shades = tints(np.array([patterns[i].mean() for i in polygons]))
    axes.add_collection(PolyCollection(list(polygons.values()), facecolors=shades, edgecolors="none"))
    axes.add_collection(PolyCollection([polygons[chosen]], facecolors=CHOSEN, edgecolors="none", zorder=2))
    m = WINDOW[0]
    ends = []
    for i, (x, y) in enumerate(points):
        colour = ABOVE if patterns[chosen][i] else BELOW
        axes.plot(m, y - m * x, color=colour, lw=2.8 if bounding[i] else 1.1, zorder=3)
        ends.append((y - m[1] * x, i, colour))
    height = -np.inf
    for end, i, colour in sorted(ends):
        inside = WINDOW[1, 0] < end < WINDOW[1, 1]
        x, y = points[i]
        if inside:
            height = max(end, height + LABEL_GAP)
            place, offset = (m[1], height), (10, -4)
        else:
            edge = WINDOW[1, int(end > 0)]
            place, offset = ((y - edge) / x, edge), (0, 7 if end > 0 else -15)
        axes.annotate(str(i + 1), place, offset, textcoords="offset points", ha="center", color=colour)
    axes.set_xlim(*WINDOW[0])
    axes.set_ylim(*WINDOW[1])
    style(axes, "The lines dual to the points: each cell is one pattern")
    axes.set_xlabel("slope $m$", labelpad=16)
    axes.set_ylabel("offset $c$")


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
