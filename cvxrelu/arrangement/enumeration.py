"""The exact enumeration of the sign patterns of a point set, prepared: nothing is enumerated before it is asked for.

J = {s in {-1, +1}^N : s_i a_i . u > 0 for all i with a_i not zero, for some u},   a_i = [x_i, 1] or x_i
"""

from numpy.typing import ArrayLike

from cvxrelu.arrangement.memory import check_max_memory
from cvxrelu.arrangement.patterns import Arrangement
from cvxrelu.problem.validation import as_flag, as_jobs, as_matrix, as_seconds
from cvxrelu.runtime.clock import Clock

__all__ = ["enumerate_patterns"]


def enumerate_patterns(
    X: ArrayLike,
    bias: bool = True,
    *,
    max_memory: float | None = None,
    n_jobs: int = 1,
    progress: bool = False,
    time_limit: float | None = None,
) -> Arrangement:
    """Prepare the exact enumeration of all sign patterns of a point set by hyperplanes.

    J is the set of s in {-1, +1}^N for which some u has s_i (a_i . u) > 0 at every nonzero lifted row
    a_i = [x_i, 1] (x_i without bias); zero rows have sign +. Nothing is enumerated before it is asked for.
    Degenerate points are enumerated exactly, without tolerances.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The points, finite.
    bias : bool, default True
        Whether hyperplanes may miss the origin.
    max_memory : float or None, default None
        Bytes that results may fill; a quarter of the machine's memory by default.
    n_jobs : int, default 1
        Number of joblib workers; -1 uses every core.
    progress : bool, default False
        Show a progress bar.
    time_limit : float or None, default None
        Seconds from now after which enumerating raises a SolverError.

    Returns
    -------
    Arrangement
        Its length, blocks, patterns, facets and witnesses.

    Raises
    ------
    InputError, InputTypeError
        If an argument is unusable.

    Examples
    --------
    >>> triangle = enumerate_patterns([[0, 0], [1, 0], [0, 1]])
    >>> len(triangle), triangle.to_bool().shape
    (8, (8, 3))
    """
    points = as_matrix(X)
    memory = check_max_memory(max_memory)
    seconds, has_bias = as_seconds(time_limit), as_flag(bias, "bias")
    return Arrangement(points, has_bias, memory, as_jobs(n_jobs), as_flag(progress, "progress"), Clock(seconds))
