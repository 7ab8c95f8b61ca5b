"""Ctrl-C, wherever it comes.

Python drops an exception that is raised where nobody can catch it, in a callback of the garbage collector or a
`__del__`, and says no more than that on standard error. Libraries put such callbacks into every program (JAX does when
it is imported), and a KeyboardInterrupt may well be raised in one: after a long call of a solver it is the first line
of Python to be run. What was dropped is then sent once more.
"""

import signal
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

    One that was dropped is raised inside, at the end of it at the latest, and once. In other threads than the main one,
    which receive none, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before, waiting = sys.unraisablehook, list[threading.Timer]()

    def send_again(dropped: "sys.UnraisableHookArgs") -> None:
        if isinstance(dropped.exc_value, KeyboardInterrupt):
            waiting.append(threading.Timer(MOMENT, _press))
            waiting[-1].start()
        else:
            before(dropped)

    sys.unraisablehook = send_again
    try:
        yield
        recalled = [_recalled(timer) for timer in waiting]
        if any(recalled):
            raise KeyboardInterrupt
    finally:
        for timer in waiting:
            _recalled(timer)
        if sys.unraisablehook is send_again:
            sys.unraisablehook = before


def _press() -> None:
    """Interrupt the main thread, also while it waits for something, unless nobody is to be interrupted."""
    if not callable(signal.getsignal(signal.SIGINT)):
        return
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:  # Windows, where nothing wakes it
        interrupt_main()


def _recalled(timer: threading.Timer) -> bool:
    """Tell whether an interrupt was still to be sent, which it will not be any more."""
    sent = timer.finished.is_set()
    timer.cancel()
    timer.join()  # what it has sent meanwhile arrives here
    return not sent
