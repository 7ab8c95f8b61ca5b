"""BLAS has one thread while something is solved, and its own number again afterwards."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import cvxrelu as cr
from cvxrelu.runtime.blas import one_blas_thread
from tests.instances import SIX_X, SIX_Y


def threads():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    with threadpool_limits(2, user_api="blas"):
        before = threads()
        yield
        assert threads() == before


def test_who_comes_second_changes_nothing():
    before = threads()

    def limited():
        with one_blas_thread():
            return threads()

    with one_blas_thread():
        assert limited() == {1}
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(limited).result() == {1}
        assert threads() == {1}
    assert threads() == before


def test_solving_takes_one_thread_and_errors_give_them_back(monkeypatch):
    seen = []
    loss = cr.Huber(1.0)
    value = type(loss).value
    monkeypatch.setattr(type(loss), "value", lambda *args: (seen.append(threads()), value(*args))[1])
    cr.solve(cr.Problem(SIX_X, SIX_Y, loss, alpha=0.1))
    assert seen
    assert all(each == {1} for each in seen)
    with pytest.raises(cr.InputError):
        cr.solve(cr.Problem(np.eye(2), [0.0, 1.0]), "magic")
