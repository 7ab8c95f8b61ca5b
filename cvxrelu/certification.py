r"""Certificates of networks that came from elsewhere.

    upper = objective of your network,   lower = what `solve` proves about all networks,   upper / lower - 1 >= excess

How a network was trained does not matter: its objective is evaluated on the data, and the lower bound holds for all.
"""

from typing import Any

from cvxrelu.certificate import Certificate
from cvxrelu.fit import solve
from cvxrelu.foreign import as_network
from cvxrelu.problem import Problem
from cvxrelu.validation import as_instance

__all__ = ["certify"]


def certify(network: Any, problem: Problem, **solve_options: Any) -> Certificate:
    """Return how far any network can be from the best of all networks of every width.

    Parameters
    ----------
    network : Network, Fit, estimator, module, mapping or sequence
        Whatever `as_network` reads; what does not name its slope gets that of the problem.
    problem : Problem
        What the network is measured by. For a binary classifier of scikit-learn, y is -1 for its first class and +1 for
        its second, and the loss is "logistic" or another that takes labels.
    **solve_options
        Options of `solve`, which finds the lower bound; a tighter `tol` gives a tighter statement.

    Returns
    -------
    Certificate
        The upper bound is the objective of this network; `sentence` says in words what is proven. The network's
        objective is infinite if it does not meet the constraints of the loss "interpolation" or "margin".

    Raises
    ------
    InputError, InputTypeError
        If the network cannot be read, or does not go with the problem.

    Notes
    -----
    Weight decay is this cost in disguise: (v^2 + norm(w)^2) / 2 >= abs(v) norm(w), with equality once a neuron is
    rescaled. So ``MLPRegressor(alpha=A)`` and ``MLPClassifier(alpha=A)`` of scikit-learn, whose biases are free,
    minimise the objective of ``Problem(X, y, loss="squared", alpha=A / N)`` and of the same with loss "logistic";
    with ``solver="lbfgs"``, ``certificate.upper`` is at most the ``loss_`` they report.

    Examples
    --------
    A network with one neuron too many, for points on a line of slope one:

    >>> from cvxrelu.network import Network
    >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
    >>> detour = Network(W=[[1.0], [1.0]], b=[0.0, -2.0], v=[1.0, 0.25])
    >>> print(certify(detour, problem, method="enumerate"))
    At most 26 % above the best possible (proven for networks of every width).
    """
    as_instance(problem, Problem, "problem")
    checked = as_network(network, problem.negative_slope)
    problem.check_network(checked)
    return solve(problem, **solve_options).certificate.of(checked)
