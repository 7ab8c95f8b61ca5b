"""What a second worker gains, beside what it could gain: two bare threads that keep two cores busy, at the same time.

    sweep     the plane's sweeps, by blocks of anchors
    cones     branch and bound, by trees
    ascent    local ascent, by batches of starts
    shares    the relaxation of many samples, by shares of them
    folds     cross-validation, by folds

All find the same with one worker and with two, which is asserted.
"""

import functools
import itertools
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from joblib.externals.loky import get_reusable_executor

import cvxrelu as cr
from benchmarks.arrangement import speedup_of_bare_threads
from benchmarks.harness import Record, environment, isolated, output_folder, table, update_page, write
from benchmarks.many_samples import six_neurons
from cvxrelu.certificate.searches import euclidean_pricer
from cvxrelu.relaxation.shares import relaxed_shares
from cvxrelu.runtime.clock import Clock

__all__ = ["run"]

NAME = "workers"
REPETITIONS = 3


def sweep(n_jobs: int) -> object:
    """Price a random vector on 2,000 places of the plane."""
    rng = np.random.default_rng(0)
    pricer = euclidean_pricer(cr.Problem(rng.standard_normal((2000, 2)), np.zeros(2000), "squared", alpha=1.0))
    v = rng.standard_normal(2000)
    return pricer(v - v.mean(), n_jobs=n_jobs).value


@functools.cache
def _fitted() -> tuple[cr.Problem, cr.Fit]:
    rng = np.random.default_rng(0)
    problem = cr.Problem(rng.standard_normal((60, 5)), rng.standard_normal(60), "squared", alpha=0.02)
    return problem, cr.solve(problem, prove=False, tol=1e-4, random_state=0)


def cones(n_jobs: int) -> object:
    """Bound the scores of the dual vector of a fit to 60 random targets in five dimensions by half a million cones."""
    problem, fit = _fitted()
    return euclidean_pricer(problem)(fit.certificate.dual, tol=1e-9, node_limit=500_000, n_jobs=n_jobs).upper


def ascent(n_jobs: int) -> object:
    """Ascend from 256 random starts on 20,000 samples in ten dimensions."""
    problem = six_neurons(20_000, 10)
    dual = problem.repair(problem.y - problem.y.mean())
    return euclidean_pricer(problem).ascend(dual, n_starts=256, random_state=0, n_jobs=n_jobs).value


def shares(n_jobs: int) -> object:
    """Prove two rounds of the relaxation of 4,000 samples in five dimensions."""
    rounds = relaxed_shares(six_neurons(4000, 5), Clock(), np.inf, np.inf, n_jobs)
    return [state.bound.lower for state in itertools.islice(rounds, 2)]


def folds(n_jobs: int) -> object:
    """Cross-validate a regressor on 2,000 x 6 samples in six folds, on the default grid."""
    problem = six_neurons(2000, 6)
    model = cr.ReLURegressorCV(cv=6, tol=1e-3, random_state=0, n_jobs=n_jobs)
    return model.fit(problem.X, problem.y).mse_path_.tolist()


TASKS: dict[str, Callable[[int], object]] = {task.__name__: task for task in (sweep, cones, ascent, shares, folds)}


def measure(name: str) -> Record:
    """Return the least wall-clock seconds of a task with one worker and with two, in turns, after a first call."""
    task, seconds = TASKS[name], {1: np.inf, 2: np.inf}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = task(2)
        for _ in range(REPETITIONS):
            for n_jobs in seconds:
                started = time.perf_counter()
                if task(n_jobs) != found:
                    raise AssertionError(f"{name} depends on the number of workers")
                seconds[n_jobs] = min(seconds[n_jobs], time.perf_counter() - started)
    # Else this process waits for idle workers before it ends, five minutes long.
    get_reusable_executor().shutdown(wait=True)
    return {"seconds": list(seconds.values()), "bare_threads": speedup_of_bare_threads()}


def run(output: Path) -> Record:
    """Run everything, and write ``workers.json`` and the table."""
    surroundings = environment()
    record = {"environment": surroundings, "results": {name: isolated(measure, name) for name in TASKS}}
    write(output, NAME, record)
    update_page(
        output,
        NAME,
        table(
            [
                {
                    "work": name,
                    "one worker, s": f"{row['seconds'][0]:.2f}",
                    "two workers, s": f"{row['seconds'][1]:.2f}",
                    "gain": f"{row['seconds'][0] / row['seconds'][1]:.2f}",
                    "of two bare threads": f"{row['bare_threads']:.2f}",
                }
                for name, row in record["results"].items()
            ]
        ),
    )
    return record


if __name__ == "__main__":
    run(output_folder(__doc__))
