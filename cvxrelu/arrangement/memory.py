"""Guard: count first, and refuse what would not fit in memory before any work starts."""

import os

from cvxrelu.errors import InputError, InputTypeError, SizeError

__all__ = ["check_max_memory", "default_max_memory", "refuse_if_too_large"]

# Leaves room for the solver that is going to use the patterns.
_DEFAULT_SHARE = 0.25
# Where the operating system does not tell.
_FALLBACK_BYTES = 2**32


def default_max_memory() -> int:
    """Return a quarter of the machine's memory, in bytes.

    Returns
    -------
    int
        Bytes.

    Examples
    --------
    >>> default_max_memory() > 0
    True
    """
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        total = _FALLBACK_BYTES
    return int(_DEFAULT_SHARE * total)


def check_max_memory(max_memory: float | None) -> int:
    """Return the memory limit in bytes, the default if None.

    Parameters
    ----------
    max_memory : float or None
        Bytes.

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    InputTypeError
        If it is not a number.
    InputError
        If it is not positive.

    Examples
    --------
    >>> check_max_memory(1e9)
    1000000000
    """
    if max_memory is None:
        return default_max_memory()
    if isinstance(max_memory, bool) or not isinstance(max_memory, int | float):
        raise InputTypeError(f"max_memory must be a number of bytes or None, but is {max_memory!r}")
    if not 0 < max_memory < float("inf"):
        raise InputError(f"max_memory must be a positive, finite number of bytes, but is {max_memory!r}")
    return int(max_memory)


def refuse_if_too_large(what: str, n_patterns: int, bytes_each: int, max_memory: int) -> None:
    """Raise SizeError if so many patterns need more than the limit.

    Parameters
    ----------
    what : str
        What would be stored, for the message.
    n_patterns : int
        Number of patterns, or an upper bound.
    bytes_each : int
        Bytes that each needs.
    max_memory : int
        Limit in bytes.

    Raises
    ------
    SizeError
        If the product exceeds the limit.

    Examples
    --------
    >>> refuse_if_too_large("patterns", 10, 8, 1000)
    """
    needed = n_patterns * bytes_each
    if needed > max_memory:
        raise SizeError(
            f"storing the {what} of up to {n_patterns:,} sign patterns needs {needed:,} bytes "
            f"({needed / 2**30:,.1f} GiB), more than max_memory = {max_memory:,}; stream them with blocks(), "
            "draw some with sample_patterns, or fit with method='generate', which needs few of them and takes the "
            "Euclidean norm"
        )
