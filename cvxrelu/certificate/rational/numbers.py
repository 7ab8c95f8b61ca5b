r"""Rational numbers, and rational bounds on the two functions that leave them: square root and logarithm.

    sqrt(n/d) = sqrt(n d) / d,  and integer square roots are exact;
    log(2^k r) = k log 2 + 2 atanh((r - 1)/(r + 1)),  atanh(z) = z + z^3/3 + z^5/5 + ...

All terms of the series are positive for r >= 1, so every truncation and every rounding down gives a lower bound.
"""

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Literal, get_args

from cvxrelu.problem.validation import as_choice

__all__ = ["ExactData", "common_denominator", "entropy_below", "log_below", "root_above", "to_fractions"]

ExactData = Literal["float", "decimal"]

# Binary digits of roots and logarithms; far more than the 53 of a float, so that bounds lose nothing visible.
BITS = 128
# Below this logarithms are two terms of their series, or none of their digits would be left at 1 + 2^-128.
NEAR_ONE = 1 + Fraction(1, 2**40)


def to_fractions(values: Iterable[float], exact_data: ExactData = "float") -> list[Fraction]:
    """Return floats as fractions: what they are ("float"), or the shortest decimals that print them ("decimal").

    Raises
    ------
    InputError, InputTypeError
        If `exact_data` is neither.

    Examples
    --------
    >>> to_fractions([0.5, 0.6], "decimal")
    [Fraction(1, 2), Fraction(3, 5)]
    >>> to_fractions([0.5, 0.6])
    [Fraction(1, 2), Fraction(5404319552844595, 9007199254740992)]
    """
    if as_choice(exact_data, get_args(ExactData), "exact_data") == "decimal":
        return [Fraction(repr(float(value))) for value in values]
    return [Fraction(float(value)) for value in values]


def common_denominator(values: Iterable[Fraction]) -> int:
    """Return the least common denominator.

    Examples
    --------
    >>> common_denominator([Fraction(1, 4), Fraction(5, 6)])
    12
    """
    return math.lcm(*(value.denominator for value in values))


def root_above(value: Fraction) -> Fraction:
    """Return the square root if it is rational, else a slightly larger rational (relative excess below 2^-127).

    Examples
    --------
    >>> root_above(Fraction(9, 4))
    Fraction(3, 2)
    >>> 0 < root_above(Fraction(2)) ** 2 - 2 < Fraction(1, 2**120)
    True
    """
    n, d = value.numerator, value.denominator
    root = math.isqrt(n * d)
    if root * root == n * d:
        return Fraction(root, d)
    # sqrt(n / d) * 2^shift has at least BITS digits before the point, of which a unit more is an upper bound.
    shift = BITS + max(0, (d.bit_length() - n.bit_length()) // 2 + 1)
    return Fraction(math.isqrt((n << 2 * shift) // d) + 1, 1 << shift)


def log_below(value: Fraction) -> Fraction:
    """Return a rational lower bound on the natural logarithm of a number >= 1, within a relative 2^-78.

    Examples
    --------
    >>> log_below(Fraction(1))
    Fraction(0, 1)
    >>> abs(float(log_below(Fraction(10))) - math.log(10)) < 1e-15
    True
    """
    n, d = value.numerator, value.denominator
    if value < NEAR_ONE:
        # What is left of the series -log(1 - q) = q + q^2 / 2 + ... is less than a third of q^3.
        q = Fraction(n - d, n)
        return q + q * q / 2
    exponent = n.bit_length() - d.bit_length()
    if n < d << exponent:
        exponent -= 1
    d <<= exponent
    return Fraction(2 * (_atanh_below(n - d, n + d) + exponent * _atanh_below(1, 3)), 1 << BITS)


def entropy_below(*shares: Fraction) -> Fraction:
    """Return a rational lower bound on the entropy of shares, none negative, and of what is left of 1.

    Examples
    --------
    >>> abs(float(entropy_below(Fraction(1, 2))) - math.log(2)) < 1e-15
    True
    >>> abs(float(entropy_below(Fraction(1, 3), Fraction(1, 3))) - math.log(3)) < 1e-15
    True
    """
    rest = 1 - sum(shares, Fraction(0))
    return sum((part * log_below(1 / part) for part in (*shares, rest) if part > 0), Fraction(0))


def _atanh_below(n: int, d: int) -> int:
    """Return an integer that is at most 2^BITS atanh(n / d), for 0 <= n / d <= 1/3."""
    power = (n << BITS) // d
    square = power * power >> BITS
    total, odd = 0, 1
    while power:
        total += power // odd
        power = power * square >> BITS
        odd += 2
    return total
