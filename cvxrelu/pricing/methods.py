"""The table of pricing methods: a new one is one class and one row here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cvxrelu.arrangement import enumerate_patterns
from cvxrelu.pricing.cells import cell_search
from cvxrelu.pricing.cones import cone_search
from cvxrelu.pricing.line import price_line
from cvxrelu.pricing.plane import price_plane
from cvxrelu.pricing.points import Points, Weights
from cvxrelu.pricing.result import Priced

__all__ = ["METHODS", "Method", "Search"]


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
    """

    tol: float
    threshold: float | None
    stop: Callable[[int], bool]


class Method(Protocol):
    """A way to price, prepared for one data set."""

    def __init__(self, points: Points) -> None: ...

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

    @staticmethod
    def applies(points: Points) -> bool:
        """Two features and no cost of the bias."""
        return points.X.shape[1] == 2 and points.bias != "joint"

    def search(self, weights: Weights, search: Search) -> Priced:
        """Price exactly unless stopped."""
        return price_plane(self.points, weights, search.stop)


@dataclass(frozen=True)
class Cones:
    """Any data: `cvxrelu.pricing.cones`."""

    points: Points

    @staticmethod
    def applies(points: Points) -> bool:
        """Any data."""
        return True

    def search(self, weights: Weights, search: Search) -> Priced:
        """Branch and bound."""
        return cone_search(self.points, weights, tol=search.tol, threshold=search.threshold, stop=search.stop)


@dataclass(frozen=True)
class Cells:
    """Any data with few enough patterns to list them all: `cvxrelu.pricing.cells`."""

    points: Points

    @staticmethod
    def applies(points: Points) -> bool:
        """Any data; listing the patterns raises an error where they do not fit in memory."""
        return True

    @cached_property
    def patterns(self) -> NDArray[np.bool_]:
        """Every sign pattern, listed once."""
        return enumerate_patterns(self.points.X, self.points.bias != "none").to_bool()

    def search(self, weights: Weights, search: Search) -> Priced:
        """Solve the cells that could be best."""
        return cell_search(
            self.points,
            weights,
            self.patterns,
            tol=search.tol,
            threshold=search.threshold,
            stop=search.stop,
        )


METHODS: dict[str, type[Method]] = {"line": Line, "plane": Plane, "cones": Cones, "cells": Cells}
"""Methods by name, the one to prefer first. Cones come before cells: even with a dozen points they look at
fewer cones than there are cells."""
