"""`cvxrelu fit`: a table, the problem that the options make of it, its network, and a summary."""

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.analysis.alpha_max import SEARCH_SHARE, default_alpha
from cvxrelu.cli.parser import known_parameters
from cvxrelu.cli.tables import Table, read_table
from cvxrelu.cli.wording import in_options
from cvxrelu.errors import InputError, Interrupted
from cvxrelu.estimators.features import deviations, in_units, of_multiples
from cvxrelu.problem.losses import Loss, get_loss
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.options import Options
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.files import archive_name, check_writable
from cvxrelu.runtime.keyboard import heeding_interrupts
from cvxrelu.solving.fit import Fit, solve_as

__all__ = ["fit_table"]


@dataclass(frozen=True, eq=False)
class _Task:
    """What is to be fitted: the problem, with features over their units, its names, and how and by which clock."""

    problem: Problem
    units: NDArray[np.float64]
    features: list[str]
    target: str
    classes: list[str]
    options: Options
    clock: Clock

    def save(self, fit: Fit, file: str) -> None:
        """Save a network, which takes features as they are in tables, with what `predict` has to know."""
        self.given(fit).save(file, features=self.features, classes=np.array(self.classes, dtype=str))

    def given(self, fit: Fit) -> Network:
        """Return the network of a fit as one of the features as they are in tables."""
        return of_multiples(fit.network, 1 / self.units)


@heeding_interrupts()
def fit_table(options: argparse.Namespace) -> int:
    """Fit a network to the table of the options, and print what came out; return the exit code."""
    task = _task(options)
    try:
        result = solve_as(task.problem, task.options, task.clock)
    except Interrupted as interrupt:
        if interrupt.fit is None:
            raise
        kept = "It was not kept: no --output was given."
        if options.output is not None:
            task.save(interrupt.fit, options.output)
            kept = f"It is in {archive_name(options.output)}."
        message = f"interrupted; the best network so far: {interrupt.fit.certificate} {kept}"
        raise Interrupted(message, interrupt.fits) from None
    # What took long is kept before anybody is told, who may not listen.
    if options.output is not None:
        task.save(result, options.output)
    if options.plot is not None:
        _plot(task, result, options.plot)
    print(_summary(task, result))
    return 0


def _task(options: argparse.Namespace) -> _Task:
    """Return what the options ask for, once it is known that it can be kept."""
    table, weights = read_table(options.data), None
    if options.sample_weight is not None:
        weights = table.numbers([options.sample_weight])[:, 0]
        counted = (weights != 0) | ~weights.any()  # that none counts is an error of its own
        table, weights = table.where(counted), weights[counted]
    features = _features(options, table)
    loss, classes = _loss(options), list[str]()
    if loss.labels:
        y, classes = _labels(table.column(options.target), options.target)
    else:
        y = table.numbers([options.target])[:, 0]
    if options.output is not None:
        check_writable(archive_name(options.output))
    if options.plot is not None:
        _check_plot(options.plot, len(features))
    left_to_us = options.alpha is None and loss.regularised
    with _rows_as_lines(table):
        problem = Problem(
            table.numbers(features),
            y,
            loss=loss,
            bias=options.bias,
            norm=options.norm,
            skip=options.skip,
            output_sign=options.output_sign,
            alpha=1.0 if left_to_us else options.alpha,
            negative_slope=options.negative_slope,
            sample_weight=weights,
        )
    units = np.ones(len(features))
    if options.scale == "yes" or (options.scale == "auto" and left_to_us):
        units = deviations(problem.X, problem.sample_weight)
        with _rows_as_lines(table):
            problem = replace(problem, X=in_units(problem.X, units, None))
    asked = Options(
        options.method,
        options.tol,
        options.time_limit,
        solver=options.solver,
        random_state=options.random_state,
        progress=options.progress,
    )
    clock = Clock(asked.time_limit)
    if left_to_us:
        problem = replace(problem, alpha=default_alpha(problem, clock.share(SEARCH_SHARE)))
    return _Task(problem, units, features, options.target, classes, asked, clock)


def _features(options: argparse.Namespace, table: Table) -> list[str]:
    """Return the names of the inputs."""
    table.column(options.target)
    others = {options.target, options.sample_weight}
    features = options.features or [name for name in table.names if name not in others]
    if not features or others & {*features}:
        raise InputError("The inputs must be at least one column, and not the target or the weight; see --features.")
    if "" in features:
        raise InputError(
            f"Column {table.names.index('') + 1} of {table.source} has no name; name it in the header, or choose the "
            "inputs with --features."
        )
    return features


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


def _summary(task: _Task, fit: Fit) -> str:
    certificate = fit.certificate
    score = "accuracy" if fit.problem.loss.labels else "R^2"
    rows = [
        ("objective", f"{fit.objective:.10g}"),
        ("proven lower bound", f"{certificate.lower:.10g}  (global)")
        if certificate.scope == "global"
        else ("lower bound", f"{certificate.lower:.10g}  (sampled: of the patterns that were drawn, and no others)"),
        ("relative gap", f"{certificate.relative_gap:.1e}"),
        *([("alpha", f"{fit.problem.alpha:.10g}")] if fit.problem.alpha is not None else []),
        ("units of inputs", "standard deviations" if (task.units != 1).any() else "as they are"),
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


def _plot(task: _Task, fit: Fit, path: str) -> None:
    from cvxrelu.plots.pictures import plot_network, save_picture

    axes = plot_network(task.given(fit), fit.problem.X * task.units, fit.problem.y)
    names = [*task.features, task.target]
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.set_title(f"objective {fit.objective:.6g}, relative gap {fit.certificate.relative_gap:.1e}")
    save_picture(axes, path)
