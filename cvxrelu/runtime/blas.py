"""BLAS in one thread, for as long as something is solved.

Matrices here have tens to thousands of rows, for which threads of BLAS wait for each other longer than they work: with
two of them on two idle cores fits of 178 x 13 to 20,000 x 30 took 1.0 to 6 times as long as with one, and beside
another program up to fifty times. What is worth sharing is shared by `n_jobs`.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

__all__ = ["one_blas_thread"]

_HELD = Lock()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread, in the whole process, inside a context or a function that this decorates.

    Whoever comes while it is limited, nested or in another thread of Python, finds it so and changes nothing.
    """
    if not _HELD.acquire(blocking=False):
        yield
        return
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        _HELD.release()


@functools.cache
def _controller() -> Any:
    """Return what knows the libraries that are loaded: those of numpy and SciPy are, where something is solved."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
