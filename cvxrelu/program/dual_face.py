r"""The least maximum of scores over the dual vectors of the best constant, by cutting planes.

    min over v of gamma(v),   low <= v <= high,  and sum v = 0 if the constant is free

Samples that sit on a kink of the loss leave v_i free within its subdifferential (`cvxrelu.program.zero_cost` says what
for). Neurons are added until the least maximum of their scores, a linear program, meets gamma.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import SolverError
from cvxrelu.numerics.activation import leaky_relu
from cvxrelu.pricing import NormPricer, Priced, Pricer
from cvxrelu.problem.problem import Problem
from cvxrelu.program.dense import dense_solver
from cvxrelu.runtime.clock import Clock

__all__ = ["ASCENT_STARTS", "Face", "FacePoint", "least_on_face", "search_scores"]

Array = NDArray[np.float64]

# Relative accuracy of alpha_max where gamma is found by branch and bound or cutting planes.
ACCURACY = 1e-7
# Cones after which branch and bound settles for the bound it has, as in column generation.
NODE_LIMIT = 100_000
# Cutting planes are found by local ascent from this many random starts, where exhaustive search is expensive.
ASCENT_STARTS = 64
# Rounds of cutting planes; ten to thirty are usual.
MAX_ROUNDS = 200
# Cubes of samples that a second of their linear program is ample for; it cannot be stopped. Measured: 1e9.
CUT_PER_SECOND = 5e8
# The linear program is solved to this share of the gap that is left, within these limits: interior solutions give
# better cuts than vertices, and early ones are not worth many digits.
SHARE, FINEST, COARSEST = 1e-2, 1e-10, 1e-4


@dataclass(frozen=True, eq=False)
class Face:
    """The vectors low <= v <= high, whose sum is zero if `balanced`.

    Attributes
    ----------
    low, high : (N,) arrays
        The ends; equal where a sample is on no kink.
    balanced : bool
        Whether entries sum to zero.
    free : (N, r) array, optional
        Vectors that v is orthogonal to, ones included, with a skip connection; `balanced` is False then.
    """

    low: Array
    high: Array
    balanced: bool
    free: Array | None = None

    @property
    def loose(self) -> NDArray[np.bool_]:
        """Which entries are free."""
        return self.high > self.low

    @property
    def middle(self) -> Array:
        """A vector of the face that is at the same share of the way between all ends."""
        width = self.high - self.low
        total = float(width.sum())
        if not self.balanced or total == 0:
            return self.low + width / 2
        return self.low + np.clip(-self.low.sum() / total, 0.0, 1.0) * width

    @property
    def equations(self) -> Array:
        """The (N, r) vectors that v is orthogonal to."""
        return np.ones((len(self.low), int(self.balanced))) if self.free is None else self.free

    def least(self, heights: Array, multipliers: Array) -> float:
        """Return min of heights.v over the face; a lower bound, by multipliers of its equations, if it has several."""
        if self.free is not None:
            heights = heights + self.free @ multipliers
        base, width = float(heights @ self.low), self.high - self.low
        if not self.balanced:
            return base + float(np.minimum(heights, 0.0) @ width)
        # What the sum still needs goes where heights are least.
        order = np.argsort(heights, kind="stable")
        before = np.concatenate([[0.0], np.cumsum(width[order])[:-1]])
        taken = np.clip(-self.low.sum() - before, 0.0, width[order])
        return base + float(heights[order] @ taken)


@dataclass(frozen=True, eq=False)
class FacePoint:
    """A vector of the face.

    Attributes
    ----------
    dual : (N,) array
        The vector.
    priced : Priced
        Its gamma.
    complete : bool
        Whether no other has a smaller one, to the accuracy promised.
    """

    dual: Array
    priced: Priced
    complete: bool


def search_scores(pricer: Pricer | NormPricer, v: Array, clock: Clock, threshold: float | None = None) -> Priced:
    """Bound gamma(v) by exhaustive search, within limits."""
    nodes = None if clock.limited else NODE_LIMIT
    return pricer(v, tol=ACCURACY / 4, threshold=threshold, time_limit=clock.left, node_limit=nodes)


def least_on_face(
    problem: Problem, pricer: Pricer | NormPricer, face: Face, start: FacePoint, clock: Clock
) -> FacePoint:
    """Minimise gamma over the face by cutting planes.

    Parameters
    ----------
    problem : Problem
        The problem.
    pricer : Pricer or NormPricer
        Of its data.
    face : Face
        The dual vectors of the best constant.
    start : FacePoint
        Where to start.
    clock : Clock
        No linear program is begun that would not end in time.

    Raises
    ------
    SolverError
        If a linear program breaks down.
    """
    best, priced, rng = start, start.priced, np.random.default_rng(0)
    unit, columns, accuracy, lower = priced.upper, np.empty((problem.n_samples, 0)), COARSEST, 0.0
    for _ in range(MAX_ROUNDS):
        if problem.n_samples**3 > CUT_PER_SECOND * clock.left:
            break
        outputs = leaky_relu(problem.X @ priced.W.T + priced.b, problem.negative_slope)
        outputs = problem.free.rest(outputs) if problem.skip else outputs
        # Where v sums to zero, constants may be taken from the outputs; the rounding that they cause goes with them.
        columns = np.hstack([columns, (outputs - outputs.mean(axis=0) * face.balanced) / unit])
        cut = _least_on_columns(columns, face, accuracy, problem.one_sided)
        lower = max(lower, cut.lower * unit)
        dual = problem.repair(cut.vector)
        priced, cut_short = None, False
        if isinstance(pricer, Pricer) and not pricer.sweeps:
            priced = pricer.ascend(dual, n_starts=ASCENT_STARTS, random_state=rng, time_limit=clock.left)
        if priced is None or priced.value <= lower * (1 + ACCURACY / 2):
            priced = search_scores(pricer, dual, clock)
            cut_short = not priced.complete
            if priced.upper < best.priced.upper:
                best = FacePoint(dual, priced, False)
        if best.priced.upper <= lower * (1 + ACCURACY) + ACCURACY**2 * unit:
            return replace(best, complete=True)
        excess = (priced.value - lower) / unit
        if cut_short or clock.expired or (accuracy <= FINEST and excess <= FINEST):
            break
        accuracy = float(np.clip(SHARE * excess, FINEST, accuracy))
    return best


@dataclass(frozen=True, eq=False)
class _Cut:
    """A vector of the face, and a lower bound on the least maximum of its scores at the neurons at hand."""

    vector: Array
    lower: float


def _least_on_columns(columns: Array, face: Face, accuracy: float, one_sided: bool) -> _Cut:
    """Minimise the maximum of abs(columns' v) over the face, or of columns' v if only one side counts.

    The bound is good for any solver: if weights a_j have sum abs(a_j) = 1, then max_j abs(columns_j.v) >= f.v with
    f = sum_j a_j columns_j.
    """
    loose, equations = face.loose, face.equations
    width = (face.high - face.low)[loose]
    size, count = len(width), columns.shape[1]
    fixed = face.low @ columns
    scores = (columns[loose] * width[:, None]).T
    ones, sides = np.ones((count, 1)), (1.0,) if one_sided else (1.0, -1.0)
    solver = dense_solver(accuracy)
    # The unknowns are how far entries are on the way from low to high, and t >= abs(score) of every neuron, which is
    # minimised.
    solver.setup(
        np.zeros((size + 1, size + 1)),
        np.append(np.zeros(size), 1.0),
        np.column_stack([equations[loose].T * width, np.zeros(equations.shape[1])]),
        -(face.low @ equations),
        np.block([[side * scores, -ones] for side in sides]),
        np.full(len(sides) * count, -np.inf),
        np.concatenate([-side * fixed for side in sides]),
        np.zeros(size + 1),
        np.append(np.ones(size), np.inf),
    )
    solver.solve()
    shares, multipliers = np.asarray(solver.result.x)[:-1], np.maximum(solver.result.z_u, 0.0)
    if not (np.isfinite(shares).all() and np.isfinite(multipliers).all()):
        raise SolverError("The linear program for alpha_max broke down numerically; rescale the data.")
    v = face.low.copy()
    v[loose] += width * shares
    total = multipliers.sum()
    if total == 0:
        return _Cut(v, 0.0)
    heights = columns @ (np.array(sides) @ multipliers.reshape(len(sides), count)) / total
    return _Cut(v, face.least(heights, np.asarray(solver.result.y) / total))
