"""Column generation: the optimum of the full program, honest bounds in every round, and no way to fool the proof."""

import functools
import itertools
import time
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cvxrelu as cr
from cvxrelu.errors import SolverError
from cvxrelu.generation import column_rounds
from cvxrelu.generation import oracle as oracle_module
from cvxrelu.generation.columns import drawn_in, starting_columns
from cvxrelu.generation.dual_master import MasterSolution, solve_master
from cvxrelu.generation.loop import generate
from cvxrelu.generation.oracle import Oracle
from cvxrelu.pricing import Priced, Pricer
from cvxrelu.program.options import Options
from cvxrelu.runtime.clock import Clock
from cvxrelu.runtime.endings import Cause
from tests.instances import (
    BIASES,
    LABELLED,
    LOSSES,
    REGULARISED,
    SLOPES,
    assert_certified,
    line_cost,
    make_problem,
    normal_data,
)

# Rounding that a bound, or an objective of zero, may show.
ROUNDING = 1e-9
# What a misfit within the tolerance of an interpolant may save, relative to the objective.
MISFIT = 1e-5


def optimum(problem, fit=None):
    """The optimum by the full program, solved here unless its fit is given: lower and upper bound."""
    with warnings.catch_warnings():
        # A dear problem may be solved a little less accurately; its bounds hold.
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        fit = fit or cr.solve(problem, "enumerate")
    assert fit.certificate.relative_gap < 2e-6
    return fit.certificate.lower, fit.certificate.upper


@functools.cache
def optimum_of_twelve(loss, n_features=2):
    """The optimum of `make_problem(loss, 12, n_features)`."""
    return optimum(make_problem(loss, 12, n_features))


def assert_weak_duality(fit, lower, upper):
    """Every round brackets the optimum, which is itself known to lie in [lower, upper]; bounds only improve.

    An interpolant may miss the targets by a relative 1e-6 and be so much cheaper. The last network may be dearer
    than the one before it by a quarter of the tolerance, if it has fewer neurons.
    """
    room = max(upper, 1e-3) * (ROUNDING if fit.problem.loss.name != "interpolation" else MISFIT)
    lowers, uppers = (np.array([getattr(row, name) for row in fit.history]) for name in ("lower", "upper"))
    assert (lowers <= upper * (1 + ROUNDING) + 1e-12).all()
    assert (uppers >= lower - room).all()
    # The bound of an interpolant speaks of its own predictions too, which change in their last digits.
    assert (np.diff(lowers) >= (-room if fit.problem.loss.name == "interpolation" else 0.0)).all()
    # The first networks need not interpolate; their objective is then infinite.
    assert (np.diff(uppers[np.isfinite(uppers)]) <= max(upper, 1e-3) * 3e-7 + room).all()
    assert (np.diff([row.seconds for row in fit.history]) >= 0).all()


def assert_same(problem, tol=1e-6, enumerated=None, **options):
    """The generated fit is certified and equals the enumerated one, which is solved here unless it is given."""
    lower, upper = optimum(problem, enumerated)
    fit = cr.solve(problem, "generate", random_state=0, tol=tol, **options)
    assert fit.method in ("generate", "constant")
    assert fit.certificate.scope == "global"
    assert lower * (1 - 1e-6) - 1e-12 <= fit.objective <= upper * (1 + 1e-6) + 1e-12
    assert_weak_duality(fit, lower, upper)
    if upper > 1e-9:
        assert_certified(fit, tol)
    return fit


INSTANCES = [
    (loss, bias, slope, n_features)
    for loss, bias, slope, n_features in itertools.product(LOSSES, BIASES, SLOPES, (1, 2, 3, 4))
    # Without bias a line of one input has two free parameters, so nothing but a loss that forgives can be fitted.
    if not (n_features == 1 and bias == "none" and loss not in REGULARISED)
    # Every slope in the line, in the plane, and in three or four dimensions.
    if n_features <= 2 or (n_features + SLOPES.index(slope)) % 2 == 0
]


@pytest.mark.parametrize(("loss", "bias"), list(itertools.product(LOSSES, BIASES)))
def test_equals_enumeration(loss, bias):
    """Every loss, bias and slope, in one to four dimensions."""
    for seed, (_, _, slope, n_features) in enumerate(row for row in INSTANCES if row[:2] == (loss, bias)):
        n_samples = (11, 9, 7, 6)[n_features - 1]
        assert_same(make_problem(loss, n_samples, n_features, seed, bias=bias, negative_slope=slope))


