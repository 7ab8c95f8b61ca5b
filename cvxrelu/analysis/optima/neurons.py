r"""Neurons that optimal networks may use: those whose score against the dual vector meets its bound.

With v an optimal dual vector and L the bound on gamma(v), the neurons of an optimal network are unit neurons with

    e * sum_i v_i sigma(w.x_i + b) = L,     e = +-1 the sign of the output weight,

and every non-negative combination of such neurons that agrees with v about the predictions is optimal. On a closed cell
of the arrangement the score is linear in u = [w, b], so that L * cost(u) - score(u) is convex, and it vanishes on a
convex cone of u. On this cone cost(u + u') = cost(u) + cost(u'), and a Euclidean norm is additive on parallel vectors
only: a cell and a sign have one u if the bias has a cost, and one w, with an interval of b, if it is free. Hence the
neurons in question are finitely many points, joined (free bias) by segments along which b moves between two data
points, and rays along which it moves away from all of them. On the data a neuron inside a segment is the
mean of its ends; elsewhere it is not, as its hinge is somewhere else.

Where the points on the hinge leave directions free, the best one is the projection of the gradient,

    u = e B g / norm(g),   g = B' sum_i h_i v_i z_i,   score = e norm(g),   B a basis of {u : z_i.u = 0 on the hinge},

orthonormal in the cost; with a free bias there is always a point on the hinge.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.activation import activation_slopes, leaky_relu
from cvxrelu.numerics.lengths import lengths
from cvxrelu.numerics.neighbours import near_groups
from cvxrelu.numerics.tolerances import NEAR_HINGE, SOLVED_RANK_RTOL
from cvxrelu.problem.problem import Problem

__all__ = ["Neurons", "along_biases", "neurons_of", "tangents_of"]

Array = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Unit neurons that differ by less are one; exact ones agree to about 1e-10.
SAME_NEURON = 1e-6


@dataclass(frozen=True, eq=False)
class Neurons:
    """Unit neurons with the signs of their output weights, and what joins them.

    Attributes
    ----------
    groups : (K, D) array
        The neurons [w, b] (w alone without biases), of unit cost.
    signs : (K,) array
        Signs e of the output weights.
    outputs : (N, K) array
        e * sigma(w.x_i + b) on the data.
    segments : (S, 2) array of int
        Pairs of neurons with one w and one sign, between whose hinges there is no data point: every b between
        theirs will do as well.
    rays : (K,) array
        +1.0 or -1.0 where b may also grow or fall without end, the output constant making up for it; else 0.0.
    hinges : (K,) array of int
        Equal for neurons with the same hinge, whichever way they face.
    negative_slope : float
        Slope of the activation at negative arguments.
    n_features : int
        The number of entries of w.
    """

    groups: Array
    signs: Array
    outputs: Array
    segments: IntArray
    rays: Array
    hinges: IntArray
    negative_slope: float
    n_features: int

    def __len__(self) -> int:
        return len(self.signs)

    def best(self, v: Array) -> float:
        """Return the largest score against a dual vector; 0.0 if there are no neurons."""
        return float((v @ self.outputs).max(initial=0.0))

    def __getitem__(self, keep: NDArray[np.bool_]) -> "Neurons":
        place = np.cumsum(keep) - 1
        segments = self.segments[keep[self.segments].all(axis=1)]
        return Neurons(
            self.groups[keep],
            self.signs[keep],
            self.outputs[:, keep],
            place[segments],
            self.rays[keep],
            self.hinges[keep],
            self.negative_slope,
            self.n_features,
        )

    @cached_property
    def function_map(self) -> Array:
        """The (H + D, K) matrix from weights of the neurons to what determines the function.

        That is the total weight on each hinge, and an affine function: with t = w.x + b the neuron that comes first on
        a hinge, sigma(-t) = sigma(t) - (1 + a) t.
        """
        _, first, index = np.unique(self.hinges, return_index=True, return_inverse=True)
        matrix = np.zeros((len(first) + self.groups.shape[1], len(self)))
        matrix[index, np.arange(len(self))] = self.signs
        leaders = self.groups[first[index]]
        flipped = (leaders * self.groups).sum(axis=1) < 0
        matrix[len(first) :] = -(1 + self.negative_slope) * (flipped * self.signs) * leaders.T
        return matrix


def tangents_of(problem: Problem, v: Array, neurons: "Neurons") -> Array:
    """Return factors T_k, a (K, N, r) array, of the second derivatives T_k T_k' of the scores in v."""
    faces = _Faces.of(problem, v, neurons.groups)
    scores = np.linalg.norm(faces.slopes, axis=1)[:, None]
    scores[scores == 0] = np.inf  # where all of a score is zero it has no curvature
    units = faces.slopes / scores
    along = (faces.features @ units[:, :, None]) * units[:, None]
    return (faces.features - along) / np.sqrt(scores)[:, None]


def along_biases(problem: Problem, v: Array, groups: Array, least: float) -> Array:
    """Return the neurons of score at least `least`, in size where it counts, with the directions of the groups given.

    If the bias is free these are neurons with their hinge through a data point, facing either way; otherwise the
    groups themselves and their opposites.
    """
    both = np.vstack([groups, -groups])
    if not problem.norm.has_free_constant:
        scores = leaky_relu(both @ problem.lifted.T, problem.negative_slope) @ v
        return both[problem.sizes(scores) >= least]
    found = [np.empty((0, both.shape[1]))]
    directions = both[:, :-1]
    for w in directions[np.unique(_classes(directions), return_index=True)[1]]:
        biases = -np.unique(problem.X @ w)
        scores = leaky_relu(problem.X @ w + biases[:, None], problem.negative_slope) @ v
        best = biases[problem.sizes(scores) >= least]
        found.append(np.column_stack([np.tile(w, (len(best), 1)), best]))
    return np.vstack(found)


