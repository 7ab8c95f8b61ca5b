"""The harness scores networks, measures processes and writes records."""

import doctest
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cvxrelu as cr
from benchmarks import harness
from benchmarks.problems import normal_plane, six_points


def test_doctests() -> None:
    assert doctest.testmod(harness).failed == 0
    assert doctest.testmod(harness).attempted > 0


def test_score_is_the_problems_own() -> None:
    problem = six_points()
    network = cr.Network(np.ones((1, 1)), np.ones(1), np.full(1, 2.0))
    scored = harness.score(problem, network)
    assert scored["cost"] == 2.0
    assert scored["objective"] == math.inf  # it does not pass through the points
    # Predictions 2 (x + 1); the largest error, 0 - 1 to 3.2 + 1 at x = 0.6, in halves of the range of y, which are 1.
    assert scored["residual"] == pytest.approx(4.2)
    assert scored["neurons"] == 1


def test_problems_are_seeded() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10, 2))
    problem = normal_plane(10)
    np.testing.assert_array_equal(problem.X, X)
    np.testing.assert_array_equal(problem.y, rng.standard_normal(10))
    assert cr.solve(problem).objective == pytest.approx(11.6500765, abs=1e-6)


def test_isolated_measures_its_own_process() -> None:
    ballast = np.ones(200 * harness.MIB // 8)
    record = harness.isolated(dict)
    assert 0 < record["peak_mib_at_start"] <= record["peak_mib"]
    # The parent's memory is not the child's.
    assert record["peak_mib"] < harness._peak_mib() - ballast.nbytes / harness.MIB / 2


def test_isolated_records_a_failure() -> None:
    record = harness.isolated(int, "many")
    assert record["failure"].startswith("ValueError: invalid literal")


def test_repeated_stops_after_enough_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(harness.repeated(abs, -1)) == harness.REPETITIONS
    monkeypatch.setattr(harness, "ENOUGH_SECONDS", 1e-12)
    assert len(harness.repeated(abs, -1)) == 1


def test_write_is_plain_json(tmp_path: Path) -> None:
    record = {"a": np.float64(1.5), "b": math.inf, "c": (np.int64(1), [2, 3]), "d": {"e": None}, "f": "[ ok ]"}
    path = harness.write(tmp_path / "new", "record", record)
    read = json.loads(path.read_text())
    assert len(read.pop("load_average_after")) == 3
    assert read == {"a": 1.5, "b": None, "c": [1, [2, 3]], "d": {"e": None}, "f": "[ ok ]"}


def test_update_page(tmp_path: Path) -> None:
    harness.update_page(tmp_path, "one", "text")
    assert not (tmp_path / "README.md").exists()
    page = tmp_path / "README.md"
    page.write_text("before <!-- begin one -->old<!-- end one --> after")
    harness.update_page(tmp_path, "one", "new")
    harness.update_page(tmp_path, "two", "nowhere")
    assert page.read_text() == "before <!-- begin one -->\nnew\n<!-- end one --> after"


def test_environment_has_the_versions() -> None:
    versions = harness.environment()["packages"]
    assert versions["cvxrelu"] == cr.__version__
    assert versions["numpy"] == np.__version__


@pytest.mark.parametrize("arguments", [["benchmarks"], ["benchmarks.workers"]])
def test_unknown_options_measure_nothing(arguments: list[str]) -> None:
    command = [sys.executable, "-m", *arguments, "--only", "nothing"]
    run = subprocess.run(command, cwd=harness.RESULTS.parents[1], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "usage:" in run.stderr
