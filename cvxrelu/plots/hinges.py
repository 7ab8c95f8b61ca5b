"""Where a network turns: the knots of a graph on the line, and the hinges of neurons in the plane."""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.numerics.lengths import lengths, row_sizes
from cvxrelu.problem.network import Network

__all__ = ["hinge_lines", "visible_knots"]

Array = NDArray[np.float64]

# Hinges nearer to each other than this share of the data's extent are one knot: decoded hinges agree to about 1e-6,
# and a picture cannot show 1e-4.
SAME_KNOT = 1e-4
# Knots that turn the graph by less than this share of the sharpest one are invisible, and often only rounding.
VISIBLE_KINK = 1e-3


def visible_knots(network: Network, extent: float) -> Array:
    """Return the sorted places where the graph of a one-input network visibly turns.

    A neuron changes the slope by v abs(w) (1 - a) at its hinge. Hinges that differ by rounding are one knot, at their
    mean, and knots at which the changes cancel are none.

    Parameters
    ----------
    network : Network
        A network with one input.
    extent : float
        Length of the interval that is looked at.

    Examples
    --------
    The hinges at 0 and 1e-9 are one, and the two neurons with hinges at 1 add up to a straight line:

    >>> network = Network(W=[[1.0], [1.0], [1.0], [-1.0]], b=[0.0, -1e-9, -1.0, 1.0], v=[1.0, 1.0, 1.0, -1.0])
    >>> visible_knots(network, extent=2.0).round(6)
    array([0.])
    """
    slopes = network.W[:, 0]
    turning = slopes != 0
    with np.errstate(over="ignore"):
        positions = -network.b[turning] / slopes[turning]
        changes = _in_range((network.v.T * np.abs(slopes)).T[turning])
    order = np.argsort(positions)
    positions, changes = positions[order], changes[order]
    if not len(positions):
        return positions
    starts = np.flatnonzero(np.concatenate([[True], np.diff(positions) > SAME_KNOT * extent]))
    counts = np.diff(np.append(starts, len(positions)))
    kinks = row_sizes(np.add.reduceat(changes, starts))
    means = np.add.reduceat(positions, starts) / counts
    return means[kinks > VISIBLE_KINK * kinks.max()]


def hinge_lines(network: Network, extent: float) -> list[tuple[Array, float]]:
    """Return the lines [w, b], norm(w) = 1, of the hinges in the plane, each once, with their shares of the cost.

    Two dashed lines on top of each other would look like one solid line.
    """
    sizes = lengths(network.W)
    turning = sizes > 0
    if not turning.any():
        return []
    with np.errstate(over="ignore"):
        lines = np.column_stack([network.W, network.b])[turning] / sizes[turning, None]
        charges = _in_range((row_sizes(network.v) * sizes)[turning])
    lines *= np.where((lines[:, 0] > 0) | ((lines[:, 0] == 0) & (lines[:, 1] > 0)), 1.0, -1.0)[:, None]
    cells = np.round(lines / [SAME_KNOT, SAME_KNOT, SAME_KNOT * extent])
    _, first, group = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    costs = np.bincount(group.ravel(), charges)
    return [(line, float(cost / costs.max())) for line, cost in zip(lines[first], costs, strict=True) if cost > 0]


def _in_range(values: Array) -> Array:
    """Return values of which only shares matter, with those beyond floats, or nearly, so large that sums are not."""
    largest = np.finfo(float).max / max(values.size, 1)
    return np.clip(values, -largest, largest)
