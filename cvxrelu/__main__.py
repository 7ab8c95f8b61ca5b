"""The command line: ``python -m cvxrelu fit | predict | demo``."""

import argparse
import csv
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import cvxrelu
from cvxrelu.demo import run_demo
from cvxrelu.errors import CvxReluError, InputError
from cvxrelu.fit import METHODS, Fit, solve
from cvxrelu.losses import LOSSES, get_loss
from cvxrelu.network import Network
from cvxrelu.problem import Problem
from cvxrelu.tables import Table, read_table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s")
    logging.captureWarnings(True)
    try:
        return options.run(options)
    except CvxReluError as error:
        print(f"cvxrelu: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("cvxrelu: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cvxrelu", description="Fit certified globally optimal ReLU networks.")
    parser.add_argument("--version", action="version", version=f"cvxrelu {cvxrelu.__version__}")
    parser.add_argument("--verbose", action="store_true", help="say what is being done and why")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fit = commands.add_parser("fit", help="fit a network to a CSV file", formatter_class=_Formatter)
    fit.set_defaults(run=_fit)
    fit.add_argument("data", metavar="DATA.csv", help="numbers with a header line")
    fit.add_argument("--target", required=True, metavar="COLUMN", help="column to predict; the others are inputs")
    fit.add_argument("--features", nargs="+", metavar="COLUMN", help="columns to use as inputs (default: all others)")
    fit.add_argument("--loss", choices=LOSSES, default="squared", help="what a prediction costs")
    fit.add_argument("--alpha", type=float, help="weight of the network's cost; needed by squared, logistic, hinge")
    fit.add_argument("--bias", choices=("free", "joint", "none"), default="free", help="what a neuron's bias costs")
    fit.add_argument("--negative-slope", type=float, default=0.0, help="slope of the leaky ReLU")
    fit.add_argument("--method", choices=("auto", *METHODS), default="auto", help="how sign patterns are found")
    fit.add_argument("--solver", default="CLARABEL", help="conic solver of cvxpy")
    fit.add_argument("--tol", type=float, default=1e-6, help="relative gap to reach")
    fit.add_argument("--time-limit", type=float, metavar="SECONDS", help="stop after this time")
    fit.add_argument("--random-state", type=int, default=0, help="seed of sampled patterns")
    fit.add_argument("--output", metavar="NET.npz", help="where to save the network")
    fit.add_argument("--plot", metavar="FIT.png", help="where to save a picture (one or two inputs)")
    fit.add_argument("--progress", action="store_true", help="show a progress bar")

    predict = commands.add_parser("predict", help="apply a saved network to a CSV file", formatter_class=_Formatter)
    predict.set_defaults(run=_predict)
    predict.add_argument("network", metavar="NET.npz", help="network saved by fit")
    predict.add_argument("data", metavar="DATA.csv", help="file with the columns the network was fitted to")
    predict.add_argument("--output", metavar="FILE.csv", help="where to write predictions (default: standard output)")

    demo = commands.add_parser("demo", help="fit four small problems, with pictures", formatter_class=_Formatter)
    demo.set_defaults(run=lambda options: run_demo(Path(options.output)))
    demo.add_argument("--output", metavar="FOLDER", default="demo_output", help="where to put the pictures")
    return parser


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Help that states defaults, except where there is none."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def _fit(options: argparse.Namespace) -> int:
    table = read_table(options.data)
    target = table.column(options.target)
    features = options.features or [name for name in table.names if name != options.target]
    if not features or options.target in features:
        raise InputError("The inputs must be at least one column, and not the target; see --features.")
    classes: list[str] = []
    if get_loss(options.loss).labels:
        y, classes = _labels(target, options.target)
    else:
        y = table.numbers([options.target])[:, 0]
    problem = Problem(
        table.numbers(features),
        y,
        loss=options.loss,
        bias=options.bias,
        alpha=options.alpha,
        negative_slope=options.negative_slope,
    )
    result = solve(
        problem,
        options.method,
        tol=options.tol,
        time_limit=options.time_limit,
        solver=options.solver,
        random_state=options.random_state,
        progress=options.progress,
    )
    print(_summary(result))
    if options.output:
        result.network.save(options.output, features=features, classes=np.array(classes, dtype=str))
    if options.plot:
        _plot(result, options.plot)
    return 0


def _labels(column: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """Return the two values of a column as -1 and +1, and the values."""
    values, codes = np.unique(column, return_inverse=True)
    if len(values) != 2:
        raise InputError(f"Column {name!r} has {len(values)} different values; a classification loss needs two.")
    return 2.0 * codes - 1.0, [str(value) for value in values]


def _summary(fit: Fit) -> str:
    certificate = fit.certificate
    rows = [
        ("objective", f"{fit.objective:.10g}"),
        ("proven lower bound", f"{certificate.lower:.10g}  ({certificate.scope})"),
        ("relative gap", f"{certificate.relative_gap:.1e}"),
        ("patterns", str(fit.history[-1].patterns)),
        ("neurons", str(fit.network.n_neurons)),
        ("seconds", f"{fit.history[-1].seconds:.2f}"),
        ("method", fit.method),
    ]
    return "\n".join(f"{name:<20}{value}" for name, value in rows) + f"\n{fit.status.value}"


def _plot(fit: Fit, path: str) -> None:
    from cvxrelu.plots import plot_network, save_picture

    axes = plot_network(fit.network, fit.problem.X, fit.problem.y)
    axes.set_title(f"objective {fit.objective:.6g}, relative gap {fit.certificate.relative_gap:.1e}")
    save_picture(axes, path)


def _predict(options: argparse.Namespace) -> int:
    network = Network.load(options.network)
    features, classes = _notes(options.network, network.n_features)
    table: Table = read_table(options.data)
    scores = network(table.numbers(features))
    if classes:
        rows = [(classes[int(score > 0)], f"{score:.17g}") for score in scores]
    else:
        rows = [(f"{score:.17g}",) for score in scores]
    header = ("prediction", "score") if classes else ("prediction",)
    if options.output is None:
        csv.writer(sys.stdout).writerows([header, *rows])
    else:
        with open(options.output, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
    return 0


def _notes(file: str, n_features: int) -> tuple[list[str], list[str]]:
    """Return the feature names and the classes that `fit` saved beside a network."""
    with np.load(file, allow_pickle=False) as saved:
        if "features" not in saved:
            raise InputError(
                f"{file} does not name its {n_features} features; save it with 'cvxrelu fit', or predict from Python."
            )
        return [str(name) for name in saved["features"]], [str(name) for name in saved["classes"]]


if __name__ == "__main__":
    sys.exit(main())
