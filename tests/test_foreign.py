"""Networks of other packages, by stand-ins with the same interface, and by arrays of JAX."""

import jax.numpy as jnp
import numpy as np
import pytest

import cvxrelu as cr

RNG = np.random.default_rng(0)
X = RNG.standard_normal((7, 3))


class Tensor:
    """A tensor on a device that still needs its gradient, as PyTorch has them."""

    def __init__(self, values):
        self._values = np.asarray(values, dtype=np.float32)

    def __array__(self, *arguments, **options):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self._values


class Linear:
    def __init__(self, weight, bias):
        self.weight = Tensor(weight)
        self.bias = None if bias is None else Tensor(bias)


class ReLU:
    pass


class LeakyReLU:
    negative_slope = 0.125


class Tanh:
    pass


class Dropout:
    pass


class Sequential:
    def __init__(self, *layers):
        self._layers = layers

    def children(self):
        return iter(self._layers)

    def state_dict(self):
        linear = [(k, layer) for k, layer in enumerate(self._layers) if isinstance(layer, Linear)]
        parts = {f"{k}.{name}": getattr(layer, name) for k, layer in linear for name in ("weight", "bias")}
        return {name: part for name, part in parts.items() if part is not None}


class Perceptron:
    """A module that calls its activation itself."""

    __init__, children, state_dict = Sequential.__init__, Sequential.children, Sequential.state_dict


def draw(m, d):
    """Weights that single precision holds exactly, so that predictions are equal."""
    W, b, v, c = (RNG.integers(-8, 9, size).astype(float) / 4 for size in ((m, d), m, m, ()))
    return W, b, v, float(c)


@pytest.mark.parametrize(("m", "d"), [(5, 3), (3, 3), (1, 3), (4, 1), (1, 1)])
def test_everything_that_says_its_layout_is_the_same_network(m, d):
    W, b, v, c = draw(m, d)
    wanted = cr.Network(W, b, v, c)
    module = Sequential(Linear(W, b), ReLU(), Dropout(), Linear(v[None, :], [c]))
    tree = {
        "Dense_0": {"kernel": jnp.asarray(W.T), "bias": jnp.asarray(b)},
        "Dense_1": {"kernel": v[:, None], "bias": [c]},
    }
    for model in (module, module.state_dict(), {"params": tree}, tree, {"W": W, "b": b, "v": v, "intercept": c}):
        assert cr.as_network(model) == wanted
    if (m, d) != (1, 1) and m > 1:
        assert cr.as_network({"Dense_1": tree["Dense_1"], "Dense_0": tree["Dense_0"]}) == wanted


@pytest.mark.parametrize(("m", "d"), [(5, 3), (1, 3), (4, 1)])
@pytest.mark.parametrize("convert", [np.asarray, jnp.asarray, Tensor])
def test_arrays_in_every_shape(m, d, convert):
    W, b, v, c = draw(m, d)
    wanted = cr.Network(W, b, v, c)
    for weights in (W, W.T):
        for output in (v, v[:, None], v[None, :]):
            for offset in (c, [c], [[c]]):
                assert cr.as_network([convert(part) for part in (weights, b, output, offset)]) == wanted
        assert cr.as_network({"W": convert(weights), "b": b[:, None], "v": v}) == cr.Network(W, b, v)


def test_a_square_array_has_a_row_a_neuron():
    W, b, v, c = draw(3, 3)
    assert cr.as_network((W, b, v[:, None], [c])) == cr.Network(W, b, v, c)


def test_slopes_are_those_of_the_activation():
    W, b, v, c = draw(4, 3)
    module = Sequential(Linear(W, b), LeakyReLU(), Linear(v[None, :], None))
    assert cr.as_network(module) == cr.Network(W, b, v, 0.0, 0.125)
    assert cr.as_network(module, negative_slope=0.5).negative_slope == 0.125
    assert cr.as_network(module.state_dict(), negative_slope=0.5) == cr.Network(W, b, v, 0.0, 0.5)
    perceptron = Perceptron(Linear(W, b), Linear(v[None, :], [c]))
    assert cr.as_network(perceptron.state_dict(), 0.5) == cr.Network(W, b, v, c, 0.5)
    with pytest.raises(cr.InputError, match="This Perceptron is no Sequential"):
        cr.as_network(perceptron)


