"""Pictures: what is drawn is the network, and knots are where the graph turns."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.plots import plot_network, save_picture, visible_knots

pytest.importorskip("matplotlib")

TENT = cr.Network(W=[[1.0], [-1.0], [1.0]], b=[0.0, 1.0, -2.0], v=[1.0, 2.0, -3.0], intercept=0.5)
PLANE = cr.Network(W=[[1.0, 0.0], [-2.0, 0.0], [0.0, 1.0]], b=[0.0, 0.0, -0.5], v=[1.0, 1.0, 1.0], intercept=-1.0)
SQUARE = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def test_line_is_the_graph_of_the_network() -> None:
    axes = plot_network(TENT, [[-1.0], [0.5], [3.0]], [0.0, 1.0, 2.0])
    line = next(line for line in axes.lines if line.get_label() == "network")
    x, f = (np.asarray(part, dtype=float) for part in line.get_data())
    np.testing.assert_array_equal(f, TENT(x[:, None]))
    assert x[0] < -1
    assert x[-1] > 3


def test_knots_are_drawn_once_each() -> None:
    axes = plot_network(TENT, [[-1.0], [3.0]], [0.0, 2.0])
    _, labels = axes.get_legend_handles_labels()
    assert sorted(labels) == ["data", "hinge", "network"]
    assert len(axes.lines) == 3 + 2  # three hinges, the graph, the data


def test_knots_that_rounding_split_are_one() -> None:
    network = cr.Network(W=[[1.0], [-2.0], [1.0]], b=[0.0, 1e-8, -1.0], v=[1.0, 1.0, 1e-9])
    np.testing.assert_allclose(visible_knots(network, extent=2.0), [0.0], atol=1e-8)


@pytest.mark.parametrize("weights", [np.empty((0, 1)), np.zeros((2, 1))])
def test_networks_without_knots(weights: np.ndarray) -> None:
    network = cr.Network(weights, np.ones(len(weights)), np.ones(len(weights)))
    assert visible_knots(network, extent=1.0).size == 0
    plot_network(network, [[0.0]], [0.0])


@pytest.mark.parametrize("targets", [[-1.0, 1.0, 1.0, -1.0], [0.0, 0.5, 2.0, 3.0]], ids=["labels", "values"])
def test_plane_has_each_hinge_once(targets: list[float]) -> None:
    axes = plot_network(PLANE, SQUARE, targets)
    drawn = [np.asarray(line.get_xydata()) for line in axes.lines if line.get_alpha() is not None]
    assert len(drawn) == 2  # the first two neurons share their hinge
    for ends in drawn:
        on_first, on_second = np.abs(ends[:, 0]), np.abs(ends[:, 1] - 0.5)
        assert min(on_first.max(), on_second.max()) < 1e-12


def test_constant_networks_in_the_plane() -> None:
    network = cr.Network(np.empty((0, 2)), np.empty(0), np.empty(0), 2.0)
    plot_network(network, SQUARE, [2.0, 2.0, 2.0, 2.0])
    plot_network(network, SQUARE, [1.0, 1.0, 1.0, -1.0])


@pytest.mark.parametrize(
    ("weights", "intercept", "drawn"),
    [
        ([[3.0, 0.0]], -1.5, ["$f(x) = 0$", r"$f(x) = \pm 1$", "hinges"]),
        ([[0.5, 0.0]], -1.2, [r"$f(x) = \pm 1$", "hinges"]),  # only f(x) = -1
        ([[0.5, 0.0]], 0.1, ["hinges"]),
        (np.empty((0, 2)), 0.1, []),
    ],
)
def test_the_legend_names_lines_that_are_drawn(weights: list, intercept: float, drawn: list[str]) -> None:
    network = cr.Network(weights, np.zeros(len(weights)), np.ones(len(weights)), intercept)
    _, labels = plot_network(network, SQUARE, [-1.0, -1.0, 1.0, 1.0]).get_legend_handles_labels()
    assert sorted(labels) == sorted([*drawn, "$y = -1$", "$y = +1$"])


@pytest.mark.parametrize("bias", [-1.4, 1e200])
def test_hinges_beyond_the_picture_are_not_drawn(bias: float) -> None:
    axes = plot_network(cr.Network([[1e-9, 0.0]], [1e-9 * bias], [1.0]), SQUARE, [0.0, 0.5, 2.0, 3.0])
    assert axes.get_legend_handles_labels()[1] == ["data"]
    assert not axes.lines


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_hinges_of_huge_weights_are_drawn(size: float) -> None:
    """One in the picture and, outside of it, one of infinite cost."""
    network = cr.Network([[size, 0.0], [1e200, 0.0]], [-size / 2, -1e205], [1 / size, 1e200])
    (line, _) = plot_network(network, SQUARE, [0.0, 0.5, 2.0, 3.0]).lines
    np.testing.assert_allclose(np.asarray(line.get_xydata())[:, 0], 0.5)


def test_knots_of_infinite_kinks_are_visible() -> None:
    network = cr.Network(W=[[1e200], [-1e200]], b=[-0.5e200, 0.7e200], v=[1e200, 1e200])
    np.testing.assert_allclose(visible_knots(network, extent=1.0), [0.5, 0.7])


def test_what_would_not_be_drawn_is_refused() -> None:
    outputs = cr.Network(np.ones((1, 2)), [0.0], np.ones((1, 3)), np.zeros(3))
    curves = cr.Network([[1.0]], [0.0], [[1.0, 2.0]], np.zeros(2))
    for network, X, y in ((outputs, SQUARE, [1, 2, 3, 1]), (curves, SQUARE[:, :1], [0.5, 0.1, 0.2, 0.3])):
        with pytest.raises(cr.InputError, match=r"labels 0, \.\.\., K - 1 of K ="):
            plot_network(network, X, y)
    for width in (1, 2):
        beyond = cr.Network(np.full((1, width), 1e200), [0.0], [1e200])
        with pytest.raises(cr.InputError, match="beyond the range of floats"):
            plot_network(beyond, SQUARE[:, :width], [0.0, 0.5, 2.0, 3.0])
    fit: Any = cr.solve(cr.Problem([[0.0], [1.0]], [0.0, 1.0]))
    with pytest.raises(cr.InputTypeError, match=r"network must be a cvxrelu.Network, not a Fit"):
        plot_network(fit, [[0.0], [1.0]], [0.0, 1.0])


def test_three_inputs_cannot_be_drawn() -> None:
    with pytest.raises(cr.InputError, match="3 inputs cannot be drawn"):
        plot_network(cr.Network(np.ones((1, 3)), np.ones(1), np.ones(1)), np.ones((1, 3)), [1.0])


def test_save_picture(tmp_path: Path) -> None:
    axes = plot_network(PLANE, SQUARE, [0.0, 0.5, 2.0, 3.0])
    save_picture(axes, tmp_path / "plane.png")
    assert (tmp_path / "plane.png").read_bytes().startswith(b"\x89PNG")
    save_picture(plot_network(TENT, [[0.0], [1.0]], [0.0, 1.0]), tmp_path / "line.svg")
    assert "<svg" in (tmp_path / "line.svg").read_text()
    strange: Any
    for strange in (5, None, b"plane.png"):
        with pytest.raises(cr.FileError, match="is no path of a file"):
            save_picture(axes, strange)


@pytest.mark.parametrize("value", [0.1, 1e17])
def test_values_that_are_all_but_the_same_have_a_picture(value):
    X = np.random.default_rng(0).standard_normal((6, 2))
    network = cr.Network(np.empty((0, 2)), [], [], np.nextafter(value, np.inf))
    assert plot_network(network, X, np.full(6, value)).collections


def test_what_is_no_axes_is_refused() -> None:
    with pytest.raises(cr.InputTypeError, match="ax must be a"):
        plot_network(cr.Network([[1.0]], [0.0], [1.0]), [[0.0], [1.0]], [0.0, 1.0], ax="a")  # pyright: ignore[reportArgumentType]
