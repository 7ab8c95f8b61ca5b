r"""The fewest neurons that networks of an optimal set can have.

Two neurons that are joined by a segment become one, somewhere between, so a network needs

    min  sum_k point_k + sum_s inside_s   over weights lambda of the set and 0-1 variables
    s.t. lambda_k <= (max lambda_k) * (point_k + sum over segments s that end at k of inside_s)

neurons: a neuron with weight is there itself or it is covered by a segment, and one neuron a segment is enough, because
a weight that two segments could cover may go to either. This is a mixed-integer program. To count hinges, let one
variable stand for a place and both ways of facing it: neurons of one sign with one hinge that face either way can be
moved along their segments together, because sigma(-t) = sigma(t) - (1 + a) t and what is left over is a constant.

Without the program: lambda minimises sum_k lambda_k / (previous lambda_k + epsilon), again and again, from several
starts.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from cvxrelu.analysis.optima.neurons import Neurons
from cvxrelu.analysis.optima.polytope import Polytope, solve_linear
from cvxrelu.errors import SolverError
from cvxrelu.runtime.clock import Clock

__all__ = ["Cover", "carrying", "fewest", "reweighted"]

Array = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Weights below this share of the largest are zero, being rounding of linear programs; and what is asked of a linear
# program where a weight shall be zero.
NO_WEIGHT, EXACT_ZERO = 1e-8, 1e-11
# A mixed-integer solver takes 1e-6 for zero, so its weights are found again without the neurons that it leaves out;
# where they cannot be, that choice is excluded and the program solved again, at most so many times.
MOST_CUTS = 50
# Starts and rounds of the reweighted search, and the weight (a share of the largest) that counts as small in it.
STARTS, ROUNDS, SMALL = 12, 8, 1e-3


@dataclass(frozen=True, eq=False)
class Cover:
    """What can stand for neurons.

    Attributes
    ----------
    members : (C, K) bool array
        Which neurons each element covers: one place, or two that a segment joins.
    """

    members: NDArray[np.bool_]

    @classmethod
    def of(cls, neurons: Neurons, hinges: bool) -> "Cover":
        """Return the places and the segments, of neurons or (with `hinges`) of hinges whichever way they face."""
        place = neurons.hinges if hinges else np.arange(len(neurons))
        parts = [place[:, None] == k for k in np.unique(place)]
        signs = neurons.signs
        parts += [(np.isin(place, place[pair]) & (signs == signs[pair[0]]))[:, None] for pair in neurons.segments]
        if not parts:
            return cls(np.zeros((0, len(neurons)), dtype=bool))
        return cls(np.unique(np.hstack(parts).T, axis=0))

    def choose(self, used: NDArray[np.bool_]) -> IntArray:
        """Return a smallest choice of elements that covers the neurons in use."""
        if not used.any():
            return np.zeros(0, dtype=np.intp)
        chosen: Any = milp(
            np.ones(len(self.members)),
            constraints=LinearConstraint(self.members[:, used].T.astype(float), lb=1.0),
            integrality=np.ones(len(self.members)),
            bounds=Bounds(0, 1),
        )
        return np.flatnonzero(np.round(chosen.x))


def fewest(polytope: Polytope, cover: Cover, time_limit: float) -> Array | None:
    """Return a point of the polytope whose weights need the fewest elements of the cover; None if that took too long.

    Parameters
    ----------
    polytope : Polytope
        The points x, whose first K entries are the weights of the neurons.
    cover : Cover
        What can stand for the neurons.
    time_limit : float
        Seconds for the mixed-integer programs, all together.
    """
    count, size = cover.members.shape[1], polytope.dimension
    elements = len(cover.members)
    if size == 0:
        return polytope.center
    largest = np.array([polytope.maximise(np.arange(len(polytope.center)) == k)[k] for k in range(count)])
    scale = largest.max(initial=0.0)
    stays = np.hstack([polytope.slopes, np.zeros((len(polytope.slopes), elements))])
    covered = np.hstack([-polytope.basis[:count], (1 + NO_WEIGHT) * largest[:, None] * cover.members.T])
    rows, bounds = np.vstack([stays, covered]), np.concatenate([-polytope.slack, polytope.center[:count]])
    binary = np.repeat([0.0, 1.0], [size, elements])
    low, high = np.where(binary, 0.0, -np.inf), np.where(binary, 1.0, np.inf)
    clock = Clock(time_limit)
    for _ in range(MOST_CUTS):
        result: Any = milp(
            binary,
            constraints=LinearConstraint(rows, lb=bounds),  # pyright: ignore[reportArgumentType]
            integrality=binary,
            bounds=Bounds(low, high),  # pyright: ignore[reportArgumentType]
            options={"time_limit": clock.left, "presolve": False},
        )
        if result.status != 0:
            return None
        chosen = np.round(result.x[size:]) > 0
        absent = np.logical_not(cover.members[chosen].any(axis=0))
        point = _without(polytope, absent, EXACT_ZERO * scale)
        if point is not None:
            return point
        rows = np.vstack([rows, np.append(np.zeros(size), ~chosen)])
        bounds = np.append(bounds, 1.0)
    return None


def _without(polytope: Polytope, absent: NDArray[np.bool_], zero: float) -> Array | None:
    """Return a vertex of the points without weight on some neurons, or None if there are none."""
    absent_rows, count = polytope.basis[: len(absent)][absent], len(absent)
    matrix = np.vstack([-polytope.slopes, absent_rows])
    bounds = np.append(polytope.slack, zero - polytope.center[:count][absent])
    # Any costs without ties lead to a vertex, which has few neurons.
    costs = np.append(1 + np.arange(count) / count, np.zeros(len(polytope.center) - count))
    try:
        return polytope.point(solve_linear(costs @ polytope.basis, matrix, bounds))
    except SolverError:
        return None


def reweighted(polytope: Polytope, cover: Cover, rng: np.random.Generator) -> Array:
    """Return a point of the polytope whose weights need few elements of the cover, found by reweighted programs."""
    count, best, least = cover.members.shape[1], polytope.center, np.inf
    seen: set[bytes] = set()
    small = SMALL * polytope.center[:count].max(initial=0.0)
    for start in range(STARTS):
        costs = np.ones(count) if start == 0 else rng.exponential(size=count)
        for _ in range(ROUNDS):
            point = polytope.maximise(-np.append(costs, np.zeros(len(polytope.center) - count)))
            used = carrying(point[:count])
            if used.tobytes() in seen:
                # A vertex, and those that follow from it, are known by the weights that are not zero.
                break
            seen.add(used.tobytes())
            needed = len(cover.choose(used))
            if needed < least:
                best, least = point, needed
            costs = small / (np.maximum(point[:count], 0.0) + small)
    return best


def carrying(weights: Array) -> NDArray[np.bool_]:
    """Return which weights are more than rounding."""
    return weights > NO_WEIGHT * np.abs(weights).max(initial=0.0)
