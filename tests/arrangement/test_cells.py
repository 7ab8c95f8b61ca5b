"""Facets, witnesses and bounding rows of cells."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import block_diag

import cvxrelu.arrangement as arr
from cvxrelu.arrangement import interior
from cvxrelu.arrangement.signs import exact_signs
from cvxrelu.errors import InputError, InputTypeError
from tests.arrangement.instances import lattice

POINT_SETS = {
    "gaussian": np.random.default_rng(0).standard_normal((12, 2)),
    "gaussian-3": np.random.default_rng(1).standard_normal((8, 3)),
    "lattice": lattice(3, 2),
    "duplicates": np.array([[0.0, 1.0], [2.0, 1.0], [0.0, 1.0], [1.0, 1.0], [3.0, 0.0], [1.0, 1.0]]),
    "line": np.arange(5.0)[:, None],
    "far": 1e6 + np.random.default_rng(2).standard_normal((8, 2)),
}


def irredundant(rows, pattern):
    """Facets of a cell by linear programs, all in one: row i is one iff it can be violated alone."""
    scaled = rows / np.abs(rows).max(axis=0)
    signed = np.where(pattern, 1.0, -1.0)[:, None] * scaled
    leaders = arr.parallel_rows.classes_of_rows(rows).leaders
    walls = signed[leaders]
    others = block_diag([np.delete(walls, k, axis=0) for k in range(len(walls))])
    solution = linprog(walls.ravel(), A_ub=-others, b_ub=np.zeros(others.shape[0]), bounds=(-1, 1))
    result = np.zeros(len(rows), dtype=bool)
    result[leaders] = (walls * solution.x.reshape(walls.shape)).sum(axis=1) < -1e-9
    return result


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", ["gaussian", "gaussian-3", "lattice", "duplicates", "line"])
def test_facets_are_the_irredundant_rows(name, bias):
    arrangement = arr.enumerate_patterns(POINT_SETS[name], bias)
    patterns = arrangement.to_bool()
    facets = arrangement.facets()
    for p in range(0, len(patterns), max(1, len(patterns) // 25)):
        np.testing.assert_array_equal(facets[p], irredundant(arrangement.lifted, patterns[p]))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", list(POINT_SETS))
def test_witnesses_are_strictly_inside_in_exact_arithmetic(name, bias):
    arrangement = arr.enumerate_patterns(POINT_SETS[name], bias)
    patterns = arrangement.to_bool()
    witnesses = arrangement.witnesses()
    assert witnesses.shape == (len(patterns), arrangement.lifted.shape[1])
    for u, pattern in zip(witnesses.tolist(), patterns, strict=True):
        for row, positive in zip(arrangement.lifted.tolist(), pattern, strict=True):
            value = sum(Fraction(a) * Fraction(b) for a, b in zip(row, u, strict=True))
            assert (value > 0) == positive or not any(row)
            assert value != 0 or not any(row)


def test_a_hinge_between_neighbouring_floats_is_found():
    arrangement = arr.enumerate_patterns([[1.0], [np.nextafter(1.0, 2.0)]])
    signs = exact_signs(arrangement.lifted, arrangement.witnesses())
    np.testing.assert_array_equal(signs > 0, arrangement.to_bool())
    assert signs.all()


def test_a_cell_without_room_for_floats_is_an_error():
    # Some cell needs ratios of weights beyond the range of floats.
    X = np.array([[1e300, 0.0], [0.0, 1e-300], [1e-300, 1e-300], [1e300, 1.0]])
    with pytest.raises(InputError, match="too thin"):
        arr.enumerate_patterns(X).witnesses()


@pytest.mark.parametrize("name", list(POINT_SETS))
def test_bounding_rows_contain_the_facets(name):
    X = POINT_SETS[name]
    arrangement = arr.enumerate_patterns(X)
    patterns = arrangement.to_bool()
    facets = arrangement.facets()
    bounding = arr.bounding_rows(X, patterns)
    assert (bounding >= facets).all()
    if name.startswith("gaussian"):
        np.testing.assert_array_equal(bounding, facets)


def test_bounding_rows_of_a_huge_arrangement_are_few():
    X = np.random.default_rng(0).standard_normal((300, 3))
    patterns = arr.sample_patterns(X, 20, random_state=0)
    bounding = arr.bounding_rows(X, patterns)
    assert 4 <= bounding.sum(axis=1).mean() <= 12


def test_interior_points_without_linear_programs(monkeypatch):
    X = np.random.default_rng(0).standard_normal((60, 2))
    arrangement = arr.enumerate_patterns(X)
    patterns = arrangement.to_bool()
    everywhere = interior.interior_points(arrangement.lifted, patterns)
    assert everywhere.found.all()
    np.testing.assert_array_equal(arrangement.lifted @ everywhere.points.T > 0, patterns.T)
    monkeypatch.setattr(interior, "_shortest", lambda walls: np.zeros(walls.shape[1]))
    programs = interior.interior_points(arrangement.lifted, patterns[:50])
    assert programs.found.all()
    monkeypatch.setattr(interior, "_most_central", lambda walls: np.zeros(walls.shape[1]))
    assert not interior.interior_points(arrangement.lifted, patterns[:50]).found.any()


def test_interior_points_of_what_has_none_or_no_walls():
    nowhere = interior.interior_points(np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]), np.array([[True, False, True]]))
    assert not nowhere.found.any()
    assert interior.interior_points(np.zeros((3, 2)), np.ones((2, 3), dtype=bool)).found.all()
    assert arr.bounding_rows([[0.0], [1.0], [2.0]], [[True, False, True]]).all()
    assert not arr.bounding_rows(np.zeros((3, 2)), np.ones((2, 3), dtype=bool), bias=False).any()


def test_bounding_rows_refuses_unusable_patterns():
    with pytest.raises(InputTypeError, match="boolean"):
        arr.bounding_rows([[0.0], [1.0]], [[1, 0]])
    with pytest.raises(InputError, match="shape"):
        arr.bounding_rows([[0.0], [1.0]], [[True]])
