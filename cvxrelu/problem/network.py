r"""The network: f(x) = sum_j v_j sigma(w_j . x + b_j) + A x + c, a plain finite value.

sigma(t) = t for t >= 0 and a t for t < 0, with a the negative slope (0 for ReLU). A, the weights of the skip
connection, is zero for most.
"""

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.problem.balancing import balanced_parts
from cvxrelu.problem.losses.classes import MulticlassMargin
from cvxrelu.problem.network_file import read_parts, write_parts
from cvxrelu.problem.network_parts import checked_parts
from cvxrelu.problem.norms import Bias, Norm, get_norm
from cvxrelu.problem.predictions import predictions
from cvxrelu.problem.targets import as_labels
from cvxrelu.problem.validation import as_count, as_floats, refuse_infinite

__all__ = ["Network"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Network:
    """A one-hidden-layer (leaky) ReLU network f(x) = sum_j v_j sigma(w_j . x + b_j) + A x + c.

    Parameters
    ----------
    W : (m, d) array
        Hidden weights, one row a neuron.
    b : (m,) array
        Hidden biases.
    v : (m,) array or (m, K) array
        Output weights; with K outputs one row a neuron.
    intercept : float, or (K,) array, default 0.0
        The output constant c.
    negative_slope : float, default 0.0
        Slope a of the activation at negative arguments.
    skip : (d,) array or (d, K) array, optional
        The weights A of the skip connection, zeros by default; with K outputs one row an input.

    Raises
    ------
    InputError
        If the shapes do not agree or an entry is not finite.

    Examples
    --------
    The absolute value, from two neurons:

    >>> network = Network(W=[[1.0], [-1.0]], b=[0.0, 0.0], v=[1.0, 1.0])
    >>> network([[-3.0], [2.0]])
    array([3., 2.])
    >>> network.n_neurons, network.cost()
    (2, 2.0)

    Both parts of it, from the same neurons as two outputs:

    >>> Network(W=[[1.0], [-1.0]], b=[0.0, 0.0], v=[[1.0, 0.0], [0.0, 1.0]])([[-3.0], [2.0]])
    array([[0., 3.],
           [2., 0.]])
    """

    W: Array
    b: Array
    v: Array
    intercept: float = 0.0
    negative_slope: float = 0.0
    skip: Array = None  # pyright: ignore[reportAssignmentType]

    def __post_init__(self) -> None:
        for name, value in checked_parts(**self._parts()).items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        skip = ", with a skip connection" if self.skip.any() else ""
        offset = f"intercept={self.intercept:.6g}" if self.v.ndim == 1 else f"{self.n_outputs} outputs"
        return (
            f"Network({self.n_neurons} neurons, {self.n_features} features, {offset}, "
            f"negative_slope={self.negative_slope:g}{skip})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return NotImplemented
        mine, theirs = self._parts(), other._parts()
        return all(np.array_equal(mine[name], theirs[name]) for name in mine)

    __hash__ = None  # type: ignore[assignment]

    @property
    def n_neurons(self) -> int:
        """Number m of hidden neurons."""
        return len(self.v)

    @property
    def n_features(self) -> int:
        """Number d of inputs."""
        return self.W.shape[1]

    @property
    def n_outputs(self) -> int:
        """Number K of outputs; one if v is a vector."""
        return 1 if self.v.ndim == 1 else self.v.shape[1]

    def output(self, k: int) -> "Network":
        """Return the network of the output k = 0, ..., K - 1 alone, with v of shape (m,); itself if v is such."""
        k = as_count(k, "k", least=0, most=self.n_outputs - 1)
        if self.v.ndim == 1:
            return self
        offset: Any = self.intercept
        return Network(self.W, self.b, self.v[:, k], offset[k], self.negative_slope, self.skip[:, k])

    def __call__(self, X: ArrayLike) -> Array:
        """Return the predictions f(x) for the rows x of X; not finite beyond the range of floats.

        They are an (n,) array, or (n, K) if v is (m, K).

        Raises
        ------
        InputError, InputTypeError
            If X is not an (n, d) array of finite numbers.
        """
        inputs = as_floats(X, "X")
        if inputs.ndim != 2 or inputs.shape[1] != self.n_features:
            raise InputError(f"X has shape {inputs.shape}; this network takes (n_samples, {self.n_features}) arrays.")
        refuse_infinite(inputs, "X")
        return predictions(inputs, self.W, self.b, self.v, self.intercept, self.skip, self.negative_slope)

    predict = __call__

    def cost(self, bias: Bias = "free", norm: "str | Norm" = "euclidean") -> float:
        """Return the cost sum_j norm(v_j) * norm(neuron j), plus that of the output constant.

        Parameters
        ----------
        bias : {"free", "joint", "none"}, default "free"
            Whether a neuron costs norm(w), norm([w, b]), or norm(w) with no bias allowed.
        norm : str or Norm, default "euclidean"
            The norm of a neuron.

        Returns
        -------
        float
            The cost; infinite for a network with biases or an output constant if bias is "none". The output constant
            is free if biases are, and otherwise costs as much as the neuron w = 0, b = 1. A skip connection is free.
        """
        cost_of = get_norm(norm, bias)
        with np.errstate(over="ignore"):
            return float(np.sum(cost_of.charges(self.W, self.b, self.v, self.intercept)))

    def balanced(self, bias: Bias = "free") -> "Network":
        """Return the network with each neuron rescaled so that both of its layers weigh the same.

        norm(v) norm(u) = min over t of (norm(v / t)^2 + norm(t u)^2) / 2, attained where norm(v / t) = norm(t u), for
        every neuron u (Savarese et al., Appendix A): half the sum of all squared weights is then the Euclidean cost.

        Parameters
        ----------
        bias : {"free", "joint", "none"}, default "free"
            Whether biases count as weights.

        Returns
        -------
        Network
            The same function, without neurons that cost nothing. If an output constant costs something, it becomes a
            neuron w = 0.

        Raises
        ------
        InputError
            If bias is "none" and the network has biases or an output constant.

        Examples
        --------
        >>> network = Network(W=[[8.0]], b=[4.0], v=[0.5]).balanced()
        >>> network.W, network.b, network.v, network.cost()
        (array([[2.]]), array([1.]), array([2.]), 4.0)
        """
        norm = get_norm("euclidean", bias)
        if not norm.has_bias and (self.b.any() or np.any(self.intercept)):
            raise InputError("This network has biases or an output constant; use bias='free' or bias='joint'.")
        parts = balanced_parts(norm, self.W, self.b, self.v, self.intercept, self.negative_slope)
        return Network(*parts, self.negative_slope, self.skip)

    def normalised(self, bias: Bias = "free") -> "Network":
        """Return the balanced network with all weights divided by their norm: the predictions over twice the cost.

        Parameters
        ----------
        bias : {"free", "joint", "none"}, default "free"
            Whether biases count as weights.

        Raises
        ------
        InputError
            If the network costs nothing, or has biases or an output constant while bias is "none".

        Examples
        --------
        >>> network = Network(W=[[8.0]], b=[4.0], v=[0.5]).normalised()
        >>> round(network.cost(), 12)  # half the squared norm of all weights
        0.5
        """
        cost, network = self._positive_cost(bias), self.balanced(bias)
        size = np.sqrt(2.0) * np.sqrt(cost)
        return Network(
            W=network.W / size,
            b=network.b / size,
            v=network.v / size,
            intercept=network.intercept / 2 / cost,
            negative_slope=self.negative_slope,
            skip=network.skip / 2 / cost,
        )

    def normalised_margin(self, X: ArrayLike, y: ArrayLike, bias: Bias = "free") -> float:
        """Return the margin of the normalised network, min_i y_i f(x_i) / (2 cost).

        It is the largest of min_i y_i f(x_i) / norm(weights)^2 over rescaled neurons (Wei, Lee, Liu & Ma). With K
        outputs, f_y(x_i) less the largest of the other outputs takes the place of y_i f(x_i).

        Parameters
        ----------
        X : (N, d) array_like
            Inputs.
        y : (N,) array_like
            Labels -1 and +1; with K outputs 0, ..., K - 1.
        bias : {"free", "joint", "none"}, default "free"
            Whether biases count as weights.

        Raises
        ------
        InputError
            If the shapes do not agree, y holds something else, the network costs nothing, or it has biases while bias
            is "none".

        Examples
        --------
        >>> Network(W=[[2.0]], b=[0.0], v=[1.0], intercept=-1.0).normalised_margin([[0.0], [1.0]], [-1, 1])
        0.25
        """
        outputs = self(X)
        labels = as_labels(y, outputs.shape)
        margins = labels * outputs if outputs.ndim == 1 else MulticlassMargin().margins(outputs, labels)
        return float(np.min(margins)) / 2 / self._positive_cost(bias)

    def _positive_cost(self, bias: Bias) -> float:
        cost = self.cost(bias)
        if not 0 < cost < np.inf:
            raise InputError(f"The network costs {cost:g} with bias={bias!r}, so it cannot be normalised.")
        return cost

    def save(self, file: str | PathLike[str], **notes: ArrayLike) -> None:
        """Write the network to a NumPy .npz file.

        Parameters
        ----------
        file : path
            Where to; the ending .npz is added if it is missing.
        **notes : array_like
            Further arrays to keep beside the network, such as the names of the features; `load` does not read them.

        Raises
        ------
        FileError
            If the file cannot be written.
        InputError
            If a note is called as a part of the network.
        """
        write_parts(file, self._parts(), **notes)

    @classmethod
    def load(cls, file: str | PathLike[str]) -> "Network":
        """Read a network that `save` wrote.

        Raises
        ------
        InputError
            If the file cannot be read or holds something else.
        """
        return cls(**read_parts(file, cls.__dataclass_fields__))  # pyright: ignore[reportArgumentType]

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def constant_network(
    value: float | Array, n_features: int, negative_slope: float, skip: Array | None = None
) -> Network:
    """Return the network without neurons that predicts `value` everywhere, plus a skip connection if there is one."""
    offset: Any = value
    v = np.empty((0, *np.shape(offset)))
    return Network(np.empty((0, n_features)), np.empty(0), v, offset, negative_slope, skip)  # pyright: ignore
