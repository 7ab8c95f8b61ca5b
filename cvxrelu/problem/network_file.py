"""Networks on disk: a NumPy .npz file with one array for each of W, b, v, intercept, negative_slope and skip."""

from collections.abc import Collection
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.runtime.files import archive_name, read_arrays, writing

__all__ = ["read_parts", "write_parts"]

Parts = dict[str, NDArray[np.float64] | float]

# What the constant is called in the file of a network with a skip connection.
BESIDE_SKIP = "intercept_beside_skip"


def write_parts(file: str | PathLike[str], parts: Parts, **notes: ArrayLike) -> None:
    """Write the parts of a network, and notes beside them; the ending .npz is added if it is missing."""
    if taken := sorted({*parts, BESIDE_SKIP, "file"} & notes.keys()):
        raise InputError(f"A note cannot be called {taken[0]!r}, as a part of the network is; choose another name.")
    parts = dict(parts)
    if np.any(parts["skip"]):
        # What reads files without knowing of skip connections misses the constant, and does not go on.
        parts[BESIDE_SKIP] = parts.pop("intercept")
    else:
        del parts["skip"]
    file = archive_name(file)
    with writing(file):
        np.savez(file, **notes, **parts)  # pyright: ignore[reportArgumentType]


def read_parts(file: str | PathLike[str], names: Collection[str]) -> Parts:
    """Return the parts of these names from a file that `write_parts` wrote.

    Raises
    ------
    InputError
        If the file cannot be read, or one of them is not in it.
    """
    parts = dict(read_arrays(file, "a saved network"))
    if BESIDE_SKIP in parts and "skip" in parts:
        parts["intercept"] = parts[BESIDE_SKIP]
    elif "W" in parts and np.ndim(parts["W"]) == 2:
        parts["skip"] = np.zeros((parts["W"].shape[1], *np.shape(parts.get("v", 0.0))[1:]))
    if missing := [name for name in names if name not in parts]:
        raise InputError(f"{file} is not a saved network: it has no {missing[0]}; write one with Network.save.")
    return {name: parts[name] for name in names}
