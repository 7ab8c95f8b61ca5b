r"""The program of a loss on the line, as a sparse cvxpy model over the values and slopes at given nodes.

    min  (1/N) sum_i loss(z_i, y_i) + alpha max( C / p, (C + S) / (p + q) )
    z = A f,   f_{k+1} - f_k = (t_{k+1} - t_k) l_k,   C = sum_k abs(l_{k+1} - l_k),   S = abs(l_1 + l_{K-1})

over values f_k at nodes t_1 < ... < t_K and slopes l_k; with positive output weights, l_{k+1} - l_k has the sign of
1 - a.

A interpolates linearly between the nodes, which include the outermost data points. With all data points as nodes
this is the problem itself; with fewer, a restriction of it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from cvxrelu.errors import unmet
from cvxrelu.line.cost import Rates, excess
from cvxrelu.problem.problem import Problem
from cvxrelu.program.scaling import Scaling
from cvxrelu.program.solvers import INFEASIBLE, check_point, check_solver, precisely, run_model
from cvxrelu.runtime.clock import Clock

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["LineSolution", "solve_on_nodes"]

Array = NDArray[np.float64]


# Tolerances are relative to the largest variable. Slopes exceed values by the extent of the data over their gaps, so
# the usual 1e-9 can mean 1e-6 in the values, and the program is solved precisely: 20 to 40 steps are usual.
MOST_STEPS = 60


@dataclass(frozen=True, eq=False)
class LineSolution:
    """What a solver proposes on the line, in the units of the problem.

    Attributes
    ----------
    nodes : (K,) array
        Where the function may bend.
    values : (K,) array
        Its values there, rebuilt from the slopes.
    slopes : (K - 1,) array
        Its slopes between them.
    end_slopes : tuple of float
        The slopes before the first node and after the last.
    dual : (N,) array
        The dual vector (up to a positive factor if the loss is a constraint).
    """

    nodes: Array
    values: Array
    slopes: Array
    end_slopes: tuple[float, float]
    dual: Array


@dataclass(frozen=True, eq=False)
class _Model:
    """The cvxpy model with the handles that a solution is read from."""

    problem: "cp.Problem"
    slopes: "cp.Expression"
    predictions: "cp.Variable"
    link: "cp.Constraint"
    unit: float


def solve_on_nodes(
    problem: Problem, nodes: Array, solver: str = "CLARABEL", clock: Clock | None = None
) -> LineSolution:
    """Solve a problem on the line among the functions that bend at given nodes only.

    Parameters
    ----------
    problem : Problem
        A problem with one feature, free bias and any loss that cvxpy can express.
    nodes : (K,) array
        Ascending; the outermost data points among them, or a single one for a constant function.
    solver : str, default "CLARABEL"
        As in `fit_function`.
    clock : Clock, optional
        When a solver that can is to stop.

    Raises
    ------
    InputError
        If the solver is not installed.
    SolverError
        If it ends without a solution.

    Examples
    --------
    >>> problem = Problem([[0.0], [1.0], [2.0]], [0.0, 0.0, 3.0], "squared", alpha=0.5)
    >>> solution = solve_on_nodes(problem, np.array([0.0, 1.0, 2.0]))
    >>> solution.slopes.round(6) + 0.0
    array([0.75, 0.75])
    """
    name = check_solver(solver)
    scaling, rates = Scaling.of(problem), Rates.of(problem.negative_slope, problem.skip)
    # Gaps are taken before centring, which could make two of them one.
    scale = 1.0 / float(scaling.transform[0, 0])
    A, gaps = _interpolation_matrix(problem.X[:, 0], nodes), np.diff(nodes) / scale
    model = _build(problem, scaling, rates, A, gaps)
    status = run_model(model.problem, name, clock or Clock(), precisely(name, MOST_STEPS))
    if status in INFEASIBLE and problem.one_sided:
        raise unmet(problem.loss.name, problem.bias, one_sided=True)
    check_point(model.problem, name, [model.predictions.value, model.link.dual_value])
    slopes = np.asarray(model.slopes.value, dtype=float)
    if problem.one_sided:
        # What the solver leaves of the wrong sign, to its tolerance.
        side = _side(problem)
        slopes = side * np.maximum.accumulate(side * slopes)
    values = np.concatenate([[0.0], np.cumsum(gaps * slopes)])
    values = values + float(np.mean(np.asarray(model.predictions.value) - A @ values))
    values, slopes = scaling.y_center + scaling.y_scale * values, slopes * (scaling.y_scale / scale)
    if problem.skip:
        values, slopes = values + scaling.y_slope[0] * nodes, slopes + scaling.y_slope[0]
    if problem.loss.labels and not problem.loss.regularised:
        values, slopes = _with_unit_margin(values, slopes, A @ values, problem.y)
    dual = np.asarray(model.link.dual_value, dtype=float)
    if problem.loss.regularised:
        dual = dual * (problem.n_samples * scaling.gradient_scale * model.unit)
    return LineSolution(nodes, values, slopes, _end_slopes(slopes, rates), dual)


def _build(problem: Problem, scaling: Scaling, rates: Rates, A: sp.csr_array, gaps: Array) -> _Model:
    """Write the program down, in the coordinates of the scaling."""
    import cvxpy as cp

    values, predictions = cp.Variable(len(gaps) + 1, name="values"), cp.Variable(len(problem.y), name="predictions")
    link = _equal(predictions, A @ values)
    loss = scaling.loss.expression(predictions, scaling.y)
    constraints: list[cp.Constraint] = [link, *loss.constraints]
    cost: cp.Expression | float = 0.0
    slopes: cp.Expression = cp.Constant(np.zeros(0))
    if len(gaps):
        slopes = cp.Variable(len(gaps), name="slopes")
        constraints.append(_equal(_difference(len(gaps) + 1) @ values, cp.multiply(gaps, slopes)))
        bending = cp.norm1(_difference(len(gaps)) @ slopes) if len(gaps) > 1 else cp.Constant(0.0)
        tilt = cp.abs(_ends(len(gaps)) @ slopes)
        cost = bending / rates.jump
        if problem.one_sided and len(gaps) > 1:
            constraints.append(cp.NonNeg(_side(problem) * (_difference(len(gaps)) @ slopes)))
        if rates.tilt < np.inf:
            cost = cp.maximum(cost, (bending + tilt) / (rates.jump + rates.tilt))
    # As in `program`: where alpha is small, the objective is measured in units of the cost.
    unit = min(1.0, scaling.alpha)
    objective = cp.Minimize(loss.mean / unit + scaling.alpha / unit * cost)
    return _Model(cp.Problem(objective, constraints), slopes, predictions, link, unit)


def _side(problem: Problem) -> float:
    """Return the sign of the jumps of f' that positive output weights make."""
    return float(np.sign(1 - problem.negative_slope))


