"""Calls with a deadline, each in a process of its own, which is killed when its time is up.

    prepare(*arguments) -> call,   call() -> value

Preparation (imports, compilation) is free and the call is timed: what is compared is methods, not compilers.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["Outcome", "with_deadline"]

# Seconds that preparation may take; a busy machine compiles slowly.
PREPARATION_LIMIT = 180.0


@dataclass(frozen=True)
class Outcome:
    """What a call returned and the seconds it took, or a sentence that says why it did not return."""

    value: Any
    seconds: float
    failure: str | None = None


def with_deadline(prepare: Callable[..., Callable[[], Any]], *arguments: object, seconds: float) -> Outcome:
    """Prepare a call in a fresh process, make it, and kill the process and its children if it takes too long.

    Parameters
    ----------
    prepare : callable
        A function of a module; it returns the call.
    *arguments
        Its arguments.
    seconds : float
        What the call may take.

    Returns
    -------
    Outcome
        What the call returned, or how it failed: an exception, the end of the process, or the deadline.
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, prepare, arguments))
    process.start()
    theirs.close()
    outcome = Outcome(None, PREPARATION_LIMIT, f"not ready after {PREPARATION_LIMIT:g} s")
    try:
        if mine.poll(PREPARATION_LIMIT) and (outcome := mine.recv()) is None:
            outcome = Outcome(None, seconds, f"no network after {seconds:g} s")
            if mine.poll(seconds):
                outcome = mine.recv()
    except EOFError:
        process.join()
        outcome = Outcome(None, float("nan"), f"the process ended with exit code {process.exitcode}")
    finally:
        _end(process)
    return outcome


def _work(results: Connection, prepare: Callable[..., Callable[[], Any]], arguments: tuple[object, ...]) -> None:
    """Send None when all is prepared, and the outcome when the call is over."""
    os.setsid()  # a group of its own, so that its children end with it
    started = time.perf_counter()
    try:
        call = prepare(*arguments)
        results.send(None)
        started = time.perf_counter()
        outcome = Outcome(call(), time.perf_counter() - started)
    except Exception as error:  # a failure is a result: it is recorded, and the other methods still run
        outcome = Outcome(None, time.perf_counter() - started, f"{type(error).__name__}: {error}")
    results.send(outcome)


def _end(process: Any) -> None:
    """End a process and what it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # it has ended, or has no group yet
        process.kill()
    process.join()
