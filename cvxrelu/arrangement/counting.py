"""Cover's count: N points in general position in R^d have 2 * sum_{k=0..d} C(N - 1, k) sign patterns.

Without bias the hyperplanes pass through the origin of R^d and the sum stops at d - 1. Source: T. M.
Cover, "Geometrical and statistical properties of systems of linear inequalities" (1965).
"""

from math import comb

from cvxrelu.problem.validation import as_count, as_flag

__all__ = ["count_patterns", "half_count"]


def half_count(n_rows: int, rank: int) -> int:
    """Count the cells, one of each opposite pair, of a generic central arrangement.

    Parameters
    ----------
    n_rows : int
        Number of hyperplanes, at least 0.
    rank : int
        Dimension of the space they span.

    Returns
    -------
    int
        sum_{k < rank} C(n_rows - 1, k), and 1 (the whole space) if there is no hyperplane. It is an upper
        bound for every arrangement of that many hyperplanes and that rank, degenerate or not.

    Examples
    --------
    >>> half_count(4, 3)
    7
    """
    if n_rows == 0 or rank == 0:
        return 1
    return sum(comb(n_rows - 1, k) for k in range(rank))


def count_patterns(n_samples: int, n_features: int, bias: bool = True) -> int:
    """Count the sign patterns of points in general position.

    The count is 2 * sum_{k=0..d} C(N - 1, k) with bias and stops at d - 1 without (Cover 1965).
    Degenerate points (duplicates, collinear points, lattices) have fewer.

    Parameters
    ----------
    n_samples : int
        Number of points N, at least 1.
    n_features : int
        Their dimension d, at least 1.
    bias : bool, default True
        Whether the hyperplanes may miss the origin.

    Returns
    -------
    int
        The exact count, both members of each opposite pair included.

    Raises
    ------
    InputTypeError
        If an argument is not an integer.
    InputError
        If an argument is below 1.

    Examples
    --------
    >>> count_patterns(4, 2)
    14
    >>> count_patterns(100, 5)
    150898640
    """
    n = as_count(n_samples, "n_samples")
    d = as_count(n_features, "n_features")
    return 2 * half_count(n, d + as_flag(bias, "bias"))
