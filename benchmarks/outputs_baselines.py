r"""Several outputs beside other packages: lower bounds against SDPNN-IW's relaxation, and networks against pyscnn's.

    min  (1/2N) norm(f(X) - Y)^2 + alpha sum_j norm(v_j) norm(w_j),    ReLU, no biases

is what both can be held against. SDPNN-IW's relaxation (`benchmarks.baselines.lifted_relaxation`) is a lower bound for
it, with beta = N alpha in the units of its paper. pyscnn has no neurons that outputs share: it minimises the same with
norm(v_j)_1, on the sign patterns of random gates, so K networks of one output, certified, stand beside it as well. The
objective above scores all networks, and lower bounds are told in shares of the best objective of all.

    PYSCNN_PYTHON=... python -m benchmarks.outputs_baselines
"""

import argparse
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import cvxpy as cp
import numpy as np
from sklearn.datasets import load_iris

import cvxrelu as cr
from benchmarks.baselines import lifted_relaxation, pyscnn
from benchmarks.experiments.shared_digits import stacked
from benchmarks.harness import RESULTS, Record, environment, isolated, read, score, table, timed, update_page, write

NAME = "outputs_baselines"
# The weight of SDPNN-IW's experiments, of a sum over samples.
BETA = 0.1
OUTPUTS, TEACHER_NEURONS, NOISE = 3, 5, 0.1
# Random gates of pyscnn, and the seconds it gets; seconds of cvxrelu, for one network and for K; its tolerance.
GATES, PYSCNN_SECONDS, SECONDS, TOL = (30, 100), 60.0, 30.0, 1e-6


