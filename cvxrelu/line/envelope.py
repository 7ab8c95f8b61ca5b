r"""All minimum-norm interpolants: the band they fill, and random members.

In the notation of `sparsest`, a function with end slopes l_0 = l_1 - c_1 and l_N = l_{N-1} + c_N is a minimiser iff it
interpolates, is affine on each gap whose end curvatures differ in sign or one of which is zero, and is convex
(concave) along each run of positive (negative) curvatures, with slopes that stay between those of its neighbours.
On a gap inside a run f therefore lies between

    the chord            y_n + l_n (x - x_n)                                    and
    the supporting lines y_n + l_{n-1} (x - x_n),  y_{n+1} + l_{n+1} (x - x_{n+1}),  the larger (smaller) of the two,

and each bound is attained at each point. The gaps of a run are coupled by their common end slopes only.

Beyond the data f is affine if there is no excess. If there is one, u > 0, each end may take any part of it: left of
x_1 the slope rises or falls from l_1 - T alpha to l_1 *anywhere* before x_1, so that f lies between the lines through
(x_1, y_1) of slopes l_1 and l_1 - T u; likewise right of x_N between those of slopes l_{N-1} and l_{N-1} - T u. The
first gap is then inside a run if c_2 has the sign T, and the last if c_{N-1} has the sign -T.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.line.cost import Rates, end_bend
from cvxrelu.line.drawing import plot_envelope
from cvxrelu.line.piecewise import PiecewiseLinear
from cvxrelu.line.samples import Samples
from cvxrelu.problem.validation import as_count, as_generator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Envelope", "envelope"]

Array = NDArray[np.float64]

# Random members do not bend in gaps narrower than this share of abs(x), nor nearer to the end of a gap than this share
# of it: floats would not carry their slopes.
NARROW = 1e-6
# Random members: most knots in a gap, and the mean distance of a knot beyond the data as a share of their extent.
MOST_KNOTS, OUTER_REACH = 4, 0.1


@dataclass(frozen=True, eq=False)
class Envelope:
    """The set of all minimum-norm interpolants of points; made by `envelope`.

    Attributes
    ----------
    x, y : (N,) array
        The points, x ascending.
    slopes : (N + 1,) array
        The extreme slope before x_1, the slopes l_1, ..., l_{N-1}, and the extreme slope after x_N.
    signs : (N,) array
        The signs of the curvatures at the points, those of the excess at both ends included; 0.0 for none.
    """

    x: Array
    y: Array
    slopes: Array
    signs: Array

    @property
    def loose(self) -> NDArray[np.bool_]:
        """Whether f is free to vary on each of the N - 1 gaps."""
        return (self.signs[:-1] == self.signs[1:]) & (self.signs[:-1] != 0)

    @property
    def is_unique(self) -> bool:
        """Whether there is only one minimum-norm interpolant."""
        return not (self.loose.any() or self.signs[0] or self.signs[-1])

    def lower(self, x: ArrayLike) -> Array:
        """Return the least value at each x of any minimum-norm interpolant, in the shape of x."""
        chord, support = self._bounds(np.asarray(x, dtype=float))
        return np.minimum(chord, support)

    def upper(self, x: ArrayLike) -> Array:
        """Return the largest value at each x of any minimum-norm interpolant, in the shape of x."""
        chord, support = self._bounds(np.asarray(x, dtype=float))
        return np.maximum(chord, support)

    def sample(self, n: int = 1, random_state: int | np.random.Generator | None = None) -> tuple[PiecewiseLinear, ...]:
        """Draw minimum-norm interpolants at random.

        Parameters
        ----------
        n : int, default 1
            How many.
        random_state : int or numpy.random.Generator, optional
            Seed.

        Returns
        -------
        tuple of PiecewiseLinear
            Members of the set, spread over it but with no particular distribution.

        Raises
        ------
        InputTypeError, InputError
            If n is not a positive integer.
        """
        rng = as_generator(random_state)
        return tuple(self._draw(rng) for _ in range(as_count(n, "n")))

    def plot(
        self, ax: "Axes | None" = None, members: int = 0, random_state: int | np.random.Generator | None = None
    ) -> "Axes":
        """Draw the band with some random members; see `plot_envelope`."""
        return plot_envelope(self, ax, members=members, random_state=random_state)

    def _bounds(self, x: Array) -> tuple[Array, Array]:
        """Return the chord and the supporting line at each x."""
        last = len(self.x) - 1
        gap = np.searchsorted(self.x, x, side="right")
        left, right = np.clip(gap - 1, 0, last), np.clip(gap, 0, last)
        # Beyond the data the "chord" is the line through the two nearest points, and the support the extreme line.
        outer = (gap == 0) | (gap > last)
        chord = self.y[left] + self.slopes[np.clip(gap, 1, max(last, 1))] * (x - self.x[left])
        before = self.y[left] + self.slopes[np.maximum(gap - 1, 0)] * (x - self.x[left])
        after = self.y[right] + self.slopes[np.minimum(gap + 1, last + 1)] * (x - self.x[right])
        support = np.where(self.signs[left] > 0, np.maximum(before, after), np.minimum(before, after))
        support = np.where((self.signs[left] == self.signs[right]) & (self.signs[left] != 0), support, chord)
        extreme = self.y[left] + self.slopes[gap] * (x - self.x[left])
        return chord, np.where(outer, extreme, support)

    def _draw(self, rng: np.random.Generator) -> PiecewiseLinear:
        """Draw one member: end slopes, then slopes at the points, then convex pieces between them."""
        x, y, slopes = self.x, self.y, self.slopes.copy()
        if len(x) == 1:
            return PiecewiseLinear(x, y, float(slopes[0]), float(slopes[-1]))
        share = rng.beta(0.5, 0.5)
        slopes[0] = slopes[1] + share * (slopes[0] - slopes[1])
        slopes[-1] = slopes[-2] + (1 - share) * (slopes[-1] - slopes[-2])
        loose = self.loose & (np.diff(x) > NARROW * np.maximum(np.abs(x[1:]), np.abs(x[:-1])))
        # The slope that f has *at* each point: f' stays on its left side before, and on its right side after.
        at = slopes[:-1] + rng.beta(0.7, 0.7, len(x)) * np.diff(slopes)
        start, end = np.where(loose, at[:-1], slopes[1:-1]), np.where(loose, at[1:], slopes[1:-1])
        knots, values = self._convex_pieces(np.flatnonzero(loose), start, end, rng)
        # Before x_1 the slope goes from slopes[0] to start[0], after x_N from end[-1] to slopes[-1], at some distance.
        reach = OUTER_REACH * float(np.ptp(x)) * (0.1 + rng.exponential(size=2))
        before, after = x[0] - reach[0], x[-1] + reach[1]
        ends = (
            (self.signs[0], before, y[0] + start[0] * (before - x[0])),
            (self.signs[-1], after, y[-1] + end[-1] * (after - x[-1])),
        )
        outer = [(knot, value) for sign, knot, value in ends if sign]
        knots = np.concatenate([x, knots, [knot for knot, _ in outer]])
        values = np.concatenate([y, values, [value for _, value in outer]])
        knots, first = np.unique(knots, return_index=True)
        return PiecewiseLinear(knots, values[first], float(slopes[0]), float(slopes[-1]))

    def _convex_pieces(
        self, gaps: NDArray[np.intp], start: Array, end: Array, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Return knots and values inside loose gaps, with slopes between start and end.

        Each piece is the chord less a weighted mean of tents h min(A s, B (1 - s)), s from 0 to 1 along the gap, with
        A between 0 and l - start and B between 0 and end - l: the mean has end slopes in the same bounds, so f has.
        """
        count = int(rng.integers(1, MOST_KNOTS + 1))
        size = (len(gaps), count)
        width, chord = np.diff(self.x)[gaps], self.slopes[1:-1][gaps]
        # Square roots of uniform numbers, so that members fill the band and not just its middle.
        A = np.sqrt(rng.uniform(size=size)) * (chord - start[gaps])[:, None]
        B = np.sqrt(rng.uniform(size=size)) * (end[gaps] - chord)[:, None]
        weights = rng.dirichlet(np.ones(count), len(gaps))
        height = A + B
        apex = np.where(height != 0, B / np.where(height != 0, height, 1.0), 0.5)
        # The mean is taken where the floats put the tips, unless that is at an end of the gap: the polyline through any
        # points of a convex piece is one, with slopes in the same bounds.
        knots = self.x[gaps, None] + width[:, None] * apex
        along = knots - self.x[gaps, None]
        s = along / width[:, None]
        rising, falling = A[:, None, :] * s[:, :, None], B[:, None, :] * (1 - s[:, :, None])
        depth = np.where(np.abs(rising) < np.abs(falling), rising, falling) @ weights[:, :, None]
        values = self.y[gaps, None] + chord[:, None] * along - width[:, None] * depth[:, :, 0]
        apart = (s > NARROW) & (s < 1 - NARROW)
        return knots[apart], values[apart]


