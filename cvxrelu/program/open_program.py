r"""The convex program of a problem, open for constraints and terms of one's own.

    min loss(f) + alpha * cost(f)   subject to whatever is convex in the predictions f(x) at given points

Predictions are affine in the variables of the program at every point whose side of a neuron is known, that is, at the
points whose sign patterns the cells are. So all points at which something is to hold have to be among those that cells
are made of: the rows of X and `points`. The cells of all of them are enough for the optimum: the dual of the program
with constraints is a dual vector v over all these points, whatever the constraints are, and the neuron of largest score
for it has its hinge through one of them (the argument of `cvxrelu.program.program`).
"""

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.arrangement import Arrangement, count_patterns, enumerate_patterns
from cvxrelu.errors import InputError, SizeError, SolverError
from cvxrelu.problem.losses import Interpolation
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.rows import name_rows
from cvxrelu.problem.several_outputs import require_one_output
from cvxrelu.problem.validation import as_floats, as_matrix
from cvxrelu.program.backend import Solution
from cvxrelu.program.cells import Cells, covering_cells
from cvxrelu.program.decode import decode
from cvxrelu.program.program import GroupVariables, variables_of
from cvxrelu.program.scaling import Scaling

if TYPE_CHECKING:
    import cvxpy as cp

__all__ = ["OpenProgram", "build_program"]

Array = NDArray[np.float64]

# Cells beyond which a model takes minutes and gigabytes before anything is solved.
MOST_CELLS = 200_000


@dataclass(frozen=True, eq=False)
class OpenProgram:
    """The convex program of a problem in cvxpy, in the units of the problem.

    Attributes
    ----------
    problem : Problem
        The problem.
    predictions : cvxpy.Expression
        f(x_i) at the rows of X, (N,), affine.
    loss : cvxpy.Expression or float
        The mean loss, convex; 0.0 if the loss is a constraint.
    cost : cvxpy.Expression
        The cost of the network, convex.
    objective : cvxpy.Expression
        loss + alpha * cost, or the cost alone.
    constraints : list of cvxpy.Constraint
        What a program has to have: groups stay in their cells, and the constraint of the loss.
    scope : {"global", "sampled"}
        "global" if all cells are there that a network of any width may need; "sampled" if patterns were given. It
        speaks of the model: how near a solver comes to its optimum is for the solver to say.

    See Also
    --------
    build_program : Makes one.
    """

    problem: Problem
    predictions: "cp.Expression"
    loss: "cp.Expression | float"
    cost: "cp.Expression"
    objective: "cp.Expression"
    constraints: "list[cp.Constraint]"
    scope: Literal["global", "sampled"]
    _places: Array
    _heights: Any
    _offsets: Array
    _carrier: Problem
    _scaling: Scaling
    _cells: Cells
    _groups: GroupVariables

    def __repr__(self) -> str:
        return (
            f"OpenProgram({self.problem.n_samples} samples, {len(self._places)} places, {len(self._cells)} cells, "
            f"scope={self.scope!r})"
        )

    def predict(self, X: ArrayLike) -> "cp.Expression":
        """Return f at the n rows of X as an affine expression, (n,).

        Parameters
        ----------
        X : (n, d) array_like
            Points, each a row of the problem's X or of `points`.

        Raises
        ------
        InputError
            If a row is neither: its predictions are not affine in the program.
        """
        rows = as_matrix(X)
        known = {row.tobytes(): k for k, row in enumerate(self._places + 0.0)}
        found = [known.get(row.tobytes(), -1) for row in rows + 0.0]
        unknown = [k for k, place in enumerate(found) if place < 0]
        if unknown:
            raise InputError(
                f"The program knows nothing of {name_rows(unknown)} of X; pass all points that you want to constrain "
                "to build_program as points=, so that it has their sign patterns."
            )
        return self._heights[found]

    def network(self) -> Network:
        """Return the network that the variables hold after a solve, with the predictions and the cost of the model.

        As a rule it has at most as many neurons as there are places among X and `points`, and predicts there what the
        program does to some eight digits or more; where fewer neurons would miss that, all of the program's stay. What
        `cvxrelu.certify(network, problem)` proves is a statement about the problem *without* constraints: its lower
        bound holds with them, too, and is the less tight the more they cost.

        Raises
        ------
        SolverError
            If the variables have no values, since no program with them was solved, or it has no solution.
        """
        if any(variable.value is None for variable in self._groups.variables):
            raise SolverError(
                "The program has no solution to read a network from; solve a cvxpy.Problem with its objective and its "
                "constraints first, and see that its status is 'optimal'."
            )
        scaling, (plus, minus) = self._scaling, self._groups.vectors
        heights = np.asarray(self._heights.value, dtype=float)
        carrier = replace(self._carrier, y=heights, loss="interpolation", alpha=None)
        aimed = replace(scaling, loss=Interpolation(), y=(heights - self._offsets) / scaling.y_scale)
        value = float(np.asarray(self.cost.value)) / scaling.objective_scale
        constant, linear = carrier.free.split(self._groups.coefficients)
        unknown = np.zeros(len(heights))  # the dual vector, which decoding does not ask for
        solution = Solution(plus, minus, constant, unknown, value, True, self._cells, aimed, linear)
        return decode(carrier, solution, resolve=None)


