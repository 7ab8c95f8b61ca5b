"""Several outputs, tiny: the experiment keeps to what is proven, and baselines to their side of the optimum."""

import doctest
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")
pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

import cvxrelu as cr
from benchmarks import outputs_baselines, outputs_proofs
from benchmarks.baselines import lifted_relaxation, pyscnn
from benchmarks.experiments import several_outputs, shared_digits
from benchmarks.experiments.shared_digits import ONE, TEN, Digits, shared_outputs, stacked

TINY_DIGITS = Digits(samples=30, alphas=(0.03,), seeds=1, tol=1e-2)
SIZE = several_outputs.Size(exponents=(1, 3), samples=3, noisy=4, alphas=(0.1,), draws=2, digits=TINY_DIGITS)
SECTIONS = ("several_outputs", "several_outputs-denoisers", "several_outputs-digits")
# What two runs may differ in.
TIMES = {"seconds", "environment", "load_average_after"}


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


def test_several_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "README.md"
    page.write_text("".join(f"<!-- begin {name} -->\n<!-- end {name} -->\n" for name in SECTIONS))
    several_outputs.run(tmp_path, SIZE)
    assert (tmp_path / "several_outputs.png").stat().st_size > 10_000
    assert page.read_text().count("\n| ---: |") == len(SECTIONS)
    record = json.loads((tmp_path / "several_outputs.json").read_text())

    strong, weak = (row["margin"] for row in record["margins"]["alphas"])
    assert strong < weak <= record["margins"]["upper"] * (1 + 1e-6)
    assert len(record["denoisers"]) == 2
    for row in record["denoisers"]:
        # Two networks side by side are one network of two outputs, so it is no worse.
        assert row["shared"]["objective"] <= row["alone"]["objective"] * (1 + 1e-5)
        assert max(row[way]["relative_gap"] for way in ("shared", "alone")) <= 2e-6
    errors = record["yardsticks"]
    assert max(errors["mean given the input"], errors["nearest clean point"]) < 0.02 * errors["none"]
    assert errors["none"] == pytest.approx(several_outputs.NOISE**2, rel=0.1)
    digits = {(row["loss"], row["way"]): row for row in record["digits"]}
    assert len(digits) == 4
    one, ten = digits["squared", ONE], digits["squared", TEN]
    assert one["objective"] <= ten["objective"] * (1 + 1e-2)
    assert ten["objective of ten"] <= one["objective of ten"] * (1 + 1e-2)
    assert ten["objective"] == pytest.approx(ten["objective of ten"], rel=1e-12)
    assert one["shared"] > ten["shared"] == pytest.approx(1.0)

    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
    several_outputs.run(tmp_path, SIZE)
    assert without_times(json.loads((tmp_path / "several_outputs.json").read_text())) == without_times(record)


def test_stacked_networks_predict_side_by_side() -> None:
    rng = np.random.default_rng(0)
    networks = [
        cr.Network(rng.standard_normal((m, 2)), rng.standard_normal(m), rng.standard_normal(m), float(m))
        for m in (1, 0, 3)
    ]
    X = rng.standard_normal((5, 2))
    together = stacked(networks)
    np.testing.assert_allclose(together(X), np.column_stack([one(X) for one in networks]), rtol=1e-13)
    assert together.cost() == pytest.approx(sum(one.cost() for one in networks))
    assert shared_outputs(together) == pytest.approx(1.0)


@pytest.mark.parametrize("module", [shared_digits, lifted_relaxation])
def test_doctests(module: Any) -> None:
    results = doctest.testmod(module)
    assert results.failed == 0
    assert results.attempted > 0


def test_the_lifted_relaxation_is_below_every_network_and_tight_on_one_output_of_two_samples() -> None:
    problem = outputs_baselines.teacher(6, 2)
    fit = cr.solve(problem, random_state=0)
    lifted = lifted_relaxation.lower_bound(problem)
    assert lifted_relaxation.side(problem) == 2 * 6 + 2 + 3
    assert 0.9 * fit.certificate.lower < lifted.value <= fit.objective * (1 + 1e-6)
    # Its value does not depend on the basis of the outputs.
    turned = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    again = cr.Problem(problem.X, problem.y @ turned, loss="squared", bias="none", alpha=problem.alpha)
    assert lifted_relaxation.lower_bound(again).value == pytest.approx(lifted.value, rel=1e-4)


