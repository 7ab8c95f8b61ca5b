r"""The certificate: how far a network can be from the best of all networks, proved from the data alone.

    upper = objective of the network as it is stored, evaluated on the data and rounded up
    lower = dual objective of a repaired dual vector v, scaled by an upper bound on gamma(v), and rounded down
    lower <= optimum over networks of every width <= upper

Weak duality makes `lower` true for *every* v (`bounds`), so neither the solver, nor the program, nor the decoder has to
be trusted, and this room imports none of them. What has to be right is the problem, the network's arithmetic
(`evaluation`) and the bound on gamma(v): by exhaustive search (`searches`, with `cvxrelu.pricing`) or from multipliers
(`multipliers`), rounding included.
"""

from dataclasses import dataclass
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import DualBound, Scope, at_scale_one, dual_objective
from cvxrelu.certificate.by_multipliers import record_of, settled_for
from cvxrelu.certificate.evaluation import evaluate
from cvxrelu.certificate.evidence import DEFAULT_ASCENTS, Evidence, gather_evidence
from cvxrelu.certificate.norm_multipliers import Multipliers
from cvxrelu.certificate.rational import ExactBound, exact_bound
from cvxrelu.certificate.rational.numbers import ExactData
from cvxrelu.certificate.records import write_record
from cvxrelu.certificate.wording import sentence_of
from cvxrelu.problem.network import Network
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.several_outputs import require_one_output
from cvxrelu.problem.validation import as_instance

__all__ = ["Certificate", "certificate_of"]

Array = NDArray[np.float64]

# Share of the objective hidden by rounding above which the certificate says that the objective is not known.
BLURRED = 1e-6


