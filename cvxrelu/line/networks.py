r"""The cheapest network of a function: which way each knot faces.

A neuron v sigma(w (x - t)), w = +-1, puts the jump c = (1 - a) v on the knot t, costs abs(c) / abs(1 - a), and has
end slopes that add up to w (1 + a) v = w c (1 + a) / (1 - a). Let a knot of jump c_k carry c_k^+ facing right and c_k^-
facing left, c_k = c_k^+ + c_k^-, and write d_k = c_k^+ - c_k^-. The network is f up to a constant iff

    sum_k d_k = D = (f'(-inf) + f'(inf)) (1 - a) / (1 + a)

and it costs sum_k (abs(c_k^+) + abs(c_k^-)) / p = sum_k max(abs(c_k), abs(d_k)) / p, with p = abs(1 - a). Summed over
the knots that is at least max(TV(f'), abs(D)) / p = R(f), with equality in two cases, which between them cover every D:

    abs(D) <= TV   all abs(d_k) <= abs(c_k). A knot takes one neuron iff d_k = +-c_k. All but the largest knot can be
                   given signs that bring their sum as near to D as that knot reaches, so only it may take two.
    abs(D) > TV    all d_k have the sign of D and abs(d_k) >= abs(c_k): one knot takes the excess, and two neurons.

So one neuron a knot is enough iff signs exist with sum_k +-abs(c_k) = D. That is the subset sum problem: it is decided
by meeting in the middle for few knots, and for many only in the cases D = +-TV. For a = -1 a neuron is the same
facing either way, and f'(-inf) + f'(inf) = 0 is needed.

With a skip connection D is whatever the signs make it, and the connection makes up for the rest of the end slopes: one
neuron a knot is enough, and the cost is TV(f') / p.

Through a hundred thousand random values the jumps add up to 10^10 and cancel, so two things keep rounding out of
sight. The signs are chosen from left to right such that the sums of d_k follow their share of D to within the largest
jump; else the ramps that face right would climb to 10^10 before those that face left bring them down. And what a jump
loses by being rounded is given to the next knot that faces the same way, so that slopes are off by the rounding of one
jump, not of all.
"""

import itertools
import math
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.network import Network
from cvxrelu.problem.validation import as_slope

__all__ = ["cheapest_network"]

Array = NDArray[np.float64]

# Signs are sought for up to this many knots: 2^15 sums a half, some milliseconds.
SUBSET_KNOTS = 30
# Sums of jumps that agree to this share of TV are equal: a sum of thirty rounded jumps is off by some 1e-14, and taking
# equal what is not turns the function by this slope, out of sight.
SUBSET_RTOL = 1e-12
# The output constant is the mean over this many knots, so that rounding far out at one of them does not shift the rest.
REFERENCE_KNOTS = 64


class Function(Protocol):
    """What this needs of a `PiecewiseLinear`, which turns itself into a network with it."""

    @property
    def left_slope(self) -> float: ...

    @property
    def right_slope(self) -> float: ...

    @property
    def knots(self) -> Array: ...

    @property
    def values(self) -> Array: ...

    @property
    def n_knots(self) -> int: ...

    @cached_property
    def slopes(self) -> Array: ...

    @property
    def has_balanced_ends(self) -> bool: ...

    def simplified(self) -> "Function": ...


