"""Rounds of trials of every kind, for so many seconds."""

import gc
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.fuzz.analyses import analyses
from tests.fuzz.arguments import arguments
from tests.fuzz.commands import commands
from tests.fuzz.norms import norms
from tests.fuzz.ordinary import ordinary
from tests.fuzz.problems import bounds, estimators, files
from tests.fuzz.stops import stops
from tests.fuzz.trial import Trial

KINDS: dict[str, tuple[Callable[[int], Trial], int]] = {
    "bounds": (bounds, 5),
    "stops": (stops, 1),
    "files": (files, 1),
    "commands": (commands, 1),
    "arguments": (arguments, 10),
    "estimators": (estimators, 1),
    "norms": (norms, 2),
    "ordinary": (ordinary, 2),
    "analyses": (analyses, 2),
}
"""The trials, and how often a round of the script makes each."""


def attempt(kind: str, seed: int) -> Trial:
    """Make a trial; that it cannot be made is a finding, too."""
    try:
        return KINDS[kind][0](seed)
    except Exception:
        return Trial([traceback.format_exc(limit=-6)], "not made")


def rounds(first: int, step: int, seconds: float, kinds: tuple[str, ...]) -> Iterator[tuple[str, int, Trial]]:
    """Make trials for so many seconds; the seeds are `first`, `first + step`, ... for every kind."""
    ends, made = time.perf_counter() + seconds, Counter()
    while True:
        for kind in kinds:
            for _ in range(KINDS[kind][1]):
                if time.perf_counter() > ends:
                    return
                seed = first + step * made[kind]
                made[kind] += 1
                yield kind, seed, attempt(kind, seed)


def work(first: int, step: int, seconds: float, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Make trials in this process, print findings at once, and return the counts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Jax, which cvxpy imports where it can, swallows a Ctrl-C that comes while it collects garbage.
    gc.callbacks[:] = [callback for callback in gc.callbacks if not callback.__module__.startswith("jax")]
    counts, outcomes, findings, late = Counter(), {kind: Counter() for kind in kinds}, [], []
    for kind, seed, trial in rounds(first, step, seconds, kinds):
        counts[kind] += 1
        outcomes[kind][trial.outcome] += 1
        late += [] if trial.late is None else [(trial.outcome.partition(":")[0], trial.late)]
        for finding in trial.findings:
            findings.append(f"{kind} {seed}: {finding}")
            print(findings[-1], flush=True)
    return {"counts": counts, "outcomes": outcomes, "findings": findings, "late": late}
