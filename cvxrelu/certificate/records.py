r"""Problems and networks as plain records of numbers and names, for files that anyone can read.

A record is what JSON can hold: dictionaries, lists, strings and floats. Python writes a float as the shortest decimal
that reads back as the same float, so a record that went through JSON is equal to the record that was written.
The file of a certificate has one line for each of

    format, claim, upper, lower, scope, gamma, dual,
    network {W, b, v, intercept, negative_slope, skip (if it is not zero)},
    problem {loss, loss_parameters (if it has any), bias, norm, alpha, negative_slope,
    sample_weight, skip, output_sign and outputs (if they are not null, false, "any" and null), X, y}

and, where gamma is proved by multipliers, of `multipliers`, which `cvxrelu.certificate.multiplier_record` describes.
Without them gamma takes a search, which may end far above it. So a reader that knows nothing of multipliers must not
judge such a file: its format has another number, and only its. Nor must a reader that knows nothing of a part of the
problem beyond those of the first two formats: where there is any, the format has a third number, and one more line,
`needs`, lists these parts by name. Multipliers may be there as well, or not. One such part are several outputs:
`outputs` is their number K, dual is (N, K), v is (m, K) and intercept (K,), and y (N, K) unless it holds labels.
"""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from cvxrelu.errors import InputError
from cvxrelu.problem.losses import get_loss, is_listed
from cvxrelu.problem.network import Network
from cvxrelu.problem.norms import NORMS
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.files import reading, writing

__all__ = ["network_of", "problem_of", "read_record", "record_of_network", "record_of_problem", "write_record"]

FORMAT, MULTIPLIED, EXTENDED = (f"cvxrelu certificate {number}" for number in (1, 2, 3))
"""First entry of every file: without multipliers, with, and with parts of the problem that only newer readers know."""

PARTS = {"sample_weight": None, "skip": False, "output_sign": "any", "outputs": None}
"""Parts of the problem that are written, and named in `needs`, where they are not what they were in older formats."""

Record = dict[str, Any]


def record_of_problem(problem: Problem) -> Record:
    """Return the record of a problem.

    Raises
    ------
    InputError
        If the loss or the norm is an object that its name does not bring back.

    Examples
    --------
    >>> record_of_problem(Problem([[0.1], [1.0]], [1.0, 2.0]))["X"]
    [[0.1], [1.0]]
    """
    if not is_listed(problem.loss):
        raise InputError(
            f"loss={problem.loss!r} cannot be written to a file: it is none of those that are known by name."
        )
    if NORMS.get(problem.norm.name) is not type(problem.norm):
        raise InputError(
            f"norm={problem.norm!r} cannot be written to a file; use a norm in cvxrelu.problem.norms.NORMS."
        )
    return {
        "loss": problem.loss.name,
        **({"loss_parameters": problem.loss.params()} if problem.loss.params() else {}),
        "bias": problem.bias,
        "norm": problem.norm.name,
        "alpha": problem.alpha,
        "negative_slope": problem.negative_slope,
        **{name: _listed(value) for name, value in _parts_of(problem).items()},
        "X": problem.X.tolist(),
        "y": problem.y.tolist(),
    }


def problem_of(record: Mapping[str, Any]) -> Problem:
    """Return the problem of a record; a KeyError says what is missing.

    Examples
    --------
    >>> problem = Problem([[0.1], [1.0]], [1.0, 2.0], loss="squared", alpha=0.3)
    >>> problem_of(record_of_problem(problem))
    Problem(2 samples, 1 features, loss='squared', bias='free', norm='euclidean', alpha=0.3, negative_slope=0)
    """
    names = ("X", "y", "bias", "norm", "alpha", "negative_slope")
    loss = get_loss(record["loss"], record.get("loss_parameters"))
    parts = {name: record[name] for name in PARTS if name in record and name != "outputs"}
    problem = Problem(**{name: record[name] for name in names}, **parts, loss=loss)
    if record.get("outputs") != (problem.n_outputs if problem.several else None):
        raise ValueError(f"its problem has another number of outputs than {record.get('outputs')!r}.")
    return problem


