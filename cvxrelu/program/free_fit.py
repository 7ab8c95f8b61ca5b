r"""The best network of zero cost: a constant or, with a skip connection, an affine function of the input.

    min over c:  (1/N) sum_i loss((B c)_i, y_i),     B the basis of what is free (`cvxrelu.problem.free`)

Each loss knows its best constant. The best affine function is least squares where the loss is squared, found by
Newton's method where it has a gradient, and otherwise a convex program with as many unknowns as there are features,
whose multipliers are a dual vector. For a constraint it is the shortest c that meets it, if any does: then nothing is
cheaper.
"""

from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog, minimize

from cvxrelu.certificate.bounds import unsearched
from cvxrelu.certificate.evaluation import evaluate
from cvxrelu.errors import InputError, SolverError
from cvxrelu.problem.losses import Loss
from cvxrelu.problem.losses.circulation import paths_of
from cvxrelu.problem.network import Network, constant_network
from cvxrelu.problem.problem import Problem
from cvxrelu.program.groups import made_feasible
from cvxrelu.program.scaling import AFFINE_RTOL, Scaling
from cvxrelu.program.solvers import precisely, run_model
from cvxrelu.runtime.clock import Clock

__all__ = ["FreeFit", "best_free_network", "free_fit", "meets_for_free"]

Array = NDArray[np.float64]

EPS = float(np.finfo(float).eps)
# Slope of labels along an affine function of unit size, per sample, above which it separates them.
SEPARATES = 1e-9
# Losses that then have no minimum, and those that do.
SEPARATING = {"logistic": "loss='hinge' or loss='margin'", "softmax": "loss='multiclass-margin'"}
# So small a program is solved precisely, in a few more steps.
MOST_STEPS = 100
# Steps of a trust region, and the share of the first gradient at which they end: ten are usual. Those of conjugate
# gradients stay clear of what makes no difference, such as one function for all classes.
TRUST_STEPS, GRADIENT_RTOL = 100, 1e-6
# Newton steps after these, which look at objectives and so miss half of the digits; two or three do.
POLISHING = 5


class FreeFit(NamedTuple):
    """A network of zero cost, and a dual vector that goes with it; None where nothing free meets the constraint."""

    network: Network | None
    dual: Array


_KNOWN: "WeakKeyDictionary[Problem, FreeFit]" = WeakKeyDictionary()


def best_free_network(problem: Problem) -> Network:
    """Return the network of zero cost with the least loss.

    Raises
    ------
    InputError
        If there is none: the loss is logistic or the softmax, and the classes are separated by hyperplanes.

    Examples
    --------
    >>> problem = Problem([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0], loss="squared", alpha=1.0, skip=True)
    >>> best_free_network(problem).skip.round(12)
    array([1.])
    """
    network = free_fit(problem).network
    assert network is not None, "a regularised loss has a network of zero cost"
    return network


def meets_for_free(problem: Problem, clock: Clock) -> Network | None:
    """Return an affine function that meets the constraint of a loss, if there is a skip connection and one is found."""
    return free_fit(problem, clock).network if problem.skip and not problem.loss.regularised else None


def free_fit(problem: Problem, clock: Clock | None = None) -> FreeFit:
    """Return the best network of zero cost, or what a clock leaves of the search; errors as `best_free_network`."""
    found, clock = _KNOWN.get(problem), clock or Clock()
    if found is None:
        found = _affine_fit(problem, clock) if problem.skip else _constant_fit(problem)
        if found.network is not None or not clock.expired:
            _KNOWN[problem] = found
    return found


def _constant_fit(problem: Problem) -> FreeFit:
    return FreeFit(_best_constant(problem), problem.no_dual)


def _best_constant(problem: Problem) -> Network:
    best = problem.loss.constants if problem.several else problem.loss.best_constant
    value = best(problem.y) if problem.norm.has_free_constant else 0.0 * problem.no_dual[0]
    return constant_network(value, problem.n_features, problem.negative_slope)


