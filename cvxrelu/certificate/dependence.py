r"""Whether columns depend on others exactly: by what is left of a matrix beside a regular block of it.

    F = [B  C]      where B has an inverse, the columns through B span all columns, and the rows through B all rows,
        [E  D]      exactly if D = E B^-1 C

Floats are integers times powers of two. A block that has an inverse modulo a prime p has one, and what is not equal
modulo p is not: that tells nearly all columns apart that do not depend on others. Where D = E B^-1 C modulo p, the
coefficients x of a column c of C, B x = c, are found by their digits to the base p (J. D. Dixon, "Exact solution of
linear equations using p-adic expansions", Numer. Math. 40, 1982),

    x = x_0 + p x_1 + p^2 x_2 + ...,   x_i = B^-1 r_i modulo p,   r_0 = c,   r_i+1 = (r_i - B x_i) / p.

Of the digits Euclid's algorithm makes fractions a_j / b of small integers. One digit is enough for indicators of
categories, and twice as many as minors of [B C] have are enough for all. Wherever they are from, it is verified in
integers, on all rows, that the column is the sum of a_j / b times those through B. Coefficients of rows prove the same,
and may have fewer digits, such as those of rows and their mirror images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["spans"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Indices = NDArray[np.intp]

# Primes below 2^31, of which products have 62 bits. The second is for determinants that are multiples of the first.
PRIMES = (2**31 - 19, 2**31 - 61)
# Bits by which p^digits is longer than the fractions a / b taken from it: how seldom there are such by chance.
SPARE = 20
# An exponent above those of floats, whatever they are multiplied by.
HIGHEST = 2**20
# Digits of coefficients that are looked for in columns, then in rows, before longer ones are.
FEW = 4
# Products of integers of 64 bits that are spent on digits, a second or two; nothing is claimed where these are too few.
WORK = 2e7


def spans(F: Array, rows: Sequence[int], columns: Sequence[int]) -> bool:
    """Tell whether all columns of a matrix are combinations of some, exactly; False also where that is not known.

    Parameters
    ----------
    F : (n, k) array
        The matrix, finite.
    rows, columns : sequences of int
        As many rows as columns, for which the block that they meet in is regular.

    Examples
    --------
    >>> F = np.array([[1.0, 0.3, 0.6], [1.0, 0.1, 0.2], [1.0, 0.7, 1.4]])
    >>> spans(F, [0, 1], [0, 1]), spans(F + [0.0, 0.0, 0.1], [0, 1], [0, 1])
    (True, False)
    """
    exact = _Exact.of(F)
    others: Indices = np.setdiff1d(np.arange(F.shape[1]), columns)
    for p in PRIMES:
        residues = exact.modulo(p)
        inverse = _inverse(residues[np.ix_(rows, columns)], p)
        if inverse is None:
            continue
        shares = _product(inverse, residues[rows][:, others], p)
        if (_product(residues[:, columns], shares, p) != residues[:, others]).any():
            return False
        upright = _Block(exact, np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp), inverse, p)
        turned = upright.turned
        return upright.spans(FEW) or turned.spans(FEW) or upright.spans(upright.enough) or turned.spans(turned.enough)
    return False


class _Exact(NamedTuple):
    """A matrix of integers: odd ones times powers of two. Those that rows and columns have in common are left out."""

    mantissas: Integers
    shifts: Integers

    @classmethod
    def of(cls, F: Array) -> "_Exact":
        shares, exponents = np.frexp(F)
        mantissas = np.ldexp(shares, 53).astype(np.int64)
        even = np.maximum(mantissas & -mantissas, 1)
        shifts = np.where(F != 0, exponents.astype(np.int64) + np.frexp(even)[1], HIGHEST)
        for axis in (1, 0):
            shifts -= np.where(F != 0, shifts.min(axis=axis, keepdims=True, initial=HIGHEST), 0)
        return cls(mantissas // even, np.where(F != 0, shifts, 0))

    @property
    def lengths(self) -> Integers:
        """How many bits the integers have."""
        return np.frexp(self.mantissas)[1] + self.shifts

    def modulo(self, p: int) -> Integers:
        """Return the residues."""
        powers = np.array([pow(2, shift, p) for shift in range(int(self.shifts.max(initial=0)) + 1)])
        return self.mantissas % p * powers[self.shifts] % p

    def integers(self, block: Any) -> NDArray[Any]:
        """Return the integers of a block."""
        return self.mantissas[block].astype(object) << self.shifts[block].astype(object)


@dataclass(frozen=True, eq=False)
class _Block:
    """A block with an inverse modulo p, in a matrix."""

    exact: _Exact
    rows: Indices
    columns: Indices
    inverse: Integers
    p: int

    @property
    def turned(self) -> "_Block":
        """The block in the transposed matrix."""
        return _Block(_Exact(*(part.T for part in self.exact)), self.columns, self.rows, self.inverse.T, self.p)

    @cached_property
    def others(self) -> Indices:
        """The columns that are not in the block."""
        return np.setdiff1d(np.arange(self.exact.mantissas.shape[1]), self.columns)

    @cached_property
    def entries(self) -> NDArray[Any]:
        """B in integers."""
        return self.exact.integers(np.ix_(self.rows, self.columns))

    @cached_property
    def spanning(self) -> NDArray[Any]:
        """All rows of the columns of B in integers."""
        return self.exact.integers((slice(None), self.columns))

    @property
    def enough(self) -> int:
        """Digits of all coefficients, by Hadamard's bound on the minors of [B C]; or as many as may be spent."""
        k, sizes = len(self.rows), self.exact.lengths[self.rows].max(axis=1, initial=0)
        digits = (2 * int((sizes + k.bit_length()).sum()) + SPARE) // 30 + 1
        products = (1 + k * k) * len(self.others) * int(sizes.max(initial=0) // 64 + 1)
        return min(digits, int(WORK / max(products, 1)))

    def spans(self, digits: int) -> bool:
        """Tell whether all columns are combinations of those of the block, with coefficients of few digits."""
        return all(self._combines(int(j), digits) for j in self.others)

    def _combines(self, j: int, digits: int) -> bool:
        """Tell whether a column is a combination of those of the block, with coefficients of few digits."""
        for residues, modulus in self._expansion(j, digits):
            found = _fractions(residues, modulus)
            if found is None:
                continue
            tops, bottom = found
            used = np.flatnonzero(tops)
            terms = self.spanning[:, used] @ np.array(tops, dtype=object)[used]
            if (terms == bottom * self.exact.integers((slice(None), j))).all():
                return True
        return False

    def _expansion(self, j: int, digits: int) -> Iterator[tuple[list[int], int]]:
        """Yield the coefficients of a column modulo p^m, and p^m, for m = 1, 2, 4, ... and the last."""
        rest, total, modulus = self.exact.integers((self.rows, j)), np.zeros(len(self.rows), dtype=object), 1
        for m in range(1, digits + 1):
            here = _product(self.inverse, (rest % self.p).astype(np.int64)[:, None], self.p)[:, 0].astype(object)
            total, modulus = total + modulus * here, modulus * self.p
            if m & (m - 1) == 0 or m == digits:
                yield total.tolist(), modulus
            rest = (rest - self.entries @ here) // self.p


def _fractions(residues: list[int], modulus: int) -> tuple[list[int], int] | None:
    """Return a and b, small, with a = b residues for a modulus; None if there are none.

    Examples
    --------
    >>> _fractions([1, 2**31 - 20, 2**30 - 9], 2**31 - 19)
    ([2, -2, 1], 2)
    """
    bound = isqrt(modulus >> SPARE)
    tops, bottom = [], 1
    for residue in residues:
        # Euclid's algorithm: top = factor residue bottom, up to multiples of the modulus, all the while.
        above, top, previous, factor = modulus, residue * bottom % modulus, 0, 1
        while top > bound:
            quotient = above // top
            above, top, previous, factor = top, above - quotient * top, factor, previous - quotient * factor
        bottom *= abs(factor)
        if not 0 < bottom <= bound:
            return None
        tops = [*(a * abs(factor) for a in tops), top if factor > 0 else -top]
    return tops, bottom


def _product(left: Integers, right: Integers, p: int) -> Integers:
    """Return a product of matrices of residues."""
    total = np.zeros((len(left), right.shape[1]), dtype=np.int64)
    for k, column in enumerate(right.T):
        total[:, k] = (left * column % p).sum(axis=1) % p
    return total


def _inverse(matrix: Integers, p: int) -> Integers | None:
    """Return the inverse of a matrix of residues; None if it has none."""
    n = len(matrix)
    table = np.hstack([matrix, np.eye(n, dtype=np.int64)])
    for k in range(n):
        pivot = k + int(np.argmax(table[k:, k] != 0))
        if not table[pivot, k]:
            return None
        table[[k, pivot]] = table[[pivot, k]]
        table[k] = table[k] * pow(int(table[k, k]), -1, p) % p
        factors = table[:, k].copy()
        factors[k] = 0
        table[:, k:] = (table[:, k:] - factors[:, None] * table[k, k:]) % p
    return table[:, n:]