def teacher(n_samples: int, n_features: int) -> cr.Problem:
    """Return normal inputs, and three outputs of five random neurons that they share, with noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    W, V = rng.standard_normal((n_features, TEACHER_NEURONS)), rng.standard_normal((TEACHER_NEURONS, OUTPUTS))
    Y = np.maximum(X @ W, 0) @ V / TEACHER_NEURONS
    return _problem(X, Y + NOISE * rng.standard_normal(Y.shape))


def iris(n_samples: int) -> cr.Problem:
    """Return flowers of iris, standardised, and indicators of their three kinds."""
    X, y = cast("Any", load_iris(return_X_y=True))
    chosen = np.random.default_rng(0).permutation(len(y))[:n_samples]
    X = X[chosen]
    return _problem((X - X.mean(axis=0)) / X.std(axis=0), np.eye(OUTPUTS)[y[chosen]])


def _problem(X: np.ndarray, Y: np.ndarray) -> cr.Problem:
    return cr.Problem(X, Y, loss="squared", bias="none", alpha=BETA / len(X))


CASES: dict[str, Callable[[], cr.Problem]] = {
    "teacher, d=2, N=10": partial(teacher, 10, 2),
    "teacher, d=2, N=20": partial(teacher, 20, 2),
    "teacher, d=2, N=30": partial(teacher, 30, 2),
    "iris, N=10": partial(iris, 10),
    "iris, N=20": partial(iris, 20),
    "iris, N=30": partial(iris, 30),
    "teacher, d=5, N=30": partial(teacher, 30, 5),
    "teacher, d=10, N=30": partial(teacher, 30, 10),
}


def measure(name: str) -> Record:
    """Return what the relaxation and our own fits are worth on a case; each is warm, as kernels are compiled once."""
    problem = CASES[name]()
    for warm in (problem, separate(problem)[0]):
        _solved(warm, 1.0)
    fit = timed(_solved, problem, SECONDS)
    apart = timed(lambda: [_solved(one, SECONDS / problem.n_outputs) for one in separate(problem)])
    lifted = timed(_lifted, problem)
    alone = stacked([one.network for one in apart.value])
    certificate = fit.value.certificate
    return {
        "n_samples": problem.n_samples,
        "n_features": problem.n_features,
        "n_outputs": problem.n_outputs,
        "alpha": problem.alpha,
        "cvxrelu": {"lower": certificate.lower, "relative_gap": certificate.relative_gap, "seconds": fit.seconds}
        | {"bounds after seconds": [[row.seconds, row.lower] for row in fit.value.history]}
        | score(problem, fit.value.network),
        "apart": {"lower": sum(one.certificate.lower for one in apart.value), "seconds": apart.seconds}
        | score(problem, alone),
        "SDPNN-IW": {"side": lifted_relaxation.side(problem)} | lifted.value,
    }


def separate(problem: cr.Problem) -> list[cr.Problem]:
    """Return the problem of each output by itself."""
    return [cr.Problem(problem.X, y, loss="squared", bias="none", alpha=problem.alpha) for y in problem.y.T]


def _solved(problem: cr.Problem, seconds: float) -> cr.Fit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        return cr.solve(problem, tol=TOL, time_limit=seconds, random_state=0)


def _lifted(problem: cr.Problem) -> Record:
    try:
        lifted = lifted_relaxation.lower_bound(problem)
    except cp.SolverError as error:
        return {"failure": str(error)}
    return {"lower": lifted.value, "seconds": lifted.seconds, "status": lifted.status}


def run(output: Path, names: Iterable[str] = CASES, pyscnn_seconds: float = PYSCNN_SECONDS) -> Record:
    """Run cases, merge them into ``outputs_baselines.json`` one by one, and return all that it holds."""
    record = read(output, NAME)
    without_pyscnn = pyscnn.available()
    for name in names:
        before = environment()
        row = isolated(measure, name)
        problem = CASES[name]()
        row["pyscnn"] = without_pyscnn or [
            pyscnn.recorded(problem, gates, pyscnn_seconds, dtype="float64") for gates in GATES
        ]
        cases = record.get("cases", {}) | {name: row | {"environment": before}}
        record = {
            "benchmark": NAME,
            "notes": "Wall clock, kernels compiled. SDPNN-IW: its relaxation, written down in cvxpy, without its code.",
            "cases": {known: cases[known] for known in CASES if known in cases},
        }
        write(output, NAME, record)
    cases = read(output, NAME)["cases"]
    update_page(output, "outputs-bounds", bounds_table(cases))
    if compared := networks_table(cases):
        update_page(output, "outputs-networks", compared)
    return record


def bounds_table(cases: Mapping[str, Record]) -> str:
    """Return the table of lower bounds, in shares of the best objective there is."""
    rows = []
    for name, row in cases.items():
        if "failure" in row:
            continue
        ours, theirs, best = row["cvxrelu"], row["SDPNN-IW"], best_objective(row)
        failed = "failure" in theirs
        rows.append(
            {
                "problem": name,
                "best objective": f"{best:.6g}",
                "cvxrelu: bound": f"{ours['lower'] / best:.6f}",
                "seconds": f"{ours['seconds']:.2f}",
                "SDPNN-IW: bound": theirs["failure"] if failed else f"{theirs['lower'] / best:.6f}",
                "side": theirs["side"],
                "seconds ": "" if failed else f"{theirs['seconds']:.2f}",
                "cvxrelu has that bound after": "" if failed else _overtaken(ours, theirs["lower"]),
            }
        )
    return table(rows) if rows else ""


def _overtaken(ours: Record, bound: float) -> str:
    found = [seconds for seconds, lower in ours["bounds after seconds"] if lower >= bound]
    if found:
        return f"{found[0]:.2f} s"
    return f"{ours['seconds']:.2f} s" if ours["lower"] >= bound else "never"


def best_objective(row: Record) -> float:
    """Return the least objective of a case's networks, whoever found it."""
    found = [row["cvxrelu"], row["apart"], *(row["pyscnn"] if isinstance(row["pyscnn"], list) else [])]
    return min(one["objective"] for one in found if "objective" in one)


def networks_table(cases: Mapping[str, Record]) -> str:
    """Return the table of networks: ours, that of K problems apart, and pyscnn's; empty without pyscnn."""
    rows = []
    for name, case in cases.items():
        if "failure" in case or not isinstance(case["pyscnn"], list):
            continue
        ways = {"cvxrelu, one network": case["cvxrelu"], f"cvxrelu, {case['n_outputs']} networks": case["apart"]}
        ways |= {f"pyscnn, {one['gates']} gates": one for one in case["pyscnn"]}
        for way, one in ways.items():
            if "failure" in one:
                line = {"objective": one["failure"], "of one network's": "", "neurons": "", "seconds": ""}
            else:
                line = {
                    "objective": f"{one['objective']:.6f}",
                    "of one network's": f"{one['objective'] / case['cvxrelu']['objective']:.4f}",
                    "neurons": f"{one['neurons']}",
                    "seconds": f"{one['seconds']:.2f}",
                }
            rows.append({"problem": name, "method": way} | line)
    return table(rows) if rows else ""


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Several outputs beside SDPNN-IW's relaxation and pyscnn.")
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES), help="cases to run, all by default")
    parser.add_argument("--pyscnn-seconds", type=float, default=PYSCNN_SECONDS, help="for each of its networks")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    if absent := pyscnn.available():
        print(absent)
    cases = run(options.output, options.only, options.pyscnn_seconds)["cases"]
    print("\n\n".join([bounds_table(cases), networks_table(cases)]))


if __name__ == "__main__":
    main()
