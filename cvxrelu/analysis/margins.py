r"""Margins of the best network, and what they say about new data.

Scaling a network scales its margin, so margins are compared at norm(Theta) <= 1, Theta all weights that cost something.
f is homogeneous of degree two in them and norm(Theta)^2 is twice the cost at best (`Network.balanced`), hence the
largest margin of all networks is

    gamma* = max over norm(Theta) <= 1 of min_i y_i f(x_i) = 1 / (2 V),    V the least cost at margin one,

and 1 / V is the margin of the l1-SVM over all neurons of unit norm, gamma* = gamma_l1 / 2 (Wei, Lee, Liu & Ma, "On the
Margin Theory of Feedforward Neural Networks", Section 3; V is the value of the loss "margin").

Generalisation. Let neurons have unit norm, and let norm(z) <= D for the (lifted) inputs z. A network with
norm(Theta) <= 1 is half a convex combination of functions +-sigma(u.z), norm(u) <= 1. So abs(f) <= L D / 2, with
L = max(1, abs(a)), and by Talagrand's contraction its Rademacher complexity is at most L D / sqrt(n). The margin bound
of Kakade, Sridharan & Tewari ("On the Complexity of Linear Prediction", Theorem 2), as in Wei et al., Theorem 3.1 for
two layers, then says: with probability 1 - delta, every network with norm(Theta) <= 1 and margin gamma on n independent
samples errs on new data with a probability of at most

    4 L D / (gamma sqrt(n)) + sqrt(log(log2(4 L D / gamma)) / n) + sqrt(log(1 / delta) / n).
"""

import math
from dataclasses import dataclass

from cvxrelu.certificate.certificate import Certificate
from cvxrelu.errors import InputError
from cvxrelu.problem.validation import as_count, as_instance, as_real

__all__ = ["MaxMargin", "generalisation_bound", "max_margin"]


@dataclass(frozen=True)
class MaxMargin:
    """Bounds on the largest normalised margin of networks of every width.

    Attributes
    ----------
    lower : float
        What the network of the certificate attains.
    upper : float
        What no network exceeds; infinite without a positive lower bound on the cost.
    """

    lower: float
    upper: float

    @property
    def l1(self) -> tuple[float, float]:
        """The same bounds for the l1-SVM over all unit neurons, twice as large."""
        return 2 * self.lower, 2 * self.upper


def max_margin(certificate: Certificate) -> MaxMargin:
    """Return bounds on the largest normalised margin, from a certificate of a fit with loss "margin".

    Of "multiclass-margin" it is the least of f_y(x_i) - f_k(x_i), over all other classes k, that is normalised.

    Parameters
    ----------
    certificate : Certificate
        The certificate.

    Returns
    -------
    MaxMargin
        1 / (2 V) for both bounds on V.

    Raises
    ------
    InputError
        If the certificate is for another loss or norm, or speaks of sampled patterns only.

    Examples
    --------
    >>> import cvxrelu as cr
    >>> fit = cr.solve(cr.Problem([[-1.0], [1.0]], [-1, 1], loss="margin"))
    >>> round(max_margin(fit.certificate).lower, 6)
    0.5
    """
    problem = as_instance(certificate, Certificate, "certificate").problem
    if not problem.loss.labels or problem.loss.regularised or problem.norm.cellwise or certificate.scope != "global":
        raise InputError(
            "max_margin takes a global certificate of loss 'margin' or 'multiclass-margin' with the Euclidean norm."
        )
    lower, upper = certificate.lower, certificate.upper
    return MaxMargin(*(0.5 / cost if cost > 0 else math.inf for cost in (upper, lower)))


def generalisation_bound(
    margin: float, radius: float, n_samples: int, delta: float = 0.05, *, negative_slope: float = 0.0
) -> float:
    """Return a bound on the probability of error on new data, from the normalised margin on the training data.

    Parameters
    ----------
    margin : float
        Normalised margin gamma of the network, positive; `Network.normalised_margin`. The network has no skip
        connection, whose weights are in no norm.
    radius : float
        D, which norm(x) never exceeds if there are no biases, and norm([x, 1]) if bias is "joint". With free biases
        there is no such bound: a hinge may be anywhere.
    n_samples : int
        Number n of independent training samples.
    delta : float, default 0.05
        Probability with which the bound may fail, between 0 and 1.
    negative_slope : float, default 0.0
        Slope of the activation at negative arguments.

    Returns
    -------
    float
        The bound; it says nothing where it is 1 or more.

    Raises
    ------
    InputError
        If an argument is out of range, or the margin is larger than any network can have on such data.

    References
    ----------
    Wei, Lee, Liu & Ma, "On the Margin Theory of Feedforward Neural Networks", Theorem 3.1; see the top of the module.

    Examples
    --------
    >>> round(generalisation_bound(0.25, 1.0, 100_000), 3)
    0.06
    """
    n = as_count(n_samples, "n_samples")
    reach = as_real(radius, "radius") * max(1.0, abs(as_real(negative_slope, "negative_slope")))
    if not 0 < reach < math.inf:
        raise InputError(f"radius={radius:g} must be positive, and times the slope within the range of floats.")
    if not 0 < as_real(margin, "margin") <= reach / 2:
        raise InputError(f"margin={margin:g} must be positive and at most {reach / 2:g}, half of the radius.")
    if not 0 < as_real(delta, "delta") < 1:
        raise InputError(f"delta={delta:g} must be between 0 and 1.")
    ratio = 4 * (reach / margin)
    return ratio / math.sqrt(n) + math.sqrt(math.log(math.log2(ratio)) / n) + math.sqrt(math.log(1 / delta) / n)
