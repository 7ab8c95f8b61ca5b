"""Norms of one's own: what is asked of a class that the package does not know, looked at on the data of a problem."""

from collections.abc import Mapping

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.numerics.lengths import lengths
from cvxrelu.problem.norms.norm import Norm

__all__ = ["check_own"]

Array = NDArray[np.float64]

# Random neurons whose costs are looked at, and the relative difference up to which two of them are the same.
NEURONS, RTOL = 8, 1e-6
# Share of the largest singular value of a group matrix below which directions cost nothing.
NOTHING = 1e-14


def check_own(norm: Norm, X: Array, negative_slope: float, known: Mapping[str, type[Norm]]) -> None:
    """Refuse what cannot be a norm of neurons, judged by what it says of some random ones.

    Parameters
    ----------
    norm : Norm
        As its author made it; those of the package are not looked at.
    X : (N, d) array
        The data.
    negative_slope : float
        Slope of the activation at negative arguments.
    known : dict
        The package's own norms by name.

    Raises
    ------
    InputError
        If costs are not finite, negative, not proportional to the neuron or not those of its group matrices, if a
        neuron that responds costs nothing, if equal samples are not one of more weight, or if it is no cost of cells.
    InputTypeError
        If a method returns something else than an array of numbers of the right shape.
    """
    if type(norm).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return
    what = f"norm={type(norm).__name__}"
    if not isinstance(getattr(norm, "name", None), str) or norm.name in known:
        raise InputError(f"{what} needs a name of its own, that is none of {', '.join(known)}.")
    if not norm.cellwise:
        raise InputError(
            f"{what} must leave `cellwise` True: only norm='euclidean' can be searched as a sphere of neurons."
        )
    mine = norm.on(X, negative_slope)
    U = _neurons(X, norm.has_bias)
    W, b = (U[:, :-1], U[:, -1]) if norm.has_bias else (U, np.zeros(len(U)))
    costs = _costs(mine, W, b, what)
    if not _agree(_costs(mine, 2 * W, 2 * b, what), 2 * costs):
        raise InputError(f"{what}: twice the weights and the bias do not cost twice as much.")
    _check_matrices(mine, X, U, costs, negative_slope, what)
    # Problems are solved with equal samples merged.
    shares = np.append(2.0, np.ones(len(X) - 1)) * len(X) / (len(X) + 1)
    apart, merged = norm.on(np.vstack([X[:1], X]), negative_slope), norm.on(X, negative_slope, shares)
    if not _agree(_costs(merged, W, b, what), _costs(apart, W, b, what)):
        raise InputError(f"{what}: two equal samples do not make the same norm as one of twice the weight.")


def _neurons(X: Array, has_bias: bool) -> Array:
    """Return groups u, the first all positive on the data if there are biases, the others with hinges among them."""
    rng = np.random.default_rng(0)
    W = rng.standard_normal((NEURONS, X.shape[1])) / (np.ptp(X, axis=0).max() or np.abs(X).max() or 1.0)
    if not has_bias:
        return W
    heights = X @ W.T
    places = rng.uniform(heights.min(axis=0), heights.max(axis=0))
    places[0] = heights[:, 0].min() - 1.0
    return np.column_stack([W, -places])


def _check_matrices(norm: Norm, X: Array, U: Array, costs: Array, negative_slope: float, what: str) -> None:
    lifted = np.column_stack([X, np.ones(len(X))]) if norm.has_bias else X
    patterns = U @ lifted.T >= 0
    size = U.shape[1]
    turn = np.random.default_rng(1).standard_normal((size, size))
    for transform in (np.eye(size), turn):
        matrices = norm.group_matrices(patterns, lifted @ transform, transform)
        shape = matrices.shape if isinstance(matrices, np.ndarray) and matrices.dtype.kind in "fiu" else ()
        if len(shape) != 3 or shape[0] not in (1, len(U)) or shape[2] != size or not shape[1]:
            raise InputTypeError(
                f"{what}.group_matrices has to return an array of shape (P, r, {size}) for P cells, or (1, r, {size})."
            )
        if not np.isfinite(matrices).all():
            raise InputError(f"{what}.group_matrices are not finite for some cells.")
        groups = np.linalg.solve(transform, U.T).T
        if not _agree(lengths((matrices @ groups[:, :, None])[:, :, 0]), costs):
            raise InputError(
                f"{what}: norm(M u) of a cell's group matrix is not what `neuron_costs` says of a neuron u in it."
            )
        if transform is turn:
            continue
        slopes = np.where(patterns, 1.0, negative_slope)
        # A bias that costs nothing is a constant on either side of the data.
        bias = np.eye(size)[size - 1 :] if norm.has_free_bias else np.empty((0, size))
        for matrix, slope in zip(np.broadcast_to(matrices, (len(U), *shape[1:])), slopes, strict=True):
            size_of = float(np.abs(matrix).max())
            costless = scipy.linalg.null_space(np.vstack([matrix, size_of * bias]), rcond=NOTHING)
            responses = np.abs(slope[:, None] * (lifted @ costless)).max(initial=0.0)
            if responses > RTOL * np.abs(lifted).max():
                raise InputError(
                    f"{what} costs nothing for neurons that respond on the data, so that nothing can be proven; charge "
                    "all weights, and the bias unless `has_free_bias` says that it is free."
                )


def _costs(norm: Norm, W: Array, b: Array, what: str) -> Array:
    costs = norm.neuron_costs(W, b)
    if not isinstance(costs, np.ndarray) or costs.shape != b.shape or costs.dtype.kind not in "fiu":
        raise InputTypeError(f"{what}.neuron_costs has to return an array of shape {b.shape}, a cost for each neuron.")
    if not (np.isfinite(costs) & (costs >= 0)).all():
        raise InputError(f"{what}.neuron_costs are negative or not finite for some neurons.")
    return costs.astype(float)


def _agree(first: Array, second: Array) -> bool:
    return np.allclose(first, second, rtol=RTOL, atol=RTOL**2 * float(np.abs(second).max()))
