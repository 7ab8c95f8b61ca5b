"""Neurons to start a local search from, as rows (w, b) in the centred coordinates, or lifted.

Random ones will do: draws from the moments of the relaxation led to better neurons on a teacher in ten dimensions, and
to no better ones on a teacher in twenty, diabetes, wine, breast cancer and digits (200 to 300 rows).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.numerics.lengths import lengths, shifted
from cvxrelu.pricing.points import Points
from cvxrelu.problem.validation import as_floats

__all__ = ["between", "distinct", "given_starts", "lift", "random_starts", "unit_rows", "unlift"]

Array = NDArray[np.float64]

DISTINCT = 1e-7
"""Neurons closer than this count as one."""

BEYOND = 2.0
"""Distance of a hinge from the centre, in radii of the places, that is beyond all of them."""


def between(given: Array, count: int, rng: np.random.Generator) -> Array:
    """Draw directions between random pairs of neurons."""
    if not len(given):
        return given
    first, second = unit_rows(given, given.shape[1])[rng.integers(len(given), size=(2, count))]
    share = rng.random((count, 1))
    return share * first + (1 - share) * second


def unit_rows(rows: Array, normed: int) -> Array:
    """Divide rows by the norms of their leading components, where these are not zero."""
    leading = rows[:, :normed]
    norms = np.sqrt(np.einsum("kd,kd->k", leading, leading))
    norms[norms == 0] = np.inf
    return rows / norms[:, None]


def random_starts(points: Points, n_starts: int, rng: np.random.Generator) -> Array:
    """Draw (w, b) with the hinge through a random place, in the centred coordinates.

    Where biases are free w is isotropic. Otherwise the lifted neuron is, among those that are orthogonal to the lifted
    place: others would take places that are far from the origin and near each other all for one.
    """
    d = points.X.shape[1]
    places = points.Z[rng.integers(len(points.Z), size=n_starts)]
    if points.bias == "free":
        W = rng.standard_normal((n_starts, d))
        return np.column_stack([W, -np.einsum("kd,kd->k", W, places[:, :d])])
    neurons, normals = rng.standard_normal(places.shape), unit_rows(places, places.shape[1])
    if neurons.shape[1] > 1:
        neurons -= np.einsum("km,km->k", neurons, normals)[:, None] * normals
    return neurons if points.bias == "joint" else np.column_stack([neurons, np.zeros(n_starts)])


def given_starts(points: Points, starts: ArrayLike) -> Array:
    """Check starts (w, b) in the coordinates of X and bring them to those of the places."""
    rows = as_floats(starts, "starts")
    d = points.X.shape[1]
    if rows.ndim != 2 or rows.shape[1] != d + 1 or not np.isfinite(rows).all():
        raise InputError(f"starts must be finite rows (w, b) of length {d + 1}, not of shape {rows.shape}.")
    rows = rows.copy()
    if points.bias == "free":
        rows[:, -1] = shifted(rows[:, -1] + rows[:, :-1] @ points.centre, -points.exponent)
    return rows


def lift(points: Points, rows: Array) -> Array:
    """Turn rows (w, b) in the centred coordinates into lifted neurons, a hinge beyond all places just beyond them."""
    lifted = rows[:, : points.lifted.shape[1]].copy()
    if points.bias == "free" and points.radius > 0:
        # Where all places are on one side of a hinge, it makes no difference how far away it is.
        farthest = BEYOND * lengths(lifted[:, :-1])
        lifted[:, -1] = np.clip(lifted[:, -1] / points.radius, -farthest, farthest)
    return lifted


def unlift(points: Points, neurons: Array) -> Array:
    """Turn lifted neurons (k, m) into rows (w, b) in the centred coordinates."""
    if points.bias == "none":
        return np.column_stack([neurons, np.zeros(len(neurons))])
    if points.bias == "joint":
        return neurons
    return np.column_stack([neurons[:, :-1], points.radius * neurons[:, -1]])


def distinct(neurons: Array) -> Array:
    """Drop rows that repeat an earlier one to the grid of `DISTINCT`."""
    _, first = np.unique(np.round(neurons / DISTINCT), axis=0, return_index=True)
    return neurons[np.sort(first)]
