"""Lower bounds in rational arithmetic: proofs in which nothing is rounded.

Nothing here is shared with the floating-point bounds of `cvxrelu.pricing` and `cvxrelu.problem.losses`, which it
checks.
"""

from cvxrelu.certificate.rational.bound import ExactBound, exact_bound

__all__ = ["ExactBound", "exact_bound"]