def _affine_fit(problem: Problem, clock: Clock) -> FreeFit:
    """Return the best affine function, or what the clock leaves of the search for it."""
    scaling, free, loss = Scaling.of(problem), problem.free, problem.loss
    _refuse_separable(problem)
    coefficients, dual = np.zeros((free.rank, *problem.no_dual.shape[1:])), problem.no_dual
    flat = loss.moves and np.abs(scaling.y).max() * scaling.y_scale <= AFFINE_RTOL * np.abs(problem.y).max()
    if loss.name == "squared" and not flat:
        shares = np.sqrt(np.ones(len(dual)) if problem.sample_weight is None else problem.sample_weight)
        found: Any = np.linalg.lstsq(shares[:, None] * free.basis, (shares * scaling.y.T).T)
        coefficients = np.asarray(found[0], dtype=float)
        force = loss.force(free.basis @ coefficients, scaling.y)
        assert force is not None, "the squared loss has a gradient"
        dual = force * scaling.gradient_scale
    elif flat or loss.fixes_predictions:
        pass  # The scaling has taken all that is affine off the targets.
    elif free.rank:
        coefficients, dual = _solved(problem, scaling, clock)
    A, c = free.affine(coefficients * scaling.y_scale)
    with np.errstate(over="ignore", invalid="ignore"):
        constant, slopes = (c + scaling.y_center) * problem.norm.has_free_constant, A + scaling.y_slope
    if not (np.isfinite(slopes).all() and np.isfinite(constant).all()):
        raise InputError(
            "The best affine function has slopes beyond the largest float; bring y and the columns of X to like units."
        )
    if loss.moves and loss.regularised and problem.norm.has_free_constant:
        # A trend of the last digit is rounding, and not all digits of its slopes and constant are known.
        level = np.ptp(problem.X @ slopes, axis=0) <= 2 * EPS * np.abs(problem.y).max(axis=0)
        slopes = np.where(level, 0.0, slopes)
        constant = np.where(level, _best_constant(problem).intercept, constant)[()]
    network = constant_network(constant, problem.n_features, problem.negative_slope, slopes)
    if loss.regularised:
        # Where targets hardly vary, rounding of slopes costs more than they are worth: what is proven of them counts.
        proof = unsearched(problem.no_dual)
        both = (_best_constant(problem), network)
        return FreeFit(min(both, key=lambda found: evaluate(problem, found, proof, exact=True).upper), dual)
    network = made_feasible(problem, network)
    met = np.isfinite(problem.objective(network)) and (flat or loss.labels)
    return FreeFit(network if met else None, dual)


def _solved(problem: Problem, scaling: Scaling, clock: Clock) -> tuple[Array, Array]:
    """Return the coefficients of the best combination, and the dual vector; zeros where a constraint cannot be met."""
    loss, B = scaling.loss, problem.free.basis
    descends = loss.regularised and loss.smooth and loss.tells_dual
    found, dual = _descended(problem, scaling) if descends else None, problem.no_dual
    if found is None:
        found, dual = _programmed(problem, scaling, clock)
    if not loss.regularised:
        return found, dual
    found = _polished(problem, scaling, found) if descends else found
    forced = loss.force(B @ found, scaling.y)
    return found, dual if forced is None else forced * scaling.gradient_scale


def _programmed(problem: Problem, scaling: Scaling, clock: Clock) -> tuple[Array, Array]:
    """Return the solution of the convex program, and its multipliers as a dual vector."""
    import cvxpy as cp

    loss, free = scaling.loss, problem.free
    outputs = problem.no_dual.shape[1:]
    coefficients, predictions = cp.Variable((free.rank, *outputs)), cp.Variable((problem.n_samples, *outputs))
    link: Any = cp.Zero(predictions - free.basis @ coefficients)
    paid = loss.expression(predictions, scaling.y)
    objective: Any = cp.sum(paid.losses) / problem.n_samples if loss.regularised else cp.sum_squares(coefficients)
    model = cp.Problem(cp.Minimize(objective), [link, *paid.constraints])
    try:
        run_model(model, "CLARABEL", clock, precisely("CLARABEL", MOST_STEPS))
    except SolverError:
        if loss.regularised:
            raise
    if coefficients.value is None or not np.isfinite(coefficients.value).all():
        if loss.regularised:
            raise SolverError("The best affine function was not found; rescale the data.")
        return np.zeros((free.rank, *outputs)), problem.no_dual
    unit = problem.n_samples * scaling.gradient_scale if loss.regularised else 1.0
    return np.asarray(coefficients.value, dtype=float), np.asarray(link.dual_value, dtype=float) * unit


