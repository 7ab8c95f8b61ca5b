r"""Networks from elsewhere, read by what they offer and never by importing where they come from.

    f(x) = v' sigma(W x + b) + c,   W (m, d),  b (m,),  v (m,),  c a number;  with K outputs  v (m, K),  c (K,)

| from         | hidden weights    | output weights | order of the layers           | slope                     |
|--------------|-------------------|----------------|-------------------------------|---------------------------|
| scikit-learn | coefs_[0] (d, m)  | (m, K)         | as given                      | activation="relu"         |
| PyTorch      | weight (m, d)     | (K, m)         | as given                      | its LeakyReLU's, or given |
| Flax         | kernel (d, m)     | (m, K)         | the one whose shapes fit      | given                     |
| Keras        | list entry (d, m) | (m, K)         | as given                      | given                     |
| arrays       | (m, d) or (d, m)  | any of these   | W, b, v, c                    | given                     |
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvxrelu.errors import InputError, InputTypeError
from cvxrelu.problem.network import Network
from cvxrelu.problem.validation import as_floats
from cvxrelu.solving.fit import Fit

__all__ = ["as_network"]

Array = NDArray[np.float64]

PARTS = ("W", "b", "v", "intercept", "negative_slope", "skip")
# Layers of PyTorch that change nothing when a network predicts, or only the shape of its output.
TRANSPARENT = ("Identity", "Dropout", "Flatten")


def as_network(model: Any, negative_slope: float = 0.0) -> Network:
    """Return a one-hidden-layer network as a `Network`.

    Parameters
    ----------
    model : Network, Fit, estimator, module, mapping or sequence
        A network of this package, or a `Fit` or a fitted estimator that holds one; or, with one hidden layer,

        - a fitted `MLPRegressor` or `MLPClassifier` of scikit-learn with activation "relu" (of a classifier, the logit
          of its second class or, of several, those of all classes);
        - a `torch.nn.Sequential` of Linear, ReLU or LeakyReLU, and Linear, or the state dict of such a module;
        - a tree of Flax parameters, {"Dense_0": {"kernel": ..., "bias": ...}, "Dense_1": ...}, within "params" or not;
        - a sequence W, b, v or W, b, v, c of arrays, such as `get_weights()` of Keras, or a mapping with the keys "W",
          "b", "v" and, if wanted, "intercept", "negative_slope" and "skip". W is (m, d), or (d, m) where the m entries
          of b tell so: a square W is taken as (m, d), one row a neuron, so transpose square kernels of Keras. v is
          (m,), (m, 1) or (1, m), and c a number or an array that holds one; with K outputs v is (m, K), or (K, m) where
          m tells so, c is (K,), and the skip connection (d, K), or (K, d) where d tells so.
    negative_slope : float, default 0.0
        Slope of the activation where the model does not name it: arrays, parameters and state dicts.

    Returns
    -------
    Network
        The network; its predictions are those of the model.

    Raises
    ------
    InputTypeError
        If the model is none of these.
    InputError
        If the model is not fitted, has another number of hidden layers or another activation, or its shapes do not go
        together.

    Examples
    --------
    >>> as_network(([[1.0], [-1.0]], [0.0, 0.0], [1.0, 1.0]))([[-3.0]])
    array([3.])
    >>> tree = {"Dense_0": {"kernel": [[1.0, -1.0]], "bias": [0.0, 0.0]}, "Dense_1": {"kernel": [[1.0], [1.0]]}}
    >>> as_network({"params": tree})([[-3.0]])
    array([3.])
    """
    if isinstance(model, Network):
        return model
    if isinstance(model, Fit):
        return model.network
    if isinstance(getattr(model, "networks_", None), list):
        return _only_network(model.networks_)
    if isinstance(getattr(model, "network_", None), Network):
        return model.network_
    if hasattr(model, "hidden_layer_sizes"):
        return _of_mlp(model)
    if isinstance(model, Mapping):
        return _of_mapping(model, negative_slope)
    if hasattr(model, "state_dict") and hasattr(model, "children"):
        return _of_module(model)
    if isinstance(model, (tuple, list)) and len(model) in (3, 4):
        return _of_arrays(**dict(zip(PARTS, model, strict=False)), negative_slope=negative_slope)
    raise InputTypeError(
        f"{type(model).__name__} cannot be read as a network; pass a cvxrelu.Network, a fitted MLPRegressor or "
        "MLPClassifier (of a pipeline its last step, with a problem of the transformed X), a torch.nn.Sequential, a "
        "state dict, a tree of Flax parameters, or arrays (W, b, v, c)."
    )


def _only_network(networks: list[Network]) -> Network:
    if len(networks) != 1:
        raise InputError(
            f"This classifier holds {len(networks)} networks; pass one of its networks_, with its one-against-the-rest "
            "problem."
        )
    return networks[0]


def _of_mlp(model: Any) -> Network:
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
    count = model.coefs_[1].shape[1]
    if model.out_activation_ not in ("identity", "logistic" if count == 1 else "softmax"):
        raise InputError(
            f"This {name} ends in {model.out_activation_!r} with {count} outputs; certificates are for linear outputs, "
            "a binary logit, or the softmax of several classes."
        )
    (hidden, output), (biases, offsets) = model.coefs_, model.intercepts_
    return _of_layers(f"This {name}", np.asarray(hidden).T, biases, np.asarray(output).T, offsets, 0.0)


def _of_mapping(model: Mapping[Any, Any], negative_slope: float) -> Network:
    """Read a mapping of parts, a state dict, or a tree of parameters."""
    if isinstance(model.get("params"), Mapping):
        return _of_mapping(model["params"], negative_slope)
    layers = list(model.values())
    if layers and all(isinstance(layer, Mapping) and "kernel" in layer for layer in layers):
        return _of_flax(layers, negative_slope)
    if model and all(str(key).rpartition(".")[2] in ("weight", "bias") for key in model):
        return _of_state(model, negative_slope)
    if set(model) - set(PARTS) or {"W", "b", "v"} - set(model):
        raise InputError(
            "A network as a mapping has the keys W, b, v and, if wanted, intercept, negative_slope and skip, or those "
            f"of a state dict of PyTorch or of two layers of Flax; this one has {', '.join(map(str, model)) or 'none'}."
        )
    return _of_arrays(**{"negative_slope": negative_slope, **model})


def _of_flax(layers: list[Mapping[str, Any]], negative_slope: float) -> Network:
    """Read two layers in the order in which their shapes fit, which names need not tell."""
    _check_depth("This tree of Flax parameters", len(layers))
    kernels = [_array(layer["kernel"], "kernel").T for layer in layers]
    fits = kernels[1].shape[1] == len(kernels[0]) and len(kernels[0]) > 1
    turned = kernels[0].shape[1] == len(kernels[1])
    if turned and kernels[1].shape[0] != 1 and (not fits or kernels[0].shape[0] == 1):
        layers, kernels = layers[::-1], kernels[::-1]
    (hidden, output), (b, c) = kernels, (layer.get("bias") for layer in layers)
    return _of_layers("This tree of Flax parameters", hidden, b, output, c, negative_slope)


def _of_state(state: Mapping[str, Any], negative_slope: float) -> Network:
    """Read the state dict of two linear layers, whatever they are called."""
    names = list(dict.fromkeys(str(key).rpartition(".")[0] for key in state))
    _check_depth("This state dict", len(names))
    (hidden, b), (output, c) = (
        [state.get(f"{name}.{part}".lstrip(".")) for part in ("weight", "bias")] for name in names
    )
    return _of_layers("This state dict", hidden, b, output, c, negative_slope)


def _of_module(module: Any) -> Network:
    """Read a Sequential of PyTorch; what another module does with its layers cannot be seen from outside."""
    name = type(module).__name__
    if "Sequential" not in (kind.__name__ for kind in type(module).__mro__):
        raise InputError(
            f"This {name} is no Sequential, so what it does between its layers is unknown; pass its state_dict() if "
            "that is one ReLU or leaky ReLU, with negative_slope."
        )
    layers = [layer for layer in module.children() if type(layer).__name__ not in TRANSPARENT]
    kinds = [type(layer).__name__ for layer in layers]
    _check_depth(f"This {name}", kinds.count("Linear"))
    if kinds not in (["Linear", "ReLU", "Linear"], ["Linear", "LeakyReLU", "Linear"]):
        raise InputError(
            f"This {name} has the layers {', '.join(kinds)}; certificates are for Linear, ReLU or LeakyReLU, Linear."
        )
    hidden, activation, output = layers
    slope = getattr(activation, "negative_slope", 0.0)
    return _of_layers(f"This {name}", hidden.weight, hidden.bias, output.weight, output.bias, slope)


def _check_depth(source: str, n_layers: int) -> None:
    if n_layers != 2:
        raise InputError(
            f"{source} has {n_layers} linear layers; certificates are for networks with two, one of them hidden."
        )


def _of_arrays(W: Any, b: Any, v: Any, intercept: Any = 0.0, negative_slope: float = 0.0, skip: Any = None) -> Network:
    """Read arrays, in whatever shape they are stored."""
    weights, biases, output = _array(W, "W"), _array(b, "b"), _array(v, "v")
    several = _array(intercept, "c").size > 1 or 1 not in output.shape
    if output.ndim == 2 and len(output) == biases.size and several:
        output = output.T
    turned = weights.ndim == 2 and weights.shape[0] != biases.size == weights.shape[1]
    network = _of_layers(
        "The arrays are a network whose", weights.T if turned else weights, biases, output, intercept, negative_slope
    )
    if skip is None:
        return network
    linear = _array(skip, "skip")
    if network.v.ndim == 1:
        return replace(network, skip=linear.ravel())
    return replace(network, skip=linear if linear.shape == (network.n_features, network.n_outputs) else linear.T)


def _of_layers(source: str, W: Any, b: Any, v: Any, c: Any, negative_slope: float) -> Network:
    """Return the network with weights W (m, d) and v (m,), (m, 1), (1, m) or (K, m); biases that are None are zero."""
    weights, output = _array(W, "W"), _array(v, "v")
    m = len(weights) if weights.ndim else 0
    biases = np.zeros(m) if b is None else _array(b, "b")
    offset = np.zeros(1) if c is None else _array(c, "c")
    if output.ndim == 2 and output.size != m and output.shape[1] == m and weights.ndim == 2 and biases.size == m:
        constants: Any = np.zeros(len(output)) if c is None else offset.ravel()
        return Network(weights, biases.ravel(), output.T, constants, negative_slope)
    if weights.ndim != 2 or biases.size != m or output.size != m or offset.size != 1:
        raise InputError(
            f"The weights, biases, output weights and output bias have shapes {weights.shape}, {biases.shape}, "
            f"{output.shape} and {offset.shape}; they must be (m, d), (m,), (m,) and a number."
        )
    return Network(weights, biases.ravel(), output.ravel(), offset.item(), negative_slope)


def _array(values: Any, name: str) -> Array:
    """Return an array of floats, also of a tensor that lives elsewhere or still needs its gradient."""
    tensor = values.detach().cpu().numpy() if hasattr(values, "detach") else values
    return as_floats(tensor, f"{name} of a network")