def _listed(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def needs_of(problem: Problem) -> list[str]:
    """Return the parts of a problem that readers of the first two formats know nothing of.

    Examples
    --------
    >>> needs_of(Problem([[0.1], [1.0]], [1.0, 2.0], skip=True))
    ['skip']
    """
    return list(_parts_of(problem))


def _parts_of(problem: Problem) -> Record:
    """Return these parts with their values."""
    values = {name: getattr(problem, name) for name in PARTS if name != "outputs"}
    values["outputs"] = problem.n_outputs if problem.several else None
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray) or value != PARTS[name]}


def record_of_network(network: Network) -> Record:
    """Return the record of a network.

    Examples
    --------
    >>> record_of_network(Network([[1.0]], [0.1], [2.0]))
    {'W': [[1.0]], 'b': [0.1], 'v': [2.0], 'intercept': 0.0, 'negative_slope': 0.0}
    """
    return {
        "W": network.W.tolist(),
        "b": network.b.tolist(),
        "v": network.v.tolist(),
        "intercept": _listed(network.intercept),
        "negative_slope": network.negative_slope,
        **({"skip": network.skip.tolist()} if network.skip.any() else {}),
    }


def network_of(record: Mapping[str, Any], n_features: int) -> Network:
    """Return the network of a record; a KeyError says what is missing.

    Examples
    --------
    >>> network_of({"W": [], "b": [], "v": [], "intercept": 1.5, "negative_slope": 0.0}, n_features=2)
    Network(0 neurons, 2 features, intercept=1.5, negative_slope=0)
    """
    W = np.array(record["W"], dtype=float) if record["W"] else np.empty((0, n_features))
    v = record["v"] if len(W) else np.empty((0, *np.shape(record["intercept"])))
    skip: Any = record.get("skip")
    return Network(W, record["b"], v, record["intercept"], record["negative_slope"], skip)


def write_record(
    file: str | PathLike[str],
    bounds: Record,
    dual: np.ndarray,
    network: Network,
    problem: Problem,
    *,
    multipliers: Any = None,
) -> None:
    """Write a certificate to a JSON file; an infinite upper bound becomes null.

    Parameters
    ----------
    file : path
        Where to.
    bounds : dict
        The entries claim (what is proven, in words), upper, lower, scope and gamma.
    dual : (N,) or (N, K) array
        The dual vector.
    network : Network
        The network.
    problem : Problem
        The problem.
    multipliers : record, optional
        The multipliers, as `cvxrelu.certificate.multiplier_record` writes them.

    Raises
    ------
    InputError
        If the loss or the norm of the problem is an object that cannot be named in a file, or the file cannot be
        written.
    """
    needs = needs_of(problem)
    record = {
        "format": EXTENDED if needs else FORMAT if multipliers is None else MULTIPLIED,
        **({"needs": needs} if needs else {}),
        **{name: None if value == np.inf else value for name, value in bounds.items()},
        "dual": dual.tolist(),
        "network": record_of_network(network),
        "problem": record_of_problem(problem),
    }
    if multipliers is not None:
        record["multipliers"] = multipliers
    lines = (f"{json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in record.items())
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    with writing(file):
        Path(file).write_text(text, encoding="utf-8")


def read_record(file: str | PathLike[str]) -> Record:
    """Read a file that `write_record` wrote; it has the entries that its format says, and only these.

    Raises
    ------
    FileError
        If it cannot be read.
    KeyError, TypeError, ValueError
        If it holds something else.
    """
    with reading(file, "a certificate"):
        text = Path(file).read_text(encoding="utf-8")
    try:
        record = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("its lists are nested too deeply.") from error
    if record["format"] not in (FORMAT, MULTIPLIED, EXTENDED):
        raise ValueError(f"its format is {record['format']!r}, neither {FORMAT!r}, {MULTIPLIED!r} nor {EXTENDED!r}.")
    if record["format"] != EXTENDED and (record["format"] == MULTIPLIED) != ("multipliers" in record):
        raise ValueError(f"multipliers are in files of the format {MULTIPLIED!r} or {EXTENDED!r}, and in no others.")
    needs = record.get("needs", [])
    if unknown := [name for name in needs if name not in PARTS]:
        raise ValueError(f"it needs a newer version of cvxrelu, which knows of {unknown[0]!r}.")
    if needs != [name for name in PARTS if name in record["problem"]] or bool(needs) != (record["format"] == EXTENDED):
        raise ValueError(f"parts of the problem that its line `needs` names are in files of the format {EXTENDED!r}.")
    return record


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a finite number.")
