r"""The picture at the top of the README: a network on a line and one in the plane, both proven optimal.

    left:   min sum_j abs(v_j w_j)            subject to   f(x_i) = y_i
    right:  min sum_j abs(v_j) norm(w_j)      subject to   y_i f(x_i) >= 1

over networks f(x) = sum_j v_j max(w_j . x + b_j, 0) + c of every width. The line carries the six points of Kumar &
Haupt, the plane two spirals.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from cvxrelu.plots import plot_network_1d, plot_network_2d

LINE_X = [[-1.0], [-0.6], [-0.2], [0.2], [0.6], [1.0]]
LINE_Y = [1.0, -1.0, 1.0, 1.0, -1.0, 1.0]
POINTS_PER_ARM = 22
TURNS = 0.9


def two_spirals() -> tuple[np.ndarray, np.ndarray]:
    """Return points on two arms of a spiral and their labels."""
    radius = np.sqrt(np.linspace(0.05, 1.0, POINTS_PER_ARM))
    angle = 2 * np.pi * TURNS * radius
    arm = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    return np.vstack([arm, -arm]), np.repeat([1.0, -1.0], POINTS_PER_ARM)


def main(output: Path = Path("example_output")) -> None:
    """Fit both data sets and draw the picture into `output`."""
    figure = Figure(figsize=(10.5, 5.2), layout="constrained")
    line, plane = figure.subplots(1, 2)

    fit = cr.solve(cr.Problem(LINE_X, LINE_Y))
    print(f"Six points: cost {fit.objective:.4f}. {fit.certificate}")
    plot_network_1d(fit.network, LINE_X, LINE_Y, line)
    line.set(ylim=(-1.5, 2.7), xticks=[-1, 0, 1], yticks=[-1, 0, 1, 2])
    line.set_title(f"Interpolation\n{proof(fit)}", fontsize=12)

    X, y = two_spirals()
    fit = cr.solve(cr.Problem(X, y, loss="margin"), method="enumerate")
    print(f"Two spirals: cost {fit.objective:.4f}. {fit.certificate}")
    plot_network_2d(fit.network, X, y, plane)
    plane.set(xticks=[-1, 0, 1], yticks=[-1, 0, 1])
    plane.set_title(f"Classification\n{proof(fit)}", fontsize=12)

    for axes in (line, plane):
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.11), ncols=5, frameon=False, columnspacing=1.0, handlelength=1.5
        )
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "hero.png", dpi=100)
    print(f"Wrote {output / 'hero.png'}.")


def proof(fit: cr.Fit) -> str:
    """Return the cost and what the certificate says about it, in a line."""
    return f"cost {fit.objective:.4f}, certified optimal to a relative {fit.certificate.relative_gap:.0e}"


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
