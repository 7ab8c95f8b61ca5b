"""Rows of data that a message names."""

from collections.abc import Iterable

__all__ = ["name_rows"]

# How many offending rows a message names.
NAMED_ROWS = 5


def name_rows(rows: Iterable[int]) -> str:
    """Return 'row 3' or 'rows 1, 2, 5, ... (9 in all)'.

    Examples
    --------
    >>> name_rows([3]), name_rows([1, 2])
    ('row 3', 'rows 1, 2')
    """
    numbers = [int(row) for row in rows]
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    named = ", ".join(map(str, numbers[:NAMED_ROWS]))
    return f"rows {named}" + (f", ... ({len(numbers)} in all)" if len(numbers) > NAMED_ROWS else "")
