r"""The problem: data, loss and cost, checked once and never changed.

    min over networks f of any width:   (1/N) sum_i w_i loss(f(x_i), y_i) + alpha * cost(f)

with sample weights w of mean one, which are ones unless given; or, for the losses that are constraints, the least
cost(f) of a network that meets them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cvxrelu.errors import InputError
from cvxrelu.numerics.powers import require_scale, require_slope
from cvxrelu.problem.free import Free
from cvxrelu.problem.losses import CLASS_LOSSES, LOSSES, Loss, get_loss
from cvxrelu.problem.losses.own import check_own
from cvxrelu.problem.network import Network
from cvxrelu.problem.norms import Bias, Norm, get_norm, norm_on
from cvxrelu.problem.sample_weight import shares_of
from cvxrelu.problem.several_outputs import as_targets, loss_of, refuse_unsupported
from cvxrelu.problem.targets import check_alpha, check_targets
from cvxrelu.problem.validation import as_choice, as_flag, as_matrix, as_real, as_slope, as_vector

__all__ = ["Problem"]

Array = NDArray[np.float64]
OutputSign = Literal["any", "positive"]


@dataclass(frozen=True, eq=False)
class Problem:
    """What to minimise, over all one-hidden-layer networks of all widths.

    Parameters
    ----------
    X : (N, d) array_like
        Inputs.
    y : (N,) array_like or (N, K) array_like
        Targets: real numbers, or labels -1 and +1 for the losses "margin", "logistic" and "hinge". With K columns the
        network has K outputs, for the losses "interpolation", "squared" and "huber"; "softmax" and "multiclass-margin"
        take labels 0, ..., K - 1 of shape (N,).
    loss : str or Loss, default "interpolation"
        "interpolation" and "margin" are constraints (fit exactly; separate with margin one) under which the cost is
        minimised; "squared", "huber", "absolute", "quantile" and, for labels, "logistic" and "hinge" are averaged over
        the samples, and the cost is added with weight `alpha`. An object, such as ``cr.Huber(0.1)`` or one of your own,
        brings its parameters; see `cvxrelu.problem.losses`. "softmax" and "multiclass-margin" are for several classes.
    bias : {"free", "joint", "none"}, default "free"
        Whether a neuron's bias costs nothing, counts like a weight, or is absent.
    norm : {"euclidean", "response", "label-noise"} or Norm, default "euclidean"
        What a neuron costs: the norm of its weights, its root mean square response on X, or what label noise makes of
        that; see `cvxrelu.problem.norms`.
    alpha : float, optional
        Regularisation strength, positive; required unless the loss is a constraint, and refused then.
    negative_slope : float, default 0.0
        Slope of the leaky ReLU at negative arguments; any number that is not within 2^-10 (about 0.001) of 1.
    sample_weight : (N,) array_like, optional
        What each sample counts in the mean of the losses, and in norms that are means over the data; at least zero. A
        weight of k is the same as k copies of the row. Rows of weight zero are left out: X and y are then without
        them, and so are all dual vectors. Exact fits are the same for all positive weights.
    skip : bool, default False
        Whether a skip connection A x is added to the network, of which the weights cost nothing; with K outputs A is
        (K, d), and `Network.skip`, the weights of every input in its rows, (d, K).
    output_sign : {"any", "positive"}, default "any"
        Which output weights neurons may have. With "positive" (and a slope below 1) every network is a convex function
        of x.

    Attributes
    ----------
    sample_weight : (N,) array or None
        The weights over their mean; None if all samples count the same.

    Raises
    ------
    InputTypeError
        If an argument is not numeric.
    InputError
        If the data has NaN, infinities or wrong shapes, contradicts the loss, or a parameter is out of range. The
        largest entries of X and y, and alpha, have to be between 2^-300 and 2^300 (about 5e-91 and 2e90), unless all
        entries are zero, the slope at most 2^100 and not within 2^-10 of 1, and a positive sample weight at least
        2^-100 of their mean: within these limits bounds can be proved.

    References
    ----------
    Kumar & Haupt, "Convexifying Sparse Interpolation with Infinitely Wide Neural Networks: An Atomic Norm
    Approach", equations (3), (8) and (10).

    Examples
    --------
    >>> problem = Problem([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0])
    >>> tent = Network(W=[[1.0], [1.0], [1.0]], b=[0.0, -1.0, -2.0], v=[1.0, -2.0, 1.0])
    >>> problem.objective(tent)
    4.0

    A weight of three is three copies of the row, and zero is none:

    >>> weighted = Problem([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0], "squared", alpha=0.1, sample_weight=[3, 1, 0])
    >>> weighted
    Problem(2 samples, 1 features, loss='squared', bias='free', norm='euclidean', alpha=0.1, negative_slope=0, weighted)
    >>> weighted.objective(Network(np.empty((0, 1)), [], []))  # (3 * 0 + 1 * 1/2) / 4
    0.125
    """

    X: Array
    y: Array
    loss: Loss = "interpolation"  # pyright: ignore[reportAssignmentType]
    bias: Bias = "free"
    norm: Norm = "euclidean"  # pyright: ignore[reportAssignmentType]
    alpha: float | None = None
    negative_slope: float = 0.0
    sample_weight: Array | None = None
    skip: bool = False
    output_sign: OutputSign = "any"

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        loss: str | Loss = "interpolation",
        bias: str = "free",
        norm: str | Norm = "euclidean",
        alpha: float | None = None,
        negative_slope: float = 0.0,
        sample_weight: ArrayLike | None = None,
        skip: bool = False,
        output_sign: str = "any",
    ) -> None:
        inputs, plain, cost = as_matrix(X), get_loss(loss).plain, get_norm(norm, bias)
        targets, slope, weights = as_targets(y, len(inputs), plain), as_slope(negative_slope), None
        if sample_weight is not None:
            weights, kept = shares_of(as_vector(sample_weight, len(inputs), "sample_weight"))
            inputs, targets = as_matrix(inputs[kept]), as_targets(targets[kept], len(kept), plain)
            if not (plain.regularised or cost.cellwise):
                weights = None
        values = {
            "X": inputs,
            "y": targets,
            "loss": loss_of(plain, targets, weights),
            "bias": bias,
            "norm": norm_on(cost, inputs, slope, weights),
            "alpha": None if alpha is None else as_real(alpha, "alpha"),
            "negative_slope": slope,
            "sample_weight": weights,
            "skip": as_flag(skip, "skip"),
            "output_sign": as_choice(output_sign, get_args(OutputSign), "output_sign"),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check()

    def __repr__(self) -> str:
        alpha = "" if self.alpha is None else f", alpha={self.alpha:g}"
        skip = (", skip=True" if self.skip else "") + (", output_sign='positive'" if self.one_sided else "")
        skip += f", {self.n_outputs} outputs" if self.several else ""
        return (
            f"Problem({self.n_samples} samples, {self.n_features} features, loss={self.loss.name!r}, "
            f"bias={self.bias!r}, norm={self.norm.name!r}{alpha}, negative_slope={self.negative_slope:g}{skip}"
            f"{'' if self.sample_weight is None else ', weighted'})"
        )

    @property
    def n_outputs(self) -> int:
        """Number K of outputs."""
        return self.loss.n_outputs(self.y)

    @property
    def n_samples(self) -> int:
        """Number N of samples that count."""
        return self.X.shape[0]

    @property
    def n_features(self) -> int:
        """Number d of features."""
        return self.X.shape[1]

    @property
    def several(self) -> bool:
        """Whether there are several outputs: v is (m, K) and a dual vector is (N, K)."""
        return self.loss.several

    @property
    def no_dual(self) -> Array:
        """The dual vector zero, (N,) or (N, K)."""
        return np.zeros((self.n_samples, self.n_outputs) if self.several else self.n_samples)

    @property
    def cost_weight(self) -> float:
        """What the cost counts in the objective: alpha, or 1 for a loss that is a constraint."""
        return 1.0 if self.alpha is None else self.alpha

    @property
    def score_bound(self) -> float:
        """Largest score abs(sum_i v_i sigma(w.x_i + b)) of a neuron of unit cost at an optimal dual vector v.

        It is N alpha for a mean of losses, and 1 for a loss that is a constraint.
        """
        return 1.0 if self.alpha is None else self.n_samples * self.alpha

    @cached_property
    def lifted(self) -> Array:
        """The rows [x_i, 1] that groups [w, b] act on, an (N, d + 1) array; plain X if there is no bias."""
        return np.column_stack([self.X, np.ones(self.n_samples)]) if self.norm.has_bias else self.X

    @cached_property
    def free(self) -> Free:
        """The functions that cost nothing, on the data: constants if biases are free, A x with a skip connection."""
        return Free.of(self.X, self.norm.has_free_constant, self.skip)

    @property
    def one_sided(self) -> bool:
        """Whether output weights are positive, so that a dual vector is held by positive scores of neurons only."""
        return self.output_sign == "positive"

    def sizes(self, scores: Array) -> Array:
        """Return how much scores of neurons count: their absolute values or, of positive ones alone, what they are."""
        return np.maximum(scores, 0.0) if self.one_sided else np.abs(scores)

    @property
    def is_even(self) -> bool:
        """Whether a neuron and its mirror image sigma(-w.x - b) differ by a multiple of w.x + b that costs nothing."""
        free, norm = self.free, self.norm
        return self.skip and not norm.cellwise and (free.has_constant or not norm.has_bias) and free.complete

    def repair(self, v: Array, boxed: bool = True) -> Array:
        """Return a vector near v in the domain of the dual, orthogonal to all that is free.

        Its entries sum to zero exactly if constants are free; to linear functions it is orthogonal up to rounding, for
        which `cvxrelu.certificate.nearby` answers. Unless `boxed`, a multiple of it is in the domain.
        """
        if not self.skip:
            return self.loss.repair(v, self.y, self.norm.has_free_constant, boxed)
        return self.loss.orthogonal(v, self.y, self.free, boxed)

    def objective(self, network: Network) -> float:
        """Return the objective of the problem at a network, computed from the network alone.

        Parameters
        ----------
        network : Network
            Any network with the problem's number of inputs.

        Returns
        -------
        float
            The mean loss + alpha * cost, or for constraints the cost alone, infinite where they are missed by more than
            a relative 1e-6. `Certificate.upper` is one that rounding cannot make too small.

        Raises
        ------
        InputError
            If the network has other inputs or outputs, another negative slope, or a skip connection of its own.
        """
        self.check_network(network)
        return self.loss.value(network(self.X), self.y) + self.cost_weight * network.cost(self.bias, self.norm)

    def check_network(self, network: Network) -> None:
        """Raise an InputError if a network has other inputs, another slope, or a skip connection of its own."""
        if network.n_features != self.n_features:
            raise InputError(
                f"The network takes {network.n_features} features and the problem has {self.n_features}; "
                "pass the X that the network was trained on."
            )
        if network.v.shape[1:] != self.no_dual.shape[1:]:
            wanted = f"(m, {self.n_outputs})" if self.several else "(m,)"
            raise InputError(f"The output weights v have shape {network.v.shape}; they must be {wanted}.")
        if network.negative_slope != self.negative_slope:
            slopes = f"{network.negative_slope:g} and the problem {self.negative_slope:g}"
            raise InputError(f"The network has negative slope {slopes}; they must be the same.")
        if network.skip.any() and not self.skip:
            raise InputError("The network has a skip connection and the problem has none; use Problem(..., skip=True).")
        if not self.one_sided:
            return
        costly = network.intercept < 0 and not self.norm.has_free_constant
        if (network.v < 0).any() or costly:
            part = "a negative output constant" if costly else "negative output weights"
            raise InputError(
                f"The network has {part} and the problem takes positive ones only; use Problem(..., output_sign='any')."
            )

    def _check(self) -> None:
        loss, X, y = self.loss, self.X, self.y
        check_own(loss.plain, y, {**LOSSES, **CLASS_LOSSES})
        check_alpha(loss, self.alpha)
        if self.several:
            refuse_unsupported(self.norm, self.output_sign)
        if self.one_sided and self.norm.cellwise:
            raise InputError(f"output_sign='positive' takes norm='euclidean', not {self.norm.name!r}.")
        require_scale(X, "X")
        require_scale(y, "y")
        require_slope(self.negative_slope)
        if self.alpha is not None:
            require_scale(self.alpha, "alpha")
        for name, value in loss.params().items():
            require_scale(value, name)
        check_targets(loss, X, y, self.bias)
