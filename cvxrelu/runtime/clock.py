"""One clock for whatever may take long: how much time has gone, and how much is left."""

import math
import time
from dataclasses import dataclass, field

__all__ = ["Clock"]


# Seconds that whatever is begun has at least.
SOME_TIME = 1e-3


@dataclass(frozen=True)
class Clock:
    """A clock that runs from the moment it is made.

    Attributes
    ----------
    limit : float or None
        Seconds until it expires; None or infinity for never.
    started : float
        The reading of `time.perf_counter` when it was made.

    Examples
    --------
    >>> Clock().expired, Clock().left, Clock(0.0).expired
    (False, inf, True)
    >>> Clock(60.0).share(0.5).limit <= 30.0
    True
    """

    limit: float | None = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    @property
    def limited(self) -> bool:
        """Whether it ever expires."""
        return self.limit is not None and math.isfinite(self.limit)

    @property
    def left(self) -> float:
        """Seconds until it expires, not negative; infinity without a limit."""
        return math.inf if self.limit is None else max(self.limit - self.elapsed, 0.0)

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.left <= 0

    @property
    def as_limit(self) -> float | None:
        """What is left as a time limit for something else, which has some time at least; None without a limit."""
        return max(self.left, SOME_TIME) if self.limited else None

    def share(self, part: float) -> "Clock":
        """Return a clock that starts now and gets this part of the time that is left."""
        return Clock(part * self.left)

    def __reduce__(self) -> tuple[type["Clock"], tuple[float]]:
        """Start again with what is left where it is sent to: other processes may count from another moment."""
        return Clock, (self.left,)
