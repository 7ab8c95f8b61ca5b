"""The restricted master against the same problem written in cvxpy, and its dual vector against its own rules."""

import itertools

import cvxpy as cp
import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.errors import SolverError
from cvxrelu.generation import dual_master
from cvxrelu.generation.column_rounds import ColumnMaster
from cvxrelu.generation.columns import corrected, starting_columns
from cvxrelu.generation.dual_master import MasterSolution, solve_master
from cvxrelu.generation.oracle import Oracle
from cvxrelu.numerics.activation import leaky_relu
from cvxrelu.program.options import Options
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.worker import Worker
from tests.instances import BIASES, LOSSES, RULES, make_problem

ACCURACY = 1e-9


def random_columns(problem, count, seed=1):
    """Outputs of random neurons of unit cost: (N, count)."""
    rng = np.random.default_rng(seed)
    W, b = rng.standard_normal((count, problem.n_features)), rng.standard_normal(count)
    if problem.bias == "none":
        b = np.zeros(count)
    costs = problem.norm.neuron_costs(W, b)
    return leaky_relu(problem.X @ (W / costs[:, None]).T + b / costs, problem.negative_slope)


def optimum_in_cvxpy(problem, outputs):
    """Optimal value of the restricted problem: weights of either sign, and a constant if it is free."""
    weights = cp.Variable(outputs.shape[1])
    constant = cp.Variable() if problem.bias == "free" else 0.0
    z, y, n = outputs @ weights + constant, problem.y, problem.n_samples
    rule = RULES[problem.loss.name]
    loss, constraints = (0.0, rule.model(z, y)) if rule.constrains else (rule.model(z, y) / n, [])
    # In units of alpha: the solver's tolerances are absolute.
    alpha = problem.alpha or 1.0
    model = cp.Problem(cp.Minimize(loss / alpha + cp.norm1(weights)), constraints)
    model.solve(solver="CLARABEL")
    return alpha * model.value


def value_of(problem, outputs, master):
    """Loss and cost of a master solution, from the definitions; a constraint may be missed by rounding."""
    z = outputs @ master.weights + master.constant
    cost = np.abs(master.weights).sum()
    if problem.loss.regularised:
        return problem.loss.value(z, problem.y) + problem.alpha * cost
    assert problem.loss.residual(z, problem.y) < 1e-6
    return cost


@pytest.mark.parametrize(("loss", "bias", "slope"), list(itertools.product(LOSSES, BIASES, (0.0, -0.3))))
def test_against_cvxpy(loss, bias, slope):
    problem = make_problem(loss, n_samples=12, bias=bias, negative_slope=slope)
    outputs = random_columns(problem, 40)
    master = solve_master(problem, outputs, ACCURACY)
    expected = optimum_in_cvxpy(problem, outputs)
    np.testing.assert_allclose(value_of(problem, outputs, master), expected, rtol=1e-6)


@pytest.mark.parametrize(("loss", "bias"), list(itertools.product(LOSSES, BIASES)))
def test_dual_vector_is_feasible_and_proves_the_value(loss, bias):
    """abs(Phi' v) <= B, v in the domain of its dual, and the dual objective there is the optimum: strong duality."""
    problem = make_problem(loss, n_samples=15, bias=bias)
    outputs = random_columns(problem, 60)
    master = solve_master(problem, outputs, ACCURACY)
    bound = problem.n_samples * problem.alpha if problem.alpha else 1.0
    v = master.dual
    assert np.abs(outputs.T @ v).max() <= bound * (1 + 1e-6)
    np.testing.assert_allclose(v, loss_domain(problem, v), atol=1e-7 * np.abs(v).max())
    if bias == "free":
        assert abs(v.sum()) <= 1e-7 * np.abs(v).sum()
    else:
        assert master.constant == 0
    lower = problem.loss.lower_bound(loss_domain(problem, v), problem.y, bound * (1 + 1e-6), problem.alpha)
    np.testing.assert_allclose(lower, value_of(problem, outputs, master), rtol=1e-5)


def loss_domain(problem, v):
    """The nearest vector in the domain of the dual objective, sum not considered."""
    rule = RULES[problem.loss.name]
    side = problem.y if rule.labels else 1.0
    return side * np.clip(v * side, *rule.box)


