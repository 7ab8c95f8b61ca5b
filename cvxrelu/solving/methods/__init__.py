r"""The ways from a problem to a certified network, one a file.

    enumerate   Problem -> Arrangement -> Cells -> Program -> Solution -> Network, Certificate
    sample      the same with random cells; the certificate speaks of those only
    line        Problem -> piecewise linear function -> Network, Certificate; for one input with free biases
    generate    Problem -> neurons <-> pricing of dual vectors -> Cells -> Program -> Solution -> Network, Certificate

`constant` is no choice of the caller's: it is what is left where nothing but a constant is worth its cost, or where all
else fails. A new method is a file, and a line in `METHODS`.
"""

from cvxrelu.problem.validation import as_choice
from cvxrelu.solving.methods.enumerate import ENUMERATE
from cvxrelu.solving.methods.generate import GENERATE
from cvxrelu.solving.methods.line import LINE
from cvxrelu.solving.methods.method import Method
from cvxrelu.solving.methods.sample import SAMPLE

__all__ = ["METHODS", "check_method"]

METHODS: dict[str, Method] = {method.name: method for method in (ENUMERATE, GENERATE, LINE, SAMPLE)}


def check_method(name: object) -> None:
    """Refuse what is neither "auto" nor the name of a method.

    Raises
    ------
    InputError, InputTypeError
        If it is anything else.
    """
    as_choice(name, ("auto", *METHODS), "method")
