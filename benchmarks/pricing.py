"""How long pricing takes: `python -m benchmarks.pricing`.

Duals are pure noise, or the residual of a zero network on a two-neuron teacher with noise ("teacher"),
summing to zero. Every row records the relative gap proved, so a row that ran out of time is as visible as one
that finished.
"""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Record, environment, output_folder, table, update_page, write
from cvxrelu.pricing import make_pricer

TIME_LIMIT = 60.0
SEED = 1

# bias, dual, n_samples, n_features, tol
CASES = [
    ("free", "noise", 100_000, 1, 1e-9),
    ("free", "noise", 400, 2, 1e-9),
    ("free", "noise", 1000, 2, 1e-9),
    ("none", "noise", 100_000, 2, 1e-9),
    ("joint", "teacher", 1000, 4, 1e-4),
    ("joint", "teacher", 1000, 6, 1e-4),
    ("joint", "teacher", 1000, 7, 1e-3),
    ("joint", "teacher", 1000, 9, 1e-3),
    ("joint", "noise", 12, 4, 1e-9),
    ("joint", "noise", 100, 5, 1e-4),
    ("joint", "noise", 100, 5, 1e-9),
    ("joint", "noise", 1000, 4, 1e-4),
    ("joint", "noise", 100, 7, 1e-3),
    ("free", "teacher", 1000, 3, 1e-4),
    ("free", "teacher", 1000, 6, 1e-4),
    ("free", "noise", 1000, 3, 1e-4),
    ("free", "noise", 200, 4, 1e-4),
    ("free", "noise", 200, 4, 1e-9),
    ("free", "noise", 50, 6, 1e-4),
    ("none", "noise", 100, 6, 1e-6),
]


def problem(dual: str, n: int, d: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw data and a dual that sums to zero."""
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((n, d))
    if dual == "noise":
        v = rng.standard_normal(n)
    else:
        v = np.maximum(X @ rng.standard_normal(d) + 0.3, 0) - np.maximum(X @ rng.standard_normal(d) - 0.2, 0)
        v += 0.3 * rng.standard_normal(n)
    return X, v - v.mean()


def run(bias: str, dual: str, n: int, d: int, tol: float) -> Record:
    """Time one case, search and ascent."""
    X, v = problem(dual, n, d)
    pricer = make_pricer(X, bias)
    start = time.perf_counter()
    priced = pricer(v, tol=tol, time_limit=TIME_LIMIT)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    found = pricer.ascend(v, random_state=SEED)
    ascent_seconds = time.perf_counter() - start
    return {
        "bias": bias,
        "dual": dual,
        "n_samples": n,
        "n_features": d,
        "tol": tol,
        "method": priced.method,
        "seconds": round(seconds, 4),
        "nodes": priced.nodes,
        "complete": priced.complete,
        "relative_gap": priced.upper / priced.value - 1,
        "value": priced.value,
        "ascent_seconds": round(ascent_seconds, 4),
        "ascent_share_of_value": found.value / priced.value,
    }


def main(output: Path) -> None:
    """Run all cases, once to compile and once to measure, and write the results."""
    surroundings = environment()
    for bias, d in (("free", 1), ("free", 2), ("none", 2), ("free", 3), ("joint", 3), ("none", 3)):
        run(bias, "noise", 10, d, 1e-3)
    rows = []
    for case in CASES:
        rows.append(run(*case))
        print(*rows[-1].values(), flush=True)
    write(output, "pricing", {"environment": surroundings, "seed": SEED, "results": rows})
    shown = [
        {
            "bias": row["bias"],
            "dual": row["dual"],
            "N": f"{row['n_samples']:,}",
            "d": row["n_features"],
            "method": row["method"],
            "asked": f"{row['tol']:.0e}",
            "proven gap": f"{row['relative_gap']:.0e}",
            "seconds": f"{row['seconds']:.3g}",
            "nodes": f"{row['nodes']:,}",
            "ascent": f"{100 * row['ascent_share_of_value']:.1f} % in {row['ascent_seconds']:.2g} s",
        }
        for row in rows
    ]
    update_page(output, "pricing", table(shown))


if __name__ == "__main__":
    main(output_folder(__doc__))
