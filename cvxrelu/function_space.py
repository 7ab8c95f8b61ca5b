"""Networks of one input as functions, in closed form: the public name of `cvxrelu.line`."""

from cvxrelu.line import (
    Envelope,
    FunctionFit,
    KnotMeasure,
    PiecewiseLinear,
    cheapest_network,
    envelope,
    fit_function,
    function_cost,
    is_line_problem,
    is_min_norm,
    min_norm_interpolant,
    minimum_cost,
    sparsest_interpolant,
)

__all__ = [
    "Envelope",
    "FunctionFit",
    "KnotMeasure",
    "PiecewiseLinear",
    "cheapest_network",
    "envelope",
    "fit_function",
    "function_cost",
    "is_line_problem",
    "is_min_norm",
    "min_norm_interpolant",
    "minimum_cost",
    "sparsest_interpolant",
]
