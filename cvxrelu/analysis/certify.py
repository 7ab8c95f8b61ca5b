r"""Certificates of networks that came from elsewhere.

    upper = objective of your network,   lower = what is proven about all networks,   upper / lower - 1 >= excess

How a network was trained does not matter: its objective is evaluated on the data, and the lower bound holds for all.
With more than a few features that bound is the relaxation's (`cvxrelu.relaxation`), which needs no network at all;
elsewhere it is what `solve` proves of its own.
"""

from typing import Any

import numpy as np

from cvxrelu.analysis.foreign import as_network
from cvxrelu.certificate.bounds import nothing_proven
from cvxrelu.certificate.certificate import Certificate, certificate_of
from cvxrelu.errors import InputError, Interrupted, SolverError
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_flag, as_instance, as_jobs, as_real, as_seconds
from cvxrelu.relaxation import is_relaxed_first, tighten
from cvxrelu.runtime.blas import one_blas_thread
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.keyboard import heeding_interrupts
from cvxrelu.solving.fit import solve

__all__ = ["certify"]


@heeding_interrupts()
@one_blas_thread()
def certify(
    network: Any,
    problem: Problem,
    *,
    tol: float = 1e-6,
    time_limit: float | None = None,
    n_jobs: int = 1,
    progress: bool = False,
    **solve_options: Any,
) -> Certificate:
    """Return how far any network can be from the best of all networks of every width.

    Parameters
    ----------
    network : Network, Fit, estimator, module, mapping or sequence
        Whatever `as_network` reads; what does not name its slope gets that of the problem.
    problem : Problem
        What the network is measured by. For a binary classifier of scikit-learn, y is -1 for its first class and +1 for
        its second, and the loss is "logistic" or another that takes labels.
    tol : float, default 1e-6
        Relative gap between the network and the bound, from which on no better bound is sought.
    time_limit : float, optional
        Seconds to take: with more than five features a first bound takes some seconds, and every round tightens it.
        Without a limit that is left after a fixed amount of work, half a minute or so.
    n_jobs : int, default 1
        Workers, as in `solve`.
    progress : bool, default False
        Whether to show a progress bar.
    **solve_options
        Other options of `solve`. With any of them the bound comes from `solve`, whatever the data.

    Returns
    -------
    Certificate
        The upper bound is the objective of this network; `sentence` says in words what is proven. The network's
        objective is infinite if it does not meet the constraints of the loss "interpolation" or "margin".

    Raises
    ------
    InputError, InputTypeError
        If the network cannot be read, or does not go with the problem.
    SolverError
        If neither this network nor any that is found meets the constraint of the loss; where this one does, nothing is
        proven then.
    Interrupted
        At Ctrl-C, with what is known by then: the certificate, or a fit of the problem.

    Notes
    -----
    Weight decay is this cost in disguise: (v^2 + norm(w)^2) / 2 >= abs(v) norm(w), with equality once a neuron is
    rescaled. So ``MLPRegressor(alpha=A)`` and ``MLPClassifier(alpha=A)`` of scikit-learn, whose biases are free,
    minimise the objective of ``Problem(X, y, loss="squared", alpha=A / N)`` and of the same with loss "logistic", or
    "softmax" for several classes; with ``solver="lbfgs"``, ``certificate.upper`` is at most the ``loss_`` they report.
    Of K targets scikit-learn takes the mean loss and not the sum: that is ``alpha=K * A / N``, and K times ``loss_``.

    Examples
    --------
    A network with one neuron too many, for points on a line of slope one:

    >>> from cvxrelu.problem.network import Network
    >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
    >>> detour = Network(W=[[1.0], [1.0]], b=[0.0, -2.0], v=[1.0, 0.25])
    >>> print(certify(detour, problem, method="enumerate"))
    At most 26 % above the best possible (proven for networks of every width).
    """
    as_instance(problem, Problem, "problem")
    checked = as_network(network, problem.negative_slope)
    problem.check_network(checked)
    if solve_options or not is_relaxed_first(problem):
        options = {"tol": tol, "time_limit": time_limit, "n_jobs": n_jobs, "progress": progress, **solve_options}
        try:
            return solve(problem, **options).certificate.of(checked)
        except SolverError:
            certificate = certificate_of(problem, checked, nothing_proven(problem))
            if not np.isfinite(certificate.upper):
                raise
            return certificate
    if as_real(tol, "tol") <= 0:
        raise InputError(f"tol={tol:g} must be positive.")
    certificate = certificate_of(problem, checked, nothing_proven(problem))
    clock, target = Clock(as_seconds(time_limit)), certificate.upper * (1 - tol)
    try:
        with heeding_interrupts():
            for state in tighten(problem, clock, target, as_flag(progress, "progress"), as_jobs(n_jobs)):
                certificate = certificate_of(problem, checked, state.bound)
    except KeyboardInterrupt:
        message = f"Interrupted; .certificate is what was proven until then. {certificate}"
        raise Interrupted(message, certificate=certificate) from None
    return certificate
