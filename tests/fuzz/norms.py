"""Hostile problems whose neurons cost what they respond with, and neurons that respond as the dual vector asks.

Of rows that are independent, exactly, any responses can be had, however near they are to a plane. Such neurons are
solved for and scored in fractions, so that a bound they exceed is false.
"""

from fractions import Fraction

import numpy as np

import cvxrelu as cr
from cvxrelu.pricing import NormPricer
from tests.fuzz.trial import Trial
from tests.hostile import SLOPES, hostile_inputs, hostile_targets

# Seconds that a problem gets, and neurons that are tried on it.
ENOUGH, TRIES = 5.0, 40
# Least and largest size of inputs, beyond which problems are refused.
SPREAD = 1e-60, 1e60


def norms(seed: int) -> Trial:
    """Price a dual vector, hold the bound against explicit neurons, and solve a problem with the same norm."""
    trial, rng = Trial(), np.random.default_rng([seed, 7])
    X = hostile_inputs(rng)[:8, :3]
    if rng.random() < 0.5:
        X = X + 10.0 ** rng.integers(-17, -6) * np.abs(X).max() * rng.standard_normal(X.shape)
    if not SPREAD[0] < np.abs(X).max() < SPREAD[1]:
        return trial
    bias, slope = str(rng.choice(["free", "joint", "none"])), float(rng.choice([0.0, *SLOPES[:-1]]))
    norm = "response" if bias == "none" else str(rng.choice(["response", "label-noise"]))
    y = hostile_targets(rng, len(X))
    options = {"loss": str(rng.choice(["squared", "absolute", "huber"])), "alpha": 10.0 ** rng.uniform(-4, 0)}
    problem = trial.call(cr.Problem, X, y, norm=norm, bias=bias, negative_slope=slope, **options)
    if problem is None:
        return trial
    if norm == "response":
        v = rng.standard_normal(len(X))
        pricer = trial.call(NormPricer.of, problem.norm, X, slope)
        gamma = None if pricer is None else trial.call(pricer, v, time_limit=ENOUGH)
        for score, square in () if gamma is None else _explicit(problem, v, rng):
            # Fractions: score / sqrt(square) is at most gamma.
            holds = gamma.upper == np.inf or score**2 <= Fraction(gamma.upper) ** 2 * square
            trial.require(holds, f"gamma {gamma.upper!r} < {float(score) / float(square) ** 0.5!r}")
    fit = trial.call(cr.solve, problem, time_limit=ENOUGH)
    if fit is not None:
        certificate = fit.certificate
        trial.require(certificate.lower <= certificate.upper, "lower > upper")
        trial.outcome = trial.outcome or fit.status.name
    return trial


def _explicit(problem: cr.Problem, v: np.ndarray, rng: np.random.Generator) -> list[tuple[Fraction, Fraction]]:
    """Return abs(sum_i v_i a_i) and the mean of a_i^2 of neurons that respond with a_i."""
    rows = [[*map(Fraction, x), *([Fraction(1)] * (problem.bias != "none"))] for x in problem.X.tolist()]
    weights, slope, found = [Fraction(x) for x in v.tolist()], Fraction(problem.negative_slope), []
    for _ in range(TRIES):
        chosen = rng.permutation(len(rows))[: len(rows[0])].tolist()
        sign = int(rng.choice([-1, 1]))
        wanted = [sign * weights[i] if sign * weights[i] > 0 or rng.random() < 0.3 else Fraction(0) for i in chosen]
        u = _solution([rows[i] for i in chosen], wanted)
        if u is None:
            continue
        heights = [sum((a * b for a, b in zip(row, u, strict=True)), Fraction(0)) for row in rows]
        responses = [t if t > 0 else slope * t for t in heights]
        square = sum((a * a for a in responses), Fraction(0)) / len(rows)
        if square:
            found.append((abs(sum(a * w for a, w in zip(responses, weights, strict=True))), square))
    return found


def _solution(rows: list[list[Fraction]], right: list[Fraction]) -> list[Fraction] | None:
    """Return a solution of independent equations, zero where it may be; None if they are dependent."""
    table, pivots = [[*row, b] for row, b in zip(rows, right, strict=True)], []
    for i, row in enumerate(table):
        place = next((j for j in range(len(row) - 1) if row[j]), None)
        if place is None:
            return None
        pivots.append(place)
        table[i] = [entry / row[place] for entry in row]
        for k in range(len(table)):
            if k != i and table[k][place]:
                factor = table[k][place]
                table[k] = [a - factor * b for a, b in zip(table[k], table[i], strict=True)]
    solution = [Fraction(0)] * (len(table[0]) - 1)
    for row, place in zip(table, pivots, strict=True):
        solution[place] = row[-1]
    return solution
