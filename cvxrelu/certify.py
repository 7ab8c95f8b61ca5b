r"""Certificates of networks that came from elsewhere.

    upper = objective of your network,   lower = what `solve` proves about all networks,   upper / lower - 1 >= excess

How a network was trained does not matter: its objective is evaluated on the data, and the lower bound holds for all.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cvxrelu.certificate import Certificate
from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.fit import Fit, solve
from cvxrelu.network import Network
from cvxrelu.problem import Problem

__all__ = ["as_network", "certify"]

PARTS = ("W", "b", "v", "intercept", "negative_slope")


def as_network(model: Any, negative_slope: float = 0.0) -> Network:
    """Return a one-hidden-layer network as a `Network`.

    Parameters
    ----------
    model : Network, Fit, estimator, tuple or mapping
        A network of this package, or a `Fit` or a fitted estimator that holds one; a fitted `MLPRegressor` or binary
        `MLPClassifier` of scikit-learn with one hidden layer and activation "relu" (of a classifier, the logit of its
        second class); a tuple (W, b, v) or (W, b, v, c) of arrays with shapes (m, d), (m,), (m,) and a number; or a
        mapping with the keys "W", "b", "v" and, if wanted, "intercept" and "negative_slope".
    negative_slope : float, default 0.0
        Slope of the activation for tuples and for mappings that do not name it.

    Returns
    -------
    Network
        The network; its predictions are those of the model.

    Raises
    ------
    InputTypeError
        If the model is none of these.
    InputError
        If the model is not fitted, has another number of hidden layers or outputs, or another activation.

    Examples
    --------
    >>> as_network(([[1.0], [-1.0]], [0.0, 0.0], [1.0, 1.0]))([[-3.0]])
    array([3.])
    """
    if isinstance(model, Network):
        return model
    if isinstance(model, Fit):
        return model.network
    if isinstance(getattr(model, "network_", None), Network):
        return model.network_
    if isinstance(getattr(model, "networks_", None), list):
        return _only_network(model.networks_)
    if hasattr(model, "hidden_layer_sizes"):
        return _network_of_mlp(model)
    if isinstance(model, Mapping):
        unknown = set(model) - set(PARTS)
        missing = {"W", "b", "v"} - set(model)
        if unknown or missing:
            raise InputError(
                f"A network as a mapping has the keys W, b, v and, if wanted, intercept and negative_slope; "
                f"this one has {', '.join(map(str, model)) or 'none'}."
            )
        return _network_of_parts(**{"negative_slope": negative_slope, **model})
    if isinstance(model, (tuple, list)) and len(model) in (3, 4):
        return _network_of_parts(**dict(zip(PARTS, model, strict=False)), negative_slope=negative_slope)
    raise InputTypeError(
        f"{type(model).__name__} cannot be read as a network; pass a cvxrelu.Network, a fitted MLPRegressor or binary "
        "MLPClassifier (of a pipeline its last step, with a problem of the transformed X), or a tuple (W, b, v, c)."
    )


def certify(network: Any, problem: Problem, **solve_options: Any) -> Certificate:
    """Return how far any network can be from the best of all networks of every width.

    Parameters
    ----------
    network : Network, Fit, estimator, tuple or mapping
        Whatever `as_network` reads. Tuples get the slope of the problem.
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

    >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
    >>> detour = Network(W=[[1.0], [1.0]], b=[0.0, -2.0], v=[1.0, 0.25])
    >>> print(certify(detour, problem, method="enumerate"))
    At most 26 % above the best possible (proven for networks of every width).
    """
    checked = as_network(network, problem.negative_slope)
    if checked.n_features != problem.n_features:
        raise InputError(
            f"The network takes {checked.n_features} features and the problem has {problem.n_features}; "
            "pass the X that the network was trained on."
        )
    upper = problem.objective(checked)
    return replace(
        solve(problem, **solve_options).certificate,
        upper=upper,
        residual=problem.loss.residual(checked(problem.X), problem.y),
        network=checked,
    )


def _only_network(networks: list[Network]) -> Network:
    if len(networks) != 1:
        raise InputError(
            f"A classifier of several classes holds {len(networks)} networks; pass one of its networks_, with its "
            "one-against-the-rest problem."
        )
    return networks[0]


def _network_of_parts(W: Any, b: Any, v: Any, intercept: Any = 0.0, negative_slope: float = 0.0) -> Network:
    try:
        offset = float(np.asarray(intercept, dtype=float).reshape(()))
        return Network(W, b, v, offset, negative_slope)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputTypeError(f"W, b, v and the intercept must be arrays of numbers and a number ({error}).") from error


def _network_of_mlp(model: Any) -> Network:
    """Read a fitted MLPRegressor or MLPClassifier, by its attributes alone."""
    name = type(model).__name__
    if not hasattr(model, "coefs_"):
        raise InputError(f"This {name} is not fitted; call its fit first.")
    if len(model.coefs_) != 2:
        raise InputError(
            f"This {name} has {len(model.coefs_) - 1} hidden layers; certificates are for networks with one, such as "
            "hidden_layer_sizes=(100,)."
        )
    if model.activation != "relu":
        raise InputError(f"This {name} has activation={model.activation!r}; certificates are for activation='relu'.")
    (hidden, output), (biases, offsets) = model.coefs_, model.intercepts_
    if output.shape[1] != 1:
        raise InputError(
            f"This {name} has {output.shape[1]} outputs; certificates are for networks with one: a single target, or "
            "two classes."
        )
    if model.out_activation_ not in ("identity", "logistic"):
        raise InputError(
            f"This {name} ends in {model.out_activation_!r}; certificates are for a linear output or a binary logit."
        )
    return Network(np.asarray(hidden, dtype=float).T, biases, output[:, 0], float(offsets[0]))
