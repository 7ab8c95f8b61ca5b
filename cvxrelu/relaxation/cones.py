r"""The cones of the program, and the symmetric scaling that an interior-point method needs of them.

    S = Z of all matrices of moments  x  2 x 2 matrices  x  numbers that are not negative

For slacks S and multipliers Z inside, there is one congruence R for each matrix (Nesterov & Todd) with

    R' Z R = R^-1 S R^-T = diag(lam),      P = R^-T R^-1,   P S P = Z,

in whose coordinates products, distances to the boundary and corrections are those of diagonal matrices. All matrices of
moments of a program have the same side, and there may be ten thousand of two rows, so all of one kind are handled at
once; the latter as three numbers each, by hand.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cone", "NesterovTodd", "inside", "joined", "off_target"]

Array = NDArray[np.float64]

# Products after a trial step are corrected where they are off the target by more than these factors.
LEAST_PRODUCT, MOST_PRODUCT = 0.1, 10.0


class Cone(NamedTuple):
    """An element of the space of the cones: slacks, their multipliers, or a change of either.

    Attributes
    ----------
    moments : (R, D + 1, D + 1) array
        A symmetric matrix for every block.
    pairs : (3, J) array
        Symmetric matrices [[first, mixed], [mixed, last]], as first, mixed, last.
    numbers : (q,) array
        Numbers.
    """

    moments: Array
    pairs: Array
    numbers: Array

    def dot(self, other: "Cone") -> float:
        """Return the inner product."""
        on_pairs = self.pairs[0] @ other.pairs[0] + 2 * self.pairs[1] @ other.pairs[1] + self.pairs[2] @ other.pairs[2]
        return float(np.vdot(self.moments, other.moments) + on_pairs + self.numbers @ other.numbers)

    def plus(self, other: "Cone", share: float = 1.0) -> "Cone":
        """Return the sum with a multiple."""
        return Cone(*(mine + share * its for mine, its in zip(self, other, strict=True)))

    def times(self, factor: float) -> "Cone":
        """Return a multiple."""
        return Cone(*(factor * part for part in self))

    def inverse(self, floor: float, scale: float) -> "Cone":
        """Return `scale` times the inverse of what is inside of the cones, with `floor` added to it."""
        first, mixed, last = self.pairs[0] + floor, self.pairs[1], self.pairs[2] + floor
        moments = np.asarray(np.linalg.inv(self.moments + floor * np.eye(self.moments.shape[-1])), dtype=np.float64)
        pairs = np.stack([last, -mixed, first]) / (first * last - mixed**2)
        return Cone(scale * moments, scale * pairs, scale / (self.numbers + floor))

    def split(self, sizes: list[tuple[int, int]]) -> "list[Cone]":
        """Return views on the parts of the blocks, given their numbers of pairs and of numbers."""
        parts, pair, number = [], 0, 0
        for k, (pairs, numbers) in enumerate(sizes):
            parts.append(
                Cone(
                    self.moments[k : k + 1], self.pairs[:, pair : pair + pairs], self.numbers[number : number + numbers]
                )
            )
            pair, number = pair + pairs, number + numbers
        return parts


def joined(cones: list[Cone]) -> Cone:
    """Return the cones of several blocks as one."""
    return Cone(
        np.concatenate([cone.moments for cone in cones]),
        np.concatenate([cone.pairs for cone in cones], axis=1),
        np.concatenate([cone.numbers for cone in cones]),
    )


def inside(cone: Cone) -> bool:
    """Tell whether something is strictly inside of the cones."""
    first, mixed, last = cone.pairs
    if not ((cone.numbers > 0).all() and (first > 0).all() and (last * first - mixed**2 > 0).all()):
        return False
    try:
        np.linalg.cholesky(cone.moments)
    except np.linalg.LinAlgError:
        return False
    return True


@dataclass(frozen=True, eq=False)
class NesterovTodd:
    """The scaling of slacks and multipliers, both inside.

    Attributes
    ----------
    slacks, multipliers : Cone
        What is scaled.
    root, inverse : (R, D + 1, D + 1) arrays
        R and its inverse, of the moments.
    spectrum : (R, D + 1) array
        lam.
    roots, inverses : (4, J) arrays
        R and its inverse, of the pairs, by rows.
    spectra : (2, J) array
        lam.
    scaling : Cone
        P of the matrices, and Z / S of the numbers.
    """

    slacks: Cone
    multipliers: Cone
    root: Array
    inverse: Array
    spectrum: Array
    roots: Array
    inverses: Array
    spectra: Array
    scaling: Cone

    @classmethod
    def of(cls, slacks: Cone, multipliers: Cone) -> "NesterovTodd":
        """Scale; a LinAlgError says that something is not inside, up to rounding."""
        if not (slacks.numbers > 0).all():
            raise np.linalg.LinAlgError("A slack vanishes.")
        left, right = np.linalg.cholesky(slacks.moments), np.linalg.cholesky(multipliers.moments)
        U, spectrum, Vt = np.linalg.svd(np.swapaxes(right, -1, -2) @ left)
        widths = np.sqrt(spectrum)[..., None, :]
        root, inverse = left @ np.swapaxes(Vt, -1, -2) / widths, np.swapaxes(right @ (U / widths), -1, -2)
        roots, inverses, spectra = _scaled_pairs(slacks.pairs, multipliers.pairs)
        a, b, c, d = inverses
        scaling = Cone(
            np.swapaxes(inverse, -1, -2) @ inverse,
            np.stack([a * a + c * c, a * b + c * d, b * b + d * d]),
            multipliers.numbers / slacks.numbers,
        )
        return cls(slacks, multipliers, root, inverse, spectrum, roots, inverses, spectra, scaling)

    def apply(self, change: Cone) -> Cone:
        """Return P times a change of the slacks times P: minus what it takes off the multipliers."""
        P = self.scaling
        f, m, last = P.pairs
        return Cone(
            P.moments @ change.moments @ P.moments,
            _congruent((f, m, m, last), change.pairs),
            P.numbers * change.numbers,
        )

    def scaled(self, slacks: Cone, multipliers: Cone) -> tuple[Cone, Cone]:
        """Return changes of slacks and multipliers in the coordinates of the scaling; numbers are as they are."""
        root, inverse, (a, b, c, d) = self.root, self.inverse, self.roots
        left = Cone(
            inverse @ slacks.moments @ np.swapaxes(inverse, -1, -2),
            _congruent(self.inverses, slacks.pairs),
            slacks.numbers,
        )
        right = Cone(
            np.swapaxes(root, -1, -2) @ multipliers.moments @ root,
            _congruent((a, c, b, d), multipliers.pairs),
            multipliers.numbers,
        )
        return left, right

    def longest(self, slacks: Cone, multipliers: Cone) -> float:
        """Return how far scaled changes can be followed until one of both meets the boundary."""
        lengths = [np.inf]
        widths, (first, last) = np.sqrt(self.spectrum), self.spectra
        for cone, now in ((slacks, self.slacks.numbers), (multipliers, self.multipliers.numbers)):
            moments = cone.moments / (widths[..., :, None] * widths[..., None, :])
            f, m, s = cone.pairs[0] / first, cone.pairs[1] / np.sqrt(first * last), cone.pairs[2] / last
            if not (np.isfinite(moments).all() and np.isfinite(f + m + s).all()):
                return 0.0
            pairs = (f + s) / 2 - np.hypot((f - s) / 2, m)
            least = min(
                float(np.linalg.eigvalsh(moments).min()),
                float(pairs.min(initial=0.0)),
                float((cone.numbers / now).min(initial=0.0)),
            )
            lengths.append(-1 / least if least < 0 else np.inf)
        return min(lengths)

    def predicted(self, slacks: Cone, multipliers: Cone, centre: float) -> Cone:
        """Return the goals of the multipliers whose products are `centre`, to second order in scaled changes."""
        product = slacks.moments @ multipliers.moments
        moments = -(product + np.swapaxes(product, -1, -2)) / 2
        at = np.arange(self.spectrum.shape[-1])
        moments[..., at, at] += centre - self.spectrum**2
        (f, m, s), (F, M, S) = slacks.pairs, multipliers.pairs
        first, last = self.spectra
        pairs = np.stack(
            [centre - first**2 - f * F - m * M, -(f * M + m * S + F * m + M * s) / 2, centre - last**2 - m * M - s * S]
        )
        numbers = centre - self.slacks.numbers * self.multipliers.numbers - slacks.numbers * multipliers.numbers
        return self._goals(moments, pairs, numbers)

    def corrected(self, slacks: Cone, multipliers: Cone, length: float, centre: float) -> Cone:
        """Return what brings the products after a step back between multiples of `centre` (Gondzio, 1996)."""
        at = np.arange(self.spectrum.shape[-1])
        first, last = self.spectra
        left, right = length * slacks.moments, length * multipliers.moments
        left[..., at, at] += self.spectrum
        right[..., at, at] += self.spectrum
        product = left @ right
        values, vectors = np.linalg.eigh((product + np.swapaxes(product, -1, -2)) / 2)
        off = off_target(values, centre)
        moments = (vectors * off[..., None, :]) @ np.swapaxes(vectors, -1, -2)
        f, m, s = first + length * slacks.pairs[0], length * slacks.pairs[1], last + length * slacks.pairs[2]
        F, M = first + length * multipliers.pairs[0], length * multipliers.pairs[1]
        S = last + length * multipliers.pairs[2]
        pairs = _clipped_pairs(np.stack([f * F + m * M, (f * M + m * S + F * m + M * s) / 2, m * M + s * S]), centre)
        after = (self.slacks.numbers + length * slacks.numbers) * (
            self.multipliers.numbers + length * multipliers.numbers
        )
        return self._goals(moments, pairs, off_target(after, centre))

    def _goals(self, moments: Array, pairs: Array, numbers: Array) -> Cone:
        """Return changes of multipliers, given changes of the products in the coordinates of the scaling."""
        moments = moments * 2 / (self.spectrum[..., :, None] + self.spectrum[..., None, :])
        first, last = self.spectra
        pairs = pairs * np.stack([1 / first, 2 / (first + last), 1 / last])
        a, b, c, d = self.inverses
        return Cone(
            np.swapaxes(self.inverse, -1, -2) @ moments @ self.inverse,
            _congruent((a, c, b, d), pairs),
            numbers / self.slacks.numbers,
        )


def off_target(products: Array, centre: float) -> Array:
    """Return what brings products between multiples of `centre`, downwards by no more than the larger one."""
    low, high = LEAST_PRODUCT * centre, MOST_PRODUCT * centre
    return np.maximum(np.clip(products, low, high) - products, -high)


def _clipped_pairs(pairs: Array, centre: float) -> Array:
    """Return what brings the eigenvalues of matrices of two rows between multiples of `centre`."""
    f, m, s = pairs
    middle, radius = (f + s) / 2, np.hypot((f - s) / 2, m)
    up, down = off_target(middle + radius, centre), off_target(middle - radius, centre)
    # The matrix less its trace, of eigenvalues 1 and -1.
    size = np.maximum(radius, np.finfo(float).tiny)
    half = (up - down) / 2
    lean, twist = half * (f - s) / 2 / size, half * m / size
    return np.stack([(up + down) / 2 + lean, twist, (up + down) / 2 - lean])


def _scaled_pairs(slacks: Array, multipliers: Array) -> tuple[Array, Array, Array]:
    """Return R, its inverse and lam of matrices of two rows."""
    f, m, s = slacks
    F, M, S = multipliers
    det, Det = f * s - m * m, F * S - M * M
    if not ((f > 0).all() and (det > 0).all() and (F > 0).all() and (Det > 0).all()):
        raise np.linalg.LinAlgError("a matrix of two rows is not inside its cone")
    # S = L L', L = [[p, 0], [q, r]].
    p = np.sqrt(f)
    q, r = m / p, np.sqrt(det / f)
    # L' Z L = V diag(lam^2) V', V a rotation.
    a, b, d = p * p * F + 2 * p * q * M + q * q * S, r * (p * M + q * S), r * r * S
    angle = np.arctan2(2 * b, a - d) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    large = (a + d) / 2 + np.hypot((a - d) / 2, b)
    first, last = np.sqrt(large), np.sqrt(det * Det / large)
    one, two = 1 / np.sqrt(first), 1 / np.sqrt(last)
    roots = np.stack([p * cos * one, -p * sin * two, (q * cos + r * sin) * one, (r * cos - q * sin) * two])
    # R^-1 = diag(sqrt lam) V' L^-1.
    inverses = np.stack(
        [(cos - q * sin / r) / (p * one), sin / (r * one), (-sin - q * cos / r) / (p * two), cos / (r * two)]
    )
    return roots, inverses, np.stack([first, last])


def _congruent(A: Array | tuple[Array, Array, Array, Array], X: Array) -> Array:
    """Return A X A' of matrices of two rows."""
    a, b, c, d = A
    f, m, s = X
    u, w = a * f + b * m, a * m + b * s
    g, h = c * f + d * m, c * m + d * s
    return np.stack([u * a + w * b, u * c + w * d, g * c + h * d])
