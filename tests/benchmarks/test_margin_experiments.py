"""The experiments on margins and kernels, at a tiny size: they run, repeat themselves, and keep to the theory."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jax")
pytest.importorskip("matplotlib")

from benchmarks.experiments import annealing, hidden_cross, lazy_training, margins, relu_kernel, wasserstein_flow

SIZES = {
    margins: margins.Size(exponents=(4, 14), features=(10, 100), draws=2, restarts=1),
    hidden_cross: hidden_cross.Size(features=(3,), multiples=(2,), seeds=1, rounds=5, width=8, steps=20, tests=50),
    relu_kernel: relu_kernel.Size((10,), seeds=1, seconds=2.0, width=8, steps=20, features=3, tests=50),
    lazy_training: lazy_training.Size(20, 3, (0.0, 1e-2), seeds=1, width=8, steps=30, tests=50),
    wasserstein_flow: wasserstein_flow.Size((6,), (0.0, 1e-2), seeds=1, steps=30, samples=8),
    annealing: annealing.Size((1e-2,), seeds=2, samples=100, width=8, steps=30),
}
# What two runs may differ in.
TIMES = {"seconds", "environment", "load_average_after"}


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module", autouse=True)
def few_problems() -> Iterator[None]:
    """Keep the six points only, of the problems whose widths are searched, with three widths tried one by one."""
    problems = margins.labelled()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(margins, "labelled", lambda: {"six points": problems["six points"]})
        patch.setattr("benchmarks.baselines.finite_width.MOST_CHOICES", 300)
        yield


def run_in(folder: Path, experiment: Any) -> dict[str, Any]:
    name = experiment.__name__.rpartition(".")[2]
    experiment.run(folder, SIZES[experiment])
    assert (folder / f"{name}.png").stat().st_size > 10_000
    return json.loads((folder / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Any], dict[str, Any]]:
    """Return what runs an experiment, once for all tests."""
    return cache(lambda experiment: run_in(tmp_path_factory.mktemp("first"), experiment))


@pytest.mark.parametrize("experiment", [*SIZES])
def test_two_runs_give_the_same_numbers(experiment: Any, run: Callable[[Any], dict[str, Any]], tmp_path: Path) -> None:
    first, second = run(experiment), run_in(tmp_path, experiment)
    assert without_times(first) == without_times(second)

    assert first["environment"]["packages"]["cvxrelu"]
    assert "seeds" in first["size"] or "draws" in first["size"]


def test_margins_agree_with_the_theory(run: Callable[[Any], dict[str, Any]]) -> None:
    record = run(margins)
    largest = record["certified"]["gamma*"]
    assert largest == pytest.approx(1 / (2 * 33.3238075794), rel=1e-7)
    smallest = record["lambda"][-1]
    assert smallest["relative_gap"] < 1e-8
    assert smallest["margin"] == pytest.approx(smallest["expected"], rel=1e-3)
    assert smallest["margin"] == pytest.approx(largest, rel=0.02)
    assert smallest["margin over 1000 neurons"] < smallest["margin"]
    for row in record["fixed neurons"]:
        assert max(*row["gamma_l1, drawn"], *(row[name] for name in margins.GRIDS)) <= 2 * largest * (1 + 1e-9)
    shares = [row["share"] for row in record["widths"][0]["widths"]]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1, abs=1e-5)


def test_kernels_need_more_samples(run: Callable[[Any], dict[str, Any]]) -> None:
    for row in run(hidden_cross)["runs"]:
        best = row[hidden_cross.LEAST_COST]
        assert best["lower"] <= best["upper"] <= 4 * (1 + 1e-6)
        assert row[hidden_cross.TRAINED]["cost at margin one"] is None or (
            row[hidden_cross.TRAINED]["cost at margin one"] >= best["lower"]
        )


def test_training_stays_above_the_certified_optimum(run: Callable[[Any], dict[str, Any]]) -> None:
    for row in run(relu_kernel)["runs"]:
        assert row["trained network"]["objective"] >= row["cvxrelu"]["lower"]
        assert row["teacher's cost"] == pytest.approx(6)
    flow = run(wasserstein_flow)
    assert all(row["relative_gap"] >= 0 for row in flow["runs"])
    lazy = run(lazy_training)
    for row in lazy["runs"]:
        first, *_, last = row["step, margin, error, changed"]
        assert first[0] == first[3] == 0
        assert last[0] == 30
        assert row["normalised margin"] <= 1 / (2 * lazy["yardsticks"][0]["largest margin"]["lower"])