def _descended(problem: Problem, scaling: Scaling) -> Array | None:
    """Return the best coefficients for a loss with a gradient; None if steps do not get there."""
    loss, y, B = scaling.loss, scaling.y, problem.free.basis
    shape, n = (problem.free.rank, *problem.no_dual.shape[1:]), problem.n_samples

    def gradient(flat: Array) -> Array:
        force = loss.force(B @ flat.reshape(shape), y)
        assert force is not None, "the loss has a gradient"
        return -(B.T @ force).ravel() / n

    start = np.zeros(shape).ravel()
    enough = max(GRADIENT_RTOL * float(np.linalg.norm(gradient(start))), np.finfo(float).tiny)
    with np.errstate(all="ignore"):  # where nothing is curved steps divide by zero, and get nowhere
        found: Any = minimize(
            lambda flat: loss.value(B @ flat.reshape(shape), y),
            start,
            method="trust-ncg",
            jac=gradient,
            hess=lambda flat: _curvature(loss, y, B, flat.reshape(shape)) / n,
            options={"gtol": enough, "maxiter": TRUST_STEPS},
        )
    reached = np.isfinite(found.x).all() and np.linalg.norm(gradient(found.x)) <= enough
    return found.x.reshape(shape) if reached else None


def _polished(problem: Problem, scaling: Scaling, coefficients: Array) -> Array:
    """Return the coefficients after a few Newton steps, where the loss has a gradient."""
    loss, y, B = scaling.loss, scaling.y, problem.free.basis
    for _ in range(POLISHING):
        force = loss.force(B @ coefficients, y)
        if force is None:
            break
        step: Any = np.linalg.lstsq(_curvature(loss, y, B, coefficients), (B.T @ force).ravel())[0]
        moved = coefficients + step.reshape(coefficients.shape)
        after = loss.force(B @ moved, y)
        if after is None or not np.linalg.norm(B.T @ after) < np.linalg.norm(B.T @ force):
            break
        coefficients = moved
    return coefficients


def _curvature(loss: Loss, y: Array, B: Array, coefficients: Array) -> Array:
    """Return the Hessian of N times the loss in the coefficients, for a loss with a gradient."""
    z = B @ coefficients
    if loss.several:
        bends, (rank, count) = loss.bends(z, y), coefficients.shape
        matrix = np.zeros((rank, count, rank, count))
        for k, other in zip(*np.tril_indices(count), strict=True):
            if bends[:, k, other].any():
                matrix[:, k, :, other] = B.T @ (bends[:, k, other, None] * B)
                matrix[:, other, :, k] = matrix[:, k, :, other]
        return matrix.reshape((coefficients.size,) * 2)
    # The curvature of a loss is one over that of its conjugate; it is straight where the conjugate ends.
    force = loss.force(z, y)
    assert force is not None, "the loss has a gradient"
    model = loss.dual_model(force, y)
    bends = np.where((model.lower < force) & (force < model.upper), 1.0 / model.curvature, 0.0)
    return B.T @ (bends[:, None] * B)


def _refuse_separable(problem: Problem) -> None:
    """Refuse losses of labels where affine functions separate the classes, weakly: they have no minimum then."""
    loss, basis = problem.loss, problem.free.basis
    if loss.name not in SEPARATING or not problem.free.rank:
        return
    if loss.several:
        signed = paths_of(basis, problem.y.astype(np.intp), problem.n_outputs)
    else:
        signed = problem.y[:, None] * basis
    found = linprog(-signed.mean(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1.0, 1.0))
    if found.x is not None and -found.fun > SEPARATES:
        separates = "Affine functions separate some of" if loss.several else "A hyperplane separates"
        raise InputError(
            f"{separates} the classes and a skip connection costs nothing, so that loss={loss.name!r} has no minimum; "
            f"use {SEPARATING[loss.name]}, or skip=False."
        )
