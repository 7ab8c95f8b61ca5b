r"""Polytopes given by equations and inequalities, in coordinates in which they have an interior.

    P = {x : A x = a, R x >= r}  =  {x_0 + Q t : slopes t + slack >= 0}

x_0 is a point at which every inequality is strict that is strict anywhere on P, and the columns of Q are an orthonormal
basis of the directions in which P extends. With the equations gone, a solver's tolerance cannot show in them.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.spatial import HalfspaceIntersection, QhullError

from cvxrelu.errors import SizeError, SolverError
from cvxrelu.numerics.neighbours import near_groups
from cvxrelu.numerics.tolerances import SOLVED_RANK_RTOL

__all__ = ["Polytope", "polytope_of"]

Array = NDArray[np.float64]

# Slack (relative to the size of the entries) up to which an inequality is taken to hold as an equation.
TIGHT = 1e-8
# Misfit of the equations, relative to the size of their right-hand side, that is rounding.
CONSISTENT = 1e-8
# Slack (likewise relative) beyond which more is not rewarded in the search for an inner point.
ENOUGH = 1e-2
# Accuracies asked of the simplex method: the best it offers, and less where it ends in numerical difficulties, as one
# program in two hundred does. Presolve stumbles over coefficients of 1e-14.
ACCURACIES, DIFFICULTIES = (1e-10, 1e-9, 1e-8), 4
# Dimensions in which vertices are sought, which is seconds of work and some 10,000 vertices.
VERTEX_DIMENSIONS = 8
# Vertices that differ by less than this share of their size are one.
SAME_VERTEX = 1e-7
# Steps of the random walk before and between samples, for each dimension.
STEPS = 8


@dataclass(frozen=True, eq=False)
class Polytope:
    """A polytope with an interior in its own coordinates t; made by `polytope_of`.

    Attributes
    ----------
    center : (n,) array
        x_0.
    basis : (n, p) array
        Q; p is the dimension.
    slopes, slack : (m, p) array, (m,) array
        The inequalities slopes t + slack >= 0, of those that are not equations on all of P; slack > 0.
    strict : (k,) bool array
        Which of the inequalities that it was made of these are, in their order.
    """

    center: Array
    basis: Array
    slopes: Array
    slack: Array
    strict: NDArray[np.bool_]

    @property
    def dimension(self) -> int:
        """The dimension of the polytope."""
        return self.basis.shape[1]

    @property
    def bounded(self) -> bool:
        """Whether it has no direction without end, by a linear program that rewards what grows along one."""
        if np.linalg.matrix_rank(self.slopes, tol=SOLVED_RANK_RTOL) < self.dimension:
            return False
        count, size = self.slopes.shape
        matrix = np.hstack([-self.slopes, np.eye(count)])
        bounds = np.repeat([[-np.inf, np.inf], [0.0, 1.0]], [size, count], axis=0)
        growth = _simplex(np.repeat([0.0, -1.0], [size, count]), matrix, np.zeros(count), bounds)
        return growth.x is not None and -growth.fun <= TIGHT

    def restricted(self, keep: NDArray[np.bool_]) -> "Polytope":
        """Return the polytope without some coordinates of x."""
        return replace(self, center=self.center[keep], basis=self.basis[keep])

    def point(self, t: Array) -> Array:
        """Return x_0 + Q t."""
        return self.center + self.basis @ t

    def maximise(self, direction: Array) -> Array:
        """Return a point x of the (bounded) polytope at which direction.x is largest.

        Raises
        ------
        SolverError
            If there is none.
        """
        slope = direction @ self.basis
        if not np.abs(slope).max(initial=0.0) > SOLVED_RANK_RTOL * np.abs(direction).max(initial=0.0):
            return self.center
        return self.point(solve_linear(-slope, -self.slopes, self.slack)[: self.dimension])

    def vertices(self) -> Array:
        """Return all vertices, one a row, in the coordinates x.

        Raises
        ------
        SizeError
            If there are more dimensions than `VERTEX_DIMENSIONS`.
        """
        if self.dimension == 0:
            return self.center[None]
        if self.dimension == 1:
            return np.array([self.maximise(sign * self.basis[:, 0]) for sign in (-1.0, 1.0)])
        if self.dimension > VERTEX_DIMENSIONS:
            raise SizeError(
                f"The optimal networks form a polytope of {self.dimension} dimensions, and vertices are listed for up "
                f"to {VERTEX_DIMENSIONS}; draw some with sample(), or look at extreme_predictions()."
            )
        return self.point_rows(self._corners())

    def point_rows(self, rows: Array) -> Array:
        """Return x_0 + Q t for each row t."""
        return self.center + rows @ self.basis.T

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Return n points of a random walk inside, one a row: hit and run, in directions of similar extent."""
        t, points = np.zeros(self.dimension), np.empty((n, self.dimension))
        if self.dimension:
            scaled = self.slopes / self.slack[:, None]
            factor = np.linalg.cholesky(scaled.T @ scaled)
            for k in range(n):
                for _ in range(STEPS * self.dimension):
                    t = self._step(t, scipy.linalg.solve_triangular(factor.T, rng.standard_normal(len(t))), rng)
                points[k] = t
        return self.point_rows(points)

    def _step(self, t: Array, direction: Array, rng: np.random.Generator) -> Array:
        """Return a uniform point of the part inside of the line through t."""
        room, speed = np.maximum(self.slopes @ t + self.slack, 0.0), self.slopes @ direction
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = -room / speed
        low, high = reach[speed > 0].max(initial=-np.inf), reach[speed < 0].min(initial=np.inf)
        return t + rng.uniform(low, high) * direction if np.isfinite([low, high]).all() else t

    def _corners(self) -> Array:
        """Return the vertices in the coordinates t: those of Qhull, solved again for their tight inequalities."""
        # The polytope that is polar to this one about the middle, in coordinates in which it is round.
        scaled = self.slopes / self.slack[:, None]
        factor = np.linalg.cholesky(scaled.T @ scaled)
        rounded = scipy.linalg.solve_triangular(factor, scaled.T, lower=True).T
        try:
            found = HalfspaceIntersection(np.column_stack([-rounded, -np.ones(len(rounded))]), np.zeros(len(factor)))
        except QhullError as error:
            raise SolverError(f"The vertices could not be found ({str(error).splitlines()[0]}).") from error
        corners = []
        for s in found.intersections[np.isfinite(found.intersections).all(axis=1)]:
            tight = rounded @ s + 1 <= TIGHT * (1 + np.abs(s).max())
            corners.append(np.linalg.lstsq(rounded[tight], -np.ones(int(tight.sum())), rcond=None)[0])
        ends = np.array(corners)
        leaders = near_groups(ends, SAME_VERTEX * (1 + np.abs(ends).max(axis=1)), p=np.inf)
        return scipy.linalg.solve_triangular(factor.T, ends[np.unique(leaders)].T).T