def neurons_of(problem: Problem, v: Array, groups: Array) -> Neurons:
    """Return the neurons of groups, each moved to the best direction that its hinge leaves free, and what joins them.

    Parameters
    ----------
    problem : Problem
        The problem.
    v : (N,) array
        The dual vector.
    groups : (k, D) array
        Neurons close to the ones meant, hinges on their data points.
    """
    moved = _best_near(problem, v, groups)
    scores = leaky_relu(moved @ problem.lifted.T, problem.negative_slope) @ v
    # A neuron and its mirror image are the same, or differ by what is free: all with one hinge face the same way.
    mirrored = problem.negative_slope == -1 or problem.is_even
    if mirrored:
        generic = np.random.default_rng(0).standard_normal(problem.n_features)
        moved = moved * np.where(moved[:, : problem.n_features] @ generic < 0, -1.0, 1.0)[:, None]
    first = np.unique(_classes(moved, mirrored), return_index=True)[1]
    moved, signs = moved[first], np.ones(len(first)) if problem.one_sided else np.sign(scores[first])
    preactivations = moved @ problem.lifted.T
    outputs = (signs[:, None] * leaky_relu(preactivations, problem.negative_slope)).T
    rays, segments = np.zeros(len(moved)), np.empty((0, 2), dtype=np.intp)
    if problem.norm.has_free_constant:
        slack = NEAR_HINGE * _reach(problem, moved)
        flat = (preactivations >= -slack).all(axis=1), (preactivations <= slack).all(axis=1)
        rays = np.where(flat[0], 1.0, np.where(flat[1], -1.0, 0.0))
        segments = _segments(problem, moved, signs)
    hinges = _classes(moved, True)
    return Neurons(moved, signs, outputs, segments, rays, hinges, problem.negative_slope, problem.n_features)


def _classes(rows: Array, both_ways: bool = False) -> IntArray:
    """Return a number for each row that is the same for rows (with `both_ways`: up to sign) that hardly differ."""
    radii = SAME_NEURON * (1 + np.abs(rows).max(axis=1, initial=0.0))
    return near_groups(rows, radii, p=np.inf, both_ways=both_ways)


def _reach(problem: Problem, groups: Array) -> Array:
    """Return the size of the terms of each pre-activation, a (k, N) array."""
    return lengths(groups)[:, None] * lengths(problem.lifted)


@dataclass(frozen=True, eq=False)
class _Faces:
    """Faces of cells, those of the neurons with given patterns and data points on their hinges.

    Attributes
    ----------
    factors : (K, D, r) array
        B_k (M B_k)^+ for bases B_k of the faces, M the group matrix.
    features : (K, N, r) array
        diag(h_k) Z times that.
    slopes : (K, r) array
        Their products with v.
    """

    factors: Array
    features: Array
    slopes: Array

    @classmethod
    def of(cls, problem: Problem, v: Array, groups: Array) -> "_Faces":
        lifted, size = problem.lifted, problem.lifted.shape[1]
        preactivations = groups @ lifted.T
        held = np.abs(preactivations) <= NEAR_HINGE * _reach(problem, groups)
        # With rows of zeros in the place of the others, and below, all factorisations have one shape.
        rows = np.concatenate([held[:, :, None] * lifted, np.zeros((len(groups), size, size))], axis=1)
        _, singular, right = np.linalg.svd(rows, full_matrices=False)
        bases = (right * (singular <= SOLVED_RANK_RTOL * singular[:, :1])[:, :, None]).transpose(0, 2, 1)
        matrix = problem.norm.group_matrices(held[:1], lifted, np.eye(size))[0]
        factors = bases @ np.linalg.pinv(matrix @ bases, rcond=SOLVED_RANK_RTOL)
        weights = activation_slopes(preactivations >= 0, problem.negative_slope)
        features = weights[:, :, None] * (lifted @ factors)
        return cls(factors, features, v @ features)


def _best_near(problem: Problem, v: Array, groups: Array) -> Array:
    """Return the neurons of largest score among those with the patterns of groups and their points on the hinge."""
    faces = _Faces.of(problem, v, groups)
    scores = np.linalg.norm(faces.slopes, axis=1)
    best = (faces.factors @ faces.slopes[:, :, None])[:, :, 0] / np.where(scores > 0, scores, 1.0)[:, None]
    best *= np.where((best * groups).sum(axis=1) > 0, 1.0, -1.0)[:, None]
    return np.where(scores[:, None] > 0, best, groups)


def _segments(problem: Problem, groups: Array, signs: Array) -> IntArray:
    """Return the pairs of neurons with one w and one sign between whose hinges there is no data point."""
    direction = _classes(np.column_stack([groups[:, :-1], signs]))
    pairs = []
    for members in (np.flatnonzero(direction == k) for k in np.unique(direction)):
        members = members[np.argsort(groups[members, -1])]
        places = np.sort(-problem.X @ groups[members[0], :-1])
        slack = NEAR_HINGE * (1 + np.abs(places).max())
        for j, k in itertools.pairwise(members):
            start, end = np.searchsorted(places, [groups[j, -1] + slack, groups[k, -1] - slack])
            if start == end:
                pairs.append((j, k))
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)
