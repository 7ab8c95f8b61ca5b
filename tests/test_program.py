"""The program: fewer cells and fewer rows change nothing."""

import itertools

import numpy as np
import pytest

from cvxrelu.arrangement import enumerate_patterns
from cvxrelu.program.backend import run_solver
from cvxrelu.program.cells import Cells, covering_cells
from cvxrelu.program.program import program_on
from tests.instances import BIASES, SLOPES, make_problem


def all_cells(problem, facets_only=True):
    arrangement = enumerate_patterns(problem.X, problem.bias != "none")
    patterns = arrangement.to_bool()
    rows = arrangement.facets() if facets_only else np.ones_like(patterns)
    return Cells(patterns, rows), arrangement.classes.leaders


@pytest.mark.parametrize(("loss", "bias"), list(itertools.product(("interpolation", "squared", "margin"), BIASES)))
def test_facets_are_enough(loss, bias):
    problem = make_problem(loss, n_samples=8, bias=bias)
    values = [run_solver(program_on(problem, all_cells(problem, only)[0])).value for only in (True, False)]
    np.testing.assert_allclose(*values, rtol=1e-6)


@pytest.mark.parametrize(("slope", "n_samples"), list(itertools.product((*SLOPES, -2.0), (7, 8))))
@pytest.mark.parametrize("bias", BIASES)
def test_covering_cells_are_enough(slope, n_samples, bias):
    problem = make_problem("squared", n_samples=n_samples, bias=bias, negative_slope=slope)
    cells, places = all_cells(problem)
    some = covering_cells(problem, cells, places)
    assert len(some) < len(cells) or bias != "free"
    values = [run_solver(program_on(problem, chosen)).value for chosen in (cells, some)]
    np.testing.assert_allclose(*values, rtol=1e-6)


def test_covering_cells_with_duplicates():
    problem = make_problem("squared", n_samples=6)
    doubled = type(problem)(
        np.repeat(problem.X, 2, axis=0), np.repeat(problem.y, 2), loss="squared", alpha=problem.alpha
    )
    assert len(all_cells(doubled)[1]) == 6
    values = [run_solver(program_on(p, covering_cells(p, *all_cells(p)))).value for p in (problem, doubled)]
    np.testing.assert_allclose(*values, rtol=1e-6)


def test_size_in_the_plane():
    """About 4 facets a cell, half of the cells: a quarter of Cover's count times 2 x 4 rows."""
    problem = make_problem(n_samples=20)
    cells, places = all_cells(problem)
    assert len(cells) == 2 * (1 + 19 + 171)
    kept = covering_cells(problem, cells, places)
    assert 170 <= len(kept) <= 200
    assert kept.rows.sum() / len(kept) < 4.5


def test_nothing_is_solved_by_building():
    assert program_on(make_problem(), all_cells(make_problem())[0]).model.status is None
