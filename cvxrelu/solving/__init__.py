"""`solve`: the methods that lead from a problem to a certified network, and the `Fit` that they end in."""