def build_program(
    problem: Problem, patterns: ArrayLike | None = None, *, points: ArrayLike | None = None
) -> OpenProgram:
    r"""Return the convex program of a problem, for constraints and objectives of your own.

    min (1/N) sum_i loss(f(x_i), y_i) + alpha * sum_s norm(M_s u_s+) + norm(M_s u_s-) over groups u_s in the cells s of
    the rows of X and of `points`; nothing is solved.

    Parameters
    ----------
    problem : Problem
        The problem; unless `patterns` are given small enough for all of them, such as a hundred points in the plane.
    patterns : (P, N + n) array_like of signs, optional
        Sign patterns at the rows of X and then of `points`: True or positive for the side where a neuron is active. By
        default all that hyperplanes can cut, which makes the program exact.
    points : (n, d) array_like, optional
        Further points at which predictions are to be constrained.

    Returns
    -------
    OpenProgram
        Expressions of cvxpy, and the way back to a network.

    Raises
    ------
    InputError, InputTypeError
        If an argument is unusable, or there are `points` and the norm is a mean over the data.
    SizeError
        If there are too many sign patterns.

    References
    ----------
    Kumar & Haupt, "Convexifying Sparse Interpolation with Infinitely Wide Neural Networks: An Atomic Norm Approach",
    Theorems 1 to 3.

    Examples
    --------
    The interpolant of least cost that is at least one in the middle, though no data say so:

    >>> import cvxpy as cp
    >>> problem = Problem([[-1.0], [1.0]], [0.0, 0.0])
    >>> program = build_program(problem, points=[[0.0]])
    >>> model = cp.Problem(cp.Minimize(program.objective), [*program.constraints, program.predict([[0.0]]) >= 1])
    >>> print(round(model.solve(solver="CLARABEL"), 6))  # the tent: slopes 1 and -1
    2.0
    >>> network = program.network()
    >>> round(problem.objective(network), 6), network([[0.0]]).round(6)
    (2.0, array([1.]))
    """
    require_one_output(problem.several, "build_program")
    further = np.empty((0, problem.n_features)) if points is None else as_matrix(points, "points")
    if further.shape[1] != problem.n_features:
        raise InputError(f"points has {further.shape[1]} columns, and X has {problem.n_features}.")
    if len(further) and problem.norm.cellwise:
        raise InputError(f"norm={problem.norm.name!r} is known on the data alone; points= takes norm='euclidean'.")
    places, first, at = np.unique(np.vstack([problem.X, further]) + 0.0, axis=0, return_index=True, return_inverse=True)
    at = at.reshape(-1)[: problem.n_samples]
    carrier = _carrier(problem, places, at)
    cells = _all_cells(carrier) if patterns is None else _given_cells(patterns, first, problem.n_samples + len(further))
    scaling = Scaling.of(carrier)
    groups = variables_of(carrier, scaling, cells)
    offsets = scaling.y_center + places @ scaling.y_slope
    heights = offsets + scaling.y_scale * groups.output
    predictions, cost = heights[at], scaling.y_scale / scaling.cost_scale * groups.cost
    paid = problem.loss.expression(predictions, problem.y)
    return OpenProgram(
        problem=problem,
        predictions=predictions,
        loss=paid.mean,
        cost=cost,
        objective=paid.mean + problem.cost_weight * cost,
        constraints=[*groups.constraints, *paid.constraints],
        scope="global" if patterns is None else "sampled",
        _places=places,
        _heights=heights,
        _offsets=offsets,
        _carrier=carrier,
        _scaling=scaling,
        _cells=cells,
        _groups=groups,
    )


def _carrier(problem: Problem, places: Array, at: NDArray[np.intp]) -> Problem:
    """Return a problem at all places that has the costs and the coordinates of the given one."""
    counts = np.bincount(at, problem.sample_weight, len(places))
    heights = np.bincount(at, problem.y, len(places)) / np.maximum(np.bincount(at, minlength=len(places)), 1)
    heights[counts == 0] = problem.y.mean()
    return Problem(
        places,
        heights,
        loss="squared",
        alpha=1.0,
        bias=problem.bias,
        norm=problem.norm,
        negative_slope=problem.negative_slope,
        skip=problem.skip,
        output_sign=problem.output_sign,
        sample_weight=counts if problem.norm.cellwise else None,
    )


def _all_cells(carrier: Problem) -> Cells:
    """Return cells that cover all neurons."""
    arrangement = enumerate_patterns(carrier.X, carrier.norm.has_bias)
    most = count_patterns(carrier.n_samples, carrier.n_features, carrier.norm.has_bias)
    if most > MOST_CELLS and _has_more(arrangement, MOST_CELLS):
        raise SizeError(
            f"The {carrier.n_samples} places have up to {most:,} sign patterns, too many for one program; pass some of "
            "them, such as those of cvxrelu.sample_patterns, as patterns=, or use cvxrelu.solve."
        )
    cells = Cells(arrangement.to_bool(), arrangement.facets())
    return covering_cells(carrier, cells, arrangement.classes.leaders)


def _has_more(arrangement: Arrangement, count: int) -> bool:
    """Tell whether there are more patterns than so many, of which no more are enumerated than it takes to know."""
    seen = accumulate(2 * len(block) for block in arrangement.half_blocks())
    return any(found > count for found in seen)


def _given_cells(patterns: ArrayLike, first: NDArray[np.intp], n_points: int) -> Cells:
    """Return the cells of given patterns at the places, the first row at each of which is known."""
    signs = as_floats(patterns, "patterns")
    if signs.ndim != 2 or signs.shape[1] != n_points or not len(signs) or np.isnan(signs).any():
        raise InputError(
            f"patterns has shape {signs.shape}; it must be (P, {n_points}): a sign for each row of X and of points, "
            "none of them NaN."
        )
    active = signs[:, first] > 0
    return Cells(active, np.ones_like(active))
