"""The benchmark of optimal sets, at a tiny size and in this process."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cvxrelu as cr
from benchmarks import optimal_sets


def test_optimal_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimal_sets, "isolated", lambda function, *arguments: function(*arguments))
    (tmp_path / "README.md").write_text("<!-- begin optimal_sets -->\n<!-- end optimal_sets -->\n")
    optimal_sets.run(tmp_path, seeds=1)
    record = json.loads((tmp_path / "optimal_sets.json").read_text())
    assert [row["hold"] for row in record["families"]] == [1] * len(optimal_sets.FAMILIES)
    assert "six losses | 1 | 1 | 1 |" in (tmp_path / "README.md").read_text()


def test_what_does_not_hold_is_told() -> None:
    problem = optimal_sets.far_out(0)
    optima = cr.optimal_set(cr.solve(problem, random_state=0))
    assert optimal_sets.what_is_wrong(optima, problem, 0) is None
    wrong = optimal_sets.what_is_wrong(replace(optima, lower=0.99 * optima.lower), problem, 0)
    assert wrong is not None
    assert "relative gap" in wrong
    other = cr.Problem(problem.X, -np.asarray(problem.y), loss="logistic", alpha=5e-4)
    assert optimal_sets.what_is_wrong(optima, other, 0) is not None
