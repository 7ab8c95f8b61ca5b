"""The line, in closed form: minimum-norm networks of one input as piecewise linear functions.

With one input and free bias everything about minimum-norm interpolation is known exactly: what a function costs,
the least cost through given points, all functions that attain it, and the one of them with the fewest knots. A
penalised loss on the line is a small sparse program. Start with `sparsest_interpolant`, `envelope` or `fit_function`.

Sources: Savarese, Evron, Soudry & Srebro, "How do infinite width bounded norm networks look in function space?";
Debarre, Denoyelle, Unser & Fageot, "Sparsest piecewise-linear regression of one-dimensional data". Both are for ReLU;
the slopes a != 0 are worked out in the modules.
"""

from cvxrelu.line.cost import function_cost, is_min_norm, min_norm_interpolant, minimum_cost
from cvxrelu.line.envelope import Envelope, envelope
from cvxrelu.line.fitting import FunctionFit, fit_function, is_line_problem
from cvxrelu.line.networks import cheapest_network
from cvxrelu.line.piecewise import KnotMeasure, PiecewiseLinear
from cvxrelu.line.sparsest import sparsest_interpolant

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
