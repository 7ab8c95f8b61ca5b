"""Facets of the cells: hyperplane i bounds cell s exactly when s with i flipped is a cell too.

For distinct hyperplanes, in any position: if i bounds s, crossing that facet at a point on no other
hyperplane flips i alone. Conversely, if both patterns occur, a segment from one cell to the other crosses
hyperplane i and no other, at a point of the boundary of both. Parallel rows are flipped together.

Membership is looked up by a 64-bit linear hash: h(s) is the exclusive or of one random key for each set
bit, so that flipping a hyperplane changes h(s) by a constant. A hit is confirmed by comparing the patterns
themselves, and keys under which two patterns collide are drawn again, so the answer is exact.
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement.packing import pack_patterns, unpack_patterns
from cvxrelu.arrangement.parallel_rows import ParallelClasses

__all__ = ["facets_by_flips"]

_HASH_SEED = 20021055
_CHUNK_ENTRIES = 2**22


def facets_by_flips(packed: NDArray[np.uint8], classes: ParallelClasses) -> NDArray[np.bool_]:
    """Find the facets of each cell of a complete arrangement.

    Parameters
    ----------
    packed : ndarray of uint8, shape (p, ceil(n_samples / 8))
        All patterns, both of each opposite pair, each once.
    classes : ParallelClasses
        Classes of parallel rows.

    Returns
    -------
    ndarray of bool, shape (p, n_samples)
        True where row i is the representative of a hyperplane that bounds cell s.

    Examples
    --------
    >>> from cvxrelu.arrangement.parallel_rows import parallel_classes
    >>> line = parallel_classes([[0.0], [1.0], [2.0]])
    >>> packed = np.array([[7], [6], [4], [0], [1], [3]], dtype=np.uint8)
    >>> facets_by_flips(packed, line).astype(int).tolist()
    [[1, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 1, 1]]
    """
    n_samples = len(classes.representative)
    rng = np.random.default_rng(_HASH_SEED)
    while True:
        keys = rng.integers(2**64, size=n_samples, dtype=np.uint64)
        hashes = _hash(packed, keys)
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        if not np.any(ordered[1:] == ordered[:-1]):
            break
    facets = np.zeros((len(packed), n_samples), dtype=np.bool_)
    for leader in classes.leaders.tolist():
        members = classes.representative == leader
        target = hashes ^ np.bitwise_xor.reduce(keys[members])
        place = np.minimum(np.searchsorted(ordered, target), len(ordered) - 1)
        hit = np.flatnonzero(ordered[place] == target)
        neighbour = order[place[hit]]
        flip = pack_patterns(members[np.newaxis])
        facets[hit, leader] = (packed[neighbour] == packed[hit] ^ flip).all(axis=1)
    return facets


def _hash(packed: NDArray[np.uint8], keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Exclusive or of the keys of the set bits of each pattern."""
    hashes = np.empty(len(packed), dtype=np.uint64)
    step = max(1, _CHUNK_ENTRIES // len(keys))
    for start in range(0, len(packed), step):
        bits = unpack_patterns(packed[start : start + step], len(keys))
        hashes[start : start + step] = np.bitwise_xor.reduce(np.where(bits, keys, np.uint64(0)), axis=1)
    return hashes
