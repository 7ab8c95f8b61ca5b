r"""What a certificate proves, in a sentence, and in others what a search that proves nothing has seen.

    upper <= (1 + x) * optimum,   x = (upper - lower) / lower,

since lower <= optimum. Every number is rounded to the side on which the sentence stays true.
"""

import math
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction

__all__ = ["outlook_sentence", "search_sentence", "sentence_of"]

# A misfit of an interpolant below this is rounding, and not worth a sentence.
SILENT_RESIDUAL = 1e-9

# Share by which the gap has to fall in a doubling of the time for more of it to be worth a number.
LEAST_FALL = 0.02

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
    distance = _distance(upper, lower)
    return f"{distance[0].upper()}{distance[1:]} ({where}).{fits}"


def search_sentence(
    ascents: int, maxima: int, *, unseen: float, excess: float, upper: float, lower_if_complete: float
) -> str:
    """Return what a search by local ascent has seen, and what it would prove if it had seen everything.

    Parameters
    ----------
    ascents, maxima : int
        Ascents that came to an end, and distinct local maxima that they ended in.
    unseen : float
        Estimated probability that another ascent ends in a maximum not seen yet.
    excess : float
        Share by which the largest score found exceeds the bound; negative if it is below, infinite if no bound helps.
    upper : float
        The objective of the network, infinite if it does not fit what it has to fit.
    lower_if_complete : float
        The lower bound that would hold if there were no larger score.

    Returns
    -------
    str
        Two sentences that do not take it for a proof, with numbers rounded to the side of caution.

    Examples
    --------
    >>> print(search_sentence(1000, 178, unseen=0.111, excess=0.0123, upper=1.02, lower_if_complete=1.0))
    Evidence, no proof: 1000 ascents found 178 local maxima, the largest 1.3 % above what an optimum allows; about 12 %
    of further ascents would find others. If no neuron scores more, the network is at most 2.1 % above the best
    possible.
    >>> print(search_sentence(1000, 4, unseen=0.0, excess=-1e-9, upper=1.0, lower_if_complete=1.0))
    Evidence, no proof: 1000 ascents found 4 local maxima, none above what an optimum allows; each was found more than
    once. If no neuron scores more, the network is the best possible, up to rounding.
    """
    if ascents == 0:
        return "No ascent was made, so there is no evidence beside the proof."
    seen = f"Evidence, no proof: {ascents} ascent{'s' * (ascents > 1)} found "
    if maxima == 0:
        seen += "no neuron with a score."
    else:
        seen += f"{maxima} local maxim{'a' if maxima > 1 else 'um'}"
        if excess <= 0:
            seen += ", none above what an optimum allows"
        elif math.isfinite(excess):
            which = "the largest" if maxima > 1 else "which is"
            seen += f", {which} {_rounded(100 * Fraction(excess))} % above what an optimum allows"
        share = _rounded(100 * Fraction(unseen))
        others = f"about {share} % of further ascents would find others"
        seen += f"; {others if unseen > 0 else 'each was found more than once'}."
    if math.isinf(upper):
        least = _rounded(Fraction(lower_if_complete), digits=7, up=False)
        return f"{seen} If no neuron scores more, no network with a finite objective has one below {least}."
    return f"{seen} If no neuron scores more, the network is {_distance(upper, lower_if_complete)}."


def outlook_sentence(seconds: Sequence[float], gaps: Sequence[float]) -> str:
    """Return what twice the time may buy, if the gap goes on to fall as it did while the time last doubled.

    Parameters
    ----------
    seconds : sequence of float
        When each bound was there, in increasing order.
    gaps : sequence of float
        The relative gap with it.

    Returns
    -------
    str
        Two sentences that say that it is an extrapolation; nothing where no gap is that old, or none is left.

    Examples
    --------
    >>> print(outlook_sentence([10.0, 20.0, 41.0], [0.4, 0.36, 0.3]))
    Extrapolation, no proof: the gap fell from 36 % to 30 % while the time doubled. If it goes on like that, another
    41 s would bring it to about 25 %.
    >>> outlook_sentence([10.0, 12.0], [0.4, 0.36])
    ''
    """
    if not seconds or not 0 < gaps[-1] < math.inf:
        return ""
    old = [gap for second, gap in zip(seconds, gaps, strict=True) if second <= seconds[-1] / 2 and gap < 1]
    if not old:
        return ""
    then, now = (f"{_rounded(100 * Fraction(gap))} %" for gap in (old[-1], gaps[-1]))
    if gaps[-1] >= old[-1] * (1 - LEAST_FALL):
        return f"Extrapolation, no proof: the gap has been about {now} since half of the time; more would buy little."
    after = _rounded(100 * Fraction(gaps[-1]) * Fraction(gaps[-1]) / Fraction(old[-1]))
    return (
        f"Extrapolation, no proof: the gap fell from {then} to {now} while the time doubled. If it goes on like that, "
        f"another {seconds[-1]:.0f} s would bring it to about {after} %."
    )


def _distance(upper: float, lower: float) -> str:
    """Return how far a finite upper bound can be above the optimum, given a lower one."""
    if upper <= lower:
        return "the best possible, up to rounding"
    if lower <= 0:
        gap = _rounded(Fraction(upper) - Fraction(lower))
        return f"at most {gap} above the best possible, of which no positive bound is known"
    ratio = Fraction(upper) / Fraction(lower)
    share = f"{_rounded(100 * (ratio - 1))} % above" if ratio <= 2 else f"{_rounded(ratio)} times"
    return f"at most {share} the best possible"


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
