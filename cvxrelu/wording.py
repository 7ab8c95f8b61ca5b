r"""What a certificate proves, in a sentence.

    upper <= (1 + x) * optimum,   x = (upper - lower) / lower,

since lower <= optimum. Every number is rounded to the side on which the sentence stays true.
"""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

__all__ = ["sentence_of"]

# A misfit of an interpolant below this is rounding, and not worth a sentence.
SILENT_RESIDUAL = 1e-9

SCOPES = {
    "global": "proven for networks of every width",
    "sampled": "among networks whose neurons have the sampled sign patterns; nothing is proven about others",
}


def sentence_of(
    upper: float, lower: float, scope: str, residual: float, cost: float = math.nan, blur: float = 0.0
) -> str:
    """Return what is proven about a network with objective `upper` by the lower bound `lower`.

    Parameters
    ----------
    upper, lower : float
        The bounds; `upper` is infinite if the network does not fit what it has to fit.
    scope : {"global", "sampled"}
        What the lower bound speaks of.
    residual : float
        Relative misfit of what the network has to fit.
    cost : float, optional
        The cost of the network.
    blur : float, default 0.0
        Share of the objective that is not known, since rounding hides it.

    Returns
    -------
    str
        One sentence, or two or three.

    Examples
    --------
    >>> sentence_of(1.0311, 1.0, "global", 0.0)
    'At most 3.2 % above the best possible (proven for networks of every width).'
    >>> sentence_of(4.0, 1.0, "global", 0.0)
    'At most 4 times the best possible (proven for networks of every width).'
    """
    where = SCOPES[scope]
    if math.isinf(upper):
        least = f"less than {_rounded(Fraction(lower), digits=7, up=False)} ({where})."
        if residual == 0 or math.isinf(cost):
            return f"The objective of the network is infinite, or beyond the largest float; none has {least}"
        cheap = f" This one costs {cost:.3g}, which its misfit alone makes possible." if cost < lower else ""
        missed = f"The network misses the data that it has to fit (relative residual {_scientific(residual)});"
        return f"{missed} none that fits costs {least}{cheap}"
    fits = ""
    if residual > SILENT_RESIDUAL:
        fits = f" It fits the data up to a relative residual of {_scientific(residual)}."
    if blur > 0:
        fits += (
            f" Its terms cancel so much that {_rounded(Fraction(100 * min(blur, 1.0)))} % of its objective may be "
            "rounding."
        )
    if upper <= lower:
        return f"The best possible, up to rounding ({where}).{fits}"
    if lower <= 0:
        gap = _rounded(Fraction(upper) - Fraction(lower))
        return f"At most {gap} above the best possible, of which no positive bound is known ({where}).{fits}"
    ratio = Fraction(upper) / Fraction(lower)
    if ratio <= 2:
        return f"At most {_rounded(100 * (ratio - 1))} % above the best possible ({where}).{fits}"
    return f"At most {_rounded(ratio)} times the best possible ({where}).{fits}"


def _scientific(value: float) -> str:
    """Return two digits of a number that is not negative, rounded up."""
    if not math.isfinite(value):
        return str(value)
    return f"{float(Context(prec=2, rounding=ROUND_CEILING).create_decimal(repr(float(value)))):.1e}"


def _rounded(value: Fraction, digits: int = 2, up: bool = True) -> str:
    """Return a few digits of a number that is not negative, rounded up or down."""
    context = Context(prec=digits, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    number = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    plain = number == 0 or -4 <= number.adjusted() < 6
    return f"{number:f}" if plain else f"{number:.{digits - 1}e}"
