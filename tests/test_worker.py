"""A process that can be stopped whatever it does, and what column generation makes of that."""

import os
import signal
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.generation import column_rounds
from cvxrelu.generation.columns import first_network
from cvxrelu.generation.dual_master import solve_master
from cvxrelu.problem.losses import Squared
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.waiting import SLICE, result_of
from cvxrelu.runtime.worker import Worker
from cvxrelu.solving import run

rng = np.random.default_rng(0)
X = rng.standard_normal((30, 4))
Y = np.abs(X[:, 0]) - X[:, 1]


def test_one_process_answers_until_it_is_stopped():
    with Worker() as worker:
        here = worker.call(Clock(), os.getpid)
        assert worker.call(Clock(60.0), os.getpid) == here != os.getpid()
        with pytest.raises(ZeroDivisionError):
            worker.call(Clock(), divmod, 1, 0)
        with pytest.raises(cr.SolverError, match="no network"):
            worker.call(Clock(), _refuse)
        assert worker.call(Clock(), os.getpid) == here
        with pytest.raises(TimeoutError):
            worker.call(Clock(0.2), time.sleep, 60)
        assert worker.call(Clock(), os.getpid) != here
        last = worker.call(Clock(), os.getpid)
    with pytest.raises(ProcessLookupError):
        os.kill(last, 0)


def _refuse():
    raise cr.SolverError("no network")


def test_a_process_that_dies_is_a_sentence():
    """As one does that the system kills for want of memory; the next call has a process of its own."""
    with Worker() as worker:
        with pytest.raises(cr.SolverError, match="ended before it answered"):
            worker.call(Clock(60.0), os._exit, 1)
        assert worker.call(Clock(60.0), abs, -2) == 2


def test_it_may_be_stopped_before_it_has_been_told_all():
    with Worker() as worker, pytest.raises(TimeoutError):
        worker.call(Clock(0.01), sum, list(range(5_000_000)))


def test_it_ends_with_an_interrupt():
    with Worker() as worker:
        child = worker.call(Clock(), os.getpid)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            worker.call(Clock(), time.sleep, 60)
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


@pytest.mark.parametrize("loss", ["interpolation", "squared", "hinge", "multiclass-margin"])
def test_large_masters_are_solved_as_well_elsewhere(monkeypatch, loss):
    y = {"hinge": np.sign(Y), "multiclass-margin": np.arange(30) % 3}.get(loss, Y)
    problem = cr.Problem(X, y, loss, alpha=0.01 if loss in ("squared", "hinge") else None)
    solve = partial(cr.solve, problem, "generate", random_state=0, max_rounds=8)
    with pytest.warns(cr.AccuracyWarning):
        here = solve()
    monkeypatch.setattr(column_rounds, "LARGE_MASTER", 0.0)
    with pytest.warns(cr.AccuracyWarning):
        assert solve().objective == here.objective


def test_four_classes_of_four_hundred_samples_are_a_large_master():
    """One step of the interior-point method takes seconds there, and no solver looks at a clock within it."""
    standard = cr.Problem(np.arange(400.0)[:, None], np.arange(400) % 4, "multiclass-margin")
    assert column_rounds.goes_to_worker(standard, np.zeros((400, 30)))
    assert not column_rounds.goes_to_worker(replace(standard, y=np.arange(400) % 2), np.zeros((400, 30)))


@pytest.mark.parametrize("loss", ["interpolation", "margin", "hinge"])
@pytest.mark.parametrize("bias", ["free", "joint"])
def test_a_master_that_is_stopped_leaves_a_network(monkeypatch, loss, bias):
    y = Y if loss == "interpolation" else np.sign(Y)
    problem = cr.Problem(X, y, loss, bias=bias, alpha=0.01 if loss == "hinge" else None)
    monkeypatch.setattr(column_rounds, "LARGE_MASTER", 0.0)
    monkeypatch.setattr(column_rounds, "solve_master", _sleep)
    with pytest.warns(cr.AccuracyWarning, match="time_limit=0.5"):
        fit = cr.solve(problem, "generate", time_limit=0.5)
    assert fit.status is cr.Status.STOPPED
    assert np.isfinite(fit.objective)
    assert problem.objective(fit.network) <= problem.objective(first_network(problem)) * (1 + 1e-9)


def _sleep(*_):
    time.sleep(60)
    return solve_master


def test_large_programs_are_solved_as_well_elsewhere(monkeypatch):
    problem = cr.Problem(X[:12, :2], Y[:12], "squared", alpha=0.01)
    here = cr.solve(problem, "enumerate")
    monkeypatch.setattr(run, "LARGE_PROGRAM", 0)
    assert cr.solve(problem, "enumerate").objective == pytest.approx(here.objective, rel=1e-9)


@pytest.mark.parametrize("loss", ["interpolation", "squared"])
def test_a_program_that_is_stopped_leaves_a_network(monkeypatch, loss):
    problem = cr.Problem(X, Y, loss, alpha=0.01 if loss == "squared" else None)
    monkeypatch.setattr(run, "LARGE_PROGRAM", 0)
    monkeypatch.setattr(run, "solve_on_cells", _sleep)
    with pytest.warns(cr.AccuracyWarning, match="time_limit=0.5"):
        fit = cr.solve(problem, "sample", time_limit=0.5, random_state=0)
    assert fit.status is cr.Status.STOPPED
    assert np.isfinite(fit.objective)


class Own(Squared):
    """A loss that another process does not know."""


def test_a_loss_of_the_caller_is_solved_here(monkeypatch):
    monkeypatch.setattr(run, "LARGE_PROGRAM", 0)
    monkeypatch.setattr(column_rounds, "LARGE_MASTER", 0.0)
    monkeypatch.setattr(Worker, "call", _refuse)
    for method in ("enumerate", "generate"):
        fit = cr.solve(cr.Problem(X[:8, :2], Y[:8], Own(), alpha=0.01), method)
        assert fit.status is cr.Status.OPTIMAL


def test_without_biases_there_may_be_no_first_network():
    problem = cr.Problem(X, Y, bias="none")
    assert first_network(problem).n_neurons == 0


def test_waits_are_cut_in_slices_so_that_a_signal_before_one_is_seen_after_it():
    """Python looks for signals before a wait begins and when one wakes it; one that comes in between wakes nothing."""
    waited = []

    class Late(Future):
        def result(self, timeout=None):
            waited.append(timeout)
            if len(waited) > 3:
                self.set_result(2)
            return super().result(timeout)

    assert result_of(Late(), Clock()) == 2
    assert max(waited) <= SLICE
    with pytest.raises(TimeoutError, match="clock expired"):
        result_of(Future(), Clock(0.0))
    failed = Future()
    failed.set_exception(TimeoutError("its own"))
    with pytest.raises(TimeoutError, match="its own"):
        result_of(failed, Clock(1.0))
