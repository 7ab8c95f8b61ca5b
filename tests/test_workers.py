"""Workers find what one process finds, whatever joblib is told that they are."""

import subprocess
import sys

import joblib
import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.pricing import ascent, cones, make_pricer


@pytest.mark.filterwarnings("default")
def test_a_dask_cluster_prices_and_cross_validates_alike(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(ascent, "BATCH_SIZE", 2000)
    monkeypatch.setattr(ascent, "WELL_FILLED", 1)
    monkeypatch.setattr(cones, "ALONE", 20)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 3))
    y = np.abs(X[:, 0]) + 0.1 * rng.standard_normal(80)
    pricer, v = make_pricer(X), y - y.mean()
    model = cr.ReLURegressorCV(n_alphas=3, cv=2, tol=1e-2, random_state=0)
    alone, priced = model.fit(X, y).network_, pricer.ascend(v, random_state=0)
    errors, searched = model.mse_path_, pricer(v, node_limit=10_000)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        together = pricer.ascend(v, random_state=0, n_jobs=2)
        branched = pricer(v, node_limit=10_000, n_jobs=2)
        model.set_params(n_jobs=2).fit(X, y)
    np.testing.assert_array_equal(together.W, priced.W)
    np.testing.assert_array_equal(branched.W, searched.W)
    assert branched.upper == searched.upper
    np.testing.assert_array_equal(model.mse_path_, errors)
    assert model.network_ == alone


def test_processes_may_write_into_the_large_arrays_that_they_get(monkeypatch):
    monkeypatch.setattr(cones, "ALONE", 20)
    rng = np.random.default_rng(0)
    X, v = rng.standard_normal((80, 3)), rng.standard_normal(80)
    pricer, v = make_pricer(X), v - v.mean()
    alone = pricer(v, node_limit=1000)
    with joblib.parallel_config(backend="loky", max_nbytes=1000):
        together = pricer(v, node_limit=1000, n_jobs=2)
    np.testing.assert_array_equal(together.W, alone.W)
    assert together.upper == alone.upper


def test_a_backend_that_does_not_hand_over_results_one_by_one_is_refused():
    X = np.random.default_rng(0).standard_normal((12, 1))
    model = cr.ReLUClassifier("hinge", n_jobs=2)
    with (
        joblib.parallel_config(backend="multiprocessing"),
        pytest.raises(cr.InputError, match=r"^joblib.parallel_config names a backend .* choose 'loky' or 'threading'"),
    ):
        model.fit(X, np.arange(12) % 3)


THREADS = """
import joblib, numpy as np, cvxrelu as cr
X, y = np.random.default_rng(0).standard_normal((2, 12, 3))
with joblib.parallel_config("threading"):
    cr.ReLUClassifier("hinge", alpha=0.1, n_jobs=2, max_rounds=1).fit(X, np.arange(12) % 3)
"""


def test_threads_that_begin_together_import_numba_once():
    """Each of them wants its first kernel at the same moment."""
    command = [sys.executable, "-W", "ignore", "-c", THREADS]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
