import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cvxrelu as cr
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.errors import InputError, SolverError
from cvxrelu.function_space import fit_function, function_cost, is_line_problem
from cvxrelu.line.networks import cheapest_network
from tests.function_space.instances import SIX_X, SIX_Y, SLOPES, lattice_data, random_data
from tests.instances import CONSTRAINTS, LABELLED, LOSSES, NEEDS_ECOS


def make_problem(rng, loss, n, slope, alpha):
    x, y = random_data(rng, n)
    if loss not in CONSTRAINTS:
        x = x.round(1)
    if loss in LABELLED:
        y = np.where(y > np.median(y), 1.0, -1.0)
    return cr.Problem(x[:, None], y, loss, alpha=None if loss in CONSTRAINTS else alpha, negative_slope=slope)


def certify(problem):
    """The certificate of the function's cheapest network, and the function."""
    fit = fit_function(problem)
    network = cheapest_network(fit.function, problem.negative_slope)
    certificate = certify_dual(problem, network, fit.dual)
    weight = 1.0 if problem.alpha is None else problem.alpha
    by_function = problem.loss.value(fit.function(problem.X[:, 0]), problem.y)
    by_function += weight * function_cost(fit.function, problem.negative_slope)
    assert certificate.upper == pytest.approx(by_function, rel=1e-9, abs=1e-12)
    return certificate, fit.function


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("loss", LOSSES)
def test_agrees_with_the_exact_pipeline_and_proves_itself(loss, slope):
    problem = make_problem(np.random.default_rng(7), loss, 7, slope, 0.02)
    certificate, function = certify(problem)
    fit = cr.solve(problem, method="enumerate")
    assert certificate.upper == pytest.approx(fit.objective, rel=1e-6)
    assert abs(certificate.relative_gap) < 1e-6
    assert certificate.scope == "global"
    assert function.n_knots <= fit.network.n_neurons


@pytest.mark.parametrize("alpha", [1e-6, 1e-3, 0.3])
@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
def test_proves_itself_at_any_strength(loss, alpha):
    certificate, _ = certify(make_problem(np.random.default_rng(1), loss, 60, 0.0, alpha))
    assert abs(certificate.relative_gap) < 1e-6


@given(lattice_data(), st.sampled_from(SLOPES), st.sampled_from(["interpolation", "squared"]))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_proves_itself_on_lattice_data(data, slope, loss):
    x, y = data
    problem = cr.Problem(x[:, None], y, loss, alpha=0.1 if loss == "squared" else None, negative_slope=slope)
    certificate, _ = certify(problem)
    assert certificate.gap <= 1e-6 * abs(certificate.upper)


def test_interpolation_takes_the_fewest_knots():
    problem = cr.Problem(SIX_X[:, None], SIX_Y)
    function, dual = fit_function(problem)
    assert function.n_knots == 3
    assert dual == pytest.approx([2.5, -7.5, 5.0, 5.0, -7.5, 2.5])
    assert certify(problem)[0].lower == pytest.approx(30.0)


def test_equal_samples_share_a_dual():
    x, y = np.tile(SIX_X, 2), np.tile(SIX_Y, 2)
    assert certify(cr.Problem(x[:, None], y))[0].relative_gap < 1e-9
    certificate, _ = certify(cr.Problem(np.repeat([0.0, 1.0, 2.0], 4)[:, None], np.arange(12.0), "squared", alpha=0.1))
    assert certificate.relative_gap < 1e-9


@pytest.mark.parametrize("loss", ["squared", "logistic", "hinge"])
def test_one_place_is_a_constant(loss):
    certificate, function = certify(cr.Problem(np.full((3, 1), 2.0), [1.0, -1.0, 1.0], loss, alpha=0.1))
    assert function.n_knots == 0
    assert abs(certificate.relative_gap) < 1e-9