@pytest.mark.parametrize(("loss", "n_samples"), list(itertools.product(LOSSES, (20, 30))))
def test_larger_planes(loss, n_samples):
    assert_same(make_problem(loss, n_samples, seed=7, alpha=0.005))


@pytest.mark.parametrize(("n_samples", "cost"), [(20, 96.939186), (50, 272.51250), (100, 493.36208)])
def test_random_labels_in_the_plane(n_samples, cost):
    fit = cr.solve(cr.Problem(*normal_data(n_samples)), "generate", random_state=0)
    assert_certified(fit)
    np.testing.assert_allclose(fit.objective, cost, rtol=1e-6)


@pytest.mark.parametrize("slope", SLOPES)
def test_one_input_against_the_closed_form(slope):
    X, y = normal_data(40, 1, seed=2)
    fit = cr.solve(cr.Problem(X, y, negative_slope=slope), "generate", random_state=0)
    assert_certified(fit)
    np.testing.assert_allclose(fit.objective, line_cost(X[:, 0], y, slope), rtol=1e-6)


def consistent(X, y):
    """One row for each place, as an exact fit needs it."""
    places, first = np.unique(X, axis=0, return_index=True)
    return places, y[first]


def degenerate_inputs(kind, n_samples, n_features, rng):
    """Data that no general position argument covers."""
    normal = rng.standard_normal((n_samples, n_features))
    if kind == "duplicates":
        return normal[rng.integers(0, max(1, n_samples // 2), n_samples)]
    if kind == "lattice":
        return rng.integers(0, 3, (n_samples, n_features)).astype(float)
    if kind == "collinear":
        return normal[:, :1] * rng.standard_normal(n_features) + rng.standard_normal(n_features)
    if kind == "constant column":
        return np.column_stack([normal[:, :-1], np.full(n_samples, 7.0)])
    return np.tile(normal[:1], (n_samples, 1))


KINDS = ("duplicates", "lattice", "collinear", "constant column", "all equal")


@settings(
    derandomize=True, deadline=None, max_examples=80, database=None, suppress_health_check=[HealthCheck.filter_too_much]
)
@given(
    kind=st.sampled_from(KINDS),
    loss=st.sampled_from(LOSSES),
    bias=st.sampled_from(BIASES),
    slope=st.sampled_from(SLOPES),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 3)),
    constant=st.booleans(),
    seed=st.integers(0, 99),
)
def test_degenerate_data(kind, loss, bias, slope, shape, constant, seed):
    rng = np.random.default_rng(seed)
    X = degenerate_inputs(kind, *shape, rng)
    y = np.full(len(X), 1.5) if constant else np.round(rng.standard_normal(len(X)), 1)
    if loss not in REGULARISED:
        X, y = consistent(X, y)
        bias = "free" if bias == "none" and not X.any(axis=1).all() else bias
    if loss in LABELLED:
        y = np.where(rng.permutation(len(y)) % 2 == 0, 1.0, -1.0)
        if len(y) < 2:
            return
    problem = cr.Problem(X, y, loss, bias, alpha=0.05 if loss in REGULARISED else None, negative_slope=slope)
    try:
        enumerated = cr.solve(problem, "enumerate")
    except SolverError:
        with pytest.raises(SolverError):
            cr.solve(problem, "generate", random_state=0)
        return
    assert_same(problem, enumerated=enumerated)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize(
    ("X", "y"),
    [
        ([[3.0]], [2.0]),
        ([[3.0, 4.0]], [2.0]),
        ([[1.0, 2.0], [4.0, 3.0]], [1.0, -1.0]),
        ([[1.0, 2.0], [4.0, 3.0]], [2.0, 2.0]),
        ([[1.0, 2.0, 0.5, 7.0], [4.0, 3.0, -1.0, 1.0]], [1.0, -1.0]),
    ],
)
@pytest.mark.parametrize("loss", ["interpolation", "squared"])
def test_one_or_two_samples(X, y, bias, loss):
    assert_same(cr.Problem(X, y, loss, bias, alpha=0.1 if loss == "squared" else None))


@pytest.mark.parametrize("value", [0.0, 3.5])
@pytest.mark.parametrize("loss", ["interpolation", "squared"])
def test_constant_targets_cost_nothing(value, loss):
    problem = cr.Problem(normal_data(12)[0], np.full(12, value), loss, alpha=0.1 if loss == "squared" else None)
    fit = cr.solve(problem, "generate")
    assert fit.objective <= 1e-12
    assert fit.status is cr.Status.OPTIMAL
    np.testing.assert_allclose(fit.predict(np.zeros((1, 2))), [value], atol=1e-6)


def test_strong_regularisation_leaves_the_constant():
    fit = cr.solve(cr.Problem(*normal_data(15), "squared", alpha=100.0), "generate")
    assert_certified(fit)
    assert fit.network.n_neurons == 0


# -- Invariances


@pytest.mark.parametrize("loss", ["interpolation", "margin", "squared", "hinge"])
@pytest.mark.parametrize(("offset", "unit"), [(1e6, 1.0), (-1e6, 1.0), (0.0, 1e-6), (0.0, 1e6), (-1e4, 1e3)])
def test_translation_and_units_change_nothing(loss, offset, unit):
    base = make_problem(loss, n_samples=15)
    alpha = None if base.alpha is None else base.alpha * unit
    moved = cr.Problem(base.X * unit + offset * unit, base.y, loss=loss, alpha=alpha)
    fit = cr.solve(moved, "generate", random_state=0)
    assert_certified(fit)
    scale = 1.0 if base.loss.regularised else 1 / unit
    np.testing.assert_allclose(fit.objective, optimum(base)[1] * scale, rtol=2e-6)


@pytest.mark.parametrize("loss", ["interpolation", "squared"])
@pytest.mark.parametrize(("offset", "unit"), [(5.0, 1e-6), (5.0, 1e6), (1e6, 1.0)])
def test_units_and_offset_of_the_targets(loss, offset, unit):
    base = make_problem(loss, n_samples=15)
    alpha, degree = (None, 1) if base.alpha is None else (base.alpha * unit, 2)
    fit = cr.solve(cr.Problem(base.X, (base.y + offset) * unit, loss, alpha=alpha), "generate", random_state=0)
    assert_certified(fit)
    np.testing.assert_allclose(fit.objective, optimum(base)[1] * unit**degree, rtol=2e-6)


@pytest.mark.parametrize("bias", BIASES)
def test_rotations_and_the_order_of_rows_change_nothing(bias):
    base = make_problem("squared", n_samples=12, n_features=3, bias=bias)
    rng = np.random.default_rng(0)
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    order = rng.permutation(12)
    moved = cr.Problem((base.X @ turn)[order], base.y[order], "squared", bias, alpha=base.alpha)
    values = [cr.solve(problem, "generate", random_state=0).objective for problem in (base, moved)]
    np.testing.assert_allclose(*values, rtol=2e-6)


# -- The history, and ends before the end


def test_history_is_monotone_and_ends_with_the_fit():
    problem = cr.Problem(*normal_data(60))
    fit = cr.solve(problem, "generate", random_state=0)
    assert_weak_duality(fit, fit.certificate.lower, fit.objective)
    assert len(fit.history) > 5
    last = fit.history[-1]
    assert (last.upper, last.lower) == (fit.objective, fit.certificate.lower)
    assert last.patterns == fit.network.n_neurons


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_features", [2, 3])
def test_the_same_seed_gives_the_same_network(loss, n_features):
    problem = make_problem(loss, n_samples=12, n_features=n_features)
    once, again = (cr.solve(problem, "generate", random_state=3) for _ in range(2))
    assert once.network == again.network
    assert [(row.upper, row.lower) for row in once.history] == [(row.upper, row.lower) for row in again.history]
    other = cr.solve(problem, "generate", random_state=4)
    np.testing.assert_allclose(other.objective, once.objective, rtol=1e-6)


def assert_stopped(problem, **options):
    """A fit that was cut short has a network, a warning, and an honest gap."""
    with pytest.warns(cr.AccuracyWarning, match="stopped"):
        fit = cr.solve(problem, "generate", random_state=0, **options)
    assert fit.status is cr.Status.STOPPED
    certificate = fit.certificate
    assert certificate.relative_gap > 1e-6
    np.testing.assert_allclose(problem.objective(fit.network), fit.objective)
    return fit


@pytest.mark.parametrize(("loss", "n_features"), [*itertools.product(LOSSES, (2,)), ("squared", 3)])
@pytest.mark.parametrize("max_rounds", [1, 3])
def test_too_few_rounds(loss, n_features, max_rounds):
    problem = make_problem(loss, n_samples=20 if n_features == 2 else 10, n_features=n_features)
    fit = assert_stopped(problem, max_rounds=max_rounds)
    assert len(fit.history) == max_rounds + 1
    assert_weak_duality(fit, *optimum(problem))


def interrupt(monkeypatch, owner, name, calls):
    """Let the attribute work so many times and then raise what Ctrl-C raises."""
    original, count = getattr(owner, name), itertools.count(1)

    def wrapper(*arguments, **options):
        if next(count) > calls:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, wrapper)


