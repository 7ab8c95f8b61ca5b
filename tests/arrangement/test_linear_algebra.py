"""Integer linear algebra and exact signs."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cvxrelu.arrangement.linear_algebra import Span, coordinates, dot, null_vector
from cvxrelu.arrangement.signs import decided_signs, exact_signs


@settings(derandomize=True, deadline=None)
@given(st.integers(2, 5), st.integers(0, 2**32))
def test_null_vectors_are_orthogonal(n, seed):
    rows = [tuple(row) for row in np.random.default_rng(seed).integers(-2, 3, (n - 1, n)).tolist()]
    vector = null_vector(rows)
    rank = np.linalg.matrix_rank(np.array(rows))
    assert (vector is None) == (rank < n - 1)
    if vector is not None:
        assert any(vector)
        assert all(dot(row, vector) == 0 for row in rows)


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**32))
def test_coordinates_give_the_vectors_back(n, seed):
    rng = np.random.default_rng(seed)
    basis, vectors = rng.integers(-3, 4, (n, n)), rng.integers(-3, 4, (4, n))
    found = coordinates(basis.tolist(), vectors.tolist())
    assert (found is None) == (np.linalg.matrix_rank(basis) < n)
    if found is not None:
        back = np.array(found) @ basis
        scale = (back * vectors).sum(axis=1)
        assert (scale[vectors.any(axis=1)] > 0).all()
        np.testing.assert_array_equal(back * (vectors**2).sum(axis=1)[:, None], vectors * scale[:, None])


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32))
def test_span_membership(n, count, seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, (count, n))
    span = Span(tuple(row) for row in rows.tolist())
    assert span.rank == np.linalg.matrix_rank(rows)
    assert tuple((rng.integers(-3, 4, count) @ rows).tolist()) in span
    other = rng.integers(-2, 3, n)
    inside = np.linalg.matrix_rank(np.vstack([rows, other])) == span.rank
    assert (tuple(other.tolist()) in span) == inside


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 4), st.integers(0, 2**32))
def test_signs_are_exact_where_products_cancel(n, seed):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((3, n)) * 10.0 ** rng.integers(-160, 160, (3, n))
    points = rng.standard_normal((4, n)) * 10.0 ** rng.integers(-160, 160, (4, n))
    with np.errstate(over="ignore"):
        points[0, 0] = -rows[0, 1:] @ points[0, 1:] / rows[0, 0]
    points[~np.isfinite(points)] = 1.0
    expected = [
        [
            (value > 0) - (value < 0)
            for row in rows.tolist()
            for value in [sum(Fraction(a) * Fraction(u) for a, u in zip(row, point, strict=True))]
        ]
        for point in points.tolist()
    ]
    np.testing.assert_array_equal(exact_signs(rows, points), expected)
    decided = decided_signs(rows, points)
    assert ((decided == expected) | (decided == 0)).all()
