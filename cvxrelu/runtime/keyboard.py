"""Ctrl-C, wherever it comes.

Python drops an exception that is raised where nobody can catch it, in a callback of the garbage collector or a
`__del__`, and says no more than that on standard error. Libraries put such callbacks into every program (JAX does when
it is imported), and a KeyboardInterrupt may well be raised in one: after a long call of a solver it is the first line
of Python to be run. What was dropped is then sent once more.
"""

import sys
import threading
from _thread import interrupt_main
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["heeding_interrupts"]

# Seconds after which a dropped interrupt is sent again: by then the callback has ended.
MOMENT = 0.02


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Have no KeyboardInterrupt be dropped inside of the block, or of a function that this decorates.

    In other threads than the main one, which receive none, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = sys.unraisablehook

    def send_again(dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, KeyboardInterrupt):
            threading.Timer(MOMENT, interrupt_main).start()
        else:
            before(dropped)

    sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = before
