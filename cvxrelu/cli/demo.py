"""The demonstration: four small problems, each with its certificate and its picture."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.files import writing
from cvxrelu.solving.fit import Fit, solve

__all__ = ["Case", "demo_cases", "run_demo"]

# The data of Kumar & Haupt, Figure 1.
SIX_POINTS = np.array([-1.0, -0.6, -0.2, 0.2, 0.6, 1.0]), np.array([1.0, -1.0, 1.0, 1.0, -1.0, 1.0])
DIABETES_ROWS, DIABETES_FEATURES = 40, ("bmi", "s5")


@dataclass(frozen=True)
class Case:
    """One problem of the demonstration, the words for its picture, and the name of its file."""

    title: str
    file: str
    labels: tuple[str, ...]
    problem: Problem


def demo_cases() -> Iterator[Case]:
    """Yield the problems of the demonstration."""
    x, y = SIX_POINTS
    for bias in ("free", "joint"):
        yield Case(f"six points, {bias} bias", f"six_points_{bias}", ("x", "f(x)"), Problem(x[:, None], y, bias=bias))

    rng = np.random.default_rng(0)
    corners = np.array([[-1, -1], [1, 1], [-1, 1], [1, -1]], dtype=float)
    X = np.repeat(corners, 8, axis=0) + 0.4 * rng.standard_normal((32, 2))
    labels = np.where(X[:, 0] * X[:, 1] > 0, 1.0, -1.0)
    yield Case("exclusive or, margin", "exclusive_or", ("$x_1$", "$x_2$"), Problem(X, labels, loss="margin"))

    from sklearn.datasets import load_diabetes

    data: Any = load_diabetes(scaled=False)
    columns = [data.feature_names.index(name) for name in DIABETES_FEATURES]
    X, y = data.data[:DIABETES_ROWS, columns], data.target[:DIABETES_ROWS]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    names = ("body mass index (standardised)", "log triglycerides (standardised)")
    yield Case("diabetes, squared loss", "diabetes", names, Problem(X, y, loss="squared", alpha=5.0))


def run_demo(output: Path) -> int:
    """Solve the cases, print a table on standard output, and save one picture each.

    Parameters
    ----------
    output : Path
        Folder for the pictures; made if it is missing.

    Returns
    -------
    int
        0, the exit code.
    """
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    header = f"{'problem':<24}{'objective':>14}{'lower bound':>14}{'rel. gap':>10}"
    header += f"{'patterns':>10}{'neurons':>9}{'seconds':>9}"
    print(header)
    for case in demo_cases():
        started = time.perf_counter()
        fit = solve(case.problem, "enumerate")
        _print_row(case, fit, time.perf_counter() - started)
        _draw(case, fit, output / f"{case.file}.png")
    print(f"\nThe lower bounds hold for networks of every width. Pictures are in {output}/.")
    return 0


def _print_row(case: Case, fit: Fit, seconds: float) -> None:
    row = f"{case.title:<24}{fit.objective:>14.8g}{fit.certificate.lower:>14.8g}{fit.certificate.relative_gap:>10.1e}"
    row += f"{fit.history[-1].patterns:>10}{fit.network.n_neurons:>9}{seconds:>9.2f}"
    print(row, flush=True)


def _draw(case: Case, fit: Fit, file: Path) -> None:
    from cvxrelu.plots.pictures import plot_network, save_picture

    axes = plot_network(fit.network, case.problem.X, case.problem.y)
    axes.set(
        xlabel=case.labels[0],
        title=f"{case.title}: objective {fit.objective:.5g}, gap {fit.certificate.relative_gap:.0e}",
    )
    axes.set_ylabel(case.labels[1])
    save_picture(axes, file)
