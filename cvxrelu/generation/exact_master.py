r"""The restricted master problem of a loss with kinks, exactly, where samples are many and neurons few.

With Phi the (N, k) outputs of k neurons of unit cost, F a basis of what is free and B = N alpha, the dual of

    min over a, c:   sum_i loss(Phi_i a + F_i c, y_i) + B sum abs(a_j)

is a linear program in v with k rows and N columns that have limits each, where the loss is linear but for its kinks:

    max y.v   subject to   abs(Phi' v) <= B,   F'v = 0,   low <= v <= high

The simplex method moves columns from limit to limit and never sees the others: seconds for 20,000 samples, with memory
for Phi. The weights a are the multipliers of the rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from cvxrelu.errors import SolverError
from cvxrelu.generation.dual_master import MasterSolution
from cvxrelu.problem.problem import Problem
from cvxrelu.runtime.clock import Clock

__all__ = ["solve_exact"]

Array = NDArray[np.float64]

# What scipy.optimize.linprog calls the end of its time.
OUT_OF_TIME = 1


def solve_exact(problem: Problem, outputs: Array, clock: Clock) -> MasterSolution:
    """Solve the restricted master problem of a loss that is linear but for its kinks.

    Parameters
    ----------
    problem : Problem
        A problem with a penalised loss whose dual is linear, on a bounded box.
    outputs : (N, k) array
        Predictions of k neurons of unit cost and output weight one.
    clock : Clock
        Time to take.

    Returns
    -------
    MasterSolution
        The dual vector, the weights, of which those not in use are zero, and the coefficients of what is free.

    Raises
    ------
    TimeoutError
        If it was not solved in time.
    SolverError
        If the solver finds nothing.
    """
    k, free, bound = outputs.shape[1], problem.free.basis, problem.score_bound
    model = problem.loss.dual_model(problem.y, problem.y)
    # Rows in units of the bound and targets of order one, so that the solver's tolerances mean the same for all.
    rows = outputs.T / bound
    found: Any = linprog(
        model.slope,
        A_ub=rows if problem.one_sided else np.vstack([rows, -rows]),
        b_ub=np.ones(k if problem.one_sided else 2 * k),
        A_eq=free.T if free.size else None,
        b_eq=np.zeros(free.shape[1]) if free.size else None,
        bounds=np.column_stack([model.lower, model.upper]),
        method="highs-ds",
        options={"time_limit": clock.left} if clock.limited else {},
    )
    if found.status == OUT_OF_TIME:
        raise TimeoutError("The linear program over the neurons in use was not solved in time.")
    if found.x is None:
        raise SolverError(f"The linear program over the neurons in use was not solved: {found.message}")
    weights = -found.ineqlin.marginals / bound
    weights = weights if problem.one_sided else weights[:k] - weights[k:]
    constant, linear = problem.free.split(-found.eqlin.marginals)
    return MasterSolution(found.x, weights, constant, linear)
