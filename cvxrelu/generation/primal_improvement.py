"""What a round of the primal master does to a network: neurons join, get the best output weights, and slide.

    neurons -> best output weights of all (a Lasso, or a linear program of a loss with a kink) -> they slide -> weights

The weights come last again because what sliding leaves of their gradients costs a proof more than it costs the network:
the dual vector is off by it, and the objective by its square.
"""

import logging

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

__all__ = ["improve", "slid"]

Array = NDArray[np.float64]

logger = logging.getLogger(__name__)

# Steps of sliding, and relative accuracy of the output weights.
STEPS, ACCURACY = 100, 1e-9


def improve(oracle: Oracle, network: Network, new: Columns, progress: float) -> tuple[Network, Array | None]:
    """Return a network, in scaled coordinates, after neurons have joined and all have slid.

    Steps of sliding have to save the share `progress` of the objective. With the network comes the dual vector of its
    weights, if they are those of a linear program.
    """
    standard = oracle.standard
    columns = Columns.of(standard, network.W, network.b) + new
    if not len(columns):
        return network, None
    try:
        if not can_slide(standard):
            exact = solve_exact(standard, columns.outputs, oracle.clock)
            best = standard_network(standard, columns, exact)
            return min((best, network), key=standard.objective), oracle.as_dual(exact.dual)
        best = _weighted(oracle, network, columns)
        if not best.n_neurons:
            return best, None
        moved = slid(oracle, best, STEPS, progress)
        found = min((merged(standard, moved), moved, best), key=standard.objective)
        return _weighted(oracle, found, Columns.of(standard, found.W, found.b)), None
    except (SolverError, TimeoutError) as error:
        # Narrow kinks may be too much for one master, and are none for the next.
        logger.info("the network is kept as it is: %s", error)
        return network, None


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
