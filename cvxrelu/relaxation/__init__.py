"""Lower bounds in many dimensions: a convex program over moments of neurons."""

from cvxrelu.relaxation.rounds import RelaxedRound, can_relax, relaxed_rounds

__all__ = ["RelaxedRound", "can_relax", "relaxed_rounds"]
