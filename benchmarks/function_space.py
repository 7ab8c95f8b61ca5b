"""How long the one-dimensional theory takes: closed forms on many points, and penalised fits with their proven gap.

    python -m benchmarks.function_space

Seconds are the best of three runs (of one, for fits), data and seeds are stated.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, TypeVar

import numpy as np

import cvxrelu as cr
from benchmarks.harness import environment, output_folder, table, update_page, write
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.function_space import (
    PiecewiseLinear,
    cheapest_network,
    envelope,
    fit_function,
    is_min_norm,
    min_norm_interpolant,
    minimum_cost,
    sparsest_interpolant,
)

SEED, REPEATS = 0, 3
Result = TypeVar("Result")


class Row(TypedDict):
    """One measurement."""

    name: str
    n_samples: int
    seconds: float
    result: str


def main(output: Path) -> None:
    """Run everything and write the results."""
    surroundings = environment()
    rows = [*closed_forms(), interpolation(), *fits()]
    write(output, "function_space", {"environment": surroundings, "seed": SEED, "results": rows})
    shown = [
        {"what": row["name"], "N": f"{row['n_samples']:,}", "seconds": row["seconds"], "result": row["result"]}
        for row in rows
    ]
    update_page(output, "function-space", table(shown))
    print(table(shown))


def closed_forms() -> list[Row]:
    """Time the closed forms on unsorted noise, x uniform on a shuffled grid."""
    rows = []
    x, y = noise(1_000_000)
    rows.append(measure("minimum cost", len(x), lambda: minimum_cost(x, y), lambda cost: f"cost {cost:.6g}"))
    rows.append(measure("minimum-norm interpolant", 10**5, lambda: min_norm_interpolant(*noise(10**5)), count_knots))
    sparsest = measure("sparsest interpolant", len(x), lambda: sparsest_interpolant(x, y), count_knots)
    verdict = is_min_norm(sparsest_interpolant(x, y), x, y)
    rows.append({**sparsest, "result": f"{sparsest['result']}, minimum norm verified: {verdict}"})
    rows.append(measure("envelope at a million places", len(x), lambda: envelope(x, y).upper(x), lambda _: ""))
    small = sparsest_interpolant(*noise(10**5))
    width = measure("cheapest network of a function", 10**5, lambda: cheapest_network(small), lambda net: repr(net))
    return [*rows, width]


def interpolation() -> Row:
    """Time `solve` on noise, certificate included."""
    x, y = noise(10**5)
    problem = cr.Problem(x[:, None], y)
    return measure("solve, interpolation, certified", len(x), lambda: cr.solve(problem), describe_gap)


def fits() -> list[Row]:
    """Time penalised fits of a noisy sine at uniform random places, and prove them."""
    rng, n = np.random.default_rng(SEED), 10_000
    x = rng.uniform(-1, 1, n)
    y = np.sin(5 * x) + 0.3 * rng.standard_normal(n)
    labels = np.where(y > 0, 1.0, -1.0)
    cases = [("squared", y, alpha) for alpha in (1e-2, 1e-3, 1e-4, 1e-6)]
    cases += [("hinge", labels, 1e-3), ("logistic", labels, 1e-3)]
    rows = []
    for loss, targets, alpha in cases:
        problem = cr.Problem(x[:, None], targets, loss, alpha=alpha)
        started = time.perf_counter()
        fit = fit_function(problem)
        seconds = time.perf_counter() - started
        certificate = certify_dual(problem, fit.function.to_network(), fit.dual)
        result = f"{count_knots(fit.function)}, {describe_gap(certificate)}"
        rows.append(Row(name=f"fit, {loss}, alpha = {alpha:g}", n_samples=n, seconds=round(seconds, 3), result=result))
    return rows


def noise(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return n places on a shuffled grid of [0, 1) and standard normal values."""
    rng = np.random.default_rng(SEED)
    return rng.permutation(n) / n, rng.standard_normal(n)


def measure(name: str, n: int, run: Callable[[], Result], describe: Callable[[Result], str]) -> Row:
    """Return the best time of a few runs."""
    results, times = [], []
    for _ in range(REPEATS):
        started = time.perf_counter()
        results.append(run())
        times.append(time.perf_counter() - started)
    return Row(name=name, n_samples=n, seconds=round(min(times), 3), result=describe(results[-1]))


def describe_gap(proof: cr.Certificate | cr.Fit) -> str:
    """Say what is proven."""
    certificate = proof.certificate if isinstance(proof, cr.Fit) else proof
    return f"proven relative gap {certificate.relative_gap:.1e}"


def count_knots(function: PiecewiseLinear) -> str:
    """Say how many knots a function has."""
    return f"{function.n_knots} knots"


if __name__ == "__main__":
    main(output_folder(__doc__))
