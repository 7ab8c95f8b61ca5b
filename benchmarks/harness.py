"""What every benchmark shares: a score from the raw network, timing, the environment, records and tables.

A method is anything that makes a `cvxrelu.Network` of a `cvxrelu.Problem`. It never scores itself: `score` recomputes
cost, misfit and objective from the network, in the same way for all.
"""

import argparse
import json
import math
import multiprocessing
import os
import platform
import re
import resource
import statistics
import subprocess
import time
import unittest.mock
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import cvxrelu as cr

__all__ = [
    "RESULTS",
    "Timed",
    "environment",
    "isolated",
    "median",
    "output_folder",
    "read",
    "repeated",
    "score",
    "table",
    "timed",
    "update_page",
    "write",
]

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "cvxrelu",
    "numpy",
    "scipy",
    "numba",
    "cvxpy",
    "clarabel",
    "piqp",
    "ecos",
    "scs",
    "scikit-learn",
    "jax",
    "jaxlib",
    "optax",
    "torch",
)
BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
MIB = 2**20
# Before this process has done anything.
LOAD_BEFORE = os.getloadavg()
# A call is repeated so often, or for so long, and the median taken.
REPETITIONS, ENOUGH_SECONDS = 5, 20.0

Record = dict[str, Any]


@dataclass(frozen=True)
class Timed:
    """What a function returned, and the wall-clock seconds it took."""

    value: Any
    seconds: float


def timed(function: Callable[..., Any], *arguments: object, **options: object) -> Timed:
    """Call a function and take the time.

    Examples
    --------
    >>> timed(abs, -2).value
    2
    """
    started = time.perf_counter()
    value = function(*arguments, **options)
    return Timed(value, time.perf_counter() - started)


def repeated(function: Callable[..., Any], *arguments: object, **options: object) -> list[Timed]:
    """Call a function up to `REPETITIONS` times, as long as the calls before took less than `ENOUGH_SECONDS` in all."""
    runs: list[Timed] = []
    while len(runs) < REPETITIONS and sum(run.seconds for run in runs) < ENOUGH_SECONDS:
        runs.append(timed(function, *arguments, **options))
    return runs


def median(seconds: Iterable[float]) -> float:
    """Return the median, which one disturbed repetition does not move."""
    return statistics.median(seconds)


def score(problem: cr.Problem, network: cr.Network) -> Record:
    """Return what a network is worth on a problem, recomputed from the network.

    Parameters
    ----------
    problem : cvxrelu.Problem
        The problem.
    network : cvxrelu.Network
        Any method's network.

    Returns
    -------
    dict
        ``cost``, the cost of the neurons whether or not the network fits; ``residual``, the relative misfit where the
        loss is a constraint; ``objective``, infinite if that misfit is more than rounding; ``neurons``.

    Examples
    --------
    >>> score(cr.Problem([[0.0], [1.0]], [0.0, 1.0]), cr.Network([[1.0]], [0.0], [1.0]))
    {'cost': 1.0, 'residual': 0.0, 'objective': 1.0, 'neurons': 1}
    """
    return {
        "cost": network.cost(problem.bias, problem.norm),
        "residual": float(problem.loss.residual(network(problem.X), problem.y)),
        "objective": problem.objective(network),
        "neurons": network.n_neurons,
    }


def isolated(function: Callable[..., Record], *arguments: object, threads: int = 1) -> Record:
    """Call a module-level function in a fresh process and add that process's peak memory to what it returns.

    By default the process has one BLAS thread: where other work shares the cores, threads that wait for each other over
    small matrices make times jump tenfold.

    Returns
    -------
    dict
        The function's, with ``peak_mib`` of the whole process and ``peak_mib_at_start``, that of the imports; or
        ``failure``, if it raised.
    """
    with (
        unittest.mock.patch.dict(os.environ, blas_threads(threads)),
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        return pool.submit(_measured, function, arguments).result()


def blas_threads(count: int) -> dict[str, str]:
    """Return the environment variables of a process with so many BLAS threads."""
    return dict.fromkeys(BLAS_VARIABLES, str(count))


def _measured(function: Callable[..., Record], arguments: Sequence[object]) -> Record:
    start = _peak_mib()
    try:
        record = function(*arguments)
    except Exception as error:  # a failure is a result: it is recorded, and the other sizes still run
        record = {"failure": f"{type(error).__name__}: {error}"}
    return record | {"peak_mib": _peak_mib(), "peak_mib_at_start": start}


def _peak_mib() -> float:
    """Return the peak resident memory of this process."""
    # Linux carries ru_maxrss over from the parent through exec, so the kernel's own high-water mark is preferred.
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        kib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return round(kib * 1024 / MIB, 1)
    except (OSError, StopIteration):
        unit = 1 if platform.system() == "Darwin" else 1024
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB, 1)


def environment() -> Record:
    """Return what the numbers depend on: versions, commit, processor, cores and how busy the machine was at first."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "blas_threads": {
            part["prefix"]: part["num_threads"] for part in threadpool_info() if part["user_api"] == "blas"
        },
        "load_average_before": [round(load, 2) for load in LOAD_BEFORE],
        "date": time.strftime("%Y-%m-%d"),
        "commit": _commit(),
    }


def _commit() -> str | None:
    """Return what is measured, as git describes it: with "-dirty" if files differ; None where git does not know."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def write(folder: Path, name: str, record: Mapping[str, Any]) -> Path:
    """Write a record to ``<folder>/<name>.json``; numbers that JSON does not know become null."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    after = {"load_average_after": [round(load, 2) for load in os.getloadavg()]}
    text = json.dumps(_plain(dict(record) | after), indent=1, allow_nan=False)
    # Lists of numbers go on one line, for whoever reads the file.
    text = re.sub(r"\[[^\[\]{}\"]*\]", lambda numbers: " ".join(numbers.group().split()), text)
    path.write_text(text + "\n")
    return path


def output_folder(description: str | None) -> Path:
    """Return where results go by the command line of a benchmark that takes no other option."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results (default: %(default)s)")
    return parser.parse_args().output


def read(folder: Path, name: str) -> Record:
    """Return the record that `write` wrote, or an empty one."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _plain(value: Any) -> Any:
    """Return the value in JSON's types."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return rows as a Markdown table, whose header is the keys of the first.

    Examples
    --------
    >>> print(table([{"N": 30, "seconds": 0.25}]))
    | N | seconds |
    | ---: | ---: |
    | 30 | 0.25 |
    """
    header = list(rows[0])
    lines = [header, ["---:"] * len(header), *([str(row[name]) for name in header] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def update_page(folder: Path, section: str, text: str) -> None:
    """Replace what stands between ``<!-- begin section -->`` and ``<!-- end section -->`` in the folder's README.md.

    Does nothing where there is no such page, as in a test's folder.
    """
    page = folder / "README.md"
    if not page.exists():
        return
    begin, end = f"<!-- begin {section} -->", f"<!-- end {section} -->"
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    if rest:
        page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
