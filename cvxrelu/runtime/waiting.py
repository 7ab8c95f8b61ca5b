"""Waiting for what another thread does, so that Ctrl-C is heard."""

from concurrent.futures import Future
from typing import TypeVar

from cvxrelu.runtime.clock import Clock

__all__ = ["result_of"]

Value = TypeVar("Value")

# Seconds after which a wait looks for signals. One that comes just before a wait begins does not wake it.
SLICE = 0.05


def result_of(future: Future[Value], clock: Clock) -> Value:
    """Return a future's result, or raise its error.

    Raises
    ------
    TimeoutError
        If the clock expires before it is there.

    Examples
    --------
    >>> future = Future()
    >>> future.set_result(2)
    >>> result_of(future, Clock())
    2
    """
    while not future.done():
        if clock.expired:
            raise TimeoutError("The clock expired.")
        try:
            return future.result(min(SLICE, clock.left))
        except TimeoutError:
            if future.done():
                break  # with a TimeoutError of its own, or just now
    return future.result()
