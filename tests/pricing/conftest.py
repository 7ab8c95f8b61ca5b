"""Numba caches by file: kernels that inline one from another, edited file have to be rebuilt."""

from pathlib import Path

import cvxrelu


def _rebuild_stale(folder: Path) -> None:
    """Remove compiled kernels that are older than a source; another process of the suite may be doing the same."""
    cached = list(folder.glob("__pycache__/*.nbi"))
    try:
        oldest = min((file.stat().st_mtime for file in cached), default=float("inf"))
    except FileNotFoundError:
        return
    if max(file.stat().st_mtime for file in folder.glob("*.py")) > oldest:
        for file in (*cached, *folder.glob("__pycache__/*.nbc")):
            file.unlink(missing_ok=True)


_rebuild_stale(Path(cvxrelu.__file__).parent / "pricing")
