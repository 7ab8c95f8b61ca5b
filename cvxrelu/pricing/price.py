"""One entry point to pricing.

gamma(v) = max over unit neurons of abs( sum_i v_i sigma(w . x_i + b) ), sigma the leaky ReLU with negative
slope a. Unit neurons: norm(w) <= 1 with any b (free; then v must sum to zero), norm([w, b]) <= 1 (joint), or
norm(w) <= 1 with b = 0 (none). v is dual feasible for the penalised and constrained programs exactly when
gamma(v) is small enough, so an upper bound on gamma is what turns v into a proof of optimality, and the
maximising neurons are the columns that column generation adds.
"""

from numpy.typing import ArrayLike

from cvxrelu.errors import InputError
from cvxrelu.pricing.cells import cell_search
from cvxrelu.pricing.methods import METHODS, choose
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.pricer import Pricer
from cvxrelu.pricing.result import Priced
from cvxrelu.problem.validation import as_choice
from cvxrelu.runtime.clock import Clock

__all__ = ["make_pricer", "price", "price_cells"]


def make_pricer(
    X: ArrayLike,
    bias: str = "free",
    negative_slope: float = 0.0,
    method: str = "auto",
    *,
    one_sided: bool = False,
    even: bool = False,
) -> Pricer:
    """Prepare the pricing of many dual vectors of one data set.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
    bias : {"free", "joint", "none"}, default="free"
        What a neuron's bias costs.
    negative_slope : float, default=0.0
        Slope of the activation for negative arguments; any number that is not within 2^-10 (about 0.001) of 1.
    method : str, default="auto"
        A name in `METHODS`, or "auto" for the first that applies.
    one_sided : bool, default=False
        Whether only positive scores count, and not absolute values: gamma(v) where output weights are positive.
    even : bool, default=False
        Whether dual vectors are orthogonal to linear functions of X, so that half of the neurons will do: bounds are
        then of gamma at the vector nearby that is so exactly, once `cvxrelu.certificate.nearby` is added.

    Raises
    ------
    InputError, InputTypeError
        If an argument is unusable, or the method does not apply to the data.

    Examples
    --------
    >>> make_pricer([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]).method
    'plane'
    """
    points = Points.prepare(X, bias, negative_slope, one_sided, even)
    as_choice(method, ("auto", *METHODS), "method")
    if method == "auto":
        method = choose(points)[0]
    if not METHODS[method].applies(points):
        raise InputError(
            f"method {method!r} does not price {points.X.shape[1]} features with bias {bias!r}; use 'auto'."
        )
    return Pricer(points, method, METHODS[method](points))


def price(
    X: ArrayLike,
    v: ArrayLike,
    *,
    bias: str = "free",
    negative_slope: float = 0.0,
    method: str = "auto",
    tol: float = 1e-9,
    threshold: float | None = None,
    time_limit: float | None = None,
    node_limit: int | None = None,
) -> Priced:
    """Compute gamma(v), or bound it from above, once; the parameters are those of `make_pricer` and `Pricer`.

    Examples
    --------
    >>> round(price([[3.0, 4.0]], [2.0], bias="none").value, 12)
    10.0
    """
    pricer = make_pricer(X, bias, negative_slope, method)
    return pricer(v, tol=tol, threshold=threshold, time_limit=time_limit, node_limit=node_limit)


def price_cells(
    X: ArrayLike,
    v: ArrayLike,
    patterns: ArrayLike,
    *,
    bias: str = "free",
    negative_slope: float = 0.0,
    facets: ArrayLike | None = None,
    tol: float = 1e-9,
    threshold: float | None = None,
    time_limit: float | None = None,
    near: float | None = None,
    one_sided: bool = False,
) -> Priced:
    """Bound the scores of the unit neurons whose sign pattern on X is among `patterns`.

    With all patterns of X the bound is one on gamma(v); with fewer it speaks of those only.

    Parameters
    ----------
    X : array_like of shape (n_samples, n_features)
    v : array_like of shape (n_samples,)
    patterns : array_like of bool, shape (n_patterns, n_samples)
        True where the pre-activation is not negative.
    facets : array_like of bool, shape (n_patterns, n_samples), optional
        The rows that bound each cell, to save time.
    bias, negative_slope, tol, threshold, time_limit
        As in `price`.
    near : float, optional
        Search on until all neurons are found whose score is within this share of the largest, whatever `tol` is.
    one_sided
        As in `make_pricer`.

    Raises
    ------
    InputError, InputTypeError
        If an argument is unusable.

    Examples
    --------
    >>> patterns = [[True, True], [True, False], [False, True], [False, False]]
    >>> round(price_cells([[0.0], [1.0]], [-1.0, 1.0], patterns).value, 12)
    1.0
    """
    points = Points.prepare(X, bias, negative_slope, one_sided)
    clock = Clock(time_limit)
    # The search leaves out cells whose bound is below (1 + tol / 2) times the best score so far.
    kept = tol if near is None else -2 * near
    options = {"facets": facets, "tol": kept, "threshold": threshold, "stop": lambda _: clock.expired}
    return cell_search(points, points.weigh(v), patterns, **options)
