r"""The strength of regularisation from which a constant is optimal, and one to begin with.

    alpha_max = (1/N) * min over v in F of gamma(v),      default: 0.3 alpha_max / sqrt(N)

with F the dual vectors of the best constant; the proof is in `cvxrelu.program.zero_cost`.
"""

import numpy as np

from cvxrelu.certificate.searches import pricer_of
from cvxrelu.errors import AccuracyWarning
from cvxrelu.pricing import Pricer
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_instance, as_seconds
from cvxrelu.program.dual_face import ASCENT_STARTS, search_scores
from cvxrelu.program.zero_cost import ZERO_SCORE_RTOL, best_of_zero_cost, check_known, zero_cost_dual
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.keyboard import heeding_interrupts
from cvxrelu.runtime.warned import warn

__all__ = ["CUT_SHORT", "SEARCH_SHARE", "alpha_max", "default_alpha", "likely_alpha_max"]

# The default alpha over alpha_max / sqrt(N). Held-out scores are best at 0.5 to 2 on noisy data (diabetes), at 0.2 and
# less where there is little noise (Friedman #1, breast cancer).
DEFAULT_SHARE = 0.3
# Share of a time limit for fits within which that alpha is found.
SEARCH_SHARE = 0.3
# Samples up to which the best neuron is sought with all of them; with more, a part of them tells as much about alpha.
MOST_ASCENDED = 2000
# Starts of local ascent that there is always time for.
FEW_STARTS = 4
CUT_SHORT = (
    "The search for alpha_max was cut short, so the value is only an upper bound on it; use fewer samples or features "
    "for an exact one."
)


@heeding_interrupts()
def alpha_max(problem: Problem, time_limit: float | None = None) -> float:
    """Return the smallest alpha for which a network of zero cost is optimal.

    Parameters
    ----------
    problem : Problem
        A problem with a loss that has an alpha; its own does not matter.
    time_limit : float, optional
        Seconds for an exhaustive search, of which a loss with kinks may need several; by default it settles for the
        bound that it has after a fixed number of steps.

    Returns
    -------
    float
        min over F of gamma(v), over N. It is computed from a proven upper bound on gamma, so a constant is optimal for
        every alpha from this value on, up to 1e-7 of it next to a kink of the loss; 1e-7 of it below, at most, none is.
        It is 0.0 if a constant is optimal for every alpha, up to rounding.

    Raises
    ------
    InputError
        If the loss has no alpha, or is an own one that does not define `pulls`.
    SolverError
        If the linear programs for a loss with kinks cannot be solved, or time ends before the cells of a norm other
        than the Euclidean are prepared.

    Warns
    -----
    AccuracyWarning
        If the exhaustive search (three or more dimensions) was cut short: the value is then an upper bound.

    Examples
    --------
    The residuals of the mean are -1/3, 2/3, -1/3, and the neuron max(0, x) has the score 1/3:

    >>> problem = Problem([[-1.0], [0.0], [1.0]], [0.0, 1.0, 0.0], loss="squared", alpha=1.0)
    >>> round(9 * alpha_max(problem), 9)
    1.0
    """
    found = best_of_zero_cost(as_instance(problem, Problem, "problem"), Clock(as_seconds(time_limit)))
    if not found.complete:
        warn(CUT_SHORT, AccuracyWarning)
    return found.alpha_max


def default_alpha(problem: Problem, clock: Clock | None = None) -> float:
    """Return a strength of regularisation to begin with: 0.3 alpha_max / sqrt(N).

    The score of a neuron against noise is a sum of N terms of either sign, a share of about 1/sqrt(N) of what it could
    be if the noise followed the neuron. So neurons that only fit noise stay out, or small, where the targets are mostly
    noise, and those that fit a signal pay little. Cross-validation finds better ones (`cvxrelu.ReLURegressorCV`). With
    sample weights w, N is the number of equal samples whose mean varies as much, (sum w)^2 / sum w^2.

    Parameters
    ----------
    problem : Problem
        A problem with a loss that has an alpha; its own does not matter.
    clock : Clock, optional
        Ends the search for the best neuron.

    Returns
    -------
    float
        The strength. In three or more dimensions alpha_max is estimated, by the best neuron that local ascent finds
        (always from the same random starts), and for a loss with kinks by a bound; 1.0 if a constant is optimal for
        every alpha.

    Raises
    ------
    InputError
        If the loss has no alpha, or is an own one that does not define `pulls`.

    Examples
    --------
    >>> problem = Problem([[-1.0], [0.0], [1.0], [2.0]], [0.0, 1.0, 0.0, 1.0], loss="squared", alpha=1.0)
    >>> round(default_alpha(problem) / alpha_max(problem), 6)
    0.15
    """
    check_known(problem)
    weights = np.ones(problem.n_samples) if problem.sample_weight is None else problem.sample_weight
    n_alike = problem.n_samples / np.mean(weights**2)
    return float(DEFAULT_SHARE * likely_alpha_max(problem, clock) / np.sqrt(n_alike)) or 1.0


def likely_alpha_max(problem: Problem, clock: Clock | None = None) -> float:
    """Return gamma(v) / N of the best neuron that is found soon, v in the middle of those of the best constant.

    At most until a clock expires, but for a few starts of local ascent where that is too soon to find any. For a loss
    without kinks it is no more than alpha_max, and most often alpha_max; 0.0 if a constant is always optimal.

    Examples
    --------
    >>> problem = Problem([[-1.0], [0.0], [1.0], [2.0]], [0.0, 1.0, 0.0, 1.0], loss="squared", alpha=1.0)
    >>> round(likely_alpha_max(problem) / alpha_max(problem), 6)
    1.0
    """
    dual = zero_cost_dual(problem)
    if not dual.any():
        return 0.0
    clock, pricer = clock or Clock(), pricer_of(problem)
    if not isinstance(pricer, Pricer) or pricer.sweeps:
        gamma = search_scores(pricer, dual, clock).value
    elif problem.several or problem.n_samples <= MOST_ASCENDED:
        gamma = pricer.ascend(dual, n_starts=ASCENT_STARTS, random_state=0, time_limit=clock.left).value
    else:
        gamma = pricer.scout(dual, n_starts=ASCENT_STARTS, random_state=0, time_limit=clock.left).value
    if not gamma and isinstance(pricer, Pricer):
        gamma = pricer.scout(dual, n_starts=FEW_STARTS, random_state=0).value
    return gamma / len(dual) if gamma > ZERO_SCORE_RTOL * pricer.size(dual) else 0.0
