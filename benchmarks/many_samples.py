r"""Many samples, few neurons: time to a good network beside that of a trained one, and time to a proof in the plane.

    y = sum over six of v_j max(w_j.x + b_j, 0) + 0.3 noise,   or labels: above its median or not;   alpha = 0.05

everything standard normal, free biases, squared or logistic loss. scikit-learn's network, 100 neurons trained by L-BFGS
on the same objective, takes its time and ends where it ends. `cvxrelu.solve` is measured until it is within 1e-4 of the
best objective known: the least that either of them, or a longer run of `cvxrelu.solve`, has found. Both sides run in
one process on one problem, one after the other, a few times with different seeds; the medians are compared. Besides the
wall clock the processor time of the process counts, which other work on the machine does not change much; within a
call of `cvxrelu.solve` it is shared out as the wall clock is.

    python -m benchmarks.many_samples                             # every size
    python -m benchmarks.many_samples --only squared_2000_5       # these, merged into the results that are there
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import cvxrelu as cr
from benchmarks.baselines import sklearn_mlp
from benchmarks.harness import RESULTS, Record, environment, isolated, median, read, score, table, update_page, write

NAME = "many_samples"
NEURONS, NOISE, ALPHA, SEED = 6, 0.3, 0.05, 5
WIDTH, CLOSE, REPETITIONS = 100, 1e-4, 3
# The longer run that says what the best objective is.
BEST_TOL, BEST_SECONDS = 2e-6, 120.0
# Sizes from which on everything runs once.
LARGE = 50_000
# Samples to compile all kernels with: enough for the searches of larger sizes.
FEW = 4_000
# Seconds to a certified gap.
PROOF_LIMIT = 300.0


@dataclass(frozen=True)
class Size:
    """A problem, and the most time to a good network over that of the trained one, or seconds to a proof."""

    loss: str
    n_samples: int
    n_features: int
    most: float | None = None
    seconds: float | None = None
    bias: str = "free"

    @property
    def name(self) -> str:
        """What the size is called."""
        return f"{self.loss}_{self.n_samples}_{self.n_features}" + f"_{self.bias}" * (self.bias != "free")

    @property
    def title(self) -> str:
        """What the size is called in tables."""
        return f"{self.loss}, {self.n_samples:,} x {self.n_features}" + f", {self.bias}" * (self.bias != "free")

    def problem(self) -> cr.Problem:
        """Return the problem."""
        return six_neurons(self.n_samples, self.n_features, self.loss, bias=self.bias)


SIZES = {
    size.name: size
    for loss in ("squared", "logistic")
    for size in (
        Size(loss, 4_000, 2, 0.5, 3.0),
        Size(loss, 20_000, 2, None, 30.0),
        Size(loss, 2_000, 5, 1.0),
        Size(loss, 10_000, 5, 1.0),
        Size(loss, 10_000, 20, 1.0),
        Size(loss, 100_000, 5),
    )
}

# What is only certified.
PROOFS = {
    size.name: size
    for size in (
        Size("squared", 1_000_000, 1),
        Size("squared", 100_000, 2, seconds=300.0),
        Size("logistic", 100_000, 2, seconds=300.0),
        Size("squared", 10_000, 3, seconds=60.0, bias="joint"),
    )
}


def six_neurons(
    n_samples: int, n_features: int, loss: str = "squared", seed: int = SEED, bias: str = "free"
) -> cr.Problem:
    """Return the problem of fitting six random neurons and noise, or the labels that they give."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    W, b, v = rng.standard_normal((NEURONS, n_features)), rng.standard_normal(NEURONS), rng.standard_normal(NEURONS)
    y = np.maximum(X @ W.T + b, 0.0) @ v + NOISE * rng.standard_normal(n_samples)
    labels = np.where(y > np.median(y), 1.0, -1.0)
    return cr.Problem(X, labels if loss == "logistic" else y, loss, bias=bias, alpha=ALPHA)


@dataclass(frozen=True)
class Spent:
    """What a call returned, with its wall clock and processor time."""

    value: Any
    wall: float
    cpu: float


