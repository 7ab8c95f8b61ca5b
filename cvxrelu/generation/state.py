"""What every master of column generation is: an iterative method around a named state.

    state = master.begin(network, rounds)
    while not master.has_ended(state):   state = master.step(state)   and state.round is what is known by then

The loop is in `cvxrelu.generation.loop`, once for all masters.
"""

from dataclasses import dataclass
from typing import Protocol, TypeVar

from cvxrelu.certificate.bounds import DualBound
from cvxrelu.problem.network import Network
from cvxrelu.runtime.endings import Cause

__all__ = ["GenerationRound", "Master", "State"]


@dataclass(frozen=True, eq=False)
class GenerationRound:
    """What is known after a round.

    Attributes
    ----------
    network : Network
        The network of the master solution, in the units of the problem.
    upper : float
        Its objective.
    bound : DualBound
        The best lower bound so far.
    columns : int
        Number of neurons in the master.
    cause : Cause
        What the gap is due to, if this is the last round and it is open.
    """

    network: Network
    upper: float
    bound: DualBound
    columns: int
    cause: Cause


class State(Protocol):
    """What a master goes on from; each has its own."""

    @property
    def round(self) -> GenerationRound | None:
        """What is known; None before the first round."""
        ...

    @property
    def rounds(self) -> int:
        """Rounds until now, those of earlier masters included."""
        ...


S = TypeVar("S", bound=State)


class Master(Protocol[S]):
    """A way to use the neurons at hand, and to find by a dual vector which are missing."""

    def begin(self, start: Network | None, rounds: int) -> S:
        """Return the state before the first round: with the neurons of a network, after so many rounds of others."""
        ...

    def step(self, state: S) -> S:
        """Return the state after another round.

        Raises
        ------
        SolverError
            If the master problem cannot be solved.
        """
        ...

    def has_ended(self, state: S) -> bool:
        """Tell whether another round is of no use, or not allowed."""
        ...

    def is_last(self, state: S) -> bool:
        """Tell of a state that has ended whether masters that come after this one have nothing left to do."""
        ...
