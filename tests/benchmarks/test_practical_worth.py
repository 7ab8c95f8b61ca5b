"""The comparison on real data, at a tiny size: every method on the same splits, and the same numbers again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("matplotlib")

import cvxrelu as cr
from benchmarks.experiments import practical_worth
from benchmarks.experiments.practical_worth import METHODS, OURS, Size, evaluate, load

# Forty samples, and two principal components for us: every fit is finished long before its limit, whatever the load.
TINY = Size(
    ("diabetes", "breast_cancer"),
    samples=40,
    components=2,
    folds=2,
    repeats=1,
    inner_folds=2,
    n_alphas=3,
    tol=0.1,
    n_jobs=1,
)


@pytest.fixture(autouse=True)
def one_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others try one or two values."""
    monkeypatch.setattr(practical_worth, "MLP_GRID", {"hidden_layer_sizes": [(5,)], "alpha": [1.0, 10.0]})
    monkeypatch.setattr(practical_worth, "BOOSTING_GRID", {"learning_rate": [0.1], "max_leaf_nodes": [4]})
    monkeypatch.setattr(practical_worth, "MLP_STEPS", 50)


def test_every_method_on_the_same_splits(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("<!-- begin practical_worth -->\n<!-- end practical_worth -->\n")
    practical_worth.run(tmp_path, TINY)
    record = json.loads((tmp_path / "practical_worth.json").read_text())
    assert record["environment"]["packages"]["cvxrelu"] == cr.__version__
    assert (tmp_path / "practical_worth.png").stat().st_size > 10_000
    assert "| ---: |" in (tmp_path / "README.md").read_text()

    rows = record["runs"]
    cases = {(row["data"], row["method"], row["split"]) for row in rows}
    assert len(rows) == len(cases) == 2 * len(METHODS) * 2
    for row in rows:
        assert 0 <= row["error"] < (3 if row["data"] == "diabetes" else 0.6)
        if row["method"] == OURS:
            assert row["fits"] == 3 * 2 + 1
            assert max(row["relative_gaps"]) <= TINY.tol
            assert "AccuracyWarning" not in row["warnings"]
    again = evaluate(OURS, "diabetes", 1, TINY)
    (first,) = [row for row in rows if (row["method"], row["data"], row["split"]) == (OURS, "diabetes", 1)]
    assert {name: again[name] for name in ("error", "alpha", "neurons")} == {
        name: first[name] for name in ("error", "alpha", "neurons")
    }


def test_fits_are_counted() -> None:
    size = Size(samples=30, folds=2, inner_folds=2, n_alphas=1, tol=0.5, time_limit=0.1, components=1)
    assert evaluate(OURS, "iris", 0, size)["fits"] == 1 * 2 + 1
    assert evaluate("kernel", "iris", 0, size)["fits"] == 16 * 2 + 1


def test_subsamples_keep_the_shares_of_the_classes() -> None:
    X, y = load("digits", Size(digits=200))
    assert X.shape == (200, 64)
    assert np.bincount(y).min() >= 19


def test_the_table_says_who_loses() -> None:
    def rows(ours: Any, theirs: Any) -> list[dict[str, Any]]:
        effort = {"data": "iris", "hyperparameters": 1, "candidates": 1, "fits": 1, "seconds": 1.0}
        return [
            effort | {"method": method, "split": k, "error": error}
            for method in METHODS
            for k, error in enumerate(ours if method == OURS else theirs)
        ]

    def verdicts(ours: Any, theirs: Any) -> set[str]:
        return {line["cvxrelu"] for line in practical_worth.errors_table(rows(ours, theirs))} - {"–"}

    assert verdicts([0.3, 0.31, 0.32], [0.1, 0.12, 0.1]) == {"loses"}
    assert verdicts([0.1, 0.12, 0.1], [0.3, 0.31, 0.32]) == {"wins"}
    assert verdicts([0.1, 0.2, 0.3], [0.3, 0.2, 0.1]) == {"level"}
