"""Tables with named columns, read from text files: CSV, tab-separated, or as spreadsheets write them.

Messages count lines from one, the header included, as an editor and a spreadsheet do.
"""

import codecs
import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import FileError, InputError
from cvxrelu.runtime.files import reading

__all__ = ["Table", "read_table"]

# What may stand between two cells; the header tells which it is.
SEPARATORS = ",\t;|"
# What stands for a value that is not there, in small letters.
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
# How many lines a message names.
NAMED_LINES = 5


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of text with the names of their columns.

    Attributes
    ----------
    names : tuple of str
        Names of the columns, from the header.
    rows : list of list of str
        The entries, without spaces around them.
    lines : list of int
        The line of the file that each row ends in.
    source : str
        Where the table is from, for messages.
    """

    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    source: str

    def where(self, kept: NDArray[np.bool_]) -> "Table":
        """Return some of the rows."""
        chosen = np.flatnonzero(kept).tolist()
        return replace(self, rows=[self.rows[k] for k in chosen], lines=[self.lines[k] for k in chosen])

    def column(self, name: str) -> list[str]:
        """Return one column, which must have a value in every row.

        Raises
        ------
        InputError
            If there is no such column, there are several, or a value is missing.
        """
        if name not in self.names:
            raise InputError(f"{self.source} has no column {name!r}; it has {', '.join(map(repr, self.names))}.")
        if self.names.count(name) > 1:
            raise InputError(f"{self.source} has {self.names.count(name)} columns {name!r}; give them different names.")
        entries = [row[self.names.index(name)] for row in self.rows]
        empty = [line for line, entry in zip(self.lines, entries, strict=True) if entry.lower() in MISSING]
        if empty:
            raise InputError(
                f"Column {name!r} of {self.source} has no value in {_name_lines(empty)}; fill in what is missing, "
                "delete these lines, or leave the column out."
            )
        return entries

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return columns as an (n, len(names)) array of finite floats.

        Raises
        ------
        InputError
            If a column is missing or named twice, or an entry is not a finite number.
        """
        if len(set(names)) < len(names):
            for name in names:
                self.column(name)  # of a name that the table has twice
            raise InputError(f"A column is named twice among {', '.join(map(repr, names))}; name each once.")
        return np.column_stack([self._floats(name) for name in names])

    def _floats(self, name: str) -> NDArray[np.float64]:
        entries = self.column(name)
        numbers = np.array([_number(entry) for entry in entries])
        wrong = np.flatnonzero(~np.isfinite(numbers))
        if len(wrong):
            entry, lines = entries[wrong[0]], _name_lines([self.lines[k] for k in wrong])
            raise InputError(
                f"Column {name!r} of {self.source} holds {entry!r}, which is no finite number, in {lines}; write "
                "decimals with a point, turn words into numbers, or leave the column out."
            )
        rounded = [line for line, entry in zip(self.lines, entries, strict=True) if _is_rounded(entry)]
        if rounded:
            raise InputError(
                f"Column {name!r} of {self.source} holds integers beyond 2^53, which floats round, in "
                f"{_name_lines(rounded)}; subtract a constant, or leave the column out."
            )
        return numbers


def read_table(file: str | PathLike[str]) -> Table:
    """Read a table with a header line; cells are separated by commas, tabs, semicolons or bars.

    Raises
    ------
    FileError
        If the file cannot be read as text (UTF-8, or UTF-16 with its mark).
    InputError
        If it holds no data, or has rows of different lengths.
    """
    with reading(file, "a table"):
        data = Path(file).read_bytes()
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileError(f"{file} is not text in UTF-8 (byte {error.start + 1}); save it as UTF-8.") from error
    # A stray quotation mark would swallow lines without a word if this were not strict.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    try:
        rows = [([entry.strip() for entry in row], reader.line_num) for row in reader if row]
    except csv.Error as error:
        raise FileError(
            f"{file} cannot be read as a table ({error}, line {reader.line_num}); a cell that begins with a quotation "
            "mark ends with one, and those within are doubled."
        ) from error
    if len(rows) < 2:
        raise InputError(f"{file} holds no data; it must have a header line and at least one row.")
    (header, _), *body = rows
    for row, line in body:
        if len(row) != len(header):
            raise InputError(f"Line {line} of {file} has {len(row)} cells, but the header has {len(header)}.")
    return Table(tuple(header), [row for row, _ in body], [line for _, line in body], str(file))


def _separator(text: str) -> str:
    """Return the separator that cuts the header into most cells; quoted ones cut nothing.

    Examples
    --------
    >>> _separator('"height, cm";mass')
    ';'
    """
    text = text.lstrip(" \r\n")
    return max(SEPARATORS, key=lambda mark: len(next(csv.reader(io.StringIO(text, newline=""), delimiter=mark), [])))


def _number(entry: str) -> float:
    """Return the value of an entry, and NaN if it is no number; Python alone would take 1_0 for ten."""
    try:
        return math.nan if "_" in entry else float(entry)
    except ValueError:
        return math.nan


def _is_rounded(entry: str) -> bool:
    """Tell whether an entry is an integer that no float is."""
    digits = entry.lstrip("+-")
    return digits.isdecimal() and len(digits) > 15 and int(float(digits)) != int(digits)


def _name_lines(lines: list[int]) -> str:
    named = ", ".join(map(str, lines[:NAMED_LINES]))
    more = f", ... ({len(lines)} in all)" if len(lines) > NAMED_LINES else ""
    return f"line{'s' if len(lines) > 1 else ''} {named}{more}"