@pytest.mark.parametrize("loss", LOSSES)
def test_complementary_slackness(loss):
    """A column with weight is at its bound, with the weight's sign."""
    problem = make_problem(loss, n_samples=12)
    outputs = random_columns(problem, 50)
    master = solve_master(problem, outputs, ACCURACY)
    bound = problem.n_samples * problem.alpha if problem.alpha else 1.0
    used = np.abs(master.weights) > 1e-4 * np.abs(master.weights).max()
    assert 0 < used.sum() <= problem.n_samples
    scores = outputs[:, used].T @ master.dual
    np.testing.assert_allclose(scores, bound * np.sign(master.weights[used]), rtol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("alpha", [1e-4, 10.0])
def test_every_alpha(loss, alpha):
    problem = make_problem(loss, n_samples=12, alpha=alpha)
    outputs = random_columns(problem, 40)
    master = solve_master(problem, outputs, ACCURACY)
    np.testing.assert_allclose(
        value_of(problem, outputs, master), optimum_in_cvxpy(problem, outputs), rtol=1e-5, atol=1e-9
    )


def test_a_start_changes_nothing_but_the_work():
    problem = make_problem("logistic", n_samples=12)
    outputs = random_columns(problem, 40)
    cold = solve_master(problem, outputs, ACCURACY)
    warm = solve_master(problem, outputs, ACCURACY, start=cold.dual)
    np.testing.assert_allclose(warm.dual, cold.dual, atol=1e-6 * np.abs(cold.dual).max())
    np.testing.assert_allclose(*(value_of(problem, outputs, m) for m in (cold, warm)), rtol=1e-8)


def test_duplicate_columns_and_rows_are_harmless():
    problem = make_problem("squared", n_samples=10)
    outputs = random_columns(problem, 20)
    value = value_of(problem, outputs, solve_master(problem, outputs, ACCURACY))
    twice = np.hstack([outputs, outputs, np.zeros((10, 2))])
    np.testing.assert_allclose(value_of(problem, twice, solve_master(problem, twice, ACCURACY)), value, rtol=1e-6)


@pytest.mark.parametrize("loss", ["interpolation", "margin"])
def test_columns_that_cannot_fit_are_refused(loss):
    problem = make_problem(loss, n_samples=12, bias="none")
    with pytest.raises(SolverError, match="free"):
        solve_master(problem, np.zeros((12, 3)), ACCURACY)


def test_sixty_random_masters():
    """Shapes from one sample and one column up, against cvxpy."""
    rng = np.random.default_rng(5)
    for seed in range(60):
        n, count = int(rng.integers(1, 12)), int(rng.integers(1, 30))
        X, y = rng.standard_normal((n, 2)), rng.standard_normal(n)
        problem = cr.Problem(X, y, loss="squared", alpha=float(10 ** rng.uniform(-4, 0)), bias=BIASES[seed % 3])
        outputs = random_columns(problem, count, seed)
        master = solve_master(problem, outputs, ACCURACY)
        np.testing.assert_allclose(
            value_of(problem, outputs, master), optimum_in_cvxpy(problem, outputs), rtol=1e-5, atol=1e-8
        )


@pytest.mark.parametrize("p", [1e-9, 0.02, 0.98, 1 - 1e-9])
@pytest.mark.parametrize("alpha", [1e-5, 0.02])
def test_the_logistic_master_converges_from_every_start(p, alpha):
    """Newton's method alone overshoots where the entropy bends most, next to the ends of the box."""
    problem = make_problem("logistic", n_samples=12, alpha=alpha)
    outputs = random_columns(problem, 40)
    master = solve_master(problem, outputs, ACCURACY, start=p * problem.y)
    cold = solve_master(problem, outputs, ACCURACY)
    np.testing.assert_allclose(*(value_of(problem, outputs, m) for m in (master, cold)), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("loss", ["interpolation", "margin", "hinge"])
def test_the_simplex_method_finds_the_same(loss):
    problem = make_problem(loss, n_samples=12)
    outputs = random_columns(problem, 40)
    master = solve_master(problem, outputs, ACCURACY, central=False)
    np.testing.assert_allclose(value_of(problem, outputs, master), optimum_in_cvxpy(problem, outputs), rtol=1e-6)
    bound = problem.n_samples * problem.alpha if problem.alpha else 1.0
    assert np.abs(outputs.T @ master.dual).max() == pytest.approx(bound, rel=1e-6)


@pytest.mark.parametrize("loss", ["interpolation", "margin"])
def test_what_is_solved_but_for_the_last_digits_needs_no_simplex_method(loss, monkeypatch):
    problem = make_problem(loss, n_samples=40)
    outputs = random_columns(problem, 200)
    best = value_of(problem, outputs, solve_master(problem, outputs, ACCURACY))
    believed = dict[float, int]()
    for short in (0.0, dual_master.SHORT_OF):
        monkeypatch.setattr(dual_master, "SHORT_OF", short)
        for iterations in range(1, 20):
            monkeypatch.setattr(dual_master, "MOST_ITERATIONS", iterations)
            monkeypatch.setattr(dual_master, "_solve_linear", lambda *given: None)
            master = solve_master(problem, outputs, 1e-6)
            if master is not None:
                believed[short] = believed.get(short, 0) + 1
                assert np.abs(master.weights).sum() == pytest.approx(best, rel=1e-4)
                assert problem.loss.residual(outputs @ master.weights + master.constant, problem.y) < 1e-4
    assert 0 < believed[0.0] < believed[dual_master.SHORT_OF] < 19


def test_columns_that_carry_weight_stay_whatever_their_score():
    """A master that was not solved to the end may use neurons whose scores are not at the bound yet."""
    oracle = Oracle.of(make_problem("squared", n_features=3), Options(random_state=0), Clock())
    columns = starting_columns(oracle)
    weights = np.zeros(len(columns))
    weights[1] = -1.0
    master = MasterSolution(np.zeros(9), weights, 0.0)
    kept = ColumnMaster(oracle, Worker())._useful(columns, master, 0.0)
    assert np.flatnonzero(kept).tolist() == [1]


@pytest.mark.parametrize("unit", [1.0, 1e-200, 1e200])
def test_misfits_are_put_right_in_any_units(unit):
    """Neurons of any size, and none at all."""
    problem = make_problem("interpolation", n_samples=12)
    outputs = random_columns(problem, 40)
    weights = solve_master(problem, outputs, 1e-4).weights
    constant = (problem.y - outputs @ weights).mean()
    right = corrected(problem, outputs * unit, weights / unit, constant)
    assert np.abs(outputs @ (right * unit) + constant - problem.y).max() <= 1e-10
    assert corrected(problem, outputs[:, :0], weights[:0], constant).shape == (0,)
