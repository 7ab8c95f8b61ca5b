"""The integer reference method, against linear programs and closed counts."""

from fractions import Fraction

import numpy as np
import pytest

from cvxrelu.arrangement.counting import half_count
from cvxrelu.arrangement.exact import exact_half_cells
from cvxrelu.arrangement.integers import integer_rows
from cvxrelu.arrangement.lifting import lift
from cvxrelu.arrangement.packing import pack_masks, unpack_patterns
from tests.arrangement.instances import as_set, brute_force


@pytest.mark.parametrize(("n", "d"), [(1, 1), (7, 1), (30, 2), (12, 3), (9, 4), (4, 6)])
def test_general_position_has_covers_count(n, d):
    rows = lift(np.random.default_rng(n).standard_normal((n, d)), True)
    assert len(exact_half_cells(integer_rows(rows))) == half_count(n, d + 1)


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_linear_programs_on_tied_data(seed):
    rng = np.random.default_rng(seed)
    d = 1 + seed % 3
    rows = lift(rng.integers(0, 3, (7, d)).astype(float), bias=seed % 2 == 0)
    half = unpack_patterns(pack_masks(exact_half_cells(integer_rows(rows)), len(rows)), len(rows))
    live = rows.any(axis=1)
    both = np.concatenate([half, ~half])
    both[:, ~live] = True
    assert as_set(both) == as_set(brute_force(rows))


def test_witnesses_are_inside_their_cells():
    rng = np.random.default_rng(0)
    rows = lift(rng.integers(-2, 3, (12, 3)).astype(float), True)
    cells = exact_half_cells(integer_rows(rows))
    for mask, point in cells.items():
        for i, row in enumerate(rows.tolist()):
            value = sum(Fraction(a) * u for a, u in zip(row, point, strict=True))
            assert value != 0
            assert (value > 0) == bool(mask >> i & 1)


def test_points_an_ulp_off_a_line_are_told_from_points_on_it():
    on = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    off = on.copy()
    off[2, 1] = np.nextafter(0.5, 1.0)
    assert len(exact_half_cells(integer_rows(lift(on, True)))) == 3
    assert len(exact_half_cells(integer_rows(lift(off, True)))) == 4


def test_no_rows_and_zero_rows():
    assert exact_half_cells([]) == {0: ()}
    assert list(exact_half_cells([(0, 0), (0, 0)])) == [0]
