r"""What multipliers prove of a problem, and their records, whichever kind they are.

    one output        trees for the scores and for their negatives      `cvxrelu.certificate.multipliers`
    several outputs   a tree for the norms of the scores                 `cvxrelu.certificate.norm_multipliers`

Nothing is believed when they are read: any multipliers prove a bound, and wrong ones a poor one.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, bound_dual
from cvxrelu.certificate.multiplier_record import multipliers_of, record_of_multipliers
from cvxrelu.certificate.multipliers import bound_of, settled
from cvxrelu.certificate.norm_multipliers import Multipliers, bound_scores, settled_numbers
from cvxrelu.certificate.norm_record import norms_of, record_of_norms
from cvxrelu.numerics.powers import shift_up
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.problem.problem import Problem

__all__ = ["bound_by", "multipliers_in", "record_of", "settled_for"]

Array = NDArray[np.float64]


def bound_by(problem: Problem, dual: Array, multipliers: Multipliers) -> DualBound:
    """Return the lower bound that a dual vector proves by its multipliers, whatever these are."""
    points = _points_of(problem)

    def bounded(v: Array) -> Priced:
        """Return the bound of the multipliers on gamma(v)."""
        weights = points.weigh(v)
        if isinstance(multipliers, tuple):
            upper = bound_of(points, weights, multipliers)
        else:
            upper = bound_scores(points, weights, multipliers)
        nobody = np.empty((0, problem.n_features)), np.empty(0), np.empty(0)
        return Priced(shift_up(upper, weights.exponent), 0.0, *nobody, "relaxation", False, 0)

    return replace(bound_dual(problem, dual, bounded), multipliers=multipliers)


def settled_for(problem: Problem, dual: Array, multipliers: Multipliers) -> Multipliers:
    """Return multipliers with the numbers that the search for the best bound ends with."""
    points = _points_of(problem)
    weights = points.weigh(dual)
    if isinstance(multipliers, tuple):
        return settled(points, weights, multipliers)
    return settled_numbers(points, weights, multipliers)


def record_of(multipliers: Multipliers) -> Any:
    """Return multipliers as what a file can hold."""
    return record_of_multipliers(multipliers) if isinstance(multipliers, tuple) else record_of_norms(multipliers)


def multipliers_in(record: object, problem: Problem) -> Multipliers:
    """Return the multipliers of a record, in the shapes of a problem.

    Raises
    ------
    ValueError, TypeError
        If it is none; one sentence that goes on from "it is no certificate:".
    """
    if problem.norm.cellwise:
        raise ValueError("it has multipliers, which prove nothing for another norm than the Euclidean.")
    n_places = len(np.unique(problem.X, axis=0))
    if problem.several:
        return norms_of(record, n_places, problem.n_outputs)
    return multipliers_of(record, n_places)


def _points_of(problem: Problem) -> Points:
    return Points.prepare(problem.X, problem.bias, problem.negative_slope, problem.one_sided, problem.is_even)
