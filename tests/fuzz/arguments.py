"""Public functions with arguments that are wrong."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import cvxrelu as cr
from tests.fuzz.trial import Trial

STRANGE: tuple[Any, ...] = (
    None,
    "x",
    b"abc",
    {},
    (),
    [],
    -1,
    0,
    1,
    2.5,
    1e308,
    -1e308,
    5e-324,
    10**400,
    1j,
    True,
    float("nan"),
    float("inf"),
    object(),
    len,
    [[1], [1, 2]],
    "free",
    "squared",
    "auto",
    np.zeros((0, 2)),
    np.zeros((2, 0)),
    np.ones(4),
    np.ones((4, 2)),
    np.ones((4, 2, 1)),
    np.full((4, 2), np.nan),
    np.full((4, 2), 1e308),
    np.full(4, -1e-308),
    np.ones((4, 2), dtype=bool),
    np.array([["a", "b"]] * 4),
    np.array([1, 2, 3, 4], dtype=np.int8),
    np.random.default_rng(0),
)

X4 = np.array([[0.0, 0.0], [1.0, 0.0], [2.0, 1.0], [0.5, 3.0]])
Y4 = np.array([0.0, 1.0, 2.0, -1.0])
P4 = cr.Problem(X4, Y4, "squared", alpha=0.01)
N4 = cr.Network([[1.0, 1.0]], [0.0], [1.0])
P42 = cr.Problem(X4, np.column_stack([Y4, Y4**2]), "huber", alpha=0.01)
N42 = cr.Network([[1.0, 1.0]], [0.0], [[1.0, 2.0]], [0.0, 1.0])


@functools.cache
def _targets() -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Return public calls that work, by name, with their arguments."""
    from cvxrelu import function_space as fs
    from cvxrelu.pricing import make_pricer, price

    problem = {"X": X4, "y": Y4, "loss": "squared", "bias": "free", "alpha": 0.1, "negative_slope": 0.0}
    problem |= {"norm": "euclidean", "sample_weight": None, "skip": False, "output_sign": "any"}
    limits = {"method": "auto", "tol": 1e-6, "time_limit": 5.0, "max_rounds": None, "solver": "CLARABEL", "n_jobs": 1}
    limits |= {"random_state": 0, "progress": False, "prove": True, "warm_start": None}
    network = {"W": [[1.0, 2.0]], "b": [0.5], "v": [2.0], "intercept": 0.0, "negative_slope": 0.0}
    network |= {"skip": None}
    classes = {**problem, "y": [0, 1, 2, 1], "loss": "softmax"}
    outputs = {**network, "v": [[2.0, 1.0]], "intercept": [0.0, 1.0], "skip": [[0.0, 1.0], [2.0, 3.0]]}
    fit, several = cr.solve(P4), cr.solve(P42)
    line = {"x": [0.0, 1.0, 3.0, 4.0], "y": [0.0, 1.0, 0.0, 2.0], "negative_slope": 0.0}
    return {
        "Problem": (cr.Problem, problem),
        "solve": (cr.solve, {"problem": P4, **limits}),
        "path": (cr.path, {"problem": P4, "alphas": [0.1, 0.01], "tol": 1e-6, "time_limit": 5.0, "random_state": 0}),
        "certify": (cr.certify, {"network": N4, "problem": P4, "time_limit": 5.0}),
        "Problem of classes": (cr.Problem, classes),
        "Network of outputs": (cr.Network, outputs),
        "solve outputs": (cr.solve, {"problem": P42, **limits}),
        "path of outputs": (cr.path, {"problem": P42, "alphas": [0.1, 0.01], "tol": 1e-6, "time_limit": 5.0}),
        "certify outputs": (cr.certify, {"network": N42, "problem": P42, "time_limit": 5.0}),
        "output": (N42.output, {"k": 1}),
        "of": (several.certificate.of, {"network": N42}),
        "verify_exact": (several.certificate.verify_exact, {"exact_data": "float"}),
        "alpha_max": (cr.alpha_max, {"problem": P4, "time_limit": 5.0}),
        "optimal_set": (cr.optimal_set, {"fit": fit, "tol": 1e-7}),
        "max_margin": (cr.max_margin, {"certificate": fit.certificate}),
        "Network": (cr.Network, network),
        "call": (N4, {"X": X4}),
        "as_network": (cr.as_network, {"model": {"W": [[1.0, 2.0]], "b": [0.5], "v": [2.0]}, "negative_slope": 0.0}),
        "enumerate_patterns": (cr.enumerate_patterns, {"X": X4}),
        "count_patterns": (cr.count_patterns, {"n_samples": 4, "n_features": 2}),
        "sample_patterns": (cr.sample_patterns, {"X": X4, "n": 5, "random_state": 0}),
        "price": (price, {"X": X4, "v": Y4 - Y4.mean(), "bias": "free", "negative_slope": 0.0, "tol": 1e-9}),
        "ascend": (make_pricer(X4).ascend, {"v": Y4 - Y4.mean(), "n_starts": 4, "random_state": 0}),
        "search": (fit.certificate.search, {"n_ascents": 20, "random_state": 0, "time_limit": 5.0}),
        "load_certificate": (cr.load_certificate, {"file": "nowhere.json", "time_limit": 1.0}),
        "load": (cr.Network.load, {"file": "nowhere.npz"}),
        "minimum_cost": (fs.minimum_cost, line),
        "min_norm_interpolant": (fs.min_norm_interpolant, line),
        "envelope": (fs.envelope, line),
        "sparsest_interpolant": (fs.sparsest_interpolant, line),
    }


def arguments(seed: int) -> Trial:
    """Call a public function with one or two arguments replaced by something strange."""
    trial, rng = Trial(), np.random.default_rng([seed, 5])
    targets = _targets()
    name = str(rng.choice(list(targets)))
    function, options = targets[name]
    options = dict(options)
    wrong = {}
    for key in rng.choice(list(options), size=min(len(options), int(rng.integers(1, 3))), replace=False):
        wrong[str(key)] = options[str(key)] = STRANGE[rng.integers(len(STRANGE))]
    trial.call(function, **options)
    trial.outcome = trial.outcome or "accepted"
    trial.findings = [f"{name} with {str(wrong)[:200]}: {finding}" for finding in trial.findings]
    return trial
