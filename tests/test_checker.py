"""The checker, which knows nothing of the package, believes what is true and nothing else; neither does loading."""

import ast
import copy
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.searches import certify_dual
from tests.instances import CONSTRAINTS, LOSSES, SIX_X, SIX_Y, make_problem

FILE = Path(cr.__file__).parent.parent / "checker" / "check_certificate.py"
spec = importlib.util.spec_from_file_location("check_certificate", FILE)
checker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(checker)


def verdict(record, tmp_path):
    file = tmp_path / "certificate.json"
    file.write_text(record if isinstance(record, str) else json.dumps(record))
    return checker.main([str(file)])


def record_of(problem, tmp_path, **options):
    cr.solve(problem, **options).certificate.save(tmp_path / "original.json")
    return json.loads((tmp_path / "original.json").read_text())


def test_the_checker_is_short_and_shares_nothing():
    tree = ast.parse(FILE.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"fractions", "functools", "json", "math", "numpy", "sys"}
    assert len(FILE.read_text().splitlines()) <= 520


def test_it_runs_from_the_command_line(tmp_path):
    cr.solve(cr.Problem(SIX_X, SIX_Y)).certificate.save(tmp_path / "six.json")
    command = [sys.executable, "-I", str(FILE), str(tmp_path / "six.json")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert "VERIFIED: no network of any width has an objective below " in run.stdout
    assert checker.main([]) == 1
    assert checker.main([str(tmp_path / "nowhere.json")]) == 1


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("bias", "n_features"), [("free", 1), ("free", 2), ("joint", 1), ("none", 1), ("none", 2)])
@pytest.mark.parametrize("slope", [0.0, -0.3, -1.0, 2.0])
def test_true_certificates_are_verified(loss, bias, n_features, slope, tmp_path):
    if bias == "none" and loss in CONSTRAINTS:
        pytest.skip("no network without biases fits this data")
    problem = make_problem(loss, 7, n_features, bias=bias, negative_slope=slope)
    assert verdict(record_of(problem, tmp_path), tmp_path) == 0


@pytest.mark.parametrize(
    "X",
    [
        [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [2.0, 2.0]],
        [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
        [[1e6, 1e6], [1e6 + 1, 1e6], [1e6, 1e6 + 1], [1e6 + 1, 1e6 + 1]],
        [[3.0], [3.0], [3.0], [3.0]],
        [[0.0], [1e-6], [2e-6], [3e-6]],
    ],
)
def test_degenerate_data_is_checked(X, tmp_path):
    problem = cr.Problem(X, [0.0, 1.0, 2.0, 0.0], loss="squared", alpha=0.01)
    assert verdict(record_of(problem, tmp_path), tmp_path) == 0


def test_beyond_its_reach_it_says_so(tmp_path, capsys):
    for problem in (make_problem("squared", n_features=3), make_problem("squared", bias="joint")):
        assert verdict(record_of(problem, tmp_path), tmp_path) == 2
    sampled = record_of(make_problem("squared"), tmp_path, method="sample", random_state=0, tol=1e-3)
    assert verdict(sampled, tmp_path) == 2
    assert capsys.readouterr().out.count("CANNOT CHECK") == 3


def scaled(*path, factor):
    """A forgery: one number of the record multiplied."""

    def forge(record):
        *parents, last = path
        for key in parents:
            record = record[key]
        record[last] *= factor

    return forge


def swap_duals(record):
    record["dual"][0], record["dual"][1] = record["dual"][1], record["dual"][0]


def random_duals(record):
    dual = np.random.default_rng(0).integers(-8, 9, len(record["dual"])).astype(float)
    dual[0] -= dual.sum()
    record["dual"] = (dual / 64).tolist()


def move_the_heaviest_point(record):
    record["problem"]["X"][int(np.argmax(np.abs(record["dual"])))][0] += 0.01


def drop_a_row(record):
    record["problem"]["X"].pop()


FORGERIES = {
    "lower": scaled("lower", factor=1.0001),
    "upper": scaled("upper", factor=0.9999),
    "upper bound of a worse network": scaled("upper", factor=1.0001),
    "a weight": scaled("network", "W", 0, 0, factor=1.01),
    "an output weight": scaled("network", "v", 0, factor=1.01),
    "a target": scaled("problem", "y", 2, factor=1.01),
    "a point": move_the_heaviest_point,
    "the dual, no longer balanced": scaled("dual", 0, factor=3.0),
    "two dual entries": swap_duals,
    "all dual entries": random_duals,
    "a row too few": drop_a_row,
    "the slope of the network": lambda record: record["network"].update(negative_slope=0.5),
    "the slope of the problem": lambda record: record["problem"].update(negative_slope=1.0),
    "the format": lambda record: record.update(format="cvxrelu certificate 0"),
    "an upper bound of nothing": lambda record: record.update(upper=None),
    "no dual": lambda record: record.pop("dual"),
    "lower bound in words": lambda record: record.update(lower="30"),
    "lower bound not a number": lambda record: record.update(lower=float("nan")),
    "another loss": lambda record: record["problem"].update(loss="margin"),
}


@pytest.fixture(scope="module", params=["interpolation", "squared", "hinge"])
def original(request, tmp_path_factory):
    return record_of(make_problem(request.param, 9), tmp_path_factory.mktemp("original"))


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES)
def test_forgeries_are_caught_by_the_checker_and_by_loading(original, forgery, tmp_path):
    record = copy.deepcopy(original)
    forgery(record)
    assert verdict(record, tmp_path) == 1
    with pytest.raises(cr.InputError):
        cr.load_certificate(tmp_path / "certificate.json")


