"""Run every benchmark: ``python -m benchmarks``. Each runs in a process of its own and writes its results."""

import importlib.util
import os
import subprocess
import sys

from benchmarks.harness import blas_threads

# The order is that of benchmarks/results/README.md; a benchmark is a module of this package that runs by itself.
BENCHMARKS = (
    "first_hour",
    "comparison",
    "proof",
    "exact_pipeline",
    "column_generation",
    "many_samples",
    "growth",
    "arrangement",
    "pricing",
    "workers",
    "function_space",
    "optimal_sets",
    "variants",
    "experiments.widths",
    "experiments.weight_decay",
    "experiments.classification",
    "experiments.ten_points",
    "experiments.depth",
    "experiments.sparse_support",
    "experiments.label_noise",
    "experiments.margins",
    "experiments.relu_kernel",
    "experiments.hidden_cross",
    "experiments.lazy_training",
    "experiments.annealing",
    "experiments.wasserstein_flow",
    "experiments.practical_worth",
    "experiments.several_outputs",
    "outputs_proofs",
    "outputs_baselines",
)


def main() -> int:
    """Run the benchmarks that are here and return how many of them failed."""
    failures = 0
    for name in BENCHMARKS:
        if importlib.util.find_spec(f"benchmarks.{name}") is None:
            continue
        print(f"\n## {name}\n", flush=True)
        command, environ = [sys.executable, "-m", f"benchmarks.{name}"], os.environ | blas_threads(1)
        failures += subprocess.run(command, env=environ, check=False).returncode != 0
    return failures


if __name__ == "__main__":
    sys.exit(main())