def test_outputs_beside_baselines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The smallest pyscnn: one neuron, which three outputs share.
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import sys, numpy as np\n"
        "given = np.load(sys.argv[1])\n"
        "assert given['y'].shape == (5, 3) and abs(3 * given['alpha'] - 0.02) < 1e-15\n"
        "np.savez(sys.argv[2], W=[[1.0, 2.0]], v=[[0.5, 0.0, 0.0]], seconds=1.5, version='0')\n"
    )
    problem = outputs_baselines.teacher(5, 2)
    monkeypatch.setattr(outputs_baselines, "CASES", {"tiny": lambda: problem})
    monkeypatch.setattr(outputs_baselines, "isolated", lambda function, name: function(name))
    monkeypatch.setattr(pyscnn, "available", lambda: None)
    monkeypatch.setattr(pyscnn, "WORKER", worker)
    monkeypatch.setenv("PYSCNN_PYTHON", sys.executable)
    page = tmp_path / "README.md"
    page.write_text(
        "".join(f"<!-- begin outputs-{name} -->\n<!-- end outputs-{name} -->\n" for name in ("bounds", "networks"))
    )
    row = outputs_baselines.run(tmp_path, ["tiny"])["cases"]["tiny"]
    assert row["cvxrelu"]["relative_gap"] <= 1e-6
    assert row["SDPNN-IW"]["lower"] <= row["cvxrelu"]["objective"] * (1 + 1e-6)
    assert row["cvxrelu"]["objective"] <= row["apart"]["objective"] * (1 + 1e-6)
    given = cr.Network(np.array([[1.0, 2.0]]), np.zeros(1), np.array([[0.5, 0.0, 0.0]]))
    assert [one["objective"] for one in row["pyscnn"]] == [problem.objective(given)] * 2
    assert "| tiny | pyscnn, 30 gates |" in page.read_text()
    assert "| tiny |" in outputs_baselines.bounds_table({"tiny": row})

    worker.write_text("raise ValueError('no luck')\n")
    failed = pyscnn.recorded(problem, 3, 60.0)
    assert failed == {"gates": 3, "failure": "ValueError: no luck"}
    assert "no luck" in outputs_baselines.networks_table({"tiny": row | {"pyscnn": [failed]}})
    without = row | {"pyscnn": "pyscnn is not here.", "SDPNN-IW": {"side": 15, "failure": "no solution"}}
    assert outputs_baselines.networks_table({"tiny": without}) == ""
    assert "no solution" in outputs_baselines.bounds_table({"tiny": without})


def test_proofs_dots_and_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs_proofs, "isolated", lambda function, *arguments: function(*arguments))
    page = tmp_path / "README.md"
    page.write_text(
        "".join(
            f"<!-- begin outputs-{name} -->\n<!-- end outputs-{name} -->\n" for name in ("proofs", "dots", "digits")
        )
    )
    record = outputs_proofs.run(
        tmp_path, ["plane, smooth, alpha 0.1"], 20.0, draws=3, seeds=1, alphas=(1e-3,), rows=150
    )
    row = record["cases"]["plane, smooth, alpha 0.1"]
    assert 0 <= row["relative_gap"] <= 1e-6
    assert row["method"] == "plane"
    worst = record["dots"]["worst"]
    assert max(one["relative_gap"] for one in worst.values()) <= 1e-8
    assert worst["skip"]["cost"] <= 1e-8
    assert max(one["function"] for one in worst.values()) <= 1e-8
    assert "| plane, smooth, alpha 0.1 |" in page.read_text()
    assert "| no skip | 3 |" in page.read_text()
    ours, theirs = (runs[0]["objective"] for runs in record["digits"]["found"][0]["runs"].values())
    assert ours <= theirs * 1.01
    assert "| 0.001 | MLP |" in page.read_text()
