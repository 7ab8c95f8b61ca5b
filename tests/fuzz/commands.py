"""Command lines on damaged tables."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np

from cvxrelu.cli.main import main as command_line
from tests.fuzz.problems import damaged
from tests.fuzz.trial import Trial

CELLS_OF_TABLES = (
    "",
    " ",
    "NA",
    "nan",
    "x",
    "1e999",
    "-0",
    "1,5",
    "٣",
    '"',
    "1e-320",
    "0x10",
    "inf",
    "True",
    "\x00",
    "é",
)


def _table(rng: np.random.Generator) -> tuple[str, list[str]]:
    """Return the text of a table, with some damage, and the names of its columns."""
    n, d = int(rng.integers(1, 15)), int(rng.integers(1, 4))
    values = rng.standard_normal((n, d + 1)).round(int(rng.integers(0, 5))) * 10.0 ** rng.integers(-3, 4)
    if rng.random() < 0.4:
        values[:, -1] = np.sign(values[:, -1]) if rng.random() < 0.7 else 1.0
    rows = [[str(x) for x in row] for row in values.tolist()]
    names = [*(f"x{k}" for k in range(d)), "y"]
    if rng.random() < 0.3:
        rows[rng.integers(n)][rng.integers(d + 1)] = str(rng.choice(CELLS_OF_TABLES))
    if rng.random() < 0.1:
        rows[rng.integers(n)].append("1")
    if rng.random() < 0.1:
        names[0] = str(rng.choice(["y", "", " ", "1.5", "é"]))
    separator = str(rng.choice([",", "\t", ";"], p=[0.8, 0.1, 0.1]))
    end = str(rng.choice(["\n", "\r\n"]))
    return end.join(separator.join(row) for row in [names, *rows]) + (end if rng.random() < 0.8 else ""), names


def commands(seed: int) -> Trial:
    """Run the command line on a damaged table."""
    trial, rng = Trial(), np.random.default_rng([seed, 4])
    text, names = _table(rng)
    with tempfile.TemporaryDirectory() as folder:
        data, network = Path(folder, "data.csv"), Path(folder, "net.npz")
        content = text.encode()
        data.write_bytes(damaged(content, rng) if rng.random() < 0.2 else content)
        loss = str(rng.choice(["squared", "logistic", "hinge", "interpolation", "margin"]))
        arguments = ["fit", str(data), "--target", str(rng.choice([names[-1], names[0]], p=[0.9, 0.1])), "--loss", loss]
        if rng.random() < 0.3:
            arguments += ["--alpha", str(rng.choice(["0.1", "0", "-1", "nan", "1e-9", "1e9", "x", "inf"]))]
        arguments += ["--skip"] if rng.random() < 0.2 else []
        arguments += ["--output-sign", "positive"] if rng.random() < 0.1 else []
        arguments += ["--sample-weight", str(rng.choice([*names, "w"]))] if rng.random() < 0.1 else []
        arguments += ["--time-limit", str(rng.choice(["2", "2", "2", "0", "0.001"])), "--output", str(network)]
        trial.outcome = _run_command(trial, arguments)
        if network.exists():
            trial.outcome += ", " + _run_command(trial, ["predict", str(network), str(data)])
    return trial


def _run_command(trial: Trial, arguments: list[str]) -> str:
    """Run a command; return its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = trial.call(command_line, arguments)
        except SystemExit as end:
            code = end.code
    said = err.getvalue()
    trial.require(code in (0, 2), f"exit code {code} of {arguments[0]}: {said}")
    trial.require("mistake of cvxrelu" not in said and "Traceback" not in said, said)
    trial.require(code != 2 or said.strip(), "exit code 2 without a word")
    return f"exit {code}"
