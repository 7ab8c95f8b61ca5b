"""Groups of near points against the loops that define them, and least distances against their conditions."""

import numpy as np
import pytest

from cvxrelu.numerics.least_squares import least_distance_multipliers
from cvxrelu.numerics.neighbours import near_groups


def by_loops(points, radii, order, p, both_ways):
    """Let whoever is in no group begin one, and take whoever is near."""
    leaders = np.full(len(points), -1)
    for k in order:
        if leaders[k] < 0:
            for j in range(len(points)):
                ends = [points[k], -points[k]] if both_ways else [points[k]]
                near = min(np.linalg.norm(points[j] - end, p) for end in ends) <= radii[k]
                if near and leaders[j] < 0:
                    leaders[j] = k
    return leaders


@pytest.mark.parametrize("p", [2.0, np.inf])
@pytest.mark.parametrize("both_ways", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_groups_are_those_of_the_loops(p, both_ways, seed):
    rng = np.random.default_rng(seed)
    points, radii = rng.standard_normal((40, 2)), rng.uniform(0.0, 1.0, 40)
    order = rng.permutation(40)
    found = near_groups(points, radii, order, p, both_ways)
    np.testing.assert_array_equal(found, by_loops(points, radii, order, p, both_ways))
    assert 1 < len(np.unique(found)) < 40


def test_no_points_are_no_groups():
    assert near_groups(np.empty((0, 3)), 1.0).shape == (0,)


@pytest.mark.parametrize("seed", range(5))
def test_the_shortest_vector_meets_its_conditions(seed):
    rng = np.random.default_rng(seed)
    G = rng.standard_normal((6, 4))
    h = G @ rng.standard_normal(4) - rng.uniform(0, 1, 6)
    u = least_distance_multipliers(G, h)
    assert u is not None
    if not (h > 0).any():
        return
    s = G.T @ u / (1 - h @ u)
    assert (G @ s >= h - 1e-9).all()
    np.testing.assert_allclose(u * (G @ s - h), 0.0, atol=1e-9)
