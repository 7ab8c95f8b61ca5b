r"""pyscnn, the package of Mishkin, Sahiner & Pilanci (2022), "Fast Convex Optimization for Two-Layer ReLU Networks".

    min over (v_i, w_i) in the cells of random gates:  (1/2N) norm(sum_i D_i X (v_i - w_i) - y)^2
                                                       + lambda sum_i norm(v_i) + norm(w_i)

which is our squared loss without biases, restricted to sampled sign patterns. Several outputs are separate to it: each
has neurons of its own, and norms are summed over outputs too, so that it fits K networks of one output. It divides the
squares by N K, so lambda is alpha / K. It runs in the Python of
``PYSCNN_PYTHON``, an environment variable naming the interpreter of an environment with ``pip install pyscnn``, because
its dependencies (torch) are none of ours; by default in this one.
"""

import math
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import cvxrelu as cr
from benchmarks.harness import Record, score

__all__ = ["Settings", "Trained", "available", "recorded", "train"]

WORKER = Path(__file__).with_name("pyscnn_worker.py")


@dataclass(frozen=True)
class Settings:
    """How pyscnn runs.

    Attributes
    ----------
    max_neurons : int
        Twice the number of gates that are sampled (its own parameter).
    tol : float
        Tolerance of its augmented Lagrangian method; 1e-6 is its default, in a measure of its own.
    dtype : str
        "float32", its default, or "float64".
    seed : int
        Of the gates.
    """

    max_neurons: int
    tol: float = 1e-6
    dtype: str = "float32"
    seed: int = 778


@dataclass(frozen=True)
class Trained:
    """Its network, the seconds of its call alone, and its version."""

    network: cr.Network
    seconds: float
    version: str


def interpreter() -> str:
    """Return the Python that pyscnn runs in."""
    return os.environ.get("PYSCNN_PYTHON") or sys.executable


def available() -> str | None:
    """Return None if pyscnn can be imported, or a sentence that says why not and what to do."""
    found = subprocess.run([interpreter(), "-c", "import scnn"], capture_output=True, text=True, check=False)
    if found.returncode == 0:
        return None
    reason = found.stderr.strip().rpartition("\n")[2]
    return (
        f"pyscnn cannot be imported by {Path(interpreter()).name} ({reason}); install it in an environment of its own "
        "and set PYSCNN_PYTHON to its python."
    )


def train(problem: cr.Problem, settings: Settings, time_limit: float) -> Trained:
    """Fit with pyscnn and return its network.

    Raises
    ------
    RuntimeError
        If it fails.
    subprocess.TimeoutExpired
        If it takes longer than `time_limit` seconds; it returns nothing before its end.
    """
    assert (problem.loss.name, problem.bias, problem.negative_slope) == ("squared", "none", 0.0)
    assert problem.alpha is not None
    with tempfile.TemporaryDirectory() as folder:
        given, returned = Path(folder, "given.npz"), Path(folder, "returned.npz")
        strength = np.array(problem.alpha / problem.n_outputs)
        np.savez(given, X=problem.X, y=problem.y, alpha=strength, **asdict(settings))
        done = subprocess.run(
            [interpreter(), str(WORKER), str(given), str(returned)],
            capture_output=True,
            text=True,
            timeout=None if math.isinf(time_limit) else time_limit,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().rpartition("\n")[2])
        with np.load(returned) as result:
            network = cr.Network(result["W"], np.zeros(len(result["W"])), result["v"])
            return Trained(network, float(result["seconds"]), str(result["version"]))


def recorded(problem: cr.Problem, gates: int, time_limit: float, dtype: str = "float32") -> Record:
    """Fit with pyscnn and return the record of its network, or how it failed."""
    try:
        trained = train(problem, Settings(max_neurons=2 * gates, dtype=dtype), time_limit)
    except subprocess.TimeoutExpired:
        return {"gates": gates, "failure": f"no network after {time_limit:g} s"}
    except RuntimeError as error:
        return {"gates": gates, "failure": str(error)}
    record = {"gates": gates, "seconds": trained.seconds, "version": trained.version}
    return record | score(problem, trained.network)
