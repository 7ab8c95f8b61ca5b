r"""Predictions of a network as it is stored, enclosed: abs(z_i - f(x_i)) <= radius_i, with f(x_i) in exact arithmetic.

    f(x) = sum_j v_j sigma(w_j.x + b_j) + A x + c,     L = max(1, abs(a)) the largest slope of sigma

In floats, a sum of n products in any order is wrong by at most gamma_n sum abs(terms), gamma_n = n u / (1 - n u), u the
unit roundoff (Higham, "Accuracy and Stability of Numerical Algorithms", Section 3.1), and by n times the least float
where products underflow. Errors of the d + 1 terms of w_j.x + b_j pass sigma at most L times as large, hence

    abs(computed - f(x)) <= gamma_k (L sum_j abs(v_j) (abs(w_j).abs(x) + abs(b_j)) + abs(A).abs(x) + abs(c)),

k = m + d + 4 (m + 2 d + 5 if A is not zero), where the sum is abs(x).P + Q with P = sum_j abs(v_j) abs(w_j), Q =
sum_j abs(v_j b_j): next to nothing to compute. With
one input, prefix sums in wide floats need k u of the wide u only, and 4 u for the rounding of hinges and results.

That is too wide where terms cancel. In wide floats (80 bits on most machines) the same bound is some two thousand times
smaller. And floats are integers times powers of two, so f(x) is one, too, and is found without any rounding: by
products of integers, and with one input by prefix sums of integers; that takes a hundred times as long.
"""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.network import Network

__all__ = ["Enclosure", "enclose", "enclose_exactly", "enclose_widely"]

Array = NDArray[np.float64]
Objects = NDArray[np.object_]

# The distance from 1 to the next float is twice the unit roundoff; the least float bounds what underflow loses.
EPS, LEAST = float(np.finfo(float).eps), 5e-324
WIDE_EPS = float(np.finfo(np.longdouble).eps)
# Hidden activations that are computed in integers at a time: some 50 MB.
BLOCK_SIZE = 2**18


class Enclosure(NamedTuple):
    """Predictions (n,) and how far from them the exact predictions are at most (n,)."""

    values: Array
    radius: Array


class _Scaled(NamedTuple):
    """Numbers integers * 2^exponent, without rounding."""

    integers: Objects
    exponent: int


def enclose(network: Network, X: Array) -> Enclosure:
    """Return the predictions as `network` computes them, with a bound on their rounding.

    Parameters
    ----------
    network : Network
        Any network.
    X : (n, d) array
        Inputs.

    Returns
    -------
    Enclosure
        The predictions; the radius is infinite where they, or their terms, are beyond the largest float.

    Examples
    --------
    The exact prediction is 2, and floats lose it:

    >>> network = Network(W=[[1.0, 0.0], [1.0, 0.0]], b=[1.0, 0.0], v=[1e16, -1e16], intercept=2 - 1e16)
    >>> values, radius = enclose(network, np.array([[3.0, 5.0]]))
    >>> bool(radius[0] > 10)
    True
    >>> enclose_exactly(network, np.array([[3.0, 5.0]])).values
    array([2.])
    """
    n_terms = _n_terms(network)
    with np.errstate(over="ignore", invalid="ignore"):
        values, size = network(X), _size_of_terms(network, X)
        rate = 8 * EPS + n_terms * WIDE_EPS if network.n_features == 1 else n_terms * EPS
        radius = rate * size + (n_terms * EPS) * _flat_size(network) + _underflow(network)
    return _finite(values, radius)


