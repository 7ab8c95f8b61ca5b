r"""How much is proven: the certified gap against time, and how it depends on alpha, N and d.

`solve` with nothing but a time limit, on the problems of the comparison that have four or more features and on three
large ones. Beside it what branch and bound on cones alone proves in a minute of its own, of the same network: the proof
before there was a relaxation. Gaps are rigorous, whatever they are proved by.

    python -m benchmarks.proof                       # everything, about an hour
    python -m benchmarks.proof --only wine digits    # these, merged into the results that are there
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from sklearn import datasets

import cvxrelu as cr
from benchmarks.harness import RESULTS, Record, environment, isolated, read, table, update_page, write
from benchmarks.problems import teacher
from benchmarks.suite import DEFAULT, SUITE
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.plots import BLUE, INK, ORANGE
from cvxrelu.solving.run import RELAXATION

NAME = "proof"
# Seconds for the problems of the comparison, for the large ones, for cones alone, and for each point of the grid.
SECONDS, LARGE_SECONDS, CONES_SECONDS, GRID_SECONDS = 300.0, 600.0, 60.0, 30.0


def whole_breast_cancer() -> cr.Problem:
    """Return all 569 tumours, standardised, logistic loss, alpha 0.01."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return cr.Problem(X, np.where(y == 1, 1.0, -1.0), "logistic", alpha=0.01)


def normal_teacher(n_samples: int, n_features: int, factor: float) -> cr.Problem:
    """Return the problem of a teacher with alpha times a factor."""
    base = teacher(n_samples, n_features)
    assert base.alpha is not None, "the loss of a teacher is regularised"
    return cr.Problem(base.X, base.y, "squared", bias="none", alpha=factor * base.alpha)


ORDINARY = ("iris", "teacher, d=5", "teacher, d=10", "teacher, d=20", "wine", "breast cancer", "digits", "diabetes")
CASES: dict[str, tuple[Callable[[], cr.Problem], float]] = {
    **{name: (partial(SUITE[name], DEFAULT), SECONDS) for name in ORDINARY},
    "teacher 500 x 10": (partial(teacher, 500, 10), LARGE_SECONDS),
    "teacher 1000 x 20": (partial(teacher, 1000, 20), SECONDS),
    "breast cancer, whole": (whole_breast_cancer, LARGE_SECONDS),
}
# One of (N, d, alpha / 1e-3) at a time, around (100, 10, 1).
GRID = ((50, 10, 1.0), (100, 10, 1.0), (200, 10, 1.0), (100, 6, 1.0), (100, 20, 1.0), (100, 10, 10.0), (100, 10, 100.0))


def prove(name: str) -> Record:
    """Solve one problem and return how its gap fell, and what cones alone prove."""
    make, seconds = CASES[name]
    problem = make()
    fit, took = _solved(problem, seconds)
    best = fit.objective
    path = [(row.seconds, max(1 - row.lower / best, 0.0)) for row in fit.history if row.note.startswith(RELAXATION)]
    force = problem.loss.force(fit.network(problem.X), problem.y)
    assert force is not None, "the losses of these problems are smooth"
    cones = certify_dual(problem, fit.network, force, time_limit=CONES_SECONDS)
    return {
        "samples": problem.n_samples,
        "features": problem.n_features,
        "objective": best,
        "gap": fit.certificate.relative_gap,
        "seconds": took,
        "limit": seconds,
        "method": fit.certificate.method,
        "status": fit.status.name,
        "outlook": fit.outlook,
        "path": path,
        "gap of cones alone": cones.relative_gap,
    }


def grid_point(n_samples: int, n_features: int, factor: float) -> Record:
    """Return the gap of one teacher after the time of the grid."""
    fit, took = _solved(normal_teacher(n_samples, n_features, factor), GRID_SECONDS)
    return {"gap": fit.certificate.relative_gap, "seconds": took, "neurons": fit.network.n_neurons}


