"""Dense quadratic programs: what piqp is asked for, wherever it is used.

    min x.P x / 2 + c.x   subject to   A x = b,   h_l <= G x <= h_u,   x_l <= x <= x_u

It is an interior-point method on dense matrices, which for hundreds of unknowns takes milliseconds: no other is as
quick to set up.
"""

import piqp

__all__ = ["dense_solver"]


def dense_solver(accuracy: float, most_iterations: int | None = None) -> piqp.DenseSolver:
    """Return a solver to set up with a program, which ends where residuals and the duality gap are small enough.

    Parameters
    ----------
    accuracy : float
        What that means, absolutely and relatively.
    most_iterations : int, optional
        Iterations after which it gives up; piqp's own limit by default.
    """
    solver = piqp.DenseSolver()
    settings = solver.settings
    settings.verbose = False
    settings.eps_abs = settings.eps_rel = accuracy
    settings.check_duality_gap = True
    settings.eps_duality_gap_abs = settings.eps_duality_gap_rel = accuracy
    if most_iterations is not None:
        settings.max_iter = most_iterations
    return solver
