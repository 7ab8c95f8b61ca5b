"""What an `OptimalSet` hands out: networks that say how far from optimal they can be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.network import Network

__all__ = ["ExtremePredictions", "OptimalNetwork", "SparsestNetwork"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OptimalNetwork:
    """A network of an optimal set, judged by its own objective.

    Attributes
    ----------
    network : Network
        The network.
    objective : float
        The problem's objective at it, recomputed from the network.
    lower : float
        A proven lower bound on the objective of every network of every width.
    """

    network: Network
    objective: float
    lower: float

    @property
    def relative_gap(self) -> float:
        """(objective - lower) / max(abs(objective), tiny), as in a certificate."""
        if not np.isfinite(self.objective):
            return np.inf
        return (self.objective - self.lower) / max(abs(self.objective), np.finfo(float).tiny)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.network.n_neurons} neurons, objective={self.objective:.10g}, "
            f"relative_gap={self.relative_gap:.2e})"
        )


@dataclass(frozen=True, eq=False, repr=False)
class SparsestNetwork(OptimalNetwork):
    """An optimal network of few neurons.

    Attributes
    ----------
    count : int
        The number of neurons, or of distinct hinges, whichever was to be small.
    exact : bool
        True if a mixed-integer program proved that no network of the set has fewer; False if this is the best that
        a search by reweighted linear programs found.
    """

    count: int
    exact: bool


@dataclass(frozen=True, eq=False)
class ExtremePredictions:
    """The range of the predictions of all optimal networks, with the networks at its ends.

    Attributes
    ----------
    lower, upper : (n,) array
        The smallest and the largest prediction at each point.
    lowest, highest : tuple of OptimalNetwork
        Networks that make them.
    """

    lower: Array
    upper: Array
    lowest: tuple[OptimalNetwork, ...]
    highest: tuple[OptimalNetwork, ...]

    @property
    def width(self) -> Array:
        """The differences upper - lower."""
        return self.upper - self.lower