def cheapest_network(function: Function, negative_slope: float = 0.0, skip: bool = False) -> Network:
    """Return a network that computes a function at the least cost R(f), with free bias.

    Up to what rounding makes of its weights: where slopes cancel, a few units in the last place of the steepest one
    times the distance (knots at 0, 1e-12, 1 and 1000 with values of order one are missed by 2).

    Parameters
    ----------
    function : PiecewiseLinear
        The function.
    negative_slope : float, default 0.0
        Slope a of the activation at negative arguments, any but 1.
    skip : bool, default False
        Whether the network has a skip connection, which costs nothing.

    Returns
    -------
    Network
        With one neuron for each knot if a network of that cost exists (decided for up to `SUBSET_KNOTS` knots) and
        one neuron more otherwise; two for an affine function, none for a constant. With a skip connection one for each
        knot always.

    Raises
    ------
    InputError
        If the slope is 1, or is -1 and the end slopes of the function do not add up to zero.

    Examples
    --------
    The absolute value faces both ways, a ramp one way, and a line takes two neurons:

    >>> from cvxrelu.line.piecewise import PiecewiseLinear
    >>> absolute = PiecewiseLinear([0.0], [0.0], -1.0, 1.0)
    >>> ramp, line = PiecewiseLinear([0.0], [0.0], 0.0, 1.0), PiecewiseLinear([0.0], [0.0], 1.0, 1.0)
    >>> [cheapest_network(function).n_neurons for function in (absolute, ramp, line)]
    [2, 1, 2]
    >>> [cheapest_network(function).cost() for function in (absolute, ramp, line)]
    [2.0, 1.0, 2.0]
    """
    a = as_slope(negative_slope)
    f = function.simplified()
    # In units of output weights: a neuron of weight v has slopes that differ by (1 - a) v and add up to (1 + a) v.
    slopes = f.slopes / (1 - a) if function.n_knots else np.zeros(2)
    jumps = np.diff(slopes)
    rests = _difference_error(slopes[1:], slopes[:-1], jumps)
    if a == -1:
        if not (skip or f.has_balanced_ends):
            raise InputError(
                f"With negative_slope=-1 every network has opposite end slopes, but this function has {f.left_slope:g} "
                f"and {f.right_slope:g}; use another slope."
            )
        right, left = jumps, np.zeros_like(jumps)
    elif skip:
        sums = (f.left_slope + f.right_slope) / (1 + a)
        towards = _feed_back(np.abs(jumps), sums) if len(jumps) else jumps
        difference = np.where(towards >= 0, np.abs(jumps), -np.abs(jumps))
        right, left = (jumps + difference) / 2, (jumps - difference) / 2
    else:
        difference = _orient(np.abs(jumps), (f.left_slope + f.right_slope) / (1 + a))
        right, left = (jumps + difference) / 2, (jumps - difference) / 2
    # A ramp that faces left matters on the left of its knot, so those are summed up from the right end.
    v = np.concatenate([_carry_on(right, rests), _carry_on(left[::-1], rests[::-1])[::-1]])
    W, hinges = np.repeat([1.0, -1.0], len(jumps)), np.tile(f.knots, 2)
    used = v != 0
    W, v, hinges = W[used], v[used], hinges[used]
    order = np.argsort(hinges, kind="stable")
    W, v, hinges = W[order], v[order], hinges[order]
    linear = np.zeros(1)
    if skip:
        # What the neurons leave of the slope before the first knot, rounded once.
        linear[0] = math.fsum([f.left_slope, *(-v * W * np.where(W < 0, 1.0, a))])
    without_constant = Network(W[:, None], -W * hinges, v, 0.0, a, linear)
    share = max(1, len(f.knots) // REFERENCE_KNOTS)
    places, values = f.knots[::share], f.values[::share]
    constant = float(np.mean(values - without_constant(places[:, None])))
    return Network(W[:, None], -W * hinges, v, constant, a, linear)


def _difference_error(minuends: Array, subtrahends: Array, differences: Array) -> Array:
    """Return what rounding took from differences, exactly (Knuth, The Art of Computer Programming 2, 4.2.2)."""
    back = differences - minuends
    return (minuends - (differences - back)) - (subtrahends + back)


def _carry_on(sizes: Array, rests: Array) -> Array:
    """Return the sums sizes + rests where there is a size, and what rounding takes from one is added to the next."""
    sums, carried = np.zeros(len(sizes)), 0.0
    used = np.flatnonzero(sizes)
    for k, size, rest in zip(used, sizes[used].tolist(), rests[used].tolist(), strict=True):
        rest += carried
        total = size + rest
        carried = rest - (total - size)
        sums[k] = total
    return sums


def _orient(sizes: Array, target: float) -> Array:
    """Return d with sum d = target and the least sum of max(sizes, abs(d)), and as many abs(d) == sizes as is known."""
    total = float(sizes.sum())
    slack = SUBSET_RTOL * total
    sign = 1.0 if target >= 0 else -1.0
    if abs(target) >= total - slack:
        d = sign * sizes
        # The excess goes to the largest knot, where it is the smallest change. Below the slack there is none.
        if abs(target) > total + slack:
            d[np.argmax(sizes)] += sign * (abs(target) - total)
        return d
    # Turning the knots of a set F from +size to -size lowers the sum from total to total - 2 sum_F.
    exact = _subset(sizes, (total - target) / 2, slack) if len(sizes) <= SUBSET_KNOTS else None
    return np.where(exact, -sizes, sizes) if exact is not None else _feed_back(sizes, target)


def _feed_back(sizes: Array, target: float) -> Array:
    """Return d with sum d = target, abs(d) = sizes but for the largest size, and sums from the left that stay small.

    Knots get, from left to right, the sign that leaves the sum so far nearer to its share of the target. It then never
    misses its share by more than the largest size so far, and the largest of all, left out at first, makes up for the
    rest.
    """
    last = int(np.argmax(sizes))
    others = np.delete(sizes, last)
    share = float(np.clip(target / others.sum(), -1.0, 1.0)) if len(others) else 0.0
    d, ahead = np.empty(len(others)), 0.0
    for k, size in enumerate(others.tolist()):
        up, down = ahead + size * (1 - share), ahead - size * (1 + share)
        ahead, d[k] = (up, size) if abs(up) <= abs(down) else (down, -size)
    return np.insert(d, last, np.clip(target - math.fsum(d), -sizes[last], sizes[last]))


def _subset(sizes: Array, target: float, slack: float) -> NDArray[np.bool_] | None:
    """Return a subset whose sizes add up to target within the slack, or None: the sums of two halves, matched."""
    half = len(sizes) // 2
    lower, upper = sizes[:half], sizes[half:]
    sums, others = _subset_sums(lower), _subset_sums(upper)
    order = np.argsort(sums, kind="stable")
    place = np.searchsorted(sums[order], target - others)
    for near in (np.minimum(place, len(sums) - 1), np.maximum(place - 1, 0)):
        miss = np.abs(sums[order[near]] + others - target)
        best = int(np.argmin(miss))
        if miss[best] <= slack:
            codes = ((int(order[near[best]]), half), (best, len(sizes) - half))
            return np.array(list(itertools.chain(*(_members(code, count) for code, count in codes))), dtype=bool)
    return None


def _subset_sums(sizes: Array) -> Array:
    """Return the sums of all subsets; bit k of an index tells whether size k is in."""
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums, sums + size])
    return sums


def _members(code: int, count: int) -> list[bool]:
    return [bool(code >> k & 1) for k in range(count)]
