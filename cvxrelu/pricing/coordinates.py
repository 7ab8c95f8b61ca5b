"""The kinks that a search on cones sees, and its coordinates.

Cones close slowly around kinks that coincide, and hardly at all around kinks that crowd in a thin slab, so
both are dealt with beforehand, exactly or within a stated slack.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame", "Kinks", "choose_frame", "merge_kinks"]

Array = NDArray[np.float64]

PARALLEL_DIGITS = 12
"""Directions that agree to this many digits are parallel; what they differ by adds to the margin."""

LEAST_SLACK = 1e-200
"""Less slack than this, for points of order one, merges nothing, and its grid could overflow."""

THICKEST_SLAB = 0.5
"""Data more spread than this, relative to the distance from the origin, are searched in orthants."""

THINNEST_SLAB = 1e-9
"""Floor of a slab's thickness; thinner ones would only cost digits."""


@dataclass(frozen=True)
class Kinks:
    """The score as linear . u + sum_i c_i max(Z_i . u, 0), up to `slack` for norm(u) <= 1."""

    Z: Array
    c: Array
    linear: Array
    slack: float


def merge_kinks(Z: Array, c: Array, linear: Array, central: bool, slack: float) -> Kinks:
    """Drop points of weight zero, merge those that nearly coincide, and those whose kinks coincide.

    Kinks that coincide but have weights of both signs would be bounded apart, and the cones that meet them
    would never close. Near points are merged as long as that moves no score by more than `slack` (norm(u) <=
    sqrt(2) in every mode). If z_j = r z_i, max(z_j . u, 0) is r max(z_i . u, 0) for r > 0, and
    abs(r) (max(z_i . u, 0) - z_i . u) for r < 0; that concerns points on a line through the origin, so
    neither free nor joint bias, and is done if `central`.
    """
    Z, c = Z[c != 0], c[c != 0]
    moved = 0.0
    if slack > LEAST_SLACK and len(c) > 0:
        # Points of one square of this grid are at most sqrt(m) squares apart.
        grid = slack / (np.sqrt(2.0 * Z.shape[1]) * np.abs(c).sum())
        _, leader, group = np.unique(np.floor(Z / grid), axis=0, return_index=True, return_inverse=True)
        lead = Z[leader[group.reshape(-1)]]
        moved = float(np.abs(c) @ np.linalg.norm(Z - lead, axis=1)) * np.sqrt(2.0) * (1 + 1e-9)
        merged = np.zeros(len(leader))
        np.add.at(merged, group.reshape(-1), c)
        Z, c = np.ascontiguousarray(Z[leader[merged != 0]]), merged[merged != 0]
    if central:
        size = np.linalg.norm(Z, axis=1)
        Z, c = Z[size > 0], c[size > 0]
    if len(c) == 0:
        return Kinks(np.zeros((1, len(linear))), np.zeros(1), linear, moved)
    if not central:
        return Kinks(Z, c, linear, moved)
    size = np.linalg.norm(Z, axis=1)
    unit = Z / size[:, None]
    first = np.argmax(np.abs(unit) > 0.5 / np.sqrt(Z.shape[1]), axis=1)
    unit *= np.sign(unit[np.arange(len(unit)), first])[:, None]
    _, leader, group = np.unique(np.round(unit, PARALLEL_DIGITS), axis=0, return_index=True, return_inverse=True)
    lead = Z[leader[group.reshape(-1)]]
    ratio = np.einsum("nm,nm->n", Z, lead) / np.einsum("nm,nm->n", lead, lead)
    moved += float(np.abs(c) @ np.linalg.norm(Z - ratio[:, None] * lead, axis=1)) * (1 + 1e-9)
    merged = np.zeros(len(leader))
    np.add.at(merged, group.reshape(-1), np.abs(ratio) * c)
    opposite = np.minimum(ratio, 0.0) * c
    return Kinks(np.ascontiguousarray(Z[leader]), merged, linear + opposite @ lead, moved)


@dataclass(frozen=True)
class Frame:
    """Coordinates of the search, u = u' basis, with the norm of `cone_bound.Problem` in u'."""

    basis: Array
    axes: int
    weight: float


def choose_frame(Z: Array, free: bool) -> Frame:
    """Choose coordinates in which the kinks are spread over the sphere.

    Without a free bias, points far from the origin next to their spread all have nearly one direction; their
    kinks lie in a thin slab about the plane orthogonal to it. A reflection makes that direction the last
    axis, where z' = (r_i, B_i) with abs(r_i) <= thickness B_i, and the last coordinate of u' is stretched by
    1 / thickness.
    """
    m = Z.shape[1]
    if free:
        return Frame(np.eye(m), m - 1, 0.0)
    mean = (Z / np.maximum(np.abs(Z).max(), np.finfo(float).tiny)).mean(axis=0)
    size = float(np.linalg.norm(mean))
    if m > 1 and size > 0:
        normal = mean / size
        normal[-1] += 1.0 if normal[-1] >= 0 else -1.0
        reflection = np.eye(m) - 2.0 * np.outer(normal, normal) / (normal @ normal)
        reflection[-1] *= np.sign(reflection[-1] @ mean)
        turned = Z @ reflection.T
        if turned[:, -1].min() > 0:
            ratio = np.linalg.norm(turned[:, :-1], axis=1) / turned[:, -1]
            thickness = max(THINNEST_SLAB, float(ratio.max()) * (1 + 1e-9))
            if thickness <= THICKEST_SLAB:
                reflection[-1] *= thickness
                return Frame(reflection, m - 1, thickness)
    return Frame(np.eye(m), m, 1.0)
