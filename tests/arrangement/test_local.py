"""Cells around a vertex: the remembered arrangement against deletion and restriction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvxrelu.arrangement import local
from cvxrelu.arrangement.exact import cells_inside
from cvxrelu.arrangement.integers import primitive
from cvxrelu.arrangement.linear_algebra import dot
from cvxrelu.errors import SolverError


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(2, 4), st.integers(0, 5), st.integers(0, 2**32))
def test_agrees_with_deletion_and_restriction(dimension, more, seed):
    rng = np.random.default_rng(seed)
    extra = rng.integers(-1, 2, (more, dimension))
    distinct = dict.fromkeys(primitive(row) for row in (*np.eye(dimension, dtype=int).tolist(), *extra.tolist()))
    rows = tuple(row for row in distinct if any(row) and tuple(-entry for entry in row) not in distinct)
    if np.linalg.matrix_rank(rows) < dimension:
        return
    eta = tuple(rng.integers(-(2**60), 2**60, dimension).tolist())
    above = local.cells_above(eta, rows)
    assert set(above) == set(cells_inside(eta, rows))
    for mask, point in above.items():
        assert all((dot(row, point) > 0) == bool(mask >> i & 1) and dot(row, point) for i, row in enumerate(rows))


def test_many_rays_are_not_looked_for(monkeypatch):
    rows = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (1, -1, 0))
    expected = local.cells_above((5, 11, 17), rows)
    monkeypatch.setattr(local, "_MAX_RAYS", 3)
    assert set(local.cells_above((5, 11, 17), rows)) == set(expected)


def test_a_functional_that_vanishes_on_a_ray_is_refused():
    with pytest.raises(SolverError, match="special position"):
        local.cells_above((1, 1, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)))
