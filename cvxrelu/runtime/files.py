"""The doors to the disk: whatever goes wrong there is a `FileError` in one sentence.

A file that cannot be written is best found out before the work that it is for, so `check_writable` asks beforehand.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import FileError

__all__ = ["archive_name", "check_writable", "read_arrays", "reading", "writing"]

File = str | PathLike[str]


@contextmanager
def reading(file: File, kind: str) -> Iterator[None]:
    """Turn the errors of the system on reading a file into a sentence.

    Parameters
    ----------
    file : path
        The file, for the message.
    kind : str
        What it should be, with its article.

    Raises
    ------
    FileError
        If the file cannot be read, or its bytes are no text where text is read.
    """
    _refuse_descriptor(file)
    try:
        yield
    except FileError:
        raise
    # The others are raised for what is no path at all, for a null character in it, and for bytes that are no text.
    except (OSError, ValueError, TypeError) as error:
        raise FileError(f"{_name(file)} cannot be read as {kind} ({_reason(error)}).") from error


@contextmanager
def writing(file: File) -> Iterator[None]:
    """Turn the errors of the system on writing a file into a sentence.

    Raises
    ------
    FileError
        If the file cannot be written.
    """
    _refuse_descriptor(file)
    try:
        yield
    except (OSError, ValueError, TypeError) as error:
        raise FileError(f"{_name(file)} cannot be written ({_reason(error)}); choose another path.") from error


def check_writable(file: File) -> None:
    """Refuse a path that cannot be written to.

    Raises
    ------
    FileError
        If this is no path, it is empty or a folder, or its folder does not exist or may not be written to.

    Examples
    --------
    >>> check_writable("no/such/folder/network.npz")
    Traceback (most recent call last):
        ...
    cvxrelu.errors.FileError: 'no/such/folder/network.npz' cannot be written (there is no folder 'no/such/folder')...
    """
    if not isinstance(file, (str, PathLike)):
        raise _no_path(file)
    folder = os.path.dirname(file) or os.curdir
    if not str(file):
        reason = "the path is empty"
    elif os.path.isdir(file):
        reason = "that is a folder"
    elif not os.path.isdir(folder):
        reason = f"there is no folder {folder!r}"
    elif not os.access(file if os.path.exists(file) else folder, os.W_OK):
        reason = "permission denied"
    else:
        return
    raise FileError(f"{_name(file)} cannot be written ({reason}); choose another path.")


def archive_name(file: File) -> File:
    """Return the name that NumPy writes an .npz file under: the ending is added if it is missing.

    Examples
    --------
    >>> archive_name("network")
    'network.npz'
    """
    name = os.fspath(file) if isinstance(file, (str, PathLike)) else file
    return f"{name}.npz" if isinstance(name, str) and name and not name.endswith(".npz") else file


def read_arrays(file: File, kind: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a NumPy .npz file by name; nothing in it is executed.

    Parameters
    ----------
    file : path
        The file; its ending may be missing, as where it was written.
    kind : str
        What it should be, with its article, for messages.

    Raises
    ------
    FileError
        If the file cannot be read, or is no .npz file of arrays of numbers and text.
    """
    if isinstance(file, (str, PathLike)) and not os.path.exists(file) and os.path.exists(archive_name(file)):
        file = archive_name(file)
    with reading(file, kind), open(file, "rb") as opened:
        try:
            with np.load(opened, allow_pickle=False) as arrays:
                return dict(arrays)
        # A damaged archive ends in errors of the zip, zlib, struct, tokenize and ast modules, and of the allocator.
        except Exception as error:
            raise FileError(f"{_name(file)} is not {kind}: it is damaged, or no .npz file at all.") from error


def _refuse_descriptor(file: object) -> None:
    """Refuse an integer: Python takes it for an open file, such as standard output, and closes it."""
    if isinstance(file, int):
        raise _no_path(file)


def _no_path(file: object) -> FileError:
    return FileError(f"{_name(file)} is no path of a file; pass a string or a pathlib.Path.")


def _reason(error: OSError | ValueError | TypeError) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _name(file: object) -> str:
    return repr(os.fspath(file)) if isinstance(file, (str, PathLike)) else f"a {type(file).__name__}"
