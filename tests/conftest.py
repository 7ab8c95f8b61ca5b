"""Compiled kernels are up to date, and the workers of one run share the work of compiling them.

A worker compiles a part of the kernels before its first test, while others compile the rest, and loads from the disk
what they made.
"""

import time
from pathlib import Path

import pytest

import cvxrelu
from tests.kernels import PARTS

LONGEST = 120.0
"""Seconds after which a worker no longer waits for kernels that another one compiles, and does so itself."""


def _rebuild_stale(folder: Path) -> None:
    """Remove compiled kernels that are older than a source; another process of the suite may be doing the same.

    Numba caches by file, and does not see that a kernel inlines one from another, edited file.
    """
    cached = list(folder.glob("__pycache__/*.nbi"))
    try:
        oldest = min((file.stat().st_mtime for file in cached), default=float("inf"))
    except FileNotFoundError:
        return
    if max(file.stat().st_mtime for file in folder.glob("*.py")) > oldest:
        for file in (*cached, *folder.glob("__pycache__/*.nbc")):
            file.unlink(missing_ok=True)


@pytest.fixture(scope="session", autouse=True)
def kernels(request: pytest.FixtureRequest, worker_id: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compile a worker's part of the kernels, and wait for the others; a process alone compiles what it comes to."""
    count = request.config.workerinput["workercount"] if worker_id != "master" else 1
    if count == 1:
        return
    shared = tmp_path_factory.getbasetemp().parent  # a folder of the run, with one of each worker
    done = [shared / f"compiled-{part}" for part in range(len(PARTS))]
    for part in range(int(worker_id.removeprefix("gw")), len(PARTS), count):
        PARTS[part]()
        done[part].touch()
    started = time.monotonic()
    while not all(mark.exists() for mark in done) and time.monotonic() - started < LONGEST:
        time.sleep(0.05)


_rebuild_stale(Path(cvxrelu.__file__).parent / "pricing")
