"""The least of a convex function of one number."""

import math
from collections.abc import Callable
from typing import Any

__all__ = ["least_convex"]

# Doublings of a step after which a function counts as falling for ever, and halvings after which a bracket is two
# neighbouring floats, however wide it was.
DOUBLINGS, HALVINGS = 60, 200


def least_convex(value: Callable[[float], float], pull: Callable[[float], float], start: float, step: float) -> float:
    """Return where a convex function is least, from a point on.

    Parameters
    ----------
    value : callable
        The function; it may be infinite.
    pull : callable
        Minus its slope, zero where there is a horizontal tangent; NaN if it is not known.
    start : float
        Where to begin; it is returned if nothing is better.
    step : float
        The first step.

    Returns
    -------
    float
        The least, to the last digits if slopes are known, else to about half of them.

    Examples
    --------
    >>> round(least_convex(lambda c: (c - 2) ** 2, lambda c: 2 * (2 - c), 0.0, 1.0), 12)
    2.0
    """
    if math.isnan(pull(start)):
        from scipy.optimize import minimize_scalar

        found: Any = minimize_scalar(value, bracket=(start, start + step))
        return min((start, float(found.x)), key=value)
    if pull(start) == 0:
        return start
    step = math.copysign(step, pull(start))
    near, far = start, start + step
    for _ in range(DOUBLINGS):
        if not pull(far) * step > 0:
            break
        step *= 2
        near, far = far, far + step
    for _ in range(HALVINGS):
        middle = near + (far - near) / 2
        if middle in (near, far):
            break
        near, far = (middle, far) if pull(middle) * step > 0 else (near, middle)
    return min((start, near, far), key=value)
