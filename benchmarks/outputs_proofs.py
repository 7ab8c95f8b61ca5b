r"""Several outputs: seconds to a proof in the plane and beyond, joining the dots on the line, and digits beside an MLP.

The plane has 100 normal inputs and K = 3: normal targets, smooth ones with noise, labels of a checkered plane. Iris and
wine have three classes, alpha = 0.01. The teacher has ten inputs, five neurons, three outputs with noise, which are
interpolated, fitted with Huber's loss (alpha = 0.05) and taken as classes by the largest; N = 40. Dots are joined by
interpolants of 200 random draws of one input, K = 2, 3, 5: with a skip connection they cost the total variation of the
slopes of joining the dots in the Euclidean norm, and without one they join them, too. Digits are not proven;
scikit-learn's MLP minimises the same objective by L-BFGS, with N times our alpha, for norm(v) norm(w) is the least of
(norm(v)^2 + norm(w)^2) / 2.

    python -m benchmarks.outputs_proofs
"""

import argparse
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import cvxrelu as cr
from benchmarks.harness import RESULTS, Record, environment, isolated, read, table, timed, update_page, write

NAME = "outputs_proofs"
OUTPUTS, SAMPLES, NOISE = 3, 100, 0.1
# Relative gap to reach, and the most seconds for it; the tolerance at which dots are joined, and how many draws.
TOL, SECONDS, TOL_OF_DOTS, DRAWS = 1e-6, 60.0, 1e-8, 200
# Digits: regularisations, relative progress that ends our fit, seeds of both sides, width and iterations of the MLP,
# whose gradients are to fall to TOL (its default, 1e-4, ends it after a second, 2 % above).
ALPHAS_OF_DIGITS, TOL_OF_DIGITS, SEEDS, WIDTH, ITERATIONS = (1e-3, 1e-4, 1e-5), 1e-4, 3, 100, 5000


def plane(kind: str, alpha: float) -> cr.Problem:
    """Return inputs in the plane, with targets or labels of some kind."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((SAMPLES, 2))
    noise = rng.standard_normal((SAMPLES, OUTPUTS))
    if kind == "labels":
        labels = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 0] > 0.5)
        return cr.Problem(X, labels, "softmax", alpha=alpha)
    smooth = np.column_stack([np.sin(2 * X[:, 0]), np.cos(X[:, 1]), X[:, 0] * X[:, 1]]) + NOISE * noise
    return cr.Problem(X, noise if kind == "normal" else smooth, "squared", alpha=alpha)


def flowers_or_wines(load: Callable[..., Any]) -> cr.Problem:
    """Return a data set of three classes, standardised."""
    X, y = cast("Any", load(return_X_y=True))
    return cr.Problem((X - X.mean(axis=0)) / X.std(axis=0), y, "softmax", alpha=0.01)


def teacher(loss: str) -> cr.Problem:
    """Return outputs of a network with noise, or the largest of them as classes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 10))
    Y = np.maximum(X @ rng.standard_normal((10, 5)), 0.0) @ rng.standard_normal((5, OUTPUTS))
    Y += NOISE * rng.standard_normal(Y.shape)
    y = np.unique(Y.argmax(axis=1), return_inverse=True)[1] if loss == "multiclass-margin" else Y
    return cr.Problem(X, y, loss, alpha=0.05 if loss == "huber" else None)


CASES: dict[str, Callable[[], cr.Problem]] = {
    f"plane, {kind}, alpha {alpha:g}": partial(plane, kind, alpha)
    for kind in ("normal", "smooth", "labels")
    for alpha in (0.005, 0.02, 0.1)
} | {"iris": partial(flowers_or_wines, load_iris), "wine": partial(flowers_or_wines, load_wine)}
CASES |= {f"teacher, {loss}": partial(teacher, loss) for loss in ("interpolation", "huber", "multiclass-margin")}


