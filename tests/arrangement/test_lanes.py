"""The vector step against plain NumPy."""

import numpy as np
import pytest
from numba import njit

from cvxrelu.arrangement.lanes import LANES, eight_signs


@njit
def eight_in_the_plane(rows, at, point, bound):
    return eight_signs((rows[0], rows[1]), at, (point[0], point[1]), bound)


@njit
def eight_in_space(rows, at, point, bound):
    return eight_signs((rows[0], rows[1], rows[2]), at, (point[0], point[1], point[2]), bound)


@pytest.mark.parametrize(("dimension", "compiled"), [(2, eight_in_the_plane), (3, eight_in_space)])
def test_signs_and_certain_values(dimension, compiled):
    rng = np.random.default_rng(0)
    rows = rng.integers(-2, 3, (dimension, 40)).astype(float)
    rows[:, 3], rows[:, 11], rows[:, 12] = 0.0, np.nan, np.inf
    for at in (0, 5, 32):
        for bound in (0.0, 1.0, np.inf, np.nan):
            point = rng.integers(-2, 3, dimension).astype(float)
            with np.errstate(invalid="ignore"):
                values = (rows[:, at : at + LANES] * point[:, np.newaxis]).sum(axis=0)
            found = compiled(rows, at, point, bound)
            assert found & 255 == np.packbits(values > 0, bitorder="little")[0]
            assert found >> LANES == np.sum(np.abs(values) > bound)
