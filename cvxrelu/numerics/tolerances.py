"""Tolerances that mean the same in several rooms, each with its reason.

What two tolerances measure may sound alike and differ: a hinge that a formula puts on a point misses it by rounding,
and one that a solver puts there by the solver's accuracy.
"""

__all__ = ["NEAR_HINGE", "ON_HINGE", "QR_RANK_RTOL", "SOLVED_RANK_RTOL"]

ON_HINGE = 1e-12
"""Share of norm(u) norm(z) within which u.z is zero up to rounding: a few thousand units in the last place."""

NEAR_HINGE = 1e-7
"""The same for groups that a solver has found: above its accuracy in them, and far below what moves a network."""

QR_RANK_RTOL = 1e-13
"""Share of the largest pivot below which a column depends on others: in a pivoted QR factorisation of columns of about
equal length, dependent ones leave a hundred units in the last place."""

SOLVED_RANK_RTOL = 1e-9
"""Share of the largest singular value below which directions vanish, in matrices made of what a solver has found. The
neurons of a dual vector that is exact to 1e-12 show true dependences at 1e-12, and independence above 1e-5."""
