"""The command line: ``python -m cvxrelu fit | predict | demo``."""

import argparse
import csv
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from cvxrelu.analysis.alpha_max import default_alpha
from cvxrelu.cli.demo import run_demo
from cvxrelu.cli.parser import known_parameters, make_parser
from cvxrelu.cli.tables import Table, read_table
from cvxrelu.cli.wording import in_options
from cvxrelu.errors import CvxReluError, InputError, Interrupted
from cvxrelu.problem.losses import Loss, get_loss
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.files import archive_name, check_writable, read_arrays, writing
from cvxrelu.solving.fit import Fit, solve

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code: 0, or 2 after an error that is then on standard error."""
    options = make_parser(_fit, _predict, _demo).parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s")
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    """Run the command of the options, and turn whatever goes wrong into a line."""
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except CvxReluError as error:
        _say(str(error))
        return 2
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # else whoever reads has enough
            _say(f"Standard output cannot be written ({error.strerror}); save what you need with --output.")
        # Python would complain again when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except UnicodeEncodeError as error:
        _say(
            f"Standard output takes {error.encoding} and has no {error.object[error.start]!a}; use --output, or set "
            "PYTHONIOENCODING to utf-8."
        )
        return 2
    except Exception as error:
        logger.info("what went wrong", exc_info=True)
        _say(f"{type(error).__name__}: {error}; this is a mistake of cvxrelu, and 'cvxrelu --verbose' says where.")
        return 2
    except KeyboardInterrupt as interrupt:
        _say(str(interrupt) or "interrupted")
        return 130


def _say(message: str) -> None:
    """Print a message on standard error, on one line."""
    print(f"cvxrelu: {' '.join(in_options(message).split())}", file=sys.stderr)


def _fit(options: argparse.Namespace) -> int:
    table, weights = read_table(options.data), None
    if options.sample_weight is not None:
        weights = table.numbers([options.sample_weight])[:, 0]
        counted = (weights != 0) | ~weights.any()  # that none counts is an error of its own
        table, weights = table.where(counted), weights[counted]
    target = table.column(options.target)
    others = {options.target, options.sample_weight}
    features = options.features or [name for name in table.names if name not in others]
    if not features or others & {*features}:
        raise InputError("The inputs must be at least one column, and not the target or the weight; see --features.")
    if "" in features:
        raise InputError(
            f"Column {table.names.index('') + 1} of {table.source} has no name; name it in the header, or choose the "
            "inputs with --features."
        )
    loss, classes = _loss(options), list[str]()
    if loss.labels:
        y, classes = _labels(target, options.target)
    else:
        y = table.numbers([options.target])[:, 0]
    if options.output is not None:
        check_writable(archive_name(options.output))
    if options.plot is not None:
        _check_plot(options.plot, len(features))
    chosen = options.alpha is not None or not loss.regularised
    with _rows_as_lines(table):
        problem = Problem(
            table.numbers(features),
            y,
            loss=loss,
            bias=options.bias,
            norm=options.norm,
            skip=options.skip,
            output_sign=options.output_sign,
            alpha=options.alpha if chosen else 1.0,
            negative_slope=options.negative_slope,
            sample_weight=weights,
        )
    if not chosen:
        problem = replace(problem, alpha=default_alpha(problem))
    notes = {"features": features, "classes": np.array(classes, dtype=str)}
    try:
        result = solve(
            problem,
            options.method,
            tol=options.tol,
            time_limit=options.time_limit,
            solver=options.solver,
            random_state=options.random_state,
            progress=options.progress,
        )
    except Interrupted as interrupt:
        if interrupt.fit is None:
            raise
        kept = "It was not kept: no --output was given."
        if options.output is not None:
            interrupt.fit.network.save(options.output, **notes)
            kept = f"It is in {archive_name(options.output)}."
        message = f"interrupted; the best network so far: {interrupt.fit.certificate} {kept}"
        raise Interrupted(message, interrupt.fits) from None
    # What took long is kept before anybody is told, who may not listen.
    if options.output is not None:
        result.network.save(options.output, **notes)
    if options.plot is not None:
        _plot(result, options.plot, [*features, options.target])
    print(_summary(result))
    return 0


@contextmanager
def _rows_as_lines(table: Table) -> Iterator[None]:
    """Say in errors that count rows where these are in the file."""
    try:
        yield
    except InputError as error:
        message = str(error)
        if re.search(r"\b[Rr]ows? \d", message):
            message += (
                f" (Rows are counted from 0 without the header; row 0 is line {table.lines[0]} of {table.source}.)"
            )
        raise InputError(message) from error


def _loss(options: argparse.Namespace) -> Loss:
    """Return the loss with its parameters."""
    pairs, known = options.loss_parameters or (), get_loss(options.loss).params()
    given = dict(pairs)
    if len(given) < len(pairs):
        raise InputError("A parameter is given twice in --loss-parameters; give each once.")
    for name in given:
        if name not in known:
            raise InputError(f"loss={options.loss} has no parameter {name!r}; there are {known_parameters()}.")
    return get_loss(options.loss, given)


def _labels(column: list[str], name: str) -> tuple[np.ndarray, list[str]]:
    """Return the two values of a column as -1 and +1, and the values."""
    values, codes = np.unique(column, return_inverse=True)
    if len(values) != 2:
        raise InputError(
            f"Column {name!r} has {len(values)} different values; a classification loss needs two. Choose another "
            "column or --loss, or use cvxrelu.ReLUClassifier, which takes several classes."
        )
    return 2.0 * codes - 1.0, [str(value) for value in values]


def _summary(fit: Fit) -> str:
    certificate = fit.certificate
    score = "accuracy" if fit.problem.loss.labels else "R^2"
    rows = [
        ("objective", f"{fit.objective:.10g}"),
        ("proven lower bound", f"{certificate.lower:.10g}  (global)")
        if certificate.scope == "global"
        else ("lower bound", f"{certificate.lower:.10g}  (sampled: of the patterns that were drawn, and no others)"),
        ("relative gap", f"{certificate.relative_gap:.1e}"),
        (f"{score} on this data", f"{_score(fit):.4f}"),
        ("patterns", str(fit.history[-1].patterns)),
        ("neurons", str(fit.network.n_neurons)),
        ("seconds", f"{fit.history[-1].seconds:.2f}"),
        ("method", fit.method),
    ]
    return "\n".join(f"{name:<22}{value}" for name, value in rows) + f"\n{in_options(fit.status.value)}"


def _score(fit: Fit) -> float:
    """Return the share of right signs, or R^2 = 1 - sum (y - f)^2 / sum (y - mean y)^2, on the data of the fit."""
    y, outputs, weights = fit.problem.y, fit.network(fit.problem.X), fit.problem.sample_weight
    if fit.problem.loss.labels:
        return float(np.average((outputs > 0) == (y > 0), weights=weights))
    roots = 1.0 if weights is None else np.sqrt(weights)
    missed = np.linalg.norm(roots * (y - outputs))
    spread = np.linalg.norm(roots * (y - np.average(y, weights=weights)))
    return float(1.0 - (missed / spread) ** 2) if spread else float("nan")


def _check_plot(file: str, n_features: int) -> None:
    from cvxrelu.plots.pictures import check_picture

    check_picture(file, n_features)


def _plot(fit: Fit, path: str, names: list[str]) -> None:
    from cvxrelu.plots.pictures import plot_network, save_picture

    axes = plot_network(fit.network, fit.problem.X, fit.problem.y)
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.set_title(f"objective {fit.objective:.6g}, relative gap {fit.certificate.relative_gap:.1e}")
    save_picture(axes, path)


def _predict(options: argparse.Namespace) -> int:
    network = Network.load(options.network)
    features, classes = _notes(options.network, network)
    if options.output is not None:
        check_writable(options.output)
    scores = network(read_table(options.data).numbers(features))
    if classes:
        rows = [(classes[int(score > 0)], f"{score:.17g}") for score in scores]
    else:
        rows = [tuple(f"{score:.17g}" for score in row) for row in scores.reshape(len(scores), -1)]
    header = ("prediction", "score") if classes else ("prediction",)
    if network.n_outputs > 1:
        header = tuple(f"prediction {k + 1}" for k in range(network.n_outputs))
    if options.output is None:
        csv.writer(sys.stdout).writerows([header, *rows])
    else:
        with writing(options.output), open(options.output, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
    return 0


def _demo(options: argparse.Namespace) -> int:
    return run_demo(Path(options.output))


def _notes(file: str, network: Network) -> tuple[list[str], list[str]]:
    """Return the feature names and the classes that `fit` saved beside a network."""
    saved = read_arrays(file, "a saved network")
    features, classes = ([str(name) for name in np.atleast_1d(saved.get(key, []))] for key in ("features", "classes"))
    several = network.n_outputs > 1
    if len(features) != network.n_features or len(classes) not in ((0,) if several else (0, 2)):
        raise InputError(
            f"{file} does not name its {network.n_features} features, and two classes or none; save it with "
            "'cvxrelu fit', or predict from Python."
        )
    return features, classes
