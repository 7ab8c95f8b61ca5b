"""The parts of a network, checked: weights and biases of both layers, slope, and skip connection."""

from typing import Any

import numpy as np

from cvxrelu.errors import InputError
from cvxrelu.problem.validation import as_floats

__all__ = ["checked_parts"]


def checked_parts(W: Any, b: Any, v: Any, intercept: Any, negative_slope: Any, skip: Any) -> dict[str, Any]:
    """Return the parts by name, as read-only arrays or floats.

    Raises
    ------
    InputError
        If the shapes do not agree or an entry is not finite.
    """
    W, b, v = (as_floats(part, name) for name, part in (("W", W), ("b", b), ("v", v)))
    if W.ndim != 2 or b.shape != (len(W),) or v.shape[:1] != (len(W),) or v.ndim > 2 or 0 in v.shape[1:]:
        raise InputError(
            f"W, b and v have shapes {W.shape}, {b.shape} and {v.shape}; they must be (m, d), (m,) and (m,), or (m, K) "
            "with K outputs."
        )
    wanted = (W.shape[1], *v.shape[1:])
    skip = np.zeros(wanted) if skip is None else as_floats(skip, "skip")
    if skip.shape != wanted:
        each = "each input" if v.ndim == 1 else "each input and output"
        raise InputError(f"skip has shape {skip.shape}; it must be {wanted}, one weight for {each}.")
    intercept, slope = as_floats(intercept, "intercept"), as_floats(negative_slope, "negative_slope")
    if v.ndim == 2 and intercept.ndim == 0:
        intercept = np.full(v.shape[1], float(intercept))
    values = {"W": W, "b": b, "v": v, "intercept": intercept, "negative_slope": slope, "skip": skip}
    shapes = {"intercept": v.shape[1:], "negative_slope": ()}
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise InputError(f"{name} of a network must be finite.")
        if value.shape != shapes.get(name, value.shape):
            wanted = f"of shape {shapes[name]}" if shapes[name] else "a number"
            raise InputError(f"{name} of a network must be {wanted}, not an array of shape {value.shape}.")
        value.flags.writeable = False
    return {name: value if value.ndim else float(value) for name, value in values.items()}
