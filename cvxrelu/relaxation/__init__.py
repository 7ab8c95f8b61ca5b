"""Lower bounds in many dimensions: a convex program over moments of neurons."""

from cvxrelu.relaxation.rounds import RelaxedRound, relaxed_rounds

__all__ = ["RelaxedRound", "relaxed_rounds"]
