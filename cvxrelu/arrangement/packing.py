"""Sign patterns as bits: pattern i of a block is a row of ceil(N / 8) bytes, little-endian bit order.

Bit i of a row is 1 where the sign at point i is +1. The layout is that of
``np.packbits(signs, axis=1, bitorder="little")``; bits beyond the last point are 0.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.problem.validation import as_count

__all__ = ["bytes_per_pattern", "pack_masks", "pack_patterns", "unpack_patterns"]


def bytes_per_pattern(n_samples: int) -> int:
    """Return ceil(n_samples / 8), the bytes of one packed pattern.

    Parameters
    ----------
    n_samples : int
        Number of points.

    Returns
    -------
    int
        The number of bytes.

    Examples
    --------
    >>> bytes_per_pattern(9)
    2
    """
    return -(-n_samples // 8)


def pack_patterns(patterns: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Pack boolean patterns to bits, the inverse of `unpack_patterns`.

    Parameters
    ----------
    patterns : ndarray of bool, shape (p, n_samples)
        True where the sign is +1.

    Returns
    -------
    ndarray of uint8, shape (p, ceil(n_samples / 8))
        The packed patterns.

    Examples
    --------
    >>> pack_patterns(np.array([[True, False, True]]))
    array([[5]], dtype=uint8)
    """
    return np.packbits(patterns, axis=1, bitorder="little")


def unpack_patterns(block: NDArray[np.uint8], n_samples: int) -> NDArray[np.bool_]:
    """Unpack a block of packed patterns.

    Parameters
    ----------
    block : ndarray of uint8, shape (p, ceil(n_samples / 8))
        Packed patterns, as `Arrangement.blocks` yields them.
    n_samples : int
        Number of points.

    Returns
    -------
    ndarray of bool, shape (p, n_samples)
        True where the sign is +1.

    Raises
    ------
    InputTypeError
        If the block does not hold bytes.
    InputError
        If its shape does not fit n_samples.

    Examples
    --------
    >>> unpack_patterns(np.array([[5]], dtype=np.uint8), 3)
    array([[ True, False,  True]])
    """
    n_samples = as_count(n_samples, "n_samples")
    packed = np.asarray(block)
    if packed.dtype != np.uint8:
        raise InputTypeError(f"block must be an array of uint8, but its dtype is {packed.dtype}")
    if packed.ndim != 2 or packed.shape[1] != bytes_per_pattern(n_samples):
        raise InputError(
            f"block must have shape (p, {bytes_per_pattern(n_samples)}) for {n_samples} points, "
            f"but its shape is {packed.shape}"
        )
    return np.unpackbits(packed, axis=1, count=n_samples, bitorder="little").view(np.bool_)


def pack_masks(masks: Iterable[int], n_samples: int) -> NDArray[np.uint8]:
    """Turn patterns held as Python integers (bit i is the sign at point i) into packed rows.

    Parameters
    ----------
    masks : iterable of int
        The patterns.
    n_samples : int
        Number of points.

    Returns
    -------
    ndarray of uint8, shape (p, ceil(n_samples / 8))
        The packed patterns.

    Examples
    --------
    >>> pack_masks([5, 256], 9)
    array([[5, 0],
           [0, 1]], dtype=uint8)
    """
    width = bytes_per_pattern(n_samples)
    data = b"".join(mask.to_bytes(width, "little") for mask in masks)
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, width)
