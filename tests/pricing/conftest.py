"""Numba caches by file: kernels that inline one from another, edited file have to be rebuilt."""

from pathlib import Path

import cvxrelu

_FOLDER = Path(cvxrelu.__file__).parent / "pricing"
_CACHED = list(_FOLDER.glob("__pycache__/*.nbi"))
if _CACHED and max(f.stat().st_mtime for f in _FOLDER.glob("*.py")) > min(f.stat().st_mtime for f in _CACHED):
    for _file in (*_CACHED, *_FOLDER.glob("__pycache__/*.nbc")):
        _file.unlink(missing_ok=True)