@pytest.mark.parametrize("calls", [1, 2, 4])
@pytest.mark.parametrize("where", ["master", "search"])
@pytest.mark.parametrize("loss", ["interpolation", "squared"])
def test_keyboard_interrupt_loses_nothing(monkeypatch, calls, where, loss):
    problem = make_problem(loss, n_samples=40, alpha=1e-3)
    owner, name = {"master": (column_rounds, "solve_master"), "search": (Pricer, "__call__")}[where]
    with monkeypatch.context() as patched:
        # The starting columns take the first search.
        interrupt(patched, owner, name, calls + (where == "search"))
        with pytest.raises(cr.Interrupted, match=r"\.fit is the best network so far") as caught:
            cr.solve(problem, "generate", random_state=0)
    fit = caught.value.fit
    assert fit.status is cr.Status.STOPPED
    assert len(fit.history) == calls
    whole = cr.solve(problem, "generate", random_state=0)
    assert_weak_duality(fit, whole.certificate.lower, whole.objective)
    np.testing.assert_allclose(problem.objective(fit.network), fit.objective)


@pytest.mark.parametrize("calls", [1, 5])
def test_keyboard_interrupt_during_ascent(monkeypatch, calls):
    problem = make_problem("squared", n_samples=10, n_features=3)
    with monkeypatch.context() as patched:
        # The starting columns take the first ascent.
        interrupt(patched, Pricer, "ascend", calls + 1)
        with pytest.raises(cr.Interrupted) as caught:
            cr.solve(problem, "generate", random_state=0)
    fit = caught.value.fit
    assert len(fit.history) == calls
    assert_weak_duality(fit, *optimum(problem))


