"""Run every benchmark: ``python -m benchmarks``. Each runs in a process of its own and writes its results."""

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence

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


def main(names: Sequence[str]) -> int:
    """Run benchmarks one after the other and return how many of them failed."""
    failures = 0
    for name in names:
        print(f"\n## {name}\n", flush=True)
        command, environ = [sys.executable, "-m", f"benchmarks.{name}"], os.environ | blas_threads(1)
        failures += subprocess.run(command, env=environ, check=False).returncode != 0
    return failures


def asked() -> Sequence[str]:
    """Return the benchmarks that the command line names, by default all that are here."""
    here = [name for name in BENCHMARKS if importlib.util.find_spec(f"benchmarks.{name}") is not None]
    parser = argparse.ArgumentParser(
        description="Run every benchmark, each in a process of its own, which takes hours and writes into "
        "benchmarks/results. One alone, with options of its own: python -m benchmarks.NAME --help."
    )
    parser.add_argument("--only", nargs="+", choices=here, default=here, metavar="NAME", help=f"of {', '.join(here)}")
    return parser.parse_args().only


if __name__ == "__main__":
    try:
        sys.exit(main(asked()))
    except KeyboardInterrupt:
        print("\nStopped; what is in benchmarks/results stays.", file=sys.stderr)
        sys.exit(130)
