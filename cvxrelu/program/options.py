"""What `solve` is asked beside the problem: how exactly, for how long, with which solver, and from where on.

One value, checked once where it enters, goes through all stages unchanged; what a stage is asked for in its stead is a
`dataclasses.replace` of it.
"""

from dataclasses import dataclass

import numpy as np

from cvxrelu.errors import InputError
from cvxrelu.problem.network import Network
from cvxrelu.problem.validation import as_count, as_flag, as_generator, as_instance, as_jobs, as_real
from cvxrelu.program.solvers import check_solver

__all__ = ["Options"]


@dataclass(frozen=True, eq=False)
class Options:
    """The options of `cvxrelu.solve`, which explains each of them.

    Attributes
    ----------
    method : str
        "auto", or a line of `cvxrelu.solving.methods.METHODS`, where the name is checked.
    tol : float
        Relative gap to reach, positive.
    time_limit : float or None
        Seconds, positive.
    max_rounds : int or None
        Rounds of column generation, positive.
    solver : str
        A solver that cvxpy has installed.
    n_jobs : int or None
        Workers, as in joblib; it becomes a number.
    random_state : int, numpy.random.Generator or None
        A seed.
    progress : bool
        Whether to show a progress bar.
    warm_start : Network or None
        Where column generation starts.
    prove : bool
        Whether to search exhaustively for a better neuron where local ascent finds none.

    Raises
    ------
    InputError, InputTypeError
        If one of them is out of range or of another type.

    Examples
    --------
    >>> Options(tol=0.0)
    Traceback (most recent call last):
        ...
    cvxrelu.errors.InputError: tol=0 must be positive.
    """

    method: str = "auto"
    tol: float = 1e-6
    time_limit: float | None = None
    max_rounds: int | None = None
    solver: str = "CLARABEL"
    n_jobs: int = 1
    random_state: int | np.random.Generator | None = None
    progress: bool = False
    warm_start: Network | None = None
    prove: bool = True

    def __post_init__(self) -> None:
        if as_real(self.tol, "tol") <= 0:
            raise InputError(f"tol={self.tol:g} must be positive.")
        if self.time_limit is not None and as_real(self.time_limit, "time_limit") <= 0:
            raise InputError(f"time_limit={self.time_limit:g} must be a positive number of seconds.")
        check_solver(self.solver)
        if self.max_rounds is not None:
            as_count(self.max_rounds, "max_rounds")
        object.__setattr__(self, "n_jobs", as_jobs(self.n_jobs))
        as_generator(self.random_state)
        as_flag(self.progress, "progress")
        as_flag(self.prove, "prove")
        if self.warm_start is not None:
            as_instance(self.warm_start, Network, "warm_start")
