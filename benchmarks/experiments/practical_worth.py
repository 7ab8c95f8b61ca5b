"""Is the certified network of use to a practitioner? Test errors, tuning and time on five data sets of scikit-learn.

Every method chooses its hyperparameters by cross-validation inside the training part of a split, all on the same
splits, with the same inner folds and standardised inputs (regression: targets as well), on one thread:

    cvxrelu     ReLURegressorCV or ReLUClassifierCV (logistic): alpha on its default grid
    MLP         scikit-learn's network, L-BFGS: width and weight decay
    kernel      kernel ridge or support vector machine with the RBF kernel: regularisation and length scale
    boosting    HistGradientBoosting: learning rate and leaves
    linear      RidgeCV or LogisticRegressionCV: regularisation

cvxrelu has a tolerance and a time limit for each fit, and sees the leading principal components of data with many
features (by default, of breast cancer and digits); the others see all features. The error is the mean squared error
over the variance of all targets, or the share of wrong labels.
"""

import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from joblib import Parallel, delayed
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

import cvxrelu as cr
from benchmarks.experiments.common import bare, command_line, publish
from benchmarks.harness import Record, median
from cvxrelu.plots import BLUE, INK

Array = NDArray[np.float64]

DATA = ("diabetes", "breast_cancer", "wine", "iris", "digits")
REGRESSION = ("diabetes",)
OURS = "cvxrelu"
METHODS = (OURS, "MLP", "kernel", "boosting", "linear")
# The grids of the others, around scikit-learn's defaults.
MLP_GRID = {"hidden_layer_sizes": [(10,), (100,)], "alpha": [1e-3, 1e-1, 1e1]}
RIDGE_GRID = {"alpha": [1e-3, 1e-2, 1e-1, 1.0], "gamma": [1e-3, 1e-2, 1e-1, 1.0]}
SVM_GRID = {"C": [0.1, 1.0, 10.0, 100.0], "gamma": [1e-3, 1e-2, 1e-1, 1.0]}
BOOSTING_GRID = {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [4, 16]}
LINEAR_STRENGTHS = np.logspace(-3, 3, 7)
# Enough steps of L-BFGS; runs that end earlier are counted in the record.
MLP_STEPS = 500
# A mean difference is called one from so many of its standard errors.
CLEAR = 2.0


@dataclass(frozen=True)
class Size:
    """Data; samples of each and of the digits; our most features; folds, repeats; our grid and limits; processes."""

    data: tuple[str, ...] = DATA
    samples: int = 600
    digits: int = 200
    components: int = 16
    folds: int = 5
    repeats: int = 3
    inner_folds: int = 3
    n_alphas: int = 5
    tol: float = 1e-2
    time_limit: float = 0.5
    n_jobs: int = 2


LARGE = Size(digits=1797, components=30, repeats=5, inner_folds=5, n_alphas=10, time_limit=10.0)


@dataclass(frozen=True)
class Contender:
    """An estimator, the hyperparameters it tunes, and how many values of them it tries."""

    estimator: Any
    hyperparameters: int
    candidates: int


def load(name: str, size: Size) -> tuple[Array, NDArray[Any]]:
    """Return inputs and targets; larger data sets are subsampled, classes in proportion."""
    X, y = cast("Any", getattr(datasets, f"load_{name}")(return_X_y=True))
    samples = size.digits if name == "digits" else size.samples
    if len(y) <= samples:
        return X, y
    labels = None if name in REGRESSION else y
    X, _, y, _ = cast("Any", train_test_split(X, y, train_size=samples, random_state=0, stratify=labels))
    return X, y


def contender(method: str, data: str, n_features: int, size: Size) -> Contender:
    """Return a method for a data set."""
    classify = data not in REGRESSION
    if method == OURS:
        return _ours(classify, n_features, size)
    if method == "linear":
        count, strengths = len(LINEAR_STRENGTHS), LINEAR_STRENGTHS
        if classify:
            model = LogisticRegressionCV(Cs=cast("Any", strengths), cv=size.inner_folds, max_iter=1000)
        else:
            model = RidgeCV(strengths, cv=size.inner_folds)
        return Contender(_prepared(model, classify), 1, count)
    model, grid = {
        ("MLP", True): (MLPClassifier(solver="lbfgs", max_iter=MLP_STEPS, random_state=0), MLP_GRID),
        ("MLP", False): (MLPRegressor(solver="lbfgs", max_iter=MLP_STEPS, random_state=0), MLP_GRID),
        ("kernel", True): (SVC(), SVM_GRID),
        ("kernel", False): (KernelRidge(kernel="rbf"), RIDGE_GRID),
        ("boosting", True): (HistGradientBoostingClassifier(random_state=0), BOOSTING_GRID),
        ("boosting", False): (HistGradientBoostingRegressor(random_state=0), BOOSTING_GRID),
    }[method, classify]
    search = GridSearchCV(model, cast("Any", grid), cv=size.inner_folds)
    return Contender(_prepared(search, classify), len(grid), len(ParameterGrid(grid)))


def _ours(classify: bool, n_features: int, size: Size) -> Contender:
    options: Any = {name: getattr(size, name) for name in ("n_alphas", "tol", "time_limit")}
    options |= {"cv": size.inner_folds, "random_state": 0}
    model = cr.ReLUClassifierCV(**options) if classify else cr.ReLURegressorCV(**options)
    steps = [PCA(size.components, random_state=0)] if n_features > size.components else []
    return Contender(_prepared(model, classify, *steps), 1, size.n_alphas)


