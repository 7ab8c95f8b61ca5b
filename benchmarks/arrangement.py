"""Half patterns a second of the exact enumeration, beside two reference methods, in one run.

    python -m benchmarks.arrangement

Methods: `walk`, the compiled walk over lowest vertices that `enumerate_patterns` uses; `integers`, deletion
and restriction in Python's integers; `programs`, a tree over prefixes of signs with one linear program
(HiGHS) a node. Data are standard normal, seed 0, and three degenerate point sets. Seconds are the best of
several runs, on the wall and of the processor, which is what counts on a machine that others use, too;
preparation (exact conversion of the points to integers) is reported apart.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

import cvxrelu.arrangement as arr
from benchmarks.harness import Record, environment, output_folder, table, update_page, write
from cvxrelu.arrangement.exact import exact_half_cells
from cvxrelu.arrangement.integers import integer_rows
from cvxrelu.arrangement.lifting import lift

SEED = 0
WALK_SIZES = ((100, 2), (100, 3), (50, 5), (500, 3), (100, 5), (1000, 2), (20, 8))
COMPARED_SIZES = ((30, 2), (12, 3))
INTEGER_SIZES = ((100, 2), (20, 4))
WORKER_SIZE = (100, 5)
# Slack of a linear program above which a cell counts as open; its blind spot is what exact methods do not
# have.
PROGRAM_MARGIN = 1e-9


def gaussian(n: int, d: int) -> NDArray[np.float64]:
    """Return standard normal points."""
    return np.random.default_rng(SEED).standard_normal((n, d))


def degenerate() -> dict[str, NDArray[np.float64]]:
    """Return point sets with many ties."""
    return {
        "lattice 10x10": np.array(list(product(range(10), repeat=2)), dtype=float),
        "lattice 4x4x4": np.array(list(product(range(4), repeat=3)), dtype=float),
        "{0,1}^5": np.array(list(product((0, 1), repeat=5)), dtype=float),
        "N=100, one of three columns 1 once": np.column_stack([gaussian(100, 2), np.arange(100) == 0]),
    }


def count_by_walk(arrangement: arr.Arrangement) -> int:
    """Stream all half patterns and count them."""
    return sum(len(block) for block in arrangement.half_blocks())


def count_by_integers(X: NDArray[np.float64]) -> int:
    """Count half patterns by the integer method."""
    return len(exact_half_cells(integer_rows(lift(X, True))))


def count_by_programs(X: NDArray[np.float64]) -> int:
    """Count half patterns by a tree over prefixes of signs with one linear program a node."""
    rows = lift(X, True)
    dimension = rows.shape[1]
    prefixes = [(1.0,)]
    for k in range(2, len(rows) + 1):
        longer = []
        for prefix in prefixes:
            for sign in (-1.0, 1.0):
                signs = np.array([*prefix, sign])
                solution = linprog(
                    np.append(np.zeros(dimension), -1.0),
                    A_ub=np.column_stack([-signs[:, np.newaxis] * rows[:k], np.ones(k)]),
                    b_ub=np.zeros(k),
                    bounds=[(-1.0, 1.0)] * dimension + [(0.0, 1.0)],
                )
                if -solution.fun > PROGRAM_MARGIN:
                    longer.append((*prefix, sign))
        prefixes = longer
    return len(prefixes)


def measure(method: str, data: str, count: Callable[[], int], budget: float = 3.0) -> Record:
    """Run until the budget is used up, at least once, and keep the best times."""
    wall, processor, patterns, spent = np.inf, np.inf, 0, 0.0
    while spent < budget:
        start, start_processor = time.perf_counter(), time.process_time()
        patterns = count()
        elapsed = time.perf_counter() - start
        wall, processor = min(wall, elapsed), min(processor, time.process_time() - start_processor)
        spent += elapsed
    result = {
        "method": method,
        "data": data,
        "half_patterns": patterns,
        "seconds": wall,
        "processor_seconds": processor,
        "half_patterns_per_second": patterns / wall,
        "half_patterns_per_processor_second": patterns / processor,
    }
    print(f"{method:22} {data:16} {patterns:>12,} {wall:10.4f} s {patterns / wall:>14,.0f} /s", flush=True)
    return result


@numba.njit(nogil=True)
def spin(n: int) -> float:
    """Keep one core busy."""
    total = 0.0
    for i in range(n):
        total += np.sqrt(float(i))
    return total


def speedup_of_bare_threads() -> float:
    """Return how much faster two threads do two pieces of work now: what two workers can gain."""
    spin(1)
    best = []
    for workers in (1, 2):
        times = []
        for _ in range(3):
            start = time.perf_counter()
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(spin, (10**8, 10**8)))
            times.append(time.perf_counter() - start)
        best.append(min(times))
    return best[0] / best[1]


def run() -> Record:
    """Run everything."""
    surroundings = environment()
    count_by_walk(arr.enumerate_patterns(gaussian(9, 3)))  # compile, or load what was compiled
    rows: list[Record] = []
    for n, d in dict.fromkeys((*COMPARED_SIZES, *INTEGER_SIZES, *WALK_SIZES)):
        X = gaussian(n, d)
        name = f"N={n} d={d}"
        start = time.perf_counter()
        arrangement = arr.enumerate_patterns(X)
        next(arrangement.half_blocks(1))
        preparation = time.perf_counter() - start
        row = measure("walk", name, lambda a=arrangement: count_by_walk(a))
        rows.append(row | {"preparation_seconds": preparation})
        if (n, d) in COMPARED_SIZES:
            rows.append(measure("programs", name, lambda X=X: count_by_programs(X), budget=0.1))
        if (n, d) in COMPARED_SIZES + INTEGER_SIZES:
            rows.append(measure("integers", name, lambda X=X: count_by_integers(X), budget=1.0))
    for name, X in degenerate().items():
        rows.append(measure("walk", name, lambda X=X: count_by_walk(arr.enumerate_patterns(X)), budget=0.1))
        rows.append(measure("integers", name, lambda X=X: count_by_integers(X), budget=0.1))
    possible = speedup_of_bare_threads()
    print(f"two bare threads are {possible:.2f} times one on this machine now", flush=True)
    X = gaussian(*WORKER_SIZE)
    for n_jobs in (1, 2):
        arrangement = arr.enumerate_patterns(X, n_jobs=n_jobs)
        name = "N={} d={}".format(*WORKER_SIZE)
        rows.append(measure(f"walk, {n_jobs} worker{'s' * (n_jobs > 1)}", name, lambda a=arrangement: count_by_walk(a)))
    return {"environment": surroundings, "seed": SEED, "speedup_of_two_bare_threads": possible, "results": rows}


def tables(record: Record) -> tuple[str, str]:
    """Return the two tables of the page: speed of the walk, and the methods side by side."""
    rows = record["results"]
    walk = [
        {
            "points": row["data"] + row["method"].removeprefix("walk"),
            "half patterns": f"{row['half_patterns']:,}",
            "wall seconds": f"{row['seconds']:.3g}",
            "processor seconds": f"{row['processor_seconds']:.3g}",
            "million a processor second": f"{row['half_patterns_per_processor_second'] / 1e6:.2f}",
        }
        for row in rows
        if row["method"].startswith("walk")
    ]
    seconds = {(row["data"], row["method"]): row["processor_seconds"] for row in rows}
    compared = []
    for data in dict.fromkeys(data for data, method in seconds if method == "integers"):
        fast = seconds[data, "walk"]
        row = {"points": data, "walk, s": f"{fast:.2g}"}
        for method in ("integers", "programs"):
            slow = seconds.get((data, method))
            row |= {
                f"{method}, s": f"{slow:.2g}" if slow else "",
                f"{method} / walk": f"{slow / fast:,.0f}" if slow else "",
            }
        compared.append(row)
    return table(walk), table(compared)


def main(output: Path) -> None:
    """Run and record."""
    record = run()
    write(output, "arrangement", record)
    walk, compared = tables(record)
    update_page(output, "arrangement", walk)
    update_page(output, "arrangement-methods", compared)


if __name__ == "__main__":
    main(output_folder(__doc__))
