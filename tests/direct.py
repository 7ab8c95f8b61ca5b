"""The convex program from its definition: every pattern, two groups each, all sign rows imposed and nothing scaled.

It shares with the package only the patterns and the names of losses.
"""

import cvxpy as cp
import numpy as np
from scipy.sparse import block_diag

from cvxrelu.arrangement import enumerate_patterns
from tests.instances import rule_of

BOUND = 1e4


def group_matrix(problem, Z, h):
    """M with cost norm(M u) in the cell where the activation has the slopes h."""
    if problem.norm.name == "euclidean":
        return np.eye(Z.shape[1])[: problem.n_features] if problem.bias == "free" else np.eye(Z.shape[1])
    factor = 2 * np.sqrt(np.mean(h**2 * (Z**2).sum(axis=1))) if problem.norm.name == "label-noise" else 1.0
    return factor * h[:, None] * Z / np.sqrt(len(Z))


class Direct:
    """The program in cvxpy, with predictions at the samples and at further points, which are points of the arrangement.

    The further points cost nothing: in every cell of all of them a network is linear, so that the predictions there are
    exact too.
    """

    def __init__(self, problem, points=None):
        self.problem, self.rule = problem, rule_of(problem.loss)
        self.points = places = problem.X if points is None else np.vstack([problem.X, points])
        has_bias, n = problem.bias != "none", problem.n_samples
        Z = np.column_stack([places, np.ones(len(places))]) if has_bias else places
        patterns = enumerate_patterns(places, has_bias).to_bool()
        signs = np.where(patterns, 1.0, -1.0).T
        slopes = np.where(patterns, 1.0, problem.negative_slope).T
        matrices = [group_matrix(problem, Z[:n], h[:n]) for h in slopes.T]
        self.constraints, self.heights, self.cost = [], 0, 0
        for side in (1,) if problem.one_sided else (1, -1):
            groups = cp.Variable((Z.shape[1], len(patterns)))
            pre = Z @ groups
            self.heights = self.heights + side * cp.sum(cp.multiply(slopes, pre), axis=1)
            images = block_diag(matrices) @ cp.vec(groups, order="F")
            rows = (len(matrices[0]), len(patterns))
            self.cost = self.cost + cp.sum(cp.norm(cp.reshape(images, rows, order="F"), 2, axis=0))
            self.constraints.append(cp.multiply(signs, pre) >= 0)
            if problem.norm.name != "euclidean":  # a seminorm leaves groups unbounded, which solvers do not like
                self.constraints.append(cp.abs(groups) <= BOUND)
        if problem.bias == "free":
            self.heights = self.heights + cp.Variable()
        if problem.skip:
            self.heights = self.heights + places @ cp.Variable(problem.n_features)

    def solve(self, extra=(), **options):
        """The optimal value, under further constraints."""
        found = self.rule.model(self.heights[: self.problem.n_samples], self.problem.y)
        if self.rule.constrains:
            value, more = self.cost, found
        else:
            value, more = found / self.problem.n_samples + self.problem.alpha * self.cost, []
        return cp.Problem(cp.Minimize(value), [*self.constraints, *more, *extra]).solve(solver="CLARABEL", **options)


def optimum_by_brute_force(problem):
    """The optimal value of a problem with few samples."""
    return Direct(problem).solve()
