r"""Evidence where no proof closes: what independent ascents found above the bound, and how much they may have missed.

A dual vector v proves a lower bound through gamma(v) = max over unit neurons of abs(sum_i v_i sigma(w.x_i + b)). Where
no exhaustive search bounds that well, as with many features, ascents from random starts still find large scores:

    largest <= gamma(v),   lower_if_complete = the dual objective at the best multiple of v, were gamma(v) = largest

and that is a lower bound if no neuron scores more, which nobody has proven. How likely it is that something was missed
is estimated from how often each local maximum was reached (Good & Turing): with n independent ascents, of which n_1
ended in a maximum that no other ended in,

    E[n_1 / n] = E[probability that an ascent ends in a maximum that n - 1 others have not reached],

whatever the probabilities of the maxima. By symmetry, one more ascent ends above all n before it with a probability of
1 / (n + 1) at most. Both speak of ascents, not of neurons: a high maximum that ascents hardly ever reach hardly shows
in either, which is why this is evidence and no proof.

Which vector. A smooth loss has a force v_i = -d loss(z_i, y_i) / d z_i at the predictions z of a network, which is
optimal if and only if no neuron scores more than N alpha in it and those in use score just that; but a network that
is optimal to eight digits has a force that is right to four. The dual vector of the certificate, all multiples of which
prove the same, may be better, and is all there is without a force (constraints, kinks): of the two, v is the one that
would prove more after a tenth of the ascents. With the best multiple t of the dual vector, and for a constraint with 1
in place of N alpha and of N,

    N (upper - dual objective of t v) >= N alpha cost - t v.z = sum_j (abs(v_j) N alpha - t v_j score_j) >= 0

if t abs(score_j) <= N alpha for the network's own unit neurons. Going up begins there, too, and `largest` is no smaller
than their scores; so `lower_if_complete` is not above `upper`, however little the ascents have found.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import centred
from cvxrelu.certificate.wording import search_sentence
from cvxrelu.errors import InputError
from cvxrelu.numerics.lengths import exponents_of, shifted
from cvxrelu.numerics.powers import shift_up, unit
from cvxrelu.pricing import Maxima, Pricer, make_pricer
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_count, as_generator, as_seconds
from cvxrelu.runtime.clock import Clock

__all__ = ["DEFAULT_ASCENTS", "Evidence", "gather_evidence"]

Array = NDArray[np.float64]

DEFAULT_ASCENTS = 1000
"""They take one to three seconds for 150 samples of 30 features, most of a minute for 2000 of 20."""

OWN_SHARE = 0.2
"""Share of the time that the ascents from the network's own neurons may take."""

LOOK = 0.1
"""Share of the ascents, and of the time, in which two vectors are compared."""

AS_GOOD = 1e-12
"""Share of the best lower bound of a vector that may be missing where it counts as reached: rounding."""

MOST_DIGITS, HALVINGS = 1000.0, 64
"""Exponents of two between which gamma is sought, at a vector of scale one; and bisections, after which it is known."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was searched, beside what is proven: no number here is a bound.

    Attributes
    ----------
    ascents : int
        Independent ascents that came to an end, each from a random start of its own, for the score or for its negative.
    maxima : int
        Distinct local maxima that they ended in.
    once : int
        How many of the maxima a single ascent ended in.
    largest : float
        The largest absolute score found, by the ascents or by going up from the network's own neurons; at most
        gamma(dual).
    bound : float
        What no neuron may score more than if `dual` is to prove the network optimal: N alpha where that is the force
        of the loss; else the largest gamma(dual) with which it would prove `upper`, or as much as a multiple of it can.
        Zero if that is nothing, or if the network does not fit what it has to fit.
    lower_if_complete : float
        The lower bound that would hold if no neuron scored more than `largest`. It is *not* proven: what is, is
        `Certificate.lower`. Zero if no ascent was made.
    upper : float
        The objective of the network, from the certificate.
    dual : (N,) array
        The dual vector whose scores were searched.

    References
    ----------
    I. J. Good (1953), "The population frequencies of species and the estimation of population parameters", Biometrika
    40, 237-264.

    Examples
    --------
    >>> evidence = Evidence(100, 3, 2, 0.52, 0.5, 0.95, 1.0, np.array([0.1, -0.1]))
    >>> round(evidence.excess, 12), evidence.unseen
    (0.04, 0.02)
    """

    ascents: int
    maxima: int
    once: int
    largest: float
    bound: float
    lower_if_complete: float
    upper: float
    dual: Array

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return (
            f"Evidence(ascents={self.ascents}, maxima={self.maxima}, excess={self.excess:.2e}, "
            f"unseen={self.unseen:.3g}, lower_if_complete={self.lower_if_complete:.10g})"
        )

    @property
    def excess(self) -> float:
        """The largest violation found: largest / bound - 1, not positive if there is none; infinite if `bound` is 0."""
        return self.largest / self.bound - 1 if self.bound > 0 else np.inf

    @property
    def unseen(self) -> float:
        """Estimated probability that another ascent ends in a maximum not seen yet: once / ascents (1.0 for none)."""
        return self.once / self.ascents if self.ascents else 1.0

    @property
    def sentence(self) -> str:
        """What was seen, in words that do not take it for a proof; numbers are rounded to the side of caution."""
        return search_sentence(
            self.ascents,
            self.maxima,
            unseen=self.unseen,
            excess=self.excess,
            upper=self.upper,
            lower_if_complete=self.lower_if_complete,
        )


