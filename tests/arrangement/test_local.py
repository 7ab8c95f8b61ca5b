"""Cells around a vertex: the remembered arrangement against deletion and restriction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvxrelu.arrangement import local
from cvxrelu.arrangement.exact import cells_inside, expansion_to_point
from cvxrelu.arrangement.integers import primitive
from cvxrelu.arrangement.linear_algebra import dot
from cvxrelu.errors import SolverError
from tests.arrangement.instances import Patience


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
    for mask, inside in above.items():
        point = expansion_to_point(inside, rows)
        assert all((dot(row, point) > 0) == bool(mask >> i & 1) and dot(row, point) for i, row in enumerate(rows))


def test_many_rays_are_not_looked_for(monkeypatch):
    rows = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1), (1, -1, 0))
    expected = local.cells_above((5, 11, 17), rows)
    monkeypatch.setattr(local, "_MAX_INCIDENCES", 3)
    assert set(local.cells_above((5, 11, 17), rows)) == set(expected)


def test_a_functional_that_vanishes_on_a_ray_is_refused():
    with pytest.raises(SolverError, match="special position"):
        local.cells_above((1, 1, 0), ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)))


ROWS = tuple((1, t, t * t) for t in range(-9, 10))
ETA = (1009, 2003, 5)


@pytest.mark.parametrize("largest", [0, 2**22])
def test_a_vertex_can_be_left_in_the_middle(monkeypatch, largest):
    """Of what was begun nothing is remembered; the clock is looked at for every row at least."""
    monkeypatch.setattr(local, "_MAX_INCIDENCES", largest)
    monkeypatch.setattr(local, "_known", {})
    expected = set(cells_inside(ETA, ROWS))
    for looks in (0, 5, len(ROWS) - 1):
        pause = Patience(looks)
        with pytest.raises(TimeoutError):
            local.cells_above(ETA, ROWS, pause)
        assert pause.looks == looks + 1
    assert set(local.cells_above(ETA, ROWS, Patience(10**6))) == expected


def test_kinds_are_forgotten_before_they_are_too_many(monkeypatch):
    monkeypatch.setattr(local, "_REMEMBERED", 2)
    for t in range(5):
        rows = ((1, 0), (0, 1), (1, t + 1))
        assert set(local.cells_above((2, 3), rows)) == set(cells_inside((2, 3), rows))
        assert len(local._known) <= 2