def spent(function: Callable[[], Any]) -> Spent:
    """Call a function and take both times."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function()
    return Spent(value, time.perf_counter() - wall, time.process_time() - cpu)


def measure(name: str) -> Record:
    """Fit both sides of a size and return its record."""
    size = SIZES[name]
    problem = size.problem()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _load(size)
        seeds = range(1 if size.n_samples >= LARGE else REPETITIONS)
        trained = [spent(lambda seed=seed: _trained(problem, seed)) for seed in seeds]
        fits = [spent(lambda seed=seed: _fitted(problem, seed)) for seed in seeds]
        longer = cr.solve(
            problem, "generate", tol=BEST_TOL, time_limit=BEST_SECONDS, prove=False, random_state=len(seeds)
        )
        proof = _proof(problem) if size.seconds is not None else {}
    ends = [problem.objective(run.value) for run in trained]
    best = min(longer.objective, *ends, *(run.value.objective for run in fits))
    record = {
        "n_samples": size.n_samples,
        "n_features": size.n_features,
        "loss": size.loss,
        "alpha": ALPHA,
        "best": best,
        "trained_seconds": [run.wall for run in trained],
        "trained_cpu": [run.cpu for run in trained],
        "trained_above_best": [end / best - 1 for end in ends],
        "seconds": [run.wall for run in fits],
        "cpu": [run.cpu for run in fits],
        "above_best": [run.value.objective / best - 1 for run in fits],
        "seconds_to_close": [_seconds_to(run.value, best * (1 + CLOSE)) for run in fits],
    }
    shares = [_over(close, run.wall) for close, run in zip(record["seconds_to_close"], fits, strict=True)]
    record["cpu_to_close"] = [share and share * run.cpu for share, run in zip(shares, fits, strict=True)]
    for unit, ours, theirs in (("wall", "seconds_to_close", "trained_seconds"), ("cpu", "cpu_to_close", "trained_cpu")):
        reached = all(value is not None for value in record[ours])
        record[f"{unit}_ratio"] = median(record[ours]) / median(record[theirs]) if reached else None
    return record | score(problem, fits[0].value.network) | proof


def prove(name: str) -> Record:
    """Certify a size and return its record."""
    size = PROOFS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _proof(replace(size, n_samples=FEW).problem())
        return _proof(size.problem())


def _trained(problem: cr.Problem, seed: int) -> cr.Network:
    return sklearn_mlp.train(problem, sklearn_mlp.Settings(WIDTH), seed).network


def _fitted(problem: cr.Problem, seed: int) -> cr.Fit:
    return cr.solve(problem, "generate", tol=CLOSE, prove=False, random_state=seed)


def _load(size: Size) -> None:
    """Load the compiled kernels and the libraries of both sides."""
    few = replace(size, n_samples=FEW).problem()
    _fitted(few, 0)
    _trained(few, 0)
    if size.seconds is not None:
        _proof(few)


def _proof(problem: cr.Problem) -> Record:
    """Return the time to a certified gap."""
    run = spent(lambda: cr.solve(problem, tol=CLOSE, time_limit=PROOF_LIMIT, random_state=0))
    certificate = run.value.certificate
    return {
        "proof_seconds": run.wall,
        "proof_cpu": run.cpu,
        "proof_gap": certificate.relative_gap,
        "proof_scope": certificate.scope,
        "proof_neurons": run.value.network.n_neurons,
    }


def _seconds_to(fit: cr.Fit, objective: float) -> float | None:
    """Return the seconds until an objective was reached, None if it was not."""
    return next((row.seconds for row in fit.history if row.upper <= objective), None)


def _over(part: float | None, whole: float) -> float | None:
    return None if part is None else part / whole


def run(output: Path, names: Iterable[str] = (*SIZES, *PROOFS)) -> Record:
    """Run sizes, merge them into ``many_samples.json`` one by one, and return all that it holds."""
    record = read(output, NAME)
    for name in names:
        before, task = environment(), measure if name in SIZES else prove
        rows = record.get("sizes", {}) | record.get("proofs", {})
        rows[name] = isolated(task, name) | {"environment": before}
        record = {
            "benchmark": NAME,
            "notes": "Times to within 1e-4 of the best objective known. cpu: processor time of the process.",
            "sizes": {known: rows[known] for known in SIZES if known in rows},
            "proofs": {known: rows[known] for known in PROOFS if known in rows},
        }
        write(output, NAME, record)
    update_page(output, NAME, sizes_table(record["sizes"]))
    update_page(output, f"{NAME}-proofs", proofs_table(record["proofs"]))
    return record


def proofs_table(rows: dict[str, Record]) -> str:
    """Return what is only certified as a table."""
    return table(
        [
            {
                "problem": PROOFS[name].title,
                "gap": row.get("failure") or f"{row['proof_gap']:.1e}",
                "neurons": row.get("proof_neurons", ""),
                "CPU s": "-" if "failure" in row else f"{row['proof_cpu']:.1f}",
                "asked, s": f"≤ {asked:g}" if (asked := PROOFS[name].seconds) else "",
                "MiB": f"{row['peak_mib']:.0f}",
            }
            for name, row in rows.items()
        ]
    )


def sizes_table(rows: dict[str, Record]) -> str:
    """Return the sizes as a table."""
    return table([_row(SIZES[name], row) for name, row in rows.items()])


def _row(size: Size, row: Record) -> dict[str, str]:
    if "failure" in row:
        return dict.fromkeys(("problem", "best"), size.name) | {"best": row["failure"]}
    most = "" if size.most is None else f" (≤ {size.most:g})"
    proof = "" if size.seconds is None else f"{row['proof_cpu']:.1f} s, {row['proof_gap']:.0e} (≤ {size.seconds:g} s)"
    return {
        "problem": size.title,
        "best": f"{row['best']:.6f}",
        "to 1e-4, CPU s": _seconds(row["cpu_to_close"]),
        "trained, CPU s": _seconds(row["trained_cpu"]),
        "it ends above": f"{median(row['trained_above_best']):.1e}",
        "ratio": ("-" if row["cpu_ratio"] is None else f"{row['cpu_ratio']:.2f}") + most,
        "certified": proof,
        "MiB": f"{row['peak_mib']:.0f}",
    }


def _seconds(values: list[float | None]) -> str:
    return "-" if None in values else f"{median(value for value in values if value is not None):.2f}"


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--only", nargs="+", choices=[*SIZES, *PROOFS], default=[*SIZES, *PROOFS])
    arguments = parser.parse_args()
    run(arguments.output, arguments.only)
    record = read(arguments.output, NAME)
    print(sizes_table(record["sizes"]))
    print(proofs_table(record["proofs"]))


if __name__ == "__main__":
    main()
