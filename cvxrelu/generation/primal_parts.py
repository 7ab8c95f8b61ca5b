"""What the rounds of a primal master begin with: small random neurons, and problems that are less work than the whole.

parts of the samples, each within the next   ->   all samples, a kink ever less smooth (`losses.smoothed`)
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.generation.columns import first_network
from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.sliding import can_slide
from cvxrelu.problem.losses.smoothed import smoothed
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem

__all__ = ["parts_of", "wide_network"]

# Random neurons that slide first, and what they cost together, in coordinates of order one.
WIDE, SMALL = 100, 1e-1
# Samples of the smallest part for every feature, and at least; and how many times more the next part has.
FEWEST_A_FEATURE, FEWEST, GROWTH = 125, 500, 4
# The widths of a smoothed kink, as shares of the objective of the best constant: the first, by how much it shrinks from
# part to part, and the last one, for each unit of the gap to reach and at least.
FIRST_WIDTH, SHRINKING, LAST_WIDTH, LEAST_WIDTH = 0.1, 0.1, 0.2, 2e-6


def parts_of(oracle: Oracle) -> tuple[Oracle, ...]:
    """Return the oracles that rounds look at in turn; the last ones are of all samples, ever less smooth.

    The last one is that of the problem itself.
    """
    parts = [*(_part(oracle, rows) for rows in _nested(oracle.problem, oracle.rng)), oracle]
    if not can_slide(oracle.standard):
        size = oracle.standard.objective(oracle.enter(first_network(oracle.problem)))
        last = max(LAST_WIDTH * oracle.options.tol, LEAST_WIDTH)
        count = max(math.ceil(math.log(last / FIRST_WIDTH, SHRINKING)), 1) + 1
        widths = np.geomspace(FIRST_WIDTH, last, count) * size
        parts += [oracle] * max(count - len(parts), 0)
        widths = np.append(np.full(len(parts) - count, widths[0]), widths)
        parts = [*(_smoothed(part, float(width)) for part, width in zip(parts, widths, strict=True)), oracle]
    return tuple(parts)


def wide_network(oracle: Oracle) -> Network:
    """Return random neurons with small weights, their hinges through random samples, in scaled coordinates."""
    standard, rng = oracle.standard, oracle.rng
    W, b = rng.standard_normal((WIDE, standard.n_features)), np.zeros(WIDE)
    if standard.norm.has_bias:
        b = -np.einsum("kd,kd->k", W, standard.X[rng.integers(standard.n_samples, size=WIDE)])
    signs = np.where((rng.random(WIDE) < 0.5) & (not standard.one_sided), -1.0, 1.0)
    costs = standard.norm.neuron_costs(W, b)
    v = signs * SMALL / WIDE
    return Network(W / costs[:, None], b / costs, v, 0.0, standard.negative_slope)


def _smoothed(oracle: Oracle, width: float) -> Oracle:
    """Return the oracle with a smoothed loss, in scaled coordinates; what is claimed is of the loss itself."""
    loss = smoothed(oracle.standard.loss.plain, width)
    assert loss is not None, "the loss has one kink"
    return replace(oracle, standard=replace(oracle.standard, loss=loss))


def _nested(problem: Problem, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Return the rows of random parts of the samples, each a part of the next one."""
    order, size = rng.permutation(problem.n_samples), max(FEWEST, FEWEST_A_FEATURE * problem.n_features)
    parts = []
    while size * GROWTH <= problem.n_samples:
        rows = np.sort(order[:size])
        # Both classes are there.
        if not problem.loss.labels or np.ptp(problem.y[rows]) > 0:
            parts.append(rows)
        size *= GROWTH
    return parts


def _part(oracle: Oracle, rows: NDArray[np.intp]) -> Oracle:
    """Return the oracle of a part of the samples."""
    problem = oracle.problem
    weights = None if problem.sample_weight is None else problem.sample_weight[rows]
    part = replace(problem, X=problem.X[rows], y=problem.y[rows], sample_weight=weights)
    return replace(Oracle.of(part, oracle.options, oracle.clock), rng=oracle.rng)
