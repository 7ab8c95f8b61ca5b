"""`optimal_set`: from a fit to the set of all optimal networks.

Fit -> accurate dual vector -> neurons that can carry weight -> polytope of their weights -> OptimalSet
"""

import numpy as np
from numpy.typing import NDArray

from cvxrelu.analysis.optima.dual import RefinedDual, refined_dual
from cvxrelu.analysis.optima.neurons import Neurons
from cvxrelu.analysis.optima.optimal import OptimalSet
from cvxrelu.analysis.optima.polytope import Polytope, polytope_of
from cvxrelu.analysis.optima.search import NeuronSearch
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.errors import InputError, SolverError
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.several_outputs import require_one_output
from cvxrelu.problem.validation import as_instance, as_limit
from cvxrelu.program.scaling import standardise
from cvxrelu.runtime.blas import one_blas_thread
from cvxrelu.runtime.keyboard import heeding_interrupts
from cvxrelu.solving.fit import Fit

__all__ = ["optimal_set"]

Array = NDArray[np.float64]

# Largest relative gap of the networks of a set, by default: that of the decoded networks of `solve`.
DEFAULT_TOL = 1e-7
# Neurons whose score falls short of the bound by less than the first share can carry weight. In an accurate dual vector
# those that can are within 1e-12 of it, and the next ones rarely within 1e-6. Some in between are all but the same as
# others, and no weights may make an optimal network until they are left out.
ACTIVE_RTOLS = (1e-9, 1e-11)
# Objective, as a share of the targets, that is rounding.
NOTHING = 1e-12
# Seconds for the proof of the lower bound of the accurate dual vector; without it that of the fit is used.
PROOF_SECONDS = 20.0


@heeding_interrupts()
@one_blas_thread()
def optimal_set(fit: Fit, tol: float = DEFAULT_TOL) -> OptimalSet:
    """Return the set of all optimal networks of the problem that a fit solved.

    Parameters
    ----------
    fit : Fit
        A fit with the Euclidean cost, of any loss and bias mode; its dual vector is where the search starts.
    tol : float, default 1e-7
        Largest relative gap that an inner network of the set may have.

    Returns
    -------
    OptimalSet
        The set. Up to 100,000 cells of the arrangement are searched for neurons one by one; of more, local ascent finds
        what it finds, and `exhaustive` is false.

    Raises
    ------
    InputError
        If the norm is not Euclidean, or there is a skip connection and the optimum costs nothing, or affine functions
        vanish on all samples or may grow without end.
    SolverError
        If the fit is too inaccurate, or the data too badly scaled, for a dual vector that explains the optimum.

    References
    ----------
    de Dios & Bruna, "On Sparsity in Overparametrised Shallow ReLU Networks", Theorem 4.7; Mishkin & Pilanci, "Optimal
    Sets and Solution Paths of ReLU Networks".
    """
    problem = as_instance(fit, Fit, "fit").problem
    as_limit(tol, "tol")
    require_one_output(problem.several, "optimal_set")
    if problem.norm.cellwise:
        raise InputError(f"The set of optimal networks is known for norm='euclidean', not for {problem.norm.name!r}.")
    spans = problem.free.rank == problem.free.columns.shape[1]
    if problem.skip and not (spans and fit.objective > NOTHING * np.abs(problem.y).max()):
        raise InputError(
            "With skip=True the set is known where the optimum costs something, and no affine function vanishes on all "
            "samples: here affine functions alone leave more networks than it would tell."
        )
    standard, scaling = standardise(problem)
    kept = problem.norm.neuron_costs(fit.network.W, fit.network.b) > 0
    search = NeuronSearch.of(standard, *scaling.adopt(fit.network.W[kept], fit.network.b[kept]))
    cost = float(np.abs(fit.network.v) @ problem.norm.neuron_costs(fit.network.W, fit.network.b)) / scaling.y_scale
    dual = refined_dual(search, fit.certificate.dual / scaling.gradient_scale, cost)
    neurons, polytope = dual.neurons, None
    for share in ACTIVE_RTOLS:
        neurons = dual.neurons[dual.v @ dual.neurons.outputs >= standard.score_bound * (1 - share - 10 * dual.error)]
        polytope = _polytope(standard, neurons, dual)
        if polytope is not None:
            break
    if polytope is None:
        raise SolverError(
            f"No weights of the {len(neurons)} neurons that reach the bound of the best dual vector, which misses by "
            f"{dual.error:.1e}, make an optimal network; look for near-duplicate rows in X, or fit with a smaller tol."
        )
    if polytope.dimension and not polytope.bounded:
        raise InputError(
            "Optimal networks differ here by affine functions without bound, which no sample that counts sees; pass "
            "skip=False, or look at the network of the fit alone."
        )
    carries = polytope.strict[: len(neurons)]
    polytope = polytope.restricted(np.append(carries, np.ones(len(polytope.center) - len(neurons), dtype=bool)))
    lower = _lower(fit, search, dual.v * scaling.gradient_scale)
    found = OptimalSet(problem, neurons[carries], polytope, scaling, lower, search.exhaustive, dual.error)
    if found.center.relative_gap > tol:
        raise SolverError(
            f"The networks found are proven optimal up to a relative gap of {found.center.relative_gap:.1e} only, "
            f"above tol={tol:g}; pass a larger tol."
        )
    return found


def _polytope(problem: Problem, neurons: Neurons, dual: RefinedDual) -> Polytope | None:
    """Return the weights (lambda, c) that make the predictions that go with the dual vector."""
    outputs, free = neurons.outputs, dual.sides == 0
    outputs = np.hstack([outputs, problem.free.basis])
    sided = dual.sides[~free]
    positive = np.eye(len(neurons), outputs.shape[1])
    return polytope_of(
        outputs[free],
        dual.targets[free],
        np.vstack([positive, sided[:, None] * outputs[~free]]),
        np.append(np.zeros(len(neurons)), sided * dual.targets[~free]),
    )


def _lower(fit: Fit, search: NeuronSearch, dual: Array) -> float:
    """Return the best lower bound: that of the fit or that of the accurate dual vector."""
    lower = fit.certificate.lower if fit.certificate.scope == "global" else 0.0
    if search.exhaustive:
        lower = max(lower, certify_dual(fit.problem, fit.network, dual, time_limit=PROOF_SECONDS).lower)
    return lower