def test_keyboard_interrupt_before_anything_was_found(monkeypatch):
    interrupt(monkeypatch, column_rounds, "solve_master", 0)
    with pytest.raises(cr.Interrupted, match="before a network was found") as caught:
        cr.solve(make_problem(), "generate")
    assert caught.value.fit is None


@pytest.mark.parametrize(
    ("loss", "n_samples", "n_features", "limit"), [("squared", 400, 2, 0.01), ("hinge", 60, 4, 0.2)]
)
def test_time_limit(loss, n_samples, n_features, limit):
    problem = make_problem(loss, n_samples, n_features, alpha=1e-4)
    cr.solve(make_problem(loss, 5, n_features), "generate")
    fit = assert_stopped(problem, time_limit=limit)
    assert np.isfinite(fit.objective)
    # A round that does not fit in what is left is not begun, and a last bound is found; nothing more.
    assert fit.history[-1].seconds < limit + 10


# -- The proof does not depend on the master


def corrupt(monkeypatch, change):
    """Change the dual vector of every master solution."""
    original = column_rounds.solve_master

    def wrapper(problem, outputs, accuracy, _start=None, central=True):
        master = original(problem, outputs, accuracy, None, central)
        return MasterSolution(change(master.dual), master.weights, master.constant)

    monkeypatch.setattr(column_rounds, "solve_master", wrapper)


NOISE = np.random.default_rng(0)
CORRUPTIONS = {
    "noise": lambda v: v + 0.3 * np.abs(v).max() * NOISE.standard_normal(len(v)),
    "a little noise": lambda v: v * (1 + 1e-3 * NOISE.standard_normal(len(v))),
    "too long": lambda v: 10 * v,
    "too short": lambda v: 0.1 * v,
    "reversed": lambda v: -v,
    "zero": np.zeros_like,
    "shuffled": lambda v: NOISE.permutation(v),
    "shifted": lambda v: v + np.abs(v).max(),
}


@pytest.mark.parametrize(("name", "loss"), list(itertools.product(CORRUPTIONS, LOSSES)))
def test_wrong_duals_prove_nothing_false(monkeypatch, name, loss):
    problem = make_problem(loss, n_samples=12)
    lower, upper = optimum_of_twelve(loss)
    with monkeypatch.context() as patched, warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        corrupt(patched, CORRUPTIONS[name])
        fit = cr.solve(problem, "generate", random_state=0, max_rounds=8)
    assert_weak_duality(fit, lower, upper)
    if fit.status is cr.Status.OPTIMAL:
        np.testing.assert_allclose(fit.objective, upper, rtol=2e-6)
    else:
        assert fit.certificate.relative_gap > 1e-6