def test_a_module_gets_its_certificate():
    W, b, v, c = draw(4, 3)
    problem = cr.Problem(X, cr.Network(W, b, v, c)(X) + 1.0, loss="squared", alpha=0.1)
    module = Sequential(Linear(W, b), ReLU(), Linear(v[None, :], [c]))
    certificate = cr.certify(module, problem)
    cost = np.abs(v) @ np.linalg.norm(W, axis=1)
    assert certificate.upper == pytest.approx(0.5 + 0.1 * cost, rel=1e-12)
    assert 0 < certificate.lower < certificate.upper


def test_errors_name_what_was_understood():
    W, b, v, c = draw(4, 3)
    hidden, output = Linear(W, b), Linear(v[None, :], [c])
    layer = {"kernel": W.T, "bias": b}
    cases = [
        (Sequential(hidden, Tanh(), output), "has the layers Linear, Tanh, Linear"),
        (Sequential(hidden, output), "has the layers Linear, Linear; certificates"),
        (Sequential(hidden, ReLU(), Linear(np.eye(4), b), ReLU(), output), "has 3 linear layers"),
        ({"0.weight": W, "0.bias": b}, "This state dict has 1 linear layers"),
        ({"Dense_0": layer}, "This tree of Flax parameters has 1 linear layers"),
        ({"Dense_0": layer, "BatchNorm_0": {"scale": b}}, "this one has Dense_0, BatchNorm_0"),
        ((W, b[:2], v), r"have shapes \(4, 3\), \(2,\), \(4,\) and \(\)"),
        ((W, b, v[:2]), r"have shapes \(4, 3\), \(4,\), \(2,\)"),
        ((W, b, v, [1.0, 2.0]), r"and \(2,\); they must be"),
        ((W, b, np.ones((3, 2))), r"\(3, 2\) and \(\); they must be"),
    ]
    for model, message in cases:
        with pytest.raises(cr.InputError, match=message):
            cr.as_network(model)


def test_several_outputs_are_read_from_whatever_holds_them():
    W, b, _, _ = draw(4, 3)
    v, c = RNG.standard_normal((4, 2)), RNG.standard_normal(2)
    network = cr.Network(W, b, v, c)
    hidden, output = Linear(W, b), Linear(v.T, c)
    tree = {"Dense_0": {"kernel": W.T, "bias": b}, "Dense_1": {"kernel": v, "bias": c}}
    models = [
        Sequential(hidden, ReLU(), output),
        Sequential(hidden, ReLU(), output).state_dict(),
        tree,
        dict(reversed(tree.items())),
        (W, b, v, c),
        (W.T, b, v.T, c),
    ]
    for model in models:
        np.testing.assert_allclose(cr.as_network(model)(X), network(X), rtol=1e-6, atol=1e-6)
    one = cr.as_network((W[:1], b[:1], v[:1], c))
    np.testing.assert_allclose(one(X), cr.Network(W[:1], b[:1], v[:1], c)(X))


# However long L-BFGS takes is its own matter.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("targets", ["several", "classes"])
def test_perceptrons_of_several_outputs_are_certified(targets):
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    x = np.linspace(-1, 1, 12)[:, None]
    kind, y = (MLPRegressor, np.hstack([x, x**2])) if targets == "several" else (MLPClassifier, np.arange(12) // 4)
    model = kind(hidden_layer_sizes=(8,), alpha=0.12, solver="lbfgs", max_iter=500, random_state=0).fit(x, y)
    # scikit-learn's squared loss is a mean over outputs, too, and ours a sum.
    loss, count = ("squared", 2) if targets == "several" else ("softmax", 1)
    certificate = cr.certify(model, cr.Problem(x, y, loss=loss, alpha=count * 0.01))
    assert certificate.scope == "global"
    assert 0 < certificate.lower <= certificate.upper <= count * model.loss_ * (1 + 1e-3)


def test_one_class_of_several_is_not_taken_for_the_whole():
    X, y = np.arange(9.0)[:, None], np.repeat([0, 1, 2], 3)
    model = cr.ReLUClassifierCV(alphas=[0.01], cv=3, multi_class="ovr").fit(X, y)
    with pytest.raises(cr.InputError, match="3 networks"):
        cr.as_network(model)
    two = cr.ReLUClassifierCV(alphas=[0.01], cv=3).fit(X[:6], y[:6])
    assert cr.as_network(two) == two.network_