def envelope(x: ArrayLike, y: ArrayLike, negative_slope: float = 0.0, skip: bool = False) -> Envelope:
    """Return the set of all minimum-norm interpolants of points, as the band between two functions.

    Parameters
    ----------
    x : (N,) or (N, 1) array_like
        Inputs, in any order; equal samples count once.
    y : (N,) array_like
        Targets.
    negative_slope : float, default 0.0
        Slope a of the activation at negative arguments, any but 1.
    skip : bool, default False
        Whether the network has a skip connection, which costs nothing: then there is no excess.

    Returns
    -------
    Envelope
        The set: bounds at any place, random members, and a picture.

    Raises
    ------
    InputTypeError
        If an argument is not numeric.
    InputError
        If the data are not finite or contradict each other, or the slope is 1.

    Examples
    --------
    >>> band = envelope([-1, -0.6, -0.2, 0.2, 0.6, 1], [1, -1, 1, 1, -1, 1])
    >>> band.lower([0.0, 0.5, 5.0]), band.upper([0.0, 0.5, 5.0])
    (array([ 1. , -0.5, 21. ]), array([ 2. , -0.5, 21. ]))
    """
    samples, rates = Samples.of(x, y), Rates.of(negative_slope, skip)
    if len(samples) == 1:
        return Envelope(samples.x, samples.y, np.zeros(2), np.zeros(1))
    bend, inner = end_bend(samples, rates), samples.slopes
    slopes = np.concatenate([[inner[0] - bend], inner, [inner[-1] - bend]])
    signs = np.concatenate([[np.sign(bend)], samples.turns, [-np.sign(bend)]])
    return Envelope(samples.x, samples.y, slopes, signs)
