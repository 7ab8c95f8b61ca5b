"""Run pyscnn on one problem: ``python pyscnn_worker.py given.npz returned.npz``, in the environment of pyscnn.

It imports nothing of this project, whose packages are not there.
"""

import sys
import time
import warnings
from importlib.metadata import version

import numpy as np


def main(given: str, returned: str) -> None:
    """Read the problem, fit, and write the network."""
    warnings.simplefilter("ignore")
    from scnn.activations import sample_gate_vectors  # pyright: ignore[reportMissingImports]
    from scnn.metrics import Metrics  # pyright: ignore[reportMissingImports]
    from scnn.models import ConvexReLU  # pyright: ignore[reportMissingImports]
    from scnn.optimize import optimize_model  # pyright: ignore[reportMissingImports]
    from scnn.regularizers import NeuronGL1  # pyright: ignore[reportMissingImports]
    from scnn.solvers import AL  # pyright: ignore[reportMissingImports]

    with np.load(given) as problem:
        X, y, alpha, tol = problem["X"], problem["y"], float(problem["alpha"]), float(problem["tol"])
        gates, dtype, seed = int(problem["max_neurons"]) // 2, str(problem["dtype"]), int(problem["seed"])
    started = time.perf_counter()
    convex = ConvexReLU(sample_gate_vectors(seed, X.shape[1], gates), c=1 if y.ndim == 1 else y.shape[1])
    # Scaling the columns to unit length would change the cost of a neuron, so it is switched off.
    network, _ = optimize_model(
        convex,
        AL(convex, tol=tol, constraint_tol=tol),
        Metrics(),
        X,
        y,
        regularizer=NeuronGL1(alpha),
        unitize_data=False,
        dtype=dtype,
        seed=seed,
    )
    seconds = time.perf_counter() - started
    W, v = (np.asarray(part, dtype=float) for part in network.parameters)
    np.savez(returned, W=W, v=v.reshape(-1) if y.ndim == 1 else v.T, seconds=seconds, version=version("pyscnn"))


if __name__ == "__main__":
    main(*sys.argv[1:])
