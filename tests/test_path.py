"""alpha_max and the regularisation path."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import cvxrelu as cr
from cvxrelu.analysis.path import alpha_grid
from cvxrelu.certificate.searches import certify_dual
from cvxrelu.pricing import price
from cvxrelu.program.zero_cost import best_of_zero_cost, zero_cost_dual
from cvxrelu.runtime.clock import Clock
from cvxrelu.solving.fit import solve_as
from tests.instances import (
    BIASES,
    LABELLED,
    OTHERS,
    REGULARISED,
    SLOPES,
    make_problem,
    normal_data,
    objective_by_hand,
    rule_of,
)


def unbalanced(loss, bias="free", slope=0.0, n_samples=11, n_features=2, seed=0):
    """A random problem, with a third of the labels positive."""
    X, y = normal_data(n_samples, n_features, seed)
    if loss in LABELLED:
        y = np.where(y > np.quantile(y, 2 / 3), 1.0, -1.0)
    return cr.Problem(X, y, loss=loss, bias=bias, alpha=1.0, negative_slope=slope)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("loss", REGULARISED)
def test_zero_cost_just_above_and_not_below(loss, bias, slope):
    problem = unbalanced(loss, bias, slope)
    found = best_of_zero_cost(problem, Clock())
    assert found.complete
    assert found.alpha_max == cr.alpha_max(problem)

    above = replace(problem, alpha=found.alpha_max * (1 + 1e-9))
    certificate = certify_dual(above, found.network, found.dual)
    assert found.network.cost(bias) == 0
    assert certificate.scope == "global"
    assert certificate.relative_gap <= 1e-11

    below = replace(problem, alpha=found.alpha_max * 0.97)
    fit = cr.solve(below, "generate", tol=1e-8, random_state=0)
    assert fit.network.cost(bias) > 1e-3
    assert fit.objective < below.objective(found.network) * (1 - 1e-6)


@pytest.mark.parametrize("loss", REGULARISED)
def test_the_constant_is_the_best_one(loss):
    problem = unbalanced(loss)
    found = best_of_zero_cost(problem, Clock())
    for step in (-1e-3, 1e-3):
        moved = replace(found.network, intercept=found.network.intercept + step)
        assert problem.objective(moved) > problem.objective(found.network)


@pytest.mark.parametrize("loss", [*REGULARISED, *OTHERS], ids=str)
def test_the_first_dual_vector_is_one_of_the_best_constant(loss):
    problem = unbalanced(loss)
    constant = best_of_zero_cost(problem, Clock()).network.intercept
    dual, pays = zero_cost_dual(problem), rule_of(problem.loss).pays
    assert abs(dual.sum()) <= 1e-12
    for v, y in zip(dual, problem.y, strict=True):
        # -v is a slope of the loss at the constant: a line through it that is nowhere above the loss.
        for step in (-3.0, -1e-3, 1e-3, 3.0):
            assert pays(constant + step, y) >= pays(constant, y) - v * step - 1e-12


def test_the_squared_loss_has_its_closed_form():
    problem = make_problem("squared", n_samples=30)
    expected = price(problem.X, problem.y - problem.y.mean()).value / 30
    assert cr.alpha_max(problem) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n_samples", "n_features"), [(8, 1), (25, 1), (40, 2), (12, 3)])
def test_alpha_max_of_the_hinge_loss_is_sharp(n_samples, n_features):
    # Near alpha_max the objective is linear in alpha, and the cost is its slope: a relative 1e-4 below shows.
    problem = unbalanced("hinge", n_samples=n_samples, n_features=n_features, seed=1)
    largest = cr.alpha_max(problem)
    below = replace(problem, alpha=largest * (1 - 1e-4))
    fit = cr.solve(below, "generate", tol=1e-9, random_state=0)
    constant = below.objective(best_of_zero_cost(problem, Clock()).network)
    assert constant - fit.objective == pytest.approx(1e-4 * largest * fit.network.cost(), rel=1e-2)
    assert constant - fit.objective > 1e-6


def test_hinge_loss_with_classes_of_equal_size_has_one_dual_vector():
    X, y = normal_data(10)
    y = np.where(y > np.median(y), 1.0, -1.0)
    problem = cr.Problem(X, y, loss="hinge", alpha=1.0)
    assert cr.alpha_max(problem) == pytest.approx(price(X, y).value / 10, rel=1e-9)


def test_alpha_max_is_zero_where_a_constant_is_always_optimal():
    X, y = normal_data(7)
    assert cr.alpha_max(cr.Problem(X, np.full(7, 0.1), loss="squared", alpha=1.0)) == 0
    assert cr.alpha_max(cr.Problem(np.full((7, 2), 0.3), y, loss="squared", alpha=1.0)) == 0
    # Each point has both labels in the same proportion.
    X, y = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [1.0]]), np.array([1.0, 1.0, -1.0, 1.0, 1.0, -1.0])
    assert cr.alpha_max(cr.Problem(X, y, loss="logistic", alpha=1.0)) == 0
    assert cr.alpha_max(cr.Problem(X, y, loss="hinge", alpha=1.0)) == 0


def test_units_scale_alpha_max():
    problem = unbalanced("hinge", n_samples=20)
    scaled = cr.Problem(1e5 * problem.X + 1e6, problem.y, loss="hinge", alpha=1.0)
    assert cr.alpha_max(scaled) == pytest.approx(1e5 * cr.alpha_max(problem), rel=1e-6)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("loss", REGULARISED)
def test_path_agrees_with_cold_fits(loss, bias):
    problem = unbalanced(loss, bias, n_samples=20)
    found = cr.path(problem, n_alphas=6, eps=1e-2, method="generate", tol=1e-7, random_state=0)
    assert found.alphas[0] == found.alpha_max
    assert found.alphas[-1] == pytest.approx(found.alpha_max / 100)
    assert found.costs[0] == 0
    assert found.n_neurons[0] == 0
    assert (found.relative_gaps <= 1e-7).all()
    # A loss with a kink fits the data exactly from some alpha down, with one cost.
    assert (np.diff(found.costs) > -1e-7 * found.costs[-1]).all()
    assert (np.diff(found.losses) < 1e-8 * found.losses[0]).all()  # the last ones may be zero
    np.testing.assert_allclose(found.objectives, found.losses + found.alphas * found.costs)
    for alpha, fit in zip(found.alphas[1:], found.fits[1:], strict=True):
        assert fit.certificate.scope == "global"
        assert fit.status is cr.Status.OPTIMAL
        assert objective_by_hand(fit.problem, fit.network) == pytest.approx(fit.objective, rel=1e-9)
        cold = cr.solve(replace(problem, alpha=float(alpha)), "generate", tol=1e-7, random_state=1)
        assert fit.objective == pytest.approx(cold.objective, rel=2e-7)


def test_path_is_deterministic():
    problem = unbalanced("logistic", n_samples=15)
    first, second = (cr.path(problem, n_alphas=3, method="generate", random_state=0) for _ in range(2))
    assert [fit.network for fit in first.fits] == [fit.network for fit in second.fits]


def test_warm_start_saves_rounds():
    problem = unbalanced("squared", n_samples=200, seed=1)
    alphas = alpha_grid(cr.alpha_max(problem), 8, 1e-2)
    warm = cr.path(problem, alphas, method="generate", random_state=0)
    cold = [cr.solve(replace(problem, alpha=float(a)), "generate", random_state=0) for a in alphas[1:]]
    assert sum(len(fit.history) for fit in warm.fits[1:]) < sum(len(fit.history) for fit in cold)


def test_given_alphas_are_sorted_and_the_problem_is_left_alone():
    problem = unbalanced("squared")
    found = cr.path(problem, [1e-3, 10.0, 1e-2])
    assert found.alphas.tolist() == [10.0, 1e-2, 1e-3]
    assert [fit.problem.alpha for fit in found.fits] == found.alphas.tolist()
    assert found.fits[0].method == "constant"
    assert found.predict(problem.X).shape == (3, 11)
    assert problem.alpha == 1.0
    assert repr(found).startswith("Path(3 alphas from 10 to 0.001, largest relative gap ")


def test_unusable_arguments_are_refused():
    problem = unbalanced("squared")
    with pytest.raises(cr.InputError, match="alphas must be a non-empty sequence of positive numbers"):
        cr.path(problem, [1.0, 0.0])
    with pytest.raises(cr.InputError, match="n_alphas=0 must be a positive integer"):
        cr.path(problem, n_alphas=0)
    with pytest.raises(cr.InputError, match="warm_start does not go with the problem"):
        cr.path(problem, n_alphas=1, warm_start=cr.Network([[1.0]], [0.0], [1.0]))
    with pytest.raises(cr.InputError, match="has no alpha_max"):
        cr.alpha_max(make_problem("margin"))
    one_input, leaky = cr.Network([[1.0]], [0.0], [1.0]), cr.Network([[1.0, 0.0]], [0.0], [1.0], negative_slope=0.1)
    for network in (one_input, leaky):
        with pytest.raises(cr.InputError, match="warm_start does not go with the problem"):
            cr.solve(problem, warm_start=network)
    with pytest.raises(cr.InputError, match="infinite cost with bias='none'"):
        cr.solve(
            cr.Problem(problem.X, problem.y, "squared", "none", alpha=1.0),
            warm_start=replace(leaky, b=[1.0], negative_slope=0.0),
        )


def test_a_constant_is_optimal_only_where_that_is_proven(monkeypatch):
    """Without its dual vector the constant is as good as before, and nothing proves it."""
    problem = unbalanced("squared")
    found = best_of_zero_cost(problem, Clock())
    unproven = replace(found, dual=0.0 * found.dual)
    monkeypatch.setattr("cvxrelu.analysis.path.best_of_zero_cost", lambda *_: unproven)
    (fit,) = cr.path(problem, [1.5 * found.alpha_max]).fits
    assert fit.network.cost() == pytest.approx(0, abs=1e-9)
    assert fit.status is cr.Status.OPTIMAL
    assert fit.certificate.relative_gap <= 1e-6


@pytest.mark.parametrize("loss", REGULARISED)
def test_a_fit_is_never_worse_than_its_start(loss):
    problem = replace(unbalanced(loss, n_samples=20), alpha=0.01)
    start = cr.solve(problem, "generate", tol=1e-9, random_state=0).network
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cr.AccuracyWarning)
        fit = cr.solve(problem, "generate", max_rounds=1, warm_start=start, random_state=1)
    assert fit.objective <= problem.objective(start) * (1 + 1e-11)  # an upper bound against the nearest float


def test_the_first_fit_is_the_constant_next_to_a_kink_too():
    problem = cr.Problem([[2.0], [-2], [-3], [-1], [-1]], [2.0, 0, -2, -1, 1], loss="absolute", alpha=1.0)
    first = cr.path(problem, alphas=[cr.alpha_max(problem)]).fits[0]
    assert (first.method, first.network.n_neurons) == ("constant", 0)


def test_a_warm_start_is_for_the_first_fit_that_is_no_constant(monkeypatch):
    problem, starts = unbalanced("squared"), []
    network = cr.solve(replace(problem, alpha=0.01)).network

    def noted(at_alpha, options):
        starts.append(options.warm_start)
        return solve_as(at_alpha, options)

    monkeypatch.setattr("cvxrelu.analysis.path.solve_as", noted)
    fits = cr.path(problem, n_alphas=3, warm_start=network).fits
    assert fits[0].method == "constant"
    assert starts == [network, fits[1].network]


def test_a_grid_that_begins_at_a_bound_says_so(monkeypatch):
    problem = unbalanced("squared")
    cut = replace(best_of_zero_cost(problem, Clock()), complete=False)
    monkeypatch.setattr("cvxrelu.analysis.path.best_of_zero_cost", lambda *_: cut)
    with pytest.warns(cr.AccuracyWarning, match="only an upper bound") as caught:
        cr.path(problem, n_alphas=1)
    assert caught[0].filename == __file__


def test_an_interrupted_search_for_alpha_max_is_an_interrupted_path(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("cvxrelu.analysis.path.best_of_zero_cost", interrupt)
    with pytest.raises(cr.Interrupted, match="after 0 of 0 alphas") as caught:
        cr.path(unbalanced("squared"))
    assert caught.value.path.fits == ()
