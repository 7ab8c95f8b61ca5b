"""A process for what nothing could stop in this one: compiled code that looks at no clock and lets no signal in.

    with Worker() as worker:  worker.call(clock, function, *arguments)

The process is started when it is first needed, and killed at the end of the block, when the clock expires, or at
Ctrl-C. It is an interpreter of its own that talks through pipes, so it never runs the caller's script again.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import Any, ParamSpec, Self, TypeVar

from cvxrelu.errors import SolverError
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.waiting import result_of

__all__ = ["Worker", "is_portable"]

Given = ParamSpec("Given")
Value = TypeVar("Value")


class Worker:
    """Calls functions in another process.

    Examples
    --------
    >>> with Worker() as worker:
    ...     worker.call(Clock(60.0), abs, -2)
    2
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._talk = Thread()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def call(
        self, clock: Clock, function: Callable[Given, Value], *given: Given.args, **options: Given.kwargs
    ) -> Value:
        """Return what a function returns, or raise what it raises.

        Parameters
        ----------
        clock : Clock
            When it expires, the process is killed.
        function : callable
            Any that can be pickled, as its arguments and what it returns can.

        Raises
        ------
        TimeoutError
            If the clock has expired.
        SolverError
            If the process ends before it answers.
        """
        process = self._process = self._process or _start()
        answer: Future[tuple[bool, Any]] = Future()

        def ask() -> None:
            try:
                _send(process.stdin, (function, given, options))
                answer.set_result(pickle.load(process.stdout))  # pyright: ignore[reportArgumentType]
            except (EOFError, OSError):
                answer.set_exception(
                    SolverError(
                        "The process that solves large programs ended before it answered, probably for want of memory; "
                        "use fewer samples or another method."
                    )
                )
            except BaseException as error:
                answer.set_exception(error)

        self._talk = Thread(target=ask, daemon=True)
        self._talk.start()
        try:
            succeeded, value = result_of(answer, clock)
        except BaseException:
            self._end()
            raise
        if not succeeded:
            raise value
        return value

    def _end(self) -> None:
        """Kill the process, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        if self._talk.is_alive():
            self._talk.join()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # of what was still to be sent
                pipe.close()  # pyright: ignore[reportOptionalMemberAccess]
        process.wait()


def is_portable(problem: Any) -> bool:
    """Tell whether another interpreter knows all of a problem: a loss may be a class of the caller's script."""
    return all(type(part).__module__.startswith("cvxrelu.") for part in (problem.loss.plain, problem.norm))


def _start() -> "subprocess.Popen[bytes]":
    """Start an interpreter that finds the same modules; Ctrl-C at the terminal is not for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "cvxrelu.runtime.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
        start_new_session=True,
    )


def _send(pipe: Any, message: object) -> None:
    pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
    pipe.flush()


def _serve(requests: Any, answers: Any) -> None:
    """Answer requests until there are no more."""
    while True:
        try:
            function, given, options = pickle.load(requests)
        except EOFError:
            return
        try:
            answer = (True, function(*given, **options))
        except Exception as error:
            answer = (False, error)
        _send(answers, answer)


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
