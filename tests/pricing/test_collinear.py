"""Points that are collinear up to rounding: arcs of half a turn, where the sweep must not lose its maximum."""

import numpy as np
import pytest

from cvxrelu.pricing import price


@pytest.mark.parametrize("seed", range(0, 120, 4))
def test_the_plane_agrees_with_every_cell(seed):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((8, 1)) * rng.standard_normal(2) + rng.standard_normal(2)
    v = rng.standard_normal(8)
    v -= v.mean()
    plane, cells = price(X, v, method="plane"), price(X, v, method="cells")
    np.testing.assert_allclose(plane.value, cells.value, rtol=1e-8)
    assert plane.upper >= cells.value * (1 - 1e-9)
