r"""The best network of a given width, by search over the cells its neurons lie in.

With the cells s_k and the output signs e_k of m neurons fixed, the best of them is a small second-order cone program:

    min sum_k norm(u_k)   s.t.   y_i sum_k e_k h(s_k)_i z_i.u_k >= 1,   s_k * (Z u_k) >= 0,   z_i = (x_i, 1) or x_i

Two neurons of one cell and sign merge at no cost (de Dios & Bruna, Lemma 4.5), so m different pairs (s, e) are all
there is to choose. All choices are tried where there are few; otherwise neurons are exchanged one at a time, from
random choices, until no exchange helps. The first is exact, and the second gives an upper bound on the cost. What a
choice misses of the margin is charged for, so that the search finds its way from choices that do not separate.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import clarabel
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

import cvxrelu as cr

__all__ = ["Best", "best_of_width"]

# So many choices are tried one by one (a third of a millisecond each); with more, neurons are exchanged.
MOST_CHOICES = 12_000
# Price of a unit of missing margin, in units of the least cost of any width: the multiplier of a single sample stays
# far below it, so that what can be separated is; more would cost the solver its digits.
PENALTY = 1e3
# A network separates if it misses less than this in all, which a tighter solution would remove.
MISS_TOL = 1e-6
# An exchange must save this share of the cost, or an interior-point method's last digits keep the search going.
PROGRESS_RTOL = 1e-6

Choice = tuple[int, ...]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Best:
    """The best network found of a width, its cost, and whether all choices were tried; infinite if none separates."""

    cost: float
    network: cr.Network | None
    exhaustive: bool


@dataclass(frozen=True, eq=False)
class Pairs:
    """Every pair of a cell and a sign: what its neuron adds to y_i f(x_i), and the rows that keep it in the cell."""

    adds: list[Array]
    rows: list[Array]
    signs: list[float]
    penalty: float


@dataclass(frozen=True, eq=False)
class Solved:
    """The best neurons u, one a pair of the choice: what they cost with all penalties, and the margin they miss."""

    price: float
    missing: float
    u: Array
    choice: Choice


def best_of_width(problem: cr.Problem, width: int, seed: int, restarts: int = 20) -> Best:
    """Return the network of least cost with margin one and at most `width` neurons.

    Parameters
    ----------
    problem : cvxrelu.Problem
        A small one with loss "margin" and Euclidean cost, without free biases.
    width : int
        The most neurons.
    seed : int
        Seed of the starts, where not all choices are tried.
    restarts : int, default 20
        Number of starts.

    Raises
    ------
    ValueError
        If the problem is of another kind.

    Examples
    --------
    >>> problem = cr.Problem([[-1.0], [0.0], [1.0]], [1.0, -1.0, 1.0], loss="margin", bias="joint")
    >>> [round(best_of_width(problem, width, seed=0).cost, 4) for width in (1, 2, 3)]
    [inf, inf, 5.0]
    """
    if problem.loss.name != "margin" or problem.bias == "free":
        raise ValueError("Finite widths are searched for loss='margin' with bias='joint' or bias='none'.")
    pairs = _pairs(problem)
    count = len(pairs.signs)
    width = min(width, count)
    exhaustive = math.comb(count, width) <= MOST_CHOICES
    if exhaustive:
        best = min((_solve(pairs, choice) for choice in combinations(range(count), width)), key=_price)
    else:
        rng = np.random.default_rng(seed)
        starts = (tuple(rng.choice(count, width, replace=False).tolist()) for _ in range(restarts))
        best = min((_exchange(pairs, start) for start in starts), key=_price)
    if best.missing > MISS_TOL:
        return Best(math.inf, None, exhaustive)
    W, b = best.u[:, : problem.n_features], best.u[:, problem.n_features :].sum(axis=1)
    v = np.array([pairs.signs[pair] for pair in best.choice])
    return Best(best.price, cr.Network(W, b, v, 0.0, problem.negative_slope), exhaustive)


def _lift(problem: cr.Problem) -> Array:
    return problem.X if problem.bias == "none" else np.column_stack([problem.X, np.ones(problem.n_samples)])


def _pairs(problem: cr.Problem) -> Pairs:
    Z = _lift(problem)
    arrangement = cr.enumerate_patterns(problem.X, problem.norm.has_bias)
    pairs = Pairs([], [], [], PENALTY * cr.solve(problem, method="enumerate").objective)
    for positive, facets in zip(arrangement.to_bool(), arrangement.facets(), strict=True):
        rows = (np.where(positive, 1.0, -1.0)[:, None] * Z)[facets]
        adds = (problem.y * np.where(positive, 1.0, problem.negative_slope))[:, None] * Z
        for sign in (1.0, -1.0):
            pairs.adds.append(sign * adds)
            pairs.rows.append(rows)
            pairs.signs.append(sign)
    return pairs


def _exchange(pairs: Pairs, choice: Choice) -> Solved:
    """Exchange one neuron after another for the best there is, until none is worth it."""
    best = _solve(pairs, choice)
    improved = True
    while improved:
        improved = False
        for place in range(len(choice)):
            challenger = min((_solve(pairs, other) for other in _neighbours(best.choice, place, pairs)), key=_price)
            if challenger.price < best.price * (1 - PROGRESS_RTOL):
                best, improved = challenger, True
    return best


def _neighbours(choice: Choice, place: int, pairs: Pairs) -> Iterator[Choice]:
    for other in range(len(pairs.signs)):
        if other not in choice[:place] + choice[place + 1 :]:
            yield (*choice[:place], other, *choice[place + 1 :])


def _price(solved: Solved) -> float:
    return solved.price


def _solve(pairs: Pairs, choice: Choice) -> Solved:
    """Solve the program in the variables (t_1, u_1, t_2, u_2, ..., missing margins), t_k >= norm(u_k)."""
    n_samples, size = pairs.adds[0].shape
    block = size + 1
    neurons = block * len(choice)
    margins = np.zeros((n_samples, neurons))
    inside = []
    for k, pair in enumerate(choice):
        columns = slice(k * block + 1, (k + 1) * block)
        margins[:, columns] = pairs.adds[pair]
        rows = np.zeros((len(pairs.rows[pair]), neurons))
        rows[:, columns] = pairs.rows[pair]
        inside.append(rows)
    cells = np.concatenate(inside)
    missing = np.eye(n_samples)
    matrix = np.block(
        [
            [margins, missing],
            [cells, np.zeros((len(cells), n_samples))],
            [np.zeros((n_samples, neurons)), missing],
            [np.eye(neurons), np.zeros((neurons, n_samples))],
        ]
    )
    right = np.zeros(len(matrix))
    right[:n_samples] = -1.0
    price = np.concatenate([np.tile(np.eye(1, block)[0], len(choice)), np.full(n_samples, pairs.penalty)])
    linear = clarabel.NonnegativeConeT(2 * n_samples + len(cells))
    cones = [linear, *(clarabel.SecondOrderConeT(block) for _ in choice)]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    quadratic = sparse.csc_matrix((len(price), len(price)))
    solution = clarabel.DefaultSolver(quadratic, price, sparse.csc_matrix(-matrix), right, cones, settings).solve()
    if solution.status not in (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved):
        return Solved(math.inf, math.inf, np.zeros((len(choice), size)), choice)
    x = np.array(solution.x)
    u = x[:neurons].reshape(len(choice), block)[:, 1:]
    return Solved(float(solution.obj_val), float(x[neurons:].sum()), u, choice)
