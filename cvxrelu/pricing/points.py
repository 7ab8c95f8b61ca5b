"""The places of the data and the weights on them, as every pricing method wants them.

Points that share a place are merged (their weights add up), the free mode is centred (a translation moves b
and nothing else), and every place is lifted so that a neuron is one vector u:

    free   z_i = x_i - centre,  score = sum_i v_i sigma(z_i . w + b),  norm(w) <= 1   (b is kept apart)
    joint  z_i = (x_i, 1),      score = sum_i v_i sigma(z_i . u),      norm(u) <= 1
    none   z_i = x_i,           score = sum_i v_i sigma(z_i . u),      norm(u) <= 1

Scale. Places and weights are kept in units that are powers of two, 2^p and 2^q, in which the largest entries are
between 1/2 and 1, so that no kernel can under- or overflow; a search works, and bounds, in units of 2^(p+q) (the bias
in units of 2^p if it is free), and `Points.report` takes its result back to the units given.

Rounding. Let eps be the unit roundoff, f = abs(a) + abs(1 - a), and rho_i a bound on abs(z_i . w + b) over
the unit neurons that can be best: norm(z_i), and in free mode norm(z_i) + radius, because some maximiser has
its hinge through a point. One correctly rounded subtraction of the centre moves z_i by eps * norm(z_i) at
most; adding the weights of N points in any order, or N terms c_i (z_i . u), errs by at most N eps times the
sum of absolute values (Higham, "Accuracy and Stability of Numerical Algorithms", section 4.2). So a method
that forms sums of at most K such terms, each from dot products of length m, errs by at most (K + O(m)) eps f
sum_i abs(v_i) rho_i, which is what `Weights.margin` states, with generous constants. Of several outputs v_i is a row,
and its norm takes the place of abs(v_i): by the triangle inequality that bounds the norm of the errors of all outputs.

Entries below `FAINTEST` are raised to it, so that no nonzero entry's square is lost, nor a product of two of them. With
what squares of their products lose, at most 2^-511 in a root, that changes a term c_i sigma(z_i . u) by no more than
`FAINT` f, for up to 2^20 features.

In free mode v must sum to zero, and as floats it hardly ever does exactly. gamma is bounded for the vector
that sums to zero exactly, obtained from v by taking fsum(v) off one entry; that moves no score by more than
abs(fsum(v)) max(1, abs(a)) 2 radius, which the margin includes.

Evenness. Where all linear functions are free as well, v is orthogonal to them, and sigma(t) = a t + (1 - a) max(t, 0)
with max(t, 0) = (t + abs(t)) / 2 makes the score (1 - a) / 2 sum_i v_i abs(z_i . u), that of -u as well. So if points
are `even`, methods look at one of each pair u, -u. Floats are orthogonal up to rounding only: what is then bounded is
the largest score of v among one of each pair. For the vector v' that is orthogonal exactly these scores, changed by no
more than `moved` of `cvxrelu.certificate.nearby`, are all scores there are: gamma(v') <= upper + moved as before.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.numerics.activation import leaky_relu
from cvxrelu.numerics.lengths import row_sizes, shifted
from cvxrelu.numerics.powers import exponent_of, require_scale, require_slope, shift_down, shift_up
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.weights import ROUNDOFF, Weights
from cvxrelu.problem.validation import as_choice, as_matrix, as_rows, as_slope

__all__ = ["Bias", "Points"]

Bias = Literal["free", "joint", "none"]
Array = NDArray[np.float64]

SUM_TOLERANCE = 1e-9
"""Largest abs(sum v) / sum(abs(v)) taken for rounding in free mode; more is a mistake of the caller."""

FAINTEST = 2.0**-500
"""Smallest nonzero absolute entry of places and weights, next to 1."""

EVALUATION_LIMIT = 8_000_000
"""Most (point, neuron) pairs evaluated for one result: some 64 MB. Of more columns the best are kept."""

FEWEST_COLUMNS = 64
"""Columns always evaluated, however many points there are."""


def _tamed(values: Array, exponent: int) -> Array:
    """Return values in units of 2^exponent, none but zeros below `FAINTEST`."""
    return np.where(values == 0, 0.0, np.copysign(np.maximum(np.abs(shifted(values, -exponent)), FAINTEST), values))


@dataclass(frozen=True)
class Points:
    """The distinct places of the data, lifted; see the module's docstring.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
    bias : {"free", "joint", "none"}
    negative_slope : float
    place : ndarray of int, shape (n_samples,)
        Index of each sample's place.
    centre : ndarray of shape (n_features,)
        Zero unless the bias is free.
    exponent : int
        What follows is in units of 2^exponent.
    Z : ndarray of shape (n_places, m)
        The lifted places.
    norms : ndarray of shape (n_places,)
        Their norms.
    radius : float
        Their largest norm.
    one_sided : bool
        Whether only positive scores count, and not their absolute values: where output weights are positive.
    even : bool
        Whether one of each pair of neurons u, -u is enough.
    """

    X: Array
    bias: Bias
    negative_slope: float
    place: NDArray[np.intp]
    centre: Array
    exponent: int
    Z: Array
    norms: Array
    radius: float
    one_sided: bool = False
    even: bool = False

    @classmethod
    def prepare(
        cls, X: ArrayLike, bias: str, negative_slope: float, one_sided: bool = False, even: bool = False
    ) -> "Points":
        """Validate, merge, centre and lift.

        Raises
        ------
        InputError, InputTypeError
            If X is not a finite matrix with at least one row and one column, the bias mode is unknown, the slope is 1
            or not finite, or one of them is out of the range of `cvxrelu.numerics.powers`.
        """
        as_choice(bias, get_args(Bias), "bias")
        slope = as_slope(negative_slope)
        require_slope(slope)
        X = as_matrix(X) + 0.0  # -0.0 and 0.0 are the same place
        require_scale(X, "X")
        places, place = np.unique(X, axis=0, return_inverse=True)
        centre = np.zeros(X.shape[1])
        if bias == "free":
            # The middle of the bounding box: no place is further from it than the box's half diagonal.
            centre = places.min(axis=0) / 2 + places.max(axis=0) / 2
            Z = places - centre
        elif bias == "joint":
            Z = np.column_stack([places, np.ones(len(places))])
        else:
            Z = places
        exponent = exponent_of(Z)
        Z = _tamed(Z, exponent)
        norms = np.hypot.reduce(Z, axis=1)
        return cls(
            X,
            cast(Bias, bias),
            slope,
            place.reshape(-1),
            centre,
            exponent,
            np.ascontiguousarray(Z),
            norms,
            float(norms.max()),
            one_sided,
            even,
        )

    @property
    def sides(self) -> tuple[float, ...]:
        """What scores are multiplied with: 1.0 for themselves and, where these count as well, -1.0 for negatives."""
        return (1.0,) if self.one_sided else (1.0, -1.0)

    @property
    def halves(self) -> int:
        """How many of the two neurons u and -u are looked at."""
        return 1 if self.even else 2

    def sizes(self, scores: Array) -> Array:
        """Return how much scores count: their absolute values or, of positive ones alone, what they are."""
        return np.maximum(scores, 0.0) if self.one_sided else np.abs(scores)

    @property
    def lifted(self) -> Array:
        """Places z_i such that every mode's score is sum_i v_i sigma(z_i . u).

        In free mode z_i = (x_i - centre, radius). Then u = (w, b / radius), and a maximiser with its hinge
        through a place has abs(u[-1]) <= norm(w).
        """
        if self.bias != "free":
            return self.Z
        return np.column_stack([self.Z, np.full(len(self.Z), self.radius)])

    @property
    def lipschitz(self) -> float:
        """Largest slope of the activation in absolute value."""
        return max(1.0, abs(self.negative_slope))

    @property
    def reach(self) -> Array:
        """rho_i of the module's docstring, shape (n_places,)."""
        return self.norms + self.radius if self.bias == "free" else self.norms

    def weigh(self, v: ArrayLike) -> Weights:
        """Validate a dual vector and put it on the places.

        Raises
        ------
        InputError, InputTypeError
            If v is not a finite vector of n_samples numbers, or, in free mode, does not sum to zero.
        """
        v = as_rows(v, len(self.X), "v") + 0.0
        exponent = exponent_of(v)
        v = _tamed(v, exponent)
        residue, sizes = 0.0, row_sizes(v)
        if self.bias == "free":
            total = math.hypot(*(math.fsum(column) for column in np.atleast_2d(v.T)))
            if total > SUM_TOLERANCE * math.fsum(sizes):
                raise InputError(
                    "v must sum to zero with a free bias, where a constant costs nothing; subtract its mean."
                )
            residue = total * self.lipschitz * 2 * self.radius
        factor = abs(self.negative_slope) + abs(1 - self.negative_slope)
        merged = np.zeros((len(self.Z), *v.shape[1:]))
        np.add.at(merged, self.place, v)
        mass = factor * float(sizes @ self.reach[self.place])
        return Weights(merged, v, self.exponent + exponent, factor, mass, residue)

    def trivial_bound(self, weights: Weights) -> float:
        """Bound every score by the triangle inequality."""
        return weights.mass * (1 + 2 * len(self.X) * ROUNDOFF) + weights.residue

    def score(self, weights: Weights, W: Array, b: Array) -> Array:
        """Scores of neurons in the centred coordinates, W of shape (k, d), b (k,); of several outputs their norms."""
        T = self.Z @ (np.column_stack([W, b]) if self.bias == "joint" else W).T
        if self.bias == "free":
            T += b
        active = leaky_relu(T, self.negative_slope)
        return weights.v @ active if weights.v.ndim == 1 else row_sizes(active.T @ weights.v)

    def report(
        self,
        weights: Weights,
        columns: Array,
        *,
        upper: float,
        method: str,
        complete: Callable[[float], bool],
        nodes: int,
    ) -> Priced:
        """Make unit neurons of candidate columns, score them afresh, sort them, and return them in the units given.

        Should a score exceed `upper` by more than rounding, `upper` is widened to cover it.

        Parameters
        ----------
        columns : ndarray of shape (k, d + 1)
            Rows (w, b) in the centred coordinates, the most promising first, of any norm; zero rows are left
            out.
        upper : float
            Bound on the scores, its rounding included.
        complete : callable
            Tells from the largest score of a column whether the search ended by itself.
        """
        limit = max(FEWEST_COLUMNS, EVALUATION_LIMIT // len(self.Z))
        W, b = columns[:limit, :-1], columns[:limit, -1]
        if self.bias == "none":
            b = np.zeros_like(b)
        norm = np.hypot.reduce(columns[:limit] if self.bias == "joint" else W, axis=1)
        kept = norm > 0
        # The factor keeps the norm at or below one whatever the rounding of the division.
        scale = 1 / (norm[kept] * (1 + 8 * ROUNDOFF * columns.shape[1]))
        W, b = W[kept] * scale[:, None], b[kept] * scale
        if self.even:
            # Of each pair the one on this side of a generic plane, so that none is found both ways.
            side = np.where(W @ np.sqrt(np.arange(2.0, 2.0 + W.shape[1])) < 0, -1.0, 1.0)
            W, b = side[:, None] * W, side * b
        if self.bias == "free":
            # Beyond the data the score no longer depends on b: keep the hinge among the places.
            T = self.Z @ W.T
            b = np.clip(b, -T.max(axis=0, initial=-np.inf), -T.min(axis=0, initial=np.inf))
        scores = self.score(weights, W, b)
        sizes = self.sizes(scores)
        order = np.argsort(-sizes, kind="stable")
        # What rounding alone can make of a zero score is no column.
        order = order[sizes[order] > ROUNDOFF * weights.mass]
        W, b, scores = W[order], b[order], scores[order]
        value = float(abs(scores[0])) if len(scores) else 0.0
        # A score may exceed the bound by the rounding of its evaluation; any more, and the bound was wrong.
        upper = max(float(upper), value - weights.margin(len(self.X) + 256.0))
        biases = shifted(b, self.exponent) - W @ self.centre if self.bias == "free" else b
        return Priced(
            shift_up(upper, weights.exponent),
            shift_down(min(value, upper), weights.exponent),
            W,
            biases,
            shifted(scores, weights.exponent),
            method,
            bool(complete(value)),
            nodes,
        )