@pytest.mark.parametrize("loss", REGULARISED)
@pytest.mark.parametrize("factor", [0.5, -1.0, 2.0])
def test_wrong_weights_are_scored_honestly(monkeypatch, loss, factor):
    problem = make_problem(loss, n_samples=12)
    lower, upper = optimum_of_twelve(loss)
    original = column_rounds.solve_master

    def wrapper(*arguments):
        master = original(*arguments)
        return MasterSolution(master.dual, master.weights * factor, master.constant)

    with monkeypatch.context() as patched, warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        patched.setattr(column_rounds, "solve_master", wrapper)
        fit = cr.solve(problem, "generate", random_state=0, max_rounds=8)
    assert_weak_duality(fit, lower, upper)
    np.testing.assert_allclose(problem.objective(fit.network), fit.objective)
    assert (fit.status is cr.Status.OPTIMAL) == (fit.certificate.relative_gap <= 1e-6)


def test_no_fit_without_bias_in_one_dimension():
    """Three values on a half-line through the origin: no network without bias meets them."""
    problem = cr.Problem([[1.0], [2.0], [3.0]], [1.0, -1.0, 1.0], bias="none")
    with pytest.raises(SolverError):
        cr.solve(problem, "generate", random_state=0)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n_features", [2, 4])
def test_without_proof_the_network_is_as_good(loss, n_features):
    problem = make_problem(loss, n_samples=12, n_features=n_features)
    lower, upper = optimum_of_twelve(loss, n_features)
    fit = cr.solve(problem, "generate", random_state=0, tol=1e-4, prove=False)
    assert lower * (1 - 1e-6) - 1e-12 <= fit.objective <= upper * (1 + 1e-4)
    assert fit.certificate.lower <= upper * (1 + ROUNDING)
    assert fit.status in (cr.Status.OPTIMAL, cr.Status.UNPROVEN)


@pytest.mark.parametrize("seed", range(6))
def test_without_proof_few_samples_are_fitted_to_the_last_digits(seed):
    """In four dimensions 120 ascents missed the best neuron, and rounds ended up to 1e-4 above the optimum."""
    problem = make_problem("squared", n_samples=15, n_features=4, seed=seed)
    proven = cr.solve(problem, "generate", random_state=0, tol=1e-6)
    assert proven.status is cr.Status.OPTIMAL
    fit = cr.solve(problem, "generate", random_state=0, tol=1e-6, prove=False)
    assert fit.objective <= proven.objective * (1 + 2e-6)


def test_without_proof_nothing_is_searched_exhaustively(monkeypatch):
    def refuse(*_, **__):
        pytest.fail("an exhaustive search although prove=False")

    problem = make_problem("squared", n_samples=15, n_features=3)
    monkeypatch.setattr("cvxrelu.pricing.pricer.Pricer.__call__", refuse)
    fit = cr.solve(problem, "generate", prove=False, tol=1e-3, random_state=0)
    assert fit.status is cr.Status.UNPROVEN
    assert fit.certificate.lower <= fit.objective


@pytest.mark.parametrize("bias", ["free", "joint"])
def test_every_round_of_the_margin_loss_separates(bias):
    problem = make_problem("margin", n_samples=20, bias=bias)
    for state in generate(problem, Options(random_state=0), Clock()):
        assert np.isfinite(state.upper)
        assert np.min(problem.y * state.network(problem.X)) >= 1 - 1e-12


@pytest.mark.parametrize("slope", [0.0, -0.3])
def test_first_columns_fit_what_can_be_fitted(slope):
    """Also data along a single line through the origin, to which the hinges across it are blind."""
    t = np.array([1.0, 2.0, -1.0, -3.0])
    problem = cr.Problem(np.outer(t, [0.6, 0.8]), np.where(t > 0, t, 2 * t), bias="none", negative_slope=slope)
    oracle = replace(Oracle.of(problem, Options(random_state=0), Clock()), pricer=BlindPricer())
    columns, y = starting_columns(oracle), oracle.standard.y
    weights = np.linalg.lstsq(columns.outputs, y, rcond=None)[0]
    np.testing.assert_allclose(columns.outputs @ weights, y, atol=1e-9)


class BlindPricer:
    """Finds no neuron."""

    sweeps = False

    def ascend(self, *_, **__):
        return Priced(np.inf, 0.0, np.empty((0, 2)), np.empty(0), np.empty(0), "none", False, 0)


