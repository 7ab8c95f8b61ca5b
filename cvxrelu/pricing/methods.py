"""The table of pricing methods: a new one is one class and one row here."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement import enumerate_patterns
from cvxrelu.errors import SolverError
from cvxrelu.numerics.span import span_of
from cvxrelu.pricing.cells import cell_search
from cvxrelu.pricing.cones import cone_search
from cvxrelu.pricing.directions import MOST_RANK, price_directions, rank_of
from cvxrelu.pricing.line import price_line
from cvxrelu.pricing.norm_bound import bound_norms
from cvxrelu.pricing.plane import Turns, price_plane
from cvxrelu.pricing.points import Points
from cvxrelu.pricing.result import Priced
from cvxrelu.pricing.subspace import Subspace, rows_of
from cvxrelu.pricing.weights import Weights
from cvxrelu.runtime.clock import Clock

__all__ = ["METHODS", "Method", "Search", "choose"]

Array = NDArray[np.float64]

# How many times the rounding of a search what a subspace leaves out may cost before it is taken for more than rounding.
LEFT_OUT = 1000.0
# Places up to which the plane is swept. A sweep takes N^2 log N and finds the best neuron of every place. Cones look
# only where the score is near its maximum: for the dual vector of a fitted network they take 0.07 s at N = 4000, where
# a sweep takes 3 s, and 0.5 s at N = 20,000.
MOST_SWEPT = 2000


@dataclass(frozen=True)
class Search:
    """When a search may end.

    Attributes
    ----------
    tol : float
        Relative distance of the bound from the value.
    threshold : float or None
        The search may end once the bound is at most this.
    stop : callable
        Called now and then with the number of nodes done; True ends the search early.
    n_jobs : int
        Workers of joblib, threads unless it is told otherwise.
    """

    tol: float
    threshold: float | None
    stop: Callable[[int], bool]
    n_jobs: int = 1


class Method(Protocol):
    """A way to price, prepared for one data set."""

    def __init__(self, points: Points) -> None: ...

    @property
    def sweeps(self) -> bool:
        """Whether a search takes little more time than evaluating neurons, so that there is no need to guess first."""
        ...

    @staticmethod
    def applies(points: Points) -> bool:
        """Tell whether the method can price these points."""
        ...

    def search(self, weights: Weights, search: Search) -> Priced:
        """Price one dual vector."""
        ...


@dataclass(frozen=True)
class Line:
    """One feature: `cvxrelu.pricing.line`."""

    points: Points

    @property
    def sweeps(self) -> bool:
        """Always."""
        return True

    @staticmethod
    def applies(points: Points) -> bool:
        """One feature."""
        return points.X.shape[1] == 1

    def search(self, weights: Weights, search: Search) -> Priced:
        """Price exactly, whatever the limits: it takes O(N log N)."""
        return price_line(self.points, weights)


@dataclass(frozen=True)
class Plane:
    """Two features, free bias or none: `cvxrelu.pricing.plane`."""

    points: Points
    turns: Turns = field(default_factory=dict)

    @property
    def sweeps(self) -> bool:
        """Always."""
        return True

    @staticmethod
    def applies(points: Points) -> bool:
        """Two features and no cost of the bias."""
        return points.X.shape[1] == 2 and points.bias != "joint"

    def search(self, weights: Weights, search: Search) -> Priced:
        """Price exactly unless stopped."""
        return price_plane(self.points, weights, search.stop, search.n_jobs, self.turns)


@dataclass(frozen=True)
class Cones:
    """Any data: `cvxrelu.pricing.cones`."""

    points: Points

    @property
    def sweeps(self) -> bool:
        """Never."""
        return False

    @staticmethod
    def applies(points: Points) -> bool:
        """Any data."""
        return True

    def search(self, weights: Weights, search: Search) -> Priced:
        """Branch and bound; of several outputs over the directions of the score, too."""
        if weights.v.ndim == 2:
            return _by_direction(self, weights, search)
        return cone_search(self.points, weights, **vars(search))


@dataclass(frozen=True)
class _Until(Clock):
    """A clock that expires when a search is to stop."""

    stop: Callable[[int], bool] = lambda _: False

    @property
    def expired(self) -> bool:
        """Whether the search is to stop."""
        return self.stop(0)


@dataclass(frozen=True)
class Cells:
    """Any data with few enough patterns to list them all: `cvxrelu.pricing.cells`."""

    points: Points

    @property
    def sweeps(self) -> bool:
        """Never."""
        return False

    @staticmethod
    def applies(points: Points) -> bool:
        """Any data; listing the patterns raises an error where they do not fit in memory."""
        return True

    def list_patterns(self, stop: Callable[[int], bool]) -> NDArray[np.bool_] | None:
        """Return every sign pattern, listed once, of opposite neurons one; None if stopped before that."""
        if "_patterns" not in self.__dict__:
            arrangement = enumerate_patterns(self.points.X, self.points.bias != "none")
            try:
                patterns = replace(arrangement, clock=_Until(np.inf, stop=stop)).to_bool()
            except SolverError:
                if stop(0):
                    return None
                raise
            furthest = int(np.argmax(self.points.norms[self.points.place]))
            self.__dict__["_patterns"] = patterns[patterns[:, furthest]] if self.points.even else patterns
        return self.__dict__["_patterns"]

    def search(self, weights: Weights, search: Search) -> Priced:
        """Solve the cells that could be best; if even to list them takes too long, report what the first cone tells."""
        if weights.v.ndim == 2:
            return _by_direction(self, weights, search)
        patterns = self.list_patterns(search.stop)
        if patterns is None:
            return cone_search(self.points, weights, **vars(search))
        return cell_search(
            self.points,
            weights,
            patterns,
            tol=search.tol,
            threshold=search.threshold,
            stop=search.stop,
        )


@dataclass(frozen=True)
class InSubspace:
    """Data in fewer dimensions than they have features: `cvxrelu.pricing.subspace`, then another method."""

    points: Points

    @property
    def sweeps(self) -> bool:
        """As the method in the subspace."""
        return self.method.sweeps

    @staticmethod
    def applies(points: Points) -> bool:
        """Points, with a penalised bias lifted ones, that do not span their space; with a free one, affinely."""
        return span_of(rows_of(points)[0]).shape[1] < points.Z.shape[1]

    @cached_property
    def subspace(self) -> Subspace:
        """The points in coordinates of the subspace."""
        return Subspace.of(self.points)

    @cached_property
    def method(self) -> Method:
        """How the points are priced in the subspace."""
        inner = self.subspace.inner
        return choose(inner)[1](inner)

    @cached_property
    def whole(self) -> Method:
        """How the points are priced in all of space."""
        methods = (method for method in METHODS.values() if method is not InSubspace)
        return next(method for method in methods if method.applies(self.points))(self.points)

    def search(self, weights: Weights, search: Search) -> Priced:
        """Price in the subspace, and in all of space if weights on what is left out of the subspace matter."""
        margin = self.subspace.widening(weights)
        threshold = weights.room_below(search.threshold, 2 * margin)
        inner = self.subspace.inner.weigh(weights.original)
        priced = self.method.search(inner, replace(search, threshold=threshold))
        rounding = LEFT_OUT * weights.margin(len(self.points.X) + 256.0)
        if margin > max(rounding, search.tol * priced.upper) and (threshold is None or priced.upper > threshold):
            return self.whole.search(weights, search)
        return self.points.report(
            weights,
            self.subspace.lift(priced),
            upper=priced.upper + margin,
            method=priced.method,
            complete=lambda value: priced.complete,
            nodes=priced.nodes,
        )


def _by_direction(method: Cones | Cells, weights: Weights, search: Search) -> Priced:
    """Price several outputs by prices of one, or where these would be too many by the bound that costs nothing."""
    points = method.points
    if rank_of(weights) > MOST_RANK:
        return bound_norms(points, weights)

    def inner(single: Weights, halt: Callable[[int], bool], tol: float) -> Priced:
        return method.search(single, Search(tol, None, halt, search.n_jobs))

    return price_directions(points, weights, inner, search.tol, search.threshold, search.stop)


def choose(points: Points) -> tuple[str, type[Method]]:
    """Return the name and the class of the method to prefer."""
    able = {name: method for name, method in METHODS.items() if method.applies(points)}
    if len(points.Z) > MOST_SWEPT and points.bias == "free":
        able.pop("plane", None)
    return next(iter(able.items()))


METHODS: dict[str, type[Method]] = {
    "subspace": InSubspace,
    "line": Line,
    "plane": Plane,
    "cones": Cones,
    "cells": Cells,
}
"""Methods by name, the one to prefer first. Cones come before cells: even with a dozen points they look at
fewer cones than there are cells."""