def _equal(left: "cp.Expression", right: "cp.Expression") -> "cp.Constraint":
    """Return the constraint left == right, by a name whose type is known."""
    import cvxpy as cp

    return cp.Zero(left - right)


def _interpolation_matrix(x: Array, nodes: Array) -> sp.csr_array:
    """Return the (N, K) matrix that interpolates values at nodes linearly at x; all ones for a single node."""
    if len(nodes) == 1:
        return sp.csr_array(np.ones((len(x), 1)))
    k = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    share = (x - nodes[k]) / (nodes[k + 1] - nodes[k])
    row = np.arange(len(x))
    entries, rows, columns = np.concatenate([1 - share, share]), np.tile(row, 2), np.concatenate([k, k + 1])
    matrix = sp.csr_array((entries, (rows, columns)), shape=(len(x), len(nodes)))
    matrix.eliminate_zeros()
    return matrix


def _ends(size: int) -> Array:
    """Return the row that adds the first and the last of `size` entries."""
    return np.bincount([0, size - 1], minlength=size).astype(float)


def _difference(size: int) -> sp.dia_array:
    """Return the (size - 1, size) matrix of first differences."""
    ones = np.ones(size)
    return sp.dia_array((np.stack([-ones, ones]), [0, 1]), shape=(size - 1, size))


def _end_slopes(slopes: Array, rates: Rates) -> tuple[float, float]:
    """Return the cheapest slopes beyond the nodes; the left one takes the excess."""
    if not len(slopes):
        return 0.0, 0.0
    tilt = float(slopes[0] + slopes[-1])
    total = excess(float(np.abs(np.diff(slopes)).sum()), tilt, rates)
    return float(slopes[0] - np.sign(tilt) * total), float(slopes[-1])


def _with_unit_margin(values: Array, slopes: Array, z: Array, y: Array) -> tuple[Array, Array]:
    """Shift and scale a function that separates up to a solver's accuracy, so that it does with margin one."""
    above, below = float(z[y > 0].min()), float(z[y < 0].max())
    if above <= below:
        return values, slopes
    factor = 2.0 / (above - below)
    return (values - (above + below) / 2) * factor, slopes * factor