def gather_evidence(
    problem: Problem,
    network: Network,
    dual: Array,
    upper: float,
    n_ascents: int = DEFAULT_ASCENTS,
    *,
    random_state: int | np.random.Generator | None = None,
    time_limit: float | None = None,
) -> Evidence:
    """Search for neurons that would show a network not to be optimal, and say how much was searched.

    Parameters
    ----------
    problem : Problem
        A problem whose norm is Euclidean.
    network : Network
        The network.
    dual : (N,) array
        Any dual vector, which is searched if it would prove more than the force of the loss, or there is none.
    upper : float
        The objective of the network, infinite if it does not fit what it has to fit.
    n_ascents : int, default 1000
        Ascents from random starts.
    random_state : int or numpy.random.Generator, optional
        Seed of the starts.
    time_limit : float, optional
        Seconds; ascents that have not ended by then do not count.

    Returns
    -------
    Evidence
        What was searched.

    Raises
    ------
    InputError, InputTypeError
        If the norm is not Euclidean, or an option is unusable.

    Examples
    --------
    The cheapest tent through three points is the constant one minus a neuron on either side, which are all there is:

    >>> problem = Problem([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])
    >>> tent = Network(W=[[1.0], [-1.0]], b=[-1.0, 1.0], v=[-1.0, -1.0], intercept=1.0)
    >>> evidence = gather_evidence(problem, tent, np.array([-1.0, 2.0, -1.0]), 2.0, n_ascents=50, random_state=0)
    >>> evidence.maxima, evidence.unseen, round(evidence.lower_if_complete, 9)
    (2, 0.0, 2.0)
    """
    if problem.norm.cellwise:
        raise InputError(
            f"Local ascent is for norm='euclidean'; with norm={problem.norm.name!r} all cells are searched one by one, "
            "so `solve` with method='enumerate' proves the bound, and there is nothing to look for beside it."
        )
    clock, rng = Clock(as_seconds(time_limit)), as_generator(random_state)
    n_ascents = as_count(n_ascents, "n_ascents")
    force = _force(problem, network)
    vectors = [v for v in (force, _repaired(problem, dual)) if v is not None and v.any()]
    if not vectors:
        return Evidence(0, 0, 0, 0.0, 0.0, 0.0, upper, dual)
    pricer = make_pricer(problem.X, problem.bias, problem.negative_slope, one_sided=problem.one_sided)

    def search(v: Array, count: int, clock: Clock) -> tuple[Maxima, float, float]:
        """Return the maxima of a vector, its largest score, and what it would prove if that were gamma(v)."""
        largest = _best_of_own(pricer, problem, network, v, clock.share(OWN_SHARE))
        seen = pricer.maxima(v, count, random_state=rng, time_limit=clock.left)
        largest = max(largest, seen.largest)
        return seen, largest, _lower_if(problem, network, v, largest, upper)

    if len(vectors) > 1:
        vectors.sort(key=lambda v: search(v, math.ceil(LOOK * n_ascents), clock.share(LOOK))[2])
    v = vectors[-1]
    seen, largest, lower_if = search(v, n_ascents, clock)
    return Evidence(
        ascents=seen.ascents,
        maxima=len(seen.scores),
        once=seen.once,
        largest=largest,
        bound=problem.n_samples * (problem.alpha or 0.0) if v is force else _needed(problem, v, upper),
        lower_if_complete=lower_if if seen.ascents else 0.0,
        upper=upper,
        dual=v,
    )


def _force(problem: Problem, network: Network) -> Array | None:
    """Return the repaired force of the loss at the predictions of a network, or None if there is none."""
    if not problem.loss.regularised:
        return None
    force = problem.loss.force(network(problem.X), problem.y)
    if force is None or not np.isfinite(force).all():
        return None
    return _repaired(problem, force)


def _repaired(problem: Problem, v: Array) -> Array:
    """Return a vector near v in the domain of the dual, at the scale of v."""
    v, exponent = unit(v)
    return shifted(problem.repair(v, boxed=False), exponent)


def _best_of_own(pricer: Pricer, problem: Problem, network: Network, v: Array, clock: Clock) -> float:
    """Return the largest score that is reached from the network's neurons, at least the largest of their own."""
    neurons = np.column_stack([network.W, network.b])
    if not problem.norm.has_free_constant and network.intercept != 0:
        neurons = np.vstack([neurons, np.eye(problem.n_features + 1)[-1:]])
    neurons = shifted(neurons, -exponents_of(neurons)[:, None])
    return pricer.ascend(v, n_starts=0, starts=neurons, time_limit=clock.left).value


def _needed(problem: Problem, v: Array, upper: float) -> float:
    """Return the largest gamma with which v would prove `upper`, or as much as it can; 0.0 if that is nothing."""
    v, exponent = unit(v)
    y = centred(problem, problem.y, v)

    def lower(digits: float) -> float:
        return problem.loss.lower_bound(v, y, 2.0**digits, problem.alpha)

    low, high = -MOST_DIGITS, MOST_DIGITS
    aim = min(upper, lower(low)) * (1 - AS_GOOD)
    if not 0 < aim <= upper < np.inf:
        return 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if lower(middle) >= aim else (low, middle)
    return float(shifted(np.float64(2.0**low), exponent))


def _lower_if(problem: Problem, network: Network, v: Array, gamma: float, upper: float) -> float:
    """Return what v would prove if gamma(v) were `gamma`, of the targets and of what the network predicts."""
    v, exponent = unit(v)
    gamma = shift_up(gamma, -exponent)
    lower = problem.loss.lower_bound(v, centred(problem, problem.y, v), gamma, problem.alpha)
    if upper < np.inf:
        z = centred(problem, network(problem.X), v)
        lower = min(lower, problem.loss.attained_bound(z, np.zeros(len(z)), v, gamma))
    return lower
