"""Any dimension: every member is optimal, and the extremes are those of brute force."""

from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest

import cvxrelu as cr
from benchmarks.optimal_sets import far_out
from cvxrelu.analysis.optima import search
from cvxrelu.analysis.optima.neurons import neurons_of
from cvxrelu.arrangement import enumerate_patterns
from cvxrelu.pricing import make_pricer, price_cells
from cvxrelu.program.scaling import standardise
from tests.direct import Direct, optimum_by_brute_force
from tests.instances import BIASES, CONSTRAINTS, LOSSES, make_problem, normal_data, objective_by_hand

LATTICE = np.array([[i, j] for i in range(3) for j in range(3)], dtype=float)
CHECKER = np.array([1.0, -1, 1, -1, 1, -1, 1, -1, 1])
CORNERS = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
XOR = np.array([1.0, -1, -1, 1])


def optima_of(*args, **options):
    return cr.optimal_set(cr.solve(cr.Problem(*args, **options)))


def assert_optimal(optima, members, gap=1e-7):
    """Check what members say of themselves, against the definition."""
    assert members
    for member in members:
        by_hand = objective_by_hand(optima.problem, member.network)
        assert by_hand == pytest.approx(member.objective, rel=1e-9, abs=1e-12)
        assert -1e-9 <= member.relative_gap <= gap


def extreme_by_brute_force(problem, place, sign, slack):
    """The largest sign * f(place) of a network at most `slack` (relative) above the optimum.

    The place is made a point of the arrangement, so that in every cell f(place) is linear too. With the optimum as the
    budget the program has no interior, hence the slack, which makes the value too large.
    """
    direct = Direct(problem, [place])
    fits = direct.rule.model(direct.heights[: problem.n_samples], problem.y)
    budget = cr.solve(problem).objective * (1 + slack)
    model = cp.Problem(cp.Maximize(sign * direct.heights[-1]), [*direct.constraints, *fits, direct.cost <= budget])
    return sign * model.solve(solver="CLARABEL")


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_member_is_optimal(loss, bias):
    if bias == "none" and loss in CONSTRAINTS:
        pytest.skip("no network without biases fits random data")
    problem = make_problem(loss, 9, bias=bias)
    optima = cr.optimal_set(cr.solve(problem))
    assert optima.exhaustive
    assert optima.center.objective == pytest.approx(optimum_by_brute_force(problem), rel=1e-6)
    extremes = optima.extreme_predictions(np.random.default_rng(0).standard_normal((4, 2)))
    members = [
        optima.center,
        *optima.sample(6, random_state=0),
        *optima.vertices(),
        *extremes.lowest,
        *extremes.highest,
    ]
    sparsest = optima.sparsest(exact=True)
    assert_optimal(optima, [*members, sparsest, optima.sparsest(), optima.sparsest(count="hinges")])
    assert sparsest.exact
    assert sparsest.count == sparsest.network.n_neurons
    assert sparsest.count <= min(member.network.n_neurons for member in members)
    assert sparsest.count <= optima.sparsest().count
    assert optima.sparsest(exact=True, count="hinges").count <= sparsest.count


@pytest.mark.parametrize("slope", [0.1, -0.3, -1.0, 2.0])
def test_slopes(slope):
    problem = make_problem(n_samples=8, negative_slope=slope)
    optima = cr.optimal_set(cr.solve(problem))
    assert_optimal(optima, [*optima.sample(5, random_state=0), *optima.vertices(), optima.sparsest(exact=True)])
    assert optima.center.objective == pytest.approx(optimum_by_brute_force(problem), rel=1e-6)


@pytest.mark.parametrize(
    ("X", "y", "options"),
    [
        (CORNERS, XOR, {}),
        (CORNERS, XOR, {"loss": "margin"}),
        (LATTICE[:6], CHECKER[:6], {}),
        (*normal_data(5), {"bias": "joint"}),
    ],
)
def test_extremes_against_all_cells(X, y, options):
    problem = cr.Problem(X, y, **options)
    places = np.array([[0.3, 0.1], [1.6, 0.7]])
    extremes = cr.optimal_set(cr.solve(problem)).extreme_predictions(places)
    for place, lower, upper in zip(places, extremes.lower, extremes.upper, strict=True):
        for sign, ours in ((1.0, upper), (-1.0, lower)):
            loose, tight = (sign * extreme_by_brute_force(problem, place, sign, slack) for slack in (1e-4, 1e-6))
            # A cost delta above the optimum bends directions by sqrt(delta) and trades weight in proportion to delta.
            assert sign * ours <= tight + 1e-6
            assert tight <= sign * ours + 0.02
            assert tight <= loose + 1e-6


