"""`cvxrelu predict`: a saved network, applied to a table."""

import argparse
import csv
import sys

import numpy as np

from cvxrelu.cli.tables import read_table
from cvxrelu.errors import InputError
from cvxrelu.problem.network import Network
from cvxrelu.runtime.files import check_writable, read_arrays, writing

__all__ = ["predict_table"]


def predict_table(options: argparse.Namespace) -> int:
    """Write the predictions of the options' network for their table; return the exit code."""
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