def _prepared(model: Any, classify: bool, *steps: Any) -> Any:
    """Return the model behind a scaler of the inputs, and for regression of the targets."""
    pipeline = make_pipeline(StandardScaler(), *steps, model)
    return pipeline if classify else TransformedTargetRegressor(pipeline, transformer=StandardScaler())


def evaluate(method: str, data: str, split: int, size: Size) -> Record:
    """Tune and fit a method on one split, and return its test error, effort and processor seconds."""
    X, y = load(data, size)
    regression = data in REGRESSION
    splitter = (RepeatedKFold if regression else RepeatedStratifiedKFold)(
        n_splits=size.folds, n_repeats=size.repeats, random_state=0
    )
    train, test = list(splitter.split(X, y))[split]
    chosen = contender(method, data, X.shape[1], size)
    with threadpool_limits(1), warnings.catch_warnings(record=True) as raised:
        # What stays open or stops early is counted; what will change in scikit-learn is not.
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", FutureWarning)
        started = time.process_time()
        chosen.estimator.fit(X[train], y[train])
        seconds = time.process_time() - started
        predictions = chosen.estimator.predict(X[test])
    return {
        "data": data,
        "method": method,
        "split": split,
        "error": float(
            np.mean((predictions - y[test]) ** 2) / np.var(y) if regression else np.mean(predictions != y[test])
        ),
        "hyperparameters": chosen.hyperparameters,
        "candidates": chosen.candidates,
        # The value chosen is fitted once more, to all data.
        "fits": chosen.candidates * size.inner_folds + 1,
        "seconds": seconds,
        "warnings": dict(Counter(warning.category.__name__ for warning in raised)),
    } | (_proven(chosen.estimator) if method == OURS else {})


def _proven(estimator: Any) -> Record:
    """Return what is proven about the final network, and how many neurons it has."""
    model = getattr(estimator, "regressor_", estimator)[-1]
    fits = model.fits_ if hasattr(model, "fits_") else [model.fit_]
    return {
        "alpha": model.alpha_,
        "alphas": model.alphas_,
        "relative_gaps": [fit.certificate.relative_gap for fit in fits],
        "neurons": [fit.network.n_neurons for fit in fits],
    }


def run(output: Path, size: Size) -> Record:
    """Run the comparison, and write ``practical_worth.json``, ``practical_worth.png`` and the table."""
    tasks = [
        (method, data, split)
        for method in METHODS
        for data in reversed(size.data)
        for split in range(size.folds * size.repeats)
    ]
    rows = cast("list[Record]", Parallel(n_jobs=size.n_jobs)(delayed(evaluate)(*task, size) for task in tasks))
    record = {"seeds": "0 for subsamples, splits and methods", "grids": grids(), "runs": rows}
    return publish(output, "practical_worth", size, record, draw(rows), errors_table(rows))


def grids() -> Record:
    """Return the values that the other methods try."""
    return {
        "MLP": MLP_GRID,
        "kernel ridge": RIDGE_GRID,
        "support vector machine": SVM_GRID,
        "boosting": BOOSTING_GRID,
        "linear": LINEAR_STRENGTHS,
    }


def column(rows: Sequence[Record], data: str, method: str, name: str) -> Array:
    """Return a number of one method on all splits of a data set."""
    return np.array([row[name] for row in rows if (row["data"], row["method"]) == (data, method)])


def mean_and_error(values: Array) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def errors_table(rows: Sequence[Record]) -> list[Record]:
    """Return the table: mean errors, mean differences on the same splits, effort and time."""
    lines = []
    for data in sorted({row["data"] for row in rows}, key=DATA.index):
        ours = column(rows, data, OURS, "error")
        for method in METHODS:
            errors = column(rows, data, method, "error")
            mean, deviation = mean_and_error(errors)
            difference, spread = mean_and_error(ours - errors)
            clear = abs(difference) > CLEAR * spread
            first = next(row for row in rows if (row["data"], row["method"]) == (data, method))
            lines.append(
                {
                    "data": data,
                    "method": method,
                    "test error": f"{100 * mean:.1f} ± {100 * deviation:.1f} %",
                    "cvxrelu's minus this": "–"
                    if method == OURS
                    else f"{100 * difference:+.1f} ± {100 * spread:.1f} %",
                    "cvxrelu": "–"
                    if method == OURS
                    else (("loses" if difference > 0 else "wins") if clear else "level"),
                    "tuned": first["hyperparameters"],
                    "values tried": first["candidates"],
                    "fits": first["fits"],
                    "processor seconds": f"{median(column(rows, data, method, 'seconds')):.2f}",
                }
            )
    return lines


def draw(rows: Sequence[Record]) -> Figure:
    """Return the figure: mean errors with their standard errors, a panel for each data set."""
    names = sorted({row["data"] for row in rows}, key=DATA.index)
    figure = Figure(figsize=(2.2 * len(names) + 1.4, 2.8), layout="constrained")
    grid = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, data in zip(grid, names, strict=True):
        for place, method in enumerate(METHODS):
            mean, deviation = mean_and_error(100 * column(rows, data, method, "error"))
            colour = BLUE if method == OURS else INK
            axes.errorbar(mean, place, xerr=deviation, fmt="o", color=colour, markersize=6, capsize=3)
        axes.set_title(data.replace("_", " "), fontsize=11)
        axes.set_xlabel("squared error, % of variance" if data in REGRESSION else "wrong labels, %")
        axes.margins(x=0.15, y=0.12)
        bare(axes)
    grid[0].set_yticks(range(len(METHODS)), METHODS)
    grid[0].invert_yaxis()
    return figure


if __name__ == "__main__":
    command_line(run, Size(), LARGE, __doc__)
