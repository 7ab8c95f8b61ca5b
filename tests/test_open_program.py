"""The convex program, open for constraints: it agrees with one that is written from the definition."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.errors import InputError, InputTypeError, SizeError, SolverError
from tests.direct import Direct
from tests.instances import BIASES, make_problem

TIGHT = {"tol_gap_rel": 1e-9, "tol_gap_abs": 1e-9, "tol_feas": 1e-9}
pytestmark = pytest.mark.filterwarnings("ignore:Solution may be inaccurate", "ignore:.*too many subexpressions")


def value_at(heights):
    return [heights[0] >= 2]


def monotone(heights):
    return [cp.diff(heights) >= 0]


@pytest.mark.parametrize("constrain", [value_at, monotone])
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("loss", ["interpolation", "margin", "squared", "logistic", "quantile"])
def test_constraints_at_new_points(loss, bias, constrain):
    problem = make_problem(loss, n_samples=5, n_features=2, bias=bias, negative_slope=0.2, seed=1)
    points = np.random.default_rng(2).standard_normal((3, 2))
    program = cr.build_program(problem, points=points)
    assert program.scope == "global"
    model = cp.Problem(cp.Minimize(program.objective), [*program.constraints, *constrain(program.predict(points))])
    found = model.solve("CLARABEL", **TIGHT)
    direct = Direct(problem, points)
    assert found == pytest.approx(direct.solve(constrain(direct.heights[5:]), **TIGHT), rel=1e-6)
    network = program.network()
    assert problem.objective(network) == pytest.approx(found, rel=1e-6)
    np.testing.assert_allclose(network(points), program.predict(points).value, atol=1e-6)
    assert network.n_neurons <= 8
    # What is proven without the constraint is a lower bound of what it costs with it.
    assert cr.solve(problem).certificate.lower <= found * (1 + 1e-9)


@pytest.mark.parametrize("norm", ["euclidean", "response", "label-noise"])
def test_equal_means_of_two_groups(norm):
    problem = make_problem("squared", n_samples=6, n_features=1, bias="joint", norm=norm)
    program = cr.build_program(problem)

    def equal(heights):
        return [cp.sum(heights[:3]) == cp.sum(heights[3:])]

    model = cp.Problem(cp.Minimize(program.objective), program.constraints + equal(program.predictions))
    found = model.solve("CLARABEL", **TIGHT)
    direct = Direct(problem)
    assert found == pytest.approx(direct.solve(equal(direct.heights), **TIGHT), rel=1e-6)
    network = program.network()
    assert network(problem.X[:3]).sum() == pytest.approx(network(problem.X[3:]).sum(), abs=1e-7)
    assert problem.objective(network) == pytest.approx(found, rel=1e-6)


def test_without_constraints_it_is_the_problem():
    problem = make_problem("logistic", n_samples=10)
    program = cr.build_program(problem)
    assert cp.Problem(cp.Minimize(program.objective), program.constraints).solve("CLARABEL", **TIGHT) == pytest.approx(
        cr.solve(problem).objective, rel=1e-6
    )
    assert cr.certify(program.network(), problem).relative_gap < 1e-5


@pytest.mark.parametrize("sign", ["any", "positive"])
@pytest.mark.parametrize("skip", [False, True])
def test_skip_connections_and_signs(skip, sign):
    problem = make_problem("squared", n_samples=7, seed=4, alpha=0.02, skip=skip, output_sign=sign)
    problem = replace(problem, y=problem.y + 5 * problem.X[:, 0])
    program = cr.build_program(problem, points=[[3.0, 0.0]])
    found = cp.Problem(cp.Minimize(program.objective), program.constraints).solve("CLARABEL", **TIGHT)
    assert found == pytest.approx(cr.solve(problem).objective, rel=1e-6)
    assert problem.objective(program.network()) == pytest.approx(found, rel=1e-6)
    held = program.predict([[3.0, 0.0]]) <= 1.0
    found = cp.Problem(cp.Minimize(program.objective), [*program.constraints, held]).solve("CLARABEL", **TIGHT)
    network = program.network()
    assert network([[3.0, 0.0]]) <= 1.0 + 1e-6
    assert problem.objective(network) == pytest.approx(found, rel=1e-6)
    assert (network.v >= 0).all() or sign == "any"


def test_terms_of_ones_own_and_weights():
    """A weight is copies here, too; and the mean of f may be paid for."""
    X, y, weights = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0.0, 1.0, 0.0, 2.0]), [1, 2, 0, 3]
    values = []
    for problem in (
        cr.Problem(X, y, "squared", alpha=0.01, sample_weight=weights),
        cr.Problem(np.repeat(X, weights, axis=0), np.repeat(y, weights), "squared", alpha=0.01),
    ):
        program = cr.build_program(problem, points=X)
        paid = program.objective + 0.3 * cp.sum(program.predict(X))
        values.append(cp.Problem(cp.Minimize(paid), program.constraints).solve("CLARABEL", **TIGHT))
    assert values[0] == pytest.approx(values[1], rel=1e-7)


def test_equal_points_and_units_far_from_one():
    X = np.array([[1e6], [1e6 + 2], [1e6], [1e6 + 1]])
    problem = cr.Problem(X, [3e-4, 5e-4, 3e-4, 7e-4])
    program = cr.build_program(problem, points=[[1e6], [1e6 + 0.5]])
    model = cp.Problem(cp.Minimize(program.objective), program.constraints)
    assert model.solve("CLARABEL", **TIGHT) == pytest.approx(cr.solve(problem).objective, rel=1e-4)
    assert program.predict([[1e6 + 0.5]]).value == pytest.approx(5e-4, rel=1e-4)


def test_given_patterns_are_a_sample():
    problem = make_problem("squared", n_samples=12)
    patterns = cr.sample_patterns(problem.X, 10, random_state=0)
    program = cr.build_program(problem, patterns)
    assert program.scope == "sampled"
    found = cp.Problem(cp.Minimize(program.objective), program.constraints).solve("CLARABEL", **TIGHT)
    assert found >= cr.solve(problem).objective * (1 - 1e-9)


def test_what_it_cannot_do_it_says():
    problem = make_problem("squared", n_samples=5)
    program = cr.build_program(problem)
    with pytest.raises(InputError, match="knows nothing of row 1 of X; pass all points"):
        program.predict([problem.X[0], [9.0, 9.0]])
    with pytest.raises(SolverError, match="no solution to read a network from"):
        program.network()
    with pytest.raises(InputError, match="points has 1 columns, and X has 2"):
        cr.build_program(problem, points=[[1.0]])
    with pytest.raises(InputError, match=r"patterns has shape \(2, 3\); it must be \(P, 5\)"):
        cr.build_program(problem, np.ones((2, 3)))
    with pytest.raises(InputTypeError, match="patterns must hold real numbers"):
        cr.build_program(problem, [["a"] * 5])
    with pytest.raises(InputError, match="none of them NaN"):
        cr.build_program(problem, np.full((2, 5), np.nan))
    with pytest.raises(InputError, match="known on the data alone"):
        cr.build_program(make_problem("squared", 5, norm="response"), points=[[1.0, 1.0]])
    rng = np.random.default_rng(0)
    with pytest.raises(SizeError, match="sign patterns, too many for one program"):  # that nobody waits to be counted
        cr.build_program(cr.Problem(rng.standard_normal((200, 8)), rng.standard_normal(200)))
    with pytest.raises(SizeError, match="sign patterns, too many for one program"):
        cr.build_program(make_problem("squared", 60, 5))


def test_the_examples_agree_with_the_definition():
    file = Path(__file__).parents[1] / "examples" / "constraints.py"
    spec = importlib.util.spec_from_file_location("constraints", file)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    X, y = example.data()
    problem = cr.Problem(X[::3], y[::3], "squared", alpha=0.003)
    for constrain, points in (
        (example.known_value, [[0.0]]),
        (example.monotone, example.GRID),
        (example.equal_means, None),
    ):
        network, objective = example.solve_with(problem, constrain, points)
        direct = Direct(problem, points)
        heights = {row.tobytes(): direct.heights[k] for k, row in enumerate(direct.points)}
        direct.predict = lambda rows, heights=heights: cp.hstack([heights[np.array(row).tobytes()] for row in rows])
        direct.predictions = direct.heights[: problem.n_samples]
        assert objective == pytest.approx(direct.solve(constrain(direct), **TIGHT), rel=1e-6)
        assert problem.objective(network) == pytest.approx(objective, rel=1e-6)
