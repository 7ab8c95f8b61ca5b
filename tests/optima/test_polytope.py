"""Polytopes with known vertices and dimensions."""

import numpy as np
import pytest

from cvxrelu.analysis.optima.polytope import polytope_of
from cvxrelu.analysis.optima.sparsity import Cover, fewest
from cvxrelu.errors import SizeError


def box(n, **options):
    """The unit cube, with further equations."""
    equations, values = options.get("equations", np.zeros((0, n))), options.get("values", np.zeros(0))
    rows = np.vstack([np.eye(n), -np.eye(n)])
    return polytope_of(np.asarray(equations, dtype=float), np.asarray(values), rows, np.repeat([0.0, -1.0], n))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_vertices_of_a_cube(n):
    corners = box(n).vertices()
    assert len(corners) == 2**n
    assert len(np.unique(corners.round(9), axis=0)) == 2**n
    assert np.isin(corners.round(9) + 0.0, (0.0, 1.0)).all()


def test_vertices_of_a_slice():
    hexagon = box(3, equations=[[1, 1, 1]], values=[1.5])
    assert hexagon.dimension == 2
    assert len(hexagon.vertices()) == 6


def test_inequalities_that_are_equations():
    edge = box(3, equations=[[1, 1, 0]], values=[0.0])
    assert edge.dimension == 1
    np.testing.assert_allclose(sorted(edge.vertices().round(12).tolist()), [[0, 0, 0], [0, 0, 1]])
    assert edge.strict.tolist() == [False, False, True, True, True, True]


def test_one_point_and_none():
    assert box(2, equations=[[1, 1]], values=[2.0]).dimension == 0
    np.testing.assert_allclose(box(2, equations=[[1, 1]], values=[2.0]).vertices(), [[1, 1]], atol=1e-9)
    assert box(2, equations=[[1, 1]], values=[2.1]) is None
    assert box(2, equations=[[1, 1], [1, 1]], values=[1.0, 1.2]) is None


def test_dependent_equations_count_once():
    assert box(3, equations=[[1, 1, 1], [2, 2, 2]], values=[1.0, 2.0]).dimension == 2


def test_linear_functions_and_samples():
    square = box(2)
    np.testing.assert_allclose(square.maximise(np.array([1.0, -1.0])), [1, 0], atol=1e-9)
    points = square.sample(400, np.random.default_rng(0))
    assert (points > 0).all()
    assert (points < 1).all()
    np.testing.assert_allclose(points.mean(axis=0), 0.5, atol=0.06)
    np.testing.assert_allclose(points.std(axis=0), 12**-0.5, atol=0.04)


def test_too_many_dimensions_are_refused():
    with pytest.raises(SizeError, match="9 dimensions"):
        box(9).vertices()


def test_the_fewest_elements_carry_the_whole_point():
    """A weight of 1e-7 is within the tolerance of mixed-integer programs, and cannot be left out all the same."""
    polytope = polytope_of(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.array([1.0, 1e-7]), np.eye(3), np.zeros(3))
    point = fewest(polytope, Cover(np.eye(3, dtype=bool)), 10.0)
    np.testing.assert_allclose(np.sort(point), [0.0, 1e-7, 1.0], atol=1e-10)
    assert fewest(polytope, Cover(np.eye(3, dtype=bool)), 0.0) is None