def measure(name: str, seconds: float) -> Record:
    """Return how far the proof of a case gets, with compiled kernels."""
    problem = CASES[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        cr.solve(problem, tol=1e-2, time_limit=1.0, random_state=0)
        run = timed(cr.solve, problem, tol=TOL, time_limit=seconds, random_state=0)
    certificate = run.value.certificate
    return {
        "objective": problem.objective(run.value.network),
        "relative_gap": certificate.relative_gap,
        "method": certificate.method,
        "neurons": run.value.network.n_neurons,
        "seconds": run.seconds,
    }


def dots(draws: int) -> Record:
    """Return the worst of interpolants of one input: gaps, and how far they are from joining the dots."""
    worst: dict[str, Record] = {}
    for skip in (True, False):
        gaps, costs, apart = [], [], []
        for seed in range(draws):
            rng = np.random.default_rng(seed)
            count, x = (2, 3, 5)[seed % 3], np.sort(rng.standard_normal(8))
            Y = rng.standard_normal((8, count))
            fit = cr.solve(cr.Problem(x[:, None], Y, skip=skip), tol=TOL_OF_DOTS, random_state=0)
            slopes = np.diff(Y, axis=0) / np.diff(x)[:, None]
            variation = float(np.linalg.norm(np.diff(slopes, axis=0), axis=1).sum())
            between = np.linspace(x[0], x[-1], 101)
            joined = np.column_stack([np.interp(between, x, column) for column in Y.T])
            gaps.append(fit.certificate.relative_gap)
            costs.append(abs(fit.objective / variation - 1))
            apart.append(float(np.abs(fit.network(between[:, None]) - joined).max() / np.abs(Y).max()))
        worst["skip" if skip else "no skip"] = {
            "relative_gap": max(gaps),
            "cost": max(costs) if skip else None,
            "function": max(apart),
        }
    return {"draws": draws, "worst": worst}


def digits(seeds: int, alphas: Iterable[float], rows: int | None = None) -> Record:
    """Return objectives and seconds of our networks and of trained ones, a seed each, for every regularisation."""
    X, y = cast("Any", load_digits(return_X_y=True))
    X, y = StandardScaler().fit_transform(X[:rows]), y[:rows]
    cr.solve(cr.Problem(X[:100], y[:100], "softmax", alpha=0.1), tol=0.1, prove=False, time_limit=1.0)
    found = []
    for alpha in alphas:
        problem = cr.Problem(X, y, "softmax", alpha=alpha)
        runs: dict[str, list[Record]] = {"cvxrelu": [], "MLP": []}
        for seed in range(seeds):
            ours = timed(cr.solve, problem, tol=TOL_OF_DIGITS, prove=False, time_limit=SECONDS, random_state=seed)
            strength, limits = len(X) * alpha, {"max_iter": ITERATIONS, "max_fun": 10**6, "tol": TOL}
            model = MLPClassifier((WIDTH,), solver="lbfgs", alpha=strength, random_state=seed, **limits)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of iterations, which the seconds tell
                theirs = timed(model.fit, X, y)
            for name, spent, network in (("cvxrelu", ours, ours.value.network), ("MLP", theirs, cr.as_network(model))):
                runs[name].append({"objective": problem.objective(network), "seconds": spent.seconds})
        found.append({"alpha": alpha, "runs": runs})
    return {"found": found}


def run(
    output: Path,
    names: Iterable[str] = CASES,
    seconds: float = SECONDS,
    draws: int = DRAWS,
    seeds: int = SEEDS,
    alphas: Iterable[float] = ALPHAS_OF_DIGITS,
    rows: int | None = None,
) -> Record:
    """Run cases, the dots and digits, merge them into ``outputs_proofs.json``, and return all that it holds."""
    cases = read(output, NAME).get("cases", {})
    for name in names:
        before = environment()
        cases[name] = isolated(measure, name, seconds) | {"environment": before}
    record = {
        "benchmark": NAME,
        "cases": {name: cases[name] for name in CASES if name in cases},
        "dots": isolated(dots, draws),
        "digits": isolated(digits, seeds, alphas, rows) | {"environment": environment()},
    }
    write(output, NAME, record)
    update_page(output, "outputs-proofs", proofs_table(record["cases"]))
    update_page(output, "outputs-dots", dots_table(record["dots"]))
    update_page(output, "outputs-digits", digits_table(record["digits"]["found"]))
    return record


def proofs_table(cases: Mapping[str, Record]) -> str:
    """Return the table of proven gaps."""
    return table(
        [
            {
                "problem": name,
                "objective": f"{row['objective']:.6g}",
                "proven gap": f"{row['relative_gap']:.1e}",
                "by": row["method"],
                "neurons": row["neurons"],
                "seconds": f"{row['seconds']:.2f}",
            }
            for name, row in cases.items()
        ]
    )


def dots_table(found: Record) -> str:
    """Return the table of joined dots, the worst of all draws."""
    return table(
        [
            {
                "": name,
                "draws": found["draws"],
                "proven gap": f"{row['relative_gap']:.1e}",
                "cost beside the total variation": "" if row["cost"] is None else f"{row['cost']:.1e}",
                "function beside the dots joined": f"{row['function']:.1e}",
            }
            for name, row in found["worst"].items()
        ]
    )


def digits_table(found: Iterable[Record]) -> str:
    """Return the table of digits, two rows for each regularisation."""
    rows = []
    for case in found:
        best = min(run["objective"] for runs in case["runs"].values() for run in runs)
        rows += [
            {
                "alpha": f"{case['alpha']:g}",
                "": name,
                "above the best of all runs": ", ".join(f"{run['objective'] / best - 1:.1e}" for run in runs),
                "seconds": ", ".join(f"{run['seconds']:.1f}" for run in runs),
            }
            for name, runs in case["runs"].items()
        ]
    return table(rows)


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description="Proofs of several outputs, and joining the dots.")
    parser.add_argument("--only", choices=CASES, nargs="*", default=list(CASES), help="cases to run, all by default")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    record = run(options.output, options.only)
    print(proofs_table(record["cases"]))
    print(dots_table(record["dots"]))
    print(digits_table(record["digits"]["found"]))


if __name__ == "__main__":
    main()
