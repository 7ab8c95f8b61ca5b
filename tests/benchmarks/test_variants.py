"""The benchmark of skip connections, weights and signs, on problems of a few samples."""

import json

import numpy as np
import pytest

from benchmarks import variants


def test_every_problem_in_every_way(tmp_path, monkeypatch):
    X = np.linspace(-1, 1, 9)[:, None]
    problem = {"X": X, "y": np.cos(3 * X[:, 0]), "loss": "squared", "alpha": 0.01}
    monkeypatch.setattr(variants, "cases", lambda: {"wave": (problem, 1e-6)})
    variants.main(tmp_path)
    rows = {row["variant"]: row for row in json.loads((tmp_path / "variants.json").read_text())["results"]}
    assert list(rows) == list(variants.VARIANTS)
    assert all(row["gap"] <= 1e-6 for row in rows.values())
    # What is free lowers the objective, and what is forbidden raises it.
    assert rows["skip"]["objective"] <= rows["plain"]["objective"] * (1 + 1e-6)
    assert rows["positive"]["objective"] > 1.1 * rows["plain"]["objective"]


def test_the_problems_are_what_their_names_say():
    for name, (problem, tol) in variants.cases().items():
        assert f"N = {len(problem['y']):,}" in name
        assert tol <= 1e-4
        weighted = variants.variant_of(problem, ("weights", "skip", "positive"))
        assert weighted.skip
        assert weighted.one_sided
        assert weighted.sample_weight.mean() == pytest.approx(1.0)
