"""Calls in processes of their own: their values, failures, ends and deadlines."""

import os
import time
from collections.abc import Callable

import pytest

from benchmarks.deadlines import with_deadline


def _adding(a: int, b: int) -> Callable[[], int]:
    return lambda: a + b


def _raising() -> Callable[[], int]:
    raise ValueError("no luck")


def _dying() -> Callable[[], None]:
    return lambda: os._exit(3)


def _sleeping() -> Callable[[], None]:
    return lambda: time.sleep(60)


def test_the_value_and_the_time() -> None:
    outcome = with_deadline(_adding, 2, 3, seconds=30.0)
    assert (outcome.value, outcome.failure) == (5, None)
    assert 0 <= outcome.seconds < 1


@pytest.mark.parametrize(
    ("prepare", "failure"),
    [
        (_raising, "ValueError: no luck"),
        (_dying, "the process ended with exit code 3"),
        (_sleeping, "no network after 0.1 s"),
    ],
)
def test_failures_are_outcomes(prepare: Callable[[], Callable[[], None]], failure: str) -> None:
    started = time.perf_counter()
    outcome = with_deadline(prepare, seconds=0.1 if prepare is _sleeping else 30.0)
    assert (outcome.value, outcome.failure) == (None, failure)
    assert time.perf_counter() - started < 30
