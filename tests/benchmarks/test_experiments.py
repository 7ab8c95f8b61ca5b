"""Every experiment, at a tiny size: what it finds is bounded by what is proven, and two runs give the same numbers."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("optax")
pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks.experiments import (
    classification,
    common,
    depth,
    label_noise,
    sparse_support,
    ten_points,
    weight_decay,
    widths,
)
from benchmarks.harness import Record
from benchmarks.problems import six_points

Run = Callable[[ModuleType, Any], Record]
VOLATILE = {"seconds", "environment", "load_average_after"}


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in VOLATILE}
    return [without_times(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run an experiment twice, the second time without saving the picture, and return its record."""

    def twice(experiment: ModuleType, size: Any) -> Record:
        name = experiment.__name__.rpartition(".")[2]
        picture, page = tmp_path / f"{name}.png", tmp_path / "README.md"
        page.write_text(f"<!-- begin {name} -->\n<!-- end {name} -->\n")
        experiment.run(tmp_path, size)
        assert picture.stat().st_size > 10_000
        assert "| ---: |" in page.read_text()
        first = json.loads((tmp_path / f"{name}.json").read_text())
        assert first["environment"]["packages"]["cvxrelu"] == cr.__version__

        monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
        experiment.run(tmp_path, size)
        assert without_times(json.loads((tmp_path / f"{name}.json").read_text())) == without_times(first)
        return first

    return twice


def test_widths(run: Run) -> None:
    record = run(widths, widths.Size(widths=(3, 40), scales=(1e-1,), seeds=2, max_steps=4000))
    assert record["certified"]["upper"] == pytest.approx(30, rel=1e-8)
    assert len(record["trained"]) == 4
    assert len(record["curves"]) == 2
    for row in record["trained"]:
        assert row["objective"] is None  # a trained network does not interpolate
        assert row["excess"] > -1e-9
        assert (row["failure"] is None) == (row["loss"] <= 1e-4)


def test_own_predictions_are_a_rigorous_yardstick() -> None:
    network = cr.Network(np.array([[1.0], [-1.0]]), np.array([0.5, 0.3]), np.array([2.0, -1.0]))
    assert common.least_cost_of_own_predictions(six_points(), network) <= network.cost() * (1 + 1e-9)


def test_weight_decay(run: Run) -> None:
    record = run(weight_decay, weight_decay.Size(widths=(3, 100), seeds=1, steps=10_000))
    gaps = {(row["method"], row["width"]): row["relative_gap"] for row in record["trained"]}
    assert len(gaps) == 6
    assert min(gaps.values()) > -1e-9
    assert gaps["Adam, annealed", 100] < 1e-4 < gaps["Adam, annealed", 3]
    # The gap in the record is what `certify` says.
    problem = cr.Problem(six_points().X, six_points().y, "squared", alpha=weight_decay.ALPHA)
    assert record["certified"]["lower"] == pytest.approx(cr.solve(problem).certificate.lower)


def test_classification(run: Run) -> None:
    size = classification.Size(n_samples=8, widths=(2, 30), seeds=1, descent_steps=10_000, adam_steps=5000)
    record = run(classification, size)
    gaps = {(row["problem"], row["width"]): row["relative_gap"] for row in record["trained"]}
    assert -1e-6 < gaps["logistic", 30] < 0.01
    assert -1e-6 < gaps["margin", 30] < 1
    assert record["certified"]["margin"]["scope"] == "global"


def test_scaling_to_margin_one() -> None:
    problem = cr.Problem([[0.0], [1.0]], [-1.0, 1.0], "margin")
    network = cr.Network([[1.0]], [0.0], [4.0], -1.0)
    assert np.abs(classification.with_margin_one(network, problem)(problem.X)).min() == 1.0
    wrong = cr.Network([[1.0]], [0.0], [-4.0])
    assert classification.with_margin_one(wrong, problem) is wrong


def test_ten_points(run: Run) -> None:
    record = run(ten_points, ten_points.Size(widths=(10, 50), draws=1, seeds=1, steps=10_000))
    (optimum,) = record["certified"]
    assert optimum["cost"] <= optimum["least_interpolation_cost"]
    for row in record["trained"]:
        assert row["relative_gap"] > -1e-9
        assert row["function_cost"] <= row["cost"] * (1 + 1e-6)


def test_depth(run: Run) -> None:
    record = run(depth, depth.Size(depths=(1, 2), widths=(8,), seeds=1, steps=3000))
    assert [row["depth"] for row in record["trained"]] == [1, 2]
    for row in record["trained"]:
        assert row["ratio"] > 1 - 1e-6


def test_sparse_support(run: Run) -> None:
    record = run(sparse_support, sparse_support.Size(widths=(3, 200), seeds=1, steps=20_000))
    narrow, wide = record["trained"]
    assert -1e-9 < wide["relative_gap"] < narrow["relative_gap"]
    assert wide["share_in_shared_places"] > 0.95
    assert wide["places"] <= 10 < wide["alive"]


def test_peaks_of_the_score_are_its_maxima() -> None:
    rng = np.random.default_rng(0)
    for n_samples in (1, 2, 7):
        x, dual = rng.standard_normal(n_samples), rng.standard_normal(n_samples)
        fine = np.abs(sparse_support.score(np.linspace(-np.pi, np.pi, 20_001), x, dual)).max()
        highest = np.abs(sparse_support.score(sparse_support.peaks(x, dual), x, dual)).max()
        assert fine <= highest <= fine * (1 + 1e-3)


def test_the_certified_optimum_is_in_the_shared_places() -> None:
    problem = cr.Problem([[-1.0], [0.2], [0.9]], [0.5, -1.0, 1.0], "squared", bias="joint", alpha=0.02)
    fit = cr.solve(problem, tol=1e-8)
    places, signs = sparse_support.shared_places(problem, fit.certificate.dual)
    angles, directions, shares = sparse_support.support(fit.network)
    assert shares.sum() == pytest.approx(1.0)
    assert sparse_support.distances(angles, directions, places, signs).max() < 1e-4


def test_counting_places_goes_round_the_circle() -> None:
    angles = np.array([-np.pi + 0.001, np.pi - 0.001, 0.0, 0.001, 0.0])
    assert sparse_support.count_places(angles, np.array([1, 1, 1, 1, -1])) == 3
    assert sparse_support.count_places(angles[:1], np.array([1])) == 1


def test_label_noise(run: Run) -> None:
    record = run(label_noise, label_noise.Size(widths=(30,), scales=(1e-1,), seeds=1, noisy_steps=5_000))
    plain, noisy = record["trained"]
    assert record["certified"]["least_sensitivity"] == pytest.approx(9.2363, abs=1e-3)
    assert noisy["sensitivity"] != plain["sensitivity"]
    for row in (plain, noisy):
        assert row["failure"] is None
        assert row["sensitivity"] > row["least_sensitivity"] * (1 - 1e-6)
        assert row["cost"] > row["least_cost"] * (1 - 1e-9)
