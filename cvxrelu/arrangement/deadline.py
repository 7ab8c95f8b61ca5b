"""What is called now and then while patterns are enumerated, on workers too, so that a time limit holds."""

from dataclasses import dataclass

from cvxrelu.errors import SolverError
from cvxrelu.runtime.clock import Clock

__all__ = ["Deadline"]


@dataclass(frozen=True)
class Deadline:
    """When enumeration has to end.

    Attributes
    ----------
    clock : Clock
        It goes on where it is sent to.
    limit : float or None
        Seconds it had in the beginning.
    bound : int
        How many patterns there may be.

    Examples
    --------
    >>> Deadline(Clock(60.0), 60.0, 14)()
    """

    clock: Clock
    limit: float | None
    bound: int

    def __call__(self) -> None:
        """Raise an error once time is up.

        Raises
        ------
        SolverError
            If it is: what was found by then is not everything.
        """
        if self.clock.expired:
            raise SolverError(
                f"time_limit={self.limit:g} ended before all sign patterns, up to {self.bound:,}, were enumerated; "
                "allow more or, if the norm is Euclidean, use method='generate', which needs few of them."
            )