def test_constant_targets_are_met_exactly():
    for loss, alpha in (("squared", 0.5), ("interpolation", None)):
        certificate, _ = certify(cr.Problem([[0.0], [1.0], [3.0]], [0.1] * 3, loss, alpha=alpha))
        assert (certificate.upper, certificate.lower) == (0.0, 0.0)


def test_a_penalty_above_the_threshold_leaves_nothing():
    x, y = random_data(np.random.default_rng(0), 30)
    _, function = certify(cr.Problem(x[:, None], y, "squared", alpha=10.0))
    assert function.n_knots == 0
    assert function(0.0) == pytest.approx(y.mean())


def test_few_knots_though_the_solver_bends_everywhere():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 400)
    y = np.abs(x) + 0.05 * rng.standard_normal(400)
    certificate, function = certify(cr.Problem(x[:, None], y, "squared", alpha=1e-2))
    assert certificate.relative_gap < 1e-8
    assert function.n_knots <= 3


@pytest.mark.parametrize(("shift", "unit"), [(1e6, 1.0), (0.0, 1e-9), (-300.0, 1e6)])
def test_far_data_and_odd_units(shift, unit):
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, 100)
    y = np.sin(4 * x) + 0.1 * rng.standard_normal(100)
    problem = cr.Problem(unit * (x + shift)[:, None], unit * y + shift, "squared", alpha=1e-3 * unit**2)
    certificate, function = certify(problem)
    assert certificate.relative_gap < 1e-6
    plain = certify(cr.Problem(x[:, None], y, "squared", alpha=1e-3))[1]
    assert function.n_knots == plain.n_knots


def test_gaps_of_all_sizes():
    rng = np.random.default_rng(0)
    x = np.exp(2 * rng.standard_normal(500))
    certificate, _ = certify(cr.Problem(x[:, None], np.sin(np.log(x)), "squared", alpha=1e-3))
    assert certificate.relative_gap < 1e-6


def test_refuses_other_problems_and_solvers():
    plane = cr.Problem([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0])
    joint = cr.Problem([[0.0], [1.0]], [0.0, 1.0], bias="joint")
    for problem in (plane, joint):
        assert not is_line_problem(problem)
        with pytest.raises(InputError, match="one feature"):
            fit_function(problem)
    noisy = cr.Problem([[0.0], [1.0], [2.0]], [0.0, 1.0, 0.0], "squared", alpha=0.1)
    assert is_line_problem(noisy)
    with pytest.raises(InputError, match="not installed"):
        fit_function(noisy, solver="NONE")
    with pytest.raises(SolverError, match="CLARABEL"):
        fit_function(cr.Problem([[0.0], [1.0]], [-1.0, 1.0], "logistic", alpha=0.1), solver="OSQP")


def test_stops_at_the_time_limit_with_an_honest_gap():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 3000)
    problem = cr.Problem(x[:, None], rng.standard_normal(3000), "squared", alpha=1e-4)
    try:
        fit = fit_function(problem, time_limit=0.0)
    except SolverError:
        return
    certificate = certify_dual(problem, fit.function.to_network(), fit.dual)
    assert 0 <= certificate.lower <= certificate.upper


@NEEDS_ECOS
def test_other_solvers_agree():
    problem = make_problem(np.random.default_rng(5), "squared", 30, 0.0, 0.01)
    values = [
        problem.objective(fit_function(problem, solver=name).function.to_network()) for name in ("CLARABEL", "ECOS")
    ]
    assert values[1] == pytest.approx(values[0], rel=1e-7)


@pytest.mark.parametrize("slope", SLOPES)
def test_a_separator_has_margin_one_exactly(slope):
    problem = make_problem(np.random.default_rng(3), "margin", 12, slope, None)
    values = fit_function(problem).function(problem.X[:, 0])
    assert values[problem.y > 0].min() == pytest.approx(1, abs=1e-13)
    assert values[problem.y < 0].max() == pytest.approx(-1, abs=1e-13)
