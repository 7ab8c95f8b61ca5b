"""The convex program of given sign patterns: units, the cvxpy model, solvers, and its solution as a network."""
