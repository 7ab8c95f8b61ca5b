r"""Whether the set of all optimal networks is found, and what is said of it holds: families of small problems, drawn.

    cvxrelu.optimal_set(cvxrelu.solve(problem)),   problem = family(seed)

A set is found if `optimal_set` returns; where it refuses (the optimum is free, or has no end) the problem does not
count. It holds if its center, random members, and sparsest members are optimal to a relative 1e-6 in the objective of
the raw network, and none predicts beyond the extreme predictions at random points, by more than 1e-6 of their range.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

import cvxrelu as cr
from benchmarks.harness import RESULTS, Record, environment, isolated, median, score, table, timed, update_page, write

SEEDS = 100
# Seconds of a fit, none of which comes near.
FIT_LIMIT = 30.0
MEMBERS, POINTS, TOLERANCE = 3, 4, 1e-6
LOSSES = ("logistic", "squared", "hinge", "absolute", cr.Huber(0.3), cr.Quantile(0.3))


def plane(seed: int) -> cr.Problem:
    """Return 40 standard normal points of the plane with noise as targets, alpha = 0.01."""
    rng = np.random.default_rng(seed)
    return cr.Problem(rng.standard_normal((40, 2)), rng.standard_normal(40), loss="squared", alpha=0.01)


def interpolants(seed: int) -> cr.Problem:
    """Return 60 standard normal points of the plane with noise as targets, to be interpolated."""
    rng = np.random.default_rng(seed)
    return cr.Problem(rng.standard_normal((60, 2)), rng.standard_normal(60))


def lattice(seed: int) -> cr.Problem:
    """Return 20 integer points in space, some of them in one place and most in planes with many others."""
    X = np.round(np.random.default_rng(seed).standard_normal((20, 3)))
    return cr.Problem(X, np.sin(X[:, 0]) + 0.3 * X[:, 1], loss="squared", alpha=0.15)


def far_out(seed: int) -> cr.Problem:
    """Return 20 labels in the plane and an alpha so small that some probabilities are next to one."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((20, 2))
    labels = np.where(np.sin(X[:, 0]) + 0.3 * rng.standard_normal(20) > 0, 1.0, -1.0)
    return cr.Problem(X, labels, loss="logistic", alpha=5e-4)


def mixed(seed: int) -> cr.Problem:
    """Return 10 to 40 points, a third of them integers, with one of six losses, bias modes, slopes and alphas."""
    rng = np.random.default_rng(seed)
    n_samples = int(rng.choice([10, 20, 40]))
    X = rng.standard_normal((n_samples, int(rng.choice([1, 2, 3] if n_samples < 40 else [1, 2]))))
    X = np.round(X) if rng.random() < 1 / 3 else X
    y = np.sin(X[:, 0]) + 0.3 * rng.standard_normal(n_samples)
    loss = LOSSES[rng.integers(len(LOSSES))]
    if loss in ("logistic", "hinge"):
        y = np.where(y > np.median(y), 1.0, -1.0)
    bias, slope = str(rng.choice(["free", "joint", "none"])), float(rng.choice([0.0, 0.2, -1.0]))
    return cr.Problem(X, y, loss, bias, alpha=float(10 ** rng.uniform(-4, 0)), negative_slope=slope)


FAMILIES: dict[str, Callable[[int], cr.Problem]] = {
    "40 points of the plane, squared loss": plane,
    "60 points of the plane, interpolation": interpolants,
    "20 integer points in space, squared loss": lattice,
    "20 labels of the plane, logistic loss, alpha 5e-4": far_out,
    "10 to 40 points, six losses": mixed,
}


def run(output: Path, seeds: int = SEEDS) -> Record:
    """Run all families, write ``optimal_sets.json`` and return what it holds."""
    record = {
        "benchmark": "optimal_sets",
        "environment": environment(),
        "families": [{"family": name} | isolated(try_family, name, seeds) for name in FAMILIES],
        "notes": "Wall clock of `optimal_set` alone, one BLAS thread; seeds of the solver are those of the problem.",
    }
    write(output, "optimal_sets", record)
    update_page(output, "optimal_sets", families_table(record))
    return record


def try_family(name: str, seeds: int) -> Record:
    """Return how many sets of a family are found and hold, what was said of the others, and the seconds."""
    found, refused, failures, seconds = 0, 0, [], []
    for seed in range(seeds):
        problem = FAMILIES[name](seed)
        fit = cr.solve(problem, random_state=seed, time_limit=FIT_LIMIT)
        try:
            call = timed(cr.optimal_set, fit)
        except cr.InputError:
            refused += 1
            continue
        except cr.SolverError as error:
            failures.append(f"{seed}: {error}")
            continue
        seconds.append(call.seconds)
        found += 1
        if trouble := what_is_wrong(call.value, problem, seed):
            failures.append(f"{seed}: {trouble}")
    return {
        "problems": seeds - refused,
        "found": found,
        "hold": seeds - refused - len(failures),
        "failures": failures,
        "median_seconds": median(seconds),
        "longest_seconds": max(seconds),
    }


def what_is_wrong(optima: cr.OptimalSet, problem: cr.Problem, seed: int) -> str | None:
    """Return what a set says that does not hold."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(problem.X.min(axis=0), problem.X.max(axis=0), (POINTS, problem.n_features))
    extremes = optima.extreme_predictions(points)
    members = [optima.center, *optima.sample(MEMBERS, random_state=seed)]
    members += [optima.sparsest(random_state=seed), optima.sparsest(count="hinges", random_state=seed)]
    room = TOLERANCE * (1 + np.abs([extremes.lower, extremes.upper]).max())
    for member in members:
        if not score(problem, member.network)["objective"] <= optima.lower * (1 + TOLERANCE):
            return f"a member's relative gap is {member.relative_gap:.1e}"
        values = member.network(points)
        if (values < extremes.lower - room).any() or (values > extremes.upper + room).any():
            return "a member predicts beyond the extremes"
    return None


def families_table(record: Record) -> str:
    """Return the table of the page."""
    return table(
        [
            {
                "problems": row["family"],
                "number": row["problems"],
                "found": row["found"],
                "found, and hold": row["hold"],
                "median s": f"{row['median_seconds']:.2f}",
                "longest s": f"{row['longest_seconds']:.2f}",
            }
            for row in record["families"]
        ]
    )


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the results")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="problems of each family")
    options = parser.parse_args()
    print(families_table(run(options.output, options.seeds)))


if __name__ == "__main__":
    main()
