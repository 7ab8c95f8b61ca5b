"""Facets of the cells: hyperplane i bounds cell s exactly when s with i flipped is a cell too.

For distinct hyperplanes, in any position: if i bounds s, crossing that facet at a point on no other
hyperplane flips i alone. Conversely, if both patterns occur, a segment from one cell to the other crosses
hyperplane i and no other, at a point of the boundary of both. Opposite cells have the same facets.

Membership is looked up in a table by a 64-bit linear hash: h(s) is the exclusive or of one random key for
each set bit, so that flipping a hyperplane changes h(s) by a constant. A hit is confirmed by comparing the
patterns themselves, and keys under which two patterns collide are drawn again, so the answer is exact.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cvxrelu.runtime.compiled import kernel

__all__ = ["facets_by_flips"]

_HASH_SEED = 1975
# Lookups per call of the compiled loop, so that an interrupt is noticed.
_LOOKUPS_PER_CALL = 2**21


def facets_by_flips(half: NDArray[np.uint8], n: int, pause: Callable[[], object] = lambda: None) -> NDArray[np.bool_]:
    """Find the facets of each cell of a complete arrangement of distinct hyperplanes.

    Parameters
    ----------
    half : ndarray of uint8, shape (p, ceil(n / 8))
        One pattern of each opposite pair, each once, that with the first hyperplane positive.
    n : int
        Number of hyperplanes, at least 1.
    pause : callable, optional
        Called several times a second; it may raise.

    Returns
    -------
    ndarray of bool, shape (p, n)
        True where hyperplane i bounds cell s.

    Examples
    --------
    Three points on a line: between the outer ones, hinges have a neighbour on either side.

    >>> facets_by_flips(np.array([[7], [1], [3]], dtype=np.uint8), 3).astype(int).tolist()
    [[1, 0, 1], [1, 1, 0], [0, 1, 1]]
    """
    flips = np.packbits(np.eye(n, dtype=np.bool_), axis=1, bitorder="little")
    # The opposite of a pattern without the first hyperplane takes the place of that pattern.
    flips[0] = np.packbits(np.arange(n) > 0, bitorder="little")
    table = np.empty(1 << (2 * len(half)).bit_length(), dtype=np.int64)
    rng = np.random.default_rng(_HASH_SEED)
    while True:
        keys = rng.integers(2**64, size=n, dtype=np.uint64)
        hashes = np.empty(len(half), dtype=np.uint64)
        if _fill(half, keys, hashes, table):
            break
    changes = keys.copy()
    changes[0] = np.bitwise_xor.reduce(keys[1:])
    facets = np.zeros((len(half), n), dtype=np.bool_)
    step = max(1, _LOOKUPS_PER_CALL // n)
    for start in range(0, len(half), step):
        pause()
        _look_up(half, hashes, table, flips, changes, start, facets[start : start + step])
    return facets


@kernel()
def _fill(half, keys, hashes, table):
    """Hash all patterns into the table; False if two of them collide."""
    last = np.uint64(table.shape[0] - 1)
    table[:] = -1
    for s in range(half.shape[0]):
        code = np.uint64(0)
        for i in range(keys.shape[0]):
            if half[s, i >> 3] >> (i & 7) & 1:
                code ^= keys[i]
        hashes[s] = code
        slot = code & last
        while table[slot] >= 0:
            if hashes[table[slot]] == code:
                return False
            slot = (slot + np.uint64(1)) & last
        table[slot] = s
    return True


@kernel()
def _look_up(half, hashes, table, flips, changes, start, facets):
    """Mark the hyperplanes of patterns start, start + 1, ... whose flip is in the table."""
    last = np.uint64(table.shape[0] - 1)
    for row in range(facets.shape[0]):
        s = start + row
        for i in range(facets.shape[1]):
            code = hashes[s] ^ changes[i]
            slot = code & last
            while table[slot] >= 0 and hashes[table[slot]] != code:
                slot = (slot + np.uint64(1)) & last
            t = table[slot]
            if t >= 0:
                same = True
                for byte in range(half.shape[1]):
                    same = same and half[t, byte] == half[s, byte] ^ flips[i, byte]
                facets[row, i] = same
