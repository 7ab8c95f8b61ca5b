"""What skip connections, sample weights and signs of output weights cost: certified gap and time of the same problems.

    python -m benchmarks.variants

    f(x) + A x, A free of charge;   (1/N) sum_i w_i loss_i;   v >= 0, f convex

Every problem is solved plainly and in each of the ways, one after the other in one process; the bound is proven for
networks of every width. Seconds are of the processor, the best of two runs, after one that compiles.
"""

import time
import warnings
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

import cvxrelu as cr
from benchmarks.harness import environment, output_folder, table, update_page, write

SEED, REPEATS, TIME_LIMIT = 0, 2, 60.0
# Random neurons of the teacher, whose outputs carry noise.
TEACHERS, NOISE = 5, 0.2
VARIANTS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "skip": ("skip",),
    "weights": ("weights",),
    "positive": ("positive",),
    "all three": ("skip", "weights", "positive"),
}


class Row(TypedDict):
    """One fit."""

    problem: str
    variant: str
    objective: float
    gap: float
    neurons: int
    seconds: float


def cases() -> dict[str, tuple[dict[str, Any], float]]:
    """Return arguments of problems by name, and the relative gap to reach."""
    rng = np.random.default_rng(SEED)

    def teacher(n: int, d: int, labels: bool = False) -> tuple[np.ndarray, np.ndarray]:
        X, W, b = rng.standard_normal((n, d)), rng.standard_normal((TEACHERS, d)), rng.standard_normal(TEACHERS)
        y = np.maximum(X @ W.T + b, 0.0) @ rng.standard_normal(TEACHERS) + NOISE * rng.standard_normal(n)
        return X, (np.where(y > np.median(y), 1.0, -1.0) if labels else y)

    def posed(data: tuple[np.ndarray, np.ndarray], **options: Any) -> dict[str, Any]:
        return {"X": data[0], "y": data[1], **options}

    noise = rng.standard_normal((200, 2)), rng.standard_normal(200)
    return {
        "line, squared, N = 1,000": (posed(teacher(1000, 1), loss="squared", alpha=1e-3), 1e-6),
        "plane, squared, N = 300": (posed(teacher(300, 2), loss="squared", alpha=1e-3), 1e-6),
        "plane, noise, squared, N = 200": (posed(noise, loss="squared", alpha=1e-3), 1e-6),
        "plane, logistic, N = 300": (posed(teacher(300, 2, labels=True), loss="logistic", alpha=0.01), 1e-6),
        "plane, absolute, joint bias, N = 100": (
            posed(teacher(100, 2), loss="absolute", alpha=0.02, bias="joint"),
            1e-6,
        ),
        "3 features, squared, N = 200": (posed(teacher(200, 3), loss="squared", alpha=0.02), 1e-4),
    }


def variant_of(problem: dict[str, Any], parts: tuple[str, ...]) -> cr.Problem:
    """Return a problem with these parts; weights are heavy-tailed."""
    rng, n = np.random.default_rng(SEED), len(problem["y"])
    options: dict[str, Any] = {
        "skip": "skip" in parts,
        "output_sign": "positive" if "positive" in parts else "any",
        "sample_weight": rng.exponential(size=n) ** 2 if "weights" in parts else None,
    }
    return cr.Problem(**problem, **options)


def measure(name: str, variant: str, problem: cr.Problem, tol: float) -> Row:
    """Return the best of a few fits."""
    times, fit = [], None
    for _ in range(REPEATS + 1):
        started = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", cr.AccuracyWarning)  # gaps are in the table
            fit = cr.solve(problem, tol=tol, time_limit=TIME_LIMIT, random_state=SEED)
        times.append(time.process_time() - started)
    assert fit is not None, "there are repeats"
    return Row(
        problem=name,
        variant=variant,
        objective=fit.objective,
        gap=fit.certificate.relative_gap,
        neurons=fit.network.n_neurons,
        seconds=round(min(times[1:]), 3),
    )


def main(output: Path) -> None:
    """Run everything and write the results."""
    surroundings = environment()
    rows = [
        measure(name, variant, variant_of(problem, parts), tol)
        for name, (problem, tol) in cases().items()
        for variant, parts in VARIANTS.items()
    ]
    write(output, "variants", {"environment": surroundings, "seed": SEED, "results": rows})
    shown = [
        {
            "problem": row["problem"] if row["variant"] == "plain" else "",
            "with": row["variant"],
            "objective": f"{row['objective']:.6g}",
            "proven gap": f"{row['gap']:.0e}",
            "neurons": row["neurons"],
            "seconds": row["seconds"],
        }
        for row in rows
    ]
    update_page(output, "variants", table(shown))
    print(table(shown))


if __name__ == "__main__":
    main(output_folder(__doc__))
