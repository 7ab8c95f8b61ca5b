"""What the rounds of a primal master begin with: small random neurons, and problems that are less work than the whole.

parts of the samples, each within the next   ->   all samples

A kink is smooth in all of them, about the last dual vector (`cvxrelu.problem.losses.smoothed`).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.generation.columns import first_network
from cvxrelu.generation.oracle import Oracle
from cvxrelu.generation.sliding import can_slide
from cvxrelu.problem.losses.smoothed import Smoothed, smoothed
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.scaling import with_loss

__all__ = ["about", "gained_by", "parts_of", "wide_network"]

Array = NDArray[np.float64]

# Random neurons that slide first, and what they cost together, in coordinates of order one.
WIDE, SMALL = 100, 1e-1
# Samples of the smallest part for every feature, and at least; and how many times more the next part has.
FEWEST_A_FEATURE, FEWEST, GROWTH = 125, 500, 4
# Width of a smoothed kink, as a share of the objective of the best constant.
WIDTH = 0.01


def parts_of(oracle: Oracle) -> tuple[Oracle, ...]:
    """Return the oracles that rounds look at in turn; the last one is of all samples.

    Where the loss has a kink they have a smoothed one, in scaled coordinates; what is claimed is of the loss itself.
    """
    parts = (*(_part(oracle, rows) for rows in _nested(oracle.problem, oracle.rng)), oracle)
    if can_slide(oracle.standard):
        return parts
    size = oracle.standard.objective(oracle.enter(first_network(oracle.problem)))
    loss = smoothed(oracle.standard.loss.plain, WIDTH * size)
    assert loss is not None, "the loss has one kink"
    return tuple(replace(part, standard=with_loss(part.standard, loss)) for part in parts)


def about(oracle: Oracle, dual: Array | None) -> Oracle:
    """Return the oracle with a kink smooth about a dual vector in scaled coordinates; about zero if there is none."""
    standard, loss = oracle.standard, oracle.standard.loss.plain
    if dual is None or not isinstance(loss, Smoothed):
        return oracle
    return replace(oracle, standard=with_loss(standard, replace(loss, center=_plain(standard, dual))))


def gained_by(oracle: Oracle, dual: Array) -> float:
    """Return what a step of the proximal point method gains of the dual objective at least: width (v - c)^2."""
    standard, loss = oracle.standard, oracle.standard.loss.plain
    if not isinstance(loss, Smoothed):
        return 0.0
    moved = (_plain(standard, dual) - loss.center) ** 2
    return float(np.average(moved, weights=standard.sample_weight)) * loss.width * oracle.scaling.objective_scale


def _plain(standard: Problem, dual: Array) -> Array:
    """Return what a smoothed loss calls a dual vector: without labels and weights."""
    plain = dual * standard.y if standard.loss.labels else dual
    return plain if standard.sample_weight is None else plain / standard.sample_weight


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
