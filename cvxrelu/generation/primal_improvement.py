"""What a round of the primal master does to a network: neurons join, get the best output weights, and slide.

    neurons -> best output weights of all (a Lasso) -> they slide -> weights

The weights come last again because what sliding leaves of their gradients costs a proof more than it costs the network:
the dual vector is off by it, and the objective by its square.
"""

import logging

import numpy as np

from cvxrelu.errors import SolverError
from cvxrelu.generation.columns import Columns, standard_network
from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.primal_master import solve_primal
from cvxrelu.generation.sliding import NEGLIGIBLE, SAME, merged, slide
from cvxrelu.pricing import Priced
from cvxrelu.problem.losses.smoothed import Smoothed
from cvxrelu.problem.network import Network

__all__ = ["improve", "slid"]

logger = logging.getLogger(__name__)

# Neurons that join at most; they score more than the bound by this share of the largest excess.
MOST_NEW, WORTHWHILE = 80, 0.05
# Steps of sliding; and relative accuracy of the output weights. Next to a kink small weights and small changes of the
# objective make much of the dual vector, and both have to be a thousandth: with 1e-9, the scores of neurons in use were
# six per cent above the bound (hinge loss, ten thousand samples of which four thousand were at their kinks).
STEPS, ACCURACY, KINKED_ACCURACY = 100, 1e-9, 1e-12
# Share of the cost that a neuron has to have next to a kink.
KINKED_NEGLIGIBLE = 1e-10
# Angles at which neurons may be one next to a kink: where cells are small those at the first are not, and without the
# others the last digits took up to three times as long (1,000 and 4,000 x 2, alpha 1e-3, a gap of 1e-6).
KINKED_SAME = SAME, 3e-3, 3e-4


def improve(oracle: Oracle, network: Network, priced: Priced | None, progress: float) -> Network:
    """Return a network after neurons that pricing found have joined and all have slid.

    Steps of sliding have to save the share `progress` of the objective.
    """
    standard = oracle.standard
    columns = Columns.of(standard, network.W, network.b)
    if priced is not None:
        columns += _worthwhile(oracle, priced)
    if not len(columns):
        return network
    try:
        best = _weighted(oracle, network, columns)
        if not best.n_neurons:
            return best
        moved = slid(oracle, best, STEPS, progress)
        angles = KINKED_SAME if _is_kinked(oracle) else (SAME,)
        fewer = (merged(standard, moved, angle) for angle in angles)
        found = min((*fewer, moved, best), key=standard.objective)
        return _weighted(oracle, found, Columns.of(standard, found.W, found.b))
    except SolverError as error:
        # Narrow kinks may be too much for one master, and are none for the next.
        logger.info("the network is kept as it is: %s", error)
        return network


def _worthwhile(oracle: Oracle, priced: Priced) -> Columns:
    """Return the best of the neurons that were found and score more than the bound."""
    least = oracle.bound * (1 + WORTHWHILE * max(oracle.excess(priced), 0.0))
    new = np.flatnonzero(np.abs(priced.scores) > least)[:MOST_NEW]
    return Columns.of(oracle.standard, *oracle.scaling.adopt(priced.W[new], priced.b[new]))


def slid(oracle: Oracle, network: Network, steps: int, progress: float) -> Network:
    """Return a network after sliding, in double precision where the loss has all but kinks."""
    standard, kinked = oracle.standard, _is_kinked(oracle)
    least, negligible = progress * standard.objective(network), KINKED_NEGLIGIBLE if kinked else NEGLIGIBLE
    return slide(standard, network, steps, oracle.clock, least, not kinked, negligible)


def _is_kinked(oracle: Oracle) -> bool:
    """Tell whether the loss is one that was made smooth."""
    return isinstance(oracle.standard.loss.plain, Smoothed)


def _weighted(oracle: Oracle, network: Network, columns: Columns) -> Network:
    """Return the network of the best output weights of columns, of which the first are those of the network."""
    standard = oracle.standard
    weights = np.append(network.v, np.zeros(len(columns) - len(network.v)))
    shift, linear = standard.free.split(standard.free.coefficients(standard.X @ network.skip))
    start = weights, network.intercept + shift, linear
    accuracy = KINKED_ACCURACY if _is_kinked(oracle) else ACCURACY
    return standard_network(standard, columns, solve_primal(standard, columns.outputs, accuracy, *start, oracle.clock))
