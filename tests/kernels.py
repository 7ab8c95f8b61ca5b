"""The compiled kernels of the package, in two parts that take equally long to compile and have little in common."""

from collections.abc import Callable

import numpy as np

from cvxrelu.arrangement import enumerate_patterns
from cvxrelu.pricing import make_pricer, price, price_cells

__all__ = ["PARTS"]

X = np.random.default_rng(0).standard_normal((8, 3))
v = np.array([1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 4.0, -4.0])


def compile_cones() -> None:
    """Have those of branch and bound and of local ascent compiled."""
    price(X, v, method="cones")
    make_pricer(X).ascend(v, n_starts=2, random_state=0)


def compile_cells_and_sweeps() -> None:
    """Have those of the arrangement compiled, and those that price its cells, the plane and several outputs."""
    price_cells(X, v, enumerate_patterns(X, bias=True).to_bool())
    price(X[:, :2], v)
    price(X[:, :2], v, bias="none")
    price(X[:, :2], np.column_stack([v, v]))


PARTS: tuple[Callable[[], None], ...] = (compile_cones, compile_cells_and_sweeps)
