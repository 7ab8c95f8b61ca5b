"""Compiled kernels: made when first called, and kept on disk wherever that can be written to.

A kernel is a Python function that numba translates to machine code. Neither happens before the first call, so that a
solve pays for the kernels that it uses and for no others, not even for the import of numba. The code is kept beside the
source or, where that cannot be written to, in numba's own folder of the user or in a private one for temporary files;
failing that, it lasts as long as the process.
"""

import functools
import logging
import os
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

__all__ = ["Kernel", "kernel"]

P = ParamSpec("P")
R = TypeVar("R", covariant=True)

logger = logging.getLogger(__name__)

# numba takes the folder for its files from one variable of the process, which is borrowed for a moment.
_FOLDER_LOCK = threading.Lock()
# Of threads that import numba at the same time the second sees half of it.
_IMPORT_LOCK = threading.Lock()


class Kernel(Generic[P, R]):
    """A function that is compiled when it is first called, from Python or from another kernel; made by `kernel`."""

    def __init__(self, function: Callable[P, R], options: dict[str, Any]) -> None:
        functools.update_wrapper(self, function)
        self._function, self._options, self._called = function, options, False

    @functools.cached_property
    def dispatcher(self) -> Any:
        """What numba makes of the function."""
        return _dispatcher(self._function, self._options)

    @property
    def _numba_type_(self) -> Any:
        # By this numba recognises the kernel where another one calls it.
        return self.dispatcher._numba_type_

    def __getattr__(self, name: str) -> Any:
        # numba looks at the options of kernels that are to be inlined.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.dispatcher, name)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the compiled function."""
        try:
            if self._called:
                return self.dispatcher(*args, **kwargs)
            with _IMPORT_LOCK:
                from numba.core import event

            with event.install_listener("numba:compile", _announcer()):
                result = self.dispatcher(*args, **kwargs)
        except SystemError as error:
            # Ctrl-C while numba loads a kernel or packs its results comes out as this, or as one that comes of this.
            if any(isinstance(cause, KeyboardInterrupt) for cause in _causes(error)):
                raise KeyboardInterrupt from error
            raise
        self._called = True
        return result


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what an error came of, the last first."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def kernel(**options: Any) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Return a decorator that makes a function a kernel.

    Parameters
    ----------
    **options
        Of `numba.njit`, such as ``error_model="numpy"``.

    Examples
    --------
    >>> @kernel()
    ... def double(x):
    ...     return 2 * x
    >>> double(3)
    6
    """
    return lambda function: Kernel(function, options)


def _dispatcher(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    from numba import config, njit

    if not Path(function.__code__.co_filename).exists():
        # Typed in, not read from a file.
        return njit(**options)(function)
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        # Neither the source's folder nor the user's can be written to.
        folder = _private_folder()
    if folder is None:
        return njit(**options)(function)
    with _FOLDER_LOCK:
        configuration: Any = config
        before, configuration.CACHE_DIR = configuration.CACHE_DIR, str(folder)
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:
            return njit(**options)(function)
        finally:
            configuration.CACHE_DIR = before


def _private_folder() -> Path | None:
    """Return a folder for temporary files that nobody else can write to, or None.

    What is loaded from it is executed, so in a folder that all users share it has to be this user's own.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"cvxrelu-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022
    return folder if private or os.name == "nt" else None


@functools.cache
def _say_once() -> None:
    """Tell who waits for a first result what for; without a configuration of logging that is on standard error."""
    logger.warning("cvxrelu compiles its kernels, once after installation; that takes up to twenty seconds.")


def _announcer() -> Any:
    """Return a listener to numba that tells the log what is compiled, and how long it took."""
    from numba.core.event import Listener

    class Announcer(Listener):
        started: list[float]

        def on_start(self, event: Any) -> None:
            self.started.append(time.perf_counter())
            _say_once()
            if len(self.started) == 1:
                logger.info("compiling %s, once after installation", event.data["dispatcher"].py_func.__name__)

        def on_end(self, event: Any) -> None:
            seconds = time.perf_counter() - self.started.pop()
            name = event.data["dispatcher"].py_func.__name__
            logger.debug("compiled %s in %.2f s", name, seconds)

    announcer = Announcer()
    announcer.started = []
    return announcer
