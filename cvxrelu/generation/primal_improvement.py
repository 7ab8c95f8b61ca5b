"""What a round of the primal master does to a network: neurons join, get the best output weights, and slide.

    neurons -> best output weights of all (a Lasso, or a linear program of a loss with a kink) -> they slide -> weights

The weights come last again because what sliding leaves of their gradients costs a proof more than it costs the network:
the dual vector is off by it, and the objective by its square.
"""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import SolverError
from cvxrelu.generation.columns import Columns, standard_network
from cvxrelu.generation.exact_master import solve_exact
from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.primal_master import solve_primal
from cvxrelu.generation.sliding import can_slide, merged, slide
from cvxrelu.problem.losses.smoothed import Smoothed
from cvxrelu.problem.network import Network

__all__ = ["Improved", "improve", "slid"]

Array = NDArray[np.float64]

logger = logging.getLogger(__name__)

# Steps of sliding, and relative accuracy of the output weights.
STEPS, ACCURACY = 100, 1e-9
# Share of the bound that the score of a neuron without weight has to reach for it to stay (`Improved.near`).
NEAR = 0.7


@dataclass(frozen=True, eq=False)
class Improved:
    """A network, in scaled coordinates, and what a linear program leaves for the next one.

    Attributes
    ----------
    network : Network
        The network.
    dual : (N,) array or None
        The dual vector of its weights, if they are those of a linear program.
    near : Columns or None
        Its neurons then, and those without weight that score nearly as much as the bound: with a kink many dual vectors
        belong to the same weights, and it is these neurons that tell which of them is feasible.
    """

    network: Network
    dual: Array | None = None
    near: Columns | None = None


def improve(oracle: Oracle, network: Network, new: Columns, progress: float) -> Improved:
    """Return a network after neurons have joined and all have slid.

    Steps of sliding have to save the share `progress` of the objective.
    """
    standard = oracle.standard
    columns = Columns.of(standard, network.W, network.b) + new
    if not len(columns):
        return Improved(network)
    try:
        if not can_slide(standard):
            exact = solve_exact(standard, columns.outputs, oracle.clock)
            best = standard_network(standard, columns, exact)
            near = np.abs(columns.outputs.T @ exact.dual) >= NEAR * standard.score_bound
            return Improved(min((best, network), key=standard.objective), oracle.as_dual(exact.dual), columns[near])
        best = _weighted(oracle, network, columns)
        if not best.n_neurons:
            return Improved(best)
        moved = slid(oracle, best, STEPS, progress)
        found = min((merged(standard, moved), moved, best), key=standard.objective)
        return Improved(_weighted(oracle, found, Columns.of(standard, found.W, found.b)))
    except (SolverError, TimeoutError) as error:
        # Narrow kinks may be too much for one master, and are none for the next.
        logger.info("the network is kept as it is: %s", error)
        return Improved(network)


def slid(oracle: Oracle, network: Network, steps: int, progress: float) -> Network:
    """Return a network after sliding, in double precision where the loss has all but kinks."""
    standard = oracle.standard
    least = progress * standard.objective(network)
    return slide(standard, network, steps, oracle.clock, least, single=not isinstance(standard.loss.plain, Smoothed))


def _weighted(oracle: Oracle, network: Network, columns: Columns) -> Network:
    """Return the network of the best output weights of columns, of which the first are those of the network."""
    standard = oracle.standard
    weights = np.append(network.v, np.zeros(len(columns) - len(network.v)))
    shift, linear = standard.free.split(standard.free.coefficients(standard.X @ network.skip))
    start = weights, network.intercept + shift, linear
    return standard_network(standard, columns, solve_primal(standard, columns.outputs, ACCURACY, *start))
