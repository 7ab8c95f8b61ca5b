"""Networks of one input as functions, in closed form: the public name of `cvxrelu.line`."""

from cvxrelu.line import *  # noqa: F403
from cvxrelu.line import __all__ as __all__
