"""The benchmark of the exact pipeline, at a tiny size and in this process."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import exact_pipeline
from benchmarks.harness import Record


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(function: Callable[..., Record], *arguments: object) -> Record:
        return function(*arguments) | {"peak_mib": 1.0, "peak_mib_at_start": 1.0}

    monkeypatch.setattr(exact_pipeline, "isolated", call)


@pytest.mark.usefixtures("in_this_process")
def test_exact_pipeline(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("<!-- begin formulations -->\n<!-- end formulations -->\n")
    exact_pipeline.run(tmp_path, sizes=(7, 10), compared_size=8, repetitions=2, solver_size=6)
    record = json.loads((tmp_path / "exact_pipeline.json").read_text())

    assert [row["patterns"] for row in record["sizes"]] == [2 * (1 + 6 + 15), 2 * (1 + 9 + 36)]
    assert record["sizes"][1]["objective"] == pytest.approx(11.6500765, abs=1e-6)
    assert all(row["relative_gap"] < 1e-6 for row in record["sizes"] + record["solvers"])
    assert len({round(row["objective"], 5) for row in record["solvers"]}) == 1

    every, facets, covering = record["comparison"]["formulations"]
    assert every["cells"] == facets["cells"] == 2 * (1 + 7 + 21)
    assert every["sign_rows"] == 8 * every["cells"]
    assert covering["cells"] < facets["cells"]
    assert covering["sign_rows"] < facets["sign_rows"] < every["sign_rows"]
    assert covering["ratio"] == 1
    assert every["objective"] == pytest.approx(covering["objective"], rel=1e-6)
    assert "every cell, all N rows" in (tmp_path / "README.md").read_text()


def test_failures_have_their_place_in_the_tables() -> None:
    failure = {"solver": "SCS", "n_samples": 5, "failure": "SolverError: no luck"}
    assert "no luck" in exact_pipeline.solvers_table({"solvers": [failure]})
    assert "no luck" in exact_pipeline.sizes_table({"sizes": [failure]})
