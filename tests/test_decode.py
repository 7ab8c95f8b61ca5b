"""Decoding keeps the optimum and loses neurons."""

import itertools

import numpy as np
import pytest

import cvxrelu as cr
import cvxrelu.program.decode as decode_module
from cvxrelu.program.backend import run_solver
from cvxrelu.program.decode import decode, fewer_neurons
from cvxrelu.program.groups import made_feasible
from cvxrelu.program.program import program_on
from tests.instances import BIASES, LOSSES, make_problem, normal_data
from tests.test_program import all_cells


def decoded(problem):
    """The network decoded from the program on every cell, with the value of that program."""
    program = program_on(problem, all_cells(problem)[0])
    solution = run_solver(program)
    network = decode(problem, solution, lambda cells: run_solver(program_on(problem, cells)))
    return network, solution.value * solution.scaling.objective_scale


@pytest.mark.parametrize(("loss", "bias", "slope"), list(itertools.product(LOSSES, BIASES, (0.0, 0.1, -1.0))))
def test_decoding_loses_nothing(loss, bias, slope):
    problem = make_problem(loss, n_samples=10, seed=2, bias=bias, negative_slope=slope)
    network, value = decoded(problem)
    np.testing.assert_allclose(problem.objective(network), value, rtol=1e-7)
    assert network.n_neurons <= problem.n_samples - (bias == "free")
    np.testing.assert_allclose(
        np.linalg.norm(np.column_stack([network.W, network.b]) if bias == "joint" else network.W, axis=1), 1
    )


@pytest.mark.parametrize("n_samples", [12, 20, 30])
@pytest.mark.parametrize("bias", BIASES)
def test_interpolation_is_exact(n_samples, bias):
    problem = cr.Problem(*normal_data(n_samples), bias=bias)
    network, value = decoded(problem)
    np.testing.assert_allclose(network(problem.X), problem.y, atol=1e-7 * np.ptp(problem.y))
    np.testing.assert_allclose(problem.objective(network), value, rtol=1e-7)


def test_margin_is_exactly_one():
    problem = make_problem("margin", n_samples=14)
    network, _ = decoded(problem)
    assert np.min(problem.y * network(problem.X)) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("slope", [0.0, 0.3, -1.0, -2.0])
@pytest.mark.parametrize("bias", ["free", "joint"])
def test_fewer_neurons_are_few_and_no_worse(bias, slope):
    """Of forty neurons some have all data on one side: with a leaky activation both sides count."""
    problem = make_problem("squared", n_samples=6, bias=bias, negative_slope=slope)
    rng = np.random.default_rng(0)
    b = np.concatenate([np.full(5, -50.0), np.full(5, 50.0), rng.standard_normal(30)])
    network = cr.Network(rng.standard_normal((40, 2)), b, rng.standard_normal(40) / 40, 0.1, slope)
    few = fewer_neurons(problem, network)
    assert few.n_neurons <= 6 - (bias == "free")
    assert problem.objective(few) <= problem.objective(network) * (1 + 1e-7)


def test_fewer_neurons_are_refused_where_rounding_makes_them_worse(monkeypatch):
    problem = make_problem("squared", n_samples=8)
    network = cr.solve(problem, tol=1e-9).network
    monkeypatch.setattr(decode_module, "fewest_terms", lambda columns, factors, *_: 1.1 * factors)
    assert fewer_neurons(problem, network) is network


def test_fewer_neurons_do_as_much_where_squares_of_weights_are_zero():
    problem = make_problem("squared", n_samples=6, bias="joint")
    rng = np.random.default_rng(0)
    network = cr.Network(rng.standard_normal((40, 2)), rng.standard_normal(40), 1e-170 * rng.uniform(1, 2, 40))
    few = fewer_neurons(problem, network)
    assert few.n_neurons <= 6
    np.testing.assert_allclose(few(problem.X), network(problem.X), rtol=1e-9)
    assert few.cost("joint") <= network.cost("joint") * (1 + 1e-9)


@pytest.mark.parametrize(("W", "v", "intercept"), [(1.0, 1e170, 0.0), (1e200, 1e200, 0.0), (1.0, 1.0, 1e160)])
def test_fewer_neurons_are_not_sought_beyond_the_range_of_floats(W, v, intercept):
    problem = make_problem("squared", n_samples=6)
    network = cr.Network([[W, W], [W, 0.0]], [0.0, 0.0], [v, v], intercept)
    with pytest.raises(cr.SolverError, match="too large to compute with"):
        fewer_neurons(problem, network)


def test_a_network_at_the_end_of_the_range_of_floats_is_kept():
    """Two rows that all but agree: the first network reaches one of them by the slope 1e-300, and weighs 1e307."""
    X = [[1e9, 2e9], [1e9, 2e9 + 1]]
    problem = cr.Problem(X, [1.0, -1.0], "margin", bias="joint", negative_slope=1e-300)
    with pytest.warns(cr.AccuracyWarning, match="max_rounds=1"):
        fit = cr.solve(problem, "generate", max_rounds=1, random_state=302465)
    assert np.abs(fit.network.v).max() > 1e300
    assert 0 < fit.certificate.lower < fit.certificate.upper


def test_a_separator_whose_multiple_is_beyond_floats_stays_as_it_is():
    problem = cr.Problem([[-1.0], [1.0]], [-1.0, 1.0], loss="margin")
    near, far = (cr.Network([[scale]], [0.0], [2.0**70], -scale * 2.0**69) for scale in (2.0**-900, 2.0**-1050))
    np.testing.assert_array_equal(made_feasible(problem, near)(problem.X), [-1, 1])
    assert made_feasible(problem, far) is far
