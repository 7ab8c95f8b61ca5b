"""Pricing: gamma(v) = max over unit neurons of abs( sum_i v_i sigma(w . x_i + b) ), or a bound from above.

Unit neurons are those of Euclidean norm one, or, in `NormPricer`, those of any cost that is a norm within each cell.
Nothing here depends on how a network was found, so that a bound proved here proves it optimal.
"""

from cvxrelu.pricing.any_norm import NormPricer
from cvxrelu.pricing.maxima import Maxima
from cvxrelu.pricing.price import make_pricer, price, price_cells
from cvxrelu.pricing.pricer import Pricer
from cvxrelu.pricing.result import Priced

__all__ = ["Maxima", "NormPricer", "Priced", "Pricer", "make_pricer", "price", "price_cells"]
