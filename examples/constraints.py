r"""Constraints of one's own on a globally optimal network: the convex program is the user's.

    min (1/N) sum_i (f(x_i) - y_i)^2 / 2 + alpha * cost(f)   subject to

    f(0) >= 1                          a value that is known
    f(g_1) <= f(g_2) <= ...            monotone from each point of a grid to the next
    mean_A f = mean_B f                the same mean for two groups, here the rows with x < 0 and the others

`cr.build_program` writes the problem in cvxpy, with predictions at given points as affine expressions. What is added
to it costs fit: the objective without the constraint is a lower bound of that with it.
"""

from pathlib import Path

import cvxpy as cp
import numpy as np
from matplotlib.figure import Figure

import cvxrelu as cr
from cvxrelu.plots import INK

FREE, BOUND = "#a8a8a8", "#d55e00"
GRID = np.linspace(-1.0, 1.0, 21)[:, None]


def data():
    """Return a wave that grows, with noise."""
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(-1, 1, 30))
    return x[:, None], np.sin(4 * x) * (0.6 + 0.6 * x) + 0.15 * rng.standard_normal(30)


def solve_with(problem, constrain, points=None):
    """Return the network and the objective under the constraints that `constrain` makes of a program."""
    program = cr.build_program(problem, points=points)
    model = cp.Problem(cp.Minimize(program.objective), [*program.constraints, *constrain(program)])
    model.solve(solver="CLARABEL", tol_gap_rel=1e-9, tol_feas=1e-9, tol_gap_abs=1e-9)
    return program.network(), float(model.value)


def known_value(program):
    """Ask for f(0) >= 1."""
    return [program.predict([[0.0]]) >= 1]


def monotone(program):
    """F rises from each point of the grid to the next."""
    return [cp.diff(program.predict(GRID)) >= 0]


def equal_means(program):
    """Ask for the same mean of f on the left and on the right."""
    left = program.problem.X[:, 0] < 0
    return [cp.mean(program.predictions[left]) == cp.mean(program.predictions[~left])]


def main(output: Path = Path("example_output")) -> None:
    """Draw the network without and with each constraint into `output`."""
    X, y = data()
    problem = cr.Problem(X, y, loss="squared", alpha=0.003)
    plain = cr.solve(problem)
    line = np.linspace(-1.1, 1.1, 400)[:, None]
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    cases = (
        ("$f(0) \\geq 1$", known_value, np.zeros((1, 1))),
        ("monotone on a grid", monotone, GRID),
        ("equal means of $x < 0$ and $x \\geq 0$", equal_means, None),
    )
    handles = {}
    for axes, (title, constrain, points) in zip(figure.subplots(1, 3, sharey=True), cases, strict=True):
        network, objective = solve_with(problem, constrain, points)
        words = title.replace("$", "").replace("\\geq", ">=")
        print(f"{words}: objective {objective:.5f}, {plain.objective:.5f} without it")
        axes.plot(X[:, 0], y, "o", color=INK, markersize=4, label="data")
        axes.plot(line[:, 0], plain.network(line), color=FREE, label="optimum without constraint")
        axes.plot(line[:, 0], network(line), color=BOUND, linewidth=2, label="optimum with it")
        if constrain is monotone:
            axes.plot(GRID[:, 0], network(GRID), "|", color=BOUND, markersize=9, label="grid")
        if constrain is known_value:
            axes.plot([0.0], [1.0], "x", color=BOUND, markersize=9, markeredgewidth=2, label="f is to be above")
        if constrain is equal_means:
            left = X[:, 0] < 0
            mean = float(network(X[left]).mean())
            axes.axhline(mean, color=BOUND, linestyle=":", label="mean of either side")
        axes.set_title(f"{title}\nobjective {objective:.4f}, without {plain.objective:.4f}")
        axes.set(xlabel="$x$", ylabel="$f(x)$" if constrain is known_value else "")
        axes.spines[["top", "right"]].set_visible(False)
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, frameon=False)
    output.mkdir(parents=True, exist_ok=True)
    figure.savefig(output / "constraints.png", dpi=90)
    print(f"Wrote {output / 'constraints.png'}.")


if __name__ == "__main__":
    from command_line import output_folder

    main(output_folder(__doc__))
