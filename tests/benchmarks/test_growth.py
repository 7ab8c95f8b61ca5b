"""The benchmark of growth, at a tiny size and in this process."""

import doctest
import json
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from benchmarks import growth
from benchmarks.harness import Record

SIZES = {1: (5, 10), 2: (6, 12), 3: (4,)}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "isolated", lambda function, *arguments: function(*arguments))


def test_doctests() -> None:
    assert doctest.testmod(growth).failed == 0
    assert doctest.testmod(growth).attempted > 0


def test_growth(tmp_path: Path) -> None:
    for dimensions in ((3, 1), (2,)):
        growth.run(tmp_path, dimensions, SIZES)
    record = json.loads((tmp_path / "growth.json").read_text())["dimensions"]
    assert list(record) == ["1", "2", "3"]
    for key, measured in record.items():
        assert [row["n_samples"] for row in measured["sizes"]] == list(SIZES[int(key)])
        for row in measured["sizes"]:
            assert row["status"] == "OPTIMAL"
            assert row["relative_gap"] <= measured["tol"]
            assert row["residual"] < 1e-8
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_larger_sizes_are_left_out_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def solve(n_samples: int, *_: object) -> Record:
        return {"failure": "SolverError: no luck"} if n_samples == 6 else {}

    monkeypatch.setattr(growth, "solve_one", solve)
    record = growth.run(tmp_path, [2], SIZES)
    assert [row["n_samples"] for row in record["dimensions"]["2"]["sizes"]] == [6]
    assert record["dimensions"]["2"]["exponent"] is None
    assert "no luck" in growth.growth_table(record)
