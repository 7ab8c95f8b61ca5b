"""Point sets with known counts, and brute force over linear programs."""

from itertools import product

import numpy as np
from scipy.optimize import linprog


def cube(n):
    """Return the vertices of the unit cube."""
    return np.array(list(product((0.0, 1.0), repeat=n)))


def lattice(side, dimension):
    """Return the points of a cubic lattice."""
    return np.array(list(product(range(side), repeat=dimension)), dtype=float)


# (name, X, bias, number of patterns), known or by hand. With bias, the cube counts linear threshold functions.
KNOWN = [
    *((f"cube-{n}", cube(n), True, count) for n, count in ((2, 14), (3, 104), (4, 1882), (5, 94572))),
    *((f"cube-{n}-origin", cube(n)[1:], False, count) for n, count in ((3, 32), (4, 370), (5, 11292))),
    *(
        (f"lattice-{n}x{n}", lattice(n, 2), True, count)
        for n, count in ((2, 14), (3, 58), (4, 174), (5, 402), (6, 838), (10, 2 * 3107))
    ),
    ("lattice-4x4x4", lattice(4, 3), True, 2 * 17758),
]


def rare_column(n, d, seed=0):
    """Return points of which all but one are in a hyperplane: n - 1 rows meet in one vertex."""
    X = np.random.default_rng(seed).standard_normal((n, d))
    X[:, -1] = 0.0
    X[0, -1] = 1.0
    return X


class Patience:
    """A clock that has run out after so many looks, and a pause that raises an error then."""

    limit = 1.0

    def __init__(self, enough):
        self.enough, self.looks = enough, 0

    @property
    def expired(self):
        self.looks += 1
        return self.looks > self.enough

    def __call__(self):
        if self.expired:
            raise TimeoutError


def as_set(patterns):
    """Return boolean patterns as a set of tuples."""
    return {tuple(row) for row in patterns.tolist()}


def brute_force(rows):
    """Every sign pattern of an open cell, found by one linear program for each prefix of signs."""
    margin = 1e-7
    live = [i for i in range(len(rows)) if rows[i].any()]
    prefixes = [()]
    for k in range(1, len(live) + 1):
        normals = rows[live[:k]] / np.abs(rows[live[:k]]).max(axis=1, keepdims=True)
        extended = []
        for prefix in prefixes:
            for sign in (-1.0, 1.0):
                signs = np.array([*prefix, sign])
                solution = linprog(
                    np.append(np.zeros(rows.shape[1]), -1.0),
                    A_ub=np.column_stack([-signs[:, None] * normals, np.ones(k)]),
                    b_ub=np.zeros(k),
                    bounds=[(-1, 1)] * rows.shape[1] + [(0, 1)],
                )
                if -solution.fun > margin:
                    extended.append((*prefix, sign))
        prefixes = extended
    result = np.ones((len(prefixes), len(rows)), dtype=bool)
    result[:, live] = np.array(prefixes).reshape(len(prefixes), len(live)) > 0
    return result