def enclose_widely(network: Network, X: Array) -> Enclosure:
    """Return the predictions of a network of several inputs in wide floats, rounded, with a bound on their rounding.

    Parameters
    ----------
    network : Network
        A network of two or more inputs.
    X : (n, d) array
        Inputs.

    Returns
    -------
    Enclosure
        Where no floats are wider, the radius is no smaller than that of `enclose`.
    """
    W, b, v = (part.astype(np.longdouble) for part in (network.W, network.b, network.v))
    rows, blocks = max(1, BLOCK_SIZE // max(1, network.n_neurons)), []
    with np.errstate(over="ignore", invalid="ignore"):
        for start in range(0, len(X), rows):
            heights = X[start : start + rows].astype(np.longdouble) @ W.T + b
            hidden = np.where(heights >= 0, heights, network.negative_slope * heights)
            linear = X[start : start + rows].astype(np.longdouble) @ network.skip.astype(np.longdouble)
            blocks.append(np.asarray(hidden @ v + linear + network.intercept, dtype=float))
        values, n_terms = np.concatenate(blocks), _n_terms(network)
        radius = n_terms * WIDE_EPS * _size_of_terms(network, X) + EPS * np.abs(values) + _underflow(network)
    return _finite(values, radius)


def _size_of_terms(network: Network, X: Array) -> Array:
    """Return L (abs(x).P + Q) + abs(A).abs(x) + abs(c); twice the unit roundoff leaves room for its own rounding."""
    weights, least = np.abs(network.v), network.n_neurons * LEAST
    size = np.abs(X) @ (weights @ np.abs(network.W) + least) + (weights @ np.abs(network.b) + least)
    return _steepness(network) * size + np.abs(X) @ np.abs(network.skip) + abs(network.intercept)


def _n_terms(network: Network) -> int:
    """Return k, how often what a prediction is made of is rounded at most."""
    return network.n_neurons + network.n_features + 4 + (network.n_features + 1) * bool(network.skip.any())


def _underflow(network: Network) -> float:
    """Return what is lost where products underflow."""
    n_terms = _n_terms(network)
    return LEAST * n_terms * (2.0 + _steepness(network) * (1.0 + float(np.abs(network.v).sum())))


def _steepness(network: Network) -> float:
    return max(1.0, abs(network.negative_slope))


def _finite(values: Array, radius: Array) -> Enclosure:
    """Return an enclosure whose radius is infinite where either is not finite."""
    lost = ~np.isfinite(values) | ~np.isfinite(radius)
    return Enclosure(np.where(lost, 0.0, values), np.where(lost, np.inf, radius))


def enclose_exactly(network: Network, X: Array) -> Enclosure:
    """Return the floats nearest to the exact predictions, and how near they are.

    Parameters
    ----------
    network : Network
        Any network.
    X : (n, d) array
        Inputs.

    Returns
    -------
    Enclosure
        The radius is zero for predictions that are floats, and infinite for those beyond the largest float.
    """
    if network.n_features == 1:
        return _rounded(_on_the_line(network, X[:, 0]))
    rows = max(1, BLOCK_SIZE // max(1, network.n_neurons))
    blocks = [_rounded(_exact(network, X[start : start + rows])) for start in range(0, max(1, len(X)), rows)]
    return Enclosure(np.concatenate([b.values for b in blocks]), np.concatenate([b.radius for b in blocks]))


def _flat_size(network: Network) -> float:
    """Return the size of the terms that do not depend on x, which prefix sums leave to floats of usual width."""
    flat = ~network.W.any(axis=1)
    return _steepness(network) * float(np.abs(network.v[flat]) @ np.abs(network.b[flat])) + abs(network.intercept)


def _exact(network: Network, X: Array) -> _Scaled:
    """Return the exact predictions, by products of matrices of integers."""
    inputs, W, b = _scaled(X), _scaled(network.W), _scaled(network.b)
    heights, shift = _aligned(_Scaled(inputs.integers @ W.integers.T, inputs.exponent + W.exponent), b)
    hidden = _activated(_Scaled(heights.integers + shift.integers, shift.exponent), network)
    return _plus(_output(network, hidden), _linear(network, inputs))


def _on_the_line(network: Network, x: Array) -> _Scaled:
    """Return the exact predictions for one input, by prefix sums over the hinges."""
    bent = network.W[:, 0] != 0
    w, b, v = network.W[bent, 0], network.b[bent], network.v[bent]
    with np.errstate(over="ignore"):
        hinges = np.asarray(-b.astype(np.longdouble) / w, dtype=float)
    order = np.argsort(hinges)
    w, b, v, hinges = w[order], b[order], v[order], hinges[order]
    # Rounding is monotone, so x is on the side of a hinge that it is on in floats, unless they are equal there.
    first, last = np.searchsorted(hinges, x, side="left"), np.searchsorted(hinges, x, side="right")

    slope, one = _aligned(_scaled(np.array([network.negative_slope])), _scaled(np.ones(1)))
    past, ahead = (np.where(side, one.integers, slope.integers) for side in (w > 0, w < 0))
    X, W, B, V = (_scaled(part) for part in (x, w, b, v))
    XW, B = _aligned(_Scaled(W.integers, X.exponent + W.exponent), B)
    turns, shifts = V.integers * XW.integers, V.integers * B.integers

    def total(terms: Objects) -> Objects:
        """Return the sums of the terms with the slopes that the neurons have at each x."""
        before = np.concatenate([[0], np.cumsum(terms * past)])
        after = np.concatenate([np.cumsum((terms * ahead)[::-1])[::-1], [0]])
        return (before + after)[last]

    values = total(turns) * X.integers + total(shifts)
    for i in np.flatnonzero(first < last):
        for j in range(first[i], last[i]):
            height = XW.integers[j] * X.integers[i] + B.integers[j]
            values[i] += V.integers[j] * height * ((one if height >= 0 else slope).integers[0] - past[j])
    flat = _activated(_scaled(network.b[~bent]), network)
    bends = _Scaled(values, V.exponent + B.exponent + one.exponent)
    return _plus(_plus(bends, _output(network, flat, network.v[~bent])), _linear(network, _scaled(x[:, None])))


def _linear(network: Network, inputs: _Scaled) -> _Scaled:
    """Return A x, exactly."""
    A = _scaled(network.skip)
    return _Scaled(inputs.integers @ A.integers, inputs.exponent + A.exponent)


def _plus(left: _Scaled, right: _Scaled) -> _Scaled:
    """Return the sum of exact numbers."""
    left, right = _aligned(left, right)
    return _Scaled(left.integers + right.integers, left.exponent)


def _activated(heights: _Scaled, network: Network) -> _Scaled:
    """Return sigma of exact numbers."""
    slope, one = _aligned(_scaled(np.array([network.negative_slope])), _scaled(np.ones(1)))
    factors = np.where(heights.integers >= 0, one.integers, slope.integers)
    return _Scaled(heights.integers * factors, heights.exponent + one.exponent)


def _output(network: Network, hidden: _Scaled, weights: Array | None = None) -> _Scaled:
    """Return the sums of the hidden activations, weighted, and the output constant."""
    v, constant = _scaled(network.v if weights is None else weights), _scaled(np.array([network.intercept]))
    return _plus(_Scaled(hidden.integers @ v.integers, hidden.exponent + v.exponent), constant)


def _scaled(values: Array) -> _Scaled:
    """Return floats as integers times a common power of two."""
    mantissas, exponents = np.frexp(values)
    integers = np.asarray(np.ldexp(mantissas, 53), dtype=np.int64).astype(object)
    used = exponents[mantissas != 0]
    least = int(used.min()) if used.size else 0
    shifted = integers << np.maximum(exponents - least, 0).astype(object)
    return _Scaled(np.asarray(shifted, dtype=object), least - 53)


def _aligned(left: _Scaled, right: _Scaled) -> tuple[_Scaled, _Scaled]:
    """Return both with the smaller of their exponents."""
    least = min(left.exponent, right.exponent)

    def lowered(part: _Scaled) -> _Scaled:
        return _Scaled(part.integers * (1 << part.exponent - least), least)

    return lowered(left), lowered(right)


def _rounded(exact: _Scaled) -> Enclosure:
    """Return the nearest floats, and a bound on their distance."""
    unit = Fraction(2) ** exact.exponent
    pairs = [_nearest(Fraction(value) * unit) for value in np.atleast_1d(exact.integers)]
    return Enclosure(*np.array(pairs, dtype=float).reshape(-1, 2).T)


def _nearest(exact: Fraction) -> tuple[float, float]:
    """Return the nearest float, and a bound on its distance; (0, infinity) where there is none."""
    try:
        value = float(exact)
    except OverflowError:
        return 0.0, math.inf
    error: Any = abs(exact - Fraction(value))
    return value, math.nextafter(float(error), math.inf) if error else 0.0