def _solved(problem: cr.Problem, seconds: float) -> tuple[cr.Fit, float]:
    """Solve with a time limit, kernels compiled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        cr.solve(teacher(20, problem.n_features), time_limit=2.0)
        began = time.perf_counter()
        fit = cr.solve(problem, time_limit=seconds, random_state=0)
    return fit, time.perf_counter() - began


def run(output: Path, cases: Iterable[str] = tuple(CASES), grid: bool = True) -> Record:
    """Measure problems, merge them into ``proof.json``, draw ``proof.png``, and return what the former holds."""
    for name in cases:
        result = isolated(prove, name) | {"environment": environment()}
        _merge(output, "problems", name, result)
    for point in GRID if grid else ():
        _merge(output, "grid", "{} x {}, {:g}".format(*point), isolated(grid_point, *point))
    record = read(output, NAME)
    draw(record).savefig(output / f"{NAME}.png", dpi=110)
    update_page(output, NAME, proof_table(record))
    update_page(output, f"{NAME}_grid", grid_table(record))
    return record


def _merge(output: Path, section: str, name: str, result: Record) -> None:
    """Write one more result beside those that are there."""
    record = {"benchmark": NAME, "problems": {}, "grid": {}} | read(output, NAME)
    record[section][name] = result
    write(output, NAME, record)


def draw(record: Record) -> Figure:
    """Return the figure: gaps against seconds in logarithms, and on the right what cones alone prove in a minute."""
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    axes = figure.subplots()
    named = [(name, record["problems"][name]) for name in CASES if record["problems"].get(name, {}).get("path")]
    colours = [BLUE, ORANGE, "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", INK, "#6a3d9a", "#b15928", "#7f7f7f"]
    # Side by side, for those of the large problems are all near the top.
    places = CONES_SECONDS * 1.08 ** (np.arange(len(named)) - (len(named) - 1) / 2)
    for (name, result), place, colour in zip(named, places, colours, strict=False):
        seconds, gaps = np.array(result["path"]).T
        axes.loglog(
            seconds, np.maximum(100 * gaps, 1e-4), color=colour, linewidth=1.8, drawstyle="steps-post", label=name
        )
        axes.plot([place], [100 * result["gap of cones alone"]], "o", color=colour, markerfacecolor="none")
    axes.set(xlabel="seconds", ylabel="proven gap, per cent")
    axes.set_title(
        "Proven gap against time; circles, side by side: branch and bound on cones alone, one minute", fontsize=11
    )
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xticks([10, 20, 50, 100, 200, 500])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", color=INK, alpha=0.12)
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def proof_table(record: Record) -> str:
    """Return the table of the problems."""
    named = [(name, record["problems"][name]) for name in CASES if name in record["problems"]]
    return table(
        [
            {
                "problem": name,
                "N x d": f"{row['samples']} x {row['features']}",
                "gap, cones alone (60 s)": _percent(row["gap of cones alone"]),
                "gap after 10 s": _percent(_after(row, 10.0)),
                "after 60 s": _percent(_after(row, 60.0)),
                "at the end": _percent(row["gap"]),
                "seconds": f"{row['seconds']:.0f}",
                "proved by": row["method"],
            }
            for name, row in named
            if "failure" not in row
        ]
    )


def grid_table(record: Record) -> str:
    """Return the table of the grid."""
    rows = [(point, record["grid"].get("{} x {}, {:g}".format(*point))) for point in GRID]
    return table(
        [
            {"N": n, "d": d, "alpha": f"{1e-3 * factor:g}", "neurons": row["neurons"], "gap": _percent(row["gap"])}
            for (n, d, factor), row in rows
            if row
        ]
    )


def _after(row: Record, seconds: float) -> float | None:
    """Return the gap after so many seconds, that at the end if it was reached before; None before the relaxation."""
    gaps = [gap for at, gap in row["path"] if at <= seconds]
    if row["seconds"] <= seconds:
        return row["gap"]
    return min(gaps, default=None)


def _percent(gap: float | None) -> str:
    """Return a gap in per cent with two digits; less than 1e-4 % as that."""
    if gap is None:
        return "–"
    if gap < 1e-6:
        return "< 0.0001 %"
    return f"{100 * gap:.0f} %" if gap >= 0.1 else f"{100 * gap:.2g} %"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="The certified gap against time, with and without the relaxation.")
    parser.add_argument("--only", choices=CASES, nargs="+", help="these problems, without the grid")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    record = run(options.output, options.only or tuple(CASES), grid=options.only is None)
    print(proof_table(record))


if __name__ == "__main__":
    main()
