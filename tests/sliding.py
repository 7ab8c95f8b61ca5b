"""What holds of the objective that neurons slide down, of one output and of several."""

import numpy as np
import pytest

from cvxrelu.generation import sample_blocks


def check_gradient(problem, network, layout):
    """The value is the problem's objective, and the gradient is that of the value."""
    theta = layout.pack(network)
    value, gradient = layout.objective(theta)
    assert value == pytest.approx(problem.objective(network), rel=1e-12)
    assert problem.objective(layout.unpack(theta)) == pytest.approx(value, rel=1e-12)
    for k in np.flatnonzero(gradient):
        step = 1e-6 * np.eye(len(theta))[k]
        slope_there = (layout.objective(theta + step)[0] - layout.objective(theta - step)[0]) / 2e-6
        assert gradient[k] == pytest.approx(slope_there, rel=1e-4, abs=1e-6)


def check_blocks(monkeypatch, layout_of, theta):
    """Neither blocks of samples nor single precision make a difference; `layout_of` takes whether it is single."""
    value, gradient = layout_of(False).objective(theta)
    monkeypatch.setattr(sample_blocks, "BLOCK_SIZE", 300)
    blocks = layout_of(False)
    assert len(blocks.blocks) == 4
    for layout, rtol in ((blocks, 1e-12), (layout_of(True), 1e-5)):
        again, changed = layout.objective(theta)
        assert again == pytest.approx(value, rel=rtol)
        np.testing.assert_allclose(changed, gradient, rtol=rtol, atol=rtol)