def test_members_lie_between_the_extremes():
    optima = optima_of(LATTICE, CHECKER)
    places = np.random.default_rng(0).uniform(-1, 3, (12, 2))
    extremes = optima.extreme_predictions(places)
    assert extremes.width.max() > 0.5
    for member in (*optima.sample(30, random_state=0), *optima.vertices()):
        values = member.network(places)
        assert (values >= extremes.lower - 1e-7).all()
        assert (values <= extremes.upper + 1e-7).all()
    for k, (low, high) in enumerate(zip(extremes.lowest, extremes.highest, strict=True)):
        assert low.network(places)[k] == pytest.approx(extremes.lower[k], abs=1e-12)
        assert high.network(places)[k] == pytest.approx(extremes.upper[k], abs=1e-12)
    assert_optimal(optima, [*extremes.lowest, *extremes.highest])
    np.testing.assert_allclose(optima.extreme_predictions(LATTICE).width, 0, atol=1e-8)


def test_uniqueness():
    """A bump is unique. XOR is abs(x_1 + x_2) - 1 or 1 - abs(x_1 - x_2) or in between, until the bias has a cost.

    Random labels in the plane have one function, whose neurons may face in many ways.
    """
    bump = optima_of(LATTICE, (np.arange(9) == 4).astype(float))
    assert bump.is_unique
    assert bump.has_unique_function
    xor = optima_of(CORNERS, XOR)
    assert not xor.is_unique
    assert not xor.has_unique_function
    assert xor.center.objective == pytest.approx(8**0.5, rel=1e-9)
    assert optima_of(CORNERS, XOR, bias="joint").is_unique
    random = optima_of(*normal_data(10))
    assert random.has_unique_function
    assert not random.is_unique
    assert random.dimension == 4


def test_losses_that_leave_predictions_open():
    """Where the cost is too dear for any neuron, XOR with the hinge loss is any constant from -1 to 1."""
    optima = optima_of(CORNERS, XOR, loss="hinge", alpha=10.0)
    extremes = optima.extreme_predictions([[0.0, 0.0]])
    assert extremes.lower[0] == pytest.approx(-1, abs=1e-8)
    assert extremes.upper[0] == pytest.approx(1, abs=1e-8)
    assert_optimal(optima, [*optima.sample(3, random_state=0), *optima.vertices()])
    assert optima.sparsest(exact=True).count == 0


@pytest.mark.parametrize(
    ("X", "y", "options"),
    [
        (LATTICE, np.ones(9), {}),
        (LATTICE, LATTICE @ [1.0, 2.0], {}),
        (np.vstack([LATTICE, LATTICE[:3]]), np.append(np.arange(9) == 4, np.zeros(3)), {}),
        (np.column_stack([np.arange(5.0), np.zeros(5)]), [0.0, 1, 0, 1, 0], {}),
        ([[1.0, 2.0]], [3.0], {}),
        ([[1.0, 2.0]], [3.0], {"bias": "joint"}),
        (LATTICE, CHECKER, {"loss": "squared", "alpha": 10.0}),
        (LATTICE, CHECKER, {"loss": "squared", "alpha": 10.0, "bias": "joint"}),
        (LATTICE, CHECKER, {"loss": "margin"}),
        (10 * normal_data(8)[0] + 100, normal_data(8)[1], {"bias": "joint"}),
        (1e-3 * normal_data(8)[0] + 1e3, 1e6 * normal_data(8)[1], {}),
    ],
)
def test_degenerate_data(X, y, options):
    optima = optima_of(X, y, **options)
    for member in (*optima.sample(4, random_state=0), *optima.vertices(), optima.sparsest(exact=True)):
        assert abs(member.objective - optima.lower) <= 1e-7 * member.objective