@pytest.mark.parametrize("key", ["alpha"])
@pytest.mark.parametrize("value", [0.01, 0.021, 0.0, -1.0, None, "much"])
def test_another_alpha_is_caught(key, value, tmp_path):
    record = record_of(make_problem("logistic", 9), tmp_path)
    record["problem"][key] = value
    assert verdict(record, tmp_path) == 1
    with pytest.raises(cr.InputError):
        cr.load_certificate(tmp_path / "certificate.json")


def test_truncated_files_are_caught(original, tmp_path):
    text = json.dumps(original)
    for length in range(0, len(text), len(text) // 15):
        assert verdict(text[:length], tmp_path) == 1


def duals_times(factor):
    """Dual vectors out of their box, and the claim that they would prove there."""

    def forge(record):
        record["dual"] = [factor * entry for entry in record["dual"]]
        record["lower"] *= abs(factor)

    return forge


def uneven(record):
    """Dual vectors that do not sum to zero, for a claim of next to nothing."""
    record["dual"] = [entry + 0.01 for entry in record["dual"]]
    record["lower"] = 1e-9


def one_negative_share(record):
    """A dual vector that sums to zero and has p = -1/64 at one sample, for a claim of next to nothing."""
    y = np.array(record["problem"]["y"])
    (first, second, *_), (other, *_) = np.flatnonzero(y > 0), np.flatnonzero(y < 0)
    p = np.zeros(len(y))
    p[[first, second, other]] = np.array([-1.0, 2.0, 1.0]) / 64
    record["dual"], record["lower"] = (y * p).tolist(), 1e-9


def with_network(factor=1.0, **changes):
    """Another network, with the objective that it would have if what is wrong with it were allowed."""

    def forge(record):
        task, parts = record["problem"], record["network"]
        parts.update({key: change(parts[key]) for key, change in changes.items()})
        X, y = np.array(task["X"]), np.array(task["y"])
        W, b, v = (np.array(parts[key]) for key in ("W", "b", "v"))
        t = X @ W.T + b
        z = np.where(t >= 0, t, task["negative_slope"] * t) @ v + parts["intercept"]
        cost = np.abs(v) @ np.hypot(W[:, 0], b if task["bias"] == "joint" else 0.0)
        objective = np.mean((z - y) ** 2) / 2 + task["alpha"] * cost if task["loss"] == "squared" else cost
        record["upper"] = float(objective) * (1 + 1e-12)  # an upper bound is rounded up

    return forge


FORGED_NETWORKS = {
    "half a margin": ("margin", {}, with_network(v=lambda v: [weight / 2 for weight in v], intercept=lambda c: c / 2)),
    "mirrored labels": ("margin", {}, with_network(v=lambda v: [-weight for weight in v], intercept=lambda c: -c)),
    "a constant that costs nothing": ("squared", {"bias": "joint"}, with_network(intercept=lambda c: c + 0.5)),
    "biases where there are none": ("squared", {"bias": "none"}, with_network(b=lambda b: [0.1 for _ in b])),
    "a constant where there is none": ("squared", {"bias": "none"}, with_network(intercept=lambda c: c + 0.1)),
}
FORGED_DUALS = {
    "a negative share": ("hinge", {"alpha": 10.0}, one_negative_share),
    "hinge out of its box": ("hinge", {"alpha": 10.0}, duals_times(2.0)),
    "logistic out of its box": ("logistic", {"alpha": 10.0}, duals_times(2.0)),
    "labels of the other sign": ("hinge", {"alpha": 10.0}, duals_times(-1.0)),
    "a sum that is not zero": ("squared", {}, uneven),
    "a margin whose duals are uneven": ("margin", {}, uneven),
    "a margin with a negative share": ("margin", {}, one_negative_share),
}
CONSISTENT = FORGED_NETWORKS | FORGED_DUALS  # loading repairs dual vectors, and believes what they then prove


@pytest.mark.parametrize(("loss", "options", "forge"), CONSISTENT.values(), ids=CONSISTENT)
def test_consistent_forgeries_are_caught(loss, options, forge, tmp_path):
    """Each number of these files agrees with the others; what is wrong is that it is no network, or no dual vector."""
    record = record_of(make_problem(loss, 9, 1, **options), tmp_path)
    assert verdict(record, tmp_path) == 0
    forge(record)
    assert verdict(record, tmp_path) == 1


@pytest.mark.parametrize(("loss", "options", "forge"), FORGED_NETWORKS.values(), ids=FORGED_NETWORKS)
def test_forged_networks_are_not_loaded(loss, options, forge, tmp_path):
    record = record_of(make_problem(loss, 9, 1, **options), tmp_path)
    forge(record)
    (tmp_path / "certificate.json").write_text(json.dumps(record))
    with pytest.raises(cr.InputError):
        cr.load_certificate(tmp_path / "certificate.json")


def test_a_forged_gamma_is_not_loaded(original, tmp_path):
    record = copy.deepcopy(original)
    record["gamma"] *= 0.999
    (tmp_path / "certificate.json").write_text(json.dumps(record))
    with pytest.raises(cr.InputError, match="gamma"):
        cr.load_certificate(tmp_path / "certificate.json")


@pytest.mark.parametrize(("bias", "n_features"), [("free", 1), ("free", 2), ("joint", 1), ("none", 2)])
@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
def test_the_lower_bound_of_the_checker_is_one(loss, bias, n_features, tmp_path):
    """It is below the optimum, however it may compare with what a file claims, and near it."""
    problem = make_problem(loss, 9, n_features, bias=bias, negative_slope=-0.3)
    record = record_of(problem, tmp_path)
    lower = checker.lower_bound(record["problem"], problem.X, problem.y, np.array(record["dual"]))
    assert record["upper"] * (1 - 2e-6) <= lower <= record["upper"] * (1 + 1e-9)


def test_constant_targets_prove_nothing_to_the_last_digit():
    """Constants cost nothing, and the mean of equal numbers is not one of them as it is rounded."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        X, y = rng.standard_normal((31, 1)), np.full(31, rng.standard_normal())
        v = cr.Problem(X, y).repair(rng.standard_normal(31))
        assert checker.lower_bound({"loss": "interpolation", "bias": "free", "negative_slope": 0.0}, X, y, v) == 0


def test_numbers_beyond_the_range_of_proofs_are_not_judged(tmp_path):
    """The score of a quarter of the least float is none as floats go, and multiples of the vector were unlimited."""
    problem = cr.Problem([[0.0], [1.0]], [1000.0, 1000.0], "squared", "none", alpha=1.0)
    nobody = cr.Network(np.empty((0, 1)), [], [])
    certify_dual(problem, nobody, np.array([1.0, 0.25])).save(tmp_path / "certificate.json")
    record = json.loads((tmp_path / "certificate.json").read_text())
    assert verdict(record, tmp_path) == 0
    forged = copy.deepcopy(record)
    forged["problem"].update(X=[[0.0], [5e-324]], alpha=5e-324)
    forged["lower"] = 367647.0  # the best network costs 251000
    assert verdict(forged, tmp_path) == 2
    for name, value in {"alpha": 1e200, "y": [1e200, 1.0], "negative_slope": 1e200}.items():
        forged = copy.deepcopy(record)
        forged["problem"][name] = value
        assert verdict(forged, tmp_path) == 2
    forged = copy.deepcopy(record)
    forged["problem"].update(loss="quantile", loss_parameters={"q": 2.0})
    assert verdict(forged, tmp_path) == 1


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
@pytest.mark.parametrize(
    "problem",
    [
        cr.Problem([[0.1], [0.2], [0.7]], [-1, 1, 1], loss="hinge", alpha=0.1, skip=True),
        cr.Problem([[0.1], [0.3], [0.7], [0.9]], [0.4, 1.0, 2.2, 2.8], loss="squared", alpha=0.1, skip=True),
        cr.Problem(
            [[-1.0, 1.0], [1.0, -1.0], [2.0, 2.0], [-2.0, 0.0]],
            [0.0, 1.0, -1.0, 0.0],
            loss="absolute",
            alpha=1e-8,
            negative_slope=5.0,
            sample_weight=[1.0, 1.0, 1.0, 3.0],
            output_sign="positive",
        ),
    ],
)
def test_objectives_of_next_to_nothing_are_verified(problem, tmp_path):
    """Predictions are rounded, and an upper bound is above the objective by more than a share of it."""
    assert verdict(record_of(problem, tmp_path, tol=0.1), tmp_path) == 0


def test_weights_below_zero_are_refused(tmp_path):
    data = [[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0]
    record = record_of(cr.Problem(*data, "squared", alpha=0.1, sample_weight=[1.0, 2.0, 1.0]), tmp_path)
    assert verdict(record, tmp_path) == 0
    record["problem"]["sample_weight"] = [-weight for weight in record["problem"]["sample_weight"]]
    assert verdict(record, tmp_path) == 1
