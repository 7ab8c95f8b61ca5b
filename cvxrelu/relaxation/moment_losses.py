r"""Losses as cones of the moment program, and what they cost.

    squared             sum_i w_i norm(F_i - Y_i)^2 / 2
    huber               sum_ik w_i (a_ik^2 / 2 + delta abs(F_ik - Y_ik - a_ik))
    interpolation       F = Y
    softmax             sum_i w_i u_i,     sum_k e_ik <= 1,   exp(z_ik - z_i,y - u_i) <= e_ik
    multiclass-margin   z_i,y - z_i,k >= 1

F has a column for each direction of predictions that matters, and z are the predictions themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cvxrelu.problem.problem import Problem
from cvxrelu.relaxation.moment_rows import Rows

__all__ = ["MOMENT_LOSSES", "MomentLoss"]

Array = NDArray[np.float64]
Places = Mapping[str, NDArray[np.intp]]


@dataclass(frozen=True, eq=False)
class MomentLoss:
    """What a loss adds to the moment program: nothing, if it is not told otherwise.

    Attributes
    ----------
    problem : Problem
        A problem of several outputs.
    basis : (K, r) array
        The directions.
    unit : float
        Size of the targets.
    """

    problem: Problem
    basis: Array
    unit: float

    @property
    def counts(self) -> Array:
        """What the samples count."""
        weights = self.problem.sample_weight
        return np.ones(self.problem.n_samples) if weights is None else weights

    @property
    def targets(self) -> Array:
        """What is left of the targets by what is free, in their unit."""
        return self.problem.free.rest(self.problem.y) / self.unit

    @property
    def changes(self) -> Array:
        """Rows that map F_i to z_ik - z_i,y, (N, K, r)."""
        return self.basis[None] - self.basis[self.problem.y.astype(np.intp)][:, None]

    def variables(self) -> dict[str, tuple[int, int]]:
        """Return the shapes of further variables."""
        return {}

    def put_costs(self, at: Places, linear: Array, curved: Array) -> None:
        """Put what the variables cost: linear'x + x' diag(curved) x / 2."""

    def add_zeros(self, rows: Rows, at: Places) -> None:
        """Add equations."""

    def add_numbers(self, rows: Rows, at: Places) -> None:
        """Add numbers that are not negative."""

    def add_exponentials(self, rows: Rows, at: Places) -> int:
        """Add cones of exponentials, and return how many."""
        return 0


class _Squared(MomentLoss):
    def put_costs(self, at: Places, linear: Array, curved: Array) -> None:
        linear[at["F"]] = -self.counts[:, None] * self.targets
        curved[at["F"]] = self.counts[:, None]


class _Huber(MomentLoss):
    def variables(self) -> dict[str, tuple[int, int]]:
        shape = self.targets.shape
        return {"a": shape, "rest": shape}

    def put_costs(self, at: Places, linear: Array, curved: Array) -> None:
        curved[at["a"]] = self.counts[:, None]
        linear[at["rest"]] = self.counts[:, None] * self.problem.loss.params()["delta"] / self.unit

    def add_numbers(self, rows: Rows, at: Places) -> None:
        for sign in (1.0, -1.0):
            here = rows.add(self.targets.size, (sign * self.targets).ravel()).reshape(self.targets.shape)
            rows.put(here, at["rest"], -1.0)
            rows.put(here, at["F"], sign)
            rows.put(here, at["a"], -sign)


class _Interpolation(MomentLoss):
    def add_zeros(self, rows: Rows, at: Places) -> None:
        rows.put(rows.add(self.targets.size, self.targets.ravel()).reshape(self.targets.shape), at["F"], 1.0)


class _Softmax(MomentLoss):
    def variables(self) -> dict[str, tuple[int, int]]:
        N, count = self.problem.n_samples, self.problem.n_outputs
        return {"u": (N, 1), "e": (N, count)}

    def put_costs(self, at: Places, linear: Array, curved: Array) -> None:
        linear[at["u"]] = self.counts[:, None]

    def add_numbers(self, rows: Rows, at: Places) -> None:
        rows.put(rows.add(len(at["e"]), 1.0)[:, None], at["e"], 1.0)

    def add_exponentials(self, rows: Rows, at: Places) -> int:
        N, count = at["e"].shape
        here = rows.add(3 * N * count, np.tile([0.0, 1.0, 0.0], N * count)).reshape(N, count, 3)
        rows.put(here[:, :, :1], at["F"][:, None, :], -self.changes)
        rows.put(here[:, :, 0], at["u"], 1.0)
        rows.put(here[:, :, 2], at["e"], -1.0)
        return N * count


class _MulticlassMargin(MomentLoss):
    def add_numbers(self, rows: Rows, at: Places) -> None:
        N, count = self.problem.n_samples, self.problem.n_outputs
        others = np.arange(count) != self.problem.y[:, None]
        here = rows.add(N * (count - 1), -1.0)
        samples = np.nonzero(others)[0]
        rows.put(here[:, None], at["F"][samples], self.changes[others])


MOMENT_LOSSES: dict[str, type[MomentLoss]] = {
    "squared": _Squared,
    "huber": _Huber,
    "interpolation": _Interpolation,
    "softmax": _Softmax,
    "multiclass-margin": _MulticlassMargin,
}
"""The losses of several outputs that the relaxation knows, by name."""