@dataclass(frozen=True, eq=False)
class Certificate:
    """Bounds on the optimum, and what proves them.

    Attributes
    ----------
    upper : float
        At least the problem's objective at the network as it is stored, whatever rounding does, and for ordinary
        networks within a relative 1e-11 of it; infinite if the network does not fit the data that it has to fit.
    lower : float
        A lower bound on the objective of every network of every width (of every network whose neurons have sampled
        patterns, if the scope is "sampled"). For an interpolant it holds for the targets and for its own predictions.
    scope : {"global", "sampled"}
        What the lower bound speaks of. "global" is said after a search that leaves nothing out, and of the bound zero,
        which needs none.
    dual : (N,) array, or (N, K) of K outputs
        The repaired dual vector that the lower bound comes from, any multiple of which proves the same: as it was
        given or, where that is out of its domain or of the range of ordinary numbers, with its largest entry between
        1/2 and 1, or as near to that as the domain allows. It satisfies the constraint of the dual times N alpha /
        gamma (1 / gamma for an interpolant or separator).
    gamma : float
        The proven upper bound on gamma(dual); infinite if there was no search, so that nothing is proven yet.
    residual : float
        Relative misfit of an interpolant (shortfall of the margin, for loss "margin"), at most; 0.0 for a regularised
        loss.
    blur : float
        Share of the objective that rounding of the predictions may hide: `upper` may be so much too large, or the gap.
    problem : Problem
        The problem that the bounds speak of.
    network : Network
        The network that attains `upper`.
    method : str
        How gamma was bounded: "line" and "plane" (sweeps), "cells", "cones" (branch and bound), "relaxation"
        (multipliers of a program over moments, `cvxrelu.relaxation`), or "none" if nothing was searched.
    multipliers : pair of trees, or NormMultipliers, or None
        What bounds gamma where the method is "relaxation": trees for the scores and for the negative ones
        (`cvxrelu.certificate.multipliers`), or, with several outputs, `cvxrelu.certificate.norm_multipliers`.

    Examples
    --------
    >>> from cvxrelu.certificate.searches import certify_dual
    >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
    >>> network = Network(W=[[1.01]], b=[0.0], v=[1 / 1.01])
    >>> print(certify_dual(problem, network, np.array([-1.0, 1.0])))
    At most ... % above the best possible (proven for networks of every width).
    """

    upper: float
    lower: float
    scope: Scope
    dual: Array
    gamma: float
    residual: float
    blur: float
    problem: Problem
    network: Network
    method: str = "none"
    multipliers: Multipliers | None = None

    def __str__(self) -> str:
        return self.sentence

    def __repr__(self) -> str:
        return (
            f"Certificate(upper={self.upper:.10g}, lower={self.lower:.10g}, "
            f"relative_gap={self.relative_gap:.2e}, scope={self.scope!r})"
        )

    @property
    def gap(self) -> float:
        """Return upper - lower."""
        return self.upper - self.lower

    @property
    def relative_gap(self) -> float:
        """Return (upper - lower) / max(abs(upper), tiny); infinite if upper is."""
        if not np.isfinite(self.upper):
            return np.inf
        return self.gap / max(abs(self.upper), np.finfo(float).tiny)

    @property
    def sentence(self) -> str:
        """What is proven, in words; its numbers are rounded to the safe side."""
        cost = self.network.cost(self.problem.bias, self.problem.norm)
        blur = self.blur if self.blur > BLURRED else 0.0
        return sentence_of(self.upper, self.lower, self.scope, self.residual, cost, blur)

    def of(self, network: Network) -> "Certificate":
        """Return what the same dual vector proves about another network.

        Parameters
        ----------
        network : Network
            Any network with the problem's inputs and slope.

        Raises
        ------
        InputError, InputTypeError
            If it is no network, or one of another kind of problem.
        """
        as_instance(network, Network, "network")
        lower = dual_objective(self.problem, *at_scale_one(self.dual, self.gamma), self.problem.y)
        bound = DualBound(self.dual, self.gamma, None, lower, self.scope, self.method, self.multipliers)
        return certificate_of(self.problem, network, bound)

    def verify_exact(self, exact_data: ExactData = "float") -> ExactBound:
        """Prove a lower bound from the same dual vector in rational arithmetic, where nothing is rounded.

        The floating-point bound is confirmed if ``certificate.verify_exact().lower >= certificate.lower``, which Python
        compares exactly. The bound is global whatever the scope of the certificate.

        Parameters
        ----------
        exact_data : {"float", "decimal"}, default "float"
            Whether the data are the floats themselves, or the shortest decimals that print them: 0.6 is then 3/5, and
            the bound speaks of that data only.

        Returns
        -------
        ExactBound
            The bound, as a fraction.

        Raises
        ------
        InputError
            If there are more than two features (one, with a jointly penalised bias) and no multipliers, as there are
            none where branch and bound proved more than the relaxation, or the loss or the norm is not one of the
            package's.

        Examples
        --------
        >>> from cvxrelu.certificate.searches import certify_dual
        >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
        >>> network = Network(W=[[1.0]], b=[0.0], v=[1.0])
        >>> certify_dual(problem, network, np.array([-1.0, 1.0])).verify_exact().lower
        Fraction(1, 1)
        """
        multipliers = None if self.multipliers is None else record_of(self.multipliers)
        return exact_bound(self.problem, self.dual, exact_data, multipliers)

    def search(
        self,
        n_ascents: int = DEFAULT_ASCENTS,
        *,
        random_state: int | np.random.Generator | None = None,
        time_limit: float | None = None,
    ) -> Evidence:
        """Search for neurons that speak against the network where no proof closes the gap; this is evidence, no proof.

        Independent ascents go up the score from random starts, in the force of the loss at the network's predictions
        or, for a loss that has none or where that would prove more, in `dual`:

            lower_if_complete = dual objective, were gamma the largest score found;   unseen = n_1 / n   (Good-Turing)

        with n ascents, of which n_1 ended in a local maximum that no other ended in. The certificate stays as it is,
        and so does `lower`; all neurons are searched, whatever the scope.

        Parameters
        ----------
        n_ascents : int, default 1000
            How many, for the score or for its negative, each from a start of its own.
        random_state : int or numpy.random.Generator, optional
            Seed of the starts.
        time_limit : float, optional
            Seconds; ascents that have not ended by then do not count.

        Returns
        -------
        Evidence
            What was found, how much may have been missed, and the bound that would hold if nothing was.

        Raises
        ------
        InputError, InputTypeError
            If the norm of the problem is not Euclidean, or an option is unusable.

        References
        ----------
        I. J. Good (1953), "The population frequencies of species and the estimation of population parameters",
        Biometrika 40, 237-264.

        Examples
        --------
        >>> from cvxrelu.certificate.searches import certify_dual
        >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
        >>> network = Network(W=[[1.0]], b=[0.0], v=[1.0])
        >>> print(certify_dual(problem, network, np.array([-1.0, 1.0])).search(100, random_state=0))
        Evidence, no proof: 100 ascents found 2 local maxima, none above what an optimum allows; each was found more
        than once. If no neuron scores more, the network is at most ... % above the best possible.
        """
        require_one_output(self.problem.several, "Certificate.search")
        options = {"random_state": random_state, "time_limit": time_limit}
        return gather_evidence(self.problem, self.network, self.dual, self.upper, n_ascents, **options)

    def save(self, file: str | PathLike[str]) -> None:
        """Write everything that is needed to check the certificate to a JSON file; `cvxrelu.load_certificate` reads it.

        Floats are written so that they read back unchanged; an infinite upper bound is written as null.

        Parameters
        ----------
        file : path
            Where to.

        Raises
        ------
        InputError
            If the loss or the norm of the problem is an object that cannot be named in a file.
        """
        bounds = {name: getattr(self, name) for name in ("upper", "lower", "scope", "gamma")}
        claims, given = {"claim": self.sentence} | bounds, self.multipliers
        multipliers = None if given is None else record_of(settled_for(self.problem, self.dual, given))
        write_record(file, claims, self.dual, self.network, self.problem, multipliers=multipliers)


def certificate_of(problem: Problem, network: Network, bound: DualBound, *, exact: bool = True) -> Certificate:
    """Return the certificate of a network, given the lower bound of a dual vector of the same problem.

    Where the rounding of predictions would show, they are evaluated exactly, unless `exact` is False.
    """
    claims = evaluate(problem, network, bound, exact)
    return Certificate(
        upper=claims.upper,
        lower=claims.lower,
        scope=bound.scope,
        dual=bound.dual,
        gamma=bound.gamma,
        residual=claims.residual,
        blur=claims.blur,
        problem=problem,
        network=network,
        method=bound.method,
        multipliers=bound.multipliers,
    )
