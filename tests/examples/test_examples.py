"""Each example draws its picture, and the numbers in its docstring are those of the package."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import cvxrelu as cr

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = (
    "arrangement_plane",
    "classification_2d",
    "constraints",
    "convex_regression",
    "hero",
    "interpolants_1d",
    "interpolation_1d",
    "label_noise_cost",
    "laplacian",
    "negative_slopes",
    "uncertainty_plane",
)
LARGEST_PICTURE = 150_000


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_example_draws_its_picture(name: str, tmp_path: Path) -> None:
    load(name).main(tmp_path / "new")
    picture = (tmp_path / "new" / f"{name}.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000


@pytest.mark.parametrize("name", NAMES)
def test_picture_is_in_the_repository(name: str) -> None:
    assert 10_000 < (EXAMPLES / "figures" / f"{name}.png").stat().st_size < LARGEST_PICTURE


def test_costs_of_the_hinges_add_up() -> None:
    example = load("interpolation_1d")
    for bias, expected in (("free", [10, 10, 10]), ("joint", [10 * 1.36**0.5, 10, 10 * 1.36**0.5])):
        fit = cr.solve(cr.Problem(example.X, example.Y, bias=bias))
        costs = example.cost_of_hinges(fit.network, bias)
        assert sum(costs.values()) == pytest.approx(fit.objective, rel=1e-12)
        np.testing.assert_allclose([costs[x] for x in (-0.6, 0.0, 0.6)], expected, atol=1e-3)


def test_costs_of_the_slopes() -> None:
    example = load("negative_slopes")
    for slope in example.SLOPES:
        fit = cr.solve(cr.Problem(example.X, example.Y, negative_slope=slope))
        assert fit.objective == pytest.approx(30 / abs(1 - slope), rel=1e-6)


def test_arcs_and_spirals_need_a_curved_boundary() -> None:
    for X, y in (load("classification_2d").two_arcs(random_state=0), load("hero").two_spirals()):
        # The best affine function on labels of two linearly separable classes may still err, so ask for separability:
        # sum of slacks of the linear program min sum t, y (X w + b) >= 1 - t.
        from scipy.optimize import linprog

        lifted = np.column_stack([X, np.ones(len(X))]) * y[:, None]
        rows = np.column_stack([-lifted, -np.eye(len(X))])
        bounds = [(None, None)] * 3 + [(0, None)] * len(X)
        slack = linprog(np.repeat([0.0, 1.0], [3, len(X)]), rows, -np.ones(len(X)), bounds=bounds).fun
        assert slack > 1


def test_the_laplacian_formula() -> None:
    example = load("laplacian")
    for name, network in example.networks().items():
        assert network.cost() == pytest.approx(1, rel=1e-12)
        for radius in example.RADII[::6]:
            assert example.mean_bend(network, radius) == pytest.approx(example.prediction(network, radius), abs=3e-4)
        limit = example.prediction(network, 1e6)
        assert limit == pytest.approx(1, rel=1e-6) if name.startswith("convex") else limit < 0.9


def test_the_fits_of_three_costs_err_alike() -> None:
    example = load("label_noise_cost")
    prices = {norm: example.price_of_a_bend(norm, np.array([0.0, 0.8])) for norm in example.STYLES}
    for norm, fit in example.fits().items():
        loss = fit.problem.loss.value(fit.predict(fit.problem.X), fit.problem.y)
        assert loss == pytest.approx(example.LOSS, rel=1e-3)
        assert fit.certificate.relative_gap <= 1e-6
        assert prices[norm][1] < 0.3 * prices[norm][0] or norm == "euclidean"


def test_convexity_takes_out_noise() -> None:
    example = load("convex_regression")
    for n_samples, n_features in ((60, 1), (120, 2)):
        any_shape, convex = example.fits(*example.data(n_samples, n_features), alpha=2e-4)
        assert max(fit.certificate.relative_gap for fit in (any_shape, convex)) <= 1e-6
        assert any_shape.objective < convex.objective
        assert example.error(convex) < 0.7 * example.error(any_shape)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--help"], 0, "folder"),
        (["one", "two"], 2, "unrecognized"),
        (["taken"], 2, "cannot be a folder"),
        ([""], 2, "is empty"),
    ],
)
def test_command_line(tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    (tmp_path / "taken").touch()
    command = [sys.executable, EXAMPLES / "hero.py", *arguments]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == code
    assert words in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["taken"]
