r"""Machines of the kernels that networks are compared with: the ReLU kernel and the neural tangent kernel.

With t the angle between x and z, and neurons w drawn from the unit sphere in d dimensions with output signs +-1,

    ReLU:   K(x, z) = E[relu(w.x) relu(w.z)]                   = norm(x) norm(z) (sin t + (pi - t) cos t) / (2 pi d)
    NTK:    K(x, z) + x.z E[1(w.x > 0) 1(w.z > 0)]             = K(x, z) + x.z (pi - t) / (2 pi)

(Cho & Saul's arc-cosine kernel of order one; Jacot, Gabriel & Hongler for both layers of one hidden one). The norm of
the ReLU kernel is an L2 norm of output weights where the cost of a network is the L1 norm, so without bias

    cost of a network with the same predictions  <=  norm of the kernel machine        (infinitely wide networks).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import pinvh
from sklearn.svm import SVC

__all__ = ["KERNELS", "KernelMachine", "max_margin", "min_norm", "ntk_kernel", "relu_kernel"]

Array = NDArray[np.float64]
Kernel = Callable[[Array, Array], Array]

# Weight of a violated margin in units in which the kernel is one on the average sample. Multipliers of separable data
# stay below it, so the margin is hard.
HARD = 1e8
# Tolerance of libsvm on the optimality conditions, in the same units, where margins are one.
SVC_TOL = 1e-5


@dataclass(frozen=True, eq=False)
class KernelMachine:
    """f(x) = sum_i coefficients_i K(x_i, x) + intercept, and its norm in the kernel's space, the constant left out."""

    kernel: Kernel
    X: Array
    coefficients: Array
    intercept: float
    norm: float

    def __call__(self, X: Array) -> Array:
        """Return the predictions at the rows of X."""
        return self.kernel(X, self.X) @ self.coefficients + self.intercept

    def margin(self, X: Array, y: Array) -> float:
        """Return min_i y_i f(x_i) / norm, the margin gamma_l2 of a support vector machine."""
        return float(np.min(y * self(X))) / self.norm


def relu_kernel(X: Array, Z: Array) -> Array:
    """Return the ReLU kernel between the rows of X and of Z.

    Examples
    --------
    >>> bool(np.isclose(relu_kernel(np.array([[3.0, 4.0]]), np.array([[3.0, 4.0]]))[0, 0], 25 / (2 * 2)))
    True
    """
    lengths, angles = _polar(X, Z)
    return lengths * (np.sin(angles) + (np.pi - angles) * np.cos(angles)) / (2 * np.pi * X.shape[1])


def ntk_kernel(X: Array, Z: Array) -> Array:
    """Return the neural tangent kernel between the rows of X and of Z.

    Examples
    --------
    >>> bool(np.isclose(ntk_kernel(np.array([[3.0, 4.0]]), np.array([[3.0, 4.0]]))[0, 0], 25 / 4 + 25 / 2))
    True
    """
    lengths, angles = _polar(X, Z)
    return relu_kernel(X, Z) + lengths * np.cos(angles) * (np.pi - angles) / (2 * np.pi)


KERNELS: dict[str, Kernel] = {"ReLU kernel": relu_kernel, "NTK": ntk_kernel}


def max_margin(kernel: Kernel, X: Array, y: Array) -> KernelMachine:
    """Return the hard-margin support vector machine, by scikit-learn; it has a free constant.

    Parameters
    ----------
    kernel : callable
        Kernel of two sets of rows.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Labels -1 and +1.

    Returns
    -------
    KernelMachine
        With y_i f(x_i) >= 1, if the data can be separated.
    """
    gram = kernel(X, X)
    unit = float(np.trace(gram)) / len(gram)
    machine = SVC(C=HARD, kernel="precomputed", tol=SVC_TOL, cache_size=1000).fit(gram / unit, y)
    coefficients = np.zeros(len(y))
    coefficients[machine.support_] = machine.dual_coef_[0] / unit
    return _machine(kernel, X, gram, coefficients, float(machine.intercept_[0]))


def min_norm(kernel: Kernel, X: Array, y: Array) -> KernelMachine:
    """Return the interpolant (for conflicting targets, the least-squares fit) of least norm, without a constant.

    Parameters
    ----------
    kernel : callable
        Kernel of two sets of rows.
    X : (n, d) array
        Inputs.
    y : (n,) array
        Targets.
    """
    gram = kernel(X, X)
    return _machine(kernel, X, gram, pinvh(gram) @ y, 0.0)


def _machine(kernel: Kernel, X: Array, gram: Array, coefficients: Array, intercept: float) -> KernelMachine:
    return KernelMachine(kernel, X, coefficients, intercept, float(np.sqrt(coefficients @ gram @ coefficients)))


def _polar(X: Array, Z: Array) -> tuple[Array, Array]:
    """Return the products of lengths, and the angles, of the rows of X and of Z; a zero row is at angle zero."""
    lengths = np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(Z, axis=1))
    cosines = np.divide(X @ Z.T, lengths, out=np.ones_like(lengths), where=lengths > 0)
    return lengths, np.arccos(np.clip(cosines, -1.0, 1.0))
