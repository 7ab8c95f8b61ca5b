"""Tables of numbers with named columns, read from and written to CSV files."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError

__all__ = ["Table", "read_table"]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of text with their names.

    Attributes
    ----------
    names : tuple of str
        Names of the columns, from the header.
    cells : (n, k) array of str
        The entries.
    source : str
        Where the table is from, for messages.
    """

    names: tuple[str, ...]
    cells: NDArray[np.str_]
    source: str

    def column(self, name: str) -> NDArray[np.str_]:
        """Return one column.

        Raises
        ------
        InputError
            If there is no such column.
        """
        if name not in self.names:
            raise InputError(f"{self.source} has no column {name!r}; it has {', '.join(map(repr, self.names))}.")
        return self.cells[:, self.names.index(name)]

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return columns as an (n, len(names)) array of floats.

        Raises
        ------
        InputError
            If a column is missing or an entry is not a number.
        """
        return np.column_stack([_as_numbers(self.column(name), name, self.source) for name in names])


def read_table(file: str | PathLike[str]) -> Table:
    """Read a CSV file with a header line.

    Raises
    ------
    InputError
        If the file cannot be read, is empty, or has rows of different lengths.
    """
    try:
        with open(file, newline="", encoding="utf-8-sig") as lines:
            rows = [row for row in csv.reader(lines) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} cannot be read as a CSV file ({error}).") from error
    if len(rows) < 2:
        raise InputError(f"{file} holds no data; it must have a header line and at least one row.")
    header = tuple(name.strip() for name in rows[0])
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(header):
            raise InputError(f"Row {number} of {file} has {len(row)} entries, but the header has {len(header)}.")
    return Table(header, np.char.strip(np.array(rows[1:], dtype=str)), str(file))


def _as_numbers(column: NDArray[np.str_], name: str, source: str) -> NDArray[np.float64]:
    try:
        return column.astype(float)
    except ValueError:
        for number, entry in enumerate(column, start=1):
            try:
                float(entry)
            except ValueError:
                message = f"Column {name!r} of {source} holds {str(entry)!r} in row {number}; it must be a number."
                raise InputError(message) from None
        raise
