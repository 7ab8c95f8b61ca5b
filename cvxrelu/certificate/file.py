r"""Certificates from files: read, and proved again before anything is believed."""

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from cvxrelu.certificate.bounds import Scope
from cvxrelu.certificate.by_multipliers import bound_by, multipliers_in
from cvxrelu.certificate.certificate import Certificate, certificate_of
from cvxrelu.certificate.records import network_of, problem_of, read_record
from cvxrelu.certificate.searches import euclidean_pricer, prove_dual
from cvxrelu.errors import FileError, InputError
from cvxrelu.numerics.powers import exponent_of, shift_up
from cvxrelu.problem.problem import Problem
from cvxrelu.problem.validation import as_real, as_rows, as_seconds
from cvxrelu.runtime.clock import Clock

__all__ = ["load_certificate"]

# Relative difference up to which a bound that is computed again agrees with the one in a file: other machines sum in
# another order, and a search that stops within its tolerance of 1e-9 may stop elsewhere.
AGREEMENT_RTOL = 1e-8


def load_certificate(file: str | PathLike[str], *, verify: bool = True, time_limit: float | None = None) -> Certificate:
    """Read a certificate that `Certificate.save` wrote, and prove it again.

    Parameters
    ----------
    file : path
        The file.
    verify : bool, default True
        Whether to recompute the lower bound from the data and the dual vector (and its multipliers, if the file has
        any), and to refuse a file that claims more; the upper bound always is. A lower bound of scope "sampled" cannot
        be recomputed: the patterns are not in the file. Of several outputs a search ends where it proves the claim.
    time_limit : float, optional
        Seconds after which the search for the lower bound stops; a bound that needs more is then refused.

    Returns
    -------
    Certificate
        The certificate as it was written; a dual vector that had to be repaired is replaced by what proves the bound.

    Raises
    ------
    InputError, InputTypeError
        If the file cannot be read, is no certificate, is damaged, or claims what its contents do not prove; or the time
        limit is not one.

    Examples
    --------
    >>> import tempfile
    >>> from cvxrelu.certificate.searches import certify_dual
    >>> from cvxrelu.problem.network import Network
    >>> from cvxrelu.problem.problem import Problem
    >>> problem = Problem([[0.0], [1.0]], [0.0, 1.0])
    >>> certificate = certify_dual(problem, Network(W=[[1.0]], b=[0.0], v=[1.0]), np.array([-1.0, 1.0]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     certificate.save(f"{folder}/two_points.json")
    ...     load_certificate(f"{folder}/two_points.json")
    Certificate(upper=1, lower=1, relative_gap=..., scope='global')
    """
    clock = Clock(as_seconds(time_limit))
    try:
        record = read_record(file)
        problem = problem_of(record["problem"])
        network = network_of(record["network"], problem.n_features)
        stated = Certificate(
            upper=np.inf if record["upper"] is None else as_real(record["upper"], "upper"),
            lower=as_real(record["lower"], "lower"),
            scope=record["scope"],
            dual=_dual_of(record, problem),
            gamma=np.inf if record["gamma"] is None else as_real(record["gamma"], "gamma"),
            residual=0.0,
            blur=0.0,
            problem=problem,
            network=network,
            multipliers=multipliers_in(record["multipliers"], problem) if "multipliers" in record else None,
        )
        found = _found_again(stated, verify, clock)
    except FileError:
        raise
    except KeyError as error:
        raise InputError(f"{file} is not a saved certificate: it has no entry {error}.") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{file} is not a valid certificate: {error}") from error
    # Of two bounds that agree, the looser one needs no trust in the machine that wrote the other.
    lower = min(stated.lower, found.lower) if verify else stated.lower
    return replace(found, upper=max(stated.upper, found.upper), lower=lower)


def _dual_of(record: Mapping[str, Any], problem: Problem) -> NDArray[np.float64]:
    """Return the dual vector of a file."""
    dual = as_rows(record["dual"], problem.n_samples, "dual")
    if dual.shape != problem.no_dual.shape:
        raise ValueError(f"its dual has shape {dual.shape}, not {problem.no_dual.shape}.")
    return dual


def _proven_again(stated: Certificate, clock: Clock) -> Certificate:
    """Return what the dual vector proves by its multipliers, or by a search if it has none, or needs none."""
    problem, network = stated.problem, stated.network
    if stated.multipliers is not None:
        proven = certificate_of(problem, network, bound_by(problem, stated.dual, stated.multipliers))
        if not (euclidean_pricer(problem).sweeps and _overclaim(stated, proven)):
            return proven
    # Directions of the score take long to be searched for more than is claimed.
    enough = stated.gamma if problem.several else None
    return certificate_of(problem, network, prove_dual(problem, stated.dual, clock, enough=enough))


def _overclaim(stated: Certificate, proven: Certificate) -> str:
    """Return a sentence about what a certificate claims beyond what is proven, empty if there is nothing."""
    if stated.lower > proven.lower * (1 + AGREEMENT_RTOL):
        return f"it claims the lower bound {stated.lower:.10g}, but its dual vector proves {proven.lower:.10g}."
    # What is proven may speak of another multiple of the vector.
    gamma = shift_up(proven.gamma, exponent_of(stated.dual) - exponent_of(proven.dual))
    if stated.gamma < gamma * (1 - AGREEMENT_RTOL):
        return f"it claims gamma = {stated.gamma:.10g}, but its dual vector has up to {gamma:.10g}."
    return ""


def _found_again(stated: Certificate, verify: bool, clock: Clock) -> Certificate:
    """Return what the contents of a certificate prove, its dual vector repaired; a ValueError if it claims more."""
    found = stated.of(stated.network)
    if stated.scope not in get_args(Scope):
        raise ValueError(f"its scope is {stated.scope!r}, which is none of {', '.join(map(repr, get_args(Scope)))}.")
    if verify and stated.scope == "global":
        proven = _proven_again(stated, clock) if stated.gamma < np.inf else found
        overclaim = _overclaim(stated, proven)
        if overclaim:
            raise ValueError(overclaim)
        changes = {"dual": proven.dual, "gamma": proven.gamma, "lower": proven.lower, "method": proven.method}
        found = replace(found, **changes, multipliers=proven.multipliers)
    if not np.isclose(stated.upper, found.upper, rtol=AGREEMENT_RTOL, atol=0.0):
        raise ValueError(f"it claims the upper bound {stated.upper:.10g}, but its network gives {found.upper:.10g}.")
    return found
