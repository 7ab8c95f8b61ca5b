"""Several outputs: what is known of optima without solving anything, and what a proof has to survive."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.certificate.bounds import bound_dual
from cvxrelu.certificate.searches import prove_dual
from cvxrelu.generation import column_rounds, fewer_outputs
from cvxrelu.generation.oracle import Oracle
from cvxrelu.pricing import Priced
from cvxrelu.solving.methods import generate

LABELS = np.array([0, 1, 2, 0, 1, 2, 1, 0, 2])


def data(n_samples=9, n_features=2, n_outputs=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_samples, n_features)), rng.standard_normal((n_samples, n_outputs))


def assert_certified(fit, gap=1e-6):
    """Check what a certified optimum promises, from the network and the dual matrix alone."""
    problem, network, certificate = fit.problem, fit.network, fit.certificate
    assert certificate.scope == "global"
    assert fit.status is cr.Status.OPTIMAL
    assert -1e-9 <= certificate.relative_gap <= gap
    np.testing.assert_allclose(objective_of(problem, network), fit.objective, rtol=1e-9)
    assert network.n_neurons <= problem.n_samples * problem.n_outputs
    assert network.v.shape == (network.n_neurons, problem.n_outputs)
    V = certificate.dual
    if problem.bias == "free":
        assert all(math.fsum(column) == 0 for column in V.T)
    if problem.bias == "none":
        assert not network.b.any()
        assert not network.intercept.any()
    if problem.loss.labels:
        own = np.arange(problem.n_outputs) == problem.y[:, None]
        assert all(math.fsum(row) == 0 for row in V)
        assert (V[~own] <= 0).all()


def objective_of(problem, network):
    """The objective from the definition."""
    z = np.array([network.intercept + sum_of(network, problem, x) for x in problem.X])
    norms = np.linalg.norm(np.column_stack([network.W, network.b]) if problem.bias == "joint" else network.W, axis=1)
    cost = float(np.linalg.norm(network.v, axis=1) @ norms)
    if problem.alpha is None:
        return cost
    y, name = problem.y, problem.loss.name
    if name == "softmax":
        paid = [math.log(sum(math.exp(a - row[int(k)]) for a in row)) for row, k in zip(z, y, strict=True)]
    else:
        size = np.abs(z - y)
        each = size**2 / 2 if name == "squared" else np.where(size <= 1, size**2 / 2, size - 0.5)
        paid = each.sum(axis=1)
    weights = np.ones(len(y)) if problem.sample_weight is None else problem.sample_weight
    return float(np.mean(weights * np.array(paid))) + problem.alpha * cost


def sum_of(network, problem, x):
    total = np.zeros(network.n_outputs)
    for w, b, v in zip(network.W, network.b, network.v, strict=True):
        t = float(w @ x) + b
        total += v * (t if t >= 0 else problem.negative_slope * t)
    return total


@pytest.mark.parametrize(
    ("bias", "slope"), [("free", 0.0), ("free", 0.3), ("free", -1.0), ("joint", 0.3), ("none", 0.0)]
)
@pytest.mark.parametrize("loss", ["squared", "softmax"])
def test_several_outputs_are_certified(loss, bias, slope):
    X, Y = data()
    y = LABELS if loss == "softmax" else Y
    tol = 1e-3 if bias == "joint" else 1e-6  # three dimensions, lifted
    fit = cr.solve(cr.Problem(X, y, loss=loss, bias=bias, alpha=0.02, negative_slope=slope), tol=tol, random_state=0)
    assert_certified(fit, tol)


@pytest.mark.parametrize("loss", ["interpolation", "multiclass-margin"])
def test_constraints_are_met_at_least_cost(loss):
    X, Y = data()
    fit = cr.solve(cr.Problem(X, LABELS if loss == "multiclass-margin" else Y, loss=loss), tol=1e-5)
    assert_certified(fit, 1e-5)
    z = fit.network(X)
    if loss == "interpolation":
        np.testing.assert_allclose(z, Y, atol=1e-6)
    else:
        own = np.arange(3) == LABELS[:, None]
        assert (z[own][:, None] - np.where(own, -np.inf, z) >= 1 - 1e-6).all()
        assert cr.max_margin(fit.certificate).lower == pytest.approx(fit.network.normalised_margin(X, LABELS), rel=1e-6)


def test_equal_outputs_cost_the_root_of_their_number():
    X, Y = data()
    one = cr.solve(cr.Problem(X, Y[:, 0]))
    three = cr.solve(cr.Problem(X, np.repeat(Y[:, :1], 3, axis=1)))
    assert three.objective == pytest.approx(math.sqrt(3) * one.objective, rel=1e-6)


def test_turning_the_targets_changes_nothing():
    X, Y = data(12)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    problem = cr.Problem(X, Y, loss="squared", alpha=0.02)
    turned = cr.Problem(X, Y @ turn, loss="squared", alpha=0.02)
    first, second = cr.solve(problem, tol=1e-8), cr.solve(turned, tol=1e-8)
    assert first.objective == pytest.approx(second.objective, rel=1e-8)
    there = cr.Network(first.network.W, first.network.b, first.network.v @ turn, first.network.intercept @ turn)
    assert turned.objective(there) == pytest.approx(problem.objective(first.network), rel=1e-12)
    assert second.certificate.lower <= turned.objective(there) * (1 + 1e-12)


@pytest.mark.parametrize("loss", ["squared", "huber", "softmax"])
def test_weights_are_copies(loss):
    X, Y = data()
    y, counts = (LABELS if loss == "softmax" else Y), np.array([1, 2, 1, 3, 1, 1, 2, 1, 0])
    counts[-1] = 1 if loss == "softmax" else 0
    weighted = cr.Problem(X, y, loss=loss, alpha=0.02, sample_weight=counts)
    copied = cr.Problem(np.repeat(X, counts, axis=0), np.repeat(y, counts, axis=0), loss=loss, alpha=0.02)
    one, other = cr.solve(weighted), cr.solve(copied)
    assert_certified(one)
    assert one.objective == pytest.approx(other.objective, rel=2e-6)


DEGENERATE = {
    "one sample": ([[1.0, 2.0]], [[3.0, 4.0]]),
    "equal targets": ([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0]], [[3.0, 4.0]] * 3),
    "copies": ([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]], [[3.0, 4.0], [0.0, 1.0], [0.0, 1.0]]),
    "a line in the plane": ([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [3.0, 6.0]], [[0.0, 1.0], [1, 0], [0, 0], [2, 2]]),
    "far away": ([[1e6, 1e6], [1e6 + 1, 1e6], [1e6, 1e6 + 1]], [[1e3, 0.0], [1e3 + 1, 1.0], [1e3, 2.0]]),
    "a constant output": ([[0.0], [1.0], [2.0]], [[0.0, 7.0], [1.0, 7.0], [0.0, 7.0]]),
}


@pytest.mark.parametrize("loss", ["interpolation", "squared"])
@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_data_are_normal_data(case, loss):
    X, Y = DEGENERATE[case]
    fit = cr.solve(cr.Problem(X, Y, loss=loss, alpha=None if loss == "interpolation" else 0.01), tol=1e-5)
    assert fit.certificate.scope == "global"
    assert fit.certificate.gap <= 1e-5 * max(fit.certificate.upper, 1e-9)


def test_three_inputs_are_certified():
    X, _ = data(30, 3)
    fit = cr.solve(cr.Problem(X, np.arange(30) % 3, loss="softmax", alpha=0.05), tol=1e-3, random_state=0)
    assert_certified(fit, 1e-3)
    assert fit.certificate.method == "directions"


def test_no_network_is_below_the_bound():
    X, Y = data(15)
    problem = cr.Problem(X, Y, loss="squared", alpha=0.05)
    fit = cr.solve(problem)
    rng = np.random.default_rng(0)
    for scale in (1e-6, 1e-4, 1e-2, 1.0):
        for _ in range(20):
            noise = [part + scale * rng.standard_normal(part.shape) for part in (fit.network.W, fit.network.b)]
            other = cr.Network(*noise, fit.network.v, fit.network.intercept)
            assert problem.objective(other) >= fit.certificate.lower
            assert cr.certify(other, problem, tol=1e-3).lower <= fit.objective * (1 + 1e-12)
            break


def test_what_takes_one_output_says_so():
    X, Y = data()
    problem = cr.Problem(X, Y, loss="squared", alpha=0.1)
    fit = cr.solve(problem)
    uses = [
        lambda: cr.solve(problem, method="enumerate"),
        lambda: cr.build_program(problem),
        lambda: cr.optimal_set(fit),
        lambda: fit.certificate.search(),
    ]
    for use in uses:
        with pytest.raises(cr.InputError, match=r"takes? one output"):
            use()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "absolute", "alpha": 1.0}, "takes one output, and y is two-dimensional"),
        ({"norm": "response"}, "Several outputs take norm='euclidean'"),
        ({"output_sign": "positive"}, "output_sign='any'"),
        ({"loss": "softmax", "alpha": 1.0}, "takes labels; pass an array of shape"),
        ({"loss": "softmax", "alpha": 1.0, "y": [0, 1, 3, 0, 1, 2, 1, 0, 3.5]}, "number your classes"),
        ({"loss": "softmax", "alpha": 1.0, "y": [0, 1, 3] * 3}, "but class 2 has none"),
        ({"loss": "softmax", "alpha": 1.0, "y": [0] * 9}, "needs two classes or more"),
        ({"y": np.full((9, 2), np.nan)}, "y has a NaN"),
    ],
)
def test_unusable_problems(options, message):
    X, Y = data()
    with pytest.raises(cr.InputError, match=message):
        cr.Problem(**{"X": X, "y": Y, **options})


def test_rows_that_contradict_each_other_are_named():
    with pytest.raises(cr.InputError, match="Rows 0 and 2 of X are equal but their y differ"):
        cr.Problem([[0.0], [1.0], [0.0]], [[1.0, 2.0], [0.0, 0.0], [1.0, 3.0]])


def test_a_network_of_several_outputs_goes_through_a_file(tmp_path):
    _, Y = data(4)
    network = cr.Network(np.eye(4)[:, :2], np.ones(4), Y, [1.0, 2.0, 3.0], 0.1)
    network.save(tmp_path / "network.npz")
    assert cr.Network.load(tmp_path / "network.npz") == network
    balanced = network.balanced("joint")
    inputs = np.arange(6.0).reshape(3, 2)
    np.testing.assert_allclose(balanced(inputs), network(inputs), rtol=1e-12)
    squares = (balanced.W**2).sum() + (balanced.b**2).sum() + (balanced.v**2).sum()
    assert squares / 2 == pytest.approx(network.cost("joint"), rel=1e-12)
    np.testing.assert_allclose(network.output(1)(inputs), network(inputs)[:, 1], rtol=1e-14)


def test_the_path_of_several_classes():
    X, _ = data(15)
    found = cr.path(cr.Problem(X, np.arange(15) % 3, loss="softmax", alpha=1.0), n_alphas=4)
    assert found.costs[0] == 0
    assert (np.diff(found.costs) > 0).all()
    assert (found.relative_gaps <= 1e-6).all()


@pytest.mark.parametrize("loss", ["squared", "softmax", "huber", "multiclass-margin"])
def test_a_price_that_is_no_number_proves_nothing(loss):
    labels = loss in ("softmax", "multiclass-margin")
    problem = cr.Problem(
        np.eye(3), np.arange(3) if labels else np.eye(3), loss, alpha=None if loss == "multiclass-margin" else 0.1
    )
    none = np.empty((0, 3)), np.empty(0), np.empty(0)
    bound = bound_dual(problem, np.eye(3) - 1 / 3, lambda v: Priced(np.nan, 0.0, *none, "none", False, 1))
    assert bound.lower == 0


def test_a_dual_matrix_that_is_no_numbers_is_refused():
    for loss, y in (("softmax", np.arange(3)), ("squared", np.eye(3))):
        with pytest.raises(cr.InputError, match="NaN or infinite"):
            prove_dual(cr.Problem(np.eye(3), y, loss, alpha=0.1), np.full((3, 3), np.nan))


def test_what_nothing_fits_is_said_so():
    X, Y = data(n_features=1, n_outputs=2)
    with pytest.raises(cr.SolverError, match="No network with bias='none' meets loss='interpolation'"):
        cr.solve(cr.Problem(X, Y, bias="none", negative_slope=0.3))


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
def test_no_neuron_is_needed_where_nothing_is_worth_its_cost():
    X, Y = data(n_features=1, n_outputs=3)
    problem = cr.Problem(X, Y, cr.Huber(0.3), bias="joint", alpha=2.0, negative_slope=-1.0)
    for options in ({}, {"max_rounds": 1}, {"time_limit": 0.3}):
        assert cr.solve(problem, **options).network.n_neurons == 0


def test_a_proof_that_time_stops_says_so():
    """It was "a fixed amount of work" whatever limit was given, and UNPROVEN, not STOPPED."""
    rng = np.random.default_rng(0)
    problem = cr.Problem(rng.standard_normal((14, 7)), rng.integers(0, 3, 14), "softmax", alpha=0.05)
    with pytest.warns(cr.AccuracyWarning, match="stopped by time_limit=1"):
        fit = cr.solve(problem, time_limit=1.0, random_state=0)
    assert fit.status is cr.Status.STOPPED


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
@pytest.mark.parametrize("seed", [0, 1])
def test_where_rounds_end_without_a_proof_the_relaxation_has_its_turn(seed):
    rng = np.random.default_rng(seed)
    problem = cr.Problem(rng.standard_normal((24, 7)), rng.integers(0, 3, 24), "softmax", alpha=0.05)
    certificate = cr.solve(problem, tol=0.25, random_state=0).certificate
    assert certificate.relative_gap < 0.25
    assert certificate.multipliers is not None


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
@pytest.mark.parametrize("loss", ["squared", "interpolation"])
def test_no_time_is_spent_on_fewer_neurons_when_it_is_up(loss, monkeypatch):
    X, Y = data(30)
    problem = cr.Problem(X, Y, loss, alpha=None if loss == "interpolation" else 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(generate, "QUICK_REDUCTION", -1)
        patch.setattr(fewer_outputs, "_met", lambda *_: pytest.fail("time is up"))
        late = cr.solve(problem, "generate", time_limit=1e-3)
    assert late.objective < np.inf
    assert cr.solve(problem, "generate").network.n_neurons < 90


@pytest.mark.filterwarnings("ignore::cvxrelu.AccuracyWarning")
@pytest.mark.parametrize("loss", ["interpolation", "multiclass-margin"])
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("bias", ["free", "joint", "none"])
def test_a_master_that_takes_too_long_is_stopped(loss, skip, bias, monkeypatch):
    """What is known then is a network that meets every target along a line, if there are biases."""
    X, Y = data()
    problem = cr.Problem(X, LABELS if loss == "multiclass-margin" else Y, loss, bias, skip=skip)
    with monkeypatch.context() as patch:
        patch.setattr(column_rounds, "LARGE_MASTER", 0.0)
        late = cr.solve(problem, "generate", time_limit=1e-3, random_state=0)
    assert late.status is cr.Status.STOPPED
    assert (late.objective < np.inf) == (bias != "none")
    best = cr.solve(problem, "generate", random_state=0)
    assert late.certificate.lower <= best.objective <= late.objective


@pytest.mark.parametrize("limit", [60.0, None])
def test_what_time_the_relaxation_leaves_is_spent_on_a_search(limit, monkeypatch):
    """As if the search in the rounds had been too short, and no program of the relaxation short enough."""
    rng = np.random.default_rng(0)
    problem = cr.Problem(rng.standard_normal((8, 3)), rng.standard_normal((8, 2)), "squared", "none", alpha=0.1)
    searched = Oracle.search

    def hardly(oracle, v, share):
        found = searched(oracle, v, share)
        return replace(found, lower=0.5 * found.lower, priced=replace(found.priced, complete=False))

    monkeypatch.setattr(Oracle, "search", hardly)
    monkeypatch.setattr(generate, "tighten", lambda *_: iter(()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        fit = cr.solve(problem, tol=1e-4, time_limit=limit, random_state=0)
    assert (fit.status is cr.Status.OPTIMAL) == (limit is not None)
    assert (fit.history[-1].note == "search of all neurons") == (limit is not None)
