r"""Hostile problems: whatever data, units and options can be at once, drawn from a seed.

    X = units * kind(rng) + offset,    y = scale * kind(rng) + offset,    and every option of `Problem` and `solve`

Every problem is one that `Problem` accepts: contradictions are put right here (equal rows get equal targets where they
have to be met, labels have both classes), so whatever `solve` raises is about numbers. Small on purpose (`MOST_SAMPLES`
times `MOST_FEATURES`): hundreds of them are solved in minutes, and every one can be checked by brute force.

>>> problem, options = hostile_problem(5)
>>> fit = cr.solve(problem, **options)  # doctest: +SKIP
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import cvxrelu as cr
from tests.instances import BIASES, CONSTRAINTS, LABELLED, REGULARISED

Array = NDArray[np.float64]
Rng = np.random.Generator

MOST_SAMPLES, MOST_FEATURES = 12, 4

SLOPES = (0.0, 0.1, -0.3, -1.0, 2.0, 0.999, -2.0, 1e-300)
# Losses of several outputs: of real targets, and of labels of classes; and those that are constraints.
OF_OUTPUTS, CLASSES = ("squared", "huber", "interpolation"), ("softmax", "multiclass-margin")
EXACT = (*CONSTRAINTS, "multiclass-margin")
METHODS = ("auto", "generate", "enumerate", "sample")
# Share of ordinary values of an option, so that strange ones meet ordinary ones, too.
ORDINARY = 0.4


def _with_duplicates(rng: Rng, n: int, d: int) -> Array:
    return rng.standard_normal((n, d))[rng.integers(0, max(1, n // 2), n)]


def _with_near_duplicates(rng: Rng, n: int, d: int) -> Array:
    return _with_duplicates(rng, n, d) + 10.0 ** rng.integers(-14, -5) * rng.standard_normal((n, d))


def _collinear(rng: Rng, n: int, d: int) -> Array:
    return np.outer(rng.standard_normal(n), rng.standard_normal(d)) + rng.standard_normal(d)


def _with_constant_columns(rng: Rng, n: int, d: int) -> Array:
    X = rng.standard_normal((n, d))
    X[:, rng.random(d) < 0.5] = rng.standard_normal()
    return X


INPUTS: dict[str, Callable[[Rng, int, int], Array]] = {
    "gaussian": lambda rng, n, d: rng.standard_normal((n, d)),
    "heavy tails": lambda rng, n, d: rng.standard_cauchy((n, d)) ** 3,
    "lattice": lambda rng, n, d: rng.integers(-1, 2, (n, d)).astype(float),
    "duplicates": _with_duplicates,
    "near duplicates": _with_near_duplicates,
    "collinear": _collinear,
    "constant columns": _with_constant_columns,
    "one-hot": lambda rng, n, d: np.eye(d)[rng.integers(0, d, n)],
    "all equal": lambda rng, n, d: np.tile(rng.standard_normal(d), (n, 1)),
    "zeros": lambda _, n, d: np.zeros((n, d)),
}

TARGETS: dict[str, Callable[[Rng, int], Array]] = {
    "gaussian": lambda rng, n: rng.standard_normal(n),
    "constant": lambda rng, n: np.full(n, rng.standard_normal()),
    "zero": lambda _, n: np.zeros(n),
    "heavy tails": lambda rng, n: rng.standard_cauchy(n) ** 3,
    "tiny spread": lambda rng, n: 1.0 + 10.0 ** rng.integers(-15, -5) * rng.standard_normal(n),
    "one outlier": lambda rng, n: np.where(np.arange(n) == 0, 1e8, rng.standard_normal(n)),
    "integers": lambda rng, n: rng.integers(-1, 2, n).astype(float),
}


def hostile_inputs(rng: Rng) -> Array:
    """Return an (N, d) array of some kind, in some units, somewhere."""
    n = int(rng.choice([1, 2, 3, 5, 8, MOST_SAMPLES], p=[0.08, 0.1, 0.15, 0.3, 0.3, 0.07]))
    d = int(rng.choice([1, 2, 3, MOST_FEATURES], p=[0.25, 0.45, 0.2, 0.1]))
    X = INPUTS[str(rng.choice(list(INPUTS), p=[0.28, *[0.72 / (len(INPUTS) - 1)] * (len(INPUTS) - 1)]))](rng, n, d)
    if rng.random() > ORDINARY:
        mixed = rng.random() < 0.4
        X = X * 10.0 ** rng.integers(-6, 7, d if mixed else 1)
    if rng.random() > 0.8:
        X = X + 10.0 ** rng.integers(6, 13) * rng.standard_normal(d)
    return X


def hostile_targets(rng: Rng, n_samples: int) -> Array:
    """Return n_samples real numbers of some kind, in some units."""
    y = TARGETS[str(rng.choice(list(TARGETS)))](rng, n_samples)
    return y if rng.random() < ORDINARY else y * 10.0 ** float(rng.choice([-60, -20, -8, -3, 3, 8, 20, 56, 67]))


WEIGHTS: dict[str, Callable[[Rng, int], Array]] = {
    "counts": lambda rng, n: rng.integers(0, 4, n).astype(float),
    "wide": lambda rng, n: 10.0 ** rng.uniform(-12, 12, n),
    "one": lambda rng, n: np.where(np.arange(n) == rng.integers(n), 1.0, 0.0),
    "huge": lambda rng, n: 1e300 * rng.random(n),
    "equal": lambda _, n: np.full(n, 3.0),
}


def _of_low_rank(rng: Rng, n: int, count: int) -> Array:
    return np.outer(hostile_targets(rng, n), rng.integers(-2, 3, count))


def _in_other_units(rng: Rng, n: int, count: int) -> Array:
    return rng.standard_normal((n, count)) * 10.0 ** rng.choice([-80, -20, -3, 0, 3, 20, 80], count)


MATRICES: dict[str, Callable[[Rng, int, int], Array]] = {
    "independent": lambda rng, n, count: np.array([hostile_targets(rng, n) for _ in range(count)]).T,
    "gaussian": lambda rng, n, count: rng.standard_normal((n, count)),
    "low rank": _of_low_rank,
    "other units": _in_other_units,
    "one-hot": lambda rng, n, count: np.eye(count)[rng.integers(0, count, n)],
}


def hostile_outputs(rng: Rng, X: Array, bias: str) -> dict[str, Any]:
    """Return a loss of several outputs, targets or labels that some network meets if it has to, and a bias for these.

    Parameters
    ----------
    rng : Generator
        Random numbers.
    X : (N, d) array
        The inputs.
    bias : {"free", "joint", "none"}
        What the bias is to be, if the targets can be met with it.
    """
    n, count = len(X), int(rng.choice([1, 2, 3, 4]))
    places, first, place = np.unique(X, axis=0, return_index=True, return_inverse=True)
    loss = str(rng.choice([*OF_OUTPUTS, *CLASSES, "squared", "softmax"]))
    if loss in CLASSES and (n == 1 or (loss == "multiclass-margin" and len(places) == 1)):
        loss = "squared"
    if loss in EXACT and bias == "none" and not X.any(axis=1).all():
        bias = "free"
    if loss not in CLASSES:
        Y = MATRICES[str(rng.choice(list(MATRICES)))](rng, n, count)
        return {"y": Y[first][place.reshape(-1)] if loss in EXACT else Y, "loss": loss, "bias": bias}
    labels = rng.integers(0, max(2, count), len(places) if loss in EXACT else n)
    labels[:2] = [0, 1]
    labels = np.unique(labels, return_inverse=True)[1]
    return {"y": labels[place.reshape(-1)] if loss in EXACT else labels, "loss": loss, "bias": bias}


def spread_columns(rng: Rng, X: Array) -> Array:
    """Return the inputs with columns in units of their own, up to hundreds of powers of ten apart."""
    units = 10.0 ** rng.choice([-250, -150, -20, 0, 20, 60], X.shape[1])
    units[rng.integers(len(units))] = 1.0
    spread = X * units
    return spread if 1e-80 < np.abs(spread).max() < 1e80 else X


def hostile_parts(rng: Rng, y: Array, labelled: bool = False) -> dict[str, Any]:
    """Return sample weights, a skip connection and signs for some problems, nothing for most.

    Both signs of y, or all labels, count.
    """
    parts: dict[str, Any] = {}
    if rng.random() < 0.3:
        weights = WEIGHTS[str(rng.choice(list(WEIGHTS)))](rng, len(y))
        # All labels have to count, and something does.
        kinds = y if labelled else np.sign(y)
        for kind in np.unique(kinds):
            place = np.flatnonzero(kinds == kind)
            if not weights[place].any():
                weights[place[0]] = 1.0
        parts["sample_weight"] = weights
    if rng.random() < 0.3:
        parts["skip"] = True
    if rng.random() < 0.2:
        parts["output_sign"] = "positive"
    return parts


def hostile_problem(
    seed: int, with_parts: bool = False, with_outputs: bool = False
) -> tuple[cr.Problem, dict[str, Any]]:
    """Return a problem and options of `solve`; the same for the same seed.

    Parameters
    ----------
    seed : int
        Any non-negative number.
    with_parts : bool, default False
        Whether it may have sample weights, a skip connection and signs, with which some exact fits are impossible and
        the logistic loss may have no minimum: then `solve` refuses it.
    with_outputs : bool, default False
        Whether some have several outputs, or classes.

    Returns
    -------
    problem : Problem
        One that its constructor accepts.
    options : dict
        Method and random state; a time limit is for the caller to add.
    """
    rng = np.random.default_rng(seed)
    X = hostile_inputs(rng)
    places, place = np.unique(X, axis=0, return_inverse=True)
    loss = str(rng.choice(REGULARISED if rng.random() < 0.8 else CONSTRAINTS))
    if loss in LABELLED and (len(X) == 1 or (loss == "margin" and len(places) == 1)):
        loss = "squared"
    bias = str(rng.choice(BIASES))
    y = np.sign(rng.standard_normal(len(X))) if loss in LABELLED else hostile_targets(rng, len(X))
    if loss in CONSTRAINTS:
        y = y[np.unique(place, return_index=True)[1]][place.ravel()]
        bias = "free" if bias == "none" and not X.any(axis=1).all() else bias
    if loss in LABELLED and np.ptp(y) == 0:
        one = (place.ravel() == place.ravel()[0]) if loss == "margin" else np.arange(len(y)) == 0
        y = np.where(one, -y[0], y[0])
    parts = hostile_parts(np.random.default_rng([seed, 1]), y) if with_parts else {}
    several = np.random.default_rng([seed, 2])
    if with_outputs and several.random() < 0.5:
        return _with_outputs(seed, several, X, bias, with_parts)
    alpha = float(rng.choice([0.01, 0.1]) if rng.random() < ORDINARY else 10.0 ** rng.integers(-12, 13))
    problem = cr.Problem(
        X,
        y,
        loss=loss,
        bias=bias,
        alpha=alpha if loss in REGULARISED else None,
        negative_slope=float(rng.choice(SLOPES)),
        **parts,
    )
    return problem, {"method": str(rng.choice(METHODS, p=[0.4, 0.25, 0.15, 0.2])), "random_state": int(seed)}


def _with_outputs(seed: int, rng: Rng, X: Array, bias: str, with_parts: bool) -> tuple[cr.Problem, dict[str, Any]]:
    """Return a problem of several outputs on the same inputs."""
    X = spread_columns(rng, X) if rng.random() < 0.15 else X
    options = hostile_outputs(rng, X, bias)
    alpha = float(rng.choice([0.01, 0.1]) if rng.random() < ORDINARY else 10.0 ** rng.integers(-12, 13))
    labelled = options["loss"] in CLASSES
    parts = hostile_parts(rng, options["y"] if labelled else np.ones(len(X)), labelled) if with_parts else {}
    parts.pop("output_sign", None)
    if "sample_weight" in parts and 0 < np.abs(X[parts["sample_weight"] > 0]).max() < 1e-80:
        del parts["sample_weight"]  # what is left of spread columns is out of range
    problem = cr.Problem(
        X,
        **options,
        **parts,
        alpha=None if options["loss"] in EXACT else alpha,
        negative_slope=float(rng.choice(SLOPES)),
    )
    return problem, {"method": str(rng.choice(["auto", "generate"])), "random_state": int(seed)}
