"""Run from the command line: `python -m tests.fuzz --hours 1`."""

import argparse
import json
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.harness import RESULTS, environment, table, update_page, write
from tests.fuzz.rounds import KINDS, work


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Call everything with whatever can be, and check what comes back.")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the first trial of every kind")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    record = {"environment": environment(), "hours": options.hours, "jobs": options.jobs, "seed": options.seed}
    with ProcessPoolExecutor(options.jobs) as pool:
        parts = [
            pool.submit(work, options.seed + k, options.jobs, 3600 * options.hours, tuple(options.only))
            for k in range(options.jobs)
        ]
        results = [part.result() for part in parts]
    late = [pair for result in results for pair in result["late"]]
    stopped = {stop: sorted(seconds for kind, seconds in late if kind == stop) for stop in sorted({s for s, _ in late})}
    record |= {
        "trials": dict(sum((result["counts"] for result in results), Counter())),
        "outcomes": {kind: dict(sum((r["outcomes"][kind] for r in results), Counter())) for kind in options.only},
        "seconds late (median, 95 %, 99 %, most)": {
            stop: [round(float(np.quantile(seconds, q)), 3) for q in (0.5, 0.95, 0.99, 1.0)]
            for stop, seconds in stopped.items()
        },
        "findings": [finding for result in results for finding in result["findings"]],
    }
    print(json.dumps({key: record[key] for key in record if key != "environment"}, indent=1))
    write(options.output, "fuzz", record)
    rows = [
        {
            "calls": kind,
            "made": f"{record['trials'][kind]:,}",
            "findings": sum(f.startswith(kind) for f in record["findings"]),
        }
        for kind in options.only
    ]
    late = [
        {"stop": stop, "median s late": median, "95 %": most, "99 %": nearly, "latest": latest}
        for stop, (median, most, nearly, latest) in record["seconds late (median, 95 %, 99 %, most)"].items()
    ]
    update_page(options.output, "fuzz", "\n\n".join(table(part) for part in (rows, late) if part))


if __name__ == "__main__":
    main()
