"""What a newcomer meets first: the import, the first solve of a fresh install, and estimators with their defaults.

    python -m benchmarks.first_hour

Seconds are those of fresh processes. "First" is with an empty folder for compiled kernels, "warm" once they are there.
Scores are means over three folds, R^2 of regressors and accuracy of classifiers, on features as they come and behind a
`StandardScaler`, next to what scikit-learn's networks and support vector machines make of their own defaults.
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

import cvxrelu as cr
from benchmarks.harness import Record, environment, median, output_folder, table, timed, update_page, write

FOLDS, REPETITIONS = 3, 5

SOLVES = {
    "line": "Problem(X[:, :1], y), prove=False",
    "plane": "Problem(X[:, :2], y), prove=False",
    "five features": "Problem(X, y, loss='squared', alpha=0.05), prove=False",
    "five features, with a proof": "Problem(X, y, loss='squared', alpha=0.05)",
}
SOLVE = """
import json, time
started = time.perf_counter()
import numpy as np
from cvxrelu import Problem, solve
rng = np.random.default_rng(0)
X, y = rng.standard_normal((30, 5)), rng.standard_normal(30)
solve({arguments})
print(json.dumps(time.perf_counter() - started))
"""
IMPORT = """
import json, time
started = time.perf_counter()
{statement}
print(json.dumps(time.perf_counter() - started))
"""

Data = tuple[np.ndarray, np.ndarray]
DATA: dict[str, Callable[[], Data]] = {
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "digits": lambda: datasets.load_digits(return_X_y=True),
    "Friedman #1": lambda: datasets.make_friedman1(5000, 6, noise=1.0, random_state=0),
}


def seconds(code: str, folder: str) -> float:
    """Return the seconds that a fresh interpreter reports, with compiled kernels in a folder."""
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"NUMBA_CACHE_DIR": folder},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(run.stdout))


def startup() -> list[Record]:
    """Return the seconds of imports and of first and warm solves."""
    rows: list[Record] = []
    statements = ("import cvxrelu", "from cvxrelu import Problem, solve", "from cvxrelu import ReLURegressor")
    for statement in statements:
        code = IMPORT.format(statement=statement)
        with tempfile.TemporaryDirectory() as folder:
            runs = [seconds(code, folder) for _ in range(1 + REPETITIONS)]
        rows.append({"what": f"`{statement}`", "first": None, "warm": median(runs[1:])})
    for name, arguments in SOLVES.items():
        code = SOLVE.format(arguments=arguments)
        with tempfile.TemporaryDirectory() as folder:
            first, *warm = [seconds(code, folder) for _ in range(1 + REPETITIONS)]
        rows.append({"what": f"import and solve 30 samples, {name}", "first": first, "warm": median(warm)})
    return rows


def models(classes: bool) -> Iterator[tuple[str, Any]]:
    """Return estimators with their defaults, and a seed where there is one."""
    yield "cvxrelu", cr.ReLUClassifier(random_state=0) if classes else cr.ReLURegressor(random_state=0)
    yield "MLP", MLPClassifier(random_state=0) if classes else MLPRegressor(random_state=0)
    yield "SVM", SVC() if classes else SVR()


def defaults(name: str) -> list[Record]:
    """Return scores and seconds of all estimators on one data set."""
    X, y = DATA[name]()
    classes = len(np.unique(y)) <= 10
    folds = (StratifiedKFold if classes else KFold)(FOLDS, shuffle=True, random_state=0)
    rows: list[Record] = []
    for scaled in (False, True):
        for method, model in models(classes):
            scores, times, warned = [], [], 0
            for train, test in folds.split(X, y):
                chain = make_pipeline(StandardScaler(), model) if scaled else model
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    times.append(timed(chain.fit, X[train], y[train]).seconds)
                scores.append(float(chain.score(X[test], y[test])))
                warned += bool(caught)
            row = {"data": name, "scaled": scaled, "method": method, "score": float(np.mean(scores))}
            rows.append(row | {"scores": scores, "seconds": median(times), "fits_that_warned": warned})
            print(row | {"seconds": round(median(times), 1), "warned": warned}, flush=True)
    return rows


def page(record: Record) -> str:
    """Return the section of the page of results."""
    starts = [
        {
            "what": row["what"],
            "first, s": "" if row["first"] is None else f"{row['first']:.2f}",
            "warm, s": f"{row['warm']:.2f}",
        }
        for row in record["startup"]
    ]
    cells = {(row["data"], row["scaled"], row["method"]): row for row in record["defaults"]}
    scores = []
    for name in DATA:
        for scaled in (False, True):
            found = {method: cells[name, scaled, method] for method in ("cvxrelu", "MLP", "SVM")}
            line = {"data": name, "features": "standardised" if scaled else "raw"}
            line |= {method: f"{row['score']:.3f} ({row['seconds']:.1f} s)" for method, row in found.items()}
            scores.append(
                line | {"fits that warned": " / ".join(str(row["fits_that_warned"]) for row in found.values())}
            )
    return f"{table(starts)}\n\n{table(scores)}"


def main(folder: Path) -> None:
    """Measure, and write the record and the section of the page."""
    record: Record = {"environment": environment(), "startup": startup()}
    record["defaults"] = [row for name in DATA for row in defaults(name)]
    write(folder, "first_hour", record)
    update_page(folder, "first_hour", page(record))


if __name__ == "__main__":
    main(output_folder(__doc__))
