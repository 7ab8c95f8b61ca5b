"""The best objective of each problem that was ever recorded, and who found it: a reference that no run can lower.

    key of a problem  ->  objective, method, seconds, version of cvxrelu, date

A comparison within one run cannot see that all of it has become worse; against this file it can.
"""

from collections.abc import Mapping
from pathlib import Path

import cvxrelu as cr
from benchmarks.harness import Record, read, write

__all__ = ["NAME", "challenge", "key_of", "known"]

NAME = "best_known"


def key_of(name: str, problem: cr.Problem) -> str:
    """Return what tells a problem from the same one of other sizes.

    Examples
    --------
    >>> key_of("line", cr.Problem([[0.0], [1.0]], [0.0, 1.0], loss="squared", alpha=0.1))
    'line: 2 x 1, squared, free, alpha=0.1'
    """
    alpha = "" if problem.alpha is None else f", alpha={problem.alpha:g}"
    return f"{name}: {problem.n_samples} x {problem.n_features}, {problem.loss.name}, {problem.bias}{alpha}"


def known(output: Path) -> dict[str, Record]:
    """Return the records in the file, by key."""
    return read(output, NAME).get("problems", {})


def challenge(output: Path, key: str, runs: Mapping[str, Record], found: Record) -> Record:
    """Return the best record of a problem, after writing that of the best of these runs if it is better.

    Parameters
    ----------
    output : Path
        The folder of the file.
    key : str
        The problem, from `key_of`.
    runs : mapping of str to dict
        Each method's objective and seconds.
    found : dict
        What else is to be told of a new record, such as its version and date.
    """
    records = known(output)
    method = min(runs, key=lambda name: runs[name]["objective"])
    best = {"objective": runs[method]["objective"], "method": method, "seconds": runs[method]["seconds"]} | found
    if key in records and records[key]["objective"] <= best["objective"]:
        return records[key]
    write(output, NAME, {"problems": dict(sorted((records | {key: best}).items()))})
    return best