def polytope_of(equations: Array, values: Array, inequalities: Array, least: Array) -> Polytope | None:
    """Return {x : equations x = values, inequalities x >= least}, or None if it is empty.

    Parameters
    ----------
    equations, values : (k, n) array, (k,) array
        Equations; they may depend on each other.
    inequalities, least : (m, n) array, (m,) array
        Inequalities; some may hold as equations throughout.

    Returns
    -------
    Polytope or None
        None if there is no point that satisfies all up to rounding.
    """
    scale, live = max(1.0, float(np.abs(values).max(initial=0.0))), np.ones(len(least), dtype=bool)
    while True:
        start, basis = _solutions(equations, values)
        if np.abs(equations @ start - values).max(initial=0.0) > CONSISTENT * scale:
            return None
        middle = _middle(start, basis, inequalities[live], least[live])
        if middle is None:
            return None
        slack = inequalities @ middle - least
        tight = live & (slack <= TIGHT * max(1.0, float(np.abs(middle).max(initial=0.0))))
        live &= ~tight
        if not (np.abs(inequalities[tight] @ basis) > SOLVED_RANK_RTOL).any():
            return Polytope(middle, basis, inequalities[live] @ basis, slack[live], live)
        equations, values = np.vstack([equations, inequalities[tight]]), np.append(values, least[tight])


def solve_linear(cost: Array, matrix: Array, bounds: Array) -> Array:
    """Return the minimiser of cost.t under matrix t <= bounds, by linear programming.

    Raises
    ------
    SolverError
        If there is none, or the solver fails.
    """
    result = _simplex(cost, matrix, bounds, (None, None))
    if result.x is None:
        raise SolverError(f"A linear program over the optimal networks has no solution ({result.message}).")
    return result.x


def _simplex(cost: Array, matrix: Array, limits: Array, bounds: Any) -> Any:
    """Return what scipy says of the minimum of cost.t under matrix t <= limits and bounds."""
    result: Any = None
    for accuracy in ACCURACIES:
        options = {"primal_feasibility_tolerance": accuracy, "dual_feasibility_tolerance": accuracy, "presolve": False}
        result = linprog(cost, matrix, limits, bounds=bounds, method="highs", options=options)
        if result.status != DIFFICULTIES:
            break
    return result


def _solutions(equations: Array, values: Array) -> tuple[Array, Array]:
    """Return a solution of the equations and a basis of the solutions with zeros on the right."""
    if not equations.size:
        return np.zeros(equations.shape[1]), np.eye(equations.shape[1])
    left, singular, right = scipy.linalg.svd(equations)
    rank = int((singular > SOLVED_RANK_RTOL * singular[0]).sum())
    start = right[:rank].T @ ((left[:, :rank].T @ values) / singular[:rank])
    return start, right[rank:].T


def _middle(start: Array, basis: Array, inequalities: Array, least: Array) -> Array | None:
    """Return a point with slack in every inequality that has any anywhere, or None if no point satisfies all.

    Linear programs reward slack, up to a point, in the inequalities that have had none yet; the mean of their solutions
    has it in all.
    """
    slopes, slack = inequalities @ basis, inequalities @ start - least
    count, size = len(slack), basis.shape[1]
    scale = max(1.0, float(np.abs(start).max(initial=0.0)))
    if not size or not count:
        return start if slack.min(initial=0.0) >= -TIGHT * scale else None
    points, waiting = [], np.ones(count, dtype=bool)
    while waiting.any():
        # Unknowns t and the rewarded slack s: slopes t + slack >= s.
        matrix = np.hstack([-slopes, np.eye(count)])
        bounds = np.column_stack([np.full(size + count, -np.inf), np.full(size + count, np.inf)])
        bounds[size:] = np.column_stack([np.full(count, -TIGHT * scale / 10), np.where(waiting, ENOUGH * scale, 0.0)])
        cost = np.concatenate([np.zeros(size), -1.0 * waiting])
        result = _simplex(cost, matrix, slack, bounds)
        if result.x is None:
            return None
        points.append(result.x[:size])
        gained = waiting & (slopes @ points[-1] + slack > TIGHT * scale)
        if not gained.any():
            break
        waiting &= ~gained
    return start + basis @ np.mean(points, axis=0)
