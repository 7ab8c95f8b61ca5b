"""Random sign patterns that occur, drawn through data points.

A Gaussian direction falls in a cell with probability its solid angle, so small cells are never seen. Drawn
here instead is a random vertex of the arrangement: w is Gaussian in the orthogonal complement of m random
lifted rows S, m = min(number of hyperplanes, D - 1), and then, for random signs c on S, the point

    u = w + epsilon * A_S^+ c,      A_S^+ the pseudo-inverse,

is in a cell that touches that vertex on the side c_i of each of its rows (fewer rows get their sign if A_S
lacks rank). The point is a vector of floats like any other: its pattern is that of an open cell because the
signs of all its inner products are evaluated with a proven error bound, and points for which one is zero or
undecided are dropped.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.arrangement.counting import half_count
from cvxrelu.arrangement.exact import exact_half_cells
from cvxrelu.arrangement.integers import integer_rows
from cvxrelu.arrangement.lifting import lift
from cvxrelu.arrangement.packing import pack_masks, pack_patterns, unpack_patterns
from cvxrelu.arrangement.parallel_rows import classes_of_rows
from cvxrelu.arrangement.signs import decided_signs
from cvxrelu.problem.validation import as_count, as_flag, as_generator, as_matrix

__all__ = ["sample_patterns"]

# Step from the vertex into the cell, relative to the size of w: small enough to pass few other hyperplanes,
# large enough for the signs on S to be certain in floats.
_STEP = 2.0**-24
# Below this, scaling by a power of two may round.
_NORMAL = float(np.finfo(np.float64).tiny)
# Vertices drawn at a time.
_BATCH = 256
# Batches in a row without a new pattern after which the arrangement counts as exhausted.
_PATIENCE = 20
# Arrangements of at most this many half patterns are enumerated and drawn from instead.
_SMALL = 2000


def sample_patterns(
    X: ArrayLike,
    n: int,
    *,
    bias: bool = True,
    random_state: int | np.random.Generator | None = None,
) -> NDArray[np.bool_]:
    """Draw distinct sign patterns that occur as open cells.

    The distribution: choose m = min(number of distinct hyperplanes, D - 1) of the points at random, a
    hyperplane through them (hinges at d points, with bias), and a random side for each of them; the pattern
    is that of the hyperplane moved a little to those sides. So cells are drawn by their vertices, not by
    their solid angle, and each vertex contributes several of the cells around it. If the arrangement has no
    more than a few thousand cells they are enumerated and drawn uniformly. Patterns already drawn are not
    drawn again.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        The points, in any position.
    n : int
        How many patterns to draw.
    bias : bool, default True
        Whether hyperplanes may miss the origin.
    random_state : int, numpy Generator or None, default None
        Seed or generator.

    Returns
    -------
    ndarray of bool, shape (P, n_samples)
        P <= n distinct patterns, True for +; fewer than n if no more exist or none were found in many draws.

    Raises
    ------
    InputError, InputTypeError
        If X or n is unusable.

    Examples
    --------
    >>> sample_patterns([[0.0], [1.0]], 10, random_state=0).shape
    (4, 2)
    """
    points = as_matrix(X)
    n = as_count(n, "n")
    rng = as_generator(random_state)
    rows = lift(points, as_flag(bias, "bias"))
    classes = classes_of_rows(rows)
    distinct = rows[classes.leaders]
    if half_count(len(distinct), rows.shape[1]) <= _SMALL:
        chosen = _draw_from_all(distinct, n, rng)
    else:
        chosen = _draw_by_vertices(distinct, n, rng)
    patterns = np.ones((len(chosen), len(points)), dtype=np.bool_)
    live = ~classes.zero
    column = np.searchsorted(classes.leaders, classes.representative[live])
    patterns[:, live] = chosen[:, column] == (classes.orientation[live] > 0)
    return patterns


def _draw_from_all(rows: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Enumerate the cells of distinct hyperplanes and draw n of them uniformly."""
    if len(rows) == 0:
        return np.ones((1, 0), dtype=np.bool_)
    half = unpack_patterns(pack_masks(exact_half_cells(integer_rows(rows)), len(rows)), len(rows))
    both = np.concatenate([half, ~half])
    return both[rng.permutation(len(both))[:n]]


def _draw_by_vertices(rows: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw patterns of distinct hyperplanes from the cells around random vertices."""
    # Powers of two keep the scaled rows exact multiples of the given ones, column by column and row by row,
    # so that the signs at a point of the scaled arrangement are signs of the given one.
    scaled = _scale_to_one(_scale_to_one(rows, axis=0), axis=1)
    if np.any((scaled == 0) != (rows == 0)) or np.any((scaled != 0) & (np.abs(scaled) < _NORMAL)):
        scaled = rows  # an entry underflowed, so that the scaled row would be another one
    n_rows, dimension = scaled.shape
    through = min(n_rows, dimension - 1)
    seen: dict[bytes, None] = {}
    idle = 0
    while len(seen) < n and idle < _PATIENCE:
        before = len(seen)
        picks = np.argsort(rng.random((_BATCH, n_rows)), axis=1)[:, :through]
        walls = scaled[picks]
        inverse = np.linalg.pinv(walls)
        w = rng.standard_normal((_BATCH, dimension))
        w -= np.einsum("bij,bj->bi", inverse, np.einsum("bij,bj->bi", walls, w))
        w /= np.maximum(np.linalg.norm(w, axis=1, keepdims=True), np.finfo(float).tiny)
        sides = rng.choice([-1.0, 1.0], size=(_BATCH, 4, through))
        step = np.einsum("bij,bcj->bci", inverse, sides)
        step *= _STEP / np.maximum(np.linalg.norm(step, axis=2, keepdims=True), np.finfo(float).tiny)
        signs = decided_signs(scaled, (w[:, np.newaxis] + step).reshape(-1, dimension))
        for packed in pack_patterns(signs[signs.all(axis=1)] > 0):
            seen.setdefault(packed.tobytes())
        idle = idle + 1 if len(seen) == before else 0
    kept = np.frombuffer(b"".join(list(seen)[:n]), dtype=np.uint8)
    return unpack_patterns(kept.reshape(-1, -(-n_rows // 8)), n_rows)


def _scale_to_one(rows: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Scale columns (axis 0) or rows (axis 1) by powers of two to a largest entry between 1/2 and 1."""
    largest = np.abs(rows).max(axis=axis, keepdims=True)
    return np.ldexp(rows, -np.frexp(largest)[1])
