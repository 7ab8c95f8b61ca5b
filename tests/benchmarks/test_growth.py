"""The benchmark of growth, at a tiny size and in this process."""

import doctest
import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from benchmarks import growth
from benchmarks.harness import Record

SIZES = {
    "labels_1": (5, 10),
    "labels_2": (6, 12),
    "labels_3": (4,),
    "few_1": (20, 40),
    "few_2": (20,),
    "few_3": (20,),
}


@pytest.fixture(autouse=True)
def few_samples_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "isolated", lambda function, *arguments: function(*arguments))
    for name, sizes in SIZES.items():
        monkeypatch.setitem(growth.SERIES, name, replace(growth.SERIES[name], sizes=sizes))


def test_doctests() -> None:
    assert doctest.testmod(growth).failed == 0
    assert doctest.testmod(growth).attempted > 0


def test_growth(tmp_path: Path) -> None:
    for names in (("labels_3", "few_1", "few_2"), ("labels_1", "labels_2", "few_3")):
        growth.run(tmp_path, names)
    record = json.loads((tmp_path / "growth.json").read_text())["series"]
    assert list(record) == list(SIZES)
    for name, measured in record.items():
        assert [row["n_samples"] for row in measured["sizes"]] == list(SIZES[name])
        for row in measured["sizes"]:
            assert row["status"] == "OPTIMAL"
            assert row["relative_gap"] <= measured["tol"]
            assert name.startswith("few") or row["residual"] < 1e-8
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_larger_sizes_are_left_out_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def solve(series: growth.Series, n_samples: int, limit: float) -> Record:
        return {"failure": "SolverError: no luck"} if n_samples == 6 else {}

    monkeypatch.setattr(growth, "solve_one", solve)
    record = growth.run(tmp_path, ["labels_2"])
    assert [row["n_samples"] for row in record["series"]["labels_2"]["sizes"]] == [6]
    assert record["series"]["labels_2"]["exponent"] is None
    assert "no luck" in growth.growth_table(record)