@pytest.mark.parametrize(
    ("loss", "alpha", "seed"),
    [
        ("squared", 0.01, 0),
        ("squared", 0.1, 14),
        ("logistic", 0.01, 36),
        ("hinge", 0.01, 1),
        ("interpolation", 0.01, 3),
    ],
)
def test_default_fits_of_forty_points_are_accurate_enough(loss, alpha, seed):
    """Scores next to the bound, and hinges next to a second data point, decide what carries weight."""
    fit = cr.solve(make_problem(loss, 40, seed=seed, alpha=alpha))
    optima = cr.optimal_set(fit)
    assert optima.dual_error <= 1e-12
    assert_optimal(optima, [optima.center, *optima.sample(2, random_state=0), optima.sparsest()])
    assert optima.center.objective <= fit.objective * (1 + 1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_rough_fit_leads_to_the_same_set(loss):
    problem = make_problem(loss, 12)
    rough, fine = (cr.optimal_set(cr.solve(problem, tol=tol)) for tol in (1e-2, 1e-6))
    assert rough.dimension == fine.dimension
    assert rough.center.objective == pytest.approx(fine.center.objective, rel=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("factor", [1e-6, 7.0])
def test_every_multiple_of_a_dual_vector_leads_to_the_same_set(loss, factor):
    fit = cr.solve(make_problem(loss, 9))
    scaled = replace(fit, certificate=replace(fit.certificate, dual=factor * fit.certificate.dual))
    one, other = cr.optimal_set(fit), cr.optimal_set(scaled)
    assert other.dual_error <= 1e-12
    assert other.dimension == one.dimension
    assert other.center.objective == pytest.approx(one.center.objective, rel=1e-8)


def test_linear_data_take_one_neuron():
    assert optima_of(LATTICE, LATTICE @ [1.0, 2.0]).sparsest(exact=True).count == 1


def test_ascent_finds_the_same_where_cells_are_too_many(monkeypatch):
    fit = cr.solve(make_problem(n_samples=9))
    exhaustive = cr.optimal_set(fit)
    monkeypatch.setattr(search, "CELL_LIMIT", 0)
    ascent = cr.optimal_set(fit)
    assert not ascent.exhaustive
    assert len(ascent.neurons) == len(exhaustive.neurons)
    assert ascent.dimension == exhaustive.dimension


def test_three_features():
    problem = make_problem("squared", 12, 3, bias="joint")
    optima = cr.optimal_set(cr.solve(problem))
    assert_optimal(optima, [*optima.sample(3, random_state=0), optima.sparsest(exact=True)])


def test_samples_are_reproducible():
    optima = optima_of(LATTICE, CHECKER)
    first, second, other = (optima.sample(2, random_state=seed)[1].network for seed in (0, 0, 1))
    assert first == second
    assert first != other


def test_a_search_for_cells_near_the_best_leaves_none_out():
    """A negative tolerance of `price_cells` keeps it on cells that fall short of the best by that share."""
    problem = make_problem(n_samples=8)
    v = cr.solve(problem).certificate.dual
    patterns = enumerate_patterns(problem.X).to_bool()
    from cvxrelu.pricing import price_cells

    near = price_cells(problem.X, v, patterns, near=0.1)
    for pattern in patterns:
        best = price_cells(problem.X, v, pattern[None]).value
        if best > 0.9 * near.value:
            assert (np.abs(np.abs(near.scores) - best) <= 1e-6 * best).any()


def test_arguments_are_checked():
    optima = optima_of(CORNERS, XOR)
    with pytest.raises(cr.InputError, match="count='knots' is unknown"):
        optima.sparsest(count="knots")
    with pytest.raises(cr.InputError, match="1 features"):
        optima.extreme_predictions([[0.0]])
    with pytest.raises(cr.InputError, match="positive integer"):
        optima.sample(0)
    with pytest.raises(cr.SolverError, match=r"above tol=1e-30; pass a larger tol"):
        cr.optimal_set(cr.solve(cr.Problem(CORNERS, XOR)), tol=1e-30)


def test_only_a_proven_minimum_is_called_exact(monkeypatch):
    monkeypatch.setattr("cvxrelu.analysis.optima.optimal.EXACT_SECONDS", 0.0)
    optima = optima_of(LATTICE, CHECKER)
    sparsest = optima.sparsest(exact=True)
    assert not sparsest.exact
    assert_optimal(optima, [sparsest])


def test_a_sampled_bound_is_no_lower_bound(monkeypatch):
    """Of sampled patterns alone an optimum may be far above that of all."""
    monkeypatch.setattr(search, "CELL_LIMIT", 0)
    fit = cr.solve(make_problem("squared", n_samples=8))
    claimed = replace(fit.certificate, scope="sampled", lower=2 * fit.objective)
    assert cr.optimal_set(replace(fit, certificate=claimed), tol=np.inf).lower <= fit.objective


def test_beyond_the_data_hinges_move_either_way():
    """A leaky neuron with all data on one side is linear there, wherever its hinge is on the other."""
    problem = cr.Problem([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0], "squared", alpha=0.1, negative_slope=0.5)
    v = np.array([-1.0, 0.0, 1.0])
    neurons = neurons_of(problem, v, np.array([[1.0, 0.0], [1.0, -2.0], [1.0, -1.0]]))
    heights = neurons.groups @ problem.lifted.T
    expected = np.where((heights >= 0).all(axis=1), 1.0, np.where((heights <= 0).all(axis=1), -1.0, 0.0))
    assert set(expected) == {1.0, -1.0, 0.0}
    np.testing.assert_array_equal(neurons.rays, expected)


@pytest.mark.parametrize(
    "problem",
    [
        cr.Problem([[0.0], [1.0]], [-1.0, 1.0], loss="margin", skip=True),
        cr.Problem([[0.0], [1.0]], [-1.0, 1.0], loss="hinge", alpha=0.1, skip=True),
        cr.Problem([[0.0, 0.0], [1.0, 0.0]], [0.0, 1.0], skip=True),
    ],
    ids=["separators", "no loss", "a plane without data"],
)
def test_what_affine_functions_make_many_is_refused(problem):
    with pytest.raises(cr.InputError, match="affine functions alone leave more networks"):
        cr.optimal_set(cr.solve(problem))


def test_affine_functions_without_end_are_refused():
    X = [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 2.0]]
    for settings in ({"loss": "hinge", "alpha": 0.1}, {"loss": "margin"}):
        with pytest.raises(cr.InputError, match="by affine functions without bound"):
            cr.optimal_set(cr.solve(cr.Problem(X, [1.0, -1.0, 1.0, 1.0, 1.0], skip=True, **settings)))


@pytest.mark.parametrize("error", [0.0, 1e-4, 1e-6, 1e-7, 1e-8])
def test_neurons_of_a_tie_that_the_dual_vector_is_slow_to_reach_are_all_found(error):
    # sigma(-u.x + .8) and -sigma(u.x + .4), with u = (1, -2) / sqrt(5), can stand for each other.
    fit = cr.solve(cr.Problem([[-1.0, 0.0], [1.0, 0.0], [1.0, 1.0]], [1.0, 0.0, 1.0], negative_slope=0.3))
    shift = error * np.array([1.0, 0.0, -1.0])
    optima = cr.optimal_set(replace(fit, certificate=replace(fit.certificate, dual=fit.certificate.dual + shift)))
    assert (len(optima.neurons), optima.dimension) == (2, 1)
    extremes = optima.extreme_predictions([[0.0, 1.0], [-3.0, 2.0]])
    np.testing.assert_allclose([extremes.lower, extremes.upper], [[1.15, 1.9], [1.5, 4.0]], atol=1e-8)


def test_a_step_whose_equations_cannot_be_solved_has_a_dual_vector():
    X = [[2.0, 0.0], [-1.0, 0.0], [2.0, -1.0], [2.0, -2.0], [2.0, 1.0]]
    problem = cr.Problem(X, [0.0, 0.0, 2.0, 1.0, 0.0], loss="absolute", alpha=0.1, negative_slope=-1.0)
    assert cr.optimal_set(cr.solve(problem)).center.objective == pytest.approx(0.3, rel=1e-7)


def test_hidden_facets_of_slivers_hide_no_neurons():
    # Scaling rounds the lattice, whose planes no longer meet where they did.
    X = np.round(np.random.default_rng(9).standard_normal((20, 3)))
    problem = cr.Problem(X, np.sin(X[:, 0]) + 0.3 * X[:, 1], loss="squared", alpha=0.15)
    standard, scaling = standardise(problem)
    fit = cr.solve(problem)
    found = search.NeuronSearch.of(standard, *scaling.adopt(fit.network.W, fit.network.b))
    v = standard.repair(fit.certificate.dual / scaling.gradient_scale, boxed=False)
    priced = price_cells(standard.X, v, found.patterns, facets=found.facets)
    assert priced.complete
    assert priced.upper == pytest.approx(make_pricer(standard.X)(v).upper, rel=1e-9)


@pytest.mark.parametrize("seed", [1, 4, 16, 78])
def test_predictions_far_out_are_known_by_how_far_at_least(seed):
    # Probabilities of 1e-8 and less, which a dual vector of rounding 1e-16 knows to few digits.
    optima = cr.optimal_set(cr.solve(far_out(seed), random_state=seed))
    assert_optimal(optima, optima.sample(2, random_state=0))


@pytest.mark.parametrize("seed", [58, 97])
def test_neurons_that_are_all_but_the_same_as_others_do_not_spoil_the_set(seed):
    optima = cr.optimal_set(cr.solve(far_out(seed), random_state=seed))
    assert_optimal(optima, [optima.center])


def test_neurons_of_both_signs_at_one_hinge_are_one_hinge():
    X = np.linspace(-1.0, 1.0, 9)[:, None]
    optima = optima_of(X, X[:, 0], "squared", "none", alpha=0.01)
    assert sorted(optima.neurons.signs) == [-1.0, 1.0]
    sparsest = optima.sparsest(count="hinges")
    assert sparsest.count == 1
    assert_optimal(optima, [sparsest])
