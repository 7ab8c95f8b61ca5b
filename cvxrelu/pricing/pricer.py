"""A pricer: one data set, any number of dual vectors, an exhaustive search or ascents for each.

gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w . x_i + b)) <= upper of the search,   >= value of either
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cvxrelu.numerics.powers import shift_up
from cvxrelu.pricing.ascent import DEFAULT_STARTS, ascend
from cvxrelu.pricing.ascent_outputs import ascend_outputs
from cvxrelu.pricing.maxima import Maxima, find_maxima
from cvxrelu.pricing.methods import Method, Search
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.scout import scout
from cvxrelu.pricing.starts import given_starts
from cvxrelu.problem.validation import as_count, as_generator, as_jobs, as_real, as_seconds
from cvxrelu.runtime.clock import Clock

__all__ = ["Pricer"]


@dataclass(frozen=True)
class Pricer:
    """Prices dual vectors of one data set; made by `make_pricer`.

    Examples
    --------
    >>> from cvxrelu.pricing import make_pricer
    >>> pricer = make_pricer([[-1.0], [0.0], [1.0]], bias="free")
    >>> round(pricer([1.0, -2.0, 1.0]).value, 12)
    1.0
    """

    points: Points
    method: str
    prepared: Method

    def __call__(
        self,
        v: ArrayLike,
        *,
        tol: float = 1e-9,
        threshold: float | None = None,
        time_limit: float | None = None,
        node_limit: int | None = None,
        n_jobs: int = 1,
    ) -> Priced:
        """Compute gamma(v), or bound it from above.

        Parameters
        ----------
        v : array_like of shape (n_samples,)
            Dual vector; it must sum to zero in free mode.
        tol : float, default=1e-9
            The search ends once ``upper <= value * (1 + tol)``, up to rounding.
        threshold : float, optional
            The search may also end as soon as ``upper <= threshold``.
        time_limit : float, optional
            Seconds; on expiry the bound proved so far is returned.
        node_limit : int, optional
            Likewise for the number of nodes.
        n_jobs : int, default 1
            Workers of joblib, threads unless `joblib.parallel_config` says otherwise, for large searches on cones and
            sweeps; what is found is the same.

        Returns
        -------
        Priced

        Raises
        ------
        InputError, InputTypeError
            If v is unusable.
        """
        weights = self.points.weigh(v)
        as_real(tol, "tol")
        threshold = None if threshold is None else as_real(threshold, "threshold")
        clock = Clock(as_seconds(time_limit))

        def stop(nodes: int) -> bool:
            return clock.expired or (node_limit is not None and nodes >= node_limit)

        return self.prepared.search(weights, Search(tol, threshold, stop, as_jobs(n_jobs)))

    @property
    def sweeps(self) -> bool:
        """Whether a search takes little more time than evaluating neurons, so that there is no need to guess first."""
        return self.prepared.sweeps

    def size(self, v: ArrayLike) -> float:
        """Bound gamma(v) by the triangle inequality, sample by sample: the scale of its rounding."""
        weights = self.points.weigh(v)
        return shift_up(self.points.trivial_bound(weights), weights.exponent)

    def ascend(
        self,
        v: ArrayLike,
        *,
        n_starts: int = DEFAULT_STARTS,
        starts: ArrayLike | None = None,
        threshold: float | None = None,
        random_state: int | np.random.Generator | None = None,
        time_limit: float | None = None,
        n_jobs: int = 1,
    ) -> Priced:
        """Find good neurons by local ascent; this proves nothing, so `upper` is infinite.

        Parameters
        ----------
        v : array_like of shape (n_samples,)
            Dual vector; it must sum to zero in free mode.
        n_starts : int, default=16
            The most random starts; each goes up for the score and for its negative.
        starts : array_like of shape (k, n_features + 1), optional
            Further starts, rows (w, b); each goes up on the side of its score.
        threshold : float, optional
            A score worth finding: once enough of the starts have ended above it, no more are drawn.
        random_state : int or Generator, optional
            Source of the random starts.
        time_limit : float, optional
            Seconds; on expiry what was reached is returned.
        n_jobs : int, default 1
            Workers of joblib, threads unless `joblib.parallel_config` says otherwise; the neurons are the same.

        Returns
        -------
        Priced
            The neurons reached, of either sign, and of those that are almost the same the best. The best are local
            maxima up to rounding, the others nearly so.

        Raises
        ------
        InputError, InputTypeError
            If v or starts are unusable.

        Examples
        --------
        >>> from cvxrelu.pricing import make_pricer
        >>> pricer = make_pricer([[3.0, 4.0], [0.0, 0.0]])
        >>> round(pricer.ascend([1.0, -1.0], random_state=0).value, 9)
        5.0
        """
        weights = self.points.weigh(v)
        clock = Clock(as_seconds(time_limit))
        given = given_starts(self.points, np.empty((0, self.points.X.shape[1] + 1)) if starts is None else starts)
        worth = np.inf if threshold is None else shift_up(as_real(threshold, "threshold"), -weights.exponent)
        n_starts, rng = as_count(n_starts, "n_starts", least=0), as_generator(random_state)
        if weights.v.ndim == 2:
            return ascend_outputs(self.points, weights, given, n_starts, rng, clock)
        return ascend(self.points, weights, given, n_starts, worth, rng, clock, as_jobs(n_jobs))

    def scout(
        self,
        v: ArrayLike,
        *,
        n_starts: int = DEFAULT_STARTS,
        starts: ArrayLike | None = None,
        random_state: int | np.random.Generator | None = None,
        time_limit: float | None = None,
        n_jobs: int = 1,
    ) -> Priced:
        """Find good neurons for little, mostly on a part of the samples; what `ascend` would find may be missed.

        Parameters
        ----------
        v, n_starts, starts, random_state, time_limit, n_jobs
            As in `ascend`.

        Returns
        -------
        Priced
            As of `ascend`; the best neurons are near local maxima.

        Raises
        ------
        InputError, InputTypeError
            If v or starts are unusable.

        Examples
        --------
        >>> from cvxrelu.pricing import make_pricer
        >>> pricer = make_pricer([[3.0, 4.0], [0.0, 0.0]])
        >>> round(pricer.scout([1.0, -1.0], random_state=0).value, 3)
        5.0
        """
        weights, clock = self.points.weigh(v), Clock(as_seconds(time_limit))
        given = given_starts(self.points, np.empty((0, self.points.X.shape[1] + 1)) if starts is None else starts)
        n_starts, rng = as_count(n_starts, "n_starts", least=0), as_generator(random_state)
        if weights.v.ndim == 2:
            return ascend_outputs(self.points, weights, given, n_starts, rng, clock, quick=True)
        return scout(self.points, weights, given, n_starts, rng, clock, as_jobs(n_jobs))

    def maxima(
        self,
        v: ArrayLike,
        n_ascents: int,
        *,
        random_state: int | np.random.Generator | None = None,
        time_limit: float | None = None,
    ) -> Maxima:
        """Ascend from random starts, each for itself, and count the local maxima that the ascents end in.

        Where `ascend` looks for good neurons, and shares what it finds, this looks at how much there is to be found:
        the ends are independent draws, of either sign. It proves nothing.

        Parameters
        ----------
        v : array_like of shape (n_samples,)
            Dual vector; it must sum to zero in free mode.
        n_ascents : int
            How many.
        random_state : int or Generator, optional
            Source of the random starts.
        time_limit : float, optional
            Seconds; ascents that have not ended by then do not count.

        Returns
        -------
        Maxima
            The scores of the distinct local maxima, and how often each was reached.

        Raises
        ------
        InputError, InputTypeError
            If an argument is unusable.

        Examples
        --------
        On three points of a line, the hinge of a neuron is best put through the middle, from either side:

        >>> from cvxrelu.pricing import make_pricer
        >>> maxima = make_pricer([[-1.0], [0.0], [1.0]]).maxima([1.0, -2.0, 1.0], 100, random_state=0)
        >>> maxima.scores.round(12), sorted(maxima.W.ravel().tolist()), maxima.once
        (array([1., 1.]), [-1.0, 1.0], 0)
        """
        weights, clock = self.points.weigh(v), Clock(as_seconds(time_limit))
        n_ascents, rng = as_count(n_ascents, "n_ascents"), as_generator(random_state)
        return find_maxima(self.points, weights, n_ascents, rng, clock)
