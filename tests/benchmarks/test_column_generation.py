"""The benchmark of column generation, at a tiny size and in this process."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import cvxrelu as cr
from benchmarks import cases, column_generation
from benchmarks.baselines import pyscnn
from benchmarks.cases import CASES, Case, Goal
from benchmarks.harness import Record, timed
from benchmarks.problems import normal_line, normal_plane, teacher, teacher_joint

TINY = {
    "enumeration": Case(
        "noise", partial(normal_plane, 10), (Goal("speed_up", 0.0, least=True),), checks=(cases.enumeration,)
    ),
    "line": Case("noise", partial(normal_line, 8), (Goal("deviation", 1e-7),), tol=1e-8, checks=(cases.closed_form,)),
    "teacher": Case(
        "taught",
        partial(teacher, 20, 2),
        (Goal("seconds_to_gap_0.001", 5.0), Goal("seconds_to_gap_1e-30", 5.0)),
        tol=1e-8,
        checks=(
            cases.time_to_objective,
            partial(cases.time_to_gap, gap=1e-3),
            partial(cases.time_to_gap, gap=1e-30),
            cases.missed_neurons,
        ),
        gates=(3, 5),
    ),
}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(function: Callable[..., Record], *arguments: object, threads: int) -> Record:
        return function(*arguments) | {"peak_mib": 1.0, "peak_mib_at_start": 1.0}

    monkeypatch.setattr(column_generation, "isolated", call)
    monkeypatch.setattr(column_generation, "CASES", TINY)
    monkeypatch.setattr(column_generation, "repeated", lambda function: [timed(function)])
    monkeypatch.setattr(cases, "ASCENTS", 40)
    monkeypatch.setattr(pyscnn, "available", lambda: "pyscnn is not here.")


@pytest.mark.usefixtures("tiny")
def test_column_generation(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("<!-- begin goals -->\n<!-- end goals -->\n")
    column_generation.run(tmp_path, TINY)
    rows = json.loads((tmp_path / "column_generation.json").read_text())["cases"]

    assert list(rows) == list(TINY)
    for row, case in zip(rows.values(), TINY.values(), strict=True):
        assert "failure" not in row
        assert row["relative_gap"] <= row["tol"] == case.tol
        assert (row["scope"], row["status"]) == ("global", "OPTIMAL")
        seconds, _, upper, lower = np.transpose(row["seconds, columns, upper, lower"])[:, -1]
        assert seconds <= row["seconds"]
        assert lower <= row["lower"] <= row["objective"] <= upper
    enumeration, line, taught = rows.values()
    assert enumeration["objective"] == pytest.approx(enumeration["enumerate_objective"], rel=1e-6)
    assert line["deviation"] < 1e-8
    # A network g above the optimum has residuals sqrt(2 N g) from the best ones, and scores that times
    # norm(X) / (N alpha) from theirs, of which the largest is one.
    problem = TINY["teacher"].problem()
    off = np.sqrt(2 * (taught["objective"] - taught["lower"]) / problem.n_samples) / problem.alpha
    assert abs(taught["violation"]) <= off * np.linalg.norm(problem.X, 2) < 0.02
    assert taught["seconds_to_objective"] <= taught["seconds_to_objective_proven"] <= taught["seconds_to_gap_0.001"]
    assert taught["seconds_to_gap_1e-30"] is None
    assert [goal["reached"] for goal in taught["goals"]] == [True, False]
    assert taught["pyscnn"] == "pyscnn is not here."
    assert "| teacher | seconds to gap 1e-30 | ≤ 5 | – | no |" in (tmp_path / "README.md").read_text()


@pytest.mark.usefixtures("tiny")
def test_single_cases_are_merged(tmp_path: Path) -> None:
    for name in ("line", "enumeration"):
        column_generation.run(tmp_path, [name])
    before = json.loads((tmp_path / "column_generation.json").read_text())["cases"]
    column_generation.run(tmp_path, ["line"])
    after = json.loads((tmp_path / "column_generation.json").read_text())["cases"]
    assert list(after) == ["enumeration", "line"]
    assert after["enumeration"] == before["enumeration"]


def test_pyscnn_is_scored_by_the_same_objective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The smallest package of that name: its network is one neuron with weights (1, 2).
    package = tmp_path / "scnn"
    package.mkdir()
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import sys, numpy as np\n"
        "given = np.load(sys.argv[1])\n"
        "assert int(given['max_neurons']) == 6\n"
        "np.savez(sys.argv[2], W=[[1.0, 2.0]], v=[0.5], seconds=1.5, version='0')\n"
    )
    monkeypatch.setenv("PYSCNN_PYTHON", sys.executable)
    monkeypatch.setattr(pyscnn, "WORKER", worker)
    problem = teacher(20, 2)
    row = pyscnn.recorded(problem, 3, 60.0)
    assert row["objective"] == problem.objective(cr.Network(np.array([[1.0, 2.0]]), np.zeros(1), np.array([0.5])))
    assert (row["gates"], row["seconds"], row["neurons"]) == (3, 1.5, 1)

    worker.write_text("raise ValueError('no luck')\n")
    failed = pyscnn.recorded(problem, 3, 60.0)
    assert failed == {"gates": 3, "failure": "ValueError: no luck"}
    ours = {"objective": row["objective"] / 2, "seconds": 0.1, "neurons": 4, "pyscnn": [row, failed]}
    text = column_generation.pyscnn_table({"teacher": ours})
    assert "| teacher | pyscnn, 3 gates | 1.5 |" in text
    assert "2.000" in text
    assert "no luck" in text


def test_absent_pyscnn_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSCNN_PYTHON", sys.executable)
    if (message := pyscnn.available()) is not None:
        assert "set PYSCNN_PYTHON to its python" in message


def test_failures_have_their_place_in_the_tables() -> None:
    goal = {"figure": "seconds", "goal": "≤ 1", "reached": False}
    failed = {"plane_50": {"failure": "SolverError: no luck", "goals": [goal]}}
    assert "no luck" in column_generation.cases_table(failed)
    assert "| plane_50 | seconds | ≤ 1 | – | no |" in column_generation.goals_table(failed)


def test_the_goals_are_figures_that_are_measured() -> None:
    assert CASES["plane_100"].goals[0].reached({"seconds": 1.0})
    assert not CASES["plane_100"].goals[0].reached({"seconds": 1.1})
    assert not CASES["enumeration_100"].goals[0].reached({"speed_up": 79.0})
    assert not CASES["enumeration_100"].goals[0].reached({})
    assert str(CASES["enumeration_100"].goals[0]) == "≥ 80"


def test_problems_of_teachers() -> None:
    problem = teacher(15, 2)
    assert (problem.loss.name, problem.bias, problem.alpha) == ("squared", "none", 1e-3)
    joint = teacher_joint(15, 2, 1.001)
    assert joint.bias == "joint"
    # A share above one of the largest alpha leaves no neuron.
    assert cr.solve(joint).network.n_neurons == 0
    np.testing.assert_array_equal(joint.y, problem.y)
