"""Pictures: what is drawn is the network, and knots are where the graph turns."""

from pathlib import Path

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


def test_three_inputs_cannot_be_drawn() -> None:
    with pytest.raises(cr.InputError, match="3 inputs cannot be drawn"):
        plot_network(cr.Network(np.ones((1, 3)), np.ones(1), np.ones(1)), np.ones((1, 3)), [1.0])


def test_save_picture(tmp_path: Path) -> None:
    axes = plot_network(PLANE, SQUARE, [0.0, 0.5, 2.0, 3.0])
    save_picture(axes, tmp_path / "plane.png")
    assert (tmp_path / "plane.png").read_bytes().startswith(b"\x89PNG")
    save_picture(plot_network(TENT, [[0.0], [1.0]], [0.0, 1.0]), tmp_path / "line.svg")
    assert "<svg" in (tmp_path / "line.svg").read_text()


@pytest.mark.parametrize("value", [0.1, 1e17])
def test_values_that_are_all_but_the_same_have_a_picture(value):
    X = np.random.default_rng(0).standard_normal((6, 2))
    network = cr.Network(np.empty((0, 2)), [], [], np.nextafter(value, np.inf))
    assert plot_network(network, X, np.full(6, value)).collections
