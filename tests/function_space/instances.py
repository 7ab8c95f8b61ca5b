"""Data on the line, degenerate data included, and checks that share no code with the package."""

import itertools

import numpy as np
import scipy.sparse as sp
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

SLOPES = (0.0, 0.1, -0.3, -1.0, 2.0)
SIX_X = np.array([-1, -0.6, -0.2, 0.2, 0.6, 1])
SIX_Y = np.array([1.0, -1, 1, 1, -1, 1])


@st.composite
def lattice_data(draw, most=8):
    """Distinct integer x and small integer y: ties, collinear points and S = C abound."""
    x = draw(st.lists(st.integers(-6, 6), min_size=1, max_size=most, unique=True))
    y = draw(st.lists(st.integers(-3, 3), min_size=len(x), max_size=len(x)))
    return np.array(x, dtype=float), np.array(y, dtype=float)


def random_data(rng, n):
    """Irregular x and rough y."""
    return rng.standard_normal(n), rng.standard_normal(n)


def grid_program(grid, x, y, slope, budget=None):
    """Interpolants with knots on a grid, as rows of a linear program.

    Variables: values on the grid, two end slopes, absolute jumps, one for each grid point. Returned are the matrices of
    A_eq u = b_eq and A_ub u <= b_ub and the weights of TV(f'), with R(f) <= budget among the rows if one is given.
    """
    n = len(grid)
    size = 2 * n + 2
    gaps = np.diff(grid)
    slopes = np.zeros((n + 1, size))
    slopes[0, n], slopes[n, n + 1] = 1, 1
    for k in range(n - 1):
        slopes[k + 1, k], slopes[k + 1, k + 1] = -1 / gaps[k], 1 / gaps[k]
    jumps = np.diff(slopes, axis=0)
    absolute = np.hstack([np.zeros((n, n + 2)), np.eye(n)])
    equal = np.zeros((len(x), size))
    equal[np.arange(len(x)), np.searchsorted(grid, x)] = 1
    upper, bounds = [jumps - absolute, -jumps - absolute], [np.zeros(2 * n)]
    total, ends = absolute.sum(axis=0), slopes[0] + slopes[n]
    if budget is not None:
        upper += [total[None], ends[None], -ends[None]]
        bounds += [[budget * abs(1 - slope)], [budget * abs(1 + slope)] * 2]
    return np.vstack(upper), np.concatenate(bounds), equal, y, total, ends


def least_cost(grid, x, y, slope):
    """The least R(f) over interpolants with knots on the grid, by linear programming."""
    A, b, E, e, total, ends = grid_program(grid, x, y, slope)
    p, q = abs(1 - slope), abs(1 + slope)
    A = np.hstack([A, np.zeros((len(A), 1))])
    A = np.vstack([A, np.append(total, -p), np.append(ends, -q), np.append(-ends, -q)])
    cost = np.append(np.zeros(A.shape[1] - 1), 1.0)
    result = linprog(cost, A, np.append(b, [0, 0, 0]), np.hstack([E, np.zeros((len(E), 1))]), e, bounds=(None, None))
    return result.fun


def extreme_value(grid, x, y, slope, budget, at, sign):
    """The least (sign +1) or largest (-1) value at a grid point of an interpolant with R(f) <= budget."""
    A, b, E, e, _, _ = grid_program(grid, x, y, slope, budget)
    goal = np.zeros(A.shape[1])
    goal[np.searchsorted(grid, at)] = sign
    return sign * linprog(goal, A, b, E, e, bounds=(None, None)).fun


def fewest_knots(x, y, slope, budget):
    """The least number of knots of an interpolant with R(f) <= budget, by mixed-integer programming.

    Two knots inside a gap can be made one without changing the end slopes of the gap, and knots beyond the data can be
    moved to the outermost points. So a function is given by the slopes r_n, s_n at the start and the end of each gap: a
    knot inside it if they differ, and then l_n lies between them; and a knot at a point if s_{n-1} and r_n differ.
    """
    order = np.argsort(x)
    x, y = x[order], y[order]
    n = len(x)
    inner = np.diff(y) / np.diff(x)
    gaps = n - 1
    big = 4 * (np.abs(inner).max(initial=0.0) + budget * (abs(1 - slope) + abs(1 + slope)) + 1)
    # Variables: r (gaps), s (gaps), two ends; |s - r| (gaps), |jump| (n); gap knot, sense (gaps each), point knot (n).
    parts = np.cumsum([0, gaps, gaps, 2, gaps, n, gaps, gaps, n])
    r, s, ends, turn, jump, bent, sense, kinked = (np.arange(a, b) for a, b in itertools.pairwise(parts))
    rows, uppers = [], []

    def at_most(terms, bound):
        row = np.zeros(parts[-1])
        for column, weight in terms:
            row[column] += weight
        rows.append(row)
        uppers.append(bound)

    for k in range(gaps):
        for end in (r[k], s[k]):
            at_most([(end, 1), (bent[k], -big)], inner[k])
            at_most([(end, -1), (bent[k], -big)], -inner[k])
        # sense 1: r <= l <= s; sense 0: s <= l <= r.
        at_most([(r[k], 1), (sense[k], big)], inner[k] + big)
        at_most([(s[k], -1), (sense[k], big)], -inner[k] + big)
        at_most([(s[k], 1), (sense[k], -big)], inner[k])
        at_most([(r[k], -1), (sense[k], -big)], -inner[k])
        at_most([(s[k], 1), (r[k], -1), (turn[k], -1)], 0)
        at_most([(s[k], -1), (r[k], 1), (turn[k], -1)], 0)
    before, after = [ends[0], *s], [*r, ends[1]]
    for k in range(n):
        for sign in (1, -1):
            at_most([(after[k], sign), (before[k], -sign), (kinked[k], -big)], 0)
            at_most([(after[k], sign), (before[k], -sign), (jump[k], -1)], 0)
    at_most([(column, 1) for column in (*turn, *jump)], budget * abs(1 - slope))
    for sign in (1, -1):
        at_most([(ends[0], sign), (ends[1], sign)], budget * abs(1 + slope))
    binary = np.concatenate([bent, sense, kinked])
    low, high = np.full(parts[-1], -np.inf), np.full(parts[-1], np.inf)
    low[binary], high[binary] = 0, 1
    integrality = np.zeros(parts[-1])
    integrality[binary] = 1
    goal = np.zeros(parts[-1])
    goal[bent] = goal[kinked] = 1
    rows = LinearConstraint(sp.csr_array(np.array(rows)), ub=np.array(uppers))
    result = milp(goal, constraints=rows, integrality=integrality, bounds=Bounds(low, high))
    return round(result.fun)
