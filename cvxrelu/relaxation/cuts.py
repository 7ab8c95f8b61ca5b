r"""Cuts: inequalities between the moments of samples that are close to each other.

    abs(t_k) <= sum_i lam_i abs(t_i) + abs((z_k - sum_i lam_i z_i).u)        lam >= 0

because abs is convex and homogeneous. Its moments violate

    a_k - sum_i lam_i a_i <= sqrt(s e'S e),   e = z_k - sum_i lam_i z_i

the most where sum_i lam_i a_i + norm(e) is least, in the norm of S / s: over the pairs lam = e_i in closed form, all of
them at once, and over all lam by a lasso with a norm that is not squared ("square-root lasso", Belloni, Chernozhukov &
Wang, 2011), for many samples at once by accelerated proximal gradient steps: whatever they reach is a cut.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.relaxation.blocks import Block

__all__ = ["violated_cuts"]

Array = NDArray[np.float64]
Cut = tuple[int, tuple[int, ...], tuple[float, ...]]

# Least violation worth a cut: of a pair, next to the largest moment times weight; of a combination, next to its moment.
WORTH_A_PAIR, WORTH_A_COMBINATION = 1e-5, 1e-4
# Reweightings of the square-root lasso, proximal steps for each, and the least coefficient that is kept.
REWEIGHTINGS, STEPS, LEAST_SHARE = 15, 20, 1e-4
# Least distance in the norm of S next to the length of a sample: a smoothing.
SMOOTHING = 1e-3


def violated_cuts(block: Block, x: Array, weights: Array, n_pairs: int, n_combinations: int) -> list[Cut]:
    """Return the cuts that the moments of a block violate most.

    Parameters
    ----------
    block : Block
        The region.
    x : (size,) array
        Its moments.
    weights : (n,) array
        What a violation at a place matters: the dual vector's absolute weights.
    n_pairs, n_combinations : int
        Most cuts of each kind.

    Returns
    -------
    list of cuts
        Rows (k, others, lam), none of which the block has already.
    """
    frame = block.frame
    M = x[: len(frame.multiplicity)]
    mass = M[0]
    a = block.magnitudes(x) * frame.lengths / mass
    spectrum, vectors = np.linalg.eigh(M[frame.index][1:, 1:] / mass)
    # In these coordinates the norm of S is the Euclidean one.
    Y = frame.Z @ (vectors * np.sqrt(np.maximum(spectrum, 0.0)))
    found = _pairs(Y, a, weights, n_pairs) + _combinations(Y, a, weights, n_combinations)
    old = set(block.cuts)
    return [cut for cut in found if cut not in old]


def _pairs(Y: Array, a: Array, weights: Array, count: int) -> list[Cut]:
    """Return the pairs (k, i) with the largest weighted a_k - a_i - norm(y_k - y_i)."""
    squares = (Y**2).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * Y @ Y.T, 0.0))
    excess = (a[:, None] - a - apart) * weights[:, None]
    np.fill_diagonal(excess, -np.inf)
    excess = excess.ravel()
    most = np.argsort(-excess)[:count] if count < 0.1 * len(excess) else np.argsort(-excess)
    most = most[:count][excess[most[:count]] > WORTH_A_PAIR * weights.max() * a.max()]
    return [(int(k), (int(i),), (1.0,)) for k, i in zip(*np.divmod(most, len(a)), strict=True)]


def _combinations(Y: Array, a: Array, weights: Array, count: int) -> list[Cut]:
    """Return combinations for the samples that matter most."""
    if count == 0:
        return []
    chosen = np.argsort(-weights * a)[:count]
    lam = _square_root_lasso(Y, chosen, a)
    least = lam @ a + np.linalg.norm(Y[chosen] - lam @ Y, axis=1)
    violated = a[chosen] - least > WORTH_A_COMBINATION * a[chosen]
    cuts = []
    for k, row in zip(chosen[violated], lam[violated], strict=True):
        others = np.flatnonzero(row)
        cuts.append((int(k), tuple(others.tolist()), tuple(row[others].tolist())))
    return cuts


def _square_root_lasso(Y: Array, chosen: NDArray[np.intp], a: Array) -> Array:
    """Return rows lam >= 0 that about minimise lam.a + norm(y_k - lam Y), none of which uses its own sample."""
    targets = Y[chosen]
    itself = np.arange(len(chosen)), chosen
    lengths = np.linalg.norm(targets, axis=1)
    distances = np.maximum(lengths, np.finfo(float).tiny)
    rate = 1 / max(np.linalg.norm(Y, 2) ** 2, np.finfo(float).tiny)
    lam = np.zeros((len(chosen), len(Y)))
    for _ in range(REWEIGHTINGS):
        # norm(r) <= (norm(r)^2 / tau + tau) / 2, with equality at tau = norm(r): a lasso for each tau.
        size = rate * distances[:, None]
        ahead, momentum = lam, 1.0
        for _ in range(STEPS):
            gradient = (ahead @ Y - targets) @ Y.T
            after = np.maximum(ahead - rate * gradient - size * a, 0.0)
            after[itself] = 0.0
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead, lam, momentum = after + (momentum - 1) / following * (after - lam), after, following
        distances = np.maximum(np.linalg.norm(lam @ Y - targets, axis=1), SMOOTHING * lengths)
    return np.where(lam > LEAST_SHARE, lam, 0.0)