def test_no_round_starts_that_cannot_end_in_time(monkeypatch):
    """Masters of 0.2 s in 0.5 s, in which nothing else takes time: a third one would end too late."""
    calls = []

    class MasterClock(Clock):
        limited = property(lambda _: True)
        left = property(lambda _: max(0.5 - 0.2 * len(calls), 0.0))

    def slow(*arguments):
        calls.append(time.sleep(0.2))
        return solve_master(*arguments)

    monkeypatch.setattr(column_rounds, "solve_master", slow)
    problem = cr.Problem(*normal_data(30, 3), "squared", alpha=1e-3)
    rounds = list(generate(problem, Options(tol=1e-9, random_state=0), MasterClock()))
    assert len(calls) == 2
    assert rounds[-1].cause is Cause.TIME


def test_an_exhaustive_search_that_broke_off_is_not_made_again(monkeypatch):
    """Its neurons exceed the bound by less than the gap to reach allows, and later ones would prove no more."""
    searches, usual = [], Oracle.search
    monkeypatch.setattr(oracle_module, "NODE_LIMIT", 200)
    monkeypatch.setattr(Oracle, "search", lambda self, *args: (searches.append(args), usual(self, *args))[1])
    problem = make_problem("hinge", n_samples=20, n_features=5)
    *_, last = generate(problem, Options(random_state=0), Clock())
    assert len(searches) == 1
    assert last.cause is Cause.PROOF
    assert last.upper == pytest.approx(cr.solve(problem).objective, rel=1e-6)


def test_no_column_joins_twice(monkeypatch):
    """What a rough master leaves above the bound is found by the next sweep, too."""
    usual, copies = column_rounds.solve_master, []

    def counted(problem, outputs, *rest):
        copies.append(outputs.shape[1] - np.unique(outputs.round(9), axis=1).shape[1])
        return usual(problem, outputs, *rest)

    monkeypatch.setattr(column_rounds, "solve_master", counted)
    *_, last = generate(cr.Problem(*normal_data(60, 2)), Options(random_state=0), Clock())
    assert last.bound.lower >= last.upper * (1 - 1e-6)
    assert max(copies) == copies[0] <= 1  # of the first, two may look the same


@pytest.mark.parametrize("loss", ["interpolation", "squared"])
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_hinges_far_away_are_no_worse_to_start_from(loss, slope):
    X, y = normal_data(20, 3)
    problem = cr.Problem(X, y, loss, alpha=None if loss == "interpolation" else 0.05, negative_slope=slope)
    near = cr.Network(np.eye(3), [9.0, -9.0, 9.0], [1.0, 1.0, 1.0], 0.5, slope)
    far = replace(near, b=1e9 * near.b)
    np.testing.assert_allclose(drawn_in(problem, near)(X), near(X), atol=1e-12)
    assert (np.abs(drawn_in(problem, far).b) <= np.abs(X).max()).all()
    fits = [cr.solve(problem, "generate", warm_start=start, random_state=0) for start in (None, far)]
    assert fits[1].objective == pytest.approx(fits[0].objective, rel=2e-6)


def two_outputs(n_samples):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n_samples, 3)), rng.standard_normal((n_samples, 2))


def test_a_bound_is_not_lost_to_the_next_master(monkeypatch):
    monkeypatch.setattr(oracle_module, "NODE_LIMIT", 50_000)
    problem = cr.Problem(*two_outputs(30), "squared", alpha=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        lowers = [cr.solve(problem, max_rounds=k, random_state=0).certificate.lower for k in (6, 7)]
    assert min(lowers) > 0


def test_several_outputs_that_interpolate_go_on_from_a_network():
    problem = cr.Problem(*two_outputs(20))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        start = cr.solve(problem, max_rounds=2, random_state=0)
        fit = cr.solve(problem, max_rounds=1, random_state=0, warm_start=start.network)
    assert fit.history[0].upper <= start.objective * (1 + 1e-9)


def test_cones_are_searched_for_as_long_without_a_limit_as_pays():
    """A hundred thousand of them took half a second, and then the relaxation half a minute for a gap of 1e-3."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 4))
    fit = cr.solve(cr.Problem(X, np.abs(X[:, 0]) + X[:, 1] * X[:, 2], "squared", alpha=0.005), random_state=0)
    assert fit.status is cr.Status.OPTIMAL
    assert fit.certificate.method == "cones"
