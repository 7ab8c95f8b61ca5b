"""All optimal networks of a problem: their polytope, random members, extreme predictions, and the sparsest of them."""

from cvxrelu.analysis.optima.find import optimal_set
from cvxrelu.analysis.optima.members import ExtremePredictions, OptimalNetwork, SparsestNetwork
from cvxrelu.analysis.optima.optimal import OptimalSet

__all__ = ["ExtremePredictions", "OptimalNetwork", "OptimalSet", "SparsestNetwork", "optimal_set"]
